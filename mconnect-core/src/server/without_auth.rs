//! The place of AUTH in a build without it.

use super::setup::Exchange;
use crate::stream::ChannelBindings;

pub(super) fn exchange(_: &str, _: &[u8], _: &[u8], _: &ChannelBindings) -> Option<Box<dyn Exchange>> {
    None
}

/// Why there is no exchange.
pub(super) const NO_EXCHANGE: &str = "no authentication: this needs the feature auth";
