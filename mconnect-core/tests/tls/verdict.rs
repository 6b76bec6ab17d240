//! What a client sends before it knows whether the server is proven: nothing but the handshake, and nothing of a
//! certificate of its own.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use mconnect_core::server::{Authority, Identity};
use mconnect_core::tls::rustls::pki_types::pem::PemObject as _;
use mconnect_core::tls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use mconnect_core::tls::{Config, Fingerprint, rustls};
use mconnect_core::{Connect, Error};

use super::certificates::{VERSIONS, kept};
use super::{messages, peer};
use crate::common::driven::DRIVERS;

/// What a server shows, what a client asks for and trusts, and whether that proves the server.
struct Case {
    what: &'static str,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    trust: Config,
    is_proven: bool,
}

/// The chain and the key of a server, in PEM.
struct Shown(String, String);

impl From<&Identity> for Shown {
    fn from(identity: &Identity) -> Self {
        Self(identity.pem(), identity.key_pem())
    }
}

impl From<Identity> for Shown {
    fn from(identity: Identity) -> Self {
        Self::from(&identity)
    }
}

impl From<&str> for Shown {
    fn from(kept_as: &str) -> Self {
        let pem = String::from_utf8(kept(kept_as)).unwrap();
        Self(pem.clone(), pem)
    }
}

fn cases() -> Vec<Case> {
    let root = Authority::new("Our Root");
    let (between, other) = (root.intermediate("Between"), Authority::new("Their Root"));
    // Another key of the same name.
    let impostor = Authority::new("Our Root");
    let alone = Identity::self_signed(["mx.example.org"]);
    let late = Identity::self_signed(["elsewhere.example"]);
    let named = |name: &str| Config::new().name(name);
    let ours = |name: &str| named(name).authorities(root.pem().as_bytes()).unwrap();
    let under = |kept_as: &str| named(NAME).authorities(&kept(kept_as)).unwrap();
    let of = |what, shown: Shown, trust, is_proven| Case {
        what,
        chain: CertificateDer::pem_slice_iter(shown.0.as_bytes()).map(Result::unwrap).collect(),
        key: PrivateKeyDer::from_pem_slice(shown.1.as_bytes()).unwrap(),
        trust,
        is_proven,
    };
    let good = |what, shown: Shown, trust| of(what, shown, trust, true);
    let bad = |what, shown: Shown, trust| of(what, shown, trust, false);
    let without_issuer = {
        let mut case = bad("an issuer that is not shown", between.issue([NAME]).into(), ours(NAME));
        case.chain.truncate(1);
        case
    };
    let unreadable = {
        let mut case = bad("a certificate that cannot be read", root.issue([NAME]).into(), ours(NAME));
        case.chain = vec![CertificateDer::from(b"\x30\x03\x02\x01\x00".to_vec())];
        case
    };
    let shuffled = {
        let mut case = bad("its issuer first", between.issue([NAME]).into(), ours(NAME));
        case.chain.swap(0, 1);
        case
    };
    let old = |kept_as: &str| [kept(kept_as), kept("rsa-root")].concat();
    vec![
        good("a root that is trusted", root.issue([NAME]).into(), ours(NAME)),
        good("an authority between", between.issue([NAME]).into(), ours(NAME)),
        good("two authorities between", between.intermediate("Further").issue([NAME]).into(), ours(NAME)),
        good("a wildcard", root.issue(["*.example.org"]).into(), ours(NAME)),
        good("an address", root.issue(["192.0.2.1"]).into(), ours("192.0.2.1")),
        good("a name with a dot at its end", root.issue([NAME]).into(), ours("mx.example.org.")),
        good("one name of several", root.issue(["a.example", NAME]).into(), ours(NAME)),
        good("a certificate that is trusted itself", (&alone).into(), {
            named(NAME).authorities(alone.pem().as_bytes()).unwrap()
        }),
        good("a pinned key", (&late).into(), named(NAME).pin(late.key_fingerprint())),
        good("a pin of two", (&late).into(), named(NAME).pin(Fingerprint([7; 32])).pin(late.key_fingerprint())),
        good("RSA", "rsa".into(), under("rsa-root")),
        good("P-384", "p384".into(), under("rsa-root")),
        good("an old certificate that is not needed", "cross-signed".into(), under("rsa-root")),
        good("a root whose time is over, that is not needed", "rsa".into(), {
            named(NAME).authorities(&old("expired-root")).unwrap()
        }),
        bad("expired", root.issue_for([NAME], -30, -3).into(), ours(NAME)),
        bad("not yet valid", root.issue_for([NAME], 2, 9).into(), ours(NAME)),
        bad("another name", root.issue(["a.example"]).into(), ours(NAME)),
        bad("no name", root.issue([]).into(), ours(NAME)),
        bad("a wildcard for two labels", root.issue(["*.example.org"]).into(), ours("a.mx.example.org")),
        bad("another address", root.issue(["192.0.2.2"]).into(), ours("192.0.2.1")),
        bad("a name for an address", root.issue([NAME]).into(), ours("192.0.2.1")),
        bad("a name that cannot be one", root.issue([NAME]).into(), ours("not a name")),
        bad("self-signed", (&alone).into(), ours(NAME)),
        bad("self-signed for another name", (&late).into(), ours(NAME)),
        bad("another certificate that is trusted itself", Identity::self_signed([NAME]).into(), {
            named(NAME).authorities(alone.pem().as_bytes()).unwrap()
        }),
        bad("trusted itself, for another name", (&alone).into(), {
            named("other.example").authorities(alone.pem().as_bytes()).unwrap()
        }),
        bad("a root that nobody knows", other.issue([NAME]).into(), ours(NAME)),
        bad("that, through another", other.intermediate("Between").issue([NAME]).into(), ours(NAME)),
        bad("a root of the same name", impostor.issue([NAME]).into(), ours(NAME)),
        bad("all of it", other.issue_for(["a.example"], -30, -3).into(), ours(NAME)),
        bad("the system's trust store", root.issue([NAME]).into(), named(NAME)),
        bad("another key than the pinned one", root.issue([NAME]).into(), ours(NAME).pin(Fingerprint([7; 32]))),
        without_issuer,
        shuffled,
        unreadable,
        bad("X.509 version 1", "version1".into(), under("rsa-root")),
        bad("a critical extension", "critical".into(), under("rsa-root")),
        bad("for clients", "for-clients".into(), under("rsa-root")),
        bad("an authority's own", "authority".into(), under("rsa-root")),
        bad("P-521", "under-p521".into(), under("p521-root")),
        bad("an old certificate that is needed", "cross-signed".into(), under("p521-root")),
        bad("a root whose time is over", "under-expired".into(), under("expired-root")),
    ]
}

const NAME: &str = "mx.example.org";

/// What a server came to see of a client.
struct Seen {
    /// Each record's type and length.
    records: Vec<(u8, usize)>,
    has_certificate: bool,
    text: Vec<u8>,
}

/// Both sides of a connection, with what is read from it kept.
struct Tap(TcpStream, Vec<u8>);

impl Read for Tap {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        self.1.extend_from_slice(&buffer[..count]);
        Ok(count)
    }
}

impl Write for Tap {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn serve(stream: TcpStream, config: Arc<rustls::ServerConfig>) -> Seen {
    stream.set_nodelay(true).unwrap();
    let mut tap = Tap(stream, Vec::new());
    let mut connection = rustls::ServerConnection::new(config).unwrap();
    let mut text = Vec::new();
    drop(rustls::Stream::new(&mut connection, &mut tap).read_to_end(&mut text));
    let has_certificate = connection.peer_certificates().is_some();
    drop(tap.read_to_end(&mut Vec::new()));
    let (mut records, mut rest) = (Vec::new(), tap.1.as_slice());
    while let [kind, _, _, high, low, more @ ..] = rest {
        let size = usize::from(u16::from_be_bytes([*high, *low]));
        records.push((*kind, size));
        rest = &more[size..];
    }
    assert!(rest.is_empty(), "{records:?}");
    Seen { records, has_certificate, text }
}

/// A server that shows this, and takes a certificate of these clients'.
fn showing(
    case: &Case,
    clients: &Authority,
    version: &'static rustls::SupportedProtocolVersion,
) -> Arc<rustls::ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    let pem = clients.pem();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap));
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
    let verifier = verifier.allow_unauthenticated().build().unwrap();
    let key = provider.key_provider.load_private_key(case.key.clone_key()).unwrap();
    let key = rustls::sign::SingleCertAndKey::from(rustls::sign::CertifiedKey::new(case.chain.clone(), key));
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    Arc::new(builder.with_client_cert_verifier(verifier).with_cert_resolver(Arc::new(key)))
}

#[test]
fn before_the_verdict_there_is_nothing_but_the_handshake_on_the_wire_and_no_certificate_of_the_clients() {
    for driver in DRIVERS {
        let clients = Authority::new("Clients");
        let identity = clients.issue(["client.example"]);
        let cases = cases();
        assert!(cases.len() >= 33);
        for case in &cases {
            for version in VERSIONS {
                for has_identity in [false, true] {
                    let which = format!("{}, {:?}, {has_identity}, {driver:?}", case.what, version.version);
                    let config = showing(case, &clients, version);
                    let (port, thread) = peer(move |stream| serve(stream, config));
                    let mut trust = case.trust.clone();
                    if has_identity {
                        trust = trust.identity(identity.pem().as_bytes(), identity.key_pem().as_bytes()).unwrap();
                    }
                    let result = driver.open(&Connect::new("127.0.0.1", port)).unwrap().upgrade(&trust);
                    match (&result, case.is_proven) {
                        (Ok((_, info)), true) => assert!(info.is_verified(), "{which}: {info}"),
                        (Err(Error::Untrusted { info, .. }), false) => {
                            assert_eq!(info.certificates.len(), case.chain.len(), "{which}");
                            assert!(!info.problems.is_empty() && !info.suite.is_empty(), "{which}: {info}");
                        }
                        // Without the key of what it shows, a server does not get that far.
                        (Err(error @ Error::Tls { .. }), false) if !has_identity => {
                            let told = messages(error);
                            assert!(
                                told.contains("that it holds the key") || told.contains("(not readable)"),
                                "{told}"
                            );
                        }
                        (result, _) => panic!("{which}: {result:?}"),
                    }
                    drop(result.map(|(mut session, _)| session.half_close()));
                    let seen = thread.join().unwrap();
                    assert!(seen.text.is_empty(), "{which}: {:?}", seen.text);
                    assert_eq!(seen.has_certificate, has_identity && case.is_proven, "{which}");
                    let [(HANDSHAKE, _), after @ ..] = seen.records.as_slice() else { panic!("{which}") };
                    if has_identity && !case.is_proven {
                        // The alert that says why, which TLS 1.3 encrypts, behind its change_cipher_spec.
                        let is_alert = |record: &(u8, usize)| matches!(record, (ALERT, 2) | (ENCRYPTED, 19));
                        let (last, before) = after.split_last().unwrap();
                        assert!(is_alert(last) && matches!(before, [] | [(CHANGE, 1)]), "{which}: {after:?}");
                    } else if !has_identity {
                        // The rest of the handshake, and TLS's farewell.
                        assert!(after.iter().map(|(_, size)| size).sum::<usize>() < 200, "{which}: {after:?}");
                    }
                }
            }
        }
    }
}

const CHANGE: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const ENCRYPTED: u8 = 23;
