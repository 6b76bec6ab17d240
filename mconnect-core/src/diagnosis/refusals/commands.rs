//! Refusals of commands: TLS and AUTH wanted, a wrong order, AUTH itself, syntax.

use super::wording::{OFF, REFUSED};
use super::{Case, ENVELOPE, LOGIN, POLICY, Rule, TRANSACTION, rule};
use crate::diagnosis::{Cause, Certainty, token};
use crate::protocol::Request;

use Certainty::{Certain, Likely, Possible};
use Request::{Auth, AuthAnswer, Bdat, Data, EndOfData, Mail, Other, Rcpt, StartTls};

/// What has to come before.
pub(super) fn wanted() -> Box<[Rule]> {
    Box::new([
        rule(Cause::TlsForAuth, Certain)
            .to(LOGIN)
            .words("starttls|tls|ssl|encryption|encrypted|secure connection|secure channel")
            .and("must|require|need|first|only|mandatory|enforce|after|without|not |use ")
            .when(|case| !case.exchange.is_tls),
        rule(Cause::TlsForAuth, Likely).to(LOGIN).codes(&[523, 530, 534, 538]).when(|case| {
            !case.exchange.is_tls
                && case.could_start_tls()
                && case.enhanced.is_none_or(|code| matches!((code.subject, code.detail), (7, 0 | 9 | 10 | 11)))
        }),
        rule(Cause::StartTlsNeeded, Certain)
            .to(POLICY)
            .words("starttls|tls|ssl|encryption|encrypted|unencrypted|secure connection|secure channel")
            .and(
                "must|require|need|first|mandatory|compulsory|enforce|only|without|not sent over|over a tls|\
                 over tls|unencrypted|not using|not encrypted|not over|use |before|lack",
            )
            .not("auth command|version|cipher")
            .when(|case| !case.exchange.is_tls),
        rule(Cause::StartTlsNeeded, Likely)
            .to(POLICY)
            .words(
                "plain text session|plain text connection|plaintext session|plaintext connection|cleartext|clear text",
            )
            .and(REFUSED)
            .when(|case| !case.exchange.is_tls),
        rule(Cause::StartTlsNeeded, Likely).to(ENVELOPE).details(&[(7, 10)]).when(|case| !case.exchange.is_tls),
        rule(Cause::SenderNotOwned, Certain).to(&[Mail, Rcpt, Data, EndOfData, Bdat]).words(
            "not owned by|sendasdenied|send as this sender|not allowed to send as|not authorized to send as|\
             not permitted to send as|disallowed as|must match authenticated|\
             match the authenticated|does not own|send mail as|you have logged in with|you are logged in with",
        ),
        rule(Cause::SenderNotOwned, Likely)
            .to(TRANSACTION)
            .words(
                "send as|send from|send on behalf|send only|sent from|sender|header address|mail from|\
                 relay|from |only send",
            )
            .and(
                "own |match|mismatch|same as|not allow|not permit|not authorized|unauthorized|reject|denied|differ|\
                 not belong|must be|disallow|only send|send only",
            )
            .not(
                "verif|recipient|suspend|locked|disabled|blocked|domain not|ip |spam|list|confirm|signature|\
                 registered|identity|unauthenticated|outbound",
            )
            .when(|case| case.exchange.granted.has(Auth) && (case.request == Some(Mail) || !case.says("relay"))),
        rule(Cause::SenderNotOwned, Likely)
            .to(&[Mail])
            .words("not your|belongs to another|of another user|of somebody else")
            .when(|case| case.exchange.granted.has(Auth)),
        rule(Cause::SenderNotVerified, Certain).to(TRANSACTION).words(
            "email address is not verified|identities failed the check|match a verified|sender not verified|\
             unverified sender",
        ),
        rule(Cause::SenderNotVerified, Likely)
            .to(TRANSACTION)
            .words("domain|sender|from |identity|signature")
            .and(
                "unverified|not verified|not been verified|not confirmed|unconfigured|sender signature|\
                 unregistered|not registered|awaits verif|awaiting verif|pending verif|verification pending|\
                 must be verified|not been added|not added|not validated|not set up|not found in your|not approved",
            )
            .not("recipient|unverified address|dkim|spf|dmarc|ptr|verification|reverse"),
        // A group takes mail of senders whom its own server knows: no login here makes one of a stranger.
        rule(Cause::RecipientRestricted, Certain).to(&[Rcpt, Data, EndOfData, Bdat]).words(
            "restriction check|resolver rst sender|resolver rst auth|resolver rst not|when sending to this|\
             restricted to sender|restricted recipient|only accepts messages from|only accepts mail from|\
             only accepting mail from|allowed senders|permission to send to|\
             permissions to send to|allowed to send to|authorized to send to|allowed to post|not permitted to post|\
             sender not pre approved|members only",
        ),
        rule(Cause::RecipientRestricted, Likely)
            .to(&[Rcpt, Data, EndOfData, Bdat])
            .words("list |group|members|moderat|outside|external sender|internal")
            .and(
                "only |member|not subscribed|not a subscriber|closed |not accept|can not post|post refused|\
                 not allowed to post|restricted|may post",
            )
            .not("block|spam|error|ip |server|fail|resources|service"),
        rule(Cause::RecipientRestricted, Likely)
            .to(&[Rcpt, EndOfData])
            .permanent()
            .words(
                "only from|only accept|accepts only|known senders|approved|contacts|challenge|trusted senders|\
                 external senders",
            )
            .not("ip |server|tls|ssl|encrypt|authenticat|host"),
        rule(Cause::RecipientRestricted, Likely)
            .to(&[Rcpt, EndOfData, Bdat])
            .words("only ")
            .and("may write|may send|may post|may mail|can write|can send|can post|post refused")
            .not("ip |tls|login|logged"),
        rule(Cause::RecipientRestricted, Likely).to(&[Rcpt, EndOfData]).details(&[
            (7, 2),
            (7, 124),
            (7, 129),
            (7, 133),
            (7, 134),
            (7, 135),
            (7, 136),
            (7, 193),
        ]),
        // Servers add to a refusal to relay that a login would help, whether or not there is one.
        rule(Cause::AuthNeededInTls, Certain)
            .to(&[Mail, Rcpt, Data])
            .words(WANTS_LOGIN)
            .when(|case| wants_login(case) && case.could_start_tls() && !case.offers("AUTH")),
        rule(Cause::AuthNeeded, Certain).to(TRANSACTION).words(WANTS_LOGIN).when(wants_login),
        rule(Cause::AuthNeeded, Likely)
            .to(TRANSACTION)
            .words("auth |authenticate|authentication|login|log in|logged in|credentials|unauthenticated")
            .and(
                "must|need|require|first|please|before|without|not allowed|unauthenticated|not authenticated|\
                 not logged|turn on|turned on|switch on|enable",
            )
            .not("recipient|group|organization|results|email has|message|with either|level|signature|virus")
            .when(wants_login),
        rule(Cause::StartTlsNeeded, Likely)
            .to(ENVELOPE)
            .codes(&[530])
            .when(|case| !case.exchange.is_tls && case.offers("STARTTLS")),
        rule(Cause::AuthNeeded, Likely)
            .to(&[Mail, Rcpt, Data])
            .codes(&[530])
            .when(|case| !case.exchange.granted.has(Auth)),
    ])
}

/// Commands out of order, STARTTLS and AUTH.
pub(super) fn rules() -> Box<[Rule]> {
    Box::new([
        rule(Cause::AuthTwice, Certain).to(&[Auth]).codes(&[503]).when(|case| case.exchange.granted.has(Auth)),
        rule(Cause::HelloFirst, Certain)
            .to(BEHIND_HELLO)
            .codes(&[503])
            .words("helo|ehlo|hello|polite")
            .when(|case| !case.has_had_hello()),
        rule(Cause::HelloFirst, Likely)
            .to(BEHIND_HELLO)
            .codes(&[503])
            .not("recipient|rcpt|mail")
            .when(|case| !case.has_had_hello()),
        rule(Cause::NestedMail, Certain)
            .to(&[Mail])
            .codes(&[503])
            .when(|case| case.exchange.granted.has(Mail) && !case.exchange.granted.has(Bdat)),
        rule(Cause::MailFirst, Certain)
            .to(&[Rcpt, Data, Bdat])
            .codes(&[503])
            .when(|case| !case.exchange.granted.has(Mail)),
        rule(Cause::RcptFirst, Certain)
            .to(&[Data, Bdat])
            .codes(&[503, 554])
            .when(|case| !case.exchange.granted.has(Rcpt)),
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
        rule(Cause::AppPassword, Certain)
            .to(LOGIN)
            .words(
                "app specific|invalidsecondfactor|authorization code|authorized code|parol prilozheniya|\
                 second factor|2fa|two factor|two step|2 step|multi factor",
            )
            .not("incorrect username or"),
        rule(Cause::AuthNotOffered, Likely).to(&[Auth]).codes(&[500, 502, 503, 504, 538]).when(|case| {
            case.exchange.extensions.is_some()
                && !case.offers("AUTH")
                && (case.exchange.is_tls || !case.offers("STARTTLS"))
        }),
        rule(Cause::TlsForAuth, Likely)
            .to(&[Auth])
            .codes(&[500, 502, 503, 504, 538])
            .when(|case| !case.offers("AUTH") && case.could_start_tls()),
        rule(Cause::AppPassword, Certain)
            .to(LOGIN)
            .words("password")
            .and("app |apps |application|device|external|dedicated|generated")
            .not("incorrect username or|switched off|disabled"),
        rule(Cause::AuthNotOffered, Certain).to(LOGIN).words("on port 25|port 25 |use port|use 587"),
        rule(Cause::LoginsDisabled, Certain)
            .to(LOGIN)
            .words("oauth|modern auth")
            .and("use |only |require|must|switch")
            .when(|case| !case.exchange.commands.mechanism.contains("OAUTH")),
        rule(Cause::LoginsDisabled, Certain)
            .to(LOGIN)
            .words(
                "smtpclientauthentication|basic auth|smtp auth|password authentication|legacy auth|\
                 plain authentication|login method",
            )
            .and("disabled|not allowed|not enabled|not supported|turned off|deprecated"),
        rule(Cause::LoginsDisabled, Certain).to(LOGIN).details(&[(7, 139)]).words("disabled").not("account"),
        rule(Cause::LoginsDisabled, Likely).to(LOGIN).words(
            "access rights|not have access|no permission|permission denied|not authorized to use|\
             not allowed to use|not enabled|not activated|auth enabled|must be enabled|be activated|enable smtp|\
             smtp access|switched off|turned off|not allowed for this|not permitted for this|not allowed to log|\
             not allowed to auth|not permitted to|smtp service|please enable|enable imap|enable pop|enable access|\
             turn on smtp",
        ),
        rule(Cause::LoginsDisabled, Likely)
            .to(LOGIN)
            .words("smtp |access to|service|submission|imap|protocol|mail clients|mail programs")
            .and("off |disabled|not enabled|not allow|not permit|forbid|prohibit|denied|not active|permission|rights")
            .not("password|credential|username|ip |account|temporar|unavailable"),
        rule(Cause::AccountLocked, Certain).to(LOGIN).words("account|mailbox").and(OFF),
        rule(Cause::AccountLocked, Certain).to(LOGIN).details(&[(7, 13)]),
        rule(Cause::AccountLocked, Likely).to(LOGIN).codes(&[525]),
        rule(Cause::AccountLocked, Likely)
            .to(LOGIN)
            .words("locked|suspended|deactivated|inactive|disabled|not active|not yet activated")
            .not("database|backend"),
        rule(Cause::LoginsDisabled, Possible).to(&[Auth]).codes(&[504]).when(|case| {
            case.mechanisms().iter().any(|name| name.eq_ignore_ascii_case(&case.exchange.commands.mechanism))
        }),
        rule(Cause::BadBase64, Certain).to(LOGIN).words("base64|can not decode|unable to decode|decoding"),
        rule(Cause::BadBase64, Likely).to(&[AuthAnswer]).codes(&[501]).details(&[(5, 2)]),
        // What SASL's own library says where it is set up wrongly.
        rule(Cause::LoginServiceDown, Certain).to(LOGIN).words(
            "no mechanism available|no worthy mechs|generic failure|bad protocol|internal|can not connect to|\
             unable to open|unable to connect|connection lost|connection refused",
        ),
        rule(Cause::LoginServiceDown, Likely)
            .to(LOGIN)
            .words("busy|temporar|unable to initialize|try again later|not available|unavailable|backend")
            .not("password|reason unavailable"),
        rule(Cause::LoginServiceDown, Certain).to(LOGIN).codes(&[421, 432, 435, 450, 451, 454]).not("tls 1|transition"),
        rule(Cause::MechanismTooWeak, Certain).to(LOGIN).words("mechanism").and("too weak|is weak|not strong"),
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
        // What is offered, and not there, is a matter of the login service.
        rule(Cause::LoginServiceDown, Likely)
            .to(LOGIN)
            .words("mechanism|authentication type|auth type|authentication method|auth method")
            .and("invalid|unknown|unsupported|not support|unrecogn|not implement"),
        rule(Cause::BadLoginHashed, Likely)
            .to(LOGIN)
            .words("no secret in database")
            .when(|case| case.mechanisms().iter().any(|name| name.eq_ignore_ascii_case("PLAIN"))),
        rule(Cause::BadLoginHashed, Possible).to(LOGIN).codes(&[535]).when(|case| {
            let is_of_plain_passwords = ["CRAM-MD5", "DIGEST-MD5"].contains(&case.exchange.commands.mechanism.as_str());
            is_of_plain_passwords && case.mechanisms().iter().any(|name| name.eq_ignore_ascii_case("PLAIN"))
        }),
        rule(Cause::BadLogin, Likely)
            .to(LOGIN)
            .codes(&[535])
            .words("incorrect|wrong|username and password|invalid user|invalid login|invalid pass|invalid cred|bad "),
        rule(Cause::BadLogin, Likely).to(LOGIN).codes(&[535]).not(OTHERWISE),
        // What else it speaks of may be the cause.
        rule(Cause::BadLogin, Possible).to(LOGIN).codes(&[535]).not("login limit|limit reached|quota"),
        rule(Cause::BadLogin, Likely).to(LOGIN).details(&[(7, 8)]),
        rule(Cause::BadLogin, Likely)
            .to(LOGIN)
            .words(
                "password|username|user name|credential|authenticat|bad auth|login|auth fail|invalid user|unknown user",
            )
            .not("transition|login limit"),
        rule(Cause::UnknownCommand, Certain)
            .to(&[Other])
            .codes(&[500, 502])
            .words("unrecogn|not recogn|unknown|invalid command|bad command|not understood|syntax error|bad syntax"),
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
            "fully qualified address|fully qualified email|domain name required|must contain a domain|\
             missing domain|unqualified address|domain part|domain required|domain is missing|\
             must be fully qualified|full address|complete address",
        ),
        rule(Cause::AddressSyntax, Certain).to(ENVELOPE).codes(&[501, 513, 553, 571]).details(&[(1, 3), (1, 7)]),
        rule(Cause::AddressSyntax, Likely)
            .to(TRANSACTION)
            .words("address|mailbox|recipient|invalid mail from|invalid rcpt|local part|user name")
            .and(
                "syntax|malformed|invalid format|illegal character|invalid character|contains spaces|not parse|\
                 wrong format",
            )
            .not("header|from field|temporar|dns "),
        rule(Cause::AddressSyntax, Likely)
            .to(ENVELOPE)
            .codes(&[501])
            .words("address|mailbox|invalid mail from|invalid rcpt")
            .not(REFUSED),
    ])
}

fn says_policy(case: &Case<'_>) -> bool {
    case.enhanced.is_some_and(|code| code.subject == 7)
}

/// Says whether words of a login can mean that one is wanted: not those on how a mail is authenticated, nor those that
/// follow a refusal to relay.
fn wants_login(case: &Case<'_>) -> bool {
    !case.exchange.granted.has(Auth) && !case.says("dmarc|spf |dkim|relaying denied|relay access denied")
}

const WANTS_LOGIN: &str = "authentication required|authentication is required|authentication needed|must authenticate|\
 requires authentication|require authentication|not logged in|log in first|login first|please authenticate|\
 auth required|smtp auth|not authenticated|unauthenticated senders|without authentication|authenticate first|\
 must be authenticated|authorization required|auth command first|auth first|check for new mail|check your mail|\
 pop before smtp|anonymous users|anonymous senders|please log in|please login|must log in|must login";
/// What replies of 535 speak of if it is not user or password.
const OTHERWISE: &str = "enable|location|limit|quota|port |mechanism|policy|policies|admin|contact|support|licen|\
 subscription|your ip|from your|only |must |first|log in|device|allowed|plan |service|\
 abroad|foreign|country|block|activation|pending|approv";
/// The commands that EHLO comes before.
const BEHIND_HELLO: &[Request] = &[Mail, Rcpt, Data, Bdat, Auth, StartTls];
