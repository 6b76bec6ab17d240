//! What the prompt says: whom one talks to and how that is protected, the phase of the session, and what the server still
//! owes.

use std::fmt;
use std::net::IpAddr;

use mconnect_core::Peer;
use mconnect_core::protocol::{Phase, Standing, Visible};

use crate::paint::{Mark, Tone};

/// What stands before a line: `mx.example.org tls smtp> `, and in a text `data> ` alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Label {
    /// The server; nothing if that is this machine, or where there is no room for it.
    host: String,
    mark: Mark,
    name: String,
}

impl Label {
    /// Makes it for so many columns, of which it takes no more than half if it can; `is_hidden` says that an answer to a 334
    /// is not shown.
    pub fn new(standing: &Standing, peer: &Peer, mark: Mark, is_hidden: bool, columns: usize) -> Self {
        let name = name(standing, is_hidden);
        if matches!(standing.phase, Phase::Body | Phase::Chunk { .. }) && !standing.is_closing {
            return Self { name, ..Self::default() };
        }
        let host = peer.known_as().unwrap_or(peer.name());
        let host = if is_here(host) { String::new() } else { Visible(host.as_bytes()).to_string() };
        let mut label = Self { host, mark, name };
        let fits = |label: &Self| label.to_string().chars().count() <= columns / 2;
        if !fits(&label) {
            label.host.clear();
        }
        // That nobody has proven who is there is said in any window.
        if !fits(&label) && label.mark.tone != Tone::Bad {
            label.mark = Mark::default();
        }
        label
    }

    /// Returns it in colour.
    pub fn painted(&self) -> String {
        let parts = [(Tone::Dim, &*self.host), (self.mark.tone, self.mark.words)];
        let parts = parts.into_iter().filter(|(_, part)| !part.is_empty());
        let before: String = parts.map(|(tone, part)| tone.paint(part) + " ").collect();
        before + &Tone::Bold.paint(&self.name)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [&*self.host, self.mark.words].into_iter().filter(|part| !part.is_empty()) {
            write!(f, "{part} ")?;
        }
        f.write_str(&self.name)
    }
}

/// Says whether a name is this machine's for itself.
fn is_here(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: IpAddr| ip.to_canonical().is_loopback())
}

/// Returns the phase, and what is due.
fn name(standing: &Standing, is_hidden: bool) -> String {
    let (name, due) = match standing.phase {
        _ if standing.is_closing => ("closing", 0),
        Phase::Body => ("data", standing.outstanding),
        // The chunk's own reply is not due before its end.
        Phase::Chunk { left } => (&*format!("bdat, {left} left"), standing.outstanding.saturating_sub(1)),
        Phase::Auth if !is_hidden => ("auth", standing.outstanding),
        Phase::Auth => ("auth, hidden", standing.outstanding),
        Phase::Greeting => ("greeting", standing.outstanding),
        _ => ("smtp", standing.outstanding),
    };
    let step = if standing.surprise.is_some() { ", out of step" } else { "" };
    let due = if due == 0 { String::new() } else { format!(", {due} due") };
    format!("{name}{step}{due}> ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use mconnect_core::protocol::{ReplyLine, Tracker};

    #[test]
    fn the_prompt_follows_the_phase() {
        let mut tracker = Tracker::new();
        let mut steps = Vec::new();
        for (sent, received) in [
            ("", ""),
            ("", "220 hi\r\n"),
            ("NOOP\r\nNOOP\r\n", ""),
            ("", "250 ok\r\n250 ok\r\n"),
            ("DATA\r\n", "354 go\r\n"),
            (".\r\n", "250 ok\r\n"),
            ("BDAT 20\r\nab", ""),
            ("cdefghijklmnopqrst", "250 ok\r\n"),
            ("AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n"),
            ("eA==\r\n", "535 no\r\n"),
            ("NOOP\r\n", "235 in\r\n"),
            ("", "421 bye\r\n"),
        ] {
            tracker.sent(sent.as_bytes());
            for line in received.split_inclusive('\n') {
                tracker.received(ReplyLine::new(line.as_bytes()));
            }
            steps.push(name(&tracker.standing(), true));
        }
        assert_eq!(
            steps,
            [
                "greeting, 1 due> ",
                "smtp> ",
                "smtp, 2 due> ",
                "smtp> ",
                "data> ",
                "smtp> ",
                "bdat, 18 left> ",
                "smtp> ",
                "auth, hidden> ",
                "smtp> ",
                "smtp, out of step> ",
                "closing, out of step> ",
            ]
        );
    }

    #[test]
    fn the_host_gives_way_first_then_that_all_is_well_and_never_that_it_is_not() {
        let mut tracker = Tracker::new();
        tracker.received(ReplyLine::new(b"220 hi\r\n"));
        let (well, ill) = (Mark { words: "tls", tone: Tone::Good }, Mark { words: "tls unverified", tone: Tone::Bad });
        for (host, mark, columns, expected) in [
            ("mx.example.org", well, 80, "mx.example.org tls smtp> "),
            ("mx.example.org", ill, 80, "mx.example.org tls unverified smtp> "),
            ("mx.example.org", ill, 60, "tls unverified smtp> "),
            ("mx.example.org", well, 40, "tls smtp> "),
            ("mx.example.org", well, 16, "smtp> "),
            ("mx.example.org", ill, 16, "tls unverified smtp> "),
            ("127.0.0.1", well, 80, "tls smtp> "),
            ("::1", Mark::default(), 80, "smtp> "),
            ("a\x1b[2J", Mark::default(), 80, "a\\x1b[2J smtp> "),
        ] {
            let label = Label::new(&tracker.standing(), &Peer::new(host, None), mark, false, columns);
            assert_eq!(label.to_string(), expected, "{host} {columns}");
        }
        let label = Label::new(&tracker.standing(), &Peer::new("mx.example", None), ill, false, 80);
        assert_eq!(label.painted(), "\x1b[2mmx.example\x1b[0m \x1b[31mtls unverified\x1b[0m \x1b[1msmtp> \x1b[0m");
    }
}
