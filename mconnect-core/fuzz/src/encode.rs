//! Line ends and dots: any split gives the same, a slow encoder agrees, and decoding undoes encoding.

use mconnect_core::protocol::{BodyDecoder, BodyEncoder, CrlfEncoder, LineInput, Phase};

use crate::parts;

pub fn holds(data: &[u8]) {
    let bytes: Vec<&[u8]> = data.chunks(1).collect();
    for cut in [vec![data], parts(data), bytes] {
        check_crlf(data, &cut);
        check_body(data, &cut);
        check_decoder(data, &cut);
        check_input(data, &cut);
    }
}

fn check_crlf(data: &[u8], cut: &[&[u8]]) {
    let (mut encoder, mut out) = (CrlfEncoder::default(), Vec::new());
    cut.iter().for_each(|part| encoder.encode(part, &mut out));
    assert_eq!(out, slow_crlf(data));
}

fn check_body(data: &[u8], cut: &[&[u8]]) {
    let (mut encoder, mut out) = (BodyEncoder::default(), Vec::new());
    cut.iter().for_each(|part| encoder.encode(part, &mut out));
    encoder.finish(&mut out);
    let mut message = slow_crlf(data);
    if !data.is_empty() && !data.ends_with(b"\n") {
        message.extend_from_slice(b"\r\n");
    }
    assert_eq!(out, slow_stuffing(&message));

    let (mut decoder, mut back) = (BodyDecoder::default(), Vec::new());
    out.extend_from_slice(b"QUIT\r\n");
    let end = parts(&out).iter().try_fold(0, |at, part| match decoder.decode(part, &mut back) {
        Some(count) => Err(at + count),
        None => Ok(at + part.len()),
    });
    assert_eq!(end, Err(out.len() - 6), "the lone dot ends it, and nothing else");
    assert_eq!(back, message);
}

/// Takes `data` as what a client sends for a body.
fn check_decoder(data: &[u8], cut: &[&[u8]]) {
    let (mut decoder, mut out) = (BodyDecoder::default(), Vec::new());
    let end = cut.iter().try_fold(0, |at, part| match decoder.decode(part, &mut out) {
        Some(count) => Err(at + count),
        None => Ok(at + part.len()),
    });
    let stream = [b"\r\n", data].concat();
    let dot = stream.windows(5).position(|window| window == b"\r\n.\r\n");
    assert_eq!(end.err(), dot.map(|dot| dot + 3));
    let received = &stream[2..dot.map_or(stream.len(), |dot| dot + 2)];
    let mut slow = slow_unstuffing(received);
    if dot.is_none() {
        // A dot, or a dot and CR, at a line start may still be the lone dot's.
        let tail = stream.rsplitn(2, |byte| *byte == b'\n').next().filter(|_| is_line_start(&stream));
        let held = tail.map_or(0, |tail| if tail == b"." { 0 } else { usize::from(tail == b".\r") });
        slow.truncate(slow.len() - held);
    }
    assert_eq!(out, slow);
}

/// Says whether the last LF of a stream, which there is, follows a CR.
fn is_line_start(stream: &[u8]) -> bool {
    let lf = stream.iter().rposition(|byte| *byte == b'\n').expect("the stream begins with CR LF");
    lf > 0 && stream[lf - 1] == b'\r'
}

/// Takes `data` as a piped script, in which DATA has a body and BDAT of a digit a chunk.
fn check_input(data: &[u8], cut: &[&[u8]]) {
    let (mut input, mut out, mut phase) = (LineInput::default(), Vec::new(), Phase::Command);
    let mut line = Vec::new();
    for part in cut {
        let mut rest = *part;
        while !rest.is_empty() {
            let taken = input.take(phase, rest, &mut out);
            assert!(taken.count > 0, "it goes on");
            line.extend_from_slice(&rest[..taken.count]);
            rest = &rest[taken.count..];
            phase = match (phase, taken.is_complete) {
                (Phase::Chunk { left }, false) => Phase::Chunk { left: left - taken.count as u64 },
                (phase, false) => phase,
                (Phase::Command, true) => after_command(&std::mem::take(&mut line)),
                (_, true) => {
                    line.clear();
                    Phase::Command
                }
            };
        }
    }
    input.finish(phase, &mut out);
    assert_eq!(out, slow_script(data));
}

fn after_command(line: &[u8]) -> Phase {
    match line.trim_ascii() {
        b"DATA" => Phase::Body,
        [b'B', b'D', b'A', b'T', b' ', digit @ b'1'..=b'9'] => Phase::Chunk { left: u64::from(digit - b'0') },
        _ => Phase::Command,
    }
}

fn slow_script(data: &[u8]) -> Vec<u8> {
    let (mut out, mut line, mut phase) = (Vec::new(), Vec::new(), Phase::Command);
    for byte in data {
        if let Phase::Chunk { left } = phase {
            out.push(*byte);
            phase = if left == 1 { Phase::Command } else { Phase::Chunk { left: left - 1 } };
            continue;
        }
        line.push(*byte);
        if *byte == b'\n' {
            out.extend(slow_crlf(&line));
            let line = std::mem::take(&mut line);
            phase = match phase {
                Phase::Body if line == b".\n" || line == b".\r\n" => Phase::Command,
                Phase::Body => Phase::Body,
                _ => after_command(&line),
            };
        }
    }
    if !line.is_empty() {
        line.push(b'\n');
        out.extend(slow_crlf(&line));
    }
    out
}

fn slow_crlf(data: &[u8]) -> Vec<u8> {
    let (mut out, mut before) = (Vec::new(), 0);
    for byte in data {
        if *byte == b'\n' && before != b'\r' {
            out.push(b'\r');
        }
        out.push(*byte);
        before = *byte;
    }
    out
}

/// Doubles dots after CR LF and at the beginning, and adds the lone dot to a message that is empty or ends in CR LF.
fn slow_stuffing(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, byte) in message.iter().enumerate() {
        if *byte == b'.' && (at == 0 || message[..at].ends_with(b"\n")) {
            out.push(b'.');
        }
        out.push(*byte);
    }
    out.extend_from_slice(b".\r\n");
    out
}

/// Removes a dot after CR LF and at the beginning.
fn slow_unstuffing(received: &[u8]) -> Vec<u8> {
    let is_stuffed = |at: usize| received[at] == b'.' && (at == 0 || received[..at].ends_with(b"\r\n"));
    (0..received.len()).filter(|at| !is_stuffed(*at)).map(|at| received[at]).collect()
}
