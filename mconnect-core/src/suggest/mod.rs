//! What a person who types at a server may want: how a command line may go on, by what the server advertised and what was
//! used before; which command usually comes next; from whom and for whom the message under way is. Nothing that is
//! suggested steers a terminal.

mod nearest;
mod tables;
mod transaction;

use std::net::SocketAddr;

use crate::own_name::{address_literal, is_name_blamed, own_name};
use crate::protocol::{Extensions, Phase, Request, Standing, Visible};
pub use nearest::nearest;
use tables::{MAIL_PARAMETERS, OFFERED_VERBS, RCPT_PARAMETERS, SYNTAX, VERBS};
pub use transaction::Transaction;
use transaction::names_path;

/// What completion goes by.
///
/// ```
/// use mconnect_core::suggest::Suggestions;
///
/// let mut suggestions = Suggestions::new(None);
/// assert_eq!(suggestions.complete("mail f"), (5, vec!["from:<".to_owned()]));
/// suggestions.learn("MAIL FROM:<alice@a.example>");
/// let (start, candidates) = suggestions.complete("RCPT TO:<");
/// assert_eq!((start, candidates), (5, vec!["TO:<alice@a.example>".to_owned()]));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Suggestions {
    extensions: Option<Extensions>,
    addresses: Vec<String>,
    /// What the client calls itself.
    name: Option<String>,
    /// The last line asked to leave, in words that are not SMTP's.
    is_leaving: bool,
    /// The command that usually came next when that was known last.
    next: Option<String>,
}

impl Suggestions {
    /// Makes those for a server that advertised this, if it was asked for it.
    pub fn new(extensions: Option<Extensions>) -> Self {
        Self { extensions, ..Self::default() }
    }

    /// Sets what the server advertised since.
    pub fn set_extensions(&mut self, extensions: Option<Extensions>) {
        self.extensions = extensions;
    }

    /// Sets what the client calls itself, until it says another name.
    pub fn set_name(&mut self, name: &str) {
        self.name = Some(name.to_owned()).filter(|name| !name.is_empty() && is_harmless(name));
    }

    /// Keeps the address of a MAIL or RCPT that was sent, and the name in an EHLO, HELO or LHLO.
    pub fn learn(&mut self, line: &str) {
        self.is_leaving = LEAVING.iter().any(|word| line.trim().eq_ignore_ascii_case(word));
        let is_hello = |verb: &str| HELLOS.iter().any(|hello| verb.eq_ignore_ascii_case(hello.trim()));
        if let Some((_, name)) = line.trim().split_once(' ').filter(|(verb, _)| is_hello(verb)) {
            self.set_name(name.trim());
        }
        let address = line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(address, _)| address);
        let is_new = |address: &&str| !self.addresses.iter().any(|known| known == address);
        let address =
            address.filter(|address| names_path(line) && !address.is_empty() && is_harmless(address)).filter(is_new);
        if self.addresses.len() < MOST_ADDRESSES {
            self.addresses.extend(address.map(str::to_owned));
        }
    }

    /// Returns where the word at the end of a command line begins, and what may stand there, in order.
    pub fn complete(&self, line: &str) -> (usize, Vec<String>) {
        let start = line.rfind(' ').map_or(0, |space| space + 1);
        let candidates = match line.split_once(' ').map(|(verb, rest)| (verb.to_ascii_uppercase(), rest)) {
            None => self.verbs(),
            Some((verb, rest)) => match verb.as_str() {
                "MAIL" if !rest.contains([' ', '>']) => self.path(rest, "FROM:<"),
                "RCPT" if !rest.contains([' ', '>']) => self.path(rest, "TO:<"),
                "MAIL" => self.offered(MAIL_PARAMETERS),
                "RCPT" => self.offered(RCPT_PARAMETERS),
                "AUTH" if !rest.contains(' ') => self.mechanisms(),
                "BDAT" if rest.contains(' ') => vec!["LAST".to_owned()],
                "HELP" => self.verbs(),
                "EHLO" | "HELO" | "LHLO" => self.name.iter().cloned().collect(),
                "VRFY" | "EXPN" => self.addresses.clone(),
                _ => Vec::new(),
            },
        };
        (start, fitting(candidates, &line[start..]))
    }

    /// Returns the commands that the server may take, each up to where something has to follow.
    pub fn verbs(&self) -> Vec<String> {
        let mut verbs: Vec<String> = VERBS.iter().map(|verb| (*verb).to_owned()).collect();
        verbs.extend(self.offered(OFFERED_VERBS));
        if !self.mechanisms().is_empty() {
            verbs.push("AUTH ".to_owned());
        }
        if self.extensions.is_none() {
            verbs.push("LHLO ".to_owned());
        }
        verbs
    }

    /// Returns the mechanisms of AUTH that the server advertised; no other of its words
    /// ([RFC 4422, section 3.1](https://www.rfc-editor.org/rfc/rfc4422#section-3.1)).
    pub fn mechanisms(&self) -> Vec<String> {
        let Some(extensions) = &self.extensions else { return Vec::new() };
        let names = extensions.auth_mechanisms().into_iter().filter(|name| is_mechanism_name(name));
        names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
    }

    /// Says whether the last line asked to leave in words that servers do not know, as `exit` does.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    /// Returns how a command goes on that was begun: what is sure, and what only stands for something, in capitals.
    ///
    /// ```
    /// use mconnect_core::suggest::Suggestions;
    ///
    /// let mut suggestions = Suggestions::new(None);
    /// suggestions.set_name("client.example");
    /// assert_eq!(suggestions.syntax("mail"), Some((" FROM:<".to_owned(), "SENDER> [PARAMETERS]")));
    /// assert_eq!(suggestions.syntax("EHL"), Some(("O client.example".to_owned(), "")));
    /// assert_eq!(suggestions.syntax("MAIL FROM:<a"), None);
    /// ```
    pub fn syntax(&self, line: &str) -> Option<(String, &'static str)> {
        if line.len() < 3 {
            return None;
        }
        let hello = |name: &String| {
            HELLOS.map(|verb| verb.to_owned() + name).into_iter().find(|whole| starts_with(whole, line))
        };
        if let Some(whole) = self.name.as_ref().and_then(hello) {
            return Some((whole[line.len()..].to_owned(), "")).filter(|(left, _)| !left.is_empty());
        }
        let (whole, rest) = SYNTAX.iter().find(|(typed, _)| starts_with(typed, line))?;
        Some((whole[line.len()..].to_owned(), rest))
    }

    /// Returns the command that usually comes next, as far as that is known; EHLO and HELO give the name that was used last,
    /// or else [`own_name`](crate::own_name). What the server does not know, and an empty line, change nothing about it.
    pub fn next_command(&mut self, standing: &Standing, local: Option<SocketAddr>) -> Option<String> {
        let answer = standing.last_answer?;
        let request = answer.request?;
        if standing.outstanding > 0 || standing.is_closing {
            return None;
        }
        let is_granted = answer.meaning().is_granted();
        let name = || self.name.clone().unwrap_or_else(|| own_name(local));
        let next = match request {
            // What was said before TLS counts no more.
            Request::Greeting | Request::StartTls | Request::XClient
                if is_granted && standing.phase == Phase::Command =>
            {
                Some(format!("EHLO {}", name()))
            }
            Request::Ehlo | Request::Helo | Request::Lhlo | Request::Rset | Request::Auth | Request::AuthAnswer
                if is_granted =>
            {
                Some("MAIL FROM:<".to_owned())
            }
            Request::Ehlo if is_name_blamed(answer.code) && name() != address_literal(local) => {
                Some(format!("EHLO {}", address_literal(local)))
            }
            Request::Ehlo => Some(format!("HELO {}", name())),
            Request::Mail if is_granted => Some("RCPT TO:<".to_owned()),
            Request::Rcpt if is_granted => Some("DATA".to_owned()),
            Request::EndOfData | Request::Greeting => Some("QUIT".to_owned()),
            Request::Other if self.is_leaving => Some("QUIT".to_owned()),
            Request::Other | Request::EmptyLine => self.next.take(),
            _ => None,
        };
        self.next = next.filter(|next| is_harmless(next));
        self.next.clone()
    }

    fn path(&self, rest: &str, keyword: &str) -> Vec<String> {
        match rest.split_once('<') {
            None => vec![keyword.to_owned()],
            Some((typed, _)) => self.addresses.iter().map(|address| format!("{typed}<{address}>")).collect(),
        }
    }

    /// Returns what goes with the extensions that were advertised.
    fn offered(&self, by_keyword: &[(&str, &[&str])]) -> Vec<String> {
        let Some(extensions) = &self.extensions else { return Vec::new() };
        let fitting = by_keyword.iter().filter(|(keyword, _)| extensions.has(keyword));
        fitting.flat_map(|(_, texts)| texts.iter().map(|text| (*text).to_owned())).collect()
    }
}

/// Returns those that begin with a word, in order and in its case.
fn fitting(candidates: Vec<String>, word: &str) -> Vec<String> {
    let is_lower = word.chars().any(char::is_lowercase) && !word.chars().any(char::is_uppercase);
    let fitting = candidates.into_iter().filter(|candidate| starts_with(candidate, word));
    let mut fitting: Vec<String> = fitting
        .map(|candidate| if is_lower { word.to_owned() + &candidate[word.len()..].to_lowercase() } else { candidate })
        .collect();
    fitting.sort();
    fitting.dedup();
    fitting
}

/// Says whether a text that is shown as it is steers no terminal.
fn is_harmless(text: &str) -> bool {
    Visible(text.as_bytes()).to_string() == text
}

fn starts_with(candidate: &str, word: &str) -> bool {
    candidate.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

fn is_mechanism_name(name: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    (1..=LONGEST_MECHANISM).contains(&name.len()) && name.iter().all(is_part)
}

/// The commands that give the client's name.
const HELLOS: [&str; 3] = ["EHLO ", "HELO ", "LHLO "];
/// What is typed to leave by who has not met SMTP.
const LEAVING: [&str; 6] = ["exit", "bye", "logout", "close", "q", "quit()"];

/// The longest name of a mechanism.
const LONGEST_MECHANISM: usize = 20;
/// So many addresses are kept: a paste may have any number.
const MOST_ADDRESSES: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Limits, ReplyBuilder, ReplyLine, Tracker};

    fn knowing(reply: &[u8]) -> Suggestions {
        let mut builder = ReplyBuilder::new(Limits::default());
        let reply =
            reply.split_inclusive(|byte| *byte == b'\n').find_map(|line| builder.push(ReplyLine::new(line)).unwrap());
        let mut suggestions = Suggestions::new(reply.as_ref().map(Extensions::from_reply));
        suggestions.learn("mail from:<a@example.org> SIZE=1");
        suggestions
    }

    fn of(line: &str, suggestions: &Suggestions) -> Vec<String> {
        suggestions.complete(line).1
    }

    #[test]
    fn completion_follows_what_the_server_advertised() {
        let full = knowing(b"250-x\n250-SIZE 10\n250-DSN\n250-STARTTLS\n250-AUTH PLAIN LOGIN\n250 CHUNKING\n");
        let bare = knowing(b"250 x\n");
        assert_eq!(of("S", &full), ["STARTTLS"]);
        assert!(of("S", &bare).is_empty() && of("B", &bare).is_empty());
        assert_eq!(of("mail f", &full), ["from:<"]);
        assert_eq!(of("MAIL FROM:<", &full), ["FROM:<a@example.org>"]);
        assert_eq!(of("MAIL FROM:<> ", &full), ["AUTH=<>", "ENVID=", "RET=FULL", "RET=HDRS", "SIZE="]);
        assert_eq!(of("RCPT TO:<b@c> NOTIFY=S", &full), ["NOTIFY=SUCCESS"]);
        assert_eq!(of("AUTH ", &full), ["LOGIN", "PLAIN"]);
        assert!(of("MAIL FROM:<> ", &bare).is_empty() && of("AUTH ", &bare).is_empty());
    }

    #[test]
    fn only_names_of_mechanisms_are_offered_of_the_servers_words() {
        let words = b"250-x\n250 AUTH X\x1b]52;c;eA==\x07 plain XOAUTH2 P\xc3\xa9 X\xc2\x9b A,B TWENTY-CHARACTERS_01 TWENTY-CHARACTERS_012 \xff\n";
        assert_eq!(of("AUTH ", &knowing(words)), ["TWENTY-CHARACTERS_01", "XOAUTH2"]);
    }

    #[test]
    fn an_address_that_steers_a_terminal_is_not_kept() {
        let mut suggestions = Suggestions::new(None);
        suggestions.learn("MAIL FROM:<a\x1b[2J@b.example>");
        assert!(of("RCPT TO:<", &suggestions).is_empty());
        assert!(!next(&[("", "220 hi")], Some("a\x1b[2J")).unwrap().contains('\x1b'));
    }

    #[test]
    fn no_more_addresses_are_kept_than_anybody_looks_through() {
        let mut suggestions = Suggestions::new(None);
        (0..2000).for_each(|number| suggestions.learn(&format!("RCPT TO:<{number}@b.example>")));
        assert_eq!(of("VRFY ", &suggestions).len(), MOST_ADDRESSES);
    }

    fn next(steps: &[(&str, &str)], name: Option<&str>) -> Option<String> {
        let (mut tracker, mut suggestions, mut next) = (Tracker::new(), Suggestions::new(None), None);
        suggestions.set_name(name.unwrap_or_default());
        for (sent, received) in steps {
            if !sent.is_empty() {
                suggestions.learn(sent);
            }
            tracker.sent(sent.as_bytes());
            tracker.received(ReplyLine::new(format!("{received}\r\n").as_bytes()));
            next = suggestions.next_command(&tracker.standing(), "192.0.2.1:25".parse().ok());
        }
        next
    }

    #[test]
    fn what_comes_next_follows_the_last_answer() {
        let mut steps = Vec::new();
        for (sent, received, expected) in [
            ("", "220 hi", Some("EHLO client.example")),
            ("EHLO x\r\n", "501 no", Some("EHLO [192.0.2.1]")),
            ("EHLO [192.0.2.1]\r\n", "501 no", Some("HELO [192.0.2.1]")),
            ("EHLO x\r\n", "502 no", Some("HELO x")),
            ("exit\r\n", "500 what", Some("QUIT")),
            ("HELO x\r\n", "250 ok", Some("MAIL FROM:<")),
            ("MAIL FROM:<>\r\n", "250 ok", Some("RCPT TO:<")),
            ("\r\n", "500 what", Some("RCPT TO:<")),
            ("RCPT TO:<a@b.example>\r\n", "550 no", None),
            ("RCPT TO:<c@b.example>\r\n", "250 ok", Some("DATA")),
            ("DATTA\r\n", "500 what", Some("DATA")),
            ("DATA\r\n", "354 go", None),
            (".\r\n", "250 ok", Some("QUIT")),
            ("QUIT\r\n", "221 bye", None),
        ] {
            steps.push((sent, received));
            assert_eq!(next(&steps, Some("client.example")).as_deref(), expected, "{sent}{received}");
        }
    }

    #[test]
    fn a_name_that_was_said_is_the_one_that_is_suggested_from_then_on() {
        let mut suggestions = Suggestions::new(None);
        assert_eq!(suggestions.syntax("EHL"), Some(("O ".to_owned(), "NAME")));
        suggestions.learn("ehlo other.example\r\n");
        assert_eq!(suggestions.syntax("HELO o"), Some(("ther.example".to_owned(), "")));
        assert_eq!(of("LHLO ", &suggestions), ["other.example"]);
        suggestions.learn("EHLO x\x1b[2J\r\n");
        assert_eq!(suggestions.syntax("EHLO "), Some((String::new(), "NAME")));
        assert_eq!(suggestions.syntax("数"), None);
    }
}
