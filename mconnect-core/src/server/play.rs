//! Playing the server's side of a dialogue.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::input::Input;
use super::{Message, Said, ServerError, Shared};
use crate::dialogue::{Deed, Dialogue, Mark, Separator, Side, Step, Text, Values, Whole, deliver};
use crate::protocol::{BodyDecoder, CrlfEncoder, Visible};

/// Plays one session to a client. Whatever comes of it, the connection is closed at the end.
pub(super) fn serve(
    dialogue: &Dialogue,
    session: usize,
    stream: TcpStream,
    values: &Values,
    shared: &Shared,
) -> Result<(), ServerError> {
    let result = play(dialogue, session, &stream, values, shared);
    shared.forget(&stream);
    result
}

fn play(
    dialogue: &Dialogue,
    session: usize,
    stream: &TcpStream,
    values: &Values,
    shared: &Shared,
) -> Result<(), ServerError> {
    let mut game = Game {
        session,
        stream,
        input: Input::new(stream),
        out: Vec::new(),
        values: values.clone(),
        next: None,
        each: STEP_PATIENCE,
        end: None,
        last_lines: VecDeque::new(),
        shared,
    };
    for step in dialogue.steps() {
        match (step.side, &step.deed) {
            (Side::Server, Deed::Line(_) | Deed::Reply(_) | Deed::Bytes(_) | Deed::File(_) | Deed::Octets(_)) => {
                game.say(step)?;
                continue;
            }
            (Side::Neither, deed) => {
                game.obey(deed);
                continue;
            }
            _ => game.flush()?,
        }
        match (step.side, &step.deed) {
            (Side::Server, Deed::HalfClose) => drop(stream.shutdown(Shutdown::Write)),
            (Side::Server, Deed::Close) => return close(stream, shared),
            (Side::Server, Deed::Reset) => {
                // Closing the last handle with a linger of zero makes the system send a reset.
                return SockRef::from(stream)
                    .set_linger(Some(Duration::ZERO))
                    .map_err(|source| ServerError::Io { action: "reset the connection", source });
            }
            (Side::Server, Deed::Pause(time) | Deed::Silence(time)) => thread::sleep(*time),
            (Side::Client, _) => game.expect(step)?,
            _ => {}
        }
    }
    game.flush()?;
    close(stream, shared)
}

struct Game<'a> {
    session: usize,
    stream: &'a TcpStream,
    input: Input<'a>,
    /// What is to be said next, together.
    out: Vec<u8>,
    values: Values,
    next: Option<Duration>,
    each: Duration,
    end: Option<Instant>,
    last_lines: VecDeque<String>,
    shared: &'a Shared,
}

/// What came, if it was not what was expected.
type Met = io::Result<Result<(), String>>;

impl Game<'_> {
    fn say(&mut self, step: &Step) -> Result<(), ServerError> {
        let impossible = |got: String| self.deviation(step, got);
        match &step.deed {
            Deed::Reply(wanted) if matches!(wanted.mark, Mark::Begins | Mark::Exactly) => {
                let text = self.values.fill(&wanted.text).map_err(|name| impossible(no_value(&name)))?;
                let separator = match wanted.separator {
                    Separator::Nothing => "",
                    Separator::Space => " ",
                    Separator::Hyphen => "-",
                };
                self.out.extend_from_slice(wanted.code.as_str().as_bytes());
                self.out.extend_from_slice(separator.as_bytes());
                self.out.extend_from_slice(&text);
                self.out.extend_from_slice(b"\r\n");
            }
            Deed::Reply(_) => {}
            _ => {
                let (values, mut failure) = (self.values.clone(), None);
                let delivered = deliver(step, &values, &mut |bytes| {
                    self.out.extend_from_slice(bytes);
                    if self.out.len() >= BLOCK
                        && let Err(error) = self.flush()
                    {
                        failure = Some(error);
                        return Err(String::new());
                    }
                    Ok(())
                });
                match (failure, delivered) {
                    (Some(error), _) => return Err(error),
                    (None, Some(Err(got))) => return Err(self.deviation(step, got)),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn obey(&mut self, deed: &Deed) {
        match deed {
            Deed::Within(time) => self.next = Some(*time),
            Deed::EachWithin(time) => self.each = *time,
            Deed::AllWithin(time) => self.end = Instant::now().checked_add(*time),
            Deed::Secret(name) => self.values.hide(name.clone()),
            _ => {}
        }
    }

    fn expect(&mut self, step: &Step) -> Result<(), ServerError> {
        let patience = match &step.deed {
            Deed::Pause(_) => return Ok(()),
            Deed::Silence(time) => *time,
            _ => self.patience(),
        };
        // The system takes no timeout of zero.
        let timeout = Some(patience.max(Duration::from_millis(1)));
        self.stream.set_read_timeout(timeout).map_err(|source| ServerError::Io { action: "set a timeout", source })?;
        let met = match &step.deed {
            Deed::Line(text) => self.expect_line(text),
            Deed::Bytes(_) | Deed::File(_) => self.expect_bytes(step),
            Deed::Octets(count) => self.skip_octets(*count),
            Deed::Body(file) => self.expect_body(step, file.as_ref()),
            Deed::HalfClose | Deed::Close | Deed::Reset => {
                self.input.line().map(|line| if line.is_empty() { Ok(()) } else { Err(shown(&line)) })
            }
            Deed::Silence(_) => self.input.some().map(|some| Err(shown(some))),
            Deed::StartTls | Deed::Tls | Deed::EndTls => Ok(Err("no TLS: this needs the feature tls".to_owned())),
            Deed::Authenticate { .. } => Ok(Err("no authentication: this build has none".to_owned())),
            _ => Ok(Ok(())),
        };
        match (met, &step.deed) {
            (Ok(Ok(())), _) => Ok(()),
            (Ok(Err(got)), _) => Err(self.deviation(step, got)),
            (Err(error), Deed::Close | Deed::Reset) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
            (Err(error), deed) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                match deed {
                    Deed::Silence(_) => Ok(()),
                    _ => Err(self.deviation(step, format!("nothing in {patience:?}"))),
                }
            }
            (Err(error), _) => Err(self.deviation(step, error.to_string())),
        }
    }

    fn expect_line(&mut self, text: &Text) -> Met {
        let line = self.input.line()?;
        let Some(sent) = line.strip_suffix(b"\r\n") else { return Ok(Err(shown(&line))) };
        self.heard(sent);
        match matches_line(&self.values, text, sent) {
            Some(taken) => {
                for (name, value) in taken {
                    self.values.set(name, value);
                }
                Ok(Ok(()))
            }
            None => Ok(Err(shown(&self.values.mask(&line)))),
        }
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
        self.heard(&sent);
        Ok(if sent == wanted { Ok(()) } else { Err(shown(&self.values.mask(&sent))) })
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
            Err(content) => return Ok(Err(format!("{} octets and no lone dot", content.len()))),
        };
        let file = match file.map(|file| self.values.fill(file)) {
            None => None,
            Some(Err(name)) => return Ok(Err(no_value(&name))),
            Some(Ok(name)) => {
                let path = crate::dialogue::path_of(step, &name);
                match std::fs::read(&path) {
                    Ok(file) => Some(file),
                    Err(error) => return Ok(Err(format!("cannot read {}: {error}", path.display()))),
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

    fn heard(&mut self, line: &[u8]) {
        self.note(Side::Client, line);
    }

    fn note(&mut self, side: Side, line: &[u8]) {
        let line = self.values.mask(line);
        if self.last_lines.len() == LAST_LINES {
            self.last_lines.pop_front();
        }
        let mark = if side == Side::Client { 'C' } else { 'S' };
        self.last_lines.push_back(format!("{mark}: {}", Visible(&line)));
        self.shared.note(Said { session: self.session, side, line });
    }

    fn flush(&mut self) -> Result<(), ServerError> {
        let bytes = std::mem::take(&mut self.out);
        for line in bytes.split_inclusive(|byte| *byte == b'\n').take(MOST_SHOWN) {
            self.note(Side::Server, line.trim_ascii_end());
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let mut stream = self.stream;
        stream.write_all(&bytes).map_err(|source| ServerError::Io { action: "write to the client", source })
    }

    /// Gives the time that the next step of the client's may take.
    fn patience(&mut self) -> Duration {
        let patience = self.next.take().unwrap_or(self.each);
        match self.end {
            Some(end) => patience.min(end.saturating_duration_since(Instant::now())),
            None => patience,
        }
    }

    fn deviation(&self, step: &Step, got: String) -> ServerError {
        ServerError::Deviation {
            file: step.file.clone(),
            line: step.line,
            expected: step.to_string(),
            got,
            last_lines: self.last_lines.iter().cloned().collect(),
        }
    }
}

/// Compares a line with what it should be; the case of its first word does not matter.
fn matches_line(values: &Values, text: &Text, sent: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    use crate::dialogue::Part;
    let Some(Part::Literal(first)) = text.0.first() else { return values.matches(text, sent, Whole::Yes) };
    let verb = first.iter().position(|byte| *byte == b' ').unwrap_or(first.len());
    let (sent_verb, rest) = sent.split_at_checked(verb)?;
    if !sent_verb.eq_ignore_ascii_case(&first[..verb]) {
        return None;
    }
    let mut parts = text.0.clone();
    parts[0] = Part::Literal(first[verb..].to_vec());
    values.matches(&Text(parts), rest, Whole::Yes)
}

/// Reads a body up to its lone dot; without one, what came instead is the error.
fn body(input: &mut Input<'_>) -> io::Result<Result<Vec<u8>, Vec<u8>>> {
    let (mut decoder, mut content) = (BodyDecoder::default(), Vec::new());
    loop {
        let some = input.some()?;
        if some.is_empty() {
            return Ok(Err(content));
        }
        let size = some.len();
        let end = decoder.decode(some, &mut content);
        input.take(end.unwrap_or(size));
        if end.is_some() {
            return Ok(Ok(content));
        }
    }
}

fn no_value(name: &str) -> String {
    format!("${{{name}}} has no value")
}

fn shown(line: &[u8]) -> String {
    if line.is_empty() { "the end of the stream".to_owned() } else { format!("`{}`", Visible(line)) }
}

/// Closes so that the client can still read everything: what it has sent is read before.
fn close(stream: &TcpStream, shared: &Shared) -> Result<(), ServerError> {
    shared.forget(stream);
    drop(stream.shutdown(Shutdown::Write));
    drop(stream.set_read_timeout(Some(CLOSE_PATIENCE)));
    let mut input = Input::new(stream);
    while let Ok(some) = input.some() {
        let count = some.len();
        if count == 0 {
            break;
        }
        input.take(count);
    }
    Ok(())
}

/// How long a client may take for a step, unless the dialogue says otherwise.
const STEP_PATIENCE: Duration = Duration::from_secs(10);
/// How long a client may take to close after the server did.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);
const BLOCK: usize = 64 * 1024;
const MOST_SHOWN: usize = 1000;
const LAST_LINES: usize = 10;
