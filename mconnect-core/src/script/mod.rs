//! A session given as lines: what may go out now, what has to be awaited first, what is passed over, and where it ends.
//!
//! ```text
//!                 input, wherever it is cut
//!                          │
//!                          ▼                Send ──► the caller sends what `out` holds
//!   Standing ──────────► Script ──► Next    Replies ► and waits, and tells each answer ──► replied
//!   (of the session)       ▲                Input ──► and reads more, or says that there is no more
//!                          │                StartTls, Dropped, Skipped, End
//!                       replied
//! ```
//!
//! There is no socket here and no clock: whoever drives a script keeps its waiting and its screen. What comes next in
//! the session is the [`Tracker`]'s to say, what a reply grants [`Meaning`]'s; here it is
//! decided what becomes of the lines that were to follow. A script, be it piped, given or pasted, ends where they can no
//! longer mean what they were meant for:
//!
//! | what came | what follows |
//! |---|---|
//! | client and server are out of step | the end, without QUIT |
//! | the greeting is refused | the end, with QUIT |
//! | STARTTLS is refused, where TLS was to start | the end, with QUIT |
//! | AUTH is refused, and answers to it may follow | the end, with QUIT |
//! | a 334 to an AUTH that has said everything | `*`, and then the same |
//! | AUTH is granted, and what comes right behind it can only be one more answer | the end, without QUIT |
//! | DATA is refused | the body is passed over, up to and with its lone dot |
//! | QUIT is answered, or the server closes | the end |
//!
//! ```
//! use mconnect_core::protocol::{ReplyLine, Tracker};
//! use mconnect_core::script::{Next, Pace, Rules, Script};
//!
//! let mut tracker = Tracker::new();
//! let mut script = Script::new(Rules::new(Pace::InStep));
//! let mut input = &b"DATA\nSubject: hi\n.\nQUIT\n"[..];
//! assert_eq!(script.next(&tracker.standing(), &mut input), Next::Replies, "the greeting comes first");
//! for reply in ["220 ready\r\n", "250 what?\r\n"] {
//!     let answer = tracker.received(ReplyLine::new(reply.as_bytes())).unwrap();
//!     script.replied(answer);
//!     if script.next(&tracker.standing(), &mut input) == Next::Send {
//!         tracker.sent(script.out());
//!         script.sent();
//!     }
//! }
//! assert_eq!(script.next(&tracker.standing(), &mut input), Next::End, "a 250 opens no body");
//! assert_eq!(script.unsent().lines(), 3);
//! ```

mod end;
mod fault;
mod next;
mod rules;
mod unsent;

pub use end::{Course, End, LastAuth};
pub use fault::{Fault, Unfinished};
pub use next::Next;
pub use rules::{Pace, Rules};
pub use unsent::Unsent;

use std::fmt;

use crate::protocol::{Answer, LineInput, Meaning, Phase, Request, Standing, Taken, Tracker, is_base64_line, wipe};

/// A session given as lines. [`Debug`](fmt::Debug) does not show what is to be sent: it may be a secret, and is wiped
/// when it has served. A [`Driver`](crate::Driver) drives it over a session.
pub struct Script {
    rules: Rules,
    lines: LineInput,
    /// Where the session would stand if the server granted everything, which is what is sent blindly goes by.
    guess: Option<Tracker>,
    out: Vec<u8>,
    /// Where in `out` the line under way begins; `None` if a part of it has been sent already.
    line_start: Option<usize>,
    /// How much of `out` is to be sent.
    due: usize,
    /// `out` may hold a secret.
    is_secret: bool,
    /// How many octets of a body were passed over, while that is under way.
    skipped: Option<u64>,
    /// What was sent blindly has to be answered before more is sent.
    awaits: bool,
    exchange: LastAuth,
    /// AUTH was granted after a beginning that answers may follow, and no command has been sent since.
    granted_auth: Option<Answer>,
    /// What was typed ahead is to be dropped at the next question.
    drops: bool,
    /// The input has ended.
    is_over: bool,
    end: Option<End>,
    unsent: Unsent,
}

impl Script {
    /// Begins a script, before the greeting or at any point of a session.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            lines: LineInput::default(),
            guess: (rules.pace == Pace::Blind).then(Tracker::new),
            // A buffer that grows is moved, and what it leaves behind is not wiped.
            out: Vec::with_capacity(LONGEST_COMMAND),
            line_start: Some(0),
            due: 0,
            is_secret: false,
            skipped: None,
            awaits: false,
            exchange: LastAuth::None,
            granted_auth: None,
            drops: false,
            is_over: false,
            end: None,
            unsent: Unsent::default(),
        }
    }

    /// Says what is to be done next, given where the session stands and the input that is there; what is taken of that
    /// is cut off its front. Nothing is waited for, and nothing is sent.
    pub fn next(&mut self, standing: &Standing, input: &mut &[u8]) -> Next {
        self.next_with(standing, input, LineInput::take)
    }

    /// Says the same, with a function that does what [`LineInput::take`] does: the work may have been done ahead.
    pub fn next_with(
        &mut self,
        standing: &Standing,
        input: &mut &[u8],
        mut take: impl FnMut(&mut LineInput, Phase, &[u8], &mut Vec<u8>) -> Taken,
    ) -> Next {
        if std::mem::take(&mut self.drops) {
            self.forget_line();
            self.lines = LineInput::default();
            *input = &[];
            return Next::Dropped;
        }
        self.look_at(standing);
        if self.end.is_some() {
            self.give_up(std::mem::take(input));
            return Next::End;
        }
        if self.due > 0 {
            return Next::Send;
        }
        if self.must_wait(standing) {
            return Next::Replies;
        }
        if standing.phase == Phase::StartTls && self.rules.upgrades {
            return Next::StartTls;
        }
        while !input.is_empty() {
            let phase = self.phase(standing);
            let (start, before) = (self.out.len(), *input);
            let taken = take(&mut self.lines, phase, input, &mut self.out);
            *input = &input[taken.count..];
            if let Some(skipped) = &mut self.skipped {
                *skipped += taken.count as u64;
                self.out.clear();
                if taken.is_complete {
                    return self.end_skipping();
                }
                continue;
            }
            if let Some(guess) = &mut self.guess {
                guess.sent(&self.out[start..]);
            }
            // Before that, nothing of the line goes out: what it is does not depend on where the input is cut.
            if taken.is_complete || self.out.len() >= LONGEST_WRITE {
                if self.is_lost_answer(phase) {
                    self.out.truncate(start);
                    *input = before;
                    self.end_at_lost_answer();
                    return self.next_with(standing, input, take);
                }
                self.notice(phase);
            }
            if taken.is_complete {
                self.line_start = Some(self.out.len());
            }
            // Commands wait until they are whole, so that they go out in one write, and what they ask for is known.
            let is_whole = taken.is_complete || matches!(phase, Phase::Body | Phase::Chunk { .. });
            let is_due = match self.rules.pace {
                Pace::Blind => self.awaits || input.is_empty() || self.out.len() >= LONGEST_BLIND,
                Pace::Typed | Pace::InStep => is_whole,
            };
            if self.out.len() >= LONGEST_WRITE || (is_due && is_whole) {
                self.due = self.out.len();
            } else if is_due {
                self.due = self.line_start.unwrap_or(self.out.len());
            }
            if self.due > 0 {
                return Next::Send;
            }
        }
        Next::Input
    }

    /// Returns what is to be sent, as it goes over the wire, after a [`Next::Send`]; otherwise nothing.
    pub fn out(&self) -> &[u8] {
        &self.out[..self.due]
    }

    /// Says whether what it holds, to be sent or not yet whole, may be a secret: where it was read from, it is to be wiped.
    pub fn holds_secret(&self) -> bool {
        self.is_secret || self.due < self.out.len()
    }

    /// Notes that what was to be sent was sent. If it may have been a secret, it is wiped.
    pub fn sent(&mut self) {
        let due = std::mem::take(&mut self.due);
        self.line_start = self.line_start.and_then(|start| start.checked_sub(due));
        if std::mem::take(&mut self.is_secret) {
            wipe(&mut self.out[..due]);
        }
        self.out.copy_within(due.., 0);
        self.out.truncate(self.out.len() - due);
    }

    /// Notes that what was to be sent could not be: it and the rest of the input count as unsent. Some of it may be out
    /// all the same.
    pub fn not_sent(&mut self, rest: &[u8]) {
        self.give_up(rest);
    }

    /// Forgets a line that is not whole: half a line is no command, but may be half a secret.
    pub fn forget_line(&mut self) {
        wipe(&mut self.out);
        self.out.clear();
        (self.line_start, self.due) = (Some(0), 0);
    }

    /// Notes an answer that came: what it means for what was to follow. Each is to be noted, in order, before
    /// [`next`](Self::next) is asked again.
    pub fn replied(&mut self, answer: Answer) {
        let is_auth = matches!(answer.request, Some(Request::Auth | Request::AuthAnswer));
        if is_auth && self.exchange == LastAuth::Open && answer.meaning().is_granted() {
            self.granted_auth = Some(answer);
        }
        if self.rules.pace == Pace::Typed {
            let is_turned_down = answer.request.is_some_and(Request::is_turn) && !answer.meaning().lets_go_on();
            // Answers that were typed ahead would be seen, and taken for commands.
            let is_early = answer.request == Some(Request::Auth) && self.granted_auth == Some(answer);
            self.drops |= is_turned_down || is_early || answer.meaning() == Meaning::OutOfStep;
            return;
        }
        match Course::after(answer, self.exchange, self.rules) {
            Course::GoOn => {}
            // Under a guess the body is on its way already, as lines that the server takes for commands.
            Course::SkipBody if self.rules.pace == Pace::Blind => {}
            Course::SkipBody => self.skipped = Some(0),
            Course::Cancel => {
                self.exchange = LastAuth::Cancelled;
                self.forget_line();
                self.out.extend_from_slice(b"*\r\n");
                (self.line_start, self.due) = (Some(self.out.len()), self.out.len());
            }
            Course::End(end) => drop(self.end.get_or_insert(end)),
        }
    }

    /// Notes that the input has ended: a last line without its end gets one. What is left of a body that was passed over
    /// is returned by the next call of [`next`](Self::next).
    pub fn end_input(&mut self, standing: &Standing) {
        self.is_over = true;
        if self.skipped.is_none() {
            let phase = self.phase(standing);
            if self.is_lost_answer(phase) {
                return self.end_at_lost_answer();
            }
            let start = self.out.len();
            self.lines.finish(phase, &mut self.out);
            if let Some(guess) = &mut self.guess {
                guess.sent(&self.out[start..]);
            }
            self.notice(phase);
            self.due = self.out.len();
        }
    }

    /// Returns how many octets were passed over of a body that has no lone dot, if the input ended in one.
    pub fn end_skipped(&mut self) -> Option<u64> {
        self.skipped.take().filter(|skipped| *skipped > 0)
    }

    /// Notes that TLS was started, and that the session goes on inside.
    pub fn tls_started(&mut self) {
        self.rules.is_in_tls = true;
        self.awaits = false;
        if self.guess.is_some() {
            self.guess = Some(Tracker::new());
        }
    }

    /// Says whether what was typed ahead is to be dropped, which [`next`](Self::next) asks for then.
    #[must_use]
    pub fn drops_typed(&self) -> bool {
        self.drops
    }

    /// Says where the next octet of the input belongs.
    pub fn phase(&self, standing: &Standing) -> Phase {
        match &self.guess {
            _ if self.skipped.is_some() => Phase::Body,
            Some(guess) => guess.phase(),
            None => standing.phase,
        }
    }

    /// Returns why it ended, if it did before the input.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// Returns what was not sent, counted: never the text itself.
    pub fn unsent(&self) -> &Unsent {
        &self.unsent
    }

    /// Counts more input that is not sent.
    pub fn count_unsent(&mut self, rest: &[u8]) {
        self.unsent.count(rest);
    }

    /// Ends the script where the session does.
    fn look_at(&mut self, standing: &Standing) {
        let end = match standing.surprise {
            Some(answer) if self.rules.pace != Pace::Typed => Some(End::OutOfStep(answer)),
            _ if standing.has_quit => Some(End::Quit),
            _ if standing.is_closing => Some(End::Closing),
            _ => None,
        };
        self.end = self.end.or(end);
    }

    /// Says whether a reply has to come first, by the pace.
    fn must_wait(&mut self, standing: &Standing) -> bool {
        self.awaits &= standing.outstanding > 0;
        match self.rules.pace {
            Pace::InStep => standing.outstanding > 0,
            Pace::Typed => standing.is_turning,
            Pace::Blind => self.awaits,
        }
    }

    /// Notes a command that is about to be sent, whole or as much of it as there is.
    fn notice(&mut self, phase: Phase) {
        self.is_secret |= phase == Phase::Auth;
        let Some(start) = self.line_start.take() else { return };
        if matches!(phase, Phase::Body | Phase::Chunk { .. } | Phase::Auth) {
            return;
        }
        let line = &self.out[start..];
        // Answers come one after the other, if they come.
        if !line.trim_ascii().is_empty() {
            self.granted_auth = None;
        }
        if let Some(exchange) = LastAuth::begun_by(line) {
            (self.exchange, self.is_secret) = (exchange, true);
        }
        if self.rules.pace == Pace::Blind {
            let verb = line.split(|byte| *byte <= b' ').find(|word| !word.is_empty()).unwrap_or_default();
            self.awaits |= match Request::of_verb(verb) {
                Request::Quit => true,
                Request::StartTls => self.rules.upgrades,
                _ => false,
            };
        }
    }

    /// Says whether a line, or the beginning of one that is long, would be an answer in AUTH, which has been granted
    /// already: the server would read a password as a command.
    fn is_lost_answer(&self, phase: Phase) -> bool {
        let start = self.line_start.filter(|_| self.granted_auth.is_some() && phase == Phase::Command);
        start.is_some_and(|start| {
            let line = &self.out[start..];
            is_base64_line(&line[..line.len().min(LONGEST_WRITE)])
        })
    }

    /// What would be one more answer is not sent: typed, it is dropped with what was typed behind it; of a script, it
    /// is the end.
    fn end_at_lost_answer(&mut self) {
        match self.rules.pace {
            Pace::Typed => self.drops = true,
            _ => self.end = self.granted_auth.map(End::OutOfStep),
        }
    }

    /// A body that was passed over is whole: a command is next.
    fn end_skipping(&mut self) -> Next {
        self.lines = LineInput::default();
        self.line_start = Some(0);
        Next::Skipped(self.skipped.take().unwrap_or_default())
    }

    /// Counts what is left as unsent.
    fn give_up(&mut self, rest: &[u8]) {
        self.unsent.count(&self.out);
        self.unsent.count(rest);
        self.forget_line();
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script")
            .field("rules", &self.rules)
            .field("exchange", &self.exchange)
            .field("end", &self.end)
            .field("unsent", &self.unsent)
            .finish_non_exhaustive()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.forget_line();
    }
}

/// Few commands and answers are longer.
const LONGEST_COMMAND: usize = 4096;
/// A line longer than this goes out in parts; each of base64 is one itself.
const LONGEST_WRITE: usize = 256 * 1024;
/// Blindly, the replies are looked for after this many octets: a server may stop reading until its replies are read.
const LONGEST_BLIND: usize = 16 * 1024;
