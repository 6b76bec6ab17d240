//! What usually comes next, and what else completion and hints go by.

use mconnect_core::protocol::{Phase, Request, Standing, Visible};
use mconnect_core::{address_literal, is_name_blamed, own_name};

use super::completion::Knowledge;
use super::{Talk, is_command};

impl Talk<'_> {
    pub(super) fn knowledge(&self, standing: &Standing) -> Knowledge {
        Knowledge {
            is_text: !is_command(standing.phase),
            has_escapes: self.setting.options.prompt.has_escapes,
            extensions: self.session.extensions(),
            addresses: self.addresses.clone(),
            next: self.next(standing).filter(|next| is_harmless(next)),
        }
    }

    /// Returns what usually comes next.
    fn next(&self, standing: &Standing) -> Option<String> {
        let answer = standing.last_answer?;
        let request = answer.request?;
        if standing.outstanding > 0 || standing.is_closing {
            return None;
        }
        let is_granted = answer.meaning().is_granted();
        Some(match request {
            // What was said before TLS counts no more.
            Request::Greeting | Request::StartTls | Request::XClient
                if is_granted && standing.phase == Phase::Command =>
            {
                let asked = self.setting.options.security.helo.clone();
                format!("EHLO {}", asked.unwrap_or_else(|| own_name(self.session.local_address())))
            }
            Request::Ehlo | Request::Helo | Request::Lhlo | Request::Rset if is_granted => "MAIL FROM:<".to_owned(),
            Request::Auth | Request::AuthAnswer if is_granted => "MAIL FROM:<".to_owned(),
            Request::Ehlo if is_name_blamed(answer.code) => {
                format!("EHLO {}", address_literal(self.session.local_address()))
            }
            Request::Ehlo => "HELO ".to_owned(),
            Request::Mail if is_granted => "RCPT TO:<".to_owned(),
            Request::Rcpt if is_granted => "DATA".to_owned(),
            Request::EndOfData | Request::Greeting => "QUIT".to_owned(),
            _ => return None,
        })
    }
}

/// Says whether a text that the editor would draw as it is steers no terminal.
pub(super) fn is_harmless(text: &str) -> bool {
    Visible(text.as_bytes()).to_string() == text
}
