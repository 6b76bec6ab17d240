//! From words to data.

use std::ffi::OsString;

use lexopt::prelude::*;
use mconnect_core::suggest::nearest;
use mconnect_core::{Endpoint, InvalidEndpoint, InvalidHost, Scheme};

use super::option::{Act, Opt};
use super::roads::take_socket;
use super::table::all;
use super::value::{one_of, shown, string};
use super::{Options, Request, Start, Target, exchangers};

/// Reads the arguments.
///
/// # Errors
/// A sentence that says what is wrong with them.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Request, String> {
    let mut parser = lexopt::Parser::from_args(args);
    let (mut options, mut operands, mut given) = (Options::default(), Vec::new(), Vec::new());
    while let Some(arg) = parser.next().map_err(shown)? {
        let flag = match arg {
            Short(letter) => String::from_iter(['-', letter]),
            Long(name) => format!("--{name}"),
            Value(value) => {
                operands.push(string(value)?);
                continue;
            }
        };
        let option = all().find(|option| option.has(&flag)).ok_or_else(|| unknown(flag))?;
        given.push(option);
        match option.act {
            Act::Flag(set) => set(&mut options),
            Act::Text(set) => set(&mut options, &string(parser.value().map_err(shown)?)?)?,
            Act::Word(known) => one_of(&string(parser.value().map_err(shown)?)?, known)?(&mut options),
            Act::Raw(set) => set(&mut options, parser.value().map_err(shown)?),
            Act::File(place) => *place(&mut options) = Some(parser.value().map_err(shown)?.into()),
            Act::Optional(set) => set(&mut options, parser.optional_value().map(string).transpose()?.as_deref())?,
            Act::Ask(request) => return Ok(request()),
        }
    }
    if options.is_help {
        let topic = (!operands.is_empty()).then(|| operands.join(" "));
        return Ok(Request::HelpSmtp { topic, file: options.prompt.help_file });
    }
    check(&given)?;
    if let Some(file) = options.serve.file.take() {
        return match operands.as_slice() {
            [] => Ok(Request::Serve(file, Box::new(options))),
            _ => Err("--serve takes no host and nothing to play or record".to_owned()),
        };
    }
    if options.port == Some(0) {
        // There is no such port to connect to, which is told in the words of all others.
        options.port = Some(mconnect_core::port("0").map_err(|error| error.to_string())?);
    }
    if options.probing.is_asked_for {
        options.probing.take(&operands, &options.sending)?;
        return Ok(Request::Probe(Box::new(options)));
    }
    if let [server, rest @ ..] = operands.as_slice() {
        match options.target {
            Target::Demo => return Err("--demo takes no host: it brings its own".to_owned()),
            Target::Process(_) => return Err("--pipe takes no host: the process is the server".to_owned()),
            Target::Host(_) | Target::Unix(_) => take_server(&mut options, server, rest)?,
        }
    }
    if options.exchangers.are_asked_for {
        let given = (!operands.is_empty()).then_some(&options.target);
        options.target = exchangers::domain(given, &options.sending.to)?;
    }
    options.security.settle(options.port());
    let options = Box::new(options);
    if options.sending.is_asked_for() {
        options.sending.check(options.port(), options.security.auth.is_some(), options.ends_at_refusal)?;
        return Ok(Request::Send(options));
    }
    Ok(if options.play.files.is_empty() { Request::Session(options) } else { Request::Play(options) })
}

/// Takes the server that was written, with what else is said of its port and of TLS.
fn take_server(options: &mut Options, server: &str, rest: &[String]) -> Result<(), String> {
    if take_socket(options, server, rest)? {
        return Ok(());
    }
    let endpoint = read(server)?;
    take_ports(options, &endpoint, rest)?;
    take_scheme(options, &endpoint)?;
    options.target = Target::Host(endpoint.host);
    Ok(())
}

/// Reads a server as people write it; a password in it is not repeated.
fn read(server: &str) -> Result<Endpoint, String> {
    server.parse().map_err(|why| match why {
        InvalidEndpoint::User => format!("{why}; --auth USER asks for the password"),
        InvalidEndpoint::Host(InvalidHost::Port) => {
            format!("{server:?} is not a host: a port goes with -p, or after the host")
        }
        why => format!("{server:?} is not a host: {why}"),
    })
}

/// Takes the port from wherever it is named: behind the host, as a word of its own after that, or by the scheme. `-p` comes
/// before the scheme, and has to agree with the others.
fn take_ports(options: &mut Options, endpoint: &Endpoint, rest: &[String]) -> Result<(), String> {
    let second = match rest {
        [] => None,
        [word] => Some(second(word)?),
        [_, third, ..] => return Err(too_many(third)),
    };
    let named = [endpoint.port, second, options.port];
    let mut ports = named.into_iter().flatten();
    let first = ports.next();
    if let (Some(one), Some(other)) = (first, ports.find(|port| Some(*port) != first)) {
        return Err(format!("the port is named twice, as {one} and as {other}"));
    }
    options.port = first.or(endpoint.scheme.map(Scheme::port));
    Ok(())
}

/// Reads the word after the host, which is a port.
fn second(word: &str) -> Result<u16, String> {
    let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
    mconnect_core::port(word).map_err(|error| if is_number { error.to_string() } else { too_many(word) })
}

fn too_many(word: &str) -> String {
    // It may be a URL, with a password.
    let word = if word.contains('@') { "the next".to_owned() } else { format!("{word:?}") };
    format!("one host is enough: {word} is one too many")
}

/// Has TLS start as the scheme says, with which the options on TLS have to agree.
fn take_scheme(options: &mut Options, endpoint: &Endpoint) -> Result<(), String> {
    let Some(scheme) = endpoint.scheme else { return Ok(()) };
    let (prefix, security) = (scheme.prefix(), &mut options.security);
    match (scheme, security.start) {
        (Scheme::Smtps, Start::Upgrade) => {
            return Err(format!("{prefix} is TLS from the first byte, and --starttls by a command"));
        }
        (Scheme::Smtps, _) if security.is_plain => {
            return Err(format!("{prefix} is TLS from the first byte, and --no-tls is without"));
        }
        (Scheme::Smtps, _) => security.start = Start::First,
        (_, Start::First) => {
            return Err(format!("{prefix} begins without TLS, and --tls with it: smtps:// is what goes with --tls"));
        }
        _ => {}
    }
    Ok(())
}

/// Says that there is no such option, and which one may have been meant.
fn unknown(flag: String) -> String {
    let known: Vec<&str> = all().flat_map(Opt::flags).collect();
    let meant = nearest(&flag, &known);
    let hint = meant.map(|meant| format!(": is {meant} meant?")).unwrap_or_default();
    shown(lexopt::Error::UnexpectedOption(flag)) + &hint
}

/// Looks whether the options that were given go together.
///
/// # Errors
/// A sentence that says which of them do not, or go with another alone.
fn check(given: &[&Opt]) -> Result<(), String> {
    let is_any_given = |flags: &str| flags.split(' ').any(|flag| given.iter().any(|option| option.has(flag)));
    if let Some((_, why)) = given.iter().flat_map(|option| option.apart).find(|(others, _)| is_any_given(others)) {
        return Err((*why).to_owned());
    }
    match given.iter().find(|option| !option.with.is_empty() && !is_any_given(option.with)) {
        Some(option) => Err(format!("{} goes with {}", option.name(), option.with.replace(' ', " or "))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mconnect_core::Host;

    use super::super::Mode;
    use super::*;

    fn of(args: &[&str]) -> Result<Request, String> {
        parse(args.iter().map(OsString::from))
    }

    fn host(name: &str) -> Target {
        Target::Host(Host::from_name(name).unwrap())
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
        assert_eq!((&options.target, options.port(), options.mode), (&host("localhost"), 25, Mode::Line));
    }

    #[test]
    fn the_classic_forms_and_ours() {
        for args in
            [["-p2525", "mx"].as_slice(), &["-p", "2525", "mx"], &["mx", "--port=2525"], &["-p=2525", "--", "mx"]]
        {
            let options = options(args);
            assert_eq!((&options.target, options.port()), (&host("mx"), 2525));
        }
        assert_eq!(options(&["-rp", "submission"]).port(), 587);
        assert_eq!(options(&["--no-wait"]).mode, Mode::Blind);
        assert_eq!(options(&["--source", "[::1]", "-6"]).source, Some("::1".parse().unwrap()));
        assert_eq!(options(&["--timeout", "1.5"]).timeout, Some(Duration::from_millis(1500)));
        assert_eq!(options(&["--", "-h"]).target, host("-h"));
        assert_eq!(options(&["--demo"]).target, Target::Demo);
    }

    #[test]
    fn a_socket_and_a_process_are_servers_too() {
        for written in ["unix:/run/lmtp", "/run/lmtp"] {
            assert_eq!(options(&[written]).target, Target::Unix("/run/lmtp".into()));
        }
        assert_eq!(options(&["unix:lmtp"]).target, Target::Unix("lmtp".into()));
        assert_eq!(options(&["--pipe", "sendmail -bs"]).target, Target::Process("sendmail -bs".to_owned()));
    }

    #[test]
    fn a_port_may_follow_the_host_and_a_url_says_how_tls_starts() {
        for (args, port, start) in [
            (&["mx:2525"][..], 2525, Start::ByHand),
            (&["mx", "2525"], 2525, Start::ByHand),
            (&["mx", "smtp"], 25, Start::ByHand),
            (&["mx", "smtps"], 465, Start::First),
            (&["mx:25", "25", "-p", "smtp"], 25, Start::ByHand),
            (&["smtp://mx"], 25, Start::ByHand),
            (&["smtp://mx", "--starttls"], 25, Start::Upgrade),
            (&["smtp://mx", "-p", "2525"], 2525, Start::ByHand),
            (&["smtp://mx:465"], 465, Start::First),
            (&["smtps://mx"], 465, Start::First),
            (&["smtps://mx:2465/", "--tls"], 2465, Start::First),
            (&["submission://mx"], 587, Start::ByHand),
        ] {
            let options = options(args);
            let found = (&options.target, options.port(), options.security.start);
            assert_eq!(found, (&host("mx"), port, start), "{args:?}");
        }
        assert_eq!((options(&["::1"]).target, options(&["[::1]:26"]).port()), (host("::1"), 26));
        let topic = Request::HelpSmtp { topic: Some("RCPT TO".to_owned()), file: None };
        assert_eq!(of(&["--help-smtp", "RCPT", "TO"]), Ok(topic));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases: &[(&[&str], &str)] = &[
            (&["a", "b"], "one host is enough: \"b\" is one too many"),
            (&["a", "25", "26"], "one host is enough: \"26\" is one too many"),
            (&["a", "joe:sesame@b"], "one host is enough: the next is one too many"),
            (&["a", "70000"], "\"70000\" is not a port: a number from 1 to 65535, or a service name"),
            (&["2525"], "\"2525\" is not a host: a port goes with -p, or after the host"),
            (&["mx:25", "26"], "the port is named twice, as 25 and as 26"),
            (&["-p", "submission", "[::1]:25"], "the port is named twice, as 25 and as 587"),
            (&["mx", "25", "-p", "26"], "the port is named twice, as 25 and as 26"),
            (&["mx:0"], "\"mx:0\" is not a host: \"0\" is not a port: a number from 1 to 65535, or a service name"),
            (
                &["smtp://joe:sesame@mx"],
                "an @ is no part of a host, and a user or a password before it is not taken, since others can read it there; --auth USER asks for the password",
            ),
            (
                &["lmtp://mx"],
                "\"lmtp://mx\" is not a host: of URLs, those that begin with smtp://, smtps:// and submission:// are known",
            ),
            (
                &["--tls", "submission://mx"],
                "submission:// begins without TLS, and --tls with it: smtps:// is what goes with --tls",
            ),
            (&["--starttls", "smtps://mx"], "smtps:// is TLS from the first byte, and --starttls by a command"),
            (&["smtps://mx", "--no-tls"], "smtps:// is TLS from the first byte, and --no-tls is without"),
            (&["-4", "-6"], "-4 and -6 exclude each other"),
            (&["-r", "--no-wait"], "-r and --no-wait exclude each other: raw mode never waits"),
            (&["--demo", "-p", "25"], "--demo brings its own address and port"),
            (&["-p"], "missing argument for option '-p'"),
            (&["-p", "0"], "\"0\" is not a port: a number from 1 to 65535, or a service name"),
            (&["-x"], "invalid option '-x'"),
            (&["--strattls"], "invalid option '--strattls': is --starttls meant?"),
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
            (&["--timestamps=x"], "\"x\" is not a form of --timestamps: clock"),
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
            (&["--pipe", "sendmail -bs", "mx"], "--pipe takes no host: the process is the server"),
            (&["--pipe", ""], "--pipe is empty"),
            (
                &["--pipe", "a", "-p", "25"],
                "--pipe connects to nobody: -p, -4, -6, --source, --connect-timeout and --via go without it",
            ),
            (&["--demo", "--pipe", "a"], "--pipe goes with neither --demo nor --serve: each is a server of its own"),
            (
                &["--via", "socks4://joe:sesame@p"],
                "--via: proxies are written as socks5://, socks5h:// or http://, with a host and a port",
            ),
            (&["--via", "http://joe:sesame@p"], "--via: of a proxy that speaks HTTP, the port has to be named"),
            (&["--via", "socks5://p", "/run/lmtp"], "no proxy leads to a UNIX socket: it is on this machine"),
            (&["--via-password-file", "a"], "--via-password-file goes with --via"),
            (&["--haproxy", "mx:25"], "\"mx:25\" is no address with a port, as in 127.0.0.1:49152 or [::1]:49152"),
            (&["--haproxy-version", "1"], "--haproxy-version goes with --haproxy"),
            (&["--haproxy", "local", "--haproxy-version", "3"], "\"3\" is none of: 1, 2"),
            (&["--xclient", "A B=c"], "\"A B=c\": an attribute is NAME=VALUE, its name of letters, digits and hyphens"),
            (
                &["--play", "a", "--xforward", "NAME=b"],
                "--play takes neither --xclient nor --xforward: a dialogue says so itself",
            ),
            (&["unix:"], "unix: names no socket: unix:PATH"),
            (&["unix:/run/lmtp", "24"], "a UNIX socket has no port"),
            (&["/run/lmtp", "-p", "24"], "a UNIX socket has no port"),
        ];
        for (args, message) in cases {
            assert_eq!(of(args).unwrap_err(), *message);
        }
    }

    #[test]
    fn every_option_is_taken_and_sets_something() {
        for option in all() {
            let value = option.head.split(' ').find(|word| !word.starts_with('-')).map(|value| match value {
                "ADDRESS" | "ADDRESS[:PORT]" => "::1",
                "NAME=VALUE" => "a=b",
                "VERSION" => "1.3",
                "SHA256" => "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                "KEYS" => "vi",
                "WHEN" => "never",
                "STAGE" => "ehlo",
                "HEADER" => "X: y",
                "URL" => "socks5://a",
                "FROM[,TO]" => "::1",
                "FORM" => "1",
                _ => "26",
            });
            for flag in option.flags() {
                let args: Vec<&str> = Some(flag).into_iter().chain(value).collect();
                // Some go with one of these alone.
                let with = [
                    &[][..],
                    &["--via", "http://b:1"],
                    &["--haproxy", "local"],
                    &["--xclient", "c=d"],
                    &["--play", "a"],
                    &["--serve", "a"],
                    &["--cert", "a"],
                    &["--to", "a"],
                    &["a"],
                    &["--probe", "a"],
                    &["--probe"],
                    &["--probe", "--targets", "a"],
                    &["--mx", "a"],
                ];
                let taken = with.iter().find(|with| of(&[&args, **with].concat()).is_ok());
                let with = taken.unwrap_or_else(|| panic!("{args:?}"));
                assert_ne!(of(&[&args, *with].concat()), of(with), "{args:?}");
            }
        }
    }
}
