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

#[test]
fn a_future_dropped_while_a_reply_is_awaited_leaves_it_due() {
    let (port, here, thread) = stubborn(b"220 hi\r\n", 6, b"250-so\r\n250 far\r\n");
    run(async {
        let mut session = open(port).await;
        {
            let mut command = pin!(session.command("NOOP"));
            assert!(begin(&mut command, 3).await, "the server says nothing yet");
        }
        let error = session.command("RSET").await.unwrap_err();
        assert!(matches!(error, Error::OutOfStep { outstanding: 1, .. }), "{error}");
        here.send(()).unwrap();
        assert_eq!(session.read_reply().await.unwrap().text_lossy(), "so\nfar");
        assert_eq!(session.outstanding(), 0);
    });
    drop(here);
    assert_eq!(thread.join().unwrap(), b"NOOP\r\n");
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
