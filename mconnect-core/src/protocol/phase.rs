//! What sent bytes mean, and what replies answer.

use std::fmt;

/// What the next bytes sent will mean to the server. [`Tracker`](super::Tracker) follows them; of a phase that depends
/// on a reply which is not here yet, the client's hope is taken.
///
/// | phase | begins with | ends with |
/// |---|---|---|
/// | [`Greeting`](Self::Greeting) | the connection | the greeting |
/// | [`Command`](Self::Command) | | |
/// | [`Body`](Self::Body) | DATA, and its 354 | the lone dot |
/// | [`Chunk`](Self::Chunk) | BDAT *n* | *n* octets |
/// | [`Auth`](Self::Auth) | AUTH, and its 334 | any reply but 334 |
/// | [`StartTls`](Self::StartTls) | the 220 to STARTTLS | TLS, in which a command is next |
/// | [`Raw`](Self::Raw) | [`Session::into_raw`](crate::Session::into_raw) | |
/// | [`Closed`](Self::Closed) | the end of what the server sends | |
///
/// [`Display`](fmt::Display) names it as errors do: `greeting`, `command`, `DATA`, `BDAT`, `AUTH`, `STARTTLS`, `raw`,
/// `closed`.
#[doc(alias = "state")]
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

/// What a reply answers: most often a command, but also having connected, the end of a message, an answer in AUTH. Of
/// commands, those are told apart to which the replies mean something of their own. [`Display`](fmt::Display) has it in
/// words: `RCPT`, `the end of data`.
#[doc(alias = "command")]
#[doc(alias = "verb")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Request {
    /// Having connected.
    Greeting,
    /// EHLO ([RFC 5321, section 4.1.1.1](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.1.1)): its reply has the
    /// extensions.
    Ehlo,
    /// HELO ([RFC 5321, section 4.1.1.1](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.1.1)).
    Helo,
    /// LHLO ([RFC 2033, section 4.1](https://www.rfc-editor.org/rfc/rfc2033#section-4.1)): EHLO of LMTP, after which
    /// each recipient has a reply of its own to a message.
    Lhlo,
    /// MAIL ([RFC 5321, section 4.1.1.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.1.2)).
    Mail,
    /// RCPT ([RFC 5321, section 4.1.1.3](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.1.3)).
    Rcpt,
    /// DATA ([RFC 5321, section 4.1.1.4](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.1.4)): a 354 lets the body
    /// begin.
    Data,
    /// The lone dot after a body: in LMTP it has a reply for each recipient.
    EndOfData,
    /// BDAT ([RFC 3030, section 2](https://www.rfc-editor.org/rfc/rfc3030#section-2)), the command and its octets.
    Bdat,
    /// AUTH ([RFC 4954, section 4](https://www.rfc-editor.org/rfc/rfc4954#section-4)).
    Auth,
    /// An answer to a 334.
    AuthAnswer,
    /// STARTTLS ([RFC 3207, section 4](https://www.rfc-editor.org/rfc/rfc3207#section-4)): a 220 lets the handshake
    /// begin.
    StartTls,
    /// Postfix's XCLIENT, after which the session begins again.
    XClient,
    /// RSET ([RFC 5321, section 4.1.1.5](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.1.5)).
    Rset,
    /// QUIT ([RFC 5321, section 4.1.1.10](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.1.10)).
    Quit,
    /// A line with nothing in it.
    EmptyLine,
    /// Any other command.
    Other,
}

impl Request {
    /// Every one there is, in the order in which they are written above.
    pub const ALL: &'static [Self] = &[
        Self::Greeting,
        Self::Ehlo,
        Self::Helo,
        Self::Lhlo,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::EndOfData,
        Self::Bdat,
        Self::Auth,
        Self::AuthAnswer,
        Self::StartTls,
        Self::XClient,
        Self::Rset,
        Self::Quit,
        Self::EmptyLine,
        Self::Other,
    ];

    /// Returns the verb of the command, in capitals, if it is one of a verb.
    pub fn verb(self) -> Option<&'static str> {
        Some(match self {
            Self::Ehlo => "EHLO",
            Self::Helo => "HELO",
            Self::Lhlo => "LHLO",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Bdat => "BDAT",
            Self::Auth => "AUTH",
            Self::StartTls => "STARTTLS",
            Self::XClient => "XCLIENT",
            Self::Rset => "RSET",
            Self::Quit => "QUIT",
            Self::Greeting | Self::EndOfData | Self::AuthAnswer | Self::EmptyLine | Self::Other => return None,
        })
    }

    /// Returns the command of a verb, in any case; [`Other`](Self::Other) if it is none of these.
    ///
    /// ```
    /// use mconnect_core::protocol::Request;
    ///
    /// assert_eq!(Request::of_verb(b"rcpt"), Request::Rcpt);
    /// assert_eq!(Request::of_verb(b"NOOP"), Request::Other);
    /// assert_eq!(Request::Rcpt.verb(), Some("RCPT"));
    /// assert_eq!(Request::EndOfData.verb(), None, "a lone dot is no verb");
    /// ```
    pub fn of_verb(verb: &[u8]) -> Self {
        let is_it = |request: &Self| request.verb().is_some_and(|known| verb.eq_ignore_ascii_case(known.as_bytes()));
        Self::ALL.iter().copied().find(is_it).unwrap_or(Self::Other)
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greeting => "connecting",
            Self::EndOfData => "the end of data",
            Self::AuthAnswer => "the answer in AUTH",
            Self::EmptyLine => "an empty line",
            command => command.verb().unwrap_or("a command"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_requests_are_all_of_them() {
        assert!(Request::ALL.iter().enumerate().all(|(index, request)| *request as usize == index));
        assert_eq!(Request::ALL.len(), Request::Other as usize + 1, "the last one");
        for request in Request::ALL.iter().copied() {
            let verb = request.verb().map(str::to_ascii_lowercase);
            assert!(verb.is_none_or(|verb| Request::of_verb(verb.as_bytes()) == request), "{request:?}");
        }
    }
}
