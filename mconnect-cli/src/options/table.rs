//! The table of options, in groups, each option a row.

use mconnect_core::{Family, TraceForm};
use rustyline::EditMode;

use super::option::{Act, Opt, file, flag, option, raw, text, word};
use super::value::{address, count, factor, form, port, put, seconds, value};
use super::{Color, Mode, Request, Stamps, Target, exchangers, probing, roads, security, sending};

/// Returns every option, as ordered in the help and in the manual page.
pub fn all() -> impl Iterator<Item = &'static Opt> {
    GROUPS.iter().flat_map(|(_, options)| *options)
}

/// The options that have to do with the same thing, by its name.
pub const GROUPS: &[(&str, &[Opt])] = &[
    ("connection", CONNECTION),
    ("mail exchangers", exchangers::EXCHANGERS),
    ("roads", roads::ROADS),
    ("session", SESSION),
    ("sending a message", sending::SENDING),
    ("probing domains", probing::PROBING),
    ("TLS", security::TLS),
    ("authentication", security::AUTHENTICATION),
    ("what is told", OUTPUT),
    ("prompt", PROMPT),
    ("dialogues", PLAY),
    ("serving a dialogue", SERVE),
    ("help", HELP),
];

const CONNECTION: &[Opt] = &[
    text("-p, --port PORT", "port number or service name (default: 25)", |o, text| put(&mut o.port, port(text)))
        .first(),
    flag("-4", "use IPv4 addresses only", |o| o.family = Family::V4).apart(&[("-6", "-4 and -6 exclude each other")]),
    flag("-6", "use IPv6 addresses only", |o| o.family = Family::V6),
    text("--source ADDRESS", "connect from this address", |o, text| put(&mut o.source, address(text))),
    text("--timeout SECONDS", "longest wait for a reply, and to connect", |o, text| put(&mut o.timeout, seconds(text))),
    text("--connect-timeout SECONDS", "longest attempt at one address (default: 30)", |o, text| {
        put(&mut o.connect_timeout, seconds(text))
    }),
    flag("--demo", "open the session with a built-in loopback server", |o| o.target = Target::Demo)
        .first()
        .apart(&[("-p -4 -6 --source", "--demo brings its own address and port")]),
];

const SESSION: &[Opt] = &[
    flag("-r, --raw", "raw mode: send every byte as it is, at once", |o| o.mode = Mode::Raw).first().apart(&[
        ("--no-wait", "-r and --no-wait exclude each other: raw mode never waits"),
        (
            "-c --fail --json --timestamps --timing --record",
            "-r goes with none of -c, --fail, --json, --timestamps, --timing and --record: raw mode knows no lines \
             and no replies",
        ),
    ]),
    flag("--no-wait", "send piped lines without waiting for replies", |o| o.mode = Mode::Blind),
    raw("-c, --command LINE", "a line of the session, instead of the input", |o, line| o.commands.push(line)).first(),
    flag("--fail", "end at the first negative reply, with 69 or 75", |o| o.ends_at_refusal = true),
];

const OUTPUT: &[Opt] = &[
    flag("--quiet", "say nothing but what the server says, and errors", |o| o.is_quiet = true),
    file("--record FILE", "write the session down as a dialogue", |o| &mut o.record).first(),
    option(
        "--trace[=hex]",
        "tell every byte both ways, with escapes or in hex",
        Act::Optional(|o, value| {
            put(&mut o.trace, form("--trace", value, TraceForm::Escaped, ("hex", TraceForm::Hex)))
        }),
    ),
    flag("--json", "tell what happens as JSON, an object a line", |o| o.output.is_json = true)
        .apart(&[("--tap", "--json and --tap exclude each other: both are for standard output")]),
    option(
        "--timestamps[=clock]",
        "time before each line: since the start, or of day",
        Act::Optional(|o, value| {
            put(&mut o.output.stamps, form("--timestamps", value, Stamps::SinceStart, ("clock", Stamps::Clock)))
        }),
    )
    .apart(&[("--json --tap", "--timestamps goes with neither --json nor --tap: both have the time already")]),
    flag("--timing", "tell where the time went, at the end", |o| o.output.has_timing = true),
];

const PROMPT: &[Opt] = &[
    word(
        "--edit-mode KEYS",
        "edit with the keys of emacs (default) or vi",
        &[("emacs", |o| o.prompt.keys = EditMode::Emacs), ("vi", |o| o.prompt.keys = EditMode::Vi)],
    ),
    flag("--no-history", "neither read nor write the history of typed lines", |o| o.prompt.has_history = false),
    flag("--no-escapes", "send lines that begin with a tilde like any other", |o| o.prompt.has_escapes = false),
    flag("--no-explain", "do not explain negative replies", |o| o.prompt.explains = false),
    word(
        "--color WHEN",
        "colour: auto (default), always or never",
        &[
            ("auto", |o| o.prompt.color = Color::Auto),
            ("always", |o| o.prompt.color = Color::Always),
            ("never", |o| o.prompt.color = Color::Never),
        ],
    ),
];

const PLAY: &[Opt] = &[
    raw("--play FILE", "play a dialogue; - is standard input", |o, file| o.play.files.push(file.into())).first().apart(
        &[
            (
                "-c --fail -r --no-wait",
                "--play takes its lines from a dialogue: -c, --fail, -r and --no-wait go without it",
            ),
            (
                "--starttls --auth",
                "--play takes no --starttls and no --auth: a dialogue says so itself, *starttls* and *authenticate*",
            ),
        ],
    ),
    text("--set NAME=VALUE", "give a name in a dialogue a value", |o, text| {
        value(text).map(|(name, value)| o.play.values.set(name, value))
    })
    .with("--play --serve"),
    text("--scale FACTOR", "multiply the deadlines of dialogues by this", |o, text| {
        put(&mut o.play.scale, factor(text))
    })
    .with("--play --serve"),
    flag("--keep-going", "go on after what was not as expected", |o| o.play.keeps_going = true).with("--play"),
    text("--repeat COUNT", "play, or send, so many times", |o, text| put(&mut o.play.repeat, count(text)))
        .with("--play --to"),
    text("--quit-at PLACE", "stop at a *place* with QUIT", |o, place| put(&mut o.play.quit_at, Ok(place.to_owned())))
        .with("--play")
        .apart(&[("--drop-at", "--quit-at and --drop-at exclude each other: a session ends once")]),
    text("--drop-at PLACE", "stop at a *place* without QUIT", |o, place| {
        put(&mut o.play.drop_at, Ok(place.to_owned()))
    })
    .with("--play"),
    flag("--tap", "tell the outcome as TAP", |o| o.play.is_tap = true).with("--play"),
    file("--junit FILE", "write the outcome as JUnit XML", |o| &mut o.play.junit).with("--play"),
];

const SERVE: &[Opt] = &[
    file("--serve FILE", "play the server's side of a dialogue", |o| &mut o.serve.file).apart(&[
        ("--play --record --demo", "--serve takes no host and nothing to play or record"),
        ("-c --fail", "--serve takes its lines from its dialogue: -c and --fail are for a session"),
        (
            "--json --timestamps --timing",
            "--serve has no session of its own for --json, --timestamps or --timing to tell of",
        ),
        (
            "--via --haproxy --xclient --xforward",
            "--serve is the server: --via, --haproxy, --xclient and --xforward are for clients",
        ),
        (
            "-4 -6 --source --connect-timeout -r --no-wait --trace",
            "--serve connects to nobody: -4, -6, --source, --connect-timeout, -r, --no-wait and --trace are for \
             sessions",
        ),
        (
            "--starttls --no-tls --no-upgrade --helo -k --tls-name --cafile --pin --tls-min --tls-verbose --auth \
             --password-file --password-command --allow-plaintext-auth",
            "--serve is the server: of the options on TLS and AUTH it takes --tls, --cert, --key and --save-chain",
        ),
    ]),
    text("--bind ADDRESS", "serve at this address (default: 127.0.0.1)", |o, text| {
        put(&mut o.serve.address, address(text))
    })
    .with("--serve"),
    file("--port-file FILE", "write the port that is served to FILE", |o| &mut o.serve.port_file).with("--serve"),
    flag("--expect-haproxy", "take clients with a PROXY header alone", |o| o.roads.expects_header = true)
        .with("--serve"),
    flag("--once", "end after the dialogue was served once", |o| o.serve.is_once = true).with("--serve"),
];

const HELP: &[Opt] = &[
    flag("--help-smtp", "show help on SMTP, or on a TOPIC after it", |o| o.is_help = true).first(),
    file("--helpfile FILE", "take that help from a sendmail help file", |o| &mut o.prompt.help_file),
    option("-h", "show the options to begin with", Act::Ask(|| Request::Help)),
    option("--help", "show all options and how a session goes", Act::Ask(|| Request::LongHelp)),
    option("-V, --version", "show the version", Act::Ask(|| Request::Version)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_names_options_that_there_are_and_its_value_if_it_takes_one() {
        let flags: Vec<&str> = all().flat_map(Opt::flags).collect();
        for option in all() {
            let others = option.apart.iter().map(|(others, _)| others).chain([&option.with]);
            for other in others.flat_map(|others| others.split_whitespace()) {
                assert!(flags.contains(&other), "{} names {other}", option.head);
            }
            let has_value = option.head.split(' ').any(|word| !word.starts_with('-'));
            let takes_one = matches!(option.act, Act::Text(_) | Act::Raw(_) | Act::Word(_) | Act::File(_));
            assert_eq!(has_value, takes_one, "{}", option.head);
        }
        let mut once = flags.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), flags.len(), "a flag is in two rows: {flags:?}");
    }

    #[test]
    fn a_dozen_options_and_one_are_there_to_begin_with() {
        assert_eq!(all().filter(|option| option.is_first).count(), 13);
    }
}
