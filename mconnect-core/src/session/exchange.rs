//! Commands and their replies, one at a time, in groups, and around a message. Written once, for sessions that block
//! and for those that are awaited.
//!
//! ```text
//!   command    in step? ─► nothing came unasked? ─► send ─► its reply          (a write that fails: the server's last word)
//!   pipeline   in step? ─► nothing came unasked? ─► a group ─► its replies ─► a group ─► ...
//!   message    DATA ─► 354 ─► block, block, ... ─► refused meanwhile? ─► the last block and the dot ─► the replies
//! ```
//! Before anything is sent, two things are made sure: that no reply is due, so that none is taken for another's; and
//! that nothing has come that nobody asked for.

use std::io::{self, Read};
use std::time::Duration;

use super::Session;
use super::drive::{Blocking, Drive, ready};
use super::writer::Wiped;
use crate::error::{Action, Error};
use crate::protocol::{BodyEncoder, Code, Meaning, Phase, Reply, Severity, Unexpected, wipe};

/// What came of a message: whether it was sent at all, and the replies.
///
/// | | [`require(250)`](Self::require) | [`is_taken`](Self::is_taken) | of the message |
/// |---|---|---|---|
/// | DATA was refused | `Err`, with that reply | no | nothing went out |
/// | it was refused at its end, or meanwhile | `Err`, with that reply | no | all of it, or a part, went out |
/// | LMTP: some recipients refused it | `Err`, with the first of these | no | all of it went out; look at each reply |
/// | it was taken | `Ok`, with the last reply | yes | the server is responsible for it now ([RFC 5321, section 6.1](https://www.rfc-editor.org/rfc/rfc5321#section-6.1)) |
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum MessageReply {
    /// DATA was refused, or the server is closing: nothing of the message went out.
    NotSent(Reply),
    /// The message went out, all of it unless the server said meanwhile that it closes (421), and this was replied to
    /// it: one reply, and in LMTP one for each recipient that had been accepted
    /// ([RFC 2033, section 4.2](https://www.rfc-editor.org/rfc/rfc2033#section-4.2)). It is never empty.
    Sent(Vec<Reply>),
}

impl MessageReply {
    /// Returns the reply to the message, the last if there are several, if the message was sent and each has this code.
    ///
    /// # Errors
    /// [`Unexpected`] holds the first reply that is another, or the one that kept the message from being sent.
    ///
    /// # Panics
    /// If it is a [`Sent`](Self::Sent) of no replies, which no session makes.
    pub fn require(self, code: u16) -> Result<Reply, Unexpected> {
        let expected = || format!("{code:03} to the message");
        match self {
            Self::NotSent(reply) => Err(Unexpected { expected: expected(), reply: Box::new(reply) }),
            Self::Sent(mut replies) => match replies.iter().position(|reply| reply.code() != code) {
                Some(at) => Err(Unexpected { expected: expected(), reply: Box::new(replies.swap_remove(at)) }),
                None => Ok(replies.pop().expect("a message that was sent has a reply")),
            },
        }
    }

    /// Returns the reply that decided: the last to the message, or the one that kept it from being sent.
    ///
    /// # Panics
    /// If it is a [`Sent`](Self::Sent) of no replies, which no session makes.
    pub fn reply(&self) -> &Reply {
        match self {
            Self::NotSent(reply) => reply,
            Self::Sent(replies) => replies.last().expect("a message that was sent has a reply"),
        }
    }

    /// Says whether the message was taken, for every recipient that had been accepted: it went out, and every reply
    /// grants it.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::Sent(replies) if replies.iter().all(Reply::is_granted))
    }
}

impl Session {
    /// Reads the next reply, whole; the first one is the greeting. What it answers is in it ([`Reply::request`]), and
    /// so what it means ([`Reply::meaning`]). One that nobody asked for is read like any other.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// use mconnect_core::protocol::Request;
    ///
    /// let greeting = session.read_reply()?.require(220)?;
    /// assert_eq!(greeting.request(), Some(Request::Greeting));
    /// session.send_line("RSET")?;
    /// let reply = session.read_reply()?;
    /// assert!(reply.is_granted() && reply.request() == Some(Request::Rset));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Timeout`] at the deadline of the stage, counted for the whole reply; a later call goes on with the same
    /// reply, and has the time of the stage once more. [`Error::Closed`] if the server closed first, with what came of
    /// the reply; [`Error::Limit`] if it is over one of the [`Limits`](crate::protocol::Limits); [`Error::Io`],
    /// [`Error::Aborted`]; [`Error::Unfinished`] if a send was given up on its way.
    pub fn read_reply(&mut self) -> Result<Reply, Error> {
        ready(self.read_reply_by(&Blocking))
    }

    /// Sends a command and reads its reply. A refusal is a reply like any other. A server that has said already that it
    /// closes (421) is not sent anything: that is the reply.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// # session.greeting()?;
    /// # session.hello("client.example")?;
    /// session.command("MAIL FROM:<a@example.org>")?.require(250)?;
    /// let reply = session.command("RCPT TO:<refused@example.org>")?;
    /// assert_eq!(reply.code(), 550);
    /// assert!(!reply.is_granted() && !reply.code().is_temporary());
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The line is without its end, and otherwise as it is to be: nothing is quoted or checked in it. DATA, BDAT and
    /// STARTTLS may be said so, too; what may come after their replies is [`message`](Self::message),
    /// [`send`](Self::send) and `upgrade`.
    ///
    /// # Errors
    /// [`Error::OutOfStep`] if an earlier reply is still due, or the server waits for a body, a chunk or TLS: nothing
    /// is sent, so that no late reply is taken for this command's, and the command not for something else.
    /// [`Error::Surprise`] if the server has said something that nobody asked for, with nothing sent, or if the reply
    /// shows that client and server are [out of step](crate::protocol::Meaning::OutOfStep): it holds the reply.
    /// [`Error::LineBreak`] if the line holds one. Otherwise as [`send_line`](Self::send_line) and
    /// [`read_reply`](Self::read_reply); if writing fails because the server has had its last word, that word is the
    /// reply.
    #[doc(alias = "EHLO")]
    #[doc(alias = "HELO")]
    #[doc(alias = "MAIL")]
    #[doc(alias = "RCPT")]
    #[doc(alias = "VRFY")]
    pub fn command(&mut self, line: impl AsRef<[u8]>) -> Result<Reply, Error> {
        ready(self.command_by(&Blocking, line.as_ref()))
    }

    /// Sends commands without waiting for each reply ([RFC 2920](https://www.rfc-editor.org/rfc/rfc2920)) and reads all
    /// the replies, in order, one for each. At most 4,096 octets are unanswered at any time (or one command that is
    /// longer), so that neither side blocks the other: beyond that, they go in groups. To a server that has not offered
    /// PIPELINING they go one by one ([section 3.1](https://www.rfc-editor.org/rfc/rfc2920#section-3.1)). A refusal
    /// stops nothing.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// # session.read_reply()?;
    /// session.command("EHLO client.example")?.require(250)?;
    /// let replies = session.pipeline(["MAIL FROM:<>", "RCPT TO:<later@example.org>"])?;
    /// let codes: Vec<u16> = replies.iter().map(|reply| reply.code().number()).collect();
    /// assert_eq!(codes, [250, 450]);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// DATA may be the last line ([section 3.1](https://www.rfc-editor.org/rfc/rfc2920#section-3.1)): if its reply, the
    /// last one, is a 354, a [`message`](Self::message) sends the body. A command that has to be answered before the
    /// next goes out, such as EHLO or STARTTLS, is the caller's to keep out of the middle.
    ///
    /// # Errors
    /// [`Error::OutOfStep`] and [`Error::Surprise`] as [`command`](Self::command), with nothing sent;
    /// [`Error::LineBreak`] at the first line, with nothing sent; [`Error::Pipeline`], which keeps the replies that
    /// came, for everything else: the lines before a later one that holds a line break are sent, and answered.
    pub fn pipeline<L: AsRef<[u8]>>(&mut self, lines: impl IntoIterator<Item = L>) -> Result<Vec<Reply>, Error> {
        ready(self.pipeline_by(&Blocking, lines))
    }

    /// Does as [`pipeline`](Self::pipeline), and does not wait between the commands whether or not the server has
    /// offered PIPELINING: to test servers.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// # session.greeting()?;
    /// // HELO offers nothing.
    /// session.command("HELO client.example")?.require(250)?;
    /// let replies = session.pipeline_anyway(["MAIL FROM:<>", "RSET", "NOOP"])?;
    /// assert!(replies.iter().all(|reply| reply.code() == 250));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`pipeline`](Self::pipeline).
    pub fn pipeline_anyway<L: AsRef<[u8]>>(&mut self, lines: impl IntoIterator<Item = L>) -> Result<Vec<Reply>, Error> {
        ready(self.send_groups(&Blocking, lines, MOST_UNANSWERED))
    }

    /// Sends a message: DATA, unless the server waits for a body already, and after its 354 the body, with CR LF line
    /// ends, dots stuffed and the lone dot at its end
    /// ([RFC 5321, section 4.5.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.2)). Says whether the body went
    /// out, and what the server replied to it. The envelope, MAIL and RCPT, has been said before.
    ///
    /// The message may be of any size: it is read and sent in blocks of 64 KiB, and memory does not grow with it. Its
    /// line ends may be LF or CR LF; a last line without one gets it. Anything that reads is a message: a file, a slice
    /// of bytes.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::{Connect, MessageReply, server::Server};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Server::start()?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.read_reply()?.require(220)?;
    /// session.command("HELO client.example")?.require(250)?;
    ///
    /// // Without a recipient, DATA is refused, and nothing of the message goes out.
    /// session.command("MAIL FROM:<a@example.org>")?.require(250)?;
    /// let not_sent = session.message("Subject: hi\n\nhello\n".as_bytes())?;
    /// assert!(matches!(not_sent, MessageReply::NotSent(reply) if reply.code() == 554));
    ///
    /// session.command("RCPT TO:<b@example.org>")?.require(250)?;
    /// session.message("Subject: hi\n\nhello\n".as_bytes())?.require(250)?;
    /// assert_eq!(server.messages()[0].content, b"Subject: hi\r\n\r\nhello\r\n");
    /// # Ok(()) }
    /// # main().unwrap();
    /// # }
    /// ```
    ///
    /// What a server says while the body goes out is looked at before its last block. A refusal is the reply then, and
    /// the end of the body is sent all the same, since the server reads on up to the lone dot; after a 421, nothing
    /// more is sent. To send a message by BDAT, say that with its octets by [`send`](Self::send).
    ///
    /// # Errors
    /// [`Error::Message`] if `message` cannot be read: half of it may be out, and [`reset`](Self::reset) keeps that
    /// from being delivered. [`Error::Unfinished`] if an earlier message broke off like that. Otherwise as
    /// [`command`](Self::command).
    #[doc(alias = "DATA")]
    #[doc(alias = "send_mail")]
    #[doc(alias = "sendmail")]
    pub fn message(&mut self, message: impl Read) -> Result<MessageReply, Error> {
        ready(self.message_by(&Blocking, &mut Reading(message)))
    }
}

impl Session {
    /// Reads a reply in the time of its stage.
    pub(super) async fn read_reply_by(&mut self, drive: &impl Drive) -> Result<Reply, Error> {
        self.shared().require_whole()?;
        let deadline = self.shared().deadline();
        self.reader.read_reply_by(drive, Some(deadline)).await
    }

    /// The order matters: a line break is the caller's mistake whatever the session's state, and nothing is sent before
    /// what came unasked has been looked at.
    pub(crate) async fn command_by(&mut self, drive: &impl Drive, line: &[u8]) -> Result<Reply, Error> {
        let line = self.writer.whole_line(line)?;
        self.require_in_step(|phase| matches!(phase, Phase::Body | Phase::Chunk { .. } | Phase::StartTls))?;
        if let Some(last_word) = self.unasked(drive).await? {
            return Ok(last_word);
        }
        match self.send_by(drive, &line).await.1 {
            Ok(()) => self.expected_reply(drive).await,
            Err(error) => self.last_words(drive, error).await,
        }
    }

    /// Sends groups to a server that has offered PIPELINING, and otherwise groups of one.
    pub(super) async fn pipeline_by<L: AsRef<[u8]>>(
        &mut self,
        drive: &impl Drive,
        lines: impl IntoIterator<Item = L>,
    ) -> Result<Vec<Reply>, Error> {
        let is_offered = self.shared().tracker().extensions().is_some_and(|offered| offered.has("PIPELINING"));
        self.send_groups(drive, lines, if is_offered { MOST_UNANSWERED } else { 0 }).await
    }

    /// Sends commands in groups of at most so many octets, and each group's replies are read before the next goes out;
    /// a line that is longer is a group of its own.
    pub(super) async fn send_groups<L: AsRef<[u8]>>(
        &mut self,
        drive: &impl Drive,
        lines: impl IntoIterator<Item = L>,
        most: usize,
    ) -> Result<Vec<Reply>, Error> {
        self.require_in_step(|phase| matches!(phase, Phase::Body | Phase::Chunk { .. } | Phase::StartTls))?;
        if let Some(last_word) = self.unasked(drive).await? {
            return Err(Error::Pipeline { answered: vec![last_word], source: Box::new(self.closed()) });
        }
        let mut group = Wiped(Vec::new());
        let mut replies = Vec::new();
        for line in lines {
            match self.writer.require_one_line(line.as_ref()) {
                Ok(()) => {}
                Err(error) if group.is_empty() && replies.is_empty() => return Err(error),
                Err(error) => {
                    self.send_group(drive, &mut group, &mut replies).await?;
                    return Err(Error::Pipeline { answered: replies, source: Box::new(error) });
                }
            }
            if !group.is_empty() && group.len() + line.as_ref().len() > most {
                self.send_group(drive, &mut group, &mut replies).await?;
            }
            group.extend_from_slice(line.as_ref());
            group.extend_from_slice(b"\r\n");
        }
        self.send_group(drive, &mut group, &mut replies).await?;
        Ok(replies)
    }

    /// Whatever fails while the body goes out, the server may have said why before: its last word is the reply then.
    pub(super) async fn message_by(
        &mut self,
        drive: &impl Drive,
        message: &mut impl Source,
    ) -> Result<MessageReply, Error> {
        self.require_in_step(|phase| matches!(phase, Phase::Chunk { .. } | Phase::StartTls))?;
        if self.phase() == Phase::Body {
            self.shared().require_no_message()?;
        } else {
            let reply = self.command_by(drive, b"DATA").await?;
            if !reply.is_granted() {
                return Ok(MessageReply::NotSent(reply));
            }
        }
        let (mut encoder, mut input, mut out) = (BodyEncoder::default(), Vec::new(), Vec::new());
        loop {
            input.clear();
            match message.read_block(&mut input).await {
                Ok(0) => break,
                Ok(_) => encoder.encode(&input, &mut out),
                Err(source) => {
                    let overall = self.shared().overall().filter(|overall| overall.left() == Some(Duration::ZERO));
                    return Err(match overall {
                        Some(overall) if source.kind() == io::ErrorKind::TimedOut => {
                            self.shared().late(Action::Write, overall, Vec::new())
                        }
                        _ => Error::Message { context: self.shared().context(Action::Write), source },
                    });
                }
            }
            if out.len() as u64 >= BLOCK {
                self.shared().begin_message();
                if let Err(error) = self.send_by(drive, &out).await.1 {
                    return self.last_words(drive, error).await.map(|reply| MessageReply::Sent(vec![reply]));
                }
                out.clear();
            }
        }
        encoder.finish(&mut out);
        // The server may have refused the message before its end; it reads on up to the lone dot all the same.
        let early = self.reader.read_arrived(drive).await?.map(|reply| self.in_step(reply)).transpose()?;
        let mut replies = Vec::from_iter(early);
        if replies.iter().any(|reply| reply.meaning() == Meaning::Closing) {
            return Ok(MessageReply::Sent(replies));
        }
        if let Err(error) = self.send_by(drive, &out).await.1 {
            return self.last_words(drive, error).await.map(|reply| MessageReply::Sent(vec![reply]));
        }
        while replies.is_empty() || self.outstanding() > 0 {
            replies.push(self.expected_reply(drive).await?);
        }
        Ok(MessageReply::Sent(replies))
    }

    /// Sends a group, and reads a reply for each of its commands. Even if it could not be sent whole, the replies that
    /// come are kept; the error names the command whose reply did not come.
    async fn send_group(
        &mut self,
        drive: &impl Drive,
        group: &mut Vec<u8>,
        replies: &mut Vec<Reply>,
    ) -> Result<(), Error> {
        // What comes before the first group is looked at by the caller.
        let unasked = if replies.is_empty() { Ok(None) } else { self.unasked(drive).await };
        let (mut secrets, answered) = (Vec::new(), replies.len());
        let mut result = match unasked {
            Ok(None) => {
                let (found, sent) = self.send_by(drive, group).await;
                secrets = found;
                sent
            }
            Ok(Some(last_word)) => {
                replies.push(last_word);
                Err(self.closed())
            }
            Err(error) => Err(error),
        };
        while self.outstanding() > 0 && (result.is_ok() || self.phase() != Phase::Closed) {
            match self.expected_reply(drive).await {
                Ok(reply) => replies.push(reply),
                Err(error) => {
                    let command = self.shared().command_of(group, &secrets, replies.len() - answered);
                    result = result.and(Err(match command {
                        Some(command) => error.awaiting(command),
                        None => error,
                    }));
                    break;
                }
            }
        }
        wipe(group);
        group.clear();
        result.map_err(|source| Error::Pipeline { answered: std::mem::take(replies), source: Box::new(source) })
    }

    /// After a failed write: the reply that tells why, if the server sent one before it closed.
    async fn last_words(&mut self, drive: &impl Drive, error: Error) -> Result<Reply, Error> {
        if matches!(error, Error::Io { .. } | Error::Timeout { .. }) {
            let grace = self.shared().within(self.shared().timeouts.closing);
            while let Ok(reply) = self.reader.read_reply_by(drive, Some(grace)).await {
                // What could not be sent whole cannot have been granted.
                let is_refusal = matches!(reply.code().severity(), Severity::Transient | Severity::Permanent);
                if is_refusal || reply.code() == Code::CLOSING {
                    return Ok(reply);
                }
            }
        }
        Err(error)
    }

    /// Reads the reply to what was sent, which must not be one to something else.
    pub(super) async fn expected_reply(&mut self, drive: &impl Drive) -> Result<Reply, Error> {
        let reply = self.read_reply_by(drive).await?;
        self.in_step(reply)
    }

    /// Looks at what has come before anything else is sent: a server's last word is returned.
    async fn unasked(&mut self, drive: &impl Drive) -> Result<Option<Reply>, Error> {
        let phase = self.phase();
        if !self.reader.has_arrived(drive).await && self.reader.buffered().is_empty() {
            return Ok(None);
        }
        let grace = self.shared().within(self.shared().timeouts.closing);
        let reply = self.reader.read_reply_by(drive, Some(grace)).await.map_err(|error| error.in_phase(phase))?;
        self.in_step(reply).map(Some)
    }

    /// The server has said that it closes: nothing more is sent.
    fn closed(&self) -> Error {
        Error::Closed { context: self.shared().context(Action::Write), partial: Vec::new() }
    }

    /// Returns a reply that does not show client and server out of step.
    fn in_step(&self, reply: Reply) -> Result<Reply, Error> {
        match reply.meaning() {
            Meaning::OutOfStep => {
                Err(Error::Surprise { context: self.shared().context(Action::ReadReply), reply: Box::new(reply) })
            }
            _ => Ok(reply),
        }
    }

    /// Returns an error if a reply is due, or the server waits for something else than a command. What the two do is
    /// refused where it is wrong, so that no reply is taken for another's.
    fn require_in_step(&self, is_wrong: impl Fn(Phase) -> bool) -> Result<(), Error> {
        self.shared().require_whole()?;
        let standing = self.standing();
        if standing.outstanding == 0 && !is_wrong(standing.phase) {
            return Ok(());
        }
        Err(Error::OutOfStep { context: self.shared().context(Action::Write), outstanding: standing.outstanding })
    }
}

/// Where a message comes from.
pub(super) trait Source {
    /// Reads about a block, up to the end of the message if that comes first, and returns how much it was.
    async fn read_block(&mut self, into: &mut Vec<u8>) -> io::Result<usize>;
}

/// A message whose source blocks.
struct Reading<R>(R);

impl<R: Read> Source for Reading<R> {
    async fn read_block(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        // A small message takes little memory.
        self.0.by_ref().take(BLOCK).read_to_end(into)
    }
}

/// A pipeline has at most this many octets unanswered, far below what any system's buffers hold.
pub(super) const MOST_UNANSWERED: usize = 4096;
/// A message is read and sent in blocks of about this many octets.
pub(super) const BLOCK: u64 = 64 * 1024;
