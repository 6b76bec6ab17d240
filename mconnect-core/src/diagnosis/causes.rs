//! Every cause that is known, and all the words for them.
//!
//! `{name}` in a text is a value of the finding, `<name>` an [`Act`]: what a caller may do, in the words that it has
//! for it. Texts have no full stop, since they stand within a sentence; what is wrong is said as a fact, and how sure
//! that is stands before it. What each rests on is in the documentation of the [module](super).

use super::facts::Act;

/// Makes the causes: a name, a stable id, what is wrong, and what to do.
macro_rules! causes {
    ($($cause:ident $id:literal $what:literal $advice:literal)*) => {
        /// What can be wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Cause {
            $(#[doc = $what] $cause,)*
        }

        impl Cause {
            /// Every one there is.
            pub const ALL: &'static [Self] = &[$(Self::$cause),*];

            /// Returns a name that stays: `greylisted`.
            pub fn id(self) -> &'static str {
                self.texts()[0]
            }

            /// Returns its name, what is wrong, and what to do, with the values and acts in it still named.
            pub(super) fn texts(self) -> [&'static str; 3] {
                // One text each: of three, all the pointers would have to be set right at every start of a program.
                let all = match self {
                    $(Self::$cause => concat!($id, "\n", $what, "\n", $advice),)*
                };
                let mut texts = all.split('\n');
                std::array::from_fn(|_| texts.next().unwrap_or_default())
            }
        }
    };
}

causes! {
    // Names and connections.
    NoSuchName "no_such_name" "there is no host {name}" "is it spelt right? the mail servers of a domain are in its MX records"
    NameWithoutAddress "name_without_address" "{name} exists, but has no address" "the mail servers of a domain are in its MX records"
    ResolverSilent "resolver_silent" "the name server does not answer" "see the name servers of this machine (/etc/resolv.conf), or give an address"
    SearchDomain "search_domain" "{typed} was taken for {name}, by this machine's search domain" "is it spelt right? a dot at the end keeps the name as it is"
    OtherFamily "other_family" "{name} has no address of the kind that was asked for; it has {addresses}" "<any-family>"
    NoListener "no_listener" "nothing listens on {address}" "is the server running, and on this port?"
    OtherLoopback "other_loopback" "nothing listens on {address}, but {other} answers" "connect to that one"
    OwnName "own_name" "{name} is {address} on this machine itself (/etc/hosts), where nothing listens" "connect to the address that the server listens on"
    InContainer "in_container" "nothing listens on {address}, which is this container itself" "a server in another container, or on the machine outside, has another address"
    Port25Blocked "port_25_blocked" "the network here blocks port 25: nothing answered" "send by port 587, or try from another network"
    NoAnswer "no_answer" "a firewall drops what goes to {address}, or nothing is there" "see which addresses may reach the port"
    NoRoute6 "no_route_6" "this machine has no route for IPv6" "it needs one, or the server an address of IPv4"
    Dead6 "dead_6" "nothing answers at {address}, by IPv6" "the name has another kind of address: <v4>"
    NoRoute "no_route" "this machine has no route to {address}" "is the network up?"
    Unreachable "unreachable" "{address} cannot be reached: it is down, or a firewall rejects the connection" ""
    Forbidden "forbidden" "a firewall or a sandbox of this machine forbids the connection" ""
    SourceNotHere "source_not_here" "{source} is no address of this machine" "<source>"
    PortsUsedUp "ports_used_up" "this machine has no free port left to connect from" "wait a minute for old connections to go, or make fewer"
    FilesUsedUp "files_used_up" "this process may open no more files" "raise the limit (ulimit -n)"

    ProxyUnreachable "proxy_unreachable" "the proxy cannot be reached" "does it run, and on this port?"
    ProxyLogin "proxy_login" "the proxy wants a user and a password, or others" "they stand before its host, as in socks5://user:password@host"
    ProxyRefuses "proxy_refuses" "the proxy does not connect to {name}" "its rules, its network, or the server may be behind it: many allow few ports, and not that of SMTP"
    ProxyFails "proxy_fails" "the proxy does not answer" "it may be of another kind than was written, or not serve this client: its log tells"
    NoProxy "no_proxy" "what listens there is no proxy of this kind" "are scheme and port right?"
    NoSocket "no_socket" "there is no socket {name}" "is the server running? its settings say where it listens"
    NobodyAtSocket "nobody_at_socket" "nobody listens at {name}: the server that made it has ended, or it is no socket" "start the server"
    SocketForbidden "socket_forbidden" "this user may not connect to {name}" "its mode, and those of the folders above it, say who may"
    CommandNotFound "command_not_found" "sh finds no such command" "is it spelt right, and is the program installed? daemons are often in /usr/sbin"
    ProcessFailed "process_failed" "the process {name} ended by itself, {how}" "its standard error tells why, or its log does"

    // Who is there.
    OtherProtocol "other_protocol" "the server speaks {protocol}, not SMTP" "is port {port} the right one?"
    SpeaksLmtp "speaks_lmtp" "the server speaks LMTP" "say LHLO, not EHLO"
    TlsExpected "tls_expected" "the server expects TLS from the first byte" "<tls>"
    PlainExpected "plain_expected" "the server begins in plain text, not with TLS" "<starttls>"
    RefusedInPlain "refused_in_plain" "the server refuses the session before TLS begins: {line}" ""
    Inspected "inspected" "a firewall on the way rewrites SMTP: it puts asterisks and X's in the place of what the server says" "switch its SMTP inspection off"
    NulInReply "nul_in_reply" "lines of the server begin with NUL, which no SMTP server says" "look for what stands between, and at the port"
    CrAlone "cr_alone" "the server ends its lines with CR alone, and so none has an end" "it has to send CR LF"
    LineWithoutEnd "line_without_end" "the server's line has no end: {line}" "it has to send CR LF"
    GreetingWithoutEnd "greeting_without_end" "the greeting does not end: after \"220-\" a line \"220 \" has to come" "postscreen holds it back for some seconds: wait longer"
    ReplyWithoutEnd "reply_without_end" "the reply to {command} does not end: after its lines with a hyphen one without has to come" ""

    // Who closes, and who is silent.
    ClosedAtOnce "closed_at_once" "the server closed at once, without a greeting" "an access list, TCP wrappers, a limit of connections, or a proxy with no server behind it does so: its log tells"
    ClosedWaiting "closed_waiting" "the server closed without a greeting, after {seconds} s" "it may have waited for TLS or for a PROXY header, or for a name server: its log tells"
    SilentGreeting "silent_greeting" "no greeting came in {seconds} s" "the server may be busy, or wait for the client to speak: in TLS (<tls>), with a PROXY header, or in another protocol, such as HTTP or RDP"
    ClosedInGreeting "closed_in_greeting" "the server closed in the middle of its greeting" ""
    ClosedAfterGreeting "closed_after_greeting" "the server closed right after its greeting{unanswered}" "{header}an access list or a limit of connections may be behind it: its log tells"
    ClosedInHandshake "closed_in_handshake" "the server broke off TLS after it had granted STARTTLS" "its certificate, key or settings of TLS may be at fault: its log tells"
    ClosedInTlsFirst "closed_in_tls_first" "the server closed when TLS began" "it may not speak TLS on this port without STARTTLS, or its certificate or key is at fault: its log tells"
    SilentHandshake "silent_handshake" "the server granted STARTTLS, and does not answer in TLS" "something on the way may swallow TLS, or the server is at fault: its log tells"
    SilentTlsFirst "silent_tls_first" "the server does not answer in TLS" "it may not speak it on this port: try without, or with STARTTLS"
    ClosedAtAuth "closed_at_auth" "the server closed instead of answering AUTH" "after too many failed logins some servers do, or its login service is at fault: its log tells"
    ClosedInMessage "closed_in_message" "the server closed within the message, {seconds} s after DATA: nothing of it was delivered" "a limit of size or time, or a filter may be behind it"
    ClosedAfterMessage "closed_after_message" "the server closed before it answered the message, which it may have taken or not" "look into its log before it is sent again"
    ClosedIdle "closed_idle" "the server closed after {seconds} s without a command" "idle sessions are ended; limits of a session's time do so, too"
    ClosedAtCommand "closed_at_command" "the server closed instead of answering {command}" "its log tells why"
    SilentMessage "silent_message" "no answer to the message came in {seconds} s; it may have been taken" "a filter may take long: RFC 5321 gives it 10 minutes"
    SilentAuth "silent_auth" "no answer to AUTH came in {seconds} s" "what checks logins for the server may be slow, or hang: its log tells"
    SilentCommand "silent_command" "no answer to {command} came in {seconds} s" "it may look names up, or slow clients down on purpose: wait longer"
    CutInTls "cut_in_tls" "the connection ended without TLS's close_notify: what came last may be cut short" ""

    // Refused as a client.
    HeaderWanted "header_wanted" "the server wants a PROXY header before anything else" "<header>"
    HeaderUnwanted "header_unwanted" "the server expects no PROXY header here, and takes it for commands" "leave it out, or have the server expect it"
    TooManyConnections "too_many_connections" "the server has too many connections, from here or in all" "try again later, with fewer at a time"
    TooFast "too_fast" "the server limits how much may be sent in a time" "wait, and send less at a time"
    SessionLimit "session_limit" "the server takes no more in one session" "open another one for the rest"
    Idle "idle" "the server waited too long for a command" ""
    TooManyErrors "too_many_errors" "the server saw too many errors in this session" "the first of them is the one to look at"
    GoingDown "going_down" "the server is going down, or takes no mail for now" "try again later"
    PutOff "put_off" "the server puts off what comes from this client's address, for its reputation or for how much it sends" "wait, and send less at a time; complaints of recipients count, too"
    ListNotAsked "list_not_asked" "the server cannot ask its block list: the list refuses the server's resolver" "its administrator has to use another resolver; this client is not known to be listed"
    Deferred "deferred" "the server puts this off for now: greylisting, a limit of how much comes, or a filter that fails may be behind it" "try again in some minutes"
    Busy "busy" "the server does not serve this client now, or none at all" "try again later"
    NoServiceHere "no_service_here" "the server takes no mail from this client, or none at all" "the text of its greeting tells why, or its log does"
    BlockListed "block_listed" "the address of this client is on a block list" "the list that the reply names says why, and how to come off it"
    DomainListed "domain_listed" "a domain is on a block list: the sender's, that of EHLO, or one in the message" "the list that the reply names says why, and how to come off it"
    SpamSource "spam_source" "the server takes this client, or the sender, for one that sends spam" "its operator can tell why"
    NoIpv6 "no_ipv6" "the server takes no mail by IPv6" "<v4>"
    Reputation "reputation" "the address of this client, or the sender's domain, has a bad reputation with the server" "its operator can tell why, and what restores it"
    ClientRefused "client_refused" "an access list of the server refuses the address of this client" ""
    DirectSending "direct_sending" "the server takes no mail straight from addresses like this client's: those of homes, or without a fixed owner" "send by the provider's server, or by another with a login, at port 587"
    NoReverseName "no_reverse_name" "this client's address has no name in the DNS that fits it (PTR)" "the owner of the address has to enter one that leads back to it"
    HelloName "hello_name" "the server does not accept the name {hello} in {command}" "<helo>: a name with a dot that resolves, or an address in brackets"
    ContainerName "container_name" "{hello}, the name of this container, is none that the server accepts in {command}" "<helo>"
    SpokeTooEarly "spoke_too_early" "the server takes it ill that the client spoke before its turn" "<wait>"
    NoHelloName "no_hello_name" "{command} needs the name of this client behind it" ""
    ReplyTooMany "reply_too_many" "a reply came before EHLO was answered that this client had not asked for: {reply}" "a balancer or a proxy before the server may have said something to it, such as a PROXY header"
    NoEhlo "no_ehlo" "the server does not know EHLO" "say HELO: without extensions, mail still goes"
    NoLhlo "no_lhlo" "the server does not know LHLO: it speaks SMTP, not LMTP" "say EHLO"

    // Refused commands.
    HelloFirst "hello_first" "EHLO has to come before {command}" ""
    MailFirst "mail_first" "MAIL has to be granted before {command}" ""
    RcptFirst "rcpt_first" "no recipient was granted before {command}" "a refused RCPT before it is what to look at"
    NestedMail "nested_mail" "a transaction is under way already" "RSET ends it"
    UnknownCommand "unknown_command" "a command was sent that the server does not know" "is it spelt right?"
    NoBrackets "no_brackets" "the address in {command} needs angle brackets, right after the colon" "{form}"
    NoDomain "no_domain" "the address in {command} has no domain that the server accepts" "write it whole: {form}"
    AddressSyntax "address_syntax" "the server does not accept the syntax of the address in {command}" ""
    ParamNotOffered "param_not_offered" "{param} was given, but the server does not offer it in EHLO" "leave it out"
    CommandNotOffered "command_not_offered" "the server does not offer {command}" ""
    StartTlsTooLate "starttls_too_late" "TLS is on already" ""
    BareLf "bare_lf" "a CR or an LF stands alone, which the server does not take" "lines have to end with CR LF"
    LineTooLong "line_too_long" "a line is longer than the server takes" "RFC 5321 allows 998 octets of text, and 510 of a command"

    // TLS and AUTH wanted.
    StartTlsNeeded "starttls_needed" "the server wants TLS first" "<starttls>"
    AuthNeeded "auth_needed" "the server wants a login first" "<auth>"
    AuthNeededInTls "auth_needed_in_tls" "the server wants a login first, and offers none outside TLS" "<starttls>, then <auth>"
    TlsForAuth "tls_for_auth" "a login is granted inside TLS only" "<starttls>"
    StartTlsBroken "starttls_broken" "the server offers TLS, but cannot do it now" "its certificate or key may not be readable: its log tells"
    AuthNotOffered "auth_not_offered" "the server has no logins on this port" "logins belong on port 587 or 465; if this is one of them, the server has to enable them"
    NoMechanismFits "no_mechanism_fits" "the server offers no mechanism that takes a password, only {mechanisms}" "its settings, or another port of it, may have PLAIN or LOGIN inside TLS"
    BadLogin "bad_login" "user or password are wrong" "some servers want the whole address as the user"
    BadLoginHashed "bad_login_hashed" "{mechanism} was refused: the password is wrong, or kept in a form that {mechanism} cannot work with" "<auth> with PLAIN, which is offered, inside TLS"
    AccountLocked "account_locked" "the account is locked, disabled, expired or restricted" "its administrator can tell, or a login on the provider's page"
    TooManyLogins "too_many_logins" "too many logins failed" "wait before the next one"
    AppPassword "app_password" "the provider wants a password made for this application, not the account's" "make one in the account's settings"
    LoginsDisabled "logins_disabled" "logins with a password are switched off for this account or organization" "use OAuth (XOAUTH2), or have SMTP AUTH switched on"
    LoginPlace "login_place" "logins are not allowed from this client's address or country" "the settings of the account, or its provider, may allow them"
    LoginServiceDown "login_service_down" "the server cannot check logins now" "its login service is at fault: its log tells"
    NoSuchMechanism "no_such_mechanism" "the server does not have the mechanism {mechanism}" "it offers: {mechanisms}"
    MechanismTooWeak "mechanism_too_weak" "the mechanism {mechanism} is too weak for the server" "it offers: {mechanisms}"
    TokenRefused "token_refused" "the token was refused, with status {status}" "it may have expired, or be for another user or scope"
    BadBase64 "bad_base64" "the server could not read an answer in AUTH" "each answer is base64 on a line of its own"
    AuthTwice "auth_twice" "the session is authenticated already" ""

    // Refused mail.
    Greylisted "greylisted" "the server puts off mail from strangers at first (greylisting)" "try again in some minutes"
    RelayDenied "relay_denied" "the server takes no mail for this recipient's domain from here" "a login may allow it; otherwise send to the domain's own servers"
    RelayDeniedAuth "relay_denied_auth" "the server does not pass mail on to this recipient's domain, not even after the login" "its rules for relaying have to allow who has logged in"
    RelayDenied25 "relay_denied_here" "the server takes no mail for this recipient's domain from here" "is it one of the domain's MX hosts?"
    PolicyRefused "policy_refused" "a policy of the server refuses this client, sender or recipient: a block list, for one" "its log tells which"
    NoSuchMailbox "no_such_mailbox" "the recipient does not exist there" ""
    RecipientCheck "recipient_check" "the server is still finding out whether the recipient exists" "try again in some minutes"
    NoSuchDomain "no_such_domain" "the domain of the recipient takes no mail, or does not exist" ""
    MailboxFull "mailbox_full" "the recipient's mailbox is full" ""
    MailboxOff "mailbox_off" "the recipient's mailbox is disabled" ""
    RecipientRestricted "recipient_restricted" "the recipient takes mail of certain senders only" "its owner or administrator can allow the sender"
    RecipientRefused "recipient_refused" "a list of the server refuses the recipient's address" ""
    Suppressed "suppressed" "the provider sends nothing more to this recipient, who bounced or complained before" "its list of such recipients is in its settings"
    OneDomainEach "one_domain_each" "the server takes recipients of one domain at a time" "send the others in another transaction"
    MailboxBusy "mailbox_busy" "the recipient's mailbox cannot be used now" "try again later"
    MailboxMoved "mailbox_moved" "the recipient is elsewhere" "the reply may name the new address"
    SenderDomain "sender_domain" "the domain of the sender does not exist, or takes no mail" "give a sender whose domain has an MX or an address"
    SenderCheck "sender_check" "the server could not verify that the sender's address exists" "its mail server has to accept mail to it"
    SenderUnknown "sender_unknown" "the sender's domain is the server's own, and it has no such address" ""
    SenderRefused "sender_refused" "a list of the server, or of the recipient, refuses the sender" ""
    NullSender "null_sender" "the server takes no mail with an empty sender" "give an address in MAIL"
    Spoofed "spoofed" "the server takes the sender for a forged one" "mail of its domain has to come from its own servers, or with a login"
    SenderNotVerified "sender_not_verified" "the provider sends only for addresses and domains that were verified with it" "verify in its settings what the reply names"
    AccountStopped "account_stopped" "the provider does not let this account send now: for spam, its limits, its plan or its rights" "its settings, or the provider, tell"
    SenderNotOwned "sender_not_owned" "the login does not own the sender's address" "send as the address of the login"
    TooManyRecipients "too_many_recipients" "the message has more recipients than the server takes at once" "send the rest in another transaction"
    TooLarge "too_large" "the message is larger than the server takes{limit}" ""
    ServerFull "server_full" "the server has no room left for messages" "try again later"
    Overloaded "overloaded" "the server is short of memory, disk or other resources" "try again later; its log tells which"
    ServerFault "server_fault" "something is wrong inside the server" "its log tells what"
    LookupFails "lookup_fails" "a table or a database that the server looks in fails" "its log tells which"
    WrongSettings "wrong_settings" "the server's own configuration is at fault" "its log tells where"
    QueueFails "queue_fails" "the server cannot write the message to its queue" "its disk may be full, or a filter behind it fails: its log tells"
    BehindDown "behind_down" "the server cannot reach another one behind it" "its log tells which"
    FilterDown "filter_down" "a filter of the server fails" "its log tells which"
    Spf "spf" "SPF fails: this client's address may not send for the sender's domain" "send by a server that the domain's SPF record names"
    SpfUnchecked "spf_unchecked" "SPF could not be checked: the record of the sender's domain, or its name servers, are at fault" ""
    Dkim "dkim" "no valid DKIM signature is on the message" ""
    DmarcUnchecked "dmarc_unchecked" "DKIM or DMARC could not be checked: the record of the domain, or its name servers, are at fault" ""
    Dmarc "dmarc" "the message is not authenticated for its From domain (SPF, DKIM, DMARC)" "send by a server of that domain, which signs it"
    ContentRefused "content_refused" "a filter refuses the content of the message" ""
    VirusFound "virus_found" "a virus scanner of the server refuses the message" "the text of the reply may name what was found"
    AttachmentRefused "attachment_refused" "the server does not take a file that is attached to the message, for its kind or its name" "send it another way, or ask for an exception"
    MessagePolicy "message_policy" "a policy of the server refuses the message: for what is in it, or because SPF, DKIM and DMARC do not vouch for it" ""
    BadHeader "bad_header" "the server does not accept the header of the message: a field is missing or bad, or it is too long" "From, Date and Message-ID belong in it"
    BodyNotTaken "body_not_taken" "the server does not take octets beyond ASCII in the body" "encode the message in 7 bits, as quoted-printable or base64"
    Utf8NotTaken "utf8_not_taken" "addresses or header fields beyond ASCII are not taken there" ""
    Utf8NotAsked "utf8_not_asked" "the address in {command} has letters beyond ASCII, and MAIL came without SMTPUTF8, which the server offers" "add SMTPUTF8 behind the address in MAIL"
    Loop "loop" "the message goes in a circle, or came through too many servers" ""

    // Whatever it is.
    Refused "refused" "{code}: {meaning}" ""

    // Certificates and handshakes.
    ChainIncomplete "chain_incomplete" "the server sent only its own certificate: the one of its issuer ({issuer}) is missing" "the server has to send the intermediate certificates, too"
    PrivateAuthority "private_authority" "the certificate is from an authority that is not trusted here: {issuer}" "<trust>"
    IssuerUnknown "issuer_unknown" "only the server's own certificate came, and its issuer is not known here: {issuer}" "if that is an intermediate authority, the server has to send its certificate, too; of a private one, <trust>"
    SelfSigned "self_signed" "the certificate is signed by itself alone" "<trust>"
    CertificateExpired "certificate_expired" "the certificate of {subject} expired on {date}" "the server needs a new one"
    CertificateEarly "certificate_early" "the certificate of {subject} is not valid before {date}" "is the clock of this machine right?"
    WrongName "wrong_name" "the certificate is not for {asked}; the nearest name in it is {nearest}" "<tls-name>"
    NameOfAddress "name_of_address" "the certificate is for {nearest}, not for the address {asked}" "connect to that name, or <tls-name>"
    NoNames "no_names" "the certificate names no host" "the server needs one with a subjectAltName"
    CertificateUnfit "certificate_unfit" "{reason}" "the server needs another certificate"
    OtherKey "other_key" "the server has another key than the pinned one" "it was renewed with a new key, or somebody stands between"
    NoTrustStore "no_trust_store" "this machine has no certificates of authorities" "install them (ca-certificates), or <trust>"
    CertificateWanted "certificate_wanted" "the server wants a client certificate" "<cert>"
    CertificateRefused "certificate_refused" "the server does not accept the client certificate" "is it from an authority that the server trusts, and valid?"
    OldTls "old_tls" "the server speaks only TLS before {least}" "its settings have to allow a newer version, or it has to be updated"
    NothingInCommon "nothing_in_common" "the server has no cipher suite or key exchange in common with those here: ECDHE with AES-GCM or ChaCha20, on X25519, P-256 or P-384" "its settings have to allow one of these, and name a certificate"
    NameNotServed "name_not_served" "the server has no certificate for the name {asked}" "<tls-name>"
    TlsFault "tls_fault" "the server says that something is wrong on its side of TLS" "its certificate or key may be at fault: its log tells"
    NotTls "not_tls" "what the server sent is no TLS" "does it speak TLS on this port?"
}

impl Act {
    /// The acts, as the texts name them.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "any-family" => Self::AnyFamily,
            "header" => Self::Header,
            "v4" => Self::V4,
            "source" => Self::Source,
            "tls" => Self::Tls,
            "starttls" => Self::StartTls,
            "helo" => Self::Helo,
            "wait" => Self::Wait,
            "auth" => Self::Auth,
            "trust" => Self::Trust,
            "tls-name" => Self::TlsName,
            "cert" => Self::Certificate,
            _ => return None,
        })
    }
}
