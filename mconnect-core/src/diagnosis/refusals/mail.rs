//! Refusals of mail: whose it is, for whom, how large, and what is in it.

use super::{Case, ENVELOPE, MESSAGE, POLICY, Rule, has_word, rule};
use crate::diagnosis::{Cause, Certainty};
use crate::protocol::Request;

use Certainty::{Certain, Likely, Possible};
use Request::{Auth, Bdat, Data, Ehlo, EndOfData, Greeting, Helo, Mail, Rcpt};

pub(super) static RULES: &[Rule] = &[
    // What was refused because of the mechanism of a message.
    rule(Cause::CommandNotOffered, Certain)
        .to(&[Bdat])
        .codes(&[500, 502, 503])
        .when(|case| case.exchange.extensions.is_some() && !case.offers("CHUNKING")),
    // Greylisting, before all other policies.
    rule(Cause::Greylisted, Certain)
        .to(&[Mail, Rcpt, Data, EndOfData])
        .codes(&[421, 450, 451, 452])
        .words("greylist|graylist|grey-list|gray-list|postgrey"),
    // Filters that fail put mail off with the same codes.
    rule(Cause::FilterDown, Likely)
        .to(&[Greeting, Ehlo, Helo, Mail, Rcpt, Data, EndOfData])
        .codes(&[421, 451])
        .words(
            "milter|service unavailable - try again later|content filter|unable to filter|rejected by filter|rspamd|\
             spamassassin|spamd|clamd|clamav|amavis",
        ),
    rule(Cause::QueueFails, Certain).codes(&[421, 451, 452]).words("queue file write error|cannot write queue"),
    rule(Cause::BehindDown, Certain).codes(&[421, 450, 451, 454]).words(
        "failed to connect|could not connect|cannot connect|unable to connect|connection refused|\
         lost connection with",
    ),
    rule(Cause::LookupFails, Certain)
        .codes(&[421, 450, 451, 454, 550, 554])
        .words("temporary lookup failure|table lookup|unable to look up|lookup error"),
    rule(Cause::WrongSettings, Certain)
        .codes(&[421, 450, 451, 454, 550, 554])
        .words("configuration error|configuration problem|misconfigur"),
    rule(Cause::ServerFault, Certain)
        .codes(&[421, 450, 451, 454, 550, 554])
        .words("internal error|server error|local problem|local error|internal server error|backend"),
    // The client was refused, and words say why.
    rule(Cause::Dmarc, Certain).to(POLICY).when(|case| has_word(&case.text, "dmarc")),
    rule(Cause::Spf, Certain)
        .to(POLICY)
        .codes(&[421, 450, 451, 550, 553, 554])
        .when(|case| has_word(&case.text, "spf") && !has_word(&case.text, "dkim")),
    rule(Cause::Dmarc, Certain).to(POLICY).when(|case| has_word(&case.text, "spf") && has_word(&case.text, "dkim")),
    rule(Cause::Dmarc, Certain)
        .to(MESSAGE)
        .codes(&[421, 450, 451, 550, 554])
        .words("authentication information|authentication checks|pass authentication|message is not authenticated"),
    rule(Cause::Dkim, Certain).to(MESSAGE).when(|case| has_word(&case.text, "dkim")),
    rule(Cause::Spf, Certain).to(POLICY).details(&[(7, 23)]),
    rule(Cause::Dmarc, Certain).to(POLICY).details(&[(7, 26)]),
    rule(Cause::Dkim, Certain).to(MESSAGE).details(&[(7, 20), (7, 21), (7, 22)]),
    // A header has a limit of its own.
    rule(Cause::BadHeader, Certain)
        .to(MESSAGE)
        .codes(&[500, 550, 552, 554])
        .words("header size|header section|header too l|headers too l|header is too l|headers are too l|header line")
        .when(is_of_no_filter),
    rule(Cause::BadHeader, Certain).to(MESSAGE).codes(&[500, 550, 552, 554]).when(|case| {
        let is_of_it = has_word(&case.text, "header") || has_word(&case.text, "headers");
        let faults = [
            "no from",
            "missing",
            "invalid",
            "improper",
            "malformed",
            "syntax",
            "duplicate",
            "illegal",
            "8-bit",
            "8bit",
        ];
        is_of_it && is_of_no_filter(case) && faults.iter().any(|word| case.text.contains(word))
    }),
    // The size, and room.
    rule(Cause::MailboxFull, Certain)
        .to(&[Rcpt, Data, EndOfData, Bdat])
        .codes(&[422, 450, 451, 452, 550, 552, 554])
        .words(
            "mailbox full|mailbox is full|over quota|quota exceeded|overquota|disk quota|exceeded storage|\
             out of storage|inbox is full|mailbox size limit|exceeds quota",
        ),
    rule(Cause::MailboxFull, Certain).to(&[Rcpt, Data, EndOfData, Bdat]).details(&[(2, 2)]),
    rule(Cause::TooManyRecipients, Certain).to(&[Rcpt, Data]).words("too many recipients|too many rcpt"),
    rule(Cause::TooManyRecipients, Certain).to(&[Rcpt, Data]).details(&[(5, 3)]),
    rule(Cause::TooLarge, Certain).to(&[Mail, Rcpt, Data, EndOfData, Bdat]).details(&[(3, 4), (2, 3)]).when(|case| {
        case.exchange.answer.code == 552
            || case.exchange.answer.code == 523
            || case.exchange.answer.code == 554
            || case.exchange.answer.code == 550
    }),
    rule(Cause::TooLarge, Certain).to(&[Mail, Data, EndOfData, Bdat]).codes(&[523, 550, 552, 554]).words(
        "message size exceeds|too large|too big|exceeds fixed limit|exceeds maximum|\
         maximum message size|exceeded maximum|size limit",
    ),
    rule(Cause::Overloaded, Certain).codes(&[421, 431, 450, 451, 452]).words(
        "system resources|insufficient resources|out of memory|cannot allocate memory|overloaded|\
         load average|load too high",
    ),
    rule(Cause::ServerFull, Certain).details(&[(3, 1)]).codes(&[421, 431, 450, 451, 452, 552]),
    rule(Cause::ServerFull, Certain).codes(&[421, 451, 452]).words(
        "insufficient system storage|insufficient storage|no space left|disk full|not enough space|\
         insufficient disk",
    ),
    // Whom mail is for.
    rule(Cause::RelayDenied, Certain).to(&[Mail, Rcpt, Data]).when(|case| says_relay(case) && case.could_log_in()),
    rule(Cause::RelayDenied25, Certain).to(&[Mail, Rcpt, Data]).when(says_relay),
    rule(Cause::SenderCheck, Certain)
        .to(ENVELOPE)
        .words(
            "sender verify failed|sender verification failed|sender callout|sender verify|\
             unverified address|could not verify sender|undeliverable address",
        )
        .when(|case| case.text.contains("sender")),
    rule(Cause::SenderUnknown, Certain)
        .to(ENVELOPE)
        .words("sender address rejected: user unknown|sender address rejected: unlisted"),
    rule(Cause::SenderRefused, Certain).to(ENVELOPE).words("sender address rejected: access denied"),
    rule(Cause::RecipientCheck, Certain)
        .to(&[Rcpt])
        .codes(&[450, 451])
        .words("verification in progress|recipient callout|unverified address"),
    rule(Cause::SenderDomain, Certain).to(ENVELOPE).words(
        "sender address rejected: domain not found|domain of sender address|\
         sender domain does not exist|sender domain must|sender domain not found|sender's domain",
    ),
    rule(Cause::SenderDomain, Certain).to(ENVELOPE).details(&[(1, 8), (7, 27)]),
    rule(Cause::SenderRefused, Likely).to(ENVELOPE).codes(&[550, 551, 553, 554]).when(says_sender_refused),
    rule(Cause::NoSuchMailbox, Certain).to(&[Rcpt, EndOfData, Data]).codes(&[450, 511, 550, 551, 553, 554]).words(
        "user unknown|unknown user|no such user|no such mailbox|no such recipient|no such address|\
         mailbox not found|mailbox does not exist|user does not exist|recipient not found|\
         recipientnotfound|unknown recipient|recipient unknown|doesn't exist|does not exist here|\
         unknown in virtual|unknown in relay recipient|unknown in local recipient|\
         invalid recipient|address does not exist|no mailbox here|this user doesn't have|\
         user not found|no mailbox|address unknown|unknown address|unknown mailbox|no local user|no account|unrouteable address|not a valid mailbox|not listed in",
    ),
    rule(Cause::NoSuchMailbox, Certain).to(&[Rcpt, EndOfData]).codes(&[550, 551, 553]).details(&[(1, 1)]),
    rule(Cause::NoSuchMailbox, Likely).to(&[Rcpt]).codes(&[550]).details(&[(4, 1)]).words("access denied"),
    rule(Cause::NoSuchMailbox, Likely)
        .to(&[Rcpt])
        .codes(&[550, 553, 554])
        .details(&[(1, 0)])
        .when(|case| !case.text.contains("sender")),
    rule(Cause::NoSuchDomain, Likely).to(&[Rcpt]).codes(&[550, 553, 554]).when(|case| {
        let says = ["does not exist", "no such domain", "unknown domain", "invalid domain", "domain not found"];
        says.iter().any(|words| case.text.contains(words))
            && has_word(&case.text, "domain")
            && !case.text.contains("sender")
    }),
    rule(Cause::NoSuchMailbox, Likely).to(&[Rcpt]).codes(&[550, 553, 554]).words("may not exist"),
    rule(Cause::NoSuchDomain, Certain)
        .to(&[Rcpt])
        .words("recipient address rejected: domain not found|recipient domain not found"),
    rule(Cause::NoSuchDomain, Certain).to(&[Rcpt]).codes(&[550, 556, 521, 554]).details(&[(1, 2), (1, 10)]),
    rule(Cause::NoSuchDomain, Certain).to(&[Rcpt]).codes(&[521, 556]),
    rule(Cause::MailboxOff, Certain).to(&[Rcpt, EndOfData]).details(&[(2, 1)]).codes(&[550, 552, 554]),
    rule(Cause::MailboxBusy, Certain)
        .to(&[Rcpt, EndOfData])
        .codes(&[450, 451])
        .words("mailbox busy|mailbox is busy|mailbox locked|mailbox is locked"),
    rule(Cause::MailboxMoved, Certain).to(&[Rcpt]).codes(&[551]),
    rule(Cause::MailboxMoved, Certain).to(&[Rcpt]).details(&[(1, 6)]),
    // The message.
    rule(Cause::BadHeader, Certain).to(MESSAGE).words(
        "from header|headers fail|header syntax|message-id header|message-id is missing|\
         missing a valid|missing header|missing date|rfc 5322|rfc5322|rfc 2822|header is missing|\
         header missing|duplicate header|multiple addresses in from",
    ),
    rule(Cause::Utf8NotTaken, Certain).details(&[(6, 7), (6, 8), (6, 9)]),
    rule(Cause::ContentRefused, Certain).to(MESSAGE).codes(&[550, 552, 554]).when(|case| {
        has_word(&case.text, "spam")
            || has_word(&case.text, "virus")
            || has_word(&case.text, "malware")
            || has_word(&case.text, "content")
            || has_word(&case.text, "attachment")
            || has_word(&case.text, "phishing")
            || has_word(&case.text, "infected")
    }),
    rule(Cause::MessagePolicy, Certain)
        .to(MESSAGE)
        .codes(&[550, 552, 554])
        .when(|case| has_word(&case.text, "policy") || has_word(&case.text, "policies")),
    rule(Cause::MessagePolicy, Likely).to(MESSAGE).codes(&[550, 552, 554]).details(&[(7, 9)]),
    rule(Cause::ContentRefused, Likely).to(MESSAGE).codes(&[550, 552, 554]).details(&[(7, 1), (7, 0), (6, 0), (7, 7)]),
    rule(Cause::BlockListed, Likely)
        .to(POLICY)
        .codes(&[521, 550, 553, 554])
        .when(|case| says_address_blocked(case) && case.text.contains("http")),
    rule(Cause::ClientRefused, Likely).to(POLICY).codes(&[521, 550, 553, 554]).when(says_address_blocked),
    // Codes alone.
    rule(Cause::Greylisted, Likely)
        .to(&[Rcpt])
        .codes(&[450, 451])
        .details(&[(7, 1)])
        .when(|case| !case.exchange.granted.has(Auth)),
    // Filters greylist, too, once they have seen the message.
    rule(Cause::Greylisted, Possible)
        .to(&[Data, EndOfData, Bdat])
        .codes(&[450, 451])
        .details(&[(7, 0), (7, 1)])
        .words("try again|try later|retry")
        .when(|case| !case.exchange.granted.has(Auth)),
    // postscreen says so to who has just passed its tests.
    rule(Cause::Greylisted, Likely).to(&[Rcpt]).codes(&[450]).details(&[(3, 2)]),
    rule(Cause::Greylisted, Possible).to(&[Rcpt]).codes(&[450, 451]).when(|case| {
        !case.exchange.granted.has(Auth)
            && case.enhanced.is_none_or(|code| matches!((code.subject, code.detail), (2, 0) | (7, 0) | (0, 0)))
            // Whatever else is put off is told to be at fault.
            && !["mailbox", "sender", "verif", "error", "fail", "could not", "cannot", "unable", "problem"]
                .iter()
                .any(|word| case.text.contains(word))
    }),
    rule(Cause::AuthNeeded, Likely)
        .to(ENVELOPE)
        .codes(&[550, 551, 553, 554])
        .when(|case| is_policy(case) && case.is_submission() && case.could_log_in()),
    rule(Cause::PolicyRefused, Likely).to(ENVELOPE).words("administrative prohibition|policy|policies"),
    rule(Cause::PolicyRefused, Possible).to(&[Mail, Rcpt]).codes(&[550, 553, 554]).when(is_policy),
    rule(Cause::ServerFault, Likely).codes(&[421, 450, 451, 454]).details(&[(3, 0), (3, 5)]),
    rule(Cause::Busy, Certain).codes(&[421, 450, 451]).words("server busy|too busy|is busy"),
    rule(Cause::Busy, Possible).to(POLICY).codes(&[421]),
];

/// Says whether a sender is refused, and not for what could be found out of it.
fn says_sender_refused(case: &Case<'_>) -> bool {
    let names = [
        "envelope sender",
        "sender address",
        "your sender",
        "this sender",
        "the sender",
        "sender has been",
        "sender rejected",
        "sender denied",
        "sender refused",
        "sender blocked",
        "mail from",
    ];
    let refuses = ["denied", "rejected", "blocked", "refused", "banned", "prohibited", "blacklisted"];
    let others = ["recipient", "resolve", "verif", "found", "exist", "unknown", "spoof", "spf"];
    names.iter().any(|words| case.text.contains(words))
        && refuses.iter().any(|word| has_word(&case.text, word))
        && !others.iter().any(|word| case.text.contains(word))
}

fn says_relay(case: &Case<'_>) -> bool {
    let is_of_relaying = ["relay", "relaying", "relayed"].iter().any(|word| has_word(&case.text, word));
    let refuses = ["denied", "permitted", "allowed", "prohibited", "refused", "forbidden", "disabled", "authorized"];
    let says = [
        "unable to relay",
        "we do not relay",
        "not a relay",
        "open relay",
        "to relay",
        "relay access",
        "rcpthosts",
        "deliver mail for",
    ];
    // A host that relays has a table of recipients.
    let is_of_recipients = case.text.contains("relay recipient");
    says.iter().any(|words| case.text.contains(words))
        || is_of_relaying && !is_of_recipients && refuses.iter().any(|word| has_word(&case.text, word))
}

/// Says whether an address of the network is called blocked, and no other's than the client's can be meant.
fn says_address_blocked(case: &Case<'_>) -> bool {
    let is_blocked = ["blocked", "banned", "denied"].iter().any(|word| has_word(&case.text, word));
    is_blocked && !case.text.contains("relay") && has_word(&case.text, "ip")
}

/// Says whether a reply names nothing that filters look for.
fn is_of_no_filter(case: &Case<'_>) -> bool {
    !["spam", "virus", "malware", "phish"].iter().any(|word| case.text.contains(word))
}

/// Says whether a reply names nothing but a policy: its words, if it has any that help, have been looked at before.
fn is_policy(case: &Case<'_>) -> bool {
    case.enhanced.is_some_and(|code| code.subject == 7 && code.detail <= 1)
}
