//! The thread that shows what the server says.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;

use mconnect_core::protocol::{Answer, Code, Request};
use mconnect_core::{Error, Reader};

use super::{Common, Event};
use crate::failure;
use crate::screen::Screen;
use crate::verdict::{Verdict, status};

pub struct Listener {
    reader: Reader,
    screen: Screen,
    events: Sender<Event>,
    common: Arc<Common>,
    verdict: Arc<Verdict>,
    has_told_closing: bool,
}

impl Listener {
    pub fn new(
        reader: Reader,
        screen: Screen,
        events: Sender<Event>,
        common: Arc<Common>,
        verdict: Arc<Verdict>,
    ) -> Self {
        Self { reader, screen, events, common, verdict, has_told_closing: false }
    }

    /// Shows what the server says until it closes; gives the error if it ended in one.
    pub fn listen(mut self) -> Option<Error> {
        let mut batch = Vec::new();
        let end = loop {
            let ends_reply = match self.reader.read_line() {
                Ok(Some(line)) => {
                    batch.extend_from_slice(line.raw());
                    line.ends_reply()
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            };
            if !self.reader.has_line() || batch.len() >= LARGEST_BATCH {
                self.show(|screen| screen.show(&batch));
                batch.clear();
            }
            if ends_reply {
                self.judge();
            }
        };
        self.show(|screen| screen.show(&batch));
        self.show(Screen::finish);
        let _ = self.events.send(Event::Gone);
        end
    }

    fn judge(&mut self) {
        let is_done = self.common.is_done.load(Ordering::SeqCst);
        match self.reader.last_answer() {
            Some(Answer { request: Some(Request::Greeting), code }) if !code.is_positive() => {
                self.verdict.fail(failure::status_of_refusal(code));
            }
            Some(Answer { code: Code::NOT_AVAILABLE, .. }) if !is_done => self.verdict.fail(status::TEMPORARY),
            _ => {}
        }
        if self.reader.is_closing() && !self.has_told_closing {
            self.has_told_closing = true;
            let _ = self.events.send(Event::Closing);
        }
    }

    fn show(&mut self, act: impl FnOnce(&mut Screen) -> io::Result<()>) {
        let Err(error) = act(&mut self.screen) else { return };
        self.common.is_unheard.store(true, Ordering::SeqCst);
        // A reader that has seen enough is no failure.
        if error.kind() != io::ErrorKind::BrokenPipe {
            let reason = failure::reason(&error.to_string());
            self.verdict.complain(status::IO, &format!("cannot write to standard output: {reason}"));
        }
        if self.common.is_done.load(Ordering::SeqCst) {
            self.reader.closer().close();
        }
    }
}

/// What came together is shown together, in parts of about this many octets.
const LARGEST_BATCH: usize = 64 * 1024;
