//! `docs/from-swaks.md`: the options of others that have a row there, and those of ours that are named.

use std::collections::BTreeSet;
use std::process::Command;

use crate::common::{out, run};

#[test]
fn every_option_that_is_named_for_those_who_come_from_elsewhere_exists() {
    let help = out(&run(&["--help"], "")).to_owned();
    let known: BTreeSet<&str> = flags(&help).collect();
    let mut named = BTreeSet::new();
    for row in TABLES.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| there")) {
        let row = row.replace("\\|", "or");
        let here = row.split(" | ").nth(1).unwrap();
        let spans = here.split('`').skip(1).step_by(2);
        for span in spans.filter(|span| span.starts_with('-') || span.contains("mconnect ")) {
            let words = span.rsplit("mconnect ").next().unwrap();
            named.extend(flags(words).map(str::to_owned));
        }
    }
    assert!(named.len() > 40 && named.contains("--until"), "{named:?}");
    let unknown: Vec<_> = named.iter().filter(|flag| !known.contains(flag.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
#[ignore = "needs swaks and curl: .ci/run installs and runs them"]
fn every_option_of_swaks_and_curl_has_a_row() {
    let said = |command: &[&str]| {
        let done = Command::new(command[0]).args(&command[1..]).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    // An option's line begins with it, and its description stands deeper.
    let swaks = said(&["swaks", "--help"]);
    let swaks = swaks.lines().filter(|line| line.starts_with("       -") && !line.contains('"'));
    let swaks: BTreeSet<String> =
        swaks.flat_map(flags).map(|flag| flag.replace("--h-<header>", "--h-HEADER")).collect();
    let topics = ["smtp", "tls", "auth", "connection", "dns"].map(|topic| said(&["curl", "--help", topic]));
    let curl = topics
        .iter()
        .flat_map(|topic| topic.lines())
        .filter_map(|line| flags(line).find(|flag| flag.starts_with("--")));
    let curl: BTreeSet<String> = curl.map(str::to_owned).filter(|flag| !is_not_of_smtp(flag)).collect();
    assert!(swaks.len() > 80 && swaks.contains("-tlsc") && curl.len() > 50, "{swaks:?} {curl:?}");
    let (in_swaks, in_curl) = TABLES.split_once("## curl").unwrap();
    let without = |section: &str, options: BTreeSet<String>| -> Vec<String> {
        let named: BTreeSet<&str> = flags(section).collect();
        options.into_iter().filter(|option| !named.contains(option.as_str())).collect()
    };
    assert_eq!((without(in_swaks, swaks), without(in_curl, curl)), (Vec::new(), Vec::new()));
}

/// Returns the words that are options.
fn flags(text: &str) -> impl Iterator<Item = &str> {
    let is_between = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '<' | '>'));
    let words = text.split(is_between).map(|word| word.trim_end_matches(['.', ':']));
    words.filter(|word| {
        word.starts_with('-') && word.trim_start_matches('-').starts_with(|c: char| c.is_ascii_alphanumeric())
    })
}

/// Says whether an option of curl's is for a proxy, or for another protocol.
fn is_not_of_smtp(flag: &str) -> bool {
    const PREFIXES: [&str; 6] = ["--proxy", "--socks", "--ftp", "--doh-", "--proto", "--location"];
    const OTHERS: [&str; 10] = [
        "--anyauth",
        "--aws-sigv4",
        "--basic",
        "--pubkey",
        "--continue-at",
        "--max-filesize",
        "--parallel-immediate",
        "--parallel-max",
        "--request-target",
        "--rate",
    ];
    PREFIXES.iter().any(|prefix| flag.starts_with(prefix)) || OTHERS.contains(&flag)
}

const TABLES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/from-swaks.md"));
