//! The server's side of TLS ([RFC 3207](https://www.rfc-editor.org/rfc/rfc3207)): what a [`Setup`] offers, and the
//! handshake.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};

use super::certificate::Identity;
use super::setup::{Accept, Setup};
use crate::stream::Stream;
use crate::tls::{self, ConfigError, TlsStream};

impl Setup {
    /// Offers STARTTLS, with this certificate, in TLS 1.2 and 1.3.
    ///
    /// ```
    /// use mconnect_core::server::{Identity, Setup};
    /// use mconnect_core::{Connect, tls};
    ///
    /// let identity = Identity::self_signed(["localhost"]);
    /// let server = Setup::new().tls(&identity).start()?;
    ///
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.read_reply()?.require(220)?;
    /// session.command("STARTTLS")?.require(220)?;
    /// let config = tls::Config::new().name("localhost").authorities(identity.pem().as_bytes())?;
    /// let (mut session, info) = session.upgrade(&config)?;
    /// assert_eq!(info.version, "TLS 1.3");
    /// session.command("EHLO client.example")?.require(250)?;
    /// # session.quit()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// What a client has sent behind STARTTLS in the clear is dropped ([RFC 3207, section
    /// 4.2](https://www.rfc-editor.org/rfc/rfc3207#section-4.2)), and after the handshake it has to greet anew.
    pub fn tls(self, identity: &Identity) -> Self {
        self.showing(identity.pem(), identity.config(), false)
    }

    /// Offers STARTTLS, with a certificate, its chain, and its key, in PEM: those of a real server, say.
    ///
    /// # Errors
    /// [`ConfigError::Pem`] if one of the two is none; [`ConfigError::OtherKey`] if the key is not the certificate's.
    pub fn tls_pem(self, chain: &[u8], key: &[u8]) -> Result<Self, ConfigError> {
        let certificate = String::from_utf8_lossy(chain).into_owned();
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| ConfigError::Pem("private key"))?;
        let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(tls::wrong)?.with_no_client_auth();
        let config = builder.with_single_cert(tls::certificates(chain)?, key).map_err(tls::wrong)?;
        Ok(self.showing(certificate, Arc::new(config), false))
    }

    /// Offers STARTTLS, with one's own configuration of rustls: one version, other suites, certificates that clients
    /// have to show. Which certificate it shows is not known then, so that
    /// [`Server::certificate`](super::Server::certificate) is `None` and no SCRAM can be bound to it by
    /// `tls-server-end-point`.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use mconnect_core::server::{Identity, Setup};
    /// use mconnect_core::tls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, pem::PemObject as _};
    /// use mconnect_core::tls::rustls::{self, ServerConfig};
    /// use mconnect_core::{Connect, tls};
    ///
    /// // A server that speaks TLS 1.2 alone.
    /// let identity = Identity::self_signed(["localhost"]);
    /// let provider = Arc::new(rustls::crypto::ring::default_provider());
    /// let key = PrivatePkcs8KeyDer::from(identity.key().to_vec());
    /// let chain = CertificateDer::pem_slice_iter(identity.pem().as_bytes()).collect::<Result<Vec<_>, _>>()?;
    /// let config = ServerConfig::builder_with_provider(provider)
    ///     .with_protocol_versions(&[&rustls::version::TLS12])?
    ///     .with_no_client_auth()
    ///     .with_single_cert(chain, key.into())?;
    /// let server = Setup::new().tls_with(Arc::new(config)).tls_first().start()?;
    ///
    /// let session = Connect::new("127.0.0.1", server.port()).open()?;
    /// let (session, info) = session.upgrade(&tls::Config::new().insecure())?;
    /// assert_eq!(info.version, "TLS 1.2");
    /// # drop(session);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tls_with(mut self, config: Arc<ServerConfig>) -> Self {
        self.tls = Some(Arc::new(Acceptor { config, certificate: None, truncates: false }));
        self.certificate = None;
        self
    }

    /// Offers STARTTLS, and ends each connection without the close_notify that belongs to it
    /// ([RFC 8446, section 6.1](https://www.rfc-editor.org/rfc/rfc8446#section-6.1)), as many servers do.
    ///
    /// ```
    /// use mconnect_core::server::{Identity, Setup};
    /// use mconnect_core::{Connect, tls};
    ///
    /// let identity = Identity::self_signed(["localhost"]);
    /// let server = Setup::new().tls_that_truncates(&identity).tls_first().start()?;
    /// let session = Connect::new("127.0.0.1", server.port()).open()?;
    /// let (mut session, _) = session.upgrade(&tls::Config::new().insecure())?;
    /// session.greeting()?;
    /// session.command("QUIT")?.require(221)?;
    /// assert!(session.read_line().unwrap_err().is_truncation());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tls_that_truncates(self, identity: &Identity) -> Self {
        self.showing(identity.pem(), identity.config(), true)
    }

    /// Takes a configuration, and what is known of the certificate in it.
    fn showing(mut self, chain: String, config: Arc<ServerConfig>, truncates: bool) -> Self {
        let certificate = tls::certificates(chain.as_bytes()).ok().and_then(|chain| chain.into_iter().next());
        self.tls = Some(Arc::new(Acceptor { config, certificate, truncates }));
        self.certificate = Some(chain);
        self
    }

    /// Makes a certificate for this machine if none was given.
    pub(super) fn with_some_tls(self) -> Self {
        match self.tls {
            Some(_) => self,
            None => self.tls(&Identity::self_signed(["localhost", "127.0.0.1", "::1"])),
        }
    }

    /// Speaks TLS from the first byte on ([RFC 8314, section 3.3](https://www.rfc-editor.org/rfc/rfc8314#section-3.3)),
    /// instead of offering STARTTLS; with a certificate that is made for it if none was given.
    ///
    /// ```
    /// use mconnect_core::{Connect, server::Setup, tls};
    ///
    /// let server = Setup::new().tls_first().start()?;
    /// let session = Connect::new("127.0.0.1", server.port()).open()?;
    /// let (mut session, _) = session.upgrade(&tls::Config::new().insecure())?;
    /// session.greeting()?.require(220)?;
    /// session.hello("client.example")?.require()?;
    /// assert!(!session.extensions().unwrap().has("STARTTLS"));
    /// # session.quit()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tls_first(self) -> Self {
        Self { is_tls_first: true, ..self.with_some_tls() }
    }

    /// Takes no command but EHLO, STARTTLS, NOOP and QUIT outside TLS, and says 530 to others ([RFC 3207, section
    /// 4](https://www.rfc-editor.org/rfc/rfc3207#section-4)); with a certificate that is made for it if none was given.
    ///
    /// ```
    /// use mconnect_core::{Connect, server::Setup};
    ///
    /// let server = Setup::new().require_tls().start()?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.read_reply()?.require(220)?;
    /// session.command("EHLO client.example")?.require(250)?;
    /// assert_eq!(session.command("MAIL FROM:<>")?.code(), 530);
    /// # session.quit()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn require_tls(self) -> Self {
        Self { needs_tls: true, ..self.with_some_tls() }
    }
}

/// How hands are shaken.
struct Acceptor {
    config: Arc<ServerConfig>,
    /// The server's own, if it is known.
    certificate: Option<CertificateDer<'static>>,
    /// The close_notify is left out.
    truncates: bool,
}

impl Accept for Acceptor {
    fn accept(&self, stream: Arc<dyn Stream>, patience: Duration) -> io::Result<(Arc<dyn Stream>, String)> {
        let connection = ServerConnection::new(Arc::clone(&self.config)).map_err(io::Error::other)?;
        let stream = TlsStream::handshake(stream, connection, patience)?;
        let version = tls::version(stream.with(|connection| connection.protocol_version()));
        Ok(match &self.certificate {
            Some(certificate) => (Arc::new(stream.shown(certificate.clone())), version),
            None => (Arc::new(stream), version),
        })
    }

    fn end(&self, stream: &dyn Stream) -> io::Result<()> {
        if self.truncates { stream.shutdown() } else { stream.half_close() }
    }
}
