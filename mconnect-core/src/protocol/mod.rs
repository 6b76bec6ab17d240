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
//! them. Only limits are errors.

mod code;
mod command;
mod due;
mod encode;
mod extensions;
mod grants;
mod line;
mod line_input;
mod meaning;
mod phase;
mod ready;
mod reply;
pub(crate) mod scan;
mod secret;
mod tracker;
mod visible;

pub use code::{Code, EnhancedCode, InvalidCode, Severity};
pub use command::Span;
pub use encode::{BodyDecoder, BodyEncoder, CrlfEncoder};
pub use extensions::{Extension, Extensions};
pub use grants::{Answer, Meaning};
pub use line::{LineBuffer, ReplyLine};
pub use line_input::{LineInput, Taken};
pub use meaning::explain;
pub use phase::{Phase, Request};
pub use ready::Ready;
pub use reply::{Flaws, LimitExceeded, Limits, Reply, ReplyBuilder, Unexpected};
pub use secret::{auth_mechanism, is_base64_line, secret_start};
pub(crate) use secret::{hide, wipe};
pub use tracker::{Standing, Tracker};
pub use visible::{Escaper, Visible};
