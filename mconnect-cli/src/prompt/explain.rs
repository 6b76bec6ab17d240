//! What the escapes print, and what a negative reply means.

use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

use mconnect_core::Peer;
use mconnect_core::protocol::{Extensions, ReplyLine, Standing, Visible};

use super::escapes::{self, Aside};
use super::{paint, session_log};
use crate::connection::Setting;
use crate::help;
use crate::secure::decode;
use crate::stderr::say;

/// What is known of a session, also after its end.
pub struct Known {
    /// Where it stands, as `~s` tells it.
    pub state: String,
    pub extensions: Option<Extensions>,
}

/// Tells or does what needs no session.
pub fn aside(aside: Aside, known: &Known, setting: &Setting<'_>) {
    match aside {
        Aside::List => say(escapes::LIST.trim_end()),
        Aside::Topic(topic) => match help::on(topic.as_deref(), setting.options.prompt.help_file.as_deref()) {
            Ok(text) => say(text.trim_end()),
            Err(failure) => failure.tell(),
        },
        Aside::Extensions => say(&advertised(known.extensions.as_ref())),
        Aside::State => say(&known.state),
        Aside::Chain => say(&setting.secure.chain()),
        Aside::Record(name) => session_log::record(&setting.watch.session_log, &name),
        Aside::Wrong(what) => say(&format!("mconnect: {what}")),
    }
}

/// Says what the server advertised.
fn advertised(extensions: Option<&Extensions>) -> String {
    let Some(extensions) = extensions else { return "nothing is advertised: EHLO asks for it".to_owned() };
    let list: Vec<String> = extensions.iter().map(ToString::to_string).collect();
    if list.is_empty() { "no extensions".to_owned() } else { list.join("\n") }
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

/// Appends a line with what a challenge says, if it says something.
pub fn challenge(raw: &[u8], has_color: bool, out: &mut String) {
    if let Some(challenge) = decode(ReplyLine::new(raw).text()).filter(|challenge| !challenge.is_empty()) {
        paint::note(&format!("  that is: {}", Visible(&challenge)), has_color, out);
    }
}
