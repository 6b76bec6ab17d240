//! The options on TLS and AUTH.

use std::path::PathBuf;

use mconnect_core::sasl::Mechanism;
use mconnect_core::tls_info::Fingerprint;
use mconnect_core::{Host, InvalidHost};

use super::option::{Opt, file, flag, text, word};
use super::value::{filled, put, read};

/// How a session is to be secured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Security {
    pub start: Start,
    pub is_plain: bool,
    /// STARTTLS is a command as any other.
    pub is_left_plain: bool,
    pub helo: Option<String>,
    pub is_insecure: bool,
    pub name: Option<Host>,
    pub authorities: Option<PathBuf>,
    pub pin: Option<Fingerprint>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub is_13_only: bool,
    pub is_verbose: bool,
    pub save_chain: Option<PathBuf>,
    pub auth: Option<Auth>,
    pub password_file: Option<PathBuf>,
    pub password_command: Option<String>,
    pub allows_plaintext_auth: bool,
}

/// When TLS starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Start {
    /// When STARTTLS is sent, if it is.
    #[default]
    ByHand,
    /// By STARTTLS, before the session is handed over.
    Upgrade,
    /// With the first byte.
    First,
}

/// Who to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    pub user: String,
    pub mechanism: Option<Mechanism>,
}

impl Security {
    /// Has TLS start with the first byte on the port that is for it, unless something else was asked for.
    pub fn settle(&mut self, port: u16) {
        if self.start == Start::ByHand && !self.is_plain && port == SUBMISSIONS {
            self.start = Start::First;
        }
    }
}

pub const TLS: &[Opt] = &[
    flag("--starttls", "do EHLO, STARTTLS and TLS before handing over", |o| o.security.start = Start::Upgrade)
        .first()
        .apart(&[("--no-upgrade", "--starttls and --no-upgrade are opposites")]),
    flag("--tls", "TLS from the first byte (implied by port 465)", |o| o.security.start = Start::First).first().apart(
        &[
            ("--starttls", "--tls and --starttls exclude each other: TLS starts with the first byte, or by a command"),
            ("--no-tls", "--tls and --no-tls are opposites"),
        ],
    ),
    flag("--no-tls", "no TLS from the first byte, on port 465 either", |o| o.security.is_plain = true),
    flag("--no-upgrade", "send STARTTLS as any command, without starting TLS", |o| o.security.is_left_plain = true),
    text("--helo NAME", "the name in EHLO (default: this machine's)", |o, name| {
        put(&mut o.security.helo, filled("--helo", name).and_then(line))
    }),
    flag("-k, --insecure", "go on whatever is wrong with the certificate", |o| o.security.is_insecure = true).first(),
    text("--tls-name NAME", "ask for, and require, a certificate for NAME", |o, name| {
        let why = |why: InvalidHost| format!("{name:?} is not the name of a host: {why}");
        put(&mut o.security.name, filled("--tls-name", name).and_then(|name| Host::from_name(name).map_err(why)))
    }),
    file("--cafile FILE", "trust these authorities instead of the system's", |o| &mut o.security.authorities),
    text("--pin SHA256", "trust this public key and no other", |o, text| {
        put(&mut o.security.pin, read::<Fingerprint>(text))
    }),
    file("--cert FILE", "client certificate and its chain, in PEM", |o| &mut o.security.certificate),
    file("--key FILE", "its key (default: in the same file)", |o| &mut o.security.key).with("--cert"),
    word(
        "--tls-min VERSION",
        "least version of TLS: 1.2 (default) or 1.3",
        &[("1.2", |o| o.security.is_13_only = false), ("1.3", |o| o.security.is_13_only = true)],
    ),
    flag("--tls-verbose", "show the chain of certificates", |o| o.security.is_verbose = true),
    file("--save-chain FILE", "write the chain to a file, in PEM", |o| &mut o.security.save_chain),
];

pub const AUTHENTICATION: &[Opt] = &[
    text("--auth USER[:MECHANISM]", "authenticate before handing over", |o, text| {
        put(&mut o.security.auth, filled("--auth", text).and_then(auth))
    })
    .first(),
    file("--password-file FILE", "take the password from its first line", |o| &mut o.security.password_file).apart(&[
        ("--password-command", "--password-file and --password-command exclude each other: there is one password"),
    ]),
    text("--password-command COMMAND", "take the password from what it prints", |o, command| {
        put(&mut o.security.password_command, Ok(command.to_owned()))
    }),
    flag("--allow-plaintext-auth", "let a password out without TLS", |o| o.security.allows_plaintext_auth = true),
];

/// Takes a user apart from a mechanism, which follows the last colon and has no `@`.
fn auth(text: &str) -> Result<Auth, String> {
    let (user, mechanism) = match text.rsplit_once(':') {
        Some((user, mechanism)) if !mechanism.contains('@') => (user, Some(mechanism)),
        _ => (text, None),
    };
    Ok(Auth { user: user.to_owned(), mechanism: mechanism.map(read).transpose()? })
}

/// A name that goes into a command must not bring another.
fn line(text: &str) -> Result<String, String> {
    if text.contains(['\r', '\n']) { Err(format!("{text:?} is more than one line")) } else { Ok(text.to_owned()) }
}

/// The port of submission over TLS ([RFC 8314](https://www.rfc-editor.org/rfc/rfc8314)).
const SUBMISSIONS: u16 = 465;

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::super::{Request, parse};
    use super::*;

    fn of(args: &[&str]) -> Result<Security, String> {
        match parse(args.iter().map(OsString::from))? {
            Request::Session(options) => Ok(options.security),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn tls_is_first_on_the_port_that_is_for_it_unless_told_otherwise() {
        for (args, start) in [
            (&["-p", "25"][..], Ok(Start::ByHand)),
            (&["-p", "465"], Ok(Start::First)),
            (&["-p", "465", "--no-tls"], Ok(Start::ByHand)),
            (&["-p", "465", "--starttls"], Ok(Start::Upgrade)),
            (&["--tls"], Ok(Start::First)),
            (&["--tls", "--no-tls"], Err("--tls and --no-tls are opposites".to_owned())),
            (&["--starttls", "--no-upgrade"], Err("--starttls and --no-upgrade are opposites".to_owned())),
        ] {
            assert_eq!(of(args).map(|security| security.start), start, "{args:?}");
        }
    }

    #[test]
    fn a_pin_is_a_fingerprint_and_nothing_else() {
        let (digits, pairs) = ("0123456789abcdef".repeat(4), vec!["aB"; 32]);
        for good in [digits.clone(), pairs.join(":")] {
            assert_eq!(of(&["--pin", &good]).unwrap().pin, Some(good.parse().unwrap()));
        }
        for wrong in
            [pairs.join(" "), pairs.join("-"), format!("{digits} "), format!("{digits}0"), digits[1..].to_owned()]
        {
            assert!(of(&["--pin", &wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_mechanism_follows_the_last_colon() {
        for (value, user, mechanism) in [
            ("user", "user", None),
            ("user@example.org", "user@example.org", None),
            ("user:cram-md5", "user", Some(Mechanism::CramMd5)),
            ("a:b@example.org:plain", "a:b@example.org", Some(Mechanism::Plain)),
            ("a:b@example.org", "a:b@example.org", None),
        ] {
            let auth = of(&["--auth", value]).unwrap().auth.unwrap();
            assert_eq!((auth.user.as_str(), auth.mechanism), (user, mechanism));
        }
    }
}
