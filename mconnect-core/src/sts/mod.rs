//! MTA-STS: what a domain's policy says of its mail servers ([RFC 8461](https://www.rfc-editor.org/rfc/rfc8461)); and where
//! it wants reports about TLS (TLSRPT, [RFC 8460](https://www.rfc-editor.org/rfc/rfc8460)).
//!
//! ```text
//!   TXT of _mta-sts.example.org ──► policy_record ──► PolicyRecord: there is a policy, and which
//!   https://mta-sts.example.org/.well-known/mta-sts.txt
//!     addresses, Config ──► fetch ──► Fetched ──► Policy::parse ──► Policy ──► covers(host)
//!   TXT of _smtp._tls.example.org ──► report_record ──► ReportRecord: where reports go
//! ```
//! Only [`fetch`](fn@fetch) touches the network. What is wrong is a value that says what, for whoever keeps the domain.
//!
//! ```no_run
//! # let addresses = [([192, 0, 2, 1], 443).into()];
//! use std::time::Duration;
//!
//! use mconnect_core::sts::{Policy, fetch};
//! use mconnect_core::tls::Config;
//!
//! // Of mta-sts.example.org, which the caller has looked up.
//! let fetched = fetch("example.org", &addresses, &Config::new(), Duration::from_secs(60))?;
//! let policy = Policy::parse(&fetched.body)?;
//! if !policy.covers("mx.example.org") {
//!     println!("a server that the policy (mode {}) does not allow", policy.mode);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod excerpt;
mod failure;
mod fetch;
mod http;
mod policy;
mod record;

pub use failure::{FetchError, FetchFailure};
#[cfg(feature = "probe")]
pub(crate) use fetch::fetch_with;
pub use fetch::{Fetched, fetch};
#[cfg(feature = "probe")]
pub(crate) use policy::is_host;
pub use policy::{InvalidPolicy, Mode, Pattern, Policy};
pub use record::{InvalidRecord, PolicyRecord, ReportRecord, ReportUri, policy_record, report_record};
