//! The clock of a reply that does not come.

use std::time::{Duration, Instant};

use crate::protocol::{Phase, Request, Standing};

/// Knows since when the reply that is due next has been due, and says so in words: for a person who waits for it, or for
/// a log. It counts no deadline, it only tells.
///
/// ```
/// use std::time::Duration;
///
/// use mconnect_core::Overdue;
/// use mconnect_core::protocol::Tracker;
///
/// let tracker = Tracker::new();
/// // Whoever waits begins again whenever another reply is due next.
/// let mut overdue = Overdue::new();
/// overdue.restart();
/// assert_eq!(overdue.words(&tracker.standing()), None, "it is not late yet");
///
/// let minute = Overdue::since(std::time::Instant::now().checked_sub(Duration::from_secs(60)).ok_or("just booted")?);
/// assert_eq!(minute.words(&tracker.standing()).as_deref(), Some("waiting for the greeting, 60 s"));
/// # Ok::<(), &'static str>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Overdue {
    since: Instant,
    /// How long it had been due when that was told.
    told: Duration,
}

impl Default for Overdue {
    fn default() -> Self {
        Self::since(Instant::now())
    }
}

impl Overdue {
    /// Begins now.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts from this time.
    pub fn since(since: Instant) -> Self {
        Self { since, told: Duration::ZERO }
    }

    /// Begins again: another reply is due next.
    pub fn restart(&mut self) {
        *self = Self::default();
    }

    /// Returns when the reply that is due, if one is, has been due for so long.
    pub fn deadline(&self, standing: &Standing, patience: Duration) -> Option<Instant> {
        awaited(standing).and_then(|_| self.since.checked_add(patience))
    }

    /// Returns when the [`words`](Self::words) change next, if a reply is due.
    pub fn next_tick(&self, standing: &Standing) -> Option<Instant> {
        self.deadline(standing, GRACE.max(Duration::from_secs(self.since.elapsed().as_secs() + 1)))
    }

    /// Returns when it is told next, if a reply is due: where each telling is a line, twice as late as before.
    pub fn next_telling(&self, standing: &Standing) -> Option<Instant> {
        self.deadline(standing, GRACE.max(self.told * 2))
    }

    /// Tells it, if it is time for that.
    pub fn tell(&mut self, standing: &Standing) -> Option<String> {
        let is_time = self.next_telling(standing)? <= Instant::now();
        let words = self.words(standing).filter(|_| is_time)?;
        self.told = Duration::from_secs(self.since.elapsed().as_secs());
        Some(words)
    }

    /// Says what is waited for, and for how many seconds already, once these are two.
    pub fn words(&self, standing: &Standing) -> Option<String> {
        let waited = Some(self.since.elapsed()).filter(|waited| *waited >= GRACE)?;
        Some(format!("waiting for {}, {} s", awaited(standing)?, waited.as_secs()))
    }
}

/// Names the reply that is due next, if one is.
fn awaited(standing: &Standing) -> Option<String> {
    let request = standing.awaited.filter(|_| !matches!(standing.phase, Phase::Chunk { .. } | Phase::Closed))?;
    Some(match request {
        Request::Greeting => "the greeting".to_owned(),
        Request::EndOfData | Request::Bdat => "the reply to the message".to_owned(),
        Request::AuthAnswer => "the reply to the answer".to_owned(),
        request => format!("the reply to {request}"),
    })
}

/// A reply that takes no longer is not late.
const GRACE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ReplyLine, Tracker};

    #[test]
    fn what_is_late_is_named_by_whole_seconds() {
        let mut tracker = Tracker::new();
        let mut overdue = Overdue::default();
        assert_eq!(overdue.words(&tracker.standing()), None, "it is not late yet");
        overdue.since = Instant::now().checked_sub(Duration::from_millis(14_200)).unwrap();
        assert_eq!(overdue.words(&tracker.standing()).unwrap(), "waiting for the greeting, 14 s");
        let tick = overdue.next_tick(&tracker.standing()).unwrap();
        assert_eq!(tick, overdue.since + Duration::from_secs(15));
        for (sent, reply, words) in [
            ("", "220 hi", None),
            ("RSET\r\n", "", Some("the reply to RSET")),
            ("", "250 ok", None),
            ("DATA\r\n", "354 go", None),
            (".\r\n", "", Some("the reply to the message")),
            ("", "250 ok", None),
            ("\r\n", "", Some("the reply to an empty line")),
        ] {
            tracker.sent(sent.as_bytes());
            if !reply.is_empty() {
                tracker.received(ReplyLine::new(format!("{reply}\r\n").as_bytes()));
            }
            let expected = words.map(|words| format!("waiting for {words}, 14 s"));
            assert_eq!(overdue.words(&tracker.standing()), expected, "{sent}{reply}");
        }
    }
}
