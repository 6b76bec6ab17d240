//! The steps that dialogues are made of: who does what.

use std::sync::Arc;
use std::time::Duration;

use super::{Text, Wanted};
use crate::stream::Truncation;

/// One line of a dialogue. Where it stands is no part of what it is: steps are equal if they say the same.
///
/// [`Display`](std::fmt::Display) writes it as a dialogue has it; [`Debug`](std::fmt::Debug) shows it without secrets,
/// which a line of base64 may be.
///
/// ```
/// let dialogue = mconnect_core::dialogue::Dialogue::parse("C: AUTH PLAIN AHRpbQBwZW5jaWw=")?;
/// let step = &dialogue.steps()[0];
/// assert_eq!(step.to_string(), "C: AUTH PLAIN AHRpbQBwZW5jaWw=");
/// assert_eq!(format!("{step:?}"), r#"1 "C: AUTH PLAIN [hidden]""#);
/// # Ok::<(), mconnect_core::dialogue::SyntaxError>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Step {
    /// The file that it is from, if it is from one. Names of files in it count from the folder of that.
    pub file: Option<Arc<str>>,
    /// The number of the line, counted from 1.
    pub line: usize,
    /// Whose step it is: who does it, while the other side expects it.
    pub side: Side,
    /// What is done there, or expected.
    pub directive: Directive,
}

/// One of the two that speak in a dialogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The client: `C`.
    Client,
    /// The server: `S`.
    Server,
    /// Neither: a direction for whoever plays.
    Neither,
}

/// What a side does, or what whoever plays is to do.
///
/// A directive of one side is done by whoever plays that side, and expected or waited out by the other. Times are
/// multiplied by [`Player::scale`](super::Player::scale) where they are deadlines; a pause is as long as it says.
///
/// ```
/// use mconnect_core::dialogue::{Dialogue, Directive, Side};
///
/// let dialogue = Dialogue::parse("S: 220\nC: *pause 20 ms*\nC> NO\\x00OP\\r\\n\nS: *reset*")?;
/// let [_, pause, bytes, reset] = dialogue.steps() else { panic!() };
/// assert_eq!(pause.directive, Directive::Pause(std::time::Duration::from_millis(20)));
/// assert!(matches!(bytes.directive, Directive::Bytes(_)));
/// assert_eq!((reset.side, &reset.directive), (Side::Server, &Directive::Reset));
/// # Ok::<(), mconnect_core::dialogue::SyntaxError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Directive {
    /// `C: text`: a line; the text is without its CR LF. Lines that follow each other go out together, which is how a
    /// pipeline is printed ([RFC 2920](https://www.rfc-editor.org/rfc/rfc2920)). Served, the line must come as it is,
    /// but for the case of its keywords ([RFC 5321, section 2.4](https://www.rfc-editor.org/rfc/rfc5321#section-2.4)).
    Line(Text),
    /// `S: 250-text`: a line of a reply. Those of one reply are steps that follow each other, up to the first without a
    /// hyphen.
    Reply(Wanted),
    /// `C> bytes`, `S> bytes`: exactly these bytes, with no line end but the one that is written. A line cut in two
    /// with a pause between, a bare LF, an octet that is no text: all of them are written so.
    Bytes(Text),
    /// `*body*`, `*body FILE*`: a message, with CR LF, dots stuffed ([RFC 5321, section
    /// 4.5.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.2)) and the lone dot: this file, or, where none is
    /// named, a small message of our own. Served, one that names no file takes any message of at most 100 MiB.
    Body(Option<Text>),
    /// `*file FILE*`: the bytes of a file as they are, read a block at a time. The other side expects just these.
    File(Text),
    /// `*octets N*`: so many octets of generated lines, each of 64 octets with its CR LF, the last one cut.
    Octets(u64),
    /// `*pause T*`: nothing is sent for so long. The other side does nothing about it.
    Pause(Duration),
    /// `*silence T*`: the other one says nothing for so long, and stays. To whoever plays the silent side it is a
    /// pause.
    Silence(Duration),
    /// `*no reply*`: none is awaited, and none may come within a second, or within the time of a `*within T*` before
    /// it.
    NoReply,
    /// `*half-close*`: the sending side is ended; inside TLS, by a close_notify. Replies may follow, but not inside TLS
    /// 1.2, where a close_notify ends both directions ([RFC 5246, section
    /// 7.2.1](https://www.rfc-editor.org/rfc/rfc5246#section-7.2.1)).
    HalfClose,
    /// `*close*`: the connection is closed; inside TLS, with its close_notify. To whoever expects it, a reset will do
    /// as well: closing with something unread makes the system send one.
    Close,
    /// `*close without close_notify*`, `*cut off inside tls*`: it is closed after a record, or inside of one, so that
    /// what came may be less than what was said.
    Truncate(Truncation),
    /// `*reset*`: the connection is torn down, so that the other end sees a reset.
    Reset,
    /// `*starttls*`: STARTTLS, its reply, and the handshake ([RFC 3207](https://www.rfc-editor.org/rfc/rfc3207)). A 220
    /// alone grants it; where it is not met the session ends, since what follows was meant for inside TLS.
    StartTls,
    /// `*tls*`: the handshake, now: after a STARTTLS that was written as a line, or before the greeting.
    Tls,
    /// `*end tls*`: TLS is ended by this side, and the session goes on in the clear. The other side answers with its
    /// own close_notify.
    EndTls,
    /// `*authenticate MECHANISM USER SECRET*`: the whole exchange, from AUTH to its last reply ([RFC 4954, section
    /// 4](https://www.rfc-editor.org/rfc/rfc4954#section-4)), for mechanisms whose answers depend on challenges. A 235
    /// alone meets it.
    Authenticate {
        /// The name of the SASL mechanism, as in [`Mechanism::from_name`](crate::sasl::Mechanism); one that is not
        /// known here is told when the step is played.
        mechanism: String,
        /// Who, in UTF-8.
        user: Text,
        /// The password or token, in UTF-8. It is shown nowhere.
        secret: Text,
    },
    /// `*within T*`: the deadline of the next thing that is awaited, and of that alone.
    Within(Duration),
    /// `*each within T*`: the deadline of each thing that is awaited from here on, until another one is set.
    EachWithin(Duration),
    /// `*all within T*`: the deadline of the whole session, counted from here on. Pauses end with it, too, and the step
    /// that it ends in was too late.
    AllWithin(Duration),
    /// `*place NAME*`: where playing can be stopped, by [`Player::quit_at`](super::Player::quit_at) or
    /// [`Player::drop_at`](super::Player::drop_at); nothing happens there otherwise.
    Place(String),
    /// `*secret NAME*`: from here on, the value of this name is shown as `[hidden]`.
    Secret(String),
    /// `*include FILE*`: the steps of another file, read by [`Dialogue::load`](super::Dialogue::load). There are no
    /// values in the name. One that is still there when it is played cannot be met
    /// ([`Verdict::Impossible`](super::Verdict::Impossible)).
    Include(String),
    /// `*next session*`: what follows belongs to another connection. A [`Player`](super::Player) stops there; a server takes
    /// its clients in the order in which they connect, each by its session.
    NextSession,
}

impl Step {
    /// Returns the line of a reply, if it is one.
    pub(super) fn wanted(&self) -> Option<&Wanted> {
        match &self.directive {
            Directive::Reply(wanted) => Some(wanted),
            _ => None,
        }
    }
}

impl PartialEq for Step {
    fn eq(&self, other: &Self) -> bool {
        (self.side, &self.directive) == (other.side, &other.directive)
    }
}

impl Eq for Step {}
