//! The tracker: never panics, agrees with the model after every step, and is the same wherever its bytes are cut.

use mconnect_core::protocol::{Phase, ReplyLine, Tracker};

use crate::model::{Model, is_base64, secret_in};
use crate::parts;

/// Each line of `data` is a step, in the notation of `tests/transcripts`: `C:` and `S:` lines have CR LF, `C>` and `S>`
/// lines are bytes with escapes; and `!end`, `!raw`, `!tls` and `!forgo`. What else stands there is passed over.
pub fn holds(data: &[u8]) {
    let (mut whole, mut cut) = (Tracker::new(), Tracker::new());
    let mut model = Model::new();
    // In doubt, a part of a line may be hidden though the whole would not be: what is hidden then depends on the cuts.
    let (mut has_doubted, mut is_mid_line) = (false, false);
    for line in data.split(|byte| *byte == b'\n') {
        match line {
            [b'C', mark @ (b':' | b'>'), b' ', rest @ ..] => {
                let bytes = bytes(*mark, rest);
                has_doubted |= model.is_in_doubt();
                let is_lost = model.surprise().is_some() && model.phase() != Phase::Raw;
                let hidden =
                    [send(&mut whole, &bytes), parts(&bytes).iter().flat_map(|part| send(&mut cut, part)).collect()];
                let expected: Vec<bool> = bytes.iter().map(|byte| model.sent(*byte)).collect();
                has_doubted |= model.is_in_doubt();
                if !has_doubted {
                    assert_eq!(hidden, [expected.clone(), expected], "{model:?}");
                } else if is_lost && !is_mid_line {
                    hidden.iter().for_each(|hidden| assert_hidden(&bytes, hidden));
                }
                is_mid_line = if bytes.is_empty() { is_mid_line } else { !bytes.ends_with(b"\n") };
            }
            [b'S', mark @ (b':' | b'>'), b' ', rest @ ..] => {
                for line in bytes(*mark, rest).split_inclusive(|byte| *byte == b'\n') {
                    let line = ReplyLine::new(line);
                    let answer = whole.received(line);
                    assert_eq!(cut.received(line), answer);
                    model.received(line.code().map(|code| code.number()), line.ends_reply());
                    assert_eq!(answer, model.last().filter(|_| line.ends_reply()));
                }
            }
            b"!end" => {
                whole.ended();
                cut.ended();
                model.ended();
            }
            b"!raw" => {
                whole.enter_raw();
                cut.enter_raw();
                model.enter_raw();
            }
            b"!tls" => {
                whole.tls_started();
                cut.tls_started();
                model.tls_started();
            }
            b"!forgo" => {
                whole.forgo_empty_line();
                cut.forgo_empty_line();
                model.forgo_empty_line();
            }
            _ => continue,
        }
        compare(&whole, &model);
        compare(&cut, &model);
    }
}

/// Sends bytes, and says of each whether it counts as a secret.
fn send(tracker: &mut Tracker, mut bytes: &[u8]) -> Vec<bool> {
    let mut hidden = Vec::new();
    while !bytes.is_empty() {
        let span = tracker.sent_span(bytes);
        assert!((1..=bytes.len()).contains(&span.size), "{span:?}");
        hidden.extend(std::iter::repeat_n(span.is_secret, span.size));
        bytes = &bytes[span.size..];
    }
    hidden
}

/// Once client and server are out of step, what may be an AUTH or an answer is hidden wherever it stands.
fn assert_hidden(bytes: &[u8], hidden: &[bool]) {
    let mut at = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        // So late, the model can only guess.
        let blanks = line.len() - line.trim_ascii_start().len();
        let start = if is_base64(line) { Some(blanks) } else { secret_in(line).filter(|start| *start < 64) };
        let end = line.trim_ascii_end().len();
        let secret = start.map_or(&[][..], |start| &hidden[at + start.min(end)..at + end]);
        assert!(secret.iter().all(|is_hidden| *is_hidden), "{} {hidden:?}", line.escape_ascii());
        at += line.len();
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
    assert_eq!(standing.surprise, model.surprise(), "{model:?}");
    assert_eq!((standing.lost, standing.lost_message), model.lost(), "{model:?}");
    assert_eq!(standing.is_turning, model.is_turning(), "{model:?}");
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
