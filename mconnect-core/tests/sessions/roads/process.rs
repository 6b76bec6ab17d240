//! A process as the server.

use std::time::{Duration, Instant};

use mconnect_core::diagnosis::{Evidence, Facts};
use mconnect_core::{Connect, Error};

use super::{Log, patient};
use crate::common::driven::DRIVERS;

/// Says whether a process of this number is there, a zombie too.
fn is_there(pid: &str) -> bool {
    std::fs::exists(format!("/proc/{pid}")).unwrap()
}

#[test]
fn a_process_is_talked_to_its_standard_error_is_told_and_its_exit_status_at_the_end() {
    for driver in DRIVERS {
        let log = Log::default();
        let server = "echo 220 $$; read line; echo \"$line?\" >&2; echo 250 ok; read quit; echo 221 bye; exit 7";
        let mut session = driver.open(&log.watch(Connect::spawn(server)).timeouts(patient())).unwrap();
        let pid = session.greeting().unwrap().text_lossy();
        assert!(is_there(&pid), "{pid}");
        assert_eq!((session.peer().name(), session.peer().address()), (server, None));
        session.command("NOOP").unwrap().require(250).unwrap();
        session.quit().unwrap().require(221).unwrap();
        let told = log.until("ended");
        assert_eq!(told[2..], ["said NOOP\\r?", "ended, exit status: 7"], "{driver:?}");
        assert!(!is_there(&pid), "{driver:?}: it is a zombie");
    }
}

#[test]
fn processes_that_misbehave_end_all_the_same_and_the_session_with_an_error() {
    for driver in DRIVERS {
        // What it does, how it ends, and what is found.
        for (command, ended, cause) in [
            ("exit 3", "exit status: 3", Some("process_failed")),
            ("exit 0", "exit status: 0", Some("closed_at_once")),
            ("kill -9 $$", "signal: 9 (SIGKILL)", Some("process_failed")),
            ("no-such-command-xyz", "exit status: 127", Some("command_not_found")),
            ("echo oops >&2; exec 0<&- 1>&-; exit 2", "exit status: 2", Some("process_failed")),
            ("yes error | head -c 3000000 >&2; exit 4", "exit status: 4", Some("process_failed")),
            ("exec 0<&- 1>&-; exec sleep 60", "signal: 9 (SIGKILL)", None),
            ("trap '' HUP TERM; exec 0<&- 1>&-; while :; do sleep 0.1; done", "signal: 9 (SIGKILL)", None),
            // A child of its own keeps standard error.
            ("sleep 3 & exit 5", "exit status: 5", None),
        ] {
            let (log, evidence) = (Log::default(), Evidence::new());
            let connect = log.watch(Connect::spawn(command)).observer(evidence.clone()).timeouts(patient());
            let start = Instant::now();
            let mut session = driver.open(&connect).unwrap();
            if let Err(error) = session.greeting() {
                evidence.failed(&error);
                assert!(error.to_string().contains(command), "{error}");
            }
            drop(session);
            let told = log.until("ended");
            assert!(told.last().unwrap().ends_with(ended), "{command}: {told:?}");
            assert!(start.elapsed() < Duration::from_secs(8), "{command}");
            let found = evidence.findings(&Facts::new()).first().map(|found| found.cause.id());
            assert!(cause.is_none() || found == cause, "{driver:?}, {command}: {found:?}");
        }
    }
}

#[test]
fn a_process_that_never_reads_meets_the_deadline_of_writing_and_one_that_never_speaks_that_of_the_greeting() {
    for driver in DRIVERS {
        let mut timeouts = patient().replies(Duration::from_millis(300));
        timeouts.block = Duration::from_millis(300);
        let connect = Connect::spawn("echo 220 hi; exec sleep 60").timeouts(timeouts);
        let mut session = driver.open(&connect).unwrap();
        session.greeting().unwrap();
        let error = loop {
            match session.send(&[b'x'; 65536]) {
                Ok(()) => {}
                Err(error) => break error,
            }
        };
        assert!(error.is_timeout(), "{driver:?}: {error}");
        drop(session);
        let mut session = driver.open(&Connect::spawn("exec sleep 60").timeouts(timeouts)).unwrap();
        assert!(session.greeting().unwrap_err().is_timeout());
    }
}

#[test]
fn a_shell_that_cannot_be_started_is_an_error_of_connecting() {
    for driver in DRIVERS {
        let log = Log::default();
        let connect = Connect::spawn("true").spawn_by(|_| Err(std::io::ErrorKind::PermissionDenied.into()));
        let error = driver.open(&log.watch(connect)).unwrap_err();
        assert_eq!(error.chain(), "cannot connect to true: permission denied");
        assert_eq!(log.0.lock().unwrap().last().unwrap(), "failed: permission denied, false");
    }
}

#[test]
fn a_closer_ends_the_session_with_a_process() {
    let mut session = Connect::spawn("echo 220 hi; exec sleep 60").timeouts(patient()).open().unwrap();
    session.greeting().unwrap();
    let closer = session.closer();
    let closing = std::thread::spawn(move || closer.close());
    assert!(matches!(session.read_line(), Err(Error::Aborted { .. })));
    closing.join().unwrap();
}

#[test]
fn a_session_goes_to_a_process_again_and_again_and_each_is_another_one() {
    let connect = Connect::spawn("echo 220 $$").timeouts(patient());
    let greeting = || connect.open().unwrap().greeting().unwrap().to_string();
    assert_ne!(greeting(), greeting());
}
