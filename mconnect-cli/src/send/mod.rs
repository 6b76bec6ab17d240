//! Sending a message: a whole session, from the greeting to QUIT, and what came of it for each recipient.

mod message;
mod opening;

use std::env;
use std::time::{Duration, Instant};

use mconnect_core::protocol::{Address, Content, Delivery, Envelope, Phase, Until};
use mconnect_core::script::Fault;
use mconnect_core::{Error, Session};

use crate::connection;
use crate::exchangers::Exchangers;
use crate::failure::{Failure, Status};
use crate::observers::sides::Sides;
use crate::observers::{self, Observers};
use crate::opening::leave;
use crate::options::{Options, ReversePath, SendStage};
use crate::progress::{Work, during};
use crate::secure::Secure;
use crate::signals;
use crate::stderr;
use crate::terminal::Terminal;
use crate::verdict::Verdict;
use message::{Counted, Message};

/// Sends what the options ask for, as often as they do.
///
/// # Errors
/// Nothing is sent: options or files are wrong.
#[inline(never)]
pub fn run(options: &Options, verdict: &Verdict) -> Result<(), Failure> {
    let message = Message::prepare(&options.sending, options.play.times())?;
    let terminal = Terminal::new();
    // A password may be asked for, without echo; and who sees how far it went sees it at an interrupt, too.
    if options.asks_for_a_password() || stderr::is_shown() {
        signals::watch(terminal.handle(), Some).map_err(|error| Failure::cannot("wait for signals", &error))?;
    }
    observers::watched(options, false, verdict, |watch| {
        let (secure, connect, _server) = connection::prepare(options)?;
        let shown = Sides::of_commands(options);
        let client = Client { options, verdict, watch, secure: &secure, message: &message };
        let over = |connect| watch.over(connect, verdict).observer(shown.observer());
        let session = if options.exchangers.are_asked_for {
            Exchangers::find(options)?.open(&connect, verdict, |connect| client.greet(&over(connect)))
        } else {
            verdict.check(over(connect).open().map_err(|error| verdict.failure_of(&error)))
        };
        if let Some(session) = session {
            client.converse(session);
        }
        shown.end(verdict);
        watch.explain(verdict);
        Ok(())
    });
    Ok(())
}

/// What goes through a session, with what it was asked to do there.
struct Client<'a> {
    options: &'a Options,
    verdict: &'a Verdict,
    watch: &'a Observers<'a>,
    secure: &'a Secure,
    message: &'a Message,
}

impl Client<'_> {
    fn converse(&self, session: Session) {
        let Some((mut session, name)) = self.open(session) else { return };
        let sender = match self.sender(&name) {
            Ok(sender) => sender,
            Err(failure) => {
                self.verdict.complain(failure);
                return leave(session);
            }
        };
        let mut took = Vec::new();
        for _ in 0..self.options.play.times() {
            let begun = Instant::now();
            let goes_on = self.deliver(&mut session, &name, sender.as_ref());
            took.push(begun.elapsed());
            if !goes_on {
                break;
            }
        }
        self.tell_times(&took);
        // Of a body that was granted for nothing, there is no end; closing leaves nothing to be delivered.
        if session.phase() == Phase::Command {
            leave(session);
        }
    }

    /// Sends the message once, and says whether it may be sent again.
    fn deliver(&self, session: &mut Session, name: &str, sender: Option<&Address>) -> bool {
        let (content, source) = match self.message.open(self.options, name, sender, session.peer()) {
            Ok(opened) => opened,
            Err(failure) => {
                self.verdict.complain(failure);
                return false;
            }
        };
        let envelope = self.envelope(sender);
        let size = content.as_ref().and_then(Content::size);
        let envelope = content.map_or(envelope.clone(), |content| envelope.content(content));
        let work = Work::new(&self.message.name, size);
        match during(Some(&work), || session.deliver(&envelope, Counted::new(source, &work))) {
            Ok(delivery) => {
                work.finish(self.options.is_quiet);
                self.tell(&delivery);
                self.judge(&delivery);
                delivery.closing.is_none() && session.phase() == Phase::Command
            }
            Err(error) => {
                work.break_off();
                if let Error::Delivery { so_far, .. } = &error {
                    self.tell(so_far);
                    self.judge(so_far);
                }
                self.verdict.failed(&error);
                false
            }
        }
    }

    /// Tells the outcome of each recipient, to a person and to a program.
    fn tell(&self, delivery: &Delivery) {
        if let Some(json) = &self.watch.json {
            json.journal.delivery(delivery);
        }
        if stderr::is_shown() && !self.options.is_quiet {
            delivery.to_string().lines().for_each(stderr::say);
        }
    }

    /// Says what was refused, if anything was, and fails for it.
    fn judge(&self, delivery: &Delivery) {
        if let (Some(fault), Some(told)) = (Fault::of_delivery(delivery), delivery.refused()) {
            self.verdict.complain(Failure::new(fault.into(), told));
        }
    }

    fn envelope(&self, sender: Option<&Address>) -> Envelope {
        let sending = &self.options.sending;
        let envelope =
            sending.mail_parameters.iter().cloned().fold(Envelope::new(sender.cloned()), Envelope::parameter);
        let envelope = sending.chunk.into_iter().fold(envelope, Envelope::chunks);
        let with = |envelope: Envelope, to: &Address| envelope.to_with(to.clone(), sending.rcpt_parameters.clone());
        let envelope = sending.to.iter().fold(envelope, with);
        match sending.until {
            Some(SendStage::Mail) => envelope.until(Until::Mail),
            Some(SendStage::Rcpt) => envelope.until(Until::Rcpt),
            Some(SendStage::Data) => envelope.until(Until::Data),
            _ => envelope,
        }
    }

    /// Returns the reverse-path: the one that was asked for, or that of whoever uses this machine.
    fn sender(&self, name: &str) -> Result<Option<Address>, Failure> {
        match &self.options.sending.from {
            ReversePath::Null => Ok(None),
            ReversePath::Address(address) => Ok(Some(address.clone())),
            ReversePath::User => {
                let user = USER.iter().find_map(|variable| env::var(variable).ok()).filter(|user| !user.is_empty());
                let address = Address::new(user.as_deref().unwrap_or("postmaster"), name);
                let wrong = |error| Failure::because(Status::Usage, "--from is needed", &error);
                address.map(Some).map_err(wrong)
            }
        }
    }

    fn tell_times(&self, took: &[Duration]) {
        if self.options.play.times() == 1 {
            return;
        }
        let (count, sum) = (took.len(), took.iter().sum::<Duration>());
        let mean = u32::try_from(count).ok().and_then(|count| sum.checked_div(count));
        let [least, most, mean] = [took.iter().min().copied(), took.iter().max().copied(), mean]
            .map(|time| time.unwrap_or_default().as_secs_f64() * 1e3);
        let sum = sum.as_secs_f64();
        let told =
            format!("sent {count} times in {sum:.3} s, each in {least:.3} to {most:.3} ms, {mean:.3} ms on average");
        stderr::note(&told, self.options.is_quiet);
    }
}

/// Who uses this machine is told by these.
const USER: [&str; 2] = ["LOGNAME", "USER"];
