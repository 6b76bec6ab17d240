//! What stands in certificates.

use std::sync::Arc;

use mconnect_core::server::{Authority, Identity, Setup};
use mconnect_core::tls::rustls;
use mconnect_core::tls::rustls::pki_types::pem::PemObject as _;
use mconnect_core::tls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::*;

/// The kinds of string that a name may be ([RFC 5280, section 4.1.2.4](https://www.rfc-editor.org/rfc/rfc5280)), and
/// others that none should be.
const STRINGS: [(&str, u8); 10] = [
    ("UTF8String", 0x0c),
    ("NumericString", 0x12),
    ("PrintableString", 0x13),
    ("TeletexString", 0x14),
    ("VideotexString", 0x15),
    ("IA5String", 0x16),
    ("GraphicString", 0x19),
    ("VisibleString", 0x1a),
    ("UniversalString", 0x1c),
    ("BMPString", 0x1e),
];
/// otherName, rfc822Name, dNSName, uniformResourceIdentifier, registeredID.
const NAMES: [u8; 5] = [0xa0, 0x81, 0x82, 0x86, 0x88];
const SUBJECT: &str = "the subject of a certificate, in the place of which something else will come............";
const ISSUER: &str = "the issuer of a certificate, in the place of which something else will come.............";

#[test]
fn what_a_certificate_says_steers_no_terminal() {
    let words = TEXT.as_bytes().chunks(SUBJECT.len() - 8).map(<[u8]>::to_vec);
    let mut words: Vec<Vec<u8>> = words.chain([b"\x9b95mFAKE\0\xff\nFAKE\r\n\x1b]0;FAKE\x07".to_vec()]).collect();
    words.push(TEXT.chars().take(20).flat_map(|c| (c as u16).to_be_bytes()).collect());
    words.push(TEXT.chars().take(20).flat_map(|c| (c as u32).to_be_bytes()).collect());
    let rows: Vec<_> = STRINGS.iter().flat_map(|kind| words.iter().map(move |words| (kind, words))).collect();
    let identity = Authority::new(ISSUER).issue([SUBJECT]);
    for_each(&rows, |((kind, tag), words)| {
        let mut words = words.to_vec();
        words.resize(SUBJECT.len(), b' ');
        let der = CertificateDer::pem_slice_iter(identity.pem().as_bytes()).next().unwrap().unwrap().to_vec();
        let der = replaced(&der, 0x0c, SUBJECT, *tag, &words);
        let der = replaced(&der, 0x0c, ISSUER, *tag, &words);
        let name = NAMES[usize::from(*tag) % NAMES.len()];
        look(&identity, replaced(&der, 0x82, SUBJECT, name, &words), &format!("{kind}, a name of {name:x}"));
    });
}

/// Looks at such a certificate in every way there is.
fn look(identity: &Identity, der: Vec<u8>, what: &str) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = provider.key_provider.load_private_key(PrivatePkcs8KeyDer::from(identity.key().to_vec()).into());
    let certified = rustls::sign::CertifiedKey::new(vec![der.into()], key.unwrap());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let resolver = rustls::sign::SingleCertAndKey::from(certified);
    let config = builder.unwrap().with_no_client_auth().with_cert_resolver(Arc::new(resolver));
    let server = Setup::new().tls_with(Arc::new(config)).start().unwrap();
    let port = server.port().to_string();
    for (options, lines) in [
        (&["--starttls", "-k", "--tls-verbose", "--trace", "-c", "QUIT"][..], &[][..]),
        (&["--starttls", "-c", "QUIT"], &[]),
        (&["-c", "STARTTLS", "-c", "QUIT", "--json"], &[]),
        (&[], &["STARTTLS", "~t", "~a PLAIN u", "*", "QUIT"]),
    ] {
        let mut pty = start(Prompt, &[options, &["-p", &port, "127.0.0.1"]].concat(), &[]);
        for line in lines {
            pty.expect("> ");
            pty.send(format!("{line}\r"));
        }
        assert_harmless(what, &end(pty), "certificate");
    }
}

/// Puts something of the same length in the place of a string.
fn replaced(der: &[u8], tag: u8, text: &str, other: u8, words: &[u8]) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    let (old, new) = ([&[tag, length], text.as_bytes()].concat(), [&[other, length], words].concat());
    let at = der.windows(old.len()).position(|window| window == old).unwrap();
    [&der[..at], &new, &der[at + old.len()..]].concat()
}
