//! What the escapes print that need no session.

use mconnect_core::protocol::{Extension, Extensions};

use super::escapes::{self, Aside};
use super::{Known, session_log};
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
        Aside::Record(name) => session_log::record(&setting.watch.session_log, &name),
        Aside::Wrong(what) => say(&format!("mconnect: {what}")),
    }
}

/// Says what the server advertised.
fn advertised(extensions: Option<&Extensions>) -> String {
    let Some(extensions) = extensions else { return "nothing is advertised: EHLO asks for it".to_owned() };
    let line = |extension: &Extension| match (extension.to_string(), extension.meaning()) {
        (shown, None) => shown,
        (shown, Some(meaning)) if shown.chars().count() <= KEYWORDS => format!("{shown:KEYWORDS$}  {meaning}"),
        (shown, Some(meaning)) => format!("{shown}\n{:KEYWORDS$}  {meaning}", ""),
    };
    let list: Vec<String> = extensions.iter().map(line).collect();
    if list.is_empty() { "no extensions".to_owned() } else { list.join("\n") }
}

/// Most keywords are no wider than this, in columns.
const KEYWORDS: usize = 19;
