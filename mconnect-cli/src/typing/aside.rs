//! What the escapes print that need no session.

use mconnect_core::protocol::Extensions;

use super::Known;
use super::escapes::{self, Aside};
use crate::connection::Setting;
use crate::help;
use crate::stderr::say;

/// Tells or does what needs no session.
pub fn obey(aside: Aside, known: &Known, setting: &Setting<'_>) {
    match aside {
        Aside::List => say(escapes::LIST.trim_end()),
        Aside::Topic(None) if known.last_reply.is_some() => say(&known.last_reply()),
        Aside::Topic(topic) => match help::on(topic.as_deref(), setting.options.prompt.help_file.as_deref()) {
            Ok(text) => say(text.trim_end()),
            Err(failure) => failure.tell(),
        },
        Aside::Extensions => say(&advertised(known.extensions.as_ref())),
        Aside::State => say(&known.state),
        Aside::Chain => setting.secure.tell_chain(),
        Aside::Record(name) => setting.watch.session_log.toggle(&name),
        Aside::Wrong(what) => say(&format!("mconnect: {what}")),
    }
}

/// Says what the server advertised.
fn advertised(extensions: Option<&Extensions>) -> String {
    let list = extensions.map(Extensions::to_string);
    let list = list.unwrap_or_else(|| "nothing is advertised: EHLO asks for it".to_owned());
    if list.is_empty() { "no extensions".to_owned() } else { list }
}
