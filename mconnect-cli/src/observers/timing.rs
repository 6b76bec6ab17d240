//! Where the time went, told at the end.

use std::io::{self, IsTerminal, Write as _};
use std::time::Duration;

use mconnect_core::Timings;

use crate::options::Color;
use crate::terminal::{self, is_color_wanted};

/// Says on standard error where the time went: as wide as a terminal there is, and in colour if it is wanted.
pub fn tell(timings: &Timings, whole: Duration, color: Color) {
    let is_terminal = io::stderr().is_terminal();
    let width = is_terminal.then(|| terminal::size().0);
    let chart = timings.chart(whole, width.map_or(WIDTH, usize::from), is_terminal && is_color_wanted(color));
    // Where nobody can read it, there is nobody to tell.
    let _ = io::stderr().write_all(chart.as_bytes());
}

/// Where there is no terminal.
const WIDTH: usize = 72;
