//! The system's trust store: by the name of an authority where it is kept so, and otherwise whole.

use std::env;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::{Any, SetOfVec};
use x509_cert::der::{Decode as _, Encode as _, Tag, Tagged as _};
use x509_cert::name::Name;

/// Gives the authorities that are kept under the names of those who issued these certificates, as OpenSSL finds them: a
/// file or two, where the whole store is hundreds.
pub(super) fn issuers(shown: &[CertificateDer<'_>]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    if is_kept_by_name() {
        for hash in shown.iter().filter_map(|der| issuer_hash(der)) {
            for number in 0..MOST_OF_A_NAME {
                let Ok(file) = fs::read(format!("{FOLDER}/{hash:08x}.{number}")) else { break };
                roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&file).filter_map(Result::ok));
            }
        }
    }
    roots
}

/// Gives the whole store, but for what only [`issuers`] finds.
///
/// # Errors
/// Why there is none.
pub(super) fn whole() -> Result<Arc<RootCertStore>, String> {
    let found = match is_kept_by_name() {
        true => rustls_native_certs::load_certs_from_paths(Some(Path::new(FILE)), None),
        false => rustls_native_certs::load_native_certs(),
    };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    match found.errors.first() {
        _ if !roots.is_empty() => Ok(Arc::new(roots)),
        Some(error) => Err(error.to_string()),
        None => Err("the system has no certificates of authorities".to_owned()),
    }
}

/// Says whether the store is both in one file and in a folder with a file for each authority, as on Debian, Alpine and
/// others; and whether the environment does not name another.
fn is_kept_by_name() -> bool {
    ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().all(|name| env::var_os(name).is_none()) && Path::new(FILE).exists()
}

/// Gives the number by which OpenSSL finds a certificate's issuer: the beginning of the SHA-1 digest of a form of its name
/// that spelling does not change.
fn issuer_hash(der: &[u8]) -> Option<u32> {
    let certificate = x509_cert::Certificate::from_der(der).ok()?;
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, &canonical(certificate.tbs_certificate().issuer())?);
    digest.as_ref().first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn canonical(name: &Name) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for part in name.iter_rdn() {
        let mut values = SetOfVec::new();
        for AttributeTypeAndValue { oid, value } in part.iter() {
            values.insert(AttributeTypeAndValue { oid: *oid, value: plain(value)? }).ok()?;
        }
        bytes.extend(values.to_der().ok()?);
    }
    Some(bytes)
}

/// Gives a text in small letters, with one space where there are several, and none at its ends.
fn plain(value: &Any) -> Option<Any> {
    let text = match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::VisibleString => value.value().to_vec(),
        Tag::TeletexString => value.value().iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes(),
        Tag::BmpString => {
            let units = value.value().chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).collect::<Result<String, _>>().ok()?.into_bytes()
        }
        _ => return Some(value.clone()),
    };
    let is_space = |byte: &u8| byte.is_ascii_whitespace() || *byte == VERTICAL_TAB;
    let words: Vec<&[u8]> = text.split(is_space).filter(|word| !word.is_empty()).collect();
    Any::new(Tag::Utf8String, words.join(&b' ').to_ascii_lowercase()).ok()
}

/// More authorities than this of one name are not looked at.
const MOST_OF_A_NAME: u32 = 16;
const VERTICAL_TAB: u8 = 0x0b;
const FOLDER: &str = "/etc/ssl/certs";
const FILE: &str = "/etc/ssl/certs/ca-certificates.crt";

#[cfg(test)]
mod tests {
    use super::*;

    /// As OpenSSL's rehash has named the files of the machine that runs this, if it is one that has them.
    #[test]
    fn the_authorities_of_this_machine_are_found_by_name() {
        for file in fs::read_dir(FOLDER).into_iter().flatten().map(|entry| entry.unwrap().path()) {
            let Some((hash, "0")) = file.to_str().and_then(|path| path.strip_prefix(FOLDER)?[1..].split_once('.'))
            else {
                continue;
            };
            let Ok(der) = CertificateDer::from_pem_file(&file) else { continue };
            let certificate = x509_cert::Certificate::from_der(&der).unwrap();
            let body = certificate.tbs_certificate();
            if hash.len() == 8 && body.subject() == body.issuer() {
                assert_eq!(format!("{:08x}", issuer_hash(&der).unwrap()), hash, "{}", body.subject());
            }
        }
    }

    #[test]
    fn spelling_does_not_change_a_name() {
        let value = |tag, bytes: &[u8]| plain(&Any::new(tag, bytes).unwrap()).unwrap();
        let expected = Any::new(Tag::Utf8String, *b"our root ca").unwrap();
        assert_eq!(value(Tag::PrintableString, b" Our  ROOT\tca "), expected);
        assert_eq!(value(Tag::BmpString, b"\0O\0u\0r\0 \0R\0o\0o\0t\0 \0C\0A"), expected);
        assert_eq!(value(Tag::TeletexString, b"\xdc").value(), "\u{dc}".as_bytes());
        assert_eq!(value(Tag::BitString, b"\0A "), Any::new(Tag::BitString, *b"\0A ").unwrap());
    }
}
