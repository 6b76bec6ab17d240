//! Messages, from a source that is read block by block.
//!
//! ```text
//!   DATA ─► 354 ─► block, block, ... ─► refused meanwhile? ─► the last block and the dot ─► the replies
//!                    │ a write fails                 └ a 421: nothing more is sent
//!                    └─► the server's last word, if it had one
//! ```
//! What is left when the source has ended goes out together with the lone dot: that is what the server acts on, and so
//! what has come already is looked at before.

use std::io::{self, Read};
use std::time::Duration;

use super::Session;
use super::drive::{Blocking, Drive, ready};
use super::shared::Shared;
use crate::error::{Action, Error};
use crate::protocol::{BodyEncoder, Content, Meaning, Phase, Reply, Unexpected};

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
    /// ([RFC 2033, section 4.2](https://www.rfc-editor.org/rfc/rfc2033#section-4.2)), with a 421 as the last of them. It is
    /// never empty.
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

impl Content {
    /// Reads a message to its end, for one that can be read again when it is sent.
    ///
    /// ```
    /// use std::fs::File;
    ///
    /// use mconnect_core::protocol::Content;
    ///
    /// # let path = std::env::temp_dir().join(format!("mconnect-content-{}", std::process::id()));
    /// # std::fs::write(&path, "Subject: hi\n\nhello\n")?;
    /// let content = Content::read(File::open(&path)?)?;
    /// assert_eq!(content.size(), Some(22));
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of the source.
    pub fn read(mut source: impl Read) -> io::Result<Self> {
        let (mut content, mut block) = (Self::default(), vec![0; 64 * 1024]);
        loop {
            match source.read(&mut block) {
                Ok(0) => break,
                Ok(count) => content.add(&block[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        content.end();
        Ok(content)
    }
}

impl Session {
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

    /// Whatever fails while the body goes out, the server may have said why before: its last word is the reply then.
    pub(super) async fn message_by(
        &mut self,
        drive: &impl Drive,
        message: &mut impl Source,
    ) -> Result<MessageReply, Error> {
        self.require_in_step(|phase| matches!(phase, Phase::Auth | Phase::Chunk { .. } | Phase::StartTls))?;
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
                let (_, sent) = self.send_by(drive, &out).await;
                if let Err(error) = sent {
                    replies.push(self.last_words(drive, error).await?);
                    return Ok(());
                }
                out.clear();
            }
            message.next(self.shared()).await?;
        }
        message.block = Vec::new();
        encoder.finish(&mut out);
        // The server may have refused the message before its end; it reads on up to the lone dot all the same.
        replies.extend(self.reader.read_arrived(drive).await?.map(|reply| self.in_step(reply)).transpose()?);
        if replies.iter().any(|reply| reply.meaning() == Meaning::Closing) {
            return Ok(());
        }
        let (_, sent) = self.send_by(drive, &out).await;
        // A server may take its time over a message, and whoever waits for it needs nothing of that any more.
        drop(out);
        match sent {
            Ok(()) => self.finals_by(drive, replies).await,
            // A refusal that came before the end is the reply, whether or not that could be sent.
            Err(_) if !replies.is_empty() => Ok(()),
            Err(error) => {
                replies.push(self.last_words(drive, error).await?);
                Ok(())
            }
        }
    }

    /// Reads the replies to a message that is out, unless one has come before. Who says that it closes owes no more.
    pub(super) async fn finals_by(&mut self, drive: &impl Drive, replies: &mut Vec<Reply>) -> Result<(), Error> {
        while replies.is_empty() || (self.outstanding() > 0 && !self.standing().is_closing) {
            replies.push(self.expected_reply(drive).await?);
        }
        Ok(())
    }
}

/// Where a message comes from.
pub(super) trait Source {
    /// Reads a block, less only if the message ends first, into an empty vector.
    async fn read_block(&mut self, into: &mut Vec<u8>) -> io::Result<()>;
}

/// A message, block by block.
pub(super) struct Blocks<'a, S> {
    source: &'a mut S,
    pub block: Vec<u8>,
    pub is_last: bool,
    /// Octets over 127 must not be in what is still to come.
    pub is_7bit: bool,
    /// How many octets were seen when it was looked into.
    pub seen: Option<u64>,
    read: u64,
}

impl<'a, S: Source> Blocks<'a, S> {
    pub fn new(source: &'a mut S) -> Self {
        Self { source, block: Vec::new(), is_last: false, is_7bit: false, seen: None, read: 0 }
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
        self.read += self.block.len() as u64;
        self.is_last = (self.block.len() as u64) < BLOCK;
        if let Some(seen) = self.seen.filter(|seen| self.read > *seen || (self.is_last && self.read < *seen)) {
            let how = if self.read > seen { "longer" } else { "shorter" };
            read = read.and(Err(io::Error::other(format!("it is {how} now than the {seen} octets seen before"))));
        }
        read.map_err(|source| {
            let overall = shared.overall().filter(|overall| overall.left() == Some(Duration::ZERO));
            match overall {
                Some(overall) if source.kind() == io::ErrorKind::TimedOut => {
                    shared.late(Action::Write, overall, Vec::new())
                }
                _ => Error::Message { context: shared.context(Action::Write), source },
            }
        })
    }
}

/// A message whose source blocks.
pub(super) struct Reading<R>(pub R);

impl<R: Read> Source for Reading<R> {
    async fn read_block(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        // A small message takes little memory.
        self.0.by_ref().take(BLOCK).read_to_end(into).map(drop)
    }
}

/// A message is read and sent in blocks of about this many octets.
pub(super) const BLOCK: u64 = 64 * 1024;
