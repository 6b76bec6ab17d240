//! A session with a domain's mail exchangers: a name server and mail servers on loopback.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;

#[cfg(feature = "dns")]
mod order;
#[cfg(feature = "dns")]
mod zone;

#[cfg(not(feature = "dns"))]
#[test]
fn a_tool_without_name_servers_says_so() {
    let output = common::run(&["--mx", "example.test"], "");
    common::assert_status(&output, 64);
    assert_eq!(common::err(&output), "mconnect: this mconnect was built without --mx (the feature dns)\n");
}
