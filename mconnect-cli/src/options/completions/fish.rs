//! For fish.

use super::super::option::Opt;
use super::super::table::all;
use super::{Offer, mechanisms, topics};

pub fn script() -> String {
    let top = TOP.replace("@MECHANISMS@", &mechanisms().join(",")).replace("@TOPICS@", &topics());
    all().fold(top, |script, option| format!("{script}complete -c mconnect {}\n", row(option)))
}

/// Returns an option as `complete` takes it.
fn row(option: &Opt) -> String {
    let flags = option.flags().map(|flag| match flag.strip_prefix("--") {
        Some(long) => format!("-l {long}"),
        None => format!("-s {}", flag.trim_start_matches('-')),
    });
    let mut words: Vec<String> = flags.collect();
    if let Some(offer) = option.offer() {
        let is_file = matches!(offer, Offer::Files);
        if !option.is_value_optional() {
            words.push(if is_file { "-r -F" } else { "-x" }.to_owned());
        }
        let offered = match offer {
            Offer::Nothing | Offer::Files => None,
            Offer::Hosts => Some("(__fish_print_hostnames)".to_owned()),
            Offer::Commands => Some("(__fish_complete_command)".to_owned()),
            Offer::Words(words) => Some(words.join(" ")),
            Offer::Mechanisms(_) => Some("(__mconnect_mechanisms)".to_owned()),
        };
        words.extend(offered.map(|offered| format!("-a '{offered}'")));
    }
    words.push(format!("-d '{}'", option.help.replace('\\', "\\\\").replace('\'', "\\'")));
    words.join(" ")
}

const TOP: &str = r"# fish completion for mconnect(1). Made from the tool's table of options, and not changed by hand.

function __mconnect_mechanisms
    set -l user (commandline -ct | string replace -r '^--[^=]*=' '' | string match -r '.*:')
    and printf '%s\n' $user{@MECHANISMS@}
end

complete -c mconnect -f -n 'not __fish_contains_opt help-smtp' -a '(__fish_print_hostnames)'
complete -c mconnect -f -n '__fish_contains_opt help-smtp' -a '@TOPICS@'
";
