//! What the escapes print, and what a negative reply means.

use mconnect_core::protocol::{Extensions, ReplyLine, Visible};

use super::escapes::{self, Aside};
use super::{paint, session_log};
use crate::connection::Setting;
use crate::help;
use crate::secure::decode;
use crate::stderr::say;
use crate::typing::Known;

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

/// Appends a line with what a challenge says, if it says something.
pub fn challenge(raw: &[u8], has_color: bool, out: &mut String) {
    if let Some(challenge) = decode(ReplyLine::new(raw).text()).filter(|challenge| !challenge.is_empty()) {
        paint::note(&format!("  that is: {}", Visible(&challenge)), has_color, out);
    }
}
