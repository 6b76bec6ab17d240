//! The prompt: a person at a terminal edits lines, and what the server says appears above them at once.
//!
//! ```text
//!  server ────► Session ─► screen                        this thread, between two reads of the editor
//!    │ something to show
//!    ▼
//!  Waker (thread): breaks out of the editor, which goes on afterwards
//!    │
//!    ▼
//!  rustyline ◄── Keys ◄── keys
//!    │ a line
//!    ▼
//!  Session ─► server
//! ```

mod ask;
#[cfg(feature = "tls")]
mod auth;
#[cfg(not(feature = "tls"))]
#[path = "without_auth.rs"]
mod auth;
mod closed;
mod completion;
mod draft;
mod editor;
mod ending;
mod file_lines;
mod files;
mod helper;
mod history;
mod keys;
mod listen;
mod plain;
mod prompt_text;
mod rest;
mod rows;
mod send;
mod typist;
mod vi;
mod waker;

use std::io::{self, IsTerminal};
use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;
use std::time::Instant;

use mconnect_core::protocol::{Phase, Standing};
use mconnect_core::script::Pace;
use mconnect_core::suggest::Suggestions;
use mconnect_core::{Driver, Ended, Session, own_name};
use nix::sys::signal::Signal;
use zeroize::Zeroizing;

pub use waker::Waker;

use crate::connection::Setting;
use crate::failure::Failure;
use crate::progress::Work;
use crate::signals;
use crate::stderr::say;
use crate::terminal::{self, Manner, can_draw};
use crate::typing::escapes::{self, Escape};
use crate::typing::{Known, aside};
use closed::Past;
use completion::Knowledge;
use editor::Editor;
use plain::Plain;
use prompt_text::Label;
use rest::Rest;
use send::Lines;
use typist::{Typed, Typist};

/// Says whether a prompt can be given: where a terminal is on both sides, and can do more than print.
pub fn is_possible() -> bool {
    can_draw() && io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Hands a session over, until its end, and each one opened after it.
pub fn run(session: Session, setting: &Setting<'_>, waker: Option<&Arc<Waker>>) {
    let Some(mut editor) = setting.verdict.check(typist(setting, waker)) else { return };
    let editor = &mut *editor;
    let mut next = Some((session, None));
    editor.open(setting.options);
    while let Some((session, before)) = next.take() {
        let mut suggestions = Suggestions::default();
        let name = &setting.options.security.helo;
        suggestions.set_name(&name.clone().unwrap_or_else(|| own_name(session.local_address())));
        let talk = Talk {
            setting,
            editor: &mut *editor,
            session,
            unfinished_since: None,
            driver: Driver::new(setting.rules(Pace::Typed)),
            before,
            suggestions,
            rest: Rest::default(),
            lines: Lines::default(),
            work: None,
            is_surprised: false,
            is_shown: false,
            asked: Phase::Greeting,
        };
        let over = talk.live();
        editor.waker().listen_to(None);
        match editor.said() {
            _ if matches!(over, Over::Reopen(_)) => {}
            Some(_) => setting.watch.explain(setting.verdict),
            None => drop(setting.watch.explain_end(None, setting.verdict)),
        }
        setting.watch.session_log.stop_aloud();
        let (past, opened) = match over {
            Over::Left => return,
            Over::Closed(past) => (past, None),
            Over::Reopen(past) => (past, (setting.reopen)()),
        };
        let opened = opened.or_else(|| closed::converse(editor, &past, setting));
        next = opened.map(|session| (session, Some(past.how)));
    }
}

/// Returns whoever hands over what is typed: an editor, if there is what breaks out of it.
fn typist(setting: &Setting<'_>, waker: Option<&Arc<Waker>>) -> Result<Box<dyn Typist>, Failure> {
    let Some(waker) = waker else { return Ok(Box::new(Plain::new(setting))) };
    let prepared = setting.terminal.enter(Manner::Prompt).map_err(io::Error::from);
    let editor = prepared
        .and_then(|()| Editor::new(&setting.options.prompt, setting.terminal.handle(), Arc::clone(waker)))
        .map_err(|error| Failure::cannot("set the terminal", &error))?;
    Ok(Box::new(editor))
}

/// What came of a session.
enum Over {
    /// It is left for good.
    Left,
    /// It ended, and nobody had ended it.
    Closed(Past),
    /// It is to be opened again.
    Reopen(Past),
}

/// Why a session is left, for a moment or for good.
#[derive(Debug)]
enum Leave {
    End,
    /// It has ended, and nobody had ended it: the prompt stays.
    Closed,
    Reopen,
    /// TLS is to be started with it.
    StartTls,
}

type Flow = ControlFlow<Leave>;

struct Talk<'a> {
    setting: &'a Setting<'a>,
    editor: &'a mut dyn Typist,
    session: Session,
    /// When a line of the server's began that has not ended.
    unfinished_since: Option<Instant>,
    driver: Driver,
    /// How the session before this one ended.
    before: Option<String>,
    suggestions: Suggestions,
    /// What of a long reply is not shown.
    rest: Rest,
    /// What was entered and is on its way out.
    lines: Lines,
    /// What of it takes long.
    work: Option<Work>,
    /// It was told that client and server are out of step.
    is_surprised: bool,
    /// The next answer to a 334 is shown while it is typed.
    is_shown: bool,
    /// The phase that the line being typed is for.
    asked: Phase,
}

impl Talk<'_> {
    fn live(mut self) -> Over {
        loop {
            self.editor.waker().listen_to(self.session.as_fd());
            match self.converse() {
                Break(Leave::StartTls) => {
                    let past = self.past("TLS could not be started".to_owned());
                    // Without TLS the session is over: nothing more is sent in the clear.
                    let verdict = self.setting.verdict;
                    let upgraded = self.setting.secure.upgrade(self.session, true, verdict);
                    let Some(session) = verdict.check(upgraded) else {
                        // What was typed ahead was meant for inside. Where that cannot be read, the next prompt tells.
                        if self.editor.drop_typed().unwrap_or_default() {
                            say("mconnect: what was typed ahead was dropped");
                        }
                        return Over::Closed(past);
                    };
                    self = Self { session, ..self };
                    self.driver.script.tls_started();
                }
                Break(Leave::Reopen) => {
                    self.session.closer().close();
                    return Over::Reopen(self.past("it was left, to be opened again".to_owned()));
                }
                Break(Leave::Closed) => {
                    let past = self.past(self.driver.how_it_ended(&self.session));
                    self.finish();
                    return Over::Closed(past);
                }
                Break(Leave::End) | Continue(()) => {
                    self.finish();
                    // What was typed behind QUIT must not end up as a command of the shell.
                    if !self.driver.is_input_over {
                        self.editor.drop_early();
                    }
                    return Over::Left;
                }
            }
        }
    }

    /// Keeps what is to be known of the session after its end.
    fn past(&self, how: String) -> Past {
        Past::new(how, self.known(), self.asked)
    }

    fn known(&self) -> Known {
        Known::of(&self.session, &self.driver, self.setting, self.before.as_deref())
    }

    /// Returns what completion and hints go by.
    fn knowledge(&mut self, standing: &Standing) -> Knowledge {
        self.suggestions.set_extensions(self.session.extensions());
        let next = self.suggestions.next_command(standing, self.session.local_address());
        Knowledge {
            is_text: !is_command(standing.phase),
            has_escapes: self.setting.options.prompt.has_escapes,
            suggestions: self.suggestions.clone(),
            next,
        }
    }

    /// Returns what stands before a line.
    fn label(&self, standing: &Standing, is_hidden: bool) -> Label {
        let (peer, mark) = (self.session.peer(), self.setting.secure.mark());
        Label::new(standing, peer, mark, is_hidden, terminal::size().0.into())
    }

    /// Returns the phase that what is typed now is for. Without a prompt, nothing tells whoever types an answer that it is
    /// none any more.
    fn typed_for(&mut self, standing: &Standing) -> Phase {
        match self.asked {
            Phase::Auth if standing.is_closing && self.editor.said().is_some() => Phase::Auth,
            _ => standing.phase,
        }
    }

    fn converse(&mut self) -> Flow {
        self.settle()?;
        loop {
            self.advance()?;
            self.keep_deadline()?;
            let standing = self.session.standing();
            let phase = self.typed_for(&standing);
            let is_secret = phase == Phase::Auth && !self.is_shown;
            if self.asked == Phase::Auth && phase != Phase::Auth {
                self.is_shown = false;
                // Half an answer must not become a command.
                self.editor.clear();
            }
            self.asked = phase;
            let knowledge = self.knowledge(&standing);
            self.editor.inform(knowledge);
            let deadline = self.deadline(&standing).into_iter().chain(self.unfinished_next()).min();
            let prompt = if self.editor.said().is_some() {
                self.tell_late(&standing);
                self.editor.waker().set_times(self.driver.overdue.next_telling(&standing), deadline);
                String::new()
            } else {
                let label = self.label(&standing, is_secret);
                let prompt = self.above(&standing) + &label.to_string();
                self.editor.label(label);
                self.editor.waker().set_times(self.driver.overdue.next_tick(&standing), deadline);
                prompt
            };
            match self.editor.read(&prompt, is_secret) {
                Ok(Typed::Line(line)) => self.enter(&Zeroizing::new(line), standing.phase)?,
                Ok(Typed::Octets(line)) => self.send_line(&Zeroizing::new(line), None)?,
                Ok(Typed::Secret(line)) => self.enter_secret(&line)?,
                Ok(Typed::Lines { text, goes_on }) => {
                    let text = Zeroizing::new(text);
                    self.send_paste(text.replace('\n', "\r\n").into(), goes_on)?;
                }
                Ok(Typed::Break) => {}
                Ok(Typed::Interrupt) => self.interrupt(),
                Ok(Typed::EndOfInput) => return self.end_input(),
                Ok(Typed::Unheard) => return self.leave_unheard(),
                Err(error) => self.cannot_type(&error)?,
            }
        }
    }

    /// Nothing more can be typed.
    fn cannot_type(&mut self, error: &io::Error) -> Flow {
        self.setting.verdict.complain(Failure::cannot("read the terminal", error));
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
            _ if phase == Phase::Auth => {
                self.is_shown = false;
                self.send_answer(line)
            }
            _ if line.trim().eq_ignore_ascii_case("QUIT") && self.session.standing().is_closing => Break(Leave::End),
            _ => self.send_line(line.as_bytes(), is_command(phase).then(|| line.to_owned())),
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
            Escape::Aside(asked) => aside::obey(asked, &self.known(), self.setting),
            Escape::Authenticate(words) => return self.authenticate(&words),
            Escape::Encode(bytes) => return self.encode(&bytes),
            Escape::Rest => self.rest.show(terminal::size().1, self.look()),
            Escape::Visible => self.is_shown = true,
            Escape::Line(line) => return self.send_line(line.as_bytes(), None),
            Escape::Bytes(bytes) => return self.send_bytes(&bytes),
            Escape::File(name) => return self.send_file(&name),
            Escape::Chunk(name) => return self.send_chunk(&name),
            Escape::Reopen => return Break(Leave::Reopen),
            Escape::Close => {
                self.tell_lost();
                self.session.closer().close();
                self.driver.ended = Some(Ended::Here);
                return Break(Leave::End);
            }
        }
        Continue(())
    }

    /// Closes by ending: whoever runs us sees that it was an interrupt.
    fn interrupt(&mut self) {
        self.show_unfinished();
        self.setting.watch.session_log.stop_aloud();
        signals::act(self.editor.waker().ending().unwrap_or(Signal::SIGINT), self.setting.terminal);
    }
}

fn is_command(phase: Phase) -> bool {
    matches!(phase, Phase::Command | Phase::Greeting | Phase::StartTls)
}
