//! Lines as the terminal gives them, where it can do no more than print, or standard output is none: there is no prompt,
//! and what the server says goes to standard output as it comes.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::PollTimeout;
use zeroize::Zeroize as _;

use super::typist::{Typed, Typist};
use super::waker::Waker;
use crate::connection::Setting;
use crate::input;
use crate::options::Options;
use crate::screen::{self, Came, Said};
use crate::secret::Secret;
use crate::stderr::{note, say};
use crate::terminal::{self, CTRL_C, Manner, Terminal};
use crate::waiting;

pub struct Plain {
    waker: Waker,
    terminal: Terminal,
    /// What the server says.
    said: Said,
    /// What was typed, and not taken.
    typed: Vec<u8>,
    /// The input has ended, in the middle of a line.
    is_over: bool,
    /// What is typed is not shown.
    is_hidden: bool,
    has_dropped: bool,
}

impl Plain {
    pub fn new(setting: &Setting<'_>) -> Self {
        Self {
            waker: Waker::default(),
            terminal: setting.terminal.handle(),
            said: Said::new(setting.options.output),
            typed: Vec::new(),
            is_over: false,
            is_hidden: false,
            has_dropped: false,
        }
    }

    /// Waits for something typed, and says what came first if that is something else.
    fn wait(&self, server: Option<&OwnedFd>) -> Option<Typed> {
        let stdin = io::stdin();
        loop {
            if screen::has_lost_reader() && !waiting::is_readable(&stdin, PollTimeout::ZERO) {
                return Some(Typed::Unheard);
            }
            let left = self.waker.next_time().map(|time| time.saturating_duration_since(Instant::now()) + LEAST);
            match screen::wait_for(stdin.as_fd(), server.map(AsFd::as_fd), left.unwrap_or(Duration::MAX)) {
                Came::Input => return None,
                Came::Server { .. } | Came::Nothing => return Some(Typed::Break),
                Came::End => {}
            }
        }
    }

    /// Reads the next line, without its end, unless something else comes first.
    fn next_line(&mut self) -> io::Result<Result<Vec<u8>, Typed>> {
        let (server, mut block) = (self.waker.server(), vec![0; LONGEST_TYPED]);
        loop {
            let end = self.typed.iter().position(|octet| *octet == b'\n').map(|end| end + 1);
            if let Some(end) = end.or(Some(self.typed.len()).filter(|size| self.is_over && *size > 0)) {
                let rest = self.typed.split_off(end);
                let mut line = std::mem::replace(&mut self.typed, rest);
                let text = line.strip_suffix(b"\n").unwrap_or(&line);
                line.truncate(text.strip_suffix(b"\r").unwrap_or(text).len());
                return Ok(Ok(line));
            }
            let other = if self.is_over { Some(Typed::EndOfInput) } else { self.wait(server.as_deref()) };
            if let Some(other) = other {
                return Ok(Err(other));
            }
            let count = input::read(&mut block)?;
            self.is_over = count == 0;
            self.typed.extend_from_slice(&block[..count]);
            if count == LONGEST_TYPED && self.typed.ends_with(b"\n") {
                say("mconnect: this terminal cuts a line at 4095 octets, and may have cut that one");
            }
            if self.typed.ends_with(&[CTRL_C]) {
                self.typed.zeroize();
                return Ok(Err(Typed::Interrupt));
            }
        }
    }
}

impl Typist for Plain {
    fn open(&self, options: &Options) {
        if options.prompt.has_escapes {
            note("a line that begins with a tilde is an escape: ~? lists them", options.is_quiet);
        }
    }

    fn waker(&self) -> &Waker {
        &self.waker
    }

    fn read(&mut self, prompt: &str, is_secret: bool) -> io::Result<Typed> {
        let is_closed = self.waker.server().is_none();
        if is_closed {
            let _ = self.terminal.enter(Manner::Closed { is_hidden: is_secret });
            self.is_hidden = false;
        } else {
            self.hide(is_secret);
        }
        // Where nothing can be shown, the next line of the server's tells.
        let _ = screen::put(prompt.as_bytes());
        let line = self.next_line();
        if is_closed {
            self.terminal.leave();
        }
        Ok(match line?.map(String::from_utf8) {
            Ok(Ok(line)) if is_secret => Typed::Secret(Secret::new(line)),
            Ok(Ok(line)) => Typed::Line(line),
            Ok(Err(error)) => Typed::Octets(error.into_bytes()),
            Err(other) => other,
        })
    }

    fn drop_typed(&mut self) -> io::Result<bool> {
        Ok(std::mem::take(&mut self.has_dropped))
    }

    fn put(&mut self, text: &[u8]) {
        self.typed.splice(..0, [text, b"\n"].concat());
    }

    fn said(&mut self) -> Option<&mut Said> {
        Some(&mut self.said)
    }

    fn hide(&mut self, is_hidden: bool) {
        match (self.is_hidden, is_hidden) {
            (false, true) => self.is_hidden = self.terminal.enter(Manner::Hidden).is_ok(),
            (true, false) => {
                self.terminal.leave();
                self.is_hidden = false;
            }
            _ => {}
        }
    }

    fn drop_early(&mut self) {
        self.has_dropped |= terminal::drop_typed() || !self.typed.is_empty();
        self.typed.zeroize();
    }
}

/// The longest line that a terminal gives, its LF included.
const LONGEST_TYPED: usize = 4096;
/// Not before a time has come.
const LEAST: Duration = Duration::from_millis(1);
