//! A policy: which servers mail for a domain may go to, and how strictly.

use std::time::Duration;
use std::{fmt, str};

use super::excerpt::Excerpt;

/// A domain's policy ([RFC 8461, section 3.2](https://www.rfc-editor.org/rfc/rfc8461#section-3.2)).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// How strictly it holds.
    pub mode: Mode,
    /// How long it may be remembered; weeks are usual.
    pub max_age: Duration,
    /// The servers that it allows; none only in the mode [`None`](Mode::None).
    pub mx: Vec<Pattern>,
}

/// How strictly a policy holds ([RFC 8461, section 5](https://www.rfc-editor.org/rfc/rfc8461#section-5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// Mail goes to no server that does not keep to it.
    Enforce,
    /// Mail goes there all the same, and is reported.
    Testing,
    /// As if there were no policy.
    None,
}

/// A server, or all those whose names have one label more: `mx.example.org`, `*.example.org`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern(String);

/// Why a text is no policy. What stands there is made visible in the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPolicy {
    /// It has more octets than a policy may have here.
    #[error("it has more than {most} octets")]
    TooLong {
        /// As many it may have.
        most: usize,
    },
    /// A line is no field: a name, a colon, and a value.
    #[error("line {line} is no field: {}", Excerpt(found))]
    Field {
        /// Which line, from 1 on.
        line: usize,
        /// What it is.
        found: Vec<u8>,
    },
    /// A field that every policy has is not there.
    #[error("it has no field {0}")]
    Missing(&'static str),
    /// The version is another one.
    #[error("its version is not STSv1: {}", Excerpt(found))]
    Version {
        /// What stands there.
        found: Vec<u8>,
    },
    /// The mode is none that there is.
    #[error("its mode is neither enforce, testing nor none: {}", Excerpt(found))]
    Mode {
        /// What stands there.
        found: Vec<u8>,
    },
    /// The age is no number of seconds up to a year.
    #[error("its max_age is no number of seconds up to {}: {}", MOST_AGE, Excerpt(found))]
    MaxAge {
        /// What stands there.
        found: Vec<u8>,
    },
    /// An `mx` is neither a host name nor `*.` before one.
    #[error("the mx in line {line} is no host name, nor *. before one: {}", Excerpt(found))]
    Mx {
        /// Which line, from 1 on.
        line: usize,
        /// What stands there.
        found: Vec<u8>,
    },
}

impl Policy {
    /// How many octets of a policy are read at most: 64 KiB
    /// ([RFC 8461, section 3.3](https://www.rfc-editor.org/rfc/rfc8461#section-3.3)).
    pub const MOST: usize = 64 * 1024;

    /// Reads a policy as it came, with CRLF or LF. Fields that nobody knows do not matter; of those that are there twice, the
    /// first counts, but for `mx`.
    ///
    /// ```
    /// use mconnect_core::sts::{Mode, Policy};
    ///
    /// let policy = Policy::parse(b"version: STSv1\nmode: enforce\nmx: mx.example.org\nmx: *.example.net\nmax_age: 604800\n")?;
    /// assert_eq!(policy.mode, Mode::Enforce);
    /// assert!(policy.covers("MX.example.org") && policy.covers("a.example.net"));
    /// assert!(!policy.covers("a.b.example.net") && !policy.covers("example.net"));
    ///
    /// let error = Policy::parse(b"<html>\n").unwrap_err();
    /// assert_eq!(error.to_string(), "line 1 is no field: <html>");
    /// # Ok::<(), mconnect_core::sts::InvalidPolicy>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidPolicy`] says what is wrong, and where.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidPolicy> {
        if text.len() > Self::MOST {
            return Err(InvalidPolicy::TooLong { most: Self::MOST });
        }
        let (mut version, mut mode, mut max_age, mut mx) = (None, None, None, Vec::new());
        for (line, text) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            if text.trim_ascii().is_empty() {
                continue;
            }
            let Some((name, value)) = field(text) else {
                return Err(InvalidPolicy::Field { line, found: text.to_vec() });
            };
            match name {
                b"version" => drop(version.get_or_insert(value)),
                b"mode" => drop(mode.get_or_insert(value)),
                b"max_age" => drop(max_age.get_or_insert(value)),
                b"mx" => {
                    mx.push(Pattern::read(value).ok_or_else(|| InvalidPolicy::Mx { line, found: value.to_vec() })?);
                }
                _ => {}
            }
        }
        let version = version.ok_or(InvalidPolicy::Missing("version"))?;
        if version != b"STSv1" {
            return Err(InvalidPolicy::Version { found: version.to_vec() });
        }
        let mode = match mode.ok_or(InvalidPolicy::Missing("mode"))? {
            b"enforce" => Mode::Enforce,
            b"testing" => Mode::Testing,
            b"none" => Mode::None,
            other => return Err(InvalidPolicy::Mode { found: other.to_vec() }),
        };
        let max_age = max_age.ok_or(InvalidPolicy::Missing("max_age"))?;
        let max_age = seconds(max_age).ok_or_else(|| InvalidPolicy::MaxAge { found: max_age.to_vec() })?;
        if mx.is_empty() && mode != Mode::None {
            return Err(InvalidPolicy::Missing("mx"));
        }
        Ok(Self { mode, max_age, mx })
    }

    /// Says whether mail for the domain may go to this host, as far as its name is asked: a pattern is for it, or the mode
    /// is [`None`](Mode::None).
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        self.mode == Mode::None || self.mx.iter().any(|pattern| pattern.is_for(host))
    }
}

impl Pattern {
    /// Reads a host name in ASCII, perhaps with `*.` before it.
    fn read(value: &[u8]) -> Option<Self> {
        let value = str::from_utf8(value).ok()?.to_ascii_lowercase();
        let name = value.strip_prefix("*.").unwrap_or(&value);
        is_host(name).then_some(Self(value))
    }

    /// Says whether it is for this host ([RFC 8461, section 4.1](https://www.rfc-editor.org/rfc/rfc8461#section-4.1)): a
    /// wildcard stands for one label, the first. A last dot of the host does not count.
    #[must_use]
    pub fn is_for(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        match self.0.strip_prefix("*.") {
            Some(parent) => {
                host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent))
            }
            None => host.eq_ignore_ascii_case(&self.0),
        }
    }

    /// Returns it in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Takes a line apart: behind the colon may be blanks, and behind the value, too.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&line[..at], line[at + 1..].trim_ascii());
    (is_field_name(name) && !value.is_empty()).then_some((name, value))
}

/// Says whether the name of a field has letters, digits and, behind the first, `_`, `-` and `.`: 32 at most.
pub(super) fn is_field_name(name: &[u8]) -> bool {
    matches!(name.len(), 1..=32)
        && name[0].is_ascii_alphanumeric()
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte))
}

/// Reads an age: up to ten digits, and no more than a year.
fn seconds(value: &[u8]) -> Option<Duration> {
    let digits = str::from_utf8(value).ok().filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()))?;
    let seconds = digits.parse().ok().filter(|seconds| digits.len() <= 10 && *seconds <= MOST_AGE)?;
    Some(Duration::from_secs(seconds))
}

/// Says whether the labels of a name are letters, digits and inner hyphens; or with `_`, which some servers' names have.
pub(crate) fn is_host(name: &str) -> bool {
    let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_label = |label: &str| {
        let is_short = matches!(label.len(), 1..=63);
        is_short && label.bytes().all(is_inside) && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// In seconds: about a year.
const MOST_AGE: u64 = 31_557_600;

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: &str = "version: STSv1\r\nmode: testing\r\nmx: mail.example.com\r\nmax_age: 86400\r\n";

    #[test]
    fn a_policy_is_read_with_either_line_end_and_whatever_is_new_in_it() {
        let policy = Policy::parse(USUAL.as_bytes()).unwrap();
        assert_eq!(
            (policy.mode, policy.max_age.as_secs(), policy.mx[0].as_str()),
            (Mode::Testing, 86_400, "mail.example.com")
        );
        let odd = format!("{}new: \u{e4} : x\r\nmode: none\nversion: 2\nmax_age: x\n\n", USUAL.replace("\r\n", "\n"));
        for text in [
            USUAL.replace("\r\n", "\n"),
            USUAL.trim_end().to_owned(),
            odd,
            USUAL.replace(": ", ":"),
            USUAL.replace("\r\n", " \t\r\n"),
        ] {
            assert_eq!(Policy::parse(text.as_bytes()), Ok(policy.clone()), "{text}");
        }
        let none = Policy::parse(b"mode: none\nmax_age: 0\nversion: STSv1").unwrap();
        assert!(none.mx.is_empty() && none.covers("anything.example"));
    }

    #[test]
    fn what_is_wrong_with_a_policy_is_said() {
        for (from, to, words) in [
            ("STSv1", "STSv2", "its version is not STSv1: STSv2"),
            ("STSv1", "stsv1", "its version is not STSv1: stsv1"),
            ("version", "\u{feff}version", "line 1 is no field: "),
            ("version", "VERSION", "it has no field version"),
            ("version: STSv1\r\n", "", "it has no field version"),
            ("mode: testing\r\n", "", "it has no field mode"),
            ("max_age: 86400\r\n", "", "it has no field max_age"),
            ("mx: mail.example.com\r\n", "", "it has no field mx"),
            ("mode: testing", "mode: report", "its mode is neither enforce, testing nor none: report"),
            ("mode: testing", "mode:", "line 2 is no field: mode:"),
            ("mode: testing", "mode testing", "line 2 is no field: mode testing"),
            ("86400", "31557601", "its max_age is no number of seconds up to 31557600: 31557601"),
            ("86400", "00000086400", "its max_age is no number of seconds up to 31557600: 00000086400"),
            ("86400", "-1", "its max_age is no number of seconds up to 31557600: -1"),
            ("86400", "1d", "its max_age is no number of seconds up to 31557600: 1d"),
            ("mail.", ".", "the mx in line 3 is no host name, nor *. before one: .example.com"),
            ("mail.", "a.*.", "the mx in line 3 is no host name, nor *. before one: a.*.example.com"),
            ("mail.", "*", "the mx in line 3 is no host name, nor *. before one: *example.com"),
            ("mail.example.com", "a b", "the mx in line 3 is no host name, nor *. before one: a b"),
            ("mail.example.com", "[192.0.2.1]", "the mx in line 3 is no host name, nor *. before one: [192.0.2.1]"),
        ] {
            let text = USUAL.replace(from, to);
            let error = Policy::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(words), "{text}{error}");
        }
        let long = [USUAL.as_bytes(), &[b'\n'; Policy::MOST]].concat();
        assert_eq!(Policy::parse(&long).unwrap_err().to_string(), "it has more than 65536 octets");
        assert!(Policy::parse(&long[..Policy::MOST]).is_ok());
        let excerpt = Policy::parse("<\u{1b}".repeat(1000).as_bytes()).unwrap_err().to_string();
        assert!(excerpt.len() < 300 && !excerpt.contains('\u{1b}') && excerpt.ends_with("..."), "{excerpt}");
    }

    #[test]
    fn a_wildcard_is_one_label_and_the_first() {
        for (pattern, hosts, others) in [
            (
                "mx.example.org",
                &["mx.example.org", "MX.Example.ORG."][..],
                &["example.org", "a.mx.example.org", "mxxexample.org", ""][..],
            ),
            (
                "*.Example.org",
                &["mx.example.org", "*.example.org"],
                &["example.org", "a.b.example.org", ".example.org", "mx.example.org.x"],
            ),
        ] {
            let pattern = Pattern::read(pattern.as_bytes()).unwrap();
            for host in hosts {
                assert!(pattern.is_for(host), "{pattern} {host}");
            }
            for host in others {
                assert!(!pattern.is_for(host), "{pattern} {host}");
            }
        }
    }
}
