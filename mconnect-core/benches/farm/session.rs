//! A session, as a server of its kind has it.

use std::time::Duration;

use mconnect_core::server::{Authority, Identity};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use crate::Outcome;
use crate::kind::Kind;

/// What all servers have in common.
#[derive(Clone)]
pub struct Servers {
    delay: Duration,
    proven: TlsAcceptor,
    expired: TlsAcceptor,
    other: TlsAcceptor,
    own: TlsAcceptor,
}

/// What comes after the replies so far.
#[derive(PartialEq, Eq)]
enum Next {
    Tls,
    End,
    Reset,
}

impl Servers {
    /// Returns them, and whom to trust.
    pub fn new(delay: Duration) -> (Self, Authority) {
        let authority = Authority::new("The Farm");
        let acceptor = |identity: Identity| TlsAcceptor::from(identity.config());
        let servers = Self {
            delay,
            proven: acceptor(authority.issue(GOOD)),
            expired: acceptor(authority.issue_for(["*.tls-expired.test"], -30, -3)),
            other: acceptor(authority.issue(["another.test"])),
            own: acceptor(Identity::self_signed(["*.tls-own.test"])),
        };
        (servers, authority)
    }

    pub async fn serve(&self, mut stream: TcpStream, kind: Kind) -> Outcome<()> {
        stream.set_nodelay(true)?;
        if kind == Kind::Hanging {
            return ended(&mut stream).await;
        }
        let delay = if kind.is_slow() { self.delay } else { Duration::ZERO };
        sleep(delay).await;
        stream.write_all(greeting(kind)).await?;
        if kind == Kind::Busy {
            return Ok(());
        }
        let mut clear = BufReader::with_capacity(ROOM, stream);
        let next = talk(&mut clear, kind, delay, kind.offers_tls()).await?;
        let stream = clear.into_inner();
        match next {
            Next::End => Ok(()),
            Next::Reset => Ok(stream.set_zero_linger()?),
            Next::Tls => self.inside(stream, kind, delay).await,
        }
    }

    /// Goes on after the 220 to STARTTLS.
    async fn inside(&self, mut stream: TcpStream, kind: Kind, delay: Duration) -> Outcome<()> {
        let acceptor = match kind {
            Kind::TlsSilent => return ended(&mut stream).await,
            Kind::TlsGarbage => return answered(stream, b"500 this is no handshake\r\n").await,
            // A ServerHello of 122 octets, of which two come.
            Kind::TlsCut => return answered(stream, b"\x16\x03\x03\x00\x7a\x02\x00").await,
            // Fatal, handshake_failure (RFC 8446, section 6).
            Kind::TlsAlert => return answered(stream, b"\x15\x03\x03\x00\x02\x02\x28").await,
            Kind::TlsReset => {
                stream.set_zero_linger()?;
                return answered(stream, b"").await;
            }
            Kind::TlsExpired => &self.expired,
            Kind::TlsOther => &self.other,
            Kind::TlsOwn => &self.own,
            _ => &self.proven,
        };
        let inside = Box::pin(acceptor.accept(stream)).await?;
        let mut inside = BufReader::with_capacity(ROOM, inside);
        talk(&mut inside, kind, delay, false).await?;
        Ok(inside.get_mut().shutdown().await?)
    }
}

/// Answers what is said, until something else is to come.
async fn talk(
    client: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>,
    kind: Kind,
    delay: Duration,
    offers_tls: bool,
) -> Outcome<Next> {
    let mut line = Vec::new();
    while client.read_until(b'\n', &mut line).await? > 0 {
        let verb = line.get(..4).unwrap_or(&line).to_ascii_uppercase();
        let (reply, next): (&[u8], _) = match (verb.as_slice(), kind) {
            (b"EHLO", Kind::Dropping) => (b"", Some(Next::Reset)),
            (b"EHLO", Kind::Closing) => (b"250 farm.test\r\n", Some(Next::End)),
            (b"EHLO", Kind::Refusing) => (b"503 no\r\n", None),
            (b"EHLO", _) if offers_tls => (b"250-farm.test\r\n250-PIPELINING\r\n250 STARTTLS\r\n", None),
            (b"EHLO", _) => (b"250-farm.test\r\n250 PIPELINING\r\n", None),
            (b"STAR", Kind::TlsRefused) => (b"454 not now\r\n", None),
            (b"STAR", Kind::TlsInjected) => (b"220 go ahead\r\n250 injected\r\n", Some(Next::Tls)),
            (b"STAR", _) if offers_tls => (b"220 go ahead\r\n", Some(Next::Tls)),
            (b"STAR", _) => (b"502 there is none\r\n", None),
            (b"QUIT", _) => (b"221 goodbye\r\n", Some(Next::End)),
            _ => (b"250 fine\r\n", None),
        };
        sleep(delay).await;
        if !reply.is_empty() {
            client.get_mut().write_all(reply).await?;
            client.get_mut().flush().await?;
        }
        if let Some(next) = next {
            return Ok(next);
        }
        line.clear();
    }
    Ok(Next::End)
}

fn greeting(kind: Kind) -> &'static [u8] {
    match kind {
        Kind::Refusing => b"554 we do not talk to you\r\n",
        Kind::Busy => b"421 too many of you\r\n",
        _ => b"220 farm.test\r\n",
    }
}

/// Waits for the client's end, and says nothing.
async fn ended(stream: &mut TcpStream) -> Outcome<()> {
    let mut room = [0; 64];
    while stream.read(&mut room).await? > 0 {}
    Ok(())
}

/// Says this once the client has begun its handshake, and ends.
async fn answered(mut stream: TcpStream, answer: &[u8]) -> Outcome<()> {
    let mut room = vec![0; 4096];
    if stream.read(&mut room).await? > 0 {
        stream.write_all(answer).await?;
    }
    Ok(())
}

/// Whose certificate is theirs, and proven.
const GOOD: [&str; 2] = ["*.healthy.test", "*.slow.test"];
/// How much is read at once, in octets.
const ROOM: usize = 512;
