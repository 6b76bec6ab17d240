//! Raw mode: every byte as it is, both ways at once.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use mconnect_core::{Error, RawReader, RawWriter, Session, Timeouts};

use crate::failure;
use crate::input;
use crate::screen::Screen;
use crate::terminal::{Manner, Terminal};
use crate::verdict::{Verdict, say, status};

enum Event {
    /// The input ended, and with it the sending side.
    Sent(RawWriter),
    /// It could not be sent: the server takes nothing, or has gone.
    Unsent(Error),
    InputFailed(RawWriter, io::Error),
    /// The server closed, or the connection broke.
    Received(Result<(), Error>),
}

/// Hands a session over, until its end. On a terminal, that is set to give every key at once.
pub fn run(session: Session, screen: Screen, timeouts: Timeouts, terminal: Option<&Terminal>, verdict: &Arc<Verdict>) {
    let closer = session.closer();
    let peer = session.peer().clone();
    let (reader, writer) = session.into_raw();
    if let Some(Err(error)) = terminal.map(|terminal| terminal.enter(Manner::Raw)) {
        return verdict.complain(status::IO, &format!("cannot set the terminal: {error}"));
    }
    let (events, told) = channel();
    let sent = events.clone();
    let theirs = Arc::clone(verdict);
    let started = thread::Builder::new()
        .name("listener".to_owned())
        .spawn(move || drop(events.send(Event::Received(receive(reader, screen, &theirs)))))
        .and_then(|_| thread::Builder::new().name("input".to_owned()).spawn(move || transmit(writer, &sent)));
    if let Err(error) = started {
        return verdict.complain(status::IO, &format!("cannot start a thread: {error}"));
    }
    while let Ok(event) = told.recv() {
        let mut writer = match event {
            Event::Received(Ok(())) => return,
            Event::Received(Err(error)) => {
                return verdict.complain(failure::status(&error), &failure::describe(&error));
            }
            Event::Unsent(error) if error.is_timeout() => {
                verdict.complain(failure::status(&error), &failure::describe(&error));
                return closer.close();
            }
            // A failed write is only the symptom: receiving tells why.
            Event::Unsent(_) => continue,
            Event::Sent(writer) => writer,
            Event::InputFailed(writer, error) => {
                let reason = failure::reason(&error.to_string());
                verdict.complain(status::IO, &format!("cannot read standard input: {reason}"));
                writer
            }
        };
        if writer.half_close().is_ok() && !writer.wait_end(timeouts.command) {
            let seconds = timeouts.command.as_secs_f64();
            let message = format!("{peer} said nothing for {seconds} s after the end of the input, and did not close");
            verdict.complain(status::TEMPORARY, &message);
            return closer.close();
        }
    }
}

/// Says how raw mode is left, where a person types.
pub fn tell_keys() {
    say("raw mode: Enter sends CR, Ctrl-J sends LF, Ctrl-C closes");
}

fn transmit(mut writer: RawWriter, events: &Sender<Event>) {
    let mut block = vec![0; BLOCK];
    let event = loop {
        match input::read(&mut block) {
            Ok(0) => break Event::Sent(writer),
            Ok(count) => {
                if let Err(error) = writer.send(&block[..count]) {
                    break Event::Unsent(error);
                }
            }
            Err(error) => break Event::InputFailed(writer, error),
        }
    };
    let _ = events.send(event);
}

fn receive(mut reader: RawReader, mut screen: Screen, verdict: &Verdict) -> Result<(), Error> {
    let mut block = vec![0; BLOCK];
    let show = |result: io::Result<()>| match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let reason = failure::reason(&error.to_string());
            verdict.complain(status::IO, &format!("cannot write to standard output: {reason}"));
        }
        _ => {}
    };
    loop {
        let count = reader.receive(&mut block)?;
        if count == 0 {
            show(screen.finish());
            return Ok(());
        }
        show(screen.show(&block[..count]));
    }
}

/// How much is read at once, in octets.
const BLOCK: usize = 256 * 1024;
