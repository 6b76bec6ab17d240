//! What the course of a session means for the exit status, in every mode that follows the session.

use mconnect_core::protocol::{Answer, Code, Meaning, Phase, Request, Standing};
use mconnect_core::script::{self, Unsent};
use mconnect_core::{Error, Peer};

use crate::failure::{Failure, Status, late_break};
use crate::stderr::say;
use crate::verdict::Verdict;

/// How a session ended.
pub enum End {
    /// The server closed.
    Closed,
    /// The connection broke.
    Broken(Error),
    /// It was ended from this side, which has been told.
    Given,
}

/// Judges a reply that ended; `is_complete` says whether the server may close now without anything missing. A script
/// whose message is refused has failed; a person sees it.
pub fn reply(answer: Answer, is_complete: bool, is_script: bool, verdict: &Verdict) {
    let Answer { request, code, .. } = answer;
    match (answer.meaning(), request) {
        _ if is_goodbye(answer, is_complete) => {}
        (Meaning::OutOfStep, _) => verdict.fail(Status::Protocol),
        (Meaning::Closing, _) if code == Code::NOT_AVAILABLE => verdict.fail(Status::Temporary),
        // What was asked was not granted, even if it was the last thing to be asked.
        (Meaning::Closing, Some(_)) => verdict.fail(Status::Protocol),
        (meaning, Some(Request::Greeting)) if meaning.is_refusal() => verdict.fail(Status::of_refusal(code)),
        // One reply too many before it may have moved a message's reply here.
        (meaning, Some(Request::Data | Request::EndOfData | Request::Bdat | Request::Quit))
            if is_script && meaning.is_refusal() =>
        {
            verdict.fail(Status::of_refusal(code));
        }
        _ => {}
    }
}

/// Returns whether a reply is no more than how some servers say goodbye: a 421 after the end of the input.
pub fn is_goodbye(answer: Answer, is_complete: bool) -> bool {
    answer.request.is_none() && answer.code == Code::NOT_AVAILABLE && is_complete
}

/// Returns whether the server may close now without anything missing; `is_all_sent` says whether the input ended and went
/// out.
pub fn is_complete(standing: &Standing, is_all_sent: bool) -> bool {
    standing.outstanding == 0 && (standing.has_quit || is_all_sent)
}

/// Tells that the input ended where something was missing. Half a message must not be delivered: nothing is added to it.
/// `standing` is where the session stands once what was due has come.
pub fn end_of_input(phase: Phase, standing: &Standing, verdict: &Verdict) {
    let was_refused = standing
        .last_answer
        .is_some_and(|answer| answer.request == Some(Request::Data) && !answer.meaning().is_granted());
    match phase {
        _ if was_refused || standing.outstanding > 0 => {}
        Phase::Body => {
            let message = "the input ended inside a message: without a lone dot it is not delivered";
            verdict.complain(Failure::new(Status::Data, message));
        }
        Phase::Chunk { left } => {
            let message = format!("the input ended inside a chunk: {left} octets of it are missing");
            verdict.complain(Failure::new(Status::Data, message));
        }
        _ => {}
    }
}

/// Tells what was wrong with the end of a session, if anything; `note` tells what is no failure.
pub fn ending(
    end: Option<End>,
    peer: &Peer,
    standing: &Standing,
    is_complete: bool,
    verdict: &Verdict,
    note: impl FnOnce(&str),
) {
    match end {
        Some(End::Broken(error)) if !is_complete => {
            verdict.failed(&error);
        }
        Some(End::Broken(error)) => drop(late_break(peer, &error).map(|words| note(&words))),
        Some(End::Closed) if !is_complete => early_close(peer, standing.outstanding, verdict),
        Some(End::Closed | End::Given) | None => {}
    }
    if standing.lost > 0 {
        let replies = if standing.lost == 1 { "reply" } else { "replies" };
        let may_be_taken = if standing.lost_message { "; the message may have been taken all the same" } else { "" };
        let message = format!(
            "{peer} answered QUIT with {} {replies} still due, which can come no more{may_be_taken}",
            standing.lost
        );
        verdict.complain(Failure::new(Status::Protocol, message));
    }
}

/// Judges what has just ended a script; [`script_ending`] tells it once its rest is counted.
pub fn script_ended(end: script::End, verdict: &Verdict) {
    if end.answer().is_some() {
        verdict.fail(status_of(end));
    }
}

/// Tells in one sentence why a script ended before its input, if it did, and what of that was not sent. `what` names what
/// ends, `words` are what the server said, and `is_all` says whether all of the input was counted.
pub fn script_ending(
    end: Option<script::End>,
    what: &str,
    words: Option<&str>,
    unsent: &Unsent,
    is_all: bool,
    verdict: &Verdict,
) {
    let least = if is_all { "" } else { "at least " };
    let unsent = if unsent.is_empty() { String::new() } else { format!("not sent: {least}{unsent}") };
    match end {
        Some(end) if end.answer().is_some() => {
            let words = words.map(|words| format!(": {words}")).unwrap_or_default();
            let unsent = if unsent.is_empty() { unsent } else { format!("; {unsent}") };
            let message = format!("{end}, which ends the {what}{words}{unsent}");
            verdict.complain(Failure::new(status_of(end), message));
        }
        _ if unsent.is_empty() => {}
        Some(end) => say(&format!("mconnect: {unsent}: {end}")),
        None => say(&format!("mconnect: {unsent}")),
    }
}

/// Tells how many octets of what was to go out a refused DATA has kept here.
pub fn skipped(octets: u64, of_what: &str, up_to: &str) {
    say(&format!("mconnect: DATA was refused: {octets} octets of {of_what}, {up_to}, were not sent"));
}

/// Returns the exit status that the end of a script asks for.
fn status_of(end: script::End) -> Status {
    match end {
        script::End::Auth(answer) => Status::of_refused_auth(answer.code),
        script::End::Greeting(answer) | script::End::StartTls(answer) | script::End::Refused(answer) => {
            Status::of_refusal(answer.code)
        }
        _ => Status::Protocol,
    }
}

/// Tells that the server closed before its time.
fn early_close(peer: &Peer, outstanding: usize, verdict: &Verdict) {
    let due = match outstanding {
        0 => String::new(),
        1 => " with a reply still due".to_owned(),
        due => format!(" with {due} replies still due"),
    };
    verdict.complain(Failure::new(Status::Protocol, format!("{peer} closed the connection{due}")));
}
