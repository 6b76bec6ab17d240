//! What a session goes over, if it is not the network by itself.

use std::fmt;
use std::sync::Arc;
#[cfg(unix)]
use std::{
    ffi::OsStr,
    io,
    os::fd::BorrowedFd,
    path::{Path, PathBuf},
    process::{Child, Command},
};

use super::Connect;
#[cfg(unix)]
use super::process::Process;
use crate::proxy::Proxy;
use crate::proxy_header::ProxyHeader;

/// What the bytes go over.
#[derive(Clone)]
pub(super) enum Road {
    /// A name with its addresses, and a port.
    Network,
    #[cfg(unix)]
    Unix(PathBuf, Option<Arc<Name>>),
    #[cfg(unix)]
    Process(Arc<Process>),
}

/// Says who is at the other end of a socket.
#[cfg(unix)]
pub(super) type Name = dyn Fn(BorrowedFd<'_>) -> Option<String> + Send + Sync;

impl Connect {
    /// Connects through a proxy, which is connected to first, from the [`source`](Self::source) that is set. With
    /// [`addresses`](Self::addresses), those are what it is asked for; otherwise it is asked for the name, or for each address
    /// of the name in turn, by what kind it is ([`Proxy`]). All of it has the time of an attempt. It is told in every error and
    /// event beside the server ([`Peer::via`](crate::Peer::via)), without its login; what kept it from connecting is a
    /// [`ProxyError`](crate::ProxyError), the source of [`Error::Connect`](crate::Error::Connect). A UNIX socket and a process
    /// are reached without it.
    ///
    /// ```
    /// use mconnect_core::{Connect, Error, ProxyError};
    ///
    /// // Nobody listens there.
    /// # let nobody = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    /// let proxy = format!("socks5h://joe:sesame@127.0.0.1:{nobody}").parse()?;
    /// let Err(Error::Connect { peer, source, .. }) = Connect::new("mx.example.org", 25).via(proxy).open() else { panic!() };
    /// assert_eq!(peer.to_string(), format!("mx.example.org (via socks5h://127.0.0.1:{nobody})"));
    /// let cause = source.get_ref().and_then(|cause| cause.downcast_ref());
    /// assert!(matches!(cause, Some(ProxyError::Unreachable(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "socks")]
    #[doc(alias = "proxy")]
    #[must_use]
    pub fn via(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(Arc::new(proxy));
        self
    }

    /// Says whom the connection is from before anything else on it, TLS included, as a load balancer in front of a server
    /// does: for servers that wait for that, with `smtpd_upstream_proxy_protocol` in Postfix or `hosts_proxy` in Exim. Where
    /// the header does not say where the connection went, the address that was connected to is put in.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::server::Setup;
    /// use mconnect_core::{Connect, ProxyHeader};
    ///
    /// let server = Setup::new().haproxy().start()?;
    /// let header = ProxyHeader::new("192.0.2.66:4711".parse()?);
    /// let mut session = Connect::new("127.0.0.1", server.port()).haproxy(header).open()?;
    /// session.greeting()?.require(220)?;
    /// assert_eq!(server.sessions()[0].proxied.unwrap().from, "192.0.2.66:4711".parse().ok());
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "PROXY")]
    #[must_use]
    pub fn haproxy(mut self, header: ProxyHeader) -> Self {
        self.header = Some(header);
        self
    }
}

#[cfg(unix)]
impl Connect {
    /// Leads to the UNIX socket at this path, as servers have one for LMTP
    /// ([RFC 2033](https://www.rfc-editor.org/rfc/rfc2033)). The path is the name of the other end, in errors and in events,
    /// and there is no address and no port: the observer is told of one attempt, [`Error::Connect`](crate::Error::Connect) has
    /// none of its `attempts`, and what is said of addresses counts for nothing. A server that accepts nothing is waited for
    /// as long as for one address. For TLS, `tls::Config::name` says whom to verify.
    ///
    /// ```
    /// use mconnect_core::Connect;
    /// # use std::io::Write as _;
    ///
    /// # let path = std::env::temp_dir().join(format!("mconnect-unix-{}", std::process::id()));
    /// # let listener = std::os::unix::net::UnixListener::bind(&path)?;
    /// # let server = std::thread::spawn(move || listener.accept().unwrap().0.write_all(b"220 lmtp ready\r\n"));
    /// let mut session = Connect::unix(&path).open()?; // /run/dovecot/lmtp, say
    /// assert_eq!(session.greeting()?.require(220)?.text_lossy(), "lmtp ready");
    /// # server.join().unwrap()?;
    /// # std::fs::remove_file(path)?;
    ///
    /// let error = Connect::unix("/nonexistent/lmtp").open().unwrap_err();
    /// assert_eq!(error.to_string(), "cannot connect to /nonexistent/lmtp");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "lmtp")]
    #[doc(alias = "AF_UNIX")]
    pub fn unix(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        Self::by(Road::Unix(path.to_owned(), None), path.to_string_lossy().into_owned(), 0)
    }

    /// Asks, once a UNIX socket is connected, who is at the other end, and tells that beside the path, as
    /// [`known_as`](Self::known_as) does: by `SO_PEERCRED`, say, which the standard library does not ask for.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("mconnect-named-{}", std::process::id()));
    /// # let listener = std::os::unix::net::UnixListener::bind(&path)?;
    /// use mconnect_core::Connect;
    ///
    /// let session = Connect::unix(&path).name_by(|_socket| Some("process 25 of postfix".to_owned())).open()?;
    /// assert!(session.peer().to_string().ends_with(" (process 25 of postfix)"));
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "SO_PEERCRED")]
    #[must_use]
    pub fn name_by(mut self, name: impl Fn(BorrowedFd<'_>) -> Option<String> + Send + Sync + 'static) -> Self {
        if let Road::Unix(_, place) = &mut self.road {
            *place = Some(Arc::new(name));
        }
        self
    }

    /// Leads to a process: each [`open`](Self::open) starts this command by `sh -c`, with a socket as its standard input and
    /// output, and so with all deadlines: `sendmail -bs`, or `ssh gateway nc mx.example.org 25`. The command is the name of
    /// the other end, and there is no address. What the process says on standard error comes to the observer, as
    /// [`Event::ProcessSaid`](crate::Event::ProcessSaid).
    ///
    /// With the session the process ends. Its socket is shut down, it has [`Timeouts::closing`](crate::Timeouts::closing) to
    /// end by itself, and is killed then; [`Event::ProcessEnded`](crate::Event::ProcessEnded) has its exit status. Dropping a
    /// [`Session`](crate::Session) waits for that; an `AsyncSession` leaves it to a thread.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    ///
    /// use mconnect_core::{Connect, Event, observer_fn};
    ///
    /// let log = Arc::new(Mutex::new(String::new()));
    /// let into = Arc::clone(&log);
    /// let observer = observer_fn(move |_, event| match event {
    ///     Event::ProcessSaid(line) => into.lock().unwrap().push_str(&String::from_utf8_lossy(line)),
    ///     Event::ProcessEnded(status) => into.lock().unwrap().push_str(&format!(", {status}")),
    ///     _ => {}
    /// });
    /// let server = "echo 220 hi; read quit; echo taking leave >&2; echo 221 bye; exit 3";
    /// let mut session = Connect::spawn(server).observer(observer).open()?;
    /// session.greeting()?.require(220)?;
    /// session.quit()?.require(221)?;
    /// assert_eq!(*log.lock().unwrap(), "taking leave, exit status: 3");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "pipe")]
    #[doc(alias = "socketpair")]
    #[doc(alias = "sendmail")]
    pub fn spawn(command: impl AsRef<OsStr>) -> Self {
        let command = command.as_ref();
        let process = Process { command: command.to_owned(), start: None };
        Self::by(Road::Process(Arc::new(process)), command.to_string_lossy().into_owned(), 0)
    }

    /// Has the process of [`spawn`](Self::spawn) started by this, instead of by [`Command::spawn`]: for an environment, a
    /// user, a directory, or a signal mask of its own. What it is handed is whole; of the standard streams, it keeps its
    /// hands off.
    ///
    /// ```
    /// use mconnect_core::Connect;
    ///
    /// let connect = Connect::spawn("echo 220 $GREETING").spawn_by(|command| command.env("GREETING", "hi").spawn());
    /// assert_eq!(connect.open()?.greeting()?.text(), b"hi");
    /// # Ok::<(), mconnect_core::Error>(())
    /// ```
    #[must_use]
    pub fn spawn_by(mut self, start: impl Fn(&mut Command) -> io::Result<Child> + Send + Sync + 'static) -> Self {
        if let Road::Process(process) = &mut self.road {
            *process = Arc::new(Process { command: process.command.clone(), start: Some(Box::new(start)) });
        }
        self
    }
}

impl fmt::Debug for Road {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Network => "network",
            #[cfg(unix)]
            Self::Unix(..) => "UNIX socket",
            #[cfg(unix)]
            Self::Process(_) => "process",
        })
    }
}
