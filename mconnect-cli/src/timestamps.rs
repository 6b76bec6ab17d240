//! The time before each line that is shown, since the start or of the clock, where that is asked for.
//!
//! Standard output and standard error are the process's, and so is this.

use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::options::Stamps;

static STAMP: OnceLock<Stamp> = OnceLock::new();

enum Stamp {
    Since(Instant),
    /// How much the zone is ahead of UTC, in seconds.
    Clock(i64),
}

/// Has every line stamped from now on. Returns which day and zone it is, if they are stamped with the clock.
pub fn begin(stamps: Stamps) -> Option<String> {
    let (stamp, day) = match stamps {
        Stamps::SinceStart => (Stamp::Since(Instant::now()), None),
        Stamps::Clock => {
            let day = date();
            let ahead = day.as_deref().and_then(ahead);
            let day = day.filter(|_| ahead.is_some()).unwrap_or_else(|| UTC.to_owned());
            (Stamp::Clock(ahead.unwrap_or_default()), Some(day))
        }
    };
    let _ = STAMP.set(stamp);
    day
}

/// Returns what a line begins with.
pub fn of_now() -> Option<String> {
    STAMP.get().map(|stamp| match stamp {
        Stamp::Since(start) => format!("{:9.6} ", start.elapsed().as_secs_f64()),
        Stamp::Clock(ahead) => clock(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(), *ahead),
    })
}

/// Asks for the day and the zone: `2026-11-28 +0100 CET`. The rules of zones are the system's, and `date` knows them.
fn date() -> Option<String> {
    let mut date = Command::new("date");
    let output = date.arg("+%Y-%m-%d %z %Z").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// Reads how much the zone is ahead of UTC, in seconds.
fn ahead(day: &str) -> Option<i64> {
    let number = day.split(' ').nth(1).filter(|number| number.len() == 5)?.parse::<i64>().ok()?;
    Some((number / 100 * 60 + number % 100) * 60)
}

/// Writes the time of day as logs have it, to the microsecond.
fn clock(since_epoch: Duration, ahead: i64) -> String {
    let seconds = since_epoch.as_secs().saturating_add_signed(ahead);
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:06} ", seconds % 60, since_epoch.subsec_micros())
}

const UTC: &str = "UTC: the zone of this machine is not known";

/// Stamps the lines that begin in some bytes, cut anywhere.
#[derive(Debug, Default)]
pub struct Stamper {
    is_mid_line: bool,
}

impl Stamper {
    /// Returns the bytes with stamps, unless there are to be none.
    pub fn stamp(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let stamp = of_now()?;
        Some(self.stamp_with(&stamp, bytes))
    }

    fn stamp_with(&mut self, stamp: &str, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + stamp.len());
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if !self.is_mid_line {
                out.extend_from_slice(stamp.as_bytes());
            }
            out.extend_from_slice(part);
            self.is_mid_line = !part.ends_with(b"\n");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_shows_the_time_of_day_in_its_zone() {
        for (day, seconds, shown) in [
            ("2026-11-23 +0000 UTC", 1_795_402_823, "03:00:23.000042 "),
            ("2026-11-23 +0545 +0545", 1_795_402_823, "08:45:23.000042 "),
            ("2026-11-22 -0330 NST", 1_795_402_823, "23:30:23.000042 "),
        ] {
            assert_eq!(clock(Duration::new(seconds, 42_999), ahead(day).unwrap()), shown, "{day}");
        }
        for odd in ["", "2026-11-28", "2026-11-28 %z %Z", "2026-11-28 +01 CET", "2026-11-28  +0100"] {
            assert_eq!(ahead(odd), None, "{odd}");
        }
    }

    #[test]
    fn each_line_is_stamped_once_wherever_it_is_cut() {
        let text = b"220 a\r\n250-b\r\n\r\nc";
        for at in 0..=text.len() {
            let mut stamper = Stamper::default();
            let mut out = stamper.stamp_with("@", &text[..at]);
            out.extend(stamper.stamp_with("@", &text[at..]));
            assert_eq!(out, b"@220 a\r\n@250-b\r\n@\r\n@c", "cut at {at}");
        }
    }
}
