//! The place of AUTH in a build without it.

use super::setup::Exchange;

pub(super) fn exchange(_: &str, _: &[u8], _: &[u8]) -> Option<Box<dyn Exchange>> {
    None
}

/// Why there is no exchange.
pub(super) const NO_EXCHANGE: &str = "no authentication: this needs the feature auth";
