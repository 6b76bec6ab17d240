//! What the course of a session means for the exit status, in every mode that follows the session.

use std::error::Error as _;

use mconnect_core::protocol::{Answer, Phase, Standing};
use mconnect_core::script::{Fault, Unfinished};
use mconnect_core::{Driver, Ended, Session, chain};

use crate::failure::{Failure, Status};
use crate::stderr::{note, say};
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

/// Tells what was wrong with the end of a session, if anything; a connection that broke when all had come that was to come
/// is no failure.
pub fn ending(driver: &Driver, session: &Session, is_quiet: bool, verdict: &Verdict) {
    match &driver.ended {
        Some(Ended::Broken(error)) if !driver.is_complete(session) => verdict.failed(error),
        Some(Ended::Broken(error)) => {
            if let Some(cause) = error.source().filter(|_| error.is_truncation()) {
                note(&format!("{}: {}; every reply had come", session.peer(), chain(cause)), is_quiet);
            }
        }
        _ => {}
    }
    for missing in driver.missing(session) {
        verdict.complain(Failure::new(Status::Protocol, missing));
    }
}

/// Tells why a script ended before its input, if it did, and what of that was not sent.
pub fn script_ending(driver: &Driver, what: &str, is_all: bool, verdict: &Verdict) {
    match driver.told_end(what, is_all) {
        Some((Some(fault), told)) => verdict.complain(Failure::new(fault.into(), told)),
        Some((None, told)) => say(&format!("mconnect: {told}")),
        None => {}
    }
}

/// Tells how many octets of what was to go out a refused DATA has kept here.
pub fn skipped(octets: u64, of_what: &str, up_to: &str) {
    say(&format!("mconnect: DATA was refused: {octets} octets of {of_what}, {up_to}, were not sent"));
}
