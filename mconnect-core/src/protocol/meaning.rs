//! What reply codes and enhanced status codes mean, in plain words.
//!
//! Reply codes: RFC 5321, section 4.2.3, and the RFCs of the extensions. Enhanced status codes: RFC 3463 and the
//! registry of SMTP enhanced status codes. What they mean in a session, and what to do about them, is said by
//! [`diagnosis`](crate::diagnosis), which knows what was asked.

/// Returns the meaning of a reply code or an enhanced status code, written `550` or `5.7.1`, in plain words: half a
/// sentence, in English. `None` for one that is not known here, and for a text that is none. Of an enhanced code the
/// class makes no difference, if it is 2, 4 or 5.
///
/// ```
/// use mconnect_core::protocol::explain;
///
/// assert_eq!(explain("5.2.2"), Some("the mailbox is full"));
/// assert_eq!(explain("999"), None);
/// ```
///
/// Of a reply there are both, and the enhanced one says more:
///
/// ```
/// # #[cfg(feature = "server")] {
/// # let server = mconnect_core::server::Server::start()?;
/// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
/// # session.greeting()?;
/// # session.hello("client.example")?;
/// # session.command("MAIL FROM:<>")?;
/// use mconnect_core::protocol::explain;
///
/// let reply = session.command("RCPT TO:<refused@example.org>")?;
/// let enhanced = reply.enhanced_code().and_then(|code| explain(&code.to_string()));
/// let meaning = enhanced.or_else(|| explain(&reply.code().to_string()));
/// println!("{reply}: {}", meaning.unwrap_or("nobody knows"));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "strerror")]
#[doc(alias = "description")]
pub fn explain(code: &str) -> Option<&'static str> {
    match code.split_once('.') {
        None => find(REPLY_CODES, code),
        Some(("2" | "4" | "5", detail)) => find(ENHANCED_CODES, detail),
        Some(_) => None,
    }
}

/// Returns the codes that begin so, in order, each with its meaning as [`explain`] has it: `55` for `550` to `556`, `5.7` for
/// all of `5.7.0` to `5.7.30`. Empty if none does.
///
/// ```
/// use mconnect_core::protocol::explain_all;
///
/// let codes: Vec<String> = explain_all("5.3").into_iter().map(|(code, _)| code).collect();
/// assert_eq!(codes, ["5.3.0", "5.3.1", "5.3.2", "5.3.3", "5.3.4", "5.3.5", "5.3.6"]);
/// ```
pub fn explain_all(beginning: &str) -> Vec<(String, &'static str)> {
    let (class, table, beginning) = match beginning.split_once('.') {
        None => ("", REPLY_CODES, beginning),
        Some((class @ ("2" | "4" | "5"), detail)) => (class, ENHANCED_CODES, detail),
        Some(_) => return Vec::new(),
    };
    let dot = if class.is_empty() { "" } else { "." };
    let known = rows(table).filter(|(code, _)| code.starts_with(beginning));
    known.map(|(code, meaning)| (format!("{class}{dot}{code}"), meaning)).collect()
}

/// Returns in words what a server offers by the extension of this keyword, which is in capitals.
pub(super) fn of_extension(keyword: &str) -> Option<&'static str> {
    find(EXTENSIONS, keyword)
}

/// Looks a code up.
fn find(table: &'static str, code: &str) -> Option<&'static str> {
    rows(table).find(|(known, _)| *known == code).map(|(_, meaning)| meaning)
}

/// Returns what a table has: a line for each code, with its meaning behind a space. As a list of texts it would be two
/// pointers a row, to be set right at every start of a program.
fn rows(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    table.lines().filter_map(|row| row.split_once(' '))
}

/// By the registry of extensions, and what servers have beside it.
const EXTENSIONS: &str = "\
8BITMIME bodies may hold octets above 127
ATRN ATRN turns the session round, to fetch mail
AUTH users log in by these mechanisms
BINARYMIME bodies may be any octets, sent by BDAT
BURL a body may be fetched from an IMAP server
CHUNKING BDAT sends a message in chunks, without a dot
DELIVERBY MAIL may say until when to deliver
DSN MAIL and RCPT may ask for reports of delivery
ENHANCEDSTATUSCODES replies say more by codes such as 5.1.1
ETRN ETRN has the mail that waits for a host sent
EXPN EXPN lists the members of a mailing list
FUTURERELEASE MAIL may say when to deliver
HELP HELP is answered
LIMITS how much one session may do
MT-PRIORITY MAIL may say how urgent the message is
PIPELINING commands may go out without waiting for each reply
REQUIRETLS MAIL may ask for TLS all the way
RRVS RCPT may say since when the mailbox has its owner
SIZE MAIL may say how large the message is
SMTPUTF8 addresses and headers may be in any language
STARTTLS STARTTLS encrypts the rest of the session
VRFY VRFY says whether a mailbox exists
XCLIENT a trusted proxy may say who its client is
XFORWARD a trusted filter may say whose mail it is";

/// In order, each once.
const REPLY_CODES: &str = "\
211 status of the system, or help
214 help
220 the service is ready; to STARTTLS: TLS may begin
221 the server closes the connection
235 authentication succeeded
250 done
251 the user is elsewhere; the server will forward the message
252 the server cannot say whether the user exists, but will take the message
334 the server awaits the next step of authentication, in base64
354 send the message, and end it with a dot alone on a line
421 the server cannot go on now, and closes the connection; try again later
432 a password transition is needed
450 the mailbox cannot be reached now: busy, or held back (greylisting); try again later
451 the server failed while processing; try again later
452 too little storage, or too many recipients; try again later
454 TLS or authentication is not available for now
455 the server cannot take these parameters now
458 the server cannot queue messages for this node
459 the node is not allowed
500 the server does not know the command, or the line is too long
501 a syntax error in the parameters
502 the command is not implemented
503 the command comes at the wrong time
504 the parameter is not implemented
521 the host takes no mail at all
530 authentication, or TLS, is needed first
534 the mechanism of authentication is too weak
535 user or password are wrong
538 this mechanism of authentication needs TLS
550 refused: no such mailbox, no access, or against the server's policy
551 the user is not local, and the server does not forward
552 too large, or the mailbox is full
553 the address is not allowed, or its syntax is wrong
554 the transaction failed; as a greeting: there is no mail service here
555 the parameters of MAIL or RCPT are not known
556 the domain takes no mail";

/// Subject and detail; the class is that of the reply.
const ENHANCED_CODES: &str = "\
0.0 nothing more is known
1.0 something about an address
1.1 the recipient's mailbox does not exist
1.2 the recipient's domain does not exist, or takes no mail
1.3 the syntax of the recipient's address is wrong
1.4 the recipient's address is ambiguous
1.5 the recipient's address is valid
1.6 the mailbox has moved, and its new address is not known
1.7 the syntax of the sender's address is wrong
1.8 the sender's domain does not exist, or takes no mail
1.9 the message was relayed to a system that may not report delivery
1.10 the recipient's domain declares that it takes no mail (null MX)
2.0 something about a mailbox
2.1 the mailbox is disabled, and takes no messages
2.2 the mailbox is full
2.3 the message is larger than the mailbox allows
2.4 the mailing list could not be expanded
3.0 something about the destination's mail system
3.1 the mail system is full
3.2 the system takes no messages over the network
3.3 the system lacks a feature that the message needs
3.4 the message is too large for the system
3.5 the system is not configured right
3.6 the priority that was asked for was changed
4.0 something about the network or the routing
4.1 the host did not answer
4.2 the connection was bad, or timed out
4.3 a directory server, such as DNS, failed
4.4 no route to the destination
4.5 the mail system is congested
4.6 a routing loop was found
4.7 the message was too old to be delivered
5.0 something about the protocol
5.1 the command is not valid, or comes at the wrong time
5.2 a syntax error
5.3 too many recipients
5.4 the parameters are not valid
5.5 the wrong version of the protocol
5.6 the exchange of authentication is too long
6.0 something about the message's content
6.1 the kind of content is not supported
6.2 the content must be converted, which is prohibited
6.3 the content must be converted, which is not supported
6.4 the content was converted with loss
6.5 the conversion failed
6.6 the content of the message is not available
6.7 addresses that are not ASCII are not allowed here
6.8 a reply in UTF-8 is needed, and not allowed by the client
6.9 headers in UTF-8 cannot be passed on to one of the recipients
7.0 refused for a reason of security or policy
7.1 not authorized: the server's policy refuses the message or the sender
7.2 expanding the mailing list is prohibited
7.3 conversion for security is needed, and not possible
7.4 a feature of security is not supported
7.5 encryption failed
7.6 the algorithm of encryption is not supported
7.7 the message was changed on its way
7.8 user or password are wrong
7.9 the mechanism of authentication is too weak
7.10 encryption is needed
7.11 this mechanism of authentication needs encryption
7.12 a password transition is needed
7.13 the account is disabled
7.14 a trust relationship is needed
7.15 the priority of the message is too low
7.16 the message is too large for its priority
7.17 the mailbox has changed its owner
7.18 the domain has changed its owner
7.19 RRVS, the check of the owner, cannot be completed
7.20 no DKIM signature passed
7.21 no acceptable DKIM signature
7.22 no DKIM signature of the author's passed
7.23 SPF failed: the sending host is not allowed to send for the domain
7.24 SPF could not be checked
7.25 the sending host has no reverse DNS, or one that does not match
7.26 several checks of authentication failed: SPF, DKIM
7.27 the sender's domain declares that it sends no mail (null MX)
7.28 too much mail of the same kind
7.29 the chain of ARC signatures is not valid
7.30 REQUIRETLS is needed, and not supported";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_explained_whatever_the_class_of_an_enhanced_one() {
        assert_eq!(explain("5.2.2"), explain("4.2.2"));
        assert!(explain("554").is_some_and(|meaning| meaning.contains("greeting")));
        for odd in ["", "1.2.3", "5.", "5.99.99", "abc", "5.1.1.1"] {
            assert_eq!(explain(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_beginning_has_the_codes_that_are_explained() {
        for (beginning, count) in [
            ("", rows(REPLY_CODES).count()),
            ("25", 3),
            ("4.7", 31),
            ("5.", rows(ENHANCED_CODES).count()),
            ("9", 0),
            ("3.1", 0),
        ] {
            let found = explain_all(beginning);
            assert_eq!(found.len(), count, "{beginning}");
            assert!(found.iter().all(|(code, meaning)| code.starts_with(beginning) && explain(code) == Some(meaning)));
        }
    }

    #[test]
    fn the_tables_are_in_order_and_hold_each_code_once() {
        let key = |code: &str| code.split('.').map(|part| part.parse::<u32>().unwrap()).collect::<Vec<_>>();
        for table in [REPLY_CODES, ENHANCED_CODES] {
            assert_eq!(rows(table).count(), table.lines().count());
            assert!(rows(table).is_sorted_by(|(code, _), (next, _)| key(code) < key(next)));
        }
    }
}
