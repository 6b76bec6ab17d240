//! The options on probing domains.

use std::path::PathBuf;
use std::time::Duration;

use super::SendStage;
use super::option::{Opt, file, flag, text};
use super::sending::Sending;
use super::value::{count, put};

/// What is to be probed, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probing {
    pub is_asked_for: bool,
    /// Domains, hosts in brackets and addresses, as they were written.
    pub targets: Vec<String>,
    /// Certificates that are valid for fewer days are told of.
    pub expiring: Option<Duration>,
    /// Networks that are never contacted.
    pub exclude: Option<PathBuf>,
    pub many: Many,
}

/// Many targets, from a file, and how fast they are asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Many {
    /// The file; `-` is standard input.
    pub file: Option<PathBuf>,
    pub jobs: Option<usize>,
    pub per_address: Option<usize>,
    pub rate: Option<u32>,
    /// What is known already, and where the rest goes.
    pub resume: Option<PathBuf>,
}

impl Probing {
    /// Takes the operands for targets, and looks whether what else was asked for can be done.
    ///
    /// # Errors
    /// A sentence that says why not.
    pub fn take(&mut self, operands: &[String], sending: &Sending) -> Result<(), String> {
        if self.many.file.is_some() != operands.is_empty() {
            return match operands {
                [] => Err("--probe takes domains, hosts in brackets and addresses: there is none".to_owned()),
                _ => Err("--targets reads targets from a file: it takes none beside it".to_owned()),
            };
        }
        match sending.until {
            None if !sending.to.is_empty() => Err("--probe sends no message: --to goes with --until rcpt".to_owned()),
            Some(SendStage::Rcpt) if sending.to.is_empty() => Err("without --to there is nobody to ask for".to_owned()),
            Some(stage) if stage != SendStage::Rcpt => Err("--probe goes on to QUIT, or to --until rcpt".to_owned()),
            _ => {
                self.targets = operands.to_vec();
                Ok(())
            }
        }
    }
}

pub const PROBING: &[Opt] = &[
    flag("--probe", "say all that can be known of how DOMAINs take mail", |o| o.probing.is_asked_for = true)
        .first()
        .apart(&[
            ("--play --serve --demo --mx", "--probe, --mx, --play, --serve and --demo exclude each other"),
            (
                "--pipe --via --haproxy --xclient --xforward",
                "--probe connects by itself: --pipe, --via, --haproxy, --xclient and --xforward go without it",
            ),
            ("-c -r --no-wait", "--probe asks by itself: -c, -r and --no-wait go without it"),
            (
                "--record --trace --timestamps --timing --save-chain",
                "--probe has many sessions: --record, --trace, --timestamps, --timing and --save-chain are for one",
            ),
            (
                "--starttls --tls --no-tls --no-upgrade -k --tls-name --pin --cert --auth",
                "--probe does TLS by itself, and goes on whatever is wrong: of the options on TLS it takes --cafile and \
                 --tls-min",
            ),
            (
                "--message --header --body --bdat --mail-param --rcpt-param --lmtp",
                "--probe sends no message: of the options on one it takes --until rcpt, --to and --from",
            ),
        ]),
    text("--expiring DAYS", "tell of certificates with fewer days (default: 14)", |o, text| {
        put(&mut o.probing.expiring, count(text).map(|days| Duration::from_secs((days as u64).saturating_mul(DAY))))
    })
    .with("--probe"),
    file("--exclude FILE", "never contact the networks in FILE", |o| &mut o.probing.exclude).with("--probe"),
    file("--targets FILE", "probe each line of FILE; - is standard input", |o| &mut o.probing.many.file)
        .with("--probe"),
    text("--jobs COUNT", "targets at once (default: 100)", |o, text| put(&mut o.probing.many.jobs, count(text)))
        .with("--targets"),
    text("--per-address COUNT", "sessions with an address at once (default: 10)", |o, text| {
        put(&mut o.probing.many.per_address, count(text))
    })
    .with("--targets"),
    text("--rate COUNT", "targets begun in a second at most", |o, text| put(&mut o.probing.many.rate, rate(text)))
        .with("--targets"),
    file("--resume FILE", "append to FILE, and pass over what it has", |o| &mut o.probing.many.resume)
        .with("--targets"),
];

fn rate(text: &str) -> Result<u32, String> {
    let rate = count(text)?;
    u32::try_from(rate).map_err(|_| format!("{text:?} is more than can be begun in a second"))
}

/// In seconds.
const DAY: u64 = 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::super::{Options, Request, parse};
    use super::*;

    fn of(args: &[&str]) -> Result<Options, String> {
        match parse(args.iter().map(OsString::from))? {
            Request::Probe(options) => Ok(*options),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_operand_is_a_target() {
        let targets = of(&["--probe", "example.org", "[mx.example]"]).unwrap().probing.targets;
        assert_eq!(targets, ["example.org", "[mx.example]"]);
        let options =
            of(&["--probe", "a.example", "--fail", "--until", "rcpt", "--to", "b@a.example", "--expiring", "30"]);
        let options = options.unwrap();
        assert_eq!((options.ends_at_refusal, options.probing.expiring), (true, Some(Duration::from_secs(30 * DAY))));
    }

    #[test]
    fn many_targets_come_from_a_file() {
        let args =
            ["--probe", "--targets", "-", "--jobs", "1000", "--per-address", "2", "--rate", "50", "--resume", "r"];
        let many = of(&args).unwrap().probing.many;
        assert_eq!((many.jobs, many.per_address, many.rate), (Some(1000), Some(2), Some(50)));
        assert_eq!((many.file, many.resume), (Some("-".into()), Some("r".into())));
    }

    #[test]
    fn what_cannot_be_probed_so_is_said() {
        for (args, message) in [
            (&["--probe"][..], "--probe takes domains, hosts in brackets and addresses: there is none"),
            (&["--probe", "b", "--to", "a@b"], "--probe sends no message: --to goes with --until rcpt"),
            (&["--probe", "b", "--until", "rcpt"], "without --to there is nobody to ask for"),
            (&["--probe", "b", "--until", "data", "--to", "a@b"], "--probe goes on to QUIT, or to --until rcpt"),
            (&["--probe", "b", "-c", "NOOP"], "--probe asks by itself: -c, -r and --no-wait go without it"),
            (&["--expiring", "3", "b"], "--expiring goes with --probe"),
            (&["--targets", "f"], "--targets goes with --probe"),
            (&["--probe", "--targets", "f", "b"], "--targets reads targets from a file: it takes none beside it"),
            (&["--probe", "b", "--jobs", "3"], "--jobs goes with --targets"),
            (&["--probe", "--targets", "f", "--rate", "0"], "\"0\" is not a count above 0"),
        ] {
            assert_eq!(of(args).unwrap_err(), message, "{args:?}");
        }
    }
}
