//! What is known of a session: where it stands, or stood at its end.

use std::time::Instant;

use mconnect_core::Session;
use mconnect_core::protocol::Extensions;

use crate::connection::Setting;

/// What is known of a session, also after its end.
pub struct Known {
    /// Where it stands, as `~s` tells it.
    pub state: String,
    pub extensions: Option<Extensions>,
}

/// What was counted of a session.
pub struct Counts<'a> {
    pub opened: Instant,
    pub sent: u64,
    /// In whole lines.
    pub received: u64,
    /// How the session before it ended.
    pub before: Option<&'a str>,
}

impl Known {
    pub fn of(session: &Session, setting: &Setting<'_>, counts: &Counts<'_>) -> Self {
        let (standing, mark) = (session.standing(), setting.secure.mark());
        let tls = if mark.words.is_empty() { "no" } else { mark.words };
        let step = if standing.is_in_step && standing.surprise.is_none() { "" } else { ", out of step" };
        let local = session.local_address().map_or_else(|| "unknown".to_owned(), |local| local.to_string());
        let mut lines = vec![
            format!("peer      {}", session.peer()),
            format!("tls       {tls}"),
            format!("phase     {}", standing.phase),
            format!("replies   {} due{step}", standing.outstanding),
            format!("local     {local}"),
            format!("sent      {} octets", counts.sent),
            format!("received  {} octets", counts.received + session.buffered().len() as u64),
            format!("open      {:.1} s", counts.opened.elapsed().as_secs_f64()),
        ];
        lines.extend(counts.before.map(|how| format!("before    {how}")));
        Self { state: lines.join("\n"), extensions: session.extensions() }
    }
}
