//! What this machine calls itself.

use std::net::SocketAddr;

/// Gives the name for EHLO: the one that was asked for, the name of this machine if it is a whole one, and otherwise the
/// address of this end ([RFC 5321, section 4.1.4](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.4)).
pub fn name(asked: Option<&str>, local: Option<SocketAddr>) -> String {
    let own = || nix::unistd::gethostname().ok()?.into_string().ok().filter(|name| name.contains('.'));
    match (asked.map(str::to_owned).or_else(own), local.map(|local| local.ip())) {
        (Some(name), _) => name,
        (None, Some(ip)) if ip.is_ipv4() => format!("[{ip}]"),
        (None, Some(ip)) => format!("[IPv6:{ip}]"),
        (None, None) => "localhost".to_owned(),
    }
}
