//! A server that answers one request of a session by one code, and everything else as it should.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use mconnect_core::protocol::{Code, Request};

use super::{PATIENCE, Peer};

/// The last answer of AUTH LOGIN, and the initial response of AUTH PLAIN behind STARTTLS.
pub const SECRET: &str = "czNjcjN0LXBhc3M=";
/// What stands in a line of a message that would be a command.
pub const BOSS: &str = "boss@example.org";

/// What came to the server, as it took it.
#[derive(Debug, Default)]
pub struct Seen {
    pub commands: Vec<String>,
    pub answers: Vec<String>,
    pub body: Vec<String>,
    /// Everything, as it came.
    pub raw: Vec<u8>,
}

pub struct Scripted {
    pub port: u16,
    peer: Peer,
    seen: Receiver<Seen>,
}

impl Scripted {
    /// Answers the first request of this kind by this code.
    pub fn start(request: Request, code: Code) -> Self {
        Self::start_after(request, code, Duration::ZERO)
    }

    /// Does so after a while, in which something may be typed ahead.
    pub fn start_after(request: Request, code: Code, time: Duration) -> Self {
        let (told, seen) = channel();
        let peer = Peer::start(move |stream| {
            let _ = told.send(serve(&stream, request, code, time));
            Vec::new()
        });
        Self { port: peer.port, peer, seen }
    }

    /// Waits for the end of the session.
    pub fn seen(self) -> Seen {
        let seen = self.seen.recv_timeout(PATIENCE * 2).unwrap();
        self.peer.received();
        seen
    }
}

/// The lines of a session in which such a request comes, and in which what follows it is worth protecting.
pub fn script_of(request: Request) -> Vec<String> {
    let message =
        ["MAIL FROM:<a@x>", "RCPT TO:<b@x>", "DATA", "Subject: hi", "", "quit", "RCPT TO:<boss@example.org>", "."];
    let chunk = ["MAIL FROM:<a@x>", "RCPT TO:<b@x>", "BDAT 6 LAST", "body!"];
    let auth = ["AUTH LOGIN", "dXNlcg==", SECRET];
    let plain = format!("AUTH PLAIN {SECRET}");
    let verb = request.verb().unwrap_or_default();
    let first = match request {
        Request::Helo | Request::Lhlo => format!("{verb} me"),
        _ => "EHLO me".to_owned(),
    };
    let mut lines = vec![first.as_str()];
    match request {
        Request::Auth | Request::AuthAnswer => lines.extend(auth),
        Request::StartTls => lines.extend(["STARTTLS", "EHLO me", &plain]),
        Request::XClient => lines.extend(["XCLIENT NAME=x", "EHLO me"]),
        Request::Rset => lines.push("RSET"),
        Request::EmptyLine => lines.push(""),
        Request::Other => lines.push("NOOP"),
        Request::Bdat => lines.extend(chunk),
        // One that is new: its verb, and a message behind it.
        request if !KNOWN.contains(&request) => lines.push(verb),
        _ => {}
    }
    if request != Request::Bdat {
        lines.extend(message);
    }
    lines.extend(["QUIT", "NOOP"]);
    lines.truncate(lines.len() - usize::from(request != Request::Quit));
    lines.into_iter().map(str::to_owned).collect()
}

const KNOWN: [Request; 9] = [
    Request::Greeting,
    Request::Ehlo,
    Request::Helo,
    Request::Lhlo,
    Request::Mail,
    Request::Rcpt,
    Request::Data,
    Request::EndOfData,
    Request::Quit,
];

fn serve(stream: &TcpStream, request: Request, code: Code, time: Duration) -> Seen {
    let (mut reader, mut seen, mut odd) = (BufReader::new(stream), Seen::default(), Some(code));
    let mut reply = |asked: Request, usual: u16| {
        let number = match asked == request {
            true => odd.take().map_or(usual, |code| {
                super::pause(time);
                code.number()
            }),
            false => usual,
        };
        let mut stream = stream;
        let _ = stream
            .write_all(format!("{number:03} {}\r\n", if number == 334 { "VXNlcm5hbWU6" } else { "so" }).as_bytes());
        number
    };
    let mut takes = takes_of(reply(Request::Greeting, 220));
    let mut answers = 0;
    loop {
        let mut line = Vec::new();
        let read = match takes {
            // A handshake that goes nowhere.
            Takes::Tls => reader.fill_buf().map(|hello| {
                seen.raw.extend_from_slice(hello);
                hello.len()
            }),
            _ => reader.read_until(b'\n', &mut line),
        };
        seen.raw.extend_from_slice(&line);
        if read.is_err() || read.is_ok_and(|count| count == 0) || takes == Takes::Tls {
            return seen;
        }
        let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
        match takes {
            Takes::Body if text == "." => {
                seen.body.push(text);
                takes = takes_of(reply(Request::EndOfData, 250));
            }
            Takes::Body => seen.body.push(text),
            Takes::Answer => {
                seen.answers.push(text);
                answers += 1;
                takes = takes_of(reply(Request::AuthAnswer, if answers < 2 { 334 } else { 235 }));
            }
            Takes::Chunk => {
                seen.body.push(text);
                takes = takes_of(reply(Request::Bdat, 250));
            }
            Takes::Tls => return seen,
            Takes::Command => {
                let verb = text.split(' ').next().unwrap_or_default();
                let asked = match Request::of_verb(verb.as_bytes()) {
                    _ if text.is_empty() => Request::EmptyLine,
                    asked => asked,
                };
                seen.commands.push(text);
                takes = match asked {
                    Request::Bdat => Takes::Chunk,
                    Request::Data => takes_of(reply(asked, 354)),
                    Request::Auth => takes_of(reply(asked, 334)),
                    Request::XClient => takes_of(reply(asked, 220)),
                    Request::Quit => {
                        reply(asked, 221);
                        // Whatever still comes is seen.
                        let _ = stream.shutdown(std::net::Shutdown::Write);
                        Takes::Command
                    }
                    Request::StartTls if reply(asked, 220) == 220 => Takes::Tls,
                    Request::StartTls => Takes::Command,
                    _ => takes_of(reply(asked, 250)),
                };
            }
        }
    }
}

/// What the server takes the next line for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Command,
    Body,
    Chunk,
    Answer,
    Tls,
}

fn takes_of(code: u16) -> Takes {
    match code {
        354 => Takes::Body,
        334 => Takes::Answer,
        _ => Takes::Command,
    }
}
