//! The server as a test of a client sets it up, and what the test gets of it afterwards.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use mconnect_core::dialogue::{Dialogue, Values};
use mconnect_core::server::{Server, ServerError, Setup};

use crate::open;

#[track_caller]
fn meets(setup: Setup, dialogue: &str) -> Server {
    let server = setup.start().unwrap();
    let played = open(&server).play(&dialogue.parse().unwrap());
    drop(played.require().unwrap_or_else(|failure| panic!("{failure}")));
    server
}

#[test]
fn what_is_not_offered_is_refused() {
    let bare = Setup::new().name("mx.example").extensions([]);
    meets(
        bare,
        "S: 220 mx.example\nC: EHLO x\nS= 250 mx.example\nC: MAIL FROM:<> SIZE=1\nS: 555\nC: MAIL FROM:<> BODY=7BIT\nS: 555\n\
         C: MAIL FROM:<> SMTPUTF8\nS: 555\nC: MAIL FROM:<> AUTH=<>\nS: 555\nC: MAIL FROM:<>\nS: 250\n\
         C: RCPT TO:<a@x> NOTIFY=NEVER\nS: 555\nC: RCPT TO:<a@x>\nS: 250\nC: BDAT 0 LAST\nS: 500\nC: HELO x\nS= 250 mx.example",
    );
    let server = meets(
        Setup::new().extensions(["SIZE", "8bitmime", "BINARYMIME", "CHUNKING", "DSN", "DELIVERBY 5", "XOWN"]),
        "S: 220\nC: EHLO x\nS: 250-SIZE 104857600\nS: 250-8bitmime\nS: 250-DELIVERBY 5\nS: 250 XOWN\n\
         C: MAIL FROM:<> BODY=9BIT\nS: 555\nC: MAIL FROM:<> SIZE=x\nS: 501\nC: MAIL FROM:<> SMTPUTF8\nS: 555\n\
         C: MAIL FROM:<s@x> BODY=binarymime SIZE=2 RET=FULL ENVID=1 by=3;R xown\nS: 250\n\
         C: RCPT TO:<a@x> notify=FAILURE ORCPT=rfc822;a@y\nS: 250\nC: RCPT TO:<b@x>\nS: 250\nC: BDAT 2 LAST\nC> hi\nS: 250",
    );
    let message = &server.messages()[0];
    assert_eq!(
        format!("{message:?}"),
        "MAIL FROM:<s@x> BODY=binarymime SIZE=2 RET=FULL ENVID=1 by=3;R xown\n\
         RCPT TO:<a@x> notify=FAILURE ORCPT=rfc822;a@y\nRCPT TO:<b@x>\n\nhi\n"
    );
    assert_eq!(message.recipients[0].parameter("NOTIFY"), Some("FAILURE"));
    assert_eq!((message.sender.parameter("XOWN"), message.recipients[1].parameter("NOTIFY")), (Some(""), None));
}

#[test]
fn a_message_of_more_than_the_limit_is_refused_however_it_comes() {
    let start = "S: 220\nC: EHLO x\nS: 250-SIZE 100\nS: 250\nC: MAIL FROM:<> SIZE=101\nS: 552\nC: MAIL FROM:<>\nS: 250\n\
        C: RCPT TO:<a@x>\nS: 250\n";
    for (body, code, count) in [
        ("C: DATA\nS: 354\nC: *octets 101*\nC: \nC: .\n", 552, 0),
        ("C: BDAT 101 LAST\nC: *octets 101*\n", 552, 0),
        ("C: BDAT 60\nC: *octets 60*\nS: 250\nC: BDAT 60 LAST\nC: *octets 60*\n", 552, 0),
        ("C: BDAT 100 LAST\nC: *octets 100*\n", 250, 1),
    ] {
        let server = meets(Setup::new().size_limit(100), &format!("{start}{body}S: {code}\nC: NOOP\nS: 250"));
        assert_eq!(server.messages().len(), count, "{body}");
    }
}

#[test]
fn a_listener_of_ones_own_is_served_and_closed_in_the_end() {
    for is_nonblocking in [false, true] {
        let listener = TcpListener::bind(("0.0.0.0", 0)).unwrap();
        listener.set_nonblocking(is_nonblocking).unwrap();
        let address = listener.local_addr().unwrap();
        let server = Setup::new().listener(listener).start().unwrap();
        assert_eq!(server.address(), address);
        open(&server).read_reply().unwrap().require(220).unwrap();
        server.join().unwrap();
        TcpListener::bind(address).unwrap();
    }
}

#[test]
fn sessions_of_a_dialogue_are_served_side_by_side_in_order_of_connection() {
    let server = Server::play("S: 220 one\nC: QUIT\nS: 221 1\n*next session*\nS: 220 two\nC: QUIT\nS: 221 2").unwrap();
    let (mut first, mut second) = (open(&server), open(&server));
    assert_eq!(second.read_reply().unwrap().to_string(), "220 two");
    assert_eq!(second.command("QUIT").unwrap().to_string(), "221 2");
    assert_eq!(first.read_reply().unwrap().to_string(), "220 one");
    assert_eq!(first.command("QUIT").unwrap().to_string(), "221 1");
    drop((first, second));
    let said: Vec<String> = server.sessions().iter().map(|session| format!("{session:?}")).collect();
    assert_eq!(said, ["S: 220 one\nC: QUIT\nS: 221 1\n", "S: 220 two\nC: QUIT\nS: 221 2\n"]);
    server.join().unwrap();
}

#[test]
fn the_first_session_that_goes_wrong_ends_a_dialogue_whoever_is_still_to_come() {
    let server = Server::play("S: 220 one\nC: QUIT\n*next session*\nS: 220 two\n*next session*\nS: 220 three").unwrap();
    let started = Instant::now();
    let mut session = open(&server);
    session.read_reply().unwrap();
    session.send_line("NOOP").unwrap();
    let error = server.join().unwrap_err();
    assert!(matches!(error, ServerError::Deviation { line: 2, .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5), "nobody is waited for");
}

#[test]
fn a_dialogue_again_and_again_begins_anew_after_its_last_session_and_tells_each_failure() {
    let dialogue = Dialogue::parse("S: 220 one\nC: QUIT\n*next session*\nS: 220 two\nC: QUIT").unwrap();
    let server = Setup::new().again_and_again().play(&dialogue, &Values::default()).unwrap();
    for (number, line) in [(0, "QUIT"), (1, "NOOP"), (2, "RSET"), (3, "QUIT")] {
        let mut session = open(&server);
        let greeting = session.read_reply().unwrap().to_string();
        assert_eq!(greeting, if number % 2 == 0 { "220 one" } else { "220 two" });
        session.send_line(line).unwrap();
        if line != "QUIT" {
            let error = server.wait_for_failure(Duration::from_secs(10)).unwrap();
            assert!(error.to_string().contains(&format!("got `{line}")), "{error}");
        }
    }
    assert!(server.wait_for_failure(Duration::from_millis(1)).is_none());
    assert!(server.sessions().is_empty() && server.messages().is_empty(), "nothing of it is kept");
    server.join().unwrap();
}

#[cfg(all(feature = "tls", feature = "auth"))]
mod secure {
    use mconnect_core::dialogue::Player;
    use mconnect_core::tls::Config;

    use super::*;

    #[track_caller]
    fn plays(server: &Server, dialogue: &str) {
        let mut player = Player::new();
        player.tls(&Config::new().insecure());
        let played = player.play(open(server), &dialogue.parse().unwrap());
        drop(played.require().unwrap_or_else(|failure| panic!("{failure}")));
    }

    #[test]
    fn tls_and_a_user_are_demanded_before_all_else() {
        let server = Setup::new().auth([("tim", "pencil")]).require_tls().require_auth().start().unwrap();
        let inside = "C: *starttls*\nC: EHLO x\nS: 250-AUTH PLAIN LOGIN\nS: 250\n";
        let mail = "C: MAIL FROM:<> AUTH=<>\nS: 250\nC: RCPT TO:<a@x>\nS: 250\nC: DATA\nS: 354\nC: *body*\nS: 250\n";
        plays(
            &server,
            &format!(
                "S: 220\nC: HELO x\nS: 530 5.7.0 STARTTLS\nC: EHLO x\n\
                 S= 250-loopback.mconnect.test\nS= 250-PIPELINING\nS= 250-SIZE 104857600\nS= 250-8BITMIME\nS= 250-SMTPUTF8\n\
                 S= 250-CHUNKING\nS= 250-ENHANCEDSTATUSCODES\nS= 250-HELP\nS= 250 STARTTLS\n\
                 C: AUTH PLAIN AHRpbQBwZW5jaWw=\nS: 530\nC: VRFY x\nS: 530\nC: NOOP\nS: 250\nC: BDAT 2 LAST\nC> hi\nS: 530\n\
                 {inside}C: MAIL FROM:<>\nS: 530 5.7.0 AUTH\nC: RCPT TO:<a@x>\nS: 530\nC: RSET\nS: 250\nC: HELO x\nS: 250\n\
                 C: *authenticate SCRAM-SHA-256-PLUS tim pencil*\n{mail}C: QUIT\nS: 221"
            ),
        );
        let message = &server.messages()[0];
        assert_eq!((message.user.as_deref(), message.tls.as_deref()), (Some("tim"), Some("TLS 1.3")));
        let told = format!("{message:?}");
        assert!(
            told.starts_with("# TLS 1.3\n# authenticated as tim\nMAIL FROM:<> AUTH=<>\nRCPT TO:<a@x>\n\n"),
            "{told}"
        );
    }

    #[test]
    fn who_authenticated_is_known_by_every_mechanism_and_no_password_is_in_a_transcript() {
        let mechanisms = mconnect_core::auth::Mechanism::ALL;
        let server = Setup::new().require_tls().auth_by([("a,b=c", "pencil")], mechanisms).start().unwrap();
        for mechanism in mechanisms {
            plays(
                &server,
                &format!(
                    "S: 220\nC: EHLO x\nS: 250\nC: *starttls*\nC: EHLO x\nS: 250\n\
                     C: *authenticate {} a,b=c pencil*\nC: QUIT\nS: 221",
                    mechanism.name()
                ),
            );
            let session = server.sessions().pop().unwrap();
            let told = format!("{session:?}");
            assert!(told.starts_with("# TLS 1.3\n# authenticated as a,b=c\nS: 220 "), "{told}");
            assert!(told.contains(&format!("C: AUTH {}", mechanism.name())), "{told}");
            assert!(!told.contains("pencil") && !told.contains("cGVuY2ls"), "{told}");
        }
    }
}
