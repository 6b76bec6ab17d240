//! Commands and their replies, one at a time, in groups, and around a message. Written once, for sessions that block and
//! for those that are awaited.

use std::io::{self, Read};
use std::time::Duration;

use super::Session;
use super::drive::{Blocking, Drive, ready};
use super::shared::Shared;
use super::writer::Wiped;
use crate::error::{Action, Error};
use crate::protocol::{BodyEncoder, Code, Meaning, Phase, Reply, Severity, Unexpected, wipe};

/// What came of a message: whether it was sent at all, and the replies.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum MessageReply {
    /// DATA was refused, or the server is closing: nothing of the message went out.
    NotSent(Reply),
    /// The message went out, all of it unless the server said meanwhile that it closes (421), and this was replied to it:
    /// one reply, and in LMTP one for each recipient that had been accepted ([RFC 2033, section 4.2](https://www.rfc-editor.org/rfc/rfc2033#section-4.2)).
    Sent(Vec<Reply>),
}

impl MessageReply {
    /// Returns the reply to the message, the last if there are several, if the message was sent and each has this code.
    ///
    /// # Errors
    /// [`Unexpected`] holds the first reply that is another, or the one that kept the message from being sent.
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
    pub fn reply(&self) -> &Reply {
        match self {
            Self::NotSent(reply) => reply,
            Self::Sent(replies) => replies.last().expect("a message that was sent has a reply"),
        }
    }

    /// Says whether the message was taken, for every recipient that had been accepted.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::Sent(replies) if replies.iter().all(Reply::is_granted))
    }
}

impl Session {
    /// Reads the next reply, whole; the first one is the greeting.
    ///
    /// # Errors
    /// [`Error::Timeout`] at the deadline of the stage, counted for the whole reply; a later call goes on with the same
    /// reply. [`Error::Closed`] if the server closed first; [`Error::Limit`], [`Error::Io`], [`Error::Aborted`].
    pub fn read_reply(&mut self) -> Result<Reply, Error> {
        ready(self.read_reply_by(&Blocking))
    }

    /// Sends a command and reads its reply. A server that has said already that it closes (421) is not sent anything: that
    /// is the reply.
    ///
    /// # Errors
    /// [`Error::OutOfStep`] if an earlier reply is still due, or the server waits for a body, a chunk or TLS: nothing is
    /// sent, so that no late reply is taken for this command's, and the command not for something else.
    /// [`Error::Surprise`] if the server has said something that nobody asked for, with nothing sent, or if the reply shows
    /// that client and server are [out of step](crate::protocol::Meaning::OutOfStep): it holds the reply.
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
    /// the replies. Only some thousand octets are unanswered at any time, so that neither side blocks the other. To a
    /// server that has not offered PIPELINING they go one by one
    /// ([section 3.1](https://www.rfc-editor.org/rfc/rfc2920#section-3.1)).
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
    /// # Errors
    /// [`Error::OutOfStep`] and [`Error::Surprise`] as [`command`](Self::command), with nothing sent; [`Error::LineBreak`]
    /// at the first line, with nothing sent; [`Error::Pipeline`], which keeps the replies that came, for everything else.
    pub fn pipeline<L: AsRef<[u8]>>(&mut self, lines: impl IntoIterator<Item = L>) -> Result<Vec<Reply>, Error> {
        ready(self.pipeline_by(&Blocking, lines))
    }

    /// Does as [`pipeline`](Self::pipeline), and does not wait between the commands whether or not the server has offered
    /// PIPELINING: to test servers.
    ///
    /// # Errors
    /// As [`pipeline`](Self::pipeline).
    pub fn pipeline_anyway<L: AsRef<[u8]>>(&mut self, lines: impl IntoIterator<Item = L>) -> Result<Vec<Reply>, Error> {
        ready(self.send_groups(&Blocking, lines, MOST_UNANSWERED))
    }

    /// Sends a message: DATA, unless the server waits for a body already, and after its 354 the body, with CR LF line
    /// ends, dots stuffed and the lone dot at its end. Says whether the body went out, and what the server replied to it.
    ///
    /// The message may be of any size; memory does not grow with it.
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
    /// # Errors
    /// [`Error::Message`] if `message` cannot be read. Otherwise as [`command`](Self::command).
    #[doc(alias = "DATA")]
    #[doc(alias = "send_mail")]
    #[doc(alias = "sendmail")]
    pub fn message(&mut self, message: impl Read) -> Result<MessageReply, Error> {
        ready(self.message_by(&Blocking, &mut Reading(message)))
    }
}

impl Session {
    pub(super) async fn read_reply_by(&mut self, drive: &impl Drive) -> Result<Reply, Error> {
        self.shared().require_whole()?;
        let deadline = self.shared().deadline();
        self.reader.read_reply_by(drive, Some(deadline)).await
    }

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

    pub(super) async fn pipeline_by<L: AsRef<[u8]>>(
        &mut self,
        drive: &impl Drive,
        lines: impl IntoIterator<Item = L>,
    ) -> Result<Vec<Reply>, Error> {
        let is_offered = self.shared().tracker().extensions().is_some_and(|offered| offered.has("PIPELINING"));
        self.send_groups(drive, lines, if is_offered { MOST_UNANSWERED } else { 0 }).await
    }

    /// Sends commands in groups of so many octets, or of one command.
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
        let (mut blocks, mut replies) = (Blocks::new(message), Vec::new());
        blocks.next(self.shared()).await?;
        self.body_by(drive, &mut blocks, &mut replies).await?;
        Ok(MessageReply::Sent(replies))
    }

    /// Sends the body, of which the first block has been read, and reads the replies to it.
    pub(super) async fn body_by(
        &mut self,
        drive: &impl Drive,
        message: &mut Blocks<'_, impl Source>,
        replies: &mut Vec<Reply>,
    ) -> Result<(), Error> {
        let (mut encoder, mut out) = (BodyEncoder::default(), Vec::new());
        loop {
            encoder.encode(&message.block, &mut out);
            if message.is_last {
                break;
            }
            if out.len() as u64 >= BLOCK {
                self.shared().begin_message();
                if let Err(error) = self.send_by(drive, &out).await.1 {
                    replies.push(self.last_words(drive, error).await?);
                    return Ok(());
                }
                out.clear();
            }
            message.next(self.shared()).await?;
        }
        encoder.finish(&mut out);
        // The server may have refused the message before its end; it reads on up to the lone dot all the same.
        replies.extend(self.reader.read_arrived(drive).await?.map(|reply| self.in_step(reply)).transpose()?);
        if replies.iter().any(|reply| reply.meaning() == Meaning::Closing) {
            return Ok(());
        }
        if let Err(error) = self.send_by(drive, &out).await.1 {
            *replies = vec![self.last_words(drive, error).await?];
            return Ok(());
        }
        while replies.is_empty() || self.outstanding() > 0 {
            replies.push(self.expected_reply(drive).await?);
        }
        Ok(())
    }

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
    pub(super) async fn last_words(&mut self, drive: &impl Drive, error: Error) -> Result<Reply, Error> {
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
    pub(super) fn in_step(&self, reply: Reply) -> Result<Reply, Error> {
        match reply.meaning() {
            Meaning::OutOfStep => {
                Err(Error::Surprise { context: self.shared().context(Action::ReadReply), reply: Box::new(reply) })
            }
            _ => Ok(reply),
        }
    }

    pub(super) fn require_in_step(&self, is_wrong: impl Fn(Phase) -> bool) -> Result<(), Error> {
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
    /// Reads a block, less only if the message ends first, and returns how much it was.
    async fn read_block(&mut self, into: &mut Vec<u8>) -> io::Result<usize>;
}

/// A message, block by block.
pub(super) struct Blocks<'a, S> {
    source: &'a mut S,
    pub block: Vec<u8>,
    pub is_last: bool,
    /// Octets over 127 must not be in what is still to come.
    pub is_7bit: bool,
}

impl<'a, S: Source> Blocks<'a, S> {
    pub fn new(source: &'a mut S) -> Self {
        Self { source, block: Vec::new(), is_last: false, is_7bit: false }
    }

    /// Reads the next block.
    pub async fn next(&mut self, shared: &Shared) -> Result<(), Error> {
        self.block.clear();
        let mut read = self.source.read_block(&mut self.block).await;
        if self.is_7bit && !self.block.is_ascii() {
            read = Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "octets over 127 in it need 8BITMIME, which the server has not offered",
            ));
        }
        match read {
            Ok(count) => {
                self.is_last = (count as u64) < BLOCK;
                Ok(())
            }
            Err(source) => {
                let overall = shared.overall().filter(|overall| overall.left() == Some(Duration::ZERO));
                Err(match overall {
                    Some(overall) if source.kind() == io::ErrorKind::TimedOut => {
                        shared.late(Action::Write, overall, Vec::new())
                    }
                    _ => Error::Message { context: shared.context(Action::Write), source },
                })
            }
        }
    }
}

pub(super) struct Reading<R>(pub R);

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
