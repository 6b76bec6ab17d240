//! What the server says, shown as it comes, and the waits for it.

use std::ops::ControlFlow::{Break, Continue};
use std::time::{Duration, Instant};

use mconnect_core::protocol::{Answer, Code, Phase, ReplyLine, Request, Standing, Visible};
use mconnect_core::script;
use mconnect_core::{Ended, Error, Heard};

use super::{Flow, Leave, Setting, Talk};
use crate::explain::{is_wanted, refusal as why, speaker, tell};
use crate::judge;
use crate::paint::{self, Look};
use crate::progress;
use crate::screen;
use crate::secure::decode;
use crate::stderr::{self, say};
use crate::terminal;

impl Talk<'_> {
    /// Shows what the server says for as long as that is worth waiting for: a prompt follows a reply where it can.
    pub(super) fn settle(&mut self) -> Flow {
        let (standing, was_surprised) = (self.session.standing(), self.is_surprised);
        match standing.awaited {
            Some(_) if standing.phase != Phase::Body || standing.awaited == Some(Request::Data) => {
                self.wait(Instant::now() + PATIENCE)?;
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
        while self.session.outstanding() > 0 {
            self.wait_for_reply()?;
        }
        self.show_what_came()
    }

    /// Waits for the reply that is due next, as long as it may take; a clock says how long already.
    pub(super) fn wait_for_reply(&mut self) -> Flow {
        self.show_what_came()?;
        let Standing { awaited, outstanding: due, .. } = self.session.standing();
        if matches!(awaited, Some(Request::EndOfData | Request::Bdat)) {
            stderr::at_interrupt(Some(progress::WHOLE_MESSAGE.to_owned()));
        }
        while due > 0 && self.session.outstanding() >= due {
            let tick = self.driver.overdue.next_tick(&self.session.standing());
            let tick = tick.into_iter().chain([Instant::now() + TICK]).min();
            let waited = self.driver.wait_until(&mut self.session, tick);
            self.show_what_came()?;
            let standing = self.session.standing();
            match waited {
                _ if standing.outstanding < due => {}
                Ok(_) => self.draw_clock(&standing),
                Err(error) => return self.give_up(&error),
            }
        }
        stderr::clear();
        stderr::at_interrupt(None);
        Continue(())
    }

    /// Returns when the reply that is due next is no longer waited for, if that was said.
    pub(super) fn deadline(&self, standing: &Standing) -> Option<Instant> {
        self.setting.options.timeout.and_then(|_| self.driver.overdue.deadline(standing, self.session.reply_timeout()))
    }

    /// Ends the session if the reply that is due next has not come in the time that was said.
    pub(super) fn keep_deadline(&mut self) -> Flow {
        match self.deadline(&self.session.standing()) {
            Some(deadline) if deadline <= Instant::now() => {
                self.give_up(&self.session.overdue(self.session.reply_timeout()))
            }
            _ => Continue(()),
        }
    }

    /// Ends a session with a server that does not do its part in time.
    pub(super) fn give_up(&mut self, error: &Error) -> Flow {
        stderr::clear();
        self.show_unfinished();
        self.setting.verdict.failed(error);
        let leave = self.broken_off();
        self.session.closer().close();
        self.driver.ended = Some(Ended::Here);
        Break(leave)
    }

    /// Says whether the prompt stays after the session: not if it was to end.
    pub(super) fn broken_off(&self) -> Leave {
        if self.driver.is_ending(&self.session) || screen::has_lost_reader() { Leave::End } else { Leave::Closed }
    }

    /// Draws what is waited for; not in the middle of a line that has not ended.
    pub(super) fn draw_clock(&mut self, standing: &Standing) {
        if self.editor.said().is_none_or(|said| !said.is_mid_line()) {
            stderr::draw(&self.above(standing).trim_end().replace('\n', " "));
        }
    }

    /// Says where there is no prompt what is late, on a line of its own: a half-typed one must not be drawn over.
    pub(super) fn tell_late(&mut self, standing: &Standing) {
        if let Some(words) = self.driver.overdue.tell(standing) {
            if let Some(said) = self.editor.said() {
                said.end_line();
            }
            say(&words);
        }
    }

    /// Says whether what is typed may be a password: an answer to a 334, or what is typed ahead of a TLS that may not come.
    fn hides_typing(&mut self) -> bool {
        let phase = self.typed_for(&self.session.standing());
        // Whoever sees a 334 answers it, whatever comes before that is read.
        if phase == Phase::Auth && self.editor.said().is_some() {
            self.asked = Phase::Auth;
        }
        let is_tls_asked = phase == Phase::StartTls || self.session.owes(|request| request == Request::StartTls);
        (phase == Phase::Auth && !self.is_shown) || (is_tls_asked && self.setting.secure.upgrades())
    }

    /// Returns how lines are shown.
    pub(super) fn look(&self) -> Look {
        Look { has_color: self.editor.has_color(), columns: terminal::size().0 }
    }

    /// Returns what is shown above the prompt: a line of the server's that does not end, and what is waited for.
    pub(super) fn above(&self, standing: &Standing) -> String {
        let mut text = String::new();
        if self.unfinished_since.is_some_and(|since| since.elapsed() >= PAUSE) {
            let dots = if self.session.buffered().len() > LONGEST_TAIL { "..." } else { "" };
            let shown = format!("{dots}{}", Visible(self.unfinished()));
            // It has to fit the screen, with the prompt.
            let most = (usize::from(terminal::size().0) * 4).min(shown.chars().count());
            text.extend(shown.chars().skip(shown.chars().count() - most));
            text.push('\n');
        }
        if let Some(words) = self.driver.overdue.words(standing) {
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
        if let Some(said) = self.editor.said() {
            said.give_up(self.session.buffered(), self.setting.verdict);
        } else if !self.unfinished().is_empty() {
            let mut text = String::new();
            paint::line(self.unfinished(), self.editor.has_color(), &mut text);
            let _ = screen::put(text.as_bytes());
        }
    }

    /// Returns the end of what came of a line that has not ended.
    fn unfinished(&self) -> &[u8] {
        let buffered = self.session.buffered();
        &buffered[buffered.len().saturating_sub(LONGEST_TAIL)..]
    }

    /// Returns when a line that has not ended is shown next, if there is one.
    pub(super) fn unfinished_next(&self) -> Option<Instant> {
        let shown = self.unfinished_since? + PAUSE;
        let now = Instant::now();
        Some(if shown > now { shown } else { now + UNFINISHED_GAP })
    }

    /// Shows what comes until no reply is due, or the deadline.
    pub(super) fn wait(&mut self, deadline: Instant) -> Flow {
        self.show_what_came()?;
        while self.session.outstanding() > 0 && Instant::now() < deadline {
            let _ = self.session.receive(deadline.saturating_duration_since(Instant::now()));
            self.show_what_came()?;
        }
        Continue(())
    }

    /// Shows what is there; breaks at the end of the session.
    pub(super) fn show_what_came(&mut self) -> Flow {
        self.take_what_came();
        if self.driver.ended.is_some() {
            stderr::clear();
            return Break(self.broken_off());
        }
        if self.driver.is_tls_due(&self.session) { Break(Leave::StartTls) } else { Continue(()) }
    }

    /// Shows what is there, up to a grant of STARTTLS: what comes next is no SMTP.
    pub(super) fn take_what_came(&mut self) {
        let (mut text, mut taken, mut surprise) = (String::new(), 0, None);
        // After a grant of STARTTLS, what comes is not taken.
        while !self.driver.is_tls_due(&self.session)
            && text.len().max(taken) < LARGEST_SHOW
            && self.session.has_arrived()
        {
            let Some(heard) = self.driver.hear(&mut self.session) else { break };
            self.unfinished_since = None;
            taken += self.driver.line().len();
            surprise = surprise.or(self.hear(heard, &mut text));
        }
        let is_hidden = self.hides_typing();
        self.editor.waker().settle();
        let unfinished = if self.driver.is_tls_due(&self.session) { &[] } else { self.session.buffered() };
        // What is typed on after the end may still be an answer.
        if self.session.phase() != Phase::Closed {
            self.editor.hide(is_hidden);
        }
        match self.editor.said() {
            Some(said) => said.show(unfinished, self.setting.verdict),
            None if unfinished.is_empty() => self.unfinished_since = None,
            None => drop(self.unfinished_since.get_or_insert_with(Instant::now)),
        }
        if !text.is_empty() {
            stderr::clear();
        }
        if let Err(error) = screen::put(text.as_bytes()) {
            self.setting.verdict.output_failed(&error);
        }
        // A paste that ends by it says so, too.
        if let Some(answer) = surprise.filter(|_| !self.is_paste()) {
            say(&format!("mconnect: {}", script::End::OutOfStep(answer)));
        }
    }

    /// Takes the line of the server's that was heard, appending what is shown of it, and returns its answer if that is the
    /// first that shows client and server out of step.
    fn hear(&mut self, Heard { is_first, ends_reply, answer, .. }: Heard, text: &mut String) -> Option<Answer> {
        let Setting { options, verdict, .. } = self.setting;
        let look = self.look();
        match self.editor.said() {
            Some(said) => said.hear(self.driver.line()),
            None => self.rest.take(self.driver.line(), ends_reply, look, text),
        }
        let Some(answer) = answer else {
            let found = if is_first { speaker(options, verdict) } else { None };
            match (found, self.editor.said()) {
                (Some(found), Some(said)) => {
                    said.show(&[], verdict);
                    tell(Some(&found), options);
                }
                (Some(found), None) => paint::note(&format!("  {found}"), look, text),
                (None, _) => {}
            }
            return None;
        };
        judge::reply(answer, self.driver.is_complete(&self.session), false, verdict);
        self.follow(answer);
        let raw = self.driver.line();
        if self.editor.said().is_some() {
            // Standard output is the server's alone.
        } else if answer.code == Code::CHALLENGE && !options.is_quiet {
            note_challenge(raw, look, text);
        } else if self.suggestions.is_leaving() && is_unknown(answer) && is_wanted(options) {
            paint::note("  QUIT ends the session", look, text);
        } else if let Some(found) = why(raw, options, verdict) {
            paint::note(&format!("  {found}"), look, text);
        }
        let is_first = self.session.standing().surprise.is_some() && !self.is_surprised;
        self.is_surprised |= is_first;
        Some(answer).filter(|_| is_first)
    }
}

/// Says whether the server does not know a command.
fn is_unknown(answer: Answer) -> bool {
    answer.request == Some(Request::Other) && !answer.meaning().is_granted()
}

/// Appends a line with what a challenge says, if it says something.
fn note_challenge(raw: &[u8], look: Look, out: &mut String) {
    if let Some(challenge) = decode(ReplyLine::new(raw).text()).filter(|challenge| !challenge.is_empty()) {
        paint::note(&format!("  that is: {}", Visible(&challenge)), look, out);
    }
}

/// A clock is looked at so often.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// A line that has not ended after this is shown as far as it came.
const PAUSE: Duration = Duration::from_millis(500);
/// It is shown again so often.
const UNFINISHED_GAP: Duration = Duration::from_secs(1);
/// This much of it is shown, in octets.
const LONGEST_TAIL: usize = 400;
/// What came together is shown together, in parts of about this many octets, whether all of it is shown or not.
const LARGEST_SHOW: usize = 64 * 1024;
/// A reply that takes longer does not keep the prompt.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);
