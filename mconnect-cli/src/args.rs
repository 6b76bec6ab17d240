//! Arguments: from words to plain data, which touches nothing.

mod security;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;
use mconnect_core::Family;
use mconnect_core::protocol::Visible;
#[cfg_attr(not(feature = "tls"), allow(unused_imports, reason = "the options are read all the same"))]
pub use security::{Auth, Security, Start};

use crate::trace::Form;

/// What the arguments ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    Session(Box<Options>),
    /// Dialogues, played to the host.
    Play(Box<Options>, Play),
    /// A dialogue, played by a server.
    Serve(Serve),
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
    /// Where the session is written down as a dialogue.
    pub record: Option<PathBuf>,
    pub trace: Option<Form>,
    pub security: Security,
    pub prompt: Prompt,
}

/// How dialogues are played.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Play {
    /// The files; `-` is standard input.
    pub files: Vec<PathBuf>,
    pub values: Vec<(String, String)>,
    pub repeat: usize,
    pub keeps_going: bool,
    pub quit_at: Option<String>,
    pub drop_at: Option<String>,
    pub is_tap: bool,
    pub junit: Option<PathBuf>,
}

/// How a dialogue is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serve {
    pub file: PathBuf,
    pub values: Vec<(String, String)>,
    pub address: SocketAddr,
    pub port_file: Option<PathBuf>,
    pub is_once: bool,
    pub patience: Option<Duration>,
    pub is_quiet: bool,
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
    Opt { flags: &["--timeout"], value: Some("SECONDS"), text: "longest wait for a reply (default: 5 minutes)" },
    Opt { flags: &["--connect-timeout"], value: Some("SECONDS"), text: "longest attempt at one address (default: 30)" },
    Opt { flags: &["--no-wait"], value: None, text: "send piped lines without waiting for replies" },
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
    Opt { flags: &["--keep-going"], value: None, text: "go on after what was not as expected" },
    Opt { flags: &["--repeat"], value: Some("COUNT"), text: "play so many times" },
    Opt { flags: &["--quit-at"], value: Some("PLACE"), text: "stop at a *place* with QUIT" },
    Opt { flags: &["--drop-at"], value: Some("PLACE"), text: "stop at a *place* without QUIT" },
    Opt { flags: &["--tap"], value: None, text: "tell the outcome as TAP" },
    Opt { flags: &["--junit"], value: Some("FILE"), text: "write the outcome as JUnit XML" },
    Opt { flags: &["--record"], value: Some("FILE"), text: "write the session down as a dialogue" },
    Opt { flags: &["--trace"], value: None, text: "tell every byte both ways, or --trace=hex" },
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

/// Reads the arguments.
///
/// # Errors
/// A sentence that says what is wrong with them.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Request, String> {
    let mut parser = lexopt::Parser::from_args(args);
    let mut host = None;
    let (mut port, mut family, mut source) = (25, Family::Any, None);
    let (mut timeout, mut connect_timeout) = (None, None);
    let (mut play, mut record, mut has_port) = (Play { repeat: 1, ..Play::default() }, None, false);
    let mut trace = None;
    let (mut serve, mut bind, mut port_file, mut is_once) = (None, Ipv4Addr::LOCALHOST.into(), None, false);
    let mut security = Security::default();
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
    while let Some(arg) = parser.next().map_err(shown)? {
        match arg {
            Short('p') | Long("port") => {
                let text = text(&mut parser)?;
                has_port = true;
                // A server may leave the choice to the system.
                port = match text.as_str() {
                    "0" => 0,
                    _ => mconnect_core::port(&text).map_err(|error| error.to_string())?,
                };
            }
            Short('r') | Long("raw") => is_raw = true,
            Short('4') if family != Family::V6 => family = Family::V4,
            Short('6') if family != Family::V4 => family = Family::V6,
            Short('4' | '6') => return Err("-4 and -6 exclude each other".to_owned()),
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
            Long("play") => play.files.push(file(&mut parser)?),
            Long("set") => play.values.push(value(&text(&mut parser)?)?),
            Long("keep-going") => play.keeps_going = true,
            Long("repeat") => play.repeat = count(&text(&mut parser)?)?,
            Long("quit-at") => play.quit_at = Some(text(&mut parser)?),
            Long("drop-at") => play.drop_at = Some(text(&mut parser)?),
            Long("tap") => play.is_tap = true,
            Long("junit") => play.junit = Some(file(&mut parser)?),
            Long("record") => record = Some(file(&mut parser)?),
            Long("trace") => trace = Some(form(parser.optional_value())?),
            Long("serve") => serve = Some(file(&mut parser)?),
            Long("bind") => bind = address(&text(&mut parser)?)?,
            Long("port-file") => port_file = Some(file(&mut parser)?),
            Long("once") => is_once = true,
            Long("demo") => is_demo = true,
            Long("help-smtp") => is_help_smtp = true,
            Long("helpfile") => prompt.help_file = Some(file(&mut parser)?),
            Short('k') => security.is_insecure = true,
            Long(name) if security::is_flag(name) => security.set_flag(name),
            Long(name) if security::takes_value(name) => {
                let name = name.to_owned();
                security.set(&name, string(parser.value().map_err(shown)?)?)?;
            }
            Short('h') => return Ok(Request::Help),
            Long("help") => return Ok(Request::LongHelp),
            Short('V') | Long("version") => return Ok(Request::Version),
            Value(value) if host.is_none() => host = Some(string(value)?),
            Value(value) => {
                let hint = if value.to_string_lossy().parse::<u16>().is_ok() { ": a port goes with -p" } else { "" };
                return Err(format!("one host is enough: {:?} is one too many{hint}", value.to_string_lossy()));
            }
            other => return Err(shown(other.unexpected())),
        }
    }
    if is_help_smtp {
        return Ok(Request::HelpSmtp { topic: host, file: prompt.help_file });
    }
    if let Some(file) = serve {
        if host.is_some() || is_demo || !play.files.is_empty() || record.is_some() {
            return Err("--serve takes no host and nothing to play or record".to_owned());
        }
        let address = SocketAddr::new(bind, if has_port { port } else { 0 });
        let values = play.values;
        return Ok(Request::Serve(Serve { file, values, address, port_file, is_once, patience: timeout, is_quiet }));
    }
    if port == 0 {
        return Err(mconnect_core::port("0").map_or_else(|error| error.to_string(), |_| String::new()));
    }
    let target = match (host, is_demo) {
        (Some(_), true) => return Err("--demo takes no host: it brings its own".to_owned()),
        (None, true) if has_port || family != Family::Any || source.is_some() => {
            return Err("--demo brings its own address and port".to_owned());
        }
        (None, true) => Target::Demo,
        (Some(host), false) => Target::Host(checked(host)?),
        (None, false) => Target::Host("localhost".to_owned()),
    };
    let mode = match (is_raw, is_blind) {
        (true, true) => return Err("-r and --no-wait exclude each other: raw mode never waits".to_owned()),
        (true, false) => Mode::Raw,
        (false, true) => Mode::Blind,
        (false, false) => Mode::Line,
    };
    security.settle(port)?;
    let options = Box::new(Options {
        target,
        port,
        family,
        source,
        timeout,
        connect_timeout,
        mode,
        is_quiet,
        record,
        trace,
        security,
        prompt,
    });
    Ok(if play.files.is_empty() { Request::Session(options) } else { Request::Play(options, play) })
}

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
  mconnect --record talk.txt mx.example.org
  mconnect --play talk.txt mx.example.org
  mconnect --demo
  mconnect --help-smtp 5.7.1
";

/// Gives the host back, unless it is a port in the wrong place: a resolver would take a number for an address.
fn checked(host: String) -> Result<String, String> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let has_port = match host.rsplit_once(':') {
        Some((name, port)) => is_number(port) && (name.ends_with(']') || !name.contains(':')),
        None => is_number(&host),
    };
    if has_port { Err(format!("{host:?} is not a host: a port goes with -p")) } else { Ok(host) }
}

/// Gives the words of an error, which may quote an argument, safe for a terminal.
fn shown(error: lexopt::Error) -> String {
    Visible(error.to_string().as_bytes()).to_string()
}

fn text(parser: &mut lexopt::Parser) -> Result<String, String> {
    string(parser.value().map_err(shown)?)
}

fn one_of<T: Copy>(text: &str, known: &[(&str, T)]) -> Result<T, String> {
    let names = || known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let found = known.iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| *value).ok_or_else(|| format!("{text:?} is none of: {}", names()))
}

fn string(value: OsString) -> Result<String, String> {
    value.into_string().map_err(|value| format!("{:?} is not UTF-8", value.to_string_lossy()))
}

fn file(parser: &mut lexopt::Parser) -> Result<PathBuf, String> {
    Ok(parser.value().map_err(shown)?.into())
}

fn form(value: Option<OsString>) -> Result<Form, String> {
    match value.map(string).transpose()?.as_deref() {
        None => Ok(Form::Escaped),
        Some("hex") => Ok(Form::Hex),
        Some(other) => Err(format!("{other:?} is not a form of --trace: hex")),
    }
}

fn value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not NAME=VALUE")),
    }
}

fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| format!("{text:?} is not a count above 0"))
}

fn address(text: &str) -> Result<IpAddr, String> {
    let inner = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(text);
    inner.parse().map_err(|_| format!("{text:?} is not an IPv4 or IPv6 address"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>().map(Duration::try_from_secs_f64) {
        Ok(Ok(seconds)) if !seconds.is_zero() && seconds <= A_YEAR => Ok(seconds),
        _ => Err(format!("{text:?} is not a number of seconds above 0")),
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
            Request::Session(options) => *options,
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
        assert_eq!(options(&["--no-wait"]).mode, Mode::Blind);
        assert_eq!(options(&["--source", "[::1]", "-6"]).source, Some("::1".parse().unwrap()));
        assert_eq!(options(&["--timeout", "1.5"]).timeout, Some(Duration::from_millis(1500)));
        assert_eq!(options(&["--", "-h"]).target, Target::Host("-h".to_owned()));
        assert_eq!(options(&["--demo"]).target, Target::Demo);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases: &[(&[&str], &str)] = &[
            (&["a", "b"], "one host is enough: \"b\" is one too many"),
            (&["a", "25"], "one host is enough: \"25\" is one too many: a port goes with -p"),
            (&["2525"], "\"2525\" is not a host: a port goes with -p"),
            (&["mx:25"], "\"mx:25\" is not a host: a port goes with -p"),
            (&["[::1]:25"], "\"[::1]:25\" is not a host: a port goes with -p"),
            (&["-4", "-6"], "-4 and -6 exclude each other"),
            (&["-r", "--no-wait"], "-r and --no-wait exclude each other: raw mode never waits"),
            (&["--demo", "-p", "25"], "--demo brings its own address and port"),
            (&["-p"], "missing argument for option '-p'"),
            (&["-p", "0"], "\"0\" is not a port: a number from 1 to 65535, or a service name"),
            (&["-x"], "invalid option '-x'"),
            (&["--x\x1b[31m"], "invalid option '--x\\x1b[31m'"),
            (&["--raw=yes"], "unexpected argument for option '--raw': \"yes\""),
            (&["--timeout", "0"], "\"0\" is not a number of seconds above 0"),
            (&["--timeout", "nan"], "\"nan\" is not a number of seconds above 0"),
            (&["--source", "mx"], "\"mx\" is not an IPv4 or IPv6 address"),
            (&["--set", "a"], "\"a\" is not NAME=VALUE"),
            (&["--trace=x"], "\"x\" is not a form of --trace: hex"),
            (&["--repeat", "0"], "\"0\" is not a count above 0"),
            (&["--serve", "a", "mx"], "--serve takes no host and nothing to play or record"),
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
                    "NAME=VALUE" => "a=b",
                    "VERSION" => "1.3",
                    "SHA256" => "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
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
        let page = include_str!("../mconnect.1");
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
