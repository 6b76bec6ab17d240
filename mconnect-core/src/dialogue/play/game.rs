//! A dialogue under way: what all its steps share.
//!
//! Two things are kept between steps. What is to be sent waits in `out` until something is awaited, so that lines that
//! follow each other leave together. And of what came, a reply that was read and belongs to a later step waits in
//! `held`, and bytes of a line that were compared already are counted by `skip`, since the session hands out whole
//! lines.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

use super::step_result::StepResult;
use super::{Outcome, Player, Report, Stop, TlsConfig, Verdict, Watcher};
use crate::dialogue::deadlines::{Deadlines, OVER};
use crate::dialogue::{Side, Values};
use crate::error::Error;
use crate::protocol::{BodyDecoder, Limits, Reply, ReplyBuilder, Visible};
use crate::script::LastAuth;
use crate::session::Session;

/// A dialogue that is being played. It borrows what the player has, but for the values: those that are taken are its
/// own.
pub(super) struct Game<'a, 'w> {
    pub session: Option<Session>,
    pub values: Values,
    pub outcomes: Vec<Outcome>,
    pub(super) tls: &'a TlsConfig,
    pub(super) deadlines: Deadlines,
    pub(super) keeps_going: bool,
    pub(super) stop: Option<&'a (String, Stop)>,
    watcher: Option<&'a mut Watcher<'w>>,
    /// What is to be sent next, together.
    pub(super) out: Vec<u8>,
    /// Why nothing more can be sent; what the server said before is still read.
    pub(super) broken: Option<Error>,
    /// How many bytes of the next line were compared already, by exact bytes that ended inside it.
    pub(super) skip: usize,
    /// The reply that is being read.
    pub(super) reply: ReplyBuilder,
    /// A reply that was read and belongs to a later step.
    pub(super) held: Option<Reply>,
    /// How the last AUTH began.
    pub(super) exchange: LastAuth,
    /// The handshake is what the client does next.
    pub(super) is_tls_next: bool,
    /// What is passed over, since DATA was refused.
    pub(super) passing: Passing,
    last_lines: VecDeque<(Side, Vec<u8>)>,
    /// Lines are missing after the first of them.
    has_gap: bool,
}

/// What is passed over after a refused DATA.
pub(super) enum Passing {
    /// Nothing: each step is played.
    Nothing,
    /// What the client sends, up to and with the lone dot.
    Body(BodyDecoder),
    /// What would answer that.
    Replies,
}

impl<'a, 'w> Game<'a, 'w> {
    pub fn new(player: &'a mut Player<'w>, session: Session) -> Self {
        Self {
            session: Some(session),
            values: player.values.clone(),
            outcomes: Vec::new(),
            tls: &player.tls,
            deadlines: Deadlines::new(player.factor),
            keeps_going: player.keeps_going,
            stop: player.stop.as_ref(),
            watcher: player.watcher.as_deref_mut(),
            out: Vec::new(),
            broken: None,
            skip: 0,
            reply: ReplyBuilder::new(Limits::default()),
            held: None,
            exchange: LastAuth::None,
            is_tls_next: false,
            passing: Passing::Nothing,
            last_lines: VecDeque::new(),
            has_gap: false,
        }
    }

    /// Says whether the session has time left; it has none when that of `*all within*` has passed.
    pub(super) fn in_time(&self) -> Result<(), StepResult> {
        if self.deadlines.are_over() { Err(StepResult::not(Verdict::TooLate, OVER)) } else { Ok(()) }
    }

    /// Returns the time that the next thing awaited may take: the dialogue's, or that of the session's stage.
    pub(super) fn reply_timeout(&mut self) -> Duration {
        let usual = self.session.as_ref().map_or(GRACE, Session::reply_timeout);
        self.deadlines.next_or(usual)
    }

    /// Returns a reply as it is shown: between backquotes, its lines joined by ` / `, with secrets hidden.
    pub(super) fn shown(&self, reply: &Reply) -> String {
        let mut shown = String::with_capacity(reply.raw().len() + 8);
        for (index, line) in reply.lines().enumerate() {
            let before = if index == 0 { "`" } else { " / " };
            let line = self.values.mask(line.content());
            write!(shown, "{before}{}", Visible(&line)).expect("writing to a string does not fail");
        }
        shown.push('`');
        shown
    }

    /// Returns what came as it is shown: between backquotes, with secrets hidden.
    pub(super) fn quoted(&self, came: &[u8]) -> String {
        format!("`{}`", Visible(&self.values.mask(came)))
    }

    /// Returns that the deadline passed, after some bytes of what was awaited.
    pub(super) fn late(&self, before: &[u8], patience: Duration) -> StepResult {
        let what = if before.is_empty() { "nothing".to_owned() } else { format!("only {}", self.quoted(before)) };
        StepResult::not(Verdict::TooLate, format!("{what} in {patience:?}"))
    }

    /// Returns that the deadline passed, or the connection broke; some bytes of what was awaited may have been there
    /// before.
    pub(super) fn late_or_broken(&self, error: Error, before: &[u8], patience: Duration) -> StepResult {
        match &error {
            Error::Timeout { partial, .. } => self.late(&[before, partial].concat(), patience).because(error),
            _ => StepResult::broken(error),
        }
    }

    /// Returns that the stream ended, after some bytes of what was awaited.
    pub(super) fn closed_after(&self, partial: &[u8]) -> StepResult {
        let what = if partial.is_empty() { String::new() } else { format!("{} and ", self.quoted(partial)) };
        StepResult::not(Verdict::Closed, format!("{what}the end of the stream"))
    }

    /// Notes a line that was sent or received: reports it, and keeps it among the last ones.
    pub(super) fn note(&mut self, side: Side, line: &[u8]) {
        let masked = self.values.mask(line);
        if let Some(watcher) = &mut self.watcher {
            let shown = Visible(&masked).to_string();
            watcher(if side == Side::Client { Report::Sent(&shown) } else { Report::Received(&shown) });
        }
        // The oldest line gives its room to the newest; but the last command stays, however long its reply is.
        let mut kept = match self.last_lines.len() {
            LAST_LINES => {
                let mut commands = self.last_lines.iter().map(|(side, _)| *side == Side::Client);
                self.has_gap = side == Side::Server && commands.next() == Some(true) && !commands.any(|is_one| is_one);
                let oldest = self.last_lines.remove(usize::from(self.has_gap));
                oldest.map_or_else(Vec::new, |(_, line)| line)
            }
            _ => Vec::new(),
        };
        kept.clear();
        kept.extend_from_slice(&masked);
        self.last_lines.push_back((side, kept));
    }

    /// Returns the lines that a failure shows, with a gap where a long reply stood behind the last command.
    pub(super) fn last_lines(&self) -> Vec<String> {
        let shown = |(side, line): &(Side, Vec<u8>)| {
            format!("{}: {}", if *side == Side::Client { 'C' } else { 'S' }, Visible(line))
        };
        let mut lines: Vec<String> = self.last_lines.iter().map(shown).collect();
        if self.has_gap {
            lines.insert(1, "...".to_owned());
        }
        lines
    }

    pub(super) fn report(&mut self, report: Report<'_>) {
        if let Some(watcher) = &mut self.watcher {
            watcher(report);
        }
    }
}

/// How long an optional reply, or one that must not come, is awaited.
pub(super) const GRACE: Duration = Duration::from_secs(1);
/// How many lines a failure shows.
const LAST_LINES: usize = 20;
