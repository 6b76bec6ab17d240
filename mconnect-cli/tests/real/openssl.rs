//! Another implementation of TLS: Python's ssl, which is OpenSSL.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::common::folder;
use crate::common::folder::Folder;
use crate::common::{Pty, Scrap, assert_status, complaints, err, out, talk};
use mconnect_core::Connect;
use mconnect_core::server::{Authority, Setup};
use mconnect_core::tls::Config;

/// A server of Python's, until this is dropped.
struct Python {
    server: Child,
    port: u16,
    /// The port with TLS from the first byte on.
    tls_port: u16,
}

impl Python {
    fn start(version: &str, cert: &str, key: &str, more: &[&str]) -> Self {
        let mut python = Command::new("python3");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/python_ssl.py");
        python.args([script, version, cert, key]).args(more);
        let mut server = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let ports = BufReader::new(server.stdout.take().unwrap()).lines().take(2);
        let ports: Vec<u16> = ports.map(|port| port.unwrap().parse().unwrap()).collect();
        Self { server, port: ports[0], tls_port: ports[1] }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        drop(self.server.stdin.take());
        let _ = self.server.wait();
    }
}

/// Makes a certificate with this kind of key, and gives it and the key.
fn certificate(kind: &str) -> (Scrap, Scrap) {
    certificate_with(kind, &[])
}

fn certificate_with(kind: &str, more: &[&str]) -> (Scrap, Scrap) {
    let name = kind.replace([':', ' '], "-");
    let (cert, key) = (Scrap::new(&format!("{name}.pem"), ""), Scrap::new(&format!("{name}.key"), ""));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey"])
        .args(kind.split(' '))
        .args(["-nodes", "-days", "5", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-keyout", key.path(), "-out", cert.path()])
        .args(more)
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success());
    (cert, key)
}

const P_521: &str = "ec -pkeyopt ec_paramgen_curve:secp521r1";

#[test]
#[ignore = "needs Python 3 and openssl: .ci/run runs it"]
fn both_versions_are_spoken_with_every_usual_key() {
    for kind in ["rsa:2048", "ec -pkeyopt ec_paramgen_curve:secp384r1", "ed25519"] {
        let (cert, key) = certificate(kind);
        for version in ["1.2", "1.3"] {
            let server = Python::start(version, cert.path(), key.path(), &[]);
            let words = format!("TLS {version}, ");
            let output = talk(server.port, &["--cafile", cert.path()], "STARTTLS\nEHLO x\nQUIT\n");
            assert_status(&output, 0);
            assert!(err(&output).contains(&words) && err(&output).ends_with("; verified\n"), "{}", err(&output));
            assert!(out(&output).contains(&format!("250-TLSv{version}\r\n")), "{}", out(&output));
            assert_status(&talk(server.port, &["--starttls", "-k"], "QUIT\n"), 0);
        }
    }
}

#[test]
#[ignore = "needs Python 3 and openssl: .ci/run runs it"]
fn a_chain_is_verified_however_tls_is_started() {
    for kind in ["rsa", "ecdsa"] {
        let folder = Folder::new();
        let chain = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/chain.sh");
        assert!(Command::new(chain).arg(kind).arg(folder.path()).status().unwrap().success());
        let [root, cert, key] = ["root.pem", "server.pem", "server.key"].map(|name| folder.file(name));
        for version in ["1.2", "1.3"] {
            let server = Python::start(version, &cert, &key, &[]);
            let (agreed, said) = (format!("TLS {version}, "), format!("250-TLSv{version}\r\n"));
            for (port, start, input) in [
                (server.port, "--quiet", "STARTTLS\nEHLO x\nQUIT\n"),
                (server.port, "--starttls", "EHLO x\nQUIT\n"),
                (server.tls_port, "--tls", "EHLO x\nQUIT\n"),
            ] {
                let output = talk(port, &[start, "--cafile", &root], input);
                assert_status(&output, 0);
                assert!(out(&output).contains(&said), "{}", out(&output));
                let told = err(&output);
                let is_told = told.contains(&agreed) && told.ends_with("; verified\n");
                assert_eq!(is_told, start != "--quiet", "{told}");
            }
            let is_13 = version == "1.3";
            let output = talk(server.port, &["-k", "--starttls", "--tls-min", "1.3"], "QUIT\n");
            assert_status(&output, if is_13 { 0 } else { 76 });
            let mut pty = Pty::mconnect(server.port, &["--cafile", &root]);
            pty.expect("220 python");
            pty.send("STARTTLS\n");
            pty.expect(&agreed);
            pty.expect("; verified");
            pty.send("EHLO x\n");
            pty.expect(said.trim_end());
            pty.send("QUIT\n");
            pty.expect("221 bye");
            assert_eq!(pty.wait(), 0);
        }
    }
}

#[test]
#[ignore = "needs Python 3 and openssl: .ci/run runs it"]
fn what_a_server_offers_and_nobody_here_speaks_is_told() {
    let not_spoken = "the server offers only what is not spoken here: keys or key exchanges with P-521 ";
    for (kind, version, more, words) in [
        ("rsa:2048", "1.1", &[][..], "protocol_version: the server offers only TLS before 1.2"),
        (P_521, "1.3", &[], not_spoken),
        (P_521, "1.2", &[], not_spoken),
        ("rsa:2048", "1.2", &["--ciphers", "ECDHE-RSA-AES128-SHA"], not_spoken),
        ("rsa:2048", "1.3", &["--curve", "secp521r1"], not_spoken),
        ("rsa:1024", "1.3", &[], "not spoken here: RSA 1024: the server needs another certificate"),
        ("rsa:1024", "1.2", &[], "the server offers only a key that is not spoken here: RSA 1024"),
    ] {
        let (cert, key) = certificate(kind);
        let server = Python::start(version, cert.path(), key.path(), more);
        let output = talk(server.port, &["--starttls", "-k"], "QUIT\n");
        assert_status(&output, 76);
        assert!(complaints(&output).contains(words), "{kind} {version}: {}", err(&output));
    }
}

#[test]
#[ignore = "needs Python 3 and openssl: .ci/run runs it"]
fn a_certificate_of_ones_own_is_taken() {
    let (cert, key) = certificate("rsa:2048");
    let clients = Authority::new("Clients");
    let client = clients.issue(["client.example"]);
    let ca = Scrap::new("python-clients.pem", &clients.pem());
    let both = Scrap::new("python-client.pem", &(client.key_pem() + &client.pem()));
    for version in ["1.2", "1.3"] {
        let server = Python::start(version, cert.path(), key.path(), &["--clients", ca.path()]);
        let options = ["--cafile", cert.path(), "--starttls"];
        let output = talk(server.port, &[&options[..], &["--cert", both.path()]].concat(), "NOOP\nQUIT\n");
        assert_status(&output, 0);
        let output = talk(server.port, &options, "NOOP\nQUIT\n");
        assert_status(&output, 76);
        assert!(complaints(&output).contains("it asks for a client certificate"), "{}", err(&output));
    }
}

#[test]
#[ignore = "needs Python 3 and openssl: .ci/run runs it"]
fn a_certificate_is_hashed_for_channel_binding_by_the_hash_of_its_signature() {
    let pss = ["-sigopt", "rsa_padding_mode:pss"];
    for (kind, more, hash) in [
        ("rsa:2048", &["-md5"][..], Some("sha256")),
        ("rsa:2048", &["-sha1"], Some("sha256")),
        ("rsa:2048", &["-sha384"], Some("sha384")),
        ("rsa:2048", &["-sha512"], Some("sha512")),
        ("rsa:2048", &[&pss[..], &["-sha1"]].concat(), Some("sha256")),
        ("rsa:2048", &[&pss[..], &["-sha256"]].concat(), Some("sha256")),
        ("rsa:2048", &[&pss[..], &["-sha512"]].concat(), Some("sha512")),
        ("ec -pkeyopt ec_paramgen_curve:prime256v1", &["-sha1"], Some("sha256")),
        ("ec -pkeyopt ec_paramgen_curve:secp384r1", &["-sha384"], Some("sha384")),
        ("ed25519", &[], None),
    ] {
        let (cert, key) = certificate_with(kind, more);
        let [chain, key] = [cert, key].map(|file| std::fs::read(file.path()).unwrap());
        let server = Setup::new().tls_pem(&chain, &key).unwrap().tls_first().start().unwrap();
        let session = Connect::new("127.0.0.1", server.port()).open().unwrap();
        let (session, info) = session.upgrade(&Config::new().insecure()).unwrap();
        let der = Scrap::new("hashed.der", "");
        std::fs::write(der.path(), &info.certificates[0].der).unwrap();
        let expected = hash.map(|hash| {
            let digest = Command::new("openssl").args(["dgst", &format!("-{hash}"), "-binary", der.path()]).output();
            digest.unwrap().stdout
        });
        assert_eq!(session.channel_bindings().tls_server_end_point, expected, "{kind} {more:?}");
    }
}

/// A client of Python's that ends TLS, goes on in the clear, and lets the server do the same.
const CLIENT: &str = r#"
import socket, ssl, sys
port, version, ca = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.minimum_version = context.maximum_version = ssl.TLSVersion["TLSv" + version.replace(".", "_")]
client = socket.create_connection(("127.0.0.1", port), 20)
def line(sent=None):
    if sent:
        client.sendall(sent + b"\r\n")
    said = b""
    while not said.endswith(b"\n"):
        said += client.recv(1) or sys.exit("closed after %r" % said)
    return said
line()
line(b"STARTTLS")
client = context.wrap_socket(client, server_hostname="localhost")
client = client.unwrap()
assert line(b"NOOP") == b"250 outside\r\n"
line(b"STARTTLS")
client = context.wrap_socket(client, server_hostname="localhost")
assert line(b"NOOP") == b"250 inside\r\n"
assert client.recv(1) == b""
client = client.unwrap()
assert line() == b"250 outside\r\n"
"#;

#[test]
#[ignore = "needs Python 3 and openssl: .ci/run runs it"]
fn either_side_ends_tls_and_both_go_on_in_the_clear() {
    let (cert, key) = certificate("rsa:2048");
    let folder = Folder::new();
    let played = "S: 220\nC: *starttls*\nC: END\nS: 250\nS: *end tls*\nS: 250 outside\nC: EHLO x\nS: 250-plain\nS: 250\n\
        C: *starttls*\nC: EHLO x\nS: 250-TLSv${version}\nS: 250\nC: *end tls*\nC: EHLO x\nS: 250-plain\nS: 250\n\
        C: *starttls*\nC: ${last}\n";
    let ends = [
        ("QUIT", "S: 221\nS: *close*"),
        ("LEAVE", "S: 250\nS: *close without close_notify*"),
        ("NOOP", "S: 250\nC: *half-close*\nS: *close*"),
    ];
    for version in ["1.2", "1.3"] {
        let server = Python::start(version, cert.path(), key.path(), &[]);
        for (last, end) in ends {
            let file = folder.write("played.txt", &format!("{played}{end}\n"));
            let options = ["--cafile", cert.path(), "--play", &file];
            let values = [format!("version={version}"), format!("last={last}")];
            let values = ["--set", &values[0], "--set", &values[1]];
            let output = talk(server.port, &[&options[..], &values].concat(), "");
            assert_status(&output, 0);
        }

        let file = folder.write(
            "served.txt",
            "S: 220 hi\nC: *starttls*\nC: *end tls*\nC: NOOP\nS: 250 outside\nC: *starttls*\nC: NOOP\nS: 250 inside\n\
            S: *end tls*\nS: 250 outside\nC: *close*\n",
        );
        let chain = folder.file("chain.pem");
        let (child, port, _out) = folder::serve(&["--serve", &file, "--once", "--save-chain", &chain]);
        let client = Command::new("python3").args(["-c", CLIENT, &port, version, &chain]).output().unwrap();
        assert!(client.status.success(), "{}", String::from_utf8_lossy(&client.stderr));
        assert_status(&child.wait_with_output().unwrap(), 0);
    }
}
