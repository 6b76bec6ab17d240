//! Telling how the connection comes about, in the words of the original.

use std::net::SocketAddr;
use std::time::Instant;

use mconnect_core::{Event, Observer, Peer};

use crate::failure::reason;
use crate::verdict::say;

/// Tells every attempt and its outcome on standard error.
pub struct Narrator;

impl Observer for Narrator {
    fn observe(&self, _: Instant, event: &Event<'_>) {
        match event {
            Event::Connecting { peer } => say(&connecting(peer)),
            Event::ConnectFailed { error, has_next: true, .. } => {
                say(&format!("connect failed ({}), next address ...", reason(&error.to_string())));
            }
            Event::Connected { .. } => say("connection open"),
            _ => {}
        }
    }
}

fn connecting(peer: &Peer) -> String {
    match peer.address() {
        Some(address @ SocketAddr::V6(v6)) if v6.scope_id() != 0 => {
            format!("connecting to host {} ({}%{}), port {}", peer.name(), v6.ip(), v6.scope_id(), address.port())
        }
        Some(address) => format!("connecting to host {} ({}), port {}", peer.name(), address.ip(), address.port()),
        None => format!("connecting to host {}", peer.name()),
    }
}
