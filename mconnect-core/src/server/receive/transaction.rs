//! A transaction: an envelope, and a message ([RFC 5321, section
//! 3.3](https://www.rfc-editor.org/rfc/rfc5321#section-3.3)).
//!
//! Octets are taken whatever is replied to them, and only kept where they may be: what a client sends behind a BDAT, or
//! before it has heard that its message is too large, would otherwise be read as commands.

use std::io;
use std::str::FromStr;

use super::{Act, Hello, Next, Receiver, Stage, reply, ruled};
use crate::protocol::{BodyDecoder, Meaning, Request};
use crate::server::rules::{DEFERRED, REFUSED, meaning};
use crate::server::setup::LARGEST;
use crate::server::{Message, Path};

/// Who sends, and to whom, as far as they were accepted.
#[derive(Default)]
pub(super) struct Envelope {
    sender: Path,
    recipients: Vec<Path>,
}

impl Receiver<'_> {
    /// Begins a transaction.
    pub(super) fn mail(&mut self, rest: &[u8]) -> io::Result<Next> {
        let Some(sender) = path(rest, b"FROM:") else {
            return Ok(Next::Reply(reply("501 5.5.4 the syntax is MAIL FROM:<address>")));
        };
        self.unless_ruled(Stage::Mail, &[&sender.address.clone()], |receiver, words| {
            let refusal = if words.is_some() { None } else { receiver.refusal_of_mail(&sender) };
            Ok(Next::Reply(refusal.unwrap_or_else(|| {
                receiver.envelope = Some(Envelope { sender, recipients: Vec::new() });
                words.unwrap_or(reply("250 2.1.0 sender noted"))
            })))
        })
    }

    /// Returns the refusal of a sender, if there is one: the order of commands, and the parameters.
    fn refusal_of_mail(&self, sender: &Path) -> Option<String> {
        if self.hello.is_none() {
            return Some(reply("503 5.5.1 EHLO first"));
        }
        if self.envelope.is_some() {
            return Some(reply("503 5.5.1 one sender at a time; RSET begins anew"));
        }
        self.refusal_of_parameters(sender)
    }

    /// Returns the refusal of a parameter whose extension is not offered, or of a value that it cannot have.
    fn refusal_of_parameters(&self, path: &Path) -> Option<String> {
        path.parameters.iter().find_map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let name = name.to_ascii_uppercase();
            let extension = PARAMETERS.iter().find(|(parameter, _)| *parameter == name);
            let is_offered = match (name.as_str(), value.to_ascii_uppercase().as_str()) {
                ("AUTH", _) => self.offers_auth(),
                ("BODY", kind @ ("8BITMIME" | "BINARYMIME")) => self.setup.offers(kind),
                ("BODY", kind) => kind == "7BIT" && self.setup.offers("8BITMIME"),
                _ => self.setup.offers(extension.map_or(&name, |(_, extension)| extension)),
            };
            match (name.as_str(), number::<u64>(value.as_bytes())) {
                _ if !is_offered => Some(reply("555 5.5.4 no such parameter")),
                ("SIZE", None) => Some(reply("501 5.5.4 SIZE takes a number")),
                ("SIZE", Some(size)) if size > self.setup.size_limit as u64 => {
                    Some(reply("552 5.3.4 the message is too large"))
                }
                _ => None,
            }
        })
    }

    /// Adds a recipient, of at most 1,000 ([RFC 5321, section
    /// 4.5.3.1.8](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.8) asks for 100).
    pub(super) fn recipient(&mut self, rest: &[u8]) -> io::Result<Next> {
        let Some(recipient) = path(rest, b"TO:").filter(|recipient| !recipient.address.is_empty()) else {
            return Ok(Next::Reply(reply("501 5.5.4 the syntax is RCPT TO:<address>")));
        };
        self.unless_ruled(Stage::Recipient, &[&recipient.address.clone()], |receiver, words| {
            let refusal = match &receiver.envelope {
                Some(full) if full.recipients.len() >= MOST_RECIPIENTS => Some(reply("452 4.5.3 too many recipients")),
                _ if words.is_some() => None,
                _ => receiver.refusal_of_recipient(&recipient),
            };
            Ok(Next::Reply(refusal.unwrap_or_else(|| {
                receiver.envelope.get_or_insert_default().recipients.push(recipient);
                words.unwrap_or(reply("250 2.1.5 recipient noted"))
            })))
        })
    }

    /// Returns the refusal of a recipient, if there is one.
    fn refusal_of_recipient(&self, recipient: &Path) -> Option<String> {
        if self.envelope.is_none() {
            return Some(reply("503 5.5.1 MAIL first"));
        }
        let local_part = recipient.address.split(|byte| *byte == b'@').next().unwrap_or_default();
        self.refusal_of_parameters(recipient).or_else(|| match local_part.to_ascii_lowercase().as_slice() {
            b"refused" => Some(reply(REFUSED)),
            b"later" => Some(reply(DEFERRED)),
            _ => None,
        })
    }

    /// Says whether a message may come.
    ///
    /// # Errors
    /// The reply that refuses it.
    fn may_send(&self) -> Result<(), String> {
        match &self.envelope {
            None => Err(self.demand(b"DATA").unwrap_or(reply("503 5.5.1 MAIL first"))),
            Some(envelope) if envelope.recipients.is_empty() => Err(reply("554 5.5.1 no valid recipients")),
            Some(_) => Ok(()),
        }
    }

    /// Takes a message behind DATA.
    pub(super) fn data(&mut self) -> io::Result<Next> {
        match self.may_send() {
            Ok(()) if self.chunks.is_some() => Ok(Next::Reply(reply("503 5.5.1 BDAT has begun already"))),
            Ok(()) => self.unless_ruled(Stage::Data, &[], |receiver, words| {
                receiver.replies.push_str(&words.unwrap_or(reply("354 end the message with a lone dot")));
                receiver.flush()?;
                receiver.body()
            }),
            Err(refusal) => Ok(Next::Reply(refusal)),
        }
    }

    /// Takes a message up to its lone dot, and asks the rules for what breaks off in between.
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
                        early = Some(is_granted(&reply, Request::EndOfData));
                    }
                    act => return Ok(ruled(act)),
                }
            }
            let some = self.input.rest();
            let count = some.len();
            let end = decoder.decode(some, &mut content);
            self.input.take(end.unwrap_or(count));
            size += end.unwrap_or(count);
            if size > LARGEST || early == Some(false) {
                content.clear();
            }
            if end.is_none() {
                continue;
            }
            if early.is_none() {
                return self.accept(content, size, None);
            }
            let envelope = self.envelope.take().unwrap_or_default();
            if early == Some(true) && size <= LARGEST {
                self.keep(envelope, content);
            }
            return Ok(Next::Reply(String::new()));
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
        // With the words of a rule that grants.
        let mut permission = self.may_send().map(|()| None).map_err(Next::Reply);
        if permission.is_ok() && self.chunks.is_none() {
            permission = match self.consult(Stage::Data, &[])? {
                Act::AsUsual => Ok(None),
                Act::Reply(words) if is_granted(&words, Request::Bdat) => Ok(Some(words)),
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
            Ok(words) if is_last => {
                let total = content.len();
                self.accept(content, total, words)
            }
            Ok(words) => {
                self.chunks = Some(content);
                Ok(Next::Reply(words.unwrap_or_else(|| reply(&format!("250 2.0.0 {size} octets noted")))))
            }
        }
    }

    /// Ends the transaction: keeps the message, for those recipients for whom it is accepted. `words` are said of a
    /// message that is not too large. In SMTP there is one reply for all of them, and in LMTP one for each ([RFC 2033,
    /// section 4.2](https://www.rfc-editor.org/rfc/rfc2033#section-4.2)).
    fn accept(&mut self, content: Vec<u8>, size: usize, words: Option<String>) -> io::Result<Next> {
        let Envelope { sender, mut recipients } = self.envelope.take().unwrap_or_default();
        let too_large = reply("552 5.3.4 the message is too large");
        let usual = match words {
            _ if size > self.setup.size_limit => too_large.clone(),
            Some(words) => words,
            None => reply(&format!("250 2.0.0 message of {} octets accepted", content.len())),
        };
        let groups: Vec<Vec<Path>> = match self.hello {
            Some(Hello::Lmtp) => recipients.drain(..).map(|recipient| vec![recipient]).collect(),
            _ => vec![recipients],
        };
        let (mut accepted, mut next) = (Vec::new(), Next::Reply(String::new()));
        for group in groups {
            let what: Vec<&[u8]> = group.iter().map(|recipient| &*recipient.address).collect();
            let reply = match self.consult(Stage::Message, &what)? {
                Act::AsUsual => &usual,
                // Of a larger one, nothing was kept.
                Act::Reply(reply) if size > LARGEST && is_granted(&reply, Request::EndOfData) => &too_large,
                Act::Reply(reply) if !reply.starts_with("421") => &reply.clone(),
                // Those before have their replies.
                act => {
                    next = ruled(act);
                    break;
                }
            };
            if is_granted(reply, Request::EndOfData) {
                accepted.extend(group);
            }
            self.replies.push_str(reply);
        }
        if !accepted.is_empty() {
            self.keep(Envelope { sender, recipients: accepted }, content);
        }
        Ok(next)
    }

    /// Keeps a message with its envelope.
    fn keep(&self, Envelope { sender, recipients }: Envelope, content: Vec<u8>) {
        let (session, user, tls) = (self.session, self.user.clone(), self.tls.clone());
        self.shared.keep(Message { session, sender, recipients, content, user, tls });
    }
}

/// Says whether the words of a rule grant what is asked.
fn is_granted(reply: &str, request: Request) -> bool {
    meaning(reply, request).is_some_and(Meaning::is_granted)
}

/// Reads digits alone: the standard library would take a sign, too.
fn number<T: FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|_| digits.iter().all(u8::is_ascii_digit))
}

/// Takes `FROM:<address> params` apart; `None` if it has not that form. What stands in the address is not looked at.
fn path(rest: &[u8], keyword: &[u8]) -> Option<Path> {
    let (start, rest) = rest.split_at_checked(keyword.len())?;
    let inner = rest.trim_ascii_start().strip_prefix(b"<")?;
    // In a quoted local part, it ends no path.
    let (mut is_quoted, mut is_escaped) = (false, false);
    let end = inner.iter().position(|byte| {
        is_quoted ^= *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped && is_quoted;
        *byte == b'>' && !is_quoted
    })?;
    let (address, params) = (inner[..end].to_vec(), &inner[end + 1..]);
    let is_apart = params.is_empty() || params.starts_with(b" ");
    let params = params.split(u8::is_ascii_whitespace).filter(|param| !param.is_empty());
    let parameters = params.map(|param| String::from_utf8_lossy(param).into_owned()).collect();
    (start.eq_ignore_ascii_case(keyword) && is_apart).then_some(Path { address, parameters })
}

/// Parameters of MAIL and RCPT, and the extensions that have them; others are of an extension of the same name.
const PARAMETERS: [(&str, &str); 7] = [
    ("RET", "DSN"),
    ("ENVID", "DSN"),
    ("NOTIFY", "DSN"),
    ("ORCPT", "DSN"),
    ("BY", "DELIVERBY"),
    ("HOLDFOR", "FUTURERELEASE"),
    ("HOLDUNTIL", "FUTURERELEASE"),
];
/// How many recipients a message may have.
const MOST_RECIPIENTS: usize = 1000;
