//! SMTP without I/O and without a clock: bytes and lines in, values out.
//!
//! ```text
//!  sent bytes ──────────────► Tracker ◄────────────── ReplyLine ◄── LineBuffer ◄── received bytes
//!  (CrlfEncoder, BodyEncoder,    │                        │
//!   LineInput make them)      Phase,                 ReplyBuilder ──► Reply ──► Extensions
//!                             replies due
//! ```
//!
//! Nothing here fails because of what a server said: odd lines, odd replies and odd phases are values with marks on
//! them. Only [`Limits`] are errors. Everything that takes bytes takes them cut anywhere, and comes to the same
//! wherever they were cut; what is held back meanwhile is bounded.
//!
//! # What is where
//! | for | there is |
//! |---|---|
//! | lines of what was received | [`LineBuffer`], [`ReplyLine`] |
//! | whole replies, held to limits | [`ReplyBuilder`], [`Reply`], [`Flaws`], [`Limits`] |
//! | codes | [`Code`], [`Severity`], [`EnhancedCode`], [`explain`], [`explain_all`] |
//! | what the server can do | [`Extensions`], [`Extension`] |
//! | where a session stands | [`Tracker`], [`Standing`], [`Phase`] |
//! | what a reply grants | [`Meaning`], [`Answer`], [`Request`] |
//! | line ends and dots | [`CrlfEncoder`], [`BodyEncoder`], [`BodyDecoder`], [`LineInput`] |
//! | bytes on a terminal, or in a log | [`Visible`], [`Escaper`] |
//! | a message on its way: whom it is for, what MAIL says of it, what came of it | [`Envelope`], [`Address`], [`Parameter`], [`Content`], [`Delivery`] |
//! | whom a server is to take the client for | [`ClientAttribute`] |
//! | whether it is SMTP at all | [`protocol_of`] |
//! | where a secret begins in what a client sends | [`secret_start`], [`auth_mechanism`], [`is_base64_line`], [`Tracker::sent_secrets`] |
//!
//! # A loop of one's own
//! Whoever does the I/O, in a loop on mio, say, or in a test from memory, hands what was received to a [`LineBuffer`],
//! its lines to a [`Tracker`] and a [`ReplyBuilder`], and what is sent to the tracker before it goes out:
//!
//! ```
//! use mconnect_core::protocol::{LineBuffer, Limits, Phase, ReplyBuilder, Request, Tracker};
//!
//! let limits = Limits::default();
//! let (mut lines, mut builder, mut tracker) =
//!     (LineBuffer::new(limits.line), ReplyBuilder::new(limits), Tracker::new());
//! let mut replies = Vec::new();
//! let mut script = ["EHLO client.example\r\n", "QUIT\r\n"].iter();
//! // Whatever comes, in whatever pieces.
//! for received in ["220 mx.exam", "ple.org\r\n250-mx.example.org\r\n250 8BITM", "IME\r\n221 bye\r\n"] {
//!     lines.extend(received.as_bytes());
//!     while let Some(line) = lines.next_line() {
//!         let request = tracker.received(line).and_then(|answer| answer.request);
//!         if let Some(reply) = builder.push(line)? {
//!             replies.push(reply.in_answer_to(request, "mx.example.org".into()));
//!         }
//!         if tracker.outstanding() == 0 {
//!             if let Some(command) = script.next() {
//!                 tracker.sent(command.as_bytes());
//!                 // And now it is written to the socket.
//!             }
//!         }
//!     }
//! }
//! assert!(tracker.extensions().is_some_and(|offered| offered.has("8BITMIME")));
//! assert!(replies[2].request() == Some(Request::Quit) && replies[2].is_granted());
//! assert_eq!((tracker.phase(), tracker.standing().is_closing), (Phase::Command, true));
//! # Ok::<(), mconnect_core::protocol::LimitExceeded>(())
//! ```
//! For input that is lines, and decides what may go out when, there is [`script`](crate::script) above this.
//!
//! # What is not here
//! Deadlines, sockets and TLS are a [`Session`](crate::Session)'s. Messages are not parsed; of a command that is sent, no
//! more is than its verb, the mechanism of an AUTH and the size of a BDAT: what else a line holds is the caller's.

mod address;
mod client_attribute;
mod code;
mod command;
mod content;
mod delivery;
mod due;
mod encode;
mod envelope;
mod extensions;
mod foreign;
mod grants;
mod limits;
mod line;
mod line_buffer;
mod line_input;
mod meaning;
mod parameter;
mod phase;
mod ready;
mod reply;
mod reply_builder;
pub(crate) mod scan;
mod secret;
mod standing;
mod tracker;
mod visible;

pub use address::{Address, Unwritable};
pub use client_attribute::{ClientAttribute, InvalidAttribute};
pub use code::{Code, EnhancedCode, InvalidCode, Severity};
pub use command::Span;
pub use content::Content;
pub use delivery::{Delivery, Recipient, RecipientOutcome};
pub use encode::{BodyDecoder, BodyEncoder, CrlfEncoder};
pub use envelope::{Envelope, Need, Until};
pub use extensions::{Extension, Extensions};
pub use foreign::protocol_of;
pub use grants::{Answer, Meaning};
pub use limits::{LimitExceeded, Limits};
pub use line::ReplyLine;
pub use line_buffer::LineBuffer;
pub use line_input::{LineInput, Taken};
pub use meaning::{explain, explain_all};
pub use parameter::{Parameter, xtext};
pub use phase::{Phase, Request};
pub use ready::Ready;
pub use reply::{Flaws, Reply, Unexpected};
pub use reply_builder::ReplyBuilder;
pub use secret::{auth_mechanism, is_base64_line, is_command, secret_start};
pub(crate) use secret::{hide, wipe};
pub use standing::Standing;
pub use tracker::Tracker;
pub use visible::{Escaper, Visible};
