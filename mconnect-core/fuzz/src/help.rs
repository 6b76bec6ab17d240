//! Help files: every topic is found, with its lines in order, and no macro is left where there are macros.

use mconnect_core::help::HelpFile;

pub fn holds(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let file = HelpFile::parse(&text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()).collect();
    assert_eq!(file.is_empty(), lines.is_empty());
    let topic_of = |line: &str| line.split([' ', '\t']).next().unwrap_or_default().to_lowercase();
    for line in &lines {
        let topic = topic_of(line);
        let found = file.topic(&topic);
        assert_eq!(found.is_some(), !topic.is_empty(), "{line:?}");
        let Some(found) = found else { continue };
        assert!(found.ends_with('\n'));
        let own = lines.iter().filter(|line| topic_of(line) == topic).count();
        assert_eq!(found.matches('\n').count(), own, "{line:?}");
        let beginning: String = topic.chars().take(1).collect();
        assert!(file.topic(&beginning).is_some(), "{line:?}");
    }
    assert_eq!(file.topic(""), None);
}
