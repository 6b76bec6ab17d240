//! What the course of a session means for the exit status, in every mode that follows the session.

use mconnect_core::Peer;
use mconnect_core::protocol::{Answer, Code, Phase, Request, Standing};

use crate::failure;
use crate::verdict::{Verdict, status};

/// Judges a reply that ended; `is_complete` says whether the server may close now without anything missing.
pub fn reply(answer: Answer, is_complete: bool, verdict: &Verdict) {
    match answer {
        Answer { request: Some(Request::Greeting), code, .. } if !code.is_positive() => {
            verdict.fail(failure::status_of_refusal(code));
        }
        // After the end of the input, 421 is how some servers say goodbye.
        Answer { code: Code::NOT_AVAILABLE, .. } if !is_complete => verdict.fail(status::TEMPORARY),
        _ => {}
    }
}

/// Says whether the server may close now without anything missing; `is_all_sent` says whether the input ended and went
/// out.
pub fn is_complete(standing: &Standing, is_all_sent: bool) -> bool {
    let has_quit =
        matches!(standing.last_answer, Some(Answer { request: Some(Request::Quit), code: Code::CLOSING, .. }));
    standing.outstanding == 0 && (has_quit || is_all_sent)
}

/// Tells that the input ended where something was missing. Half a message must not be delivered: nothing is added to it.
pub fn end_of_input(phase: Phase, verdict: &Verdict) {
    match phase {
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

/// Tells that the server closed before its time.
pub fn early_close(peer: &Peer, outstanding: usize, verdict: &Verdict) {
    let due = match outstanding {
        0 => String::new(),
        1 => " with a reply still due".to_owned(),
        due => format!(" with {due} replies still due"),
    };
    verdict.complain(status::PROTOCOL, &format!("{peer} closed the connection{due}"));
}
