//! What goes wrong in TLS, in plain words.

use std::fmt;
use std::io;

use rustls::{AlertDescription, Error, PeerIncompatible, PeerMisbehaved};

use crate::protocol::Visible;

/// Makes an error of what the connection says.
pub(super) fn failure(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, Failure(error))
}

/// Makes an error of what the connection says after the handshake.
pub(super) fn later_failure(error: Error) -> io::Error {
    match error {
        // The server would not go on without what it asked for: it has found a cipher suite before.
        Error::AlertReceived(alert @ AlertDescription::HandshakeFailure) => {
            let words = format!("the server sent the alert {}: it wanted another handshake", name(alert));
            io::Error::new(io::ErrorKind::InvalidData, words)
        }
        error => failure(error),
    }
}

/// The end of the stream below without a close_notify.
pub(super) const TRUNCATED: &str =
    "the connection ended without TLS's close_notify: what came before may have been cut short";

/// A failure of the TLS protocol; the cause is what rustls says.
#[derive(Debug)]
struct Failure(Error);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Error::AlertReceived(alert) => write!(f, "the server sent the alert {}: {}", name(*alert), meaning(*alert)),
            Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
                | PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled,
            ) => f.write_str("the server offers only TLS versions that are not spoken here"),
            Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon) => {
                f.write_str("there is no cipher suite in common")
            }
            Error::InvalidMessage(_) => f.write_str("what the server sent is no TLS"),
            Error::PeerMisbehaved(PeerMisbehaved::TooManyRenegotiationRequests) => {
                f.write_str("the server asks to renegotiate again and again, which is not done here")
            }
            Error::PeerMisbehaved(PeerMisbehaved::TooManyKeyUpdateRequests) => {
                f.write_str("the server changes its keys without end")
            }
            Error::PeerMisbehaved(how) => write!(f, "the server breaks the rules of TLS ({how:?})"),
            error => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for Failure {}

/// An answer to the beginning of a handshake that is no TLS.
#[derive(Debug)]
pub(super) struct NotTls(Vec<u8>);

impl NotTls {
    pub fn new(bytes: &[u8]) -> Self {
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
        Self(line[..line.len().min(MOST_SHOWN)].to_vec())
    }
}

impl fmt::Display for NotTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered the handshake in plain text, with \"{}\"", Visible(&self.0))
    }
}

impl std::error::Error for NotTls {}

/// Gives the name that the RFCs have for an alert.
fn name(alert: AlertDescription) -> String {
    let mut name = String::new();
    for letter in format!("{alert:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

fn meaning(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::HandshakeFailure => {
            "it has no cipher suite, key exchange or signature in common with what is spoken here"
        }
        AlertDescription::ProtocolVersion => "it offers only TLS versions that are not spoken here",
        AlertDescription::InsufficientSecurity => "it asks for more security than is spoken here",
        AlertDescription::CertificateRequired => "it asks for a client certificate",
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA => "it does not accept the client certificate",
        AlertDescription::UnrecognisedName => "it does not know the name that was asked for",
        AlertDescription::InternalError => "something is wrong on its side",
        AlertDescription::NoApplicationProtocol => "there is no application protocol in common",
        _ => "it does not go on",
    }
}

/// Of a line in plain text, this many octets are shown.
const MOST_SHOWN: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_have_the_names_of_the_rfcs() {
        assert_eq!(name(AlertDescription::HandshakeFailure), "handshake_failure");
        let error = failure(Error::AlertReceived(AlertDescription::ProtocolVersion)).to_string();
        assert_eq!(
            error,
            "the server sent the alert protocol_version: it offers only TLS versions that are not spoken here"
        );
        let error = later_failure(Error::AlertReceived(AlertDescription::HandshakeFailure)).to_string();
        assert_eq!(error, "the server sent the alert handshake_failure: it wanted another handshake");
    }
}
