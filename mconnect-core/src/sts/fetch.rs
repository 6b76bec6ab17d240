//! The policy over HTTPS: connecting, TLS, and what may go wrong.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::failure::{FetchError, FetchFailure};
use super::http;
use super::policy::is_host;
use crate::closer::Closer;
use crate::connect::Connect;
use crate::error::Error;
use crate::stream::is_nothing_yet;
use crate::tls::Config;
use crate::tls_info::Info;

/// A policy as it came.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Fetched {
    /// Its octets, for [`Policy::parse`](super::Policy::parse).
    pub body: Vec<u8>,
    /// What the server says it is, made visible, if it says so.
    pub content_type: Option<String>,
    /// The address that it came from.
    pub address: SocketAddr,
    /// What TLS came to: the server is proven.
    pub info: Info,
}

impl Fetched {
    /// Says whether the server calls it `text/plain`, as it has to, with whatever parameters
    /// ([RFC 8461, section 3.2](https://www.rfc-editor.org/rfc/rfc8461#section-3.2)).
    #[must_use]
    pub fn is_plain_text(&self) -> bool {
        let media_type = self.content_type.as_deref().and_then(|text| text.split(';').next());
        media_type.is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("text/plain"))
    }
}

/// Fetches the policy of a domain, of which `https://mta-sts.DOMAIN/.well-known/mta-sts.txt` is the place
/// ([RFC 8461, section 3.2](https://www.rfc-editor.org/rfc/rfc8461#section-3.2)). It blocks, and takes at most `patience` in
/// all, however slowly the server sends.
///
/// The host's addresses were looked up by the caller; they are tried in this order, and their ports count (443, but for
/// tests). Of `trust`, the authorities count, or the configuration of rustls that it was made of, and nothing else: the
/// certificate has to be for the host, also where the configuration is [`insecure`](Config::insecure). Redirects are not
/// followed, no proxy is used, and [`Policy::MOST`](super::Policy::MOST) octets are read.
///
/// # Errors
/// [`FetchError`] with its [`FetchFailure`].
pub fn fetch(
    domain: &str,
    addresses: &[SocketAddr],
    trust: &Config,
    patience: Duration,
) -> Result<Fetched, FetchError> {
    fetch_with(domain, addresses, trust, patience, &Closer::new())
}

/// Fetches as [`fetch`] does; the closer ends that from another thread.
pub(crate) fn fetch_with(
    domain: &str,
    addresses: &[SocketAddr],
    trust: &Config,
    patience: Duration,
    closer: &Closer,
) -> Result<Fetched, FetchError> {
    let host = format!("mta-sts.{}", domain.strip_suffix('.').unwrap_or(domain)).to_ascii_lowercase();
    let mut address = None;
    fetch_from(&host, addresses, trust, patience, closer, &mut address).map_err(|failure| FetchError {
        host,
        address,
        failure,
    })
}

/// Fetches it, and notes the address on its way.
fn fetch_from(
    host: &str,
    addresses: &[SocketAddr],
    trust: &Config,
    patience: Duration,
    closer: &Closer,
    connected: &mut Option<SocketAddr>,
) -> Result<Fetched, FetchFailure> {
    let deadline = Instant::now().checked_add(patience);
    let request = http::request(host).filter(|_| is_host(host)).ok_or(FetchFailure::Domain)?;
    let port = addresses.first().map_or(HTTPS, SocketAddr::port);
    let connect = Connect::new(host, port).addresses(addresses).deadline(patience);
    let session = connect.open_with(closer).map_err(unconnected)?;
    let address = session.peer().address().expect("it was opened at one of the addresses");
    *connected = Some(address);
    let (session, info) = session.upgrade(&trust.authorities_alone()).map_err(|error| match error {
        Error::Untrusted { info, .. } => FetchFailure::Untrusted(info),
        Error::Timeout { .. } => FetchFailure::Late { after: patience },
        Error::Tls { source, .. } => FetchFailure::Tls(source),
        other => unconnected(other),
    })?;
    // From here on it is HTTP, and no session.
    let stream = session.begin_upgrade().map_err(unconnected)?.stream();
    let answer = http::exchange(&*stream, request, deadline);
    drop(stream.half_close());
    drop(stream.shutdown());
    let (body, content_type) = answer.map_err(|failure| match failure {
        FetchFailure::Broken(error) if is_nothing_yet(&error) => FetchFailure::Late { after: patience },
        failure => failure,
    })?;
    Ok(Fetched { body, content_type, address, info })
}

fn unconnected(error: Error) -> FetchFailure {
    FetchFailure::Connect(Box::new(error))
}

const HTTPS: u16 = 443;
