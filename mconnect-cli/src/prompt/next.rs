//! What usually comes next, and what else completion and hints go by.

use mconnect_core::protocol::{Answer, Phase, Request, Standing};

use super::helper::Knowledge;
use super::{Talk, is_command};
use crate::helo;

impl Talk<'_> {
    pub(super) fn knowledge(&self, standing: &Standing) -> Knowledge {
        Knowledge {
            is_text: !is_command(standing.phase),
            has_escapes: self.setting.options.prompt.has_escapes,
            extensions: self.writer.extensions(),
            addresses: self.addresses.clone(),
            next: self.next(standing),
        }
    }

    /// Gives what usually comes next.
    fn next(&self, standing: &Standing) -> Option<String> {
        let Some(Answer { request: Some(request), code }) = standing.last_answer else { return None };
        if standing.outstanding > 0 || standing.is_closing {
            return None;
        }
        let is_positive = code.is_positive();
        Some(match request {
            // What was said before TLS counts no more.
            Request::Greeting | Request::StartTls if is_positive && standing.phase == Phase::Command => {
                let asked = self.setting.options.security.helo.as_deref();
                format!("EHLO {}", helo::name(asked, self.writer.local_address()))
            }
            Request::Ehlo | Request::Helo | Request::Lhlo | Request::Rset if is_positive => "MAIL FROM:<".to_owned(),
            Request::Auth | Request::AuthAnswer if is_positive => "MAIL FROM:<".to_owned(),
            Request::Ehlo if helo::is_blamed(code) => format!("EHLO {}", helo::literal(self.writer.local_address())),
            Request::Ehlo => "HELO ".to_owned(),
            Request::Mail if is_positive => "RCPT TO:<".to_owned(),
            Request::Rcpt if is_positive => "DATA".to_owned(),
            Request::EndOfData | Request::Greeting => "QUIT".to_owned(),
            _ => return None,
        })
    }
}
