//! What goes wrong in TLS, in plain words.
//!
//! An alert says little by itself. Handshake failure, say, is one server's word for "no cipher in common", and
//! another's for "where is your certificate": how far the handshake had come tells which ([`Stage`]). What is said for
//! people, and what is said for programs ([`TlsFailure`]), is decided here, side by side.
//!
//! | what rustls says | at which stage | for programs |
//! |---|---|---|
//! | handshake_failure | before a cipher suite is agreed on | `NothingInCommon` |
//! | | before the end of the handshake | `CertificateWanted` |
//! | | after it: the server wanted another handshake | `Other` |
//! | certificate_required | any | `CertificateWanted` |
//! | bad_certificate, unknown_ca and their like | any | `CertificateRefused` |
//! | insufficient_security, or nothing of what is offered | any | `NothingInCommon` |
//! | protocol_version, or a version before the least | any | `OldVersion` |
//! | unrecognized_name | any | `UnknownName` |
//! | internal_error | any | `ServerFault` |
//! | a message that is none | any | `NoTls` |
//!
//! What is no TLS from its first octet on is not shown to rustls, which would say no more than that: its first line is
//! told ([`TlsFailure::PlainText`]).

use std::fmt;
use std::io;

use rustls::{AlertDescription, Error, PeerIncompatible, PeerMisbehaved};

use crate::error::{TlsFailure, TlsWords};
use crate::protocol::Visible;

/// Makes an error of what the connection says: the least version of TLS that is spoken, and how far the two had come, tell
/// what is meant.
pub(super) fn failure(error: Error, least: &'static str, stage: Stage) -> io::Error {
    let failure = Failure { error: &error, least, stage };
    let (kind, words) = (failure.kind(), failure.to_string());
    told(kind, words, Some(Box::new(error)))
}

/// Makes an error of an answer to the beginning of a handshake that is no TLS.
pub(super) fn not_tls(bytes: &[u8]) -> io::Error {
    let line = first_line(bytes);
    let words = format!("the server answered the handshake in plain text, with \"{}\"", Visible(&line));
    told(TlsFailure::PlainText(line), words, None)
}

/// Makes the error: its kind is [`InvalidData`](io::ErrorKind::InvalidData), its text the words, and what rustls says
/// is beneath.
fn told(failure: TlsFailure, words: String, beneath: Option<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, TlsWords { failure, words, beneath })
}

/// Returns what rustls says, if an error is of its making.
pub(super) fn rustls_error(error: &io::Error) -> Option<&Error> {
    let inner = error.get_ref()?;
    inner.downcast_ref().or_else(|| inner.downcast_ref::<TlsWords>()?.beneath.as_ref()?.downcast_ref())
}

/// How far a handshake has come: the same alert says something else at each stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing is agreed on.
    Begun,
    /// There is a cipher suite.
    Agreed,
    Done,
}

/// A failure of the TLS protocol, with what is needed to say what it means.
struct Failure<'a> {
    error: &'a Error,
    least: &'static str,
    stage: Stage,
}

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.error {
            Error::AlertReceived(alert) => {
                write!(f, "the server sent the alert {}: {}", name(*alert), self.meaning(*alert))
            }
            Error::PeerIncompatible(error) if is_too_old(error) => {
                write!(f, "the server offers only TLS before {}", self.least)
            }
            Error::PeerIncompatible(error) => write!(f, "the server offers only what is not spoken here: {error:?}"),
            Error::InvalidMessage(_) => f.write_str("what the server sent is no TLS"),
            Error::InvalidCertificate(error) => {
                write!(f, "the server's certificate cannot be read: {}", visible(error))
            }
            Error::PeerMisbehaved(PeerMisbehaved::TooManyRenegotiationRequests) => {
                f.write_str("the server asks to renegotiate again and again, which is not done here")
            }
            Error::PeerMisbehaved(PeerMisbehaved::TooManyKeyUpdateRequests) => {
                f.write_str("the server changes its keys without end")
            }
            Error::PeerMisbehaved(how) => write!(f, "the server breaks the rules of TLS ({how:?})"),
            Error::General(words) => f.write_str(&visible(words)),
            error => f.write_str(&visible(error)),
        }
    }
}

/// Says whether the two have no version of TLS in common.
fn is_too_old(error: &PeerIncompatible) -> bool {
    matches!(
        error,
        PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
    )
}

/// Makes words of others visible: they may quote the server.
fn visible(words: &impl fmt::Display) -> String {
    Visible(words.to_string().as_bytes()).to_string()
}

impl Failure<'_> {
    /// Says for programs why it failed.
    fn kind(&self) -> TlsFailure {
        match self.error {
            Error::AlertReceived(alert) => self.kind_of(*alert),
            Error::PeerIncompatible(error) if is_too_old(error) => TlsFailure::OldVersion { least: self.least },
            Error::PeerIncompatible(_) => TlsFailure::NothingInCommon,
            Error::InvalidMessage(_) => TlsFailure::NoTls,
            Error::General(words) if words.starts_with(UNUSABLE_KEY) => TlsFailure::UnusableKey,
            _ => TlsFailure::Other,
        }
    }

    /// Says for programs what an alert means here.
    fn kind_of(&self, alert: AlertDescription) -> TlsFailure {
        match (alert, self.stage) {
            (AlertDescription::HandshakeFailure, Stage::Done) => TlsFailure::Other,
            (AlertDescription::HandshakeFailure, Stage::Agreed) | (AlertDescription::CertificateRequired, _) => {
                TlsFailure::CertificateWanted
            }
            (AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity, _) => {
                TlsFailure::NothingInCommon
            }
            (AlertDescription::ProtocolVersion, _) => TlsFailure::OldVersion { least: self.least },
            (
                AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA,
                _,
            ) => TlsFailure::CertificateRefused,
            (AlertDescription::UnrecognisedName, _) => TlsFailure::UnknownName,
            (AlertDescription::InternalError, _) => TlsFailure::ServerFault,
            _ => TlsFailure::Other,
        }
    }

    /// Says for people what an alert means here.
    fn meaning(&self, alert: AlertDescription) -> String {
        let meaning = match alert {
            AlertDescription::HandshakeFailure if self.stage == Stage::Done => "it wanted another handshake",
            AlertDescription::HandshakeFailure if self.stage == Stage::Agreed => {
                "it asks for a client certificate, or does not accept this one"
            }
            AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
                "the server offers only what is not spoken here: keys or key exchanges with P-521 or without elliptic \
                 curves, or older cipher suites"
            }
            AlertDescription::ProtocolVersion => return format!("the server offers only TLS before {}", self.least),
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
        };
        meaning.to_owned()
    }
}

/// Something behind the last record that is no TLS: an inner error, which says with what the server went on.
#[derive(Debug)]
pub(super) struct LeftTls(Vec<u8>);

impl LeftTls {
    pub fn new(bytes: &[u8]) -> Self {
        Self(first_line(bytes))
    }
}

impl fmt::Display for LeftTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server left TLS without its close_notify, and went on with \"{}\"", Visible(&self.0))
    }
}

impl std::error::Error for LeftTls {}

/// Returns the first line of what came, as much of it as is shown.
fn first_line(bytes: &[u8]) -> Vec<u8> {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    line[..line.len().min(MOST_SHOWN)].to_vec()
}

/// Returns the name that the RFCs have for an alert.
fn name(alert: AlertDescription) -> String {
    let (mut name, mut was_small) = (String::new(), false);
    for letter in format!("{alert:?}").chars() {
        if letter.is_ascii_uppercase() && was_small {
            name.push('_');
        }
        was_small = letter.is_ascii_lowercase();
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// How the words begin for a key that could prove nothing here: of rustls's errors, none is of this kind.
pub(super) const UNUSABLE_KEY: &str = "the server offers only a key that is not spoken here";
/// Of a line in plain text, this many octets are shown.
const MOST_SHOWN: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_could_prove_nothing_is_told_from_other_failures() {
        let kind = |words: String| {
            let error = failure(Error::General(words), "1.2", Stage::Begun);
            TlsFailure::of(&error).cloned()
        };
        assert_eq!(kind(format!("{UNUSABLE_KEY}: RSA 1024")), Some(TlsFailure::UnusableKey));
        assert_eq!(kind("something else".to_owned()), Some(TlsFailure::Other));
    }

    #[test]
    fn alerts_have_the_names_of_the_rfcs() {
        assert_eq!(name(AlertDescription::HandshakeFailure), "handshake_failure");
        assert_eq!(name(AlertDescription::UnknownCA), "unknown_ca");
    }

    #[test]
    fn what_is_offered_by_the_server_and_not_spoken_here_is_said() {
        let told = |error: Error, least, stage| failure(error, least, stage).to_string();
        let alert = |alert, least| told(Error::AlertReceived(alert), least, Stage::Begun);
        let version = "the server sent the alert protocol_version: the server offers only TLS before";
        assert_eq!(alert(AlertDescription::ProtocolVersion, "1.2"), format!("{version} 1.2"));
        assert_eq!(alert(AlertDescription::ProtocolVersion, "1.3"), format!("{version} 1.3"));
        let old = Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13);
        assert_eq!(told(old, "1.2", Stage::Begun), "the server offers only TLS before 1.2");
        let failure = alert(AlertDescription::HandshakeFailure, "1.2");
        assert!(failure.contains("the server offers only what is not spoken here: keys or key exchanges with P-521"));
        let refused = |stage| told(Error::AlertReceived(AlertDescription::HandshakeFailure), "1.2", stage);
        assert!(refused(Stage::Agreed).ends_with("it asks for a client certificate, or does not accept this one"));
        assert!(refused(Stage::Done).ends_with("it wanted another handshake"));
    }
}
