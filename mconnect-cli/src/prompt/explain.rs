//! What the escapes print, and what a negative reply means.

use std::time::Duration;

use mconnect_core::protocol::{Extensions, ReplyLine, Standing, Visible};
use mconnect_core::{Peer, Writer};

use super::escapes::{self, Aside};
use super::{paint, session_log};
use crate::connection::Setting;
use crate::help;
use crate::secure::decode;
use crate::stderr::say;

/// Tells or does what has nothing to do with where the session stands.
pub fn aside(aside: Aside, setting: &Setting<'_>) {
    match aside {
        Aside::List => say(escapes::LIST.trim_end()),
        Aside::Topic(topic) => match help::on(topic.as_deref(), setting.options.prompt.help_file.as_deref()) {
            Ok(text) => say(text.trim_end()),
            Err(failure) => failure.tell(),
        },
        Aside::Chain => say(&setting.secure.chain()),
        Aside::Record(name) => session_log::record(&setting.watch.session_log, &name),
        Aside::Wrong(what) => say(&format!("mconnect: {what}")),
    }
}

/// Prints what the server advertised.
pub fn extensions(extensions: Option<&Extensions>) {
    let Some(extensions) = extensions else { return say("nothing is advertised: EHLO asks for it") };
    let list: Vec<String> = extensions.iter().map(ToString::to_string).collect();
    say(&if list.is_empty() { "no extensions".to_owned() } else { list.join("\n") });
}

/// What was counted of a session.
pub struct Counts {
    pub open: Duration,
    pub sent: u64,
    pub received: u64,
}

/// Says where the session stands.
pub fn state(writer: &Writer, mark: &str, counts: &Counts) -> String {
    let local = writer.local_address().map_or_else(|| "unknown".to_owned(), |local| local.to_string());
    format!(
        "{}\nlocal     {local}\nsent      {} octets\nreceived  {} octets\nopen      {:.1} s",
        standing(writer.peer(), mark, &writer.standing()),
        counts.sent,
        counts.received,
        counts.open.as_secs_f64()
    )
}

/// Says where the session stands, without what was counted.
pub fn standing(peer: &Peer, mark: &str, standing: &Standing) -> String {
    let tls = match mark {
        "" => "no",
        mark => mark.trim_start_matches(", "),
    };
    let step = if standing.is_in_step && standing.surprise.is_none() { "" } else { ", out of step" };
    format!(
        "peer      {peer}\ntls       {tls}\nphase     {}\nreplies   {} due{step}",
        standing.phase, standing.outstanding
    )
}

/// Appends a line with what a challenge says, if it says something.
pub fn challenge(raw: &[u8], has_color: bool, out: &mut String) {
    if let Some(challenge) = decode(ReplyLine::new(raw).text()).filter(|challenge| !challenge.is_empty()) {
        paint::note(&format!("  that is: {}", Visible(&challenge)), has_color, out);
    }
}
