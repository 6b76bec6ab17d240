//! Outcomes for systems that collect them: TAP and JUnit.

use std::time::Duration;

use crate::protocol::Visible;

/// How one session of a dialogue went, for the reports of a test: [`tap`] and [`junit`].
///
/// ```
/// use std::time::Duration;
///
/// use mconnect_core::dialogue::{Case, tap};
///
/// let cases = [
///     Case::new("greeting.txt", Duration::from_millis(2)),
///     Case::new("size.txt", Duration::from_millis(5)).failure("size.txt:3: expected `S: 5yz`, got `250 ok`"),
/// ];
/// assert!(tap(&cases).contains("ok 1 - greeting.txt\n") && tap(&cases).contains("not ok 2 - size.txt\n"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Case {
    /// What it is called.
    pub name: String,
    /// How long it took.
    pub took: Duration,
    /// The whole story, if it did not go as expected.
    pub failure: Option<String>,
    /// Why that may be, if something is known.
    pub why: Option<String>,
}

impl Case {
    /// Makes one that went as expected.
    pub fn new(name: impl Into<String>, took: Duration) -> Self {
        Self { name: name.into(), took, failure: None, why: None }
    }

    /// Sets the whole story of one that did not: [`Outcome`](super::Outcome) tells it.
    #[must_use]
    pub fn failure(self, story: impl Into<String>) -> Self {
        Self { failure: Some(story.into()), ..self }
    }

    /// Sets why that may be: a [`Finding`](crate::diagnosis::Finding), say.
    #[must_use]
    pub fn why(self, why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..self }
    }

    /// Says whether it went as expected.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        self.failure.is_none()
    }
}

/// Returns the outcomes in the [Test Anything Protocol](https://testanything.org), version 13, which every consumer knows.
#[must_use]
pub fn tap(cases: &[Case]) -> String {
    let mut text = format!("TAP version 13\n1..{}\n", cases.len());
    for (index, case) in cases.iter().enumerate() {
        let outcome = if case.failure.is_some() { "not ok" } else { "ok" };
        // On one line, and no directive.
        let name = Visible(case.name.as_bytes()).to_string().replace('\\', "\\\\").replace('#', "\\#");
        let took = case.took.as_secs_f64() * 1000.0;
        text += &format!("{outcome} {} - {name}\n  ---\n  duration_ms: {took:.3}\n", index + 1);
        for (key, told) in [("message", &case.failure), ("why", &case.why)] {
            if let Some(told) = told {
                text += &format!("  {key}: |\n");
                text.extend(told.lines().map(|line| format!("    {line}\n")));
            }
        }
        text += "  ...\n";
    }
    text
}

/// Returns the outcomes as JUnit's XML: one suite of this name, which is that of the class of each case, too.
///
/// ```
/// use std::time::Duration;
///
/// use mconnect_core::dialogue::{Case, junit};
///
/// let xml = junit("smtp", &[Case::new("greeting.txt", Duration::from_millis(2))]);
/// assert!(xml.contains("<testcase classname=\"smtp\" name=\"greeting.txt\" time=\"0.002000\"/>"));
/// ```
#[must_use]
pub fn junit(suite: &str, cases: &[Case]) -> String {
    let (tests, failures) = (cases.len(), cases.iter().filter(|case| case.failure.is_some()).count());
    let (suite, time) = (escaped(suite), cases.iter().map(|case| case.took).sum::<Duration>().as_secs_f64());
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuite name=\"{suite}\" tests=\"{tests}\" failures=\"{failures}\" time=\"{time:.6}\">\n"
    );
    for case in cases {
        let (name, time) = (escaped(&case.name), case.took.as_secs_f64());
        text += &format!("  <testcase classname=\"{suite}\" name=\"{name}\" time=\"{time:.6}\"");
        text += &match &case.failure {
            None => "/>\n".to_owned(),
            Some(failure) => {
                let story = case.why.iter().fold(failure.clone(), |story, why| format!("{story}\n{why}"));
                let (message, story) = (escaped(failure.lines().next().unwrap_or_default()), escaped(&story));
                format!(">\n    <failure message=\"{message}\">{story}</failure>\n  </testcase>\n")
            }
        };
    }
    text + "</testsuite>\n"
}

/// Returns a text as XML has it; control characters, which it cannot have, are shown as escapes before.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases() -> Vec<Case> {
        let took = Duration::from_micros(1500);
        let failure = "a.txt:3: expected `S: 5yz`, got `250 <\u{1}&>`\nthe last lines:\n  C: A";
        vec![Case::new("a #1", took), Case::new("b \"<", took).failure(failure).why("perhaps <\nor not")]
    }

    #[test]
    fn tap_has_each_dialogue_and_the_transcript_of_what_failed() {
        assert_eq!(
            tap(&cases()),
            "TAP version 13\n1..2\nok 1 - a \\#1\n  ---\n  duration_ms: 1.500\n  ...\nnot ok 2 - b \"<\n  ---\n  \
             duration_ms: 1.500\n  message: |\n    a.txt:3: expected `S: 5yz`, got `250 <\u{1}&>`\n    the last lines:\n      \
             C: A\n  why: |\n    perhaps <\n    or not\n  ...\n"
        );
        let text = tap(&[Case::new("a\nnot ok 2", Duration::ZERO)]);
        assert!(text.contains("\nok 1 - a\\\\nnot ok 2\n"), "{text}");
    }

    #[test]
    fn junit_escapes_what_xml_cannot_have() {
        let text = junit("mconnect", &cases());
        assert!(text.contains("tests=\"2\" failures=\"1\" time=\"0.003000\""), "{text}");
        assert!(text.contains("<testcase classname=\"mconnect\" name=\"a #1\" time=\"0.001500\"/>"), "{text}");
        let failed = "name=\"b &quot;&lt;\" time=\"0.001500\">\n    <failure message=\"a.txt:3: expected `S: 5yz`, got `250 \
            &lt;\u{fffd}&amp;&gt;`\">a.txt:3:";
        assert!(text.contains(failed), "{text}");
        assert!(text.contains("C: A\nperhaps &lt;\nor not</failure>"), "{text}");
    }
}
