//! Why a session failed: causes, as values, out of what was said and what is known.
//!
//! ```text
//!   Session ──Event──► Evidence ────┐
//!   Error ───────────► Evidence ────┼──► at most three Findings: a Cause, how sure, the evidence, what to do
//!   command line, machine ─► Facts ─┘
//! ```
//!
//! Nothing is asked of anybody here: there is no I/O. What shows no cause has no finding, and a session that went well
//! has none. The causes and all their words stand together in one table; what replies mean, in another. A refusal that
//! fits no row of that has the meaning of its code ([`explain`](crate::protocol::explain)).
//!
//! ```
//! # #[cfg(feature = "server")] {
//! use std::time::Duration;
//!
//! use mconnect_core::diagnosis::{Cause, Certainty, Evidence, Facts};
//! use mconnect_core::{Connect, Error, Timeouts, server::Server};
//!
//! // A server that wants a login, and one that says nothing.
//! let server = Server::play("S: 220 mx\nC: EHLO me\nS: 250 AUTH PLAIN\nC: MAIL FROM:<a@example.org>\nS: 530 5.7.0 no")?;
//! let evidence = Evidence::new();
//! let mut session = Connect::new("127.0.0.1", server.port()).observer(evidence.clone()).open()?;
//! session.greeting()?;
//! session.command("EHLO me")?;
//! session.command("MAIL FROM:<a@example.org>")?;
//! let found = &evidence.findings(&Facts::new())[0];
//! assert_eq!((found.cause, found.certainty), (Cause::AuthNeeded, Certainty::Likely));
//! assert_eq!(found.to_string(), "probably the server wants a login first: authenticate");
//!
//! let silent = Server::play("C: *close*")?;
//! let evidence = Evidence::new();
//! let timeouts = Timeouts::default().replies(Duration::from_millis(50));
//! let connect = Connect::new("127.0.0.1", silent.port()).timeouts(timeouts).observer(evidence.clone());
//! if let Err(error) = connect.open().and_then(|mut session| session.greeting()) {
//!     evidence.failed(&error);
//! }
//! assert_eq!(evidence.findings(&Facts::new())[0].cause, Cause::SilentGreeting);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # In which order
//!
//! 1. What kept a session from being one at all: no connection, a server of another protocol, a failed handshake. Where
//!    there is such a finding, nothing else is looked at but the certificates.
//! 2. The first refusal of a transaction that no other reply made up for, since what follows is its consequence.
//! 3. How the session ended, if it ended before its time.
//!
//! # What each cause rests on
//!
//! Words of the server's own are looked for in all the lines of a reply, whatever their case, and come before codes: what
//! is spoken of, and what is said of it. Where they say nothing in particular, the cause is what the usual ones have in
//! common. "A code" is a reply code or an enhanced status code ([RFC 3463](https://www.rfc-editor.org/rfc/rfc3463)), whose first
//! digit is that of the reply.
//!
//! ## Names and connections
//!
//! | cause | evidence |
//! |---|---|
//! | [NoSuchName](Cause::NoSuchName) | the resolver says that there is none |
//! | [NameWithoutAddress](Cause::NameWithoutAddress) | the resolver says that the name has no address |
//! | [ResolverSilent](Cause::ResolverSilent) | the resolver took too long, or says "try again" |
//! | [SearchDomain](Cause::SearchDomain) | the name that was tried is the one that was written, with more behind it ([`Facts::host`]) |
//! | [OtherFamily](Cause::OtherFamily) | the name has addresses, and none of them was tried |
//! | [NoListener](Cause::NoListener) | the connection was refused: surely, by this machine; probably, from elsewhere |
//! | [OtherLoopback](Cause::OtherLoopback) | the same, and another address here answers ([`Facts::also_listening`]) |
//! | [OwnName](Cause::OwnName) | the same, from an address in 127.0.0.0/8 that a name led to, other than 127.0.0.1 |
//! | [InContainer](Cause::InContainer) | the same, from a loopback address in a container ([`Facts::in_container`]) |
//! | [Port25Blocked](Cause::Port25Blocked) | every address elsewhere was silent at port 25; of one alone, it is a guess |
//! | [NoAnswer](Cause::NoAnswer) | no answer to connecting in time |
//! | [Dead6](Cause::Dead6) | the same by IPv6, where the name has an address of IPv4 as well |
//! | [NoRoute6](Cause::NoRoute6) | an IPv6 address has no route, or nothing here can be its source |
//! | [NoRoute](Cause::NoRoute) | the system has no route |
//! | [Unreachable](Cause::Unreachable) | the system says that the host is unreachable |
//! | [Forbidden](Cause::Forbidden) | the system does not permit the connection |
//! | [SourceNotHere](Cause::SourceNotHere) | the address to connect from ([`Facts::source`]) is not available |
//! | [PortsUsedUp](Cause::PortsUsedUp) | none is, though none was asked for |
//! | [FilesUsedUp](Cause::FilesUsedUp) | EMFILE or ENFILE |
//! | [ProxyUnreachable](Cause::ProxyUnreachable), [ProxyLogin](Cause::ProxyLogin), [ProxyRefuses](Cause::ProxyRefuses), [ProxyFails](Cause::ProxyFails), [NoProxy](Cause::NoProxy) | what came of a proxy ([`ProxyError`](crate::ProxyError)) |
//! | [NoSocket](Cause::NoSocket) | nothing is at the path of a UNIX socket |
//! | [NobodyAtSocket](Cause::NobodyAtSocket) | connecting to a UNIX socket was refused |
//! | [SocketForbidden](Cause::SocketForbidden) | the system does not permit connecting to a UNIX socket |
//! | [CommandNotFound](Cause::CommandNotFound) | the session ended before its time, and the process with exit status 127 |
//! | [ProcessFailed](Cause::ProcessFailed) | the same, with another status than 0, or by a signal |
//!
//! ## Who is there
//!
//! | cause | evidence |
//! |---|---|
//! | [OtherProtocol](Cause::OtherProtocol) | the first octets ([`protocol_of`]); no greeting at the port of a protocol whose clients speak first; of FTP, whose greeting has SMTP's code, a refusal as well |
//! | [SpeaksLmtp](Cause::SpeaksLmtp) | the greeting says LMTP, and EHLO or HELO was refused; 500 or 502 to HELO |
//! | [TlsExpected](Cause::TlsExpected) | a record of TLS in the clear; silence at port 465; a server that closes once it is spoken to |
//! | [PlainExpected](Cause::PlainExpected) | a handshake was answered by a reply |
//! | [RefusedInPlain](Cause::RefusedInPlain) | by a refusal that is about something else than the handshake |
//! | [Inspected](Cause::Inspected) | the greeting is asterisks for the most part, or keywords in the reply to EHLO are X's, and something was refused |
//! | [NulInReply](Cause::NulInReply) | a line begins with NUL |
//! | [CrAlone](Cause::CrAlone) | what has no LF has a CR in it |
//! | [LineWithoutEnd](Cause::LineWithoutEnd) | silence behind half a line |
//! | [GreetingWithoutEnd](Cause::GreetingWithoutEnd) | silence behind lines of a greeting that all have a hyphen |
//! | [ReplyWithoutEnd](Cause::ReplyWithoutEnd) | the same of another reply |
//!
//! ## Who closes, and who is silent
//!
//! Told by where the session stood and for how long; a reset counts as closing. The error has to be handed over
//! ([`Evidence::failed`]): an observer sees no deadline.
//!
//! | cause | evidence |
//! |---|---|
//! | [ClosedAtOnce](Cause::ClosedAtOnce) | closed before the greeting, within a second of connecting |
//! | [ClosedWaiting](Cause::ClosedWaiting) | closed before the greeting, later than that |
//! | [SilentGreeting](Cause::SilentGreeting) | no octet of a greeting in time |
//! | [ClosedInGreeting](Cause::ClosedInGreeting) | closed in the middle of it |
//! | [ClosedAfterGreeting](Cause::ClosedAfterGreeting) | closed within a second of it, before anything was sent or without an answer to the first command: the two may have passed each other on the way. A header that was sent ([`Facts::sends_header`]) is named |
//! | [ClosedInHandshake](Cause::ClosedInHandshake) | closed in a handshake after STARTTLS, or a reply in plain text there |
//! | [SilentHandshake](Cause::SilentHandshake) | no answer in one |
//! | [ClosedInTlsFirst](Cause::ClosedInTlsFirst) | closed in a handshake before the greeting |
//! | [SilentTlsFirst](Cause::SilentTlsFirst) | no answer in one |
//! | [ClosedAtAuth](Cause::ClosedAtAuth) | closed while a reply to AUTH, or to an answer in it, was due |
//! | [ClosedInMessage](Cause::ClosedInMessage) | closed before the lone dot was sent |
//! | [ClosedAfterMessage](Cause::ClosedAfterMessage) | closed after it, and before its reply: nobody knows whether the message was taken |
//! | [SilentMessage](Cause::SilentMessage) | no reply to it in time |
//! | [ClosedAtCommand](Cause::ClosedAtCommand) | closed while the reply to another command was due |
//! | [SilentAuth](Cause::SilentAuth) | no reply to AUTH, or to an answer in it, in time |
//! | [SilentCommand](Cause::SilentCommand) | no reply to one in time |
//! | [ClosedIdle](Cause::ClosedIdle) | closed while none was, a second or more after the last |
//! | [CutInTls](Cause::CutInTls) | the same, inside TLS without a close_notify |
//!
//! ## Refused as a client
//!
//! | cause | evidence |
//! |---|---|
//! | [TooManyConnections](Cause::TooManyConnections) | words on connections or sessions, from here or in all |
//! | [TooManyErrors](Cause::TooManyErrors) | words on errors, with 421, 451, 550 or 554: the first of them is the cause |
//! | [SessionLimit](Cause::SessionLimit) | words on a connection or session, with a limit |
//! | [TooFast](Cause::TooFast) | words on rates, and on limits together with a time; X.7.28 |
//! | [Idle](Cause::Idle) | 421 with words, or 4.4.2, unless AUTH is what was answered; 451 with words |
//! | [GoingDown](Cause::GoingDown) | words; 421 with 4.3.2 |
//! | [Deferred](Cause::Deferred) | 4yz with words on a later time, or X.7.0 and X.7.1, and none that say more |
//! | [Busy](Cause::Busy) | words; 4yz in the greeting; any 421 that says no more |
//! | [PutOff](Cause::PutOff) | 4yz with words on volume, complaints or reputation; 4.7.500 to 4.7.699 |
//! | [NoServiceHere](Cause::NoServiceHere) | 5yz in the greeting that says no more |
//! | [DomainListed](Cause::DomainListed) | words on lists, with a domain, a link or the sender |
//! | [BlockListed](Cause::BlockListed) | names of lists, and words on them; an IP address that is blocked, with a page to read |
//! | [ListNotAsked](Cause::ListNotAsked) | words of lists on the resolver that asked them |
//! | [SpamSource](Cause::SpamSource) | words on spam before a message was sent |
//! | [Reputation](Cause::Reputation) | the word, with 5yz; words on a domain that is new |
//! | [NoIpv6](Cause::NoIpv6) | the word, and that it is not taken |
//! | [HeaderWanted](Cause::HeaderWanted) | words on the negotiation of a proxy |
//! | [HeaderUnwanted](Cause::HeaderUnwanted) | one was sent ([`Facts::sends_header`]), and something was answered that nobody asked |
//! | [ClientRefused](Cause::ClientRefused) | words on access lists, or on an address or a network, and that it is refused; X.7.51 |
//! | [DirectSending](Cause::DirectSending) | words on sending directly, and on dynamic addresses |
//! | [NoReverseName](Cause::NoReverseName) | words on PTR; X.7.25 |
//! | [HelloName](Cause::HelloName) | words on the name in EHLO, at any command up to RCPT; 504 to EHLO; as a guess, another refusal of it |
//! | [ContainerName](Cause::ContainerName) | the same words, and the name is twelve hexadecimal digits, as containers are called |
//! | [NoHelloName](Cause::NoHelloName) | 500 or 501 to EHLO or HELO without a name |
//! | [NoEhlo](Cause::NoEhlo) | 500 or 502 to EHLO |
//! | [NoLhlo](Cause::NoLhlo) | 50z to LHLO |
//! | [ReplyTooMany](Cause::ReplyTooMany) | EHLO is refused, and a reply out of step came |
//! | [SpokeTooEarly](Cause::SpokeTooEarly) | words; X.5.1 where the client did speak first |
//!
//! ## Refused commands
//!
//! | cause | evidence |
//! |---|---|
//! | [HelloFirst](Cause::HelloFirst) | 503, and neither EHLO nor HELO was granted |
//! | [MailFirst](Cause::MailFirst) | 503 to RCPT, DATA or BDAT, and no MAIL was granted |
//! | [RcptFirst](Cause::RcptFirst) | 503 or 554, and no RCPT was granted |
//! | [NestedMail](Cause::NestedMail) | 503 to MAIL, and one was granted |
//! | [UnknownCommand](Cause::UnknownCommand) | 500 or 502 with words, to what is none of the usual commands |
//! | [NoBrackets](Cause::NoBrackets) | the path was sent without an angle bracket right behind the colon |
//! | [AddressSyntax](Cause::AddressSyntax) | X.1.3 or X.1.7 with 501, 513, 553 or 571; words on the form of an address |
//! | [NoDomain](Cause::NoDomain) | words on an address without a domain |
//! | [ParamNotOffered](Cause::ParamNotOffered) | a parameter was given whose extension EHLO did not offer |
//! | [CommandNotOffered](Cause::CommandNotOffered) | the same of STARTTLS and BDAT |
//! | [StartTlsTooLate](Cause::StartTlsTooLate) | STARTTLS is refused inside TLS |
//! | [BareLf](Cause::BareLf) | words on CR or LF that stand alone |
//! | [LineTooLong](Cause::LineTooLong) | words, with 500, 501, 550, 552 or 554 |
//!
//! ## TLS and AUTH
//!
//! | cause | evidence |
//! |---|---|
//! | [StartTlsNeeded](Cause::StartTlsNeeded) | words outside TLS; X.7.10; 530 where STARTTLS is offered |
//! | [AuthNeeded](Cause::AuthNeeded) | words; 530; at a port of submission, a policy, or an access list, where AUTH is offered and was not granted |
//! | [AuthNeededInTls](Cause::AuthNeededInTls) | words, where STARTTLS is offered and AUTH is not |
//! | [TlsForAuth](Cause::TlsForAuth) | words, or 523, 530, 534, 538 to AUTH outside TLS |
//! | [StartTlsBroken](Cause::StartTlsBroken) | 4yz to STARTTLS; another refusal of it, though it is offered |
//! | [AuthNotOffered](Cause::AuthNotOffered) | AUTH is not known, nor offered; or a caller missed it |
//! | [NoMechanismFits](Cause::NoMechanismFits) | a caller found none ([`Evidence::no_mechanism`]) |
//! | [BadLogin](Cause::BadLogin) | 535; X.7.8; words on passwords |
//! | [BadLoginHashed](Cause::BadLoginHashed) | 535 to CRAM-MD5 or DIGEST-MD5, where PLAIN is offered |
//! | [AccountLocked](Cause::AccountLocked) | words; X.7.13; 525 |
//! | [AccountStopped](Cause::AccountStopped) | words on sending, on "your account" or on what is paid for, after a login or in a transaction; X.7.13 there |
//! | [TooManyLogins](Cause::TooManyLogins) | words on failed logins |
//! | [AppPassword](Cause::AppPassword) | words of providers in a reply to AUTH |
//! | [LoginsDisabled](Cause::LoginsDisabled) | words on what is not enabled; 5.7.139 |
//! | [LoginPlace](Cause::LoginPlace) | words on an address or a country, in a refusal of AUTH |
//! | [LoginServiceDown](Cause::LoginServiceDown) | 4yz to AUTH; words |
//! | [NoSuchMechanism](Cause::NoSuchMechanism) | it is not among those that EHLO offered |
//! | [MechanismTooWeak](Cause::MechanismTooWeak) | X.7.9 inside TLS |
//! | [TokenRefused](Cause::TokenRefused) | the last challenge holds a status ([RFC 7628, section 3.2.2](https://www.rfc-editor.org/rfc/rfc7628#section-3.2.2)) |
//! | [BadBase64](Cause::BadBase64) | words; 501 with X.5.2 to an answer |
//! | [AuthTwice](Cause::AuthTwice) | 503 to AUTH, and one was granted |
//!
//! ## Refused mail
//!
//! | cause | evidence |
//! |---|---|
//! | [Greylisted](Cause::Greylisted) | words; 450 or 451 to RCPT with X.7.1, X.3.2, or, as a guess, with less, or at the end of the message, unless a login was granted |
//! | [RelayDenied](Cause::RelayDenied) | words on relaying, where AUTH is offered and was not granted |
//! | [RelayDeniedAuth](Cause::RelayDeniedAuth) | words on relaying, after a login |
//! | [RelayDenied25](Cause::RelayDenied25) | words on relaying, elsewhere; X.4.62 |
//! | [PolicyRefused](Cause::PolicyRefused) | the word; X.7.0 or X.7.1 and no words that say more |
//! | [MessagePolicy](Cause::MessagePolicy) | the same of a message: the word, X.7.9, or, as a guess, 5yz with words that say nothing |
//! | [NoSuchMailbox](Cause::NoSuchMailbox) | words on a recipient, and that it is not there; X.1.1 with 5yz; X.1.0 to RCPT; 550 5.4.1 with "access denied" |
//! | [RecipientCheck](Cause::RecipientCheck) | words, with 4yz |
//! | [NoSuchDomain](Cause::NoSuchDomain) | words; X.1.2, X.1.10; 521, 556 to RCPT |
//! | [MailboxFull](Cause::MailboxFull) | words; X.2.2 |
//! | [MailboxOff](Cause::MailboxOff) | words on a mailbox that is out of use; X.2.1 with 5yz |
//! | [RecipientRestricted](Cause::RecipientRestricted) | words on who may send to the recipient; X.7.2, X.7.124, X.7.129, X.7.133 to X.7.136, X.7.193 |
//! | [RecipientRefused](Cause::RecipientRefused) | words on a list, with the recipient; X.7.703 |
//! | [Suppressed](Cause::Suppressed) | words on recipients that bounced or complained |
//! | [MailboxBusy](Cause::MailboxBusy) | words, with 4yz |
//! | [MailboxMoved](Cause::MailboxMoved) | 551, or X.1.6 |
//! | [SenderDomain](Cause::SenderDomain) | words; X.1.8, X.7.27 |
//! | [SenderCheck](Cause::SenderCheck) | words on verifying the sender, by calling back for one |
//! | [SenderUnknown](Cause::SenderUnknown) | words on a sender that is unknown to the server |
//! | [NullSender](Cause::NullSender) | words on an empty sender, or on bounces |
//! | [Spoofed](Cause::Spoofed) | words on forging, or on a domain of the server's own; X.7.68 |
//! | [SenderRefused](Cause::SenderRefused) | words on the sender, and that it is refused, by a list or by the recipient |
//! | [Utf8NotAsked](Cause::Utf8NotAsked) | letters beyond ASCII in the path, where SMTPUTF8 is offered and was not given |
//! | [SenderNotVerified](Cause::SenderNotVerified) | words of providers that send for verified addresses alone |
//! | [SenderNotOwned](Cause::SenderNotOwned) | words on a sender that is not that of the login |
//! | [OneDomainEach](Cause::OneDomainEach) | words on several domains |
//! | [TooManyRecipients](Cause::TooManyRecipients) | words; X.5.3 |
//! | [TooLarge](Cause::TooLarge) | words; X.3.4, X.2.3 |
//! | [ServerFull](Cause::ServerFull) | words; X.3.1 |
//! | [Overloaded](Cause::Overloaded) | 4yz with words on memory, load or resources |
//! | [LookupFails](Cause::LookupFails) | words on tables and lookups |
//! | [WrongSettings](Cause::WrongSettings) | words on a configuration |
//! | [QueueFails](Cause::QueueFails) | 4yz with words on the queue |
//! | [BehindDown](Cause::BehindDown) | 4yz with words on a connection that failed; X.4.1, X.4.2 |
//! | [ServerFault](Cause::ServerFault) | words on its own errors; 4yz with words of something that failed, and of nothing in particular; 4yz with X.3.0 or X.3.5 |
//! | [FilterDown](Cause::FilterDown) | words on filters, with 4yz |
//! | [SpfUnchecked](Cause::SpfUnchecked) | the word, with an error in looking it up; X.7.24 |
//! | [Spf](Cause::Spf) | the word; X.7.23 |
//! | [Dkim](Cause::Dkim) | the word at the end of a message; X.7.20, X.7.21, X.7.22 there |
//! | [DmarcUnchecked](Cause::DmarcUnchecked) | the word, with an error in looking it up |
//! | [Dmarc](Cause::Dmarc) | the word, or the other two together; X.7.26 |
//! | [ContentRefused](Cause::ContentRefused) | words at the end of the message; X.6.0, X.7.0, X.7.1, X.7.7 there |
//! | [VirusFound](Cause::VirusFound) | words at the end of the message |
//! | [AttachmentRefused](Cause::AttachmentRefused) | words on files, at the end of the message |
//! | [BadHeader](Cause::BadHeader) | words at the end of the message |
//! | [BodyNotTaken](Cause::BodyNotTaken) | words on 8 bits or on types of bodies; X.6.1, X.6.3 |
//! | [Utf8NotTaken](Cause::Utf8NotTaken) | a path beyond ASCII without SMTPUTF8; X.6.7 to 9 |
//! | [Loop](Cause::Loop) | words; X.4.6 |
//! | [Refused](Cause::Refused) | none of these fits: what the code means |
//!
//! ## Certificates and handshakes
//!
//! | cause | evidence |
//! |---|---|
//! | [ChainIncomplete](Cause::ChainIncomplete) | one certificate came, of an unknown issuer, that says where that one's is to be had |
//! | [IssuerUnknown](Cause::IssuerUnknown) | the same, and the certificate does not say where its issuer is |
//! | [PrivateAuthority](Cause::PrivateAuthority) | the issuer is unknown otherwise; surely, if its root came, too |
//! | [SelfSigned](Cause::SelfSigned) | the verdict: nobody but itself signed it |
//! | [CertificateExpired](Cause::CertificateExpired) | the verdict: its time is over by the clock here |
//! | [CertificateEarly](Cause::CertificateEarly) | the verdict: its time has not begun by the clock here |
//! | [WrongName](Cause::WrongName) | the verdict: a name was asked for that is not in it |
//! | [CertificateUnfit](Cause::CertificateUnfit) | what verification says that is none of these; a key that is not spoken here |
//! | [NameOfAddress](Cause::NameOfAddress) | the verdict: an address was asked for, and is not in it |
//! | [NoNames](Cause::NoNames) | the verdict: there is no subjectAltName in it |
//! | [OtherKey](Cause::OtherKey) | the verdict: a key was pinned, and this is another |
//! | [NoTrustStore](Cause::NoTrustStore) | the verdict: the system has no authorities to trust |
//! | [CertificateWanted](Cause::CertificateWanted) | an alert that asks for one, where none was given ([`Facts::has_certificate`]) |
//! | [CertificateRefused](Cause::CertificateRefused) | an alert about one, where one was |
//! | [OldTls](Cause::OldTls) | the server chose, or asked for, a version that is not spoken here |
//! | [NothingInCommon](Cause::NothingInCommon) | an alert, or an answer to the handshake, with which nothing can be agreed on |
//! | [NameNotServed](Cause::NameNotServed) | the alert about a name that is not known |
//! | [TlsFault](Cause::TlsFault) | the alert about something on the server's own side |
//! | [NotTls](Cause::NotTls) | what came is no record, and no text |
//!
//! # What it does not do
//!
//! - It asks neither the DNS nor the machine. A caller that has looked hands over what it saw, as [`Facts`].
//! - It explains what servers say in English; a refusal in another language has its codes alone.
//! - It is no verdict: of a possible cause it says "perhaps", and what shows it stands beside it
//!   ([`Finding::evidence`]).

mod causes;
mod certificates;
mod command;
mod connecting;
mod ends;
mod evidence;
mod facts;
mod finding;
mod login;
mod record;
mod refusals;
mod speakers;
mod token;

pub use crate::protocol::protocol_of;
pub use causes::Cause;
pub use evidence::Evidence;
pub use facts::{Act, Facts};
pub use finding::{Certainty, Finding};

use finding::Recognized;
use record::{Exchange, Record};

/// Returns what is wrong, the gravest first: what kept the session from being one, and only if there is no such thing,
/// what was refused and how it ended. In raw mode nothing is known of either.
fn findings(record: &Record, facts: &Facts) -> Vec<Finding> {
    let mut all = circumstances(record, facts);
    all.extend(certificates::problems(record, facts));
    if all.is_empty() && !record.is_raw {
        all.extend(login::not_begun(record, facts));
        all.extend(refusals::first(record, facts));
        all.extend(ends::finding(record, facts));
    }
    all.truncate(MOST_FINDINGS);
    all
}

/// Returns why a reply refused what was asked, if it did: at the least, what its code means.
fn refusal(exchange: &Exchange, record: &Record, facts: &Facts) -> Option<Finding> {
    let who = speakers::misunderstood(record, facts).filter(|_| refusals::is_unknown(exchange));
    who.or_else(|| refusals::told(exchange, record, facts))
}

/// Returns what its end tells, whatever was refused before.
fn ending(record: &Record, facts: &Facts) -> Option<Finding> {
    let circumstance = circumstances(record, facts).into_iter().chain(certificates::problems(record, facts)).next();
    circumstance.or_else(|| ends::finding(record, facts))
}

/// Returns what kept a session from being one at all.
fn circumstances(record: &Record, facts: &Facts) -> Vec<Finding> {
    let mut all = Vec::new();
    all.extend(connecting::finding(record, facts));
    all.extend(speakers::finding(record, facts));
    all.extend(certificates::handshake(record, facts));
    all
}

/// More findings than this would be read by nobody.
const MOST_FINDINGS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_cause_rests_on_is_written_down() {
        let page = include_str!("mod.rs");
        for cause in Cause::ALL {
            assert!(page.contains(&format!("[{cause:?}](Cause::{cause:?})")), "{cause:?}");
        }
    }
}
