//! Opening over a UNIX socket, which has a path where others have an address.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use super::Connect;
use super::opening::{LEAST_TIMEOUT, MOST_TIMEOUT};
use crate::closer::Closer;
use crate::error::Error;
use crate::observer::Event;
use crate::session::Session;

impl Connect {
    /// Connects to the UNIX socket at the path that the host is, as servers have one for LMTP
    /// ([RFC 2033](https://www.rfc-editor.org/rfc/rfc2033)). The observer is told of one attempt, whose peer has no address;
    /// the port counts for nothing. A server that accepts nothing is waited for as long as for one address.
    ///
    /// ```
    /// use mconnect_core::Connect;
    /// # use std::io::Write as _;
    ///
    /// # let path = std::env::temp_dir().join(format!("mconnect-path-{}", std::process::id()));
    /// # let path = path.to_str().unwrap();
    /// # let listener = std::os::unix::net::UnixListener::bind(path)?;
    /// # let server = std::thread::spawn(move || listener.accept().unwrap().0.write_all(b"220 lmtp ready\r\n"));
    /// let mut session = Connect::new(path, 24).open_path()?; // /run/dovecot/lmtp, say
    /// assert_eq!(session.greeting()?.require(220)?.text_lossy(), "lmtp ready");
    /// # server.join().unwrap()?;
    /// # std::fs::remove_file(path)?;
    ///
    /// let error = Connect::new("/nonexistent/lmtp", 24).open_path().unwrap_err();
    /// assert_eq!(error.to_string(), "cannot connect to /nonexistent/lmtp");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Connect`], without attempts, as those have addresses.
    #[doc(alias = "unix")]
    #[doc(alias = "lmtp")]
    pub fn open_path(&self) -> Result<Session, Error> {
        let (settings, peer) = (self.settings(), self.peer(None));
        self.observe(&Event::Connecting { peer: &peer });
        match connected(&self.host, settings.timeouts.attempt.min(settings.timeouts.connect)) {
            Ok(stream) => {
                self.observe(&Event::Connected { peer: &peer });
                Ok(Session::new(Arc::new(stream), peer, None, settings, Closer::new()))
            }
            Err(source) => {
                self.observe(&Event::ConnectFailed { peer: &peer, error: &source, has_next: false });
                Err(Error::Connect { peer, port: self.port, attempts: Vec::new(), source })
            }
        }
    }
}

fn connected(path: &str, timeout: Duration) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Where many wait to be accepted already, connecting blocks as long as writing may.
    socket.set_write_timeout(Some(timeout.clamp(LEAST_TIMEOUT, MOST_TIMEOUT)))?;
    socket.connect(&SockAddr::unix(path)?).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
        _ => error,
    })?;
    socket.set_write_timeout(None)?;
    Ok(OwnedFd::from(socket).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timeouts;

    #[test]
    fn a_server_that_accepts_nothing_is_not_waited_for_without_end() {
        let path = std::env::temp_dir().join(format!("mconnect-full-{}", std::process::id()));
        let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        listener.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        listener.listen(0).unwrap();
        let timeouts = Timeouts { attempt: Duration::from_millis(50), ..Timeouts::default() };
        let connect = Connect::new(path.to_str().unwrap(), 24).timeouts(timeouts);
        let mut sessions = Vec::new();
        let error = loop {
            match connect.open_path() {
                Ok(session) => sessions.push(session),
                Err(error) => break error,
            }
            assert!(sessions.len() < 100, "the backlog has no end");
        };
        std::fs::remove_file(path).unwrap();
        assert!(matches!(error, Error::Connect { source, .. } if source.kind() == ErrorKind::TimedOut));
    }
}
