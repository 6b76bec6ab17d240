//! Replies that are longer than anybody reads as they come: the beginning is shown, and the rest when it is asked for.

use crate::paint::{self, Look};
use crate::screen;
use crate::stderr::say;
use crate::typing::escapes::NO_REST;

/// What of the last long reply was not shown.
#[derive(Default)]
pub struct Rest {
    /// How much of the reply under way has come.
    octets: usize,
    hidden: Vec<u8>,
    /// How much of that has been shown since, page by page.
    seen: usize,
    /// Octets that were not kept either.
    lost: usize,
    /// The reply under way is the first to be kept since the last was.
    is_begun: bool,
}

impl Rest {
    /// Takes a line of a reply, and appends what is shown of it.
    pub fn take(&mut self, raw: &[u8], ends_reply: bool, look: Look, text: &mut String) {
        let is_early = self.octets + raw.len() <= MOST_OCTETS;
        // The last line is what the reply comes to.
        let is_shown = is_early || (ends_reply && raw.len() <= LARGEST_LAST);
        self.octets += raw.len();
        if is_shown && ends_reply {
            self.note(look, text);
        }
        if is_shown {
            paint::line(raw, look.has_color, text);
        } else {
            if !std::mem::replace(&mut self.is_begun, true) {
                (self.hidden, self.seen, self.lost) = (Vec::new(), 0, 0);
            }
            let room = MOST_KEPT - self.hidden.len();
            self.hidden.extend_from_slice(&raw[..raw.len().min(room)]);
            self.lost += raw.len().saturating_sub(room);
        }
        if ends_reply {
            self.note(look, text);
            self.octets = 0;
        }
    }

    /// Appends that something of the reply is not shown, once.
    fn note(&mut self, look: Look, text: &mut String) {
        if std::mem::take(&mut self.is_begun) {
            let octets = self.hidden.len() + self.lost;
            paint::note(&format!("  {octets} octets of the reply are not shown: ~l shows them"), look, text);
        }
    }

    /// Shows the next page of what was not shown, on a terminal of so many rows.
    pub fn show(&mut self, rows: u16, look: Look) {
        if self.hidden.is_empty() {
            return say(NO_REST);
        }
        let page = &self.hidden[self.seen..];
        // What is typed next has a row, and so has what is said of the rest.
        let page =
            &page[..page_end(page, usize::from(look.columns).max(1), usize::from(rows).saturating_sub(3).max(1))];
        let mut text = String::new();
        for line in page.split_inclusive(|byte| *byte == b'\n') {
            paint::line(line, look.has_color, &mut text);
        }
        self.seen += page.len();
        let left = self.hidden.len() - self.seen;
        if left > 0 {
            paint::note(&format!("  {left} octets more: ~l shows the next page"), look, &mut text);
        }
        // Where nothing can be shown, the next line of the server's tells.
        let _ = screen::put(text.as_bytes());
        if left == 0 {
            self.seen = 0;
            if self.lost > 0 {
                say(&format!(
                    "mconnect: {} octets more were not kept: --record, --trace and pipes have all",
                    self.lost
                ));
            }
        }
    }
}

/// Returns how many octets of a text, whole lines where they fit, fill so many rows.
fn page_end(text: &[u8], columns: usize, rows: usize) -> usize {
    let (mut end, mut left) = (0, rows);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let needed = line.len().div_ceil(columns);
        if needed > left {
            // A line that fills more than a page goes on on the next.
            return if end == 0 { rows * columns } else { end };
        }
        (end, left) = (end + line.len(), left - needed);
    }
    end
}

/// So many octets of a reply are shown as they come.
const MOST_OCTETS: usize = 64 * 1024;
/// A last line of so many octets is shown however long the reply was.
const LARGEST_LAST: usize = 1000;
/// So many octets of what is not shown are kept.
const MOST_KEPT: usize = 4 * 1024 * 1024;
