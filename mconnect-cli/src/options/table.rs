//! The table of options, in groups, each option a row.

use mconnect_core::Family;

use super::option::{Act, Opt};
use super::value::{address, count, factor, form, one_of, port, put, seconds, value};
use super::{Color, Keys, Mode, Request, Target, security};

/// Options that have to do with the same thing, which `name` says.
pub struct Group {
    pub name: &'static str,
    pub options: &'static [Opt],
}

/// Returns every option, as ordered in the help and in the manual page.
pub fn all() -> impl Iterator<Item = &'static Opt> {
    GROUPS.iter().flat_map(|group| group.options)
}

pub const GROUPS: &[Group] = &[
    Group { name: "connection", options: CONNECTION },
    Group { name: "session", options: SESSION },
    Group { name: "TLS", options: security::TLS },
    Group { name: "authentication", options: security::AUTHENTICATION },
    Group { name: "what is told", options: OUTPUT },
    Group { name: "prompt", options: PROMPT },
    Group { name: "dialogues", options: PLAY },
    Group { name: "serving a dialogue", options: SERVE },
    Group { name: "help", options: HELP },
];

const CONNECTION: &[Opt] = &[
    Opt::text("-p, --port PORT", "port number or service name (default: 25)", |options, text| {
        put(&mut options.port, port(&text).map(Some))
    })
    .first(),
    Opt::flag("-4", "use IPv4 addresses only", |options| options.family = Family::V4)
        .apart(&[(&["-6"], "-4 and -6 exclude each other")]),
    Opt::flag("-6", "use IPv6 addresses only", |options| options.family = Family::V6),
    Opt::text("--source ADDRESS", "connect from this address", |options, text| {
        put(&mut options.source, address(&text).map(Some))
    }),
    Opt::text("--timeout SECONDS", "longest wait for a reply, and to connect", |options, text| {
        put(&mut options.timeout, seconds(&text).map(Some))
    }),
    Opt::text("--connect-timeout SECONDS", "longest attempt at one address (default: 30)", |options, text| {
        put(&mut options.connect_timeout, seconds(&text).map(Some))
    }),
    Opt::flag("--demo", "open the session with a built-in loopback server", |options| options.target = Target::Demo)
        .first()
        .apart(&[(&["-p", "-4", "-6", "--source"], "--demo brings its own address and port")]),
];

const SESSION: &[Opt] = &[
    Opt::flag("-r, --raw", "raw mode: send every byte as it is, at once", |options| options.mode = Mode::Raw)
        .first()
        .apart(&[
            (&["--no-wait"], "-r and --no-wait exclude each other: raw mode never waits"),
            (
                &["-c", "--fail", "--json", "--timestamps", "--timing", "--record"],
                "-r goes with none of -c, --fail, --json, --timestamps, --timing and --record: raw mode knows no lines \
                 and no replies",
            ),
        ]),
    Opt::flag("--no-wait", "send piped lines without waiting for replies", |options| options.mode = Mode::Blind),
    Opt::raw("-c, --command LINE", "a line of the session, instead of the input", |options, line| {
        options.commands.push(line);
    })
    .first(),
    Opt::flag("--fail", "end at the first negative reply, with 69 or 75", |options| options.ends_at_refusal = true),
];

const OUTPUT: &[Opt] = &[
    Opt::flag("--quiet", "say nothing but what the server says, and errors", |options| options.is_quiet = true),
    Opt::raw("--record FILE", "write the session down as a dialogue", |options, file| {
        options.record = Some(file.into());
    })
    .first(),
    Opt::new(
        "--trace[=hex]",
        "tell every byte both ways, with escapes or in hex",
        Act::Optional(|options, value| put(&mut options.trace, form(value).map(Some))),
    )
    .first(),
    Opt::flag("--json", "tell what happens as JSON, an object a line", |options| options.output.is_json = true)
        .apart(&[(&["--tap"], "--json and --tap exclude each other: both are for standard output")]),
    Opt::flag("--timestamps", "show the time since the start before each line", |options| {
        options.output.has_stamps = true;
    })
    .apart(&[(&["--json", "--tap"], "--timestamps goes with neither --json nor --tap: both have the time already")]),
    Opt::flag("--timing", "tell where the time went, at the end", |options| options.output.has_timing = true),
];

const PROMPT: &[Opt] = &[
    Opt::text("--edit-mode KEYS", "edit with the keys of emacs (default) or vi", |options, text| {
        put(&mut options.prompt.keys, one_of(&text, &[("emacs", Keys::Emacs), ("vi", Keys::Vi)]))
    }),
    Opt::flag("--no-history", "neither read nor write the history of typed lines", |options| {
        options.prompt.has_history = false;
    }),
    Opt::flag("--no-escapes", "send lines that begin with a tilde like any other", |options| {
        options.prompt.has_escapes = false;
    }),
    Opt::flag("--no-explain", "do not explain negative replies", |options| options.prompt.explains = false),
    Opt::text("--color WHEN", "colour: auto (default), always or never", |options, text| {
        let known = [("auto", Color::Auto), ("always", Color::Always), ("never", Color::Never)];
        put(&mut options.prompt.color, one_of(&text, &known))
    }),
];

const PLAY: &[Opt] = &[
    Opt::raw("--play FILE", "play a dialogue; - is standard input", |options, file| {
        options.play.files.push(file.into());
    })
    .first()
    .apart(&[
        (
            &["-c", "--fail", "-r", "--no-wait"],
            "--play takes its lines from a dialogue: -c, --fail, -r and --no-wait go without it",
        ),
        (
            &["--starttls", "--auth"],
            "--play takes no --starttls and no --auth: a dialogue says so itself, *starttls* and *authenticate*",
        ),
    ]),
    Opt::text("--set NAME=VALUE", "give a name in a dialogue a value", |options, text| {
        options.play.values.push(value(&text)?);
        Ok(())
    })
    .with(&["--play", "--serve"]),
    Opt::text("--scale FACTOR", "multiply the deadlines of dialogues by this", |options, text| {
        put(&mut options.play.scale, factor(&text))
    })
    .with(&["--play", "--serve"]),
    Opt::flag("--keep-going", "go on after what was not as expected", |options| options.play.keeps_going = true)
        .with(&["--play"]),
    Opt::text("--repeat COUNT", "play so many times", |options, text| put(&mut options.play.repeat, count(&text)))
        .with(&["--play"]),
    Opt::text("--quit-at PLACE", "stop at a *place* with QUIT", |options, place| {
        put(&mut options.play.quit_at, Ok(Some(place)))
    })
    .with(&["--play"])
    .apart(&[(&["--drop-at"], "--quit-at and --drop-at exclude each other: a session ends once")]),
    Opt::text("--drop-at PLACE", "stop at a *place* without QUIT", |options, place| {
        put(&mut options.play.drop_at, Ok(Some(place)))
    })
    .with(&["--play"]),
    Opt::flag("--tap", "tell the outcome as TAP", |options| options.play.is_tap = true).with(&["--play"]),
    Opt::raw("--junit FILE", "write the outcome as JUnit XML", |options, file| options.play.junit = Some(file.into()))
        .with(&["--play"]),
];

const SERVE: &[Opt] = &[
    Opt::raw("--serve FILE", "play the server's side of a dialogue", |options, file| {
        options.serve.file = Some(file.into());
    })
    .apart(&[
        (&["--play", "--record", "--demo"], "--serve takes no host and nothing to play or record"),
        (&["-c", "--fail"], "--serve takes its lines from its dialogue: -c and --fail are for a session"),
        (
            &["--json", "--timestamps", "--timing"],
            "--serve has no session of its own for --json, --timestamps or --timing to tell of",
        ),
        (
            &["-4", "-6", "--source", "--connect-timeout", "-r", "--no-wait", "--trace"],
            "--serve connects to nobody: -4, -6, --source, --connect-timeout, -r, --no-wait and --trace are for sessions",
        ),
        (
            security::FOR_CLIENTS,
            "--serve is the server: of the options on TLS and AUTH it takes --tls, --cert, --key and --save-chain",
        ),
    ]),
    Opt::text("--bind ADDRESS", "serve at this address (default: 127.0.0.1)", |options, text| {
        put(&mut options.serve.address, address(&text))
    })
    .with(&["--serve"]),
    Opt::raw("--port-file FILE", "write the port that is served to FILE", |options, file| {
        options.serve.port_file = Some(file.into());
    })
    .with(&["--serve"]),
    Opt::flag("--once", "end after the dialogue was served once", |options| options.serve.is_once = true)
        .with(&["--serve"]),
];

const HELP: &[Opt] = &[
    Opt::flag("--help-smtp", "show help on SMTP, or on a TOPIC after it", |options| options.is_help = true).first(),
    Opt::raw("--helpfile FILE", "take that help from a sendmail help file", |options, file| {
        options.prompt.help_file = Some(file.into());
    }),
    Opt::new("-h", "show the options to begin with", Act::Ask(|| Request::Help)),
    Opt::new("--help", "show all options and how a session goes", Act::Ask(|| Request::LongHelp)),
    Opt::new("-V, --version", "show the version", Act::Ask(|| Request::Version)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_names_options_that_there_are_and_its_value_if_it_takes_one() {
        let flags: Vec<&str> = all().flat_map(Opt::flags).collect();
        for option in all() {
            let others = option.apart.iter().flat_map(|(others, _)| others.iter()).chain(option.with);
            for other in others {
                assert!(flags.contains(other), "{} names {other}", option.head);
            }
            let has_value = option.head.split(' ').any(|word| !word.starts_with('-'));
            assert_eq!(has_value, matches!(option.act, Act::Text(_) | Act::Raw(_)), "{}", option.head);
        }
        let mut once = flags.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), flags.len(), "a flag is in two rows: {flags:?}");
    }

    #[test]
    fn a_dozen_options_are_there_to_begin_with() {
        assert_eq!(all().filter(|option| option.is_first).count(), 12);
    }
}
