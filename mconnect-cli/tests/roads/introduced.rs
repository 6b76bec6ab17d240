//! XCLIENT and XFORWARD.

use mconnect_core::server::Server;

use super::common::{err, out, talk};

/// Serves a dialogue to the tool, and returns what that said.
fn with(dialogue: &str, options: &[&str], input: &str) -> (i32, String, String) {
    let server = Server::play(dialogue).unwrap();
    let options = [options, &["--helo", "me"]].concat();
    let output = talk(server.port(), &options, input);
    server.join().unwrap();
    (output.status.code().unwrap(), out(&output), err(&output))
}

#[test]
fn xclient_and_xforward_come_after_ehlo_and_before_the_session_is_handed_over() {
    let dialogue = "S: 220 mx\nC: EHLO me\nS: 250-mx\nS: 250 XCLIENT NAME ADDR\nC: XCLIENT NAME=a+20b ADDR=192.0.2.66\n\
                    S: 220 again\nC: EHLO me\nS: 250-mx\nS: 250 XFORWARD HELO\nC: XFORWARD HELO=x\nS: 250 ok\nC: QUIT\nS: 221 bye\n";
    let options = ["--xclient", "name=a b", "--xclient", "ADDR=192.0.2.66", "--xforward", "HELO=x"];
    let (status, said, told) = with(dialogue, &options, "QUIT\n");
    assert_eq!((status, said.lines().last()), (0, Some("221 bye")));
    assert!(told.contains("> XCLIENT NAME=a+20b ADDR=192.0.2.66\n> EHLO me\n> XFORWARD HELO=x\n"), "{told}");
    let (status, ..) = with(dialogue, &[&options[..], &["-r"]].concat(), "QUIT\r\n");
    assert_eq!(status, 0);
    let until = [&options[..], &["--until", "mail", "--from", "<>"]].concat();
    let with_mail = dialogue.replace("C: QUIT", "C: MAIL FROM:<>\nS: 250 ok\nC: RSET\nS: 250 ok\nC: QUIT");
    assert_eq!(with(&with_mail, &until, "").0, 0);
}

#[test]
fn what_is_not_offered_is_not_said_unless_it_is_forced() {
    for options in [&["--xclient", "ADDR=192.0.2.66"][..], &["--xclient", "ADDR=192.0.2.66", "--until", "mail"]] {
        let dialogue = "S: 220 mx\nC: EHLO me\nS: 250-mx\nS: 250 XCLIENT NAME\nC: QUIT\nS: 221 bye\n";
        let (status, _, told) = with(dialogue, options, "QUIT\n");
        assert_eq!(status, 69, "{told}");
        assert!(
            told.contains("will not say XCLIENT to 127.0.0.1:")
                && told.contains("the server does not offer ADDR in XCLIENT; --xclient-anyway says it all the same"),
            "{told}"
        );
    }
    let dialogue = "S: 220 mx\nC: EHLO me\nS: 250 mx\nC: XCLIENT ADDR=192.0.2.66\nS: 550 no\nC: QUIT\nS: 221 bye\n";
    let (status, _, told) = with(dialogue, &["--xclient", "ADDR=192.0.2.66", "--xclient-anyway"], "QUIT\n");
    assert_eq!(status, 69);
    assert!(told.contains("mconnect: XCLIENT was refused"), "{told}");
}

#[test]
fn a_250_to_xclient_is_out_of_step_and_nothing_follows() {
    let dialogue =
        "S: 220 mx\nC: EHLO me\nS: 250-mx\nS: 250 XCLIENT ADDR\nC: XCLIENT ADDR=192.0.2.66\nS: 250 ok\nC: *close*\n";
    let (status, _, told) = with(dialogue, &["--xclient", "ADDR=192.0.2.66"], "QUIT\n");
    assert_eq!(status, 76, "{told}");
}

#[cfg(feature = "tls")]
#[test]
fn xclient_comes_after_starttls_and_before_auth() {
    let dialogue = "S: 220 mx\nC: EHLO me\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nC: *tls*\n\
                    C: EHLO me\nS: 250-mx\nS: 250 XCLIENT ADDR\nC: XCLIENT ADDR=192.0.2.66\nS: 220 again\n\
                    C: EHLO me\nS: 250-mx\nS: 250 AUTH PLAIN\nC: AUTH PLAIN AHVzZXIAcGVuY2ls\nS: 235 ok\nC: QUIT\nS: 221 bye\n";
    let server = mconnect_core::server::Setup::new()
        .tls(&mconnect_core::server::Identity::self_signed(["127.0.0.1"]))
        .play(&dialogue.parse().unwrap(), &Default::default())
        .unwrap();
    let password = super::common::Scrap::new("password", "pencil\n");
    let options = [
        "--starttls",
        "-k",
        "--helo",
        "me",
        "--auth",
        "user:PLAIN",
        "--password-file",
        password.path(),
        "--xclient",
        "ADDR=192.0.2.66",
    ];
    let output = talk(server.port(), &options, "QUIT\n");
    super::common::assert_status(&output, 0);
    server.join().unwrap();
}
