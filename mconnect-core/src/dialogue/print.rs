//! From steps to text.

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::{Deed, Dialogue, Mark, Part, Separator, Side, Step, Text};
use crate::error::Truncation;

impl fmt::Display for Dialogue {
    /// Writes the dialogue so that reading it gives the same again; comments are gone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in self.steps.iter() {
            writeln!(f, "{step}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    /// Writes the step as a dialogue has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Client => "C",
            Side::Server => "S",
            Side::Neither => "",
        };
        match &self.deed {
            Deed::Line(text) => {
                let text = text.to_string();
                write!(f, "{side}: {}{text}", if text.starts_with(['*', '\\']) && text != "*" { "\\" } else { "" })
            }
            Deed::Bytes(text) => {
                write!(f, "{side}> ")?;
                write_text(text, f, |bytes, is_before_name, out| {
                    let (rest, last) = match bytes {
                        // A dollar before the one of a name would make it none.
                        [rest @ .., b'$'] if is_before_name => (rest, "\\x24"),
                        bytes => (bytes, ""),
                    };
                    rest.iter().try_for_each(|byte| write_escaped(*byte, out))?;
                    out.write_str(last)
                })
            }
            Deed::Reply(wanted) => {
                let (mark, _) =
                    Mark::ALL.iter().find(|(_, mark)| *mark == wanted.mark).expect("every mark has a character");
                let separator = match wanted.separator {
                    Separator::Nothing => "",
                    Separator::Space => " ",
                    Separator::Hyphen => "-",
                };
                write!(f, "{side}{mark} {}{separator}{}", wanted.code.as_str(), wanted.text)
            }
            direction => {
                let gap = if self.side == Side::Neither { "" } else { ": " };
                write!(f, "{side}{gap}*{}*", Direction(direction))
            }
        }
    }
}

struct Direction<'a>(&'a Deed);

impl fmt::Display for Direction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Deed::Body(None) => f.write_str("body"),
            Deed::Body(Some(file)) => write!(f, "body {file}"),
            Deed::File(file) => write!(f, "file {file}"),
            Deed::Octets(count) => write!(f, "octets {count}"),
            Deed::Pause(time) => write!(f, "pause {}", Time(*time)),
            Deed::Silence(time) => write!(f, "silence {}", Time(*time)),
            Deed::NoReply => f.write_str("no reply"),
            Deed::HalfClose => f.write_str("half-close"),
            Deed::Close => f.write_str("close"),
            Deed::Truncate(Truncation::BetweenRecords) => f.write_str("close without close_notify"),
            Deed::Truncate(Truncation::InsideRecord) => f.write_str("cut off inside tls"),
            Deed::Reset => f.write_str("reset"),
            Deed::StartTls => f.write_str("starttls"),
            Deed::Tls => f.write_str("tls"),
            Deed::EndTls => f.write_str("end tls"),
            Deed::Authenticate { mechanism, user, secret } => write!(f, "authenticate {mechanism} {user} {secret}"),
            Deed::Within(time) => write!(f, "within {}", Time(*time)),
            Deed::EachWithin(time) => write!(f, "each within {}", Time(*time)),
            Deed::AllWithin(time) => write!(f, "all within {}", Time(*time)),
            Deed::Place(name) => write!(f, "place {name}"),
            Deed::Secret(name) => write!(f, "secret {name}"),
            Deed::Include(file) => write!(f, "include {file}"),
            Deed::NextSession => f.write_str("next session"),
            Deed::Line(_) | Deed::Reply(_) | Deed::Bytes(_) => Ok(()),
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_text(self, f, |bytes, _, out| {
            out.push_str(&String::from_utf8_lossy(bytes));
            Ok(())
        })
    }
}

fn write_text(
    text: &Text,
    f: &mut fmt::Formatter<'_>,
    literal: impl Fn(&[u8], bool, &mut String) -> fmt::Result,
) -> fmt::Result {
    for (index, part) in text.0.iter().enumerate() {
        match part {
            Part::Literal(bytes) => {
                let mut shown = String::new();
                literal(bytes, matches!(text.0.get(index + 1), Some(Part::Value { .. })), &mut shown)?;
                f.write_str(&shown.replace("${", "$${"))?;
            }
            Part::Value { name, default: None } => write!(f, "${{{name}}}")?,
            Part::Value { name, default: Some(default) } => write!(f, "${{{name}:-{default}}}")?,
        }
    }
    Ok(())
}

fn write_escaped(byte: u8, out: &mut String) -> fmt::Result {
    match byte {
        b'\r' => out.push_str("\\r"),
        b'\n' => out.push_str("\\n"),
        b'\t' => out.push_str("\\t"),
        b'\\' => out.push_str("\\\\"),
        b' '..=b'~' => out.push(char::from(byte)),
        _ => write!(out, "\\x{byte:02x}")?,
    }
    Ok(())
}

struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_millis() {
            ms if ms > 0 && ms % 60_000 == 0 => write!(f, "{} min", ms / 60_000),
            ms if ms % 1000 == 0 => write!(f, "{} s", ms / 1000),
            ms => write!(f, "{ms} ms"),
        }
    }
}
