//! What the documents name is there, and the indexes have all of it.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Returns the documents: those at the top, and those of the folders that have some.
fn documents() -> Vec<PathBuf> {
    let folders = [".", "docs", ".github", "mconnect-core", "mconnect-cli", "mconnect-core/examples"];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(root().join(folder)).unwrap());
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|it| it == "md")).collect()
}

/// Returns where the links of a document lead.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link)
}

/// Returns what leads to the headings of a document.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| {
        let words = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        words.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
    })
}

/// Says whether a word is the name of a file or a folder, with the folder that it is in.
fn is_path(word: &str) -> bool {
    let is_plain = word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "/._-".contains(c));
    is_plain && word.contains('/') && !word.starts_with('/')
}

#[test]
fn the_top_level_holds_what_is_meant_to_be_there() {
    let meant = [
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "docs",
        "mconnect-cli",
        "mconnect-core",
        "target",
    ];
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with('.') || meant.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let mut count = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for link in links(&text).filter(|link| !link.starts_with("http")) {
            let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
            let target = if file.is_empty() { document.clone() } else { document.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link}", document.display());
            let is_there = |heading: &str| anchors(&fs::read_to_string(&target).unwrap()).any(|it| it == heading);
            assert!(heading.is_none_or(is_there), "{}: {link}", document.display());
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}

#[test]
fn every_file_that_a_document_names_is_there() {
    let places = [
        "",
        "mconnect-core",
        "mconnect-core/src",
        "mconnect-core/src/dialogue",
        "mconnect-core/fuzz",
        "mconnect-cli",
        "mconnect-cli/src",
    ];
    let mut count = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for name in text.split('`').filter(|name| is_path(name)) {
            let is_there = |place: &&str| root().join(place).join(name).exists();
            assert!(places.iter().any(is_there), "{}: {name}", document.display());
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}

#[test]
fn the_indexes_have_every_page_and_every_example() {
    for folder in ["docs", "mconnect-core/examples"].map(|folder| root().join(folder)) {
        let index = fs::read_to_string(folder.join("README.md")).unwrap();
        for entry in fs::read_dir(&folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let is_linked = [")", "/", "#"].iter().any(|end| index.contains(&format!("]({name}{end}")));
            assert!(is_linked || name == "README.md", "{}: {name}", folder.display());
        }
    }
}

#[test]
fn the_changelog_has_this_version_below_what_is_to_come() {
    let text = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    let versions: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## [")).collect();
    assert_eq!(versions[0], "Unreleased]");
    assert!(versions[1].starts_with(concat!(env!("CARGO_PKG_VERSION"), "] - 20")), "{versions:?}");
}
