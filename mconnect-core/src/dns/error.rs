//! Why nothing is known of a name.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::records::RecordKind;

/// Why a lookup has no outcome. That there is no such name, or no such record, is an outcome:
/// [`Found`](super::Found).
///
/// Where several name servers were asked, it is the most telling of what came of them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DnsError {
    /// This cannot be a name in the DNS. Nothing was asked.
    #[error("{name:?} is not a domain name: {why}")]
    Name {
        /// What was given.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// The system's configuration cannot be read.
    #[error("cannot read {}", path.display())]
    Configuration {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No name server answered in time.
    #[error("cannot look up the {kind} of {name}: no answer from {servers} in {} s", after.as_secs_f64())]
    Timeout {
        /// What was asked for.
        kind: RecordKind,
        /// The name.
        name: String,
        /// Whom was waited for.
        servers: String,
        /// How long all of it took.
        after: Duration,
    },
    /// A name server cannot be reached.
    #[error("cannot look up the {kind} of {name} at {server}")]
    Network {
        /// What was asked for.
        kind: RecordKind,
        /// The name.
        name: String,
        /// The name server.
        server: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A name server answers that it has none: SERVFAIL, REFUSED and the like.
    #[error("cannot look up the {kind} of {name}: {server} answers {code}{}", Because(why))]
    Failed {
        /// What was asked for.
        kind: RecordKind,
        /// The name.
        name: String,
        /// The name server.
        server: SocketAddr,
        /// Its response code, as the RFCs write it.
        code: String,
        /// What it says beside it ([RFC 8914](https://www.rfc-editor.org/rfc/rfc8914)).
        why: Option<String>,
    },
    /// A name server's answer is none.
    #[error("cannot look up the {kind} of {name}: the answer of {server} {what}")]
    Malformed {
        /// What was asked for.
        kind: RecordKind,
        /// The name.
        name: String,
        /// The name server.
        server: SocketAddr,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Aliases lead in a circle, or there are too many of them.
    #[error("cannot look up the {kind} of {name}: its aliases (CNAME) have no end, {last} is one of them")]
    Aliases {
        /// What was asked for.
        kind: RecordKind,
        /// The name.
        name: String,
        /// Where they were left.
        last: String,
    },
}

impl DnsError {
    /// Says whether the same may go better later. It may not if the name is none, or its aliases have no end.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        !matches!(self, Self::Name { .. } | Self::Configuration { .. } | Self::Aliases { .. })
    }

    /// Returns how much it tells: of several, the one that tells most is handed out.
    pub(super) fn telling(&self) -> u8 {
        match self {
            Self::Timeout { .. } => 0,
            Self::Network { .. } => 1,
            Self::Malformed { .. } => 2,
            _ => 3,
        }
    }
}

/// What was said beside a response code.
struct Because<'a>(&'a Option<String>);

impl std::fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|why| write!(f, " ({why})"))
    }
}
