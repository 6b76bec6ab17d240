//! Mail addresses in people's own words.

use crate::host::{Host, InvalidHost};
use crate::protocol::{Address, Unwritable};

/// Why a text is no mail address by itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMailbox {
    /// It is a URL, which begins with `mailto:`.
    #[error("{0:?} is a URL: the address alone goes here")]
    Url(String),
    /// It is a list.
    #[error("{0:?} is more than one address")]
    Several(String),
    /// It has a name before it, as in the header of a message.
    #[error("{written:?} is an address with a name: it goes here as {address}")]
    Named {
        /// What was written.
        written: String,
        /// The address in it.
        address: String,
    },
    /// Its domain has no A-labels.
    #[error("{domain:?} is not a domain: {why}")]
    Domain {
        /// The domain.
        domain: String,
        /// What is wrong with it.
        why: InvalidHost,
    },
    /// It is nothing of the kind.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
}

/// Reads an address as people write it: a domain with letters beyond ASCII is taken in A-labels, unless the local part has
/// such letters, too.
///
/// ```
/// use mconnect_core::{InvalidMailbox, mailbox};
///
/// assert_eq!(mailbox("you@bücher.example")?.as_str(), "you@xn--bcher-kva.example");
/// assert_eq!(mailbox("jörg@bücher.example")?.as_str(), "jörg@bücher.example");
/// assert!(matches!(mailbox("Ann <a@example.org>"), Err(InvalidMailbox::Named { address, .. }) if address == "a@example.org"));
/// assert!(matches!(mailbox("MailTo:a@example.org"), Err(InvalidMailbox::Url(_))));
/// # Ok::<(), InvalidMailbox>(())
/// ```
///
/// # Errors
/// [`InvalidMailbox`], which says what else it is.
pub fn mailbox(text: &str) -> Result<Address, InvalidMailbox> {
    let address: Address = match text.parse() {
        Ok(_) if text.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:")) => {
            return Err(InvalidMailbox::Url(text.to_owned()));
        }
        Ok(address) => address,
        Err(error) => return Err(what_was_meant(text).unwrap_or(InvalidMailbox::Unwritable(error))),
    };
    match (address.local_part(), address.domain()) {
        (local, Some(domain)) if local.is_ascii() && !domain.is_ascii() => {
            let wrong = |why| InvalidMailbox::Domain { domain: domain.to_owned(), why };
            Ok(Address::new(&local, &Host::from_name(domain).map_err(wrong)?.name)?)
        }
        _ => Ok(address),
    }
}

/// Says what a text is that is no address but holds some, as a header has them.
fn what_was_meant(text: &str) -> Option<InvalidMailbox> {
    let written = text.to_owned();
    let is_address = |text: &str| text.trim().parse::<Address>().is_ok_and(|address| address.domain().is_some());
    let list: Vec<&str> = text.split([',', ';']).collect();
    if list.len() > 1 && list.iter().all(|one| is_address(one) || named(one).is_some_and(is_address)) {
        return Some(InvalidMailbox::Several(written));
    }
    let address = named(text).filter(|address| is_address(address))?.to_owned();
    Some(InvalidMailbox::Named { written, address })
}

/// Returns what stands between the angle brackets behind a name: of `Ann <a@x>`, `a@x`.
fn named(text: &str) -> Option<&str> {
    text.trim().strip_suffix('>')?.rsplit_once('<').map(|(_, address)| address)
}
