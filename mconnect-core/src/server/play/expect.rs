//! What is expected of a client.

use std::fs;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::keywords::keywords;
use super::{Game, LEAST, STEP_PATIENCE, is_late, no_value};
use crate::dialogue::{Deed, OVER, Part, Side, Step, Text, Whole, deliver, lines_hidden, path_of};
use crate::protocol::{BodyDecoder, CrlfEncoder, Visible};
use crate::server::input::Input;
use crate::server::receive::LARGEST;
use crate::server::{Message, ServerError, auth, write};
use crate::stream::left;

/// What came, if it was not what was expected.
type Met = io::Result<Result<(), String>>;

impl Game<'_> {
    pub(super) fn expect(&mut self, step: &Step) -> Result<(), ServerError> {
        let patience = match &step.deed {
            Deed::Pause(_) => return Ok(()),
            Deed::Silence(time) => self.deadlines.at_most(*time),
            _ => {
                let usual = self.deadlines.scaled(STEP_PATIENCE);
                self.deadlines.next_or(usual)
            }
        };
        let deadline = Instant::now().checked_add(patience.max(LEAST));
        self.input.deadline = deadline;
        let met = match &step.deed {
            Deed::Line(text) => self.expect_line(text),
            Deed::Bytes(_) | Deed::File(_) => self.expect_bytes(step),
            Deed::Octets(count) => self.skip_octets(*count),
            Deed::Body(file) => self.expect_body(step, file.as_ref()),
            Deed::HalfClose | Deed::Close | Deed::Reset => {
                self.input.line().map(|line| if line.is_empty() { Ok(()) } else { Err(self.concealed(&line)) })
            }
            Deed::Silence(_) => self.input.some().map(<[u8]>::to_vec).map(|some| Err(self.concealed(&some))),
            Deed::StartTls => match self.expect_line(&Text::from(vec![Part::Literal(b"STARTTLS".to_vec())])) {
                Ok(Ok(())) => {
                    self.out.extend_from_slice(b"220 2.0.0 go ahead\r\n");
                    self.flush(step)?;
                    left(deadline).and_then(|left| self.start_tls(left.unwrap_or(patience)))
                }
                met => met,
            },
            Deed::Tls => self.start_tls(patience),
            Deed::EndTls => self.end_tls(true, patience),
            Deed::Authenticate { mechanism, user, secret } => self.expect_proof(mechanism, user, secret),
            _ => Ok(Ok(())),
        };
        self.judge(step, met, patience)
    }

    /// Makes a deviation of what was not met.
    pub(super) fn judge(&self, step: &Step, met: Met, patience: Duration) -> Result<(), ServerError> {
        let error = match met {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(got)) => return Err(self.deviation(step, got)),
            Err(error) => error,
        };
        let is_late = is_late(&error);
        // The farewell of TLS may be missing when a client closes.
        let is_end = matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof);
        match &step.deed {
            Deed::Silence(time) if is_late && patience < *time => Err(self.deviation(step, OVER.to_owned())),
            Deed::Silence(_) if is_late => Ok(()),
            Deed::Close | Deed::Reset if is_end => Ok(()),
            _ if is_late => Err(self.deviation(step, format!("nothing in {patience:?}"))),
            _ => Err(self.deviation(step, error.to_string())),
        }
    }

    /// Shakes hands.
    pub(super) fn start_tls(&mut self, patience: Duration) -> Met {
        let Some(tls) = &self.setup.tls else { return Ok(Err("no TLS: this needs the feature tls".to_owned())) };
        if !self.input.rest().is_empty() {
            return Ok(Err(format!("{} before the handshake", self.concealed(self.input.rest()))));
        }
        self.stream = tls.accept(Arc::clone(&self.stream), patience)?;
        self.input = Input::new(Arc::clone(&self.stream));
        self.is_inside_tls = true;
        Ok(Ok(()))
    }

    /// Ends TLS, or waits until the client does, at most this long.
    pub(super) fn end_tls(&mut self, awaits: bool, patience: Duration) -> Met {
        if !self.input.rest().is_empty() {
            return Ok(Err(self.concealed(self.input.rest())));
        }
        self.stream.set_read_timeout(Some(patience.max(LEAST)))?;
        self.stream = self.stream.end_tls(awaits)?;
        self.input = Input::new(Arc::clone(&self.stream));
        self.is_inside_tls = false;
        Ok(Ok(()))
    }

    /// Expects a whole exchange of AUTH, and grants it.
    fn expect_proof(&mut self, mechanism: &str, user: &Text, secret: &Text) -> Met {
        let (user, secret) = match (self.values.fill(user), self.values.fill(secret)) {
            (Ok(user), Ok(secret)) => (user, secret),
            (Err(name), _) | (_, Err(name)) => return Ok(Err(no_value(&name))),
        };
        let Some(mut exchange) = auth::exchange(mechanism, &user, &secret) else {
            return Ok(Err(auth::NO_EXCHANGE.to_owned()));
        };
        let line = self.input.line()?;
        let mut words = line.trim_ascii_end().splitn(3, |byte| *byte == b' ');
        let (verb, named, initial) = (words.next(), words.next(), words.next());
        let is_auth = verb.is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH"))
            && named.is_some_and(|named| named.eq_ignore_ascii_case(mechanism.as_bytes()));
        if !is_auth || !line.ends_with(b"\r\n") {
            return Ok(Err(self.heard(&line)));
        }
        let initial_hidden = if initial.is_some() { " [hidden]" } else { "" };
        self.note(Side::Client, format!("AUTH {mechanism}{initial_hidden}").as_bytes());
        let initial = initial.map(<[u8]>::to_vec);
        let (is_granted, reply) = exchange.run(initial, |challenge| {
            self.note(Side::Server, challenge.as_bytes());
            write(&*self.stream, format!("{challenge}\r\n").as_bytes(), self.input.deadline)?;
            let answer = self.input.line()?;
            self.note(Side::Client, if answer == b"*\r\n" { b"*" } else { b"[hidden]" });
            Ok(answer)
        })?;
        self.note(Side::Server, reply.as_bytes());
        write(&*self.stream, format!("{reply}\r\n").as_bytes(), self.input.deadline)?;
        Ok(if is_granted { Ok(()) } else { Err(format!("an exchange that ended with `{reply}`")) })
    }

    fn expect_line(&mut self, text: &Text) -> Met {
        let line = self.input.line()?;
        let Some(sent) = line.strip_suffix(b"\r\n") else { return Ok(Err(self.heard(&line))) };
        let keywords = if self.takes_text { Vec::new() } else { keywords(sent) };
        let met = self.values.matches_command(&text.0, sent, &keywords, Whole::Yes);
        // A command may follow the lone dot at once.
        self.takes_text &= sent != b".";
        let shown = self.heard(&line);
        match met {
            Some(taken) => {
                taken.into_iter().for_each(|(name, value)| self.values.set(name, value));
                Ok(Ok(()))
            }
            None => Ok(Err(shown)),
        }
    }

    /// Notes what the client sent, and gives it as it is shown: without a password.
    fn heard(&mut self, bytes: &[u8]) -> String {
        if bytes.is_empty() {
            return shown(b"");
        }
        let told = lines_hidden(bytes, self.is_challenged);
        let ended = told.iter().rev().take_while(|byte| b"\r\n".contains(byte)).count();
        self.note(Side::Client, &told[..told.len() - ended]);
        shown(&self.values.mask(&told))
    }

    /// Gives what the client sent where nothing should come, as it is shown: without a password.
    fn concealed(&self, bytes: &[u8]) -> String {
        shown(&self.values.mask(&lines_hidden(bytes, self.is_challenged)))
    }

    fn expect_bytes(&mut self, step: &Step) -> Met {
        let mut wanted = Vec::new();
        let delivered = deliver(step, &self.values, &mut |bytes| {
            wanted.extend_from_slice(bytes);
            Ok(())
        });
        if let Some(Err(why)) = delivered {
            return Ok(Err(why));
        }
        let sent = self.exactly(wanted.len())?;
        let shown = self.heard(&sent);
        Ok(if sent == wanted { Ok(()) } else { Err(shown) })
    }

    fn skip_octets(&mut self, count: u64) -> Met {
        let mut left = count;
        while left > 0 {
            let some = self.input.some()?;
            let size = some.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if size == 0 {
                return Ok(Err(format!("{} octets and the end of the stream", count - left)));
            }
            self.input.take(size);
            left -= size as u64;
        }
        Ok(Ok(()))
    }

    fn exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut sent = Vec::new();
        while sent.len() < count {
            let some = self.input.some()?;
            let part = &some[..some.len().min(count - sent.len())];
            if part.is_empty() {
                break;
            }
            sent.extend_from_slice(part);
            let size = part.len();
            self.input.take(size);
        }
        Ok(sent)
    }

    fn expect_body(&mut self, step: &Step, file: Option<&Text>) -> Met {
        let content = match body(&mut self.input)? {
            Ok(content) => content,
            Err(content) if content.len() > LARGEST => {
                return Ok(Err(format!("more than {LARGEST} octets")));
            }
            Err(content) => return Ok(Err(format!("{} octets and no lone dot", content.len()))),
        };
        let file = match file.map(|file| self.values.fill(file)) {
            None => None,
            Some(Err(name)) => return Ok(Err(no_value(&name))),
            Some(Ok(name)) => {
                let path = path_of(step, &name);
                match fs::read(&path) {
                    Ok(file) => Some(file),
                    Err(error) => {
                        return Ok(Err(format!(
                            "cannot read {}: {error}",
                            Visible(path.as_os_str().as_encoded_bytes())
                        )));
                    }
                }
            }
        };
        let is_same = file.is_none_or(|mut file| {
            if !file.is_empty() && !file.ends_with(b"\n") {
                file.push(b'\n');
            }
            let mut wanted = Vec::new();
            CrlfEncoder::default().encode(&file, &mut wanted);
            wanted == content
        });
        let size = content.len();
        self.shared.keep(Message { sender: Vec::new(), recipients: Vec::new(), content });
        Ok(if is_same { Ok(()) } else { Err(format!("another message, of {size} octets")) })
    }
}

/// Reads a body up to its lone dot; without one, or if it is larger than a message may be, what came instead is the error.
fn body(input: &mut Input) -> io::Result<Result<Vec<u8>, Vec<u8>>> {
    let (mut decoder, mut content) = (BodyDecoder::default(), Vec::new());
    loop {
        let some = input.some()?;
        if some.is_empty() {
            return Ok(Err(content));
        }
        let size = some.len();
        let end = decoder.decode(some, &mut content);
        input.take(end.unwrap_or(size));
        match end {
            _ if content.len() > LARGEST => return Ok(Err(content)),
            Some(_) => return Ok(Ok(content)),
            None => {}
        }
    }
}

fn shown(line: &[u8]) -> String {
    if line.is_empty() { "the end of the stream".to_owned() } else { format!("`{}`", Visible(line)) }
}
