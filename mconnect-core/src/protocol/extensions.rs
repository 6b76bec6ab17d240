//! What a server said that it can do.

use std::fmt;

use super::line::ReplyLine;
use super::meaning::of_extension;
use super::reply::Reply;
use super::visible::Visible;

/// The service extensions of a reply to EHLO or LHLO
/// ([RFC 5321, section 4.1.1.1](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.1.1)), in the server's order, known
/// or not. At most 1,000 lines and 64 KiB are kept of a reply, so that no server fills the memory; a line that does not
/// fit is left out whole.
///
/// ```
/// # #[cfg(feature = "server")] {
/// # let server = mconnect_core::server::Server::start()?;
/// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
/// # session.read_reply()?;
/// session.command("EHLO client.example")?.require(250)?;
/// let extensions = session.extensions().unwrap_or_default();
/// assert!(extensions.has("pipelining"));
/// println!("messages of up to {:?} octets", extensions.size_limit());
/// for extension in extensions.iter() {
///     println!("{extension}");
/// }
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What is offered in the clear may have been changed by anybody on the way: after TLS has started, EHLO comes again
/// ([RFC 3207, section 4.2](https://www.rfc-editor.org/rfc/rfc3207#section-4.2)).
#[doc(alias = "capabilities")]
#[doc(alias = "EHLO")]
#[doc(alias = "ESMTP")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Extensions {
    greeting: Vec<u8>,
    list: Vec<Extension>,
    /// The octets of all of it.
    size: usize,
}

/// One service extension: a keyword and its parameters, as the server wrote them.
///
/// ```text
///   250-AUTH PLAIN LOGIN        raw: AUTH PLAIN LOGIN    keyword: AUTH    params: PLAIN, LOGIN
/// ```
/// [`Display`](fmt::Display) has [`raw`](Self::raw), safe for a terminal.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Extension {
    line: Vec<u8>,
    keyword_size: usize,
}

impl Extensions {
    /// Reads a reply to EHLO: its first line is the server's greeting, each further one an extension. A session does
    /// this when EHLO is granted.
    ///
    /// ```
    /// use mconnect_core::protocol::{Extension, Extensions, Limits, ReplyBuilder, ReplyLine};
    ///
    /// let mut builder = ReplyBuilder::new(Limits::default());
    /// builder.push(ReplyLine::new(b"250-mx.example.org hello\r\n"))?;
    /// let reply = builder.push(ReplyLine::new(b"250 AUTH PLAIN LOGIN\r\n"))?.unwrap();
    /// let extensions = Extensions::from_reply(&reply);
    /// assert_eq!(extensions.greeting(), b"mx.example.org hello");
    /// let auth = extensions.get("auth").unwrap();
    /// assert_eq!(auth.params().collect::<Vec<_>>(), [b"PLAIN", b"LOGIN"]);
    /// # Ok::<(), mconnect_core::protocol::LimitExceeded>(())
    /// ```
    pub fn from_reply(reply: &Reply) -> Self {
        let mut extensions = Self::default();
        for (index, line) in reply.lines().enumerate() {
            extensions.add(index, line);
        }
        extensions
    }

    /// Adds line number `index` of the reply, counted from 0; lines without a keyword are passed over, and so is what
    /// does not fit.
    pub(super) fn add(&mut self, index: usize, line: ReplyLine<'_>) {
        let text = line.text().trim_ascii();
        if index >= MOST_LINES || text.len() > MOST_OCTETS - self.size {
            return;
        }
        self.size += text.len();
        match (index, text) {
            (0, text) => self.greeting = text.to_vec(),
            (_, []) => {}
            (_, text) => self.list.push(Extension::new(text)),
        }
    }

    /// Returns the text of the first line: the server's name, and perhaps a greeting.
    pub fn greeting(&self) -> &[u8] {
        &self.greeting
    }

    /// Says whether there is an extension of this keyword, in whatever case.
    #[must_use]
    pub fn has(&self, keyword: &str) -> bool {
        self.get(keyword).is_some()
    }

    /// Returns the first extension of this keyword, in whatever case.
    pub fn get(&self, keyword: &str) -> Option<&Extension> {
        self.iter().find(|extension| extension.keyword().eq_ignore_ascii_case(keyword.as_bytes()))
    }

    /// Returns every extension, in the server's order.
    pub fn iter(&self) -> impl Iterator<Item = &Extension> {
        self.list.iter()
    }

    /// Returns the largest message that the server takes, in octets, if it names a size other than 0
    /// ([RFC 1870, section 3](https://www.rfc-editor.org/rfc/rfc1870#section-3)). A server that has SIZE and no number
    /// may still have a limit.
    #[doc(alias = "SIZE")]
    pub fn size_limit(&self) -> Option<u64> {
        self.get("SIZE")?.size().filter(|size| *size > 0)
    }

    /// Returns the mechanisms of AUTH, each once
    /// ([RFC 4954, section 3](https://www.rfc-editor.org/rfc/rfc4954#section-3)), also of the older form `AUTH=`.
    /// [`Mechanism::best`](crate::sasl::Mechanism::best) chooses among them.
    #[doc(alias = "AUTH")]
    pub fn auth_mechanisms(&self) -> Vec<&[u8]> {
        let mut mechanisms: Vec<&[u8]> = Vec::new();
        for extension in self.iter() {
            let first = match extension.keyword().split_at_checked(5) {
                Some((auth, first)) if auth.eq_ignore_ascii_case(b"AUTH=") => first,
                _ if extension.keyword().eq_ignore_ascii_case(b"AUTH") => b"",
                _ => continue,
            };
            for mechanism in Some(first).into_iter().chain(extension.params()) {
                if !mechanism.is_empty() && !mechanisms.iter().any(|known| known.eq_ignore_ascii_case(mechanism)) {
                    mechanisms.push(mechanism);
                }
            }
        }
        mechanisms
    }
}

impl Extension {
    fn new(text: &[u8]) -> Self {
        let keyword_size = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
        Self { line: text.to_vec(), keyword_size }
    }

    /// Returns the keyword and its parameters as the server wrote them, without white space around them.
    pub fn raw(&self) -> &[u8] {
        &self.line
    }

    /// Returns the keyword as the server wrote it.
    pub fn keyword(&self) -> &[u8] {
        &self.line[..self.keyword_size]
    }

    /// Returns in words what the server offers by it; `None` if that is not known.
    ///
    /// ```
    /// use mconnect_core::protocol::{Extensions, Limits, ReplyBuilder, ReplyLine};
    ///
    /// let mut builder = ReplyBuilder::new(Limits::default());
    /// builder.push(ReplyLine::new(b"250-mx.example.org hello\r\n"))?;
    /// let reply = builder.push(ReplyLine::new(b"250 SIZE 104857600\r\n"))?.unwrap();
    /// let extensions = Extensions::from_reply(&reply);
    /// let size = extensions.get("SIZE").unwrap();
    /// assert_eq!(size.meaning().as_deref(), Some("messages of up to 100 MiB"));
    /// # Ok::<(), mconnect_core::protocol::LimitExceeded>(())
    /// ```
    pub fn meaning(&self) -> Option<String> {
        let keyword = std::str::from_utf8(self.keyword()).ok()?.to_ascii_uppercase();
        match self.size().filter(|_| keyword == "SIZE") {
            Some(0) => Some("messages of any size, as far as that is known".to_owned()),
            Some(size) => Some(format!("messages of up to {}", in_units(size))),
            None => of_extension(&keyword).map(str::to_owned),
        }
    }

    /// Returns the number that is its first parameter.
    fn size(&self) -> Option<u64> {
        // Digits alone: a number may be parsed with a sign.
        let size = self.params().next().filter(|size| size.iter().all(u8::is_ascii_digit))?;
        std::str::from_utf8(size).ok()?.parse().ok()
    }

    /// Returns the words after the keyword, as they are: whether case matters is the extension's to say.
    pub fn params(&self) -> impl Iterator<Item = &[u8]> {
        self.line[self.keyword_size..].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
    }
}

/// Lists them, a line each, with what those mean that are known.
///
/// ```
/// use mconnect_core::protocol::{Extensions, Limits, ReplyBuilder, ReplyLine};
///
/// let mut builder = ReplyBuilder::new(Limits::default());
/// builder.push(ReplyLine::new(b"250-mx.example.org hello\r\n"))?;
/// builder.push(ReplyLine::new(b"250-SIZE 104857600\r\n"))?;
/// let reply = builder.push(ReplyLine::new(b"250 X-OWN\r\n"))?.unwrap();
/// let listed = Extensions::from_reply(&reply).to_string();
/// assert_eq!(listed, "SIZE 104857600       messages of up to 100 MiB\nX-OWN");
/// # Ok::<(), mconnect_core::protocol::LimitExceeded>(())
/// ```
impl fmt::Display for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, extension) in self.iter().enumerate() {
            let shown = extension.to_string();
            f.write_str(if index > 0 { "\n" } else { "" })?;
            match extension.meaning() {
                None => f.write_str(&shown)?,
                Some(meaning) if shown.chars().count() <= KEYWORDS => write!(f, "{shown:KEYWORDS$}  {meaning}")?,
                Some(meaning) => write!(f, "{shown}\n{:KEYWORDS$}  {meaning}", "")?,
            }
        }
        Ok(())
    }
}

/// Most extensions are no wider than this, in columns.
const KEYWORDS: usize = 19;

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Visible(&self.line).fmt(f)
    }
}

impl fmt::Debug for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.line.escape_ascii())
    }
}

/// Writes a number of octets as people say it: `100 MiB`, `9.5 MiB`, `1000 octets`.
fn in_units(size: u64) -> String {
    let unit = UNITS.iter().rev().find(|(unit, _)| size >= *unit);
    let Some((unit, name)) = unit else { return format!("{size} octets") };
    let tenths = u128::from(size) * 10 / u128::from(*unit);
    match tenths % 10 {
        0 => format!("{} {name}", tenths / 10),
        tenth => format!("{}.{tenth} {name}", tenths / 10),
    }
}

const UNITS: [(u64, &str); 3] = [(1 << 10, "KiB"), (1 << 20, "MiB"), (1 << 30, "GiB")];
/// Of a reply, so many lines are looked at.
const MOST_LINES: usize = 1000;
/// Of a reply, so many octets of text are kept.
const MOST_OCTETS: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Limits, ReplyBuilder};

    fn extensions(raw: &[u8]) -> Extensions {
        let mut builder = ReplyBuilder::new(Limits::default());
        let reply =
            raw.split_inclusive(|byte| *byte == b'\n').find_map(|line| builder.push(ReplyLine::new(line)).unwrap());
        Extensions::from_reply(&reply.unwrap())
    }

    #[test]
    fn every_keyword_is_kept_with_its_parameters() {
        let extensions = extensions(
            b"250-mx.example.org hello\r\n250-SIZE 1000\r\n250-X-\xff odd  words\r\n250-8bitmime\r\n250 \r\n",
        );
        assert_eq!(extensions.greeting(), b"mx.example.org hello");
        let keywords: Vec<&[u8]> = extensions.iter().map(Extension::keyword).collect();
        assert_eq!(keywords, [&b"SIZE"[..], b"X-\xff", b"8bitmime"]);
        assert!(extensions.has("8BITMIME") && !extensions.has("STARTTLS"));
        assert_eq!(extensions.iter().nth(1).unwrap().params().collect::<Vec<_>>(), [b"odd", &b"words"[..]]);
        assert_eq!(extensions.size_limit(), Some(1000));
        let odd = extensions.iter().nth(1).unwrap();
        assert_eq!(odd.raw(), b"X-\xff odd  words");
        assert_eq!(
            (odd.to_string(), format!("{odd:?}")),
            (r"X-\xff odd  words".into(), r#""X-\xff odd  words""#.into())
        );
    }

    #[test]
    fn what_is_offered_is_said_in_words_as_far_as_it_is_known() {
        let extensions = extensions(
            b"250-x\n250-size 104857600\n250-SIZE 10000000\n250-SIZE 999\n250-SIZE 0\n250-SIZE\n250-AUTH PLAIN\n250 X-ODD\n",
        );
        let meanings: Vec<Option<String>> = extensions.iter().map(Extension::meaning).collect();
        let meanings: Vec<Option<&str>> = meanings.iter().map(Option::as_deref).collect();
        assert_eq!(
            meanings,
            [
                Some("messages of up to 100 MiB"),
                Some("messages of up to 9.5 MiB"),
                Some("messages of up to 999 octets"),
                Some("messages of any size, as far as that is known"),
                Some("MAIL may say how large the message is"),
                Some("users log in by these mechanisms"),
                None,
            ]
        );
    }

    #[test]
    fn a_size_of_zero_or_nonsense_is_no_limit() {
        for raw in [
            &b"250-x\r\n250 SIZE\r\n"[..],
            b"250-x\r\n250 SIZE 0\r\n",
            b"250-x\r\n250 SIZE 99999999999999999999\r\n",
            b"250-x\r\n250 SIZE +5\r\n",
        ] {
            assert_eq!(extensions(raw).size_limit(), None);
        }
    }

    #[test]
    fn of_a_reply_without_measure_so_many_lines_and_octets_are_kept() {
        let many = [&b"250-x\r\n"[..], &b"250-a\r\n".repeat(2000), b"250 SIZE\r\n"].concat();
        let kept = extensions(&many);
        assert_eq!((kept.iter().count(), kept.has("SIZE")), (MOST_LINES - 1, false));

        let long = [b"250-", &b"y".repeat(40_000)[..], b"\r\n"].concat();
        let kept = extensions(&[b"250-x\r\n", &long[..], &long, b"250 SIZE 7\r\n"].concat());
        let sizes: Vec<usize> = kept.iter().map(|extension| extension.keyword().len()).collect();
        assert_eq!((sizes, kept.size_limit()), (vec![40_000, 4], Some(7)));

        // With the greeting, this much fits to the octet.
        let rest = [b"250-", &b"z".repeat(MOST_OCTETS - 40_001)[..], b"\r\n"].concat();
        let kept = extensions(&[b"250-x\r\n", &long[..], &rest, b"250 y\r\n"].concat());
        assert_eq!((kept.iter().count(), kept.size), (2, MOST_OCTETS));
    }

    #[test]
    fn mechanisms_come_from_both_forms_of_auth_each_once() {
        let extensions = extensions(b"250-x\r\n250-AUTH PLAIN LOGIN\r\n250 auth=LOGIN CRAM-MD5\r\n");
        assert_eq!(extensions.auth_mechanisms(), [&b"PLAIN"[..], b"LOGIN", b"CRAM-MD5"]);
    }
}
