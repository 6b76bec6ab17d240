//! The prompt on a pseudo-terminal, as a terminal emulator shows it.

use std::cell::RefCell;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::keys::CTRL_C;
use super::told::Told;
use super::{MCONNECT, Pty, pause};

/// The tool at a prompt, and what an emulator shows of it.
pub struct Screen {
    pub pty: Pty,
    pub rows: u16,
    pub columns: u16,
    /// The sizes it had before, and how much had come when each ended.
    pub sizes: Vec<(usize, u16, u16)>,
}

impl Screen {
    pub fn start(port: u16, options: &[&str]) -> Self {
        Self::start_with(port, options, &[], (24, 80))
    }

    pub fn start_with(port: u16, options: &[&str], variables: &[(&str, &str)], size: (u16, u16)) -> Self {
        Self::launch("127.0.0.1", port, &[&["--quiet"], options].concat(), variables, size)
    }

    /// Starts it with this host.
    pub fn at(host: &str, port: u16, options: &[&str]) -> Self {
        Self::launch(host, port, &[&["--quiet"], options].concat(), &[], (24, 80))
    }

    /// Starts it with this host so that it tells what it does.
    pub fn at_loudly(host: &str, port: u16, options: &[&str]) -> Self {
        Self::launch(host, port, options, &[], (24, 80))
    }

    /// Starts it so that it tells what it does.
    pub fn loud(port: u16, options: &[&str]) -> Self {
        Self::loud_with(port, options, &[], (24, 80))
    }

    pub fn loud_with(port: u16, options: &[&str], variables: &[(&str, &str)], size: (u16, u16)) -> Self {
        Self::launch("127.0.0.1", port, options, variables, size)
    }

    /// Starts it so that it tells what it does, on a screen where nothing wraps.
    pub fn launch_plain(port: u16) -> Self {
        Self::launch("127.0.0.1", port, &["--no-explain"], &[], (40, 200))
    }

    fn launch(host: &str, port: u16, options: &[&str], variables: &[(&str, &str)], size: (u16, u16)) -> Self {
        let (port, (rows, columns)) = (port.to_string(), size);
        let args = [&["--color", "never"], options, &["-p", &port, host]].concat();
        let script = format!("stty rows {rows} cols {columns}; exec \"$0\" \"$@\"");
        let shell = [&["-c", &script, MCONNECT], args.as_slice()].concat();
        let variables = [&[("TERM", "xterm")], variables].concat();
        Self { pty: Pty::start_with("sh", &shell, &variables), rows, columns, sizes: Vec::new() }
    }

    /// Starts it against a server that greets, and waits for its command prompt.
    pub fn greeted(options: &[&str]) -> (Told, Self) {
        Self::greeted_with(options, &[], (24, 80))
    }

    pub fn greeted_with(options: &[&str], variables: &[(&str, &str)], size: (u16, u16)) -> (Told, Self) {
        let told = Told::start();
        let screen = Self::start_with(told.peer.port, options, variables, size);
        told.say("220 hi\r\n");
        screen.expect(&["220 hi", "smtp>"]);
        (told, screen)
    }

    /// Types a line, and waits until the prompt after it, or another last row, is this.
    #[track_caller]
    pub fn enter(&mut self, line: &str, last: &str) {
        self.pty.look_from_here();
        self.send(format!("{line}\r"));
        self.pty.expect("\r\n");
        self.expect_last(last);
    }

    pub fn shown(&self) -> vt100::Parser {
        self.parse(&self.pty.raw())
    }

    /// Changes the size, as a terminal does that does not break its rows anew.
    pub fn resize(&mut self, rows: u16, columns: u16) {
        self.sizes.push((self.pty.raw().len(), self.rows, self.columns));
        (self.rows, self.columns) = (rows, columns);
        self.pty.resize(rows, columns);
    }

    pub fn parse(&self, bytes: &[u8]) -> vt100::Parser {
        let sizes = self.sizes.iter().copied().chain([(bytes.len(), self.rows, self.columns)]);
        let (mut parser, mut done) = (vt100::Parser::default(), 0);
        for (end, rows, columns) in sizes {
            parser.screen_mut().set_size(rows.try_into().unwrap(), columns.try_into().unwrap());
            parser.process(&bytes[done..end]);
            done = end;
        }
        parser
    }

    /// The rows that hold something, as they are shown.
    pub fn lines(&self, bytes: &[u8]) -> Vec<String> {
        let parser = self.parse(bytes);
        let rows = parser.screen().rows(0, self.columns);
        rows.map(|row| row.trim_end().to_owned()).filter(|row| !row.is_empty()).collect()
    }

    /// Everything that came, as it came and as it is shown: what is typed may be drawn key by key.
    pub fn seen(&self) -> String {
        self.pty.screen() + "\n" + &self.lines(&self.pty.raw()).join("\n")
    }

    /// Waits until the rows shown are these.
    #[track_caller]
    pub fn expect(&self, lines: &[&str]) {
        self.pty.wait_for(&lines.join("\n"), |bytes| self.lines(bytes) == lines);
    }

    /// Waits until the last row shown is this.
    #[track_caller]
    pub fn expect_last(&self, line: &str) {
        self.pty.wait_for(line, |bytes| self.lines(bytes).last().is_some_and(|last| last == line));
    }

    /// Waits until the last row shown is this, and returns what is shown then: the row may be drawn anew right after.
    #[track_caller]
    pub fn shown_with_last(&self, line: &str) -> vt100::Parser {
        let shown = RefCell::new(None);
        self.pty.wait_for(line, |bytes| {
            let is_last = self.lines(bytes).last().is_some_and(|last| last == line);
            is_last && shown.replace(Some(self.parse(bytes))).is_none()
        });
        shown.into_inner().unwrap()
    }

    /// Waits until a row shown is this.
    #[track_caller]
    pub fn expect_row(&self, line: &str) {
        self.pty.wait_for(line, |bytes| self.lines(bytes).iter().any(|row| row == line));
    }

    pub fn send(&mut self, keys: impl AsRef<[u8]>) {
        self.pty.send(keys);
    }

    /// Types bytes one by one, as fast as this.
    pub fn type_apart(&mut self, bytes: &[u8], pace: Duration) {
        for byte in bytes {
            self.send([*byte]);
            pause(pace);
        }
    }

    #[track_caller]
    pub fn wait(&mut self) -> i32 {
        let status = self.pty.wait();
        assert_eq!(self.pty.settings(), self.pty.before, "the terminal is restored");
        status
    }

    /// Ends it by Ctrl-C, which it has to die of.
    #[track_caller]
    pub fn interrupt(&mut self) {
        self.send(CTRL_C);
        assert_eq!(self.wait(), -(Signal::SIGINT as i32));
    }
}
