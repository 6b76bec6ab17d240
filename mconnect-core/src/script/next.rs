//! What a script asks of whoever drives it.

/// What is to be done next.
///
/// ```text
///   next ──► Send      ► send out ► sent, not_sent      ──┐
///        ──► Replies   ► read a reply ► replied         ──┤
///        ──► Input     ► more input, or end_input       ──┼──► next
///        ──► StartTls  ► a handshake ► tls_started      ──┤
///        ──► Skipped, Dropped ► tell it                 ──┘
///        ──► End       ► what is left is count_unsent's
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// What [`out`](super::Script::out) holds is to be sent, and that to be told ([`sent`](super::Script::sent),
    /// [`not_sent`](super::Script::not_sent)). In step, what the server has said meanwhile is to be looked at before.
    Send,
    /// Replies have to come before anything more is sent.
    Replies,
    /// More input is wanted; if there is none, nothing more is to be sent.
    Input,
    /// STARTTLS was granted: TLS is to be started ([`tls_started`](super::Script::tls_started)).
    StartTls,
    /// DATA was refused, and this many octets that were to be its body were passed over.
    Skipped(u64),
    /// What was typed ahead is to be dropped: what it was meant for was not granted.
    Dropped,
    /// Nothing more is to be sent, for a reason that [`end`](super::Script::end) tells; what was left is
    /// [`unsent`](super::Script::unsent).
    End,
}
