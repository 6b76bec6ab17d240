//! A server that takes mail from many sessions at once, and keeps none of it: `sink AT_ONCE [tls]` prints its port, and
//! serves until it is ended, after STARTTLS if that is wanted. MAIL is answered once so many sessions have said it, so that
//! as many are open whoever the client is, and from then on without a wait.

use std::cell::Cell;
use std::env;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use mconnect_core::server::Identity;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};
use tokio_rustls::TlsAcceptor;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What holds the sessions back until all are here.
struct Gate {
    awaited: usize,
    waiting: Cell<usize>,
    all_here: Notify,
}

fn main() -> Outcome<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let (awaited, tls) = match args.as_slice() {
        [awaited] => (awaited.parse()?, None),
        [awaited, tls] if tls == "tls" => {
            (awaited.parse()?, Some(TlsAcceptor::from(Identity::self_signed(["sink"]).config())))
        }
        _ => return Err("usage: sink AT_ONCE [tls]".into()),
    };
    let gate = Rc::new(Gate { awaited, waiting: Cell::new(0), all_here: Notify::new() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let mut port = 0;
        // The system lets some thousand clients wait at each: all who come at once find a place.
        for _ in 0..LISTENERS {
            let listener = listen(port)?;
            port = listener.local_addr()?.port();
            spawn_local(accept(listener, Rc::clone(&gate), tls.clone()));
        }
        println!("{port}");
        std::future::pending().await
    })
}

fn listen(port: u16) -> Outcome<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    Ok(socket.listen(BACKLOG)?)
}

async fn accept(listener: TcpListener, gate: Rc<Gate>, tls: Option<TlsAcceptor>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (gate, tls) = (Rc::clone(&gate), tls.clone());
        spawn_local(async move {
            // A client that breaks off says so itself.
            drop(serve(stream, &gate, tls).await);
        });
    }
}

async fn serve(mut stream: TcpStream, gate: &Gate, tls: Option<TlsAcceptor>) -> Outcome<()> {
    stream.set_nodelay(true)?;
    stream.write_all(b"220 sink\r\n").await?;
    let mut clear = BufReader::with_capacity(ROOM, stream);
    if talk(&mut clear, gate).await?
        && let Some(tls) = tls
    {
        let inside = Box::pin(tls.accept(clear.into_inner())).await?;
        talk(&mut BufReader::with_capacity(ROOM, inside), gate).await?;
    }
    Ok(())
}

/// Answers what is said, until QUIT or the end, and says whether TLS is to start.
async fn talk(client: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>, gate: &Gate) -> Outcome<bool> {
    let (mut line, mut is_body) = (Vec::new(), false);
    while client.read_until(b'\n', &mut line).await? > 0 {
        let reply: &[u8] = match line.get(..4).unwrap_or(&line) {
            b".\r\n" => b"250 taken\r\n",
            _ if is_body => b"",
            b"STAR" => b"220 go ahead\r\n",
            b"DATA" => b"354 go ahead\r\n",
            b"QUIT" => b"221 goodbye\r\n",
            _ => b"250 fine\r\n",
        };
        if line.starts_with(b"MAIL") && !is_body {
            gate.pass().await;
        }
        is_body = reply.starts_with(b"354") || reply.is_empty();
        if !reply.is_empty() {
            client.get_mut().write_all(reply).await?;
            client.get_mut().flush().await?;
        }
        match reply.get(..3) {
            Some(b"220") => return Ok(true),
            Some(b"221") => break,
            _ => line.clear(),
        }
    }
    client.get_mut().shutdown().await?;
    Ok(false)
}

impl Gate {
    async fn pass(&self) {
        self.waiting.set(self.waiting.get() + 1);
        if self.waiting.get() < self.awaited {
            self.all_here.notified().await;
        } else {
            self.all_here.notify_waiters();
        }
    }
}

const LISTENERS: usize = 8;
const BACKLOG: u32 = 4096;
/// How much is read at once, in octets.
const ROOM: usize = 1024;
