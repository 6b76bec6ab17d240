//! How a session begins: the greeting, and EHLO or HELO.

use super::Session;
use crate::error::{Action, Error};
use crate::protocol::{Meaning, Phase, Reply, Unexpected};

/// What a server granted when it was told who is there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub enum Hello {
    /// EHLO: [`Session::extensions`] has what was offered.
    Extended(Reply),
    /// HELO, after EHLO was refused: no extensions.
    Plain(Reply),
    /// Neither. The reply is that to EHLO, or the one that says that the server closes.
    Refused(Reply),
}

impl Hello {
    /// Returns the reply that decided.
    pub fn reply(&self) -> &Reply {
        match self {
            Self::Extended(reply) | Self::Plain(reply) | Self::Refused(reply) => reply,
        }
    }

    /// Returns the reply if EHLO or HELO was granted.
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
    /// Reads the greeting. One that refuses is a reply like any other: `require(220)` makes an error of it.
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
    /// [`Error::OutOfStep`] if it has been read; [`Error::Surprise`] if what comes is no greeting; otherwise as
    /// [`read_reply`](Self::read_reply).
    pub fn greeting(&mut self) -> Result<Reply, Error> {
        let standing = self.standing();
        if standing.phase != Phase::Greeting {
            let context = self.shared().context(Action::ReadReply);
            return Err(Error::OutOfStep { context, outstanding: standing.outstanding });
        }
        self.expected_reply()
    }

    /// Says EHLO with this name and, to a server that refuses it for good, HELO
    /// ([RFC 5321, section 3.2](https://www.rfc-editor.org/rfc/rfc5321#section-3.2)).
    /// [`own_name`](crate::own_name) has a name.
    ///
    /// # Errors
    /// As [`command`](Self::command).
    pub fn hello(&mut self, name: &str) -> Result<Hello, Error> {
        let extended = self.command(format!("EHLO {name}"))?;
        match extended.meaning() {
            meaning if meaning.is_granted() => return Ok(Hello::Extended(extended)),
            Meaning::Refused => {}
            _ => return Ok(Hello::Refused(extended)),
        }
        let plain = self.command(format!("HELO {name}"))?;
        Ok(match plain.meaning() {
            meaning if meaning.is_granted() => Hello::Plain(plain),
            Meaning::Closing => Hello::Refused(plain),
            _ => Hello::Refused(extended),
        })
    }
}
