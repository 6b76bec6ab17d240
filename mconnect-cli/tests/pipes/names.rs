//! Names: of this machine in EHLO, and of hosts with letters beyond ASCII.

use crate::common::screen::Screen;
use crate::common::{assert_status, complaints, err, run};
use mconnect_core::server::Server;

#[test]
fn a_name_beyond_ascii_is_looked_up_in_ascii_and_told_in_both_forms() {
    let output = run(&["--timeout", "5", "-c", "QUIT", "mx.müller.invalid"], "");
    let told = "mconnect: cannot resolve mx.xn--mller-kva.invalid (mx.müller.invalid): ";
    assert!(complaints(&output).starts_with(told), "{}", err(&output));
    // Digits have forms beyond ASCII, too, and this address answers on every machine.
    let server = Server::play("S: 220 hi\nC: NOOP\nS: *close*").unwrap();
    let port = server.port().to_string();
    let output = run(&["-p", &port, "-c", "NOOP", "１２７.0.0.１"], "");
    assert_status(&output, 76);
    let told = err(&output);
    let connecting = format!("connecting to host 127.0.0.1 (１２７.0.0.１, 127.0.0.1), port {port}\n");
    assert!(told.contains(&connecting), "{told}");
    let closed = format!("mconnect: 127.0.0.1 (１２７.0.0.１, 127.0.0.1:{port}) closed the connection");
    assert!(told.contains(&closed), "{told}");
    server.join().unwrap();
}

#[test]
fn what_cannot_be_the_name_of_a_host_is_a_usage_error_that_says_why() {
    for (args, message) in [
        (&["a..müller"][..], "\"a..müller\" is not a host: a label is empty"),
        (&["has space.müller"], "\"has space.müller\" is not a host: ' ' (U+0020) may not stand there"),
        (
            &["--tls-name", "ü!\u{7f}", "mx"],
            "\"ü!\\u{7f}\" is not the name of a host: '\\u{7f}' (U+007F) may not stand there",
        ),
    ] {
        let output = run(args, "");
        assert_status(&output, 64);
        assert_eq!(complaints(&output), format!("mconnect: {message}; mconnect --help lists the options"));
    }
}

#[test]
fn the_prompt_proposes_the_address_where_the_name_was_refused() {
    let transcript = "S: 220 hi\nC: EHLO x_\nS: 501 no domain\nC: EHLO y\nS: 502 never heard\nC: QUIT\nS: 221 bye";
    let server = Server::play(transcript).unwrap();
    let mut screen = Screen::start(server.port(), &["--color", "always", "--no-explain", "--helo", "x_"]);
    screen.expect_last("smtp> EHLO x_");
    screen.enter("EHLO x_", "smtp> EHLO [127.0.0.1]");
    screen.enter("EHLO y", "smtp> HELO y");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
    server.join().unwrap();
}

#[cfg(feature = "tls")]
mod secure {
    use mconnect_core::server::{Identity, Server, Setup};

    use crate::common::{Scrap, assert_status, complaints, err, talk};

    #[test]
    fn a_refusal_of_our_own_name_in_ehlo_says_how_to_give_another() {
        for (options, reply, is_blamed) in [
            (&[][..], "501 5.5.4 no domain", true),
            (&[], "450 4.7.1 host not found", true),
            (&[], "502 5.5.1 never heard of it", false),
            (&["--helo", "not checked_"], "501 5.5.4 no domain", true),
        ] {
            for first in [&["--starttls"][..], &["--auth", "user"]] {
                let transcript = format!("S: 220 hi\nC: EHLO ${{name}}\nS: {reply}\nC: QUIT\nS: 221 bye");
                let server = Server::play(&transcript).unwrap();
                let output = talk(server.port(), &[first, options].concat(), "");
                assert_status(&output, if reply.starts_with('4') { 75 } else { 69 });
                let told = complaints(&output);
                assert!(told.starts_with("mconnect: EHLO was refused\nmconnect: "), "{told}");
                assert_eq!(told.contains("the server does not accept the name "), is_blamed, "{told}");
                assert_eq!(told.matches("--helo gives another").count(), usize::from(is_blamed), "{told}");
                server.join().unwrap();
            }
        }
    }

    #[test]
    fn a_certificate_is_for_the_name_in_ascii() {
        let identity = Identity::self_signed(["xn--mller-kva.example"]);
        let server = Setup::new().tls(&identity).start().unwrap();
        let ca = Scrap::new("names.pem", &identity.pem());
        let options = ["--starttls", "--cafile", ca.path(), "--tls-name"];
        let output = talk(server.port(), &[&options[..], &["MÜLLER.example"]].concat(), "QUIT\n");
        assert_status(&output, 0);
        assert!(err(&output).contains("; verified\n"), "{}", err(&output));
        let output = talk(server.port(), &[&options[..], &["mueller.例え"]].concat(), "QUIT\n");
        assert_status(&output, 76);
        let reason = "the certificate is not for mueller.xn--r8jz45g (mueller.例え) but for xn--mller-kva.example";
        assert!(complaints(&output).contains(reason), "{}", err(&output));
    }
}
