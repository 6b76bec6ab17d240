//! What is known of a session: where it stands, or stood at its end.

use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

use mconnect_core::Peer;
use mconnect_core::protocol::{Extensions, Standing};

/// What is known of a session, also after its end.
pub struct Known {
    /// Where it stands, as `~s` tells it.
    pub state: String,
    pub extensions: Option<Extensions>,
}

/// Where a session stands, and what was counted of it.
pub struct Whereabouts<'a> {
    pub peer: &'a Peer,
    pub local: Option<SocketAddr>,
    /// What the prompt shows of TLS.
    pub mark: &'a str,
    pub standing: Standing,
    pub opened: Instant,
    pub sent: u64,
    pub received: u64,
    /// How the session before it ended.
    pub before: Option<&'a str>,
}

impl fmt::Display for Whereabouts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let standing = &self.standing;
        let tls = if self.mark.is_empty() { "no" } else { self.mark.trim_start_matches(", ") };
        let step = if standing.is_in_step && standing.surprise.is_none() { "" } else { ", out of step" };
        let local = self.local.map_or_else(|| "unknown".to_owned(), |local| local.to_string());
        writeln!(f, "peer      {}\ntls       {tls}\nphase     {}", self.peer, standing.phase)?;
        writeln!(f, "replies   {} due{step}\nlocal     {local}", standing.outstanding)?;
        writeln!(f, "sent      {} octets\nreceived  {} octets", self.sent, self.received)?;
        write!(f, "open      {:.1} s", self.opened.elapsed().as_secs_f64())?;
        self.before.map_or(Ok(()), |how| write!(f, "\nbefore    {how}"))
    }
}
