//! Finding bytes where little is searched.
//!
//! The first call of [`memchr::memchr`] asks the processor what it can, and on a virtual machine, where each such question
//! leaves the guest, that takes as long as a third of a whole short session outside of the server. So commands and replies are
//! searched from here, and what is short is searched without it. Bodies, which are long, use `memchr` itself.

use std::ops::Range;

/// Returns where a byte stands first.
pub(crate) fn find(byte: u8, bytes: &[u8]) -> Option<usize> {
    if bytes.len() < SHORT { bytes.iter().position(|other| *other == byte) } else { memchr::memchr(byte, bytes) }
}

/// Returns where the lines stand that are whole, each with its LF.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let end = start + find(b'\n', &bytes[start..])? + 1;
        Some(std::mem::replace(&mut start, end)..end)
    })
}

/// From so many octets on, the search by vectors pays.
const SHORT: usize = 512;
