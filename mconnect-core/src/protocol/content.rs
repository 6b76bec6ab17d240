//! What is to be known of a message before its transaction.

/// What a transaction has to say of its message before it comes: how large it is, and which octets are in it. It is fed
/// the message, cut anywhere; [`Session::deliver`](crate::Session::deliver) does so itself with a message of less than
/// 64 KiB, and for a longer one needs it from whoever can read it twice.
///
/// ```
/// use mconnect_core::protocol::Content;
///
/// let mut content = Content::default();
/// content.add(b"Subject: hi\n\ngr\xc3");
/// content.add(b"\xbc\xc3\x9fe");
/// content.end();
/// // As it is sent: three line ends of two octets, the last of them added.
/// assert_eq!(content.size(), Some(13 + 2 + 9));
/// assert!(content.is_8bit() && !content.has_utf8_header());
/// ```
///
/// A file is read twice, then: once for this ([`read`](Self::read)), once to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    octets: u64,
    /// As it was fed.
    fed: u64,
    is_8bit: bool,
    header: Header,
    /// The last octet; a message begins as a line does.
    last: u8,
    is_whole: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Header {
    /// In a line of the header, which so far is empty or not (a CR does not count), with so many octets of a character
    /// to come.
    In {
        is_empty: bool,
        rest: u8,
        is_utf8: bool,
    },
    Over {
        is_utf8: bool,
    },
}

impl Default for Content {
    fn default() -> Self {
        let header = Header::In { is_empty: true, rest: 0, is_utf8: false };
        Self { octets: 0, fed: 0, is_8bit: false, header, last: b'\n', is_whole: false }
    }
}

impl Content {
    /// Follows the next part of the message.
    pub fn add(&mut self, part: &[u8]) {
        self.is_8bit |= !part.is_ascii();
        self.octets += part.len() as u64;
        self.fed += part.len() as u64;
        let mut before = self.last;
        let mut rest = part;
        while let Some(lf) = memchr::memchr(b'\n', rest) {
            self.octets += u64::from(if lf == 0 { before } else { rest[lf - 1] } != b'\r');
            (before, rest) = (b'\n', &rest[lf + 1..]);
        }
        part.iter().take_while(|byte| self.header.add(**byte)).for_each(drop);
        self.last = part.last().copied().unwrap_or(self.last);
    }

    /// Says that the message ends here: only then its size is known.
    pub fn end(&mut self) {
        self.octets += if self.last == b'\n' || self.is_whole { 0 } else { 2 };
        self.is_whole = true;
    }

    /// Returns how many octets the message has as it is sent, with CR LF at the end of every line, but without the dots
    /// that are doubled ([RFC 1870, section 3](https://www.rfc-editor.org/rfc/rfc1870#section-3)); `None` before its end.
    pub fn size(&self) -> Option<u64> {
        self.is_whole.then_some(self.octets)
    }

    /// Returns how many octets it has as it was fed; `None` before its end.
    pub(crate) fn fed(&self) -> Option<u64> {
        self.is_whole.then_some(self.fed)
    }

    /// Says whether there are octets over 127 in it, for which a server has to offer 8BITMIME
    /// ([RFC 6152](https://www.rfc-editor.org/rfc/rfc6152)).
    #[must_use]
    pub fn is_8bit(&self) -> bool {
        self.is_8bit
    }

    /// Says whether its header holds UTF-8, for which a server has to offer SMTPUTF8
    /// ([RFC 6531, section 3.3](https://www.rfc-editor.org/rfc/rfc6531#section-3.3)); octets over 127 of another sort are
    /// none, and pass as they always did.
    #[must_use]
    pub fn has_utf8_header(&self) -> bool {
        matches!(self.header, Header::In { is_utf8: true, .. } | Header::Over { is_utf8: true })
    }
}

impl Header {
    /// Follows an octet, and says whether the header goes on behind it.
    fn add(&mut self, byte: u8) -> bool {
        let Self::In { is_empty, rest, is_utf8 } = self else { return false };
        match (byte, *rest) {
            (0x80..=0xBF, 1..) => {
                *rest -= 1;
                *is_utf8 |= *rest == 0;
            }
            (0xC2..=0xF4, 0) => {
                *rest = match byte {
                    ..0xE0 => 1,
                    0xE0..0xF0 => 2,
                    _ => 3,
                };
                *is_empty = false;
            }
            // One octet that is no UTF-8, or a character that is not whole, makes it a header of another sort.
            (_, 1..) | (0x80.., _) => {
                *self = Self::Over { is_utf8: false };
                return false;
            }
            (b'\n', _) if *is_empty => {
                *self = Self::Over { is_utf8: *is_utf8 };
                return false;
            }
            (b'\n', _) => *is_empty = true,
            (b'\r', _) => {}
            _ => *is_empty = false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::encode::{CrlfEncoder, tests::cut_everywhere};

    #[test]
    fn what_is_said_of_a_message_is_true_wherever_it_is_cut() {
        for (message, is_8bit, is_utf8) in [
            (&b""[..], false, false),
            (b"Subject: hi\n\nbody", false, false),
            (b"A: 1\r\n\r\nbody\r\n\n\r\r\n", false, false),
            (b"Subject: gr\xc3\xbc\xc3\x9fe\n\nbody\n", true, true),
            (b"Subject: \xe2\x82\xac \xf0\x9f\x93\xa7\r\n\r\n\xff", true, true),
            (b"Subject: gr\xfc\xdfe\n\n", true, false),
            (b"Subject: \xc3\xbc \xfc\n\n", true, false),
            (b"Subject: \xc3\xbc \xc3x\n\n", true, false),
            (b"Subject: \xc3\xbc \xe2\x82\r\n\r\n", true, false),
            (b"Subject: hi\r\n\r\n\xc3\xbc\n", true, false),
            (b"\r\n\xc3\xbc\n", true, false),
            // Of one, of two and of three octets more, in a later line, and at the beginning of one.
            (b"A: 1\nSubject: \xc3\xbc\n\n", true, true),
            (b"A: 1\nSubject: \xe2\x82\xac\n\n", true, true),
            (b"A: 1\nSubject: \xf0\x9f\x93\xa7\n\n", true, true),
            (b"A: 1\n\xc3\xbc\nSubject: \xfc\n\n", true, false),
            (b"x\r", false, false),
        ] {
            let (mut encoder, mut sent) = (CrlfEncoder::default(), Vec::new());
            encoder.encode(message, &mut sent);
            if !sent.is_empty() && !sent.ends_with(b"\n") {
                sent.extend_from_slice(b"\r\n");
            }
            cut_everywhere(message, |parts| {
                let mut content = Content::default();
                parts.iter().for_each(|part| content.add(part));
                assert_eq!(content.size(), None);
                content.end();
                content.end();
                let known = (content.size(), content.is_8bit(), content.has_utf8_header());
                assert_eq!(known, (Some(sent.len() as u64), is_8bit, is_utf8), "{}", message.escape_ascii());
            });
        }
    }
}
