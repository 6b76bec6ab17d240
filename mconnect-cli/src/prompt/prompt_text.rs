//! What the prompt says: the phase of the session, and what the server still owes.

use mconnect_core::protocol::{Phase, Standing};

/// Returns the prompt; `mark` says how the connection is protected, if it is, and `is_hidden` that an answer to a 334 is not
/// shown.
pub fn of(standing: &Standing, mark: &str, is_hidden: bool) -> String {
    let (name, due) = match standing.phase {
        _ if standing.is_closing => ("closing", 0),
        Phase::Body => ("data, . ends", standing.outstanding),
        // The chunk's own reply is not due before its end.
        Phase::Chunk { left } => (&*format!("bdat, {left} left"), standing.outstanding.saturating_sub(1)),
        Phase::Auth if !is_hidden => ("auth", standing.outstanding),
        Phase::Auth => ("auth, hidden", standing.outstanding),
        Phase::Greeting => ("greeting", standing.outstanding),
        _ => ("smtp", standing.outstanding),
    };
    let step = if standing.surprise.is_some() { ", out of step" } else { "" };
    let due = if due == 0 { String::new() } else { format!(", {due} due") };
    format!("{name}{mark}{step}{due}> ")
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
            steps.push(of(&tracker.standing(), "", true));
        }
        assert_eq!(
            steps,
            [
                "greeting, 1 due> ",
                "smtp> ",
                "smtp, 2 due> ",
                "smtp> ",
                "data, . ends> ",
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
}
