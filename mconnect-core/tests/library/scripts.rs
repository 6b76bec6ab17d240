//! Scripts go as every transcript in `scripts/` says, whole and cut at every position.
//!
//! `rules ...` says by which rules (`in-step`, `typed`, `blind`, `fail`, `no-upgrade`, `in-tls`). `I:` lines are the input.
//! Below them is what happens: `C:` lines are sent, `S:` lines are the replies, in the order in which they have to come;
//! `= WHAT` is what the script says besides: `starttls`, `skipped N`, `dropped`, and at last why it ended, and what was
//! not sent.

use std::collections::VecDeque;

use mconnect_core::protocol::{ReplyLine, Tracker};
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
        let next = script.next(&tracker.standing(), &mut input);
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
