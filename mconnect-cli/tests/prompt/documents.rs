//! What the READMEs and the manual page show, done again: each of their examples is run, and what comes is compared.
//!
//! The first words behind the fence of a block say what is done with it: `sh` is run by a shell, `sh installs` by whoever
//! installs, `rust` is compiled with the library's documentation, and run there without `no_run`, and of `text terminal`
//! see [`super::transcript`].

use std::fs;
use std::path::Path;

use super::transcript::Place;

const READMES: [&str; 3] = ["README.md", "mconnect-core/README.md", "mconnect-cli/README.md"];

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap()
}

/// Returns the fenced blocks of a document: what is said behind the fence, and the lines.
fn blocks(document: &str) -> Vec<(String, String)> {
    let parts: Vec<&str> = document.split("```").collect();
    assert!(parts.len() % 2 == 1, "a fence is open at the end");
    let inside = parts.into_iter().skip(1).step_by(2);
    inside.map(|part| part.split_once('\n').map(|(kind, text)| (kind.to_owned(), text.to_owned())).unwrap()).collect()
}

#[test]
fn every_block_of_the_readmes_does_what_it_shows() {
    let compiled = blocks(&read("mconnect-core/README.md"));
    for readme in READMES {
        let place = Place::new();
        for (kind, text) in blocks(&read(readme)) {
            match kind.as_str() {
                "sh" if text.starts_with("cargo test ") => {
                    assert!(read(".ci/toolchain.sh").contains("$(readme_block 2)"));
                }
                "sh" => {
                    let script = text.replace("cargo run --release -p mconnect-cli -- ", "mconnect ");
                    // What changes the machine is not for a test to run.
                    assert!(script.lines().all(|line| line.starts_with("mconnect ")), "{readme}: {script}");
                    place.run(&script);
                }
                "sh installs" => {
                    assert!(text.contains("cargo install") || text.contains("dpkg -i"), "{readme}: {text}");
                }
                "rust" | "rust,no_run" => assert!(compiled.contains(&(kind, text.clone())), "{readme}: {text}"),
                "text terminal" => place.replay(&text),
                _ => panic!("{readme}: a block of another kind: {kind}"),
            }
        }
    }
    assert!(read("mconnect-core/src/lib.rs").contains("include_str!(\"../README.md\")"));
}

#[test]
fn every_example_of_the_manual_page_does_what_it_shows() {
    let (place, page) = (Place::new(), read("docs/mconnect.1"));
    let examples = examples(&page);
    assert!(examples.len() > 10, "{examples:?}");
    // Nothing else in the page looks like an example and is none.
    let shown = page.lines().filter(|line| line.contains("$ ")).count();
    assert_eq!(examples.iter().flat_map(|it| it.lines()).filter(|line| line.starts_with("$ ")).count(), shown);
    for example in examples {
        place.replay(&example);
    }
}

/// Returns what a manual page displays as it is, the macros `Bd` and `Dl`, without mdoc's escapes.
fn examples(page: &str) -> Vec<String> {
    let (mut examples, mut is_display) = (Vec::<String>::new(), false);
    for line in page.lines() {
        match line.split_once(' ').unwrap_or((line, "")) {
            (".Bd", _) => (is_display, _) = (true, examples.push(String::new())),
            (".Ed", _) => is_display = false,
            (".Dl", command) => examples.push(format!("{command}\n")),
            _ if is_display => examples.last_mut().unwrap().push_str(&format!("{line}\n")),
            _ => {}
        }
    }
    let plain = |text: String| text.replace("\\e", "\\").replace("\\&", "").replace("\\(aq", "'").replace("\\-", "-");
    examples.into_iter().map(plain).filter(|text| text.starts_with("$ ")).collect()
}
