//! TLS, after STARTTLS or from the first byte on.
//!
//! ```text
//!   Config ──┐
//!            ├─ Session::upgrade ─► Session over a TlsStream, and Info: what was agreed, the certificates,
//!   Session ─┘                      and everything that is wrong with them
//! ```
//!
//! Certificates are verified, and shown, during the handshake. It comes to its end all the same, and unless the
//! [`Config`] says otherwise, what is wrong with them is an error then; but a client with a certificate of its own ends
//! it before that goes to a server that is not proven.
//!
//! | for | there is |
//! |---|---|
//! | STARTTLS as one call | [`Session::starttls`](crate::Session::starttls) |
//! | STARTTLS said by hand; TLS from the first byte on | [`Session::upgrade`](crate::Session::upgrade) |
//! | whom to trust, which versions, a certificate of one's own | [`Config`] |
//! | what was agreed, and what is wrong | [`Info`], [`Certificate`], [`Problem`] |
//! | whether TLSA records name the server (DANE) | [`dane::verify`] |
//! | one certificate, or one chain, without a session | [`Certificate::from_der`], [`Config::problems`] |
//! | TLS over any [`Stream`](crate::Stream), either side | [`TlsStream`] |
//!
//! # How it begins and ends
//! ```text
//!                 plain text is here already
//!   220 to STARTTLS ──────────────────────► Error::Injection
//!   (or a new connection)
//!          │ handshake                alert, no TLS, time's up
//!          ├──────────────────────────────► Error::Tls, Error::Timeout
//!          │ finished, not proven           (not with Config::insecure)
//!          ├──────────────────────────────► Error::Untrusted, with the Info
//!          ▼
//!      Session inside TLS, Info: EHLO comes again
//!          │
//!          ├ half_close ► close_notify, the other end's is still awaited
//!          ├ the other end's close_notify ► the end of the stream: nothing is missing
//!          └ the connection ends without it ► Truncation: what came last may be cut short
//! ```
//! After any of the errors the connection is closed: nothing that was meant for TLS goes out in the clear.
//!
//! # What is spoken
//! TLS 1.3 and 1.2, with what rustls and ring have of them; nothing older
//! ([RFC 8996](https://www.rfc-editor.org/rfc/rfc8996)). Sessions are not resumed, so that each handshake shows the
//! certificates, and no ALPN is offered. Certificates with keys that ring does not verify, such as P-521, or RSA below
//! 2048 bits, are shown, and the error says that it is that. Revocation is not looked up, and neither are TLSA records:
//! a caller that has looked them up has the server judged by [`dane::verify`], or uses [`Config::pin`].
//!
//! # A certificate of the client's
//! [`Config::identity`] has it shown to a server that asks for one. Whether the server takes it is seen only later in
//! TLS 1.3, where its refusal comes behind the handshake: as an [`Error::Io`](crate::Error::Io) of the first read, whose
//! cause says [`TlsFailure::CertificateRefused`](crate::TlsFailure::CertificateRefused) or
//! [`CertificateWanted`](crate::TlsFailure::CertificateWanted). In TLS 1.2 it is the handshake that fails.
//!
//! ```
//! # #[cfg(feature = "server")] {
//! # use std::sync::Arc;
//! # use mconnect_core::server::Setup;
//! # use mconnect_core::tls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
//! # use mconnect_core::tls::rustls::{RootCertStore, ServerConfig, crypto::ring, server::WebPkiClientVerifier};
//! # let (authority, clients) = (Authority::new("Our Root"), Authority::new("Our Clients"));
//! # let (identity, provider) = (authority.issue(["127.0.0.1"]), Arc::new(ring::default_provider()));
//! # let mut roots = RootCertStore::empty();
//! # roots.add(CertificateDer::from_pem_slice(clients.pem().as_bytes())?)?;
//! # let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
//! # let chain = CertificateDer::pem_slice_iter(identity.pem().as_bytes()).collect::<Result<Vec<_>, _>>()?;
//! # let key = PrivateKeyDer::from_pem_slice(identity.key_pem().as_bytes())?;
//! # let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
//! # let config = builder.with_client_cert_verifier(verifier).with_single_cert(chain, key)?;
//! # let server = Setup::new().tls_with(Arc::new(config)).tls_first().start()?;
//! # let connect = Connect::new("127.0.0.1", server.port());
//! use mconnect_core::server::Authority;
//! use mconnect_core::tls::Config;
//! use mconnect_core::{Connect, Error, TlsFailure};
//!
//! // A server that lets in whom its own authority knows.
//! let config = Config::new().authorities(authority.pem().as_bytes())?;
//! let (mut session, _) = connect.open()?.upgrade(&config)?;
//! let Err(Error::Io { source, .. }) = session.greeting() else { panic!("it is not let in") };
//! assert_eq!(TlsFailure::of(&source), Some(&TlsFailure::CertificateWanted));
//!
//! let ours = clients.issue(["client.example"]);
//! let config = config.identity(ours.pem().as_bytes(), ours.key_pem().as_bytes())?;
//! let (mut session, _) = connect.open()?.upgrade(&config)?;
//! session.greeting()?.require(220)?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How a connection inside TLS is closed
//! | | sends | the other end sees |
//! |---|---|---|
//! | [`half_close`](crate::Session::half_close), [`quit`](crate::Session::quit), [`close`](crate::Session::close) | close_notify, and then FIN | an orderly end |
//! | [`reset`](crate::Session::reset) | RST | a reset |
//! | [`Closer::close`](crate::Closer::close) | FIN | an end without close_notify |
//! | dropping the session | close_notify, if the other end has sent its own; and then FIN | as above |
//!
//! # Beside another provider of cryptography
//! Here, rustls is used with ring, which is named wherever it is used: nothing here asks for a process-wide default
//! provider, or installs one. But Cargo builds rustls once for the whole program. Where the rest of it uses rustls with
//! another provider (aws-lc-rs is rustls's own default), rustls has both, and no longer guesses which of them
//! `ClientConfig::builder()` and `ServerConfig::builder()` mean: they panic, in a client under test, say. That program,
//! or its test, then says which, once, before its first connection:
//! `rustls::crypto::aws_lc_rs::default_provider().install_default()`. What is done here stays as it is. A configuration
//! with a provider of one's own is for [`Config::from_rustls`]; for a TLS other than rustls, there is
//! [`Session::upgrade_with`](crate::Session::upgrade_with).
//!
//! # TLS from the first byte on
//! On port 465 ([RFC 8314, section 3.3](https://www.rfc-editor.org/rfc/rfc8314#section-3.3)), the handshake comes
//! before the greeting:
//!
//! ```
//! # #[cfg(feature = "server")] {
//! use mconnect_core::Connect;
//! use mconnect_core::server::{Authority, Setup};
//! use mconnect_core::tls::Config;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let authority = Authority::new("Our Root");
//! let server = Setup::new().tls(&authority.issue(["127.0.0.1"])).tls_first().start()?;
//!
//! let config = Config::new().authorities(authority.pem().as_bytes())?;
//! let (mut session, info) = Connect::new("127.0.0.1", server.port()).open()?.upgrade(&config)?;
//! session.read_reply()?.require(220)?;
//! assert!(info.is_verified());
//! session.quit()?;
//! # Ok(()) }
//! # main().unwrap();
//! # }
//! ```
//!
//! # A probe
//! What is wrong with a server is data, also where it is no reason to stop:
//!
//! ```
//! # #[cfg(feature = "server")] {
//! # use mconnect_core::server::{Authority, Setup};
//! # let authority = Authority::new("Somebody's Root");
//! # let server = Setup::new().tls(&authority.issue_for(["other.example"], -60, -30)).start()?;
//! # let pem = Authority::new("Our Root").pem();
//! use mconnect_core::Connect;
//! use mconnect_core::tls::{Config, Problem};
//!
//! let config = Config::new().authorities(pem.as_bytes())?.insecure();
//! let mut session = Connect::new("127.0.0.1", server.port()).open()?;
//! session.greeting()?;
//! session.hello("probe.example")?.require()?;
//! let (_session, info) = session.starttls(&config)?;
//! for problem in &info.problems {
//!     match problem {
//!         Problem::Expired { since, .. } => println!("expired since {since:?}"),
//!         Problem::WrongName { names, .. } => println!("it is for {names:?}"),
//!         other => println!("{other}"),
//!     }
//! }
//! assert_eq!(info.problems.len(), 3);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod after;
mod certificate;
mod config;
pub mod dane;
mod errors;
mod name;
mod own;
mod provider;
mod received;
mod starttls;
mod state;
mod stream;
#[cfg(feature = "tokio")]
mod tokio;
mod upgrade;
mod verifier;
mod verify;

use rustls::{CommonState, ProtocolVersion};

pub use crate::calendar::date;
pub use crate::tls_info::{Certificate, Fingerprint, Info, InvalidFingerprint, Problem};
pub use config::{Config, ConfigError};
#[cfg_attr(not(feature = "server"), allow(unused_imports, reason = "the server's side needs them, too"))]
pub(crate) use config::{certificates, wrong};
pub use rustls;
pub use stream::TlsStream;

use verifier::Found;

impl Info {
    /// Makes one of a connection that has shaken hands, and of what was found meanwhile.
    fn new(connection: &CommonState, name: &str, found: Found) -> Self {
        Self {
            version: version(connection.protocol_version()),
            suite: connection
                .negotiated_cipher_suite()
                .map(|suite| format!("{:?}", suite.suite()).replace("TLS13_", "TLS_"))
                .unwrap_or_default(),
            key_exchange: connection.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name())),
            name: name.to_owned(),
            certificates: found.certificates,
            problems: found.problems,
        }
    }
}

/// Names a version of the protocol: `TLS 1.3`.
pub(crate) fn version(version: Option<ProtocolVersion>) -> String {
    match version {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3".to_owned(),
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2".to_owned(),
        other => format!("{other:?}"),
    }
}
