//! What a script goes by.

/// When the next line may go out.
///
/// | | waits for | guesses |
/// |---|---|---|
/// | [`Typed`](Self::Typed) | the greeting, and the replies to DATA, AUTH, STARTTLS, XCLIENT, QUIT ([`Request::is_turn`](crate::protocol::Request::is_turn)) | nothing |
/// | [`InStep`](Self::InStep) | every reply | nothing |
/// | [`Blind`](Self::Blind) | the replies to STARTTLS and QUIT | that everything is granted |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// When it was typed, unless a reply is due that decides what it means.
    Typed,
    /// When the reply to the one before is here.
    InStep,
    /// At once; what depends on replies is guessed to be granted. A server that refuses DATA takes the body for commands
    /// then: this is for tests of servers, and for what is known to be granted.
    Blind,
}

/// What a script goes by.
///
/// ```
/// use mconnect_core::script::{Pace, Rules};
///
/// // A script in a test: the first refusal is its end.
/// let rules = Rules::new(Pace::InStep).ends_at_refusal(true);
/// assert!(rules.upgrades && !rules.is_in_tls);
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Rules {
    /// When the next line may go out.
    pub pace: Pace,
    /// The first refusal ends it.
    pub ends_at_refusal: bool,
    /// STARTTLS, once granted, starts TLS.
    pub upgrades: bool,
    /// The session is inside TLS already, where STARTTLS is a command like any other.
    pub is_in_tls: bool,
}

impl Rules {
    /// Makes the usual ones: a refusal is no end, and STARTTLS starts TLS.
    pub fn new(pace: Pace) -> Self {
        Self { pace, ends_at_refusal: false, upgrades: true, is_in_tls: false }
    }

    /// Sets whether the first refusal ends it: any 4yz or 5yz, and a 421.
    #[must_use]
    pub fn ends_at_refusal(self, ends: bool) -> Self {
        Self { ends_at_refusal: ends, ..self }
    }

    /// Sets whether STARTTLS, once granted, starts TLS ([`Next::StartTls`](super::Next::StartTls)). Without it, the
    /// octets after it are the caller's, and its refusal is one like any other.
    #[must_use]
    pub fn upgrades(self, upgrades: bool) -> Self {
        Self { upgrades, ..self }
    }

    /// Sets whether the session is inside TLS already.
    #[must_use]
    pub fn is_in_tls(self, is_in_tls: bool) -> Self {
        Self { is_in_tls, ..self }
    }
}
