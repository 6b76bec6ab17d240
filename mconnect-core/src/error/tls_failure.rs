//! Why TLS failed, as far as it is known. It is in every build, so that a program says it whether or not it has TLS of
//! its own.

use std::io;

/// Why TLS failed, where that is known: in the cause of [`Error::Tls`](super::Error::Tls), and of
/// [`Error::Io`](super::Error::Io) where the server refuses what it was shown only after the handshake. The words for
/// people are in the cause's own text.
///
/// | | most often it is |
/// |---|---|
/// | [`PlainText`](Self::PlainText) | the wrong port: 25 or 587, where 465 was meant |
/// | [`NoTls`](Self::NoTls) | something between, or no mail server |
/// | [`OldVersion`](Self::OldVersion), [`NothingInCommon`](Self::NothingInCommon) | a server that has not been looked after for long |
/// | [`CertificateWanted`](Self::CertificateWanted), [`CertificateRefused`](Self::CertificateRefused) | a server for those alone whom it knows |
/// | [`UnknownName`](Self::UnknownName) | a name that the server is not set up for |
///
/// ```
/// # #[cfg(all(feature = "server", feature = "tls"))] {
/// use mconnect_core::{Connect, Error, TlsFailure, server::Server, tls::Config};
///
/// // TLS from the first byte on, where the server speaks first.
/// let server = Server::start()?;
/// let error = Connect::new("127.0.0.1", server.port()).open()?.upgrade(&Config::new()).unwrap_err();
/// let Error::Tls { source, .. } = &error else { panic!("{error:?}") };
/// assert!(matches!(TlsFailure::of(source), Some(TlsFailure::PlainText(line)) if line.starts_with(b"220 ")));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "alert")]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsFailure {
    /// The server answered in plain text, which begins so: its first line, or 120 octets of that.
    PlainText(Vec<u8>),
    /// What it sent is no TLS.
    NoTls,
    /// It speaks no version of TLS that is spoken here.
    OldVersion {
        /// The least that is: `1.2`.
        least: &'static str,
    },
    /// It has no cipher suite or key exchange in common with what is offered.
    NothingInCommon,
    /// It asks for a client certificate.
    CertificateWanted,
    /// It does not accept the client's certificate.
    CertificateRefused,
    /// It does not know the name that was asked for.
    UnknownName,
    /// Something is wrong on its side.
    ServerFault,
    /// Its certificate has a key that is not spoken here, such as one of too few bits.
    UnusableKey,
    /// Something else.
    Other,
}

/// A failure of TLS in words, and what lies beneath it.
#[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "without TLS, nothing fails in it"))]
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub(crate) struct TlsWords {
    pub failure: TlsFailure,
    pub words: String,
    /// No `source`: the words say it.
    pub beneath: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl TlsFailure {
    /// Returns why TLS failed, if this error says it: the `source` of an [`Error::Tls`](super::Error::Tls) of this
    /// library's own TLS, and no other.
    pub fn of(error: &io::Error) -> Option<&Self> {
        Some(&error.get_ref()?.downcast_ref::<TlsWords>()?.failure)
    }
}
