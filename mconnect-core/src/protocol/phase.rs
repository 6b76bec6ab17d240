//! What sent bytes mean, and what replies answer.

use std::fmt;

/// What the next bytes sent will mean to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// The greeting is not here yet.
    Greeting,
    /// A command is next.
    Command,
    /// The body of DATA, up to the lone dot.
    Body,
    /// A chunk of BDAT ([RFC 3030](https://www.rfc-editor.org/rfc/rfc3030)).
    Chunk {
        /// How many octets of it are still to be sent.
        left: u64,
    },
    /// An answer in an AUTH exchange ([RFC 4954](https://www.rfc-editor.org/rfc/rfc4954)).
    Auth,
    /// STARTTLS was granted: a TLS handshake ([RFC 3207](https://www.rfc-editor.org/rfc/rfc3207)).
    StartTls,
    /// Whatever the caller takes them for: the session is in raw mode.
    Raw,
    /// Nothing: the server closed.
    Closed,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greeting => "greeting",
            Self::Command => "command",
            Self::Body => "DATA",
            Self::Chunk { .. } => "BDAT",
            Self::Auth => "AUTH",
            Self::StartTls => "STARTTLS",
            Self::Raw => "raw",
            Self::Closed => "closed",
        })
    }
}

/// What a reply answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are the commands'")]
pub enum Request {
    /// Having connected.
    Greeting,
    Ehlo,
    Helo,
    Lhlo,
    Mail,
    Rcpt,
    Data,
    /// The lone dot after a body.
    EndOfData,
    /// The command and its octets.
    Bdat,
    Auth,
    /// An answer to a 334.
    AuthAnswer,
    StartTls,
    Rset,
    Quit,
    /// A line with nothing in it.
    EmptyLine,
    /// Any other command.
    Other,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greeting => "connecting",
            Self::Ehlo => "EHLO",
            Self::Helo => "HELO",
            Self::Lhlo => "LHLO",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::EndOfData => "the end of data",
            Self::Bdat => "BDAT",
            Self::Auth => "AUTH",
            Self::AuthAnswer => "the answer in AUTH",
            Self::StartTls => "STARTTLS",
            Self::Rset => "RSET",
            Self::Quit => "QUIT",
            Self::EmptyLine => "an empty line",
            Self::Other => "a command",
        })
    }
}
