//! What the escapes print, and what a negative reply means.

use std::path::Path;
use std::time::Duration;

use mconnect_core::diagnosis::Finding;
use mconnect_core::protocol::{Extensions, ReplyLine, Standing, Visible};
use mconnect_core::{Peer, Writer};

use super::paint;
use crate::help;
use crate::secure::decode;
use crate::stderr::say;
use crate::timestamps;

/// Prints help on a topic.
pub fn help(topic: Option<&str>, file: Option<&Path>) {
    match help::on(topic, file) {
        Ok(text) => say(text.trim_end()),
        Err(failure) => failure.tell(),
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
        beneath(&format!("  that is: {}", Visible(&challenge)), has_color, out);
    }
}

/// Appends a line on why a reply refused what was asked.
pub fn refusal(found: &Finding, has_color: bool, out: &mut String) {
    beneath(&format!("  {found}"), has_color, out);
}

fn beneath(text: &str, has_color: bool, out: &mut String) {
    out.push_str(&timestamps::of_now().unwrap_or_default());
    out.push_str(&if has_color { paint::dim(text) } else { text.to_owned() });
    out.push('\n');
}
