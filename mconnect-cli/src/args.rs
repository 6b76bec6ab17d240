//! Arguments: from words to plain data, which touches nothing.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;
use mconnect_core::Family;

/// What the arguments ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    Session(Options),
    /// Help on an SMTP topic, from this help file or the installed one.
    HelpSmtp {
        topic: Option<String>,
        file: Option<PathBuf>,
    },
    Help,
    LongHelp,
    Version,
}

/// How a session is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub target: Target,
    pub port: u16,
    pub family: Family,
    pub source: Option<IpAddr>,
    pub timeout: Option<Duration>,
    pub connect_timeout: Option<Duration>,
    pub mode: Mode,
    pub is_quiet: bool,
    pub prompt: Prompt,
}

/// How the prompt is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    pub keys: Keys,
    pub color: Color,
    pub has_history: bool,
    pub has_escapes: bool,
    pub explains: bool,
    pub help_file: Option<PathBuf>,
}

/// Whose keys edit a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    Emacs,
    Vi,
}

/// When the prompt is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Unless `NO_COLOR` is set.
    Auto,
    Always,
    Never,
}

/// Whom to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Host(String),
    /// The built-in loopback server.
    Demo,
}

/// How input is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// By the line; from a pipe, in step with the replies.
    Line,
    /// By the line, without waiting for replies.
    Blind,
    /// Every byte as it comes.
    Raw,
}

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
    Opt {
        flags: &["--timeout"],
        value: Some("SECONDS"),
        text: "longest wait for a reply (default: 300; DATA 120, end of data 600)",
    },
    Opt {
        flags: &["--connect-timeout"],
        value: Some("SECONDS"),
        text: "longest attempt to connect to one address (default: 30)",
    },
    Opt { flags: &["--no-wait"], value: None, text: "send piped lines without waiting for replies" },
    Opt { flags: &["--quiet"], value: None, text: "say nothing but what the server says, and errors" },
    Opt { flags: &["--edit-mode"], value: Some("KEYS"), text: "edit with the keys of emacs (default) or vi" },
    Opt { flags: &["--no-history"], value: None, text: "neither read nor write the history of typed lines" },
    Opt { flags: &["--no-escapes"], value: None, text: "send lines that begin with a tilde like any other" },
    Opt { flags: &["--no-explain"], value: None, text: "do not explain negative replies" },
    Opt { flags: &["--color"], value: Some("WHEN"), text: "colour: auto (default), always or never" },
    Opt { flags: &["--demo"], value: None, text: "open the session with a built-in loopback server" },
    Opt { flags: &["--help-smtp"], value: None, text: "show help on SMTP, or on the TOPIC in place of HOST" },
    Opt { flags: &["--helpfile"], value: Some("FILE"), text: "take that help from a sendmail help file" },
    Opt { flags: &["-h"], value: None, text: "show the options" },
    Opt { flags: &["--help"], value: None, text: "show the options and how a session goes" },
    Opt { flags: &["-V", "--version"], value: None, text: "show the version" },
];

/// Reads the arguments.
///
/// # Errors
/// A sentence that says what is wrong with them.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Request, String> {
    let mut parser = lexopt::Parser::from_args(args);
    let mut host = None;
    let (mut port, mut family, mut source) = (25, Family::Any, None);
    let (mut timeout, mut connect_timeout) = (None, None);
    let mut is_help_smtp = false;
    let (mut is_raw, mut is_blind, mut is_quiet, mut is_demo) = (false, false, false, false);
    let mut prompt = Prompt {
        keys: Keys::Emacs,
        color: Color::Auto,
        has_history: true,
        has_escapes: true,
        explains: true,
        help_file: None,
    };
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        match arg {
            Short('p') | Long("port") => {
                port = mconnect_core::port(&text(&mut parser)?).map_err(|error| error.to_string())?;
            }
            Short('r') | Long("raw") => is_raw = true,
            Short('4') => family = Family::V4,
            Short('6') => family = Family::V6,
            Long("source") => source = Some(address(&text(&mut parser)?)?),
            Long("timeout") => timeout = Some(seconds(&text(&mut parser)?)?),
            Long("connect-timeout") => connect_timeout = Some(seconds(&text(&mut parser)?)?),
            Long("no-wait") => is_blind = true,
            Long("quiet") => is_quiet = true,
            Long("edit-mode") => {
                prompt.keys = one_of(&text(&mut parser)?, &[("emacs", Keys::Emacs), ("vi", Keys::Vi)])?;
            }
            Long("no-history") => prompt.has_history = false,
            Long("no-escapes") => prompt.has_escapes = false,
            Long("no-explain") => prompt.explains = false,
            Long("color") => {
                let known = [("auto", Color::Auto), ("always", Color::Always), ("never", Color::Never)];
                prompt.color = one_of(&text(&mut parser)?, &known)?;
            }
            Long("demo") => is_demo = true,
            Long("help-smtp") => is_help_smtp = true,
            Long("helpfile") => prompt.help_file = Some(parser.value().map_err(|error| error.to_string())?.into()),
            Short('h') => return Ok(Request::Help),
            Long("help") => return Ok(Request::LongHelp),
            Short('V') | Long("version") => return Ok(Request::Version),
            Value(value) if host.is_none() => host = Some(string(value)?),
            Value(value) => return Err(format!("one host is enough: {:?} is one too many", value.to_string_lossy())),
            other => return Err(other.unexpected().to_string()),
        }
    }
    if is_help_smtp {
        return Ok(Request::HelpSmtp { topic: host, file: prompt.help_file });
    }
    let target = match (host, is_demo) {
        (Some(_), true) => return Err("--demo takes no host: it brings its own".to_owned()),
        (None, true) => Target::Demo,
        (host, false) => Target::Host(host.unwrap_or_else(|| "localhost".to_owned())),
    };
    let mode = match (is_raw, is_blind) {
        (true, _) => Mode::Raw,
        (false, true) => Mode::Blind,
        (false, false) => Mode::Line,
    };
    Ok(Request::Session(Options { target, port, family, source, timeout, connect_timeout, mode, is_quiet, prompt }))
}

/// Gives the help, short or whole.
pub fn help(is_whole: bool) -> String {
    let mut help = format!("usage: mconnect [-p PORT] [-r] [OPTION ...] [HOST]\n\n{SUMMARY}\n\noptions:\n");
    for option in OPTIONS {
        let value = option.value.map(|value| format!(" {value}")).unwrap_or_default();
        let head = format!("{}{value}", option.flags.join(", "));
        writeln!(help, "  {head:<26} {}", option.text).expect("writing to a string does not fail");
    }
    help.push_str(if is_whole { WHOLE } else { "\nmconnect --help says more.\n" });
    help
}

const SUMMARY: &str = "Opens a session with the mail server on HOST (default: localhost) and hands it to you.";

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

In raw mode (-r) every byte goes out as it is typed or piped, and nothing waits.

What the server says goes to standard output, what mconnect says to standard
error. Exit status: 0 done, 64 usage, 65 the input ended inside a message,
68 unknown host, 69 cannot connect, or refused with 5yz, 74 input or output
failed, 75 temporary failure (a time-out, 421, 4yz), 76 the server broke off,
130 interrupted.

examples:
  mconnect mx.example.org
  mconnect -p submission mail.example.org
  mconnect -p 2525 ::1 <session.txt
  mconnect --demo
  mconnect --help-smtp 5.7.1
";

fn text(parser: &mut lexopt::Parser) -> Result<String, String> {
    string(parser.value().map_err(|error| error.to_string())?)
}

fn one_of<T: Copy>(text: &str, known: &[(&str, T)]) -> Result<T, String> {
    let names = || known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let found = known.iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| *value).ok_or_else(|| format!("{text:?} is none of: {}", names()))
}

fn string(value: OsString) -> Result<String, String> {
    value.into_string().map_err(|value| format!("{:?} is not UTF-8", value.to_string_lossy()))
}

fn address(text: &str) -> Result<IpAddr, String> {
    let inner = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(text);
    inner.parse().map_err(|_| format!("{text:?} is no IPv4 or IPv6 address"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>().map(Duration::try_from_secs_f64) {
        Ok(Ok(seconds)) if !seconds.is_zero() && seconds <= A_YEAR => Ok(seconds),
        _ => Err(format!("{text:?} is no number of seconds above 0")),
    }
}

const A_YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    fn of(args: &[&str]) -> Result<Request, String> {
        parse(args.iter().map(OsString::from))
    }

    fn options(args: &[&str]) -> Options {
        match of(args).unwrap() {
            Request::Session(options) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn no_argument_is_the_local_host_and_the_port_of_smtp() {
        let options = options(&[]);
        assert_eq!(
            (options.target, options.port, options.mode),
            (Target::Host("localhost".to_owned()), 25, Mode::Line)
        );
    }

    #[test]
    fn the_classic_forms_and_ours() {
        for args in
            [["-p2525", "mx"].as_slice(), &["-p", "2525", "mx"], &["mx", "--port=2525"], &["-p=2525", "--", "mx"]]
        {
            let options = options(args);
            assert_eq!((options.target, options.port), (Target::Host("mx".to_owned()), 2525));
        }
        assert_eq!(options(&["-rp", "submission"]).port, 587);
        assert_eq!(options(&["-r", "--no-wait"]).mode, Mode::Raw);
        assert_eq!(options(&["--source", "[::1]", "-6"]).source, Some("::1".parse().unwrap()));
        assert_eq!(options(&["--timeout", "1.5"]).timeout, Some(Duration::from_millis(1500)));
        assert_eq!(options(&["--", "-h"]).target, Target::Host("-h".to_owned()));
        assert_eq!(options(&["--demo"]).target, Target::Demo);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases: &[(&[&str], &str)] = &[
            (&["a", "b"], "one host is enough: \"b\" is one too many"),
            (&["-p"], "missing argument for option '-p'"),
            (&["-p", "0"], "\"0\" is no port: a number from 1 to 65535, or a service name"),
            (&["-x"], "invalid option '-x'"),
            (&["--raw=yes"], "unexpected argument for option '--raw': \"yes\""),
            (&["--timeout", "0"], "\"0\" is no number of seconds above 0"),
            (&["--timeout", "nan"], "\"nan\" is no number of seconds above 0"),
            (&["--source", "mx"], "\"mx\" is no IPv4 or IPv6 address"),
            (&["--color", "blue"], "\"blue\" is none of: auto, always, never"),
            (&["--demo", "mx"], "--demo takes no host: it brings its own"),
        ];
        for (args, message) in cases {
            assert_eq!(of(args).unwrap_err(), *message);
        }
    }

    #[test]
    fn the_parser_knows_every_option_of_the_help() {
        for option in OPTIONS {
            for flag in option.flags {
                let value = option.value.map(|value| match value {
                    "ADDRESS" => "::1",
                    "KEYS" => "vi",
                    "WHEN" => "auto",
                    _ => "25",
                });
                let args: Vec<&str> = Some(*flag).into_iter().chain(value).collect();
                assert!(of(&args).is_ok(), "{args:?}");
                assert!(
                    of(&[flag, value.unwrap_or("25"), "--nonsense"]).is_err()
                        || matches!(*flag, "-h" | "--help" | "-V" | "--version")
                );
            }
        }
    }

    #[test]
    fn the_manual_page_has_the_options_of_the_help_and_no_others() {
        let page = include_str!("../../docs/mconnect.1");
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
            assert!(line.chars().count() <= 95, "{line}");
        }
    }
}
