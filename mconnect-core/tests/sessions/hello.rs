//! How a session begins, and how commands go to a server that has offered no pipelining.

use mconnect_core::protocol::Phase;
use mconnect_core::{Error, Hello};

use super::play_by;
use crate::common::driven::DRIVERS;

#[test]
fn hello_falls_back_to_helo_only_where_ehlo_is_refused_for_good() {
    for driver in DRIVERS {
        let cases = [
            ("C: EHLO me.example\nS: 250-hi\nS: 250 PIPELINING", "extended", 250),
            ("C: EHLO me.example\nS: 502 what?\nC: HELO me.example\nS: 250 hi", "plain", 250),
            ("C: EHLO me.example\nS: 550 not you\nC: HELO me.example\nS: 553 nor so", "refused", 550),
            ("C: EHLO me.example\nS: 500 what?\nC: HELO me.example\nS: 421 bye\nS: *close*", "refused", 421),
            ("C: EHLO me.example\nS: 451 later", "refused", 451),
            ("C: EHLO me.example\nS: 421 bye\nS: *close*", "refused", 421),
        ];
        for (dialogue, expected, code) in cases {
            let (server, mut session) = play_by(driver, &format!("S: 220 hi\n{dialogue}"));
            session.greeting().unwrap().require(220).unwrap();
            let hello = session.hello("me.example").unwrap();
            let kind = match &hello {
                Hello::Extended(_) => "extended",
                Hello::Plain(_) => "plain",
                _ => "refused",
            };
            assert_eq!((kind, hello.reply().code().number()), (expected, code), "{dialogue}");
            assert_eq!(session.extensions().is_some(), kind == "extended");
            assert_eq!(hello.require().is_ok(), kind != "refused");
            drop(session);
            server.join().unwrap();
        }
    }
}

#[test]
fn a_greeting_that_refuses_is_a_reply_and_one_that_is_none_an_error() {
    for driver in DRIVERS {
        let (server, mut session) = play_by(driver, "S: 554 no mail here");
        assert_eq!(session.greeting().unwrap().code(), 554);
        server.join().unwrap();

        let (server, mut session) = play_by(driver, "S: 250 what?");
        assert!(matches!(session.greeting(), Err(Error::Surprise { .. })));
        server.join().unwrap();

        let (server, mut session) = play_by(driver, "S: 220 hi");
        session.greeting().unwrap();
        let error = session.greeting().unwrap_err();
        assert!(matches!(error, Error::OutOfStep { outstanding: 0, .. }), "{error}");
        assert!(error.to_string().ends_with("(command phase): the greeting has been read"), "{error}");
        server.join().unwrap();
    }
}

#[test]
fn commands_go_one_by_one_to_a_server_that_has_not_offered_pipelining() {
    for driver in DRIVERS {
        // Who plays says out of step if a command comes before the reply to the one before.
        let one_by_one = "C: MAIL FROM:<>\nS: 250 a\nC: RCPT TO:<b@x>\nS: 250 b";
        let together = "C: MAIL FROM:<>\nC: RCPT TO:<b@x>\nS: 250 a\nS: 250 b";
        let lines = ["MAIL FROM:<>", "RCPT TO:<b@x>"];
        for (offer, dialogue, is_anyway) in
            [("250 x", one_by_one, false), ("250-x\nS: 250 PIPELINING", together, false), ("250 x", together, true)]
        {
            let (server, mut session) = play_by(driver, &format!("S: 220 hi\nC: EHLO x\nS: {offer}\n{dialogue}"));
            session.greeting().unwrap();
            session.hello("x").unwrap().require().unwrap();
            let replies = if is_anyway { session.pipeline_anyway(lines) } else { session.pipeline(lines) }.unwrap();
            assert_eq!(replies.len(), 2);
            assert_eq!(session.phase(), Phase::Command);
            drop(session);
            server.join().unwrap();
        }
    }
}
