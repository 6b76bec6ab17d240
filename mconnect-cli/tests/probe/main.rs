//! What the tool says of domains: a name server and mail servers on loopback.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;

#[cfg(feature = "probe")]
mod many;
#[cfg(feature = "probe")]
mod told;
#[cfg(feature = "probe")]
#[path = "../exchangers/zone.rs"]
mod zone;

#[cfg(not(feature = "probe"))]
#[test]
fn a_tool_without_probes_says_so() {
    let output = common::run(&["--probe", "example.test"], "");
    common::assert_status(&output, 64);
    assert_eq!(common::err(&output), "mconnect: this mconnect was built without probing (the feature probe)\n");
}
