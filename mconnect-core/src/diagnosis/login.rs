//! A login that was not begun: the server offers nothing to do it by.

use super::record::Record;
use super::{Cause, Certainty, Facts, Finding, Recognized};
use crate::sasl::NoMechanism;

use Certainty::{Certain, Likely};

/// Returns why there is no mechanism to log in by, if a caller looked for one.
pub(super) fn not_begun(record: &Record, facts: &Facts) -> Option<Finding> {
    let evidence = record.no_mechanism.as_ref()?;
    let offers_tls = record.extensions.as_ref().is_some_and(|extensions| extensions.has("STARTTLS"));
    let (cause, certainty) = match evidence {
        NoMechanism::NoneFits(_) => (Cause::NoMechanismFits, Certain),
        NoMechanism::NotOffered if offers_tls && !record.is_tls => (Cause::TlsForAuth, Likely),
        NoMechanism::NotOffered => (Cause::AuthNotOffered, Certain),
    };
    let mechanisms = if let NoMechanism::NoneFits(names) = evidence { names } else { "" };
    Some(Recognized::new(cause, certainty, evidence.to_string()).with("mechanisms", mechanisms).told(facts))
}
