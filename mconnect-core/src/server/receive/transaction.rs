//! A transaction: an envelope, and a message.

use std::io;
use std::str::FromStr;

use super::{Act, Hello, Next, Receiver, Stage, reply, ruled};
use crate::protocol::BodyDecoder;
use crate::server::Message;

#[derive(Default)]
pub(super) struct Envelope {
    sender: Vec<u8>,
    recipients: Vec<Vec<u8>>,
}

impl Receiver<'_> {
    pub(super) fn mail(&mut self, rest: &[u8]) -> io::Result<Next> {
        let Some((sender, params)) = path(rest, b"FROM:") else {
            return Ok(Next::Reply(reply("501 5.5.4 the syntax is MAIL FROM:<address>")));
        };
        self.unless_ruled(Stage::Mail, &[sender], |receiver| Ok(Next::Reply(receiver.begin(sender, params))))
    }

    fn begin(&mut self, sender: &[u8], params: &[u8]) -> String {
        if self.hello.is_none() {
            return reply("503 5.5.1 EHLO first");
        }
        if self.envelope.is_some() {
            return reply("503 5.5.1 one sender at a time; RSET begins anew");
        }
        for param in params.split(u8::is_ascii_whitespace).filter(|param| !param.is_empty()) {
            let (name, value) = param.split_at(param.iter().position(|byte| *byte == b'=').unwrap_or(param.len()));
            match (name.to_ascii_uppercase().as_slice(), value.get(1..).unwrap_or_default()) {
                (b"SIZE", size) => match number::<u64>(size) {
                    Some(size) if size > LARGEST as u64 => return reply("552 5.3.4 the message is too large"),
                    Some(_) => {}
                    None => return reply("501 5.5.4 SIZE takes a number"),
                },
                (b"BODY", kind) if kind.eq_ignore_ascii_case(b"7BIT") || kind.eq_ignore_ascii_case(b"8BITMIME") => {}
                (b"SMTPUTF8", []) => {}
                _ => return reply("555 5.5.4 no such parameter"),
            }
        }
        self.envelope = Some(Envelope { sender: sender.to_vec(), recipients: Vec::new() });
        reply("250 2.1.0 sender noted")
    }

    pub(super) fn recipient(&mut self, rest: &[u8]) -> io::Result<Next> {
        let Some((recipient, params)) = path(rest, b"TO:").filter(|(recipient, _)| !recipient.is_empty()) else {
            return Ok(Next::Reply(reply("501 5.5.4 the syntax is RCPT TO:<address>")));
        };
        self.unless_ruled(Stage::Recipient, &[recipient], |receiver| Ok(Next::Reply(receiver.add(recipient, params))))
    }

    fn add(&mut self, recipient: &[u8], params: &[u8]) -> String {
        let Some(envelope) = &mut self.envelope else { return reply("503 5.5.1 MAIL first") };
        if !params.is_empty() {
            return reply("555 5.5.4 no such parameter");
        }
        match recipient.split(|byte| *byte == b'@').next().unwrap_or_default().to_ascii_lowercase().as_slice() {
            b"refused" => reply("550 5.1.1 no such mailbox here"),
            b"later" => reply("450 4.2.1 the mailbox is busy, try again later"),
            _ if envelope.recipients.len() >= MOST_RECIPIENTS => reply("452 4.5.3 too many recipients"),
            _ => {
                envelope.recipients.push(recipient.to_vec());
                reply("250 2.1.5 recipient noted")
            }
        }
    }

    fn may_send(&self) -> Result<(), String> {
        match &self.envelope {
            None => Err(reply("503 5.5.1 MAIL first")),
            Some(envelope) if envelope.recipients.is_empty() => Err(reply("554 5.5.1 no valid recipients")),
            Some(_) => Ok(()),
        }
    }

    pub(super) fn data(&mut self) -> io::Result<Next> {
        match self.may_send() {
            Ok(()) if self.chunks.is_some() => Ok(Next::Reply(reply("503 5.5.1 BDAT has begun already"))),
            Ok(()) => self.unless_ruled(Stage::Data, &[], |receiver| {
                receiver.replies.push_str("354 end the message with a lone dot\r\n");
                receiver.flush()?;
                receiver.body()
            }),
            Err(refusal) => Ok(Next::Reply(refusal)),
        }
    }

    fn body(&mut self) -> io::Result<Next> {
        let (mut decoder, mut content, mut size) = (BodyDecoder::default(), Vec::new(), 0);
        // What is said before the message has come is the reply to it.
        let mut early = None;
        loop {
            let some = self.input.some()?;
            if some.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if size == 0 && early.is_none() {
                match self.consult(Stage::Body, &[])? {
                    Act::AsUsual => {}
                    Act::Reply(reply) if !reply.starts_with("421") => {
                        self.replies.push_str(&reply);
                        self.flush()?;
                        early = Some(Next::Reply(String::new()));
                    }
                    act => return Ok(ruled(act)),
                }
            }
            let some = self.input.rest();
            let count = some.len();
            let end = decoder.decode(some, &mut content);
            self.input.take(end.unwrap_or(count));
            size += end.unwrap_or(count);
            if size > LARGEST || early.is_some() {
                content.clear();
            }
            if end.is_some() {
                self.envelope = self.envelope.take().filter(|_| early.is_none());
                return early.map_or_else(|| self.accept(content, size), Ok);
            }
        }
    }

    /// Takes the octets that follow a BDAT, whatever is replied to it
    /// ([RFC 3030, section 2](https://www.rfc-editor.org/rfc/rfc3030#section-2)).
    pub(super) fn chunk(&mut self, rest: &[u8]) -> io::Result<Next> {
        let mut words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let size = words.next().and_then(number::<usize>);
        let is_last = match (words.next(), words.next()) {
            (None, _) => false,
            (Some(word), None) if word.eq_ignore_ascii_case(b"LAST") => true,
            _ => return Ok(Next::Reply(reply("501 5.5.4 the syntax is BDAT size [LAST]"))),
        };
        let Some(size) = size else { return Ok(Next::Reply(reply("501 5.5.4 the syntax is BDAT size [LAST]"))) };
        let mut permission = self.may_send().map_err(Next::Reply);
        if permission.is_ok() && self.chunks.is_none() {
            permission = match self.consult(Stage::Data, &[])? {
                Act::AsUsual => Ok(()),
                act => Err(ruled(act)),
            };
        }
        let mut content = self.chunks.take().unwrap_or_default();
        let mut left = size;
        while left > 0 {
            let some = self.input.some()?;
            let part = &some[..some.len().min(left)];
            if part.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if permission.is_ok() && content.len() <= LARGEST {
                content.extend_from_slice(part);
            }
            left -= part.len();
            let count = part.len();
            self.input.take(count);
        }
        match permission {
            Err(refusal) => Ok(refusal),
            Ok(()) if is_last => {
                let total = content.len();
                self.accept(content, total)
            }
            Ok(()) => {
                self.chunks = Some(content);
                Ok(Next::Reply(reply(&format!("250 2.0.0 {size} octets noted"))))
            }
        }
    }

    /// Ends the transaction: keeps the message, for those recipients for whom it is accepted.
    fn accept(&mut self, content: Vec<u8>, size: usize) -> io::Result<Next> {
        let Envelope { sender, mut recipients } = self.envelope.take().unwrap_or_default();
        let usual = match size > LARGEST {
            true => reply("552 5.3.4 the message is too large"),
            false => reply(&format!("250 2.0.0 message of {} octets accepted", content.len())),
        };
        let groups: Vec<Vec<Vec<u8>>> = match self.hello {
            // One reply for each recipient (RFC 2033, section 4.2).
            Some(Hello::Lmtp) => recipients.drain(..).map(|recipient| vec![recipient]).collect(),
            _ => vec![recipients],
        };
        let mut accepted = Vec::new();
        for group in groups {
            let what: Vec<&[u8]> = group.iter().map(Vec::as_slice).collect();
            let reply = match self.consult(Stage::Message, &what)? {
                Act::AsUsual => usual.clone(),
                Act::Reply(reply) if !reply.starts_with("421") => reply,
                act => return Ok(ruled(act)),
            };
            if reply.starts_with('2') {
                accepted.extend(group);
            }
            self.replies.push_str(&reply);
        }
        if !accepted.is_empty() {
            self.shared.keep(Message { sender, recipients: accepted, content });
        }
        Ok(Next::Reply(String::new()))
    }
}

/// Reads digits alone: the standard library would take a sign, too.
fn number<T: FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|_| digits.iter().all(u8::is_ascii_digit))
}

/// Takes `FROM:<address> params` apart.
fn path<'a>(rest: &'a [u8], keyword: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (start, rest) = rest.split_at_checked(keyword.len())?;
    let inner = rest.trim_ascii_start().strip_prefix(b"<")?;
    let end = memchr::memchr(b'>', inner)?;
    let (address, params) = (&inner[..end], &inner[end + 1..]);
    let is_apart = params.is_empty() || params.starts_with(b" ");
    (start.eq_ignore_ascii_case(keyword) && is_apart).then_some((address, params.trim_ascii()))
}

/// The largest message that is taken, in octets.
pub(in crate::server) const LARGEST: usize = 100 * 1024 * 1024;
const MOST_RECIPIENTS: usize = 1000;
