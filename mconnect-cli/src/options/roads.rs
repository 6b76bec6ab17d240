//! The options on what a session goes over.

use super::option::{Opt, text};
use super::value::{filled, put};
use super::{Options, Target};

pub const ROADS: &[Opt] = &[text("--pipe COMMAND", "talk to a process, which sh starts", |o, command| {
    put(&mut o.target, filled("--pipe", command).map(|command| Target::Process(command.to_owned())))
})
.apart(&[
    (
        "-p -4 -6 --source --connect-timeout",
        "--pipe connects to nobody: -p, -4, -6, --source and --connect-timeout go without it",
    ),
    ("--demo --serve", "--pipe goes with neither --demo nor --serve: each is a server of its own"),
])];

/// Takes a UNIX socket as the server, if that is what was written: `unix:PATH`, or a path from the root.
///
/// # Errors
/// A sentence that says what does not go with it.
pub fn take_socket(options: &mut Options, server: &str, rest: &[String]) -> Result<bool, String> {
    let path = match server.strip_prefix("unix:") {
        Some("") => return Err("unix: names no socket: unix:PATH".to_owned()),
        Some(path) => path,
        None if server.starts_with('/') => server,
        None => return Ok(false),
    };
    if !rest.is_empty() || options.port.is_some() {
        return Err("a UNIX socket has no port".to_owned());
    }
    options.target = Target::Unix(path.into());
    Ok(true)
}
