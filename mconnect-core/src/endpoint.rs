//! Servers in people's own words: a host, a host and a port, or a URL.

use std::str::FromStr;

use crate::connect::port;
use crate::host::{Host, InvalidHost};

/// What a person means by a server: the host, the port if one is named, and the scheme if it is a URL.
///
/// | written | host | port | scheme |
/// |---|---|---|---|
/// | `mx.example`, `192.0.2.1`, `::1`, `[::1]` | all of it | none | none |
/// | `mx.example:2525`, `mx.example:submission`, `[::1]:25` | before the last colon | after it | none |
/// | `smtp://mx.example`, `smtps://[::1]:2465/` | as above | as above | as it says |
///
/// An IPv6 address without brackets is one, whatever its end looks like. A user or a password in a URL is refused, and
/// no error repeats it.
///
/// ```
/// use mconnect_core::{Endpoint, InvalidEndpoint, Scheme};
///
/// let endpoint: Endpoint = "smtps://mx.example".parse()?;
/// assert_eq!((endpoint.host.name.as_str(), endpoint.port, endpoint.scheme), ("mx.example", None, Some(Scheme::Smtps)));
/// assert_eq!(endpoint.port_or(25), 465);
/// assert_eq!("[::1]:25".parse::<Endpoint>()?.port_or(587), 25);
/// assert_eq!("smtp://joe:secret@mx.example".parse::<Endpoint>(), Err(InvalidEndpoint::User));
/// # Ok::<(), InvalidEndpoint>(())
/// ```
#[doc(alias = "URL")]
#[doc(alias = "URI")]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    /// Whom to connect to.
    pub host: Host,
    /// The port that is named.
    pub port: Option<u16>,
    /// What is spoken there, where it is a URL.
    pub scheme: Option<Scheme>,
}

/// What a URL says of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheme {
    /// `smtp://`: in the clear at first, on port 25 unless another is named.
    Smtp,
    /// `smtps://` or `submissions://`: inside TLS from the first byte on, on port 465
    /// ([RFC 8314](https://www.rfc-editor.org/rfc/rfc8314)).
    Smtps,
    /// `submission://`: in the clear at first, with STARTTLS to be had, on port 587
    /// ([RFC 6409](https://www.rfc-editor.org/rfc/rfc6409)).
    Submission,
}

/// Why a text names no server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEndpoint {
    /// Something stands before an `@`: a user, perhaps with a password, or the local part of an address.
    #[error(
        "an @ is no part of a host, and a user or a password before it is not taken, since others can read it there"
    )]
    User,
    /// It is a URL of another scheme.
    #[error("of URLs, those that begin with smtp://, smtps:// and submission:// are known")]
    Scheme,
    /// Something follows the host of a URL.
    #[error("what follows the host has no meaning in SMTP")]
    Path,
    /// The port is none, as these words say.
    #[error("{0}")]
    Port(String),
    /// The host is none.
    #[error(transparent)]
    Host(#[from] InvalidHost),
}

impl Endpoint {
    /// Returns the port that is named, or else that of the scheme, or else this one.
    pub fn port_or(&self, default: u16) -> u16 {
        self.port.or(self.scheme.map(Scheme::port)).unwrap_or(default)
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(written: &str) -> Result<Self, InvalidEndpoint> {
        // Before anything else, since any other error may quote a part.
        if written.contains('@') {
            return Err(InvalidEndpoint::User);
        }
        let url = written.split_once(':').and_then(|(scheme, rest)| Some((scheme, rest.strip_prefix("//")?)));
        let (scheme, written) = match url {
            Some((scheme, rest)) => {
                let scheme = Scheme::named(scheme).ok_or(InvalidEndpoint::Scheme)?;
                let rest = rest.strip_suffix('/').unwrap_or(rest);
                if rest.contains(['/', '?', '#']) {
                    return Err(InvalidEndpoint::Path);
                }
                (Some(scheme), rest)
            }
            None => (None, written),
        };
        let (host, port) = apart(written)?;
        if scheme.is_some() && host.is_empty() {
            return Err(InvalidHost::Name("it is empty".to_owned()).into());
        }
        Ok(Self { host: Host::parse(host)?, port, scheme })
    }
}

impl Scheme {
    /// Returns the one of this name, in any case.
    fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "smtp" => Some(Self::Smtp),
            "smtps" | "submissions" => Some(Self::Smtps),
            "submission" => Some(Self::Submission),
            _ => None,
        }
    }

    /// Returns the port that it has unless another is named.
    pub fn port(self) -> u16 {
        match self {
            Self::Smtp => 25,
            Self::Smtps => 465,
            Self::Submission => 587,
        }
    }

    /// Returns how a URL of it begins: `smtps://`.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Smtp => "smtp://",
            Self::Smtps => "smtps://",
            Self::Submission => "submission://",
        }
    }
}

/// Takes a host apart from a port: behind the only colon, or behind the one after a bracket. The path of a socket has none.
fn apart(written: &str) -> Result<(&str, Option<u16>), InvalidEndpoint> {
    let behind = written.strip_prefix('[').and_then(|inner| inner.split_once(']')).map(|(_, behind)| behind);
    if behind.is_some_and(|behind| !behind.is_empty() && !behind.starts_with(':')) {
        return Err(InvalidHost::Name("behind the bracket, nothing but :PORT may follow".to_owned()).into());
    }
    match written.rsplit_once(':') {
        Some((host, end)) if is_host_of_port(host) && !written.starts_with('/') => match port(end) {
            Ok(port) => Ok((host, Some(port))),
            Err(error) => Err(InvalidEndpoint::Port(error.to_string())),
        },
        _ => Ok((written, None)),
    }
}

fn is_host_of_port(host: &str) -> bool {
    host.ends_with(']') || !(host.is_empty() || host.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(written: &str) -> (String, Option<u16>, Option<Scheme>) {
        let endpoint: Endpoint = written.parse().unwrap();
        (endpoint.host.name, endpoint.port, endpoint.scheme)
    }

    #[test]
    fn people_write_servers_in_many_ways() {
        let (smtp, smtps, submission) = (Some(Scheme::Smtp), Some(Scheme::Smtps), Some(Scheme::Submission));
        for (written, host, port, scheme) in [
            ("mx.example", "mx.example", None, None),
            ("mx.example:25", "mx.example", Some(25), None),
            ("mx.example:submission", "mx.example", Some(587), None),
            ("192.0.2.1:2525", "192.0.2.1", Some(2525), None),
            ("::1", "::1", None, None),
            ("2001:db8::25", "2001:db8::25", None, None),
            ("fe80::1%eth0", "fe80::1%eth0", None, None),
            ("[::1]", "[::1]", None, None),
            ("[::1]:25", "[::1]", Some(25), None),
            ("m\u{fc}ller.example:25", "xn--mller-kva.example", Some(25), None),
            ("smtp://mx.example", "mx.example", None, smtp),
            ("SMTP://mx.example/", "mx.example", None, smtp),
            ("smtps://mx.example:2465", "mx.example", Some(2465), smtps),
            ("submissions://[::1]:465/", "[::1]", Some(465), smtps),
            ("submission://mx.example", "mx.example", None, submission),
            ("smtp://::1", "::1", None, smtp),
            ("/run/lmtp", "/run/lmtp", None, None),
            ("-h", "-h", None, None),
            ("", "", None, None),
        ] {
            assert_eq!(of(written), (host.to_owned(), port, scheme), "{written}");
        }
    }

    #[test]
    fn what_names_no_server_is_told_with_the_reason() {
        for (written, reason) in [
            ("http://mx", "of URLs, those that begin with smtp://, smtps:// and submission:// are known"),
            ("://mx", "of URLs, those that begin with smtp://, smtps:// and submission:// are known"),
            ("smtp://mx/client", "what follows the host has no meaning in SMTP"),
            ("smtp://", "it is empty"),
            ("smtp:///", "it is empty"),
            ("mx:", "\"\" is not a port: a number from 1 to 65535, or a service name"),
            ("mx:70000", "\"70000\" is not a port: a number from 1 to 65535, or a service name"),
            ("[::1]:0", "\"0\" is not a port: a number from 1 to 65535, or a service name"),
            ("smtps://[::1]465/", "behind the bracket, nothing but :PORT may follow"),
            ("2525", "a port is no part of it"),
            ("/run/lmtp:24", "a port is no part of it"),
            ("smtp://m\u{fc}..ller", "a label is empty"),
        ] {
            assert_eq!(written.parse::<Endpoint>().unwrap_err().to_string(), reason, "{written}");
        }
    }

    #[test]
    fn a_password_is_refused_wherever_it_stands_and_repeated_nowhere() {
        for written in [
            "smtp://joe:sesame@mx",
            "smtps://joe:se/same@mx:25",
            "joe:sesame@mx",
            "http://joe:s@sesame@mx",
            "sesame@mx:25",
        ] {
            let error = written.parse::<Endpoint>().unwrap_err();
            assert_eq!(error, InvalidEndpoint::User, "{written}");
            assert!(!format!("{error} {error:?}").contains("same"), "{written}");
        }
    }
}
