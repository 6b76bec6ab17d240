//! TLS over any stream, in both directions at once.
//!
//! ```text
//!   thread that reads                       state (one lock)                      thread that writes
//!   under.read ──► Received ──► process ──► Connection ──► encrypt ──► out ──► flush ──► under.write
//!                      │                        ▲                       ▲
//!                      └ taken out for the call │                       └ taken out for the call; is_sending says so
//!   buffer ◄────────────────────────────────────┘◄──────────────────────── bytes
//! ```
//!
//! The connection's state is behind one lock, which is never held during a call of the stream below: a read that waits
//! does not keep anybody from writing, nor the other way round. One thread at a time sends; what comes to be meanwhile,
//! an answer to a change of keys or to a close_notify, is sent by it, too. Records leave in the order in which they
//! were made: only that thread takes `out`, and puts back in front what it could not send.

use std::fmt;
use std::io::{self, Read as _, Write as _};
#[cfg(unix)]
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use rustls::{Connection, ProtocolVersion};

use super::after::AfterTls;
use super::certificate::end_point;
use super::errors;
use super::state::State;
use crate::session::drive::{Blocking, Drive, ready};
use crate::stream::{ChannelBindings, Stream, Truncation, is_nothing_yet, left};

/// A TLS connection over another stream: a [`Stream`], so that sessions go on over it.
/// [`Session::upgrade`](crate::Session::upgrade) makes one; by itself it is for a server's side, or for a client with a
/// configuration of its own.
///
/// A write that fails with [`WouldBlock`](io::ErrorKind::WouldBlock) or [`TimedOut`](io::ErrorKind::TimedOut) may have
/// sent part of a record: the call has to be repeated with the same bytes, as sessions do. A read that received
/// something, but no plaintext, fails with [`Interrupted`](io::ErrorKind::Interrupted).
///
/// The other end's close_notify is answered: at once in TLS 1.2, where nothing more can be sent after it
/// ([RFC 5246, section 7.2.1](https://www.rfc-editor.org/rfc/rfc5246#section-7.2.1)); in TLS 1.3, where the two
/// directions end by themselves ([RFC 8446, section 6.1](https://www.rfc-editor.org/rfc/rfc8446#section-6.1)), when
/// this end has nothing more to send, at the latest when it is dropped.
///
/// An end without close_notify is a [`Truncation`] of [`read`](Stream::read), and never the end of the stream.
#[doc(alias = "ssl")]
#[doc(alias = "rustls")]
pub struct TlsStream {
    under: Arc<dyn Stream>,
    state: Mutex<State>,
    /// A server's own certificate, if it is known.
    certificate: Option<CertificateDer<'static>>,
    /// Told when nobody is sending any more.
    is_free: Condvar,
}

impl TlsStream {
    /// Shakes hands, at most this long, as the side that `connection` is: a `ClientConnection` or a `ServerConnection`
    /// of [rustls]. The timeouts of the stream below are taken away after it.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # use mconnect_core::server::{Authority, Setup};
    /// # let authority = Authority::new("Our Root");
    /// # let server = Setup::new().tls(&authority.issue(["127.0.0.1"])).tls_first().start()?;
    /// # let connect = mconnect_core::Connect::new("127.0.0.1", server.port());
    /// use std::sync::Arc;
    ///
    /// use mconnect_core::tls::rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
    /// use mconnect_core::tls::rustls::{ClientConfig, ClientConnection, RootCertStore, crypto::ring};
    /// use mconnect_core::{Stream, tls::TlsStream};
    ///
    /// let mut roots = RootCertStore::empty();
    /// roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes())?)?;
    /// let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
    ///     .with_safe_default_protocol_versions()?
    ///     .with_root_certificates(roots)
    ///     .with_no_client_auth();
    ///
    /// let session = connect.open()?;
    /// let patience = session.reply_timeout();
    /// let (mut session, version) = session.upgrade_with(|under| {
    ///     let name = ServerName::try_from("127.0.0.1").expect("an address is one");
    ///     let connection = ClientConnection::new(Arc::new(client), name).map_err(std::io::Error::other)?;
    ///     let stream = TlsStream::handshake(under, connection, patience)?;
    ///     let version = stream.with(|connection| connection.protocol_version());
    ///     Ok((Arc::new(stream) as Arc<dyn Stream>, version))
    /// })?;
    /// session.greeting()?.require(220)?;
    /// assert_eq!(version.and_then(|version| version.as_str()), Some("TLSv1_3"));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`TimedOut`](io::ErrorKind::TimedOut) when the time is up; [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if
    /// the other end closed; [`InvalidData`](io::ErrorKind::InvalidData) with what is wrong in words; otherwise what
    /// the stream below says. The alert that says why is sent, if that takes no more than 200 ms.
    pub fn handshake(
        under: Arc<dyn Stream>,
        connection: impl Into<Connection>,
        patience: Duration,
    ) -> io::Result<Self> {
        let stream = Self::new(under, connection, "1.2");
        ready(stream.shake_within(&Blocking, patience))?;
        Ok(stream)
    }

    /// Begins with a connection that has not shaken hands yet; `least` is the least version of TLS that is spoken.
    pub(super) fn new(under: Arc<dyn Stream>, connection: impl Into<Connection>, least: &'static str) -> Self {
        let state = State::new(connection.into(), least);
        Self { under, state: Mutex::new(state), certificate: None, is_free: Condvar::new() }
    }

    /// Tells a server's stream which certificate it has shown, so that an authentication can be bound to that
    /// ([`ChannelBindings::tls_server_end_point`]). A client's knows what it was shown.
    #[must_use]
    pub fn shown(mut self, certificate: CertificateDer<'static>) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// Shakes hands, at most this long.
    pub(super) async fn shake_within(&self, drive: &impl Drive, patience: Duration) -> io::Result<()> {
        self.shake(drive, Instant::now().checked_add(patience)).await?;
        drop(self.under.set_read_timeout(None));
        drop(self.under.set_write_timeout(None));
        Ok(())
    }

    /// Looks at the connection, for what was agreed: [`handshake`](Self::handshake) has an example. Its lock is held
    /// meanwhile: nothing is read or written until `look` returns.
    pub fn with<T>(&self, look: impl FnOnce(&Connection) -> T) -> T {
        look(&self.state().connection)
    }

    /// Sends and receives in turn until the hands are shaken. The first octets tell whether the other end speaks TLS at
    /// all.
    async fn shake(&self, drive: &impl Drive, deadline: Option<Instant>) -> io::Result<()> {
        let mut is_first = true;
        loop {
            // A peer that refuses may close before it reads: its alert is there to be read all the same.
            let sent = self.send_all(drive, deadline).await;
            if !self.state().connection.is_handshaking() {
                return sent;
            }
            self.under.set_read_timeout(left(deadline)?)?;
            let mut received = std::mem::take(&mut self.state().received);
            let filled = received.fill(&*self.under);
            let plain = received.plain().to_vec();
            self.state().received = received;
            match filled {
                Ok(0) => {
                    let how = if is_first { "instead of shaking hands" } else { "during the handshake" };
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("the server closed {how}")));
                }
                Ok(_) if is_first && !plain.is_empty() => {
                    return Err(errors::not_tls(&plain));
                }
                Ok(_) => is_first = false,
                Err(error) if is_to_repeat(&error) => drop(drive.readable(deadline).await),
                Err(error) => return Err(error),
            }
            let processed = self.state().process();
            if let Err(error) = processed {
                // The alert that says why, if it can be sent at once.
                drop(self.send_all(drive, Some(Instant::now() + ALERT_PATIENCE)).await);
                return Err(error);
            }
        }
    }

    /// Sends what there is, until the deadline.
    async fn send_all(&self, drive: &impl Drive, deadline: Option<Instant>) -> io::Result<()> {
        loop {
            self.under.set_write_timeout(left(deadline)?)?;
            match self.flush() {
                Err(error) if is_to_repeat(&error) => drop(drive.writable(false, deadline).await),
                result => return result,
            }
        }
    }

    /// Sends all ciphertext that there is, also what comes to be while it is being sent.
    fn flush(&self) -> io::Result<()> {
        let mut state = self.state();
        while state.is_sending {
            state = self.is_free.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.is_sending = true;
        let result = loop {
            state.encrypt();
            if state.out.is_empty() {
                break Ok(());
            }
            let mut out = std::mem::take(&mut state.out);
            drop(state);
            let (sent, result) = write_all(&*self.under, &out);
            out.drain(..sent);
            state = self.state();
            // What came to be meanwhile is behind it.
            out.append(&mut state.out);
            state.out = out;
            if result.is_err() {
                break result;
            }
        };
        // Under the same lock as the last look at what there is to send: nothing is stranded.
        state.is_sending = false;
        drop(state);
        self.is_free.notify_one();
        result
    }

    /// Sends close_notify, once.
    fn say_farewell(&self) -> io::Result<()> {
        self.state().say_farewell();
        self.flush()
    }

    /// Answers the other end's close_notify, if that can be sent at once.
    fn answer_farewell(&self) {
        let mut state = self.state();
        state.say_farewell();
        // Who is sending sends this, too.
        if !state.is_sending {
            drop(state);
            drop(self.under.set_write_timeout(Some(ALERT_PATIENCE)).and_then(|()| self.flush()));
        }
    }

    /// Takes the lock of the connection.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream for TlsStream {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut has_received = false;
        loop {
            let mut state = self.state();
            let processed = state.process();
            match state.connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    let is_cut = state.received.is_inside_record();
                    return Err(if is_cut { Truncation::InsideRecord } else { Truncation::BetweenRecords }.into());
                }
                Ok(0) if state.has_ended => {
                    if state.connection.protocol_version() == Some(ProtocolVersion::TLSv1_2) && !state.is_half_closed {
                        drop(state);
                        self.answer_farewell();
                    }
                    return Ok(0);
                }
                result => return result,
            }
            processed?;
            if has_received {
                // Part of a record, or something of TLS's own: who waits for either this or something else can look.
                return Err(io::ErrorKind::Interrupted.into());
            }
            let mut received = std::mem::take(&mut state.received);
            drop(state);
            acknowledge(&*self.under);
            let result = received.fill(&*self.under);
            let mut state = self.state();
            state.received = received;
            has_received = true;
            if result? == 0 {
                has_received = false;
                // This is how the connection learns that the stream below has ended.
                drop(state.connection.read_tls(&mut io::empty()));
            }
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state();
        if state.is_half_closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if state.owed == 0 {
            let part = &bytes[..bytes.len().min(BLOCK)];
            state.owed = state.connection.writer().write(part)?;
            state.encrypt();
        }
        drop(state);
        self.flush()?;
        Ok(std::mem::take(&mut self.state().owed).min(bytes.len()))
    }

    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.state().read_timeout = timeout;
        self.under.set_read_timeout(timeout)
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.under.set_write_timeout(timeout)
    }

    /// Sends close_notify, and ends the sending side below. What was given up on its way is not sent after all: the other
    /// end learns that it was cut short.
    fn half_close(&self) -> io::Result<()> {
        if self.state().owed == 0 {
            self.say_farewell()?;
        }
        self.under.half_close()
    }

    fn end_tls(&self, awaits: bool) -> io::Result<Arc<dyn Stream>> {
        if awaits {
            // Records without plaintext, such as session tickets, may come first: they give the farewell no more time.
            let deadline = self.state().read_timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            loop {
                self.under.set_read_timeout(left(deadline)?)?;
                match self.read(&mut [0]) {
                    Ok(0) => break,
                    Ok(_) => {
                        return Err(io::Error::new(io::ErrorKind::InvalidData, "something is still said inside it"));
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            self.under.set_write_timeout(left(deadline)?)?;
        }
        self.say_farewell()?;
        let received = std::mem::take(&mut self.state().received);
        Ok(Arc::new(AfterTls::new(Arc::clone(&self.under), received)))
    }

    fn truncate(&self, how: Truncation) -> io::Result<()> {
        self.flush()?;
        if how == Truncation::InsideRecord {
            let mut state = self.state();
            state.say_farewell();
            state.encrypt();
            let mut record = std::mem::take(&mut state.out);
            drop(state);
            if record.pop().is_none() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            write_all(&*self.under, &record).1?;
        }
        self.state().is_half_closed = true;
        self.under.half_close()
    }

    fn channel_bindings(&self) -> ChannelBindings {
        let (state, mut bindings) = (self.state(), ChannelBindings::default());
        let connection = &state.connection;
        // On TLS 1.2 it takes an extended master secret (RFC 9266, section 1), of which nothing is known here.
        if connection.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
            bindings.tls_exporter = connection.export_keying_material(vec![0; 32], EXPORTER, None).ok();
        }
        let shown = match connection {
            Connection::Client(client) => client.peer_certificates().and_then(<[_]>::first),
            Connection::Server(_) => self.certificate.as_ref(),
        };
        bindings.tls_server_end_point = shown.and_then(|der| end_point(der));
        bindings
    }

    fn shutdown(&self) -> io::Result<()> {
        self.under.shutdown()
    }

    fn has_received(&self) -> bool {
        let mut state = self.state();
        let has_plaintext = state.process().map_or(true, |plaintext| plaintext > 0);
        // Who ends TLS first may keep the connection open until it is answered: nothing more comes that would tell.
        has_plaintext || state.has_ended || !state.received.plain().is_empty()
    }

    #[cfg(unix)]
    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.under.as_fd()
    }
}

impl Drop for TlsStream {
    fn drop(&mut self) {
        let state = self.state();
        if state.has_ended && !state.is_half_closed && state.owed == 0 {
            drop(state);
            self.answer_farewell();
        }
    }
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream").finish_non_exhaustive()
    }
}

/// Acknowledges what was received, at once. A server may hold its reply back until the session tickets that it sent before
/// are acknowledged (Nagle's algorithm), and the system here waits 40 ms with that, for something to send along.
#[cfg(target_os = "linux")]
fn acknowledge(stream: &dyn Stream) {
    if let Some(fd) = stream.as_fd() {
        drop(socket2::SockRef::from(&fd).set_tcp_quickack(true));
    }
}

#[cfg(not(target_os = "linux"))]
fn acknowledge(_: &dyn Stream) {}

/// Writes until everything is written or something fails, and says how much was.
fn write_all(stream: &dyn Stream, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut sent = 0;
    while sent < bytes.len() {
        match stream.write(&bytes[sent..]) {
            Ok(0) => return (sent, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => sent += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (sent, Err(error)),
        }
    }
    (sent, Ok(()))
}

/// Says whether a call is to be made again: nothing was to be had in time.
fn is_to_repeat(error: &io::Error) -> bool {
    is_nothing_yet(error) || error.kind() == io::ErrorKind::Interrupted
}

/// The label of RFC 9266, section 2.
const EXPORTER: &[u8] = b"EXPORTER-Channel-Binding";
/// How much is encrypted at once, in octets.
const BLOCK: usize = 64 * 1024;
/// How long an alert may take to be sent.
const ALERT_PATIENCE: Duration = Duration::from_millis(200);
