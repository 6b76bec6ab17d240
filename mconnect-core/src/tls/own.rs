//! What certificates are worth that came by another connection than one of this library's.

use rustls::CommonState;
use rustls::pki_types::CertificateDer;

use super::verifier::{Found, Verifier};
use super::{Config, Info, Problem};

/// For those who bring their own rustls: a connection that another program shook hands for, or a chain that was kept.
///
/// ```no_run
/// use std::net::TcpStream;
/// use std::sync::Arc;
///
/// use mconnect_core::tls::{Config, rustls};
///
/// fn look(client: Arc<rustls::ClientConfig>, mut socket: TcpStream) -> Result<(), Box<dyn std::error::Error>> {
///     let name = "mx.example.org";
///     let mut connection = rustls::ClientConnection::new(client, name.try_into()?)?;
///     connection.complete_io(&mut socket)?;
///     let info = Config::new().inspected(name, &connection);
///     println!("{info}");
///
///     let chain = connection.peer_certificates().unwrap_or_default();
///     for problem in Config::new().problems(name, chain) {
///         println!("{problem}");
///     }
///     Ok(())
/// }
/// ```
impl Config {
    /// Returns everything that is wrong with a chain of certificates, the server's own first, for a server of this
    /// name: by the [`authorities`](Self::authorities) and the [`pin`](Self::pin) here, or else by the system's trust
    /// store. No problem means that it is trusted; that the server holds the key is the handshake's to prove.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::server::Authority;
    /// use mconnect_core::tls::rustls::pki_types::{CertificateDer, pem::PemObject as _};
    /// use mconnect_core::tls::{Config, Problem};
    ///
    /// let authority = Authority::new("Our Root");
    /// let config = Config::new().authorities(authority.pem().as_bytes())?;
    /// let pem = authority.issue(["mx.example.org"]).pem();
    /// let chain = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>()?;
    /// assert!(config.problems("mx.example.org", &chain).is_empty());
    /// assert!(matches!(config.problems("www.example.org", &chain)[..], [Problem::WrongName { .. }]));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn problems(&self, name: &str, chain: &[CertificateDer<'_>]) -> Vec<Problem> {
        self.look_at(name, chain).problems
    }

    /// Returns what a handshake has agreed on that this library did not do, and what the server showed, with
    /// everything that is wrong with it: as [`Session::upgrade`](crate::Session::upgrade) does, whatever the connection's
    /// own verifier said. A `ClientConnection` is a `CommonState` by dereference.
    #[must_use]
    pub fn inspected(&self, name: &str, connection: &CommonState) -> Info {
        let chain = connection.peer_certificates().unwrap_or_default();
        Info::new(connection, name, self.look_at(name, chain))
    }

    /// Looks at a chain as the handshake would.
    fn look_at(&self, name: &str, chain: &[CertificateDer<'_>]) -> Found {
        let chain: Vec<_> = chain.iter().map(|der| der.clone().into_owned()).collect();
        Verifier::new(self, name.trim_end_matches('.')).look_at(&chain)
    }
}
