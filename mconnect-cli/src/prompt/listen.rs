//! What the server says, shown as it comes, and the waits for it.

use std::ops::ControlFlow::{self, Break, Continue};
use std::time::{Duration, Instant};

use mconnect_core::protocol::{Code, Phase, ReplyLine, Request, Standing, Visible};
use mconnect_core::script;

use super::inbox::{Ending, Heard};
use super::{Flow, Leave, Setting, Talk, explain, paint};
use crate::explain::{refusal as why, speaker};
use crate::failure::{Failure, Status};
use crate::judge::{self, End};
use crate::progress;
use crate::screen;
use crate::stderr::{self, say};

impl Talk<'_> {
    /// Shows what the server says for as long as that is worth waiting for: a prompt follows a reply where it can.
    pub(super) fn settle(&mut self) -> Flow {
        let (standing, was_surprised) = (self.writer.standing(), self.is_surprised);
        match standing.awaited {
            Some(_) if standing.phase != Phase::Body || standing.awaited == Some(Request::Data) => {
                self.wait(Some(Instant::now() + PATIENCE))?;
            }
            _ => {}
        }
        if self.is_surprised && !was_surprised {
            self.drop_ahead(false)?;
        }
        self.advance()
    }

    /// Waits for all replies, each with its own deadline.
    pub(super) fn wait_for_replies(&mut self) -> Flow {
        while self.writer.standing().outstanding > 0 {
            self.wait_for_reply()?;
        }
        self.show_what_came()
    }

    /// Waits for the reply that is due next, as long as it may take; a clock says how long already.
    pub(super) fn wait_for_reply(&mut self) -> Flow {
        let standing = self.writer.standing();
        let due = standing.outstanding;
        let is_optional = due == 1 && standing.awaited == Some(Request::EmptyLine);
        let patience = self.writer.reply_timeout();
        let patience = if is_optional { patience.min(EMPTY_LINE_PATIENCE) } else { patience };
        let deadline = self.deadline(&standing).unwrap_or_else(|| Instant::now() + patience);
        if matches!(standing.awaited, Some(Request::EndOfData | Request::Bdat)) {
            stderr::at_interrupt(Some(progress::WHOLE_MESSAGE.to_owned()));
        }
        while due > 0 && self.writer.standing().outstanding >= due {
            let tick = self.overdue.next_tick(&self.writer.standing()).unwrap_or(deadline);
            let tick = tick.min(Instant::now() + Duration::from_secs(1));
            self.inbox.wait(Some(deadline.min(tick)), || self.writer.standing().outstanding < due);
            self.show_what_came()?;
            let standing = self.writer.standing();
            if deadline <= Instant::now() && standing.outstanding >= due {
                if !is_optional {
                    return self.give_up(patience);
                }
                self.writer.forgo_empty_line();
            } else if standing.outstanding >= due {
                stderr::draw(&self.above(&standing).trim_end().replace('\n', " "));
            }
        }
        stderr::clear();
        stderr::at_interrupt(None);
        Continue(())
    }

    /// Returns when the reply that is due next is no longer waited for, if that was said.
    pub(super) fn deadline(&self, standing: &Standing) -> Option<Instant> {
        self.setting.options.timeout.and_then(|_| self.overdue.deadline(standing, self.writer.reply_timeout()))
    }

    /// Ends the session if the reply that is due next has not come in the time that was said.
    pub(super) fn keep_deadline(&mut self) -> Flow {
        match self.deadline(&self.writer.standing()) {
            Some(deadline) if deadline <= Instant::now() => self.give_up(self.writer.reply_timeout()),
            _ => Continue(()),
        }
    }

    fn give_up(&mut self, patience: Duration) -> Flow {
        stderr::clear();
        self.show_unfinished();
        self.setting.verdict.evidence().late(patience, &self.inbox.unfinished().tail);
        let message = format!("{} did not reply in {} s", self.writer.peer(), patience.as_secs_f64());
        self.setting.verdict.complain(Failure::new(Status::Temporary, message));
        let leave = self.broken_off();
        self.writer.closer().close();
        self.end = Some(End::Given);
        Break(leave)
    }

    /// Says whether the prompt stays after the session: not if it was to end.
    pub(super) fn broken_off(&self) -> Leave {
        let is_meant = self.is_input_over
            || self.writer.standing().has_quit
            || self.writer.owes(|request| request == Request::Quit);
        if is_meant { Leave::End } else { Leave::Closed }
    }

    /// Returns what is shown above the prompt: a line of the server's that does not end, and what is waited for.
    pub(super) fn above(&self, standing: &Standing) -> String {
        let mut text = String::new();
        let unfinished = self.inbox.unfinished();
        if unfinished.is_old() {
            let dots = if unfinished.size > unfinished.tail.len() { "..." } else { "" };
            let shown = format!("{dots}{}", Visible(&unfinished.tail));
            // It has to fit the screen, with the prompt.
            let most = (usize::from(self.editor.columns()) * 4).min(shown.chars().count());
            text.extend(shown.chars().skip(shown.chars().count() - most));
            text.push('\n');
        }
        if let Some(words) = self.overdue.words(standing) {
            text.push_str(&words);
            if standing.phase == Phase::Greeting && self.setting.options.prompt.has_escapes {
                text.push_str("; --no-wait and ~x send at once");
            }
            text.push('\n');
        }
        text
    }

    /// Shows what came of a line that is not waited for any longer.
    pub(super) fn show_unfinished(&mut self) {
        let unfinished = self.inbox.unfinished();
        if unfinished.size > 0 {
            let mut text = String::new();
            paint::line(&unfinished.tail, self.editor.has_color, &mut text);
            let _ = screen::put(text.as_bytes());
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
            Some(Ending::StartTls(reader)) => return Break(Leave::StartTls(Box::new(reader))),
            Some(Ending::Connection(end)) => self.end = Some(end),
        }
        stderr::clear();
        Break(self.broken_off())
    }

    pub(super) fn show(&mut self, lines: &[Heard]) {
        let Setting { options, verdict, .. } = self.setting;
        let (mut text, mut surprise) = (String::new(), None);
        if !lines.is_empty() {
            stderr::clear();
        }
        for heard in lines {
            let is_first = self.received == 0;
            self.received += heard.raw.len() as u64;
            paint::line(&heard.raw, self.editor.has_color, &mut text);
            let Some(answer) = heard.answer() else {
                if is_first && let Some(found) = speaker(options, verdict) {
                    paint::note(&format!("  {found}"), self.editor.has_color, &mut text);
                }
                continue;
            };
            self.overdue.restart();
            if matches!(answer.request, Some(Request::Auth | Request::AuthAnswer)) {
                self.heard = Some((answer.code, ReplyLine::new(&heard.raw).text().to_vec()));
            }
            let is_complete = heard.standing.is_complete(self.is_input_over);
            judge::reply(answer, is_complete, false, verdict);
            if !answer.is_goodbye(is_complete) {
                self.lines.replied(answer, &heard.raw);
            }
            if heard.standing.surprise.is_some() && !self.is_surprised {
                self.is_surprised = true;
                surprise = Some(answer);
            }
            if answer.code == Code::CHALLENGE && !options.is_quiet {
                explain::challenge(&heard.raw, self.editor.has_color, &mut text);
            } else if let Some(found) = why(&heard.raw, options, verdict) {
                paint::note(&format!("  {found}"), self.editor.has_color, &mut text);
            }
        }
        if let Err(error) = screen::put(text.as_bytes()) {
            self.setting.verdict.output_failed(&error);
        }
        // A paste that ends by it says so, too.
        if let Some(answer) = surprise.filter(|_| !self.lines.is_paste()) {
            say(&format!("mconnect: {}", script::End::OutOfStep(answer)));
        }
    }
}

/// A reply that takes longer does not keep the prompt.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);
/// Not every server answers an empty line.
const EMPTY_LINE_PATIENCE: Duration = Duration::from_secs(10);
