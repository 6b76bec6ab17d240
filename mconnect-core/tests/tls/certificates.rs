//! Servers with good certificates and bad ones, and what is said of them.

use std::sync::Arc;

use mconnect_core::Error;
use mconnect_core::server::{Authority, Identity, Setup};
use mconnect_core::tls::rustls::pki_types::pem::PemObject as _;
use mconnect_core::tls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use mconnect_core::tls::{Certificate, Config, Fingerprint, Problem, date, rustls};

use super::{due, trusting, upgrade};
use crate::common::driven::DRIVERS;

#[test]
fn an_authority_that_is_trusted_vouches_for_a_server_also_through_another() {
    for driver in DRIVERS {
        let authority = Authority::new("Our Root");
        for identity in
            [authority.issue(["mx.example.org"]), authority.intermediate("Our Intermediate").issue(["*.example.org"])]
        {
            let (_, info) = upgrade(driver, &identity, &trusting(&authority)).unwrap();
            assert!(info.is_verified(), "{info}");
            assert!(info.to_string().ends_with(", expires in 29 days; verified"), "{info}");
        }
    }
}

#[test]
fn each_thing_wrong_with_a_certificate_has_its_own_words() {
    for driver in DRIVERS {
        let authority = Authority::new("Our Root");
        let other = Authority::new("Their Root");
        let cases = [
            (authority.issue_for(["mx.example.org"], -30, -3), "the certificate of CN=mx.example.org expired on 20"),
            (
                authority.issue_for(["mx.example.org"], 2, 9),
                "the certificate of CN=mx.example.org is not valid before 20",
            ),
            (
                authority.issue_for(["mx.example.org"], i64::MIN, i64::MIN),
                "the certificate of CN=mx.example.org expired on 1970",
            ),
            (
                authority.issue_for(["mx.example.org"], i64::MAX, i64::MAX),
                "the certificate of CN=mx.example.org is not valid before 9999-12-31",
            ),
            (
                authority.issue(["a.example", "10.1.2.3", "::1"]),
                "the certificate is not for mx.example.org but for a.example, 10.1.2.3, ::1",
            ),
            (authority.issue([]), "the certificate is not for mx.example.org, and names no host"),
            (Identity::self_signed(["mx.example.org"]), "the certificate is self-signed"),
            (other.issue(["mx.example.org"]), "its issuer is unknown here: CN=Their Root"),
            (other.intermediate("Between").issue(["mx.example.org"]), "its issuer is unknown here: CN=Their Root"),
        ];
        for (identity, words) in cases {
            let error = upgrade(driver, &identity, &trusting(&authority)).unwrap_err();
            assert!(
                matches!(error, Error::Untrusted { .. }) && error.problems().len() == 1 && error.is_temporary(),
                "{error}"
            );
            let text = error.to_string();
            assert!(text.starts_with("cannot trust 127.0.0.1:"), "{text}");
            assert!(text.split(": ").skip(1).collect::<Vec<_>>().join(": ").starts_with(words), "{text}\n{words}");
            // To go on all the same is possible, and what is wrong is still known.
            let (_, info) = upgrade(driver, &identity, &trusting(&authority).insecure()).unwrap();
            assert_eq!(info.problems.len(), 1, "{info:?}");
            assert!(info.to_string().contains(&format!("; NOT verified: {words}")), "{info}");
        }
    }
}

#[test]
fn a_certificate_can_be_valid_as_long_as_there_are_years_of_four_digits() {
    for driver in DRIVERS {
        let authority = Authority::new("Our Root");
        let identity = authority.issue_for(["mx.example.org"], i64::MIN, i64::MAX);
        let (_, info) = upgrade(driver, &identity, &trusting(&authority)).unwrap();
        assert!(info.is_verified(), "{info}");
        let [first, last] = [info.certificates[0].not_before, info.certificates[0].not_after].map(date);
        assert_eq!((first.as_str(), last.as_str()), ("1970-01-01", "9999-12-31"));
    }
}

/// A configuration for a server with one of the certificates that are kept beside this file.
fn showing(name: &str, versions: &[&'static rustls::SupportedProtocolVersion]) -> Arc<rustls::ServerConfig> {
    let pem = kept(name);
    let chain = CertificateDer::pem_slice_iter(&pem).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(&pem).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // Also those that nobody else would show.
    let key = rustls::sign::CertifiedKey::new(chain, provider.key_provider.load_private_key(key).unwrap());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let resolver = rustls::sign::SingleCertAndKey::from(key);
    Arc::new(builder.with_no_client_auth().with_cert_resolver(Arc::new(resolver)))
}

pub fn kept(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/certificates/{name}.pem", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

pub const VERSIONS: [&rustls::SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

#[test]
fn certificates_of_either_kind_are_verified_in_either_version_and_an_intermediate_is_followed() {
    for driver in DRIVERS {
        let config = Config::new().name("mx.example.org").authorities(&kept("rsa-root")).unwrap();
        for (name, key, certificates) in
            [("rsa", "RSA 2048", 2), ("p384", "ECDSA P-384", 1), ("cross-signed", "RSA 2048", 3)]
        {
            for version in VERSIONS {
                let server = Setup::new().tls_with(showing(name, &[version])).start().unwrap();
                let (session, info) = due(driver, server.port()).upgrade(&config).unwrap();
                assert!(info.is_verified(), "{info}");
                assert_eq!((info.certificates.len(), info.certificates[0].key.as_str()), (certificates, key));
                assert_eq!(info.certificates[0].signature, "RSA with SHA-256");
                session.quit().unwrap();
            }
        }
    }
}

#[test]
fn certificates_that_cannot_be_verified_are_told_of_in_plain_words_and_hinder_nobody_who_does_not_care() {
    for driver in DRIVERS {
        for (name, root, words) in [
            ("version1", "rsa-root", "names no host; the certificate is of a version before X.509 v3"),
            ("critical", "rsa-root", ": the certificate has an extension that nobody here understands"),
            ("for-clients", "rsa-root", ": the certificate is not one for servers"),
            ("authority", "rsa-root", ": the certificate is an authority's, not a server's"),
            (
                "under-p521",
                "p521-root",
                ": the server offers only a chain with a key that is not spoken here: ECDSA P-521",
            ),
        ] {
            let config = Config::new().name("mx.example.org").authorities(&kept(root)).unwrap();
            for version in VERSIONS {
                let server = Setup::new().tls_with(showing(name, &[version])).start().unwrap();
                let error = due(driver, server.port()).upgrade(&config).unwrap_err().to_string();
                assert!(error.ends_with(words), "{name}: {error}");
                let (session, info) = due(driver, server.port()).upgrade(&config.clone().insecure()).unwrap();
                assert!(!info.is_verified());
                session.quit().unwrap();
            }
        }
    }
}

#[test]
fn an_expired_certificate_that_is_needed_is_told_of() {
    for driver in DRIVERS {
        // The root that the expired one needs is not trusted, and the one that would do without it is not, either.
        let config = Config::new().name("mx.example.org").authorities(&kept("p521-root")).unwrap();
        let server = Setup::new().tls_with(showing("cross-signed", &VERSIONS)).start().unwrap();
        let error = due(driver, server.port()).upgrade(&config).unwrap_err().to_string();
        let words = ": the certificate of CN=RSA Root expired on 2021-01-01; its issuer is unknown here: CN=Old Root";
        assert!(error.ends_with(words), "{error}");
    }
}

#[test]
fn a_root_whose_time_is_over_is_told_of_if_it_is_needed() {
    for driver in DRIVERS {
        let server = Setup::new().tls_with(showing("under-expired", &VERSIONS)).start().unwrap();
        let config = Config::new().name("mx.example.org").authorities(&kept("expired-root")).unwrap();
        let error = due(driver, server.port()).upgrade(&config).unwrap_err().to_string();
        assert!(error.ends_with(": the certificate of CN=Expired Root expired on 2021-01-01"), "{error}");

        let server = Setup::new().tls_with(showing("rsa", &VERSIONS)).start().unwrap();
        let roots = [kept("expired-root"), kept("rsa-root")].concat();
        let config = Config::new().name("mx.example.org").authorities(&roots).unwrap();
        assert!(due(driver, server.port()).upgrade(&config).unwrap().1.is_verified());
    }
}

#[test]
fn everything_that_is_wrong_is_told_together() {
    for driver in DRIVERS {
        let identity = Authority::new("Nobody").issue_for(["old.example"], -30, -3);
        let config = trusting(&Authority::new("Our Root")).insecure();
        let (_, info) = upgrade(driver, &identity, &config).unwrap();
        assert!(
            matches!(
                info.problems.as_slice(),
                [Problem::Expired { .. }, Problem::WrongName { .. }, Problem::UnknownIssuer { .. }]
            ),
            "{info}"
        );
    }
}

#[test]
fn a_pinned_key_is_trusted_whatever_its_certificate_says_and_no_other_is() {
    for driver in DRIVERS {
        let identity = Identity::self_signed(["elsewhere.example"]);
        let (_, info) = upgrade(driver, &identity, &Config::new().pin(identity.key_fingerprint())).unwrap();
        assert!(info.is_verified());
        let error = upgrade(driver, &identity, &Config::new().pin(Fingerprint([7; 32]))).unwrap_err();
        let words = format!("its public key is another than the pinned one: {}", identity.key_fingerprint());
        assert!(error.to_string().ends_with(&words), "{error}");
    }
}

#[test]
fn the_systems_trust_store_does_not_know_our_authority() {
    for driver in DRIVERS {
        let authority = Authority::new("Our Root");
        let error =
            upgrade(driver, &authority.issue(["mx.example.org"]), &Config::new().name("mx.example.org")).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("its issuer is unknown here: CN=Our Root") || text.contains("no trust store"), "{text}");
    }
}

#[test]
fn nothing_in_a_certificate_steers_a_terminal() {
    for driver in DRIVERS {
        let identity = Authority::new("Their \x1b[31mRoot\u{202e}").issue_for(["a\x1b[2Jb", "c\u{7}"], -30, -3);
        let (_, info) = upgrade(driver, &identity, &trusting(&Authority::new("Our Root")).insecure()).unwrap();
        assert_eq!(info.problems.len(), 3, "{info}");
        for text in [info.to_string(), info.reason()] {
            assert!(
                !text.contains(|c: char| c.is_control() || c == '\u{202e}') && text.contains("31mRoot"),
                "{text:?}"
            );
        }
        // As data, it is what the server said.
        assert!(info.certificates[0].issuer.contains("31mRoot"), "{info:?}");
    }
}

#[test]
fn certificates_of_a_connection_of_ones_own_are_judged_as_those_of_ours() {
    for driver in DRIVERS {
        let (authority, other) = (Authority::new("Our Root"), Authority::new("Their Root"));
        for (identity, is_good) in
            [(authority.issue(["mx.example.org"]), true), (other.issue(["mx.example.org"]), false)]
        {
            let config = trusting(&authority).insecure();
            let (_, ours) = upgrade(driver, &identity, &config).unwrap();
            let chain: Vec<_> = ours.certificates.iter().map(|one| CertificateDer::from(one.der.clone())).collect();
            assert_eq!(config.problems("mx.example.org", &chain), ours.problems);
            assert_eq!(ours.problems.is_empty(), is_good);
            assert!(matches!(config.problems("mx.example.net", &chain)[0], Problem::WrongName { .. }));
            assert_eq!(Certificate::from_der(&chain[0]), ours.certificates[0]);
            assert_eq!(config.problems("mx.example.org", &[]), [Problem::NoCertificate]);

            // A connection that trusts the other authority, too.
            let server = Setup::new().tls(&identity).tls_first().start().unwrap();
            let mut socket = std::net::TcpStream::connect(server.address()).unwrap();
            let pin = Config::new().pin(ours.certificates[0].key_fingerprint);
            assert_eq!(pin.problems("any", &chain), []);
            let mut roots = rustls::RootCertStore::empty();
            for root in [&authority, &other] {
                roots.add(CertificateDer::from_pem_slice(root.pem().as_bytes()).unwrap()).unwrap();
            }
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let client = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            let name = "mx.example.org".try_into().unwrap();
            let mut connection = rustls::ClientConnection::new(Arc::new(client), name).unwrap();
            connection.complete_io(&mut socket).unwrap();
            let theirs = config.inspected("mx.example.org", &connection);
            assert_eq!((theirs.version.as_str(), &theirs.problems), ("TLS 1.3", &ours.problems));
            assert_eq!(theirs.certificates, ours.certificates);
        }
    }
}
