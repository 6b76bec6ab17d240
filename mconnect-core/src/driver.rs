//! A script driven over a session: what goes out, what comes, and what is counted on the way.

use std::time::{Duration, Instant};

use crate::error::{Action, Error};
use crate::overdue::Overdue;
use crate::protocol::{Answer, Code, Phase, ReplyLine, Request, Standing, Visible};
use crate::script::{End, Next, Pace, Rules, Script};
use crate::session::Session;
use crate::suggest::Transaction;

/// Drives a [`Script`] over a [`Session`]: sends what may go out, takes the lines that come, tells the script what they
/// answer, and knows how the session ended. The waiting is the caller's, who may have something else to wait for, too:
/// [`Script::next`] says what is to be done, and nothing here waits but [`send`](Self::send), [`wait`](Self::wait) and
/// [`run`](Self::run).
///
/// ```text
///   next ──► Send    ► send_next          Session::receive ──► hear, as long as there are lines ──► follow
///        ──► Replies ► wait, and hear                            │
///        ──► ...     ► as script::Next says                      └──► None: nothing is there, TLS is due, or it ended
/// ```
///
/// Where the whole script is there, and nothing else is to be waited for, `run` does all of it:
///
/// ```
/// # #[cfg(feature = "server")] {
/// # let server = mconnect_core::server::Server::start()?;
/// use mconnect_core::script::{End, Next, Pace, Rules};
/// use mconnect_core::{Connect, Driver};
///
/// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
/// let mut driver = Driver::new(Rules::new(Pace::InStep));
/// let mut input = &b"EHLO me\nMAIL FROM:<>\nDATA\nSubject: to nobody\n.\nQUIT\nNOOP\n"[..];
/// let mut said = String::new();
/// let mut show = |line: &[u8]| said += &String::from_utf8_lossy(line);
///
/// // DATA without a recipient is refused: its body is no command.
/// assert_eq!(driver.run(&mut session, &mut input, &mut show)?, Next::Skipped(21));
/// assert_eq!(driver.run(&mut session, &mut input, &mut show)?, Next::End);
/// assert_eq!(driver.script.end(), Some(End::Quit));
/// assert_eq!(driver.script.unsent().lines(), 1, "what came behind QUIT");
/// assert!(said.starts_with("220 ") && said.contains("\r\n221 "));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[doc(alias = "batch")]
#[non_exhaustive]
pub struct Driver {
    /// The script under way.
    pub script: Script,
    /// The clock of the reply that is due next.
    pub overdue: Overdue,
    /// Nothing more is to be sent but what the script has: the server may close then.
    pub is_input_over: bool,
    /// How the session ended, once it has.
    pub ended: Option<Ended>,
    rules: Rules,
    opened: Instant,
    sent: Sent,
    received: u64,
    line: Vec<u8>,
    last_reply: Vec<u8>,
    last_words: Option<String>,
    auth_reply: Option<(Code, Vec<u8>)>,
}

/// How a session ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Ended {
    /// The server closed.
    Closed,
    /// The connection broke.
    Broken(Error),
    /// It was ended from this side.
    Here,
}

/// What a line is that came: [`Driver::line`] has its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct Heard {
    /// It is the first line of the session.
    pub is_first: bool,
    /// It ends a reply.
    pub ends_reply: bool,
    /// What that reply answers.
    pub answer: Option<Answer>,
}

/// What went out, counted.
#[derive(Debug, Default)]
struct Sent {
    octets: u64,
    of_message: u64,
    transaction: Transaction,
}

impl Driver {
    /// Begins with a session that has just been opened, and a script by these rules.
    pub fn new(rules: Rules) -> Self {
        Self {
            script: Script::new(rules),
            overdue: Overdue::default(),
            is_input_over: false,
            ended: None,
            rules,
            opened: Instant::now(),
            sent: Sent::default(),
            received: 0,
            line: Vec::new(),
            last_reply: Vec::new(),
            last_words: None,
            auth_reply: None,
        }
    }

    /// Begins another script in the same session: a paste between typed lines, say.
    pub fn begin(&mut self, rules: Rules) {
        (self.rules, self.script, self.last_words) = (rules, Script::new(rules), None);
    }

    /// Drives the script as far as it goes without the caller, waiting for the server; each line that comes is shown.
    /// Returns what is to be done then: never [`Next::Send`] or [`Next::Replies`].
    ///
    /// # Errors
    /// Those of [`wait`](Self::wait) and [`send`](Self::send), after what the server has said before it closed was shown;
    /// [`Error::Closed`] if a reply is due that can come no more.
    pub fn run(
        &mut self,
        session: &mut Session,
        input: &mut &[u8],
        mut show: impl FnMut(&[u8]),
    ) -> Result<Next, Error> {
        loop {
            // Before a line goes out, what has come already is looked at.
            while session.has_arrived() && self.follow_line(session, &mut show) {}
            let done = match self.script.next(&session.standing(), input) {
                Next::Replies if self.ended.is_some() => Err(self.lost(session)),
                Next::Replies => self.wait(session),
                Next::Send => self.send_next(session),
                next => return Ok(next),
            };
            if let Err(error) = done {
                while !error.is_timeout() && self.ended.is_none() && self.wait(session).is_ok() {
                    while self.follow_line(session, &mut show) {}
                }
                return Err(error);
            }
        }
    }

    /// Makes the error of a reply that can come no more.
    fn lost(&mut self, session: &Session) -> Error {
        match self.ended.replace(Ended::Closed) {
            Some(Ended::Broken(error)) => error,
            _ => Error::Closed { context: session.context(Action::ReadReply), partial: Vec::new() },
        }
    }

    fn follow_line(&mut self, session: &mut Session, show: &mut impl FnMut(&[u8])) -> bool {
        let Some(heard) = self.hear(session) else { return false };
        show(&self.line);
        if let Some(answer) = heard.answer {
            let _ = self.follow(session, answer);
        }
        true
    }

    /// Sends what the script has to send, after a [`Next::Send`].
    ///
    /// # Errors
    /// Those of [`send`](Self::send). The rest of the script counts as unsent then.
    pub fn send_next(&mut self, session: &mut Session) -> Result<(), Error> {
        let sent = self.sent.send(session, self.script.out(), &mut self.overdue);
        match sent {
            Ok(()) => self.script.sent(),
            Err(_) => self.script.not_sent(&[]),
        }
        sent
    }

    /// Sends octets beside the script.
    ///
    /// # Errors
    /// As [`Session::send`]. A failed write is only the symptom: what the server says before it closes tells why.
    pub fn send(&mut self, session: &mut Session, octets: &[u8]) -> Result<(), Error> {
        self.sent.send(session, octets, &mut self.overdue)
    }

    /// Waits until something was received, as long as the reply due next may take since it is due; one that may be missing
    /// is not waited for any longer then.
    ///
    /// # Errors
    /// As [`Session::receive`]; the [`Error::Timeout`] names the reply.
    pub fn wait(&mut self, session: &mut Session) -> Result<(), Error> {
        let patience = self.patience(session);
        let deadline = self.overdue.deadline(&session.standing(), patience);
        let left = deadline.map_or(patience, |deadline| deadline.saturating_duration_since(Instant::now()));
        match session.receive(left) {
            Err(Error::Timeout { .. }) if self.is_optional(session) => session.forgo_empty_line(),
            Err(Error::Timeout { is_overall: false, .. }) => return Err(session.overdue(patience)),
            received => return received,
        }
        Ok(())
    }

    /// Takes a line that is there, which [`line`](Self::line) has then. Returns nothing if none is there, if what comes next
    /// is no SMTP, and once the session has [ended](Self::ended).
    pub fn hear(&mut self, session: &mut Session) -> Option<Heard> {
        if self.ended.is_some() || self.is_tls_due(session) || !session.is_ready() {
            return None;
        }
        let is_first = self.received == 0;
        match session.read_line() {
            Ok(Some(line)) => {
                self.received += line.raw().len() as u64;
                replace(&mut self.line, line.raw());
                if !line.ends_reply() {
                    return Some(Heard { is_first, ends_reply: false, answer: None });
                }
                replace(&mut self.last_reply, line.content());
            }
            Ok(None) => self.ended = Some(Ended::Closed),
            Err(error) => self.ended = Some(Ended::Broken(error)),
        }
        if self.ended.is_some() {
            return None;
        }
        let answer = session.standing().last_answer;
        if let Some(answer) = answer {
            self.overdue.restart();
            self.sent.transaction.replied(answer);
            if matches!(answer.request, Some(Request::Auth | Request::AuthAnswer)) {
                self.auth_reply = Some((answer.code, ReplyLine::new(&self.last_reply).text().to_vec()));
            }
        }
        Some(Heard { is_first, ends_reply: true, answer })
    }

    /// Tells the script an answer that was [heard](Self::hear), unless it is no more than how some servers say goodbye
    /// ([`Answer::is_goodbye`]). Returns why the script ends, if it does by that.
    pub fn follow(&mut self, session: &Session, answer: Answer) -> Option<End> {
        let had_ended = self.script.end().is_some();
        if answer.is_goodbye(self.is_complete(session)) {
            return None;
        }
        if !had_ended {
            self.last_words = Some(Visible(self.last_reply.trim_ascii_end()).to_string());
        }
        self.script.replied(answer);
        self.script.end().filter(|_| !had_ended)
    }

    /// Notes that the input has ended ([`Script::end_input`]).
    pub fn end_input(&mut self, session: &Session) {
        self.is_input_over = true;
        self.script.end_input(&session.standing());
    }

    /// Returns the reply to the last line of AUTH, once: its code, and the text of its last line.
    pub fn take_auth_reply(&mut self) -> Option<(Code, Vec<u8>)> {
        self.auth_reply.take()
    }

    /// Returns at which pace the lines go out.
    pub fn pace(&self) -> Pace {
        self.rules.pace
    }

    /// Returns the last line that was heard, with its line end.
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// Returns the last line of the last reply, without its line end; nothing before there was one.
    pub fn last_reply(&self) -> Option<&[u8]> {
        Some(self.last_reply.as_slice()).filter(|line| !line.is_empty())
    }

    /// Returns the last line of the reply that ended the script, or else of the last that it was told, fit to be shown.
    pub fn last_words(&self) -> Option<&str> {
        self.last_words.as_deref()
    }

    /// Returns what of a message is under way.
    pub fn transaction(&self) -> &Transaction {
        &self.sent.transaction
    }

    /// Returns how many octets went out, and how many of them belong to the message under way.
    pub fn sent(&self) -> (u64, u64) {
        (self.sent.octets, self.sent.of_message)
    }

    /// Returns how many octets came in lines that were heard.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Returns when it began.
    pub fn opened(&self) -> Instant {
        self.opened
    }

    /// Returns how long the reply due next may take: as [`Session::reply_timeout`], but not every server answers an empty
    /// line.
    pub fn patience(&self, session: &Session) -> Duration {
        let patience = session.reply_timeout();
        if self.is_optional(session) { patience.min(EMPTY_LINE) } else { patience }
    }

    /// Says whether the only reply that is due may be missing: that to an empty line.
    #[must_use]
    pub fn is_optional(&self, session: &Session) -> bool {
        let standing = session.standing();
        standing.outstanding == 1 && standing.awaited == Some(Request::EmptyLine)
    }

    /// Says whether what comes next is no SMTP, but TLS.
    #[must_use]
    pub fn is_tls_due(&self, session: &Session) -> bool {
        self.rules.upgrades && session.phase() == Phase::StartTls
    }

    /// Says whether the server may close now without anything missing.
    #[must_use]
    pub fn is_complete(&self, session: &Session) -> bool {
        session.standing().is_complete(self.is_input_over && self.script.unsent().is_empty())
    }

    /// Says whether the session is to end: the input has, or QUIT was said.
    #[must_use]
    pub fn is_ending(&self, session: &Session) -> bool {
        let has_quit = session.standing().has_quit || session.owes(|request| request == Request::Quit);
        self.is_input_over || has_quit
    }
}

impl Sent {
    fn send(&mut self, session: &mut Session, octets: &[u8], overdue: &mut Overdue) -> Result<(), Error> {
        let Standing { phase, outstanding, .. } = session.standing();
        if outstanding == 0 {
            overdue.restart();
        }
        self.octets += octets.len() as u64;
        self.of_message = match phase {
            Phase::Body | Phase::Chunk { .. } => self.of_message + octets.len() as u64,
            _ => 0,
        };
        if matches!(phase, Phase::Command | Phase::Greeting | Phase::StartTls) {
            let lines = octets.split_inclusive(|octet| *octet == b'\n');
            lines.for_each(|line| self.transaction.sent(&String::from_utf8_lossy(line)));
        }
        session.send(octets)
    }
}

fn replace(line: &mut Vec<u8>, by: &[u8]) {
    line.clear();
    line.extend_from_slice(by);
}

/// Not every server answers an empty line.
const EMPTY_LINE: Duration = Duration::from_secs(10);
