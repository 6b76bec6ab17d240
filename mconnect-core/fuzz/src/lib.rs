//! What must be true of every input: a property for each fuzz target, which `tests/seeds.rs` replays without a fuzzer.
//!
//! A property panics where it does not hold.

#![forbid(unsafe_code)]

pub mod arguments;
pub mod client;
pub mod dialogue;
pub mod dns;
pub mod encode;
pub mod extensions;
pub mod help;
mod model;
pub mod names;
pub mod proxy;
pub mod proxy_header;
pub mod replies;
pub mod resume;
pub mod script;
pub mod server;
pub mod sts;
pub mod targets;
pub mod tracker;

// The tool's parsers, from their files: a binary has no interface to take them from.
#[allow(dead_code, unused_imports, reason = "the properties use their part")]
#[path = "../../../mconnect-cli/src"]
mod cli {
    pub mod options;
}

/// A property, by the name of its target.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("arguments", arguments::holds),
    ("client", client::holds),
    ("dialogue", dialogue::holds),
    ("dns", dns::holds),
    ("encode", encode::holds),
    ("extensions", extensions::holds),
    ("help", help::holds),
    ("names", names::holds),
    ("proxy", proxy::holds),
    ("proxy_header", proxy_header::holds),
    ("replies", replies::holds),
    ("resume", resume::holds),
    ("script", script::holds),
    ("server", server::holds),
    ("sts", sts::holds),
    ("targets", targets::holds),
    ("tracker", tracker::holds),
];

/// Says whether a text steers no terminal, and stands on one line.
fn is_fit_to_show(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && c != '\t')
}

/// Cuts `data` at places that follow from its bytes, so that a failure can be seen again.
fn parts(data: &[u8]) -> Vec<&[u8]> {
    let mut state = data.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
    let (mut parts, mut rest) = (Vec::new(), data);
    while !rest.is_empty() {
        state = state.wrapping_mul(PRIME) ^ (state >> 29);
        // Short parts, and now and then an empty or a long one.
        let size = if state % 16 == 0 { rest.len() / 2 } else { (state >> 8) as usize % 9 };
        let (part, more) = rest.split_at(size.min(rest.len()));
        parts.push(part);
        rest = more;
    }
    parts
}

const PRIME: u64 = 0x0100_0000_01b3;
