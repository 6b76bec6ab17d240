//! The options on what a session goes over, and whom the server is to take the client for.

use std::path::PathBuf;

use mconnect_core::protocol::ClientAttribute;
use mconnect_core::{Proxy, ProxyHeader, ProxyVersion};

use super::option::{Opt, file, flag, text, word};
use super::value::{filled, push, put, read};
use super::{Options, Target};

/// What is on the way, and what is said of the client.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Roads {
    pub via: Option<Proxy>,
    pub via_password: Option<PathBuf>,
    pub header: Option<ProxyHeader>,
    pub header_version: ProxyVersion,
    /// The server wants such a header.
    pub expects_header: bool,
    pub xclient: Vec<ClientAttribute>,
    pub xforward: Vec<ClientAttribute>,
    /// What is not offered is said all the same.
    pub is_forced: bool,
}

impl Roads {
    /// Returns whether the server is told of another client.
    pub fn introduces(&self) -> bool {
        !self.xclient.is_empty() || !self.xforward.is_empty()
    }
}

pub const ROADS: &[Opt] = &[
    text("--pipe COMMAND", "talk to a process, which sh starts", |o, command| {
        put(&mut o.target, filled("--pipe", command).map(|command| Target::Process(command.to_owned())))
    })
    .apart(&[
        (
            "-p -4 -6 --source --connect-timeout --via",
            "--pipe connects to nobody: -p, -4, -6, --source, --connect-timeout and --via go without it",
        ),
        ("--demo --serve", "--pipe goes with neither --demo nor --serve: each is a server of its own"),
    ]),
    text("--via URL", "connect through a proxy: socks5, socks5h or http", |o, url| {
        put(&mut o.roads.via, url.parse::<Proxy>().map_err(|why| format!("--via: {why}")))
    }),
    file("--via-password-file FILE", "take the proxy's password from its first line", |o| &mut o.roads.via_password)
        .with("--via"),
    text("--haproxy FROM[,TO]", "say first, by PROXY, whom it is from, or: local", |o, text| {
        put(&mut o.roads.header, read::<ProxyHeader>(text))
    }),
    word(
        "--haproxy-version FORM",
        "the form of that: 1 is text, 2 (default) binary",
        &[("1", |o| o.roads.header_version = ProxyVersion::V1), ("2", |o| o.roads.header_version = ProxyVersion::V2)],
    )
    .with("--haproxy"),
    text("--xclient NAME=VALUE", "have the server take the client for another", |o, text| {
        push(&mut o.roads.xclient, attribute(text))
    })
    .apart(&[("--play", "--play takes neither --xclient nor --xforward: a dialogue says so itself")]),
    text("--xforward NAME=VALUE", "have it note for whom mail is forwarded", |o, text| {
        push(&mut o.roads.xforward, attribute(text))
    })
    .apart(&[("--play", "--play takes neither --xclient nor --xforward: a dialogue says so itself")]),
    flag("--xclient-anyway", "say both though they are not offered", |o| o.roads.is_forced = true)
        .with("--xclient --xforward"),
];

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
    if options.roads.via.is_some() {
        return Err("no proxy leads to a UNIX socket: it is on this machine".to_owned());
    }
    options.target = Target::Unix(path.into());
    Ok(true)
}

fn attribute(text: &str) -> Result<ClientAttribute, String> {
    text.parse().map_err(|why| format!("{text:?}: {why}"))
}
