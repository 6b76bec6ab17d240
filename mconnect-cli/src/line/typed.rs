//! Lines typed at a terminal that can have no prompt: the escapes in them, and what is typed after the session.

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow::{Break, Continue};

use mconnect_core::Session;
use mconnect_core::protocol::{BodyEncoder, CrlfEncoder, Phase};
use zeroize::Zeroizing;

use super::{Flow, Stop, Talk};
use crate::connection::Setting;
use crate::failure::Failure;
use crate::input::Input;
use crate::judge::End;
use crate::prompt::escapes::{self, Escape};
use crate::prompt::{expand, explain};
use crate::screen;
use crate::secure;
use crate::stderr::say;
use crate::terminal::{CTRL_C, Manner};

impl Talk<'_> {
    /// Says whether a line is an escape where the session stands; if so, what it asks for is done.
    pub(super) fn obey_line(&mut self, session: &mut Session, line: &[u8]) -> Option<Flow> {
        let has_escapes = self.setting.options.prompt.has_escapes;
        let line = str::from_utf8(line).ok().filter(|_| has_escapes)?.trim_end_matches(['\r', '\n']);
        let is_text = matches!(session.phase(), Phase::Body | Phase::Chunk { .. });
        let escape = escapes::parse(line).filter(|_| !is_text || escapes::is_known(line))?;
        match escape {
            Escape::Aside(aside) => explain::aside(aside, self.setting),
            Escape::Extensions => explain::extensions(session.extensions().as_ref()),
            Escape::State => say(&explain::standing(session.peer(), self.setting.secure.mark(), &session.standing())),
            Escape::Line(line) => self.rest.typed.extend_from_slice(format!("{line}\r\n").as_bytes()),
            Escape::Bytes(bytes) => return Some(self.send_octets(session, &bytes)),
            Escape::File(name) => return Some(self.send_file(session, &name)),
            Escape::Visible => {
                self.shows_answer = true;
                self.hide_typing(session);
            }
            Escape::Reopen => return Some(Break(Stop::Reopen)),
            Escape::Close => {
                self.end = Some(End::Given);
                return Some(Break(Stop::Close));
            }
            Escape::Chunk(name) => return Some(self.send_chunk(session, &name)),
            Escape::Authenticate(words) => return Some(secure::authenticate(&mut (self, session), &words)),
            Escape::Encode(bytes) => match secure::encode(&bytes) {
                Ok(text) if session.phase() == Phase::Auth => {
                    self.rest.typed.extend_from_slice(Zeroizing::new(text + "\r\n").as_bytes());
                }
                Ok(words) | Err(words) => say(&words),
            },
        }
        Some(Continue(()))
    }

    pub(super) fn send_octets(&mut self, session: &mut Session, octets: &[u8]) -> Flow {
        match session.send(octets) {
            Ok(()) => self.show_what_came(session),
            Err(error) => self.writing_failed(session, error),
        }
    }

    /// Sends a file as one chunk, the last one of a message ([RFC 3030](https://www.rfc-editor.org/rfc/rfc3030)).
    fn send_chunk(&mut self, session: &mut Session, name: &str) -> Flow {
        if session.phase() != Phase::Command {
            say("mconnect: a chunk begins where a command is due");
            return Continue(());
        }
        match read(name) {
            Ok(octets) => {
                let command = format!("BDAT {} LAST\r\n", octets.len());
                self.send_octets(session, &[command.as_bytes(), &octets].concat())
            }
            Err(error) => {
                Failure::cannot_read(name, &error).tell();
                Continue(())
            }
        }
    }

    /// Sends a file: as the body, with its dots doubled and its end; into a chunk as it is; otherwise as typed lines.
    fn send_file(&mut self, session: &mut Session, name: &str) -> Flow {
        let text = match read(name) {
            Ok(text) => text,
            Err(error) => {
                Failure::cannot_read(name, &error).tell();
                return Continue(());
            }
        };
        let mut out = Vec::new();
        match session.phase() {
            Phase::Body => {
                let mut encoder = BodyEncoder::default();
                encoder.encode(&text, &mut out);
                encoder.finish(&mut out);
            }
            Phase::Chunk { left } => {
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(text.len());
                out.extend_from_slice(&text[..count]);
            }
            _ => {
                CrlfEncoder::default().encode(&text, &mut self.rest.typed);
                if !self.rest.typed.ends_with(b"\n") {
                    self.rest.typed.extend_from_slice(b"\r\n");
                }
                return Continue(());
            }
        }
        self.send_octets(session, &out)
    }
}

/// Takes what is typed after a session that nobody had ended, until it is opened again, and returns that; nothing if that
/// is not wanted. With `is_hidden`, the first line is the rest of an answer, and dropped unseen.
pub fn stay(setting: &Setting<'_>, input: &mut Input, mut is_hidden: bool) -> Option<Session> {
    loop {
        let _ = setting.terminal.enter(Manner::Closed { is_hidden });
        let _ = screen::put(b"closed> ");
        let taken = input.take().ok();
        setting.terminal.leave();
        let block = taken.filter(|block| !block.is_empty() && !block.ends_with(&[CTRL_C]))?;
        if std::mem::take(&mut is_hidden) {
            continue;
        }
        let line = String::from_utf8_lossy(&block).trim_end().to_owned();
        match escapes::parse(&line).filter(|_| setting.options.prompt.has_escapes) {
            Some(Escape::Reopen) => {
                if let Some(session) = (setting.reopen)() {
                    return Some(session);
                }
            }
            Some(Escape::Close) => return None,
            Some(Escape::Aside(aside)) => explain::aside(aside, setting),
            None if line.eq_ignore_ascii_case("QUIT") => return None,
            None if line.is_empty() => {}
            _ => say(crate::prompt::CLOSED),
        }
    }
}

fn read(name: &str) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(expand(name))?.read_to_end(&mut text)?;
    Ok(text)
}
