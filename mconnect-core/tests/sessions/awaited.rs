//! What only a session that is awaited can show: messages from a slow source, many sessions in one thread. Futures that are
//! dropped before their end are beside this, in `dropped`.

use std::future::Future;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use mconnect_core::server::{Server, Setup};
use mconnect_core::{AsyncSession, Closer, Connect, Error, Timeouts};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::UnixStream;

use crate::common::peer;

pub const SHORT: Duration = Duration::from_millis(200);

pub fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

pub async fn open(port: u16) -> AsyncSession {
    let timeouts = Timeouts::default().replies(Duration::from_secs(5)).closing(SHORT);
    let mut session = Connect::new("127.0.0.1", port).timeouts(timeouts).open_async().await.unwrap();
    session.greeting().await.unwrap().require(220).unwrap();
    session
}

/// A message that gives these octets and then nothing until it is told to end.
pub struct Slow {
    pub left: usize,
    pub is_over: Arc<AtomicBool>,
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
    let (port, thread) = peer(|mut stream| {
        stream.write_all(b"220 hi\r\n").unwrap();
        drop(stream.read_to_end(&mut Vec::new()));
    });
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
