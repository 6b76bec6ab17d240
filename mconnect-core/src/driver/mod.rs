//! A script driven over a session: what goes out, what comes, and what is counted on the way.

mod ending;
mod state;
mod waiting;

use std::time::Instant;

use crate::error::Error;
use crate::overdue::Overdue;
use crate::protocol::{Answer, Code, Phase, ReplyLine, Request, Standing, Visible};
use crate::script::{End, Pace, Rules, Script};
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
    last_words: Vec<u8>,
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
            last_words: Vec::new(),
            auth_reply: None,
        }
    }

    /// Begins another script in the same session: a paste between typed lines, say.
    pub fn begin(&mut self, rules: Rules) {
        (self.rules, self.script) = (rules, Script::new(rules));
        self.last_words.clear();
    }

    /// Sends what the script has to send, after a [`Next::Send`](crate::script::Next::Send).
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
        if answer.is_goodbye(self.is_complete(session)) {
            return None;
        }
        let had_ended = self.script.end().is_some();
        if !had_ended {
            replace(&mut self.last_words, &self.last_reply);
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

    /// Returns the last line of the last reply that the script was told before it ended, fit to be shown.
    pub fn last_words(&self) -> Option<String> {
        let words = self.last_words.trim_ascii_end();
        (!words.is_empty()).then(|| Visible(words).to_string())
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

    /// Says whether what comes next is no SMTP, but TLS.
    #[must_use]
    pub fn is_tls_due(&self, session: &Session) -> bool {
        self.rules.upgrades && session.phase() == Phase::StartTls
    }
}

impl Sent {
    fn send(&mut self, session: &mut Session, octets: &[u8], overdue: &mut Overdue) -> Result<(), Error> {
        let Standing { phase, outstanding, .. } = session.standing();
        self.octets += octets.len() as u64;
        self.of_message = match phase {
            Phase::Body | Phase::Chunk { .. } => self.of_message + octets.len() as u64,
            _ => 0,
        };
        if matches!(phase, Phase::Command | Phase::Greeting | Phase::StartTls) {
            let lines = octets.split_inclusive(|octet| *octet == b'\n');
            lines.for_each(|line| self.transaction.sent(&String::from_utf8_lossy(line)));
        }
        let sent = session.send(octets);
        // A network may take long over what goes out, and the server has had none of that time.
        if outstanding == 0 {
            overdue.restart();
        }
        sent
    }
}

fn replace(line: &mut Vec<u8>, by: &[u8]) {
    line.clear();
    line.extend_from_slice(by);
}
