//! The options on probing domains.

use std::path::PathBuf;
use std::time::Duration;

use mconnect_core::{Host, InvalidHost};

use super::SendStage;
use super::option::{Opt, file, flag, text};
use super::sending::Sending;
use super::value::{count, put};

/// What is to be probed, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probing {
    pub is_asked_for: bool,
    pub targets: Vec<ProbeTarget>,
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

/// A domain, a host in brackets or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeTarget {
    /// As it was written.
    pub written: String,
    /// The same, with names in A-labels.
    pub name: String,
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
                self.targets = operands.iter().map(|operand| ProbeTarget::parse(operand)).collect::<Result<_, _>>()?;
                Ok(())
            }
        }
    }
}

impl ProbeTarget {
    /// Reads one; a name in it is taken in A-labels.
    ///
    /// # Errors
    /// A sentence that says why it is none.
    pub fn parse(written: &str) -> Result<Self, String> {
        if written.contains('@') {
            return Err(format!("{written:?} is not a domain: what follows the @ is"));
        }
        let inner = written.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
        let bare = inner.unwrap_or(written);
        let name = match bare.strip_prefix("IPv6:").unwrap_or(bare).parse::<std::net::IpAddr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) => {
                let why = |why: InvalidHost| match why {
                    InvalidHost::Port => format!("{written:?} is not a domain: a port goes with -p"),
                    why => format!("{written:?} is not a domain: {why}"),
                };
                if bare.is_empty() {
                    return Err(format!("{written:?} is not a domain: it is empty"));
                }
                if bare.contains(|c: char| c.is_whitespace() || c.is_control()) {
                    return Err(format!("{written:?} is not a domain: it is several words"));
                }
                if bare.contains("..") || bare.starts_with('.') {
                    return Err(format!("{written:?} is not a domain: a label of it is empty"));
                }
                let host = Host::parse(bare).map_err(why)?;
                if inner.is_some() { format!("[{}]", host.name) } else { host.name }
            }
        };
        Ok(Self { written: written.to_owned(), name })
    }
}

pub const PROBING: &[Opt] = &[
    flag("--probe", "say all that can be known of how DOMAINs take mail", |o| o.probing.is_asked_for = true)
        .first()
        .apart(&[
            ("--play --serve --demo --mx", "--probe, --mx, --play, --serve and --demo exclude each other"),
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
    fn every_operand_is_a_target_and_names_are_in_a_labels() {
        let args = ["--probe", "example.org", "b\u{fc}cher.example", "[mx.example]", "192.0.2.1", "[IPv6:2001:db8::1]"];
        let names: Vec<String> = of(&args).unwrap().probing.targets.into_iter().map(|target| target.name).collect();
        let expected = ["example.org", "xn--bcher-kva.example", "[mx.example]", "[192.0.2.1]", "[2001:db8::1]"];
        assert_eq!(names, expected);
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
            (&["--probe", "a@b"], "\"a@b\" is not a domain: what follows the @ is"),
            (&["--probe", "b:25"], "\"b:25\" is not a domain: a port goes with -p"),
            (&["--probe", "b.."], "\"b..\" is not a domain: a label of it is empty"),
            (&["--probe", "[]"], "\"[]\" is not a domain: it is empty"),
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
