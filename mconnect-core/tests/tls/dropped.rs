//! Futures that are dropped on their way through TLS.

use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::mpsc::channel;
use std::task::Poll;
use std::time::Duration;

use mconnect_core::server::Identity;
use mconnect_core::tls::{Config, rustls};
use mconnect_core::{AsyncSession, Connect, Error, Timeouts};
use tokio::runtime::Builder;

use crate::common::peer;

/// Polls a future so often, and says whether it waits still.
async fn waits(mut work: Pin<&mut dyn Future<Output = ()>>, times: usize) -> bool {
    for _ in 0..times {
        if poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_ready())).await {
            return false;
        }
        tokio::task::yield_now().await;
    }
    true
}

#[test]
fn a_future_dropped_while_a_record_is_on_its_way_leaves_a_session_that_says_so_and_never_sends_the_rest() {
    let identity = Identity::self_signed(["127.0.0.1"]);
    type Send = for<'a> fn(&'a mut AsyncSession) -> Pin<Box<dyn Future<Output = ()> + 'a>>;
    let cases: [(&str, Send); 3] = [
        ("send", |session| Box::pin(async { drop(session.send(&vec![b'x'; 32 << 20]).await) })),
        ("a group", |session| Box::pin(async { drop(session.pipeline_anyway([vec![b'x'; 32 << 20]]).await) })),
        ("a message", |session| Box::pin(async { drop(session.message(&vec![b'x'; 32 << 20][..]).await) })),
    ];
    for (what, send) in cases {
        let (config, (here, gone)) = (identity.config(), channel::<()>());
        let (port, thread) = peer(move |mut stream| {
            let mut connection = rustls::ServerConnection::new(config).unwrap();
            let mut tls = rustls::Stream::new(&mut connection, &mut stream);
            tls.write_all(b"220 hi\r\n").unwrap();
            let mut came = Vec::new();
            if what == "a message" {
                tls.read_exact(&mut [0; 6]).unwrap();
                tls.write_all(b"354 go\r\n").unwrap();
            }
            let _ = gone.recv();
            (tls.read_to_end(&mut came).map_err(|error| error.kind()), came)
        });
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let timeouts = Timeouts::default().closing(Duration::from_millis(200));
            let session = Connect::new("127.0.0.1", port).timeouts(timeouts).open_async().await.unwrap();
            let (mut session, _) = session.upgrade(&Config::new().insecure()).await.unwrap();
            session.greeting().await.unwrap();
            if what == "a message" {
                session.command("DATA").await.unwrap().require(354).unwrap();
            }
            assert!(waits(send(&mut session).as_mut(), 100).await, "{what}: the server reads nothing");
            let is_unfinished = |error| matches!(error, Error::Unfinished { .. });
            assert!(is_unfinished(session.command("NOOP").await.unwrap_err()), "{what}");
            assert!(is_unfinished(session.send(b"\r\n.\r\n").await.unwrap_err()), "{what}");
            assert!(is_unfinished(session.message(&b"hi\n"[..]).await.unwrap_err()), "{what}");
            drop(here);
            drop(session.close().await);
        });
        let (end, came) = thread.join().unwrap();
        assert_eq!(end, Err(io::ErrorKind::UnexpectedEof), "{what}: the end came without TLS's farewell");
        assert!(came.len() < 32 << 20 && came.iter().all(|byte| *byte == b'x'), "{what}: {} octets", came.len());
    }
}

#[test]
fn a_handshake_dropped_on_its_way_ends_the_connection_and_nothing_follows_in_the_clear() {
    type Start = fn(AsyncSession) -> Pin<Box<dyn Future<Output = ()>>>;
    let cases: [(&str, Start); 2] = [
        ("STARTTLS", |session| Box::pin(async { drop(session.starttls(&Config::new().insecure()).await) })),
        ("", |session| Box::pin(async { drop(session.upgrade(&Config::new().insecure()).await) })),
    ];
    for (command, start) in cases {
        let (is_there, all_read) = channel();
        let (port, thread) = peer(move |mut stream| {
            if !command.is_empty() {
                stream.write_all(b"220 hi\r\n").unwrap();
                stream.read_exact(&mut [0; 10]).unwrap();
                stream.write_all(b"220 go\r\n").unwrap();
            }
            // The ClientHello, to which nothing is said.
            let mut hello = [0; 5];
            stream.read_exact(&mut hello).unwrap();
            let mut rest = vec![0; usize::from(u16::from_be_bytes([hello[3], hello[4]]))];
            stream.read_exact(&mut rest).unwrap();
            is_there.send(()).unwrap();
            let mut after = Vec::new();
            stream.read_to_end(&mut after).map(|_| after)
        });
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let mut session = Connect::new("127.0.0.1", port).open_async().await.unwrap();
            if !command.is_empty() {
                session.greeting().await.unwrap();
            }
            let mut starting = start(session);
            while all_read.try_recv().is_err() {
                assert!(waits(starting.as_mut(), 1).await, "the server does not shake hands");
            }
        });
        assert!(thread.join().unwrap().unwrap().is_empty(), "{command}");
    }
}
