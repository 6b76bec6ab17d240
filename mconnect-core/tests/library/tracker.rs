//! The tracker follows every transcript in `transcripts/`, whole and cut at every position.
//!
//! A transcript is a dialogue. Its comments say what must be true there: `# = PHASE DUE [closing] [out-of-step]
//! [surprise]`; `# ! REQUEST CODE` is the last reply that must have been seen, `-` standing for nothing asked; `# ~` lists
//! the octets sent that are no secret since the last `# ~`.

use mconnect_core::dialogue::{Dialogue, Directive, Separator, Side, Values};
use mconnect_core::protocol::{Extension, LineBuffer, Phase, ReplyLine, Request, Tracker};

use super::texts;

#[derive(Debug)]
enum Step {
    Client(Vec<u8>),
    Server(Vec<u8>),
    State(String),
    Answer(String),
    Shown(String),
}

fn steps(text: &str) -> Vec<(usize, Step)> {
    let marked = text.lines().enumerate().filter_map(|(index, line)| {
        let (mark, rest) = line.strip_prefix("# ")?.split_at_checked(1)?;
        let rest = rest.strip_prefix(' ').unwrap_or(rest).to_owned();
        let step = match mark {
            "=" => Step::State(rest),
            "!" => Step::Answer(rest),
            "~" => Step::Shown(rest),
            _ => return None,
        };
        Some((index + 1, step))
    });
    let dialogue = Dialogue::parse(text).unwrap();
    let said = dialogue.steps().iter().map(|step| match step.side {
        Side::Client => (step.line, Step::Client(octets(&step.directive))),
        _ => (step.line, Step::Server(octets(&step.directive))),
    });
    let mut all: Vec<(usize, Step)> = said.chain(marked).collect();
    all.sort_by_key(|(line, _)| *line);
    let mut steps: Vec<(usize, Step)> = Vec::new();
    for (line, step) in all {
        match (steps.last_mut(), step) {
            (Some((_, Step::Client(before))), Step::Client(more)) => before.extend(more),
            (Some((_, Step::Server(before))), Step::Server(more)) => before.extend(more),
            (_, step) => steps.push((line, step)),
        }
    }
    steps
}

fn octets(directive: &Directive) -> Vec<u8> {
    let fill = |text| Values::default().fill(text).unwrap();
    match directive {
        Directive::Bytes(text) => fill(text),
        Directive::Line(text) => [&fill(text)[..], b"\r\n"].concat(),
        Directive::Reply(line) => {
            let separator: &[u8] = match line.separator {
                Separator::Nothing => b"",
                Separator::Space => b" ",
                Separator::Hyphen => b"-",
            };
            [line.code.as_str().as_bytes(), separator, &fill(&line.text), b"\r\n"].concat()
        }
        directive => panic!("{directive:?} in a transcript"),
    }
}

/// Follows the transcript; `cut` says into which parts bytes are cut.
fn follow(name: &str, steps: &[(usize, Step)], cut: impl Fn(&[u8]) -> Vec<&[u8]>) {
    let (mut tracker, mut lines, mut shown) = (Tracker::new(), LineBuffer::new(1000), Vec::new());
    for (line, step) in steps {
        let place = format!("{name}, line {line}");
        match step {
            Step::Client(bytes) => {
                for mut part in cut(bytes) {
                    while !part.is_empty() {
                        let span = tracker.sent_span(part);
                        assert!(span.size > 0, "{place}");
                        if !span.is_secret {
                            shown.extend_from_slice(&part[..span.size]);
                        }
                        part = &part[span.size..];
                    }
                }
            }
            Step::Server(bytes) => {
                for part in cut(bytes) {
                    lines.extend(part);
                    while let Some(line) = lines.next_line() {
                        tracker.received(line);
                    }
                }
            }
            Step::State(expected) => {
                let phase = match tracker.phase() {
                    Phase::Chunk { left } => format!("BDAT:{left}"),
                    phase => phase.to_string(),
                };
                let mut state = format!("{phase} {}", tracker.outstanding());
                if tracker.standing().is_closing {
                    state += " closing";
                }
                if !tracker.standing().is_in_step {
                    state += " out-of-step";
                }
                if tracker.standing().surprise.is_some() {
                    state += " surprise";
                }
                assert_eq!(&state, expected, "{place}");
            }
            Step::Answer(expected) => {
                let answer = tracker.standing().last_answer.expect("a reply came");
                let request = answer.request.map_or("-".to_owned(), |request| request.to_string());
                assert_eq!(&format!("{request} {}", answer.code), expected, "{place}");
            }
            Step::Shown(expected) => {
                let shown_text = shown.escape_ascii().to_string();
                // After a surprise, a part of a line that may be an answer is hidden though the whole would not be.
                let mut rest = expected.chars();
                let is_less = shown_text.chars().all(|c| rest.any(|other| other == c));
                let is_allowed = tracker.standing().surprise.is_some() && is_less;
                assert!(&shown_text == expected || is_allowed, "{place}: {shown_text} instead of {expected}");
                shown.clear();
            }
        }
    }
}

#[test]
fn every_transcript_is_followed_wherever_its_bytes_are_cut() {
    let mut count = 0;
    for (name, text) in texts("transcripts") {
        let steps = steps(&text);
        let longest = steps
            .iter()
            .map(|(_, step)| if let Step::Client(bytes) | Step::Server(bytes) = step { bytes.len() } else { 0 })
            .max();
        follow(&name, &steps, |bytes| vec![bytes]);
        follow(&name, &steps, |bytes| bytes.chunks(1).collect());
        for at in 1..longest.unwrap() {
            follow(&format!("{name}, cut at {at}"), &steps, |bytes| {
                let (front, back) = bytes.split_at(at.min(bytes.len()));
                vec![front, back]
            });
        }
        count += 1;
    }
    assert!(count >= 10, "{count} transcripts");
}

/// Returns a tracker that has followed this, after the greeting.
fn after(sent: &[u8], replies: &[u8]) -> Tracker {
    let (mut tracker, mut lines) = (Tracker::new(), LineBuffer::new(8));
    let _ = tracker.received(ReplyLine::new(b"220 hi\r\n"));
    tracker.sent(sent);
    lines.extend(replies);
    while let Some(line) = lines.next_line() {
        let _ = tracker.received(line);
    }
    tracker
}

#[test]
fn what_a_221_to_quit_leaves_without_a_reply_is_counted() {
    let lost = |sent: &[u8]| {
        let standing = after(sent, b"221 bye\r\n").standing();
        assert_eq!((standing.has_quit, standing.outstanding), (true, 0));
        (standing.lost, standing.lost_message)
    };
    assert_eq!(lost(b"QUIT\r\n"), (0, false));
    assert_eq!(lost(b"NOOP\r\n\r\nQUIT\r\n"), (1, false), "not every server answers an empty line");
    assert_eq!(lost(b"BDAT 3 LAST\r\nabcNOOP\r\nQUIT\r\n"), (2, true));
    assert_eq!(lost(b"DATA\r\n.\r\nQUIT\r\n"), (2, true));
}

#[test]
fn extensions_are_those_of_the_last_ehlo_whatever_stands_between_its_lines() {
    let replies = b"disk full\r\n250-mx\r\nnoise\r\n250-PIPELINING\r\n250 SIZE\r\n";
    let tracker = after(b"EHLO x\r\n", replies);
    let extensions = tracker.extensions().unwrap();
    assert_eq!(extensions.greeting(), b"mx");
    let keywords: Vec<&[u8]> = extensions.iter().map(Extension::keyword).collect();
    assert_eq!(keywords, [&b"noise"[..], b"PIPE", b"SIZE"], "of a line in pieces, the first");
    assert!(!tracker.is_lmtp() && after(b"LHLO x\r\n", replies).is_lmtp());
    let again = after(b"EHLO x\r\nXCLIENT NAME=y\r\n", b"250-mx\r\n250 SIZE\r\n220 mx\r\n");
    assert_eq!(again.extensions(), None, "XCLIENT begins the session again");
    let refused = after(b"EHLO x\r\nEHLO y\r\n", b"250-mx\r\n250 SIZE\r\n550 no\r\n");
    assert!(refused.extensions().is_some_and(|extensions| extensions.has("SIZE")));
}

#[test]
fn what_is_due_can_be_asked_for_and_given_up() {
    let mut tracker = after(b"\r\nNOOP\r\n", b"");
    assert_eq!(tracker.awaited(), Some(Request::EmptyLine));
    assert!(tracker.owes(|request| request == Request::Other) && !tracker.owes(|request| request == Request::Quit));
    tracker.forgo_empty_line();
    assert_eq!((tracker.awaited(), tracker.outstanding()), (Some(Request::Other), 1));
    tracker.forgo_empty_line();
    assert_eq!(tracker.outstanding(), 1, "a command has its reply");
    tracker.ended();
    assert_eq!((tracker.phase(), tracker.outstanding()), (Phase::Closed, 1));
    for (sent, reply) in [(&b"AUTH LOGIN\r\n"[..], &b""[..]), (b"", b"250 a surprise\r\n")] {
        let mut tracker = after(sent, reply);
        tracker.enter_raw();
        let span = tracker.sent_span(b"dXNlcg==\r\nNOOP");
        assert_eq!((tracker.phase(), tracker.outstanding()), (Phase::Raw, 0));
        assert_eq!((span.size, span.is_secret), (14, false));
    }
}

#[test]
fn tls_forgets_what_was_offered_and_nothing_that_shows_whom_one_speaks_to() {
    let mut tracker = after(b"LHLO x\r\n", b"250 mx\r\n250 a surprise\r\n");
    let before = tracker.standing();
    tracker.tls_started();
    let inside = tracker.standing();
    assert_eq!((inside.surprise, inside.last_answer), (before.surprise, before.last_answer));
    assert!(inside.surprise.is_some() && tracker.is_lmtp());
    assert_eq!((tracker.extensions(), tracker.phase(), tracker.outstanding()), (None, Phase::Command, 0));
}

#[test]
fn after_a_surprise_the_secret_behind_a_mechanism_of_any_length_is_one_in_a_body_too() {
    for (reply, size) in [(&b"250 ok\r\n"[..], 1), (b"250 ok\r\n", 1000), (b"354 go\r\n", 1), (b"354 go\r\n", 1000)] {
        let line = format!("AUTH {} c2VjcmV0\r\n", "X".repeat(size));
        let secret = line.len() - 10..line.len() - 2;
        for cut in [line.len(), 1, 7, 64, secret.start, secret.end] {
            let mut tracker = after(b"", reply);
            let mut secrets: Vec<usize> = Vec::new();
            for (index, part) in line.as_bytes().chunks(cut).enumerate() {
                secrets.extend(tracker.sent_secrets(part).into_iter().flatten().map(|at| index * cut + at));
            }
            assert!(secret.clone().all(|at| secrets.contains(&at)), "{size}, cut at {cut}: {secrets:?}");
            // The beginning of a word may be that of an answer; of a command, 64 octets are known.
            assert!(cut < line.len() || secrets[0] == secret.start || secrets[0] >= 64, "{size}: {secrets:?}");
        }
    }
}
