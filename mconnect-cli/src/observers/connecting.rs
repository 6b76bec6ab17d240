//! Telling how the connection comes about, in the words of the original; of a process what it says on its standard error,
//! too, and how it ends.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Instant;

use mconnect_core::protocol::Visible;
use mconnect_core::{Event, Observer, Peer, chain};

use crate::lock::locked;
use crate::stderr::say;

/// Tells it at once; at a prompt, where a process speaks in the middle of a line that is typed, with what happens next.
pub struct Connecting {
    is_typed: bool,
    is_quiet: bool,
    waiting: Mutex<Vec<String>>,
}

impl Connecting {
    pub fn new(is_typed: bool, is_quiet: bool) -> Self {
        Self { is_typed, is_quiet, waiting: Mutex::default() }
    }
}

impl Observer for Connecting {
    fn observe(&self, _: Instant, event: &Event<'_>) {
        if let Event::ProcessSaid(line) = event {
            let line = format!("process: {}", Visible(line));
            let mut waiting = locked(&self.waiting);
            match self.is_typed {
                false => say(&line),
                true if waiting.len() < MOST_WAITING => waiting.push(line),
                true => {}
            }
        } else if !matches!(event, Event::Sent(_) | Event::SentSecret(_)) {
            let waiting = std::mem::take(&mut *locked(&self.waiting));
            waiting.iter().chain(&told(event, self.is_quiet)).for_each(|line| say(line));
        }
    }
}

fn told(event: &Event<'_>, is_quiet: bool) -> Option<String> {
    match event {
        Event::ProcessEnded(status) if !(is_quiet && status.success()) => Some(format!("the process ended, {status}")),
        _ if is_quiet => None,
        Event::Connecting { peer } => Some(connecting(peer)),
        Event::ConnectFailed { error, has_next: true, .. } => {
            Some(format!("connect failed ({}), next address ...", chain(error)))
        }
        Event::Connected { peer } => Some(match (peer.address(), peer.known_as()) {
            (None, Some(who)) => format!("connection open, to {who}"),
            _ => "connection open".to_owned(),
        }),
        _ => None,
    }
}

fn connecting(peer: &Peer) -> String {
    let Some(address) = peer.address() else { return format!("connecting to {peer}") };
    let known_as = peer.known_as().map(|name| format!("{}, ", Visible(name.as_bytes()))).unwrap_or_default();
    let ip = match address {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => format!("{}%{}", v6.ip(), v6.scope_id()),
        address => address.ip().to_string(),
    };
    let via = peer.via().map(|proxy| format!(", via {proxy}")).unwrap_or_default();
    format!("connecting to host {} ({known_as}{ip}), port {}{via}", peer.name(), address.port())
}

/// Of more lines, the first are kept.
const MOST_WAITING: usize = 100;
