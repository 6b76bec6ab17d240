//! What the server says: waiting for it, showing it, and what it means.

use std::io;
use std::ops::ControlFlow::{self, Break, Continue};
use std::time::{Duration, Instant};

use mconnect_core::protocol::{Phase, Request, Visible};
use mconnect_core::{Action, Error, Pair, Scene, Session};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Pace, Talk};
use crate::failure;
use crate::judge::{self, End};
use crate::terminal::Manner;

impl Talk<'_> {
    /// Shows what the server has said, if it has, and does not wait.
    pub(super) fn listen(&mut self) -> ControlFlow<()> {
        let mut server = self.session.as_fd().map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        let count = poll(server.as_mut_slice(), PollTimeout::ZERO);
        if count.is_ok_and(|count| count > 0) {
            self.receive(self.timeouts.command)?;
        }
        self.show_what_came()
    }

    /// Shows what the server says until no reply is due.
    pub(super) fn wait_for_replies(&mut self) -> ControlFlow<()> {
        loop {
            self.show_what_came()?;
            let due = self.session.standing();
            if due.outstanding == 0 {
                return Continue(());
            }
            let is_optional = due.outstanding == 1 && due.awaited == Some(Request::EmptyLine);
            let patience = self.session.patience();
            let patience = if is_optional { patience.min(EMPTY_LINE_PATIENCE) } else { patience };
            let deadline = Instant::now() + patience;
            while self.session.standing().outstanding == due.outstanding {
                let left = deadline.saturating_duration_since(Instant::now());
                match self.session.receive(left) {
                    Ok(()) => self.show_what_came()?,
                    Err(_) if is_optional => self.session.forgo_empty_line(),
                    Err(Error::Timeout { .. }) => return self.give_up_waiting(patience),
                    Err(error) => return self.give_up(&error),
                }
                // What was here at the deadline is shown, but the rest of it is not waited for.
                if left.is_zero() && self.session.standing().outstanding == due.outstanding {
                    return self.give_up_waiting(patience);
                }
            }
        }
    }

    /// Gives up a reply that did not come in time.
    pub(super) fn give_up_waiting(&mut self, after: Duration) -> ControlFlow<()> {
        match self.session.receive(Duration::ZERO) {
            Err(Error::Timeout { scene, partial, .. }) => self.give_up(&Error::Timeout { scene, after, partial }),
            Err(error) => self.give_up(&error),
            Ok(()) => {
                self.show_what_came()?;
                let scene = Scene {
                    action: Action::ReadReply,
                    peer: self.session.peer().clone(),
                    phase: self.session.phase(),
                    has_sent: true,
                };
                self.give_up(&Error::Timeout { scene, after, partial: Vec::new() })
            }
        }
    }

    /// Receives once.
    pub(super) fn receive(&mut self, patience: Duration) -> ControlFlow<()> {
        match self.session.receive(patience) {
            Ok(()) => Continue(()),
            Err(error) => self.give_up(&error),
        }
    }

    pub(super) fn give_up(&mut self, error: &Error) -> ControlFlow<()> {
        self.show_unfinished();
        self.verdict.complain(failure::status(error), &failure::describe(error));
        self.end = Some(End::Given);
        Break(())
    }

    /// Shows the lines that are there; breaks at the end of the session.
    pub(super) fn show_what_came(&mut self) -> ControlFlow<()> {
        while self.end.is_none() && self.session.is_ready() {
            match self.session.read_line() {
                Ok(Some(line)) => {
                    self.shown.extend_from_slice(line.raw());
                    let ends_reply = line.ends_reply();
                    let words = (ends_reply && self.ends_at_refusal).then(|| Visible(line.content()).to_string());
                    if ends_reply {
                        self.judge_reply(words.as_deref());
                        self.start_tls_if_due();
                    }
                    if self.shown.len() >= LARGEST_SHOW {
                        self.show();
                    }
                }
                Ok(None) => self.end = Some(End::Closed),
                Err(error) => self.end = Some(End::Broken(error)),
            }
        }
        self.show();
        if self.end.is_some() { Break(()) } else { Continue(()) }
    }

    /// After the 220 to STARTTLS. Without TLS then, the session is over: nothing more is sent in the clear.
    fn start_tls_if_due(&mut self) {
        if self.session.phase() != Phase::StartTls || !self.secure.upgrades() {
            return;
        }
        self.show();
        let nowhere = Session::from_stream(Pair::new(io::empty(), io::sink()), "nowhere");
        let session = std::mem::replace(&mut self.session, nowhere);
        match self.secure.upgrade(session, self.pace == Pace::Typed, self.verdict) {
            Some(session) => self.session = session,
            None => self.end = Some(End::Given),
        }
    }

    /// Shows what came of a line that is not waited for any longer.
    pub(super) fn show_unfinished(&mut self) {
        self.shown.extend_from_slice(self.session.buffered());
        self.show();
    }

    /// Shows what is there to be shown, once the terminal is ready for what it may ask for.
    pub(super) fn show(&mut self) {
        self.hide_answers();
        if let Err(error) = self.screen.show(&self.shown) {
            self.verdict.output_failed(&error);
        }
        self.shown.clear();
    }

    /// Where an answer to a 334 is typed, it is not shown: it may be a password.
    fn hide_answers(&mut self) {
        let Some(terminal) = self.terminal else { return };
        match (self.is_hidden, self.session.phase() == Phase::Auth) {
            (false, true) => self.is_hidden = terminal.enter(Manner::Hidden).is_ok(),
            (true, false) => {
                terminal.leave();
                self.is_hidden = false;
            }
            _ => {}
        }
    }

    /// Says what a reply that has just come means for the exit status, and for the script.
    /// `words` are its last line, where they may have to be told.
    fn judge_reply(&mut self, words: Option<&str>) {
        let Some(answer) = self.session.standing().last_answer else { return };
        judge::reply(answer, self.is_complete(), self.pace != Pace::Typed, self.verdict);
        if let Some(words) = words
            && !self.is_refused
            && judge::is_refusal(answer, self.is_complete())
        {
            self.is_refused = true;
            let message = match answer.request {
                Some(request) => format!("{request} was refused, which ends the session: {words}"),
                None => format!("the server said something unasked, which ends the session: {words}"),
            };
            self.show();
            self.verdict.complain(failure::status_of_refusal(answer.code), &message);
        }
        // After a refused DATA the script's body is no body to the server, and must not be sent.
        if self.pace == Pace::InStep && answer.request == Some(Request::Data) && !answer.code.is_positive() {
            self.is_data_refused = true;
        }
    }
}

/// What came together is shown together, in parts of about this many octets.
const LARGEST_SHOW: usize = 64 * 1024;
/// Not every server answers an empty line.
const EMPTY_LINE_PATIENCE: Duration = Duration::from_secs(10);
