//! What was found, and what it is worth.

/// How far an answer is to be believed. What is weaker comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Security {
    /// The resolver has verified the signatures, from the root on: of what is there, or of that nothing is
    /// ([RFC 4035](https://www.rfc-editor.org/rfc/rfc4035)).
    Secure,
    /// The zone is not signed, or the resolver does not validate.
    Insecure,
    /// The resolver is neither on this machine nor trusted: what it says of signatures counts nothing.
    Unproven,
    /// The signatures are wrong, missing or expired: nothing is known.
    Bogus,
}

/// What a name server found for a name.
///
/// That a name does not exist (NXDOMAIN), or has no such records, is a finding with no records, and with a security of
/// its own. So is an answer that is bogus: ask for that before taking no records for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found<T> {
    /// The name that has the records: the one that was asked for, or what its aliases lead to. In lower case, without
    /// the last dot, as all names here.
    pub name: String,
    /// The names that were passed on the way (CNAME), the one that was asked for first; empty if that is no alias.
    pub aliases: Vec<String>,
    /// What it has, in the order of the answer.
    pub records: Vec<T>,
    /// The weakest of what was passed on the way.
    pub security: Security,
    /// What the resolver says beside it ([RFC 8914](https://www.rfc-editor.org/rfc/rfc8914)): why an answer is bogus,
    /// above all. On one line, and safe to show.
    pub why: Option<String>,
    /// The name exists, though perhaps without such records.
    pub exists: bool,
}

impl<T> Found<T> {
    /// Says whether anything is known by it: it is not bogus.
    pub(crate) fn is_known(&self) -> bool {
        self.security != Security::Bogus
    }

    /// Returns the same with other records: those that `of` makes something of.
    pub(super) fn map<U>(self, of: impl FnMut(T) -> Option<U>) -> Found<U> {
        let Self { name, aliases, records, security, why, exists } = self;
        Found { name, aliases, records: records.into_iter().filter_map(of).collect(), security, why, exists }
    }
}
