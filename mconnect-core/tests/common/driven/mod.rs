//! One session for both ways to wait: the tests that go through it hold for either, and for the blocking one alone where
//! the feature `tokio` is off.

#[cfg_attr(not(feature = "tokio"), path = "without_tokio.rs")]
mod awaited;

use std::io::Read;
use std::ops::Deref;

pub use awaited::DRIVERS;
use awaited::{AsyncSession, AtOnce, Runtime};
#[cfg(feature = "auth")]
use mconnect_core::auth::Exchange;
use mconnect_core::protocol::{ClientAttribute, Delivery, Envelope, Reply};
#[cfg(feature = "tls")]
use mconnect_core::tls::{Config, Info};
use mconnect_core::{Connect, Error, Hello, MessageReply, Session};

/// What waits.
#[derive(Debug, Clone, Copy)]
pub enum Driver {
    Blocking,
    Awaited,
}

#[derive(Debug)]
#[cfg_attr(not(feature = "tokio"), allow(clippy::large_enum_variant, reason = "nothing is of the other kind then"))]
pub enum Driven {
    Blocking(Box<Session>),
    Awaited(AsyncSession, Runtime),
}

impl Driver {
    pub fn open(self, connect: &Connect) -> Result<Driven, Error> {
        Ok(match self {
            Self::Blocking => Driven::Blocking(Box::new(connect.open()?)),
            Self::Awaited => {
                let (session, runtime) = awaited::open(connect)?;
                Driven::Awaited(session, runtime)
            }
        })
    }
}

impl Driven {
    /// Returns the session, for what only one that blocks does.
    pub fn blocking(self) -> Session {
        match self {
            Self::Blocking(session) => *session,
            Self::Awaited(..) => panic!("it is awaited"),
        }
    }

    pub fn greeting(&mut self) -> Result<Reply, Error> {
        match self {
            Self::Blocking(session) => session.greeting(),
            Self::Awaited(session, runtime) => runtime.block_on(session.greeting()),
        }
    }

    pub fn hello(&mut self, name: &str) -> Result<Hello, Error> {
        match self {
            Self::Blocking(session) => session.hello(name),
            Self::Awaited(session, runtime) => runtime.block_on(session.hello(name)),
        }
    }

    pub fn lhlo(&mut self, name: &str) -> Result<Hello, Error> {
        match self {
            Self::Blocking(session) => session.lhlo(name),
            Self::Awaited(session, runtime) => runtime.block_on(session.lhlo(name)),
        }
    }

    pub fn deliver(&mut self, envelope: &Envelope, message: impl Read + Unpin) -> Result<Delivery, Error> {
        match self {
            Self::Blocking(session) => session.deliver(envelope, message),
            Self::Awaited(session, runtime) => runtime.block_on(session.deliver(envelope, AtOnce(message))),
        }
    }

    pub fn read_reply(&mut self) -> Result<Reply, Error> {
        match self {
            Self::Blocking(session) => session.read_reply(),
            Self::Awaited(session, runtime) => runtime.block_on(session.read_reply()),
        }
    }

    /// Reads a line, and returns what it holds.
    pub fn read_line(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let line = match self {
            Self::Blocking(session) => session.read_line(),
            Self::Awaited(session, runtime) => runtime.block_on(session.read_line()),
        };
        Ok(line?.map(|line| line.raw().to_vec()))
    }

    pub fn command(&mut self, line: impl AsRef<[u8]>) -> Result<Reply, Error> {
        match self {
            Self::Blocking(session) => session.command(line),
            Self::Awaited(session, runtime) => runtime.block_on(session.command(line)),
        }
    }

    pub fn xclient(&mut self, attributes: &[ClientAttribute]) -> Result<Reply, Error> {
        match self {
            Self::Blocking(session) => session.xclient(attributes),
            Self::Awaited(session, runtime) => runtime.block_on(session.xclient(attributes)),
        }
    }

    pub fn xforward(&mut self, attributes: &[ClientAttribute]) -> Result<Reply, Error> {
        match self {
            Self::Blocking(session) => session.xforward(attributes),
            Self::Awaited(session, runtime) => runtime.block_on(session.xforward(attributes)),
        }
    }

    pub fn pipeline<L: AsRef<[u8]>>(&mut self, lines: impl IntoIterator<Item = L>) -> Result<Vec<Reply>, Error> {
        match self {
            Self::Blocking(session) => session.pipeline(lines),
            Self::Awaited(session, runtime) => runtime.block_on(session.pipeline(lines)),
        }
    }

    pub fn pipeline_anyway<L: AsRef<[u8]>>(&mut self, lines: impl IntoIterator<Item = L>) -> Result<Vec<Reply>, Error> {
        match self {
            Self::Blocking(session) => session.pipeline_anyway(lines),
            Self::Awaited(session, runtime) => runtime.block_on(session.pipeline_anyway(lines)),
        }
    }

    pub fn message(&mut self, message: impl Read + Unpin) -> Result<MessageReply, Error> {
        match self {
            Self::Blocking(session) => session.message(message),
            Self::Awaited(session, runtime) => runtime.block_on(session.message(AtOnce(message))),
        }
    }

    pub fn send_line(&mut self, line: impl AsRef<[u8]>) -> Result<(), Error> {
        match self {
            Self::Blocking(session) => session.send_line(line),
            Self::Awaited(session, runtime) => runtime.block_on(session.send_line(line)),
        }
    }

    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match self {
            Self::Blocking(session) => session.send(bytes),
            Self::Awaited(session, runtime) => runtime.block_on(session.send(bytes)),
        }
    }

    pub fn half_close(&mut self) -> Result<(), Error> {
        match self {
            Self::Blocking(session) => session.half_close(),
            Self::Awaited(session, runtime) => runtime.block_on(session.half_close()),
        }
    }

    pub fn quit(self) -> Result<Reply, Error> {
        match self {
            Self::Blocking(session) => session.quit(),
            Self::Awaited(session, runtime) => runtime.block_on(session.quit()),
        }
    }

    pub fn close(self) -> Result<Vec<Reply>, Error> {
        match self {
            Self::Blocking(session) => session.close(),
            Self::Awaited(session, runtime) => runtime.block_on(session.close()),
        }
    }

    #[cfg(feature = "tls")]
    pub fn upgrade(self, config: &Config) -> Result<(Self, Info), Error> {
        Ok(match self {
            Self::Blocking(session) => {
                let (session, info) = session.upgrade(config)?;
                (Self::Blocking(Box::new(session)), info)
            }
            Self::Awaited(session, runtime) => {
                let (session, info) = runtime.block_on(session.upgrade(config))?;
                (Self::Awaited(session, runtime), info)
            }
        })
    }

    #[cfg(feature = "tls")]
    pub fn starttls(self, config: &Config) -> Result<(Self, Info), Error> {
        Ok(match self {
            Self::Blocking(session) => {
                let (session, info) = session.starttls(config)?;
                (Self::Blocking(Box::new(session)), info)
            }
            Self::Awaited(session, runtime) => {
                let (session, info) = runtime.block_on(session.starttls(config))?;
                (Self::Awaited(session, runtime), info)
            }
        })
    }

    #[cfg(feature = "auth")]
    pub fn authenticate(&mut self, exchange: Exchange) -> Result<Reply, Error> {
        match self {
            Self::Blocking(session) => session.authenticate(exchange),
            Self::Awaited(session, runtime) => runtime.block_on(session.authenticate(exchange)),
        }
    }
}

impl Deref for Driven {
    type Target = Session;

    fn deref(&self) -> &Session {
        match self {
            Self::Blocking(session) => session,
            Self::Awaited(session, _) => session,
        }
    }
}
