//! Hostile servers inside TLS and on the way to it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;

use crate::common::attack::{assert_outcome, attack, end_of, for_each, start, until_gone};
use crate::common::{Scrap, complaints, err, out};
use mconnect_core::server::{Identity, Server, Setup};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn server() -> Server {
    Setup::new().tls(&Identity::self_signed(["127.0.0.1"])).start().unwrap()
}

/// Passes what the two say to each other, until the server has said so many octets; the last of them may be spoilt.
fn between(client: &mut TcpStream, server: u16, octets: usize, is_spoilt: bool) -> io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", server))?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(std::net::Shutdown::Write);
    });
    let mut from_server = server.take(octets as u64);
    let mut block = [0; 4096];
    let mut passed = 0;
    loop {
        let count = from_server.read(&mut block)?;
        if count == 0 {
            return client.shutdown(std::net::Shutdown::Write);
        }
        passed += count;
        if is_spoilt && passed == octets {
            block[count - 1] ^= 0x55;
        }
        client.write_all(&block[..count])?;
    }
}

#[test]
fn a_handshake_cut_or_spoilt_at_any_place_ends_with_76_and_words() {
    let server = server();
    let port = server.port();
    // The plain part, the handshake, and the replies inside TLS.
    let plain = "220 loopback.mconnect.test ESMTP mconnect loopback server\r\n220 2.0.0 go ahead\r\n".len();
    let cuts: Vec<(usize, bool)> =
        (0..1000).step_by(29).flat_map(|at| [(plain + 1 + at, false), (plain + 1 + at, true)]).collect();
    for_each(&cuts, |(octets, is_spoilt)| {
        let (octets, is_spoilt) = (*octets, *is_spoilt);
        let output = attack(&["-k"], "STARTTLS\nQUIT\n", move |stream| between(stream, port, octets, is_spoilt));
        let name = format!("{octets} octets, spoilt: {is_spoilt}");
        // A handshake that is whole is followed by a reply that is not.
        let whole = "220 loopback.mconnect.test ESMTP mconnect loopback server\r\n220 2.0.0 go ahead\r\n";
        assert!(out(&output).starts_with(whole), "{name}: {}", out(&output));
        if output.status.code() == Some(0) {
            // The goodbye was out, and what is missing is only the end of TLS.
            assert!(out(&output).ends_with("221 2.0.0 goodbye\r\n"), "{name}: {}", err(&output));
        } else {
            assert_outcome(&name, &output, 76, "127.0.0.1:");
            assert!(!complaints(&output).contains("InvalidMessage"), "{name}: {}", complaints(&output));
        }
    });
}

#[test]
fn what_is_no_tls_is_told_in_words() {
    let table: &[(&str, &'static [u8], &str)] = &[
        ("plain text", b"500 what\r\n500 is\r\n500 this\r\n", "127.0.0.1:"),
        ("zeros", &[0; 4096], "127.0.0.1:"),
        ("a huge record", b"\x16\x03\x03\xff\xff", "127.0.0.1:"),
        ("an alert", b"\x15\x03\x03\0\x02\x02\x28", "127.0.0.1:"),
        ("an alert that is none", b"\x15\x03\x03\0\x01\x02", "127.0.0.1:"),
        ("a record of the future", b"\x99\x09\x09\0\x02\x02\x28", "127.0.0.1:"),
        ("empty records", &[0x16, 3, 3, 0, 0, 0x16, 3, 3, 0, 0], "127.0.0.1:"),
        ("our own hello", b"", "127.0.0.1:"),
    ];
    for_each(table, |(name, words, told)| {
        for options in [&["-k"][..], &["-k", "--tls"], &["-k", "--starttls"]] {
            let (words, is_first) = (*words, options.contains(&"--tls"));
            let output = attack(options, "EHLO x\nSTARTTLS\nQUIT\n", move |stream| {
                if !is_first {
                    for reply in ["220 hi\r\n", "250-mx\r\n250 STARTTLS\r\n", "220 go\r\n"] {
                        stream.write_all(reply.as_bytes())?;
                        let heard = stream.read(&mut [0; 512])?;
                        if reply.starts_with("250-") && heard == 0 {
                            return Ok(());
                        }
                    }
                }
                let mut hello = [0; 4096];
                let count = if is_first { stream.read(&mut hello)? } else { 0 };
                stream.write_all(if words.is_empty() { &hello[..count] } else { words })?;
                stream.shutdown(std::net::Shutdown::Write)?;
                until_gone(stream)
            });
            assert_outcome(&format!("{name} {options:?}"), &output, 76, told);
        }
    });
}

/// A server of openssl's, killed when the test is over.
struct Openssl {
    child: Child,
    words: BufReader<ChildStdout>,
    port: u16,
}

impl Openssl {
    /// Starts `openssl s_server`, which says what is written to it and shows what it hears; `None` where there is none.
    fn start(options: &[&str]) -> Option<Self> {
        let (key, cert) = (Scrap::new("key", ""), Scrap::new("crt", ""));
        let curve = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "5"];
        let mut made = Command::new("openssl");
        made.args(curve).args(["-subj", "/CN=localhost", "-keyout", key.path(), "-out", cert.path()]);
        if !made.stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            return None;
        }
        let mut child = Command::new("timeout")
            .args(["20", "openssl", "s_server", "-accept", "127.0.0.1:0", "-key", key.path(), "-cert", cert.path()])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let words = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self { child, words, port: 0 };
        let line = server.hear("ACCEPT");
        server.port = line.trim().rsplit(':').next().unwrap().parse().unwrap();
        Some(server)
    }

    fn say(&mut self, line: &str) {
        self.child.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    }

    /// Reads until it shows a line that begins so.
    fn hear(&mut self, beginning: &str) -> String {
        let mut line = String::new();
        while !line.starts_with(beginning) {
            line.clear();
            assert!(self.words.read_line(&mut line).unwrap() > 0, "openssl says {beginning}");
        }
        line
    }
}

impl Drop for Openssl {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

/// One wish is declined with the next line that goes out, and it is the server's affair whether it goes on then; a second
/// one is one too many. Passed over where there is no openssl.
#[test]
fn renegotiation_is_not_done_and_who_insists_on_it_is_left() {
    let Some(mut server) = Openssl::start(&["-tls1_2", "-msg"]) else { return };
    let mut child = start(server.port, &["--tls", "-k"]);
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"NOOP\n").unwrap();
    server.say("220 hi\n");
    server.hear("NOOP");
    server.say("250 noop\n");
    // What comes together is taken for text by openssl.
    let mut said = [0; "220 hi\n250 noop\n".len()];
    child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
    assert_eq!(&said, b"220 hi\n250 noop\n");
    for _ in 0..2 {
        server.say("r\n");
        server.hear(">>> TLS 1.2, Handshake [length 0004], HelloRequest");
    }
    let output = end_of(child);
    drop(input);
    assert_outcome("two wishes", &output, 76, "the server asks to renegotiate again and again, which is not done here");
}
