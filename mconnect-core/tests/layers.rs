//! The import table of `docs/architecture.md` is kept: no module reaches for one above it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rows `| module | may import |` of the table: first words are modules, the others what they may import.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join("../docs/architecture.md")).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| module | may import |")).skip(2);
    let row = |line: &str| {
        let mut cells = line.split('|').skip(1).map(|cell| cell.split(['`', ',', ' ']).filter(|word| !word.is_empty()));
        let modules: Vec<String> = cells.next()?.map(str::to_owned).collect();
        let imports: BTreeSet<String> = cells.next()?.map(str::to_owned).collect();
        Some(modules.into_iter().map(move |module| (module, imports.clone())).collect::<Vec<_>>())
    };
    rows.take_while(|line| line.starts_with('|')).filter_map(row).flatten().collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, into),
            false => into.push(path),
        }
    }
}

/// What the lines of a file import, tests left out: modules of this crate (`session`; in the protocol, its files), and
/// of the standard library (`std::io`).
fn imports(text: &str, is_protocol: bool) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]").next().unwrap();
    let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    let own = if is_protocol { "super::" } else { "crate::" };
    for path in [own, "std::"] {
        for (at, _) in code.match_indices(path) {
            let rest = &code[at + path.len()..];
            let names: Vec<&str> = match rest.strip_prefix('{') {
                Some(list) => list.split('}').next().unwrap().split(',').map(str::trim).collect(),
                None => vec![rest],
            };
            for name in names {
                let word: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                found.insert(if path == own { word } else { format!("std::{word}") });
            }
        }
    }
    found
}

#[test]
fn every_module_imports_only_what_the_table_allows() {
    if !root().join("../Cargo.toml").exists() {
        // A published crate comes without the project's documentation.
        return;
    }
    let table = table();
    assert!(table.len() >= 10, "the table was not found: {table:?}");
    let (mut files, mut wrong) = (Vec::new(), Vec::new());
    sources(&root().join("src"), &mut files);
    for file in files {
        let name = file.strip_prefix(root().join("src")).unwrap().with_extension("");
        let mut words: Vec<String> = name.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        words.retain(|word| word != "mod");
        let module = match words.as_slice() {
            [protocol, file] if protocol == "protocol" => file.clone(),
            [first, ..] if first == "lib" => continue,
            [first, ..] => first.clone(),
            [] => continue,
        };
        let is_protocol = words[0] == "protocol";
        if words == ["protocol"] {
            continue;
        }
        let Some(allowed) = table.get(&module) else { panic!("{module} is not in the table") };
        for import in imports(&fs::read_to_string(&file).unwrap(), is_protocol) {
            let is_watched =
                ["std::io", "std::net", "std::time", "std::thread", "std::sync", "std::fs"].contains(&import.as_str());
            if (is_watched || !import.starts_with("std::")) && import != module && !allowed.contains(&import) {
                wrong.push(format!("{} imports {import}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
