//! What TLSA records say of a server, in words that whoever keeps it acts on.

use std::fmt;

use super::{AUTHORITY, DaneVerdict, KEY, UnmetReason, UnmetRecord};
use crate::tls_info::Problem;
use crate::tlsa::Tlsa;

impl fmt::Display for DaneVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (words, unmet) = match self {
            Self::Matched { record, depth } => {
                let part = if record.selector == KEY { "key" } else { "certificate" };
                return match depth {
                    Some(0) => write!(f, "{} is the server's {part}", short(record)),
                    Some(depth) => write!(f, "{} is the {part} of an authority (certificate {depth})", short(record)),
                    None => write!(f, "{} is the {part} of an authority that was not shown", short(record)),
                };
            }
            Self::Mismatch { unmet } => ("no TLSA record names this server", unmet),
            Self::Unusable { unmet } => ("no TLSA record can be used", unmet),
        };
        f.write_str(words)?;
        unmet
            .iter()
            .enumerate()
            .try_for_each(|(index, unmet)| write!(f, "{}{unmet}", if index == 0 { ": " } else { "; " }))
    }
}

impl fmt::Display for UnmetRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tlsa { usage, selector, matching, data } = &self.record;
        write!(f, "published {}", short(&self.record))?;
        match &self.reason {
            UnmetReason::Usage => write!(f, ", but only the usages 2 and 3 are for mail, not {usage}"),
            UnmetReason::Selector => write!(f, ", but nobody knows the selector {selector}"),
            UnmetReason::Matching => write!(f, ", but nobody knows the matching type {matching}"),
            UnmetReason::Length { wanted } => {
                write!(f, ", but its hash has {} octets instead of {wanted}", data.len())
            }
            UnmetReason::Malformed if *selector == KEY => f.write_str(", but its data is no public key"),
            UnmetReason::Malformed => f.write_str(", but its data is no certificate"),
            UnmetReason::Outdone => f.write_str(", but also a stronger hash of the same kind, which alone counts"),
            UnmetReason::Differs { shown } if shown.is_empty() && *usage == AUTHORITY => {
                f.write_str(", and the server shows no authority")
            }
            UnmetReason::Differs { shown } if shown.is_empty() => f.write_str(", and nothing readable is shown"),
            UnmetReason::Differs { shown } => {
                write!(f, ", shown would be {}", shown.iter().map(short).collect::<Vec<_>>().join(" or "))
            }
            UnmetReason::Untrusted { problems } => {
                write!(f, ", but {}", problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; "))
            }
        }?;
        match &self.fits_as {
            Some(Tlsa { usage, selector, matching, .. }) => {
                write!(f, " (as {usage} {selector} {matching} with the same data, it would name what is shown)")
            }
            None => Ok(()),
        }
    }
}

/// Writes a record as zone files do; of a whole certificate or key only the beginning.
fn short(record: &Tlsa) -> String {
    match record.data.len() {
        0..=64 => record.to_string(),
        octets => {
            let Tlsa { usage, selector, matching, data } = record;
            format!("{}... ({octets} octets)", Tlsa::new(*usage, *selector, *matching, &data[..16]))
        }
    }
}
