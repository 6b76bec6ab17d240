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

const WHOLE: &str = "
HOST is a name, an IPv4 address, or an IPv6 address, with or without brackets.

At a terminal, each line goes out when you press Enter, and what the server says
appears as it comes, also while you type. Tab completes, the arrow keys bring
back earlier lines, and ~? lists what else there is.

From a pipe or a file, each line waits for the whole reply to the one before;
the body of DATA, after the server's 354, and the octets of BDAT stream. Lines
end in CR LF on their way, whatever they ended in before.

  QUIT      ends the session
  Ctrl-D    or the end of the input ends the sending side; what the server
            still says is shown, until it closes
  Ctrl-C    closes the connection at once

With -c, the lines of the session are those given; the input is not read, and
nothing is added, neither EHLO nor QUIT.

Lines pasted at a terminal go out at once, too; a file goes in step.
STARTTLS goes on inside TLS after the server's 220; say EHLO again then. The
certificate is verified with the system's trust store and the name of the host.

In raw mode (-r) every byte goes out as it is typed or piped, and nothing waits.

What the server says goes to standard output, what mconnect says to standard
error. Exit status: 0 done, 64 usage, 65 the input ended inside a message,
66 a file cannot be read, 68 unknown host, 69 cannot connect, or refused with
5yz, 74 input or output failed, 75 temporary failure (a time-out, 421, 4yz),
76 the server broke off, TLS failed, or the server is not proven,
77 authentication refused, 1 a dialogue was not met, 130 interrupted.

examples:
  mconnect mx.example.org
  mconnect --starttls --auth user -p submission mail.example.org
  mconnect -p submission mail.example.org
  mconnect -p 2525 ::1 <session.txt
  mconnect --quiet --fail -c 'EHLO probe.example' -c QUIT mx.example.org
  mconnect --to you@example.org --from me@example.net mx.example.org
  mconnect --record talk.txt mx.example.org
  mconnect --play talk.txt mx.example.org
  mconnect --demo
  mconnect --help-smtp 5.7.1
";

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
                let line = line.replace("Op : Ns Ar mechanism", "[:mechanism]").replace("Op = Ns Cm hex", "[=hex]");
                let line = line.replace("Op = Ns Ar octets", "[=OCTETS]");
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
