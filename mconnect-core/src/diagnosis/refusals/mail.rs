//! Refusals of mail: for whom it is, how large, and what is in it.

use super::wording::{ABSENT, OFF, REFUSED};
use super::{Case, ENVELOPE, MESSAGE, Rule, TRANSACTION, rule};
use crate::diagnosis::{Cause, Certainty};
use crate::protocol::Request;

use Certainty::{Certain, Likely, Possible};
use Request::{Auth, Bdat, Data, EndOfData, Mail, Rcpt};

/// The header, the size, and whom mail is for.
pub(super) fn rules() -> Box<[Rule]> {
    Box::new([
        rule(Cause::CommandNotOffered, Certain)
            .to(&[Bdat])
            .codes(&[500, 502, 503])
            .when(|case| case.exchange.extensions.is_some() && !case.offers("CHUNKING")),
        rule(Cause::BodyNotTaken, Certain)
            .to(TRANSACTION)
            .permanent()
            .words("8bit|8 bit|body type|binarymime|binary mime")
            .and(
                "not support|unsupported|not allow|not accept|not permit|not implement|refus|reject|convert|conversion",
            )
            .not("header|subject|non encoded"),
        rule(Cause::BodyNotTaken, Likely).to(MESSAGE).details(&[(6, 1), (6, 3)]).not("header|attachment|virus|spam"),
        // A header has a limit of its own.
        rule(Cause::BadHeader, Certain)
            .to(MESSAGE)
            .words(
                "header size|header section|header too l|headers too l|header is too l|headers are too l|\
                 header line|header limit",
            )
            .not(CONTENT),
        rule(Cause::BadHeader, Certain)
            .to(MESSAGE)
            .words("header|message id|rfc 5322|rfc5322|rfc 2822|rfc2822|rfc 822|date field|from field|mime ")
            .and(
                "no from|missing|invalid|improper|malformed|syntax|duplicate|illegal|8 bit|8bit|multiple|not valid|\
                 without|not compliant|must be rfc|not rfc|no date|no message|no subject|lack|absent|fail|bad |\
                 incorrect|not accept|reject|not conform|non compliant|required",
            )
            .not(CONTENT),
        rule(Cause::BadHeader, Likely).to(MESSAGE).words("parse|truncated|boundary|not well formed").not(CONTENT),
        rule(Cause::BadHeader, Certain)
            .to(MESSAGE)
            .words(
                "from header|missing a valid|missing date|valid date|multiple from|rfc 5322|rfc5322|rfc 2822|\
                 header is missing|multiple addresses in from",
            )
            .not("your|match|spoof|forg|allow|authoriz|align"),
        rule(Cause::BadHeader, Certain).to(MESSAGE).words("subject").and(
            "invalid char|illegal char|not encoded|8 bit|8bit|non ascii|missing|empty|too long|multiple|duplicate|\
             no subject",
        ),
        // The size, and room.
        rule(Cause::MailboxFull, Certain)
            .to(RECIPIENT)
            .words(
                "mailbox full|mailbox is full|over quota|quota exceed|overquota|disk quota|exceeded storage|\
                 out of storage|inbox is full|mailbox size limit|exceeds quota|exceed quota|quota limit|\
                 mailbox has exceed|mailbox would exceed|storage limit|mailbox quota|user quota|recipient quota|\
                 quotaexceed|quota violation|full mailbox|mailbox over|too many messages",
            )
            .not("message size|message too|policy"),
        rule(Cause::MailboxFull, Certain)
            .to(RECIPIENT)
            .words("mailbox|inbox|mailfolder|folder|maildir|quota|recipient|user |account")
            .and(
                "full |exceed|over quota|over the|over it|over limit|over storage|over allo|is over|\
                 used up|reached|not enough storage|no space|not enough space|insufficient space|out of space",
            )
            .not(
                "message size|too large|too big|hour|day|minute|month|max |message too|rate|connection|attempt|\
                 threshold|tried to reach|trying to reach|limit per|recipients|recipient limit|thread|concurren|\
                 no such|not found",
            ),
        rule(Cause::MailboxFull, Certain).to(RECIPIENT).details(&[(2, 2)]),
        rule(Cause::MailboxFull, Likely)
            .to(&[Rcpt])
            .codes(&[552])
            .not("message|large|big |size|not found|no such|unknown|not exist"),
        rule(Cause::OneDomainEach, Certain)
            .to(&[Rcpt, Data])
            .words(
                "domains per|domain per|multiple destination|multiple domains|multiple regions|different domains|\
                 several domains|one domain",
            )
            .not("limit exceed"),
        rule(Cause::TooManyRecipients, Certain).to(&[Rcpt, Data, EndOfData]).words(
            "too many recipients|too many rcpt|recipient limit|recipients limit|maximum number of recipients|\
             max recipients",
        ),
        rule(Cause::TooManyRecipients, Certain).to(&[Rcpt, Data]).details(&[(5, 3)]),
        rule(Cause::TooLarge, Certain)
            .to(TRANSACTION)
            .codes(&[523, 550, 552, 554])
            .details(&[(3, 4), (2, 3)])
            .not("attachment|file type|parts"),
        rule(Cause::TooLarge, Certain)
            .to(TRANSACTION)
            .permanent()
            .words(
                "message size|too large|too big|exceeds fixed limit|exceeds maximum|\
             exceeded maximum|size limit|maximum size|size exceeds|databytes|maximum email size|larger than|\
             recipsizelimit|message length",
            )
            .not("number of"),
        // Whom mail is for.
        rule(Cause::RelayDenied, Certain)
            .to(&[Mail, Rcpt, Data])
            .not("in relay recipient")
            .when(|case| says_relay(case) && case.could_log_in()),
        rule(Cause::RelayDeniedAuth, Certain)
            .to(&[Rcpt])
            .not("in relay recipient|limit|quota")
            .when(|case| says_relay(case) && case.exchange.granted.has(Auth)),
        rule(Cause::RelayDenied25, Certain).to(&[Mail, Rcpt, Data]).not("in relay recipient").when(says_relay),
        rule(Cause::RelayDenied25, Likely).to(&[Mail, Rcpt, Data]).details(&[(4, 62)]),
        // Who passes the message on at once has the next server's answer.
        rule(Cause::RelayDenied25, Likely)
            .to(MESSAGE)
            .permanent()
            .not("content|spam|virus|spf |list|open relay")
            .when(says_relay),
    ])
}

/// The recipient: whether there is one, and whether it takes mail.
pub(super) fn recipients() -> Box<[Rule]> {
    Box::new([
        rule(Cause::RecipientCheck, Certain).to(&[Rcpt]).temporary().words(
            "verification in progress|recipient callout|unverified address|recipient verif|\
             recipient can not be verified",
        ),
        rule(Cause::NoSuchDomain, Certain)
            .to(&[Rcpt])
            .words("recipient address rejected domain not found|recipient domain not found|null mx|nullmx|no mx")
            .not("your|sender|client|mailserver|mail server"),
        rule(Cause::NoSuchDomain, Likely)
            .to(&[Rcpt])
            .permanent()
            .words("domain|host unknown|host not found|nxdomain|bad destination host")
            .and(
                "not exist|no such domain|unknown domain|invalid domain|domain not found|unable to route|not route|\
                 host unknown|host not found|no route|nxdomain|bad destination",
            )
            .not("sender|user|mailbox|account"),
        rule(Cause::MailboxMoved, Certain).to(&[Rcpt]).codes(&[551]).words("please try|try @|has moved|new address"),
        rule(Cause::NoSuchDomain, Likely)
            .to(&[Rcpt])
            .words("this domain|that domain|domain is|domain has|recipient domain|domain you@|hosting")
            .and(OFF)
            .not("sender|sending|from |your domain|outbound|ip |list|account|user"),
        rule(Cause::NoSuchMailbox, Certain).to(RECIPIENT).words(
            "user unknown|unknown user|validrcptto|bad recipient|bad address|bad user|no such user|no such mailbox|\
             no such recipient|no such address|no such person|no such account|mailbox not found|\
             mailbox does not exist|user does not exist|recipient not found|recipientnotfound|recipnotfound|\
             unknown recipient|recipient unknown|does not exist here|unknown in virtual|unknown in relay recipient|\
             unknown in local recipient|invalid recipient|address does not exist|\
             user does not have|user not found|no mailbox|address unknown|unknown address|unknown mailbox|\
             mailbox unknown|no local user|no account|unrouteable address|unroutable address|not a valid mailbox|\
             not listed in|unknown or illegal alias|account that you tried to reach does not|\
             recipient can not be verified|recipient could not be verified",
        ),
        rule(Cause::Suppressed, Certain).to(TRANSACTION).words(
            "suppress|marked as inactive|inactive recipients|hard bounce|previously bounced|bounced before|\
             bounced address|unsubscribed",
        ),
        rule(Cause::MailboxOff, Certain)
            .to(RECIPIENT)
            .words("mailbox|account|user")
            .and("disabled|discontinued|suspend|inactive|deactivated|not active|has expired|has been closed|hangup")
            .not("sender|sending|outbound|your account|ip |server|outgoing"),
        rule(Cause::MailboxOff, Certain)
            .to(RECIPIENT)
            .words(
                "mailbox|recipient|user |account|inbox|email address|alias|this address|\
                 address has been|@ is ",
            )
            .and(OFF)
            .not(
                "sender|sending|outbound|your account|ip |blocked you|server|blocked using|message|temporar|\
                 content|spam|certain",
            ),
        rule(Cause::MailboxOff, Certain).to(RECIPIENT).permanent().details(&[(2, 1)]),
        rule(Cause::NoSuchMailbox, Certain)
            .to(&[Rcpt, EndOfData, Bdat])
            .words("user|mailbox|recipient|address|account|alias|local part|email name|person|inbox|subscriber|@ ")
            .and(ABSENT)
            .not(
                "sender|domain not|domain unknown|unknown domain|invalid domain|such domain|domain name|\
                 domain does|our domain|this domain|that domain|relay|ip |your host|hostname|host name|host not|\
                 host unknown|unknown host|server|syntax|format|command|parameter|option|blocked|authenticat|\
                 content|header|from address|helo|ehlo|may not|temporar|too many|signature|credential",
            ),
        rule(Cause::NoSuchMailbox, Certain)
            .to(RECIPIENT)
            .codes(&[501, 550, 551, 552, 553, 554])
            .details(&[(1, 1)])
            .not("sender"),
        rule(Cause::NoSuchMailbox, Likely)
            .to(&[Rcpt])
            .permanent()
            .words("mailbox|user |account|recipient")
            .and("unavailable|not available")
            .not("sender|temporar|access denied|policy"),
        rule(Cause::NoSuchMailbox, Likely)
            .to(&[Rcpt])
            .permanent()
            .words("not exist|unknown|not found|not known")
            .not("sender|domain|host|relay|ip |command|option|parameter|may not|account or"),
        rule(Cause::NoSuchMailbox, Likely)
            .to(&[Rcpt])
            .permanent()
            .words(
                "mailbox unavailable|mailbox not available|mailbox is unavailable|recipient rejected|\
                 address rejected|no one |nobody|may not exist",
            )
            .not("sender|access denied|policy|spam|ip |spf |list"),
        rule(Cause::NoSuchMailbox, Likely).to(&[Rcpt]).codes(&[550]).details(&[(4, 1)]).words("access denied"),
        rule(Cause::NoSuchMailbox, Likely).to(&[Rcpt]).codes(&[550, 553, 554]).details(&[(1, 0)]).not("sender"),
        rule(Cause::NoSuchDomain, Certain).to(&[Rcpt]).permanent().details(&[(1, 2), (1, 10)]),
        rule(Cause::NoSuchDomain, Certain).to(&[Rcpt]).codes(&[521, 556]),
        rule(Cause::MailboxBusy, Certain).to(RECIPIENT).temporary().words(
            "mailbox busy|mailbox is busy|mailbox locked|mailbox is locked|mailbox unavailable|mailbox in use|\
             mailbox temporar|mailbox is temporar|user temporar|recipient thread limit",
        ),
        rule(Cause::MailboxMoved, Certain).to(&[Rcpt]).codes(&[551]).not("sender|relay|from |authoriz"),
        rule(Cause::MailboxMoved, Certain).to(&[Rcpt]).details(&[(1, 6)]),
        rule(Cause::RecipientRefused, Likely).to(TRANSACTION).details(&[(7, 703)]),
        rule(Cause::RecipientRefused, Likely)
            .to(&[Rcpt])
            .permanent()
            .words("badrcptto|recipient")
            .and("badrcptto|blacklist|on our list|banned recipient|recipient banned"),
    ])
}

/// The message, and what is in it.
pub(super) fn contents() -> Box<[Rule]> {
    Box::new([
        rule(Cause::Utf8NotTaken, Certain).details(&[(6, 7), (6, 8), (6, 9)]),
        rule(Cause::VirusFound, Certain)
            .to(MESSAGE)
            .permanent()
            .words("virus|malware|infected|trojan|eicar|worm |clamav|clamd")
            .not("spam|outbreak|may contain|or virus|no virus"),
        rule(Cause::AttachmentRefused, Certain)
            .to(MESSAGE)
            .permanent()
            .words(
                "attachment|attached|protected zip|file type|filetype|file name|filename|file extension|\
                 banned file|archive|banned exe|banned zip|banned multipart|banned application",
            )
            .not("spam|size|too large|too big|virus"),
        rule(Cause::MessagePolicy, Certain).to(MESSAGE).permanent().words("transport rule"),
        rule(Cause::ContentRefused, Certain).to(MESSAGE).permanent().words(CONTENT).not("spam abuse"),
        rule(Cause::ContentRefused, Likely)
            .to(MESSAGE)
            .permanent()
            .words(
                "bulk|unsolicited|junk|score|banned|file type|extension|executable|macro|link |url |filter|\
                 antispam|anti spam|mass mailer|security issue|dangerous|offensive|words",
            )
            .not("policy"),
        rule(Cause::TooLarge, Likely)
            .to(MESSAGE)
            .permanent()
            .words("size|message|mail |email|bytes")
            .and("exceed|larger|bigger|too long|oversize|over the maximum")
            .not("rate|hour|day |recipient|header|line|quota|hops|threshold|limit of|attachments|number of"),
        rule(Cause::MessagePolicy, Certain).to(MESSAGE).permanent().words("policy|policies"),
    ])
}

/// Codes alone, and policies that are not told.
pub(super) fn codes() -> Box<[Rule]> {
    Box::new([
        rule(Cause::Loop, Likely).details(&[(4, 6)]),
        rule(Cause::BadHeader, Likely).to(MESSAGE).permanent().words("header").not(
            "spam|virus|malware|content|attachment|phish|infected|trojan|eicar|dt spm|not your|not match|\
                 mismatch",
        ),
        rule(Cause::MessagePolicy, Likely).to(MESSAGE).permanent().details(&[(7, 9)]),
        rule(Cause::ContentRefused, Likely).to(MESSAGE).permanent().details(&[(7, 1), (7, 0), (6, 0), (7, 7)]),
        rule(Cause::MessagePolicy, Possible)
            .to(MESSAGE)
            .permanent()
            .not("error|internal|problem|processing|failure|exception"),
        rule(Cause::Greylisted, Likely)
            .to(&[Rcpt])
            .codes(&[450, 451])
            .details(&[(7, 1)])
            .when(|case| !case.exchange.granted.has(Auth)),
        // Filters greylist, too, once they have seen the message.
        rule(Cause::Greylisted, Possible)
            .to(MESSAGE)
            .codes(&[450, 451])
            .details(&[(7, 0), (7, 1)])
            .words("try again|try later|retry")
            .when(|case| !case.exchange.granted.has(Auth)),
        // postscreen says so to who has just passed its tests.
        rule(Cause::Greylisted, Likely).to(&[Rcpt]).codes(&[450]).details(&[(3, 2)]),
        rule(Cause::Greylisted, Possible)
            .to(&[Rcpt])
            .codes(&[450, 451])
            // Whatever else is put off is told to be at fault.
            .not("mailbox|sender|verif|error|fail|could not|can not|unable|problem|policy|policies")
            .when(|case| {
                !case.exchange.granted.has(Auth)
                    && case.enhanced.is_none_or(|code| matches!((code.subject, code.detail), (2, 0) | (7, 0) | (0, 0)))
            }),
        rule(Cause::AuthNeeded, Likely)
            .to(ENVELOPE)
            .permanent()
            .when(|case| is_policy(case) && case.is_submission() && case.could_log_in()),
        rule(Cause::PolicyRefused, Likely)
            .to(ENVELOPE)
            .words("administrative prohibition|policy|policies|local configuration"),
        rule(Cause::PolicyRefused, Possible).to(ENVELOPE).permanent().when(is_policy),
        rule(Cause::PolicyRefused, Possible).to(ENVELOPE).permanent().words(REFUSED),
    ])
}

/// Says whether a refusal is one to pass mail on.
fn says_relay(case: &Case<'_>) -> bool {
    const SAYS: &str = "not relay|not a relay|as a relay|open relay|to relay|relay access|\
 relay denied|relaying denied|rcpthosts|deliver mail for|delivery is not allowed to|not host |not hosted|\
 no longer hosted|\
 one of our domains|not our domain|external domains|outside domains|foreign domains|remote domains|local user only|\
 local users only|not a local domain|not local domain|not handle mail|not accept mail for|not responsible for";
    case.says(SAYS)
        || case.says("relay |relaying |relayed ") && (case.says(REFUSED) || case.says("disabled|credentials"))
}

/// Says whether a reply names nothing but a policy: its words, if it has any that help, have been looked at before.
fn is_policy(case: &Case<'_>) -> bool {
    case.enhanced.is_some_and(|code| code.subject == 7 && code.detail <= 1)
}

/// Where a recipient may be refused: some servers put that off until the message is there.
const RECIPIENT: &[Request] = &[Rcpt, Data, EndOfData, Bdat];
/// What filters look for.
const CONTENT: &str = "spam|virus|malware|content|attachment|phish|infected|trojan|eicar|dt spm";
