use std::net::TcpListener;
use std::process::Output;

use mconnect_core::server::{Server, Setup};

use super::common::{MCONNECT, Pty, assert_status, complaints, err, out, run};
use super::zone;

const QUIT: &[u8] = b"QUIT\n";

/// A server at another address of this machine.
fn at(address: &str, port: u16) -> TcpListener {
    TcpListener::bind((address, port)).unwrap()
}

fn ask(zone: &str, port: u16, args: &[&str]) -> Output {
    let (resolver, port) = (zone::serve(zone).to_string(), port.to_string());
    run(&[&["--mx", "--resolver", &resolver, "-p", &port], args].concat(), QUIT)
}

/// What is told on standard error, with the port as PORT.
fn told(output: &Output, port: u16) -> Vec<String> {
    err(output).replace(&port.to_string(), "PORT").lines().map(str::to_owned).collect()
}

#[test]
fn the_first_that_greets_with_220_is_used_and_each_before_it_is_named() {
    let second = at("127.0.0.3", 0);
    let port = second.local_addr().unwrap().port();
    let refusing = Setup::new().listener(second).play(
        &"S: 554 5.3.2 not today\nC: QUIT\nS: 221 bye".parse().unwrap(),
        &mconnect_core::dialogue::Values::default(),
    );
    let ready = Setup::new().listener(at("127.0.0.4", port)).start().unwrap();
    let zone = "example.test MX 30 mx4.example.test\nexample.test MX 20 mx3.example.test\nexample.test MX 10 mx2.example.test\n\
                example.test MX 5 mx1.example.test\n\
                mx1.example.test MX 1 x\nmx2.example.test A 127.0.0.2\nmx3.example.test A 127.0.0.3\nmx4.example.test A 127.0.0.4";
    let output = ask(zone, port, &["--allow-private", "example.test"]);
    assert_status(&output, 0);
    assert_eq!(
        told(&output, port),
        [
            "mail exchangers of example.test: mx1.example.test (5), mx2.example.test (10), mx3.example.test (20), \
             mx4.example.test (30)",
            "mx1.example.test has no address; next exchanger ...",
            "connecting to host mx2.example.test (127.0.0.2), port PORT",
            "cannot connect to mx2.example.test, port PORT: Connection refused; next exchanger ...",
            "connecting to host mx3.example.test (127.0.0.3), port PORT",
            "connection open",
            "mx3.example.test (127.0.0.3:PORT) is not ready: its greeting is 554 5.3.2 not today; next exchanger ...",
            "connecting to host mx4.example.test (127.0.0.4), port PORT",
            "connection open",
        ]
    );
    assert!(out(&output).starts_with("554 5.3.2 not today\r\n220 "), "{}", out(&output));
    assert_eq!(ready.sessions()[0].commands(), ["QUIT"]);
    refusing.unwrap().join().unwrap();
}

#[test]
fn a_message_goes_to_an_exchanger_of_the_recipients_domain() {
    let server = Server::start().unwrap();
    let zone = "example.test MX 10 mx.example.test\nmx.example.test A 127.0.0.1";
    let output = ask(zone, server.port(), &["--allow-private", "--from", "a@x", "--to", "b@Example.test"]);
    assert_status(&output, 0);
    assert_eq!(server.messages()[0].recipients, ["b@Example.test"]);
    let output = ask(zone, server.port(), &["--allow-private", "--until", "connect", "example.test"]);
    assert_status(&output, 0);
    assert_eq!(out(&output), "");
}

#[cfg(feature = "tls")]
#[test]
fn the_certificate_is_to_be_the_exchangers() {
    use super::common::Scrap;
    use mconnect_core::server::Identity;

    let zone = "example.test MX 10 mx.example.test\nmx.example.test A 127.0.0.1";
    for (name, tls, status) in [
        ("mx.example.test", "--starttls", 0),
        ("mx.example.test", "--tls", 0),
        ("example.test", "--starttls", 76),
        ("example.test", "--tls", 76),
    ] {
        let identity = Identity::self_signed([name]);
        let setup = Setup::new().tls(&identity);
        let server = if tls == "--tls" { setup.tls_first() } else { setup }.start().unwrap();
        let file = Scrap::new(".pem", &identity.pem());
        let trust = ["--allow-private", tls, "--cafile", file.path()];
        assert_status(&ask(zone, server.port(), &[&trust[..], &["example.test"]].concat()), status);
        let sent = ask(zone, server.port(), &[&trust[..], &["--from", "a@x", "--to", "b@example.test"]].concat());
        assert_status(&sent, status);
    }
}

#[test]
fn a_domain_without_mx_records_is_its_own_exchanger() {
    let server = Server::start().unwrap();
    let output = ask("example.test A 127.0.0.1", server.port(), &["--allow-private", "example.test"]);
    assert_status(&output, 0);
    assert_eq!(
        told(&output, server.port())[..2],
        [
            "example.test has no MX record: it is its own exchanger (RFC 5321, section 5.1)",
            "connecting to host example.test (127.0.0.1), port PORT",
        ]
    );
}

#[test]
fn what_keeps_a_domain_from_having_an_exchanger_is_told() {
    let dead = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (zone, args, status, message) in [
        ("example.test MX 0 .", &[][..], 69, "example.test takes no mail: its MX record is null (RFC 7505)"),
        ("other.test A 127.0.0.1", &[], 68, "there is no domain example.test"),
        ("example.test MX 10 mx.test", &[], 68, "mx.test has no address"),
        ("example.test MX 10 mx.test\nmx.test A 127.0.0.1", &["-6"], 68, "mx.test has no address"),
        (
            "example.test BOGUS",
            &[],
            75,
            "what the DNS says of example.test is bogus, its signatures are not right: DNSKEY Missing",
        ),
        (
            "example.test MX 10 mx.test\nmx.test A 10.0.0.1\nmx.test A 127.0.0.1",
            &[],
            69,
            "mx.test (10.0.0.1, 127.0.0.1) is not contacted: that is no global address, see --allow-private",
        ),
    ] {
        let output = ask(zone, 25, &[args, &["example.test"]].concat());
        assert_status(&output, status);
        assert_eq!(complaints(&output), format!("mconnect: {message}"));
    }
    let output = run(&["--mx", "--resolver", &dead.to_string(), "--timeout", "0.5", "example.test"], "");
    assert_status(&output, 75);
    let told = format!("mconnect: cannot look up the MX of example.test at {dead}: Connection refused");
    assert_eq!(complaints(&output), told);
}

#[test]
fn nothing_is_said_of_exchangers_with_quiet_but_what_is_wrong() {
    let zone = "example.test MX 10 mx1.test\nexample.test MX 20 mx2.test\nmx1.test A 127.0.0.1\nmx2.test A 127.0.0.1";
    let output = ask(zone, 25, &["--quiet", "example.test"]);
    assert_status(&output, 69);
    let told = "mconnect: mx2.test (127.0.0.1) is not contacted: that is no global address, see --allow-private\n";
    assert_eq!(err(&output), told);
}

#[test]
fn at_a_prompt_and_by_typed_lines_the_session_goes_on_after_the_greeting() {
    let zone = "example.test MX 10 mx1.test\nexample.test MX 20 mx2.test\nmx1.test A 127.0.0.2\nmx2.test A 127.0.0.1";
    for (terminal, label) in [("xterm", "smtp> "), ("dumb", "220 ")] {
        let server = Server::start().unwrap();
        let (resolver, port) = (zone::serve(zone).to_string(), server.port().to_string());
        let args = ["--mx", "--resolver", &resolver, "-p", &port, "--allow-private", "example.test"];
        let mut pty = Pty::start_with(MCONNECT, &args, &[("TERM", terminal)]);
        pty.expect("next exchanger ...");
        pty.expect(label);
        pty.send("QUIT\r");
        pty.expect("221 ");
        assert_eq!(pty.wait(), 0);
        assert_eq!(server.sessions()[0].commands(), ["QUIT"]);
    }
}
