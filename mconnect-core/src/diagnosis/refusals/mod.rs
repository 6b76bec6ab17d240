//! What refusals mean: a table of what was asked, what the reply says, and what went before it.
//!
//! The first row that fits is the cause. Rows with the server's own words stand before those with its codes, and a code
//! that means several things has a row for each, told apart by what was offered and done. What fits no row has no
//! finding.
//!
//! | column | fits if | left out |
//! |---|---|---|
//! | `to` | the reply answers one of these requests | any |
//! | `codes` | the reply code is one of these | any |
//! | `details` | subject and detail of the enhanced status code are one of these pairs | any, or none |
//! | `temporary`, `permanent` | the reply code is 4yz; 5yz, and none of those on syntax | any |
//! | `words`, `and` | one of these begins at a word of the reply's [wording] | any |
//! | `not` | none of these does | any |
//! | `when` | what went before is so | always |
//!
//! All columns that are given have to fit, so that a word such as "line too long" means something only with the codes
//! that servers say it with. Servers tell one cause in many words, but of the same few things: `words` and `and` are
//! what is spoken of and what is said of it, "recipient" and "not exist", so that a row stands for a kind.

mod client;
mod commands;
mod mail;
mod sender;
mod server;
mod wording;

use super::record::{Exchange, Record, Requests};
use super::{Cause, Certainty, Facts, Finding, Recognized, token};
use crate::protocol::{EnhancedCode, Meaning, Reply, ReplyLine, Request, explain};

use wording::wording;

use Request::{Auth, AuthAnswer, Bdat, Data, Ehlo, EndOfData, Greeting, Helo, Lhlo, Mail, Rcpt};

/// Rows, which are built when they are asked for: in a table they would be six pages of pointers, to be set right at
/// every start of a program that knows of refusals.
type Rules = fn() -> Box<[Rule]>;

/// A row: all that is given has to fit.
struct Rule {
    cause: Cause,
    certainty: Certainty,
    to: Requests,
    codes: &'static [u16],
    /// The reply codes from the first to the last.
    range: [u16; 2],
    /// Subject and detail of the enhanced status code; the class is that of the reply.
    details: &'static [(u16, u16)],
    /// With a bar between them.
    words: &'static str,
    and: &'static str,
    not: &'static str,
    when: fn(&Case<'_>) -> bool,
}

/// Begins a row, which fits every refusal until a column is given.
fn rule(cause: Cause, certainty: Certainty) -> Rule {
    Rule {
        cause,
        certainty,
        to: Requests::of(&[]),
        codes: &[],
        range: [0, 999],
        details: &[],
        words: "",
        and: "",
        not: "",
        when: always,
    }
}

impl Rule {
    fn to(self, to: &[Request]) -> Self {
        Self { to: Requests::of(to), ..self }
    }

    fn codes(self, codes: &'static [u16]) -> Self {
        Self { codes, ..self }
    }

    fn temporary(self) -> Self {
        Self { range: [400, 499], ..self }
    }

    fn permanent(self) -> Self {
        Self { range: [505, 599], ..self }
    }

    fn details(self, details: &'static [(u16, u16)]) -> Self {
        Self { details, ..self }
    }

    /// Any of these, `this|or that`, each at the beginning of a word; one that ends with a space is a word to its end.
    fn words(self, words: &'static str) -> Self {
        Self { words, ..self }
    }

    /// Any of these as well.
    fn and(self, and: &'static str) -> Self {
        Self { and, ..self }
    }

    fn not(self, not: &'static str) -> Self {
        Self { not, ..self }
    }

    fn when(self, when: fn(&Case<'_>) -> bool) -> Self {
        Self { when, ..self }
    }

    /// Says whether all that is given fits.
    fn fits(&self, case: &Case<'_>) -> bool {
        let has_detail = || case.enhanced.is_some_and(|code| self.details.contains(&(code.subject, code.detail)));
        let code = case.exchange.answer.code.number();
        (self.to.is_empty() || case.request.is_some_and(|request| self.to.has(request)))
            && (self.codes.is_empty() || self.codes.contains(&code))
            && (self.range[0]..=self.range[1]).contains(&code)
            && (self.details.is_empty() || has_detail())
            && (self.words.is_empty() || case.says(self.words))
            && (self.and.is_empty() || case.says(self.and))
            && (self.not.is_empty() || !case.says(self.not))
            && (self.when)(case)
    }
}

/// A refusal, with what went before it: what rows are compared with.
struct Case<'a> {
    exchange: &'a Exchange,
    request: Option<Request>,
    enhanced: Option<EnhancedCode>,
    /// Its words, with a space on either side of each.
    text: String,
    port: Option<u16>,
    record: &'a Record,
    facts: &'a Facts,
}

impl<'a> Case<'a> {
    /// Looks at a refusal in the state that the session was in then, not now.
    fn new(exchange: &'a Exchange, record: &'a Record, facts: &'a Facts) -> Self {
        let text = wording(&String::from_utf8_lossy(&exchange.reply.text()));
        let (request, enhanced) = (exchange.answer.request, enhanced_code(&exchange.reply));
        Self { exchange, request, enhanced, text, port: record.port(facts), record, facts }
    }

    /// Says whether one of these begins at a word.
    fn says(&self, words: &str) -> bool {
        let begins_there = |at: usize| self.text.as_bytes()[at - 1] == b' ';
        words.split('|').any(|word| self.text.match_indices(word).any(|(at, _)| at > 0 && begins_there(at)))
    }

    /// Says whether it answers one of these.
    fn is_of(&self, requests: &[Request]) -> bool {
        self.request.is_some_and(|request| requests.contains(&request))
    }

    /// Says whether the last EHLO offered an extension.
    fn offers(&self, keyword: &str) -> bool {
        self.exchange.extensions.as_ref().is_some_and(|extensions| extensions.has(keyword))
    }

    /// Says whether a login is offered and was not granted.
    fn could_log_in(&self) -> bool {
        !self.exchange.granted.has(Auth) && self.offers("AUTH")
    }

    /// Says whether STARTTLS is offered, outside TLS.
    fn could_start_tls(&self) -> bool {
        !self.exchange.is_tls && self.offers("STARTTLS")
    }

    /// Says whether the port is one of those that are for submission ([RFC
    /// 8314](https://www.rfc-editor.org/rfc/rfc8314)).
    fn is_submission(&self) -> bool {
        matches!(self.port, Some(587 | 465))
    }

    /// Says whether one of EHLO, HELO and LHLO was granted.
    fn has_had_hello(&self) -> bool {
        [Ehlo, Helo, Lhlo].into_iter().any(|hello| self.exchange.granted.has(hello))
    }

    /// The name of what was refused, as people type it.
    fn command(&self) -> String {
        self.request.map_or_else(|| "the session".to_owned(), |request| request.to_string())
    }

    /// Returns the mechanisms that EHLO offered.
    fn mechanisms(&self) -> Vec<String> {
        let offered = self.exchange.extensions.as_ref().map(|extensions| extensions.auth_mechanisms());
        let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        offered.unwrap_or_default().into_iter().map(text).collect()
    }

    /// Returns how the path was written that was refused.
    fn form(&self) -> &super::command::Form {
        match self.request {
            Some(Rcpt) => &self.exchange.commands.rcpt,
            _ => &self.exchange.commands.mail,
        }
    }

    /// The keyword of a parameter that was given and is not offered.
    fn param_not_offered(&self) -> Option<&str> {
        self.exchange.extensions.as_ref()?;
        let is_missing = |param: &&str| extension_of(param).is_some_and(|extension| !self.offers(extension));
        self.form().params.iter().map(String::as_str).find(is_missing)
    }

    /// Puts a cause in words, with all the values that its texts may name.
    fn told(&self, cause: Cause, certainty: Certainty) -> Finding {
        let commands = &self.exchange.commands;
        let limit = self.exchange.extensions.as_ref().and_then(|extensions| extensions.size_limit());
        // A recipient has a limit of its own, and a reply that has one in it knows better.
        let limit = limit.filter(|_| !self.says("recipient|recipsizelimit|mailbox|user |bytes|kb |mb |octets"));
        let form = if self.request == Some(Rcpt) { "RCPT TO:<b@example.org>" } else { "MAIL FROM:<a@example.org>" };
        let param = self.param_not_offered().unwrap_or("a parameter");
        Recognized::new(cause, certainty, self.exchange.reply.to_string())
            .with("command", self.command())
            .with("hello", String::from_utf8_lossy(&commands.name))
            .with("form", form)
            .with("param", param)
            .with("limit", limit.map(|limit| format!(": {limit} octets at most")).unwrap_or_default())
            .with("reply", &self.exchange.reply)
            .with("mechanism", &commands.mechanism)
            .with("mechanisms", self.mechanisms().join(" "))
            .with("status", token::status(&self.exchange.challenge).unwrap_or_default())
            .told(self.facts)
    }
}

/// Returns why a reply refused what was asked, if that is known.
pub(super) fn finding(exchange: &Exchange, record: &Record, facts: &Facts) -> Option<Finding> {
    if !refuses(exchange) {
        return None;
    }
    let case = Case::new(exchange, record, facts);
    RULES
        .into_iter()
        .flat_map(|rules| rules())
        .find(|rule| rule.fits(&case))
        .map(|rule| case.told(rule.cause, rule.certainty))
}

/// Returns why the first refusal of those that were not made up for came. What follows it is its consequence, and says
/// nothing of its own; what was only asked, as HELP and VRFY are, is no failure.
pub(super) fn first(record: &Record, facts: &Facts) -> Option<Finding> {
    let counts = |exchange: &&Exchange| match exchange.answer.request {
        Some(Request::Other | Request::EmptyLine) => exchange.answer.meaning() == Meaning::Closing,
        // Then HELO was tried.
        Some(Ehlo) => !record.refused.has(Helo),
        _ => true,
    };
    let mut refusals = record.refusals.iter().filter(counts);
    let Some(first) = refusals.next() else {
        // What was mistyped was meant as another command.
        let slip = |asked| finding(asked, record, facts).filter(|found| found.cause == Cause::UnknownCommand);
        return record.refusals.iter().find_map(slip);
    };
    finding(first, record, facts)
        .or_else(|| {
            // Of what follows, a close alone says more.
            let close = refusals.find(|later| later.answer.meaning() == Meaning::Closing)?;
            finding(close, record, facts)
        })
        .or_else(|| by_code(first, facts))
}

/// Returns why a reply refused what was asked, if it did: no more than what its code means, if that is all that is
/// known.
pub(super) fn told(exchange: &Exchange, record: &Record, facts: &Facts) -> Option<Finding> {
    finding(exchange, record, facts).or_else(|| by_code(exchange, facts))
}

/// Says whether a reply refused a command because the server does not know it.
pub(super) fn is_unknown(exchange: &Exchange) -> bool {
    matches!(exchange.answer.code.number(), 500 | 502 | 504) && exchange.answer.meaning().is_refusal()
}

/// Returns what a code means: the enhanced one, unless the other says more.
fn by_code(exchange: &Exchange, facts: &Facts) -> Option<Finding> {
    if !refuses(exchange) {
        return None;
    }
    let is_login = exchange.answer.request.is_some_and(|request| LOGIN.contains(&request));
    let enhanced = enhanced_code(&exchange.reply).filter(|code| match (code.subject, code.detail) {
        // Some servers have them for policies of all kinds.
        (POLICY_CODES, detail) if LOGIN_CODES.contains(&detail) => is_login,
        (subject, detail) => detail != 0 || subject == POLICY_CODES,
    });
    let number = exchange.answer.code.number();
    let is_of_logins = matches!(number, 432 | 534 | 535 | 538) && !is_login;
    let codes = [enhanced.map(|code| code.to_string()), Some(number.to_string()).filter(|_| !is_of_logins)];
    let known = codes.into_iter().flatten().find_map(|code| explain(&code).map(|meaning| (code, meaning)));
    // RFC 5321, section 4.2.1: whoever does not know a code goes by its first digit.
    let (code, meaning) = known.unwrap_or_else(|| {
        let meaning = if number < 500 { "refused for now" } else { "refused for good" };
        (number.to_string(), meaning)
    });
    let recognized = Recognized::new(Cause::Refused, Certainty::Certain, exchange.reply.to_string());
    Some(recognized.with("code", code).with("meaning", meaning).told(facts))
}

/// Says whether a reply refuses what was asked, or the whole session; one out of step does neither.
fn refuses(exchange: &Exchange) -> bool {
    let meaning = exchange.answer.meaning();
    meaning.is_refusal() || meaning == Meaning::Closing
}

/// Returns the extension that has a parameter of MAIL or RCPT, if it is one that is known.
fn extension_of(param: &str) -> Option<&str> {
    Some(match param {
        "BODY" => "8BITMIME",
        "RET" | "ENVID" | "NOTIFY" | "ORCPT" => "DSN",
        "HOLDFOR" | "HOLDUNTIL" => "FUTURERELEASE",
        "MT-PRIORITY" | "SIZE" | "SMTPUTF8" | "REQUIRETLS" | "AUTH" => param,
        _ => return None,
    })
}

/// Returns the enhanced status code of a reply; some servers write it within the text: `(#5.1.1)`.
fn enhanced_code(reply: &Reply) -> Option<EnhancedCode> {
    let within = |line: ReplyLine<'_>| {
        let text = String::from_utf8_lossy(line.text());
        let mut words = text.split(|c: char| !c.is_ascii_digit() && c != '.');
        let code = EnhancedCode::parse(words.find(|word| wording::is_enhanced_code(word))?.as_bytes())?;
        (line.code()?.number() / 100 == u16::from(code.class)).then_some(code).filter(|code| code.subject <= 7)
    };
    reply.enhanced_code().or_else(|| reply.lines().find_map(within))
}

/// Fits every refusal.
fn always(_: &Case<'_>) -> bool {
    true
}

/// Of these enhanced status codes, the one without detail says more than most reply codes do.
const POLICY_CODES: u16 = 7;
/// Of the codes of policies, those on logins.
const LOGIN_CODES: &[u16] = &[8, 9, 11, 12, 13, 14];
/// Requests that many rows are about.
const HELLO: &[Request] = &[Ehlo, Helo, Lhlo];
const LOGIN: &[Request] = &[Auth, AuthAnswer];
const ENVELOPE: &[Request] = &[Mail, Rcpt];
const MESSAGE: &[Request] = &[EndOfData, Bdat];
/// Where a policy may refuse: a server may put off its refusal of a client until there.
const POLICY: &[Request] = &[Greeting, Ehlo, Helo, Mail, Rcpt, Data, EndOfData, Bdat];
const TRANSACTION: &[Request] = &[Mail, Rcpt, Data, EndOfData, Bdat];
/// All rows, those that say most first: what is wanted of the client and its limits before its address, named faults of
/// the server before its opinion of a mail, who is meant before what is in it, and codes alone last.
const RULES: [Rules; 14] = [
    client::manners,
    sender::authentication,
    commands::wanted,
    client::limits,
    client::addresses,
    commands::rules,
    server::faults,
    mail::rules,
    sender::rules,
    mail::recipients,
    mail::contents,
    client::others,
    mail::codes,
    server::untold,
];
