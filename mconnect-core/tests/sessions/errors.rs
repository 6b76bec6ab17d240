//! What an error says of itself: whether it was a time-out, whether trying again may help, what had been sent, and where.

use std::io;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use mconnect_core::protocol::{LimitExceeded, Limits, Phase, Reply, ReplyBuilder, ReplyLine, Request};
use mconnect_core::server::Server;
use mconnect_core::{Action, Connect, DeadlinePassed, Error, Session, Timeouts};

use super::hostile::Hang;
use super::play;

/// When to give up a server that says no more.
fn soon() -> Option<Instant> {
    Instant::now().checked_add(Duration::from_millis(100))
}

#[test]
fn a_pipeline_that_breaks_off_is_what_broke_it_off() {
    let (server, mut session) = play("S: 220 hi\nC: A\nC: B\nS: 250 a\nS: *close*");
    session.read_reply().unwrap();
    let error = session.pipeline_anyway(["A", "B"]).unwrap_err();
    let Error::Pipeline { answered, .. } = &error else { panic!("{error}") };
    assert_eq!((answered.len(), error.to_string().as_str()), (1, "a pipeline broke off after 1 reply"));
    assert!(!error.is_timeout() && error.is_temporary() && error.has_sent());
    let context = error.context().unwrap();
    assert_eq!((context.action, context.phase), (Action::ReadReply, Phase::Command));
    server.join().unwrap();

    let (server, mut session) = play("S: 220 hi\nC: A\nC: *silence 1 s*");
    session.read_reply().unwrap();
    session.set_deadline(soon());
    let error = session.pipeline_anyway(["A"]).unwrap_err();
    assert!(error.is_timeout() && error.is_temporary() && error.has_sent(), "{error}");
    drop(session);
    drop(server.join());
}

#[test]
fn a_reply_other_than_required_is_temporary_if_it_says_so() {
    let (server, mut session) = play("S: 220 hi\nC: A\nS: 451 later\nC: B\nS: 550 never");
    session.read_reply().unwrap();
    let refused = |session: &mut Session, line| Error::from(session.command(line).unwrap().require(250).unwrap_err());
    let (later, never) = (refused(&mut session, "A"), refused(&mut session, "B"));
    assert!(later.is_temporary() && later.has_sent() && later.context().is_none());
    assert!(!never.is_temporary() && !never.is_timeout());
    server.join().unwrap();
}

#[test]
fn out_of_step_says_what_is_due() {
    let (server, mut session) = play("S: 220 hi\nC: A\nC: B\nS: 250 a\nS: 250 b");
    session.read_reply().unwrap();
    session.send_line("A").unwrap();
    let one = session.command("C").unwrap_err();
    assert!(one.to_string().ends_with(": 1 earlier reply is still due"), "{one}");
    session.send_line("B").unwrap();
    let two = session.command("C").unwrap_err();
    assert!(two.to_string().ends_with(": 2 earlier replies are still due"), "{two}");
    assert_eq!(two.context().unwrap().phase, Phase::Command);
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

/// Does something to a session, and returns how that failed.
type Act = fn(&mut Session) -> Error;

fn greeted(dialogue: &str) -> (Server, Session) {
    let (server, mut session) = play(dialogue);
    session.greeting().unwrap().require(220).unwrap();
    (server, session)
}

#[test]
fn an_error_says_which_reply_did_not_come_and_in_which_phase_it_was_asked_for() {
    let cases: [(&str, Act, &str, Phase); 11] = [
        ("C: x", |session| session.greeting().unwrap_err(), "no greeting from", Phase::Greeting),
        (
            "S: 220 hi\nC: RCPT TO:<x@example.org>\nS: *close*",
            |session| session.command("RCPT TO:<x@example.org>").unwrap_err(),
            "no reply to RCPT TO:<x@example.org> from",
            Phase::Command,
        ),
        (
            "S: 220 hi\nC: DATA\nS: *close*",
            |session| session.message(&b"hi"[..]).unwrap_err(),
            "no reply to DATA from",
            Phase::Command,
        ),
        (
            "S: 220 hi\nC: DATA\nS: 354 go\nC: *body*\nS: *close*",
            |session| session.message(&b"hi"[..]).unwrap_err(),
            "no reply to the message from",
            Phase::Body,
        ),
        (
            "S: 220 hi\nC: A\nC: B\nC: C\nS: 250 a\nS: *close*",
            |session| match session.pipeline_anyway(["A", "B", "C"]).unwrap_err() {
                Error::Pipeline { source, .. } => *source,
                error => error,
            },
            "no reply to B from",
            Phase::Command,
        ),
        (
            "S: 220 hi\nC: AUTH PLAIN AHVzZXIAcGVuY2ls\nS: *close*",
            |session| session.command("AUTH PLAIN AHVzZXIAcGVuY2ls").unwrap_err(),
            "no reply to AUTH PLAIN from",
            Phase::Command,
        ),
        (
            "S: 220 hi\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: cGVuY2ls\nS: *close*",
            |session| {
                session.command("AUTH LOGIN").unwrap();
                session.command("cGVuY2ls").unwrap_err()
            },
            "no reply to the answer in AUTH from",
            Phase::Auth,
        ),
        (
            "S: 220 hi\nC: XLOGIN me hush\nS: *close*",
            |session| {
                session.hide("hush");
                session.command("XLOGIN me hush").unwrap_err()
            },
            "no reply to a command from",
            Phase::Command,
        ),
        (
            "S: 220 hi\nC: AUTH PLAIN AHVzZXIAcGVuY2ls\nS: *close*",
            |session| {
                session.send(b"AUTH PLA").unwrap();
                session.send(b"IN AHVzZXIAcGVuY2ls\r\n").unwrap();
                session.read_reply().unwrap_err()
            },
            "no reply to AUTH from",
            Phase::Command,
        ),
        (
            "S: 220 hi\nC: BDAT 2\nC: *octets 2*\nS: 250 ok\nC: NOOP\nS: *close*",
            |session| {
                session.send(b"BDAT 2\r\nhi").unwrap();
                session.read_reply().unwrap();
                session.send_line("NOOP").unwrap();
                session.send(b"").unwrap();
                session.read_reply().unwrap_err()
            },
            "no reply to NOOP from",
            Phase::Command,
        ),
        (
            "S: 220 hi\nC: NOOP\nC: NOOP\nS: *close*",
            |session| {
                session.send_line("NOOP").unwrap();
                session.send_line("NOOP").unwrap();
                session.read_reply().unwrap_err()
            },
            "no reply to a command from",
            Phase::Command,
        ),
    ];
    for (dialogue, act, words, phase) in cases {
        let (server, mut session) = play(dialogue);
        match dialogue.starts_with('S') {
            true => drop(session.greeting().unwrap()),
            false => session.set_deadline(soon()),
        }
        let error = act(&mut session);
        let told = error.chain();
        assert!(told.starts_with(&format!("{words} 127.0.0.1:{} ({phase} phase): ", server.port())), "{told}");
        assert_eq!(error.context().unwrap().phase, phase, "{told}");
        for secret in ["AHVzZXI", "cGVuY2", "hush"] {
            assert!(!format!("{error:?} {told}").contains(secret), "{error:?}");
        }
        drop(session);
        drop(server.join());
    }
}

#[test]
fn a_server_that_closed_before_a_command_is_told_in_the_phase_of_the_command() {
    let (server, mut session) = greeted("S: 220 hi\nS: *close*");
    server.join().unwrap();
    let error = session.command("NOOP").unwrap_err();
    assert!(matches!(error, Error::Closed { .. }), "{error:?}");
    assert_eq!(error.context().unwrap().phase, Phase::Command, "{error}");
}

#[test]
fn a_command_in_an_error_is_visible_and_not_longer_than_a_line() {
    let (server, mut session) = greeted("S: 220 hi\nC: *close*");
    session.set_deadline(soon());
    let error = session.command(format!("NOOP \x1b[2J{}", "x".repeat(500))).unwrap_err().to_string();
    assert!(error.starts_with("no reply to NOOP \\x1b[2Jxxx") && error.contains("xxx... from 127"), "{error}");
    drop(server.join());
}

fn reply(line: &str, request: Request) -> Reply {
    let reply = ReplyBuilder::new(Limits::default()).push(ReplyLine::new(line.as_bytes())).unwrap().unwrap();
    reply.in_answer_to(Some(request), "x".into())
}

#[test]
fn what_is_temporary_is_what_a_queue_tries_again() {
    let (server, session) = greeted("S: 220 hi\nC: *close*");
    let context = session.overdue(Duration::ZERO).context().unwrap().clone();
    let (context, peer) = (|| context.clone(), session.peer().clone());
    let io = |kind: io::ErrorKind| io::Error::from(kind);
    let unexpected = |line, request| Error::from(reply(line, request).require(100).unwrap_err());
    // Nobody listens where nobody has listened yet.
    let refused =
        || Connect::new("127.0.0.1", TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port());
    let no_address = || refused().addresses([]).open().unwrap_err();
    let resolve =
        |is_temporary| Error::Resolve { peer: peer.clone(), is_temporary, source: io(io::ErrorKind::NotFound) };
    let timeout =
        |is_overall| Error::Timeout { context: context(), after: Duration::ZERO, partial: Vec::new(), is_overall };
    let tls = |kind| Error::Tls { context: context(), source: io(kind) };
    let pipeline = |source| Error::Pipeline { answered: Vec::new(), source: Box::new(source) };
    let odd = || Box::new(reply("250 a body?\r\n", Request::Data));
    for (error, retries) in [
        (Error::Address { what: "x".to_owned(), kind: "host name" }, false),
        (resolve(true), true),
        (resolve(false), false),
        (refused().open().unwrap_err(), true),
        // No address of the family that was asked for.
        (no_address(), false),
        (Error::Io { context: context(), source: io(io::ErrorKind::ConnectionReset) }, true),
        (timeout(false), true),
        (timeout(true), true),
        (Error::Closed { context: context(), partial: Vec::new() }, true),
        (Error::Aborted { context: context() }, true),
        (Error::Limit { context: context(), partial: Vec::new(), source: LimitExceeded::Lines(1) }, true),
        (Error::OutOfStep { context: context(), outstanding: 1 }, false),
        (Error::Surprise { context: context(), reply: odd() }, true),
        (Error::LineBreak { context: context() }, false),
        (Error::Message { context: context(), source: io(io::ErrorKind::Other) }, true),
        (tls(io::ErrorKind::InvalidData), true),
        (tls(io::ErrorKind::InvalidInput), false),
        (Error::Injection { context: context(), octets: 1 }, true),
        (pipeline(timeout(false)), true),
        (pipeline(Error::LineBreak { context: context() }), false),
        (pipeline(unexpected("451 later\r\n", Request::Mail)), true),
        (unexpected("421 closing\r\n", Request::Greeting), true),
        (unexpected("450 busy\r\n", Request::Rcpt), true),
        (unexpected("454 no TLS now\r\n", Request::StartTls), true),
        (unexpected("552 too many recipients\r\n", Request::Rcpt), true),
        (unexpected("552 too large\r\n", Request::EndOfData), false),
        (unexpected("535 no\r\n", Request::Auth), false),
        (unexpected("550 no\r\n", Request::Rcpt), false),
        (unexpected("554 no service\r\n", Request::Greeting), false),
        // Granted, if not as the caller has it: nothing to try again.
        (unexpected("251 elsewhere\r\n", Request::Rcpt), false),
        (unexpected("250 a body?\r\n", Request::Data), true),
        (unexpected("999 what\r\n", Request::Rcpt), true),
    ] {
        assert_eq!(error.is_temporary(), retries, "{error:?}");
    }
    drop(session);
    drop(server.join());
}

#[test]
fn a_mistake_of_the_caller_has_a_hint() {
    let (server, mut session) = play("S: 220 hi\nC: NOOP\nS: 250 ok\nC: DATA\nS: 354 go\nC: *close*");
    let hint = |result: Result<Reply, Error>| result.unwrap_err().hint().unwrap_or_default();
    assert_eq!(hint(session.command("NOOP")), "read the greeting first (Session::greeting)");
    session.greeting().unwrap();
    assert_eq!(hint(session.greeting()), "the greeting is the first reply, and comes once");
    assert!(hint(session.command("A\r\nB")).starts_with("a line ends by itself"));
    session.send_line("NOOP").unwrap();
    assert!(hint(session.command("NOOP")).starts_with("read the replies that are due first"));
    session.read_reply().unwrap();
    session.command("DATA").unwrap();
    assert_eq!(hint(session.command("NOOP")), "the server waits for a message (Session::message)");
    drop(session);
    drop(server.join());

    let (server, mut session) = play("S: 220 hi\nS: 250 more");
    while !session.buffered().ends_with(b"more\r\n") {
        session.receive(Duration::from_secs(5)).unwrap();
    }
    let error = session.upgrade_with(|stream| Ok((stream, ()))).unwrap_err();
    assert_eq!(error.hint(), Some("TLS from the first byte begins before anything else is read"));
    drop(server.join());
}

#[test]
fn the_deadline_of_a_whole_session_bounds_each_wait_and_says_that_it_was_this_one() {
    let whole = Duration::from_millis(300);
    let waits: [(&str, Act); 4] = [
        ("C: x", |session| session.greeting().unwrap_err()),
        ("S: 220 hi\nC: NOOP\nC: x", |session| {
            session.greeting().unwrap();
            session.command("NOOP").unwrap_err()
        }),
        ("S: 220 hi\nC: NOOP\nC: x", |session| {
            session.greeting().unwrap();
            session.set_deadline(Some(Instant::now() + Duration::from_millis(50)));
            session.read_line().unwrap_err()
        }),
        ("S: 220 hi\nC: DATA\nS: 354 go\nC: *body*\nC: x", |session| {
            session.greeting().unwrap();
            session.message(&b"hi"[..]).unwrap_err()
        }),
    ];
    for (dialogue, wait) in waits {
        let server = Server::play(dialogue).unwrap();
        let start = Instant::now();
        let mut session = Connect::new("127.0.0.1", server.port()).deadline(whole).open().unwrap();
        let error = wait(&mut session);
        assert!(matches!(error, Error::Timeout { is_overall: true, .. }), "{error:?}");
        assert!(error.to_string().ends_with(" s, the deadline of the whole session"), "{error}");
        // What comes after it waits no more, and neither does closing.
        drop(session.close());
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
        drop(server.join());
    }
    // That of a stage which comes first says nothing of the whole.
    let server = Server::play("C: x").unwrap();
    let timeouts = Timeouts::default().replies(Duration::from_millis(20));
    let connect = Connect::new("127.0.0.1", server.port()).deadline(Duration::from_secs(60)).timeouts(timeouts);
    let error = connect.open().unwrap().greeting().unwrap_err();
    assert!(matches!(error, Error::Timeout { is_overall: false, .. }), "{error:?}");
    drop(server.join());
}

#[test]
fn connecting_meets_the_deadline_of_the_whole_session_too() {
    let hang = Hang::new();
    let connect = Connect::new("127.0.0.1", hang.address.port()).deadline(Duration::from_millis(200));
    let error = connect.open().unwrap_err();
    let Error::Connect { source, attempts, .. } = &error else { panic!("{error:?}") };
    for source in [source, &attempts[0].error] {
        let cause = source.get_ref().and_then(|cause| cause.downcast_ref());
        assert_eq!(cause, Some(&DeadlinePassed), "{source:?}");
    }
    assert!(error.is_timeout() && error.is_temporary());
    assert!(error.chain().ends_with(": timed out at the deadline of the whole session"), "{}", error.chain());
}

#[test]
fn the_chain_of_an_error_is_one_line_without_numbers_of_the_system() {
    let (server, session) = greeted("S: 220 hi\nC: *close*");
    let context = session.overdue(Duration::ZERO).context().unwrap().clone();
    let reset = Error::Io { context, source: io::Error::from_raw_os_error(2) };
    let error = Error::Pipeline { answered: Vec::new(), source: Box::new(reset) };
    let expected = format!(
        "a pipeline broke off after 0 replies: cannot read a reply from 127.0.0.1:{} (command phase): No such file or directory",
        server.port()
    );
    assert_eq!(error.chain(), expected);
    let refused = reply("452 disk full (os error 28), later\r\n", Request::Mail).require(250).unwrap_err();
    let told = "expected 250 in reply to MAIL from x, got \"452 disk full (os error 28), later\"";
    assert_eq!(Error::from(refused).chain(), told, "what the server says is whole");
    drop(session);
    drop(server.join());
}

#[test]
fn what_another_protocol_said_is_in_the_error_and_nowhere_a_second_time() {
    let (server, mut session) = play("S> * OK IMAP4rev1 ready\\r\\n\nS> * BYE\\r\\n\nS: *close*");
    let error = session.read_reply().unwrap_err();
    let Error::OtherProtocol { protocol, partial, .. } = &error else { panic!("{error}") };
    assert_eq!((*protocol, partial.as_slice()), ("IMAP", &b"* OK IMAP4rev1 ready\r\n"[..]));
    assert_eq!(session.read_line().unwrap().unwrap().raw(), b"* BYE\r\n");
    let (mut reader, _) = session.into_raw();
    assert_eq!(reader.receive(&mut [0; 10]).unwrap(), 0);
    server.join().unwrap();
}
