//! The road over a UNIX socket, which has a path where others have an address.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

use super::dial::{Dial, closed_here};
use crate::closer::Closer;

/// Connects to the socket at this path, until this time. Where as many wait to be accepted as may, the system says to try
/// again, and tells nobody when: the pauses between two tries grow.
pub(super) async fn connect(
    dial: &impl Dial,
    path: &Path,
    until: Option<Instant>,
    closer: &Closer,
) -> io::Result<UnixStream> {
    let address = SockAddr::unix(path)?;
    let mut pause = FIRST_PAUSE;
    while !closer.is_closed() {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        match socket.connect(&address) {
            Ok(()) => {
                socket.set_nonblocking(false)?;
                return Ok(OwnedFd::from(socket).into());
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Err(ErrorKind::TimedOut.into());
        }
        dial.pause(left.map_or(pause, |left| left.min(pause)), closer).await?;
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
    Err(closed_here())
}

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
