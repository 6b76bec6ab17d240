//! What a colour says, where one is wanted.

/// What is to be seen of a text at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "certificates are good or bad"))]
pub enum Tone {
    #[default]
    Plain,
    /// It stands aside.
    Dim,
    Bold,
    Good,
    /// It is good, but not for long.
    Near,
    Bad,
}

impl Tone {
    /// Returns a text that steers no terminal in this tone.
    pub fn paint(self, text: &str) -> String {
        let color = match self {
            Self::Dim => "2",
            Self::Bold => "1",
            Self::Good => "32",
            Self::Near => "33",
            Self::Bad => "31",
            Self::Plain => return text.to_owned(),
        };
        if text.is_empty() { String::new() } else { format!("\x1b[{color}m{text}\x1b[0m") }
    }
}

/// Words in their tone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    pub words: &'static str,
    pub tone: Tone,
}
