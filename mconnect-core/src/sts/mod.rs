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

mod excerpt;
mod failure;
mod fetch;
mod http;
mod policy;
mod record;

pub use failure::{FetchError, FetchFailure};
pub use fetch::{Fetched, fetch};
pub use policy::{InvalidPolicy, Mode, Pattern, Policy};
pub use record::{InvalidRecord, PolicyRecord, ReportRecord, ReportUri, policy_record, report_record};
