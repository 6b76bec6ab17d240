//! Many sessions in one process, and many commands in one session: nothing is left behind.

use std::thread;

use mconnect_core::server::{Identity, Server, Setup};
use mconnect_core::tls::Config;
use mconnect_core::{Connect, Session};

use super::{Held, alone};

fn open(server: &Server) -> Session {
    let mut session = Connect::new("127.0.0.1", server.port()).open().unwrap();
    session.read_reply().unwrap().require(220).unwrap();
    session
}

/// Has the server keep as much of what was said as it ever does.
fn fill(server: &Server) {
    let mut session = open(server);
    for _ in 0..60 {
        session.pipeline_anyway(std::iter::repeat_n("NOOP", 1000)).unwrap();
    }
    session.quit().unwrap();
}

/// Runs sessions, some at once.
fn run(count: usize, session: impl Fn() + Sync) {
    thread::scope(|scope| {
        for _ in 0..SOME {
            scope.spawn(|| (0..count / SOME).for_each(|_| session()));
        }
    });
}

#[test]
#[ignore = "it takes some seconds"]
fn ten_thousand_sessions_leave_nothing_behind() {
    let _alone = alone();
    let server = Server::start().unwrap();
    let session = || {
        let mut session = open(&server);
        session.command("EHLO client.example").unwrap().require(250).unwrap();
        session.quit().unwrap().require(221).unwrap();
    };
    fill(&server);
    let before = Held::now();
    // What the allocator keeps for so many threads is here after some.
    run(400, session);
    let warm = Held { memory: Held::now().memory, ..before };
    run(10_000, session);
    warm.require_back(2048);
}

#[test]
#[ignore = "it takes some seconds"]
fn a_thousand_sessions_that_go_wrong_leave_nothing_behind() {
    let _alone = alone();
    let server = Setup::new().tls(&Identity::self_signed(["127.0.0.1"])).start().unwrap();
    let config = Config::new();
    let session = || {
        // Inside TLS, refused by us, dropped in the middle of a message, reset.
        let mut session = open(&server);
        session.command("STARTTLS").unwrap().require(220).unwrap();
        let (mut session, _) = session.upgrade(&Config::new().insecure()).unwrap();
        session.command("EHLO client.example").unwrap().require(250).unwrap();
        drop(session);
        let mut session = open(&server);
        session.command("STARTTLS").unwrap().require(220).unwrap();
        session.upgrade(&config).unwrap_err();
        let mut session = open(&server);
        session.pipeline_anyway(["EHLO x", "MAIL FROM:<a@x>", "RCPT TO:<b@x>", "DATA"]).unwrap();
        session.send(b"half a message").unwrap();
        drop(session.split().0);
        open(&server).reset().unwrap();
    };
    fill(&server);
    let before = Held::now();
    run(80, session);
    let warm = Held { memory: Held::now().memory, ..before };
    run(1000, session);
    warm.require_back(4096);
}

#[test]
#[ignore = "it takes some seconds"]
fn a_session_of_a_million_commands_stays_small() {
    let _alone = alone();
    let server = Server::start().unwrap();
    fill(&server);
    let mut session = open(&server);
    let group = || std::iter::repeat_n("NOOP", 1000);
    session.pipeline_anyway(group()).unwrap();
    let before = Held::now();
    for _ in 0..900 {
        assert!(session.pipeline_anyway(group()).unwrap().iter().all(|reply| reply.code() == 250));
    }
    for _ in 0..100_000 {
        session.command("NOOP").unwrap().require(250).unwrap();
    }
    before.require_back(1024);
    session.quit().unwrap().require(221).unwrap();
}

#[test]
#[ignore = "it takes some seconds"]
fn the_memory_that_a_session_inside_tls_takes_is_little() {
    let _alone = alone();
    let server = Setup::new().tls(&Identity::self_signed(["127.0.0.1"])).start().unwrap();
    let session = || {
        let mut session = open(&server);
        session.command("STARTTLS").unwrap().require(220).unwrap();
        let (mut session, _) = session.upgrade(&Config::new().insecure()).unwrap();
        session.command("EHLO client.example").unwrap().require(250).unwrap();
        session
    };
    // What the allocator keeps is here after some.
    drop((0..10).map(|_| session()).collect::<Vec<_>>());
    let before = Held::now();
    let open: Vec<Session> = (0..MANY).map(|_| session()).collect();
    let now = Held::now();
    let each = (now.memory - before.memory) as f64 / MANY as f64;
    println!("before {before:?}, now {now:?}: {each:.0} KiB for both ends of a session, and a thread");
    assert!(each < 160.0, "{each}");
    drop(open);
}

const SOME: usize = 8;

const MANY: usize = 200;
