//! Room that the system reads into.

use std::ops::{Deref, DerefMut};

/// Octets that begin where a line of the processor's cache does: elsewhere, some processors copy at half the speed.
pub struct Room {
    octets: Vec<u8>,
    begin: usize,
}

impl Room {
    /// Makes room for so many octets.
    pub fn new(size: usize) -> Self {
        let mut octets = vec![0; size + LINE];
        // Where the address cannot be told, it is as good as any.
        let begin = octets.as_ptr().align_offset(LINE).min(LINE);
        octets.truncate(begin + size);
        Self { octets, begin }
    }
}

impl From<Vec<u8>> for Room {
    fn from(octets: Vec<u8>) -> Self {
        Self { octets, begin: 0 }
    }
}

impl Deref for Room {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.octets[self.begin..]
    }
}

impl DerefMut for Room {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.octets[self.begin..]
    }
}

/// A line of the cache, in octets.
const LINE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_with_a_line_of_the_cache_and_is_as_large_as_was_asked() {
        for size in [0, 1, LINE, 4096, 256 * 1024] {
            let mut room = Room::new(size);
            assert_eq!(room.len(), size);
            assert_eq!(room.as_ptr().addr() % LINE, 0, "{size}");
            room.fill(1);
        }
    }
}
