//! A script: the same goes out wherever its input is cut, nothing after its end, no line of a body as a command, and nothing
//! after a STARTTLS that was not granted.

use std::collections::VecDeque;

use mconnect_core::protocol::{Phase, ReplyLine, Request, Tracker};
use mconnect_core::script::{Next, Pace, Rules, Script};

use crate::parts;

/// `S: ` lines of `data` are replies, which are given one after the other whenever the script waits for one; the others are
/// its input. The first octet says by which rules it goes.
pub fn holds(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    let pace = [Pace::InStep, Pace::Typed, Pace::Blind][usize::from(*first) % 3];
    let mut rules = Rules::new(pace);
    (rules.ends_at_refusal, rules.upgrades, rules.is_in_tls) = (first & 4 != 0, first & 8 == 0, first & 16 != 0);
    let (mut replies, mut input) = (Vec::new(), Vec::new());
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_prefix(b"S: ") {
            Some(reply) => replies.push([reply.trim_ascii_end(), b"\r\n"].concat()),
            None => input.extend_from_slice(line),
        }
    }
    let input = with_marks(&input);
    let whole = play(rules, &replies, &[&input]);
    if pace != Pace::Typed {
        // What is typed is dropped as far as it is there.
        let cut = play(rules, &replies, &parts(&input));
        assert_eq!(text(&cut.0), text(&whole.0));
        assert_eq!(cut.1, whole.1, "octets that were not sent");
    }
}

/// Makes what stands between DATA and the lone dot known as such.
fn with_marks(input: &[u8]) -> Vec<u8> {
    let (mut marked, mut is_body) = (Vec::new(), false);
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        let is_dot = matches!(line, b".\n" | b".\r\n");
        if is_body && !is_dot {
            marked.extend_from_slice(MARK);
        }
        is_body = if is_body { !is_dot } else { line.trim_ascii().eq_ignore_ascii_case(b"DATA") };
        marked.extend_from_slice(line);
    }
    marked
}

/// Plays a script against these replies, and returns what was sent and done, and how much was not sent.
fn play(rules: Rules, replies: &[Vec<u8>], input: &[&[u8]]) -> (Vec<u8>, u64) {
    let (mut tracker, mut script) = (Tracker::new(), Script::new(rules));
    let (mut replies, mut input) = (replies.iter().collect::<VecDeque<_>>(), input.iter().copied());
    let (mut rest, mut log, mut is_over, mut is_refused): (&[u8], _, _, _) = (&[], Vec::new(), false, false);
    let mut is_in_tls = rules.is_in_tls;
    loop {
        let had_ended = script.end().is_some();
        let standing = tracker.standing();
        let next = script.next(&standing, &mut rest);
        assert!(!had_ended || next == Next::End, "{next:?} after {:?}", script.end());
        match next {
            Next::Send => {
                assert!(!script.out().is_empty() && !is_refused, "{}", script.out().escape_ascii());
                let was_data = standing.last_answer.is_some_and(|answer| answer.request == Some(Request::Data));
                let is_lost = rules.pace == Pace::InStep && was_data && standing.phase == Phase::Command;
                assert!(!(is_lost && script.out().starts_with(MARK)), "{}", script.out().escape_ascii());
                tracker.sent(script.out());
                log.extend_from_slice(script.out());
                script.sent();
            }
            Next::Replies => {
                let Some(reply) = replies.pop_front() else { break };
                let Some(answer) = tracker.received(ReplyLine::new(reply)) else { continue };
                script.replied(answer);
                let is_turned_down = answer.request == Some(Request::StartTls) && answer.code.number() != 220;
                is_refused |= is_turned_down && rules.upgrades && !is_in_tls && rules.pace != Pace::Typed;
            }
            Next::Input => match input.next() {
                Some(more) => rest = more,
                None if is_over => break,
                None => {
                    is_over = true;
                    script.end_input(&tracker.standing());
                }
            },
            Next::StartTls => {
                tracker.tls_started();
                script.tls_started();
                is_in_tls = true;
                log.extend_from_slice(b"[TLS]");
            }
            Next::Skipped(octets) => log.extend_from_slice(format!("[{octets}]").as_bytes()),
            Next::Dropped => log.extend_from_slice(b"[dropped]"),
            Next::End => break,
        }
    }
    if script.end().is_some() {
        input.for_each(|rest| script.count_unsent(rest));
    }
    (log, script.unsent().total())
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// What a line of a body begins with.
const MARK: &[u8] = b"\x02body ";
