//! Servers that mean harm.

use std::io;
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use mconnect_core::protocol::Limits;
use mconnect_core::{Connect, Timeouts};

use super::driven::{Driven, Driver};
use super::peer;

/// How long a reply, or an end, is waited for.
pub const SHORT: Duration = Duration::from_millis(300);

/// A session with a server that behaves so, until the receiver fails.
pub struct Foe {
    pub session: Driven,
    pub here: Sender<()>,
    pub thread: JoinHandle<()>,
}

impl Foe {
    pub fn new(
        driver: Driver,
        act: impl FnOnce(&mut TcpStream, &Receiver<()>) -> io::Result<()> + Send + 'static,
    ) -> Self {
        Self::limited(driver, Limits::default(), act)
    }

    pub fn limited(
        driver: Driver,
        limits: Limits,
        act: impl FnOnce(&mut TcpStream, &Receiver<()>) -> io::Result<()> + Send + 'static,
    ) -> Self {
        let (here, gone) = channel();
        // That the connection breaks is none of the server's business.
        let (port, thread) = peer(move |mut stream| drop(act(&mut stream, &gone)));
        let timeouts = Timeouts::default().replies(SHORT).closing(SHORT);
        let session = driver.open(&Connect::new("127.0.0.1", port).timeouts(timeouts).limits(limits)).unwrap();
        Self { session, here, thread }
    }

    #[cfg(feature = "tls")]
    pub fn inside_tls(
        driver: Driver,
        act: impl FnOnce(&mut rustls::ServerConnection, &mut TcpStream, &Receiver<()>) -> io::Result<()> + Send + 'static,
    ) -> Self {
        let config = mconnect_core::server::Identity::self_signed(["127.0.0.1"]).config();
        let foe = Self::limited(driver, Limits::default().reply(256 * 1024), move |stream, gone| {
            let mut connection = rustls::ServerConnection::new(config).unwrap();
            connection.complete_io(stream).unwrap();
            act(&mut connection, stream, gone)
        });
        let (session, _) = foe.session.upgrade(&mconnect_core::tls::Config::new().insecure()).unwrap();
        Self { session, ..foe }
    }

    /// Ends the session, and then the server.
    pub fn end(self) {
        let Self { session, here, thread } = self;
        drop((session, here));
        thread.join().unwrap();
    }
}
