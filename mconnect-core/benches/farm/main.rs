//! A farm of mail servers, good ones and bad ones, and the DNS that leads to them: for programs that ask many.
//!
//! ```text
//!   d12.slow.test ── MX ─► mx12.slow.test ── A ─► 127.4.0.12, port P: a server of that kind
//! ```
//! `farm EXCHANGERS DELAY ROOT` prints P and the port of the DNS, and serves until it is ended. Of each kind ([`Kind`])
//! there are so many exchangers, and names with greater numbers lead to the same ones again. DELAY, in milliseconds, is
//! how long slow ones take for each reply; ROOT is where the certificate goes that the good ones lead to.
//!
//! All addresses are one socket: that of each connection says which server is meant. `tally.test` has a TXT record of what
//! came so far: `sessions=N open=N most=N at-one=N`, the last two being the most that were open at once, and at one address.

mod kind;
mod names;
mod session;
mod tally;

use std::env;
use std::error::Error;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::{LocalSet, spawn_local};

use kind::Kind;
use session::Servers;
use tally::Tally;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [exchangers, delay, root] = args.as_slice() else { return Err("usage: farm EXCHANGERS DELAY ROOT".into()) };
    let (exchangers, delay) = (exchangers.parse::<u16>()?.max(1), Duration::from_millis(delay.parse()?));
    let tally = Arc::new(Tally::default());
    let (servers, authority) = Servers::new(delay);
    fs::write(root, authority.pem())?;
    let dns = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    // Thousands ask at once: what finds no room is lost, and asked again seconds later.
    SockRef::from(&dns).set_recv_buffer_size(ROOM_FOR_QUERIES)?;
    let dns_port = dns.local_addr()?.port();
    let told = Arc::clone(&tally);
    thread::spawn(move || names::serve(&dns, exchangers, &told));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let mut port = 0;
        // The system lets some thousand clients wait at each: all who come at once find a place.
        for _ in 0..LISTENERS {
            let listener = listen(port)?;
            port = listener.local_addr()?.port();
            spawn_local(accept(listener, servers.clone(), Arc::clone(&tally)));
        }
        println!("{port} {dns_port}");
        std::future::pending().await
    })
}

/// Listens at every address of this machine that begins with 127, and at no other.
fn listen(port: u16) -> Outcome<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    #[cfg(target_os = "linux")]
    socket.bind_device(Some(b"lo"))?;
    socket.set_reuseport(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))?;
    Ok(socket.listen(BACKLOG)?)
}

async fn accept(listener: TcpListener, servers: Servers, tally: Arc<Tally>) {
    loop {
        // Without a descriptor left, others have to end first.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let Ok(SocketAddr::V4(at)) = stream.local_addr() else { continue };
        let Some(kind) = Kind::at(*at.ip()) else { continue };
        let (servers, tally) = (servers.clone(), Arc::clone(&tally));
        spawn_local(async move {
            let _open = tally.open(*at.ip());
            // A client that breaks off says so itself.
            drop(servers.serve(stream, kind).await);
        });
    }
}

const LISTENERS: usize = 8;
const BACKLOG: u32 = 4096;
/// In octets; the system may give less (`net.core.rmem_max`).
const ROOM_FOR_QUERIES: usize = 4 << 20;
