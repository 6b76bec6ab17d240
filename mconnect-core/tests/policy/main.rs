//! What a domain publishes of its mail servers, and whether they keep to it, over real loopback sockets.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod dane;
mod fetch;
