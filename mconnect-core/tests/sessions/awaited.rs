//! What only a session that is awaited can show: futures that are dropped before their end, messages from a slow source,
//! many sessions in one thread.

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

#[cfg(feature = "auth")]
use mconnect_core::auth::{Credentials, Exchange, Mechanism};
use mconnect_core::server::{Server, Setup};
use mconnect_core::{AsyncSession, Closer, Connect, Error, Timeouts};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::UnixStream;

const SHORT: Duration = Duration::from_millis(200);

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

async fn open(port: u16) -> AsyncSession {
    let timeouts = Timeouts::default().replies(Duration::from_secs(5)).closing(SHORT);
    let mut session = Connect::new("127.0.0.1", port).timeouts(timeouts).open_async().await.unwrap();
    session.greeting().await.unwrap().require(220).unwrap();
    session
}

/// Polls a future until it waits for something, and says whether it does.
async fn begin(work: &mut Pin<&mut impl Future>, times: usize) -> bool {
    for _ in 0..times {
        let is_pending = std::future::poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_pending())).await;
        if !is_pending {
            return false;
        }
        tokio::task::yield_now().await;
    }
    true
}

/// A server that says this, reads so much, says more when it is told to, and reads on when the sender is gone; it returns
/// what it has read.
fn stubborn(says: &'static [u8], reads: usize, then: &'static [u8]) -> (u16, Sender<()>, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (here, gone) = channel();
    let thread = thread::spawn(move || {
        let mut stream: TcpStream = listener.accept().unwrap().0;
        stream.write_all(says).unwrap();
        let mut came = vec![0; reads];
        stream.read_exact(&mut came).unwrap();
        let _ = gone.recv();
        let _ = stream.write_all(then);
        let _ = gone.recv();
        let _ = stream.read_to_end(&mut came);
        came
    });
    (port, here, thread)
}

/// A message that gives these octets and then nothing until it is told to end.
struct Slow {
    left: usize,
    is_over: Arc<AtomicBool>,
}

impl AsyncRead for Slow {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 && !self.is_over.load(Ordering::Relaxed) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let count = self.left.min(buffer.remaining());
        buffer.put_slice(&vec![b'x'; count]);
        self.left -= count;
        Poll::Ready(Ok(()))
    }
}

fn is_unfinished(error: &Error) -> bool {
    matches!(error, Error::Unfinished { .. }) && error.is_temporary() && error.hint().is_some()
}

#[test]
fn a_future_dropped_in_the_middle_of_a_send_leaves_a_session_that_says_so_at_every_call() {
    let (port, here, thread) = stubborn(b"220 hi\r\n", 0, b"");
    run(async {
        let mut session = open(port).await;
        {
            let block = vec![b'x'; 64 << 20];
            let mut send = pin!(session.send(&block));
            assert!(begin(&mut send, 3).await, "the server reads nothing");
        }
        assert!(is_unfinished(&session.command("NOOP").await.unwrap_err()));
        assert!(is_unfinished(&session.send(b"x").await.unwrap_err()));
        assert!(is_unfinished(&session.read_reply().await.unwrap_err()));
        assert!(is_unfinished(&session.read_line().await.unwrap_err()));
        assert!(is_unfinished(&session.pipeline(["NOOP"]).await.unwrap_err()));
        let error = session.message(&b"Subject: hi\n"[..]).await.unwrap_err();
        assert!(is_unfinished(&error));
        let told = format!("will not write to 127.0.0.1:{port}");
        assert!(error.to_string().starts_with(&told) && error.to_string().ends_with("given up on its way"), "{error}");
        let start = Instant::now();
        drop(session.close().await);
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    });
    drop(here);
    let came = thread.join().unwrap();
    assert!(came.iter().all(|byte| *byte == b'x'), "nothing else was sent");
}

/// What is done with a session, as one future.
type Act = for<'a> fn(&'a mut AsyncSession) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// What a server says, and what it reads then.
type Steps = &'static [(&'static str, &'static str)];

/// A server that says each of these and reads what belongs to it, and then tells that it has; when it is told to, it says
/// the rest, and returns what it has read up to the end.
fn pausing(steps: Steps, then: &'static str) -> (u16, Arc<AtomicBool>, Sender<()>, JoinHandle<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (is_there, (here, gone)) = (Arc::new(AtomicBool::new(false)), channel());
    let all_read = Arc::clone(&is_there);
    let thread = thread::spawn(move || {
        let mut stream: TcpStream = listener.accept().unwrap().0;
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
        let is_pending = std::future::poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_pending())).await;
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
            assert!(is_unfinished(&session.send(b".\r\n").await.unwrap_err()), "{what}");
        });
        drop(here);
        let came = thread.join().unwrap();
        assert!(came.len() < flood().len() && !came.contains('.'), "{what}: {} octets", came.len());
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
        assert!(begin(&mut pin!(connect.open_async()), 1).await);
    });
}

#[test]
fn replies_cut_at_every_byte_are_the_same_replies() {
    let said = b"220-hi\r\n220 \x00there\n250-mx\r\n250-SIZE 7\r\n250 \r\n421 bye\r\n";
    for cut in 1..said.len() {
        run(async {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let mut theirs = theirs.into_std().unwrap();
            let mut session = Connect::new("lmtp.sock", 24).over_async(ours);
            session.send_line("EHLO x").await.unwrap();
            session.send_line("NOOP").await.unwrap();
            theirs.write_all(&said[..cut]).unwrap();
            let replies = async {
                let mut replies = Vec::new();
                while replies.len() < 3 {
                    replies.push(session.read_reply().await.unwrap());
                }
                replies
            };
            let rest = async {
                // What there is has been read by then: the other was polled first.
                tokio::task::yield_now().await;
                theirs.write_all(&said[cut..]).unwrap();
            };
            let (replies, ()) = tokio::join!(biased; replies, rest);
            let texts: Vec<_> = replies.iter().map(mconnect_core::protocol::Reply::text).collect();
            assert_eq!(texts, [&b"hi\n\0there"[..], b"mx\nSIZE 7\n", b"bye"], "cut at {cut}");
        });
    }
}

#[test]
fn a_message_dropped_between_its_blocks_is_never_gone_on_with() {
    let (port, here, thread) = stubborn(b"220 hi\r\n", 6, b"354 go\r\n");
    here.send(()).unwrap();
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
    assert!(came.starts_with(b"DATA\r\nxxx") && !came.ends_with(b".\r\n"));
}

#[test]
fn a_blocking_message_that_could_not_be_read_on_is_never_gone_on_with_either() {
    let (port, here, thread) = stubborn(b"220 hi\r\n", 6, b"354 go\r\n");
    here.send(()).unwrap();
    let mut session = Connect::new("127.0.0.1", port).open().unwrap();
    session.greeting().unwrap();
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let broken = io::repeat(b'x').take(100_000).chain(Broken);
    assert!(matches!(session.message(broken).unwrap_err(), Error::Message { .. }));
    assert!(is_unfinished(&session.message(&b"Subject: another\n"[..]).unwrap_err()));
    drop((session, here));
    assert!(!thread.join().unwrap().ends_with(b".\r\n"));
}

#[test]
fn a_message_from_a_slow_source_does_not_hold_up_the_runtime_and_meets_the_deadline_of_the_session() {
    let server = Server::start().unwrap();
    run(async {
        let mut session = open(server.port()).await;
        session.hello("client.example").await.unwrap().require().unwrap();
        session.command("MAIL FROM:<a@example.org>").await.unwrap();
        session.command("RCPT TO:<b@example.org>").await.unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let slow = Slow { left: 10, is_over: Arc::clone(&is_over) };
        let sending = session.message(slow);
        let other = async {
            // Another session in the same thread, from beginning to end.
            let other = open(server.port()).await;
            other.quit().await.unwrap().require(221).unwrap();
            is_over.store(true, Ordering::Relaxed);
        };
        let (sent, ()) = tokio::join!(sending, other);
        sent.unwrap().require(250).unwrap();

        session.command("MAIL FROM:<a@example.org>").await.unwrap();
        session.command("RCPT TO:<b@example.org>").await.unwrap();
        session.set_deadline(Some(Instant::now() + SHORT));
        let slow = Slow { left: 10, is_over: Arc::new(AtomicBool::new(false)) };
        let error = session.message(slow).await.unwrap_err();
        assert!(matches!(error, Error::Timeout { is_overall: true, .. }), "{error}");
    });
    assert_eq!(server.messages()[0].content, b"xxxxxxxxxx\r\n");
}

#[test]
fn a_hundred_sessions_share_a_thread_and_their_futures_may_go_to_another() {
    let server = Setup::new().start().unwrap();
    let port = server.port();
    run(async {
        let sessions: Vec<_> = (0..100)
            .map(|_| {
                tokio::spawn(async move {
                    let mut session = open(port).await;
                    session.hello("client.example").await.unwrap().require().unwrap();
                    session.pipeline(["MAIL FROM:<a@example.org>", "RCPT TO:<b@example.org>"]).await.unwrap();
                    session.message(&b"Subject: hi\n\nhello\n"[..]).await.unwrap().require(250).unwrap();
                    session.quit().await.unwrap().require(221).unwrap();
                })
            })
            .collect();
        for session in sessions {
            session.await.unwrap();
        }
    });
    assert_eq!(server.messages().len(), 100);
}

#[test]
fn a_closer_ends_what_is_awaited_be_it_connecting_or_a_reply() {
    let (port, here, thread) = stubborn(b"220 hi\r\n", 0, b"");
    run(async {
        let mut session = open(port).await;
        let closer = session.closer();
        let closing = async {
            tokio::task::yield_now().await;
            closer.close();
        };
        let (read, ()) = tokio::join!(session.read_reply(), closing);
        assert!(matches!(read.unwrap_err(), Error::Aborted { .. }));

        let closer = Closer::new();
        closer.close();
        let error = Connect::new("127.0.0.1", port).open_async_with(&closer).await.unwrap_err();
        let Error::Connect { source, .. } = error else { panic!("{error}") };
        assert_eq!(source.kind(), io::ErrorKind::ConnectionAborted);
    });
    drop(here);
    thread.join().unwrap();
}

#[test]
fn a_session_and_its_futures_are_small() {
    let server = Server::start().unwrap();
    run(async {
        let connect = Connect::new("127.0.0.1", server.port());
        assert!(size_of::<AsyncSession>() <= 16);
        assert!(size_of_val(&connect.open_async()) <= 1200);
        let mut session = connect.open_async().await.unwrap();
        assert!(size_of_val(&session.read_reply()) <= 1000);
        assert!(size_of_val(&session.command("NOOP")) <= 1300);
        assert!(size_of_val(&session.message(&b""[..])) <= 1600);
        assert!(size_of_val(&session.quit()) <= 1300);
    });
}

#[test]
fn a_unix_socket_of_tokios_is_a_stream_too() {
    run(async {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let server = thread::spawn(move || {
            let mut theirs = theirs.into_std().unwrap();
            theirs.set_nonblocking(false).unwrap();
            theirs.write_all(b"220 lmtp\r\n").unwrap();
            theirs.read_exact(&mut [0; 6]).unwrap();
            theirs.write_all(b"221 bye\r\n").unwrap();
        });
        let mut session = Connect::new("lmtp.sock", 24).over_async(ours);
        assert_eq!(session.greeting().await.unwrap().require(220).unwrap().text_lossy(), "lmtp");
        session.quit().await.unwrap().require(221).unwrap();
        server.join().unwrap();
    });
}
