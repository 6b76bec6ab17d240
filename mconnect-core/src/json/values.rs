//! What a session hands out, as serde writes it: the shapes of `docs/json.md`, which are those of the journal's, too.
//!
//! Each is written field by field, or as one word, so that names in Rust may change without those of the fields. An
//! enum that may grow is matched whole here: whoever adds a variant names it.

use std::error::Error as _;

use serde::ser::{SerializeSeq as _, SerializeStruct as _};
use serde::{Serialize, Serializer};

use super::entry::{KeptReply, LossyText, micros};
use crate::error::Error;
use crate::protocol::{Code, EnhancedCode, Extension, Extensions, Flaws, Phase, Reply, ReplyLine, Request};
use crate::timings::{Timing, Timings};
use crate::tls_info::Info;

/// A number: `250`.
impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.number())
    }
}

/// A string, as replies have it: `5.1.1`.
impl Serialize for EnhancedCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Its name: `command`, `body`.
impl Serialize for Phase {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Greeting => "greeting",
            Self::Command => "command",
            Self::Body => "body",
            Self::Chunk { .. } => "chunk",
            Self::Auth => "auth",
            Self::StartTls => "starttls",
            Self::Raw => "raw",
            Self::Closed => "closed",
        })
    }
}

/// Its name: `ehlo`, `end_of_data`.
impl Serialize for Request {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Greeting => "greeting",
            Self::Ehlo => "ehlo",
            Self::Helo => "helo",
            Self::Lhlo => "lhlo",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::EndOfData => "end_of_data",
            Self::Bdat => "bdat",
            Self::Auth => "auth",
            Self::AuthAnswer => "auth_answer",
            Self::StartTls => "starttls",
            Self::XClient => "xclient",
            Self::Rset => "rset",
            Self::Quit => "quit",
            Self::EmptyLine => "empty_line",
            Self::Other => "other",
        })
    }
}

/// The list of those that it has: `["bare_lf"]`.
impl Serialize for Flaws {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let all = [
            (self.codes_differ, "codes_differ"),
            (self.line_without_code, "line_without_code"),
            (self.bare_lf, "bare_lf"),
            (self.missing_separator, "missing_separator"),
        ];
        serializer.collect_seq(all.into_iter().filter_map(|(is_there, name)| is_there.then_some(name)))
    }
}

/// As the event `reply` is written, without the time that it took.
impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let texts = |line: ReplyLine<'_>| LossyText::new(line.text());
        let kept = KeptReply {
            to: self.request(),
            code: self.code(),
            enhanced_code: self.enhanced_code(),
            lines: self.own_lines().map(texts).collect(),
            noise: self.noise().map(texts).collect(),
            is_cut: false,
            flaws: self.flaws(),
        };
        kept.serialize(serializer)
    }
}

/// What the server offered: its greeting, each extension, and of two of them what they say.
impl Serialize for Extensions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mechanisms: Vec<_> = self.auth_mechanisms().into_iter().map(String::from_utf8_lossy).collect();
        let mut fields = serializer.serialize_struct("Extensions", 4)?;
        fields.serialize_field("greeting", &LossyText::new(self.greeting()))?;
        fields.serialize_field("extensions", &self.iter().collect::<Vec<_>>())?;
        fields.serialize_field("size_limit", &self.size_limit())?;
        fields.serialize_field("auth_mechanisms", &mechanisms)?;
        fields.end()
    }
}

/// A keyword and its parameters, split at white space; in base64 as well, where they are not UTF-8.
impl Serialize for Extension {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            keyword: &'a str,
            params: Vec<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            base64: Option<String>,
        }

        let text = LossyText::new(self.raw());
        // White space is ASCII's here, as it was where the line was taken apart.
        let mut words = text.text.split(|c: char| c.is_ascii_whitespace()).filter(|word| !word.is_empty());
        let keyword = words.next().unwrap_or_default();
        Fields { keyword, params: words.collect(), base64: text.base64 }.serialize(serializer)
    }
}

/// A stage, when it began and how long it took, its code, and how many were counted together.
impl Serialize for Timing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Timing", 5)?;
        fields.serialize_field("stage", &self.stage.to_string())?;
        fields.serialize_field("start_us", &micros(self.start))?;
        fields.serialize_field("took_us", &micros(self.took))?;
        fields.serialize_field("code", &self.code)?;
        fields.serialize_field("count", &self.count)?;
        fields.end()
    }
}

/// The list of what was measured so far.
impl Serialize for Timings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let all = self.all();
        let mut list = serializer.serialize_seq(Some(all.len()))?;
        all.iter().try_for_each(|timing| list.serialize_element(timing))?;
        list.end()
    }
}

/// A name for programs, a sentence with all its causes, and what a caller would ask it: whether trying again may help,
/// whether it was a deadline, and where it happened. A secret is in none of them.
impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            error: &'static str,
            reason: String,
            is_temporary: bool,
            is_timeout: bool,
            phase: Option<Phase>,
            #[serde(skip_serializing_if = "Option::is_none")]
            reply: Option<&'a Reply>,
            #[serde(skip_serializing_if = "Option::is_none")]
            tls: Option<&'a Info>,
        }

        // In the system's own words, with its numbers, which `chain` leaves out for people.
        let (mut reason, mut cause) = (self.to_string(), self.source());
        while let Some(error) = cause {
            reason = format!("{reason}: {error}");
            cause = error.source();
        }
        let fields = Fields {
            error: name_of(self),
            reason,
            is_temporary: self.is_temporary(),
            is_timeout: self.is_timeout(),
            phase: self.context().map(|context| context.phase),
            reply: match self {
                Self::Unexpected(unexpected) => Some(&unexpected.reply),
                Self::Surprise { reply, .. } => Some(reply),
                _ => None,
            },
            tls: if let Self::Untrusted { info, .. } = self { Some(info) } else { None },
        };
        fields.serialize(serializer)
    }
}

/// Names an error. A name stays, as an event's does.
fn name_of(error: &Error) -> &'static str {
    match error {
        Error::Address { .. } => "address",
        Error::Resolve { .. } => "resolve",
        Error::Connect { .. } => "connect",
        Error::Io { .. } => "io",
        Error::Timeout { .. } => "timeout",
        Error::Closed { .. } => "closed",
        Error::Aborted { .. } => "aborted",
        Error::Limit { .. } => "limit",
        Error::OtherProtocol { .. } => "other_protocol",
        Error::OutOfStep { .. } => "out_of_step",
        Error::Surprise { .. } => "surprise",
        Error::LineBreak { .. } => "line_break",
        Error::Message { .. } => "message",
        Error::Unfinished { .. } => "unfinished",
        Error::Pipeline { .. } => "pipeline",
        Error::Need { .. } => "need",
        Error::Delivery { .. } => "delivery",
        Error::Tls { .. } => "tls",
        Error::Injection { .. } => "injection",
        Error::Untrusted { .. } => "untrusted",
        Error::Auth { .. } => "auth",
        Error::Unexpected(_) => "unexpected",
    }
}
