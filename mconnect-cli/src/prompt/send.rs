//! Typed and pasted lines on their way out.

use std::ops::ControlFlow::{Break, Continue};

use mconnect_core::Error;
use mconnect_core::protocol::{Answer, Phase, Request};
use zeroize::Zeroizing;

use super::{End, Flow, Leave, Talk, label, paint};
use crate::failure;
use crate::screen;
use crate::verdict::say;

impl Talk<'_> {
    /// Sends lines, each as the phase asks for: commands in step with their replies, a body as it is there.
    pub(super) fn send_lines(&mut self, lines: Vec<String>) -> Flow {
        let is_pasted = lines.len() > 1;
        let mut lines = lines.into_iter().peekable();
        let mut skipped = None;
        while let Some(line) = lines.next() {
            if let Some(octets) = &mut skipped {
                *octets += line.len() + 1;
                if line == "." {
                    say(&format!(
                        "mconnect: DATA was refused: {octets} octets of the paste, up to the lone dot, were not sent"
                    ));
                    skipped = None;
                }
                continue;
            }
            let standing = self.writer.standing();
            if standing.is_closing {
                say("mconnect: the server is closing: ~o opens the session again");
                return Continue(());
            }
            match standing.phase {
                Phase::Body => {
                    let (mut body, mut shown) = (Vec::new(), String::new());
                    let mut next = Some(line);
                    while let Some(line) = next {
                        body.extend_from_slice(line.as_bytes());
                        body.extend_from_slice(b"\r\n");
                        shown.push_str(&line);
                        shown.push('\n');
                        next = if line == "." { None } else { lines.next() };
                    }
                    if is_pasted {
                        self.echo(&shown);
                    }
                    self.send(&body)?;
                }
                Phase::Chunk { left } => {
                    let octets = [line.as_bytes(), b"\r\n"].concat();
                    let count = usize::try_from(left).unwrap_or(usize::MAX).min(octets.len());
                    self.send(&octets[..count])?;
                    // The line's own end may be beyond the chunk's.
                    let rest = (count..line.len()).find(|at| line.is_char_boundary(*at)).unwrap_or(line.len());
                    if count < line.len() && rest > count {
                        say("mconnect: the chunk ended inside a character: the rest of that was not sent");
                    }
                    self.editor.put(&line[rest..]);
                }
                phase => {
                    if is_pasted {
                        let shown = if phase == Phase::Auth { "" } else { &line };
                        self.echo(&format!("{}{shown}\n", label::of(&standing, self.setting.secure.mark(), true)));
                    }
                    self.send([line.as_bytes(), b"\r\n"].concat().as_slice())?;
                    self.learn(&line);
                }
            }
            if is_pasted && lines.peek().is_some() && self.writer.standing().phase != Phase::Body {
                self.wait_for_replies()?;
            } else {
                self.settle()?;
            }
            if is_pasted && lines.peek().is_some() && self.is_turned_down() {
                say("mconnect: the rest of the paste was not sent after the refusal");
                return Continue(());
            }
            let standing = self.writer.standing();
            if let (true, Phase::Command, Some(Answer { request: Some(Request::Data), .. })) =
                (is_pasted, standing.phase, standing.last_answer)
            {
                skipped = Some(0);
            }
            self.is_shown &= standing.phase == Phase::Auth;
            if self.has_quit() {
                return Break(Leave::End);
            }
        }
        Continue(())
    }

    /// Sends an answer that was not shown, and leaves no copy of it behind.
    pub(super) fn send_answer(&mut self, answer: &str) -> Flow {
        if self.writer.standing().phase != Phase::Auth {
            say("mconnect: that is no longer asked for, and was not sent");
            return Continue(());
        }
        self.send_bytes(&Zeroizing::new([answer.as_bytes(), b"\r\n"].concat()))
    }

    /// Sends exactly these bytes.
    pub(super) fn send_bytes(&mut self, bytes: &[u8]) -> Flow {
        self.send(bytes)?;
        self.settle()?;
        if self.has_quit() { Break(Leave::End) } else { Continue(()) }
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Flow {
        self.sent += bytes.len() as u64;
        match self.writer.send(bytes) {
            Ok(()) => Continue(()),
            Err(error) => self.writing_failed(&error),
        }
    }

    /// A failed write is only the symptom: what the server still says tells why. One that takes nothing is another thing.
    fn writing_failed(&mut self, error: &Error) -> Flow {
        if error.is_timeout() {
            self.setting.verdict.complain(failure::status(error), &failure::describe(error));
            self.writer.closer().close();
            self.end = Some(End::Given);
        }
        Break(Leave::End)
    }

    /// Shows what a paste held, as if it had been typed.
    fn echo(&self, text: &str) {
        let mut shown = String::new();
        for line in text.split_inclusive('\n') {
            paint::plain(line, &mut shown);
        }
        let _ = screen::put(shown.as_bytes());
    }

    /// Keeps the addresses of MAIL and RCPT for completion.
    fn learn(&mut self, line: &str) {
        let is_path =
            line.get(..5).is_some_and(|verb| ["MAIL ", "RCPT "].iter().any(|known| verb.eq_ignore_ascii_case(known)));
        let address = line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(address, _)| address);
        if let (true, Some(address)) = (is_path, address)
            && !address.is_empty()
            && !self.addresses.iter().any(|known| known == address)
        {
            self.addresses.push(address.to_owned());
        }
    }
}
