//! The notation: printed and read, and as its page shows it.

use std::fs;
use std::path::Path;

use mconnect_core::dialogue::Dialogue;

#[test]
fn printing_and_reading_gives_the_same_dialogue() {
    // Lines put together from these pieces, by a generator of numbers that always gives the same ones.
    let pieces = [
        "S",
        "C",
        ":",
        ">",
        "=",
        "~",
        "|",
        "?",
        "*",
        " ",
        "250",
        "2yz",
        "xyz",
        "-",
        "a",
        "é",
        "\\",
        "\\n",
        "\\x00",
        "\\x24",
        "${a}",
        "${b:-c d}",
        "$",
        "${",
        "}",
        "{",
        "*close*",
        "*body f*",
        "*pause 5 s*",
        "*within 90000 ms*",
        "*include x*",
        "\t",
        "*next session*",
        "\n",
        "\n",
        "\r",
        "S: 250 ",
        "C: ",
        "S> ",
        "S: 250-a\nS: 250 b\n",
        "C: \\",
        "#",
        "*",
    ];
    let mut seed = 88_172_645_463_325_252_u64;
    let mut next = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).unwrap()
    };
    let mut read = 0;
    for _ in 0..60_000 {
        let text: String = (0..=next(6)).map(|_| pieces[next(pieces.len())]).collect();
        let Ok(dialogue) = Dialogue::parse(&text) else { continue };
        read += usize::from(!dialogue.steps().is_empty());
        let printed = dialogue.to_string();
        assert_eq!(Dialogue::parse(&printed).as_ref(), Ok(&dialogue), "{text:?} {printed:?}");
    }
    assert!(read > 3000, "{read}");
}

#[test]
fn every_example_of_the_notations_page_is_a_dialogue() {
    let page = include_str!("../../../docs/dialogue.md").replace("\\|", "|");
    let mut count = 0;
    let spans = page.lines().filter(|line| line.starts_with('|')).flat_map(|line| line.split('`').skip(1).step_by(2));
    for span in spans {
        let is_line =
            ["C: ", "C> ", "S: ", "S> ", "S= ", "S~ ", "S| ", "S? ", "S* "].iter().any(|side| span.starts_with(side));
        let is_direction = span.len() > 5 && span.starts_with('*') && span.ends_with('*');
        if !is_line && !is_direction {
            continue;
        }
        let before = if span.starts_with("S|") { "S: 250\n" } else { "" };
        let after = if span.starts_with("S: 250-") { "\nS: 250" } else { "" };
        Dialogue::parse(&format!("{before}{span}{after}")).unwrap_or_else(|error| panic!("{error}"));
        count += 1;
    }
    assert!(count > 60, "{count}");
}

#[test]
fn every_direction_that_an_error_lists_is_on_the_page_and_in_a_case() {
    let page = include_str!("../../../docs/dialogue.md");
    let cases = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogue")).unwrap();
    let cases: String = cases.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    let mut count = 0;
    for side in ["C: ", "S: ", ""] {
        let error = Dialogue::parse(&format!("{side}*dance*")).unwrap_err();
        let words = error.expected.split('*').skip(1).step_by(2);
        for words in words.take_while(|words| !words.starts_with(' ')) {
            let direction = format!("{side}*{words}");
            assert!(page.contains(&format!("`{direction}")), "{direction}* is not in docs/dialogue.md");
            assert!(cases.contains(&direction), "{direction}* is in no test");
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}
