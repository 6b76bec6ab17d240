//! The options, and how a session goes, in words.

use std::fmt::Write as _;

/// An option, as the help and the manual page have it.
pub struct Opt {
    pub flags: &'static [&'static str],
    pub value: Option<&'static str>,
    pub text: &'static str,
}

pub const OPTIONS: &[Opt] = &[
    Opt { flags: &["-p", "--port"], value: Some("PORT"), text: "port number or service name (default: 25)" },
    Opt { flags: &["-r", "--raw"], value: None, text: "raw mode: send every byte as it is, at once" },
    Opt { flags: &["-4"], value: None, text: "use IPv4 addresses only" },
    Opt { flags: &["-6"], value: None, text: "use IPv6 addresses only" },
    Opt { flags: &["--source"], value: Some("ADDRESS"), text: "connect from this address" },
    Opt { flags: &["--timeout"], value: Some("SECONDS"), text: "longest wait for a reply, and to connect" },
    Opt { flags: &["--connect-timeout"], value: Some("SECONDS"), text: "longest attempt at one address (default: 30)" },
    Opt { flags: &["--no-wait"], value: None, text: "send piped lines without waiting for replies" },
    Opt { flags: &["-c", "--command"], value: Some("LINE"), text: "a line of the session, instead of the input" },
    Opt { flags: &["--fail"], value: None, text: "end at the first negative reply, with 69 or 75" },
    Opt { flags: &["--starttls"], value: None, text: "do EHLO, STARTTLS and TLS before handing over" },
    Opt { flags: &["--tls"], value: None, text: "TLS from the first byte (implied by port 465)" },
    Opt { flags: &["--no-tls"], value: None, text: "no TLS from the first byte, on port 465 either" },
    Opt { flags: &["--no-upgrade"], value: None, text: "send STARTTLS as any command, without starting TLS" },
    Opt { flags: &["--helo"], value: Some("NAME"), text: "the name in EHLO (default: this machine's)" },
    Opt { flags: &["-k", "--insecure"], value: None, text: "go on whatever is wrong with the certificate" },
    Opt { flags: &["--tls-name"], value: Some("NAME"), text: "ask for, and require, a certificate for NAME" },
    Opt { flags: &["--cafile"], value: Some("FILE"), text: "trust these authorities instead of the system's" },
    Opt { flags: &["--pin"], value: Some("SHA256"), text: "trust this public key and no other" },
    Opt { flags: &["--cert"], value: Some("FILE"), text: "client certificate and its chain, in PEM" },
    Opt { flags: &["--key"], value: Some("FILE"), text: "its key (default: in the same file)" },
    Opt { flags: &["--tls-min"], value: Some("VERSION"), text: "least version of TLS: 1.2 (default) or 1.3" },
    Opt { flags: &["--tls-verbose"], value: None, text: "show the chain of certificates" },
    Opt { flags: &["--save-chain"], value: Some("FILE"), text: "write the chain to a file, in PEM" },
    Opt { flags: &["--auth"], value: Some("USER[:MECHANISM]"), text: "authenticate before handing over" },
    Opt { flags: &["--password-file"], value: Some("FILE"), text: "take the password from its first line" },
    Opt { flags: &["--password-command"], value: Some("COMMAND"), text: "take the password from what it prints" },
    Opt { flags: &["--allow-plaintext-auth"], value: None, text: "let a password out without TLS" },
    Opt { flags: &["--quiet"], value: None, text: "say nothing but what the server says, and errors" },
    Opt { flags: &["--play"], value: Some("FILE"), text: "play a dialogue; - is standard input" },
    Opt { flags: &["--set"], value: Some("NAME=VALUE"), text: "give a name in a dialogue a value" },
    Opt { flags: &["--scale"], value: Some("FACTOR"), text: "multiply the deadlines of dialogues by this" },
    Opt { flags: &["--keep-going"], value: None, text: "go on after what was not as expected" },
    Opt { flags: &["--repeat"], value: Some("COUNT"), text: "play so many times" },
    Opt { flags: &["--quit-at"], value: Some("PLACE"), text: "stop at a *place* with QUIT" },
    Opt { flags: &["--drop-at"], value: Some("PLACE"), text: "stop at a *place* without QUIT" },
    Opt { flags: &["--tap"], value: None, text: "tell the outcome as TAP" },
    Opt { flags: &["--junit"], value: Some("FILE"), text: "write the outcome as JUnit XML" },
    Opt { flags: &["--record"], value: Some("FILE"), text: "write the session down as a dialogue" },
    Opt { flags: &["--trace"], value: None, text: "tell every byte both ways, or --trace=hex" },
    Opt { flags: &["--json"], value: None, text: "tell what happens as JSON, an object a line" },
    Opt { flags: &["--timestamps"], value: None, text: "show the time since the start before each line" },
    Opt { flags: &["--timing"], value: None, text: "tell where the time went, at the end" },
    Opt { flags: &["--serve"], value: Some("FILE"), text: "play the server's side of a dialogue" },
    Opt { flags: &["--bind"], value: Some("ADDRESS"), text: "serve at this address (default: 127.0.0.1)" },
    Opt { flags: &["--port-file"], value: Some("FILE"), text: "write the port that is served to FILE" },
    Opt { flags: &["--once"], value: None, text: "end after the dialogue was served once" },
    Opt { flags: &["--edit-mode"], value: Some("KEYS"), text: "edit with the keys of emacs (default) or vi" },
    Opt { flags: &["--no-history"], value: None, text: "neither read nor write the history of typed lines" },
    Opt { flags: &["--no-escapes"], value: None, text: "send lines that begin with a tilde like any other" },
    Opt { flags: &["--no-explain"], value: None, text: "do not explain negative replies" },
    Opt { flags: &["--color"], value: Some("WHEN"), text: "colour: auto (default), always or never" },
    Opt { flags: &["--demo"], value: None, text: "open the session with a built-in loopback server" },
    Opt { flags: &["--help-smtp"], value: None, text: "show help on SMTP, or on a TOPIC after it" },
    Opt { flags: &["--helpfile"], value: Some("FILE"), text: "take that help from a sendmail help file" },
    Opt { flags: &["-h"], value: None, text: "show the options" },
    Opt { flags: &["--help"], value: None, text: "show the options and how a session goes" },
    Opt { flags: &["-V", "--version"], value: None, text: "show the version" },
];

/// Gives the help, short or whole.
pub fn help(is_whole: bool) -> String {
    let mut help = format!("usage: mconnect [-p PORT] [-r] [OPTION ...] [--] [HOST]\n\n{SUMMARY}\n\noptions:\n");
    for option in OPTIONS {
        let value = option.value.map(|value| format!(" {value}")).unwrap_or_default();
        let head = format!("{}{value}", option.flags.join(", "));
        let head = if head.len() > 27 { format!("{head}\n{:29}", "") } else { head };
        writeln!(help, "  {head:<27} {}", option.text).expect("writing to a string does not fail");
    }
    help.push_str(if is_whole { WHOLE } else { "\nmconnect --help says more.\n" });
    help
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
  mconnect --record talk.txt mx.example.org
  mconnect --play talk.txt mx.example.org
  mconnect --demo
  mconnect --help-smtp 5.7.1
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_page_has_the_options_of_the_help_and_no_others() {
        let page = include_str!("../../mconnect.1");
        let documented: Vec<String> = page
            .lines()
            .filter_map(|line| line.strip_prefix(".It Fl "))
            .flat_map(|line| line.split(" , Fl ").map(|flag| flag.split(' ').next().unwrap_or_default().to_owned()))
            .map(|flag| format!("-{}", flag.replace("\\-", "-")))
            .collect();
        let known: Vec<&str> = OPTIONS.iter().flat_map(|option| option.flags).copied().collect();
        assert_eq!(documented, known);
    }

    #[test]
    fn help_fits_a_terminal() {
        for line in help(true).lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
