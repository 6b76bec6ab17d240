//! The format of sendmail's help file: each line is a topic, white space, and a line of text.
//!
//! Lines that begin with `#` are comments; `#vers` with 2 or more says that `$` begins a macro in the text: `$$` is a
//! dollar, `$v` the version of sendmail, which is left out here.

/// A help file, as sendmail has it.
#[derive(Debug, Clone)]
pub struct HelpFile {
    lines: Vec<(String, String)>,
}

impl HelpFile {
    /// Reads one: any text is.
    pub fn parse(text: &str) -> Self {
        let version = text.lines().find_map(|line| line.strip_prefix("#vers"));
        let has_macros =
            version.and_then(|version| version.trim().parse::<u32>().ok()).is_some_and(|number| number >= 2);
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        let split = |line: &str| {
            let (topic, text) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            let text = if has_macros { expand(text) } else { text.to_owned() };
            (topic.to_lowercase(), text.replace("\\#", "#").trim_end().to_owned())
        };
        Self { lines: lines.map(split).collect() }
    }

    /// Says whether it has no topic at all.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Returns the topics, each as often as it has lines.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|(topic, _)| topic.as_str())
    }

    /// Returns the text on a topic, or else on all topics that begin with it. Topics are in small letters, whatever the file
    /// has.
    pub fn topic(&self, topic: &str) -> Option<String> {
        let is_known = self.lines.iter().any(|(name, _)| name == topic);
        let is_meant = |name: &str| if is_known { name == topic } else { name.starts_with(topic) };
        let lines: Vec<&str> =
            self.lines.iter().filter(|(name, _)| is_meant(name)).map(|(_, text)| text.as_str()).collect();
        if lines.is_empty() || topic.is_empty() { None } else { Some(lines.join("\n") + "\n") }
    }
}

fn expand(text: &str) -> String {
    let (mut expanded, mut rest) = (String::new(), text.chars());
    while let Some(c) = rest.next() {
        match c {
            '$' => match rest.next() {
                Some('$') => expanded.push('$'),
                // A name in braces, or one character: nothing that we could know.
                Some('{') => drop(rest.by_ref().find(|c| *c == '}')),
                _ => {}
            },
            c => expanded.push(c),
        }
    }
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_of_sendmail_is_read() {
        let file = HelpFile::parse(
            "#vers\t2\n# comment\ncpyr\nsmtp\tThis is $v, costs $$5 ${name}\nhelo HELO host\nhelo\t\tmore\nhelp\tHELP\nETRN\tETRN [\\#queue]\nhelo\tlast\n",
        );
        assert_eq!(file.topic("smtp").unwrap(), "This is , costs $5 \n".replace(" \n", "\n"));
        assert_eq!(file.topic("helo").unwrap(), "HELO host\n\tmore\nlast\n");
        assert_eq!(file.topic("he").unwrap(), "HELO host\n\tmore\nHELP\nlast\n");
        assert_eq!(file.topic("etrn").unwrap(), "ETRN [#queue]\n");
        assert_eq!(file.topic("cpyr").unwrap(), "\n");
        assert_eq!(file.topic("x"), None);
        assert_eq!(HelpFile::parse("smtp\ta $x\n").topic("smtp").unwrap(), "a $x\n");
    }

    #[test]
    fn an_empty_file_has_no_topics() {
        assert!(HelpFile::parse("#vers 2\n\n# nothing\n").is_empty());
    }
}
