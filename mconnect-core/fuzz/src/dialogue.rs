//! Dialogues: what is printed reads as the same dialogue, and an error points into the text.

use mconnect_core::dialogue::Dialogue;

pub fn holds(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    match Dialogue::parse(text) {
        Ok(dialogue) => {
            let printed = dialogue.to_string();
            let again = Dialogue::parse(&printed);
            assert_eq!(again.as_ref(), Ok(&dialogue), "{printed:?}");
            assert_eq!(again.expect("it was just compared").to_string(), printed);
            let steps: usize = dialogue.sessions().iter().map(|session| session.steps().len()).sum();
            assert_eq!(steps + dialogue.sessions().len(), dialogue.steps().len() + 1, "nothing falls between sessions");
            if let Err(error) = dialogue.require_servable() {
                assert!(!error.to_string().is_empty());
            }
        }
        Err(error) => {
            let line = text.lines().nth(error.line - 1).expect("the line is there");
            assert_eq!(error.text, line.trim_end_matches('\r'));
            assert!((1..=error.text.chars().count() + 1).contains(&error.column), "{error}");
            assert!(!error.to_string().chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')), "{error:?}");
        }
    }
}
