//! Scripts that are driven over sessions.

use std::time::{Duration, Instant};

use mconnect_core::script::{End, Next, Pace, Rules};
use mconnect_core::server::Server;
use mconnect_core::{Driver, Ended, Error, Session, Timeouts};

use super::{connect, play};
use crate::common::peer;

/// Drives a whole script, and returns what it asked for on the way, and what the server said.
fn drive(driver: &mut Driver, session: &mut Session, script: &str) -> (Vec<Next>, Result<(), Error>, String) {
    let (mut input, mut asked, mut said) = (script.as_bytes(), Vec::new(), String::new());
    loop {
        match driver.run(session, &mut input, |line| said += &String::from_utf8_lossy(line)) {
            Ok(next) => asked.push(next),
            Err(error) => return (asked, Err(error), said),
        }
        match asked.last() {
            Some(Next::Skipped(_)) => {}
            Some(Next::Input) if !driver.is_input_over => driver.end_input(session),
            _ => return (asked, Ok(()), said),
        }
    }
}

#[test]
fn a_script_goes_in_step_with_the_replies_and_its_last_line_needs_no_end() {
    let (server, mut session) =
        play("S: 220 hi\nC: EHLO me\nS: 250-x\nS: 250 y\nC: MAIL FROM:<a@b.example>\nS: 250 ok\nC: RSET");
    let mut driver = Driver::new(Rules::new(Pace::InStep));
    let (asked, done, said) = drive(&mut driver, &mut session, "EHLO me\nMAIL FROM:<a@b.example>\nRSET");
    let error = done.unwrap_err().to_string();
    assert!(error.starts_with("no reply to RSET from 127.0.0.1:"), "{error}");
    assert_eq!((asked, said.as_str()), (vec![Next::Input], "220 hi\r\n250-x\r\n250 y\r\n250 ok\r\n"));
    assert_eq!(driver.transaction().envelope().0.as_deref(), Some("<a@b.example>"));
    assert_eq!((driver.sent(), driver.received()), ((40, 0), said.len() as u64));
    assert_eq!(driver.last_reply(), Some(&b"250 ok"[..]));
    drop(session);
    server.join().unwrap();
}

#[test]
fn what_ends_a_script_is_kept_with_the_words_that_did_it() {
    let (server, mut session) = play("S: 554-no mail\nS: 554 here\nC: QUIT\nS: 221 bye");
    let mut driver = Driver::new(Rules::new(Pace::InStep));
    let (asked, done, _) = drive(&mut driver, &mut session, "EHLO me\nQUIT\n");
    done.unwrap();
    assert_eq!(asked, [Next::End]);
    assert!(driver.script.end().is_some_and(End::says_quit));
    assert_eq!((driver.last_words().as_deref(), driver.script.unsent().lines()), (Some("554 here"), 2));
    driver.send(&mut session, b"QUIT\r\n").unwrap();
    assert!(driver.is_ending(&session), "a QUIT beside the script counts");
    while driver.ended.is_none() {
        driver.wait(&mut session).unwrap();
        while driver.hear(&mut session).is_some() {}
    }
    assert!(matches!(driver.ended, Some(Ended::Closed)));
    assert_eq!(driver.how_it_ended(&session), "the server closed after 221");
    server.join().unwrap();
}

#[test]
fn a_server_that_closes_early_is_heard_out_before_the_failed_write_is_told() {
    let (server, mut session) =
        play("S: 220 hi\nC: EHLO me\nS: 250 x\nC: DATA\nS: 354 go\nS: 552 too much\nS: *close*");
    let mut driver = Driver::new(Rules::new(Pace::InStep));
    let body = "x".repeat(70) + "\n";
    let (_, done, said) = drive(&mut driver, &mut session, &format!("EHLO me\nDATA\n{}.\n", body.repeat(400_000)));
    assert!(done.is_err() || driver.ended.is_some(), "{done:?}");
    assert!(said.ends_with("552 too much\r\n"), "{said}");
    drop(session);
    let _ = server.join();
}

#[test]
fn an_empty_line_may_go_unanswered_and_any_other_reply_is_missed_by_name() {
    let server = Server::play("S: 220 hi\nC: \nC: NOOP\nC: *close*").unwrap();
    let timeouts = Timeouts::default().replies(Duration::from_millis(100));
    let mut session = connect(&server).timeouts(timeouts).open().unwrap();
    let mut driver = Driver::new(Rules::new(Pace::InStep));
    let begun = Instant::now();
    let (asked, done, _) = drive(&mut driver, &mut session, "\nNOOP\n");
    assert_eq!(asked, [], "NOOP is waited for");
    let error = done.unwrap_err().to_string();
    assert!(error.starts_with("no reply to NOOP from 127.0.0.1:"), "{error}");
    assert!(begun.elapsed() >= Duration::from_millis(200), "each had its time");
    drop(session);
    server.join().unwrap();
}

#[test]
fn a_wait_comes_back_at_its_time_and_a_reply_that_is_dripped_meets_its_deadline_all_the_same() {
    let (port, dripping) =
        peer(|mut stream| while std::io::Write::write_all(&mut stream, b"220-and more\r\n").is_ok() {});
    let timeouts = Timeouts::default().replies(Duration::from_millis(200));
    let mut session = mconnect_core::Connect::new("127.0.0.1", port).timeouts(timeouts).open().unwrap();
    let mut driver = Driver::new(Rules::new(Pace::InStep));
    let begun = Instant::now();
    let error = loop {
        match driver.wait_until(&mut session, Some(Instant::now() + Duration::from_millis(10))) {
            Ok(_) => while driver.hear(&mut session).is_some() {},
            Err(error) => break error,
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "it never ends");
    };
    assert!(error.is_timeout() && begun.elapsed() >= Duration::from_millis(200), "{error}");
    drop(session);
    dripping.join().unwrap();

    let (server, mut session) = play("S: 220 hi\nC: NOOP\nC: *close*");
    let mut driver = Driver::new(Rules::new(Pace::Typed));
    driver.wait(&mut session).unwrap();
    while driver.hear(&mut session).is_some() {}
    driver.send(&mut session, b"NOOP\r\n").unwrap();
    let soon = Instant::now() + Duration::from_millis(20);
    assert!(!driver.wait_until(&mut session, Some(soon)).unwrap(), "nothing came");
    assert!(Instant::now() >= soon);
    drop(session);
    let _ = server.join();
}

#[test]
fn a_grant_of_starttls_is_the_callers_and_nothing_is_heard_before() {
    let (server, mut session) = play("S: 220 hi\nC: STARTTLS\nS: 220 go\nS: 250 injected");
    let mut driver = Driver::new(Rules::new(Pace::InStep));
    let (asked, done, said) = drive(&mut driver, &mut session, "STARTTLS\nNOOP\n");
    done.unwrap();
    assert_eq!((asked, said.as_str()), (vec![Next::StartTls], "220 hi\r\n220 go\r\n"));
    assert!(driver.is_tls_due(&session) && driver.hear(&mut session).is_none());
    drop(session);
    let _ = server.join();
}
