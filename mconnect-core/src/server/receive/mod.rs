//! The receiver: one client's session, from the greeting to the end.
//!
//! ```text
//!    Greeting ─► command ◄──────────────────────────────┐
//!                  │  demand: 530 before TLS, or AUTH   │ Next::Reply: kept, and said when no line is left to read
//!                  │  rules: consult, then as usual     │
//!                  └─► MAIL, RCPT, DATA, AUTH ... ──────┘
//!                          └─► Next::Last: 221, 421, a close or a reset
//! ```
//!
//! Replies are kept while commands are there, so that those of a pipelined group go out together ([RFC 2920, section
//! 3.2](https://www.rfc-editor.org/rfc/rfc2920#section-3.2)). At each stage the rules are asked first; a rule that
//! grants only puts its words in the place of the usual ones, and what is usual is done.

mod authentication;
mod transaction;

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use super::input::Input;
use super::rules::{Act, Counts, Stage, consult, meaning};
use super::setup::Setup;
use super::{Said, Shared, header, is_late, write};
use crate::dialogue::Side;
use crate::protocol::{Meaning, hide, is_base64_line, secret_start};
use crate::stream::Stream;
use transaction::Envelope;

/// Serves a client until one of the two is done.
pub(super) fn serve(socket: &TcpStream, session: usize, shared: &Shared, setup: &Setup) -> io::Result<()> {
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let stream: Arc<dyn Stream> = Arc::new(socket.try_clone()?);
    if setup.takes_header {
        match header::read(&*stream, PATIENCE)? {
            Ok(header) => shared.note_header(session, header),
            Err(_) => return Ok(()),
        }
        socket.set_read_timeout(Some(PATIENCE))?;
    }
    let mut receiver = Receiver {
        session,
        shared,
        setup,
        input: Input::new(Arc::clone(&stream)),
        stream,
        counts: Counts::default(),
        replies: String::new(),
        tls: None,
        user: None,
        hello: None,
        envelope: None,
        chunks: None,
    };
    if setup.is_tls_first && setup.tls.is_some() {
        receiver.start_tls()?;
    }
    let end = receiver.converse()?;
    let Receiver { stream, mut input, tls, .. } = receiver;
    match end {
        End::Reset => SockRef::from(socket).set_linger(Some(Duration::ZERO)),
        End::Closed => setup.close(&*stream, &mut input, tls.is_some()),
    }
}

/// A session under way with one client.
struct Receiver<'a> {
    session: usize,
    shared: &'a Shared,
    setup: &'a Setup,
    /// The socket, or TLS over it.
    stream: Arc<dyn Stream>,
    input: Input,
    /// How often each rule could have held in this session.
    counts: Counts,
    /// What is to be said next, together.
    replies: String,
    /// The version of TLS, inside it.
    tls: Option<String>,
    /// Who has authenticated.
    user: Option<String>,
    /// How the client has greeted, once it has.
    hello: Option<Hello>,
    /// The transaction, from MAIL to the end of its message.
    envelope: Option<Envelope>,
    /// The content so far, when it comes in chunks.
    chunks: Option<Vec<u8>>,
}

/// Which protocol was asked for: by EHLO or HELO, or by LHLO.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hello {
    Smtp,
    Lmtp,
}

/// How a session ends.
enum End {
    Closed,
    Reset,
}

/// How a session goes on.
enum Next {
    Reply(String),
    /// The last reply, and the end.
    Last(String, End),
}

impl Receiver<'_> {
    /// Goes through the session, a line at a time, up to its end. A client that goes without a word is one, too.
    fn converse(&mut self) -> io::Result<End> {
        let greeting = format!("220 {} ESMTP mconnect loopback server", self.setup.name);
        let mut next =
            self.unless_ruled(Stage::Greeting, &[], |_, words| Ok(Next::Reply(words.unwrap_or(reply(&greeting)))))?;
        loop {
            match next {
                Next::Reply(reply) => self.replies.push_str(&reply),
                Next::Last(reply, end) => {
                    self.replies.push_str(&reply);
                    self.flush()?;
                    return Ok(end);
                }
            }
            // Replies to a pipelined group go out together (RFC 2920, section 3.2).
            if !self.input.has_line() {
                self.flush()?;
            }
            let line = match self.input.line() {
                Ok(line) => line,
                Err(error) if is_late(&error) => {
                    next = Next::Last(reply("421 4.4.2 idle for too long, closing"), End::Closed);
                    continue;
                }
                Err(error) => return Err(error),
            };
            if line.is_empty() {
                return Ok(End::Closed);
            }
            next = match line.strip_suffix(b"\n") {
                Some(line) => self.command(line.trim_ascii())?,
                None => {
                    // A piece of a line that is too long: the rest of it, or the end, follows.
                    while matches!(self.input.line()?.as_slice(), [.., last] if *last != b'\n') {}
                    Next::Reply(reply("500 5.5.6 the line is too long"))
                }
            };
        }
    }

    /// Does what a line asks for.
    fn command(&mut self, line: &[u8]) -> io::Result<Next> {
        let (verb, rest) = line.split_at(line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len()));
        let rest = rest.trim_ascii();
        let verb = verb.to_ascii_uppercase();
        self.note_command(line);
        if let Some(refusal) = self.demand(&verb) {
            return Ok(Next::Reply(refusal));
        }
        let reply = match (verb.as_slice(), rest) {
            (b"QUIT", []) => {
                return self.unless_ruled(Stage::Quit, &[], |_, words| {
                    Ok(Next::Last(words.unwrap_or(reply("221 2.0.0 goodbye")), End::Closed))
                });
            }
            (b"STARTTLS", []) if self.offers_tls() => {
                return self.unless_ruled(Stage::StartTls, &[], |receiver, words| {
                    receiver.replies.push_str(&words.unwrap_or(reply("220 2.0.0 go ahead")));
                    receiver.start_tls().map(|()| Next::Reply(String::new()))
                });
            }
            (b"STARTTLS", _) if self.tls.is_some() => reply("503 5.5.1 this is TLS already"),
            (b"STARTTLS", _) if self.offers_tls() => reply("501 5.5.4 no parameters, please"),
            (b"AUTH", _) if self.offers_auth() => return self.authenticate(rest),
            (b"DATA", []) => return self.data(),
            (b"BDAT", _) if self.setup.offers("CHUNKING") => {
                self.flush()?;
                return self.chunk(rest);
            }
            (b"EHLO" | b"LHLO" | b"HELO", []) => reply("501 5.5.4 a name or an address literal is missing"),
            (b"EHLO" | b"LHLO" | b"HELO", _) => {
                return self.unless_ruled(Stage::Hello, &[rest], |receiver, words| Ok(receiver.hello(&verb, words)));
            }
            (b"MAIL", _) => return self.mail(rest),
            (b"RCPT", _) => return self.recipient(rest),
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

    /// Returns the refusal of a command before which something else has to come ([RFC 3207, section
    /// 4](https://www.rfc-editor.org/rfc/rfc3207#section-4), [RFC 4954, section
    /// 6](https://www.rfc-editor.org/rfc/rfc4954#section-6)). The octets behind a BDAT come all the same, so that it is
    /// not refused here.
    fn demand(&self, verb: &[u8]) -> Option<String> {
        let is_open = matches!(verb, b"EHLO" | b"LHLO" | b"NOOP" | b"QUIT" | b"STARTTLS" | b"BDAT");
        let needs_no_user = is_open || matches!(verb, b"HELO" | b"AUTH" | b"RSET");
        if self.setup.needs_tls && self.tls.is_none() && !is_open {
            return Some(reply("530 5.7.0 STARTTLS first"));
        }
        let is_missing = self.setup.needs_auth && self.user.is_none() && !needs_no_user;
        is_missing.then(|| reply("530 5.7.0 AUTH first"))
    }

    /// Does what the rules say at this stage, or what is usual; that gets the words of a rule that grants, to say them
    /// in the place of its own.
    fn unless_ruled(
        &mut self,
        stage: Stage,
        what: &[&[u8]],
        usual: impl FnOnce(&mut Self, Option<String>) -> io::Result<Next>,
    ) -> io::Result<Next> {
        match self.consult(stage, what)? {
            Act::AsUsual => usual(self, None),
            Act::Reply(words) if meaning(&words, stage.request()).is_some_and(Meaning::lets_go_on) => {
                usual(self, Some(words))
            }
            act => Ok(ruled(act)),
        }
    }

    /// Asks the rules what to do at this stage, and waits as long as they say.
    fn consult(&mut self, stage: Stage, what: &[&[u8]]) -> io::Result<Act> {
        if self.setup.rules.is_empty() {
            return Ok(Act::AsUsual);
        }
        let mut state = self.shared.state();
        let (wait, act) = consult(&self.setup.rules, stage, what, &mut state.counts, &mut self.counts);
        drop(state);
        if !wait.is_zero() {
            self.flush()?;
            thread::sleep(wait);
        }
        Ok(act)
    }

    /// Says whether STARTTLS is offered: not inside TLS.
    fn offers_tls(&self) -> bool {
        self.setup.tls.is_some() && self.tls.is_none()
    }

    /// Says whether AUTH is offered: where TLS is demanded, only inside it.
    fn offers_auth(&self) -> bool {
        self.setup.auth.is_some() && (self.tls.is_some() || !self.setup.needs_tls)
    }

    /// Shakes hands; what was sent behind STARTTLS is dropped with the input (RFC 3207, section 4.2).
    fn start_tls(&mut self) -> io::Result<()> {
        self.flush()?;
        let Some(tls) = &self.setup.tls else { return Ok(()) };
        let (stream, version) = tls.accept(Arc::clone(&self.stream), PATIENCE)?;
        self.stream = stream;
        // A handshake leaves none.
        self.stream.set_read_timeout(Some(PATIENCE))?;
        self.stream.set_write_timeout(Some(PATIENCE))?;
        self.input = Input::new(Arc::clone(&self.stream));
        self.shared.note_tls(self.session, &version);
        (self.tls, self.user) = (Some(version), None);
        (self.hello, self.envelope, self.chunks) = (None, None, None);
        Ok(())
    }

    /// Greets, which begins anew ([RFC 5321, section 4.1.4](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.4)).
    fn hello(&mut self, verb: &[u8], words: Option<String>) -> Next {
        let hello = if verb == b"LHLO" { Hello::Lmtp } else { Hello::Smtp };
        (self.hello, self.envelope, self.chunks) = (Some(hello), None, None);
        Next::Reply(words.unwrap_or_else(|| match verb {
            b"HELO" => reply(&format!("250 {}", self.setup.name)),
            _ => self.extensions(),
        }))
    }

    /// Writes the reply to EHLO: what the setup offers, and STARTTLS and AUTH where they are.
    fn extensions(&self) -> String {
        let mut lines: Vec<String> = [self.setup.name.clone()].into_iter().chain(self.setup.offered()).collect();
        if self.offers_tls() {
            lines.push("STARTTLS".to_owned());
        }
        let channel = self.stream.channel_bindings();
        let gate = self.setup.auth.as_ref().filter(|_| self.offers_auth());
        lines.extend(gate.map(|gate| format!("AUTH {}", gate.mechanisms(&channel))));
        multi_line("250", "", &lines.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Says what is to be said.
    fn flush(&mut self) -> io::Result<()> {
        let replies = std::mem::take(&mut self.replies);
        for line in replies.lines() {
            self.note(Side::Server, line.as_bytes());
        }
        write(&*self.stream, replies.as_bytes(), None)
    }

    /// Notes a command, without the secret in it.
    fn note_command(&self, line: &[u8]) {
        // A line of base64 is no command, but may be an answer that comes after AUTH was refused.
        let secret = if is_base64_line(line) { Some(0) } else { secret_start(line) };
        let secret = secret.map(|start| start..line.len()).filter(|secret| !secret.is_empty());
        self.note(Side::Client, &hide(line, secret.as_slice()));
    }

    fn note(&self, side: Side, line: &[u8]) {
        self.shared.note(self.session, Said { side, line: line.to_vec() });
    }
}

/// Returns what comes of a rule that says more than to wait.
fn ruled(act: Act) -> Next {
    match act {
        Act::Reply(reply) if reply.starts_with("421") => Next::Last(reply, End::Closed),
        Act::Reply(reply) => Next::Reply(reply),
        Act::Reset => Next::Last(String::new(), End::Reset),
        Act::Close | Act::AsUsual => Next::Last(String::new(), End::Closed),
    }
}

/// Ends a line.
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

/// Writes a reply of several lines.
fn multi_line(code: &str, enhanced: &str, lines: &[&str]) -> String {
    let mut reply = String::new();
    for (index, line) in lines.iter().enumerate() {
        let separator = if index + 1 < lines.len() { '-' } else { ' ' };
        reply.push_str(&format!("{code}{separator}{enhanced}{line}\r\n"));
    }
    reply
}

/// How long a client may be idle ([RFC 5321, section
/// 4.5.3.2.7](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.2.7)).
const PATIENCE: Duration = Duration::from_secs(5 * 60);

#[cfg(all(test, unix))]
mod tests {
    use std::io::Read as _;
    use std::sync::Mutex;

    use super::*;
    use crate::server::setup::Accept;

    /// Leaves the stream without timeouts, as a handshake does, and keeps it.
    #[derive(Default)]
    struct Handshake(Mutex<Option<Arc<dyn Stream>>>);

    impl Accept for Handshake {
        fn accept(&self, stream: Arc<dyn Stream>, _: Duration) -> io::Result<(Arc<dyn Stream>, String)> {
            stream.set_read_timeout(None)?;
            stream.set_write_timeout(None)?;
            *self.0.lock().expect("nobody panics with it") = Some(Arc::clone(&stream));
            Ok((stream, String::new()))
        }

        fn end(&self, stream: &dyn Stream) -> io::Result<()> {
            stream.half_close()
        }
    }

    #[test]
    fn a_client_may_not_be_idle_for_ever_after_a_handshake_either() {
        let handshake = Arc::new(Handshake::default());
        let server = Setup { tls: Some(Arc::<Handshake>::clone(&handshake)), is_tls_first: true, ..Setup::new() };
        let server = server.start().unwrap();
        let mut client = TcpStream::connect(server.address()).unwrap();
        client.read_exact(&mut [0; 4]).unwrap();
        let stream = handshake.0.lock().unwrap().take().unwrap();
        let fd = stream.as_fd().unwrap();
        let timeouts = [SockRef::from(&fd).read_timeout().unwrap(), SockRef::from(&fd).write_timeout().unwrap()];
        assert_eq!(timeouts, [Some(PATIENCE); 2]);
    }
}
