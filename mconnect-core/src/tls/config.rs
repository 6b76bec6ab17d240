//! How TLS is to be, and whom to trust.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, CommonState, KeyLogFile, RootCertStore};

use super::provider::provider;
use super::verifier::{Found, Verifier};
use super::{Certificate, Fingerprint, Info, Problem};

/// How TLS is to be, and whom to trust. By default: the system's trust store, the name that was connected to, TLS 1.2
/// and 1.3, and no certificate of the client's.
///
/// The trust store is read when a certificate is verified that depends on it, or [before](Self::read_trust_store), once,
/// however many sessions and clones of the configuration use it: make one, and keep it.
///
/// | to trust | there is |
/// |---|---|
/// | whom the system trusts | nothing to be set |
/// | an authority, or a certificate, of one's own | [`authorities`](Self::authorities) |
/// | one public key, whatever else the certificate says | [`pin`](Self::pin) |
/// | anybody, and to know what was wrong | [`insecure`](Self::insecure) |
/// | whom one's own verifier lets pass | [`from_rustls`](Self::from_rustls) |
///
/// ```no_run
/// use mconnect_core::{Connect, tls::Config};
///
/// let config = Config::new();
/// for host in ["mx1.example.org", "mx2.example.org"] {
///     let mut session = Connect::new(host, 25).open()?;
///     session.greeting()?.require(220)?;
///     session.hello("client.example")?.require()?;
///     let (session, info) = session.starttls(&config)?;
///     println!("{host}: {info}");
///     session.quit()?;
/// }
/// # Ok::<(), mconnect_core::Error>(())
/// ```
#[doc(alias = "ssl")]
#[doc(alias = "verify")]
#[doc(alias = "TlsConnector")]
#[derive(Clone, Default)]
pub struct Config {
    pub(super) name: Option<String>,
    /// A configuration of the caller's, in the place of all the rest.
    own: Option<Arc<ClientConfig>>,
    /// The authorities, once they are known; shared by clones, so that a trust store is read once.
    roots: Arc<OnceLock<Result<Arc<RootCertStore>, String>>>,
    /// The certificates that the caller named: a server that shows one of them is trusted as it is.
    pub(super) known: Arc<[CertificateDer<'static>]>,
    pub(super) pins: Vec<Fingerprint>,
    pub(super) is_insecure: bool,
    pub(super) is_13_only: bool,
    logs_keys: bool,
    identity: Option<(Vec<CertificateDer<'static>>, Arc<PrivateKeyDer<'static>>)>,
}

/// What is wrong with a [`Config`]: all of it is found before anything is connected to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A text holds no certificate, or no key, in PEM ([RFC 7468](https://www.rfc-editor.org/rfc/rfc7468)): which, it
    /// says.
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

    /// Uses one's own configuration of rustls, its verifier included: a server that it lets pass counts as verified,
    /// and one that it refuses is an [`Error::Tls`](crate::Error::Tls). Of the settings here, only [`name`](Self::name)
    /// holds then.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # use mconnect_core::server::{Authority, Setup};
    /// # let authority = Authority::new("Our Root");
    /// # let server = Setup::new().tls(&authority.issue(["127.0.0.1"])).start()?;
    /// use std::sync::Arc;
    ///
    /// use mconnect_core::Connect;
    /// use mconnect_core::tls::Config;
    /// use mconnect_core::tls::rustls::pki_types::{CertificateDer, pem::PemObject as _};
    /// use mconnect_core::tls::rustls::{ClientConfig, RootCertStore, crypto::ring};
    ///
    /// let mut roots = RootCertStore::empty();
    /// roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes())?)?;
    /// let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
    ///     .with_safe_default_protocol_versions()?
    ///     .with_root_certificates(roots)
    ///     .with_no_client_auth();
    ///
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?;
    /// session.hello("client.example")?.require()?;
    /// let (_session, info) = session.starttls(&Config::from_rustls(Arc::new(client)))?;
    /// assert!(info.is_verified());
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_rustls(config: Arc<ClientConfig>) -> Self {
        Self { own: Some(config), ..Self::default() }
    }

    /// Asks for this host (SNI, [RFC 6066, section 3](https://www.rfc-editor.org/rfc/rfc6066#section-3)), and requires
    /// a certificate for it, instead of the name that was connected to: for a server behind an address, a tunnel, a
    /// port of this machine. An address may be required, and is not sent. A trailing dot is left out.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # use mconnect_core::server::{Authority, Setup};
    /// # let authority = Authority::new("Our Root");
    /// # let server = Setup::new().tls(&authority.issue(["mx.example.org"])).tls_first().start()?;
    /// use mconnect_core::{Connect, tls::Config};
    ///
    /// let config = Config::new().authorities(authority.pem().as_bytes())?.name("mx.example.org");
    /// let (_session, info) = Connect::new("127.0.0.1", server.port()).open()?.upgrade(&config)?;
    /// assert!(info.is_verified() && info.name == "mx.example.org");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Trusts these authorities, in PEM, instead of the system's; or these servers, if that is whose certificates they
    /// are. Other text in it is passed over. A later call takes the place of an earlier one. The time of an authority
    /// counts, too: one that has expired proves nobody.
    ///
    /// # Errors
    /// [`ConfigError::Pem`] if there is no certificate in it, or one that is broken.
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
    #[must_use]
    pub fn pin(mut self, key: Fingerprint) -> Self {
        self.pins.push(key);
        self
    }

    /// Goes on whatever is wrong with the server's certificates; [`Info::problems`] says what. Anybody between the two can
    /// read and change what is sent then: this is for looking at servers, not for passwords.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # use mconnect_core::server::{Identity, Setup};
    /// # let server = Setup::new().tls(&Identity::self_signed(["other.example"])).tls_first().start()?;
    /// use mconnect_core::tls::{Config, Problem};
    /// use mconnect_core::Connect;
    ///
    /// let session = Connect::new("127.0.0.1", server.port()).open()?;
    /// let (_session, info) = session.upgrade(&Config::new().insecure())?;
    /// assert!(matches!(info.problems[..], [Problem::WrongName { .. }, Problem::SelfSigned]));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "danger_accept_invalid_certs")]
    #[must_use]
    pub fn insecure(mut self) -> Self {
        self.is_insecure = true;
        self
    }

    /// Speaks TLS 1.3 only; otherwise 1.2 and 1.3. What is older is not spoken here at all
    /// ([RFC 8996](https://www.rfc-editor.org/rfc/rfc8996)). A server that has only what is older fails with
    /// [`TlsFailure::OldVersion`](crate::TlsFailure::OldVersion).
    #[must_use]
    pub fn only_13(mut self) -> Self {
        self.is_13_only = true;
        self
    }

    /// Writes the session's secrets to the file that the environment variable `SSLKEYLOGFILE` names, if it does: with
    /// them, Wireshark reads what was recorded of the wire. Whoever has that file reads all of it, passwords too.
    #[doc(alias = "SSLKEYLOGFILE")]
    #[doc(alias = "wireshark")]
    #[must_use]
    pub fn log_keys(mut self) -> Self {
        self.logs_keys = true;
        self
    }

    /// Shows the server this certificate, with its chain, if it asks for one. Both texts are PEM: the certificate
    /// first, then those of its issuers; the key as PKCS #8, PKCS #1 or SEC1. A server that is not proven gets nothing
    /// of it, unless the configuration is [`insecure`](Self::insecure): the handshake ends before, and
    /// [`Error::Untrusted`](crate::Error::Untrusted) says why.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::server::{Authority, Identity};
    /// use mconnect_core::tls::{Config, ConfigError};
    ///
    /// let ours = Authority::new("Our Root").issue(["client.example"]);
    /// let config = Config::new().identity(ours.pem().as_bytes(), ours.key_pem().as_bytes())?;
    ///
    /// let other = Identity::self_signed(["client.example"]).key_pem();
    /// let wrong = Config::new().identity(ours.pem().as_bytes(), other.as_bytes());
    /// assert!(matches!(wrong, Err(ConfigError::OtherKey)));
    /// # let _ = config;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError::Pem`], [`ConfigError::EncryptedKey`]; [`ConfigError::OtherKey`] if the key is not the
    /// certificate's.
    pub fn identity(mut self, chain: &[u8], key: &[u8]) -> Result<Self, ConfigError> {
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| match is_encrypted(key) {
            true => ConfigError::EncryptedKey,
            false => ConfigError::Pem("private key"),
        })?;
        self.identity = Some((certificates(chain)?, Arc::new(key)));
        self.client(&Arc::new(Verifier::new(&self, "")))?;
        Ok(self)
    }

    /// Returns what it says of authorities alone, for a server of another kind: names, pins and a certificate of the
    /// client's are not for that, and it has to be proven.
    #[cfg(feature = "probe")]
    pub(crate) fn authorities_alone(&self) -> Self {
        let (roots, known) = (Arc::clone(&self.roots), Arc::clone(&self.known));
        Self { own: self.own.clone(), roots, known, logs_keys: self.logs_keys, ..Self::default() }
    }

    /// Makes the configuration of rustls for one handshake, whose verifier keeps what it sees.
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

    /// Reads the system's trust store now, if anything depends on it and it was not read yet: on a thread beside connecting,
    /// say, since it is a hundred files and more, and milliseconds. Otherwise the first handshake that needs it reads it. If
    /// it cannot be read, [`Problem::NoTrustStore`] says so then.
    ///
    /// ```no_run
    /// use mconnect_core::{Connect, tls::Config};
    ///
    /// let config = Config::new();
    /// let theirs = config.clone();
    /// std::thread::spawn(move || theirs.read_trust_store());
    /// let (session, info) = Connect::new("mx.example.org", 465).open()?.upgrade(&config)?;
    /// # Ok::<(), mconnect_core::Error>(())
    /// ```
    #[doc(alias = "preload")]
    pub fn read_trust_store(&self) {
        if self.own.is_none() && self.pins.is_empty() {
            // Whoever verifies says why it cannot be known.
            let _ = self.roots();
        }
    }

    /// Returns the authorities that are trusted, or why they cannot be known.
    pub(super) fn roots(&self) -> Result<Arc<RootCertStore>, String> {
        self.roots.get_or_init(system_roots).clone()
    }

    /// Says whether a server that is not proven is refused during the handshake.
    pub(super) fn refuses_early(&self) -> bool {
        self.identity.is_some() && !self.is_insecure
    }

    /// Returns what a handshake came to. If nothing was found, the server showed nothing that was looked at here.
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

/// Makes what rustls has against a configuration the caller's error.
pub(crate) fn wrong(error: rustls::Error) -> ConfigError {
    match error {
        rustls::Error::InconsistentKeys(_) => ConfigError::OtherKey,
        error => ConfigError::Rustls(error),
    }
}

/// Reads the certificates of a text; none is an error.
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

/// Reads the system's trust store. What cannot be read of it is no matter, as long as there is something.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trust_store_is_read_ahead_once_for_all_clones_and_only_where_something_depends_on_it() {
        let config = Config::new();
        config.clone().read_trust_store();
        assert!(config.roots.get().is_some());

        let pinned = Config::new().pin(Fingerprint([0; 32]));
        let own = Config::from_rustls(config.client(&Arc::new(Verifier::new(&config, ""))).unwrap());
        for config in [pinned, own] {
            config.read_trust_store();
            assert!(config.roots.get().is_none());
        }
    }
}
