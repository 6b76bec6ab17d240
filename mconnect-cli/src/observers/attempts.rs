//! Telling how the connection comes about, in the words of the original.

use std::net::SocketAddr;
use std::time::Instant;

use mconnect_core::protocol::Visible;
use mconnect_core::{Event, Observer, Peer, chain};

use crate::stderr::say;

/// Tells every attempt and its outcome on standard error.
pub struct Attempts;

impl Observer for Attempts {
    fn observe(&self, _: Instant, event: &Event<'_>) {
        match event {
            Event::Connecting { peer } => say(&connecting(peer)),
            Event::ConnectFailed { error, has_next: true, .. } => {
                say(&format!("connect failed ({}), next address ...", chain(error)));
            }
            Event::Connected { peer } => match (peer.address(), peer.known_as()) {
                (None, Some(who)) => say(&format!("connection open, to {who}")),
                _ => say("connection open"),
            },
            _ => {}
        }
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
