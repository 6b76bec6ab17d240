//! Standard output: the server's words, as bytes, or made visible where a terminal shows them.
//!
//! It is the process's, and so is what is known of its reader.

use std::io::{self, IsTerminal, Stdout};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mconnect_core::protocol::Escaper;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::options::Output;
use crate::paint;
use crate::stderr;
use crate::timestamps::Stamper;
use crate::verdict::Verdict;
use crate::waiting;

/// Where the server's words go.
#[derive(Default)]
pub struct Screen {
    /// Something else takes standard output.
    is_hidden: bool,
    /// It is shown from both sides.
    has_sides: bool,
    stamper: Stamper,
    /// On a terminal, control characters are made visible.
    escaper: Option<Escaper>,
    text: String,
    /// What was shown last has not ended its line.
    is_mid_line: bool,
    is_shut: bool,
}

impl Screen {
    pub fn new() -> Self {
        Self { escaper: io::stdout().is_terminal().then(Escaper::default), ..Self::default() }
    }

    /// Makes the one that the options ask for: JSON takes its place.
    pub fn of(output: Output) -> Self {
        Self { is_hidden: output.is_json || output.has_sides, has_sides: output.has_sides, ..Self::new() }
    }

    /// Shows what came of a line that did not end, where whole lines are shown by who observes them.
    pub fn show_rest(&mut self, bytes: &[u8]) {
        if self.has_sides && !bytes.is_empty() {
            let _ = put(paint::side('S', bytes, false).as_bytes());
        }
    }

    /// Shows bytes at once. After a failure nothing more is shown, and nothing more fails.
    ///
    /// # Errors
    /// What the system says, once; [`BrokenPipe`](io::ErrorKind::BrokenPipe) if the reader of a pipe has gone.
    pub fn show(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.escaper {
            None => self.write(bytes),
            Some(escaper) => {
                escaper.push(bytes, &mut self.text);
                self.write_text()
            }
        }
    }

    /// Shows what was held back because it might have gone on.
    ///
    /// # Errors
    /// As [`show`](Self::show).
    pub fn finish(&mut self) -> io::Result<()> {
        if let Some(escaper) = &mut self.escaper {
            escaper.finish(&mut self.text);
        }
        self.write_text()
    }

    /// Ends a line that was shown as far as it came, so that what is said next stands in one of its own; in a pipe nothing
    /// is added.
    pub fn end_line(&mut self) {
        if self.escaper.is_some() && self.is_mid_line {
            let _ = self.finish().and_then(|()| self.write(b"\n"));
        }
    }

    /// Returns whether nothing is shown any more.
    pub fn is_shut(&self) -> bool {
        self.is_shut || has_lost_reader()
    }

    fn write_text(&mut self) -> io::Result<()> {
        let text = std::mem::take(&mut self.text);
        let result = self.write(text.as_bytes());
        self.text = text;
        self.text.clear();
        result
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.is_hidden || self.is_shut {
            return Ok(());
        }
        self.is_mid_line = bytes.last().map_or(self.is_mid_line, |last| *last != b'\n');
        let stamped = self.stamper.stamp(bytes);
        put(stamped.as_deref().unwrap_or(bytes)).inspect_err(|_| self.is_shut = true)
    }
}

/// What the server says, shown as it comes, also of a line that has not ended.
pub struct Said {
    screen: Screen,
    lines: Vec<u8>,
    /// How much of the line that has not ended was shown.
    ahead: usize,
}

impl Said {
    pub fn new(output: Output) -> Self {
        Self { screen: Screen::of(output), lines: Vec::new(), ahead: 0 }
    }

    /// Takes a line, which is to be shown.
    pub fn hear(&mut self, line: &[u8]) {
        let ahead = std::mem::take(&mut self.ahead);
        self.lines.extend_from_slice(line.get(ahead..).unwrap_or_default());
    }

    /// Returns how many octets are to be shown.
    pub fn size(&self) -> usize {
        self.lines.len()
    }

    /// Shows what was taken, and what came of a line that has not ended.
    pub fn show(&mut self, unfinished: &[u8], verdict: &Verdict) {
        self.lines.extend_from_slice(unfinished.get(self.ahead..).unwrap_or_default());
        self.ahead = unfinished.len();
        if let Err(error) = self.screen.show(&self.lines) {
            verdict.output_failed(&error);
        }
        self.lines.clear();
    }

    /// Shows what came of a line that is not waited for any longer.
    pub fn give_up(&mut self, unfinished: &[u8], verdict: &Verdict) {
        self.show(unfinished, verdict);
        self.screen.end_line();
        self.screen.show_rest(unfinished);
    }

    /// Ends a line that was shown as far as it came: something else is said next.
    pub fn end_line(&mut self) {
        self.screen.end_line();
    }

    /// Shows the last of a session.
    pub fn finish(&mut self, verdict: &Verdict) {
        self.ahead = 0;
        if let Err(error) = self.screen.finish() {
            verdict.output_failed(&error);
        }
    }

    /// Says whether a line was shown that has not ended.
    pub fn is_mid_line(&self) -> bool {
        self.ahead > 0
    }

    /// Says whether nothing is shown any more.
    pub fn is_shut(&self) -> bool {
        self.screen.is_shut()
    }
}

/// Writes bytes to standard output, all of them and at once.
///
/// # Errors
/// What the system says.
pub fn put(bytes: &[u8]) -> io::Result<()> {
    if !bytes.is_empty() {
        stderr::clear();
    }
    put_unseen(bytes)
}

/// Writes as [`put`] does what no terminal shows: the last row stays.
///
/// # Errors
/// What the system says.
pub fn put_unseen(mut bytes: &[u8]) -> io::Result<()> {
    let stdout = io::stdout();
    while !bytes.is_empty() {
        match nix::unistd::write(&stdout, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                waiting::is_writable(&stdout, PollTimeout::NONE);
            }
            Err(errno) => {
                LOST_READER.fetch_or(errno == Errno::EPIPE, Ordering::Relaxed);
                return Err(errno.into());
            }
        }
    }
    Ok(())
}

/// Returns whether whoever read standard output has gone, as far as that was noticed.
pub fn has_lost_reader() -> bool {
    LOST_READER.load(Ordering::Relaxed)
}

/// Returns what is to be polled so that [`is_without_reader`] can tell.
pub fn reader(stdout: &Stdout) -> PollFd<'_> {
    PollFd::new(stdout.as_fd(), PollFlags::empty())
}

/// Notices whether whoever read standard output has gone, though nothing was written since.
pub fn is_without_reader(polled: &PollFd<'_>) -> bool {
    let has_gone = polled.revents().is_some_and(|events| events.contains(PollFlags::POLLERR));
    LOST_READER.fetch_or(has_gone, Ordering::Relaxed);
    has_gone
}

/// What came first of what was waited for.
pub enum Came {
    Input,
    /// Something of the server's, and input with it or not.
    Server {
        with_input: bool,
    },
    /// Whoever read standard output has gone, and there is no input.
    End,
    /// The time is over.
    Nothing,
}

/// Waits for input or for a server at most this long, or until whoever reads standard output has gone.
pub fn wait_for(input: BorrowedFd<'_>, server: Option<BorrowedFd<'_>>, patience: Duration) -> Came {
    let stdout = io::stdout();
    let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::NONE);
    loop {
        let mut fds = vec![PollFd::new(input, PollFlags::POLLIN), reader(&stdout)];
        fds.extend(server.map(|server| PollFd::new(server, PollFlags::POLLIN)));
        let polled = poll(&mut fds, timeout);
        let has_gone = is_without_reader(&fds[1]);
        let [is_input, is_said] = [0, 2].map(|index| fds.get(index).and_then(PollFd::any) == Some(true));
        return match polled {
            Err(Errno::EINTR) => continue,
            Ok(0) => Came::Nothing,
            Ok(_) if is_said => Came::Server { with_input: is_input },
            Ok(_) if has_gone && !is_input => Came::End,
            // Without poll, the input comes first.
            Ok(_) | Err(_) => Came::Input,
        };
    }
}

static LOST_READER: AtomicBool = AtomicBool::new(false);
