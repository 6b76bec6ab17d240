//! Scripts go as every transcript in `scripts/` says, whole and cut at every position.
//!
//! `rules ...` says by which rules (`in-step`, `typed`, `blind`, `fail`, `no-upgrade`, `in-tls`). `I:` lines are the input.
//! Below them is what happens: `C:` lines are sent, `S:` lines are the replies, in the order in which they have to come;
//! `= WHAT` is what the script says besides: `starttls`, `skipped N`, `dropped`, and at last why it ended, and what was
//! not sent.

use std::collections::VecDeque;

use mconnect_core::protocol::{ReplyLine, Standing, Tracker};
use mconnect_core::script::{Next, Pace, Rules, Script};

use super::texts;

struct Transcript {
    rules: Rules,
    input: Vec<u8>,
    replies: VecDeque<String>,
    course: Vec<String>,
}

fn read(text: &str) -> Transcript {
    let mut transcript =
        Transcript { rules: Rules::new(Pace::InStep), input: Vec::new(), replies: VecDeque::new(), course: Vec::new() };
    for line in text.lines() {
        let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
        match mark {
            "rules" => rest.split(' ').for_each(|rule| match rule {
                "in-step" => {}
                "typed" => transcript.rules.pace = Pace::Typed,
                "blind" => transcript.rules.pace = Pace::Blind,
                "fail" => transcript.rules.ends_at_refusal = true,
                "no-upgrade" => transcript.rules.upgrades = false,
                "in-tls" => transcript.rules.is_in_tls = true,
                _ => panic!("{line}"),
            }),
            "I:" => transcript.input.extend(format!("{rest}\n").into_bytes()),
            "I>" => transcript.input.extend(rest.as_bytes()),
            "S:" => {
                transcript.replies.push_back(format!("{rest}\r\n"));
                transcript.course.push(line.to_owned());
            }
            "C:" | "=" => transcript.course.push(line.to_owned()),
            "" | "#" => {}
            _ => panic!("{line}"),
        }
    }
    transcript
}

/// Drives the script by the transcript's replies, with its input in these pieces, and returns what happened.
fn course(transcript: &Transcript, pieces: &[&[u8]]) -> Vec<String> {
    let (mut tracker, mut script) = (Tracker::new(), Script::new(transcript.rules));
    let (mut replies, mut pieces) = (transcript.replies.clone(), pieces.iter());
    let (mut course, mut sent, mut input, mut is_over) = (Vec::new(), Vec::new(), &b""[..], false);
    let mut say = |course: &mut Vec<String>, tracker: &mut Tracker, script: &mut Script| {
        let Some(reply) = replies.pop_front() else { return false };
        course.push(format!("S: {}", reply.trim_end()));
        if let Some(answer) = tracker.received(ReplyLine::new(reply.as_bytes())) {
            script.replied(answer);
        }
        true
    };
    loop {
        let drops = script.drops_typed();
        let next = script.next(&tracker.standing(), &mut input);
        assert!(next == Next::Dropped || !drops);
        match next {
            Next::Send => {
                tracker.sent(script.out());
                sent.extend_from_slice(script.out());
                script.sent();
                while let Some(end) = sent.windows(2).position(|pair| pair == b"\r\n") {
                    let line: Vec<u8> = sent.drain(..end + 2).collect();
                    course.push(format!("C: {}", line[..end].escape_ascii()));
                }
                continue;
            }
            Next::Replies => assert!(say(&mut course, &mut tracker, &mut script), "no reply is left: {course:#?}"),
            Next::Input => match pieces.next() {
                Some(piece) => input = piece,
                None if !is_over => {
                    script.end_input(&tracker.standing());
                    is_over = true;
                }
                None if say(&mut course, &mut tracker, &mut script) => {}
                None => break,
            },
            Next::StartTls => {
                course.push("= starttls".to_owned());
                tracker.tls_started();
                script.tls_started();
            }
            Next::Skipped(octets) => course.push(format!("= skipped {octets}")),
            Next::Dropped => course.push("= dropped".to_owned()),
            Next::End => {
                pieces.by_ref().for_each(|piece| script.count_unsent(piece));
                course.push(format!("= {}", script.end().unwrap()));
                break;
            }
        }
    }
    assert!(sent.is_empty(), "half a line: {}", sent.escape_ascii());
    if let Some(skipped) = script.end_skipped() {
        course.push(format!("= skipped {skipped}"));
    }
    if !script.unsent().is_empty() {
        course.push(format!("= not sent: {}", script.unsent()));
    }
    course
}

#[test]
fn every_script_takes_its_course_wherever_its_input_is_cut() {
    let mut count = 0;
    for (name, text) in texts("scripts") {
        for (number, text) in text.split("\n---\n").enumerate() {
            let transcript = read(text);
            let told = |course: Vec<String>| course.join("\n");
            let expected = told(transcript.course.clone());
            let name = format!("{name}, script {number}");
            assert_eq!(told(course(&transcript, &[&transcript.input])), expected, "{name}");
            // What is typed ahead and dropped depends on how much is there.
            if transcript.rules.pace != Pace::Typed {
                let octets: Vec<&[u8]> = transcript.input.chunks(1).collect();
                assert_eq!(told(course(&transcript, &octets)), expected, "{name}, an octet at a time");
                for at in 1..transcript.input.len() {
                    let (front, back) = transcript.input.split_at(at);
                    assert_eq!(told(course(&transcript, &[front, back])), expected, "{name}, cut at {at}");
                }
            }
            count += 1;
        }
    }
    assert!(count >= 20, "{count} scripts");
}

/// Returns where a session stands that has sent something, after its greeting, and received a reply.
fn standing(sent: &str, reply: &str) -> Standing {
    let mut tracker = Tracker::new();
    let _ = tracker.received(ReplyLine::new(b"220 hi\r\n"));
    tracker.sent(sent.as_bytes());
    let _ = tracker.received(ReplyLine::new(reply.as_bytes()));
    tracker.standing()
}

#[test]
fn a_script_sends_nothing_where_the_session_is_over_before_it_begins() {
    let unasked = "client and server are out of step: nobody asked for a reply that came";
    for (sent, reply, pace, end) in [
        ("NOOP\r\n", "250 ok\r\n", Pace::InStep, None),
        ("", "250 ok\r\n", Pace::InStep, Some(unasked)),
        ("", "250 ok\r\n", Pace::Blind, Some(unasked)),
        // A person sees what the server says.
        ("", "250 ok\r\n", Pace::Typed, None),
        ("", "421 bye\r\n", Pace::Typed, Some("the server was closing")),
        ("", "421 bye\r\n", Pace::InStep, Some("the server was closing")),
        ("QUIT\r\n", "221 bye\r\n", Pace::InStep, Some("QUIT had ended the session")),
    ] {
        let (mut script, mut input) = (Script::new(Rules::new(pace)), &b"NOOP\n"[..]);
        let next = script.next(&standing(sent, reply), &mut input);
        assert_eq!(next, if end.is_some() { Next::End } else { Next::Send }, "{reply}, {pace:?}");
        assert_eq!(script.end().map(|end| end.to_string()).as_deref(), end, "{reply}, {pace:?}");
    }
}

#[test]
fn what_may_be_a_secret_is_one_until_it_was_sent_and_is_never_shown() {
    let (ready, asked) = (standing("NOOP\r\n", "250 ok\r\n"), standing("AUTH LOGIN\r\n", "334 VQ==\r\n"));
    let mut script = Script::new(Rules::new(Pace::InStep));
    for (standing, input, next, is_secret) in [
        (&ready, "", Next::Input, false),
        (&ready, "NOOP\n", Next::Send, false),
        // It may become an AUTH.
        (&ready, "AUTH PL", Next::Input, true),
        (&ready, "AIN AHUAcA==\n", Next::Send, true),
        (&asked, "AHUAcA==\n", Next::Send, true),
        (&ready, "NOOP\n", Next::Send, false),
    ] {
        assert_eq!(script.next(standing, &mut input.as_bytes()), next, "{input}");
        assert_eq!(script.holds_secret(), is_secret, "{input}");
        let shown = format!("{script:?}");
        assert!(shown.contains("InStep") && !shown.contains("AHUA"), "{shown}");
        if next == Next::Send {
            script.sent();
            assert!(!script.holds_secret() && script.out().is_empty(), "{input}");
        }
    }
}

#[test]
fn what_was_typed_ahead_of_a_refusal_is_dropped_once() {
    let refused = standing("STARTTLS\r\n", "454 no\r\n");
    let mut script = Script::new(Rules::new(Pace::Typed));
    script.replied(refused.last_answer.unwrap());
    assert!(script.drops_typed());
    let mut input = &b"NOOP\n"[..];
    assert_eq!(script.next(&refused, &mut input), Next::Dropped);
    assert!(input.is_empty() && !script.drops_typed());
    assert_eq!(script.next(&refused, &mut input), Next::Input);
}

#[test]
fn a_line_that_is_forgotten_is_not_sent_and_one_that_could_not_be_is_counted() {
    let ready = standing("NOOP\r\n", "250 ok\r\n");
    let mut script = Script::new(Rules::new(Pace::InStep));
    assert_eq!(script.next(&ready, &mut &b"AUTH PLAIN AHU"[..]), Next::Input);
    script.forget_line();
    let mut input = &b"NOOP\nQUIT\n"[..];
    assert_eq!(script.next(&ready, &mut input), Next::Send);
    assert_eq!(script.out(), b"NOOP\r\n");
    script.not_sent(input);
    assert!(script.out().is_empty());
    assert_eq!(script.unsent().to_string(), "2 lines of the input (11 octets)");
}

#[test]
fn blindly_what_is_there_goes_out_but_not_all_that_is_there_at_once() {
    let ready = standing("NOOP\r\n", "250 ok\r\n");
    let mut script = Script::new(Rules::new(Pace::Blind));
    let many = b"NOOP\n".repeat(10_000);
    let (mut input, mut sizes) = (&many[..], Vec::new());
    while script.next(&ready, &mut input) == Next::Send {
        sizes.push(script.out().len());
        script.sent();
    }
    let last = sizes.pop().unwrap();
    assert!(sizes.len() > 2 && sizes.iter().all(|size| (16_384..16_390).contains(size)), "{sizes:?}");
    assert_eq!(sizes.iter().sum::<usize>() + last, 60_000);
}

#[test]
fn what_would_be_one_more_answer_is_not_sent_however_long_it_is() {
    let ready = standing("NOOP\r\n", "250 ok\r\n");
    let granted = standing("AUTH LOGIN\r\n", "235 welcome\r\n");
    for size in [262_143, 262_144, 300_001] {
        let mut script = Script::new(Rules::new(Pace::InStep));
        assert_eq!(script.next(&ready, &mut &b"AUTH LOGIN\n"[..]), Next::Send);
        script.sent();
        script.replied(granted.last_answer.unwrap());
        let next = script.next(&granted, &mut &b"A".repeat(size)[..]);
        // Of a line that is not whole, as much is looked at as would go out first.
        assert_eq!(next, if size < 262_144 { Next::Input } else { Next::End }, "{size} octets");
    }
}
