//! What both halves of a session know, and how one waits for the other.
//!
//! ```text
//!         Reader                        Shared                         Writer
//!   received(line) ──► observer ──► ┌ state ─────────────┐ ◄── sent(bytes) ──► observer
//!                                   │ Tracker            │
//!   heard, ended   ───────────────► │ when it was heard  │ ◄── wait_until: sleeps on `changed`,
//!                      wake ◄────── │ who waits          │     counted in `waiters`
//!                                   └────────────────────┘
//! ```
//! The lock of the state is never held while the observer is told, or anything is waited for but `changed`. A thread
//! that panicked while it held the lock has left a state that is whole: each field is set at once, and so a poisoned
//! lock is used on.

use std::any::Any;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::{Deref, Range};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::deadline::Deadline;
use super::hidden::Hidden;
use super::{Settings, Timeouts};
use crate::closer::Closer;
use crate::error::{Action, Awaited, Context, Error, Peer};
use crate::observer::{Event, Observer};
use crate::protocol::{Limits, Phase, ReplyLine, Request, Tracker, protocol_of, scan};

/// What both halves know. All but the state is settled when the session begins.
pub(super) struct Shared {
    pub peer: Peer,
    /// The peer as replies name it in their errors.
    pub peer_name: Arc<str>,
    pub local: Option<SocketAddr>,
    pub timeouts: Timeouts,
    pub limits: Limits,
    pub closer: Closer,
    /// What the observer is not shown.
    pub hidden: Hidden,
    observer: Option<Arc<dyn Observer>>,
    state: Mutex<State>,
    changed: Condvar,
    /// Is dropped with this.
    _held: Option<Arc<dyn Any + Send + Sync>>,
}

/// What changes, all of it under one lock, so that what is told of one moment goes together.
pub(super) struct State {
    tracker: Tracker,
    /// When something was received last: [`Shared::wait_end`] counts from it.
    last_received: Instant,
    /// Whoever reads in raw mode is busy with what came.
    is_busy: bool,
    /// Anything was sent at all: until then, another server may be tried ([`Error::has_sent`]).
    has_sent: bool,
    has_received: bool,
    /// What the server speaks whose first line is of another protocol.
    other_protocol: Option<&'static str>,
    /// How many threads sleep until something changes. Where there are none, as in every session that is not split,
    /// nobody is woken.
    waiters: usize,
    /// The beginning of the command that was sent last, up to a secret; nothing if it was no command by itself.
    last_command: Vec<u8>,
    /// What is being sent is not out yet: for good, if whoever sent it went away.
    is_unfinished: bool,
    /// Part of a message's body is out, and its end is not: a message that was given up, until the phase is another.
    has_begun_message: bool,
    /// What the system has told a write of how the connection was lost, and will not tell a read.
    lost: Option<i32>,
    /// When all of the session is to be over.
    overall: Option<Deadline>,
}

/// Most of what is asked of the state, the tracker knows.
impl Deref for State {
    type Target = Tracker;

    fn deref(&self) -> &Tracker {
        &self.tracker
    }
}

impl Shared {
    /// Begins a session whose greeting is due.
    pub fn new(peer: Peer, local: Option<SocketAddr>, settings: Settings, closer: Closer) -> Self {
        let state = State {
            tracker: Tracker::new(),
            last_received: Instant::now(),
            is_busy: false,
            has_sent: false,
            has_received: false,
            other_protocol: None,
            waiters: 0,
            last_command: Vec::new(),
            is_unfinished: false,
            has_begun_message: false,
            lost: settings.lost,
            overall: settings.deadline.map(|(at, after)| Deadline { at: Some(at), after, is_overall: true }),
        };
        Self {
            peer_name: peer.to_string().into(),
            peer,
            local,
            timeouts: settings.timeouts,
            limits: settings.limits,
            closer,
            hidden: Hidden::default(),
            observer: settings.observer,
            state: Mutex::new(state),
            changed: Condvar::new(),
            _held: settings.held,
        }
    }

    /// Takes the lock of the state.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the deadline of the whole session.
    pub fn set_overall(&self, at: Option<Instant>) {
        self.state().overall = at.map(Deadline::overall);
    }

    /// Returns the deadline of the whole session, if it has one.
    pub fn overall(&self) -> Option<Deadline> {
        self.state().overall
    }

    /// Returns a deadline this far away, or that of the whole session if it comes first.
    pub fn within(&self, patience: Duration) -> Deadline {
        Deadline::after(patience).or(self.state().overall)
    }

    /// Returns the deadline of the reply due next.
    pub fn deadline(&self) -> Deadline {
        self.within(self.stage())
    }

    /// Returns the time of the stage that the session is in, by what the reply due next answers.
    ///
    /// | due next | its time |
    /// |---|---|
    /// | the greeting | `greeting` |
    /// | the reply to DATA | `data` |
    /// | the reply to a message, or to a chunk | `end_of_data` |
    /// | any other, or none | `command` |
    fn stage(&self) -> Duration {
        match self.state().awaited() {
            Some(Request::Greeting) => self.timeouts.greeting,
            Some(Request::Data) => self.timeouts.data,
            Some(Request::EndOfData | Request::Bdat) => self.timeouts.end_of_data,
            _ => self.timeouts.command,
        }
    }

    /// Says what is being done, for an error: in which phase, and which reply is due. The command is told only where it
    /// is sure that the reply is its own: nothing else may be due.
    pub fn context(&self, action: Action) -> Context {
        let state = self.state();
        let phase = state.phase();
        let is_known = state.outstanding() == 1 && !state.last_command.is_empty();
        let command = is_known.then(|| Awaited::shown(&state.last_command));
        let awaited =
            state.awaited().filter(|_| phase != Phase::Raw).map(|request| Box::new(Awaited { request, command }));
        let phase = match (&awaited, action) {
            // What was sent since may be a body, and is none before it is granted.
            (Some(awaited), Action::Read | Action::ReadReply) => awaited.asked_in(),
            _ => phase,
        };
        Context { action, peer: self.peer.clone(), phase, has_sent: state.has_sent, awaited }
    }

    /// Makes the error of a deadline that has passed, with what came of the reply meanwhile.
    pub fn late(&self, action: Action, deadline: Deadline, partial: Vec<u8>) -> Error {
        let Deadline { after, is_overall, .. } = deadline;
        Error::Timeout { context: self.context(action), after, partial, is_overall }
    }

    /// Makes the error of a server that greeted in another protocol, if it did; `partial` is what was read and not handed
    /// out.
    pub fn other_protocol(&self, partial: impl FnOnce() -> Vec<u8>) -> Option<Error> {
        let protocol = self.state().other_protocol?;
        Some(Error::OtherProtocol { context: self.context(Action::ReadReply), protocol, partial: partial() })
    }

    /// Makes the error of a failed system call; if the connection was closed from this side, that is the error. How the
    /// connection was lost is kept for the read after this, which the system does not tell again.
    pub fn io_error(&self, action: Action, source: io::Error) -> Error {
        use io::ErrorKind::{ConnectionReset, HostUnreachable, NetworkUnreachable, TimedOut};
        let context = self.context(action);
        if action != Action::Read
            && matches!(source.kind(), ConnectionReset | HostUnreachable | NetworkUnreachable | TimedOut)
        {
            self.state().lost = source.raw_os_error();
        }
        if self.closer.is_closed() { Error::Aborted { context } } else { Error::Io { context, source } }
    }

    /// Follows bytes that are about to be sent, marks that they are not out yet, and returns where the secrets in
    /// them stand. What they are as a command is kept for errors, without its secrets, if they are one whole line.
    pub fn sent(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let is_command = {
            let state = self.state();
            matches!(state.phase(), Phase::Command | Phase::Greeting) && !state.is_in_line()
        };
        let secrets = self.follow(bytes);
        let is_one_line = scan::find(b'\n', bytes).is_some_and(|lf| lf + 1 == bytes.len());
        let command = if is_command && is_one_line { self.command_of(bytes, &secrets, 0) } else { None };
        let command = command.unwrap_or_default();
        let mut state = self.state();
        state.last_command.clear();
        state.last_command.extend_from_slice(&command[..command.len().min(MOST_KEPT)]);
        state.is_unfinished = true;
        state.has_begun_message &= state.phase() == Phase::Body;
        drop(state);
        secrets
    }

    /// Marks that what was sent is out, or that it is known why it is not.
    pub fn finished(&self) {
        self.state().is_unfinished = false;
    }

    /// Returns an error if a send was given up on its way.
    pub fn require_whole(&self) -> Result<(), Error> {
        if self.state().is_unfinished {
            return Err(Error::Unfinished { context: self.context(Action::Write) });
        }
        Ok(())
    }

    /// Marks that more of a message is to follow what is sent of it now.
    pub fn begin_message(&self) {
        self.state().has_begun_message = true;
    }

    /// Returns an error if what is sent now would go on with another message.
    pub fn require_no_message(&self) -> Result<(), Error> {
        if self.state().has_begun_message {
            return Err(Error::Unfinished { context: self.context(Action::Write) });
        }
        Ok(())
    }

    /// Returns what may be told of one of the commands in a group: up to a secret.
    pub fn command_of<'a>(&self, group: &'a [u8], secrets: &[Range<usize>], index: usize) -> Option<&'a [u8]> {
        let Range { start, end } = scan::lines(group).nth(index)?;
        let line = start..end - 1;
        let secret = secrets.iter().map(|secret| secret.start).find(|start| line.contains(start));
        let shown = &group[line.start..secret.unwrap_or(line.end)];
        (!shown.trim_ascii().is_empty() && !self.hidden.is_in(&group[line])).then_some(shown)
    }

    /// Follows bytes and tells the observer of them, span by span: what a span is depends on those before it. Without
    /// an observer the lock is taken once.
    fn follow(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let Some(observer) = &self.observer else {
            let mut state = self.state();
            state.has_sent = true;
            return state.tracker.sent_secrets(bytes);
        };
        let (mut secrets, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let mut state = self.state();
            state.has_sent = true;
            let before = state.phase();
            let span = state.tracker.sent_span(&bytes[at..]);
            let after = state.phase();
            drop(state);
            let now = Instant::now();
            if span.is_secret {
                observer.observe(now, &Event::SentSecret(span.size));
            } else {
                self.hidden.tell(&bytes[at..at + span.size], |event| observer.observe(now, event));
            }
            self.observe_phase(before, after);
            secrets.extend(span.secret_in(bytes, at));
            at += span.size;
        }
        secrets
    }

    /// Follows a line that was received, and returns what it answered if it ended a reply.
    pub fn received(&self, line: ReplyLine<'_>) -> Option<Request> {
        // Observed first: once it is followed, whoever waits for it goes on.
        if let Some(observer) = &self.observer {
            self.hidden.tell_line(line, |event| observer.observe(Instant::now(), event));
        }
        let mut state = self.state();
        let before = state.phase();
        if !state.has_received && before == Phase::Greeting && line.code().is_none() {
            state.other_protocol = protocol_of(line.raw());
        }
        state.has_received = true;
        let answer = state.tracker.received(line);
        let (after, outstanding) = (state.phase(), state.outstanding());
        self.wake(state);
        if let Some(answer) = answer {
            self.observe(&Event::Replied { answer, outstanding });
        }
        self.observe_phase(before, after);
        answer.and_then(|answer| answer.request)
    }

    /// Follows the start of TLS.
    pub fn tls_started(&self) {
        self.change_tls(&Event::TlsStarted);
    }

    /// Follows the end of TLS: as at its start, what was learnt before it counts no more.
    pub fn tls_ended(&self) {
        self.change_tls(&Event::TlsEnded);
    }

    /// Begins anew, inside TLS or outside of it; the observer is told that first, and of the phase then.
    fn change_tls(&self, event: &Event<'_>) {
        let mut state = self.state();
        let before = state.phase();
        state.tracker.tls_started();
        let after = state.phase();
        drop(state);
        self.observe(event);
        self.observe_phase(before, after);
    }

    /// Notes that something was received just now.
    pub fn heard(&self) {
        self.state().last_received = Instant::now();
    }

    /// Notes that whoever reads in raw mode listens again.
    pub fn listens(&self) {
        let mut state = self.state();
        (state.last_received, state.is_busy) = (Instant::now(), false);
    }

    /// Notes that something was received in raw mode just now, with which whoever reads is busy.
    pub fn heard_raw(&self) {
        let mut state = self.state();
        (state.last_received, state.is_busy) = (Instant::now(), true);
    }

    /// Returns the error that a write was told of, for the read that finds nothing but an end.
    pub fn take_lost(&self) -> Option<io::Error> {
        self.state().lost.take().map(io::Error::from_raw_os_error)
    }

    /// Follows the end of what is received, once: who reads on is told again, and nobody else.
    pub fn ended(&self) {
        if self.state().phase() == Phase::Closed {
            return;
        }
        self.observe(if self.closer.is_closed() { &Event::Aborted } else { &Event::Ended });
        let mut state = self.state();
        let before = state.phase();
        state.tracker.ended();
        let after = state.phase();
        self.wake(state);
        self.observe_phase(before, after);
    }

    /// Tells the observer, if there is one. No lock is held.
    pub fn observe(&self, event: &Event<'_>) {
        if let Some(observer) = &self.observer {
            observer.observe(Instant::now(), event);
        }
    }

    /// Stops following.
    pub fn enter_raw(&self) {
        self.state().tracker.enter_raw();
    }

    pub fn forgo_empty_line(&self) {
        self.state().tracker.forgo_empty_line();
    }

    /// Waits until `is_done`, the end of the stream, or the deadline; returns the state then. Who is woken looks again:
    /// it may be for something else.
    pub fn wait_until(&self, deadline: Deadline, is_done: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let mut state = self.state();
        while !is_done(&state) && state.phase() != Phase::Closed {
            state.waiters += 1;
            let (mut guard, is_over) = match deadline.left() {
                None => (self.changed.wait(state).unwrap_or_else(PoisonError::into_inner), false),
                Some(left) => {
                    let wait = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
                    (wait.0, wait.1.timed_out())
                }
            };
            guard.waiters -= 1;
            state = guard;
            if is_over {
                break;
            }
        }
        state
    }

    /// Waits for the end of what is received, until the server has been silent for this long from now on, and says
    /// whether it came. While whoever reads is busy with what came, that is no silence of the server's.
    pub fn wait_end(&self, patience: Duration) -> bool {
        let mut start = Instant::now();
        loop {
            let heard = self.state().last_received;
            let deadline = Deadline { at: heard.max(start).checked_add(patience), after: patience, is_overall: false };
            let deadline = deadline.or(self.state().overall);
            let state = self.wait_until(deadline, |_| false);
            let is_silent = state.last_received == heard && !state.is_busy;
            if state.phase() == Phase::Closed || is_silent || deadline.is_overall {
                return state.phase() == Phase::Closed;
            }
            if state.is_busy {
                start = Instant::now();
            }
        }
    }

    /// Shows a half, or the whole, under its name.
    pub fn fmt(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        let state = self.state();
        f.debug_struct(name)
            .field("peer", &self.peer)
            .field("phase", &state.phase())
            .field("outstanding", &state.outstanding())
            .finish_non_exhaustive()
    }

    /// Lets the state go, and wakes those who wait for it, if there are any.
    fn wake(&self, state: MutexGuard<'_, State>) {
        let is_awaited = state.waiters > 0;
        drop(state);
        if is_awaited {
            self.changed.notify_all();
        }
    }

    /// Tells of a phase that is another than before.
    fn observe_phase(&self, before: Phase, after: Phase) {
        if before != after {
            self.observe(&Event::Phase(after));
        }
    }
}

/// How much of a command is kept, in octets: more than is told of it.
const MOST_KEPT: usize = 256;
