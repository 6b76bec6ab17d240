//! A message and its envelope, from MAIL to the last reply. Written once, for sessions that block and for those that are
//! awaited.
//!
//! ```text
//!                 ┌ with PIPELINING, together ─ MAIL, RCPT ..., DATA ─┐
//!   deliver ──────┤                                                   ├─► nobody left: the end of a body (RFC 2920), or RSET
//!                 └ without, one by one ── MAIL, RCPT ..., then DATA ─┘
//!                                                  │ somebody left
//!                           ┌──────────────────────┴─────────────────────┐
//!                  the body after the 354                   BDAT n ... BDAT n LAST
//!                           └──────────────────────┬─────────────────────┘
//!                                 one reply, or in LMTP one for each
//! ```
//!
//! What is refused is a value ([`Delivery`]), and what breaks off an error that has it
//! ([`Error::Delivery`](crate::Error::Delivery)). Chunks go ahead of their replies as far as PIPELINING lets them
//! ([RFC 3030, section 2](https://www.rfc-editor.org/rfc/rfc3030#section-2)), but the last one waits until all others were
//! granted: a message that misses some would otherwise be delivered.

use std::io::Read;

use super::Session;
use super::drive::{Blocking, Drive, ready};
use super::exchange::MOST_UNANSWERED;
use super::message::{Blocks, Reading, Source};
use crate::error::{Action, Error};
use crate::protocol::{Content, CrlfEncoder, Delivery, Envelope, Extensions, Phase, Reply, Until};

impl Session {
    /// Sends a message to the recipients of an envelope, MAIL, RCPT and DATA or BDAT, and says what came of it for each of
    /// them. One that is refused ends nothing: the others get the message, and if there are none, it is not sent. What was
    /// offered is used: PIPELINING, SIZE, 8BITMIME, SMTPUTF8, and CHUNKING if the envelope asks for
    /// [`chunks`](Envelope::chunks). After [`lhlo`](Self::lhlo) it is LMTP, where each recipient has a reply to the message.
    ///
    /// | what happens | what is returned |
    /// |---|---|
    /// | all is granted | a delivery that [`is_complete`](Delivery::is_complete) |
    /// | MAIL, DATA, all of RCPT or the message is refused | a delivery; the session goes on |
    /// | some of RCPT is refused, or in LMTP some of the final replies | a delivery: the others have the message |
    /// | 421, anywhere | a delivery with [`closing`](Delivery::closing); nothing more is sent |
    /// | it needs what is not offered, or more room | [`Error::Need`], before MAIL; the session goes on |
    /// | the message cannot be read further | [`Error::Message`]; the server keeps nothing of it |
    /// | time is up, or the connection ends | [`Error::Delivery`] with what was decided |
    ///
    /// The message may be of any size, with LF or CR LF line ends; memory does not grow with it. Afterwards the session
    /// takes the next one: RSET has ended a transaction that nothing else did, but one that was to stop at
    /// [`Until::Data`].
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::protocol::{Envelope, RecipientOutcome};
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// let server = Server::start()?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?.require(220)?;
    /// session.hello("client.example")?.require()?;
    ///
    /// let envelope = Envelope::new(Some("a@example.org".parse()?))
    ///     .to("b@example.org".parse()?)
    ///     .to("later@example.org".parse()?);
    /// let delivery = session.deliver(&envelope, "Subject: hi\n\nhello\n".as_bytes())?;
    /// let outcomes = [delivery.recipients[0].outcome, delivery.recipients[1].outcome];
    /// assert_eq!(outcomes, [RecipientOutcome::Delivered, RecipientOutcome::Temporary]);
    /// assert_eq!(delivery.first_refusal().unwrap().code(), 450);
    /// assert_eq!(server.messages()[0].recipients, ["b@example.org"]);
    ///
    /// // In chunks, and with a parameter that the server may not know.
    /// let envelope = Envelope::new(None).to("b@example.org".parse()?).chunks(1000).parameter("RET=HDRS".parse()?);
    /// let delivery = session.deliver(&envelope, "Subject: hi\n\nhello again\n".as_bytes())?;
    /// assert_eq!(delivery.mail.unwrap().code(), 555);
    /// session.quit()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// A message that cannot be sent here is an error before anything is:
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::protocol::Envelope;
    /// use mconnect_core::{Connect, Error, server::Server};
    ///
    /// let server = Server::play("S: 220\nC: EHLO me\nS: 250-mx\nS: 250 SIZE 10\nC: QUIT\nS: 221")?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?.require(220)?;
    /// session.hello("me")?.require()?;
    /// let envelope = Envelope::new(None).to("b@example.org".parse()?);
    /// match session.deliver(&envelope, "Subject: hi\n\nhello\n".as_bytes()) {
    ///     Err(Error::Need { need, .. }) => {
    ///         assert_eq!(need.to_string(), "the message has 22 octets, and the server takes 10");
    ///     }
    ///     other => panic!("{other:?}"),
    /// }
    /// session.quit()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Need`] if the message or an address needs what was not offered, with nothing sent; [`Error::Message`] if
    /// `message` cannot be read, or is not as long as the [`content`](Envelope::content) that was seen before: it has no
    /// end then; [`Error::Delivery`] holds what had come of it if something failed after the first reply;
    /// otherwise as [`command`](Self::command).
    #[doc(alias = "send_mail")]
    #[doc(alias = "sendmail")]
    pub fn deliver(&mut self, envelope: &Envelope, message: impl Read) -> Result<Delivery, Error> {
        ready(self.deliver_by(&Blocking, envelope, &mut Reading(message)))
    }

    pub(super) async fn deliver_by(
        &mut self,
        drive: &impl Drive,
        envelope: &Envelope,
        message: &mut impl Source,
    ) -> Result<Delivery, Error> {
        self.require_in_step(|phase| phase != Phase::Command)?;
        let offered = self.extensions().unwrap_or_default();
        let mut message = Blocks::new(message);
        message.seen = envelope.known_content().and_then(Content::fed);
        message.next(self.shared()).await?;
        let content = envelope.known_content().cloned().unwrap_or_else(|| first_seen(&message));
        let commands = match envelope.commands(&offered, &content) {
            Ok(commands) => commands,
            Err(need) => return Err(Error::Need { context: self.shared().context(Action::Write), need }),
        };
        message.is_7bit = content.size().is_none() && !envelope.may_be_8bit(&offered);
        let mut delivery = Delivery::new(envelope);
        match self.transact(drive, envelope, commands, &offered, &mut message, &mut delivery).await {
            Ok(()) => Ok(delivery),
            Err(error) if delivery.mail.is_none() => Err(error),
            Err(error) => Err(Error::Delivery { so_far: Box::new(delivery), source: Box::new(error) }),
        }
    }

    async fn transact(
        &mut self,
        drive: &impl Drive,
        envelope: &Envelope,
        mut commands: Vec<String>,
        offered: &Extensions,
        message: &mut Blocks<'_, impl Source>,
        delivery: &mut Delivery,
    ) -> Result<(), Error> {
        let wants_data = match envelope.stop() {
            Some(Until::Mail) => {
                commands.truncate(1);
                false
            }
            Some(Until::Rcpt) => false,
            Some(Until::Data) => true,
            None => envelope.chunk().is_none(),
        };
        let is_pipelining = offered.has("PIPELINING");
        if is_pipelining {
            commands.extend(wants_data.then(|| "DATA".to_owned()));
            self.ask_together(drive, commands, delivery).await?;
        } else {
            self.ask_in_turn(drive, commands, delivery).await?;
            if wants_data && delivery.is_awaited() {
                delivery.answered(self.command_by(drive, b"DATA").await?);
            }
        }
        let mut is_open = delivery.mail.as_ref().is_some_and(Reply::is_granted);
        if delivery.closing.is_none() && (self.phase() == Phase::Body || envelope.chunk().is_some()) {
            let is_awaited = delivery.is_awaited();
            let mut finals = Vec::new();
            let sent = match envelope.chunk() {
                _ if envelope.stop() == Some(Until::Data) => return Ok(()),
                Some(size) if is_awaited => {
                    let most_due = if is_pipelining { MOST_CHUNKS_DUE } else { 1 };
                    let chunks = Chunks { size, is_binary: envelope.is_binary(), most_due };
                    self.chunks_by(drive, message, &chunks, delivery, &mut finals).await
                }
                Some(_) => Ok(()),
                None if is_awaited => self.body_by(drive, message, &mut finals).await,
                // DATA was granted, though nobody is to get the message: RFC 2920, section 3.1.
                None => {
                    is_open = false;
                    self.end_for_nobody(drive, delivery).await
                }
            };
            is_open &= finals.is_empty();
            let is_lmtp = self.shared().state().is_lmtp();
            delivery.finals(&finals, is_lmtp);
            if let Err(error) = sent {
                // Of chunks without a last one, nothing is kept.
                if matches!(error, Error::Message { .. }) && self.phase() == Phase::Command {
                    self.settle(drive, 1, delivery).await?;
                    self.forget(drive, delivery).await?;
                }
                return Err(error);
            }
        }
        if is_open { self.forget(drive, delivery).await } else { Ok(()) }
    }

    /// Has the server forget a transaction that nothing else has ended.
    async fn forget(&mut self, drive: &impl Drive, delivery: &mut Delivery) -> Result<(), Error> {
        if delivery.closing.is_none() {
            delivery.answered(self.command_by(drive, b"RSET").await?);
        }
        Ok(())
    }

    /// Sends the commands of the envelope without waiting for each reply.
    async fn ask_together(
        &mut self,
        drive: &impl Drive,
        commands: Vec<String>,
        delivery: &mut Delivery,
    ) -> Result<(), Error> {
        let (replies, broken) = match self.send_groups(drive, commands, MOST_UNANSWERED).await {
            Ok(replies) => (replies, None),
            Err(Error::Pipeline { answered, source }) => (answered, Some(*source)),
            Err(error) => (Vec::new(), Some(error)),
        };
        replies.into_iter().for_each(|reply| delivery.answered(reply));
        // Who has said that it closes owes no more.
        broken.filter(|_| delivery.closing.is_none()).map_or(Ok(()), Err)
    }

    /// Sends the commands of the envelope one by one.
    async fn ask_in_turn(
        &mut self,
        drive: &impl Drive,
        commands: Vec<String>,
        delivery: &mut Delivery,
    ) -> Result<(), Error> {
        for command in commands {
            delivery.answered(self.command_by(drive, command.as_bytes()).await?);
            if delivery.closing.is_some() || !delivery.mail.as_ref().is_some_and(Reply::is_granted) {
                break;
            }
        }
        Ok(())
    }

    /// Ends a body that is for nobody.
    async fn end_for_nobody(&mut self, drive: &impl Drive, delivery: &mut Delivery) -> Result<(), Error> {
        let mut replies = Vec::new();
        match self.send_by(drive, b".\r\n").await.1 {
            Ok(()) => self.finals_by(drive, &mut replies).await?,
            Err(error) => replies.push(self.last_words(drive, error).await?),
        }
        replies.into_iter().for_each(|reply| delivery.answered(reply));
        Ok(())
    }

    /// Sends the message by BDAT. The last chunk goes out when all the others have been granted.
    async fn chunks_by(
        &mut self,
        drive: &impl Drive,
        message: &mut Blocks<'_, impl Source>,
        chunks: &Chunks,
        delivery: &mut Delivery,
        finals: &mut Vec<Reply>,
    ) -> Result<(), Error> {
        let (mut encoder, mut out, mut is_at_line_start) = (CrlfEncoder::default(), Vec::new(), true);
        loop {
            if chunks.is_binary {
                out.extend_from_slice(&message.block);
            } else {
                encoder.encode(&message.block, &mut out);
                is_at_line_start = message.block.last().map_or(is_at_line_start, |last| *last == b'\n');
                if message.is_last && !is_at_line_start {
                    out.extend_from_slice(b"\r\n");
                }
            }
            let mut at = 0;
            while out.len() - at > chunks.size {
                let chunk = &out[at..at + chunks.size];
                at += chunks.size;
                if let Err(error) = self.send_chunk(drive, chunk, "").await {
                    delivery.answered(self.last_words(drive, error).await?);
                    return Ok(());
                }
                if !self.settle(drive, chunks.most_due, delivery).await? {
                    return Ok(());
                }
            }
            out.drain(..at);
            if message.is_last {
                break;
            }
            message.next(self.shared()).await?;
        }
        if !self.settle(drive, 1, delivery).await? {
            return Ok(());
        }
        if let Err(error) = self.send_chunk(drive, &out, " LAST").await {
            finals.push(self.last_words(drive, error).await?);
            return Ok(());
        }
        self.finals_by(drive, finals).await
    }

    async fn send_chunk(&mut self, drive: &impl Drive, chunk: &[u8], last: &str) -> Result<(), Error> {
        let command = format!("BDAT {}{last}\r\n", chunk.len());
        self.send_by(drive, &[command.as_bytes(), chunk].concat()).await.1
    }

    /// Reads the replies to chunks that have come, and waits until fewer than so many are due; says whether all were granted,
    /// and waits for all that are due if one was not.
    async fn settle(&mut self, drive: &impl Drive, most_due: usize, delivery: &mut Delivery) -> Result<bool, Error> {
        let mut is_granted = true;
        while delivery.closing.is_none() {
            let waits = self.outstanding() >= if is_granted { most_due } else { 1 };
            let reply = match waits {
                true => self.expected_reply(drive).await?,
                false => match self.reader.read_arrived(drive).await? {
                    Some(reply) => self.in_step(reply)?,
                    None => break,
                },
            };
            if !reply.is_granted() {
                is_granted = false;
                delivery.answered(reply);
            }
        }
        Ok(is_granted)
    }
}

/// How a message goes by BDAT.
struct Chunks {
    size: usize,
    /// Octet for octet.
    is_binary: bool,
    /// So many replies may be due before the next chunk waits.
    most_due: usize,
}

/// Returns what the first block of a message shows.
fn first_seen(message: &Blocks<'_, impl Source>) -> Content {
    let mut content = Content::default();
    content.add(&message.block);
    if message.is_last {
        content.end();
    }
    content
}

/// To a server that offers PIPELINING, so many chunks go ahead of the replies.
const MOST_CHUNKS_DUE: usize = 16;
