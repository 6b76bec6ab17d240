//! Arguments: from words to plain data, which touches nothing.

mod help;
mod host;
mod parse;
mod security;
mod together;
mod value;

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use mconnect_core::Family;

pub use help::help;
pub use host::Host;
pub use parse::parse;
#[cfg_attr(not(feature = "tls"), allow(unused_imports, reason = "the options are read all the same"))]
pub use security::{Auth, Security, Start};

use crate::trace::Form;

/// What the arguments ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    Session(Box<Options>),
    /// Dialogues, played to the host.
    Play(Box<Options>, Play),
    /// A dialogue, played by a server.
    Serve(Box<Serve>),
    /// Help on an SMTP topic, from this help file or the installed one.
    HelpSmtp {
        topic: Option<String>,
        file: Option<PathBuf>,
    },
    Help,
    LongHelp,
    Version,
}

/// How a session is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub target: Target,
    pub port: u16,
    pub family: Family,
    pub source: Option<IpAddr>,
    pub timeout: Option<Duration>,
    pub connect_timeout: Option<Duration>,
    pub mode: Mode,
    /// The lines of the session, if they are not those of standard input.
    pub commands: Vec<OsString>,
    /// The first negative reply ends the session.
    pub ends_at_refusal: bool,
    pub is_quiet: bool,
    pub output: Output,
    /// Where the session is written down as a dialogue.
    pub record: Option<PathBuf>,
    pub trace: Option<Form>,
    pub security: Security,
    pub prompt: Prompt,
}

/// What is shown of a session beside what the server says, or instead of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Output {
    /// What happens is told as JSON, and nothing else on standard output.
    pub is_json: bool,
    /// Each line has the time.
    pub has_stamps: bool,
    /// Where the time went is told at the end.
    pub has_timing: bool,
}

/// How dialogues are played.
#[derive(Debug, Clone, PartialEq)]
pub struct Play {
    /// The files; `-` is standard input.
    pub files: Vec<PathBuf>,
    pub values: Vec<(String, String)>,
    /// What their deadlines are multiplied by.
    pub scale: f64,
    pub repeat: usize,
    pub keeps_going: bool,
    pub quit_at: Option<String>,
    pub drop_at: Option<String>,
    pub is_tap: bool,
    pub junit: Option<PathBuf>,
}

/// How a dialogue is served.
#[derive(Debug, Clone, PartialEq)]
pub struct Serve {
    pub file: PathBuf,
    pub values: Vec<(String, String)>,
    /// What the deadlines of the dialogue are multiplied by.
    pub scale: f64,
    pub security: Security,
    pub address: SocketAddr,
    pub port_file: Option<PathBuf>,
    pub is_once: bool,
    pub patience: Option<Duration>,
    pub is_quiet: bool,
}

/// How the prompt is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    pub keys: Keys,
    pub color: Color,
    pub has_history: bool,
    pub has_escapes: bool,
    pub explains: bool,
    pub help_file: Option<PathBuf>,
}

/// Whose keys edit a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    Emacs,
    Vi,
}

/// When the prompt is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Unless `NO_COLOR` is set.
    Auto,
    Always,
    Never,
}

/// Whom to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Host(Host),
    /// The built-in loopback server.
    Demo,
}

/// How input is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// By the line; from a pipe, in step with the replies.
    Line,
    /// By the line, without waiting for replies.
    Blind,
    /// Every byte as it comes.
    Raw,
}
