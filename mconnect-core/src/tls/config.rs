//! How TLS is to be, and whom to trust.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, CommonState, KeyLogFile, RootCertStore};

use super::provider::provider;
use super::verifier::{Found, Verifier};
use super::{Certificate, Fingerprint, Info, Problem};

/// How TLS is to be, and whom to trust. By default: the system's trust store, and the name that was connected to.
///
/// The trust store is read when a certificate is verified that depends on it, once, however many sessions and clones of
/// the configuration use it: make one, and keep it.
///
/// | to trust | there is |
/// |---|---|
/// | whom the system trusts | nothing to be set |
/// | an authority, or a certificate, of one's own | [`authorities`](Self::authorities) |
/// | one public key, whatever else the certificate says | [`pin`](Self::pin) |
/// | anybody, and to know what was wrong | [`insecure`](Self::insecure) |
/// | whom one's own verifier lets pass | [`from_rustls`](Self::from_rustls) |
#[doc(alias = "ssl")]
#[doc(alias = "verify")]
#[doc(alias = "TlsConnector")]
#[derive(Clone, Default)]
pub struct Config {
    pub(super) name: Option<String>,
    own: Option<Arc<ClientConfig>>,
    roots: Arc<OnceLock<Result<Arc<RootCertStore>, String>>>,
    pub(super) known: Arc<[CertificateDer<'static>]>,
    pub(super) pins: Vec<Fingerprint>,
    pub(super) is_insecure: bool,
    pub(super) is_13_only: bool,
    logs_keys: bool,
    identity: Option<(Vec<CertificateDer<'static>>, Arc<PrivateKeyDer<'static>>)>,
}

/// What is wrong with a [`Config`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A text holds no certificate, or no key, in PEM.
    #[error("there is no {0} in it (PEM)")]
    Pem(&'static str),
    /// The private key needs a password.
    #[error("the private key is encrypted, and cannot be read")]
    EncryptedKey,
    /// A certificate and its key do not go together.
    #[error("the key does not fit the certificate")]
    OtherKey,
    /// A key is of no kind that is known, or something else is wrong for rustls.
    #[error(transparent)]
    Rustls(rustls::Error),
}

impl Config {
    /// Verifies with the system's trust store and the name that was connected to.
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses one's own configuration of rustls, its verifier included: a server that it lets pass counts as verified.
    /// Of the settings here, only [`name`](Self::name) holds then.
    pub fn from_rustls(config: Arc<ClientConfig>) -> Self {
        Self { own: Some(config), ..Self::default() }
    }

    /// Asks for this host (SNI, [RFC 6066, section 3](https://www.rfc-editor.org/rfc/rfc6066#section-3)), and requires a
    /// certificate for it, instead of the name that was connected to: for a server behind an address, a tunnel, a port of
    /// this machine.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Trusts these authorities, in PEM, instead of the system's; or these servers, if that is whose certificates they
    /// are.
    ///
    /// # Errors
    /// [`ConfigError::Pem`].
    pub fn authorities(mut self, pem: &[u8]) -> Result<Self, ConfigError> {
        self.known = certificates(pem)?.into();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.known.iter().cloned());
        self.roots = Arc::new(OnceLock::from(Ok(Arc::new(roots))));
        Ok(self)
    }

    /// Trusts the server with this public key, and no other: the certificate's name, time and issuer do not matter then.
    /// Of several pins, one has to fit.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::server::{Identity, Setup};
    /// use mconnect_core::{Connect, tls};
    ///
    /// let identity = Identity::self_signed(["somebody.else.example"]);
    /// let server = Setup::new().tls(&identity).tls_first().start()?;
    ///
    /// // From a TLSA record, a file of known hosts, an earlier visit.
    /// let key = identity.key_fingerprint();
    /// let session = Connect::new("127.0.0.1", server.port()).open()?;
    /// let (mut session, info) = session.upgrade(&tls::Config::new().pin(key))?;
    /// assert!(info.is_verified());
    /// session.greeting()?.require(220)?;
    /// session.quit()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "DANE")]
    #[doc(alias = "TLSA")]
    #[must_use]
    pub fn pin(mut self, key: Fingerprint) -> Self {
        self.pins.push(key);
        self
    }

    /// Goes on whatever is wrong with the server's certificates; [`Info::problems`] says what. Anybody between the two can
    /// read and change what is sent then: this is for looking at servers, not for passwords.
    #[doc(alias = "danger_accept_invalid_certs")]
    #[must_use]
    pub fn insecure(mut self) -> Self {
        self.is_insecure = true;
        self
    }

    /// Speaks TLS 1.3 only; otherwise 1.2 and 1.3. What is older is not spoken here at all
    /// ([RFC 8996](https://www.rfc-editor.org/rfc/rfc8996)).
    #[must_use]
    pub fn only_13(mut self) -> Self {
        self.is_13_only = true;
        self
    }

    /// Writes the session's secrets to the file that the environment variable `SSLKEYLOGFILE` names, if it does: with them,
    /// Wireshark reads what was recorded of the wire.
    #[doc(alias = "SSLKEYLOGFILE")]
    #[doc(alias = "wireshark")]
    #[must_use]
    pub fn log_keys(mut self) -> Self {
        self.logs_keys = true;
        self
    }

    /// Shows the server this certificate, with its chain, if it asks for one. Both texts are PEM. A server that is not
    /// proven gets nothing of it, unless the configuration is [`insecure`](Self::insecure): the handshake ends before.
    ///
    /// # Errors
    /// [`ConfigError::Pem`], [`ConfigError::EncryptedKey`]; [`ConfigError::OtherKey`] if the key is not the certificate's.
    pub fn identity(mut self, chain: &[u8], key: &[u8]) -> Result<Self, ConfigError> {
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| match is_encrypted(key) {
            true => ConfigError::EncryptedKey,
            false => ConfigError::Pem("private key"),
        })?;
        self.identity = Some((certificates(chain)?, Arc::new(key)));
        self.client(&Arc::new(Verifier::new(&self, "")))?;
        Ok(self)
    }

    pub(super) fn client(&self, verifier: &Arc<Verifier>) -> Result<Arc<ClientConfig>, ConfigError> {
        if let Some(own) = &self.own {
            return Ok(Arc::clone(own));
        }
        let versions: &[_] = if self.is_13_only {
            &[&rustls::version::TLS13]
        } else {
            &[&rustls::version::TLS13, &rustls::version::TLS12]
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .map_err(wrong)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::<Verifier>::clone(verifier));
        let mut client = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder.with_client_auth_cert(chain.clone(), key.clone_key()).map_err(wrong)?,
        };
        client.resumption = rustls::client::Resumption::disabled();
        if self.logs_keys {
            client.key_log = Arc::new(KeyLogFile::new());
        }
        Ok(Arc::new(client))
    }

    pub(super) fn roots(&self) -> Result<Arc<RootCertStore>, String> {
        self.roots.get_or_init(system_roots).clone()
    }

    /// Says whether a server that is not proven is refused during the handshake.
    pub(super) fn refuses_early(&self) -> bool {
        self.identity.is_some() && !self.is_insecure
    }

    pub(super) fn inspect(&self, connection: &CommonState, name: &str, verifier: &Verifier) -> Info {
        let found = verifier.found().cloned().unwrap_or_else(|| match self.own {
            // One's own verifier let it pass.
            Some(_) => {
                let shown = connection.peer_certificates().unwrap_or_default();
                Found { certificates: shown.iter().map(Certificate::read).collect(), problems: Vec::new() }
            }
            None => Found { certificates: Vec::new(), problems: vec![Problem::NoCertificate] },
        });
        Info::new(connection, name, found)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("name", &self.name)
            .field("pins", &self.pins)
            .field("is_insecure", &self.is_insecure)
            .finish_non_exhaustive()
    }
}

pub(crate) fn wrong(error: rustls::Error) -> ConfigError {
    match error {
        rustls::Error::InconsistentKeys(_) => ConfigError::OtherKey,
        error => ConfigError::Rustls(error),
    }
}

pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    certificates.ok().filter(|found| !found.is_empty()).ok_or(ConfigError::Pem("certificate"))
}

/// Says whether a text holds a key that needs a password.
fn is_encrypted(pem: &[u8]) -> bool {
    pem.split(|byte| *byte == b'\n').any(|line| {
        let line = line.trim_ascii();
        line == b"-----BEGIN ENCRYPTED PRIVATE KEY-----" || line == b"Proc-Type: 4,ENCRYPTED"
    })
}

fn system_roots() -> Result<Arc<RootCertStore>, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    match found.errors.first() {
        _ if !roots.is_empty() => Ok(Arc::new(roots)),
        Some(error) => Err(error.to_string()),
        None => Err("the system has no certificates of authorities".to_owned()),
    }
}
