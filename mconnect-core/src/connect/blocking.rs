//! Opening, by calls that block.
//!
//! What waits can be ended by a [`Closer`]: the resolver's thread by an answer in its place, and a connection under way
//! by shutting its socket down.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use socket2::Socket;

use super::dial::{Dial, closed_here, or_reset};
use crate::closer::Closer;
use crate::session::drive::Blocking;
use crate::stream::Stream;

impl Dial for Blocking {
    /// With the address of this end.
    type Stream = (Arc<dyn Stream>, Option<SocketAddr>);
    type Drive = Self;

    #[cfg(unix)]
    const BLOCKS: bool = true;

    /// Resolves in a thread of its own, which is left behind at the deadline: the system's resolver has none.
    async fn resolve(&self, host: &str, port: u16, timeout: Duration, closer: &Closer) -> io::Result<Vec<SocketAddr>> {
        let (answer, answers) = mpsc::channel();
        let aborted = answer.clone();
        closer.arm(move || drop(aborted.send(Err(closed_here()))));
        let target = (host.to_owned(), port);
        let resolver = thread::Builder::new().name("resolver".to_owned());
        resolver.spawn(move || drop(answer.send(target.to_socket_addrs().map(Vec::from_iter))))?;
        answers.recv_timeout(timeout).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Connects within a time. A closer that comes too late to shut the socket down finds it gone; one that holds it
    /// just then has closed it.
    async fn connect(
        &self,
        socket: Socket,
        address: SocketAddr,
        timeout: Duration,
        closer: &Closer,
    ) -> io::Result<(Self::Stream, Option<i32>)> {
        let socket = Arc::new(socket);
        let closed = Arc::downgrade(&socket);
        closer.arm(move || {
            if let Some(socket) = closed.upgrade() {
                drop(socket.shutdown(Shutdown::Both));
            }
        });
        let connected = socket.connect_timeout(&address.into(), timeout);
        if closer.is_closed() {
            return Err(closed_here());
        }
        let lost = or_reset(connected)?;
        match Arc::try_unwrap(socket) {
            Ok(socket) => {
                let socket = TcpStream::from(socket);
                let local = socket.local_addr().ok();
                Ok(((Arc::new(socket), local), lost))
            }
            Err(_) => Err(closed_here()),
        }
    }

    fn stream((stream, _): &Self::Stream) -> Arc<dyn Stream> {
        Arc::clone(stream)
    }

    fn drive<'a>(&'a self, _: &'a Self::Stream) -> &'a Self {
        self
    }

    #[cfg(unix)]
    async fn pause(&self, time: Duration, closer: &Closer) -> io::Result<()> {
        let (tell, told) = mpsc::channel();
        closer.arm(move || {
            let _ = tell.send(());
        });
        told.recv_timeout(time).map_or(Ok(()), |()| Err(closed_here()))
    }

    #[cfg(unix)]
    fn adopt(&self, socket: UnixStream) -> io::Result<Self::Stream> {
        Ok((Arc::new(socket), None))
    }
}
