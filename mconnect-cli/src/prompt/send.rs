//! Lines on their way out, typed or pasted: what may go out when, and where a paste ends, is the [`Script`]'s to say.

use std::io;
use std::ops::ControlFlow::{Break, Continue};

use mconnect_core::protocol::{Answer, Meaning, Phase, Request, Standing};
use mconnect_core::script::{self, Next, Pace, Script};
use mconnect_core::{Error, Session};
use zeroize::Zeroizing;

use super::file_lines::FileLines;
use super::{Flow, Leave, Talk, is_command};
use crate::judge;
use crate::paint;
use crate::progress::{self, Work};
use crate::screen;
use crate::stderr::say;

/// Lines on their way out.
#[derive(Default)]
pub struct Lines {
    /// What was entered and not taken by the script.
    rest: Zeroizing<Vec<u8>>,
    /// What of it is kept in the history once it goes out.
    kept: Option<String>,
    /// More of the paste is to come.
    goes_on: bool,
    /// The file whose lines these are, if there is more of it.
    file: Option<FileLines>,
}

impl Lines {
    /// Makes ready for the lines of a file.
    pub fn of_file(file: FileLines) -> Self {
        Self { file: Some(file), ..Self::default() }
    }

    fn next(&mut self, script: &mut Script, standing: &Standing) -> Next {
        let mut input = self.rest.as_slice();
        let next = script.next(standing, &mut input);
        let taken = self.rest.len() - input.len();
        self.rest.drain(..taken);
        next
    }

    /// Counts what is left of the file as unsent.
    fn count_file(&mut self, script: &mut Script) {
        while script.unsent().total() < MOST_COUNTED && FileLines::read_on(&mut self.file, &mut self.rest) {
            script.count_unsent(&self.rest);
            self.rest.clear();
        }
    }

    /// Says whether all that was entered went out.
    fn is_done(&self, script: &Script) -> bool {
        self.rest.is_empty() && script.out().is_empty() && !self.goes_on && self.file.is_none()
    }
}

impl Talk<'_> {
    /// Begins with lines that go out as they come, unless a reply is due that decides what they mean, or, those of a paste
    /// or a file, in step with the replies.
    pub(super) fn begin(&mut self, pace: Pace, lines: Lines) {
        self.driver.begin(self.setting.rules(pace));
        self.lines = lines;
    }

    pub(super) fn is_paste(&self) -> bool {
        self.driver.pace() == Pace::InStep
    }

    /// Has an answer that came mean for the lines what it does.
    pub(super) fn follow(&mut self, answer: Answer) {
        let is_turn = answer.request.is_some_and(Request::is_turn);
        // What nobody asked for drops nothing of a line that is being typed.
        let is_plain = self.editor.said().is_some();
        if self.is_paste() || is_turn || is_plain || answer.meaning() != Meaning::OutOfStep {
            let _ = self.driver.follow(&self.session, answer);
        }
        if self.driver.script.drops_typed() {
            self.editor.drop_early();
        }
    }

    /// Sends a typed line, and keeps this of it in the history once it goes out.
    pub(super) fn send_line(&mut self, line: &[u8], kept: Option<String>) -> Flow {
        let mut octets = [line, b"\r\n"].concat();
        if self.session.phase() == Phase::Body && line.len() > LONGEST_LINE {
            let size = line.len();
            say(&format!(
                "mconnect: a line of {size} octets: {LONGEST_LINE} are allowed, and the server may refuse it"
            ));
        }
        if let Phase::Chunk { left } = self.session.phase() {
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(octets.len());
            octets.truncate(count);
            // The line's own end may be beyond the chunk's.
            let rest = (count..line.len()).find(|at| !is_inside_character(line, *at)).unwrap_or(line.len());
            if count < line.len() && rest > count {
                say("mconnect: the chunk ended inside a character: the rest of that was not sent");
            }
            if count < line.len() {
                self.editor.put(&line[rest..]);
            }
        }
        (self.lines.rest, self.lines.kept) = (Zeroizing::new(octets), kept);
        self.advance()?;
        self.settle()
    }

    /// Sends lines in step with their replies, each with its CR LF; `goes_on` says whether more of the same paste come.
    pub(super) fn send_paste(&mut self, lines: Vec<u8>, goes_on: bool) -> Flow {
        if !self.is_paste() {
            self.begin(Pace::InStep, Lines::default());
            self.work = Some(Work::new("the paste", None));
        }
        (self.lines.rest, self.lines.goes_on) = (Zeroizing::new(lines), goes_on);
        self.advance()?;
        self.settle()
    }

    /// Sends what may go out of what was entered, and waits for what has to come before the rest and the next prompt.
    pub(super) fn advance(&mut self) -> Flow {
        self.show_what_came()?;
        let mut is_dropped = self.is_surprised;
        loop {
            // Before a line goes out, what has come already is looked at.
            self.show_what_came()?;
            let standing = self.session.standing();
            let had_lines = !self.lines.rest.is_empty();
            match self.lines.next(&mut self.driver.script, &standing) {
                Next::Send => self.send_next(&standing)?,
                // Nothing waits for it: a line can be typed.
                Next::Replies
                    if self.lines.is_done(&self.driver.script) && (!standing.is_turning || self.is_open_early()) =>
                {
                    break;
                }
                Next::Replies => self.wait_for_reply()?,
                Next::Input if FileLines::read_on(&mut self.lines.file, &mut self.lines.rest) => {}
                Next::Input => break,
                Next::StartTls => return Break(Leave::StartTls),
                Next::Dropped => {
                    (self.lines.kept, is_dropped) = (None, true);
                    self.drop_ahead(had_lines)?;
                }
                Next::Skipped(octets) => judge::skipped(octets, "the paste", "up to the lone dot"),
                Next::End => return self.end_lines(had_lines),
            }
        }
        if self.is_paste() && self.lines.is_done(&self.driver.script) {
            self.end_paste()?;
        }
        if self.is_surprised && !is_dropped { self.drop_ahead(false) } else { Continue(()) }
    }

    /// Says whether only the greeting is what decides: then the prompt is open, and a line that is typed waits.
    fn is_open_early(&self) -> bool {
        let is_other = |request: Request| request.is_turn() && request != Request::Greeting;
        self.session.phase() == Phase::Greeting && !self.session.owes(is_other)
    }

    fn send_next(&mut self, standing: &Standing) -> Flow {
        if self.is_paste() && self.editor.said().is_none() {
            self.echo(standing, self.driver.script.out());
        }
        if let Some(line) = self.lines.kept.take() {
            self.editor.remember(&line);
        }
        let octets = self.driver.script.out();
        if is_command(standing.phase) {
            self.suggestions.learn(&String::from_utf8_lossy(octets));
        }
        let count = octets.len();
        let send = |session: &mut Session| self.driver.send_next(session);
        let sent = progress::put(self.work.as_ref(), &mut self.session, count, send);
        sent.map_or_else(|error| self.writing_failed(&error), Continue)
    }

    /// Nothing more of what was entered is to be sent.
    fn end_lines(&mut self, had_lines: bool) -> Flow {
        let end = self.driver.script.end();
        if self.is_paste() {
            if self.lines.goes_on {
                return Continue(());
            }
            self.end_work();
            let rest = self.editor.unfinished();
            self.driver.script.count_unsent(rest.as_bytes());
            self.lines.count_file(&mut self.driver.script);
            self.editor.clear();
            if end.is_some_and(|end| end.answer().is_some()) {
                self.drop_ahead(false)?;
            }
            judge::script_ending(&self.driver, "paste", true, self.setting.verdict);
            self.begin(Pace::Typed, Lines::default());
        } else if had_lines && end == Some(script::End::Closing) {
            say(CLOSING);
        }
        if self.session.standing().has_quit { Break(Leave::End) } else { Continue(()) }
    }

    /// All of a paste went out, or was passed over.
    fn end_paste(&mut self) -> Flow {
        let standing = self.session.standing();
        let is_skipping = self.driver.script.phase(&standing) != standing.phase;
        if let Some(octets) = self.driver.script.end_skipped() {
            judge::skipped(octets, "the paste", "which has no lone dot");
        }
        self.end_work();
        self.begin(Pace::Typed, Lines::default());
        if is_skipping { self.drop_ahead(false) } else { Continue(()) }
    }

    /// Drops what was typed ahead: what it was meant for was not granted. `is_told` says that something was dropped before.
    pub(super) fn drop_ahead(&mut self, is_told: bool) -> Flow {
        match self.editor.drop_typed() {
            Ok(has_dropped) => {
                if has_dropped || is_told {
                    say("mconnect: what was typed ahead was dropped");
                }
                Continue(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                self.interrupt();
                Continue(())
            }
            Err(error) => self.cannot_type(&error),
        }
    }

    /// Sends an answer that was not shown, and leaves no copy of it behind.
    pub(super) fn send_answer(&mut self, answer: &str) -> Flow {
        self.show_what_came()?;
        let standing = self.session.standing();
        if standing.is_closing {
            say(CLOSING);
            return Continue(());
        }
        if standing.phase != Phase::Auth {
            say("mconnect: that is no longer asked for, and was not sent");
            return Continue(());
        }
        self.send_bytes(&Zeroizing::new([answer.as_bytes(), b"\r\n"].concat()))
    }

    /// Sends exactly these bytes.
    pub(super) fn send_bytes(&mut self, bytes: &[u8]) -> Flow {
        self.send(bytes)?;
        self.advance()?;
        self.settle()
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Flow {
        let send = |session: &mut Session| self.driver.send(session, bytes);
        let sent = progress::put(self.work.as_ref(), &mut self.session, bytes.len(), send);
        sent.map_or_else(|error| self.writing_failed(&error), Continue)
    }

    /// All that takes long has gone out.
    pub(super) fn end_work(&mut self) {
        if let Some(work) = self.work.take() {
            work.finish(self.setting.options.is_quiet);
        }
    }

    /// A failed write is only the symptom: what the server still says tells why. One that takes nothing is another thing.
    fn writing_failed(&mut self, error: &Error) -> Flow {
        if error.is_timeout() { self.give_up(error) } else { Break(self.broken_off()) }
    }

    /// Shows what a paste held, as if it had been typed.
    fn echo(&self, standing: &Standing, octets: &[u8]) {
        let label = match standing.phase {
            Phase::Body | Phase::Chunk { .. } => String::new(),
            _ => self.label(standing, true).to_string(),
        };
        let line: &[u8] = if standing.phase == Phase::Auth { b"\n" } else { octets };
        let _ = screen::put((label + &paint::plain(line)).as_bytes());
    }
}

/// Says whether a character of UTF-8 goes on at this place.
fn is_inside_character(line: &[u8], at: usize) -> bool {
    line[at] & 0xc0 == 0x80
}

/// Of a message, in octets, without its CR LF ([RFC 5321, section 4.5.3.1.6](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.6)).
const LONGEST_LINE: usize = 998;
/// More of a file that is not sent than this, in octets, is not counted.
const MOST_COUNTED: u64 = 64 * 1024 * 1024;
const CLOSING: &str = "mconnect: the server is closing: ~o opens the session again";
