//! Tilde escapes: the tool's own commands at a prompt, after those of mailx(1) and ssh(1).

use mconnect_core::dialogue;

/// What an escape asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Escape {
    Aside(Aside),
    /// A file as the body, or as input lines.
    File(String),
    /// A file as one BDAT chunk.
    Chunk(String),
    /// Exactly these bytes.
    Bytes(Vec<u8>),
    /// An AUTH exchange: a mechanism and a user, both of which may be missing.
    Authenticate(String),
    /// These bytes in base64.
    Encode(Vec<u8>),
    /// The answer to a 334 is shown while it is typed.
    Visible,
    /// What of a long reply was not shown.
    Rest,
    Reopen,
    Close,
    /// A line that begins with a tilde.
    Line(String),
}

/// What needs no session: it is answered from what is known of one, also after its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aside {
    List,
    Topic(Option<String>),
    /// What the server advertised.
    Extensions,
    /// Where the session stands, or stood.
    State,
    /// What TLS agreed on, and the certificates.
    Chain,
    /// Writing the session down to a file starts or, without one or with the same, stops.
    Record(String),
    /// No escape, or not written right: what is wrong.
    Wrong(String),
}

/// The list that `~?` shows.
pub const LIST: &str = "\
~?          this list
~h          what the last reply means
~h TOPIC    help on a command, a parameter or a code: ~h RCPT, ~h 550, ~h 5.7.1
~r FILE     send a file: as the body of DATA, dots doubled and the end added;
            in a chunk as it is; at a command prompt as typed lines
~b FILE     send a file as one BDAT chunk, the last
~x BYTES    send these bytes and no line end: \\r \\n \\t \\0 \\\\ \\xHH
~e          what the server advertised, and what that means
~s          the state of the session: who, what about, and how long it took
~t          what TLS agreed on, and the server's certificates up to the root
~a [MECHANISM] [USER]
            authenticate: the password is asked for unseen, and * cancels
~64 TEXT    TEXT, with \\0 and the like as in ~x, in base64: printed, or sent
            as the answer to a 334
~w [FILE]   write the session down in FILE, as a dialogue; again: stop
~l          the rest of a reply that was too long to be shown, page by page
~v          show the next answer to a 334 while it is typed
~o          open the session again
~.          close at once
~~LINE      send a line that begins with a tilde
";

/// Said where `~l` has nothing to show.
pub const NO_REST: &str = "mconnect: nothing of a reply was left out";

/// What begins each of them, as Tab completes it.
pub const NAMES: [&str; 16] =
    ["~64 ", "~?", "~a ", "~b ", "~e", "~h ", "~l", "~o", "~r ", "~s", "~t", "~v", "~w ", "~x ", "~.", "~~"];

/// Reads a line that begins with a tilde.
pub fn parse(line: &str) -> Option<Escape> {
    let rest = line.strip_prefix('~')?;
    Some(read(rest).unwrap_or_else(|wrong| Escape::Aside(Aside::Wrong(wrong))))
}

fn read(rest: &str) -> Result<Escape, String> {
    let name = rest.chars().next().ok_or("~? lists the escapes; ~~ sends a tilde")?;
    let argument = rest[name.len_utf8()..].trim();
    if let Some(text) = argument_of_64(rest) {
        return some(unescape(text)?, "~64 needs a text").map(Escape::Encode);
    }
    Ok(match (name, argument) {
        ('~', _) => Escape::Line(rest.to_owned()),
        ('x', _) => {
            let bytes = rest[1..].strip_prefix(' ').unwrap_or(&rest[1..]);
            Escape::Bytes(some(unescape(bytes)?, "~x needs bytes")?)
        }
        ('r' | 'b', "") => return Err(format!("~{name} needs the name of a file")),
        ('r', file) => Escape::File(file.to_owned()),
        ('b', file) => Escape::Chunk(file.to_owned()),
        ('h', "") => Escape::Aside(Aside::Topic(None)),
        ('h', topic) => Escape::Aside(Aside::Topic(Some(topic.to_owned()))),
        ('w', file) if is_alone(rest, 'w') => Escape::Aside(Aside::Record(file.to_owned())),
        ('a', words) if is_alone(rest, 'a') => Escape::Authenticate(words.to_owned()),
        ('?', "") => Escape::Aside(Aside::List),
        ('e', "") => Escape::Aside(Aside::Extensions),
        ('s', "") => Escape::Aside(Aside::State),
        ('t', "") => Escape::Aside(Aside::Chain),
        ('l', "") => Escape::Rest,
        ('v', "") => Escape::Visible,
        ('o', "") => Escape::Reopen,
        ('.', "") => Escape::Close,
        ('?' | 'e' | 's' | 't' | 'l' | 'v' | 'o' | '.', _) => return Err(format!("~{name} takes nothing after it")),
        _ => return Err(format!("~{} is no escape: ~? lists them, ~~ sends a tilde", name.escape_default())),
    })
}

/// Says whether a line is an escape at all: in a body, what is none is text.
pub fn is_known(line: &str) -> bool {
    let Some(rest) = line.strip_prefix('~') else { return false };
    // Of more letters, some may begin a word of a text.
    rest.starts_with(['?', 'h', 'r', 'b', 'x', 'e', 's', 'v', 'o', '.', '~'])
        || ['a', 'l', 't', 'w'].into_iter().any(|name| is_alone(rest, name))
        || argument_of_64(rest).is_some()
}

fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let wrong = |at: usize| match text[at + 1..].starts_with('x') {
        true => "\\x needs two hexadecimal digits".to_owned(),
        false => "after a backslash: r n t 0 \\ or xHH".to_owned(),
    };
    dialogue::unescape(text).map_err(wrong)
}

fn some(bytes: Vec<u8>, missing: &str) -> Result<Vec<u8>, String> {
    if bytes.is_empty() { Err(missing.to_owned()) } else { Ok(bytes) }
}

/// Returns what follows `64`, if that is what the escape is, up to the end.
fn argument_of_64(rest: &str) -> Option<&str> {
    let text = rest.strip_prefix("64")?;
    if text.is_empty() { Some(text) } else { text.strip_prefix(' ') }
}

/// Says whether an escape of one letter ends there.
fn is_alone(rest: &str, name: char) -> bool {
    rest.strip_prefix(name).is_some_and(|more| more.is_empty() || more.starts_with(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_escape_of_the_list_is_read() {
        for line in LIST.lines().filter(|line| line.starts_with('~')) {
            assert!(line.len() <= 80, "{line}");
            let word = line.split_whitespace().next().unwrap();
            let start = if word == "~~LINE" { "~~" } else { word };
            assert!(NAMES.iter().any(|name| name.trim_end() == start), "{word}");
            let example = if word == "~~LINE" { "~~x".to_owned() } else { format!("{word} ") };
            assert!(is_known(&example), "{line}");
            let is_needed = [" FILE", " BYTES", " TEXT"].iter().any(|argument| line.contains(argument));
            let argument = if is_needed { "name" } else { "" };
            let escape = parse(&(example + argument)).unwrap();
            assert!(!matches!(escape, Escape::Aside(Aside::Wrong(_))), "{line}: {escape:?}");
        }
    }

    #[test]
    fn arguments_are_taken_as_they_are_and_errors_said() {
        assert_eq!(parse("NOOP"), None);
        assert_eq!(parse("~~."), Some(Escape::Line("~.".to_owned())));
        assert_eq!(parse("~r  a b.eml "), Some(Escape::File("a b.eml".to_owned())));
        assert_eq!(parse("~x a\\x00\\r\\n\\t\\0\\\\é "), Some(Escape::Bytes(b"a\0\r\n\t\0\\\xc3\xa9 ".to_vec())));
        assert_eq!(parse("~64 \\0user\\0a b "), Some(Escape::Encode(b"\0user\0a b ".to_vec())));
        assert_eq!(parse("~a PLAIN user"), Some(Escape::Authenticate("PLAIN user".to_owned())));
        assert!(!is_known("~about this") && !is_known("~645") && !is_known("~the") && is_known("~a"));
        for wrong in [
            "~about", "~64", "~6", "~64x", "~64 \\q", "~t x", "~", "~r", "~x", "~x \\q", "~x \\x4", "~x \\xé", "~q",
            "~é", "~. now",
        ] {
            assert!(matches!(parse(wrong), Some(Escape::Aside(Aside::Wrong(_)))), "{wrong}");
        }
    }
}
