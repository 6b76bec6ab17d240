//! What an error says of itself: whether it was a time-out, whether trying again may help, what had been sent, and where.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use mconnect_core::protocol::Phase;
use mconnect_core::server::Server;
use mconnect_core::{Action, Connect, Error, Session, Timeouts};

fn open(dialogue: &str) -> (Server, Session) {
    let server = Server::play(dialogue).unwrap();
    let timeouts = Timeouts::default().replies(Duration::from_millis(100));
    let session = Connect::new("127.0.0.1", server.port()).timeouts(timeouts).open().unwrap();
    (server, session)
}

#[test]
fn a_pipeline_that_breaks_off_is_what_broke_it_off() {
    let (server, mut session) = open("S: 220 hi\nC: A\nC: B\nS: 250 a\nS: *close*");
    session.read_reply().unwrap();
    let error = session.pipeline_anyway(["A", "B"]).unwrap_err();
    let Error::Pipeline { answered, .. } = &error else { panic!("{error}") };
    assert_eq!((answered.len(), error.to_string().as_str()), (1, "a pipeline broke off after 1 reply"));
    assert!(!error.is_timeout() && !error.is_temporary() && error.has_sent());
    let scene = error.scene().unwrap();
    assert_eq!((scene.action, scene.phase), (Action::ReadReply, Phase::Command));
    server.join().unwrap();

    let (server, mut session) = open("S: 220 hi\nC: A\nC: *silence 1 s*");
    session.read_reply().unwrap();
    let error = session.pipeline_anyway(["A"]).unwrap_err();
    assert!(error.is_timeout() && error.is_temporary() && error.has_sent(), "{error}");
    drop(session);
    drop(server.join());
}

#[test]
fn a_reply_other_than_required_is_temporary_if_it_says_so() {
    let (server, mut session) = open("S: 220 hi\nC: A\nS: 451 later\nC: B\nS: 550 never");
    session.read_reply().unwrap();
    let refused = |session: &mut Session, line| Error::from(session.command(line).unwrap().require(250).unwrap_err());
    let (later, never) = (refused(&mut session, "A"), refused(&mut session, "B"));
    assert!(later.is_temporary() && later.has_sent() && later.scene().is_none());
    assert!(!never.is_temporary() && !never.is_timeout());
    server.join().unwrap();
}

#[test]
fn out_of_step_says_what_is_due() {
    let (server, mut session) = open("S: 220 hi\nC: A\nC: B\nS: 250 a\nS: 250 b");
    session.read_reply().unwrap();
    session.send_line("A").unwrap();
    let one = session.command("C").unwrap_err();
    assert!(one.to_string().ends_with(": 1 earlier reply is still due"), "{one}");
    session.send_line("B").unwrap();
    let two = session.command("C").unwrap_err();
    assert!(two.to_string().ends_with(": 2 earlier replies are still due"), "{two}");
    assert_eq!(two.scene().unwrap().phase, Phase::Command);
    session.close().unwrap();
    server.join().unwrap();
}

#[test]
fn a_host_is_told_as_people_know_it_too() {
    let connect = Connect::new("xn--mller-kva.example", 25).known_as("müller.example").addresses([]);
    let error = connect.open().unwrap_err().to_string();
    assert_eq!(error, "cannot connect to xn--mller-kva.example (müller.example), port 25");
    let server = Server::play("S: 220 hi").unwrap();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], server.port()));
    let session = connect.addresses([address]).open().unwrap();
    assert_eq!(session.peer().to_string(), format!("xn--mller-kva.example (müller.example, {address})"));
    assert_eq!((session.peer().name(), session.peer().known_as()), ("xn--mller-kva.example", Some("müller.example")));
    server.join().unwrap();
}
