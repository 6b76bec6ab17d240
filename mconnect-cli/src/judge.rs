//! What the course of a session means for the exit status, in every mode that follows the session.

use mconnect_core::protocol::{Answer, Code, Phase, Request, Standing};
use mconnect_core::{Error, Peer};

use crate::failure;
use crate::verdict::{Verdict, status};

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
    match request {
        // After the end of the input, 421 is how some servers say goodbye.
        None if code == Code::NOT_AVAILABLE && is_complete => {}
        _ if code == Code::NOT_AVAILABLE => verdict.fail(status::TEMPORARY),
        _ if code.is_positive() => {}
        Some(Request::Greeting) => verdict.fail(failure::status_of_refusal(code)),
        Some(Request::Data | Request::EndOfData | Request::Bdat) if is_script => {
            verdict.fail(failure::status_of_refusal(code));
        }
        _ => {}
    }
}

/// Says whether a reply refuses something; a 421 after the end of the input is how some servers say goodbye.
pub fn is_refusal(answer: Answer, is_complete: bool) -> bool {
    let is_goodbye = answer.request.is_none() && answer.code == Code::NOT_AVAILABLE && is_complete;
    !answer.code.is_positive() && !is_goodbye
}

/// Says whether the server may close now without anything missing; `is_all_sent` says whether the input ended and went
/// out.
pub fn is_complete(standing: &Standing, is_all_sent: bool) -> bool {
    standing.outstanding == 0 && (standing.has_quit || is_all_sent)
}

/// Tells that the input ended where something was missing. Half a message must not be delivered: nothing is added to it.
/// `standing` is where the session stands once what was due has come.
pub fn end_of_input(phase: Phase, standing: &Standing, verdict: &Verdict) {
    let refusal =
        standing.last_answer.filter(|answer| answer.request == Some(Request::Data) && !answer.code.is_positive());
    match phase {
        _ if refusal.is_some() || standing.outstanding > 0 => {}
        Phase::Body => {
            verdict.complain(status::DATA, "the input ended inside a message: without a lone dot it is not delivered");
        }
        Phase::Chunk { left } => {
            let message = format!("the input ended inside a chunk: {left} octets of it are missing");
            verdict.complain(status::DATA, &message);
        }
        _ => {}
    }
}

/// Tells what was wrong with the end of a session, if anything; `note` tells what is no failure.
pub fn ending(
    end: Option<End>,
    peer: &Peer,
    outstanding: usize,
    is_complete: bool,
    verdict: &Verdict,
    note: impl FnOnce(&str),
) {
    match end {
        Some(End::Broken(error)) if !is_complete => {
            verdict.complain(failure::status(&error), &failure::describe(&error));
        }
        Some(End::Broken(error)) => drop(failure::late_break(peer, &error).map(|words| note(&words))),
        Some(End::Closed) if !is_complete => early_close(peer, outstanding, verdict),
        Some(End::Closed | End::Given) | None => {}
    }
}

/// Tells that the server closed before its time.
fn early_close(peer: &Peer, outstanding: usize, verdict: &Verdict) {
    let due = match outstanding {
        0 => String::new(),
        1 => " with a reply still due".to_owned(),
        due => format!(" with {due} replies still due"),
    };
    verdict.complain(status::PROTOCOL, &format!("{peer} closed the connection{due}"));
}
