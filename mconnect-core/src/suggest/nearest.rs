//! What somebody who mistyped a word may have meant.

/// Returns the known word that is fewest slips away, if that is few enough for a slip of the fingers: a third of the word,
/// and two at most. A word that was not typed to its end is one slip away.
///
/// ```
/// use mconnect_core::suggest::nearest;
///
/// assert_eq!(nearest("strattls", &["data", "starttls"]), Some("starttls"));
/// assert_eq!(nearest("nonsense", &["data", "starttls"]), None);
/// ```
pub fn nearest<'a>(typed: &str, known: &[&'a str]) -> Option<&'a str> {
    let most = (typed.len() / 3).min(2);
    (1..=most).find_map(|slips| {
        let is_meant = |word: &&str| word.starts_with(typed) || is_within(slips, word.as_bytes(), typed.as_bytes());
        known.iter().copied().find(is_meant)
    })
}

/// Says whether one word becomes the other by so many slips: a letter is missing, too many or wrong, or neighbours have
/// changed places.
fn is_within(slips: usize, one: &[u8], other: &[u8]) -> bool {
    match (one, other) {
        ([a, one @ ..], [b, other @ ..]) if a == b => is_within(slips, one, other),
        ([], []) => true,
        _ if slips == 0 => false,
        ([a, b, one @ ..], [c, d, other @ ..]) if (a, b) == (d, c) && is_within(slips - 1, one, other) => true,
        _ => {
            let (after_one, after_other) = (one.get(1..).unwrap_or_default(), other.get(1..).unwrap_or_default());
            [(after_one, other), (one, after_other), (after_one, after_other)]
                .into_iter()
                .any(|(one, other)| is_within(slips - 1, one, other))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_finds_the_word_and_nonsense_finds_none() {
        let known = ["-p", "--port", "--tls", "--tls-min", "--starttls", "--timeout", "--timing", "--tap"];
        for (typed, meant) in [
            ("--strattls", Some("--starttls")),
            ("--startls", Some("--starttls")),
            ("--tsl", Some("--tls")),
            ("--timeuot", Some("--timeout")),
            ("--start", Some("--starttls")),
            ("--prot", Some("--port")),
            ("--x", None),
            ("--", None),
            ("-x", None),
            ("--nonsense", None),
            ("--starttls-and-more", None),
        ] {
            assert_eq!(nearest(typed, &known), meant, "{typed}");
        }
    }
}
