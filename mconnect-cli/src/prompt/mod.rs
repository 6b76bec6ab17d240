//! The prompt: a person at a terminal edits lines, and what the server says appears above them at once.
//!
//! ```text
//!  server ─► listener (thread) ─► Inbox ─► screen        this thread, between two reads of the editor
//!                                   │ something to show
//!                                   ▼
//!  keys ──► Keys ──► rustyline ◄─ Bell (thread): breaks out of the editor, which goes on afterwards
//!                        │ a line
//!                        ▼
//!                     Writer ─► server
//! ```

mod bell;
mod completion;
mod editor;
mod end;
mod escapes;
mod files;
mod helper;
mod history;
mod inbox;
mod keys;
mod label;
mod paint;
mod rows;
mod send;
mod tell;

use std::env;
use std::io::{self, IsTerminal};
use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mconnect_core::protocol::{Answer, Phase, Request, Standing};
use mconnect_core::{Pair, Reader, Session, Timeouts, Writer};
use nix::sys::signal::{Signal, raise};
use rustyline::EditMode;

pub use bell::Bell;

use crate::args::{Keys, Options};
use crate::judge::{self, End};
use crate::secure::Secure;
use crate::signals;
use crate::terminal::{Manner, Terminal};
use crate::verdict::{Verdict, reason, say, status};
use editor::{Editor, Typed};
use escapes::Escape;
use helper::Knowledge;
use history::History;
use inbox::{Ending, Heard, Inbox};

/// Says whether a prompt can be given: where a terminal is on both sides, and can do more than print.
pub fn is_possible() -> bool {
    let can_edit = env::var("TERM").is_ok_and(|term| !["", "dumb", "cons25", "emacs"].contains(&term.as_str()));
    can_edit && io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// What a prompt is given beside the session.
pub struct Setting<'a> {
    pub options: &'a Options,
    pub timeouts: Timeouts,
    pub terminal: &'a Terminal,
    pub bell: Arc<Bell>,
    pub verdict: &'a Verdict,
    pub secure: &'a Secure,
    /// Opens a session like the first one; what keeps it from that has been told.
    pub reopen: &'a dyn Fn() -> Option<Session>,
}

/// Hands a session over, until its end, and each one opened after it.
pub fn run(session: Session, setting: &Setting<'_>) {
    let verdict = setting.verdict;
    let prepared = setting.terminal.enter(Manner::Prompt).map_err(io::Error::from).and_then(|()| {
        let mode = match setting.options.prompt.keys {
            Keys::Emacs => EditMode::Emacs,
            Keys::Vi => EditMode::Vi,
        };
        let history = History::new(setting.options.prompt.has_history);
        let has_color = paint::is_wanted(setting.options.prompt.color);
        Ok((Editor::new(Arc::clone(&setting.bell), mode, has_color, history)?, has_color))
    });
    let (mut editor, has_color) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return verdict.complain(status::IO, &format!("cannot set the terminal: {error}")),
    };
    let mut next = Some(session);
    while let Some(session) = next.take() {
        let (reader, writer) = session.split();
        let inbox = match Inbox::listen(reader, Arc::clone(&setting.bell)) {
            Ok(inbox) => inbox,
            Err(error) => return verdict.complain(status::IO, &format!("cannot start a thread: {error}")),
        };
        let mut talk = Talk {
            setting,
            editor: &mut editor,
            has_color,
            writer,
            inbox,
            opened: Instant::now(),
            sent: 0,
            received: 0,
            addresses: Vec::new(),
            is_shown: false,
            is_input_over: false,
            asked: Phase::Greeting,
            end: None,
        };
        match talk.converse() {
            Break(Leave::Reopen) => {
                talk.writer.closer().close();
                next = (setting.reopen)();
            }
            Break(Leave::End) | Continue(()) => talk.finish(),
        }
    }
}

/// Why a session is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leave {
    End,
    Reopen,
}

type Flow = ControlFlow<Leave>;

struct Talk<'a> {
    setting: &'a Setting<'a>,
    editor: &'a mut Editor,
    has_color: bool,
    writer: Writer,
    inbox: Arc<Inbox>,
    opened: Instant,
    sent: u64,
    received: u64,
    addresses: Vec<String>,
    /// The next answer to a 334 is shown while it is typed.
    is_shown: bool,
    is_input_over: bool,
    /// The phase that the line being typed is for.
    asked: Phase,
    end: Option<End>,
}

impl Talk<'_> {
    fn converse(&mut self) -> Flow {
        self.settle()?;
        loop {
            self.show_what_came()?;
            let standing = self.writer.standing();
            let is_secret = standing.phase == Phase::Auth && !self.is_shown;
            if self.asked == Phase::Auth && standing.phase != Phase::Auth {
                // Half an answer must not become a command.
                self.editor.clear();
            }
            self.asked = standing.phase;
            self.editor.inform(self.knowledge(&standing));
            let prompt = label::of(&standing, self.setting.secure.mark(), is_secret);
            match self.editor.read(&prompt, is_secret) {
                Ok(Typed::Line(line)) => self.enter(&line, standing.phase)?,
                Ok(Typed::Secret(line)) => self.enter_secret(&line)?,
                Ok(Typed::Lines(lines)) => self.send_lines(lines)?,
                Ok(Typed::Break) => {}
                Ok(Typed::Suspend) => self.suspend(),
                Ok(Typed::Interrupt) => self.interrupt(),
                Ok(Typed::EndOfInput) => return self.end_input(),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    say("mconnect: what was typed is not UTF-8, and was dropped: ~r sends such a file");
                }
                Err(error) => {
                    let reason = reason(&error.to_string());
                    self.setting.verdict.complain(status::IO, &format!("cannot read the terminal: {reason}"));
                    return self.end_input();
                }
            }
        }
    }

    /// Takes a typed line.
    fn enter(&mut self, line: &str, phase: Phase) -> Flow {
        let is_text = matches!(phase, Phase::Body | Phase::Chunk { .. });
        if !is_text && phase != Phase::Auth {
            self.editor.remember(line);
        }
        let escape = if self.setting.options.prompt.has_escapes { escapes::parse(line) } else { None };
        match escape {
            Some(escape) if !is_text || escapes::is_known(line) => {
                if is_text {
                    self.editor.remember(line);
                }
                self.obey(escape)
            }
            _ => self.send_lines(vec![line.to_owned()]),
        }
    }

    fn enter_secret(&mut self, line: &str) -> Flow {
        match escapes::parse(line).filter(|_| self.setting.options.prompt.has_escapes) {
            Some(escape) => self.obey(escape),
            None => self.send_lines(vec![line.to_owned()]),
        }
    }

    fn obey(&mut self, escape: Escape) -> Flow {
        match escape {
            Escape::List => say(escapes::LIST.trim_end()),
            Escape::Topic(topic) => tell::help(topic.as_deref(), self.setting.options.prompt.help_file.as_deref()),
            Escape::Extensions => tell::extensions(self.writer.extensions().as_ref()),
            Escape::State => {
                tell::state(&self.writer, self.setting.secure.mark(), self.opened.elapsed(), self.sent, self.received);
            }
            Escape::Visible => self.is_shown = true,
            Escape::Wrong(what) => say(&format!("mconnect: {what}")),
            Escape::Line(line) => return self.send_lines(vec![line]),
            Escape::Bytes(bytes) => return self.send_bytes(&bytes),
            Escape::File(name) => return self.send_file(&name),
            Escape::Chunk(name) => return self.send_chunk(&name),
            Escape::Reopen => return Break(Leave::Reopen),
            Escape::Close => {
                self.writer.closer().close();
                self.end = Some(End::Given);
                return Break(Leave::End);
            }
        }
        Continue(())
    }

    /// Shows what the server says for as long as that is worth waiting for: a prompt follows a reply where it can.
    fn settle(&mut self) -> Flow {
        let standing = self.writer.standing();
        match standing.awaited {
            // What is typed must not go out in the clear, or be shown.
            Some(Request::StartTls | Request::Auth | Request::AuthAnswer | Request::Quit) => self.wait_for_replies(),
            Some(_) if standing.phase != Phase::Body || standing.awaited == Some(Request::Data) => {
                self.wait(Some(Instant::now() + PATIENCE)).map_continue(drop)
            }
            _ => self.show_what_came(),
        }
    }

    /// Waits for all replies, each with its own deadline.
    fn wait_for_replies(&mut self) -> Flow {
        loop {
            let due = self.writer.standing().outstanding;
            let patience = self.writer.patience();
            if self.wait(Some(Instant::now() + patience))? {
                return Continue(());
            }
            if self.writer.standing().outstanding >= due {
                let message = format!("{} did not reply in {} s", self.writer.peer(), patience.as_secs_f64());
                self.setting.verdict.complain(status::TEMPORARY, &message);
                self.writer.closer().close();
                self.end = Some(End::Given);
                return Break(Leave::End);
            }
        }
    }

    /// Shows what comes until no reply is due, and says whether it came to that before the deadline.
    fn wait(&mut self, deadline: Option<Instant>) -> ControlFlow<Leave, bool> {
        loop {
            self.show_what_came()?;
            let is_over = || self.writer.standing().outstanding == 0;
            if !self.inbox.wait(deadline, is_over) {
                return Continue(false);
            }
            self.show_what_came()?;
            if self.writer.standing().outstanding == 0 {
                return Continue(true);
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Continue(false);
            }
        }
    }

    /// Shows what is there; breaks at the end of the session.
    fn show_what_came(&mut self) -> Flow {
        let (lines, ending) = self.inbox.take();
        self.show(&lines);
        match ending {
            None => return Continue(()),
            Some(Ending::Upgrade(reader)) => return self.upgrade(reader),
            Some(Ending::Closed) => self.end = Some(End::Closed),
            Some(Ending::Broken(error)) => self.end = Some(End::Broken(error)),
        }
        let unfinished = self.editor.unfinished();
        if !unfinished.is_empty() && is_command(self.asked) {
            self.editor.remember(&unfinished);
        }
        Break(Leave::End)
    }

    fn show(&mut self, lines: &[Heard]) {
        let explains = self.setting.options.prompt.explains && !self.setting.options.is_quiet;
        let mut text = String::new();
        for heard in lines {
            self.received += heard.raw.len() as u64;
            paint::line(&heard.raw, self.has_color, &mut text);
            let Some(answer) = heard.answer() else { continue };
            judge::reply(answer, judge::is_complete(&heard.standing, self.is_input_over), false, self.setting.verdict);
            if !answer.code.is_positive() && explains {
                tell::explain(&heard.raw, self.has_color, &mut text);
            }
        }
        if let Err(error) = paint::write(&text) {
            self.setting.verdict.output_failed(&error);
        }
    }

    /// After the 220 to STARTTLS. Without TLS then, the session is over: nothing more is sent in the clear.
    fn upgrade(&mut self, reader: Reader) -> Flow {
        let reader = if self.setting.secure.upgrades() {
            let (_, nowhere) = Session::from_stream(Pair::new(io::empty(), io::sink()), "nowhere").split();
            let session = Session::unsplit(reader, std::mem::replace(&mut self.writer, nowhere));
            let Some(session) = self.setting.secure.upgrade(session, true, self.setting.verdict) else {
                self.end = Some(End::Given);
                return Break(Leave::End);
            };
            let (reader, writer) = session.split();
            self.writer = writer;
            reader
        } else {
            reader
        };
        match Inbox::listen(reader, Arc::clone(&self.setting.bell)) {
            Ok(inbox) => {
                self.inbox = inbox;
                Continue(())
            }
            Err(error) => {
                self.setting.verdict.complain(status::IO, &format!("cannot start a thread: {error}"));
                self.end = Some(End::Given);
                Break(Leave::End)
            }
        }
    }

    fn knowledge(&self, standing: &Standing) -> Knowledge {
        Knowledge {
            is_text: !is_command(standing.phase),
            has_escapes: self.setting.options.prompt.has_escapes,
            extensions: self.writer.extensions(),
            addresses: self.addresses.clone(),
            next: self.next(standing),
        }
    }

    /// Gives what usually comes next.
    fn next(&self, standing: &Standing) -> Option<String> {
        let Some(Answer { request: Some(request), code }) = standing.last_answer else { return None };
        if standing.outstanding > 0 || standing.is_closing {
            return None;
        }
        let is_positive = code.is_positive();
        Some(match request {
            Request::Greeting if is_positive => match self.writer.local_address().map(|local| local.ip()) {
                Some(ip) if ip.is_ipv6() => format!("EHLO [IPv6:{ip}]"),
                Some(ip) => format!("EHLO [{ip}]"),
                None => "EHLO ".to_owned(),
            },
            Request::Ehlo | Request::Helo | Request::Lhlo | Request::Rset if is_positive => "MAIL FROM:<".to_owned(),
            Request::Ehlo => "HELO ".to_owned(),
            Request::Mail if is_positive => "RCPT TO:<".to_owned(),
            Request::Rcpt if is_positive => "DATA".to_owned(),
            Request::EndOfData | Request::Greeting => "QUIT".to_owned(),
            _ => return None,
        })
    }

    fn suspend(&mut self) {
        self.setting.terminal.restore();
        let _ = raise(Signal::SIGSTOP);
        let _ = self.setting.terminal.enter(Manner::Prompt);
    }

    /// Closes by ending: whoever runs us sees that it was an interrupt.
    fn interrupt(&mut self) {
        signals::act(self.setting.bell.ending().unwrap_or(Signal::SIGINT), self.setting.terminal);
    }

    /// Says whether the server said goodbye to QUIT, and nothing more is to come.
    fn has_quit(&self) -> bool {
        self.writer.standing().has_quit
    }
}

fn is_command(phase: Phase) -> bool {
    matches!(phase, Phase::Command | Phase::Greeting | Phase::StartTls)
}

/// A reply that takes longer does not keep the prompt.
const PATIENCE: Duration = Duration::from_millis(500);
