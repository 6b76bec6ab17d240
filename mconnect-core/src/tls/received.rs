//! Ciphertext between the stream below and the connection.
//!
//! It follows the records by their headers
//! ([RFC 8446, section 5.1](https://www.rfc-editor.org/rfc/rfc8446#section-5.1)), so that three things are known that
//! rustls does not tell: whether the stream ended inside a record, whether plain text came where TLS was expected, and
//! where TLS ends on a connection that goes on.

use std::io::{self, Read};

use crate::stream::Stream;

/// Bytes between two marks; the reader takes the whole of it for the time of a call below, so that no lock is held
/// then.
#[derive(Default)]
pub(super) struct Received {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// How much came the last time.
    count: usize,
    records: Records,
    /// What came where a record should have begun, and everything after it: no TLS.
    plain: Vec<u8>,
    /// How much of it was taken.
    taken: usize,
}

impl Received {
    /// Receives once, in place of what was there. Where that filled the room, there is more of it the next time.
    pub fn fill(&mut self, stream: &dyn Stream) -> io::Result<usize> {
        let was_full = !self.bytes.is_empty() && self.count == self.bytes.len();
        let room = if was_full { (2 * self.count).min(MOST) } else { self.bytes.len().max(LEAST) };
        self.bytes.resize(room, 0);
        (self.start, self.end, self.count) = (0, 0, 0);
        // The wait for more may be long.
        let count = stream.read(&mut self.bytes).inspect_err(|_| self.bytes = Vec::new())?;
        self.count = count;
        if self.plain.is_empty() {
            self.end = self.records.follow(&self.bytes[..count]);
            self.plain.extend_from_slice(&self.bytes[self.end..count]);
        }
        Ok(count)
    }

    /// Returns the records, or parts of them, that were not yet looked at.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Says whether a record has begun and not ended.
    pub fn is_inside_record(&self) -> bool {
        self.records.have > 0 || self.records.left > 0
    }

    /// Returns what came that is no TLS and was not taken, if anything did.
    pub fn plain(&self) -> &[u8] {
        &self.plain[self.taken..]
    }

    /// Says whether something came that is no TLS; nothing after it is.
    pub fn is_plain(&self) -> bool {
        !self.plain.is_empty()
    }

    /// Takes some of what is no TLS, and returns how much.
    pub fn take_plain(&mut self, buffer: &mut [u8]) -> usize {
        let count = self.plain().len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.plain[self.taken..self.taken + count]);
        self.taken += count;
        count
    }
}

impl Read for Received {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.rest().read(buffer)?;
        self.start += count;
        Ok(count)
    }
}

/// Where records begin ([RFC 8446, section 5.1](https://www.rfc-editor.org/rfc/rfc8446#section-5.1)).
#[derive(Default)]
struct Records {
    header: [u8; 5],
    /// How much of the header is there.
    have: usize,
    /// How much of the record is still to come.
    left: usize,
}

impl Records {
    /// Follows what was received, and returns how much of it is records. It stops at an octet that begins none.
    fn follow(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            if self.left > 0 {
                let count = self.left.min(bytes.len() - at);
                self.left -= count;
                at += count;
                continue;
            }
            if self.have == 0 && !CONTENT_TYPES.contains(&bytes[at]) {
                break;
            }
            self.header[self.have] = bytes[at];
            self.have += 1;
            at += 1;
            if self.have == self.header.len() {
                self.have = 0;
                self.left = usize::from(u16::from_be_bytes([self.header[3], self.header[4]]));
            }
        }
        at
    }
}

/// How much is received at once, in octets: at first, and where more is there each time.
const LEAST: usize = 4 * 1024;
/// And at most so much, in octets: four records.
const MOST: usize = 64 * 1024;
/// From change_cipher_spec to heartbeat.
const CONTENT_TYPES: std::ops::RangeInclusive<u8> = 20..=24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_grows_while_it_is_filled_and_no_further_than_it_has_to() {
        let mut received = Received::default();
        let bulk = crate::stream::Pair::new(io::repeat(20).take(1 << 20), io::sink());
        let sizes: Vec<usize> = (0..6).map(|_| received.fill(&bulk).unwrap()).collect();
        assert_eq!(sizes, [4096, 8192, 16384, 32768, 65536, 65536]);
        let mut received = Received::default();
        let little = crate::stream::Pair::new(io::repeat(20).take(4000), io::sink());
        assert_eq!((received.fill(&little).unwrap(), received.fill(&little).unwrap()), (4000, 0));
        assert_eq!(received.bytes.len(), 4096);
        // Nothing is there yet: a wait begins.
        struct Silent;
        impl Read for Silent {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::WouldBlock.into())
            }
        }
        assert!(received.fill(&crate::stream::Pair::new(Silent, io::sink())).is_err());
        assert_eq!((received.bytes.capacity(), received.rest()), (0, &b""[..]));
    }

    #[test]
    fn records_end_where_plain_text_begins_however_it_is_cut() {
        let bytes = b"\x16\x03\x03\x00\x02ab\x17\x03\x03\x00\x00\x15\x03\x03\x00\x01c421 bye\r\n";
        let end = bytes.len() - b"421 bye\r\n".len();
        for cut in 0..=bytes.len() {
            let mut records = Records::default();
            let (first, second) = bytes.split_at(cut);
            let mut count = records.follow(first);
            if count == first.len() {
                count += records.follow(second);
            }
            assert_eq!(count, end, "cut at {cut}");
        }
    }
}
