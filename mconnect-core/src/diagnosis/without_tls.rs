//! The place of what is known of TLS in a library that was built without it.

use super::transcript::Record;
use super::{Facts, Finding};
use crate::tls::Info;

pub(super) fn kept(info: &Info) -> Option<Info> {
    match *info {}
}

pub(super) fn handshake(_: &Record, _: &Facts) -> Option<Finding> {
    None
}

pub(super) fn problems(_: &Record, _: &Facts) -> Vec<Finding> {
    Vec::new()
}
