//! Why a session failed: causes, as values, out of what was said and what is known.
//!
//! ```text
//!   Session ──Event──► Evidence ────┐
//!   Error ───────────► Evidence ────┼──► at most three Findings: a Cause, how sure, the evidence, what to do
//!   command line, machine ─► Facts ─┘
//! ```
//!
//! Nothing is asked of anybody here: there is no I/O. What shows no cause has no finding, and a session that went well has
//! none. The causes and all their words stand together in one table; what replies mean, in another. A refusal that fits no
//! row of that has the meaning of its code ([`explain`](crate::protocol::explain)).

mod causes;
mod certificates;
mod command;
mod connecting;
mod ends;
mod evidence;
mod facts;
mod refusals;
mod speakers;
mod token;

use std::fmt;

pub use crate::protocol::protocol_of;
pub use causes::Cause;
pub use evidence::Evidence;
pub use facts::{Act, Facts};

use crate::protocol::Visible;
use evidence::{Exchange, Record};

/// A cause, as far as it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Finding {
    /// What is wrong.
    #[cfg_attr(feature = "json", serde(serialize_with = "as_id"))]
    pub cause: Cause,
    /// How sure that is.
    pub certainty: Certainty,
    /// What is wrong, in words; what the server said is made visible in it.
    pub what: String,
    /// What shows it: a reply, or what happened.
    pub evidence: String,
    /// What to do about it, if something is known.
    pub advice: Option<String>,
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Certainty {
    /// It is one of several causes that are usual.
    Possible,
    /// It is the usual cause.
    Likely,
    /// It cannot be otherwise.
    Certain,
}

impl fmt::Display for Finding {
    /// Writes it as a sentence: `probably the server wants a login first: authenticate`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.certainty {
            Certainty::Certain => "",
            Certainty::Likely => "probably ",
            Certainty::Possible => "perhaps ",
        })?;
        f.write_str(&self.what)?;
        self.advice.iter().try_for_each(|advice| write!(f, ": {advice}"))
    }
}

/// Returns what is wrong, the gravest first.
fn findings(record: &Record, facts: &Facts) -> Vec<Finding> {
    let mut all = circumstances(record, facts);
    all.extend(certificates::problems(record, facts));
    if all.is_empty() && !record.is_raw {
        all.extend(refusals::first(record, facts));
        all.extend(ends::finding(record, facts));
    }
    all.truncate(MOST_FINDINGS);
    all
}

/// Returns why a reply refused what was asked, if it did.
fn refusal(exchange: &Exchange, record: &Record, facts: &Facts) -> Option<Finding> {
    let who = speakers::misunderstood(record, facts).filter(|_| refusals::is_unknown(exchange));
    who.or_else(|| refusals::told(exchange, record, facts))
}

/// Returns what its end tells.
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

/// A cause that was recognized, before it is put in words.
struct Recognized<'a> {
    cause: Cause,
    certainty: Certainty,
    evidence: String,
    values: Vec<(&'a str, String)>,
}

impl<'a> Recognized<'a> {
    fn new(cause: Cause, certainty: Certainty, evidence: impl Into<String>) -> Self {
        Self { cause, certainty, evidence: evidence.into(), values: Vec::new() }
    }

    fn with(mut self, name: &'a str, value: impl ToString) -> Self {
        self.values.push((name, value.to_string()));
        self
    }

    /// Puts it in words.
    fn told(self, facts: &Facts) -> Finding {
        let (what, advice) = self.cause.texts();
        let fill = |text: &str| {
            let mut filled = text.to_owned();
            for (name, value) in &self.values {
                filled = filled.replace(&format!("{{{name}}}"), &Visible(value.as_bytes()).to_string());
            }
            filled
        };
        let advice = Some(advice).filter(|advice| !advice.is_empty()).map(|advice| fill(&with_acts(advice, facts)));
        Finding { cause: self.cause, certainty: self.certainty, what: fill(what), evidence: self.evidence, advice }
    }
}

/// Writes the acts that a text names in the caller's words.
fn with_acts(text: &str, facts: &Facts) -> String {
    let mut parts = text.split('<');
    let mut told = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('>').and_then(|(name, rest)| Some((Act::named(name)?, rest))) {
            Some((act, rest)) => told.extend([facts.name(act), rest]),
            None => told.extend(["<", part]),
        }
    }
    told
}

#[cfg(feature = "json")]
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn as_id<S: serde::Serializer>(cause: &Cause, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(cause.id())
}

const MOST_FINDINGS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_an_id_of_its_own_and_short_words() {
        let mut ids: Vec<&str> = Cause::ALL.iter().map(|cause| cause.id()).collect();
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
        for cause in Cause::ALL {
            let (what, advice) = cause.texts();
            assert!(what.len() + advice.len() < 240, "{cause:?}");
            assert!(!what.ends_with('.') && !advice.ends_with('.') && !what.is_empty(), "{cause:?}");
            let told = with_acts(advice, &Facts::new());
            assert!(!told.contains('<') || *cause == Cause::NoBrackets, "{cause:?} names no act: {told}");
        }
    }

    #[test]
    fn the_caller_names_what_it_can_do() {
        let recognized = || Recognized::new(Cause::AuthNeeded, Certainty::Likely, "530 5.7.0");
        let told = recognized().told(&Facts::new()).to_string();
        assert_eq!(told, "probably the server wants a login first: authenticate");
        let naming = |act: Act| if act == Act::Auth { "use --auth" } else { act.in_words() };
        let told = recognized().told(&Facts::new().naming(naming)).to_string();
        assert_eq!(told, "probably the server wants a login first: use --auth");
    }

    #[test]
    fn what_a_server_chose_steers_no_terminal() {
        let told =
            Recognized::new(Cause::LineWithoutEnd, Certainty::Certain, "").with("line", "\x1b[2J").told(&Facts::new());
        assert!(told.what.contains("\\x1b[2J"), "{told}");
    }
}
