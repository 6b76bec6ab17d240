//! The options on sending a message.

use std::path::PathBuf;

use mconnect_core::protocol::{Address, Parameter};
use mconnect_core::{InvalidMailbox, MessageHeader, mailbox};

use super::option::{Act, Opt, Word, file, flag, option, text, word};
use super::value::{count, push, put, read};

/// What is to be sent, and to whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sending {
    pub to: Vec<Address>,
    pub from: ReversePath,
    /// The message; `-` is standard input. Without it, a small one is made.
    pub message: Option<PathBuf>,
    /// Headers of that one.
    pub headers: Vec<MessageHeader>,
    pub body: Option<String>,
    /// It goes by BDAT, in chunks of so many octets.
    pub chunk: Option<usize>,
    pub mail_parameters: Vec<Parameter>,
    pub rcpt_parameters: Vec<Parameter>,
    pub until: Option<SendStage>,
    pub is_lmtp: bool,
}

/// The reverse-path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ReversePath {
    /// Whoever uses this machine.
    #[default]
    User,
    Null,
    Address(Address),
}

/// How far a transaction goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SendStage {
    Connect,
    Greeting,
    Ehlo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
}

impl Sending {
    /// Returns whether a message is to be sent, or a transaction to be begun.
    pub fn is_asked_for(&self) -> bool {
        !self.to.is_empty() || self.until.is_some()
    }

    /// Looks whether what was asked for can be done, on this port.
    ///
    /// # Errors
    /// A sentence that says why not.
    pub fn check(&self, port: u16, has_auth: bool, ends_at_refusal: bool) -> Result<(), String> {
        if ends_at_refusal {
            let why = if self.until.is_some() { UNTIL_STOPS } else { TO_SENDS };
            return Err(why.to_owned());
        }
        let wants_recipients = self.until.is_none_or(|until| until >= SendStage::Rcpt);
        match self.until {
            _ if wants_recipients && self.to.is_empty() => Err("without --to there is nobody to ask for".to_owned()),
            Some(SendStage::Auth) if !has_auth => Err("--until auth goes with --auth".to_owned()),
            _ if self.is_lmtp && port == super::SMTP => {
                Err("--lmtp is never for port 25 (RFC 2033): -p names another one than 24".to_owned())
            }
            _ => Ok(()),
        }
    }
}

pub const SENDING: &[Opt] = &[
    text("--to ADDRESS", "send a message to this recipient", |o, text| push(&mut o.sending.to, address(text)))
        .first()
        .apart(&[("-c -r --no-wait", TO_SENDS), ("--play --serve", "--to, --play and --serve exclude each other")]),
    text("--from ADDRESS", "the reverse-path; <> is the null one", |o, text| {
        o.sending.from =
            if matches!(text, "" | "<>") { ReversePath::Null } else { ReversePath::Address(address(text)?) };
        Ok(())
    })
    .with(ASKS),
    file("--message FILE", "send this as it is; - is standard input", |o| &mut o.sending.message).with(ASKS).apart(&[
        ("--header --body", "--message goes as it is: --header and --body are for the message that is made without it"),
    ]),
    text("--header HEADER", "a header, 'Name: value', of the message made here", |o, text| {
        push(&mut o.sending.headers, read(text))
    })
    .with(ASKS),
    text("--body TEXT", "the body of the message made here", |o, text| put(&mut o.sending.body, Ok(text.to_owned())))
        .with(ASKS),
    option(
        "--bdat[=OCTETS]",
        "send it by BDAT, in chunks (default: 65536)",
        Act::Optional(|o, octets| put(&mut o.sending.chunk, octets.map_or(Ok(CHUNK), chunk))),
    )
    .with(ASKS),
    text("--mail-param PARAMETER", "a parameter of MAIL, such as RET=HDRS", |o, text| {
        push(&mut o.sending.mail_parameters, read(text))
    })
    .with(ASKS),
    text("--rcpt-param PARAMETER", "a parameter of each RCPT, such as NOTIFY=NEVER", |o, text| {
        push(&mut o.sending.rcpt_parameters, read(text))
    })
    .with(ASKS),
    word("--until STAGE", "stop after connect, greeting, ehlo, ... or data", STAGES)
        .apart(&[("-c -r --no-wait", UNTIL_STOPS), ("--play --serve", "--until goes with neither --play nor --serve")]),
    flag("--lmtp", "speak LMTP, on port 24", |o| o.sending.is_lmtp = true).with(ASKS),
];

/// Reads an address.
fn address(text: &str) -> Result<Address, String> {
    mailbox(text).map_err(|why| match why {
        InvalidMailbox::Several(_) => format!("{why}: --to is given once for each"),
        InvalidMailbox::Named { .. } => format!("{why}, and with the name into --header"),
        why => why.to_string(),
    })
}

fn chunk(text: &str) -> Result<usize, String> {
    let octets = count(text)?;
    if octets > MOST_CHUNK {
        return Err(format!("a chunk has at most {MOST_CHUNK} octets here: it is held in memory until it is sent"));
    }
    Ok(octets)
}

/// The options that ask for a message to be sent, or a transaction to be begun.
const ASKS: &str = "--to --until";
const TO_SENDS: &str = "--to sends a message by itself: -c, --fail, -r and --no-wait go without it";
const UNTIL_STOPS: &str = "--until stops before a message: -c, --fail, -r and --no-wait go without it";
const STAGES: &[Word] = &[
    ("connect", |o| o.sending.until = Some(SendStage::Connect)),
    ("greeting", |o| o.sending.until = Some(SendStage::Greeting)),
    ("ehlo", |o| o.sending.until = Some(SendStage::Ehlo)),
    ("starttls", |o| o.sending.until = Some(SendStage::StartTls)),
    ("auth", |o| o.sending.until = Some(SendStage::Auth)),
    ("mail", |o| o.sending.until = Some(SendStage::Mail)),
    ("rcpt", |o| o.sending.until = Some(SendStage::Rcpt)),
    ("data", |o| o.sending.until = Some(SendStage::Data)),
];
const CHUNK: usize = 65_536;
const MOST_CHUNK: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::super::{Options, Request, parse};
    use super::*;

    fn of(args: &[&str]) -> Result<Options, String> {
        match parse(args.iter().map(OsString::from))? {
            Request::Send(options) => Ok(*options),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_recipient_or_a_stage_asks_for_a_transaction() {
        let options = of(&["--to", "<b@x>", "--to", "c@b\u{fc}cher.example", "--from", "<>", "mx"]).unwrap();
        let to: Vec<&str> = options.sending.to.iter().map(Address::as_str).collect();
        assert_eq!((to.as_slice(), options.sending.from), (&["b@x", "c@xn--bcher-kva.example"][..], ReversePath::Null));
        assert_eq!(of(&["--until", "ehlo"]).unwrap().sending.until, Some(SendStage::Ehlo));
        assert_eq!(of(&["--to", "b@x", "--bdat"]).unwrap().sending.chunk, Some(CHUNK));
        assert_eq!(of(&["--to", "b@x", "--bdat=5"]).unwrap().sending.chunk, Some(5));
        assert_eq!(of(&["--to", "b@x", "--lmtp"]).unwrap().port(), 24);
        let quoted =
            of(&["--to", "\"a b\"@x", "--to", "c, d@x", "--to", "j\u{f6}rg@b\u{fc}cher.example", "--from", ""])
                .unwrap();
        let to: Vec<&str> = quoted.sending.to.iter().map(Address::as_str).collect();
        assert_eq!(to, ["\"a b\"@x", "\"c, d\"@x", "j\u{f6}rg@b\u{fc}cher.example"]);
        assert_eq!(quoted.sending.from, ReversePath::Null);
        let options = of(&["--to", "b@x", "--header", "X-A:b: c", "--header=Subject:"]).unwrap();
        let headers: Vec<(&str, &str)> =
            options.sending.headers.iter().map(|header| (header.name.as_str(), header.value.as_str())).collect();
        assert_eq!(headers, [("X-A", "b: c"), ("Subject", "")]);
    }

    #[test]
    fn what_cannot_be_sent_so_is_said() {
        for (args, message) in [
            (
                &["--to", "b>@x"][..],
                "\"b>@x\" cannot be written as an address: '>' in a local part needs quotes around it",
            ),
            (&["--to", "b@x", "--header", "a"], "\"a\" is not 'Name: value' on one line"),
            (&["--to", "b@x", "--header", "a: b\nc: d"], "\"a: b\\nc: d\" is not 'Name: value' on one line"),
            (&["--to", "b@x", "--bdat=0"], "\"0\" is not a count above 0"),
            (
                &["--to", "b@x", "--bdat=1048577"],
                "a chunk has at most 1048576 octets here: it is held in memory until it is sent",
            ),
            (
                &["--to", "Ann B. <a@x>"],
                "\"Ann B. <a@x>\" is an address with a name: it goes here as a@x, and with the name into --header",
            ),
            (&["--to", "a@x, B <b@y>"], "\"a@x, B <b@y>\" is more than one address: --to is given once for each"),
            (&["--to", "mailto:a@x"], "\"mailto:a@x\" is a URL: the address alone goes here"),
            (&["--to", "a@b\u{fc}cher..de"], "\"b\u{fc}cher..de\" is not a domain: a label is empty"),
            (&["--to", "b@x", "--header", "a: b\r\n c"], "\"a: b\\r\\n c\" is not 'Name: value' on one line"),
            (&["--to", ""], "\"\" cannot be written as an address: it has no local part"),
            (
                &["--to", "b@x", "--mail-param", "A=b c"],
                "\"A=b c\" cannot be written as a parameter: there cannot be ' ' in a value",
            ),
            (&["--until", "rcpt"], "without --to there is nobody to ask for"),
            (&["--until", "auth"], "--until auth goes with --auth"),
            (&["--until", "quit"], "\"quit\" is none of: connect, greeting, ehlo, starttls, auth, mail, rcpt, data"),
            (&["--from", "a@x"], "--from goes with --to or --until"),
            (
                &["--to", "b@x", "-c", "QUIT"],
                "--to sends a message by itself: -c, --fail, -r and --no-wait go without it",
            ),
            (
                &["--to", "b@x", "--message", "a", "--body", "b"],
                "--message goes as it is: --header and --body are for the message that is made without it",
            ),
            (
                &["--to", "b@x", "--lmtp", "-p", "25"],
                "--lmtp is never for port 25 (RFC 2033): -p names another one than 24",
            ),
        ] {
            assert_eq!(of(args).unwrap_err(), message);
        }
    }
}
