//! XCLIENT and XFORWARD.

use mconnect_core::Error;
use mconnect_core::protocol::{ClientAttribute, Meaning, Need};

use crate::common::driven::DRIVERS;
use crate::play_by;

fn attributes(texts: &[&str]) -> Vec<ClientAttribute> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn xclient_begins_the_session_anew_and_xforward_does_not() {
    for driver in DRIVERS {
        let (server, mut session) = play_by(
            driver,
            "S: 220 mx\nC: EHLO me\nS: 250-mx\nS: 250 XCLIENT NAME ADDR\nC: XCLIENT NAME=a+20b ADDR=IPV6:::1\nS: 220 again\n\
             C: EHLO me\nS: 250-mx\nS: 250 XFORWARD NAME\nC: XFORWARD NAME=x\nS: 250 ok\nC: QUIT\nS: 221",
        );
        session.greeting().unwrap();
        session.hello("me").unwrap().require().unwrap();
        session.xclient(&attributes(&["name=a b", "addr=::1"])).unwrap().require(220).unwrap();
        assert!(session.extensions().is_none(), "what was offered is forgotten");
        session.hello("me").unwrap().require().unwrap();
        session.xforward(&attributes(&["NAME=x"])).unwrap().require(250).unwrap();
        assert!(session.extensions().is_some());
        session.quit().unwrap();
        server.join().unwrap();
    }
}

#[test]
fn what_is_not_offered_is_not_said_and_a_250_to_xclient_is_out_of_step() {
    for driver in DRIVERS {
        let (server, mut session) =
            play_by(driver, "S: 220 mx\nC: EHLO me\nS: 250-mx\nS: 250 XCLIENT NAME\nC: XCLIENT NAME=x\nS: 250 ok");
        session.greeting().unwrap();
        session.hello("me").unwrap().require().unwrap();
        for (error, command) in [
            (session.xclient(&attributes(&["NAME=x", "ADDR=192.0.2.1"])).unwrap_err(), "XCLIENT"),
            (session.xforward(&attributes(&["ADDR=192.0.2.1"])).unwrap_err(), "XFORWARD"),
        ] {
            let Error::Need { need: Need::Attribute { attribute, command: named }, .. } = error else {
                panic!("{error}")
            };
            assert_eq!((&*attribute, named), ("ADDR", command));
        }
        match session.xclient(&attributes(&["NAME=x"])) {
            Ok(reply) => assert_eq!(reply.meaning(), Meaning::OutOfStep),
            Err(error) => assert!(matches!(error, Error::Surprise { .. }), "{error}"),
        }
        drop(session);
        server.join().unwrap();
    }
}
