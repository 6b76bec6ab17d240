//! What the arguments ask for: from words to plain data, which touches nothing.
//!
//! An option is one row of one table: its flags and value, what it sets, its line of help, and the options that
//! it does not go with, or goes with alone. The parser, the help and the check of the manual page all read that row.

mod exchangers;
mod help;
mod option;
mod parse;
mod probing;
mod roads;
mod security;
mod sending;
mod table;
mod value;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use mconnect_core::dialogue::Values;
use mconnect_core::{Family, Host, Proxy, TraceForm};
use rustyline::EditMode;

pub use exchangers::Exchangers;
pub use help::help;
pub use parse::parse;
pub use probing::Probing;
pub use roads::Roads;
#[cfg_attr(not(feature = "tls"), allow(unused_imports, reason = "the options are read all the same"))]
pub use security::{Auth, Security, Start};
pub use sending::{ReversePath, SendStage, Sending};

/// What the arguments ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    Session(Box<Options>),
    /// A message, sent to the host.
    Send(Box<Options>),
    /// Domains, probed.
    Probe(Box<Options>),
    /// Dialogues, played to the host.
    Play(Box<Options>),
    /// A dialogue from a file, played by a server.
    Serve(PathBuf, Box<Options>),
    /// Help on an SMTP topic, from this help file or the installed one.
    HelpSmtp {
        topic: Option<String>,
        file: Option<PathBuf>,
    },
    Help,
    LongHelp,
    Version,
}

/// How a session is to be, or many of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    pub target: Target,
    /// The port, if one was asked for; 0 is one that the system chooses, for a server.
    pub port: Option<u16>,
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
    pub trace: Option<TraceForm>,
    pub security: Security,
    pub roads: Roads,
    pub prompt: Prompt,
    pub sending: Sending,
    pub probing: Probing,
    pub exchangers: Exchangers,
    pub play: Play,
    pub serve: Serve,
    /// Help on SMTP is asked for, and no session.
    pub is_help: bool,
}

impl Options {
    /// Returns the port to connect to.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.sending.is_lmtp { LMTP } else { SMTP })
    }

    /// Returns whether a password may have to be asked for.
    pub fn asks_for_a_password(&self) -> bool {
        self.security.auth.is_some() || self.roads.via.as_ref().is_some_and(Proxy::lacks_password)
    }
}

/// What is shown of a session beside what the server says, or instead of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Output {
    /// What happens is told as JSON, and nothing else on standard output.
    pub is_json: bool,
    /// Both sides are shown, by an observer, instead of what the server says alone.
    pub has_sides: bool,
    /// Each line has the time.
    pub stamps: Option<Stamps>,
    /// Where the time went is told at the end.
    pub has_timing: bool,
}

/// The time before a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamps {
    SinceStart,
    /// That of the wall clock.
    Clock,
}

/// How dialogues are played; the values and the scale are those of served ones, too.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Play {
    /// The files; `-` is standard input.
    pub files: Vec<PathBuf>,
    pub values: Values,
    /// What their deadlines are multiplied by, if they are.
    pub scale: Option<f64>,
    /// How often they are played, if that is not once.
    pub repeat: Option<usize>,
    pub keeps_going: bool,
    pub quit_at: Option<String>,
    pub drop_at: Option<String>,
    pub is_tap: bool,
    pub junit: Option<PathBuf>,
}

impl Play {
    /// Returns how often dialogues are played, and a message is sent.
    pub fn times(&self) -> usize {
        self.repeat.unwrap_or(1)
    }
}

/// How a dialogue is served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Serve {
    /// The dialogue; without one, nothing is served.
    pub file: Option<PathBuf>,
    /// Where, if not at the loopback address.
    pub address: Option<IpAddr>,
    pub port_file: Option<PathBuf>,
    pub is_once: bool,
}

/// How the prompt is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    pub keys: EditMode,
    pub color: Color,
    pub has_history: bool,
    pub has_escapes: bool,
    pub explains: bool,
    pub help_file: Option<PathBuf>,
}

impl Default for Prompt {
    fn default() -> Self {
        let (keys, color) = (EditMode::Emacs, Color::Auto);
        Self { keys, color, has_history: true, has_escapes: true, explains: true, help_file: None }
    }
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
    /// A UNIX socket.
    Unix(PathBuf),
    /// A process, by its command.
    Process(String),
    /// The built-in loopback server.
    Demo,
}

impl Default for Target {
    fn default() -> Self {
        Self::Host(Host::from_name("localhost").expect("it is ASCII"))
    }
}

impl Target {
    /// Returns what is connected to.
    pub fn name(&self) -> &str {
        match self {
            Self::Host(host) => &host.name,
            // It was UTF-8 when it was read.
            Self::Unix(path) => path.to_str().unwrap_or_default(),
            Self::Process(command) => command,
            Self::Demo => "127.0.0.1",
        }
    }
}

/// How input is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// By the line; from a pipe, in step with the replies.
    #[default]
    Line,
    /// By the line, without waiting for replies.
    Blind,
    /// Every byte as it comes.
    Raw,
}

/// The port of SMTP ([RFC 5321, section 4.5.4.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.4.2)).
const SMTP: u16 = 25;
/// The port that servers have LMTP on; [RFC 2033](https://www.rfc-editor.org/rfc/rfc2033) names none, and forbids 25.
const LMTP: u16 = 24;

#[cfg(test)]
mod completions;
