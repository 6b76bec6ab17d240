//! Playing the server's side of a dialogue.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use super::input::Input;
use super::{Message, ServerError, Shared};
use crate::dialogue::{Deed, Dialogue, Side, Step};
use crate::protocol::{BodyDecoder, Visible};

pub(super) fn serve(dialogue: &Dialogue, stream: TcpStream, shared: &Shared) -> Result<(), ServerError> {
    stream
        .set_read_timeout(Some(STEP_PATIENCE))
        .map_err(|source| ServerError::Io { action: "set a timeout", source })?;
    let mut input = Input::new(&stream);
    let mut out = Vec::new();
    for step in dialogue.steps() {
        match (step.side, &step.deed) {
            (Side::Server, Deed::Line(text)) => {
                out.extend_from_slice(text);
                out.extend_from_slice(b"\r\n");
                continue;
            }
            _ => flush(&stream, &mut out)?,
        }
        match (step.side, &step.deed) {
            (Side::Server, Deed::Bytes(bytes)) => write(&stream, bytes)?,
            (Side::Server, Deed::HalfClose) => drop(stream.shutdown(Shutdown::Write)),
            (Side::Server, Deed::Close) => return close(&stream, shared),
            (Side::Server, Deed::Reset) => {
                // Closing the last handle with a linger of zero makes the system send a reset.
                shared.forget(&stream);
                return SockRef::from(&stream)
                    .set_linger(Some(Duration::ZERO))
                    .map_err(|source| ServerError::Io { action: "reset the connection", source });
            }
            (_, Deed::Pause(time)) => thread::sleep(*time),
            (Side::Client, _) => expect(step, &mut input, shared)?,
            (Side::Server, _) => {}
        }
    }
    flush(&stream, &mut out)?;
    close(&stream, shared)
}

fn expect(step: &Step, input: &mut Input<'_>, shared: &Shared) -> Result<(), ServerError> {
    let got = match &step.deed {
        Deed::Line(text) => input.line().map(|line| match line.strip_suffix(b"\r\n") {
            Some(sent) if is_same_line(sent, text) => Ok(()),
            _ => Err(shown(&line)),
        }),
        Deed::Bytes(bytes) => {
            exactly(input, bytes.len()).map(|sent| if sent == *bytes { Ok(()) } else { Err(shown(&sent)) })
        }
        Deed::Body => body(input).map(|content| match content {
            Ok(content) => {
                shared.keep(Message { sender: Vec::new(), recipients: Vec::new(), content });
                Ok(())
            }
            Err(content) => Err(format!("{} octets and no lone dot", content.len())),
        }),
        Deed::HalfClose | Deed::Close => {
            input.line().map(|line| if line.is_empty() { Ok(()) } else { Err(shown(&line)) })
        }
        Deed::Pause(_) | Deed::Reset => Ok(Ok(())),
    };
    let deviation = |got| ServerError::Deviation { line: step.line, expected: step.to_string(), got };
    match (got, &step.deed) {
        (Ok(Ok(())), _) => Ok(()),
        (Ok(Err(got)), _) => Err(deviation(got)),
        (Err(error), Deed::Close) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
        (Err(error), _) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            Err(deviation(format!("nothing in {STEP_PATIENCE:?}")))
        }
        (Err(error), _) => Err(deviation(error.to_string())),
    }
}

fn is_same_line(sent: &[u8], expected: &[u8]) -> bool {
    let verb = expected.iter().position(|byte| *byte == b' ').unwrap_or(expected.len());
    match (sent.split_at_checked(verb), expected.split_at(verb)) {
        (Some((verb, rest)), (expected_verb, expected_rest)) => {
            verb.eq_ignore_ascii_case(expected_verb) && rest == expected_rest
        }
        (None, _) => false,
    }
}

fn exactly(input: &mut Input<'_>, count: usize) -> io::Result<Vec<u8>> {
    let mut sent = Vec::new();
    while sent.len() < count {
        let some = input.some()?;
        let part = &some[..some.len().min(count - sent.len())];
        if part.is_empty() {
            break;
        }
        sent.extend_from_slice(part);
        let size = part.len();
        input.take(size);
    }
    Ok(sent)
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

fn shown(line: &[u8]) -> String {
    if line.is_empty() { "the end of the stream".to_owned() } else { format!("`{}`", Visible(line)) }
}

fn flush(stream: &TcpStream, out: &mut Vec<u8>) -> Result<(), ServerError> {
    let bytes = std::mem::take(out);
    if bytes.is_empty() { Ok(()) } else { write(stream, &bytes) }
}

fn write(mut stream: &TcpStream, bytes: &[u8]) -> Result<(), ServerError> {
    stream.write_all(bytes).map_err(|source| ServerError::Io { action: "write to the client", source })
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

/// How long a client may take for a step.
const STEP_PATIENCE: Duration = Duration::from_secs(10);
/// How long a client may take to close after the server did.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);
