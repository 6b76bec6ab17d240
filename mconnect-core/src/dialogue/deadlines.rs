//! How long what a dialogue awaits may take.
//!
//! Four times may count, and the first to pass ends the wait:
//!
//! ```text
//!    *within T*        the next thing awaited       taken once
//!    *each within T*   every one after it           until the next of these
//!    the usual one     the session's own, or the server's ten seconds
//!    *all within T*    the whole session            cuts each of the others, and pauses
//! ```
//!
//! All that a dialogue sets are multiplied by one factor, so that a text which was written on a fast machine plays on a
//! slow one. The usual times are not: they are not the dialogue's.

use std::thread;
use std::time::{Duration, Instant};

use super::Directive;

/// The deadlines that a dialogue has set so far.
#[derive(Debug, Clone)]
pub(crate) struct Deadlines {
    next: Option<Duration>,
    each: Option<Duration>,
    end: Option<Instant>,
    factor: f64,
}

impl Deadlines {
    /// Begins without any; those that come are multiplied by this. A factor that makes no time of one, as NaN does,
    /// makes the longest there is of it.
    pub fn new(factor: f64) -> Self {
        Self { next: None, each: None, end: None, factor }
    }

    /// Takes a deadline from the dialogue, if this is one. That of the whole session counts from now on.
    pub fn take(&mut self, directive: &Directive) {
        match directive {
            Directive::Within(time) => self.next = Some(self.scaled(*time)),
            Directive::EachWithin(time) => self.each = Some(self.scaled(*time)),
            Directive::AllWithin(time) => self.end = Instant::now().checked_add(self.scaled(*time)),
            _ => {}
        }
    }

    /// Returns the time that the next thing awaited may take: that of a `*within*` just before it, of an `*each
    /// within*`, or else this; and no more than is left of the whole. A `*within*` is used up by it.
    pub fn next_or(&mut self, usual: Duration) -> Duration {
        let each = self.each.unwrap_or(usual);
        self.of_this_or(each)
    }

    /// Returns the time of a `*within*` just before, or else this, cut by that of the whole session. An `*each within*`
    /// does not count: this is for what may come or not, for which a long deadline would be waited out each time.
    pub fn of_this_or(&mut self, usual: Duration) -> Duration {
        let patience = self.whole_or(usual);
        self.at_most(patience)
    }

    /// Returns the same, whatever is left of that of the whole session: for a silence, which has to be told from a
    /// session that ran out of time in it.
    pub fn whole_or(&mut self, usual: Duration) -> Duration {
        self.next.take().unwrap_or(usual)
    }

    /// Returns this time, or what is left of that of the whole session.
    pub fn at_most(&self, patience: Duration) -> Duration {
        match self.end {
            Some(end) => patience.min(end.saturating_duration_since(Instant::now())),
            None => patience,
        }
    }

    /// Says whether that of the whole session has passed.
    pub fn are_over(&self) -> bool {
        self.end.is_some_and(|end| end <= Instant::now())
    }

    /// Waits for so long, or until that of the whole session has passed, whichever comes first.
    pub fn pause(&self, time: Duration) {
        thread::sleep(self.at_most(time));
    }

    /// Multiplies a time; one too long is the longest there is.
    pub fn scaled(&self, time: Duration) -> Duration {
        Duration::try_from_secs_f64(time.as_secs_f64() * self.factor).unwrap_or(Duration::MAX)
    }
}

/// What came instead of what was expected, when the deadline of the whole session passed.
pub(crate) const OVER: &str = "the end of the time for all";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_that_of_the_step_of_each_or_the_usual_one() {
        let second = Duration::from_secs(1);
        let mut deadlines = Deadlines::new(2.0);
        assert_eq!(deadlines.next_or(second), second);
        deadlines.take(&Directive::EachWithin(3 * second));
        deadlines.take(&Directive::Within(4 * second));
        assert_eq!(deadlines.next_or(second), 8 * second);
        assert_eq!(deadlines.next_or(second), 6 * second);
        assert_eq!(deadlines.of_this_or(second), second);
        deadlines.take(&Directive::AllWithin(Duration::ZERO));
        assert_eq!(deadlines.next_or(second), Duration::ZERO);
        assert_eq!((deadlines.whole_or(second), deadlines.are_over()), (second, true));
        assert_eq!(Deadlines::new(f64::NAN).scaled(second), Duration::MAX);
        assert_eq!(Deadlines::new(1e300).scaled(second), Duration::MAX);
    }
}
