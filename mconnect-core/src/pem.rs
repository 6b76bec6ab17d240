//! Texts that hold bytes: PEM. They are read by rustls, and written here.

use base64ct::{Base64, Encoding as _};

/// Writes something as PEM ([RFC 7468](https://www.rfc-editor.org/rfc/rfc7468)), in lines of 64 characters.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in Base64::encode_string(der).as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem + &format!("-----END {label}-----\n")
}
