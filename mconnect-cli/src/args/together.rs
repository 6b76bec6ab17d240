//! Which options go together.

use std::collections::BTreeSet;

/// The options that are given, each by one name.
#[derive(Debug, Default)]
pub struct Given(BTreeSet<String>);

impl Given {
    pub fn add_short(&mut self, letter: char) {
        self.0.insert(match letter {
            'c' => "--command".to_owned(),
            'k' => "--insecure".to_owned(),
            'r' => "--raw".to_owned(),
            letter => format!("-{letter}"),
        });
    }

    pub fn add_long(&mut self, name: &str) {
        self.0.insert(format!("--{name}"));
    }

    /// # Errors
    /// A sentence that says which of them do not go together, or go with another alone.
    pub fn check(&self) -> Result<(), String> {
        let is_given = |name: &&str| self.0.contains(*name);
        for (one, others, why) in APART {
            if is_given(one) && others.iter().any(is_given) {
                return Err((*why).to_owned());
            }
        }
        for (names, with) in ONLY {
            if let Some(name) = names.iter().find(|name| is_given(name))
                && !with.iter().any(is_given)
            {
                return Err(format!("{name} goes with {}", with.join(" or ")));
            }
        }
        Ok(())
    }
}

/// Options that exclude others, and why.
const APART: &[(&str, &[&str], &str)] = &[
    ("--raw", &["--no-wait"], "-r and --no-wait exclude each other: raw mode never waits"),
    (
        "--raw",
        &["--command", "--fail", "--json", "--timestamps", "--timing", "--record"],
        "-r goes with none of -c, --fail, --json, --timestamps, --timing and --record: raw mode knows no lines and no \
         replies",
    ),
    (
        "--play",
        &["--command", "--fail", "--raw", "--no-wait"],
        "--play takes its lines from a dialogue: -c, --fail, -r and --no-wait go without it",
    ),
    (
        "--play",
        &["--starttls", "--auth"],
        "--play takes no --starttls and no --auth: a dialogue says so itself, *starttls* and *authenticate*",
    ),
    ("--serve", &["--play", "--record", "--demo"], "--serve takes no host and nothing to play or record"),
    ("--serve", &["--command", "--fail"], "--serve takes its lines from its dialogue: -c and --fail are for a session"),
    (
        "--serve",
        &["--json", "--timestamps", "--timing"],
        "--serve has no session of its own for --json, --timestamps or --timing to tell of",
    ),
    (
        "--serve",
        &["-4", "-6", "--source", "--connect-timeout", "--raw", "--no-wait", "--trace"],
        "--serve connects to nobody: -4, -6, --source, --connect-timeout, -r, --no-wait and --trace are for sessions",
    ),
    (
        "--serve",
        &[
            "--starttls",
            "--no-tls",
            "--no-upgrade",
            "--helo",
            "--insecure",
            "--tls-name",
            "--cafile",
            "--pin",
            "--tls-min",
            "--tls-verbose",
            "--auth",
            "--password-file",
            "--password-command",
            "--allow-plaintext-auth",
        ],
        "--serve is the server: of the options on TLS and AUTH it takes --tls, --cert, --key and --save-chain",
    ),
    (
        "--tls",
        &["--starttls"],
        "--tls and --starttls exclude each other: TLS starts with the first byte, or by a command",
    ),
    (
        "--password-file",
        &["--password-command"],
        "--password-file and --password-command exclude each other: there is one password",
    ),
    ("--quit-at", &["--drop-at"], "--quit-at and --drop-at exclude each other: a session ends once"),
    ("--json", &["--tap"], "--json and --tap exclude each other: both are for standard output"),
    (
        "--timestamps",
        &["--json", "--tap"],
        "--timestamps goes with neither --json nor --tap: both have the time already",
    ),
];

/// Options that go with one of others.
const ONLY: &[(&[&str], &[&str])] = &[
    (&["--keep-going", "--repeat", "--quit-at", "--drop-at", "--tap", "--junit"], &["--play"]),
    (&["--bind", "--port-file", "--once"], &["--serve"]),
    (&["--key"], &["--cert"]),
    (&["--set", "--scale"], &["--play", "--serve"]),
];
