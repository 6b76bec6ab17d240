//! What the course of a session means for the exit status, in every mode that follows the session.

use mconnect_core::protocol::{Answer, Phase, Standing};
use mconnect_core::script::{self, Fault, Unfinished, Unsent};
use mconnect_core::{Ended, Peer};

use crate::failure::{Failure, Status, late_break};
use crate::stderr::say;
use crate::verdict::Verdict;

/// Judges a reply that ended; `is_complete` says whether the server may close now without anything missing. A script
/// whose message is refused has failed; a person sees it.
pub fn reply(answer: Answer, is_complete: bool, is_script: bool, verdict: &Verdict) {
    if let Some(fault) = Fault::of_reply(answer, is_complete, is_script) {
        verdict.fail(fault.into());
    }
}

/// Tells that the input ended in this phase where something was missing. `standing` is where the session stands once what
/// was due has come.
pub fn end_of_input(phase: Phase, standing: &Standing, verdict: &Verdict) {
    if let Some(unfinished) = Unfinished::of(phase, standing) {
        verdict.complain(Failure::new(Status::Data, unfinished.to_string()));
    }
}

/// Tells what was wrong with the end of a session, if anything; `note` tells what is no failure.
pub fn ending(
    end: Option<Ended>,
    peer: &Peer,
    standing: &Standing,
    is_complete: bool,
    verdict: &Verdict,
    note: impl FnOnce(&str),
) {
    match end {
        Some(Ended::Broken(error)) if !is_complete => {
            verdict.failed(&error);
        }
        Some(Ended::Broken(error)) => drop(late_break(peer, &error).map(|words| note(&words))),
        Some(Ended::Closed) if !is_complete => early_close(peer, standing.outstanding, verdict),
        _ => {}
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
    if let Some(fault) = end.fault() {
        verdict.fail(fault.into());
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
    match end.map(|end| (end, end.fault())) {
        Some((end, Some(fault))) => {
            let words = words.map(|words| format!(": {words}")).unwrap_or_default();
            let unsent = if unsent.is_empty() { unsent } else { format!("; {unsent}") };
            let message = format!("{end}, which ends the {what}{words}{unsent}");
            verdict.complain(Failure::new(fault.into(), message));
        }
        _ if unsent.is_empty() => {}
        Some((end, None)) => say(&format!("mconnect: {unsent}: {end}")),
        None => say(&format!("mconnect: {unsent}")),
    }
}

/// Tells how many octets of what was to go out a refused DATA has kept here.
pub fn skipped(octets: u64, of_what: &str, up_to: &str) {
    say(&format!("mconnect: DATA was refused: {octets} octets of {of_what}, {up_to}, were not sent"));
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
