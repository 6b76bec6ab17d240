//! Line mode: a script's lines go out as it lets them, while what the server says is shown.
//!
//! One thread serves both: it waits for the server alone while a reply is due that has to come first, and otherwise by
//! `poll` for whichever of server and input has something. What may go out when, and where it ends, is the
//! [`Script`](mconnect_core::script::Script)'s to say.

mod close;
mod listen;

use std::ops::ControlFlow::{self, Break, Continue};

use mconnect_core::protocol::Phase;
use mconnect_core::script::{Next, Pace};
use mconnect_core::{Driver, Session};

use crate::connection::Setting;
use crate::input::{Block, Input};
use crate::judge;
use crate::options::Options;
use crate::progress::{self, Work};
use crate::screen::{self, Came, Said};
use crate::stderr::is_shown;
use listen::until;

/// Hands a session over, until its end.
pub fn run(session: Session, setting: &Setting<'_>, pace: Pace) {
    let Options { commands, output, .. } = setting.options;
    let input = if commands.is_empty() { Input::new() } else { Input::given(commands) };
    let work = Work::new("the input", is_shown().then(|| input.size()).flatten());
    let talk = Conversation {
        setting,
        input,
        said: Said::new(*output),
        driver: Driver::new(setting.rules(pace)),
        work: Some(work),
        block: None,
        ended_in: None,
    };
    talk.live(session);
}

/// Why the session is left for a moment, or for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// TLS is to be started with it.
    StartTls,
    /// It has ended, or is to be ended.
    End,
}

type Onward = ControlFlow<Stop>;

struct Conversation<'a> {
    setting: &'a Setting<'a>,
    input: Input,
    /// What the server says.
    said: Said,
    driver: Driver,
    /// What goes out.
    work: Option<Work>,
    /// What was read of the input, and is not all taken.
    block: Option<Block>,
    /// The phase in which the input ended.
    ended_in: Option<Phase>,
}

impl Conversation<'_> {
    fn live(mut self, mut session: Session) {
        while self.converse(&mut session) == Break(Stop::StartTls) {
            let verdict = self.setting.verdict;
            match verdict.check(self.setting.secure.upgrade(session, false, verdict)) {
                Some(upgraded) => session = upgraded,
                // Nothing more is sent in the clear.
                None => return self.tell_unsent(),
            }
            self.driver.script.tls_started();
        }
        self.take_leave(&mut session);
        self.finish(&mut session);
    }

    fn converse(&mut self, session: &mut Session) -> Onward {
        loop {
            self.listen(session)?;
            match self.next(session) {
                Next::Send => self.send(session)?,
                Next::Replies => self.wait_for_replies(session)?,
                Next::Input if self.driver.is_input_over => return self.drain(session),
                Next::Input => self.read_on(session)?,
                Next::StartTls => return Break(Stop::StartTls),
                Next::Skipped(octets) => judge::skipped(octets, "input", "up to the lone dot"),
                // What is typed is the prompt's to drop.
                Next::Dropped | Next::End => return Break(Stop::End),
            }
        }
    }

    fn next(&mut self, session: &Session) -> Next {
        let standing = session.standing();
        let script = &mut self.driver.script;
        let Some(block) = &mut self.block else { return script.next(&standing, &mut &[][..]) };
        let (mut input, ready) = block.parts();
        let next =
            script.next_with(&standing, &mut input, |lines, phase, input, out| ready.take(lines, phase, input, out));
        let rest = input.len();
        block.leave(rest);
        next
    }

    /// Reads the next block of input, once there is one; what the server says meanwhile is shown.
    fn read_on(&mut self, session: &mut Session) -> Onward {
        if self.driver.script.holds_secret() {
            self.block.iter_mut().for_each(Block::wipe_taken);
        }
        self.drop_block();
        self.input.expect(self.driver.script.phase(&session.standing()));
        if self.wait_for_either(session)? {
            match self.input.take() {
                Ok(block) if !block.is_empty() => {
                    self.block = Some(block);
                    return Continue(());
                }
                Ok(_) => {}
                Err(error) => self.setting.verdict.input_failed(&error),
            }
            self.driver.end_input(session);
        }
        Continue(())
    }

    /// Shows what the server says until there is input, and says whether it is there: a reply may have changed what the
    /// script wants.
    fn wait_for_either(&mut self, session: &mut Session) -> ControlFlow<Stop, bool> {
        loop {
            let answers = session.standing().last_answer;
            self.show_what_came(session)?;
            let standing = session.standing();
            if standing.is_closing || standing.has_quit || standing.last_answer != answers {
                return Continue(false);
            }
            if self.input.is_ready() {
                return Continue(true);
            }
            if screen::has_lost_reader() {
                return self.go_on_unheard(session);
            }
            let patience = until(self.driver.overdue.deadline(&standing, self.driver.patience(session)));
            match screen::wait_for(self.input.as_fd(), session.as_fd(), patience) {
                Came::Input => return Continue(true),
                Came::Server { with_input } => {
                    self.receive(session, patience)?;
                    self.show_what_came(session)?;
                    return Continue(with_input);
                }
                Came::End => {}
                Came::Nothing => self.wait_for_reply(session)?,
            }
        }
    }

    fn send(&mut self, session: &mut Session) -> Onward {
        let (octets, is_secret) = (self.driver.script.out().len(), self.driver.script.holds_secret());
        let sent = progress::put(self.work.as_ref(), session, octets, |session| self.driver.send_next(session));
        if is_secret {
            self.block.iter_mut().for_each(Block::wipe_taken);
        }
        sent.map_or_else(|error| self.writing_failed(session, error), Continue)
    }

    fn drop_block(&mut self) {
        if let Some(block) = self.block.take() {
            self.input.reuse(block);
        }
    }
}
