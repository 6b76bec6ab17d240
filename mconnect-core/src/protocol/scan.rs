//! Finding bytes.

/// Finds a byte, where little is searched: the first call of [`memchr::memchr`] asks the processor what it can, which on
/// a virtual machine takes longer than a whole short session may.
pub(crate) fn find(byte: u8, bytes: &[u8]) -> Option<usize> {
    if bytes.len() < SHORT { bytes.iter().position(|other| *other == byte) } else { memchr::memchr(byte, bytes) }
}

/// From so many octets on, the search by vectors pays.
const SHORT: usize = 512;
