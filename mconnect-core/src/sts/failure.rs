//! What keeps a policy from coming.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ureq_proto::http::StatusCode;

use crate::error::Error;
use crate::tls_info::Info;

/// A policy that did not come. The `source` says why; [`chain`](crate::chain) makes one line of both.
#[derive(Debug, thiserror::Error)]
#[error("cannot fetch the policy from {host}{}", .address.map_or(String::new(), |address| format!(" ({address})")))]
#[non_exhaustive]
pub struct FetchError {
    /// The host that has it: `mta-sts.example.org`.
    pub host: String,
    /// The address that was connected to, if one was.
    pub address: Option<SocketAddr>,
    /// Why.
    #[source]
    pub failure: FetchFailure,
}

/// Why a policy did not come. What the server has chosen is made visible in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchFailure {
    /// The domain is no name that a host can have.
    #[error("that is no host name")]
    Domain,
    /// No address was connected to: the error says which were tried.
    #[error(transparent)]
    Connect(Box<Error>),
    /// The handshake failed.
    #[error("cannot start TLS")]
    Tls(#[source] io::Error),
    /// The server is not proven to be the host.
    #[error("cannot trust it: {}", .0.reason())]
    Untrusted(Box<Info>),
    /// The time was up.
    #[error("not all of it was here after {} ms", .after.as_millis())]
    Late {
        /// After how long.
        after: Duration,
    },
    /// The connection broke.
    #[error("the connection broke")]
    Broken(#[source] io::Error),
    /// What came is not HTTP, or not as it is to be.
    #[error("the answer is no HTTP: {reason}")]
    NotHttp {
        /// What is wrong, in words.
        reason: String,
    },
    /// The server points elsewhere, where nobody may look
    /// ([RFC 8461, section 3.3](https://www.rfc-editor.org/rfc/rfc8461#section-3.3)).
    #[error(
        "the server redirects{}, and no redirect is followed ({status})",
        .to.as_ref().map_or(String::new(), |to| format!(" to {to}"))
    )]
    Redirected {
        /// Its status.
        status: u16,
        /// Where to, made visible, if it says so.
        to: Option<String>,
    },
    /// Another status than 200.
    #[error("the server answers with the status {status}{}", meaning(*status))]
    Status {
        /// Which one.
        status: u16,
    },
    /// The body is compressed, which was not asked for.
    #[error("the policy is encoded as {encoding}")]
    Encoded {
        /// How, made visible.
        encoding: String,
    },
    /// The body has more octets than are read.
    #[error("the policy has more than {most} octets")]
    TooLong {
        /// How many are read at most.
        most: usize,
    },
}

/// Returns what a status means, in brackets, if it is a usual one.
fn meaning(status: u16) -> String {
    let meaning = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    meaning.map_or(String::new(), |meaning| format!(" ({meaning})"))
}
