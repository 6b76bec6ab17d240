//! What somebody who mistyped an option may have meant.

/// Returns the known word that is fewest slips away, if that is few enough for a slip of the fingers: a third of the word,
/// and two at most. A word that was not typed to its end is one slip away.
pub fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = (typed.len() / 3).min(2);
    let slips = |word: &str| match word.strip_prefix(typed) {
        Some(_) => 1,
        None if word.len().abs_diff(typed.len()) > most => usize::MAX,
        None => distance(typed.as_bytes(), word.as_bytes()),
    };
    known
        .map(|word| (slips(word), word))
        .filter(|(slips, _)| *slips <= most)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, word)| word)
}

/// Counts the letters that are missing, too many or wrong, and the neighbours that changed places.
fn distance(one: &[u8], other: &[u8]) -> usize {
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let changed = rows[i][j] + usize::from(a != b);
            let mut least = changed.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && one[i - 1] == *b && other[j - 1] == *a {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
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
            assert_eq!(nearest(typed, known.into_iter()), meant, "{typed}");
        }
    }
}
