//! What is known of a session that has ended before anybody had ended it.

use mconnect_core::protocol::{Phase, Standing};

use super::Known;
use crate::failure::Failure;
use crate::judge::End;

/// A session that has ended before anybody had ended it.
pub struct Past {
    /// How it ended.
    pub how: String,
    pub known: Known,
    /// In which phase a line was being typed.
    pub asked: Phase,
}

impl Past {
    pub fn new(how: String, mut known: Known, asked: Phase) -> Self {
        known.state += &format!("\nended     {how}");
        Self { how, known, asked }
    }
}

/// Says how a session ended whose connection did: by what the server said, or by what happened.
pub fn how(end: Option<&End>, standing: &Standing) -> String {
    match (end, standing.last_answer.filter(|_| standing.is_closing)) {
        (Some(End::Closed), Some(answer)) => format!("the server closed after {}", answer.code),
        (Some(End::Closed), None) => "the server closed".to_owned(),
        (Some(End::Broken(error)), _) => Failure::from(error).to_string(),
        (Some(End::Given) | None, _) => "the server did not reply in time".to_owned(),
    }
}

/// Said of a line that can go nowhere.
pub const CLOSED: &str = "mconnect: the connection is closed: ~o opens the session again, QUIT leaves";
