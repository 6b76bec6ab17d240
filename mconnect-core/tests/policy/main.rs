//! Policies of domains, and what is published of their certificates, over real loopback sockets.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
