//! Where the time of a session goes.
//!
//! ```text
//!   resolve ├─┤
//!   connect   ├──┤
//!   greeting     ├────┤
//!   EHLO              ├─┤
//!   STARTTLS            ├─┤
//!   tls                   ├───┤      each from the end of the one before, or from the first octet sent after that
//! ```
//!
//! Of the events that come, three kinds count: those that begin something set a mark, those that end something measure
//! from it, and what is sent sets one if there is none. The words of commands are kept for those whose replies tell no
//! command.

mod chart;
mod stage;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use stage::{TimedStage, Timing};

use crate::observer::{Event, Observer};
use crate::protocol::{Answer, Code, Phase, Request};

/// Measures the stages of the sessions that it observes. A clone has the same measurements: one is handed to the
/// session, the other is asked.
///
/// ```
/// # #[cfg(feature = "server")] {
/// use mconnect_core::{Connect, Timings, server::Server};
///
/// let server = Server::start()?;
/// let timings = Timings::new();
/// let mut session = Connect::new("127.0.0.1", server.port()).observer(timings.clone()).open()?;
/// session.read_reply()?;
/// session.command("NOOP")?;
/// let stages: Vec<String> = timings.all().iter().map(|timing| timing.stage.to_string()).collect();
/// assert_eq!(stages, ["connect", "greeting", "NOOP"]);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A server that makes its clients wait shows itself in the greeting, and one that looks everything up in the reply to
/// RCPT; each [`Timing`] has the code of its reply, too.
///
/// What is measured is what this end saw: a reply counts as come when its last line was read, also if the program was
/// doing something else meanwhile. Its memory is bounded: after a hundred timings, those of a stage are added up.
#[doc(alias = "latency")]
#[doc(alias = "stopwatch")]
#[derive(Debug, Clone, Default)]
pub struct Timings(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    timings: Vec<Timing>,
    /// How long the last reply took.
    last: Option<Duration>,
    start: Option<Instant>,
    /// When the event before this one was.
    before: Option<Instant>,
    /// When what is under way began; nothing is, if there is no such time.
    mark: Option<Instant>,
    /// The phase, as the events tell it.
    phase: Option<Phase>,
    /// When the first and the last octets of a body were sent.
    body: Option<(Instant, Instant)>,
    /// The first word of the command line under way.
    word: Vec<u8>,
    is_word_over: bool,
    /// The first words of the commands that have no reply yet, where the reply will not tell which command it is to.
    words: VecDeque<String>,
}

impl Timings {
    /// Begins without any, and counts from the first event.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins, and counts from this time instead of from the first event: from when the program was started, say.
    pub fn since(start: Instant) -> Self {
        Self(Arc::new(Mutex::new(State { start: Some(start), ..State::default() })))
    }

    /// Returns what was measured so far, in order; what is under way is not in it yet.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// use mconnect_core::{Connect, TimedStage, Timings};
    ///
    /// let timings = Timings::new();
    /// let mut session = Connect::new("127.0.0.1", server.port()).observer(timings.clone()).open()?;
    /// session.greeting()?;
    /// session.hello("client.example")?.require()?;
    /// session.pipeline(["MAIL FROM:<>", "RCPT TO:<b@example.org>"])?;
    /// session.message("Subject: hi\n\nhello\n".as_bytes())?.require(250)?;
    /// let slowest = timings.all().into_iter().max_by_key(|timing| timing.took).ok_or("nothing happened")?;
    /// println!("{} took {:?}", slowest.stage, slowest.took);
    /// assert!(timings.all().iter().any(|timing| timing.stage == TimedStage::EndOfData));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn all(&self) -> Vec<Timing> {
        self.state().timings.clone()
    }

    /// Returns how long the last reply took, one that nobody asked for left out; `None` before the first.
    pub fn last_reply(&self) -> Option<Duration> {
        self.state().last
    }

    /// Takes the lock. An observer is told by two threads, perhaps.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Timings {
    fn observe(&self, at: Instant, event: &Event<'_>) {
        let mut state = self.state();
        state.start.get_or_insert(at);
        match event {
            Event::Resolving { .. } | Event::Connecting { .. } => state.mark = Some(at),
            Event::Resolved { .. } => state.end(TimedStage::Resolve, None, at, None),
            Event::ConnectFailed { .. } => state.end(TimedStage::Connect, None, at, None),
            Event::Connected { .. } => {
                state.end(TimedStage::Connect, None, at, Some(at));
                state.phase = Some(Phase::Greeting);
            }
            Event::TlsStarted => {
                state.mark = state.before;
                let next = (state.phase == Some(Phase::Greeting)).then_some(at);
                state.end(TimedStage::Tls, None, at, next);
            }
            Event::Sent(bytes) => state.sent(at, bytes),
            Event::SentSecret(_) => {
                state.mark = state.mark.or(Some(at));
                // The end of its line is left out with it.
                state.end_line();
            }
            Event::Replied { answer, outstanding } => state.replied(at, *answer, *outstanding),
            Event::Phase(phase) => state.phase = Some(*phase),
            _ => {}
        }
        state.before = Some(at);
    }
}

impl State {
    /// Sets a mark where something begins.
    fn sent(&mut self, at: Instant, bytes: &[u8]) {
        match self.phase {
            Some(Phase::Body) => self.body = Some((self.body.map_or(at, |(first, _)| first), at)),
            Some(Phase::Greeting | Phase::Command) | None => {
                self.mark = self.mark.or(Some(at));
                self.learn(bytes);
            }
            _ => self.mark = self.mark.or(Some(at)),
        }
    }

    /// Keeps the first words of commands that replies do not tell.
    fn learn(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            for byte in part {
                match byte {
                    b'\r' | b'\n' | b' ' | b'\t' => self.is_word_over |= !self.word.is_empty(),
                    _ if self.is_word_over || self.word.len() == LONGEST_WORD => self.is_word_over = true,
                    _ => self.word.push(byte.to_ascii_uppercase()),
                }
            }
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    /// Keeps the word of a line that is whole, if its reply will not tell it.
    fn end_line(&mut self) {
        let word = std::mem::take(&mut self.word);
        self.is_word_over = false;
        let is_told = Request::of_verb(&word) != Request::Other;
        if !word.is_empty() && !is_told && self.words.len() < MOST_WORDS {
            self.words.push_back(word.escape_ascii().to_string());
        }
    }

    /// Ends the stage that a reply ends; that of a message is two, its body and its reply.
    fn replied(&mut self, at: Instant, answer: Answer, outstanding: usize) {
        let code = Some(answer.code);
        let next = (outstanding > 0).then_some(at);
        let stage = match answer.request {
            None => TimedStage::Unasked,
            Some(Request::Greeting) => TimedStage::Greeting,
            Some(Request::EndOfData) => {
                if let Some((first, last)) = self.body.take() {
                    self.mark = Some(first);
                    self.end(TimedStage::Body, None, last, Some(last));
                }
                TimedStage::EndOfData
            }
            Some(Request::Other) => TimedStage::Command(self.words.pop_front().unwrap_or_else(|| "other".to_owned())),
            Some(Request::AuthAnswer) => TimedStage::Command("AUTH".to_owned()),
            Some(request) => TimedStage::Command(request.to_string()),
        };
        if stage == TimedStage::Unasked {
            self.push(stage, code, at, Duration::ZERO);
        } else {
            self.last = Some(at.saturating_duration_since(self.mark.unwrap_or(at)));
            self.end(stage, code, at, next);
        }
    }

    /// Ends what is under way, and begins what is next, if that begins now.
    fn end(&mut self, stage: TimedStage, code: Option<Code>, at: Instant, next: Option<Instant>) {
        let mark = std::mem::replace(&mut self.mark, next).unwrap_or(at);
        self.push(stage, code, mark, at.saturating_duration_since(mark));
    }

    /// Adds a timing, by itself or to those of its stage.
    fn push(&mut self, stage: TimedStage, code: Option<Code>, begin: Instant, took: Duration) {
        let start = begin.saturating_duration_since(self.start.unwrap_or(begin));
        // Words are the user's, and may all be different.
        let is_own = |word: &str| Request::of_verb(word.as_bytes()) == Request::Other;
        let stage = match stage {
            TimedStage::Command(word) if self.timings.len() >= MOST_TIMINGS && is_own(&word) => {
                TimedStage::Command("other".to_owned())
            }
            stage => stage,
        };
        match self.timings.iter_mut().skip(MOST_TIMINGS).find(|timing| timing.stage == stage) {
            Some(same) => (same.took, same.code, same.count) = (same.took + took, code, same.count + 1),
            None => self.timings.push(Timing { stage, start, took, code, count: 1 }),
        }
    }
}

/// So many timings are kept by themselves.
const MOST_TIMINGS: usize = 100;
/// So many commands without a reply have their words kept.
const MOST_WORDS: usize = 1000;
/// A longer first word is cut.
const LONGEST_WORD: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Code;

    struct Play {
        timings: Timings,
        now: Instant,
    }

    impl Play {
        fn new() -> Self {
            let play = Self { timings: Timings::new(), now: Instant::now() };
            play.timings.observe(play.now, &Event::Phase(Phase::Command));
            play
        }

        fn sent(&mut self, after: u64, bytes: &[u8]) {
            self.now += Duration::from_millis(after);
            self.timings.observe(self.now, &Event::Sent(bytes));
        }

        fn replied(&mut self, after: u64, request: Request, code: u16, outstanding: usize) {
            self.now += Duration::from_millis(after);
            let answer = Answer { request: Some(request), code: Code::new(code).unwrap() };
            self.timings.observe(self.now, &Event::Replied { answer, outstanding });
        }

        fn phase(&self, phase: Phase) {
            self.timings.observe(self.now, &Event::Phase(phase));
        }

        fn told(&self) -> Vec<String> {
            let tell = |timing: &Timing| format!("{} {}", timing.stage, timing.took.as_millis());
            self.timings.all().iter().map(tell).collect()
        }
    }

    #[test]
    fn a_command_takes_from_its_first_octet_or_the_reply_before_to_its_reply() {
        let mut play = Play::new();
        play.sent(100, b"vrfy");
        play.sent(5, b" me\r\nRSET\r\n");
        play.sent(5, b"XCLIENT NAME=x\r\nXYZZY\r\n");
        play.replied(10, Request::Other, 252, 3);
        play.replied(3, Request::Rset, 250, 2);
        play.replied(2, Request::XClient, 220, 1);
        play.replied(4, Request::Other, 500, 0);
        play.sent(1000, b"QUIT\r\n");
        play.replied(7, Request::Quit, 221, 0);
        assert_eq!(play.told(), ["VRFY 20", "RSET 3", "XCLIENT 2", "XYZZY 4", "QUIT 7"]);
        assert_eq!(play.timings.last_reply(), Some(Duration::from_millis(7)));
    }

    #[test]
    fn a_command_behind_one_with_a_secret_keeps_its_name() {
        let mut play = Play::new();
        for (shown, request) in [("AUTH PLAIN ", Request::Auth), ("XLOGIN me ", Request::Other)] {
            play.sent(0, shown.as_bytes());
            play.timings.observe(play.now, &Event::SentSecret(7));
            play.sent(0, b"VRFY me\r\n");
            play.replied(1, request, 235, 1);
            play.replied(2, Request::Other, 252, 0);
        }
        assert_eq!(play.told(), ["AUTH 1", "VRFY 2", "XLOGIN 1", "VRFY 2"]);
    }

    #[test]
    fn a_message_takes_from_its_first_octet_to_its_last_and_then_its_reply() {
        let mut play = Play::new();
        play.sent(0, b"DATA\r\n");
        play.replied(2, Request::Data, 354, 0);
        play.phase(Phase::Body);
        play.sent(500, b"text\r\n");
        play.sent(30, b".\r\n");
        play.phase(Phase::Command);
        play.replied(40, Request::EndOfData, 250, 1);
        play.replied(5, Request::EndOfData, 250, 0);
        assert_eq!(play.told(), ["DATA 2", "message 30", "end of data 40", "end of data 5"]);
    }

    #[test]
    fn beyond_a_hundred_timings_those_of_a_stage_are_counted_together() {
        let mut play = Play::new();
        for number in 0..200 {
            play.sent(1, format!("X{number}\r\n").as_bytes());
            play.replied(1, Request::Other, 500, 0);
            play.sent(1, b"RSET\r\n");
            play.replied(2, Request::Rset, 250, 0);
        }
        let all = play.timings.all();
        assert_eq!(all.len(), MOST_TIMINGS + 2);
        let sums: Vec<(String, u64, u128)> = all[MOST_TIMINGS..]
            .iter()
            .map(|timing| (timing.stage.to_string(), timing.count, timing.took.as_millis()))
            .collect();
        assert_eq!(sums, [("other".to_owned(), 150, 150), ("RSET".to_owned(), 150, 300)]);
    }
}
