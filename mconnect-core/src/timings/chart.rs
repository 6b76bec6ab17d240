//! Where the time went, as a chart of bars.

use std::fmt;
use std::time::Duration;

use super::{Timing, Timings};
use crate::protocol::{Code, Severity};

impl Timings {
    /// Draws a bar for each timing, as long as it took beside the longest; below them, what they sum up to, and `whole`, the
    /// time that passed. It is as wide as `width` allows, and coloured by the codes of terminals if that is wanted.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # use std::time::Instant;
    /// # use mconnect_core::{Connect, Timings, server::Server};
    /// # let server = Server::start()?;
    /// let (timings, start) = (Timings::new(), Instant::now());
    /// let mut session = Connect::new("127.0.0.1", server.port()).observer(timings.clone()).open()?;
    /// session.greeting()?;
    /// //            milliseconds
    /// // connect          0.052  ########
    /// // greeting  220    0.210  ################################
    /// // ...
    /// print!("{}", timings.chart(start.elapsed(), 72, false));
    /// # session.quit()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn chart(&self, whole: Duration, width: usize, has_color: bool) -> String {
        chart(&self.all(), whole, width, has_color)
    }
}

fn chart(timings: &[Timing], whole: Duration, width: usize, has_color: bool) -> String {
    let name = |timing: &Timing| match timing.count {
        1 => timing.stage.to_string(),
        count => format!("{} ({count})", timing.stage),
    };
    let names = timings.iter().map(|timing| name(timing).len()).max().unwrap_or_default().max(ELAPSED.len());
    let longest = timings.iter().map(|timing| timing.took).max().unwrap_or_default();
    let room = width.saturating_sub(names + FIGURES + 1);
    let mut text = format!("{:names$}         milliseconds\n", "");
    for timing in timings {
        let code = timing.code.map(|code| code.to_string()).unwrap_or_default();
        let length = match longest.as_secs_f64() {
            0.0 => 0,
            longest => (timing.took.as_secs_f64() / longest * room as f64).round() as usize,
        };
        let bar = "#".repeat(length.min(room));
        let bar = match has_color {
            true => format!("{}{bar}\x1b[0m", color_of(timing)),
            false => bar,
        };
        push(&mut text, format_args!("{:names$}  {code:3}  {:>12.3}  {bar}", name(timing), millis(timing.took)));
    }
    let waited: Duration = timings.iter().map(|timing| timing.took).sum();
    push(&mut text, format_args!("{:names$}       {:>12.3}", "sum", millis(waited)));
    push(&mut text, format_args!("{ELAPSED:names$}       {:>12.3}", millis(whole)));
    text
}

fn push(text: &mut String, line: fmt::Arguments<'_>) {
    text.push_str(line.to_string().trim_end());
    text.push('\n');
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn color_of(timing: &Timing) -> &'static str {
    match timing.code.map(Code::severity) {
        Some(Severity::Transient) => "\x1b[33m",
        Some(Severity::Permanent) => "\x1b[31m",
        _ => "\x1b[32m",
    }
}

const ELAPSED: &str = "elapsed";
/// Beside the name: the code, the figure and the spaces between.
const FIGURES: usize = 21;

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::observer::{Event, Observer};
    use crate::protocol::{Answer, Request};

    fn timings(millis: &[u64]) -> Vec<Timing> {
        let (timings, mut now) = (Timings::new(), Instant::now());
        for millis in millis {
            timings.observe(now, &Event::Sent(b"NOOP\r\n"));
            now += Duration::from_millis(*millis);
            let answer = Answer::new(Some(Request::Other), Code::new(450).unwrap());
            timings.observe(now, &Event::Replied { answer, outstanding: 0 });
        }
        timings.all()
    }

    #[test]
    fn bars_are_as_long_as_things_took_and_fit_the_width() {
        for width in [0, 30, 72, 200] {
            let chart = chart(&timings(&[10, 5, 0]), Duration::from_millis(20), width, false);
            let bars: Vec<usize> = chart.lines().map(|line| line.matches('#').count()).collect();
            let room = width.saturating_sub(29);
            assert_eq!(bars, [0, room, (room as f64 / 2.0).round() as usize, 0, 0, 0], "{chart}");
            assert!(chart.lines().all(|line| line.len() <= width.max(29)), "{chart}");
        }
    }

    #[test]
    fn the_chart_is_plain_unless_colour_is_asked_for() {
        let timings = timings(&[1, 1]);
        assert_eq!(
            chart(&timings, Duration::from_millis(3), 40, false),
            "                milliseconds\n\
             NOOP     450         1.000  ###########\n\
             NOOP     450         1.000  ###########\n\
             sum                  2.000\n\
             elapsed              3.000\n"
        );
        let colored = chart(&timings, Duration::from_millis(3), 40, true);
        assert!(colored.contains("\x1b[33m###########\x1b[0m"), "{colored}");
        assert_eq!(chart(&[], Duration::ZERO, 80, false).lines().count(), 3);
    }

    #[test]
    fn many_of_a_kind_are_counted() {
        let chart = chart(&timings(&[1; 150]), Duration::from_millis(150), 72, false);
        assert!(chart.contains("other (50)  450        50.000  ######"), "{chart}");
        assert_eq!(chart.lines().count(), 104);
    }
}
