//! Refusals of commands: TLS and AUTH wanted, a wrong order, AUTH itself, syntax.

use super::super::token;
use super::{Case, ENVELOPE, LOGIN, Rule, has_word, rule};
use crate::diagnosis::{Cause, Certainty};
use crate::protocol::Request;

use Certainty::{Certain, Likely, Possible};
use Request::{Auth, AuthAnswer, Bdat, Data, EndOfData, Mail, Rcpt, StartTls};

pub(super) static RULES: &[Rule] = &[
    // What has to come before.
    rule(Cause::TlsForAuth, Certain)
        .to(LOGIN)
        .words(
            "starttls|must issue a starttls|encryption required|requires encryption|tls required|\
             requires tls|secure connection|secure channel|needs tls|ssl required",
        )
        .when(|case| !case.exchange.is_tls),
    rule(Cause::TlsForAuth, Likely).to(LOGIN).codes(&[523, 530, 534, 538]).when(|case| {
        !case.exchange.is_tls
            && case.could_start_tls()
            && case.enhanced.is_none_or(|code| matches!((code.subject, code.detail), (7, 0 | 10 | 11)))
    }),
    rule(Cause::StartTlsNeeded, Certain)
        .codes(&[421, 451, 530, 550, 553, 554])
        .words(
            "starttls|must use tls|requires tls|tls required|tls is required|encryption required|\
             encryption needed|requires encryption|encrypted connection|secure connection|\
             session encryption is required",
        )
        .when(|case| !case.exchange.is_tls && case.request != Some(StartTls)),
    rule(Cause::StartTlsNeeded, Likely).to(ENVELOPE).details(&[(7, 10)]).when(|case| !case.exchange.is_tls),
    rule(Cause::SenderNotOwned, Certain).to(&[Mail, Rcpt, Data, EndOfData]).words(
        "not owned by|sendasdenied|send as this sender|not allowed to send as|\
         sender address rejected: not owned|not authorized to send as|not permitted to send as|\
         disallowed as|must match authenticated|does not match the authenticated|must match the authenticated",
    ),
    rule(Cause::SenderNotOwned, Likely)
        .to(&[Mail])
        .when(|case| case.exchange.granted.has(Auth) && case.text.contains("relay")),
    rule(Cause::SenderNotVerified, Certain).to(&[Mail, Rcpt, Data, EndOfData]).words(
        "email address is not verified|identities failed the check|does not match a verified|\
         sender not verified|unverified sender",
    ),
    rule(Cause::SenderNotVerified, Likely).to(&[Mail, Rcpt, Data, EndOfData, Bdat]).when(|case| {
        let states = ["unverified", "not verified", "not been verified", "not confirmed", "unconfigured", "sender signature"];
        let subjects = ["domain", "sender", "from", "identity"];
        let others = ["recipient", "unverified address", "dkim", "spf", "dmarc", "dns ptr"];
        let has = |words: &[&str]| words.iter().any(|word| case.text.contains(word));
        has(&states) && has(&subjects) && !has(&others)
    }),
    rule(Cause::AuthNeededInTls, Certain)
        .to(&[Mail, Rcpt, Data])
        .words(WANTS_LOGIN)
        .when(|case| wants_login(case) && case.could_start_tls() && !case.offers("AUTH")),
    // A group takes mail of senders whom its own server knows: no login here makes one of a stranger.
    rule(Cause::RecipientRestricted, Certain).to(&[Rcpt, Data, EndOfData, Bdat]).words(
        "restriction check|resolver.rst|when sending to this|restricted to sender|restricted recipient|\
         only accepts messages from|only accepts mail from|allowed senders list|allowed-senders|\
         permission to send to|permissions to send to|allowed to send to|authorized to send to|allowed to post|\
         not permitted to post",
    ),
    rule(Cause::RecipientRestricted, Likely).to(&[Rcpt, EndOfData]).details(&[
        (7, 2),
        (7, 124),
        (7, 129),
        (7, 133),
        (7, 134),
        (7, 135),
        (7, 136),
    ]),
    rule(Cause::AuthNeeded, Certain).to(&[Mail, Rcpt, Data, EndOfData, Bdat]).words(WANTS_LOGIN).when(wants_login),
    rule(Cause::StartTlsNeeded, Likely)
        .to(ENVELOPE)
        .codes(&[530])
        .when(|case| !case.exchange.is_tls && case.offers("STARTTLS")),
    rule(Cause::AuthNeeded, Likely).to(&[Mail, Rcpt, Data]).codes(&[530]).when(|case| !case.exchange.granted.has(Auth)),
    rule(Cause::AuthTwice, Certain).to(&[Auth]).codes(&[503]).when(|case| case.exchange.granted.has(Auth)),
    rule(Cause::HelloFirst, Certain)
        .to(BEHIND_HELLO)
        .codes(&[503])
        .words("helo|ehlo|hello|polite")
        .when(|case| !case.has_had_hello()),
    rule(Cause::HelloFirst, Likely).to(BEHIND_HELLO).codes(&[503]).when(|case| {
        !case.has_had_hello() && !["recipient", "rcpt", "mail"].iter().any(|word| case.text.contains(word))
    }),
    rule(Cause::NestedMail, Certain)
        .to(&[Mail])
        .codes(&[503])
        .when(|case| case.exchange.granted.has(Mail) && !case.exchange.granted.has(Bdat)),
    rule(Cause::MailFirst, Certain).to(&[Rcpt, Data, Bdat]).codes(&[503]).when(|case| !case.exchange.granted.has(Mail)),
    rule(Cause::RcptFirst, Certain).to(&[Data, Bdat]).codes(&[503, 554]).when(|case| !case.exchange.granted.has(Rcpt)),
    // STARTTLS.
    rule(Cause::StartTlsTooLate, Certain).to(&[StartTls]).codes(&[502, 503, 554]).when(|case| case.exchange.is_tls),
    rule(Cause::StartTlsBroken, Certain).to(&[StartTls]).codes(&[403, 421, 451, 454]),
    rule(Cause::StartTlsBroken, Likely)
        .to(&[StartTls])
        .codes(&[500, 501, 502, 503, 504, 550, 554])
        .when(|case| case.offers("STARTTLS") && !case.exchange.is_tls),
    rule(Cause::CommandNotOffered, Certain)
        .to(&[StartTls])
        .codes(&[500, 501, 502, 503, 504, 554])
        .when(|case| case.exchange.extensions.is_some() && !case.offers("STARTTLS")),
    // AUTH.
    rule(Cause::TokenRefused, Certain).to(LOGIN).when(|case| token::status(&case.exchange.challenge).is_some()),
    rule(Cause::AppPassword, Certain).to(LOGIN).words(
        "application-specific password|app password|app-specific password|invalidsecondfactor|\
         authorization code|authorized code|app specific password|application password",
    ),
    rule(Cause::LoginsDisabled, Certain).to(LOGIN).words(
        "smtpclientauthentication is disabled|basic authentication is disabled|\
         basic auth is disabled|smtp auth is disabled",
    ),
    rule(Cause::LoginsDisabled, Certain).to(LOGIN).details(&[(7, 139)]).words("disabled"),
    rule(Cause::LoginsDisabled, Likely).to(LOGIN).codes(&[454, 525, 530, 534, 535, 550, 554]).words(
        "access rights|not have access|no permission|permission denied|not authorized to use|not allowed to use|not enabled|not activated|auth enabled|must be enabled|be activated|enable smtp|smtp access|switched off|\
         turned off|not allowed for this|not permitted for this",
    ),
    rule(Cause::AccountLocked, Certain).to(LOGIN).words(
        "account is locked|account locked|account is disabled|account disabled|account has been|\
         account suspended|account is suspended|locked out|user disabled|is not active|deactivated",
    ),
    rule(Cause::AccountLocked, Certain).to(LOGIN).details(&[(7, 13)]),
    rule(Cause::AccountLocked, Likely).to(LOGIN).codes(&[525]),
    rule(Cause::AccountLocked, Likely).to(LOGIN).codes(&[454, 525, 530, 534, 535, 550, 554]).when(|case| {
        let states = ["locked", "suspended", "deactivated", "inactive"];
        states.iter().any(|word| has_word(&case.text, word))
    }),
    rule(Cause::LoginsDisabled, Possible).to(&[Auth]).codes(&[504]).when(|case| {
        case.mechanisms().iter().any(|name| name.eq_ignore_ascii_case(&case.exchange.commands.mechanism))
    }),
    rule(Cause::BadBase64, Certain).to(LOGIN).words("base64|cannot decode|can't decode|can not decode"),
    rule(Cause::BadBase64, Likely).to(&[AuthAnswer]).codes(&[501]).details(&[(5, 2)]),
    // What SASL's own library says where it is set up wrongly.
    rule(Cause::LoginServiceDown, Certain).to(LOGIN).words(
        "no mechanism available|no worthy mechs|generic failure|bad protocol|internal error|\
         cannot connect to|unable to open|connection lost",
    ),
    rule(Cause::LoginServiceDown, Likely)
        .to(LOGIN)
        .words("busy|temporarily unavailable|unable to initialize")
        .when(|case| !case.text.contains("password")),
    rule(Cause::LoginServiceDown, Certain)
        .to(LOGIN)
        .codes(&[421, 432, 435, 450, 451, 454])
        .when(|case| !case.text.contains("tls 1")),
    rule(Cause::AuthNotOffered, Likely).to(&[Auth]).codes(&[500, 502, 503, 504, 538]).when(|case| {
        case.exchange.extensions.is_some() && !case.offers("AUTH") && (case.exchange.is_tls || !case.offers("STARTTLS"))
    }),
    rule(Cause::TlsForAuth, Likely)
        .to(&[Auth])
        .codes(&[500, 502, 503, 504, 538])
        .when(|case| !case.offers("AUTH") && case.could_start_tls()),
    rule(Cause::MechanismTooWeak, Certain)
        .to(LOGIN)
        .details(&[(7, 9)])
        .when(|case| !case.mechanisms().is_empty() && case.exchange.is_tls),
    rule(Cause::NoSuchMechanism, Certain).to(&[Auth]).codes(&[500, 501, 504, 534, 535]).when(|case| {
        let mechanisms = case.mechanisms();
        let mechanism = &case.exchange.commands.mechanism;
        !mechanisms.is_empty()
            && !mechanism.is_empty()
            && !mechanisms.iter().any(|name| name.eq_ignore_ascii_case(mechanism))
    }),
    rule(Cause::BadLoginHashed, Likely)
        .to(LOGIN)
        .words("no secret in database")
        .when(|case| case.mechanisms().iter().any(|name| name.eq_ignore_ascii_case("PLAIN"))),
    rule(Cause::BadLoginHashed, Possible).to(LOGIN).codes(&[535]).when(|case| {
        let is_of_plain_passwords = ["CRAM-MD5", "DIGEST-MD5"].contains(&case.exchange.commands.mechanism.as_str());
        is_of_plain_passwords && case.mechanisms().iter().any(|name| name.eq_ignore_ascii_case("PLAIN"))
    }),
    rule(Cause::BadLogin, Likely).to(LOGIN).codes(&[535]),
    rule(Cause::BadLogin, Likely).to(LOGIN).details(&[(7, 8)]),
    // Syntax of the envelope.
    rule(Cause::NoBrackets, Certain)
        .to(ENVELOPE)
        .codes(&[500, 501, 550, 553, 555])
        .when(|case| !case.form().is_regular && !says_policy(case)),
    rule(Cause::Utf8NotAsked, Certain).to(ENVELOPE).when(|case| {
        let is_asked = case.exchange.commands.mail.params.iter().any(|param| param == "SMTPUTF8");
        case.form().has_other_letters && case.offers("SMTPUTF8") && !is_asked
    }),
    rule(Cause::Utf8NotTaken, Certain).to(ENVELOPE).when(|case| {
        case.form().has_other_letters
            && (!case.offers("SMTPUTF8") || case.enhanced.is_some_and(|code| (code.subject, code.detail) == (6, 7)))
    }),
    rule(Cause::ParamNotOffered, Certain)
        .to(ENVELOPE)
        .codes(&[500, 501, 503, 504, 555])
        .when(|case| case.param_not_offered().is_some()),
    rule(Cause::NoDomain, Certain).to(ENVELOPE).words(
        "fully-qualified address|fully qualified address|domain name required|\
         address must contain a domain|missing domain|unqualified address",
    ),
    rule(Cause::AddressSyntax, Certain).to(ENVELOPE).codes(&[501, 553]).details(&[(1, 3), (1, 7)]),
    rule(Cause::AddressSyntax, Likely)
        .to(ENVELOPE)
        .codes(&[501])
        .words("address|mailbox|invalid mail from|invalid rcpt"),
];

fn says_policy(case: &Case<'_>) -> bool {
    case.enhanced.is_some_and(|code| code.subject == 7)
}

/// Says whether words of a login can mean that one is wanted: not those on how a mail is authenticated.
fn wants_login(case: &Case<'_>) -> bool {
    let is_of_mail = ["dmarc", "spf", "dkim"].iter().any(|word| case.text.contains(word));
    !case.exchange.granted.has(Auth) && !is_of_mail
}

const WANTS_LOGIN: &str = "authentication required|authentication is required|authentication needed|must authenticate|\
 requires authentication|not logged in|log in first|login first|please authenticate|auth required|\
 smtp auth|not authenticated|unauthenticated senders|client was not authenticated|\
 without authentication|authenticate first|must be authenticated|authorization required";
/// The commands that EHLO comes before.
const BEHIND_HELLO: &[Request] = &[Mail, Rcpt, Data, Bdat, Auth, StartTls];
