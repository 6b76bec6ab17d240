//! The time since the start, before each line that is shown, where that is asked for.
//!
//! Standard output and standard error are the process's, and so is this.

use std::sync::OnceLock;
use std::time::Instant;

static START: OnceLock<Instant> = OnceLock::new();

/// Has every line stamped from now on, counted from now.
pub fn begin() {
    let _ = START.set(Instant::now());
}

/// Returns what a line begins with.
pub fn of_now() -> Option<String> {
    START.get().map(|start| format!("{:9.6} ", start.elapsed().as_secs_f64()))
}

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
