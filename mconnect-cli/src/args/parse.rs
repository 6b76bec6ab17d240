//! From words to data.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};

use lexopt::prelude::*;
use mconnect_core::Family;

use super::security::{self, Security};
use super::together::Given;
use super::value::{address, count, factor, file, form, one_of, seconds, shown, string, text, value};
use super::{Color, Host, Keys, Mode, Options, Output, Play, Prompt, Request, Serve, Target};

/// Reads the arguments.
///
/// # Errors
/// A sentence that says what is wrong with them.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Request, String> {
    let mut parser = lexopt::Parser::from_args(args);
    let mut host = None;
    let (mut port, mut family, mut source) = (25, Family::Any, None);
    let (mut timeout, mut connect_timeout) = (None, None);
    let (mut record, mut has_port) = (None, false);
    let mut play = Play {
        files: Vec::new(),
        values: Vec::new(),
        scale: 1.0,
        repeat: 1,
        keeps_going: false,
        quit_at: None,
        drop_at: None,
        is_tap: false,
        junit: None,
    };
    let mut trace = None;
    let (mut serve, mut bind, mut port_file, mut is_once) = (None, Ipv4Addr::LOCALHOST.into(), None, false);
    let mut security = Security::default();
    let mut is_help_smtp = false;
    let mut output = Output::default();
    let (mut commands, mut ends_at_refusal) = (Vec::new(), false);
    let (mut is_raw, mut is_blind, mut is_quiet, mut is_demo) = (false, false, false, false);
    let mut prompt = Prompt {
        keys: Keys::Emacs,
        color: Color::Auto,
        has_history: true,
        has_escapes: true,
        explains: true,
        help_file: None,
    };
    let mut given = Given::default();
    while let Some(arg) = parser.next().map_err(shown)? {
        match arg {
            Short(letter) => given.add_short(letter),
            Long(name) => given.add_long(name),
            Value(_) => {}
        }
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
            Short('c') | Long("command") => commands.push(parser.value().map_err(shown)?),
            Long("json") => output.is_json = true,
            Long("timestamps") => output.has_stamps = true,
            Long("timing") => output.has_timing = true,
            Long("fail") => ends_at_refusal = true,
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
            Long("scale") => play.scale = factor(&text(&mut parser)?)?,
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
    given.check()?;
    if let Some(file) = serve {
        if host.is_some() {
            return Err("--serve takes no host and nothing to play or record".to_owned());
        }
        let address = SocketAddr::new(bind, if has_port { port } else { 0 });
        return Ok(Request::Serve(Box::new(Serve {
            file,
            values: play.values,
            scale: play.scale,
            security,
            address,
            port_file,
            is_once,
            patience: timeout,
            is_quiet,
        })));
    }
    if port == 0 {
        // There is no such port to connect to, which is told in the words of all others.
        port = mconnect_core::port("0").map_err(|error| error.to_string())?;
    }
    let target = match (host, is_demo) {
        (Some(_), true) => return Err("--demo takes no host: it brings its own".to_owned()),
        (None, true) if has_port || family != Family::Any || source.is_some() => {
            return Err("--demo brings its own address and port".to_owned());
        }
        (None, true) => Target::Demo,
        (Some(host), false) => Target::Host(Host::parse(host)?),
        (None, false) => Target::Host(Host::parse("localhost".to_owned())?),
    };
    let mode = match (is_raw, is_blind) {
        (true, _) => Mode::Raw,
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
        commands,
        ends_at_refusal,
        is_quiet,
        output,
        record,
        trace,
        security,
        prompt,
    });
    Ok(if play.files.is_empty() { Request::Session(options) } else { Request::Play(options, play) })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::args::help::OPTIONS;

    fn of(args: &[&str]) -> Result<Request, String> {
        parse(args.iter().map(OsString::from))
    }

    fn host(name: &str) -> Target {
        Target::Host(Host { name: name.to_owned(), written: None })
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
        assert_eq!((options.target, options.port, options.mode), (host("localhost"), 25, Mode::Line));
    }

    #[test]
    fn the_classic_forms_and_ours() {
        for args in
            [["-p2525", "mx"].as_slice(), &["-p", "2525", "mx"], &["mx", "--port=2525"], &["-p=2525", "--", "mx"]]
        {
            let options = options(args);
            assert_eq!((options.target, options.port), (host("mx"), 2525));
        }
        assert_eq!(options(&["-rp", "submission"]).port, 587);
        assert_eq!(options(&["--no-wait"]).mode, Mode::Blind);
        assert_eq!(options(&["--source", "[::1]", "-6"]).source, Some("::1".parse().unwrap()));
        assert_eq!(options(&["--timeout", "1.5"]).timeout, Some(Duration::from_millis(1500)));
        assert_eq!(options(&["--", "-h"]).target, host("-h"));
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
            (
                &["--starttls", "--tls"],
                "--tls and --starttls exclude each other: TLS starts with the first byte, or by a command",
            ),
            (
                &["--password-command", "a", "--password-file", "b"],
                "--password-file and --password-command exclude each other: there is one password",
            ),
            (
                &["--play", "a", "--drop-at", "1", "--quit-at", "2"],
                "--quit-at and --drop-at exclude each other: a session ends once",
            ),
            (&["--auth", ""], "--auth is empty"),
            (&["--helo="], "--helo is empty"),
            (&["--tls-name", ""], "--tls-name is empty"),
            (&["--trace=x"], "\"x\" is not a form of --trace: hex"),
            (&["--scale", "0"], "\"0\" is not a number above 0"),
            (
                &["--play", "a", "--starttls"],
                "--play takes no --starttls and no --auth: a dialogue says so itself, *starttls* and *authenticate*",
            ),
            (&["--repeat", "0"], "\"0\" is not a count above 0"),
            (&["--serve", "a", "mx"], "--serve takes no host and nothing to play or record"),
            (
                &["-r", "-c", "QUIT"],
                "-r goes with none of -c, --fail, --json, --timestamps, --timing and --record: raw mode knows no lines and no replies",
            ),
            (
                &["-r", "--fail"],
                "-r goes with none of -c, --fail, --json, --timestamps, --timing and --record: raw mode knows no lines and no replies",
            ),
            (
                &["--play", "a", "-c", "b"],
                "--play takes its lines from a dialogue: -c, --fail, -r and --no-wait go without it",
            ),
            (&["--serve", "a", "--fail"], "--serve takes its lines from its dialogue: -c and --fail are for a session"),
            (
                &["-r", "--json"],
                "-r goes with none of -c, --fail, --json, --timestamps, --timing and --record: raw mode knows no lines and no replies",
            ),
            (&["--tap"], "--tap goes with --play"),
            (&["--port-file", "a", "--play", "b"], "--port-file goes with --serve"),
            (&["--set", "a=b"], "--set goes with --play or --serve"),
            (&["--json", "--tap"], "--json and --tap exclude each other: both are for standard output"),
            (
                &["--json", "--timestamps"],
                "--timestamps goes with neither --json nor --tap: both have the time already",
            ),
            (
                &["--serve", "a", "--timing"],
                "--serve has no session of its own for --json, --timestamps or --timing to tell of",
            ),
            (
                &["--serve", "a", "-k"],
                "--serve is the server: of the options on TLS and AUTH it takes --tls, --cert, --key and --save-chain",
            ),
            (&["--key", "a"], "--key goes with --cert"),
            (&["--serve", "a", "--key", "b"], "--key goes with --cert"),
            (&["-c"], "missing argument for option '-c'"),
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
                // Some go with one of these alone.
                let with = [&[][..], &["--play", "a"], &["--serve", "a"], &["--cert", "a"]];
                assert!(with.iter().any(|with| of(&[&args, *with].concat()).is_ok()), "{args:?}");
                let alone = of(&[flag]).err().unwrap_or_default();
                assert_eq!(alone.starts_with("missing argument for option"), value.is_some(), "{flag}: {alone}");
            }
        }
    }
}
