//! The TXT records that announce a policy, and where reports go.

use std::fmt;

/// The record that a domain with a policy has: TXT of `_mta-sts.` and the domain
/// ([RFC 8461, section 3.1](https://www.rfc-editor.org/rfc/rfc8461#section-3.1)).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyRecord {
    /// Another one means that the policy has changed: up to 32 letters and digits.
    pub id: String,
}

/// The record that says where reports about TLS go: TXT of `_smtp._tls.` and the domain
/// ([RFC 8460, section 3](https://www.rfc-editor.org/rfc/rfc8460#section-3)).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReportRecord {
    /// Where to, one at least.
    pub rua: Vec<ReportUri>,
}

/// Where a report goes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportUri {
    /// To a mail address: what stands behind `mailto:`.
    Mail(String),
    /// By POST to this URI, `https:` included.
    Https(String),
}

/// Why a domain's TXT records announce nothing, although it seems to have wanted that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRecord {
    /// Several records, and so none.
    #[error("there are {count} records that begin with {version}, and so none counts")]
    Several {
        /// How many.
        count: usize,
        /// What they begin with.
        version: &'static str,
    },
}

/// Reads a domain's policy record out of its TXT records, each with its strings joined. Those that are none are passed
/// over; `None` if there is no other.
///
/// # Errors
/// [`InvalidRecord`] says why there is none for those who send.
pub fn policy_record<T: AsRef<[u8]>>(texts: &[T]) -> Result<Option<PolicyRecord>, InvalidRecord> {
    let _ = texts;
    Ok(None)
}

/// Reads where a domain wants reports out of its TXT records, each with its strings joined. Those that are none are passed
/// over; `None` if there is no other.
///
/// # Errors
/// [`InvalidRecord`] says why there is none for those who send.
pub fn report_record<T: AsRef<[u8]>>(texts: &[T]) -> Result<Option<ReportRecord>, InvalidRecord> {
    let _ = texts;
    Ok(None)
}

impl fmt::Display for ReportUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mail(address) => write!(f, "mailto:{address}"),
            Self::Https(uri) => f.write_str(uri),
        }
    }
}
