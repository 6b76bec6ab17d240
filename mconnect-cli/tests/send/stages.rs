//! The way to MAIL, and where it may stop.

use mconnect_core::server::{Server, Setup};

use crate::common::{assert_status, free_port, out, talk};
use crate::send;

#[test]
fn a_session_stops_at_the_stage_that_was_named_and_delivers_nothing() {
    for (stage, last) in [
        ("greeting", "QUIT"),
        ("ehlo", "EHLO me, QUIT"),
        ("mail", "EHLO me, MAIL FROM:<a@x>, RSET, QUIT"),
        ("rcpt", "EHLO me, MAIL FROM:<a@x>, RCPT TO:<b@x>, RSET, QUIT"),
        ("data", "EHLO me, MAIL FROM:<a@x>, RCPT TO:<b@x>, DATA"),
    ] {
        for extensions in [vec![], vec!["PIPELINING"]] {
            let server = Setup::new().extensions(extensions).start().unwrap();
            assert_status(&send(&server, &["--helo", "me", "--until", stage]), 0);
            assert_eq!(server.sessions()[0].commands().join(", "), last);
            assert!(server.messages().is_empty());
        }
    }
    let server = Server::start().unwrap();
    let connected = talk(server.port(), &["--until", "connect"], "");
    assert_status(&connected, 0);
    assert_eq!(out(&connected), "");
}

#[test]
fn the_status_says_whether_the_stage_was_granted() {
    let server = Server::start().unwrap();
    for (args, status) in [
        (&["--until", "rcpt", "--to", "refused@x"][..], 69),
        (&["--until", "rcpt", "--to", "later@x"], 75),
        (&["--until", "rcpt", "--to", "b@x"], 0),
        (&["--until", "mail"], 0),
        (&["--until", "data", "--to", "refused@x"], 69),
        (&["--until", "mail", "--mail-param", "RET=HDRS"], 69),
    ] {
        assert_status(&talk(server.port(), &[&["--from", "<>"], args].concat(), ""), status);
    }
    assert!(server.messages().is_empty());
    assert_status(&talk(free_port(), &["--until", "connect"], ""), 69);
}

#[test]
fn helo_is_said_to_a_server_that_does_not_know_ehlo() {
    let server = Server::play(
        "S: 220 hi\nC: EHLO me\nS: 500 what?\nC: HELO me\nS: 250 hi\nC: MAIL FROM:<a@x>\nS: 250\nC: RCPT TO:<b@x>\nS: 250\n\
         C: DATA\nS: 354\nC: *body*\nS: 250\nC: QUIT\nS: 221",
    )
    .unwrap();
    assert_status(&send(&server, &["--helo", "me"]), 0);
    server.join().unwrap();
}

#[cfg(feature = "tls")]
mod secured {
    use mconnect_core::server::Identity;

    use super::*;
    use crate::TO;
    use crate::common::{Scrap, complaints, tool};

    fn server() -> (Server, Scrap) {
        let identity = Identity::self_signed(["127.0.0.1"]);
        let server = Setup::new().tls(&identity).auth([("user", "pencil")]).start().unwrap();
        let authorities = Scrap::new(".pem", &identity.pem());
        (server, authorities)
    }

    #[test]
    fn tls_is_started_where_it_is_offered_and_the_server_has_to_be_proven() {
        let (server, authorities) = server();
        assert_status(&send(&server, &["--cafile", authorities.path()]), 0);
        assert!(server.messages()[0].tls.is_some());
        let unproven = send(&server, &[]);
        assert_status(&unproven, 76);
        assert!(complaints(&unproven).contains("; -k goes on in spite of it"), "{}", complaints(&unproven));
        assert_eq!(server.messages().len(), 1);
        assert_status(&send(&server, &["-k"]), 0);
        assert!(server.messages()[1].tls.is_some());
        assert_status(&send(&server, &["--no-upgrade"]), 0);
        assert!(server.messages()[2].tls.is_none());
        assert_status(&send(&server, &["-k", "--until", "starttls"]), 0);
        assert_eq!(server.sessions().last().unwrap().commands().last().unwrap(), "QUIT");
        assert_eq!(server.messages().len(), 3);
    }

    #[test]
    fn tls_that_is_demanded_and_not_offered_ends_the_session() {
        let server = Server::start().unwrap();
        for demand in [&["--starttls"][..], &["--until", "starttls"]] {
            assert_status(&send(&server, demand), 76);
            let commands = server.sessions().pop().unwrap().commands().join(" ");
            assert!(commands.starts_with("EHLO ") && commands.ends_with(" QUIT") && !commands.contains("STARTTLS"));
        }
        let refusing =
            Server::play("S: 220\nC: EHLO me\nS: 250-x\nS: 250 STARTTLS\nC: STARTTLS\nS: 454 later\nC: QUIT\nS: 221");
        let refusing = refusing.unwrap();
        assert_status(&send(&refusing, &["--helo", "me"]), 75);
        refusing.join().unwrap();
    }

    #[test]
    fn auth_comes_before_mail_and_its_password_is_not_told() {
        let (server, authorities) = server();
        for (password, until, status) in [("pencil", None, 0), ("pencil", Some("auth"), 0), ("wrong", None, 77)] {
            let port = server.port().to_string();
            let until: Vec<&str> = until.iter().flat_map(|stage| ["--until", stage]).collect();
            let args =
                [&TO[..], &["--auth", "user:plain", "--cafile", authorities.path(), "-p", &port], &until].concat();
            let output = tool(&args).arg("127.0.0.1").env("MCONNECT_PASSWORD", password).output().unwrap();
            assert_status(&output, status);
            let told = format!("{}{}", out(&output), crate::common::err(&output));
            assert!(told.matches("AUTH plain").count() + told.matches("> AUTH PLAIN").count() == 1, "{told}");
            assert!(!told.contains("AHVzZXIA"), "{told}");
        }
        assert_eq!(server.messages().len(), 1);
        assert_eq!(server.messages()[0].user.as_deref(), Some("user"));
    }
}
