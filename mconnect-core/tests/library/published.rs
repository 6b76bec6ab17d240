//! What users of the library lean on: one name for one thing, fields that may come, and outcomes that nobody forgets.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mconnect_core::dialogue::{Dialogue, Player};
use mconnect_core::protocol::{Code, Limits, Meaning, Reply, Request, Tracker};
use mconnect_core::script::{Pace, Rules, Script};
use mconnect_core::{Connect, Error, RawReader, RawWriter, Reader, Session, Timeouts, Writer};

use super::files;

/// A type that any module of the library makes public.
struct Type {
    file: PathBuf,
    kind: String,
    name: String,
    /// Its attributes and its own lines.
    text: String,
}

fn public_types() -> Vec<Type> {
    let (mut files, mut types) = (files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")), Vec::new());
    // A stand-in for a module that is not built has the names of what it stands for.
    files.retain(|file| !file.file_name().unwrap().to_string_lossy().starts_with("without_"));
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
            let ["pub", kind @ ("struct" | "enum" | "trait" | "type"), name, ..] = *words.as_slice() else { continue };
            let is_above = |line: &&&str| line.starts_with("#[") || line.starts_with("//") || line.starts_with(' ');
            let above = lines[..at].iter().rev().take_while(is_above).count();
            let below =
                if line.ends_with('{') { lines[at..].iter().take_while(|line| **line != "}").count() } else { 1 };
            let text = lines[at - above..at + below].join("\n");
            types.push(Type { file: file.clone(), kind: kind.to_owned(), name: name.to_owned(), text });
        }
    }
    assert!(types.len() >= 50, "the types were not found");
    types
}

#[test]
fn no_two_public_types_share_a_name() {
    let mut places = BTreeMap::<String, Vec<PathBuf>>::new();
    for public in public_types() {
        places.entry(public.name).or_default().push(public.file);
    }
    places.retain(|_, files| files.len() > 1);
    assert!(places.is_empty(), "{places:#?}");
}

/// These have all that they will ever have: what is matched has to be matched whole, and what is wrapped is one thing.
const CLOSED: &[&str] = &[
    "AuthStep",
    "Failure",
    "Family",
    "Fingerprint",
    "MessageReply",
    "Next",
    "Pace",
    "ProxyHeaderParse",
    "ProxyStep",
    "ProxyTarget",
    "Separator",
    "Severity",
    "Side",
    "Text",
    "Truncation",
    "Visible",
];

#[test]
fn a_field_or_a_variant_more_breaks_nobody() {
    let can_grow = |public: &Type| match public.kind.as_str() {
        "enum" => true,
        "struct" => {
            let mut fields = public.text.lines().filter(|line| line.starts_with("    ") && !line.starts_with("    //"));
            public.text.contains("(pub ")
                || fields.clone().any(|line| line.starts_with("    pub ")) && {
                    // A private field says as much.
                    fields.all(|line| line.starts_with("    pub ") || line.starts_with("    #["))
                }
        }
        _ => false,
    };
    let breaks = |public: &Type| {
        can_grow(public) && !public.text.contains("#[non_exhaustive]") && !CLOSED.contains(&public.name.as_str())
    };
    let wrong: Vec<String> = public_types().into_iter().filter(breaks).map(|public| public.name).collect();
    assert!(wrong.is_empty(), "neither non_exhaustive nor among the closed ones: {wrong:?}");
}

/// Each of these lines forgets what it was told; were one not warned of, this would not compile.
#[deny(unfulfilled_lint_expectations)]
#[allow(dead_code, reason = "that it compiles is the test")]
fn what_says_whether_it_worked_cannot_be_forgotten(session: Session, other: Session, reply: &Reply, error: &Error) {
    let dialogue = Dialogue::default();
    #[expect(unused_must_use)]
    session.play(&dialogue);
    #[expect(unused_must_use)]
    Player::new().play(other, &dialogue);
    #[expect(unused_must_use)]
    reply.is_granted();
    #[expect(unused_must_use)]
    reply.meaning();
    #[expect(unused_must_use)]
    reply.clone().require(250);
    #[expect(unused_must_use)]
    error.is_temporary();
    #[expect(unused_must_use)]
    Meaning::of(Some(Request::Mail), Code::READY);
    #[expect(unused_must_use)]
    Script::new(Rules::new(Pace::InStep)).unsent().is_empty();
    #[expect(unused_must_use)]
    Connect::new("mx.example.org", 25).open();
    #[expect(unused_must_use)]
    Timeouts::default().replies(Duration::ZERO);
    #[expect(unused_must_use)]
    Limits::default().lines(1);
}

#[test]
fn sessions_and_what_comes_of_them_may_go_to_another_thread() {
    fn may_go<T: Send + 'static>() {}
    may_go::<Connect>();
    may_go::<Session>();
    may_go::<(Reader, Writer)>();
    may_go::<(RawReader, RawWriter)>();
    may_go::<Result<Reply, Error>>();
    may_go::<Tracker>();
    may_go::<Script>();
}
