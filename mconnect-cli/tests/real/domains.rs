//! Domains in a DNS of their own, signed from the root down: NSD and Unbound, Postfix and servers of the library, and
//! policies over HTTPS by Python's ssl.

use std::collections::BTreeMap;
use std::env::temp_dir;
use std::fs;
use std::io::{BufRead, BufReader, Read as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};

use mconnect_core::server::{Authority, Identity, Server, Setup};
use mconnect_core::tls::Certificate;
use mconnect_core::tls::rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::Value;

use crate::common::MCONNECT;
use crate::common::real::{POSTFIX, RealServer, limited};

/// NSD and Unbound, until this is dropped.
struct Dns {
    dir: PathBuf,
    port: u16,
}

impl Dns {
    fn start(zones: &[(&str, &str, String)]) -> Self {
        let free = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let [port, authority] = free.map(|listener| listener.local_addr().unwrap().port());
        let dir = temp_dir().join(format!("mconnect-dns-{}", process::id()));
        for (kind, zone, records) in zones {
            fs::create_dir_all(dir.join("zones").join(kind)).unwrap();
            fs::write(dir.join("zones").join(kind).join(zone), records).unwrap();
        }
        let dns = Self { dir, port };
        dns.run(&["install"]);
        dns.run(&["start", &port.to_string(), &authority.to_string()]);
        dns
    }

    fn run(&self, action: &[&str]) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/dns.sh");
        let done = Command::new(script).args(action).arg(&self.dir).stdin(Stdio::null()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.run(&["stop"]);
        drop(fs::remove_dir_all(&self.dir));
    }
}

/// The web server of the policies, until this is dropped.
struct Policies {
    server: Child,
    dir: PathBuf,
}

impl Policies {
    fn start(identity: &Identity, policies: &[(&str, &str)]) -> Self {
        let dir = temp_dir().join(format!("mconnect-policies-{}", process::id()));
        fs::create_dir_all(dir.join("policies")).unwrap();
        for (domain, policy) in policies {
            fs::write(dir.join("policies").join(format!("mta-sts.{domain}")), policy).unwrap();
        }
        let (chain, key) = (dir.join("chain.pem"), dir.join("key.pem"));
        fs::write(&chain, identity.pem()).unwrap();
        fs::write(&key, identity.key_pem()).unwrap();
        let mut python = Command::new("python3");
        python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/policies.py")).arg(WEB);
        python.args([&chain, &key, &dir.join("policies")]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = python.spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
        assert_eq!(ready, "ready\n");
        Self { server, dir }
    }
}

impl Drop for Policies {
    fn drop(&mut self) {
        drop(self.server.stdin.take());
        let _ = self.server.wait();
        drop(fs::remove_dir_all(&self.dir));
    }
}

fn serve(address: &str, port: u16, name: &str, identity: &Identity) -> Server {
    let listener = TcpListener::bind((address, port)).unwrap();
    Setup::new().listener(listener).name(name).tls(identity).start().unwrap()
}

fn certificates(pem: &str) -> Vec<Certificate> {
    let all = CertificateDer::pem_slice_iter(pem.as_bytes());
    all.map(|der| Certificate::from_der(&der.unwrap())).collect()
}

/// Probes these domains, and returns what is told.
fn run(port: u16, dns: &Dns, root: &Path, more: &[&str], domains: &[&str]) -> String {
    let resolver = format!("127.0.0.1:{}", dns.port);
    let (port, root) = (port.to_string(), root.to_str().unwrap());
    let options = ["--probe", "-p", &port, "--resolver", &resolver, "--allow-private", "--cafile", root];
    let mut command = limited(&[&[MCONNECT], &options[..], more, domains].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let mut told = String::new();
    child.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(child.wait().unwrap().success(), "{told}");
    told
}

/// Probes them all, and returns the report on each.
fn probe(port: u16, dns: &Dns, root: &Path, domains: &[&str]) -> BTreeMap<String, Value> {
    let told = run(port, dns, root, &["--json"], domains);
    let reports = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    reports.map(|report| (report["target"].as_str().unwrap().to_owned(), report)).collect()
}

fn words<'a>(list: &'a Value, word: impl Fn(&'a Value) -> &'a Value) -> String {
    list.as_array().unwrap().iter().map(|one| word(one).as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

#[test]
#[ignore = "it needs root, and packages: .ci/run"]
fn each_verdict_on_a_domain_has_the_right_word() {
    let postfix = RealServer::start(POSTFIX);
    let port = postfix.port;
    let root = Authority::new("Lab Root");
    let names = ["mx1", "mx2", "mx-other", "mx-old", "mx-tree", "mx-hidden", "mx-whole", "mx-some", "mx-plain"];
    let names = names.map(|name| format!("{name}.lab.test")).into_iter().chain(["mx.unsigned.test".to_owned()]);
    let names: Vec<String> = names.collect();
    let names = || names.iter().map(String::as_str);
    let (leaf, below) = (root.issue(names()), root.intermediate("Lab Intermediate").issue(names()));
    let _servers = [
        serve("127.0.0.11", port, "mx1.lab.test", &leaf),
        serve("127.0.0.12", port, "mx-tree.lab.test", &below),
        serve("127.0.0.13", port, "mx2.lab.test", &leaf),
    ];
    let hosts = POLICIES.map(|(domain, _)| format!("mta-sts.{domain}"));
    let policies = Policies::start(&root.issue(hosts.iter().map(String::as_str)), &POLICIES);
    let root_file = policies.dir.join("root.pem");
    fs::write(&root_file, root.pem()).unwrap();

    let own = leaf.key_fingerprint();
    let [intermediate, authority] = [&certificates(&below.pem())[1], &certificates(&root.pem())[0]];
    let whole: String = authority.der.iter().map(|byte| format!("{byte:02x}")).collect();
    let real = certificates(&fs::read_to_string(postfix.tls_file("server.pem")).unwrap())[0].key_fingerprint;
    let zeros = "00".repeat(32);
    let mut zone = String::new();
    for (host, address, record) in [
        ("mx1", "127.0.0.11", format!("3 1 1 {own}")),
        ("mx2", "127.0.0.13", format!("3 1 1 {own}")),
        ("mx-other", "127.0.0.11", format!("3 1 1 {zeros}")),
        ("mx-old", "127.0.0.11", format!("1 1 1 {zeros}")),
        ("mx-tree", "127.0.0.12", format!("2 1 1 {}", intermediate.key_fingerprint)),
        ("mx-hidden", "127.0.0.12", format!("2 1 1 {}", authority.key_fingerprint)),
        ("mx-whole", "127.0.0.12", format!("2 0 0 {whole}")),
        ("mx-postfix", "127.0.0.1", format!("3 1 1 {real}")),
    ] {
        zone += &format!("{host}.lab.test. IN A {address}\n_{port}._tcp.{host}.lab.test. IN TLSA {record}\n");
    }
    zone += "mx-alias.lab.test. IN CNAME mx1.lab.test.\nmx-plain.lab.test. IN A 127.0.0.13\n\
             mx-some.lab.test. IN A 127.0.0.11\nmx-some.lab.test. IN A 127.0.0.13\nmx-some.lab.test. IN A 127.0.0.99\n";
    for (domain, records) in DOMAINS {
        for record in records.lines() {
            zone += &format!("{}\n", record.trim().replace('%', &format!("{domain}.")));
        }
    }
    for (domain, _) in POLICIES {
        zone += &format!("mta-sts.{domain}. IN A {WEB}\n_mta-sts.{domain}. IN TXT \"v=STSv1; id=1;\"\n");
    }
    zone += "_mta-sts.two.lab.test. IN TXT \"v=STSv1; id=2;\"\n";
    let island = |name: &str| format!("{name}. IN MX 10 mx.{name}.\nmx.{name}. IN A 127.0.0.13\n");
    let dns = Dns::start(&[
        ("signed", "lab.test", zone),
        ("unsigned", "unsigned.test", island("unsigned.test")),
        ("bogus", "bogus.test", island("bogus.test")),
    ]);

    let domains: Vec<&str> = EXPECTED.iter().map(|(domain, ..)| *domain).collect();
    let reports = probe(port, &dns, &root_file, &domains);
    let mut wrong = Vec::new();
    for (domain, routing, dane, policy, codes) in EXPECTED {
        let report = &reports[domain];
        let policy_word = report["mta_sts"]["policy"]["mode"].as_str().unwrap_or_default();
        let got = (
            report["routing"].as_str().unwrap(),
            words(&report["exchangers"], |one| &one["dane"]["standing"]),
            policy_word,
            words(&report["findings"], |one| &one["code"]),
        );
        if got != (routing, dane.to_owned(), policy, codes.to_owned()) {
            wrong.push(format!("{domain}: {got:?}, {:#}", report["findings"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let why = |domain: &str| reports[domain]["findings"][0]["evidence"].as_str().unwrap().to_owned();
    assert!(
        why("bogus.test").contains("DNSSEC Bogus") || why("bogus.test").contains("DNSKEY"),
        "{}",
        why("bogus.test")
    );
    assert_eq!(reports["tree.lab.test"]["exchangers"][0]["addresses"][0]["dane"]["depth"], 1);
    assert_eq!(reports["whole.lab.test"]["exchangers"][0]["addresses"][0]["dane"]["depth"], Value::Null);
    let alias = &reports["alias.lab.test"]["exchangers"][0]["tlsa"];
    assert_eq!(words(alias, |one| &one["base"]), "mx1.lab.test");
    reports_are_on_the_page(port, &dns, &root_file);
}

/// The reports of `docs/probe.md` are those that come of these domains, but for times and ports.
fn reports_are_on_the_page(port: u16, dns: &Dns, root: &Path) {
    // A published crate comes without the project's documentation.
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/probe.md");
    let Ok(page) = fs::read_to_string(page) else { return };
    for domain in ON_THE_PAGE {
        let told = run(port, dns, root, &[], &[domain]);
        let told = format!("```console\n$ mconnect --probe {domain}\n{}```\n", settled(&told));
        assert!(page.contains(&told), "docs/probe.md lacks\n{told}");
    }
}

/// Returns a report with the same times, ports and hashes always.
fn settled(told: &str) -> String {
    let mut text = String::new();
    for line in told.lines() {
        text += &match line.split_once("greets after ") {
            Some((before, _)) => format!("{before}greets after 0.02 s"),
            None if line.starts_with("  asked ") => "  asked 127.0.0.1:53 (on this machine), in 0.3 s".to_owned(),
            None => line.to_owned(),
        };
        text.push('\n');
    }
    let is_hash = |word: &&str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let hashes: Vec<&str> = told.split(|c: char| !c.is_alphanumeric()).filter(is_hash).collect();
    for (index, hash) in hashes.into_iter().enumerate() {
        text = text.replace(hash, &format!("{index:064x}"));
    }
    text
}

/// A healthy domain, and three broken ones.
const ON_THE_PAGE: [&str; 4] = ["good.lab.test", "outside.lab.test", "hidden.lab.test", "some.lab.test"];

/// Where the web server is.
const WEB: &str = "127.0.0.14";

/// The domains of the signed zone, with their records; % is the domain.
const DOMAINS: [(&str, &str); 18] = [
    (
        "good.lab.test",
        "% IN MX 10 mx1.lab.test.
         % IN MX 20 mx2.lab.test.
         _smtp._tls.% IN TXT \"v=TLSRPTv1; rua=mailto:tls@good.lab.test\"",
    ),
    ("postfix.lab.test", "% IN MX 10 mx-postfix.lab.test."),
    ("other.lab.test", "% IN MX 10 mx-other.lab.test."),
    ("old.lab.test", "% IN MX 10 mx-old.lab.test."),
    ("tree.lab.test", "% IN MX 10 mx-tree.lab.test."),
    ("hidden.lab.test", "% IN MX 10 mx-hidden.lab.test."),
    ("whole.lab.test", "% IN MX 10 mx-whole.lab.test."),
    ("alias.lab.test", "% IN MX 10 mx-alias.lab.test."),
    ("none.lab.test", "% IN MX 10 mx1.lab.test."),
    ("testing.lab.test", "% IN MX 10 mx1.lab.test."),
    ("outside.lab.test", "% IN MX 10 mx1.lab.test.\n% IN MX 20 mx2.lab.test."),
    ("wild.lab.test", "% IN MX 10 mx1.lab.test."),
    ("two.lab.test", "% IN MX 10 mx1.lab.test."),
    ("null.lab.test", "% IN MX 0 ."),
    ("nothing.lab.test", "% IN TXT \"neither MX nor address\""),
    ("ghost.lab.test", "% IN MX 10 nobody.lab.test.\n% IN MX 20 mx1.lab.test."),
    ("some.lab.test", "% IN MX 10 mx-some.lab.test."),
    ("plain.lab.test", "% IN MX 10 mx-plain.lab.test."),
];

/// The policies, by domain.
const POLICIES: [(&str, &str); 6] = [
    ("good.lab.test", "version: STSv1\nmode: enforce\nmx: mx1.lab.test\nmx: mx2.lab.test\nmax_age: 604800\n"),
    ("none.lab.test", "version: STSv1\nmode: none\nmax_age: 604800\n"),
    ("testing.lab.test", "version: STSv1\nmode: testing\nmx: mx1.lab.test\nmax_age: 604800\n"),
    ("outside.lab.test", "version: STSv1\nmode: enforce\nmx: mx1.lab.test\nmax_age: 604800\n"),
    ("wild.lab.test", "version: STSv1\nmode: enforce\nmx: *.lab.test\nmax_age: 604800\n"),
    ("two.lab.test", "version: STSv1\nmode: enforce\nmx: mx1.lab.test\nmax_age: 604800\n"),
];

/// Of each domain: how mail finds its way, what DANE comes to with each exchanger, the mode of the policy, and what is
/// found.
const EXPECTED: [(&str, &str, &str, &str, &str); 21] = [
    ("good.lab.test", "exchangers", "secure secure", "enforce", ""),
    ("postfix.lab.test", "exchangers", "secure", "", "greeting_name auth_without_tls"),
    ("other.lab.test", "exchangers", "mismatch", "", "dane_mismatch"),
    ("old.lab.test", "exchangers", "unusable", "", "dane_unusable"),
    ("tree.lab.test", "exchangers", "secure", "", ""),
    ("hidden.lab.test", "exchangers", "mismatch", "", "dane_mismatch"),
    ("whole.lab.test", "exchangers", "secure", "", ""),
    ("alias.lab.test", "exchangers", "secure", "", "exchanger_is_alias"),
    ("none.lab.test", "exchangers", "secure", "none", "sts_none"),
    ("testing.lab.test", "exchangers", "secure", "testing", "sts_testing"),
    ("outside.lab.test", "exchangers", "secure secure", "enforce", "sts_not_in_policy"),
    ("wild.lab.test", "exchangers", "secure", "enforce", ""),
    ("two.lab.test", "exchangers", "secure", "", "sts_record"),
    ("null.lab.test", "null_mx", "", "", "null_mx"),
    ("nothing.lab.test", "nowhere", "", "", "no_exchanger"),
    ("nobody.lab.test", "nowhere", "", "", "no_such_domain"),
    ("ghost.lab.test", "exchangers", "untested secure", "", "exchanger_without_address"),
    ("some.lab.test", "exchangers", "absent", "", "unreachable unprotected greetings_differ"),
    ("plain.lab.test", "exchangers", "absent", "", "unprotected"),
    ("unsigned.test", "exchangers", "insecure", "", "unprotected"),
    ("bogus.test", "unknown", "", "", "bogus"),
];
