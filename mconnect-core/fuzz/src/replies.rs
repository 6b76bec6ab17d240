//! Lines and replies: any split gives the same, no byte is lost, and a slow reading of the bytes agrees.

use mconnect_core::protocol::{Escaper, LimitExceeded, Limits, LineBuffer, Reply, ReplyBuilder, ReplyLine};

use crate::{is_fit_to_show, parts};

/// The first octet chooses the limits, the others are what a server says.
pub fn holds(data: &[u8]) {
    let Some((first, stream)) = data.split_first() else { return };
    let limits = match first % 4 {
        0 => Limits::default().line(8).lines(2).reply(24),
        1 => Limits::default().line(16).lines(3).reply(40),
        2 => Limits::default().line(64).lines(8).reply(4000),
        _ => Limits::default(),
    };
    let whole = read(&[stream], limits);
    assert_eq!(read(&parts(stream), limits), whole, "cut");
    assert_eq!(read(&stream.chunks(1).collect::<Vec<_>>(), limits), whole, "byte by byte");

    let bytes: Vec<u8> = whole.lines.iter().flat_map(|line| line.raw.clone()).collect();
    assert_eq!(bytes, stream, "no byte is lost");
    assert_eq!(whole.lines, slow_lines(stream, limits.line));
    whole.replies.iter().flatten().for_each(check_reply);
    check_screen(stream);
}

#[derive(Debug, PartialEq)]
struct Line {
    raw: Vec<u8>,
    code: Option<u16>,
    is_start: bool,
    ends_reply: bool,
}

#[derive(Debug, PartialEq)]
struct Read {
    lines: Vec<Line>,
    replies: Vec<Result<Reply, LimitExceeded>>,
    /// What a reply that is not whole has.
    partial: Vec<u8>,
}

fn read(parts: &[&[u8]], limits: Limits) -> Read {
    let (mut buffer, mut builder) = (LineBuffer::new(limits.line), ReplyBuilder::new(limits));
    let mut read = Read { lines: Vec::new(), replies: Vec::new(), partial: Vec::new() };
    let mut keep = |line: ReplyLine<'_>, builder: &mut ReplyBuilder| {
        let (raw, code) = (line.raw().to_vec(), line.code().map(|code| code.number()));
        read.lines.push(Line { raw, code, is_start: line.is_start(), ends_reply: line.ends_reply() });
        match builder.push(line) {
            Ok(reply) => read.replies.extend(reply.map(Ok)),
            Err(limit) => {
                assert!(builder.take_partial().len() <= limits.reply);
                read.replies.push(Err(limit));
            }
        }
    };
    for part in parts {
        buffer.extend(part);
        while let Some(line) = buffer.next_line() {
            keep(line, &mut builder);
        }
    }
    while let Some(line) = buffer.finish() {
        keep(line, &mut builder);
    }
    read.partial = builder.take_partial();
    read
}

/// Reads lines one octet after the other.
fn slow_lines(stream: &[u8], limit: usize) -> Vec<Line> {
    let (mut lines, mut raw, mut lead) = (Vec::new(), Vec::new(), None);
    let mut push = |raw: &mut Vec<u8>| {
        let raw = std::mem::take(raw);
        let is_start = lead.is_none();
        let (code, is_last) = *lead.get_or_insert_with(|| slow_code(&raw));
        let is_finished = raw.ends_with(b"\n");
        if is_finished {
            lead = None;
        }
        lines.push(Line { raw, code, is_start, ends_reply: is_finished && is_last });
    };
    for byte in stream {
        raw.push(*byte);
        if *byte == b'\n' || raw.len() == limit {
            push(&mut raw);
        }
    }
    if !raw.is_empty() {
        push(&mut raw);
    }
    lines
}

/// Returns the code, and whether a reply may end with such a line.
fn slow_code(raw: &[u8]) -> (Option<u16>, bool) {
    let text: String = raw.iter().map(|byte| char::from(*byte)).collect();
    let text = text.strip_suffix("\r\n").or(text.strip_suffix('\n')).unwrap_or(&text);
    let digits: String = text.chars().take(3).take_while(char::is_ascii_digit).collect();
    let after = text.chars().nth(3);
    let code = digits.parse().ok().filter(|_| digits.len() == 3);
    match after {
        None | Some(' ' | '\t' | 'a'..='z' | 'A'..='Z') => (code, code.is_some()),
        Some('-') => (code, false),
        Some(_) => (None, false),
    }
}

fn check_reply(reply: &Reply) {
    let lines: Vec<ReplyLine<'_>> = reply.lines().collect();
    let bytes: Vec<u8> = lines.iter().flat_map(|line| line.raw().to_vec()).collect();
    assert_eq!(bytes, reply.raw());
    let last = lines.last().expect("a reply has a line");
    assert_eq!(last.code(), Some(reply.code()));
    assert!(last.ends_reply() && lines[..lines.len() - 1].iter().all(|line| !line.ends_reply()));
    assert_eq!(reply.flaws().bare_lf, lines.iter().any(|line| line.has_bare_lf()));
    assert_eq!(reply.flaws().line_without_code, lines.iter().any(|line| line.code().is_none()));
    assert!(reply.enhanced_code().is_none_or(|code| code.class < 6 && reply.text().len() >= 5));
    assert!(is_fit_to_show(&reply.to_string()), "{reply}");
}

/// What a screen shows of it is the same wherever it is cut, and steers no terminal.
fn check_screen(stream: &[u8]) {
    let show = |parts: &[&[u8]]| {
        let (mut escaper, mut shown) = (Escaper::default(), String::new());
        parts.iter().for_each(|part| escaper.push(part, &mut shown));
        escaper.finish(&mut shown);
        shown
    };
    let shown = show(&[stream]);
    assert_eq!(show(&parts(stream)), shown);
    assert!(!shown.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')), "{shown:?}");
    let is_unseen =
        |c| matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}');
    assert!(!shown.contains(is_unseen) && !shown.contains(&"\u{301}".repeat(9)), "{shown:?}");
}
