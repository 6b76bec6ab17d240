//! Line mode: input goes out by the line, as the phase of the session asks for, while what the server says is shown.
//!
//! ```text
//!   standard input ── input thread ── blocks ──► talker ── Writer ──► server
//!                                                  ▲ waits, ends
//!   standard output ◄── screen ◄── listener thread ┴── Reader ◄────── server
//! ```

mod listener;
mod unsent;

use std::ops::ControlFlow;
use std::ops::ControlFlow::{Break, Continue};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use mconnect_core::protocol::{Code, LineInput, Phase, Request};
use mconnect_core::{Error, Session, Timeouts, Writer};

use crate::failure;
use crate::input::{self, Blocks, Input};
use crate::screen::Screen;
use crate::verdict::{Verdict, say, status};
use listener::Listener;
use unsent::Unsent;

/// When the next line may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// When it was typed.
    Typed,
    /// When the reply to the one before is here.
    InStep,
    /// At once.
    Blind,
}

/// What the two threads know of each other.
#[derive(Debug, Default)]
struct Common {
    /// The sending side was ended after every reply had come: the session may end now.
    is_done: AtomicBool,
    /// Nobody reads what is shown any more.
    is_unheard: AtomicBool,
}

enum Event {
    Input(Input),
    /// The server said that it will close.
    Closing,
    /// The server closed, or the connection broke.
    Gone,
}

/// Hands a session over, until its end.
pub fn run(session: Session, screen: Screen, timeouts: Timeouts, pace: Pace, verdict: &Arc<Verdict>) {
    let (reader, writer) = session.split();
    let (events, told) = channel();
    let common = Arc::<Common>::default();
    let listener = Listener::new(reader, screen, events.clone(), Arc::clone(&common), Arc::clone(verdict));
    let started = thread::Builder::new()
        .name("listener".to_owned())
        .spawn(move || listener.listen())
        .and_then(|listening| Ok((listening, input::start(move |input| events.send(Event::Input(input)).is_ok())?)));
    let (listening, blocks) = match started {
        Ok(started) => started,
        Err(error) => return verdict.complain(status::IO, &format!("cannot start a thread: {error}")),
    };
    let mut talker = Talker {
        writer,
        pace,
        timeouts,
        verdict,
        common: &common,
        lines: LineInput::default(),
        out: Vec::new(),
        skipped: None,
        unsent: Unsent::default(),
        is_input_over: false,
    };
    talker.converse(&told, &blocks);
    talker.end();
    match listening.join() {
        Ok(end) => talker.judge(end),
        Err(panic) => std::panic::resume_unwind(panic),
    }
    talker.tell_unsent(&told, &blocks);
}

struct Talker<'a> {
    writer: Writer,
    pace: Pace,
    timeouts: Timeouts,
    verdict: &'a Verdict,
    common: &'a Common,
    lines: LineInput,
    /// What is to be sent next.
    out: Vec<u8>,
    /// How many octets of a body were passed over, while that is under way: its DATA was refused.
    skipped: Option<u64>,
    unsent: Unsent,
    is_input_over: bool,
}

impl Talker<'_> {
    fn converse(&mut self, told: &Receiver<Event>, blocks: &Blocks) {
        if self.pace == Pace::InStep && self.wait().is_break() {
            return;
        }
        while let Ok(event) = told.recv() {
            match event {
                Event::Input(Input::Block(block)) => {
                    let flow = self.feed(&block);
                    blocks.reuse(block);
                    if flow.is_break() {
                        return;
                    }
                }
                Event::Input(Input::End) => return self.input_ended(),
                Event::Input(Input::Failed(error)) => {
                    let reason = failure::reason(&error.to_string());
                    self.verdict.complain(status::IO, &format!("cannot read standard input: {reason}"));
                    return self.input_ended();
                }
                Event::Closing | Event::Gone => return,
            }
        }
    }

    /// Sends a block of input, as far as the session lets it.
    fn feed(&mut self, block: &[u8]) -> ControlFlow<()> {
        if self.pace == Pace::Typed && block.len() == LONGEST_TYPED && block.ends_with(b"\n") {
            say("mconnect: this terminal cuts a line at 4095 octets, and may have cut that one");
        }
        let mut rest = block;
        while !rest.is_empty() {
            if self.is_over() {
                self.unsent.count(&self.out);
                self.unsent.count(rest);
                self.out.clear();
                return Break(());
            }
            let phase = if self.skipped.is_some() { Phase::Body } else { self.writer.phase() };
            let taken = self.lines.take(phase, rest, &mut self.out);
            rest = &rest[taken.count..];
            if let Some(skipped) = &mut self.skipped {
                *skipped += taken.count as u64;
                self.out.clear();
                if taken.is_complete {
                    self.tell_skipped();
                }
                continue;
            }
            // Commands wait until they are whole, so that they go out in one write.
            if taken.is_complete
                || matches!(phase, Phase::Body | Phase::Chunk { .. })
                || self.out.len() >= LONGEST_WRITE
            {
                let flow = self.send(phase, taken.is_complete);
                if flow.is_break() {
                    self.unsent.count(rest);
                    return flow;
                }
            }
        }
        Continue(())
    }

    /// Sends what was made ready, and waits for what has to be waited for.
    fn send(&mut self, phase: Phase, is_complete: bool) -> ControlFlow<()> {
        let is_command = !matches!(phase, Phase::Body | Phase::Chunk { .. } | Phase::Auth);
        let is_quit = is_command && self.out.trim_ascii().eq_ignore_ascii_case(b"QUIT");
        let result = self.writer.send(&self.out);
        if let Err(error) = result {
            self.unsent.count(&self.out);
            self.out.clear();
            // A failed write is only the symptom: the listener finds out why. A server that takes nothing is another thing.
            if error.is_timeout() {
                self.verdict.complain(failure::status(&error), &failure::describe(&error));
                self.writer.closer().close();
            }
            return Break(());
        }
        self.out.clear();
        if is_complete && (self.pace == Pace::InStep || is_quit) {
            self.wait()?;
            self.note_refused_data();
        }
        Continue(())
    }

    /// Waits until every reply is here.
    fn wait(&mut self) -> ControlFlow<()> {
        if self.writer.outstanding() == 1 && self.writer.awaited() == Some(Request::EmptyLine) {
            if !self.writer.wait_at_most(EMPTY_LINE_PATIENCE.min(self.timeouts.command)) {
                self.writer.forgo_empty_line();
            }
            return Continue(());
        }
        match self.writer.wait() {
            Ok(Phase::Closed) => Break(()),
            Ok(_) => Continue(()),
            Err(error) => {
                self.verdict.complain(failure::status(&error), &failure::describe(&error));
                Break(())
            }
        }
    }

    /// After a refused DATA, the script's body is no body to the server: it must not be sent.
    fn note_refused_data(&mut self) {
        match self.writer.last_answer() {
            Some(answer) if answer.request == Some(Request::Data) && self.writer.phase() == Phase::Command => {
                self.verdict.fail(failure::status_of_refusal(answer.code));
                if self.pace == Pace::InStep {
                    self.skipped = Some(0);
                }
            }
            _ => {}
        }
    }

    fn tell_skipped(&mut self) {
        if let Some(skipped) = self.skipped.take().filter(|skipped| *skipped > 0) {
            say(&format!("mconnect: DATA was refused: {skipped} octets of input, up to the lone dot, were not sent"));
        }
    }

    fn input_ended(&mut self) {
        self.is_input_over = true;
        if self.skipped.is_some() {
            self.tell_skipped();
        } else if !self.is_over() {
            let phase = self.writer.phase();
            self.lines.finish(phase, &mut self.out);
            if !self.out.is_empty() && self.send(phase, true).is_break() {
                return;
            }
            self.tell_unfinished();
        }
    }

    /// Half a message must not be delivered: nothing is added to it.
    fn tell_unfinished(&self) {
        match self.writer.phase() {
            _ if self.pace == Pace::Blind => {}
            Phase::Body => {
                self.verdict
                    .complain(status::DATA, "the input ended inside a message: without a lone dot it is not delivered");
            }
            Phase::Chunk { left } => {
                self.verdict.complain(
                    status::DATA,
                    &format!("the input ended inside a chunk: {left} octets of it are missing"),
                );
            }
            _ => {}
        }
    }

    /// Ends the session in an orderly way: sending side first, then the server's.
    fn end(&mut self) {
        let is_over = self.is_over();
        self.common.is_done.store(self.writer.outstanding() == 0, Ordering::SeqCst);
        let patience = if is_over { self.timeouts.closing } else { self.timeouts.command };
        let is_ended = self.writer.half_close().is_ok()
            && !self.common.is_unheard.load(Ordering::SeqCst)
            && self.writer.wait_end(patience);
        if !is_ended
            && !is_over
            && !self.common.is_unheard.load(Ordering::SeqCst)
            && self.writer.phase() != Phase::Closed
        {
            let peer = self.writer.peer();
            let seconds = patience.as_secs_f64();
            self.verdict.complain(
                status::TEMPORARY,
                &format!("{peer} said nothing for {seconds} s after the end of the input, and did not close"),
            );
        }
        self.writer.closer().close();
    }

    /// Says what was wrong with the end, if anything.
    fn judge(&self, end: Option<Error>) {
        let answer = self.writer.last_answer();
        let has_quit =
            answer.is_some_and(|answer| answer.request == Some(Request::Quit) && answer.code == Code::CLOSING);
        let outstanding = self.writer.outstanding();
        let is_complete = outstanding == 0 && (has_quit || (self.is_input_over && self.unsent.octets == 0));
        match end {
            Some(Error::Aborted { .. }) => {}
            _ if is_complete => {}
            Some(error) => self.verdict.complain(failure::status(&error), &failure::describe(&error)),
            None => {
                let peer = self.writer.peer();
                let due = match outstanding {
                    0 => String::new(),
                    1 => " with a reply still due".to_owned(),
                    due => format!(" with {due} replies still due"),
                };
                self.verdict.complain(status::PROTOCOL, &format!("{peer} closed the connection{due}"));
            }
        }
    }

    /// Counts what is left of the input, as far as it is there, and tells.
    fn tell_unsent(&mut self, told: &Receiver<Event>, blocks: &Blocks) {
        while self.pace != Pace::Typed && !self.is_input_over && self.unsent.octets < MOST_COUNTED {
            match told.recv_timeout(INPUT_PATIENCE) {
                Ok(Event::Input(Input::Block(block))) => {
                    self.unsent.count(&block);
                    blocks.reuse(block);
                }
                Ok(Event::Closing | Event::Gone) => {}
                Ok(Event::Input(Input::End | Input::Failed(_))) => self.is_input_over = true,
                Err(_) => break,
            }
        }
        self.unsent.tell(self.is_input_over || self.pace == Pace::Typed);
    }

    fn is_over(&self) -> bool {
        self.writer.is_closing() || self.writer.phase() == Phase::Closed
    }
}

/// The longest line that a terminal gives, its LF included.
const LONGEST_TYPED: usize = 4096;
/// A line longer than this goes out in parts.
const LONGEST_WRITE: usize = 256 * 1024;
/// Not every server answers an empty line.
const EMPTY_LINE_PATIENCE: Duration = Duration::from_secs(10);
/// Input that takes longer than this to come is not counted any more.
const INPUT_PATIENCE: Duration = Duration::from_millis(100);
/// More unsent input than this, in octets, is not counted.
const MOST_COUNTED: u64 = 64 * 1024 * 1024;
