//! The server's side of TLS.

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
    /// Offers STARTTLS, with this certificate.
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
    pub fn tls(self, identity: &Identity) -> Self {
        self.showing(identity.pem(), identity.config(), false)
    }

    /// Offers STARTTLS, with a certificate, its chain, and its key, in PEM.
    ///
    /// # Errors
    /// [`ConfigError::Pem`]; [`ConfigError::OtherKey`] if the key is not the certificate's.
    pub fn tls_pem(self, chain: &[u8], key: &[u8]) -> Result<Self, ConfigError> {
        let certificate = String::from_utf8_lossy(chain).into_owned();
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| ConfigError::Pem("private key"))?;
        let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(tls::wrong)?.with_no_client_auth();
        let config = builder.with_single_cert(tls::certificates(chain)?, key).map_err(tls::wrong)?;
        Ok(self.showing(certificate, Arc::new(config), false))
    }

    /// Offers STARTTLS, with one's own configuration of rustls.
    pub fn tls_with(mut self, config: Arc<ServerConfig>) -> Self {
        self.tls = Some(Arc::new(Acceptor { config, certificate: None, truncates: false }));
        self
    }

    /// Offers STARTTLS, and ends each connection without the close_notify that belongs to it.
    pub fn tls_that_truncates(self, identity: &Identity) -> Self {
        self.showing(identity.pem(), identity.config(), true)
    }

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

    /// Speaks TLS from the first byte on, instead of offering STARTTLS; with a certificate that is made for it if none was
    /// given.
    pub fn tls_first(self) -> Self {
        Self { is_tls_first: true, ..self.with_some_tls() }
    }

    /// Takes no command but EHLO, STARTTLS, NOOP and QUIT outside TLS, and says 530 to others
    /// ([RFC 3207, section 4](https://www.rfc-editor.org/rfc/rfc3207#section-4)); with a certificate that is made for it if
    /// none was given.
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

struct Acceptor {
    config: Arc<ServerConfig>,
    /// The server's own, if it is known.
    certificate: Option<CertificateDer<'static>>,
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
