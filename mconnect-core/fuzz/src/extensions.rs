//! Extensions: a slow reading agrees, and the tracker learns the same as is read from the whole reply.

use mconnect_core::protocol::{Extension, Extensions, Limits, ReplyBuilder, ReplyLine, Tracker};

use crate::is_fit_to_show;

/// Each line of `data` is a line of a reply to EHLO.
pub fn holds(data: &[u8]) {
    let texts: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let lines: Vec<Vec<u8>> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| [if index + 1 < texts.len() { b"250-" } else { b"250 " }, *text, b"\r\n"].concat())
        .collect();

    let (mut builder, mut tracker) = (ReplyBuilder::new(Limits::default()), Tracker::new());
    tracker.received(ReplyLine::new(b"220 hi\r\n"));
    tracker.sent(b"EHLO fuzz\r\n");
    let mut reply = None;
    for line in &lines {
        let line = ReplyLine::new(line);
        tracker.received(line);
        match builder.push(line) {
            Ok(whole) => reply = whole,
            Err(_) => return,
        }
    }
    let extensions = Extensions::from_reply(&reply.expect("the last line has no hyphen"));
    assert_eq!(tracker.extensions(), Some(&extensions));

    let words = |text: &[u8]| -> Vec<Vec<u8>> {
        let words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        words.map(<[u8]>::to_vec).collect()
    };
    // What is kept of the reply: as many of its first thousand lines as fit into 64 KiB.
    let (mut kept, mut room) = (Vec::new(), 64 * 1024);
    for (index, text) in texts.iter().enumerate().take(1000) {
        let size = text.trim_ascii().len();
        if size <= room {
            room -= size;
            kept.push((index, *text));
        }
    }
    let slow: Vec<Vec<Vec<u8>>> = kept
        .iter()
        .filter(|(index, _)| *index > 0)
        .map(|(_, text)| words(text))
        .filter(|words| !words.is_empty())
        .collect();
    let read = |extension: &Extension| {
        let params = extension.params().map(<[u8]>::to_vec);
        std::iter::once(extension.keyword().to_vec()).chain(params).collect::<Vec<_>>()
    };
    assert_eq!(extensions.iter().map(read).collect::<Vec<_>>(), slow);
    let greeting = kept.first().filter(|(index, _)| *index == 0).map_or(&b""[..], |(_, text)| *text);
    assert_eq!(extensions.greeting(), greeting.trim_ascii());
    for words in &slow {
        let Ok(keyword) = str::from_utf8(&words[0]) else { continue };
        let first = slow.iter().find(|words| words[0].eq_ignore_ascii_case(keyword.as_bytes()));
        assert_eq!(extensions.get(&keyword.to_ascii_uppercase()).map(read).as_ref(), first);
    }
    check_mechanisms(&extensions, &slow);
    let size = slow.iter().find(|words| words[0].eq_ignore_ascii_case(b"SIZE")).and_then(|words| words.get(1));
    let digits = size.filter(|size| size.iter().all(u8::is_ascii_digit) && size.iter().any(|digit| *digit != b'0'));
    let limit = digits.and_then(|digits| str::from_utf8(digits).ok()?.parse::<u64>().ok());
    assert_eq!(extensions.size_limit(), limit);
    assert!(extensions.iter().all(|extension| is_fit_to_show(&extension.to_string())));
}

fn check_mechanisms(extensions: &Extensions, slow: &[Vec<Vec<u8>>]) {
    let mut expected: Vec<Vec<u8>> = Vec::new();
    for words in slow {
        let upper = words[0].to_ascii_uppercase();
        let mut names = if upper == b"AUTH" {
            words[1..].to_vec()
        } else if upper.starts_with(b"AUTH=") {
            [&[words[0][5..].to_vec()], &words[1..]].concat()
        } else {
            continue;
        };
        names.retain(|name| !name.is_empty());
        for name in names {
            if !expected.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
                expected.push(name);
            }
        }
    }
    assert_eq!(extensions.auth_mechanisms(), expected);
}
