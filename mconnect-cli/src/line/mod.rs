//! Line mode: a script's lines go out as it lets them, while what the server says is shown.
//!
//! One thread serves both: it waits for the server alone while a reply is due that has to come first, and otherwise by
//! `poll` for whichever of server and input has something. What may go out when, and where it ends, is the
//! [`Script`](mconnect_core::script::Script)'s to say.

#[cfg(feature = "tls")]
mod auth;
mod close;
mod listen;
mod typed;

use std::io;
use std::ops::ControlFlow::{self, Break, Continue};

use mconnect_core::protocol::{CrlfEncoder, Phase};
use mconnect_core::script::{self, Next, Pace};
use mconnect_core::{Driver, Session};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::connection::Setting;
use crate::input::{Block, Input};
use crate::judge;
use crate::options::Options;
use crate::progress::{self, Work};
use crate::screen::{self, Screen};
use crate::stderr::{is_shown, say};
use crate::typing::{FileLines, Over};

/// Hands a session over, until its end, and each one opened after it.
pub fn run(session: Session, setting: &Setting<'_>, pace: Pace) {
    let Options { commands, prompt, output, is_quiet, .. } = setting.options;
    let mut input = if commands.is_empty() { Input::new() } else { Input::given(commands) };
    let mut screen = Screen::of(*output);
    if pace == Pace::Typed && prompt.has_escapes && !is_quiet {
        say("a line that begins with a tilde is an escape: ~? lists them");
    }
    let mut next = Some((session, None));
    while let Some((session, before)) = next.take() {
        let work = (pace != Pace::Typed).then(|| Work::new("the input", is_shown().then(|| input.size()).flatten()));
        let talk = Conversation {
            setting,
            input: &mut input,
            screen: &mut screen,
            driver: Driver::new(setting.rules(pace)),
            work,
            block: None,
            file: None,
            ended_in: None,
            is_hidden: false,
            shows_answer: false,
            said: Said::default(),
            before,
        };
        next = talk.live(session).next(setting, |past| typed::stay(setting, &mut input, past));
    }
}

/// Why the session is left for a moment, or for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// TLS is to be started with it.
    StartTls,
    /// It has ended, or is to be ended.
    End,
    /// It is closed at once.
    Close,
    /// It is left, to be opened again.
    Reopen,
}

type Onward = ControlFlow<Stop>;

struct Conversation<'a> {
    setting: &'a Setting<'a>,
    input: &'a mut Input,
    screen: &'a mut Screen,
    driver: Driver,
    /// What goes out, if that is not typed.
    work: Option<Work>,
    /// What was read of the input, and is not all taken.
    block: Option<Block>,
    /// A file whose lines stand for typed ones, if there is more of it.
    file: Option<FileLines>,
    /// The phase in which the input ended.
    ended_in: Option<Phase>,
    /// What is typed is not shown.
    is_hidden: bool,
    /// The next answer to a 334 is shown while it is typed.
    shows_answer: bool,
    said: Said,
    /// How the session before this one ended.
    before: Option<String>,
}

/// What the server said.
#[derive(Default)]
struct Said {
    /// What is to be shown next.
    shown: Vec<u8>,
    /// How much of the line that has not ended was shown.
    ahead: usize,
    /// Something that was typed ahead was dropped.
    has_dropped: bool,
    /// That client and server are out of step has been said.
    is_surprise_told: bool,
}

impl Conversation<'_> {
    fn live(mut self, mut session: Session) -> Over {
        let stop = loop {
            match self.converse(&mut session) {
                Break(Stop::StartTls) => {}
                Break(stop) => break stop,
                Continue(()) => break Stop::End,
            }
            let is_typed = self.is_typed();
            let past = self.past(&session, "TLS could not be started".to_owned(), Phase::Command);
            let verdict = self.setting.verdict;
            match verdict.check(self.setting.secure.upgrade(session, is_typed, verdict)) {
                Some(upgraded) => session = upgraded,
                // Nothing more is sent in the clear.
                None => {
                    self.tell_unsent(is_typed);
                    return if is_typed { Over::Closed(past) } else { Over::Left };
                }
            }
            self.driver.script.tls_started();
        };
        if stop == Stop::Reopen {
            session.closer().close();
            return Over::Reopen(self.past(&session, "it was left, to be opened again".to_owned(), Phase::Command));
        }
        self.take_leave(&mut session);
        let past = (self.is_broken_off(&session) && stop == Stop::End).then(|| {
            let asked = if self.is_hidden { Phase::Auth } else { Phase::Command };
            self.past(&session, self.driver.how_it_ended(&session), asked)
        });
        self.finish(&mut session, past.is_some());
        past.map_or(Over::Left, Over::Closed)
    }

    fn converse(&mut self, session: &mut Session) -> Onward {
        loop {
            self.listen(session)?;
            match self.next(session) {
                Next::Send => self.send(session)?,
                Next::Replies => self.wait_for_replies(session)?,
                Next::Input if self.read_on_in_file() => {}
                Next::Input if self.driver.is_input_over => return self.drain(session),
                Next::Input => self.read_on(session)?,
                Next::StartTls => return Break(Stop::StartTls),
                Next::Skipped(octets) => judge::skipped(octets, "input", "up to the lone dot"),
                Next::Dropped => self.tell_dropped(session),
                Next::End => return Break(Stop::End),
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
        if self.is_typed() {
            self.end_work();
        }
        if self.driver.script.holds_secret() {
            self.block.iter_mut().for_each(Block::wipe_taken);
        }
        self.drop_block();
        self.input.expect(self.driver.script.phase(&session.standing()));
        if self.wait_for_either(session)? {
            match self.input.take() {
                Ok(block) if !block.is_empty() => return self.take(session, block),
                Ok(_) => {}
                Err(error) => self.setting.verdict.input_failed(&error),
            }
            self.driver.end_input(session);
        }
        Continue(())
    }

    fn take(&mut self, session: &mut Session, block: Block) -> Onward {
        if !self.is_typed() {
            self.block = Some(block);
            return Continue(());
        }
        if let Some(flow) = self.obey_line(session, &block) {
            return flow;
        }
        self.shows_answer &= session.phase() != Phase::Auth;
        if block.len() == LONGEST_TYPED && block.ends_with(b"\n") {
            say("mconnect: this terminal cuts a line at 4095 octets, and may have cut that one");
        }
        // Counted with its CR LF.
        let mut line = Vec::with_capacity(block.len() + 1);
        CrlfEncoder::default().encode(&block, &mut line);
        self.block = Some(Block::of(line));
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
            let (server, stdout) = (session.as_fd().map(|fd| PollFd::new(fd, PollFlags::POLLIN)), io::stdout());
            let mut fds = vec![PollFd::new(self.input.as_fd(), PollFlags::POLLIN), screen::reader(&stdout)];
            fds.extend(server);
            let patience = self.patience_beside_input(session);
            let tick = self.until_telling(session);
            let timeout = PollTimeout::try_from(patience.min(tick)).unwrap_or(PollTimeout::NONE);
            let polled = poll(&mut fds, timeout);
            let (is_input, is_said) = (is_ready(&fds[0]), fds.get(2).is_some_and(is_ready));
            if screen::is_without_reader(&fds[1]) {
                continue;
            }
            match (polled, is_input, is_said) {
                (Err(Errno::EINTR), ..) => {}
                (Ok(0), ..) if tick < patience => self.tell_late(session),
                (Ok(0), ..) => self.wait_for_reply(session)?,
                (Ok(_), is_input, true) => {
                    self.receive(session, patience)?;
                    self.show_what_came(session)?;
                    return Continue(is_input);
                }
                // Without poll, the input comes first.
                (Ok(_) | Err(_), ..) => return Continue(true),
            }
        }
    }

    fn is_typed(&self) -> bool {
        self.driver.pace() == Pace::Typed
    }

    /// Says what was dropped of what was typed, and why; the terminal has been emptied when the reply came.
    fn tell_dropped(&mut self, session: &Session) {
        let had_more = self.block.as_ref().is_some_and(|block| !block.is_empty());
        self.drop_block();
        let has_dropped = std::mem::take(&mut self.said.has_dropped) || had_more;
        let surprise = session.standing().surprise.map(script::End::OutOfStep).filter(|_| !self.said.is_surprise_told);
        self.said.is_surprise_told |= surprise.is_some();
        if let Some(surprise) = surprise {
            say(&format!("mconnect: {surprise}"));
        }
        if has_dropped {
            say("mconnect: what was typed ahead was dropped");
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
        // What is typed may be a password, and is wiped as it is freed.
        if let Some(block) = self.block.take().filter(|_| self.driver.pace() != Pace::Typed) {
            self.input.reuse(block);
        }
        self.file = None;
    }

    /// What was not typed, and takes long, has gone out.
    fn end_work(&mut self) {
        if let Some(work) = self.work.take() {
            work.finish(self.setting.options.is_quiet);
        }
    }
}

fn is_ready(fd: &PollFd<'_>) -> bool {
    fd.any().unwrap_or(true)
}

/// The longest line that a terminal gives, its LF included.
const LONGEST_TYPED: usize = 4096;
