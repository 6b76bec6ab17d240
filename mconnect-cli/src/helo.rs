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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_whole_name_is_called_by_its_address() {
        assert_eq!(name(Some("client.example"), None), "client.example");
        let own = nix::unistd::gethostname().unwrap().into_string().unwrap();
        for (local, literal) in [
            (Some("192.0.2.1:25"), "[192.0.2.1]"),
            (Some("[2001:db8::1]:25"), "[IPv6:2001:db8::1]"),
            (None, "localhost"),
        ] {
            let expected = if own.contains('.') { &own } else { literal };
            assert_eq!(name(None, local.map(|local| local.parse().unwrap())), expected);
        }
    }
}
