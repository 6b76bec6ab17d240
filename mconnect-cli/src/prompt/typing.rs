//! What the escapes need of a prompt.

use std::ops::ControlFlow::Continue;

use mconnect_core::Session;
use mconnect_core::script::Pace;

use super::ask::Asked;
use super::send::Lines;
use super::{Flow, Leave, Talk};
use crate::progress::Work;
use crate::typing::{FileLines, Typing};

impl Typing for Talk<'_> {
    type Leave = Leave;

    fn session(&self) -> &Session {
        &self.session
    }

    fn work(&mut self) -> &mut Option<Work> {
        &mut self.work
    }

    fn put(&mut self, octets: &[u8]) -> Flow {
        self.send(octets)
    }

    fn put_lines(&mut self, lines: FileLines) -> Flow {
        self.work = Some(lines.work());
        self.begin(Pace::InStep, Lines::of_file(lines));
        Typing::settle(self)
    }

    fn settle(&mut self) -> Flow {
        if !self.is_paste() {
            self.end_work();
        }
        self.advance()?;
        Self::settle(self)
    }

    fn inquire(&mut self, question: &str) -> Asked<String> {
        let answer = self.ask(question, false)?;
        Continue(answer.map(|answer| answer.to_string()))
    }
}
