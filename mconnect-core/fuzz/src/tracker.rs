//! The tracker: never panics, agrees with the model after every step, and is the same wherever its bytes are cut.

use mconnect_core::protocol::{ReplyLine, Tracker};

use crate::model::Model;
use crate::parts;

/// Each line of `data` is a step, in the notation of `tests/transcripts`: `C:` and `S:` lines have CR LF, `C>` and `S>`
/// lines are bytes with escapes; and `!end`, `!raw`, `!tls` and `!forgo`. What else stands there is passed over.
pub fn holds(data: &[u8]) {
    let mut whole = (Tracker::new(), Vec::new());
    let mut cut = (Tracker::new(), Vec::new());
    let (mut model, mut shown) = (Model::new(), Vec::new());
    for line in data.split(|byte| *byte == b'\n') {
        match line {
            [b'C', mark @ (b':' | b'>'), b' ', rest @ ..] => {
                let bytes = bytes(*mark, rest);
                send(&mut whole, &bytes);
                parts(&bytes).iter().for_each(|part| send(&mut cut, part));
                shown.extend(bytes.iter().filter(|byte| !model.sent(**byte)));
            }
            [b'S', mark @ (b':' | b'>'), b' ', rest @ ..] => {
                for line in bytes(*mark, rest).split_inclusive(|byte| *byte == b'\n') {
                    let line = ReplyLine::new(line);
                    let answer = whole.0.received(line);
                    assert_eq!(cut.0.received(line), answer);
                    model.received(line.code().map(|code| code.number()), line.ends_reply());
                    assert_eq!(answer, model.last().filter(|_| line.ends_reply()));
                }
            }
            b"!end" => {
                whole.0.ended();
                cut.0.ended();
                model.ended();
            }
            b"!raw" => {
                whole.0.enter_raw();
                cut.0.enter_raw();
                model.enter_raw();
            }
            b"!tls" => {
                whole.0.tls_started();
                cut.0.tls_started();
                model.tls_started();
            }
            b"!forgo" => {
                whole.0.forgo_empty_line();
                cut.0.forgo_empty_line();
                model.forgo_empty_line();
            }
            _ => continue,
        }
        compare(&whole.0, &model);
        compare(&cut.0, &model);
        assert_eq!(whole.1, shown, "{model:?}");
        assert_eq!(cut.1, shown, "{model:?}");
    }
}

/// Sends bytes, and keeps those that are no secret.
fn send((tracker, shown): &mut (Tracker, Vec<u8>), mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let span = tracker.sent_span(bytes);
        assert!((1..=bytes.len()).contains(&span.size), "{span:?}");
        if !span.is_secret {
            shown.extend_from_slice(&bytes[..span.size]);
        }
        bytes = &bytes[span.size..];
    }
}

fn compare(tracker: &Tracker, model: &Model) {
    let standing = tracker.standing();
    assert_eq!(standing.phase, model.phase(), "{model:?}");
    assert_eq!(standing.outstanding, model.due().len(), "{model:?}");
    assert_eq!(standing.awaited, model.due().first().copied(), "{model:?}");
    assert_eq!(standing.is_closing, model.is_closing(), "{model:?}");
    assert_eq!(standing.has_quit, model.has_quit(), "{model:?}");
    assert_eq!(standing.is_in_step, model.is_in_step(), "{model:?}");
    assert_eq!(standing.last_answer, model.last(), "{model:?}");
}

fn bytes(mark: u8, rest: &[u8]) -> Vec<u8> {
    if mark == b':' {
        return [rest, b"\r\n"].concat();
    }
    let (mut bytes, mut rest) = (Vec::new(), rest);
    while let [byte, more @ ..] = rest {
        let (byte, size) = match (byte, more.first()) {
            (b'\\', Some(b'r')) => (b'\r', 2),
            (b'\\', Some(b'n')) => (b'\n', 2),
            (b'\\', Some(b'0')) => (0, 2),
            (b'\\', Some(b't')) => (b'\t', 2),
            _ => (*byte, 1),
        };
        bytes.push(byte);
        rest = &rest[size..];
    }
    bytes
}
