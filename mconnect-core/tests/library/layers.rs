//! Who imports whom: nothing in a circle, and in the library what the table of `docs/architecture.md` allows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::files;

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

/// Returns the words of the module that a file is: `protocol`, `line` for `protocol/line.rs`; none for the root.
fn module(file: &Path, sources: &Path) -> Vec<String> {
    let name = file.strip_prefix(sources).unwrap().with_extension("");
    let words = name.iter().map(|word| word.to_string_lossy().into_owned());
    words.filter(|word| !["mod", "lib", "main"].contains(&word.as_str())).collect()
}

/// Returns the paths in the code of a file, tests left out: those within this crate with their words from its root on, and
/// those of the standard library and of memchr, which begin with its name.
fn paths(text: &str, module: &[String]) -> Vec<Vec<String>> {
    let code = text.split("#[cfg(test)]").next().unwrap();
    let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for root in ["crate::", "super::", "std::", "memchr::"] {
        for (at, _) in code.match_indices(root) {
            if !code[..at].ends_with(|c: char| c == ':' || c == '_' || c.is_alphanumeric()) {
                branches(&code[at..], &mut Vec::new(), &mut found);
            }
        }
    }
    let absolute = |path: Vec<String>| {
        let supers = path.iter().take_while(|word| *word == "super").count();
        match path[0].as_str() {
            "crate" => path[1..].to_vec(),
            "super" => [&module[..module.len().saturating_sub(supers)], &path[supers..]].concat(),
            _ => path,
        }
    };
    found.into_iter().map(absolute).filter(|path| !path.is_empty()).collect()
}

/// Follows a path into its braces, however deep, and returns what comes after it.
fn branches<'a>(code: &'a str, before: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    let (depth, mut rest) = (before.len(), code.trim_start());
    loop {
        if let Some(mut list) = rest.strip_prefix('{') {
            while !list.starts_with('}') {
                list = branches(list, before, found).trim_start();
                list = list.strip_prefix(',').unwrap_or(list).trim_start();
                assert!(!list.is_empty(), "braces without an end");
            }
            rest = &list[1..];
            break;
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        before.push(rest[..end].to_owned());
        rest = &rest[end..];
        match rest.strip_prefix("::") {
            Some(more) => rest = more,
            None => {
                found.push(before.clone());
                rest = rest.trim_start_matches(|c| c != ',' && c != '}');
                break;
            }
        }
    }
    before.truncate(depth);
    rest
}

/// Returns what lies on a circle, or leads to one, of the imports from each to others.
fn circle(mut imports: BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    loop {
        let left: BTreeSet<String> = imports.keys().cloned().collect();
        imports.values_mut().for_each(|names| names.retain(|name| left.contains(name)));
        imports.retain(|_, names| !names.is_empty());
        if imports.len() == left.len() {
            return imports;
        }
    }
}

#[test]
fn imports_are_seen_inside_braces_and_in_nested_paths() {
    let text = "use std::{io::{self, Write as _}, fs};\nuse crate::{\n    a::{b::{C, D}, e},\n    f,\n};\nuse super::super::g;\n\
                // crate::comment\nfn h() { crate::i::j::<u8>(super::k) }\n#[cfg(test)]\nuse crate::tests;";
    let module = ["x", "y", "z"].map(str::to_owned);
    let found: BTreeSet<String> = paths(text, &module).iter().map(|path| path.join("::")).collect();
    let expected =
        ["a::b::C", "a::b::D", "a::e", "f", "i::j::", "std::fs", "std::io::Write", "std::io::self", "x::g", "x::y::k"];
    assert_eq!(found, expected.map(str::to_owned).into());
}

/// Returns, by folder, what each part of it imports of its other parts; `tls` is what `without_tls.rs` stands in for.
fn folders(sources: &Path, tls: &str) -> BTreeMap<Vec<String>, BTreeMap<String, BTreeSet<String>>> {
    let mut folders = BTreeMap::<_, BTreeMap<String, BTreeSet<String>>>::new();
    for file in files(sources).iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs")) {
        let mut module = module(file, sources);
        for word in &mut module {
            // Built without a feature, a crate has this file in the place of that one.
            *word = word.replace("without_tls", tls).replace("without_auth", "auth");
        }
        for path in paths(&fs::read_to_string(file).unwrap(), &module) {
            let shared = module.iter().zip(&path).take_while(|(one, other)| one == other).count();
            if let (Some(part), Some(other)) = (module.get(shared), path.get(shared)) {
                let folder = folders.entry(module[..shared].to_vec()).or_default();
                folder.entry(part.clone()).or_default().insert(other.clone());
            }
        }
    }
    folders
}

#[test]
fn no_modules_of_either_crate_import_each_other_in_a_circle() {
    for (sources, tls) in [(root().join("src"), "tls"), (root().join("../mconnect-cli/src"), "secure")] {
        if !sources.exists() {
            // A published crate comes without the other one.
            continue;
        }
        let folders = folders(&sources, tls);
        assert!(folders.len() > 3, "the modules were not found: {folders:?}");
        let circles: BTreeMap<_, _> = folders.into_iter().map(|(folder, imports)| (folder, circle(imports))).collect();
        let circles: BTreeMap<_, _> = circles.into_iter().filter(|(_, circle)| !circle.is_empty()).collect();
        assert!(circles.is_empty(), "in {}: {circles:#?}", sources.display());
    }
}

#[test]
fn every_module_imports_only_what_the_table_allows() {
    if !root().join("../Cargo.toml").exists() {
        // A published crate comes without the project's documentation.
        return;
    }
    let table = table();
    assert!(table.len() >= 10, "the table was not found: {table:?}");
    let mut wrong = Vec::new();
    for file in files(&root().join("src")) {
        let words = module(&file, &root().join("src"));
        let is_protocol = words.first().is_some_and(|word| word == "protocol");
        let Some(own) = words.get(usize::from(is_protocol)) else { continue };
        let Some(allowed) = table.get(own) else { panic!("{own} is not in the table") };
        for path in paths(&fs::read_to_string(&file).unwrap(), &words) {
            let is_std = path[0] == "std" && path.len() > 1;
            let import = match path.as_slice() {
                _ if is_std => format!("std::{}", path[1]),
                // What finds a text is not meant.
                [memchr, find, ..] if memchr == "memchr" && !find.starts_with("memchr") => continue,
                [protocol, part, ..] if is_protocol && protocol == "protocol" => part.clone(),
                path => path[0].clone(),
            };
            let is_watched =
                ["std::io", "std::net", "std::time", "std::thread", "std::sync", "std::fs"].contains(&import.as_str());
            if (is_watched || !is_std) && import != *own && !allowed.contains(&import) {
                wrong.push(format!("{} imports {import}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
