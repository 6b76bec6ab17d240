//! Telling every byte, both ways, with the time.

use std::sync::OnceLock;
use std::time::Instant;

use mconnect_core::protocol::Visible;
use mconnect_core::{Event, Observer};

use crate::options::Form;
use crate::stderr::say;

/// Tells on standard error what passes, with the seconds since the first event; passwords are left out.
#[derive(Debug)]
pub struct Trace {
    form: Form,
    start: OnceLock<Instant>,
}

impl Trace {
    pub fn new(form: Form) -> Self {
        Self { form, start: OnceLock::new() }
    }

    fn tell(&self, at: Instant, text: &str) {
        let since = at.saturating_duration_since(*self.start.get_or_init(|| at));
        say(&format!("{:9.6} {text}", since.as_secs_f64()));
    }

    fn tell_bytes(&self, at: Instant, direction: char, bytes: &[u8]) {
        let rows: Vec<String> = match self.form {
            Form::Escaped => bytes.split_inclusive(|byte| *byte == b'\n').map(escaped).collect(),
            Form::Hex => bytes.chunks(16).map(hex).collect(),
        };
        rows.iter().for_each(|row| self.tell(at, &format!("{direction} {row}")));
    }
}

impl Observer for Trace {
    fn observe(&self, at: Instant, event: &Event<'_>) {
        match event {
            Event::Resolving { host } => self.tell(at, &format!("= resolving {host}")),
            Event::Resolved { result: Ok(addresses), .. } => {
                let addresses: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
                self.tell(at, &format!("= resolved to {}", addresses.join(" ")));
            }
            Event::Resolved { result: Err(error), .. } => self.tell(at, &format!("= not resolved: {error}")),
            Event::Connecting { peer } => self.tell(at, &format!("= connecting to {peer}")),
            Event::ConnectFailed { error, .. } => self.tell(at, &format!("= connect failed: {error}")),
            Event::Connected { peer } => self.tell(at, &format!("= connected to {peer}")),
            Event::Sent(bytes) => self.tell_bytes(at, '>', bytes),
            Event::SentSecret(count) => self.tell(at, &format!("> [hidden, {count} octets]")),
            Event::Received(line) => self.tell_bytes(at, '<', line.raw()),
            Event::ReceivedRaw(bytes) => self.tell_bytes(at, '<', bytes),
            Event::Phase(phase) => self.tell(at, &format!("= {phase} phase")),
            Event::TlsStarted => self.tell(at, "= TLS started"),
            Event::Tls(info) => self.tell(at, &format!("= {}", Visible(info.to_string().as_bytes()))),
            Event::TlsEnded => self.tell(at, "= TLS ended"),
            Event::HalfClosed => self.tell(at, "= sending side ended"),
            Event::Ended => self.tell(at, "= end"),
            Event::Aborted => self.tell(at, "= closed from this side"),
            _ => {}
        }
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
    use super::*;

    #[test]
    fn bytes_are_told_without_ambiguity() {
        assert_eq!(escaped(b"a\\b\r\n\0\xe9"), "a\\\\b\\r\\n\\x00\\xe9");
        assert_eq!(hex(b"250 \xe9\n"), format!("{:<48} 250 ..", "32 35 30 20 e9 0a "));
    }
}
