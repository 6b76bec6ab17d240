//! What is passed over, since DATA was refused: the steps of a body that would go out as commands.
//!
//! Were they sent, the lines of a message would be commands, and one of them may be `RCPT TO:`, or `QUIT`. So the steps
//! are gone through as if they were sent, by the decoder that a server would use, up to the lone dot; what stands
//! behind it, in the same step, goes out. Then the replies that were expected of it are passed over, too.

use super::game::{Game, Passing};
use crate::dialogue::load::deliver;
use crate::dialogue::{Directive, Side, Step};

impl Game<'_, '_> {
    /// Says whether a step is passed over. What a step sends behind the lone dot is sent. A pause or a silence within
    /// the body is passed over, too, since nothing is being said that it would interrupt.
    pub(super) fn passes_over(&mut self, step: &Step) -> bool {
        let is_said = matches!(
            step.directive,
            Directive::Line(_)
                | Directive::Reply(_)
                | Directive::Bytes(_)
                | Directive::Body(_)
                | Directive::File(_)
                | Directive::Octets(_)
        );
        let is_waited = matches!(step.directive, Directive::Pause(_) | Directive::Silence(_) | Directive::NoReply);
        match (&mut self.passing, step.side) {
            (Passing::Nothing, _) | (_, Side::Neither) => false,
            (Passing::Body(decoder), Side::Client) if is_said => {
                let (mut content, mut rest, mut is_over) = (Vec::new(), Vec::new(), false);
                let delivered = deliver(step, &self.values, &mut |bytes: &[u8]| {
                    content.clear();
                    let end = if is_over { Some(0) } else { decoder.decode(bytes, &mut content) };
                    is_over |= end.is_some();
                    rest.extend_from_slice(&bytes[end.unwrap_or(bytes.len())..]);
                    Ok(())
                });
                // A file that cannot be read is a body, too.
                if is_over || (matches!(step.directive, Directive::Body(_)) && delivered.is_some_and(|it| it.is_err()))
                {
                    self.passing = Passing::Replies;
                    self.out.extend_from_slice(&rest);
                }
                true
            }
            (Passing::Body(_), _) if is_said || is_waited => true,
            (Passing::Replies, Side::Server) if (is_said || is_waited) && self.out.is_empty() => true,
            _ => {
                self.passing = Passing::Nothing;
                false
            }
        }
    }
}
