//! What a receiver does to its clients, the same every time.
//!
//! A rule says where it holds, for whom, how often, and what is done then. What it grants is done as if it were usual,
//! so that a rule can let in whom the receiver would refuse, and not only the other way round. How often each could
//! have held is counted for the server and for each session, before it is known whether it decides: two rules that hold
//! at one time are not in each other's way.

use std::time::Duration;

use super::Setup;
use crate::dialogue::is_like;
use crate::protocol::{Meaning, ReplyLine, Request};

/// A stage of a session, at which a [`Rule`] can hold.
///
/// ```text
///   Greeting ► Hello ► StartTls ► Hello ► Auth ► Mail ► Recipient ... ► Data ► Body ► Message ► Mail ... ► Quit
/// ```
/// A rule at [`Data`](Self::Data) refuses before the message comes, one at [`Message`](Self::Message) when it is here;
/// one at [`Body`](Self::Body) is for what breaks off in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// A client has connected; the greeting is due. [`Rule::of`] has nothing to be compared with here, nor at
    /// [`StartTls`](Self::StartTls), [`Data`](Self::Data), [`Body`](Self::Body) and [`Quit`](Self::Quit): a rule with
    /// one never holds there.
    Greeting,
    /// EHLO, HELO or LHLO, with a name.
    Hello,
    /// STARTTLS, where it is offered.
    StartTls,
    /// AUTH, with a mechanism, where it is offered.
    Auth,
    /// MAIL, with a sender: the address between the angle brackets.
    Mail,
    /// RCPT, with a recipient: the address between the angle brackets.
    Recipient,
    /// DATA, or the first BDAT of a message.
    Data,
    /// The message has begun to come, after DATA.
    Body,
    /// The message has come; in LMTP, once for each of its recipients
    /// ([RFC 2033, section 4.2](https://www.rfc-editor.org/rfc/rfc2033#section-4.2)).
    Message,
    /// QUIT.
    Quit,
}

impl Stage {
    /// Returns what is asked at this stage, to which a rule's reply is the answer: whether it grants that decides what
    /// is done.
    pub(super) fn request(self) -> Request {
        match self {
            Self::Greeting => Request::Greeting,
            Self::Hello => Request::Ehlo,
            Self::StartTls => Request::StartTls,
            Self::Auth => Request::Auth,
            Self::Mail => Request::Mail,
            Self::Recipient => Request::Rcpt,
            Self::Data => Request::Data,
            Self::Body | Self::Message => Request::EndOfData,
            Self::Quit => Request::Quit,
        }
    }
}

/// What a receiver does at a stage other than usual. All the rules that hold count: their times add up, and the first
/// that says more than to wait decides.
///
/// What a rule grants is done, whatever is usual: a recipient is accepted after a 250, a body is taken after a 354, and
/// TLS starts after a 220 to STARTTLS.
///
/// ```
/// use std::time::Duration;
/// use mconnect_core::server::{Rule, Setup, Stage};
///
/// let server = Setup::new()
///     // Greylisting: the first two attempts are put off.
///     .rule(Rule::at(Stage::Recipient).of("new@example.org").first(2).reply("451 4.7.1 try again later"))
///     .rule(Rule::at(Stage::Recipient).of("gone@example.org").reply("550 5.1.1 no such mailbox"))
///     // The third message, whoever it is from.
///     .rule(Rule::at(Stage::Message).nth(3).reply("452 4.3.1 full"))
///     // No more than ten messages a session; 421 closes it.
///     .rule(Rule::at(Stage::Mail).in_each_session().after(10).reply("421 4.7.0 too many messages"))
///     .rule(Rule::at(Stage::Hello).wait(Duration::from_millis(5)))
///     .rule(Rule::at(Stage::Quit).close())
///     .start()?;
/// # Ok::<(), mconnect_core::server::ServerError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a rule holds once a setup has it"]
pub struct Rule {
    stage: Stage,
    of: Option<String>,
    /// The first time it holds, counted from 1, and the last.
    from: usize,
    to: usize,
    is_of_session: bool,
    wait: Duration,
    act: Act,
}

/// What is done besides waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    AsUsual,
    Reply(String),
    Close,
    Reset,
}

impl Rule {
    /// Holds every time at this stage, and does as usual until one of [`reply`](Self::reply), [`close`](Self::close),
    /// [`reset`](Self::reset) or [`wait`](Self::wait) says otherwise.
    pub fn at(stage: Stage) -> Self {
        Self { stage, of: None, from: 1, to: usize::MAX, is_of_session: false, wait: Duration::ZERO, act: Act::AsUsual }
    }

    /// Holds only for a name, a mechanism, a sender or a recipient like this; at [`Stage::Message`], for messages to
    /// such a recipient. `*` is anything and `?` one character: `*@example.org`. Case does not matter. Only what is
    /// like it is counted.
    ///
    /// ```
    /// use mconnect_core::{Connect, server::{Rule, Setup, Stage}};
    ///
    /// let refused = Rule::at(Stage::Mail).of("*@EXAMPLE.net").reply("553 5.7.1 not from you");
    /// let server = Setup::new().rule(refused).start()?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?;
    /// session.hello("client.example")?;
    /// assert_eq!(session.command("MAIL FROM:<a@example.net>")?.code(), 553);
    /// assert_eq!(session.command("MAIL FROM:<a@example.org>")?.code(), 250);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of(mut self, pattern: &str) -> Self {
        self.of = Some(pattern.to_owned());
        self
    }

    /// Holds the first times only, and is as if it were not there afterwards.
    ///
    /// ```
    /// use mconnect_core::{Connect, server::{Rule, Setup, Stage}};
    ///
    /// // Down for the first two clients.
    /// let server = Setup::new().rule(Rule::at(Stage::Greeting).first(2).reply("421 4.3.2 not now")).start()?;
    /// let mut codes = Vec::new();
    /// for _ in 0..3 {
    ///     codes.push(Connect::new("127.0.0.1", server.port()).open()?.greeting()?.code().number());
    /// }
    /// assert_eq!(codes, [421, 421, 220]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn first(mut self, times: usize) -> Self {
        self.to = times;
        self
    }

    /// Holds this time only, counted from 1; with 0, never.
    ///
    /// ```
    /// use mconnect_core::{Connect, server::{Rule, Setup, Stage}};
    ///
    /// let server = Setup::new().rule(Rule::at(Stage::Hello).nth(2).reply("451 4.3.0 once more")).start()?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?;
    /// let mut codes = Vec::new();
    /// for _ in 0..3 {
    ///     codes.push(session.command("EHLO client.example")?.code().number());
    /// }
    /// assert_eq!(codes, [250, 451, 250]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn nth(mut self, time: usize) -> Self {
        (self.from, self.to) = (time, time);
        self
    }

    /// Holds after so many times that were as usual, and from then on.
    ///
    /// ```
    /// use mconnect_core::{Connect, server::{Rule, Setup, Stage}};
    ///
    /// let full = Rule::at(Stage::Recipient).after(1).in_each_session().reply("452 4.5.3 one at a time");
    /// let server = Setup::new().rule(full).start()?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?;
    /// session.hello("client.example")?;
    /// let replies = session.pipeline(["MAIL FROM:<>", "RCPT TO:<a@example.org>", "RCPT TO:<b@example.org>"])?;
    /// assert_eq!(replies[2].code(), 452);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn after(mut self, times: usize) -> Self {
        self.from = times.saturating_add(1);
        self
    }

    /// Counts in each session from the beginning, and not over all the sessions of the server, as
    /// [`first`](Self::first), [`nth`](Self::nth) and [`after`](Self::after) do otherwise.
    pub fn in_each_session(mut self) -> Self {
        self.is_of_session = true;
        self
    }

    /// Waits for so long first; the replies before it go out before. Times of several rules add up, and what another
    /// rule says is said after them all.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// use mconnect_core::{Connect, server::{Rule, Setup, Stage}};
    ///
    /// // A tarpit.
    /// let slow = Rule::at(Stage::Recipient).wait(Duration::from_millis(20));
    /// let server = Setup::new().rule(slow).start()?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?;
    /// session.hello("client.example")?;
    /// session.command("MAIL FROM:<>")?;
    /// let start = Instant::now();
    /// session.command("RCPT TO:<a@example.org>")?.require(250)?;
    /// assert!(start.elapsed() >= Duration::from_millis(20));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait(mut self, time: Duration) -> Self {
        self.wait = time;
        self
    }

    /// Says this instead of what is usual; a reply of several lines has LF between them. What it grants is done: a
    /// sender, a recipient, a chunk or a message is accepted (250), a body is taken (354), TLS starts (220), QUIT ends
    /// the session (221). A 235 at [`Stage::Auth`] ends the exchange, whatever the client has proven in it, and a 334
    /// is the challenge that it begins with. After a reply 421 the server closes. At [`Stage::Body`], it is said before
    /// the message has come.
    ///
    /// ```
    /// use mconnect_core::server::{Rule, Setup, Stage};
    ///
    /// // Nobody but those at example.org.
    /// let server = Setup::new()
    ///     .rule(Rule::at(Stage::Recipient).of("*@example.org").reply("250 2.1.5 welcome"))
    ///     .rule(Rule::at(Stage::Recipient).reply("550 5.7.1 not here"))
    ///     .start()?;
    /// # Ok::<(), mconnect_core::server::ServerError>(())
    /// ```
    pub fn reply(mut self, reply: &str) -> Self {
        self.act = Act::Reply(reply.lines().map(|line| format!("{line}\r\n")).collect());
        self
    }

    /// Closes without a word: inside TLS with a close_notify.
    ///
    /// ```
    /// use mconnect_core::{Connect, Error, server::{Rule, Setup, Stage}};
    ///
    /// let server = Setup::new().rule(Rule::at(Stage::Data).close()).start()?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?;
    /// session.hello("client.example")?;
    /// session.pipeline(["MAIL FROM:<>", "RCPT TO:<a@example.org>"])?;
    /// assert!(matches!(session.message("hi\n".as_bytes()), Err(Error::Closed { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(mut self) -> Self {
        self.act = Act::Close;
        self
    }

    /// Tears the connection down, so that the client sees a reset: at [`Stage::Body`], in the middle of a message.
    ///
    /// ```
    /// use mconnect_core::{Connect, server::{Rule, Setup, Stage}};
    ///
    /// let server = Setup::new().rule(Rule::at(Stage::Mail).reset()).start()?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?;
    /// session.hello("client.example")?;
    /// let error = session.command("MAIL FROM:<>").unwrap_err();
    /// assert!(error.to_string().starts_with("no reply to MAIL FROM:<>") && error.is_temporary(), "{error}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reset(mut self) -> Self {
        self.act = Act::Reset;
        self
    }

    /// Says whether it holds at this stage for one of these.
    fn is_for(&self, stage: Stage, what: &[&[u8]]) -> bool {
        let is_of = |of: &String| what.iter().any(|what| is_like(of.as_bytes(), what));
        self.stage == stage && self.of.as_ref().is_none_or(is_of)
    }
}

impl Setup {
    /// Adds a rule for a receiver; a dialogue that is played says itself what is done. Of those that hold at one time,
    /// the first that says more than to wait decides, so that exceptions come before what they are exceptions from.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Refuses recipients like this for good, with 550: `*@example.org`, in which `*` is anything.
    ///
    /// ```
    /// use mconnect_core::{Connect, server::Setup};
    ///
    /// let server = Setup::new().refuse("*@example.net").defer("busy@*").start()?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?;
    /// session.hello("client.example")?;
    /// let recipients = ["RCPT TO:<a@example.net>", "RCPT TO:<busy@example.org>", "RCPT TO:<a@example.org>"];
    /// let replies = session.pipeline([&["MAIL FROM:<>"][..], &recipients].concat())?;
    /// let codes: Vec<u16> = replies.iter().skip(1).map(|reply| reply.code().number()).collect();
    /// assert_eq!(codes, [550, 450, 250]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn refuse(self, recipients: &str) -> Self {
        self.rule(Rule::at(Stage::Recipient).of(recipients).reply(REFUSED))
    }

    /// Refuses recipients like this for now, with 450; a [`Rule::first`] at [`Stage::Recipient`] does so a number of
    /// times.
    pub fn defer(self, recipients: &str) -> Self {
        self.rule(Rule::at(Stage::Recipient).of(recipients).reply(DEFERRED))
    }
}

/// How often each rule could have held.
#[derive(Debug, Default)]
pub(super) struct Counts(Vec<usize>);

impl Counts {
    /// Counts one more time for a rule, and returns which it is.
    fn count(&mut self, index: usize) -> usize {
        self.0.resize(self.0.len().max(index + 1), 0);
        self.0[index] += 1;
        self.0[index]
    }
}

/// Returns how long to wait, and what to do then, and counts.
pub(super) fn consult(
    rules: &[Rule],
    stage: Stage,
    what: &[&[u8]],
    of_server: &mut Counts,
    of_session: &mut Counts,
) -> (Duration, Act) {
    let (mut wait, mut act) = (Duration::ZERO, Act::AsUsual);
    for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.is_for(stage, what)) {
        let time = if rule.is_of_session { of_session.count(index) } else { of_server.count(index) };
        if (rule.from..=rule.to).contains(&time) {
            wait = wait.saturating_add(rule.wait);
            if act == Act::AsUsual {
                act = rule.act.clone();
            }
        }
    }
    (wait, act)
}

/// Returns what a rule's reply means to what is asked: whether it grants that, as it would to a client.
pub(super) fn meaning(reply: &str, request: Request) -> Option<Meaning> {
    let last = ReplyLine::new(reply.lines().next_back()?.as_bytes());
    Some(Meaning::of(Some(request), last.code()?))
}

/// What is said to a recipient that is refused for good, and for now.
pub(super) const REFUSED: &str = "550 5.1.1 no such mailbox here";
pub(super) const DEFERRED: &str = "450 4.2.1 the mailbox is busy, try again later";
