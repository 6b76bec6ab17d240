//! Refusals of a client: its manners, its limits, its address, its name.

use super::wording::{LET_OUT, LISTS, REFUSED, TIMES};
use super::{Case, HELLO, LOGIN, MESSAGE, POLICY, Rule, TRANSACTION, rule};
use crate::diagnosis::record::Exchange;
use crate::diagnosis::{Cause, Certainty};
use crate::protocol::{EnhancedCode, Meaning, Request};

use Certainty::{Certain, Likely, Possible};
use Request::{Auth, Data, Ehlo, EndOfData, Greeting, Helo, Lhlo, Mail, Rcpt};

/// What may be behind any code, and is told by its words alone.
pub(super) fn manners() -> Box<[Rule]> {
    Box::new([
        rule(Cause::Greylisted, Certain)
            .to(TRANSACTION)
            .temporary()
            .words("greylist|graylist|grey list|gray list|postgrey"),
        rule(Cause::Greylisted, Likely).to(&[Mail, Rcpt]).temporary().words(
            "first time|first contact|first attempt|first delivery|not yet authorized|triplet|come back in|\
             retry in|again in ",
        ),
        rule(Cause::SpokeTooEarly, Certain).codes(&[421, 503, 521, 550, 554]).words(
            "synchronization error|improper use of smtp|improper command pipelining|improper pipelining|pregreet|\
             pre greet|talk too soon|talks too soon|talked too soon|early talk|before greeting|before the greeting|\
             before banner|before the banner|did not wait",
        ),
        rule(Cause::SpokeTooEarly, Likely)
            .codes(&[421, 521, 550, 554])
            .details(&[(5, 1)])
            .words("protocol error")
            .when(|case| case.record.has_spoken_first || case.facts.sends_at_once),
        // postscreen tests the client's manners, and refuses RCPT for what it saw of them.
        rule(Cause::SpokeTooEarly, Possible).to(&[Rcpt]).codes(&[550]).details(&[(5, 1)]).words("protocol error"),
        rule(Cause::HeaderWanted, Certain)
            .codes(&[421, 503, 550, 554])
            .words("proxy negotiation|proxy protocol|proxy header"),
        rule(Cause::BareLf, Certain).words(
            "bare lf|bare cr|bare line|bare newline|bare carriage|lone cr|lone lf|naked cr|naked lf|cr lf cr lf|\
             stray newline",
        ),
        // qmail and its kin name a page for it, and nothing else.
        rule(Cause::BareLf, Certain)
            .to(MESSAGE)
            .codes(&[451])
            .when(|case| case.exchange.reply.text().windows(6).any(|part| part == b"smtplf")),
        rule(Cause::LineTooLong, Certain)
            .codes(&[500, 501, 550, 552, 554])
            .words(
                "line too long|line is too long|lines too long|too long line|\
                 line longer|lines longer|line length|line limit|line exceeds",
            )
            .not("header"),
        rule(Cause::Loop, Certain)
            .to(TRANSACTION)
            .words("hops |hop count|loop |loops |looping|too many received|received header"),
    ])
}

/// How much, how many, how long.
pub(super) fn limits() -> Box<[Rule]> {
    Box::new([
        rule(Cause::TooManyErrors, Certain).not("login|password|attempt|auth").words(
            "too many error|too many mistake|too many syntax|too many bad|too many unrecognized|\
             too many unknown commands|too many invalid commands|too many invalid rec|too many unknown rec|\
             too many unknown user|too many invalid user|too many nonexist|too many rejected|too many nonmail|\
             too many non mail|too many protocol|too many consecutive",
        ),
        rule(Cause::AccountLocked, Certain)
            .to(LOGIN)
            .words("account locked|account is locked|account has been locked|locked out|temporarily locked"),
        rule(Cause::TooManyLogins, Certain)
            .words(
                "repeated authentication fail|repeated login|repeated fail|multiple failed|\
                 multiple authentication fail|too many login|too many auth|too many failed|too many unsuccessful|\
                 login limit exceed|failed attempts|failed logins|too many password|too many wrong|login attempts|\
                 authentication attempts",
            )
            .not("deliver|sender|recipient|concurren|simultan"),
        rule(Cause::TooManyLogins, Certain)
            .to(LOGIN)
            .words("too many|too often|maximum login|maximum number|maximum attempts|brute")
            .and("attempt|fail|invalid|incorrect|bad |auth|login|times|password|wrong")
            .not("connections|sessions|concurren|simultan"),
        rule(Cause::LoginPlace, Certain)
            .to(LOGIN)
            .words("country|region |location|geo|ip |address|network|host |from outside|abroad")
            .and(LET_OUT)
            .not("email address|blacklist|black list|listed|blocked using"),
        rule(Cause::AccountLocked, Likely).to(LOGIN).not("credits|billing").words(
            "web browser|your browser|verify your account|unusual|suspicious|restricted|has been blocked|\
             account blocked|account is blocked|for security reasons|suspend|expired|must change|\
             change your password|licen|criteria|conditional access|security defaults|activation|security policy|\
             access policy",
        ),
        rule(Cause::SessionLimit, Certain)
            .words(
                "per connection|per session|per smtp session|in this session|in one session|in a single session|\
                 in this connection",
            )
            .and("max|limit|exceed|too many|reached|only |permitted|no more than")
            .not("concurren|rate |connection limit|error"),
        rule(Cause::SessionLimit, Certain).words("too many commands"),
        rule(Cause::TooManyConnections, Certain).not("rate limit").words(
            "too many connect|too many concurrent|too many simultan|too many session|too many open|too many smtp|\
             too many parallel|too many incoming|excessive connect|connection limit|all server ports|\
             number of concurrent|number of connections|number of sessions|connection slots|no more connections",
        ),
        rule(Cause::TooManyConnections, Certain)
            .words("connection|session|concurren|simultan|parallel|processes")
            .and("maximum|limit|max |concurren|simultan|only ")
            .not("rate|frequen|timed out|timeout|time limit|message|email|mails|recipient|login|auth|closing"),
        rule(Cause::PutOff, Certain)
            .temporary()
            .words(
                "unexpected volume|excessive volume|complaints|spam report|reports of spam|abuse report|reputation|\
                 untrusted|suspicious activity|unusual traffic",
            )
            .not("resolv|unresolv|domain not"),
        rule(Cause::PutOff, Likely)
            .to(POLICY)
            .temporary()
            .words("deferred")
            .and("ip |messages from|message from")
            .not("resolv|unresolv"),
        // A large provider's server says that it is busy to those that it slows down, and names their addresses.
        rule(Cause::PutOff, Likely).to(POLICY).codes(&[421, 450, 451]).when(|case| {
            let is_slowed = |code: EnhancedCode| code.subject == 7 && (500..=699).contains(&code.detail);
            case.enhanced.is_some_and(is_slowed)
        }),
        rule(Cause::TooFast, Certain)
            .words(TIMES)
            .and("exceed|limit|maximum|max |too many|quota|allowance|reached|more than|used up|over the")
            .not("login|connection|mailbox|spam|blocked for"),
        rule(Cause::TooFast, Certain).not("mailbox|inbox|on the server|password|reputation|spam").words(
            "rate limit|ratelimit|rate exceed|exceeded the rate|receiving rate|sending rate|sending speed|\
             sender rate|message rate|connection rate|too quickly|too fast|too often|too frequent|frequency limit|\
             at a rate|unusual rate|too much mail|too many messages|too many mails|too many emails|throttl|\
             sending limit|sending quota|message quota|quota exceeded for sending|slow down|slower|slowly|\
             rate control|rate policy|flood|submission rate|policy rejection quota|email limit|outgoing limit|\
             outgoing mail limit",
        ),
        rule(Cause::TooFast, Certain)
            .words("too many recipients|too many rcpt")
            .and("from |ip |received")
            .not("from the same"),
        rule(Cause::TooFast, Certain)
            .words(
                "limit exceed|limit reached|limit is exceed|limit has been|limits exceed|limits reached|\
                 exceeded threshold|exceeded the limit|exceeds limit|exceeds the limit|exceeded limit|\
                 exceeded permitted|over the limit|limit for sending|reached the limit|reached your limit",
            )
            .not("size|storage|mailbox|quota|recipient|hop|login|length|time limit|space|line|header|bytes"),
        rule(Cause::TooFast, Likely).codes(&[421, 450, 451, 452, 550]).details(&[(7, 28)]),
        rule(Cause::AccountStopped, Certain)
            .words(
                "credits|billing|unpaid|payment|overdue|your subscription|subscription has|trial account|\
                 free trial|quota depleted|out of balance|upgrade your|buy ",
            )
            .when(|case| {
                let may_be_the_recipient = case.is_of(&[Rcpt]) && !case.exchange.granted.has(Auth);
                (case.is_of(TRANSACTION) || case.is_of(LOGIN))
                    && !(may_be_the_recipient && case.says("suspend|disabled"))
            }),
        rule(Cause::AccountStopped, Certain).to(TRANSACTION).words(
            "unusual sending|suspicious sending|bad outbound|outbound spam|tenant has exceeded|spam abuse|\
             for test purposes|your plan",
        ),
        rule(Cause::AccountStopped, Certain)
            .to(TRANSACTION)
            .words("your account|sending|outbound|to send |outgoing")
            .and(
                "activated|inactive|suspend|blocked|disabled|restricted|closed |locked|paused|terminated|\
                 not active|not allowed for this|not enabled",
            )
            .not("ip |server|host|sending domain|mta|recipient|sender|unregistered"),
        rule(Cause::AccountStopped, Likely)
            .to(TRANSACTION)
            .words("your account|your mailbox|change your password|compromised|hacked|spam")
            .not("content|message|recipient|virus")
            .when(|case| case.exchange.granted.has(Auth) && !case.is_of(MESSAGE)),
        rule(Cause::AccountStopped, Likely).to(TRANSACTION).details(&[(7, 13)]),
        rule(Cause::AccountStopped, Likely)
            .to(TRANSACTION)
            .words("not allowed to send|not permitted to send|not authorized to perform|not authorized to send")
            .not("send as|send on behalf|send from|from this|ip |spf|to send to")
            .when(|case| case.exchange.granted.has(Auth)),
        // Whoever has sent what AUTH asks for is not idle: something behind the server is late.
        rule(Cause::Idle, Certain)
            .codes(&[421])
            .words(
                "timeout exceeded|idle|command timeout|timed out|timeout waiting|timeout closing|inactivity|\
                 connection expired",
            )
            .not("connect to|connection to|scan|filter|upstream|backend|dns|lookup")
            .when(|case| !case.is_of(LOGIN)),
        rule(Cause::Idle, Certain)
            .codes(&[451])
            .words("timeout closing|timeout waiting for|connection expired")
            .not("policy|server|daemon|service|response|reply|scan|filter"),
        rule(Cause::Idle, Likely).codes(&[421]).details(&[(4, 2)]).when(|case| !case.is_of(LOGIN)),
        rule(Cause::GoingDown, Certain).temporary().words(
            "shutting down|shutdown|going down|closing down|not accepting network messages|not accepting messages|\
             maintenance",
        ),
    ])
}

/// The client's address, and its name in EHLO; an address list is told of at any command.
pub(super) fn addresses() -> Box<[Rule]> {
    Box::new([
        // Lists answer so to resolvers that many share, and to who asks too often: it says nothing of the client.
        rule(Cause::ListNotAsked, Certain).to(POLICY).words(
            "open resolver|public resolver|returnc|127 255 255|excessive number of queries|\
             excessive queries",
        ),
        rule(Cause::DomainListed, Certain)
            .to(POLICY)
            .words(LISTS)
            .and(
                "sender address|sender domain|your domain|domain @|domain is|domain has|domain present|\
                 domain listed|rhsbl|dbl |surbl|uribl|url|uri |link |helo command",
            )
            .not("ip |client host"),
        rule(Cause::DomainListed, Likely)
            .to(&[Mail])
            .words("domain ")
            .and("blacklisted|black listed|blocklisted|denylisted|is listed")
            .not("ip |client|host|your"),
        rule(Cause::SenderRefused, Likely)
            .to(POLICY)
            .words("sender|email address|mail address|from address|envelope from|your domain")
            .and("blacklist|black list|blocklist|denylist|block list|deny list")
            .not("ip |host|client|server|spamhaus|dnsbl|rbl|sender ip"),
        rule(Cause::Reputation, Certain).to(POLICY).permanent().words("reputation").not("blocked using"),
        rule(Cause::Reputation, Likely).to(POLICY).words("domain").and(
            "newly registered|newly observed|newly created|recently registered|recently created|younger than|\
             domain age|too new|too young",
        ),
        rule(Cause::BlockListed, Certain).to(POLICY).words(LISTS).not("may be |not listed|tenant|your organization"),
        rule(Cause::HelloName, Likely)
            .to(HELLO)
            .words("helo |ehlo |fqdn|fully qualified|invalid name|domain name|invalid domain|hostname")
            .not(
                "can not find|reverse|ptr |blocked|first|already|duplicate|later|closing|understood|recogn|\
                 unknown command",
            )
            .when(|case| has_name(case) && !is_container_name(case) && !case.says(HELLO_NAMES)),
        rule(Cause::NoReverseName, Certain)
            .to(POLICY)
            .words("client|ip |your host|your server|connecting host")
            .and(
                "dns lookup|dns fail|not resolve|must resolve|no name|no dns|reverse|unresolv|not have a name|\
                 not have a host|unknown host",
            )
            .not("helo|sender|spf|relay|dynamic|generic|dial|block|listed|contains your|contains the"),
        rule(Cause::NoReverseName, Certain)
            .to(POLICY)
            .words(
                "reverse dns|rdns|reverse host|reverse lookup|reverse name|reverse record|reverse ip|ptr |fcrdns|\
                 ip name lookup|can not find your reverse|forged hostname|your hostname|\
                 client hostname|hostname of|can not resolve your|valid hostname|unable to resolve your|\
                 no host name",
            )
            .not("relay|dynamic|generic|dial|contains your|contains the|your ehlo|your helo"),
        rule(Cause::DirectSending, Certain).to(POLICY).words(
            "email directly|mail directly|dynamic|dial up|dialup|residential|generic hostname|generic dns|\
             generic ptr|generic rdns|relay at your|your isp|your provider|transient ip|smarthost|broadband|\
             consumer|contains your ip|contains the ip|and a country code",
        ),
        rule(Cause::NoReverseName, Likely).details(&[(7, 25)]),
        // The name in EHLO: some servers put its refusal off until RCPT.
        rule(Cause::ContainerName, Likely).to(NAMED).words(HELLO_NAMES).when(is_container_name),
        rule(Cause::HelloName, Certain)
            .to(NAMED)
            .words(HELLO_NAMES)
            .not("callback|callout|duplicate|already")
            .when(has_name),
        rule(Cause::HelloName, Likely)
            .to(&[Mail, Rcpt])
            .codes(&[450, 501, 504, 550, 553, 554])
            .words("helo |ehlo ")
            .not("first|callback|callout|before|relay|obtained|already")
            .when(|case| {
                let text = case.exchange.reply.text().to_ascii_lowercase();
                !text.windows(5).any(|part| part == b"helo=" || part == b"ehlo=")
            }),
        rule(Cause::HelloName, Likely).to(HELLO).codes(&[504]),
        rule(Cause::NoHelloName, Certain).to(HELLO).codes(&[500, 501]).when(|case| !has_name(case)),
        rule(Cause::ClientRefused, Likely)
            .to(&[Greeting, Ehlo, Helo])
            .permanent()
            .words("block|bann|denied|refus|access"),
        rule(Cause::ClientRefused, Likely)
            .to(&[Greeting])
            .permanent()
            .words("reject|approved|not allow|filter|policy|spam|not authorized|forbid"),
        rule(Cause::HelloName, Possible)
            .to(HELLO)
            .codes(&[450, 501, 550, 553, 554])
            .not("already|duplicate|unavailable|later|not available|busy|spam")
            .when(has_name),
        // A port of submission that is for who has logged in refuses the others by their address.
        rule(Cause::AuthNeeded, Likely)
            .to(&[Mail, Rcpt])
            .permanent()
            .words("client host rejected access denied")
            .when(|case| case.is_submission() && case.could_log_in()),
        rule(Cause::ClientRefused, Certain).to(POLICY).permanent().words(
            "client host rejected|traffic not accepted from this ip|host is not allowed|client host blocked|\
             administratively prohibited|administratively denied",
        ),
        // EHLO that is not known: whose real answer comes after it is.
        rule(Cause::ReplyTooMany, Likely).to(&[Ehlo]).codes(&[500, 501, 502, 503, 554]).when(|case| {
            let is_out = |exchange: &Exchange| exchange.answer.meaning() == Meaning::OutOfStep;
            case.record.refusals.iter().chain(&case.record.last).any(is_out)
        }),
        rule(Cause::NoEhlo, Certain).to(&[Ehlo]).codes(&[500, 502]),
        rule(Cause::NoLhlo, Likely).to(&[Lhlo]).codes(&[500, 501, 502, 503, 504]),
        // HELO is what every server of SMTP knows; FTP, which does not, has no enhanced status codes.
        rule(Cause::SpeaksLmtp, Likely).to(&[Helo]).codes(&[500, 502]).details(&[(5, 1), (5, 2)]),
    ])
}

/// What is said of an address or a network, once nothing more particular is.
pub(super) fn others() -> Box<[Rule]> {
    Box::new([
        rule(Cause::NoIpv6, Certain)
            .to(POLICY)
            .words("ipv6")
            .and("not accept|not support|unsupported|not allow|disabled|not process"),
        rule(Cause::BlockListed, Likely)
            .to(POLICY)
            .permanent()
            .words("ip ")
            .and("block|bann|denied")
            .not("relay|country|region")
            .when(|case| case.exchange.reply.text().windows(4).any(|part| part == b"http")),
        rule(Cause::PutOff, Likely)
            .to(POLICY)
            .temporary()
            .words("ip |your server|your network|blocked see|block see")
            .and("block|bann"),
        rule(Cause::BlockListed, Likely)
            .to(POLICY)
            .permanent()
            .words("blocked see|block see|refused see|blocked for abuse"),
        rule(Cause::ClientRefused, Likely)
            .to(POLICY)
            .words(
                "ip |client|your server|your host|your mail server|mta |remote host|remotehost|\
                 sending server|mail server ip|network|country|region |geo|to connect",
            )
            .and(REFUSED)
            .not("relay|recipient|sender address|mailbox|content|message|virus|user"),
        rule(Cause::ClientRefused, Likely)
            .to(POLICY)
            .words("ip |client|your server|your host|your network|your access|your mail server")
            .and(
                "whitelist|allowlist|allow list|white list|permanently deferred|\
                 has been rejected|not be accepted|no access|invalid ip|bad sender ip|mismatch|suspicious",
            ),
        // A connector of the recipient's takes mail of certain addresses or certificates only.
        rule(Cause::ClientRefused, Likely).to(POLICY).details(&[(7, 51)]),
        rule(Cause::ClientRefused, Likely).to(POLICY).words("ip |intrusion|firewall").and("filter|intrusion|firewall"),
        rule(Cause::SpamSource, Likely)
            .to(&[Greeting, Ehlo, Helo, Mail, Rcpt, Data])
            .permanent()
            .words("spam|abusive|for abuse|unsolicited|junk|karma"),
        rule(Cause::Busy, Likely)
            .to(&[Greeting])
            .codes(&[420, 421, 450, 451])
            .not("log fail|unexpected|failure|internal|exception"),
        rule(Cause::NoServiceHere, Certain).to(&[Greeting]).codes(&[521, 550, 553, 554, 556]),
        rule(Cause::NoServiceHere, Likely).to(&[Greeting]).codes(&[500, 501, 502, 503, 504]),
    ])
}

fn has_name(case: &Case<'_>) -> bool {
    !case.exchange.commands.name.is_empty()
}

/// Twelve hexadecimal digits: what containers are called.
fn is_container_name(case: &Case<'_>) -> bool {
    let name = &case.exchange.commands.name;
    name.len() == 12 && name.iter().all(u8::is_ascii_hexdigit)
}

/// Where the name that the client gave may be refused.
const NAMED: &[Request] = &[Ehlo, Helo, Lhlo, Mail, Rcpt, EndOfData];
const HELLO_NAMES: &str = "helo command rejected|ehlo command rejected|invalid helo|invalid ehlo|bad helo|bad ehlo|\
 your helo|your ehlo|in helo|in ehlo|helo argument|ehlo argument|helo ehlo|ehlo helo|helo name|ehlo name|\
 helo hostname|helo domain|ehlo domain|helo should|ehlo should|helo must|ehlo must|helo is|ehlo is|forged helo|\
 fake helo|fully qualified hostname";
