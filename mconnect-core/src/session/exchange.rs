//! Commands and their replies, one at a time and in groups. Written once, for sessions that block and for those that
//! are awaited.
//!
//! ```text
//!   command    in step? ─► nothing came unasked? ─► send ─► its reply          (a write that fails: the server's last word)
//!   pipeline   in step? ─► nothing came unasked? ─► a group ─► its replies ─► a group ─► ...
//! ```
//! Before anything is sent, two things are made sure: that no reply is due, so that none is taken for another's; and
//! that nothing has come that nobody asked for.

use std::future::Future;
use std::pin::Pin;

use super::Session;
use super::drive::{Blocking, Drive, ready};
use super::writer::Wiped;
use crate::error::{Action, Awaited, Error};
use crate::protocol::{Code, Meaning, Phase, Reply, Severity, wipe};

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
    /// the reply; [`Error::OtherProtocol`] if it is no SMTP; [`Error::Limit`] if it is over one of the
    /// [`Limits`](crate::protocol::Limits); [`Error::Io`], [`Error::Aborted`]; [`Error::Unfinished`] if a send was given up on its way.
    #[doc(alias = "response")]
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
    #[doc(alias = "PIPELINING")]
    #[doc(alias = "batch")]
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
        let (_, sent) = self.send_by(drive, &line).await;
        drop(line);
        match sent {
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
        let is_offered = self.shared().state().extensions().is_some_and(|offered| offered.has("PIPELINING"));
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
            if !group.is_empty() && group.len() + line.as_ref().len() + 2 > most {
                self.send_group(drive, &mut group, &mut replies).await?;
            }
            group.extend_from_slice(line.as_ref());
            group.extend_from_slice(b"\r\n");
        }
        self.send_group(drive, &mut group, &mut replies).await?;
        Ok(replies)
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
                        Some(command) => error.awaiting(Awaited::shown(command)),
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
    pub(super) fn last_words<D: Drive>(
        &mut self,
        drive: &D,
        error: Error,
    ) -> Pin<Box<impl Future<Output = Result<Reply, Error>>>> {
        // Apart, because it is rare: no future that a session waits in has room for it.
        Box::pin(async move {
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
        })
    }

    /// Reads the reply to what was sent, which must not be one to something else.
    pub(super) async fn expected_reply(&mut self, drive: &impl Drive) -> Result<Reply, Error> {
        let reply = self.read_reply_by(drive).await?;
        self.in_step(reply)
    }

    /// Looks at what has come before anything else is sent: a server's last word is returned.
    async fn unasked(&mut self, drive: &impl Drive) -> Result<Option<Reply>, Error> {
        let phase = self.phase();
        if !self.reader.has_arrived(drive).await && self.reader.partial().is_empty() {
            return Ok(None);
        }
        let grace = self.shared().within(self.shared().timeouts.closing);
        let reply = self.reader.read_reply_by(drive, Some(grace)).await.map_err(|error| error.in_phase(phase))?;
        self.in_step(reply).map(Some)
    }

    /// Makes the error of what is not sent any more, since the server has said that it closes.
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

    /// Returns an error if a reply is due, or the server waits for something else than a command. What the two do is
    /// refused where it is wrong, so that no reply is taken for another's.
    pub(super) fn require_in_step(&self, is_wrong: impl Fn(Phase) -> bool) -> Result<(), Error> {
        self.shared().require_whole()?;
        let standing = self.standing();
        if standing.outstanding == 0 && !is_wrong(standing.phase) {
            return Ok(());
        }
        Err(Error::OutOfStep { context: self.shared().context(Action::Write), outstanding: standing.outstanding })
    }
}

/// A pipeline has at most this many octets unanswered, far below what any system's buffers hold.
pub(super) const MOST_UNANSWERED: usize = 4096;
