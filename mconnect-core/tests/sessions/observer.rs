//! What observers are told, and what not.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use mconnect_core::server::Server;
use mconnect_core::{Connect, Event, Observer, TimedStage, Timings, observer_fn};

/// What an observer noted, in words.
type Notes = Arc<Mutex<Vec<String>>>;

fn noting(
    host: &str,
    port: u16,
    note: impl Fn(&Event<'_>) -> Option<String> + Send + Sync + 'static,
) -> (Connect, Notes) {
    let notes = Notes::default();
    let theirs = Arc::clone(&notes);
    let observer = observer_fn(move |_, event| theirs.lock().unwrap().extend(note(event)));
    (Connect::new(host, port).observer(observer), notes)
}

fn end(event: &Event<'_>) -> Option<String> {
    match event {
        Event::Ended => Some("ended".to_owned()),
        Event::Aborted => Some("aborted".to_owned()),
        _ => None,
    }
}

#[test]
fn an_observer_is_told_which_side_closed() {
    let server = Server::start().unwrap();
    let (connect, notes) = noting("127.0.0.1", server.port(), end);
    let mut session = connect.open().unwrap();
    session.read_reply().unwrap();
    session.closer().close();
    assert!(session.read_reply().is_err());
    assert_eq!(*notes.lock().unwrap(), ["aborted"]);

    let server = Server::play("S: 220 hi\nS: *close*").unwrap();
    let (connect, notes) = noting("127.0.0.1", server.port(), end);
    let mut session = connect.open().unwrap();
    session.read_reply().unwrap();
    assert!(session.read_line().unwrap().is_none());
    assert_eq!(*notes.lock().unwrap(), ["ended"]);
}

#[test]
fn an_observer_is_told_of_the_end_once_however_often_it_is_read() {
    let server = Server::play("S: 220 hi\nS: *close*").unwrap();
    let (connect, notes) = noting("127.0.0.1", server.port(), end);
    let (mut reader, _writer) = connect.open().unwrap().into_raw();
    let mut buffer = [0; 64];
    while reader.receive(&mut buffer).unwrap() > 0 {}
    assert_eq!(reader.receive(&mut buffer).unwrap(), 0);
    assert_eq!(*notes.lock().unwrap(), ["ended"]);
}

#[test]
fn what_is_hidden_is_not_shown() {
    let server = Server::start().unwrap();
    let (connect, notes) = noting("127.0.0.1", server.port(), |event| match event {
        Event::Sent(bytes) => Some(bytes.escape_ascii().to_string()),
        Event::SentSecret(count) => Some(format!("[{count}]")),
        _ => None,
    });
    let mut session = connect.open().unwrap();
    session.hide("hush");
    session.read_reply().unwrap();
    session.pipeline_anyway(["NOOP", "XLOGIN me hush!", "RSET"]).unwrap();
    assert_eq!(*notes.lock().unwrap(), ["NOOP\\r\\n", "XLOGIN me ", "[7]", "RSET\\r\\n"]);
}

#[test]
fn a_name_and_its_addresses_are_told() {
    let server = Server::start().unwrap();
    let note = |event: &Event<'_>| match event {
        Event::Resolving { host } => Some(format!("resolving {host}")),
        Event::Resolved { result: Ok(addresses), .. } => {
            Some(format!("found {}", addresses.iter().any(|address| address.ip().is_loopback())))
        }
        Event::Resolved { result: Err(_), .. } => Some("not found".to_owned()),
        _ => None,
    };
    let (connect, notes) = noting("localhost", server.port(), note);
    connect.open().unwrap();
    assert_eq!(*notes.lock().unwrap(), ["resolving localhost", "found true"]);
    let (connect, notes) = noting("nonexistent.invalid", server.port(), note);
    connect.open().unwrap_err();
    assert_eq!(*notes.lock().unwrap(), ["resolving nonexistent.invalid", "not found"]);
}

#[test]
fn timings_of_a_session_add_up() {
    let server = Server::play("S: *pause 30 ms*\nS: 220 hi\nC: NOOP\nS: *pause 20 ms*\nS: 250 ok").unwrap();
    let (timings, start) = (Timings::new(), Instant::now());
    let mut session = Connect::new("127.0.0.1", server.port()).observer(timings.clone()).open().unwrap();
    session.read_reply().unwrap();
    session.command("NOOP").unwrap();
    let elapsed = start.elapsed();
    let all = timings.all();
    let stages: Vec<&TimedStage> = all.iter().map(|timing| &timing.stage).collect();
    assert_eq!(stages, [&TimedStage::Connect, &TimedStage::Greeting, &TimedStage::Command("NOOP".to_owned())]);
    assert_eq!(all[2].code.unwrap(), 250);
    assert_eq!(timings.last_reply(), Some(all[2].took));
    assert!(all.windows(2).all(|pair| pair[0].start + pair[0].took <= pair[1].start), "{all:?}");
    let sum: std::time::Duration = all.iter().map(|timing| timing.took).sum();
    assert!(sum <= elapsed && sum.as_millis() >= 45, "{all:?}");
}

#[test]
fn a_second_observer_is_told_too_and_an_arc_of_one_is_one() {
    let server = Server::play("S: 220 hi").unwrap();
    let told = Notes::default();
    let noting = |name: &'static str| {
        let told = Arc::clone(&told);
        observer_fn(move |_, event| {
            if let Event::Received(line) = event {
                told.lock().unwrap().push(format!("{name} {line}"));
            }
        })
    };
    let shared = Arc::new(noting("shared"));
    let connect = Connect::new("127.0.0.1", server.port()).observer(noting("first")).observer(Arc::clone(&shared));
    let erased: Arc<dyn Observer> = shared;
    connect.observer(erased).open().unwrap().greeting().unwrap();
    assert_eq!(*told.lock().unwrap(), ["first 220 hi", "shared 220 hi", "shared 220 hi"]);
    server.join().unwrap();
}

#[test]
fn an_observer_sees_everything_but_secrets() {
    let server = Server::play(
        "S: 220 hi\nC: AUTH PLAIN AGEAYg==\nS: 334 more\nC: c2VjcmV0\nS: 235 ok\nC: DATA\nS: 354 go\nC: *body*\nS: 250 ok\nC: QUIT\nS: 221 bye",
    )
    .unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let mut session = Connect::new("127.0.0.1", server.port())
        .observer(observer_fn(move |_, event| {
            let note = match event {
                Event::Connecting { .. } => "connecting".to_owned(),
                Event::Connected { .. } => "connected".to_owned(),
                Event::Sent(bytes) => format!("C {}", bytes.escape_ascii()),
                Event::SentSecret(size) => format!("C [{size} hidden]"),
                Event::Received(line) => format!("S {line}"),
                Event::Replied { answer, outstanding } => {
                    format!("{} to {}, {outstanding} due", answer.code, answer.request.unwrap())
                }
                Event::Phase(phase) => format!("= {phase}"),
                Event::HalfClosed => "half-closed".to_owned(),
                Event::Ended => "ended".to_owned(),
                other => format!("{other:?}"),
            };
            notes.lock().unwrap().push(note);
        }))
        .open()
        .unwrap();
    session.read_reply().unwrap();
    session.command("AUTH PLAIN AGEAYg==").unwrap();
    session.command("c2VjcmV0").unwrap();
    session.message(&b"hi\n"[..]).unwrap().require(250).unwrap();
    session.quit().unwrap();
    server.join().unwrap();
    let seen = seen.lock().unwrap().join("\n");
    let expected = "connecting\nconnected\nS 220 hi\n220 to connecting, 0 due\n= command\nC AUTH PLAIN \nC [10 hidden]\n\
         = AUTH\nS 334 more\n334 to AUTH, 0 due\nC [10 hidden]\nS 235 ok\n235 to the answer in AUTH, 0 due\n= command\n\
         C DATA\\r\\n\n= DATA\nS 354 go\n354 to DATA, 0 due\nC hi\\r\\n.\\r\\n\n= command\n\
         S 250 ok\n250 to the end of data, 0 due\nC QUIT\\r\\n\nS 221 bye\n221 to QUIT, 0 due\nhalf-closed\nended\n= closed";
    assert_eq!(seen, expected);
}
