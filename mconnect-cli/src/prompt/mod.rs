//! The prompt: a person at a terminal edits lines, and what the server says appears above them at once.
//!
//! ```text
//!  server ─► listener (thread) ─► Inbox ─► screen        this thread, between two reads of the editor
//!                                   │ something to show
//!                                   ▼
//!  keys ──► Keys ──► rustyline ◄─ Waker (thread): breaks out of the editor, which goes on afterwards
//!                        │ a line
//!                        ▼
//!                     Writer ─► server
//! ```

#[cfg(feature = "tls")]
mod auth;
#[cfg(not(feature = "tls"))]
#[path = "without_auth.rs"]
mod auth;
mod completion;
mod editor;
mod ending;
mod escapes;
mod files;
mod helper;
mod history;
mod inbox;
mod keys;
mod label;
mod listen;
mod next;
mod paint;
mod rows;
mod send;
mod tape;
mod tell;
mod vi;
mod waker;

use std::env;
use std::io::{self, IsTerminal};
use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;
use std::time::Instant;

use mconnect_core::protocol::{Code, Phase};
use mconnect_core::{Reader, Session, Timeouts, Writer};
use nix::sys::signal::{Signal, raise};
use rustyline::EditMode;

pub use paint::is_wanted as is_color_wanted;
pub use waker::Waker;

use crate::args::{Keys, Options};
use crate::judge::End;
use crate::secure::Secure;
use crate::signals;
use crate::terminal::{Manner, Terminal};
use crate::verdict::{Verdict, reason, say, status};
use crate::watch::Watch;
use editor::{Editor, Typed};
use escapes::Escape;
use history::History;
use inbox::Inbox;
use send::Lines;

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
    pub waker: Arc<Waker>,
    pub verdict: &'a Verdict,
    pub watch: &'a Watch<'a>,
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
        Ok((Editor::new(Arc::clone(&setting.waker), mode, has_color, history)?, has_color))
    });
    let (mut editor, has_color) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return verdict.complain(status::IO, &format!("cannot set the terminal: {error}")),
    };
    let listen = |reader| match Inbox::listen(reader, Arc::clone(&setting.waker), setting.secure.upgrades()) {
        Ok(inbox) => Some(inbox),
        Err(error) => {
            verdict.complain(status::IO, &format!("cannot start a thread: {error}"));
            None
        }
    };
    let mut next = Some(session);
    while let Some(session) = next.take() {
        let (reader, writer) = session.split();
        let Some(inbox) = listen(reader) else { return };
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
            lines: Lines::typed(setting.secure),
            is_surprised: false,
            is_shown: false,
            is_input_over: false,
            asked: Phase::Greeting,
            heard: None,
            end: None,
        };
        loop {
            match talk.converse() {
                Break(Leave::StartTls(reader)) => {
                    let session = Session::unsplit(*reader, talk.writer);
                    // Without TLS the session is over: nothing more is sent in the clear.
                    let Some(session) = setting.secure.upgrade(session, true, verdict) else { break };
                    let (reader, writer) = session.split();
                    let Some(inbox) = listen(reader) else { break };
                    talk = Talk { inbox, writer, ..talk };
                    talk.lines.tls_started();
                }
                Break(Leave::Reopen) => {
                    talk.writer.closer().close();
                    tape::stop(setting.watch.tape());
                    next = (setting.reopen)();
                    break;
                }
                Break(Leave::End) | Continue(()) => {
                    talk.finish();
                    break;
                }
            }
        }
        tape::stop(setting.watch.tape());
    }
}

/// Why a session is left, for a moment or for good.
#[derive(Debug)]
enum Leave {
    End,
    Reopen,
    /// TLS is to be started with it.
    StartTls(Box<Reader>),
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
    /// What was entered and is on its way out.
    lines: Lines,
    /// It was told that client and server are out of step.
    is_surprised: bool,
    /// The next answer to a 334 is shown while it is typed.
    is_shown: bool,
    is_input_over: bool,
    /// The phase that the line being typed is for.
    asked: Phase,
    /// The last reply to AUTH, or to an answer.
    heard: Option<(Code, Vec<u8>)>,
    end: Option<End>,
}

impl Talk<'_> {
    fn converse(&mut self) -> Flow {
        self.settle()?;
        loop {
            self.advance()?;
            let standing = self.writer.standing();
            let is_secret = standing.phase == Phase::Auth && !self.is_shown;
            if self.asked == Phase::Auth && standing.phase != Phase::Auth {
                // Half an answer must not become a command.
                self.editor.clear();
            }
            self.asked = standing.phase;
            self.editor.inform(self.knowledge(&standing));
            let prompt = label::of(&standing, self.setting.secure.mark(), is_secret);
            self.is_shown &= standing.phase == Phase::Auth;
            match self.editor.read(&prompt, is_secret) {
                Ok(Typed::Line(line)) => self.enter(&line, standing.phase)?,
                Ok(Typed::Secret(line)) => self.enter_secret(&line)?,
                Ok(Typed::Lines { text, goes_on }) => self.send_paste(text.replace('\n', "\r\n").into(), goes_on)?,
                Ok(Typed::Break) => {}
                Ok(Typed::Suspend) => self.suspend(),
                Ok(Typed::Interrupt) => self.interrupt(),
                Ok(Typed::EndOfInput) => return self.end_input(),
                Err(error) => self.cannot_type(&error)?,
            }
        }
    }

    /// What was typed cannot be taken, or nothing more can be typed.
    fn cannot_type(&mut self, error: &io::Error) -> Flow {
        if error.kind() == io::ErrorKind::InvalidData {
            say("mconnect: what was typed is not UTF-8, and was dropped: ~r sends such a file");
            return Continue(());
        }
        let reason = reason(&error.to_string());
        self.setting.verdict.complain(status::IO, &format!("cannot read the terminal: {reason}"));
        self.end_input()
    }

    /// Takes a typed line.
    fn enter(&mut self, line: &str, phase: Phase) -> Flow {
        let is_text = matches!(phase, Phase::Body | Phase::Chunk { .. });
        let escape = if self.setting.options.prompt.has_escapes { escapes::parse(line) } else { None };
        match escape {
            Some(escape) if !is_text || escapes::is_known(line) => {
                if phase != Phase::Auth {
                    self.editor.remember(line);
                }
                self.obey(escape)
            }
            _ if line.trim().eq_ignore_ascii_case("QUIT") && self.writer.standing().is_closing => Break(Leave::End),
            _ => self.send_line(line, is_command(phase).then(|| line.to_owned())),
        }
    }

    fn enter_secret(&mut self, line: &str) -> Flow {
        match escapes::parse(line).filter(|_| self.setting.options.prompt.has_escapes) {
            Some(escape) => self.obey(escape),
            None => self.send_answer(line),
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
            Escape::Chain => say(&self.setting.secure.chain()),
            Escape::Authenticate(words) => return self.authenticate(&words),
            Escape::Encode(bytes) => return self.encode(&bytes),
            Escape::Visible => self.is_shown = true,
            Escape::Record(name) => return self.record(&name),
            Escape::Wrong(what) => say(&format!("mconnect: {what}")),
            Escape::Line(line) => return self.send_line(&line, None),
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

    fn suspend(&mut self) {
        self.setting.terminal.restore();
        let _ = raise(Signal::SIGSTOP);
        let _ = self.setting.terminal.enter(Manner::Prompt);
    }

    /// Closes by ending: whoever runs us sees that it was an interrupt.
    fn interrupt(&mut self) {
        tape::stop(self.setting.watch.tape());
        signals::act(self.setting.waker.ending().unwrap_or(Signal::SIGINT), self.setting.terminal);
    }
}

fn is_command(phase: Phase) -> bool {
    matches!(phase, Phase::Command | Phase::Greeting | Phase::StartTls)
}
