//! Proving who one is ([RFC 4954](https://www.rfc-editor.org/rfc/rfc4954)).
//!
//! A dialogue does what it says: the mechanism that it names is used, whatever the server has offered, in the clear
//! too, and a server that asks for few rounds of hashing gets its answer. Only what proves the server to the client is
//! insisted on, as [`Exchange`] does for everybody.

use std::str;

use super::Verdict;
use super::game::Game;
use super::step_result::StepResult;
use crate::auth::{AuthStep, Credentials, Exchange, Mechanism};
use crate::protocol::Meaning;

/// Does a whole exchange, and returns what its last reply came to. It has been met by a 235 alone, and, by a mechanism
/// in which the server proves itself, by a 235 after that proof.
pub(super) fn authenticate(game: &mut Game<'_, '_>, mechanism: &str, user: &[u8], secret: &[u8]) -> StepResult {
    let Some(mechanism) = Mechanism::from_name(mechanism.as_bytes()) else {
        let known = Mechanism::ALL.iter().map(|mechanism| mechanism.name()).collect::<Vec<_>>().join(", ");
        return StepResult::not(Verdict::Impossible, format!("no such mechanism here: {known}"));
    };
    let (Ok(user), Ok(secret)) = (str::from_utf8(user), str::from_utf8(secret)) else {
        return StepResult::not(Verdict::Impossible, "a user or a secret that is not UTF-8");
    };
    let Some(session) = &game.session else { return StepResult::closed_here() };
    let host = session.peer().name().to_owned();
    let exchange = Exchange::new(mechanism, &Credentials::new(user, secret)).host(&host);
    let mut exchange = exchange.named().allow_few_rounds();
    if let Err(problem) = exchange.bind(&session.channel_bindings(), None) {
        return StepResult::not(Verdict::Impossible, problem.to_string());
    }
    let mut line = exchange.command();
    let patience = game.reply_timeout();
    loop {
        game.out.extend_from_slice(line.as_bytes());
        game.out.extend_from_slice(b"\r\n");
        let reply = match game.flush().and_then(|()| game.read_reply(patience)) {
            Ok(reply) => reply,
            Err(result) => return result,
        };
        let got = game.shown(&reply);
        let not = |verdict, got: String| StepResult { reply: Some(reply.clone()), ..StepResult::not(verdict, got) };
        match exchange.next(reply.code(), &reply.text()) {
            AuthStep::Answer(answer) => line = answer,
            AuthStep::Granted => return StepResult { reply: Some(reply), ..StepResult::met(got) },
            AuthStep::NotGranted if reply.meaning() == Meaning::OutOfStep => return not(Verdict::Other, got),
            AuthStep::NotGranted => return not(Verdict::Refused, got),
            AuthStep::Unproven(problem) => return not(Verdict::Refused, format!("{got}: {problem}")),
            AuthStep::Cancel(problem) => {
                game.out.extend_from_slice(b"*\r\n");
                let cancelled = game.flush().and_then(|()| game.read_reply(patience));
                let verdict = cancelled.map_or_else(|error| error.verdict, |_| Verdict::Refused);
                return not(verdict, format!("{got}: {problem}"));
            }
        }
    }
}
