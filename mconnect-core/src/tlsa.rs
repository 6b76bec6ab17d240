//! What a domain publishes of a server's certificate, as plain data: it is in every build.

use std::fmt;

/// A TLSA record ([RFC 6698, section 2.1](https://www.rfc-editor.org/rfc/rfc6698#section-2.1)): which certificate or key a
/// server shows that is to be believed.
///
/// `Display` writes it as zone files do: `3 1 1 0a1b…`, the data in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Tlsa {
    /// Whose certificate it is, and what else has to be right: 2 is an authority (DANE-TA), 3 the server's own (DANE-EE).
    pub usage: u8,
    /// 0: all of the certificate; 1: its public key (SubjectPublicKeyInfo).
    pub selector: u8,
    /// 0: the data is that itself; 1: its SHA-256; 2: its SHA-512.
    pub matching: u8,
    /// What is to be found.
    pub data: Vec<u8>,
}

impl Tlsa {
    /// Makes one of its four fields.
    #[must_use]
    pub fn new(usage: u8, selector: u8, matching: u8, data: impl Into<Vec<u8>>) -> Self {
        Self { usage, selector, matching, data: data.into() }
    }
}

impl fmt::Display for Tlsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} ", self.usage, self.selector, self.matching)?;
        self.data.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Tlsa;

    #[test]
    fn it_is_written_as_in_a_zone_file() {
        assert_eq!(Tlsa::new(3, 1, 1, [0x0a, 0x1b, 0xff]).to_string(), "3 1 1 0a1bff");
    }
}
