//! Servers that TLSA records name, and those that they do not.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mconnect_core::server::{Authority, Identity, Setup};
use mconnect_core::tls::dane::{DaneVerdict, UnmetReason, UnmetRecord, verify};
use mconnect_core::tls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use mconnect_core::tls::{Certificate, Config, Info, Problem, rustls};
use mconnect_core::{Connect, Error, Tlsa};
use ring::digest::{SHA256, SHA512, digest};

const NAMES: &[&str] = &["mx.example.org", "example.org."];

/// Returns what a handshake with a server came to that shows these certificates, after STARTTLS.
fn shown(pem: &str, key: &[u8]) -> Info {
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>().unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(key.to_vec()).unwrap();
    let config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
    let server = Setup::new().tls_with(Arc::new(config)).start().unwrap();
    let mut session = Connect::new("127.0.0.1", server.port()).open().unwrap();
    session.greeting().unwrap().require(220).unwrap();
    session.hello("client.example").unwrap().require().unwrap();
    let config = Config::new().authorities(Authority::new("Nobody's Root").pem().as_bytes()).unwrap();
    // A server that no authority here vouches for, and that is judged by its records all the same.
    let Err(Error::Untrusted { info, .. }) = session.starttls(&config) else { panic!("it is not trusted") };
    *info
}

/// What a server shows that an intermediate of `root` has issued a certificate to, with the root, or not.
fn below(root: &Authority, identity: &Identity, shows_root: bool) -> Info {
    let pem = identity.pem() + &if shows_root { root.pem() } else { String::new() };
    shown(&pem, identity.key())
}

fn read(pem: &str) -> Certificate {
    Certificate::from_der(&CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
}

/// Returns the key of a certificate made here, as it stands in it.
fn key(certificate: &Certificate) -> Vec<u8> {
    // A sequence of 89 octets, which begins so for every key of P-256.
    let begin = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01";
    let at = certificate.der.windows(begin.len()).position(|part| part == begin).unwrap();
    certificate.der[at..at + 91].to_vec()
}

/// Makes a record with these first three numbers for a certificate.
fn record(numbers: [u8; 3], certificate: &Certificate) -> Tlsa {
    let [usage, selector, matching] = numbers;
    let selected = if selector == 0 { certificate.der.clone() } else { key(certificate) };
    let data = match matching {
        0 => selected,
        1 => digest(&SHA256, &selected).as_ref().to_vec(),
        _ => digest(&SHA512, &selected).as_ref().to_vec(),
    };
    Tlsa::new(usage, selector, matching, data)
}

fn judge(records: &[Tlsa], info: &Info) -> DaneVerdict {
    verify(records, info, NAMES, SystemTime::now())
}

/// Returns why the only record proves nobody.
fn reason(record: &Tlsa, info: &Info) -> UnmetReason {
    match judge(std::slice::from_ref(record), info) {
        DaneVerdict::Mismatch { unmet } | DaneVerdict::Unusable { unmet } => unmet[0].reason.clone(),
        verdict => panic!("{record}: {verdict}"),
    }
}

fn problems(record: &Tlsa, info: &Info) -> Vec<Problem> {
    match reason(record, info) {
        UnmetReason::Untrusted { problems } => problems,
        reason => panic!("{record}: {reason:?}"),
    }
}

fn is_matched(record: &Tlsa, info: &Info, at: Option<usize>) -> bool {
    let verdict = judge(std::slice::from_ref(record), info);
    matches!(&verdict, DaneVerdict::Matched { record: found, depth, .. } if found == record && *depth == at)
}

const KINDS: [[u8; 2]; 6] = [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]];

#[test]
fn a_record_of_each_kind_names_the_server_or_an_authority_of_its_chain() {
    let root = Authority::new("Root");
    let identity = root.intermediate("Between").issue(["mx.example.org"]);
    let (whole, part) = (below(&root, &identity, true), below(&root, &identity, false));
    assert_eq!((whole.certificates.len(), part.certificates.len()), (3, 2));
    for [selector, matching] in KINDS {
        for info in [&whole, &part] {
            for (depth, certificate) in info.certificates.iter().enumerate() {
                let usage = if depth == 0 { 3 } else { 2 };
                let record = record([usage, selector, matching], certificate);
                assert!(is_matched(&record, info, Some(depth)), "{record}");
            }
        }
        // The root is not shown: its record has to have all of it.
        let record = record([2, selector, matching], &whole.certificates[2]);
        match matching {
            0 => assert!(is_matched(&record, &part, None), "{record}"),
            _ => {
                let between = self::record([2, selector, matching], &part.certificates[1]);
                assert_eq!(reason(&record, &part), UnmetReason::Differs { shown: vec![between] }, "{record}");
            }
        }
    }
}

#[test]
fn a_server_that_is_named_itself_may_be_of_any_time_and_name_and_one_below_an_authority_may_not() {
    let root = Authority::new("Root");
    for (identity, expected) in [
        (
            root.issue(["other.example"]),
            "but the certificate is not for mx.example.org or example.org but for other.example",
        ),
        (root.issue_for(["example.org"], -30, -3), "but the certificate of CN=example.org expired on "),
        (root.issue_for(["*.example.org"], 3, 30), "but the certificate of CN=*.example.org is not valid before "),
    ] {
        for shows_root in [true, false] {
            let info = below(&root, &identity, shows_root);
            let authority = read(&root.pem());
            for [selector, matching] in KINDS {
                assert!(is_matched(&record([3, selector, matching], &info.certificates[0]), &info, Some(0)));
                if !shows_root && matching != 0 {
                    continue;
                }
                let record = record([2, selector, matching], &authority);
                assert_eq!(problems(&record, &info).len(), 1, "{record}");
                let words = judge(&[record], &info).to_string();
                assert!(words.contains(expected), "{words}");
            }
        }
    }
    // The domain's name does as well as the server's, and so does a wildcard.
    for name in ["example.org", "mx.example.org", "*.example.org"] {
        let info = below(&root, &root.issue([name]), true);
        assert!(is_matched(&record([2, 1, 1], &info.certificates[1]), &info, Some(1)), "{name}");
    }
}

#[test]
fn an_authority_whose_time_is_over_proves_nobody_unless_it_is_known_by_its_key_alone() {
    let pem = |name: &str| {
        fs::read_to_string(format!("{}/tests/certificates/{name}.pem", env!("CARGO_MANIFEST_DIR"))).unwrap()
    };
    let (leaf, root) = (read(&pem("under-expired")), read(&pem("expired-root")));
    let identity = Authority::new("Root").issue(["mx.example.org"]);
    let mut info = below(&Authority::new("Root"), &identity, false);
    for chain in [vec![leaf.clone()], vec![leaf, root.clone()]] {
        info.certificates = chain;
        let is_shown = info.certificates.len() == 2;
        for [selector, matching] in KINDS.into_iter().filter(|[_, matching]| is_shown || *matching == 0) {
            let record = record([2, selector, matching], &root);
            if !is_shown && selector == 1 {
                assert!(is_matched(&record, &info, None));
            } else {
                assert!(matches!(&problems(&record, &info)[..], [Problem::Expired { .. }]), "{record}");
            }
        }
    }
}

#[test]
fn a_server_that_shows_the_right_certificate_without_its_key_is_never_judged() {
    let (named, own) = (Identity::self_signed(["mx.example.org"]), Identity::self_signed(["mx.example.org"]));
    let chain = CertificateDer::pem_slice_iter(named.pem().as_bytes()).collect::<Result<Vec<_>, _>>().unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for key in [&named, &own] {
            let signing = PrivateKeyDer::try_from(key.key().to_vec()).unwrap();
            let signing = provider.key_provider.load_private_key(signing).unwrap();
            let shown = rustls::sign::CertifiedKey::new(chain.clone(), signing);
            let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider));
            let builder = builder.with_protocol_versions(&[version]).unwrap().with_no_client_auth();
            let config = builder.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(shown)));
            let server = Setup::new().tls_with(Arc::new(config)).tls_first().start().unwrap();
            let session = Connect::new("127.0.0.1", server.port()).open().unwrap();
            let upgraded = session.upgrade(&Config::new().insecure());
            if key.key() == named.key() {
                let record = Tlsa::new(3, 1, 1, named.key_fingerprint().0);
                assert!(is_matched(&record, &upgraded.unwrap().1, Some(0)));
            } else {
                assert!(matches!(upgraded, Err(Error::Tls { .. })), "it has proven nothing");
            }
        }
    }
}

#[test]
fn an_authority_that_only_stands_in_the_chain_proves_nobody() {
    let (root, other) = (Authority::new("Root"), Authority::new("Root"));
    // Anybody has the certificate of an authority, and can show it behind one of his own.
    let forged = other.issue(["mx.example.org"]);
    let info = shown(&(forged.pem() + &root.pem()), forged.key());
    for [selector, matching] in KINDS {
        let record = record([2, selector, matching], &info.certificates[1]);
        assert!(
            matches!(&problems(&record, &info)[..], [Problem::Other { .. } | Problem::UnknownIssuer { .. }]),
            "{record}"
        );
    }
    // Without it, an authority that is in the record whole is just another one.
    let info = below(&other, &forged, false);
    for kind in [[2, 0, 0], [2, 1, 0]] {
        let record = record(kind, &read(&root.pem()));
        assert_eq!(reason(&record, &info), UnmetReason::Differs { shown: Vec::new() }, "{record}");
    }
}

#[test]
fn a_servers_own_certificate_is_no_authority_however_often_it_is_shown() {
    let identity = Identity::self_signed(["mx.example.org"]);
    for pem in [identity.pem(), identity.pem() + &identity.pem()] {
        let info = shown(&pem, identity.key());
        for [selector, matching] in KINDS {
            let record = record([2, selector, matching], &info.certificates[0]);
            assert!(matches!(reason(&record, &info), UnmetReason::Differs { .. }), "{record}");
            let words = judge(&[record], &info).to_string();
            assert!(
                words.ends_with(&format!(
                    "(as 3 {selector} {matching} with the same data, it would name what is shown)"
                )),
                "{words}"
            );
        }
    }
}

#[test]
fn a_mismatch_says_what_would_have_to_be_published() {
    let root = Authority::new("Root");
    let info = below(&root, &root.issue(["mx.example.org"]), true);
    let (old, own) = (Tlsa::new(3, 1, 1, [0xab; 32]), record([3, 1, 1], &info.certificates[0]));
    let (old_authority, authority) = (Tlsa::new(2, 0, 2, [0xcd; 64]), record([2, 0, 2], &info.certificates[1]));
    assert_eq!(
        judge(&[old.clone(), old_authority.clone()], &info).to_string(),
        format!(
            "no TLSA record names this server: published {old}, shown would be {own}; \
             published {old_authority}, shown would be {authority}"
        )
    );
    assert_eq!(judge(&[old, own.clone()], &info).to_string(), format!("{own} is the server's key"));
    let whole = record([3, 0, 0], &info.certificates[1]);
    let words = judge(&[whole], &info).to_string();
    assert!(words.len() < 300 && words.contains(" octets), shown would be 3 0 0 30820"), "{words}");
    // Published as another kind than it is.
    for (numbers, depth, [usage, selector, matching]) in
        [([3, 1, 1], 0, [3, 0, 1]), ([3, 1, 2], 0, [2, 1, 2]), ([2, 1, 1], 1, [3, 1, 1]), ([3, 1, 1], 0, [1, 1, 1])]
    {
        let right = record(numbers, &info.certificates[depth]);
        let wrong = Tlsa::new(usage, selector, matching, right.data.clone());
        let (DaneVerdict::Mismatch { unmet } | DaneVerdict::Unusable { unmet }) = judge(&[wrong], &info) else {
            panic!("{right}");
        };
        assert_eq!(unmet[0].fits_as.as_ref(), Some(&right));
    }
    let mut nothing = info.clone();
    nothing.certificates.clear();
    assert_eq!(reason(&own, &nothing), UnmetReason::Differs { shown: Vec::new() });
}

#[test]
fn what_cannot_be_used_neither_proves_a_server_nor_stands_in_its_way() {
    let root = Authority::new("Root");
    let info = below(&root, &root.issue(["mx.example.org"]), true);
    let own = record([3, 1, 1], &info.certificates[0]);
    let with = |usage, selector, matching| Tlsa::new(usage, selector, matching, own.data.clone());
    let unusable = [
        (with(0, 1, 1), UnmetReason::Usage),
        (with(1, 1, 1), UnmetReason::Usage),
        (with(4, 1, 1), UnmetReason::Usage),
        (with(255, 255, 255), UnmetReason::Usage),
        (with(3, 2, 1), UnmetReason::Selector),
        (with(3, 1, 3), UnmetReason::Matching),
        (with(3, 1, 2), UnmetReason::Length { wanted: 64 }),
        (Tlsa::new(3, 1, 1, &own.data[1..]), UnmetReason::Length { wanted: 32 }),
        (Tlsa::new(2, 0, 1, []), UnmetReason::Length { wanted: 32 }),
        (with(3, 1, 0), UnmetReason::Malformed),
        (with(2, 0, 0), UnmetReason::Malformed),
        (Tlsa::new(3, 0, 0, []), UnmetReason::Malformed),
        (Tlsa::new(2, 1, 0, []), UnmetReason::Malformed),
    ];
    for (record, expected) in &unusable {
        assert_eq!(reason(record, &info), *expected, "{record}");
    }
    let mut records: Vec<Tlsa> = unusable.into_iter().map(|(record, _)| record).collect();
    let verdict = judge(&records, &info);
    assert!(matches!(&verdict, DaneVerdict::Unusable { unmet } if unmet.len() == records.len()), "{verdict}");
    assert!(verdict.to_string().starts_with("no TLSA record can be used: published 0 1 1 "), "{verdict}");
    assert!(matches!(judge(&[], &info), DaneVerdict::Unusable { .. }));
    records.push(Tlsa::new(3, 1, 1, [0; 32]));
    assert!(matches!(judge(&records, &info), DaneVerdict::Mismatch { unmet } if unmet.len() == records.len()));
    records.push(own);
    assert!(matches!(judge(&records, &info), DaneVerdict::Matched { depth: Some(0), .. }));
}

#[test]
fn a_weaker_hash_does_not_count_beside_a_stronger_one_of_the_same_kind() {
    let root = Authority::new("Root");
    let info = below(&root, &root.issue(["mx.example.org"]), true);
    let own = record([3, 1, 1], &info.certificates[0]);
    let stale = Tlsa::new(3, 1, 2, [0; 64]);
    let DaneVerdict::Mismatch { unmet } = judge(&[own.clone(), stale.clone()], &info) else { panic!("it is outdone") };
    assert_eq!(unmet[0].reason, UnmetReason::Outdone);
    for beside in [Tlsa::new(3, 1, 2, [0; 63]), Tlsa::new(3, 0, 2, [0; 64]), Tlsa::new(2, 1, 2, [0; 64])] {
        assert!(matches!(judge(&[own.clone(), beside], &info), DaneVerdict::Matched { .. }));
    }
    // What is there whole is no hash.
    assert!(matches!(judge(&[stale, record([3, 1, 0], &info.certificates[0])], &info), DaneVerdict::Matched { .. }));
}

#[test]
fn a_certificate_that_is_too_old_or_too_odd_is_named_like_others() {
    let mut info = below(&Authority::new("Root"), &Authority::new("Root").issue(["mx.example.org"]), false);
    for name in ["version1", "critical", "for-clients", "under-p521", "rsa", "p384", "authority"] {
        let pem = fs::read_to_string(format!("{}/tests/certificates/{name}.pem", env!("CARGO_MANIFEST_DIR"))).unwrap();
        info.certificates = vec![read(&pem)];
        let named = Tlsa::new(3, 1, 1, info.certificates[0].key_fingerprint.0);
        assert!(is_matched(&named, &info, Some(0)), "{name}");
        assert!(is_matched(&Tlsa::new(3, 0, 1, info.certificates[0].fingerprint.0), &info, Some(0)), "{name}");
    }
    // What cannot be read has no key, and so none is named; all of it can be.
    info.certificates = vec![Certificate::from_der(b"\x30\x03\x02\x01\x00")];
    assert_eq!(
        reason(&Tlsa::new(3, 1, 1, digest(&SHA256, b"").as_ref()), &info),
        UnmetReason::Differs { shown: Vec::new() }
    );
    assert!(is_matched(&Tlsa::new(3, 0, 1, info.certificates[0].fingerprint.0), &info, Some(0)));
}

#[test]
fn many_records_and_many_certificates_take_no_time_and_no_room() {
    let root = Authority::new("Root");
    let mut info = below(&root, &root.issue(["mx.example.org"]), true);
    info.certificates = info.certificates.iter().cycle().take(200).cloned().collect();
    let records: Vec<Tlsa> = (0..3000_u32).map(|number| Tlsa::new(2, 1, 2, number.to_be_bytes().repeat(16))).collect();
    let begun = std::time::Instant::now();
    let DaneVerdict::Mismatch { unmet } = judge(&records, &info) else { panic!("none of them is right") };
    let is_short = |unmet: &UnmetRecord| matches!(&unmet.reason, UnmetReason::Differs { shown } if shown.len() == 10);
    assert!(unmet.len() == 100 && unmet.iter().all(is_short));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
