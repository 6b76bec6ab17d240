//! The exchange of AUTH, from the command to the reply that ends it.

use std::io;

use super::{Next, Receiver, Stage, reply};
use crate::dialogue::Side;
use crate::server::setup::Verdict;

impl Receiver<'_> {
    /// Does a whole exchange, unless a rule says otherwise. The words of a rule are either a challenge that it begins
    /// with, or what is said at its end, whatever the client has proven.
    pub(super) fn authenticate(&mut self, rest: &[u8]) -> io::Result<Next> {
        let mut words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let (mechanism, initial) = (words.next().unwrap_or_default(), words.next().map(<[u8]>::to_vec));
        self.unless_ruled(Stage::Auth, &[mechanism], |receiver, words| {
            if receiver.user.is_some() {
                return Ok(Next::Reply(reply("503 5.5.1 you have proven who you are already")));
            }
            if receiver.envelope.is_some() {
                return Ok(Next::Reply(reply("503 5.5.1 not during a transaction")));
            }
            let (challenge, welcome) = match words {
                Some(words) if words.starts_with('3') => (Some(words), None),
                words => (None, words),
            };
            let initial = match challenge {
                Some(challenge) => Some(receiver.ask(&challenge)?.trim_ascii().to_vec()),
                None => initial,
            };
            let channel = receiver.stream.channel_bindings();
            let exchange = receiver.setup.auth.as_ref().and_then(|gate| gate.begin(mechanism, &channel));
            let (user, verdict) = match exchange {
                _ if initial.as_deref() == Some(b"*") => (String::new(), Verdict::Cancelled),
                Some(mut exchange) => {
                    let verdict = exchange.run(initial, |challenge| receiver.ask(&reply(challenge)))?;
                    (exchange.user().to_owned(), verdict)
                }
                None if welcome.is_some() => (String::new(), Verdict::Granted),
                None => return Ok(Next::Reply(reply("504 5.5.4 no such mechanism here"))),
            };
            let welcome = welcome.filter(|_| verdict != Verdict::Cancelled);
            if verdict == Verdict::Granted || welcome.is_some() {
                receiver.shared.note_user(receiver.session, &user);
                receiver.user = Some(user);
            }
            Ok(Next::Reply(welcome.unwrap_or_else(|| reply(verdict.reply()))))
        })
    }

    /// Says a challenge, and returns the line that answers it.
    fn ask(&mut self, challenge: &str) -> io::Result<Vec<u8>> {
        self.replies.push_str(challenge);
        self.flush()?;
        let answer = self.input.line()?;
        self.note(Side::Client, if answer.trim_ascii() == b"*" { b"*" } else { b"[hidden]" });
        Ok(answer)
    }
}
