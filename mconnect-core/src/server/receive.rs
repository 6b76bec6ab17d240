//! The receiver: one client's session, from the greeting to the end.

use std::io;
use std::net::TcpStream;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::input::Input;
use super::setup::{Exchange, Setup, Step};
use super::{Message, Shared};
use crate::protocol::BodyDecoder;
use crate::stream::Stream;

/// Serves a client until one of the two is done.
pub(super) fn serve(stream: &TcpStream, shared: &Shared, setup: &Setup) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let greeting = format!("220 {NAME} ESMTP mconnect loopback server\r\n");
    let plain: Arc<dyn Stream> = Arc::new(stream.try_clone()?);
    match &setup.tls {
        None => converse(&*plain, greeting, shared, setup, false).map(drop),
        Some(tls) if setup.is_tls_first => {
            let stream = tls.accept(plain)?;
            let result = converse(&*stream, greeting, shared, setup, true);
            result.and(tls.end(&*stream))
        }
        Some(tls) => match converse(&*plain, greeting, shared, setup, false)? {
            End::Closed => Ok(()),
            End::StartTls => {
                let stream = tls.accept(plain)?;
                let result = converse(&*stream, String::new(), shared, setup, true);
                result.and(tls.end(&*stream))
            }
        },
    }
}

enum End {
    Closed,
    StartTls,
}

fn converse(
    stream: &dyn Stream,
    mut replies: String,
    shared: &Shared,
    setup: &Setup,
    is_inside_tls: bool,
) -> io::Result<End> {
    let input = Input::new(stream);
    let mut receiver = Receiver {
        shared,
        setup,
        is_inside_tls,
        is_authenticated: false,
        hello: None,
        envelope: None,
        chunks: None,
        input,
    };
    loop {
        // Replies to a pipelined group go out together (RFC 2920, section 3.2).
        if !receiver.input.has_line() {
            write(stream, &mut replies)?;
        }
        let line = match receiver.input.line() {
            Ok(line) => line,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                replies.push_str("421 4.4.2 idle for too long, closing\r\n");
                write(stream, &mut replies)?;
                return Ok(End::Closed);
            }
            Err(error) => return Err(error),
        };
        if line.is_empty() {
            return Ok(End::Closed);
        }
        if !line.ends_with(b"\n") {
            // A piece of a line that is too long: the rest of it, or the end, follows.
            while matches!(receiver.input.line()?.as_slice(), [.., last] if *last != b'\n') {}
            replies.push_str(&reply("500 5.5.6 the line is too long"));
            continue;
        }
        match receiver.command(line.trim_ascii())? {
            Next::Reply(reply) => replies.push_str(&reply),
            Next::Body(reply) => {
                replies.push_str(&reply);
                write(stream, &mut replies)?;
                replies = receiver.body()?;
            }
            Next::Chunk(parameters) => {
                write(stream, &mut replies)?;
                replies = receiver.chunk(&parameters)?;
            }
            Next::Auth(exchange, initial) => {
                write(stream, &mut replies)?;
                replies = receiver.authenticate(stream, exchange, initial)?;
            }
            Next::Last(reply, end) => {
                replies.push_str(&reply);
                write(stream, &mut replies)?;
                return Ok(end);
            }
        }
    }
}

fn write(stream: &dyn Stream, replies: &mut String) -> io::Result<()> {
    let mut rest = replies.as_bytes();
    while !rest.is_empty() {
        match stream.write(rest) {
            Ok(count) => rest = &rest[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    replies.clear();
    Ok(())
}

struct Receiver<'a> {
    shared: &'a Shared,
    setup: &'a Setup,
    is_inside_tls: bool,
    is_authenticated: bool,
    hello: Option<Hello>,
    envelope: Option<Envelope>,
    /// The content so far, when it comes in chunks.
    chunks: Option<Vec<u8>>,
    input: Input<'a>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hello {
    Smtp,
    Lmtp,
}

#[derive(Default)]
struct Envelope {
    sender: Vec<u8>,
    recipients: Vec<Vec<u8>>,
}

enum Next {
    Reply(String),
    Body(String),
    /// The octets of BDAT, whose parameters these are.
    Chunk(Vec<u8>),
    /// An exchange, and the client's initial response.
    Auth(Box<dyn Exchange>, Option<Vec<u8>>),
    /// The last reply here, and how it goes on.
    Last(String, End),
}

impl Receiver<'_> {
    fn command(&mut self, line: &[u8]) -> io::Result<Next> {
        let (verb, rest) = line.split_at(line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len()));
        let rest = rest.trim_ascii();
        let verb = verb.to_ascii_uppercase();
        let reply = match (verb.as_slice(), rest) {
            (b"QUIT", []) => return Ok(Next::Last(reply("221 2.0.0 goodbye"), End::Closed)),
            (b"STARTTLS", []) if self.offers_tls() => {
                // What was sent behind it is dropped with the input (RFC 3207, section 4.2).
                return Ok(Next::Last(reply("220 2.0.0 go ahead"), End::StartTls));
            }
            (b"STARTTLS", _) if self.is_inside_tls => reply("503 5.5.1 this is TLS already"),
            (b"STARTTLS", _) if self.offers_tls() => reply("501 5.5.4 no parameters, please"),
            (b"AUTH", _) if self.setup.auth.is_some() => return Ok(self.begin_auth(rest)),
            (b"DATA", []) => match self.may_send() {
                Ok(()) if self.chunks.is_some() => reply("503 5.5.1 BDAT has begun already"),
                Ok(()) => return Ok(Next::Body(reply("354 end the message with a lone dot"))),
                Err(refusal) => refusal,
            },
            (b"BDAT", _) => return Ok(Next::Chunk(rest.to_vec())),
            (b"EHLO" | b"LHLO" | b"HELO", []) => reply("501 5.5.4 a name or an address literal is missing"),
            (b"HELO", _) => self.begin(Hello::Smtp, reply(&format!("250 {NAME}"))),
            (b"EHLO", _) => self.begin(Hello::Smtp, self.extensions()),
            (b"LHLO", _) => self.begin(Hello::Lmtp, self.extensions()),
            (b"MAIL", _) => self.mail(rest),
            (b"RCPT", _) => self.recipient(rest),
            (b"RSET", []) => {
                (self.envelope, self.chunks) = (None, None);
                reply("250 2.0.0 forgotten")
            }
            (b"NOOP", _) => reply("250 2.0.0 nothing done"),
            (b"VRFY", []) => reply("501 5.5.4 whom?"),
            (b"VRFY", _) => reply("252 2.5.0 send some mail, and see"),
            (b"HELP", _) => help(),
            (b"DATA" | b"RSET" | b"QUIT", _) => reply("501 5.5.4 no parameters, please"),
            _ => reply("500 5.5.2 no such command; HELP lists them"),
        };
        Ok(Next::Reply(reply))
    }

    fn offers_tls(&self) -> bool {
        self.setup.tls.is_some() && !self.is_inside_tls
    }

    fn extensions(&self) -> String {
        let size = format!("SIZE {LARGEST}");
        let mut keywords =
            vec![NAME, "PIPELINING", &size, "8BITMIME", "SMTPUTF8", "CHUNKING", "ENHANCEDSTATUSCODES", "HELP"];
        if self.offers_tls() {
            keywords.push("STARTTLS");
        }
        let auth = self.setup.auth.as_ref().map(|gate| format!("AUTH {}", gate.mechanisms()));
        keywords.extend(auth.as_deref());
        multi_line("250", "", &keywords)
    }

    fn begin_auth(&mut self, rest: &[u8]) -> Next {
        let mut words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let (mechanism, initial) = (words.next().unwrap_or_default(), words.next());
        let exchange = self.setup.auth.as_ref().and_then(|gate| gate.begin(mechanism));
        match exchange {
            _ if self.is_authenticated => Next::Reply(reply("503 5.5.1 you have proven who you are already")),
            _ if self.envelope.is_some() => Next::Reply(reply("503 5.5.1 not during a transaction")),
            None => Next::Reply(reply("504 5.5.4 no such mechanism here")),
            Some(exchange) => Next::Auth(exchange, initial.map(<[u8]>::to_vec)),
        }
    }

    fn authenticate(
        &mut self,
        stream: &dyn Stream,
        mut exchange: Box<dyn Exchange>,
        mut answer: Option<Vec<u8>>,
    ) -> io::Result<String> {
        loop {
            match exchange.step(answer.as_deref()) {
                Step::Challenge(challenge) => write(stream, &mut format!("334 {challenge}\r\n"))?,
                Step::Granted => {
                    self.is_authenticated = true;
                    return Ok(reply("235 2.7.0 welcome"));
                }
                Step::Refused => return Ok(reply("535 5.7.8 wrong user or password")),
                Step::Malformed => return Ok(reply("501 5.5.2 that is no answer")),
            }
            let line = self.input.line()?;
            match line.trim_ascii() {
                _ if !line.ends_with(b"\n") => return Err(io::ErrorKind::UnexpectedEof.into()),
                b"*" => return Ok(reply("501 5.7.0 cancelled")),
                line => answer = Some(line.to_vec()),
            }
        }
    }

    fn begin(&mut self, hello: Hello, reply: String) -> String {
        (self.hello, self.envelope, self.chunks) = (Some(hello), None, None);
        reply
    }

    fn mail(&mut self, rest: &[u8]) -> String {
        let Some((sender, params)) = path(rest, b"FROM:") else {
            return reply("501 5.5.4 the syntax is MAIL FROM:<address>");
        };
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

    fn recipient(&mut self, rest: &[u8]) -> String {
        let Some((recipient, params)) = path(rest, b"TO:").filter(|(recipient, _)| !recipient.is_empty()) else {
            return reply("501 5.5.4 the syntax is RCPT TO:<address>");
        };
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

    fn body(&mut self) -> io::Result<String> {
        let (mut decoder, mut content, mut size) = (BodyDecoder::default(), Vec::new(), 0);
        loop {
            let some = self.input.some()?;
            if some.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let count = some.len();
            let end = decoder.decode(some, &mut content);
            self.input.take(end.unwrap_or(count));
            size += end.unwrap_or(count);
            if size > LARGEST {
                content.clear();
            }
            if end.is_some() {
                return Ok(self.accept(content, size));
            }
        }
    }

    /// Takes the octets that follow a BDAT, whatever is replied to it
    /// ([RFC 3030, section 2](https://www.rfc-editor.org/rfc/rfc3030#section-2)).
    fn chunk(&mut self, rest: &[u8]) -> io::Result<String> {
        let mut words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let size = words.next().and_then(number::<usize>);
        let is_last = match (words.next(), words.next()) {
            (None, _) => false,
            (Some(word), None) if word.eq_ignore_ascii_case(b"LAST") => true,
            _ => return Ok(reply("501 5.5.4 the syntax is BDAT size [LAST]")),
        };
        let Some(size) = size else { return Ok(reply("501 5.5.4 the syntax is BDAT size [LAST]")) };
        let permission = self.may_send();
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
        Ok(match permission {
            Err(refusal) => refusal,
            Ok(()) if is_last => {
                let total = content.len();
                self.accept(content, total)
            }
            Ok(()) => {
                self.chunks = Some(content);
                reply(&format!("250 2.0.0 {size} octets noted"))
            }
        })
    }

    /// Ends the transaction: keeps the message, or refuses it if it is too large.
    fn accept(&mut self, content: Vec<u8>, size: usize) -> String {
        let envelope = self.envelope.take().unwrap_or_default();
        let count = if self.hello == Some(Hello::Lmtp) { envelope.recipients.len() } else { 1 };
        if size > LARGEST {
            return reply("552 5.3.4 the message is too large").repeat(count);
        }
        let text = format!("250 2.0.0 message of {} octets accepted", content.len());
        self.shared.keep(Message { sender: envelope.sender, recipients: envelope.recipients, content });
        reply(&text).repeat(count)
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

fn reply(text: &str) -> String {
    format!("{text}\r\n")
}

fn help() -> String {
    multi_line(
        "214",
        "2.0.0 ",
        &[
            "EHLO HELO LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT (STARTTLS, AUTH)",
            "RCPT TO:<refused@...> is refused, RCPT TO:<later@...> for now",
            "Messages are kept in memory, and delivered nowhere",
        ],
    )
}

fn multi_line(code: &str, enhanced: &str, lines: &[&str]) -> String {
    let mut reply = String::new();
    for (index, line) in lines.iter().enumerate() {
        let separator = if index + 1 < lines.len() { '-' } else { ' ' };
        reply.push_str(&format!("{code}{separator}{enhanced}{line}\r\n"));
    }
    reply
}

const NAME: &str = "loopback.mconnect.test";
/// The largest message that is taken, in octets.
const LARGEST: usize = 100 * 1024 * 1024;
const MOST_RECIPIENTS: usize = 1000;
/// How long a client may be idle ([RFC 5321, section 4.5.3.2.7](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.2.7)).
const PATIENCE: Duration = Duration::from_secs(5 * 60);
