//! For zsh.

use super::super::option::{Act, Opt};
use super::super::table::all;
use super::{Offer, mechanisms, topics};

pub fn script() -> String {
    let rows = all().fold(String::new(), |rows, option| format!("{rows}        {} \\\n", row(option)));
    let script = TEMPLATE.replace("        @ROWS@\n", &rows).replace("@MECHANISMS@", &mechanisms().join(" "));
    script.replace("@TOPICS@", &topics())
}

/// Returns an option as `_arguments` takes it: what it does not go with, its flags, its help, and its value.
fn row(option: &Opt) -> String {
    let excluded = match option.act {
        Act::Ask(_) => "(- *)".to_owned(),
        // It may be given several times.
        Act::Text(_) | Act::Raw(_) => format!("({})*", option.excluded().join(" ")),
        _ => format!("({})", option.flags().chain(option.excluded()).collect::<Vec<_>>().join(" ")),
    };
    let excluded = excluded.replace("()", "");
    let flags: Vec<String> = option.flags().map(|flag| format!("{flag}{}", joint(option, flag))).collect();
    let help = option.help.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]");
    let rest = format!("[{help}]{}", value(option).unwrap_or_default());
    match flags.as_slice() {
        [flag] => quoted(&format!("{excluded}{flag}{rest}")),
        flags => format!("{}{{{}}}{}", quoted(&excluded), flags.join(","), quoted(&rest)),
    }
}

/// Returns how the value follows the flag.
fn joint(option: &Opt, flag: &str) -> &'static str {
    match (option.value(), flag.starts_with("--")) {
        (None, _) => "",
        _ if option.is_value_optional() => "=-",
        (_, true) => "=",
        (_, false) => "+",
    }
}

fn value(option: &Opt) -> Option<String> {
    let (name, offer) = (option.value()?, option.offer()?);
    let colons = if option.is_value_optional() { "::" } else { ":" };
    let act = match offer {
        // A space: the message alone is shown.
        Offer::Nothing => " ".to_owned(),
        Offer::Files => "_files".to_owned(),
        Offer::Hosts => "_hosts".to_owned(),
        Offer::Commands => "_cmdstring".to_owned(),
        Offer::Words(words) if words.iter().any(|word| word.ends_with('/')) => {
            format!("compadd -S \"\" -- {}", escaped(&words.join(" ")))
        }
        Offer::Words(words) => format!("({})", escaped(&words.join(" "))),
        Offer::Mechanisms(_) => "_mconnect_mechanisms".to_owned(),
    };
    Some(format!("{colons}{}:{act}", escaped(name)))
}

fn escaped(text: &str) -> String {
    text.replace(':', "\\:")
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

const TEMPLATE: &str = r#"#compdef mconnect
# zsh completion for mconnect(1). Made from the tool's table of options, and not changed by hand.

_mconnect_mechanisms() {
    if compset -P '*:'; then
        compadd "$@" -M 'm:{a-z}={A-Z}' -- @MECHANISMS@
    else
        _message 'user'
    fi
}

_mconnect_operands() {
    if (( ${words[(I)--help-smtp]} )); then
        compadd "$@" -M 'm:{a-zA-Z}={A-Za-z}' -- @TOPICS@
    else
        _hosts "$@"
    fi
}

_mconnect() {
    _arguments -s -S : \
        @ROWS@
        '*:host:_mconnect_operands'
}

_mconnect "$@"
"#;
