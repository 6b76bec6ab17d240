//! What the server says, shown as it comes, and the waits for it.

use std::io;
use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mconnect_core::protocol::{Code, Phase, ReplyLine, Request};
use mconnect_core::{Pair, Reader, Session};

use super::inbox::{Ending, Heard, Inbox};
use super::{Flow, Leave, Talk, is_command, paint, tell};
use crate::judge::{self, End};
use crate::screen;
use crate::terminal;
use crate::verdict::{say, status};

impl Talk<'_> {
    /// Shows what the server says for as long as that is worth waiting for: a prompt follows a reply where it can.
    pub(super) fn settle(&mut self) -> Flow {
        if self.writer.standing().is_turning {
            // What is typed must not go out in the clear, or be shown, whatever else is due before.
            self.wait_for_replies()?;
            if self.is_turned_down() && terminal::drop_typed() {
                say("mconnect: what was typed before the refusal was dropped");
            }
            return Continue(());
        }
        let standing = self.writer.standing();
        match standing.awaited {
            Some(_) if standing.phase != Phase::Body || standing.awaited == Some(Request::Data) => {
                self.wait(Some(Instant::now() + PATIENCE)).map_continue(drop)
            }
            _ => self.show_what_came(),
        }
    }

    /// Says whether the last reply refused what the lines after it were meant for: they may hold secrets.
    pub(super) fn is_turned_down(&self) -> bool {
        let answer = self.writer.standing().last_answer;
        answer.is_some_and(|answer| answer.request.is_some_and(Request::is_turn) && !answer.meaning().lets_go_on())
    }

    /// Waits for all replies, each with its own deadline.
    pub(super) fn wait_for_replies(&mut self) -> Flow {
        loop {
            let due = self.writer.standing().outstanding;
            let patience = self.writer.patience();
            if self.wait(Some(Instant::now() + patience))? {
                return Continue(());
            }
            if self.writer.standing().outstanding >= due {
                let message = format!("{} did not reply in {} s", self.writer.peer(), patience.as_secs_f64());
                self.setting.verdict.complain(status::TEMPORARY, &message);
                self.writer.closer().close();
                self.end = Some(End::Given);
                return Break(Leave::End);
            }
        }
    }

    /// Shows what comes until no reply is due, and says whether it came to that before the deadline.
    pub(super) fn wait(&mut self, deadline: Option<Instant>) -> ControlFlow<Leave, bool> {
        loop {
            self.show_what_came()?;
            let is_over = || self.writer.standing().outstanding == 0;
            if !self.inbox.wait(deadline, is_over) {
                return Continue(false);
            }
            self.show_what_came()?;
            if self.writer.standing().outstanding == 0 {
                return Continue(true);
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Continue(false);
            }
        }
    }

    /// Shows what is there; breaks at the end of the session.
    pub(super) fn show_what_came(&mut self) -> Flow {
        let (lines, ending) = self.inbox.take();
        self.show(&lines);
        match ending {
            None => return Continue(()),
            Some(Ending::Upgrade(reader)) => return self.upgrade(reader),
            Some(Ending::Closed) => self.end = Some(End::Closed),
            Some(Ending::Broken(error)) => self.end = Some(End::Broken(error)),
        }
        let unfinished = self.editor.unfinished();
        if !unfinished.is_empty() && is_command(self.asked) {
            self.editor.remember(&unfinished);
        }
        Break(Leave::End)
    }

    pub(super) fn show(&mut self, lines: &[Heard]) {
        let explains = self.setting.options.prompt.explains && !self.setting.options.is_quiet;
        let mut text = String::new();
        for heard in lines {
            self.received += heard.raw.len() as u64;
            paint::line(&heard.raw, self.has_color, &mut text);
            let Some(answer) = heard.answer() else { continue };
            if matches!(answer.request, Some(Request::Auth | Request::AuthAnswer)) {
                self.heard = Some((answer.code, ReplyLine::new(&heard.raw).text().to_vec()));
            }
            judge::reply(answer, judge::is_complete(&heard.standing, self.is_input_over), false, self.setting.verdict);
            if answer.code == Code::CHALLENGE && !self.setting.options.is_quiet {
                tell::challenge(&heard.raw, self.has_color, &mut text);
            } else if answer.meaning().is_refusal() && explains {
                tell::explain(&heard.raw, self.has_color, &mut text);
            }
        }
        if let Err(error) = screen::put(text.as_bytes()) {
            self.setting.verdict.output_failed(&error);
        }
    }

    /// After the 220 to STARTTLS. Without TLS then, the session is over: nothing more is sent in the clear.
    fn upgrade(&mut self, reader: Reader) -> Flow {
        let reader = if self.setting.secure.upgrades() {
            let (_, nowhere) = Session::from_stream(Pair::new(io::empty(), io::sink()), "nowhere").split();
            let session = Session::unsplit(reader, std::mem::replace(&mut self.writer, nowhere));
            let Some(session) = self.setting.secure.upgrade(session, true, self.setting.verdict) else {
                self.end = Some(End::Given);
                return Break(Leave::End);
            };
            let (reader, writer) = session.split();
            self.writer = writer;
            reader
        } else {
            reader
        };
        match Inbox::listen(reader, Arc::clone(&self.setting.waker)) {
            Ok(inbox) => {
                self.inbox = inbox;
                Continue(())
            }
            Err(error) => {
                self.setting.verdict.complain(status::IO, &format!("cannot start a thread: {error}"));
                self.end = Some(End::Given);
                Break(Leave::End)
            }
        }
    }
}

/// A reply that takes longer does not keep the prompt.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);
