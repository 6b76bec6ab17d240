//! Ports by number and by name. The name service switch is not asked: a table of mail's own names, and then
//! `/etc/services`.

use std::fs;

use crate::error::Error;

/// Reads a port: a number from 1 to 65535, or a service name, of mail or of `/etc/services` (TCP, aliases too).
///
/// | name, in any case | port | for |
/// |---|---|---|
/// | `smtp` | 25 | servers among each other ([RFC 5321](https://www.rfc-editor.org/rfc/rfc5321)) |
/// | `submission` | 587 | mail programs, with STARTTLS ([RFC 6409](https://www.rfc-editor.org/rfc/rfc6409)) |
/// | `submissions`, `smtps` | 465 | mail programs, inside TLS from the first byte on ([RFC 8314](https://www.rfc-editor.org/rfc/rfc8314)) |
/// | `lmtp` | 24 | local delivery ([RFC 2033](https://www.rfc-editor.org/rfc/rfc2033)) |
///
/// ```
/// use mconnect_core::port;
///
/// assert_eq!(port("submission")?, 587);
/// assert_eq!(port("2525")?, 2525);
/// assert_eq!(
///     port("70000").unwrap_err().to_string(),
///     "\"70000\" is not a port: a number from 1 to 65535, or a service name"
/// );
/// # Ok::<(), mconnect_core::Error>(())
/// ```
///
/// # Errors
/// [`Error::Address`] if it is neither.
#[doc(alias = "getservbyname")]
#[doc(alias = "service")]
pub fn port(text: &str) -> Result<u16, Error> {
    let unknown =
        || Error::Address { what: format!("{text:?}"), kind: "port: a number from 1 to 65535, or a service name" };
    match text.parse::<u16>() {
        Ok(0) => Err(unknown()),
        Ok(_) if text.starts_with('+') => Err(unknown()),
        Ok(port) => Ok(port),
        Err(_) if text.is_empty() || text.bytes().all(|byte| byte.is_ascii_digit()) => Err(unknown()),
        Err(_) => match SERVICES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            Some((_, port)) => Ok(*port),
            None => port_in(&fs::read_to_string("/etc/services").unwrap_or_default(), text).ok_or_else(unknown),
        },
    }
}

/// Finds a TCP service, by its name or an alias, in a text like `/etc/services`.
fn port_in(services: &str, name: &str) -> Option<u16> {
    services.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let (service, port) = (words.next()?, words.next()?.strip_suffix("/tcp")?);
        let is_named = std::iter::once(service).chain(words).any(|word| word == name);
        if is_named { port.parse().ok().filter(|port| *port != 0) } else { None }
    })
}

const SERVICES: &[(&str, u16)] =
    &[("smtp", 25), ("submission", 587), ("submissions", 465), ("smtps", 465), ("lmtp", 24)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_numbers_or_service_names() {
        for (text, number) in
            [("25", 25), ("65535", 65535), ("submission", 587), ("SMTP", 25), ("smtps", 465), ("lmtp", 24)]
        {
            assert_eq!(port(text).unwrap(), number);
        }
        for text in ["", "0", "65536", "-1", "+x", "+25", "99999999999", "no such service", "25 "] {
            let error = port(text).unwrap_err().to_string();
            assert_eq!(error, format!("{text:?} is not a port: a number from 1 to 65535, or a service name"));
        }
    }

    #[test]
    fn a_services_file_is_searched_by_name_and_alias_for_tcp_only() {
        let services = "# comment\nsmtp 25/tcp mail\ntftp 69/udp\nodd\nqmtp\t209/tcp # submission mail\nnone 0/tcp\n";
        assert_eq!(port_in(services, "mail"), Some(25));
        assert_eq!(port_in(services, "qmtp"), Some(209));
        for name in ["tftp", "submission", "odd", "none", "comment"] {
            assert_eq!(port_in(services, name), None);
        }
    }
}
