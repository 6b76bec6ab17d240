//! Outcomes for systems that collect them: TAP and JUnit.

use std::time::Duration;

/// How one session of a dialogue went.
#[derive(Debug)]
pub struct Case {
    pub name: String,
    pub took: Duration,
    /// The whole story, if it did not go as expected.
    pub failure: Option<String>,
    /// Why that may be, if something is known.
    pub why: Option<String>,
}

/// Returns the outcomes in the Test Anything Protocol, version 13, which every consumer knows.
pub fn tap(cases: &[Case]) -> String {
    let mut text = format!("TAP version 13\n1..{}\n", cases.len());
    for (index, case) in cases.iter().enumerate() {
        let outcome = if case.failure.is_some() { "not ok" } else { "ok" };
        let name = case.name.replace('\\', "\\\\").replace('#', "\\#");
        let took = case.took.as_secs_f64() * 1000.0;
        text += &format!("{outcome} {} - {name}\n  ---\n  duration_ms: {took:.3}\n", index + 1);
        if let Some(failure) = &case.failure {
            text += "  message: |\n";
            text.extend(failure.lines().map(|line| format!("    {line}\n")));
        }
        text.extend(case.why.iter().map(|why| format!("  why: |\n    {why}\n")));
        text += "  ...\n";
    }
    text
}

/// Returns the outcomes as JUnit's XML.
pub fn junit(cases: &[Case]) -> String {
    let (tests, failures) = (cases.len(), cases.iter().filter(|case| case.failure.is_some()).count());
    let time = cases.iter().map(|case| case.took).sum::<Duration>().as_secs_f64();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuite name=\"mconnect\" tests=\"{tests}\" failures=\"{failures}\" time=\"{time:.6}\">\n"
    );
    for case in cases {
        let (name, time) = (escaped(&case.name), case.took.as_secs_f64());
        text += &format!("  <testcase classname=\"mconnect\" name=\"{name}\" time=\"{time:.6}\"");
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
        let failure = Some("a.txt:3: expected `S: 5yz`, got `250 <\u{1}&>`\nthe last lines:\n  C: A".to_owned());
        let why = Some("perhaps <".to_owned());
        vec![
            Case { name: "a #1".to_owned(), took, failure: None, why: None },
            Case { name: "b \"<".to_owned(), took, failure, why },
        ]
    }

    #[test]
    fn tap_has_each_dialogue_and_the_transcript_of_what_failed() {
        assert_eq!(
            tap(&cases()),
            "TAP version 13\n1..2\nok 1 - a \\#1\n  ---\n  duration_ms: 1.500\n  ...\nnot ok 2 - b \"<\n  ---\n  \
             duration_ms: 1.500\n  message: |\n    a.txt:3: expected `S: 5yz`, got `250 <\u{1}&>`\n    the last lines:\n      \
             C: A\n  why: |\n    perhaps <\n  ...\n"
        );
    }

    #[test]
    fn junit_escapes_what_xml_cannot_have() {
        let text = junit(&cases());
        assert!(text.contains("tests=\"2\" failures=\"1\" time=\"0.003000\""), "{text}");
        assert!(text.contains("<testcase classname=\"mconnect\" name=\"a #1\" time=\"0.001500\"/>"), "{text}");
        let failed = "name=\"b &quot;&lt;\" time=\"0.001500\">\n    <failure message=\"a.txt:3: expected `S: 5yz`, got `250 \
            &lt;\u{fffd}&amp;&gt;`\">a.txt:3:";
        assert!(text.contains(failed), "{text}");
        assert!(text.contains("C: A\nperhaps &lt;</failure>"), "{text}");
    }
}
