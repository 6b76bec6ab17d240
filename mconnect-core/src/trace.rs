//! Telling every byte, both ways, with the time.

use std::fmt;
use std::sync::OnceLock;
use std::time::Instant;

use crate::observer::{Event, Observer};
use crate::protocol::Visible;

/// Tells what passes, a line at a time: the seconds since the first event, and `>` for what is sent, `<` for what is
/// received, `=>` and `=<` for what is said on the way, as to a proxy, `!` for what a process says on standard error, `=`
/// for what happens besides. Passwords are left out; nothing in a line steers a terminal.
///
/// ```
/// # #[cfg(feature = "server")] {
/// use mconnect_core::{Connect, Trace, TraceForm, server::Server};
///
/// let server = Server::start()?;
/// let trace = Trace::new(TraceForm::Escaped, |line| eprintln!("{line}"));
/// let mut session = Connect::new("127.0.0.1", server.port()).observer(trace).open()?;
/// // 0.000021 = connecting to 127.0.0.1:34251
/// // 0.000310 < 220 loopback.example ESMTP\r\n
/// session.greeting()?;
/// # session.quit()?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "debug")]
#[doc(alias = "log")]
pub struct Trace<T> {
    form: TraceForm,
    tell: T,
    start: OnceLock<Instant>,
}

/// How a [`Trace`] tells bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceForm {
    /// With escapes, a line at a time.
    Escaped,
    /// As hexadecimal digits and characters, 16 at a time.
    Hex,
}

impl<T: Fn(&str) + Send + Sync> Trace<T> {
    /// Begins; each line is handed to `tell`.
    pub fn new(form: TraceForm, tell: T) -> Self {
        Self { form, tell, start: OnceLock::new() }
    }

    fn tell(&self, at: Instant, text: &str) {
        let since = at.saturating_duration_since(*self.start.get_or_init(|| at));
        (self.tell)(&format!("{:9.6} {text}", since.as_secs_f64()));
    }

    fn tell_bytes(&self, at: Instant, direction: &str, bytes: &[u8]) {
        let rows: Vec<String> = match self.form {
            TraceForm::Escaped => bytes.split_inclusive(|byte| *byte == b'\n').map(escaped).collect(),
            TraceForm::Hex => bytes.chunks(16).map(hex).collect(),
        };
        rows.iter().for_each(|row| self.tell(at, &format!("{direction} {row}")));
    }
}

impl<T: Fn(&str) + Send + Sync> Observer for Trace<T> {
    fn observe(&self, at: Instant, event: &Event<'_>) {
        match event {
            Event::Resolving { host } => self.tell(at, &format!("= resolving {}", Visible(host.as_bytes()))),
            Event::Resolved { result: Ok(addresses), .. } => {
                let addresses: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
                self.tell(at, &format!("= resolved to {}", addresses.join(" ")));
            }
            Event::Resolved { result: Err(error), .. } => self.tell(at, &format!("= not resolved: {error}")),
            Event::Connecting { peer } => self.tell(at, &format!("= connecting to {peer}")),
            Event::ConnectFailed { error, .. } => self.tell(at, &format!("= connect failed: {error}")),
            Event::Connected { peer } => self.tell(at, &format!("= connected to {peer}")),
            Event::Sent(bytes) => self.tell_bytes(at, ">", bytes),
            Event::SentSecret(count) => self.tell(at, &format!("> [hidden, {count} octets]")),
            Event::Received(line) => self.tell_bytes(at, "<", line.raw()),
            Event::ReceivedRaw(bytes) => self.tell_bytes(at, "<", bytes),
            Event::Phase(phase) => self.tell(at, &format!("= {phase} phase")),
            Event::TlsStarted => self.tell(at, "= TLS started"),
            Event::Tls(info) => self.tell(at, &format!("= {}", Visible(info.to_string().as_bytes()))),
            Event::TlsEnded => self.tell(at, "= TLS ended"),
            Event::HalfClosed => self.tell(at, "= sending side ended"),
            Event::Ended => self.tell(at, "= end"),
            Event::Aborted => self.tell(at, "= closed from this side"),
            Event::RoadSent(bytes) => self.tell_bytes(at, "=>", bytes),
            Event::RoadReceived(bytes) => self.tell_bytes(at, "=<", bytes),
            Event::ProcessSaid(line) => self.tell_bytes(at, "!", line),
            Event::ProcessEnded(status) => self.tell(at, &format!("= the process ended, {status}")),
            Event::Replied { .. } | Event::Truncated(_) => {}
        }
    }
}

impl<T> fmt::Debug for Trace<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").field("form", &self.form).finish_non_exhaustive()
    }
}

/// Every byte that is not printable ASCII becomes an escape, so that nothing is ambiguous; quotes are themselves.
fn escaped(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\'", "'").replace("\\\"", "\"")
}

fn hex(row: &[u8]) -> String {
    let digits: String = row.iter().map(|byte| format!("{byte:02x} ")).collect();
    let shown = |byte: &u8| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '.' };
    format!("{digits:<48} {}", row.iter().map(shown).collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::*;
    use crate::protocol::ReplyLine;

    #[test]
    fn bytes_are_told_without_ambiguity() {
        assert_eq!(escaped(b"a\\b\r\n\0\xe9"), "a\\\\b\\r\\n\\x00\\xe9");
        assert_eq!(hex(b"250 \xe9\n"), format!("{:<48} 250 ..", "32 35 30 20 e9 0a "));
    }

    #[test]
    fn each_line_has_its_time_and_its_direction_and_a_secret_none_of_its_octets() {
        let told = Arc::<Mutex<Vec<String>>>::default();
        let theirs = Arc::clone(&told);
        let trace = Trace::new(TraceForm::Escaped, move |line: &str| theirs.lock().unwrap().push(line.to_owned()));
        let start = Instant::now();
        trace.observe(start, &Event::Received(ReplyLine::new(b"220 \x1b[31m\r\n")));
        trace.observe(start + Duration::from_millis(1500), &Event::Sent(b"AUTH PLAIN "));
        trace.observe(start + Duration::from_secs(2), &Event::SentSecret(7));
        let expected = [" 0.000000 < 220 \\x1b[31m\\r\\n", " 1.500000 > AUTH PLAIN ", " 2.000000 > [hidden, 7 octets]"];
        assert_eq!(*told.lock().unwrap(), expected);
    }
}
