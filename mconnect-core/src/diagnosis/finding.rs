//! What is found: a cause, how sure it is, and the words for both.

use std::fmt;

use super::causes::Cause;
use super::facts::{Act, Facts};
use crate::protocol::Visible;

/// A cause, as far as it shows, and what to do about it. [`Display`](fmt::Display) makes a sentence of it, without a
/// full stop: how sure, what is wrong, and the advice behind a colon.
///
/// With the feature `json` it serialises, the cause by its [id](Cause::id).
///
/// ```
/// # #[cfg(feature = "server")] {
/// use mconnect_core::diagnosis::{Cause, Certainty, Evidence, Facts};
/// use mconnect_core::{Connect, server::Server};
///
/// let server = Server::play("S: 220 mx\nC: EHLO me\nS: 250 mx\nC: MAIL FROM:<a@b.example>\nS: 450 4.1.8 no domain")?;
/// let evidence = Evidence::new();
/// let mut session = Connect::new("127.0.0.1", server.port()).observer(evidence.clone()).open()?;
/// session.greeting()?;
/// session.command("EHLO me")?;
/// session.command("MAIL FROM:<a@b.example>")?;
///
/// let found = &evidence.findings(&Facts::new())[0];
/// assert_eq!((found.cause, found.certainty), (Cause::SenderDomain, Certainty::Certain));
/// assert_eq!(found.what, "the domain of the sender does not exist, or takes no mail");
/// assert_eq!(found.evidence, "450 4.1.8 no domain");
/// assert_eq!(found.advice.as_deref(), Some("give a sender whose domain has an MX or an address"));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Finding {
    /// What is wrong, for programs to tell apart.
    #[cfg_attr(feature = "json", serde(serialize_with = "as_id"))]
    pub cause: Cause,
    /// How sure that is.
    pub certainty: Certainty,
    /// What is wrong, in words; what the server said is made visible in it.
    pub what: String,
    /// What shows it: a reply, made visible and on one line, or what happened, in the system's words or in ours.
    pub evidence: String,
    /// What to do about it, if something is known; what the caller can do is in [its own words](Facts::naming).
    pub advice: Option<String>,
}

/// How sure a finding is. The surer one is the greater.
///
/// ```
/// use mconnect_core::diagnosis::Certainty;
///
/// assert!(Certainty::Certain > Certainty::Likely && Certainty::Likely > Certainty::Possible);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Certainty {
    /// It is one of several causes that are usual: "perhaps".
    Possible,
    /// It is the usual cause: "probably".
    Likely,
    /// It cannot be otherwise, or the server's own words say so.
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

/// A cause that was recognized, before it is put in words: what the texts of the causes name stands in `values`.
pub(super) struct Recognized<'a> {
    cause: Cause,
    certainty: Certainty,
    pub evidence: String,
    values: Vec<(&'a str, String)>,
}

impl<'a> Recognized<'a> {
    pub fn new(cause: Cause, certainty: Certainty, evidence: impl Into<String>) -> Self {
        Self { cause, certainty, evidence: evidence.into(), values: Vec::new() }
    }

    /// Gives a name in the texts its value.
    pub fn with(mut self, name: &'a str, value: impl ToString) -> Self {
        self.values.push((name, value.to_string()));
        self
    }

    /// Puts it in words. Values and evidence are made visible: a server, or a process, has chosen some of them.
    pub fn told(self, facts: &Facts) -> Finding {
        let [_, what, advice] = self.cause.texts();
        let fill = |text: &str| {
            let mut filled = text.to_owned();
            for (name, value) in &self.values {
                filled = filled.replace(&format!("{{{name}}}"), &Visible(value.as_bytes()).to_string());
            }
            filled
        };
        let advice = Some(advice).filter(|advice| !advice.is_empty()).map(|advice| fill(&with_acts(advice, facts)));
        let evidence = Visible(self.evidence.as_bytes()).to_string();
        Finding { cause: self.cause, certainty: self.certainty, what: fill(what), evidence, advice }
    }
}

/// Writes the acts that a text names in the caller's words. A `<` that begins no name of one stays: an address may have
/// it.
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

/// Writes a cause by its id, which stays while names in the source may change.
#[cfg(feature = "json")]
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn as_id<S: serde::Serializer>(cause: &Cause, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(cause.id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_an_id_of_its_own_and_short_words() {
        let mut ids: Vec<&str> = Cause::ALL.iter().map(|cause| cause.id()).collect();
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
        for cause in Cause::ALL {
            let [_, what, advice] = cause.texts();
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
        let recognized = Recognized::new(Cause::LineWithoutEnd, Certainty::Certain, "\x1b[3J");
        let told = recognized.with("line", "\x1b[2J").told(&Facts::new());
        assert!(told.what.contains("\\x1b[2J"), "{told}");
        assert_eq!(told.evidence, "\\x1b[3J");
    }
}
