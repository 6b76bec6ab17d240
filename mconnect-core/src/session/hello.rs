//! How a session begins: the greeting, and EHLO, HELO or LHLO.
//!
//! ```text
//!   greeting ── 220 ──► EHLO name ── 250 ─────────────────────► Extended: extensions are known
//!      │                    │
//!      │                    ├─ 5yz ──► HELO name ── 250 ──────► Plain: there are none
//!      │                    │             └─ refused ─────────► Refused, with the reply to EHLO
//!      └─ 4yz, 5yz          └─ 4yz, closing ──────────────────► Refused, with that reply
//! ```

use super::Session;
use super::drive::{Blocking, Drive, ready};
use crate::error::{Action, Error};
use crate::protocol::{Meaning, Phase, Reply, Unexpected};

/// What a server granted when it was told who is there.
///
/// ```
/// # #[cfg(feature = "server")] {
/// use mconnect_core::{Connect, Hello, server::Server};
///
/// // A server that is older than EHLO.
/// let server = Server::play("S: 220 hi\nC: EHLO me\nS: 500 what?\nC: HELO me\nS: 250 hello\nC: QUIT\nS: 221 bye")?;
/// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
/// session.greeting()?.require(220)?;
/// let hello = session.hello("me")?;
/// assert!(matches!(&hello, Hello::Plain(reply) if reply.text() == b"hello"));
/// assert_eq!(session.extensions(), None);
/// hello.require()?;
/// # session.quit()?;
/// # server.join()?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub enum Hello {
    /// EHLO or LHLO was granted: [`Session::extensions`] has what was offered.
    Extended(Reply),
    /// HELO was granted, after EHLO was refused: no extensions.
    Plain(Reply),
    /// Neither was. The reply is that to EHLO or LHLO, or the one that says that the server closes. Whether the name is to
    /// blame, [`is_name_blamed`](crate::is_name_blamed) says.
    Refused(Reply),
}

impl Hello {
    /// Returns the reply that decided. Its first line has the server's name.
    pub fn reply(&self) -> &Reply {
        match self {
            Self::Extended(reply) | Self::Plain(reply) | Self::Refused(reply) => reply,
        }
    }

    /// Returns the reply if EHLO, HELO or LHLO was granted. Who needs an extension asks [`Session::extensions`] for it.
    ///
    /// # Errors
    /// [`Unexpected`] holds the refusal.
    pub fn require(self) -> Result<Reply, Unexpected> {
        match self {
            Self::Extended(reply) | Self::Plain(reply) => Ok(reply),
            Self::Refused(reply) => Err(Unexpected { expected: "250".to_owned(), reply: Box::new(reply) }),
        }
    }
}

impl Session {
    /// Reads the greeting. One that refuses is a reply like any other: `require(220)` makes an error of it
    /// ([RFC 5321, section 3.1](https://www.rfc-editor.org/rfc/rfc5321#section-3.1)). It comes once: first of all, or
    /// right after the handshake where TLS begins with the first byte.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// use mconnect_core::{Connect, Hello, own_name};
    ///
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?.require(220)?;
    /// let name = own_name(session.local_address());
    /// match session.hello(&name)? {
    ///     Hello::Extended(_) => assert!(session.extensions().is_some()),
    ///     Hello::Plain(_) => println!("no extensions"),
    ///     refused => println!("{}", refused.reply()),
    /// }
    /// # session.quit()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfStep`] if it has been read; [`Error::Surprise`] if what comes is no greeting: it holds that;
    /// otherwise as [`read_reply`](Self::read_reply), within [`Timeouts::greeting`](crate::Timeouts::greeting).
    #[doc(alias = "banner")]
    #[doc(alias = "220")]
    pub fn greeting(&mut self) -> Result<Reply, Error> {
        ready(self.greeting_by(&Blocking))
    }

    pub(super) async fn greeting_by(&mut self, drive: &impl Drive) -> Result<Reply, Error> {
        let standing = self.standing();
        if standing.phase != Phase::Greeting {
            let context = self.shared().context(Action::ReadReply);
            return Err(Error::OutOfStep { context, outstanding: standing.outstanding });
        }
        self.expected_reply(drive).await
    }

    /// Says EHLO with this name and, to a server that refuses it for good (5yz), HELO
    /// ([RFC 5321, section 3.2](https://www.rfc-editor.org/rfc/rfc5321#section-3.2)). [`own_name`](fn@crate::own_name) has
    /// a name. It is said again after TLS has started, after which what was offered before counts no more; for LMTP,
    /// say LHLO by [`command`](Self::command).
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// # session.greeting()?;
    /// session.hello("client.example")?.require()?;
    /// let offered = session.extensions().unwrap_or_default();
    /// println!("at most {:?} octets", offered.size_limit());
    /// assert!(offered.has("8BITMIME"));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`command`](Self::command).
    #[doc(alias = "EHLO")]
    #[doc(alias = "HELO")]
    pub fn hello(&mut self, name: &str) -> Result<Hello, Error> {
        ready(self.hello_by(&Blocking, name))
    }

    /// Says LHLO with this name: the session is one of LMTP then, in which the server replies to a message once for each
    /// recipient that it has accepted ([RFC 2033, section 4](https://www.rfc-editor.org/rfc/rfc2033#section-4)).
    ///
    /// # Errors
    /// As [`command`](Self::command).
    #[doc(alias = "LMTP")]
    #[doc(alias = "LHLO")]
    pub fn lhlo(&mut self, name: &str) -> Result<Hello, Error> {
        ready(self.lhlo_by(&Blocking, name))
    }

    pub(super) async fn lhlo_by(&mut self, drive: &impl Drive, name: &str) -> Result<Hello, Error> {
        let reply = self.command_by(drive, format!("LHLO {name}").as_bytes()).await?;
        Ok(if reply.is_granted() { Hello::Extended(reply) } else { Hello::Refused(reply) })
    }

    /// Only a refusal for good is answered by HELO: a 4yz to EHLO says nothing of what the server knows.
    pub(super) async fn hello_by(&mut self, drive: &impl Drive, name: &str) -> Result<Hello, Error> {
        let extended = self.command_by(drive, format!("EHLO {name}").as_bytes()).await?;
        match extended.meaning() {
            meaning if meaning.is_granted() => return Ok(Hello::Extended(extended)),
            Meaning::Refused => {}
            _ => return Ok(Hello::Refused(extended)),
        }
        let plain = self.command_by(drive, format!("HELO {name}").as_bytes()).await?;
        Ok(match plain.meaning() {
            meaning if meaning.is_granted() => Hello::Plain(plain),
            Meaning::Closing => Hello::Refused(plain),
            _ => Hello::Refused(extended),
        })
    }
}
