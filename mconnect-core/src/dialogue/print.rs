//! From steps to text.
//!
//! What is written reads the same again, which a test holds to for every form, and a fuzz target for every input. So
//! what would be read as something else is written in another way: a line that begins with an asterisk gets a backslash
//! before it, a `${` that is none another dollar, and bytes that are no text their escapes.

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::{Dialogue, Directive, Mark, Part, Separator, Side, Step, Text};
use crate::stream::Truncation;

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
        match &self.directive {
            Directive::Line(text) => {
                let text = text.to_string();
                write!(f, "{side}: {}{text}", if text.starts_with(['*', '\\']) && text != "*" { "\\" } else { "" })
            }
            Directive::Bytes(text) => {
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
            Directive::Reply(wanted) => {
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

/// What stands between asterisks.
struct Direction<'a>(&'a Directive);

impl fmt::Display for Direction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Directive::Body(None) => f.write_str("body"),
            Directive::Body(Some(file)) => write!(f, "body {file}"),
            Directive::File(file) => write!(f, "file {file}"),
            Directive::Octets(count) => write!(f, "octets {count}"),
            Directive::Pause(time) => write!(f, "pause {}", Time(*time)),
            Directive::Silence(time) => write!(f, "silence {}", Time(*time)),
            Directive::NoReply => f.write_str("no reply"),
            Directive::HalfClose => f.write_str("half-close"),
            Directive::Close => f.write_str("close"),
            Directive::Truncate(Truncation::BetweenRecords) => f.write_str("close without close_notify"),
            Directive::Truncate(Truncation::InsideRecord) => f.write_str("cut off inside tls"),
            Directive::Reset => f.write_str("reset"),
            Directive::StartTls => f.write_str("starttls"),
            Directive::Tls => f.write_str("tls"),
            Directive::EndTls => f.write_str("end tls"),
            Directive::Authenticate { mechanism, user, secret } => {
                write!(f, "authenticate {mechanism} {user} {secret}")
            }
            Directive::Within(time) => write!(f, "within {}", Time(*time)),
            Directive::EachWithin(time) => write!(f, "each within {}", Time(*time)),
            Directive::AllWithin(time) => write!(f, "all within {}", Time(*time)),
            Directive::Place(name) => write!(f, "place {name}"),
            Directive::Secret(name) => write!(f, "secret {name}"),
            Directive::Include(file) => write!(f, "include {file}"),
            Directive::NextSession => f.write_str("next session"),
            Directive::Line(_) | Directive::Reply(_) | Directive::Bytes(_) => Ok(()),
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

/// Writes a text with names in it; `literal` writes what is between them, and is told whether a name follows, since a
/// dollar right before one would be read with it.
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

/// A time in the largest unit that it is a whole number of: `90 s`, `2 min`, `1500 ms`.
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
