//! Refusals for what is at fault in the server itself, or behind it.

use super::wording::{FAULT, LATER};
use super::{MESSAGE, POLICY, Rule, TRANSACTION, rule};
use crate::diagnosis::{Cause, Certainty};
use crate::protocol::Request;

use Certainty::{Certain, Likely, Possible};
use Request::{Auth, Data, Ehlo, EndOfData, Greeting, Helo, Mail, Rcpt};

/// Faults that are named.
pub(super) fn faults() -> Box<[Rule]> {
    Box::new([
        // Filters that fail put mail off with the codes of greylisting.
        rule(Cause::FilterDown, Likely).to(&[Greeting, Ehlo, Helo, Mail, Rcpt, Data, EndOfData]).temporary().words(
            "milter|service unavailable try again later|content filter|unable to filter|rejected by filter|rspamd|\
             spamassassin|spamd|clamd|clamav|amavis|virus scan|scanner|antivirus|anti virus|unable to scan|sieve",
        ),
        rule(Cause::FilterDown, Likely)
            .to(POLICY)
            .temporary()
            .words("filter|scan|antivirus|virus check|spam check|policy server|policy service|policy daemon")
            .and(DOWN)
            .not("temporarily rate|blocked by"),
        rule(Cause::QueueFails, Certain)
            .words(
                "queue file|write queue|files in queue|queue error|queue write|can not queue|unable to queue|\
                 queueing|spool|qq ",
            )
            .not("space|full"),
        rule(Cause::BehindDown, Certain)
            .temporary()
            .words(
                "address connect to|no such file|lost while|while talking to|failed to connect|could not connect|\
                 can not connect|unable to connect|connection refused|lost connection with|relay server|next hop|\
                 nexthop|upstream|downstream|destination server|backend server|back end server|proxy|\
                 mailbox server|responded with|target host|mta failure|from mta|negative greeting",
            )
            .not("too many|sessions|sender|your|refused by|policy"),
        rule(Cause::BehindDown, Likely)
            .to(&[Greeting])
            .codes(&[503, 550, 554])
            .words("backend|back end|upstream|downstream")
            .and("unavailable|available|fail|down |error"),
        rule(Cause::LookupFails, Certain)
            .temporary()
            .words("lookup|look up|name server|dns|database|ldap|directory|sql |mysql|pgsql|redis|table")
            .and(DOWN)
            .not("reverse|your|ip |sender|domain not found|spf |dkim|hard error|nxdomain"),
        rule(Cause::LookupFails, Certain)
            .codes(&[421, 450, 451, 454, 550, 554])
            .words("temporary lookup|table lookup|unable to look up"),
        rule(Cause::WrongSettings, Certain)
            .codes(&[421, 450, 451, 454, 550, 554])
            .words(
                "configuration error|configuration problem|misconfigur|not configured|incorrectly configured|\
                 config error|bad configuration",
            )
            .not("relay|your"),
        rule(Cause::ServerFault, Certain).codes(&[421, 450, 451, 454, 550, 554]).words(
            "internal error|internal server|server error|local problem|local error|backend|internal system|\
             system error|system problem|internal failure|internal problem|software error",
        ),
        rule(Cause::Overloaded, Certain).temporary().words(
            "system resources|insufficient resources|out of memory|can not allocate|overload|load average|\
             load too high|high load|system load|resource limit|heavy load",
        ),
        rule(Cause::ServerFull, Certain).details(&[(3, 1)]).codes(&[421, 431, 450, 451, 452, 552]),
        rule(Cause::ServerFull, Certain)
            .temporary()
            .words("storage|disk|space")
            .and("insufficient|no space|full|not enough|shortage|low |out of")
            .not("mailbox|inbox|user|quota|recipient"),
    ])
}

/// That something does not work now.
const DOWN: &str = "unavailable|not available|fail|error|timeout|timed out|not running|down |not respond|could not|\
 can not|unable|unreachable|gone away|temporar|refused connection|not reachable|problem";

/// What is put off or fails for a reason that is not told.
pub(super) fn untold() -> Box<[Rule]> {
    Box::new([
        rule(Cause::ServerFault, Likely).temporary().words(
            "can not create|can not open|can not write|can not read|could not load|unable to load|unable to create|\
             unable to write|unable to open",
        ),
        rule(Cause::ServerFault, Likely).to(MESSAGE).words("exception").and("failed|fault|internal|process"),
        rule(Cause::Busy, Certain).temporary().words("server busy|too busy|is busy|system busy").to(POLICY),
        rule(Cause::BehindDown, Likely)
            .to(&[Rcpt, Data, EndOfData])
            .codes(&[450, 451, 452, 454])
            .details(&[(4, 1), (4, 2)]),
        rule(Cause::GoingDown, Likely).codes(&[421]).details(&[(3, 2)]),
        rule(Cause::ServerFault, Likely).temporary().details(&[(3, 0), (3, 5)]).to(POLICY),
        rule(Cause::ServerFault, Likely).to(POLICY).temporary().words(FAULT).not(
            "syntax|sender|recipient|verif|domain|resolve|reputation|ip |auth|policy|mailbox|user|policies|\
             address",
        ),
        // The reply to RCPT is where greylisting is.
        rule(Cause::Deferred, Certain)
            .to(TRANSACTION)
            .temporary()
            .words(LATER)
            .not("mailbox|user|recipient|account")
            .when(|case| case.request != Some(Rcpt) || case.exchange.granted.has(Auth)),
        rule(Cause::Deferred, Certain).to(&[Mail, Rcpt, Data, Ehlo, Helo]).temporary().details(&[(7, 0), (7, 1)]),
        rule(Cause::Deferred, Certain).to(MESSAGE).temporary().details(&[(7, 0), (7, 1), (3, 2), (0, 0)]),
        rule(Cause::Deferred, Certain).to(&[Ehlo, Helo]).temporary().words(LATER),
        rule(Cause::Deferred, Certain).to(TRANSACTION).temporary().words(LATER),
        rule(Cause::Busy, Possible).to(POLICY).codes(&[421]),
    ])
}
