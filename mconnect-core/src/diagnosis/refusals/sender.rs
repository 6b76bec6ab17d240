//! Refusals of the sender: how a mail is authenticated, and whose it may be.

use super::{ENVELOPE, MESSAGE, POLICY, Rule, TRANSACTION, rule};
use crate::diagnosis::{Cause, Certainty};
use crate::protocol::Request;

use Certainty::{Certain, Likely, Possible};
use Request::{Data, EndOfData, Mail, Rcpt};

/// SPF, DKIM and DMARC: a server may limit how much comes because of them, and says so.
pub(super) fn authentication() -> Box<[Rule]> {
    Box::new([
        rule(Cause::DmarcUnchecked, Certain)
            .to(POLICY)
            .words("dmarc|dkim")
            .and(
                "temporary|temp error|temperror|permerror|perm error|permanent error|evaluat|lookup|\
                 multiple|syntax|invalid record|dns ",
            )
            .not("not pass|did not|does not|alignment|aligned|reject|spf |body hash|bodyhash|signature"),
        rule(Cause::Dmarc, Certain).to(POLICY).words("dmarc"),
        rule(Cause::SpfUnchecked, Certain)
            .to(POLICY)
            .words("spf |sender policy framework")
            .and(
                "temporary|temp error|temperror|permerror|perm error|permanent error|evaluat|lookup|syntax|\
                 suspicious entr|invalid record|dns ",
            )
            .not("dkim|not permitted|not allowed|not authorized"),
        rule(Cause::SpfUnchecked, Likely).to(POLICY).details(&[(7, 24)]).not("dkim"),
        rule(Cause::Dmarc, Certain).to(POLICY).words("spf ").and("dkim|domainkeys").not("unusual rate"),
        rule(Cause::Spf, Certain)
            .to(POLICY)
            .words("spf |openspf|sender policy framework")
            .not("unusual rate|dkim|relaying"),
        rule(Cause::Dmarc, Certain).to(&[Rcpt, Data, EndOfData, Request::Bdat]).words(
            "authentication information|authentication checks|pass authentication|message is not authenticated|\
             authentication level|level of authentication|authenticate with either|sender is unauthenticated|\
             aligned|alignment|unauthenticated email|unauthenticated mail|arc validation|arc fail|arc seal|\
             match authenticated domain|match the authenticated domain",
        ),
        rule(Cause::Dkim, Certain)
            .to(MESSAGE)
            .words(
                "dkim|domainkeys|valid signature|invalid signature|bad signature|signature verif|signature fail|\
                 signature did not|not signed|unsigned",
            )
            .not("unusual rate|virus|infected|malware|eicar|smime|pgp"),
        rule(Cause::Spf, Certain).to(POLICY).details(&[(7, 23)]),
        rule(Cause::Dmarc, Certain).to(POLICY).details(&[(7, 26)]),
        rule(Cause::Dkim, Certain).to(MESSAGE).details(&[(7, 20), (7, 21), (7, 22)]),
    ])
}

/// Whether the sender exists, and is let in.
pub(super) fn rules() -> Box<[Rule]> {
    Box::new([
        rule(Cause::SenderCheck, Certain)
            .to(ENVELOPE)
            .words(
                "sender verif|sender callout|callout verification|callback|\
                 verification failed for|verify sender|sender address verif",
            )
            .not("recipient address|recipient callout"),
        rule(Cause::SenderCheck, Certain).to(ENVELOPE).words("sender").and(
            "unverified address|undeliverable address|unverifiable|not verify|be verified|verification fail|\
             check fail|unable to verify",
        ),
        rule(Cause::SenderUnknown, Certain)
            .to(ENVELOPE)
            .words(
                "sender address rejected user unknown|sender address rejected unlisted|sender unknown|\
                 unknown sender|sender not found|sender does not exist|unknown originator",
            )
            .not("temporar|try in|try again|later"),
        rule(Cause::SenderUnknown, Likely)
            .to(ENVELOPE)
            .words("sender|originator|reverse path|envelope from")
            .and("unknown|no such user|no such mailbox|no mailbox|user not")
            .not("domain|host|verif|resolv|ip |mx |spf |recipient|client"),
        rule(Cause::NullSender, Certain).to(TRANSACTION).words(
            "null sender|empty sender|empty envelope|null envelope|blank from|blank sender|null reverse|empty from|\
             null return|bounces are not|backscatter|batv|empty mail from",
        ),
        rule(Cause::SenderRefused, Certain)
            .to(ENVELOPE)
            .words("sender address rejected access denied|badmailfrom|badsenders"),
        rule(Cause::SenderDomain, Certain).to(ENVELOPE).details(&[(1, 8), (7, 27)]).not("outbound"),
        rule(Cause::SenderDomain, Certain)
            .to(ENVELOPE)
            .words("sender|from domain|rfc 5321 from|envelope from")
            .and(UNRESOLVED)
            .not("block|recipient|ip |verif|spoof"),
        rule(Cause::SenderDomain, Certain)
            .to(&[Mail])
            .words("domain|host|mx |address")
            .and(UNRESOLVED)
            .not("helo|ehlo|block|recipient|your ip|relay"),
        // A server looks for the exchangers of its own domains' recipients nowhere.
        rule(Cause::SenderDomain, Likely)
            .to(&[Rcpt])
            .permanent()
            .words(
                "no valid mx|not have a valid mx|invalid mx|bad mx|bogus mx|your domain has no mx|\
                 mailserver has no mx",
            )
            .not("recipient|relay"),
        rule(Cause::SenderDomain, Likely)
            .to(&[Mail])
            .words("not exist|not resolve|unresolv|can not be resolved|nonexist|not found")
            .not("recipient|helo|ehlo|user|relay|ip |server|client"),
        rule(Cause::Spoofed, Likely)
            .to(POLICY)
            .permanent()
            .words(
                "spoof|forged|forgery|forging|impersonat|own domain|our domain|local domain|\
                 claiming to be|pretend|fake sender|fake from|faked",
            )
            .not("helo |ehlo |spam|not one of our|phish|heuristics|clamav"),
        // Of a domain of the server's own, without a login.
        rule(Cause::Spoofed, Likely).to(POLICY).details(&[(7, 68)]),
        rule(Cause::Spoofed, Likely)
            .to(MESSAGE)
            .permanent()
            .words("from header|header from|from field|from address|header address")
            .and("not your|not match|mismatch|not own"),
        rule(Cause::SenderRefused, Likely)
            .to(TRANSACTION)
            .permanent()
            .words(
                "sender|mail from|from address|envelope from|envelope block|envelope reject|return path|originator|\
                 accept messages from|from you |from your domain|has blocked you|\
                 been blocked by the recipient",
            )
            .and(
                "not want|denied|block|bann|not welcome|unwelcome|is on |in my|locked out|excluded|on our list|\
                 spam list",
            )
            .not(NOT_OF_SENDERS),
        // Why, is not told.
        rule(Cause::SenderRefused, Possible)
            .to(TRANSACTION)
            .permanent()
            .words("sender|mail from|from address|envelope from|return path|originator|from your domain")
            .and("refus|reject|prohibit|forbid|disallow|not allow|not accept")
            .not(NOT_OF_SENDERS),
    ])
}

/// What is refused where the sender is spoken of, but not for the sender's sake.
const NOT_OF_SENDERS: &str = "ip |recipient address|resolv|verif|not found|not exist|unknown|your server|host|spoof|\
 spf |content|message|unauthenticated|connections|your network|valid dns|dns ";
/// That a domain is not there to send from.
const UNRESOLVED: &str = "not exist|not resolv|unresolv|nonexist|non exist|no such domain|\
 unknown domain|invalid domain|domain must|domain is invalid|domain is not valid|no mx|null mx|valid mx|mx record|\
 mx found|no a record|no a aaaa|mx dns record|no dns record|bogus|not found|is empty|unroutable|unrouteable|\
 dead domain|invalid sender domain|\
 sender domain invalid|dns error|bad domain|can not be resolved|\
 domain unknown|valid domain|real domain|valid dns|malformed dns|mx in ";
