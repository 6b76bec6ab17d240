//! Playing the server's side of a dialogue.
//!
//! The mirror of `dialogue::play`: what that sends is expected here, by the same `deliver`, and what it expects is
//! said. There is no session of the library's on this side: the socket is read and written as it is, since a dialogue
//! may say what no session would. A tracker follows both directions as a client's does, for one thing alone: so that
//! the same counts as a secret here, in what is told of a deviation, as there.

mod expect;
mod keywords;

use std::collections::VecDeque;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::input::Input;
use super::setup::Setup;
use super::{Said, ServerError, Shared, failed, header, is_late, write};
use crate::dialogue::{
    Deadlines, Dialogue, Directive, Mark, NOT_READ, OVER, Separator, Side, Step, Values, deliver, no_value,
};
use crate::protocol::{Limits, LineBuffer, Tracker};
use crate::stream::Stream;

/// Plays one session to a client. Whatever comes of it, the connection is closed at the end.
///
/// # Errors
/// The first step that was not met, as [`ServerError::Deviation`]; what the system says where the connection cannot be
/// used.
pub(super) fn serve(
    dialogue: &Dialogue,
    session: usize,
    socket: TcpStream,
    values: &Values,
    setup: &Setup,
    shared: &Shared,
) -> Result<(), ServerError> {
    let result = Game::begin(session, &socket, values, setup, shared).and_then(|mut game| game.run(dialogue.steps()));
    shared.forget(session);
    result
}

/// A dialogue under way with one client.
struct Game<'a> {
    session: usize,
    socket: &'a TcpStream,
    /// The socket, or TLS over it.
    stream: Arc<dyn Stream>,
    /// The version of TLS, inside it.
    tls: Option<String>,
    /// Who has proven who it is.
    user: Option<String>,
    input: Input,
    /// What is to be said next, together.
    out: Vec<u8>,
    values: Values,
    deadlines: Deadlines,
    last_lines: VecDeque<Said>,
    /// What the client says is an answer or a body, and no command, until something else is said to it: there is no
    /// keyword in it.
    takes_text: bool,
    /// Follows both sides as a client's does, so that the same counts as a secret.
    tracker: Tracker,
    /// The same, before the step under way.
    before: Tracker,
    /// What was said and has not ended a line yet.
    said: LineBuffer,
    setup: &'a Setup,
    shared: &'a Shared,
}

impl<'a> Game<'a> {
    /// Begins with what the setup has, in the clear.
    fn begin(
        session: usize,
        socket: &'a TcpStream,
        values: &Values,
        setup: &'a Setup,
        shared: &'a Shared,
    ) -> Result<Self, ServerError> {
        let stream: Arc<dyn Stream> = Arc::new(socket.try_clone().map_err(failed("use the connection"))?);
        Ok(Self {
            session,
            socket,
            input: Input::new(Arc::clone(&stream)),
            stream,
            tls: None,
            user: None,
            out: Vec::new(),
            values: values.clone(),
            deadlines: Deadlines::new(setup.factor),
            last_lines: VecDeque::new(),
            takes_text: false,
            tracker: Tracker::new(),
            before: Tracker::new(),
            said: LineBuffer::new(Limits::default().line),
            setup,
            shared,
        })
    }

    /// Goes through the steps; an error is the first that was not met. Lines go out when something is expected, or at
    /// the end.
    fn run(&mut self, steps: &[Step]) -> Result<(), ServerError> {
        if let (true, Some(first)) = (self.setup.takes_header, steps.first()) {
            let patience = self.deadlines.scaled(STEP_PATIENCE);
            let got = match header::read(&*self.stream, patience) {
                Ok(Ok(header)) => {
                    self.shared.note_header(self.session, header);
                    None
                }
                Ok(Err(invalid)) => Some(format!("what is none: {invalid}")),
                Err(error) if is_late(&error) => Some(format!("nothing in {patience:?}")),
                Err(error) => Some(error.to_string()),
            };
            if let Some(got) = got {
                return Err(self.deviation_from(first, "a PROXY header".to_owned(), got));
            }
        }
        if let (true, Some(first)) = (self.setup.is_tls_first, steps.first()) {
            let patience = self.deadlines.scaled(STEP_PATIENCE);
            let met = self.start_tls(patience);
            self.judge(first, met, patience)?;
        }
        for step in steps {
            match (step.side, &step.directive) {
                (
                    Side::Server,
                    Directive::Reply(_) | Directive::Bytes(_) | Directive::File(_) | Directive::Octets(_),
                ) => {
                    self.say(step)?;
                    self.in_time(step)?;
                    continue;
                }
                (Side::Neither, Directive::Include(_)) => {
                    return Err(self.deviation(step, NOT_READ.to_owned()));
                }
                (Side::Neither, directive) => {
                    self.deadlines.take(directive);
                    if let Directive::Secret(name) = directive {
                        self.values.hide(name.clone());
                    }
                    continue;
                }
                _ => self.flush(step)?,
            }
            match (step.side, &step.directive) {
                (Side::Server, Directive::HalfClose) => drop(self.stream.half_close()),
                (Side::Server, Directive::Close) => return self.close(),
                (Side::Server, Directive::Truncate(how)) => {
                    let ended = self.stream.truncate(*how);
                    self.judge(step, ended.map(Ok), Duration::ZERO)?;
                    self.shared.forget(self.session);
                    drop(self.input.drain());
                    return Ok(());
                }
                (Side::Server, Directive::Reset) => {
                    // Closing the last handle with a linger of zero makes the system send a reset.
                    let linger = SockRef::from(self.socket).set_linger(Some(Duration::ZERO));
                    return linger.map_err(failed("reset the connection"));
                }
                (Side::Server, Directive::EndTls) => {
                    let patience = self.deadlines.at_most(self.deadlines.scaled(STEP_PATIENCE));
                    let met = self.end_tls(false, patience);
                    self.judge(step, met, patience)?;
                }
                (Side::Server, Directive::Pause(time) | Directive::Silence(time)) => self.deadlines.pause(*time),
                (Side::Client, _) => self.expect(step)?,
                _ => {}
            }
            self.in_time(step)?;
        }
        let Some(last) = steps.last() else { return self.close() };
        // The client hears its last reply all the same.
        let ended = self.look_back(steps);
        self.flush(last)?;
        self.in_time(last)?;
        self.close()?;
        ended
    }

    /// Looks at what the client has sent behind the last step, before it hears the last reply: nothing asked for that.
    /// Where the end is a pause, the end of a direction, or a handshake, it may go on as it likes. It waits a
    /// millisecond, no longer: what comes after that reply is not looked at.
    fn look_back(&mut self, steps: &[Step]) -> Result<(), ServerError> {
        let last = steps.iter().rfind(|step| step.side != Side::Neither);
        let Some(last) = last.filter(|last| {
            matches!(
                last.directive,
                Directive::Reply(_)
                    | Directive::Line(_)
                    | Directive::Bytes(_)
                    | Directive::Body(_)
                    | Directive::File(_)
                    | Directive::Octets(_)
                    | Directive::Authenticate { .. }
            )
        }) else {
            return Ok(());
        };
        self.input.deadline = Some(Instant::now() + LEAST);
        let came = self.input.some().map(<[u8]>::to_vec).unwrap_or_default();
        if came.is_empty() {
            return Ok(());
        }
        let got = format!("{}, which nothing asked for", self.concealed(&came));
        Err(self.deviation_from(last, "the end of the dialogue".to_owned(), got))
    }

    /// Puts what a step says to what is said together; where that is a lot, it goes out at once.
    fn say(&mut self, step: &Step) -> Result<(), ServerError> {
        match &step.directive {
            Directive::Reply(wanted) if matches!(wanted.mark, Mark::Begins | Mark::Exactly) => {
                let text = self.values.fill(&wanted.text).map_err(|name| self.deviation(step, no_value(&name)))?;
                let separator: &[u8] = match wanted.separator {
                    Separator::Nothing => b"",
                    Separator::Space => b" ",
                    Separator::Hyphen => b"-",
                };
                for part in [wanted.code.as_str().as_bytes(), separator, &text, b"\r\n"] {
                    self.out.extend_from_slice(part);
                }
            }
            // Alternatives and optional replies are not said.
            Directive::Reply(_) => {}
            _ => {
                let (values, mut failure) = (self.values.clone(), None);
                let delivered = deliver(step, &values, &mut |bytes| {
                    self.out.extend_from_slice(bytes);
                    match self.out.len() >= BLOCK {
                        true => self.flush(step).map_err(|error| {
                            failure = Some(error);
                            String::new()
                        }),
                        false => Ok(()),
                    }
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

    /// Says what is to be said together; `step` is the one that this is for.
    fn flush(&mut self, step: &Step) -> Result<(), ServerError> {
        let bytes = std::mem::take(&mut self.out);
        for line in bytes.split_inclusive(|byte| *byte == b'\n').take(MOST_SHOWN) {
            self.takes_text = line.starts_with(b"334") || line.starts_with(b"354");
            self.note(Side::Server, line.trim_ascii_end());
        }
        self.follow_said(&bytes);
        let patience = self.deadlines.at_most(self.deadlines.scaled(STEP_PATIENCE)).max(LEAST);
        let written = self.stream.set_write_timeout(Some(patience));
        let written = written.and_then(|()| write(&*self.stream, &bytes, Instant::now().checked_add(patience)));
        written.map_err(|error| {
            let got = match is_late(&error) {
                true => format!("a client that has not read on in {patience:?}"),
                false => format!("a client that has gone ({error})"),
            };
            self.deviation(step, got)
        })
    }

    /// Follows what is said, so that the tracker knows whether an answer is due.
    fn follow_said(&mut self, bytes: &[u8]) {
        self.said.extend(bytes);
        while let Some(line) = self.said.next_line() {
            self.tracker.received(line);
        }
    }

    /// Sees to it that the session has time left.
    fn in_time(&self, step: &Step) -> Result<(), ServerError> {
        if self.deadlines.are_over() { Err(self.deviation(step, OVER.to_owned())) } else { Ok(()) }
    }

    /// Notes a line for the transcript, and among the last ones.
    fn note(&mut self, side: Side, line: &[u8]) {
        let said = Said { side, line: self.values.mask(line).into_owned() };
        if self.last_lines.len() == LAST_LINES {
            self.last_lines.pop_front();
        }
        self.last_lines.push_back(said.clone());
        self.shared.note(self.session, said);
    }

    /// Makes the error of a step that was not met, as it is shown: without what was a secret when its turn came.
    fn deviation(&self, step: &Step, got: String) -> ServerError {
        self.deviation_from(step, step.shown(&self.before), got)
    }

    /// The same, where something else than the step was expected.
    fn deviation_from(&self, step: &Step, expected: String, got: String) -> ServerError {
        let last_lines = self.last_lines.iter().map(|said| format!("{said:?}")).collect();
        ServerError::Deviation { file: step.file.clone(), line: step.line, expected, got, last_lines }
    }

    /// Closes, and forgets the connection.
    fn close(&mut self) -> Result<(), ServerError> {
        self.shared.forget(self.session);
        // What a client does after that is its own affair.
        drop(self.setup.close(&*self.stream, &mut self.input, self.tls.is_some()));
        Ok(())
    }
}

/// How long a client may take for a step, unless the dialogue says otherwise.
const STEP_PATIENCE: Duration = Duration::from_secs(10);
/// The system takes no timeout of zero.
const LEAST: Duration = Duration::from_millis(1);
/// What goes out together is at most about this many octets.
const BLOCK: usize = 64 * 1024;
/// How many lines of what goes out together are noted.
const MOST_SHOWN: usize = 1000;
/// How many lines a deviation shows.
const LAST_LINES: usize = 20;
