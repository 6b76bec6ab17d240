//! TLS that fails: certificates, handshakes, and servers that speak it where it is not expected, or not where it is.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mconnect_core::diagnosis::{Evidence, Facts, Finding};
use mconnect_core::server::{Authority, Identity, Server, Setup};
use mconnect_core::tls::rustls::pki_types::pem::PemObject as _;
use mconnect_core::tls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use mconnect_core::tls::{Config, rustls};
use mconnect_core::{Connect, Session, Timeouts};

use super::file;

fn open(port: u16, evidence: &Evidence) -> Session {
    let timeouts = Timeouts::default().replies(Duration::from_secs(10));
    Connect::new("127.0.0.1", port).timeouts(timeouts).observer(evidence.clone()).open().unwrap()
}

/// Starts TLS by STARTTLS, says EHLO inside it, and returns what is found.
fn upgraded(port: u16, config: &Config, facts: &Facts) -> Vec<Finding> {
    let evidence = Evidence::new();
    let mut session = open(port, &evidence);
    session.read_reply().unwrap().require(220).unwrap();
    session.command("EHLO client.example").unwrap().require(250).unwrap();
    session.command("STARTTLS").unwrap().require(220).unwrap();
    let ended = session.upgrade(config).and_then(|(mut session, _)| {
        session.command("EHLO client.example")?;
        session.quit()
    });
    if let Err(error) = ended {
        evidence.failed(&error);
    }
    evidence.findings(facts)
}

fn of(identity: &Identity, config: &Config) -> Vec<Finding> {
    let server = Setup::new().tls(identity).start().unwrap();
    upgraded(server.port(), config, &Facts::new())
}

/// Begins with TLS at a server whose part is played by a closure, and returns what is found.
fn first(facts: &Facts, act: impl FnOnce(TcpStream) + Send + 'static) -> Vec<Finding> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = thread::spawn(move || act(listener.accept().unwrap().0));
    let evidence = Evidence::new();
    let ended = open(port, &evidence).upgrade(&Config::new().insecure());
    if let Err(error) = ended {
        evidence.failed(&error);
    }
    thread.join().unwrap();
    evidence.findings(facts)
}

fn one(findings: &[Finding]) -> (&'static str, String) {
    assert_eq!(findings.len(), 1, "{findings:?}");
    (findings[0].cause.id(), findings[0].to_string())
}

fn trusting(authority: &Authority) -> Config {
    Config::new().name("mx.example.org").authorities(authority.pem().as_bytes()).unwrap()
}

/// A server whose TLS is broken, and what a client trusts that asks for mx.example.org.
pub struct Broken {
    pub name: &'static str,
    pub server: Server,
    pub authorities: Vec<u8>,
}

impl Broken {
    /// Returns the sentence on it.
    pub fn told(&self) -> String {
        let config = Config::new().name("mx.example.org").authorities(&self.authorities).unwrap();
        upgraded(self.server.port(), &config, &Facts::new()).first().map(ToString::to_string).unwrap_or_default()
    }
}

/// Returns the broken certificates of the page of diagnoses.
pub fn certificates() -> Vec<Broken> {
    let authority = Authority::new("Our Root");
    let strangers = Authority::new("Their Root");
    let broken = |name, identity: &Identity| Broken {
        name,
        server: Setup::new().tls(identity).start().unwrap(),
        authorities: authority.pem().into(),
    };
    let alone = std::fs::read(file("../certificates/alone.pem")).unwrap();
    vec![
        broken("a certificate that has expired", &authority.issue_for(["mx.example.org"], -30, -3)),
        broken("a certificate that is not valid yet", &authority.issue_for(["mx.example.org"], 2, 9)),
        broken("a certificate for other names", &authority.issue(["a.example", "mx1.example.org"])),
        broken("a certificate without names", &authority.issue([])),
        broken("a certificate signed by itself", &Identity::self_signed(["mx.example.org"])),
        broken("a certificate of an unknown authority, which is not sent", &strangers.issue(["mx.example.org"])),
        Broken {
            name: "a chain without its intermediate",
            server: Setup::new().tls_with(Arc::new(serving(&alone))).start().unwrap(),
            authorities: std::fs::read(file("../certificates/rsa-root.pem")).unwrap(),
        },
        broken("the healthy twin of these", &authority.issue(["mx.example.org"])),
    ]
}

/// Makes the settings of a server that shows a chain, with its key, in PEM.
fn serving(pem: &[u8]) -> rustls::ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = CertificateDer::pem_slice_iter(pem).map(Result::unwrap).collect();
    rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(pem).unwrap())
        .unwrap()
}

#[test]
fn what_is_wrong_with_certificates_is_told_as_the_page_has_it() {
    let Ok(page) = std::fs::read_to_string(file("../../../docs/diagnosis.md")) else { return };
    for broken in certificates() {
        let row = page.lines().find(|line| line.starts_with(&format!("| {} |", broken.name))).unwrap_or_default();
        // Dates differ from run to run.
        let plain = |text: &str| text.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect::<String>();
        assert!(plain(row).contains(&format!("| {} |", plain(&broken.told()))), "{}: {}", broken.name, broken.told());
    }
}

#[test]
fn what_is_wrong_with_a_certificate_is_told_with_its_cure() {
    let authority = Authority::new("Our Root");
    let config = trusting(&authority);
    assert_eq!(of(&authority.issue(["mx.example.org"]), &config), [], "the healthy twin");
    for (identity, id, words) in [
        (authority.issue_for(["mx.example.org"], -30, -3), "certificate_expired", "expired on 20"),
        (authority.issue_for(["mx.example.org"], 2, 9), "certificate_early", "clock"),
        (authority.issue(["a.example", "mx1.example.org"]), "wrong_name", "nearest name in it is mx1.example.org"),
        (authority.issue([]), "no_names", "names no host"),
        (Identity::self_signed(["mx.example.org"]), "self_signed", "trust"),
        (Authority::new("Their Root").issue(["mx.example.org"]), "issuer_unknown", "intermediate authority"),
    ] {
        let (told_id, told) = one(&of(&identity, &config));
        assert_eq!(told_id, id, "{told}");
        assert!(told.contains(words), "{told}");
    }
    // Of a certificate that vouches for itself, the name is the smaller trouble.
    let findings = of(&Identity::self_signed(["debian"]), &config);
    let told: Vec<_> = findings.iter().map(|finding| finding.cause.id()).collect();
    assert_eq!(told, ["self_signed", "wrong_name"]);
    let by_address = Config::new().authorities(authority.pem().as_bytes()).unwrap();
    let (id, told) = one(&of(&authority.issue(["mx.example.org"]), &by_address));
    assert_eq!(id, "name_of_address");
    assert!(told.contains("mx.example.org, not for the address 127.0.0.1"), "{told}");
    let pinned = Config::new().pin(authority.issue(["x"]).key_fingerprint());
    assert_eq!(one(&of(&authority.issue(["mx.example.org"]), &pinned)).0, "other_key");
}

#[test]
fn where_any_certificate_is_accepted_none_is_complained_of() {
    let server = Setup::new().tls(&Identity::self_signed(["x"])).start().unwrap();
    let facts = Facts::new().accepts_any_certificate(true);
    assert_eq!(upgraded(server.port(), &Config::new().insecure(), &facts), []);
}

#[test]
fn a_chain_without_its_intermediate_is_told_from_a_private_authority() {
    let pem = std::fs::read(file("../certificates/alone.pem")).unwrap();
    let root = std::fs::read(file("../certificates/rsa-root.pem")).unwrap();
    let server = Setup::new().tls_with(Arc::new(serving(&pem))).start().unwrap();
    let config = Config::new().name("mx.example.org").authorities(&root).unwrap();
    let (id, told) = one(&upgraded(server.port(), &config, &Facts::new()));
    assert_eq!(id, "chain_incomplete");
    assert!(told.contains("CN=RSA Intermediate") && !told.contains("trust"), "{told}");
}

#[test]
fn a_client_certificate_that_is_wanted_is_told_from_one_that_is_refused() {
    let (clients, strangers) = (Authority::new("Clients"), Authority::new("Strangers"));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let identity = Identity::self_signed(["127.0.0.1"]);
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(clients.pem().as_bytes()).map(Result::unwrap));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
        let chain = CertificateDer::pem_slice_iter(identity.pem().as_bytes()).map(Result::unwrap).collect();
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(chain, PrivatePkcs8KeyDer::from(identity.key().to_vec()).into())
            .unwrap();
        let server = Setup::new().tls_with(Arc::new(config)).start().unwrap();
        let facts = Facts::new().accepts_any_certificate(true);
        let with = |identity: &Identity| {
            let (pem, key) = (identity.pem(), identity.key_pem());
            Config::new().insecure().identity(pem.as_bytes(), key.as_bytes()).unwrap()
        };
        assert_eq!(one(&upgraded(server.port(), &Config::new().insecure(), &facts)).0, "certificate_wanted");
        let facts = facts.has_certificate(true);
        let refused = upgraded(server.port(), &with(&strangers.issue(["client.example"])), &facts);
        assert_eq!(one(&refused).0, "certificate_refused");
        assert_eq!(upgraded(server.port(), &with(&clients.issue(["client.example"])), &facts), []);
    }
}

#[test]
fn a_server_that_speaks_plain_text_first_is_told_from_one_that_is_no_mail_server() {
    let facts = Facts::new().tls_first(true);
    let say = |words: &'static [u8]| {
        move |mut stream: TcpStream| {
            stream.write_all(words).unwrap();
            drop(stream.read(&mut [0; 1024]));
        }
    };
    let (id, told) = one(&first(&facts, say(b"220 mx.example.org ESMTP\r\n")));
    assert_eq!((id, told.contains("STARTTLS")), ("plain_expected", true), "{told}");
    for (words, id) in [
        (&b"554 SMTP synchronization error\r\n"[..], "plain_expected"),
        (b"500 5.5.1 Command unrecognized\r\n", "plain_expected"),
        (b"421 Too many concurrent SMTP connections\r\n", "refused_in_plain"),
        (b"554 5.7.1 no service for 192.0.2.1\r\n", "refused_in_plain"),
    ] {
        let (got, told) = one(&first(&facts, say(words)));
        assert_eq!(got, id, "{told}");
    }
    let (id, told) = one(&first(&facts, say(b"SSH-2.0-OpenSSH_10.2\r\n")));
    assert_eq!((id, told.contains("SSH")), ("other_protocol", true), "{told}");
    let (id, told) = one(&first(&facts, say(b"HTTP/1.1 400 Bad Request\r\n\r\n")));
    assert_eq!((id, told.contains("HTTP")), ("other_protocol", true), "{told}");
}

#[test]
fn a_handshake_that_the_server_refuses_is_told_by_its_alert() {
    let alert = |number: u8| {
        move |mut stream: TcpStream| {
            drop(stream.read(&mut [0; 4096]));
            stream.write_all(&[21, 3, 3, 0, 2, 2, number]).unwrap();
        }
    };
    let facts = Facts::new().tls_first(true);
    for (number, id) in [(70, "old_tls"), (40, "nothing_in_common"), (80, "tls_fault"), (112, "name_not_served")] {
        assert_eq!(one(&first(&facts, alert(number))).0, id);
    }
}

#[test]
fn a_handshake_that_is_broken_off_is_told_by_its_place() {
    let facts = Facts::new().tls_first(true);
    let close = |mut stream: TcpStream| drop(stream.read(&mut [0; 4096]));
    assert_eq!(one(&first(&facts, close)).0, "closed_in_tls_first");
    // After STARTTLS: closed, or gone on with in plain text.
    for last in [None, Some("500 5.5.1 Command unrecognized\r\n")] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            for line in ["220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "220 go\r\n"].into_iter().chain(last) {
                stream.write_all(line.as_bytes()).unwrap();
                drop(stream.read(&mut [0; 4096]));
            }
        });
        let (id, told) = one(&upgraded(port, &Config::new().insecure(), &Facts::new()));
        assert_eq!((id, told.contains("its log tells")), ("closed_in_handshake", true), "{told}");
        thread.join().unwrap();
    }
}
