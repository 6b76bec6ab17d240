//! Lines typed at a terminal that can have no prompt: the escapes in them, and what is typed after the session.

use std::ops::ControlFlow::{self, Break, Continue};

use mconnect_core::protocol::Phase;
use mconnect_core::{Ended, Session};

use super::{Conversation, Onward, Stop};
use crate::connection::Setting;
use crate::input::{Block, Input};
use crate::progress::{self, Work};
use crate::screen;
use crate::stderr::say;
use crate::terminal::{CTRL_C, Manner};
use crate::typing::auth::{authenticate, encode};
use crate::typing::escapes::{self, Escape};
use crate::typing::{FileLines, Known, Past, Typing, aside, send_chunk, send_file};

impl Conversation<'_> {
    /// Says whether a line is an escape where the session stands; if so, what it asks for is done.
    pub(super) fn obey_line(&mut self, session: &mut Session, line: &[u8]) -> Option<Onward> {
        let has_escapes = self.setting.options.prompt.has_escapes;
        let line = str::from_utf8(line).ok().filter(|_| has_escapes)?.trim_end_matches(['\r', '\n']);
        let is_text = matches!(session.phase(), Phase::Body | Phase::Chunk { .. });
        let escape = escapes::parse(line).filter(|_| !is_text || escapes::is_known(line))?;
        match escape {
            Escape::Aside(asked) => aside::obey(asked, &self.known(session), self.setting),
            Escape::Line(line) => self.block = Some(Block::of(format!("{line}\r\n").into())),
            Escape::Bytes(bytes) => return Some(self.send_octets(session, &bytes)),
            Escape::File(name) => return Some(send_file(&mut AtSession { talk: self, session }, &name)),
            Escape::Rest => say(escapes::NO_REST),
            Escape::Visible => {
                self.shows_answer = true;
                self.hide_typing(session);
            }
            Escape::Reopen => return Some(Break(Stop::Reopen)),
            Escape::Close => {
                self.driver.ended = Some(Ended::Here);
                return Some(Break(Stop::Close));
            }
            Escape::Chunk(name) => return Some(send_chunk(&mut AtSession { talk: self, session }, &name)),
            Escape::Encode(bytes) => return Some(encode(&mut AtSession { talk: self, session }, &bytes)),
            Escape::Authenticate(words) => return Some(authenticate(&mut AtSession { talk: self, session }, &words)),
        }
        Some(Continue(()))
    }

    fn known(&self, session: &Session) -> Known {
        Known::of(session, &self.driver, self.setting, self.before.as_deref())
    }

    /// Keeps what is to be known of the session after its end.
    pub(super) fn past(&self, session: &Session, how: String, asked: Phase) -> Past {
        Past::new(how, self.known(session), asked)
    }

    fn send_octets(&mut self, session: &mut Session, octets: &[u8]) -> Onward {
        let send = |session: &mut Session| self.driver.send(session, octets);
        match progress::put(self.work.as_ref(), session, octets.len(), send) {
            Ok(()) => self.show_what_came(session),
            Err(error) => self.writing_failed(session, error),
        }
    }

    /// Reads on in a file whose lines stand for typed ones, once those that were read are taken, and says whether there
    /// was more.
    pub(super) fn read_on_in_file(&mut self) -> bool {
        let mut lines = Vec::new();
        let has_more = FileLines::read_on(&mut self.file, &mut lines);
        if has_more {
            self.block = Some(Block::of(lines));
        }
        has_more
    }
}

/// Typed lines, and the session that they are for.
pub(super) struct AtSession<'t, 'a> {
    pub talk: &'t mut Conversation<'a>,
    pub session: &'t mut Session,
}

impl Typing for AtSession<'_, '_> {
    type Leave = Stop;

    fn session(&self) -> &Session {
        self.session
    }

    fn work(&mut self) -> &mut Option<Work> {
        &mut self.talk.work
    }

    fn put(&mut self, octets: &[u8]) -> Onward {
        self.talk.send_octets(self.session, octets)
    }

    fn put_lines(&mut self, lines: FileLines) -> Onward {
        self.talk.work = Some(lines.work());
        self.talk.file = Some(lines);
        Continue(())
    }

    fn settle(&mut self) -> Onward {
        self.talk.end_work();
        self.talk.show_what_came(self.session)
    }

    fn inquire(&mut self, question: &str) -> ControlFlow<Stop, Option<String>> {
        let _ = screen::put(question.as_bytes());
        let Ok(block) = self.talk.input.take() else { return Continue(None) };
        let line = String::from_utf8_lossy(&block).trim().to_owned();
        Continue(Some(line).filter(|line| !block.is_empty() && line != "*"))
    }
}

/// Takes what is typed after a session that nobody had ended, until it is opened again, and returns that; nothing if that
/// is not wanted. Where an answer was being typed, the first line is the rest of it, and dropped unseen.
pub fn stay(setting: &Setting<'_>, input: &mut Input, past: &Past) -> Option<Session> {
    let mut is_hidden = past.asked == Phase::Auth;
    loop {
        let _ = setting.terminal.enter(Manner::Closed { is_hidden });
        let _ = screen::put(b"closed> ");
        let taken = input.take().ok();
        setting.terminal.leave();
        let block = taken.filter(|block| !block.is_empty() && !block.ends_with(&[CTRL_C]))?;
        if std::mem::take(&mut is_hidden) {
            continue;
        }
        let line = String::from_utf8_lossy(&block).trim_end().to_owned();
        if let Break(opened) = past.obey(&line, setting, || true) {
            return opened;
        }
    }
}
