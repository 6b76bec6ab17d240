//! Refusals of a client: its manners, its limits, its address, its name.

use super::{Case, HELLO, LOGIN, POLICY, Rule, has_word, rule};
use crate::diagnosis::record::Exchange;
use crate::diagnosis::{Cause, Certainty};
use crate::protocol::{EnhancedCode, Meaning, Request};

use Certainty::{Certain, Likely, Possible};
use Request::{Auth, AuthAnswer, Bdat, Data, Ehlo, EndOfData, Greeting, Helo, Lhlo, Mail, Rcpt, StartTls};

pub(super) static RULES: &[Rule] = &[
    // The client spoke too early.
    rule(Cause::SpokeTooEarly, Certain).codes(&[421, 503, 521, 550, 554]).words(
        "synchronization error|improper use of smtp|improper command pipelining|pregreet|\
         talk too soon|talks too soon|before greeting",
    ),
    rule(Cause::SpokeTooEarly, Likely)
        .codes(&[421, 521, 550, 554])
        .details(&[(5, 1)])
        .words("protocol error")
        .when(|case| case.record.has_spoken_first || case.facts.sends_at_once),
    rule(Cause::HeaderWanted, Certain).codes(&[421, 503, 550, 554]).words("proxy negotiation|proxy protocol|proxy header"),
    // What is wanted from who sends much is told with the limits.
    rule(Cause::StartTlsNeeded, Certain)
        .codes(&[421, 450, 451, 530, 550, 553, 554])
        .words("over a tls|over tls|without tls|without encryption|not using tls|unencrypted|not encrypted")
        .when(|case| !case.exchange.is_tls && case.offers("STARTTLS") && case.request != Some(StartTls)),
    // Limits of connections, time and number.
    rule(Cause::TooManyErrors, Certain).codes(&[421, 451, 550, 554]).words(
        "too many errors|too many syntax|too many bad commands|too many unrecognized|\
         too many nonmail|too many protocol errors",
    ),
    rule(Cause::AccountLocked, Certain)
        .to(LOGIN)
        .words("account locked|account is locked|account has been locked|locked out|temporarily locked"),
    rule(Cause::AccountLocked, Likely).to(LOGIN).codes(&[432, 454, 525, 534, 535, 550, 554]).words(
        "web browser|your browser|verify your account|unusual|suspicious|restricted|has been blocked|account blocked|\
         account is blocked|for security reasons|been suspended|expired|must change|change your password|licen",
    ),
    rule(Cause::TooManyLogins, Certain).words(
        "too many login|too many auth|too many failed login|login limit exceeded|\
         too many unsuccessful",
    ),
    rule(Cause::TooManyLogins, Certain)
        .to(LOGIN)
        .words("failed attempts|failed logins|too many attempts|too many failures|too many invalid|login attempts"),
    rule(Cause::TooManyConnections, Certain).words(
        "too many connections|too many concurrent|too many simultaneous|too many sessions|\
         maximum number of connections|connection limit|concurrent connections|\
         too many open connections|all server ports are busy",
    ),
    rule(Cause::PutOff, Certain).codes(&[421, 450, 451, 452]).words(
        "unexpected volume|user complaints|temporarily deferred|reputation|untrusted ip|\
         suspicious activity|unusual traffic",
    ),
    // A large provider's server says that it is busy to those that it slows down, and names their addresses.
    rule(Cause::PutOff, Likely).to(POLICY).codes(&[421, 450, 451]).when(|case| {
        let is_slowed = |code: EnhancedCode| code.subject == 7 && (500..=699).contains(&code.detail);
        case.enhanced.is_some_and(is_slowed)
    }),
    rule(Cause::TooFast, Certain).when(is_about_a_time),
    rule(Cause::TooFast, Certain).words(
        "rate limit|ratelimit|rate-limit|rate exceeded|receiving rate|receiving mail too quickly|\
         receiving mail at a rate|unusual rate|too many messages|too many mails|too much mail|\
         throttl|quota exceeded for sending|sending limit|sending quota|exceeded the rate|\
         connection rate",
    ),
    rule(Cause::AccountStopped, Certain)
        .to(&[Mail, Rcpt, Data, EndOfData, Bdat, Auth, AuthAnswer])
        .words("credits|billing|unpaid|payment|your subscription|subscription has|trial account|free trial"),
    rule(Cause::AccountStopped, Certain).to(&[Mail, Rcpt, Data, EndOfData, Bdat]).words(
        "unusual sending activity|suspicious sending|bad outbound sender|outbound spam|tenant has exceeded|account is suspended|\
         account suspended|account has been suspended|sending is suspended|\
         sending has been suspended|sending disabled|sending is disabled|for test purposes|\
         your plan",
    ),
    rule(Cause::AccountStopped, Certain).to(&[Mail, Rcpt, Data, EndOfData, Bdat]).when(|case| {
        let states = ["activated", "inactive", "suspended", "blocked", "disabled", "restricted", "closed", "locked"];
        case.text.contains("your account") && states.iter().any(|word| has_word(&case.text, word))
    }),
    rule(Cause::AccountStopped, Likely).to(&[Mail, Rcpt, Data, EndOfData, Bdat]).details(&[(7, 13)]),
    rule(Cause::AccountStopped, Likely)
        .to(&[Mail, Rcpt, Data, EndOfData, Bdat])
        .words("not allowed to send|not permitted to send")
        .when(|case| case.exchange.granted.has(Auth) && !says_whose(case)),
    rule(Cause::TooFast, Certain).when(|case| {
        let is_limit =
            ["limit exceeded", "limit reached", "limit is exceeded", "frequency limited", "exceeded threshold"];
        let is_of_others = ["size", "storage", "mailbox", "quota", "recipient", "hop", "login", "length", "time limit"];
        is_limit.iter().any(|words| case.text.contains(words))
            && !is_of_others.iter().any(|word| case.text.contains(word))
    }),
    rule(Cause::TooFast, Likely).codes(&[421, 450, 451, 452, 550]).details(&[(7, 28)]),
    // Whoever has sent what AUTH asks for is not idle: something behind the server is late.
    rule(Cause::Idle, Certain)
        .codes(&[421])
        .words(
            "timeout exceeded|idle timeout|idle too long|command timeout|timed out|timeout waiting|\
             timeout - closing|inactivity",
        )
        .when(|case| !is_login(case)),
    rule(Cause::Idle, Likely).codes(&[421]).details(&[(4, 2)]).when(|case| !is_login(case)),
    rule(Cause::GoingDown, Certain).codes(&[421, 450, 451, 453]).words(
        "shutting down|server shutdown|going down|shutdown in progress|\
         not accepting network messages|not accepting messages|maintenance",
    ),
    rule(Cause::GoingDown, Likely).codes(&[421]).details(&[(3, 2)]),
    // Lines.
    rule(Cause::BareLf, Certain).words(
        "bare <lf>|bare lf|bare <cr>|bare cr|bare linefeed|bare line feed|bare newline|<cr><lf>.<cr><lf>|bare_lf|\
         bare carriage",
    ),
    rule(Cause::LineTooLong, Certain).codes(&[500, 501, 550, 552, 554]).words(
        "line too long|line is too long|lines too long|too long line|maximum line length|\
         has lines too long",
    ),
    // The end of a message.
    rule(Cause::Loop, Certain)
        .words("too many hops|hop count exceeded|mail loop|loop detected|loops back to myself|routing loop"),
    rule(Cause::Loop, Likely).details(&[(4, 6)]),
    // Names and addresses of the client.
    // Lists answer so to resolvers that many share, and to who asks too often: it says nothing of the client.
    rule(Cause::ListNotAsked, Certain).to(POLICY).words(
        "open resolver|public resolver|public/open resolver|returnc|127.255.255.25|\
         excessive number of queries|excessive queries",
    ),
    rule(Cause::BlockListed, Certain)
        .to(POLICY)
        .words(
        "spamhaus|spamcop|dnsbl|barracudacentral|blocklist|block list|blacklist|black list|\
         blocklisted|sorbs|uceprotect|is listed in|is listed at|is listed on|is listed by|\
         currently listed|been listed|banned sen|blocked using|block-listed|delist|removal from this list",
    )
        .when(|case| !case.text.contains("may be ")),
    rule(Cause::Reputation, Certain)
        .to(POLICY)
        .codes(&[521, 550, 553, 554])
        .when(|case| has_word(&case.text, "reputation")),
    rule(Cause::BlockListed, Certain)
        .to(POLICY)
        .codes(&[421, 450, 451, 550, 553, 554])
        .when(|case| has_word(&case.text, "rbl")),
    rule(Cause::DirectSending, Certain).to(POLICY).words(
        "email directly|mail directly|dynamic ip|dynamically assigned|dynamic address|dynamic host|dial-up|dialup|\
         residential|generic hostname|relay at your|your isp's|your provider's",
    ),
    rule(Cause::NoReverseName, Certain).to(POLICY).words(
        "reverse dns|rdns|reverse hostname|ptr lookup|ptr record|reverse lookup|no ptr|\
         ptr resource record|cannot find your hostname|cannot find your reverse|reverse dns lookup",
    ),
    rule(Cause::NoReverseName, Likely).details(&[(7, 25)]),
    // The name in EHLO.
    rule(Cause::ContainerName, Likely)
        .to(&[Ehlo, Helo, Lhlo, Mail, Rcpt])
        .when(|case| is_about_hello(case) && is_container_name(case)),
    rule(Cause::HelloName, Certain).to(&[Ehlo, Helo, Lhlo, Mail, Rcpt]).when(is_about_hello),
    rule(Cause::HelloName, Likely)
        .to(&[Mail, Rcpt])
        .codes(&[450, 501, 504, 550, 553, 554])
        .when(|case| {
            let is_of_it = ["helo", "ehlo"].iter().any(|word| has_word(&case.text, word));
            let is_of_more = ["helo=", "ehlo=", "first", "callback", "callout", "before"];
            is_of_it && !is_of_more.iter().any(|words| case.text.contains(words))
        }),
    rule(Cause::HelloName, Likely).to(HELLO).codes(&[504]),
    rule(Cause::NoHelloName, Certain).to(HELLO).codes(&[500, 501]).when(|case| case.exchange.commands.name.is_empty()),
    rule(Cause::HelloName, Possible)
        .to(HELLO)
        .codes(&[450, 501, 550, 553, 554])
        .when(|case| !case.exchange.commands.name.is_empty() && !case.text.contains("already")),
    rule(Cause::ClientRefused, Likely)
        .to(&[Greeting, Ehlo, Helo])
        .codes(&[521, 550, 553, 554])
        .when(|case| ["blocked", "banned", "denied"].iter().any(|word| has_word(&case.text, word))),
    rule(Cause::ClientRefused, Certain).to(POLICY).words(
        "client host rejected: access denied|client host rejected|\
         traffic not accepted from this ip|your ip is not allowed|host is not allowed|\
         client host blocked|administratively prohibited|administratively denied",
    ),
    // What the greeting refuses.
    rule(Cause::Busy, Likely).to(&[Greeting]).codes(&[420, 421, 450, 451]),
    rule(Cause::NoServiceHere, Certain).to(&[Greeting]).codes(&[521, 550, 553, 554, 556]),
    rule(Cause::NoServiceHere, Likely).to(&[Greeting]).codes(&[500, 501, 502, 503, 504]),
    // EHLO that is not known: whose real answer comes after it is.
    rule(Cause::ReplyTooMany, Likely).to(&[Ehlo]).codes(&[500, 501, 502, 503, 554]).when(|case| {
        let is_out = |exchange: &Exchange| exchange.answer.meaning() == Meaning::OutOfStep;
        case.record.refusals.iter().chain(&case.record.last).any(is_out)
    }),
    rule(Cause::NoEhlo, Certain).to(&[Ehlo]).codes(&[500, 502]),
];

/// Says whether a refusal is of a login.
fn is_login(case: &Case<'_>) -> bool {
    case.request.is_some_and(|request| LOGIN.contains(&request))
}

/// Says whether a refusal is about a number of something in a time: so many an hour.
fn is_about_a_time(case: &Case<'_>) -> bool {
    let times = [
        "per hour",
        "per day",
        "per minute",
        "per second",
        "an hour",
        "a day",
        "hourly",
        "daily",
        "/hour",
        "/day",
        "24 hours",
        "this hour",
        "today",
        "in the last hour",
    ];
    let numbers = ["exceed", "limit", "maximum", "too many", "quota", "allowance", "reached"];
    let others = ["login", "connection", "mailbox"];
    let has = |words: &[&str]| words.iter().any(|word| case.text.contains(word));
    has(&times) && has(&numbers) && !has(&others)
}

/// Says whether a refusal is about the address that a login sends as.
fn says_whose(case: &Case<'_>) -> bool {
    case.text.contains("send as") || case.text.contains("send on behalf")
}

/// Says whether a refusal is about the name that the client gave: some servers put it off until RCPT.
fn is_about_hello(case: &Case<'_>) -> bool {
    let says = [
        "helo command rejected",
        "ehlo command rejected",
        "invalid helo",
        "helo argument",
        "ehlo argument",
        "helo/ehlo",
        "ehlo/helo",
        "helo name",
        "ehlo name",
        "invalid ehlo",
        "fully-qualified hostname",
        "bad helo",
        "your helo",
        "helo hostname",
        "helo domain",
        "ehlo domain",
    ];
    !case.exchange.commands.name.is_empty() && says.iter().any(|word| case.text.contains(word))
}

/// Twelve hexadecimal digits: what containers are called.
fn is_container_name(case: &Case<'_>) -> bool {
    let name = &case.exchange.commands.name;
    name.len() == 12 && name.iter().all(u8::is_ascii_hexdigit)
}
