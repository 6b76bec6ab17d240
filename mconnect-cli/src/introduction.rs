//! XCLIENT and XFORWARD: whom the server is to take the client for, and to note.

use mconnect_core::Session;
use mconnect_core::protocol::ClientAttribute;

use crate::failure::{Failure, Status};
use crate::options::Roads;

/// Returns the XCLIENT that the options ask for, if they do. After it, EHLO comes again.
///
/// # Errors
/// The server does not offer it.
pub fn xclient(roads: &Roads, session: &Session) -> Result<Option<String>, Failure> {
    line("XCLIENT", &roads.xclient, roads, session)
}

/// Returns the XFORWARD that the options ask for, if they do.
///
/// # Errors
/// The server does not offer it.
pub fn xforward(roads: &Roads, session: &Session) -> Result<Option<String>, Failure> {
    line("XFORWARD", &roads.xforward, roads, session)
}

fn line(
    verb: &'static str,
    attributes: &[ClientAttribute],
    roads: &Roads,
    session: &Session,
) -> Result<Option<String>, Failure> {
    if attributes.is_empty() {
        return Ok(None);
    }
    let offered = session.extensions().unwrap_or_default();
    match ClientAttribute::require(verb, attributes, &offered) {
        Err(need) if !roads.is_forced => {
            let message = format!("will not say {verb} to {}: {need}", session.peer());
            Err(Failure::new(Status::Unavailable, message).hint("; --xclient-anyway says it all the same"))
        }
        _ => Ok(Some(ClientAttribute::command(verb, attributes))),
    }
}
