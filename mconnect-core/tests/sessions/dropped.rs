//! Futures of a session that are dropped before their end: what is due then, and what is never gone on with.

use std::future::{Future, poll_fn};
use std::io::{Read, Write};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

#[cfg(feature = "auth")]
use mconnect_core::auth::{Credentials, Exchange, Mechanism};
use mconnect_core::{AsyncSession, Connect, Error, Timeouts};

use super::awaited::{SHORT, Slow, open, run};
use crate::common::peer;

fn is_unfinished(error: &Error) -> bool {
    matches!(error, Error::Unfinished { .. }) && error.is_temporary() && error.hint().is_some()
}

/// What is done with a session, as one future.
type Act = for<'a> fn(&'a mut AsyncSession) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// What a server says, and what it reads then.
type Steps = &'static [(&'static str, &'static str)];

/// A server that says each of these and reads what belongs to it, and then tells that it has; when it is told to, it says
/// the rest, and returns what it has read up to the end.
fn pausing(steps: Steps, then: &'static str) -> (u16, Arc<AtomicBool>, Sender<()>, JoinHandle<String>) {
    let (is_there, (here, gone)) = (Arc::new(AtomicBool::new(false)), channel());
    let all_read = Arc::clone(&is_there);
    let (port, thread) = peer(move |mut stream| {
        for (says, reads) in steps {
            stream.write_all(says.as_bytes()).unwrap();
            let mut came = vec![0; reads.len()];
            stream.read_exact(&mut came).unwrap();
            assert_eq!(String::from_utf8_lossy(&came), *reads);
        }
        all_read.store(true, Ordering::Release);
        let _ = gone.recv();
        let _ = stream.write_all(then.as_bytes());
        let mut came = Vec::new();
        let _ = stream.read_to_end(&mut came);
        String::from_utf8_lossy(&came).into_owned()
    });
    (port, is_there, here, thread)
}

/// Polls a future until the other end has come as far as it does without it, and what it said last has been read.
async fn poll_until(mut work: Pin<&mut dyn Future<Output = ()>>, is_there: &AtomicBool) {
    let mut times_left = 3;
    while times_left > 0 {
        times_left -= i32::from(is_there.load(Ordering::Acquire));
        let is_pending = poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_pending())).await;
        assert!(is_pending, "it waits for what the server has not said");
        // The runtime looks at its sockets.
        tokio::task::yield_now().await;
    }
}

#[test]
fn wherever_a_future_that_awaits_replies_is_dropped_these_are_due_and_nothing_goes_out_before_they_are_read() {
    type Case = (&'static str, Steps, Act, usize, &'static str);
    #[rustfmt::skip]
    let cases: &[Case] = &[
        ("a greeting", &[],
            |session| Box::pin(async { drop(session.greeting().await) }), 1, "220 hi\r\n"),
        ("half a greeting", &[("220-h", "")],
            |session| Box::pin(async { drop(session.read_reply().await) }), 1, "i\r\n220 there\r\n"),
        ("a line", &[("22", "")],
            |session| Box::pin(async { drop(session.read_line().await) }), 1, "0 hi\r\n"),
        ("EHLO", &[("220 hi\r\n", "EHLO x\r\n")],
            |session| Box::pin(async { drop(session.hello("x").await) }), 1, "250-mx\r\n250 SIZE\r\n"),
        ("HELO after EHLO", &[("220 hi\r\n", "EHLO x\r\n"), ("502 what\r\n", "HELO x\r\n")],
            |session| Box::pin(async { drop(session.hello("x").await) }), 1, "250 mx\r\n"),
        ("a command", &[("220 hi\r\n", "NOOP\r\n")],
            |session| Box::pin(async { drop(session.command("NOOP").await) }), 1, "250 ok\r\n"),
        ("a group's first", &[("220 hi\r\n", "MAIL FROM:<>\r\n")],
            |session| Box::pin(async { drop(session.pipeline(["MAIL FROM:<>", "RCPT TO:<a>"]).await) }), 1, "250 ok\r\n"),
        ("a group's last", &[("220 hi\r\n", "MAIL FROM:<>\r\n"), ("250 ok\r\n", "RCPT TO:<a>\r\n")],
            |session| Box::pin(async { drop(session.pipeline(["MAIL FROM:<>", "RCPT TO:<a>"]).await) }), 1, "250 ok\r\n"),
        ("a group", &[("220 hi\r\n", "A\r\nB\r\nC\r\n"), ("250 ok\r\n250-s", "")],
            |session| Box::pin(async { drop(session.pipeline_anyway(["A", "B", "C"]).await) }), 2, "o\r\n250 far\r\n250 ok\r\n"),
        ("DATA", &[("220 hi\r\n", "DATA\r\n")],
            |session| Box::pin(async { drop(session.message(&b"hi\n"[..]).await) }), 1, "451 no\r\n"),
        ("the dot", &[("220 hi\r\n", "DATA\r\n"), ("354 go\r\n", "hi\r\n.\r\n")],
            |session| Box::pin(async { drop(session.message(&b"hi\n"[..]).await) }), 1, "250 ok\r\n"),
        #[cfg(feature = "auth")]
        ("AUTH", &[("220 hi\r\n", "AUTH PLAIN AHUAcA==\r\n")], |session| Box::pin(async {
            let exchange = Exchange::new(Mechanism::Plain, &Credentials::new("u", "p"));
            drop(session.authenticate(exchange).await);
        }), 1, "535 no\r\n"),
    ];
    for (what, steps, act, due, then) in cases {
        let (port, is_there, here, thread) = pausing(steps, then);
        run(async {
            let timeouts = Timeouts::default().closing(SHORT);
            let mut session = Connect::new("127.0.0.1", port).timeouts(timeouts).open_async().await.unwrap();
            if steps.iter().any(|(_, reads)| !reads.is_empty()) {
                session.greeting().await.unwrap();
            }
            poll_until(act(&mut session).as_mut(), &is_there).await;
            let error = session.command("RSET").await.unwrap_err();
            assert!(matches!(error, Error::OutOfStep { outstanding, .. } if outstanding == *due), "{what}: {error}");
            here.send(()).unwrap();
            for _ in 0..*due {
                session.read_reply().await.unwrap();
            }
            assert_eq!(session.outstanding(), 0, "{what}");
            assert!(session.close().await.unwrap().is_empty(), "{what}");
        });
        drop(here);
        assert_eq!(thread.join().unwrap(), "", "{what}");
    }
}

#[test]
fn wherever_a_future_that_sends_is_dropped_every_later_call_says_so() {
    let cases: [(&str, Act); 5] = [
        ("send", |session| Box::pin(async { drop(session.send(&flood()).await) })),
        ("a line", |session| Box::pin(async { drop(session.send_line(flood()).await) })),
        ("a command", |session| Box::pin(async { drop(session.command(flood()).await) })),
        ("a group", |session| Box::pin(async { drop(session.pipeline_anyway([flood(), flood()]).await) })),
        ("a message", |session| Box::pin(async { drop(session.message(&flood()[..]).await) })),
    ];
    for (what, act) in cases {
        let (port, is_there, here, thread) = pausing(
            if what == "a message" {
                &[("220 hi\r\n", "DATA\r\n"), ("354 go\r\n", "xxx")]
            } else {
                &[("220 hi\r\n", "xxx")]
            },
            "",
        );
        run(async {
            let mut session = open(port).await;
            poll_until(act(&mut session).as_mut(), &is_there).await;
            assert!(is_unfinished(&session.command("NOOP").await.unwrap_err()), "{what}");
            assert!(is_unfinished(&session.read_reply().await.unwrap_err()), "{what}");
            assert!(is_unfinished(&session.read_line().await.unwrap_err()), "{what}");
            assert!(is_unfinished(&session.send(b".\r\n").await.unwrap_err()), "{what}");
            assert!(is_unfinished(&session.pipeline(["NOOP"]).await.unwrap_err()), "{what}");
            let error = session.message(&b"Subject: hi\n"[..]).await.unwrap_err();
            assert!(is_unfinished(&error), "{what}");
            let told = error.to_string();
            assert!(told.starts_with(&format!("will not write to 127.0.0.1:{port}")), "{told}");
            assert!(told.ends_with("given up on its way"), "{told}");
            let start = Instant::now();
            drop(session.close().await);
            assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
        });
        drop(here);
        let came = thread.join().unwrap();
        let is_flood = came.len() < flood().len() && came.bytes().all(|octet| octet == b'x');
        assert!(is_flood, "{what}: {} octets, and nothing else was sent", came.len());
    }
}

/// More than any system's buffers hold.
fn flood() -> Vec<u8> {
    vec![b'x'; 16 << 20]
}

#[test]
fn a_future_that_has_the_session_takes_it_along_when_it_is_dropped() {
    type End = fn(AsyncSession) -> Pin<Box<dyn Future<Output = ()>>>;
    let cases: [(&str, Steps, End); 2] = [
        ("quit", &[("220 hi\r\n", "QUIT\r\n")], |session| Box::pin(async { drop(session.quit().await) })),
        ("close", &[("220 hi\r\n", "")], |session| Box::pin(async { drop(session.close().await) })),
    ];
    for (what, steps, end) in cases {
        let (port, is_there, here, thread) = pausing(steps, "");
        run(async {
            let timeouts = Timeouts::default().closing(Duration::from_secs(60));
            let mut session = Connect::new("127.0.0.1", port).timeouts(timeouts).open_async().await.unwrap();
            session.greeting().await.unwrap();
            poll_until(end(session).as_mut(), &is_there).await;
        });
        drop(here);
        assert_eq!(thread.join().unwrap(), "", "{what}: the server sees the end");
    }
    run(async {
        // Resolving is left behind.
        let connect = Connect::new("localhost", 1);
        let mut opening = pin!(connect.open_async());
        assert!(poll_fn(|context| Poll::Ready(opening.as_mut().poll(context).is_pending())).await);
    });
}

#[test]
fn a_message_dropped_between_its_blocks_is_never_gone_on_with() {
    let (port, _, here, thread) = pausing(&[("220 hi\r\n", "DATA\r\n"), ("354 go\r\n", "")], "");
    run(async {
        let mut session = open(port).await;
        let is_over = Arc::new(AtomicBool::new(false));
        {
            let slow = Slow { left: 100_000, is_over: Arc::clone(&is_over) };
            let message = tokio::time::timeout(SHORT, session.message(slow)).await;
            assert!(message.is_err(), "the source has no end");
        }
        assert!(is_unfinished(&session.message(&b"Subject: another\n"[..]).await.unwrap_err()));
        let error = session.command("QUIT").await.unwrap_err();
        assert!(matches!(error, Error::OutOfStep { outstanding: 0, .. }), "{error}");
    });
    drop(here);
    let came = thread.join().unwrap();
    assert!(came.starts_with("xxx") && !came.ends_with(".\r\n"));
}
