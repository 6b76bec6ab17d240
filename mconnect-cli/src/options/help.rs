//! The options, and how a session goes, in words.

use super::option::Opt;
use super::table::{GROUPS, all};

/// Returns the help: the options to begin with, or all of them and how a session goes.
pub fn help(is_whole: bool) -> String {
    let mut help = format!("usage: mconnect [-p PORT] [-r] [OPTION ...] [--] [HOST]\n\n{SUMMARY}\n");
    if is_whole {
        for (name, options) in GROUPS {
            help += &format!("\n{name}:\n{}", rows(options.iter()));
        }
        help += WHOLE;
    } else {
        let first = rows(all().filter(|option| option.is_first));
        help += &format!("\noptions:\n{first}\nmconnect --help says more.\n");
    }
    help
}

fn rows<'a>(options: impl Iterator<Item = &'a Opt>) -> String {
    options.fold(String::new(), |rows, Opt { head, help, .. }| {
        let head = if head.len() > 27 { format!("{head}\n{:29}", "") } else { (*head).to_owned() };
        format!("{rows}  {head:<27} {help}\n")
    })
}

const SUMMARY: &str = "Opens a session with the mail server on HOST (default: localhost).";

/// How a session goes, and what comes of it.
const WHOLE: &str = include_str!("help.txt");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_page_has_the_options_of_the_help_with_their_values_and_no_others() {
        let page = include_str!("../../mconnect.1");
        // `.It Fl p Ar port , Fl -port Ar port` is `-p, --port PORT`.
        let documented: Vec<String> = page
            .lines()
            .filter_map(|line| line.strip_prefix(".It Fl "))
            .map(|line| {
                let line = line
                    .replace("Op : Ns Ar mechanism", "[:mechanism]")
                    .replace("Op = Ns Cm hex", "[=hex]")
                    .replace("Op = Ns Cm clock", "[=clock]")
                    .replace("Op : Ns Ar port", "[:port]");
                let line = line.replace("Op = Ns Ar octets", "[=OCTETS]").replace("Op , Ns Ar to", "[,TO]");
                let words = line.replace(" Ns ", "").replace("Ar ", "");
                let forms: Vec<(&str, String)> = words
                    .split(" , Fl ")
                    .map(|form| form.split_once(' ').unwrap_or((form, "")))
                    .map(|(flag, value)| (flag, value.to_uppercase()))
                    .collect();
                assert!(forms.iter().all(|(_, value)| *value == forms[0].1), "{line}");
                let flags: Vec<String> = forms.iter().map(|(flag, _)| format!("-{flag}")).collect();
                format!("{} {}", flags.join(", "), forms[0].1).trim_end().to_owned()
            })
            .collect();
        let known: Vec<&str> = all().map(|option| option.head).collect();
        assert_eq!(documented, known);
    }

    #[test]
    fn the_manual_page_has_the_groups_of_the_help_in_their_order() {
        let (_, page) = include_str!("../../mconnect.1").split_once(".Sh OPTIONS\n").unwrap();
        let (options, _) = page.split_once("\n.Sh ").unwrap();
        let headings = options.lines().filter_map(|line| line.strip_prefix(".Ss "));
        let headings: Vec<String> = headings.map(|heading| heading.trim_start_matches("The ").to_lowercase()).collect();
        let groups: Vec<String> = GROUPS.iter().map(|(name, _)| name.to_lowercase()).collect();
        assert_eq!(headings, groups);
    }

    #[test]
    fn the_short_help_has_the_options_to_begin_with_and_the_long_one_all() {
        let (short, long) = (help(false), help(true));
        for option in all() {
            let has_row = |help: &str| help.lines().any(|line| line.trim().split("  ").next() == Some(option.head));
            assert!(has_row(&long), "{}", option.head);
            assert_eq!(has_row(&short), option.is_first, "{}", option.head);
        }
        assert!(short.lines().count() < 24, "{short}");
    }

    #[test]
    fn help_fits_a_terminal() {
        for line in help(true).lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
