//! What a domain publishes of its mail: MX, addresses, TLSA, TXT, SRV and CNAME records, and what they are worth.
//!
//! ```text
//!   Resolver ──ask, ask_async──► Lookup ──Query──► UDP, TCP        a driver that blocks, and one of tokio's
//!   name servers, time             ▲ │ next server, TCP, alias          │
//!                                  └─┴──────────octets──────────────────┘
//!                                    └──► Found: records, names on the way, Security, why
//! ```
//! This is a stub resolver, as a mail server has one: a resolver that validates is asked, and its word (the AD bit) is
//! taken where it is on this machine or trusted ([`Resolver::trusted`], `trust-ad` in resolv.conf). Anything else
//! proves nothing, and [`Security::Unproven`] says so. Names are complete: search lists are never heeded.
//!
//! ```no_run
//! use mconnect_core::dns::{Mx, Resolver};
//!
//! let resolver = Resolver::system()?;
//! let found = resolver.ask::<Mx>("example.org")?;
//! println!("{:?}, by {}", found.security, resolver.describe());
//! for mx in Mx::in_order(found.records) {
//!     println!("{} {}", mx.preference, mx.exchanger);
//! }
//! # Ok::<(), mconnect_core::dns::DnsError>(())
//! ```
//! What is answered is not trusted: it is bounded, names are printable ASCII (other octets stand as `\123`), and texts of
//! a resolver's are escaped as [`Visible`](crate::protocol::Visible) does.

mod blocking;
mod configuration;
mod error;
mod exchange;
mod found;
mod global;
mod lookup;
mod message;
mod random;
mod records;
mod resolver;
#[cfg(feature = "tokio")]
mod tokio;

pub use error::DnsError;
pub use found::{Found, Security};
pub use global::is_global;
pub use lookup::{Lookup, Query, Transport};
pub use records::{Cname, Mx, Record, RecordData, RecordKind, Srv, Txt};
pub use resolver::Resolver;
