//! Every way that what a server says takes to the screen, and what is said there.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use crate::common::steer::{self, TEXT, TOLD};
use crate::common::{MCONNECT, PATIENCE, Peer, Pty};
use mconnect_core::auth::encode;

/// How lines come to the tool, and where what is said goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Prompt,
    /// Typed at `TERM=dumb`.
    Dumb,
    Raw,
    /// By `-c`.
    Given,
}

use Stage::{Dumb, Given, Prompt, Raw};

pub const TYPED: &[Stage] = &[Prompt, Dumb, Given];

pub const ALL: &[Stage] = &[Prompt, Dumb, Raw, Given];

/// What a server says, to the greeting and to each line: `@` is what would steer a terminal, `%` the same in base64.
/// After the last of it the connection ends, or, with `...`, is silent.
pub struct Channel {
    pub name: &'static str,
    pub stages: &'static [Stage],
    pub options: &'static [&'static str],
    pub says: &'static [&'static str],
    pub lines: &'static [&'static str],
    /// What shows that it was told.
    pub told: &'static str,
}

const fn of(
    name: &'static str,
    stages: &'static [Stage],
    options: &'static [&'static str],
    says: &'static [&'static str],
    lines: &'static [&'static str],
) -> Channel {
    Channel { name, stages, options, says, lines, told: TOLD }
}

pub const EHLO: &str = "250-@ hi\r\n250-@\r\n250-SIZE @\r\n250-X@X @\r\n250-LIMITS RCPTMAX=@\r\n250 AUTH @ X-@\r\n";

pub const BYE: &str = "221 bye\r\n";

pub const CHANNELS: &[Channel] = &[
    of("the greeting", ALL, &[], &["220 @\r\n", BYE], &["QUIT"]),
    of("a greeting that refuses", TYPED, &[], &["554 @\r\n"], &[]),
    of("the text of a reply", ALL, &[], &["220 hi\r\n", "250 @\r\n", BYE], &["NOOP", "QUIT"]),
    of("a temporary refusal", ALL, &[], &["220 hi\r\n", "450 4.7.1 @\r\n", BYE], &["NOOP", "QUIT"]),
    of("a refusal", ALL, &[], &["220 hi\r\n", "550 5.7.1 @\r\n", BYE], &["NOOP", "QUIT"]),
    of("an enhanced status code", ALL, &[], &["220 hi\r\n", "550 5.@.1 no\r\n", BYE], &["NOOP", "QUIT"]),
    of("a reply of many lines", ALL, &[], &["220 hi\r\n", "250-@\r\n250-@\r\n250 @\r\n", BYE], &["NOOP", "QUIT"]),
    of("lines without a code", ALL, &[], &["@\r\n220 hi\r\n", "@ 250\r\n250 ok\r\n", BYE], &["NOOP", "QUIT"]),
    of("what is glued to a code", ALL, &[], &["220@\r\n220 hi\r\n", "250@\r\n250 ok\r\n", BYE], &["NOOP", "QUIT"]),
    of("a code with something in it", ALL, &[], &["220 hi\r\n", "2@50 x\r\n250 y\r\n", BYE], &["NOOP", "QUIT"]),
    of("bare LF and CR", ALL, &[], &["220 hi\r\n", "250-@\n250-a\rFAKE\r\r\n250 \r@\r\n", BYE], &["NOOP", "QUIT"]),
    of("half a line at the close", ALL, &[], &["220 hi\r\n", "250 @"], &["NOOP"]),
    of("half a greeting at the close", ALL, &[], &["220 @"], &[]),
    of("half a line at the deadline", TYPED, &["--timeout", "0.3"], &["220 hi\r\n", "221 @..."], &["QUIT"]),
    of("half a greeting at the deadline", &[Given], &["--timeout", "0.3"], &["220 @..."], &[]),
    of("the farewell", ALL, &[], &["220 hi\r\n", "221 @\r\n"], &["QUIT"]),
    of("a 421", TYPED, &[], &["220 hi\r\n", "421 @\r\n"], &["NOOP"]),
    of("what EHLO says", ALL, &[], &["220 hi\r\n", EHLO, BYE], &["EHLO x", "QUIT"]),
    of("what ~e and ~s show", &[Prompt], &[], &["220 hi\r\n", EHLO, BYE], &["EHLO x", "~e", "~s", "QUIT"]),
    of("a challenge", TYPED, &[], &["220 hi\r\n", "334 @\r\n", "501 no\r\n"], &["AUTH LOGIN", "*"]),
    of("a challenge, decoded", &[Prompt], &[], &["220 hi\r\n", "334 %\r\n", "501 no\r\n"], &["AUTH LOGIN", "*"]),
    of("a 354", TYPED, &[], &["220 hi\r\n", "354 @\r\n", "250 @\r\n", BYE], &["DATA", ".", "QUIT"]),
    of("a reply that nobody asked for", TYPED, &[], &["220 hi\r\n", "250 a\r\n250 @\r\n"], &["NOOP", "NOOP"]),
    of("a 354 to NOOP", TYPED, &[], &["220 hi\r\n", "354 @\r\n"], &["NOOP", "NOOP"]),
    of("words that end a script", &[Given], &["--fail"], &["220 hi\r\n", "550 @\r\n", BYE], &["NOOP", "NOOP"]),
    of("a refused STARTTLS in a script", &[Given], &[], &["220 hi\r\n", "454 @\r\n", BYE], &["STARTTLS", "NOOP"]),
    of(
        "a refused AUTH in a script",
        &[Given],
        &[],
        &["220 hi\r\n", "334 %\r\n", "535 @\r\n"],
        &["AUTH LOGIN", "eA==", "x"],
    ),
    of("blindly", &[Given], &["--no-wait"], &["220 @\r\n", "250 @\r\n", "221 @\r\n"], &["NOOP", "QUIT"]),
    of("the trace", TYPED, &["--trace"], &["220 @\r\n", EHLO, BYE], &["EHLO x", "QUIT"]),
    of("the trace in raw mode", &[Raw], &["--trace"], &["220 @\r\n", EHLO, BYE], &["EHLO x", "QUIT"]),
    of("the times", TYPED, &["--timestamps", "--timing"], &["220 @\r\n", EHLO, BYE], &["EHLO x", "QUIT"]),
    Channel {
        told: "1b 5d 35 32",
        ..of("the trace in hexadecimal", TYPED, &["--trace=hex"], &["220 @\r\n", BYE], &["QUIT"])
    },
    Channel {
        told: "\\u001b]52;c;",
        ..of("JSON", &[Given], &["--json"], &["220 @\r\n", EHLO, "550 @\r\n", BYE], &["EHLO x", "NOOP", "QUIT"])
    },
];

pub const SECURE_CHANNELS: &[Channel] = &[
    of("the mechanisms, none of which fits", &[Given, Prompt], &["--auth", "u"], &["220 @\r\n", EHLO, BYE], &[]),
    of(
        "a refused --starttls",
        &[Given, Prompt],
        &["--starttls"],
        &["220 @\r\n", "250-@\r\n250 STARTTLS\r\n", "454 @\r\n", BYE],
        &[],
    ),
    of("no STARTTLS", &[Given, Prompt], &["--starttls"], &["220 hi\r\n", EHLO, BYE], &[]),
    of("a refused EHLO", &[Given, Prompt], &["--starttls"], &["220 hi\r\n", "550 @\r\n", BYE], &[]),
    of(
        "plain text in the handshake",
        &[Given, Prompt],
        &["--starttls"],
        &["220 hi\r\n", "250-x\r\n250 STARTTLS\r\n", "220 go\r\n", "250 @\r\n"],
        &[],
    ),
    of("plain text where TLS comes first", &[Given, Prompt], &["--tls"], &["220 @\r\n"], &[]),
    Channel {
        told: "response injection",
        ..of(
            "what is injected behind a STARTTLS",
            &[Given, Prompt],
            &["--starttls"],
            &["220 hi\r\n", "250-x\r\n250 STARTTLS\r\n", "220 go\r\n250 @\r\n"],
            &[],
        )
    },
    of(
        "a refused --auth",
        &[Given, Prompt],
        &["--auth", "u:PLAIN"],
        &["220 hi\r\n", "250-x\r\n250 AUTH PLAIN\r\n", "535 @\r\n", BYE],
        &[],
    ),
    of(
        "a challenge to --auth",
        &[Given, Prompt],
        &["--auth", "u:LOGIN"],
        &["220 hi\r\n", "250-x\r\n250 AUTH LOGIN\r\n", "334 %\r\n", "334 %\r\n", "535 @\r\n", BYE],
        &[],
    ),
    of(
        "a challenge that is none",
        &[Given, Prompt],
        &["--auth", "u:SCRAM-SHA-256"],
        &["220 hi\r\n", "250-x\r\n250 AUTH SCRAM-SHA-256\r\n", "334 @\r\n", "501 no\r\n", BYE],
        &[],
    ),
    of(
        "a SCRAM that is wrong",
        &[Given, Prompt],
        &["--auth", "u:SCRAM-SHA-256"],
        &["220 hi\r\n", "250-x\r\n250 AUTH SCRAM-SHA-256\r\n", "334 %\r\n", "501 no\r\n", BYE],
        &[],
    ),
    of(
        "a SCRAM that refuses",
        &[Given, Prompt],
        &["--auth", "u:SCRAM-SHA-256"],
        &["220 hi\r\n", "250-x\r\n250 AUTH SCRAM-SHA-256\r\n", "334 =%\r\n", "501 no\r\n", BYE],
        &[],
    ),
    of(
        "~a",
        &[Prompt],
        &[],
        &["220 hi\r\n", "250-x\r\n250 AUTH LOGIN\r\n", "334 %\r\n", "334 %\r\n", "535 @\r\n"],
        &["EHLO x", "~a LOGIN u"],
    ),
];

impl Channel {
    /// Says everything in turn, a line of the client's between, and tells each time that it has.
    fn serve(&self, mut stream: &TcpStream, said: &Sender<()>) -> std::io::Result<()> {
        let mut client = BufReader::new(stream);
        for (number, says) in self.says.iter().enumerate() {
            if number > 0 && client.read_until(b'\n', &mut Vec::new())? == 0 {
                return Ok(());
            }
            stream.write_all(&filled(says.trim_end_matches("...")))?;
            let _ = said.send(());
        }
        if !self.says.last().is_some_and(|says| says.ends_with("...")) {
            stream.shutdown(Shutdown::Write)?;
        }
        std::io::copy(&mut client, &mut std::io::sink())?;
        Ok(())
    }

    pub fn run(&'static self, stage: Stage) -> Vec<u8> {
        let (told, said) = channel();
        let peer = Peer::start(move |stream| {
            // That the connection breaks is none of the server's business.
            let _ = self.serve(&stream, &told);
            Vec::new()
        });
        let (port, mut args) = (peer.port.to_string(), self.options.to_vec());
        let given = if self.lines.is_empty() { &["QUIT"] } else { self.lines };
        match stage {
            Raw => args.push("-r"),
            Given => args.extend(given.iter().flat_map(|line| ["-c", line])),
            Prompt | Dumb => {}
        }
        args.extend(["-p", &port, "127.0.0.1"]);
        let mut pty = start(stage, &args, &[]);
        if stage != Given {
            for line in self.lines {
                if !line.starts_with('~') && said.recv_timeout(PATIENCE).is_err() {
                    break;
                }
                pty.send(format!("{line}{}", if stage == Raw { "\r\n" } else { "\r" }));
            }
        }
        let came = end(pty);
        peer.received();
        came
    }
}

/// Puts what would steer a terminal in its places.
pub fn filled(says: &str) -> Vec<u8> {
    let in_base64 = |before: &str| encode(format!("{before}{TEXT}\nFAKE").as_bytes()).into_bytes();
    let fill = |part: &str| match (part.strip_suffix('@'), part.strip_suffix("=%"), part.strip_suffix('%')) {
        (Some(before), ..) => [before.as_bytes(), &steer::bytes()].concat(),
        (_, Some(before), _) => [before.as_bytes(), &in_base64("e=")].concat(),
        (.., Some(before)) => [before.as_bytes(), &in_base64("")].concat(),
        _ => part.as_bytes().to_vec(),
    };
    says.split_inclusive(['@', '%']).flat_map(fill).collect()
}

pub fn start(stage: Stage, args: &[&str], variables: &[(&str, &str)]) -> Pty {
    let term = if stage == Prompt { "xterm" } else { "dumb" };
    Pty::start_with(MCONNECT, args, &[&[("TERM", term), ("MCONNECT_PASSWORD", "pencil")], variables].concat())
}

/// Waits for the end, and returns everything that came. Who waits for a person then, or does not end, is left by Ctrl-C.
pub fn end(mut pty: Pty) -> Vec<u8> {
    let mut asked = Instant::now();
    while pty.child.try_wait().unwrap().is_none() {
        if asked.elapsed() > if pty.screen().contains("closed> ") { SHORT } else { LONG } {
            pty.send("\x03");
            asked = Instant::now();
        }
        pty.rest(Duration::from_millis(2));
    }
    pty.finish()
}

pub const SHORT: Duration = Duration::from_millis(50);

pub const LONG: Duration = Duration::from_secs(3);
