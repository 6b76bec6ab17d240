//! For bash, with the package bash-completion or without it.

use super::super::option::Opt;
use super::super::table::all;
use super::{Offer, topics};

pub fn script() -> String {
    let offered = all().flat_map(written).collect::<Vec<_>>().join(" ");
    let has_value = |option: &&Opt| option.value().is_some() && !option.is_value_optional();
    let taking: Vec<&str> = all().filter(has_value).flat_map(Opt::flags).collect();
    // Options of which the same is done share a line.
    let mut cases: Vec<(String, Vec<&str>)> = Vec::new();
    for (option, act) in all().filter_map(|option| option.offer().and_then(act).map(|act| (option, act))) {
        match cases.iter_mut().find(|(known, _)| *known == act) {
            Some((_, flags)) => flags.extend(option.flags()),
            None => cases.push((act, option.flags().collect())),
        }
    }
    let cases = cases
        .iter()
        .fold(String::new(), |cases, (act, flags)| format!("{cases}        {}) {act} ;;\n", flags.join(" | ")));
    TEMPLATE
        .replace("@OFFERED@", &offered)
        .replace("@TAKING@", &taking.join(" | "))
        .replace("@TOPICS@", &topics())
        .replace("        @CASES@\n", &cases)
}

/// Returns an option as it can be written, up to its value if that follows it in a word of its own.
fn written(option: &Opt) -> Vec<String> {
    let flags = option.flags().map(str::to_owned);
    let with_value = match option.offer() {
        Some(Offer::Words(words)) if option.is_value_optional() => {
            words.iter().map(|word| format!("{}={word}", option.name())).collect()
        }
        Some(_) if option.is_value_optional() => vec![format!("{}=", option.name())],
        _ => Vec::new(),
    };
    flags.chain(with_value).collect()
}

/// Returns what is done where a value is expected of which `$2` is there.
fn act(offer: Offer) -> Option<String> {
    match offer {
        Offer::Nothing => None,
        Offer::Files => Some("compopt -o default".to_owned()),
        Offer::Hosts => Some("_mconnect_hosts \"$2\"".to_owned()),
        Offer::Commands => Some("COMPREPLY=($(compgen -c -- \"$2\"))".to_owned()),
        Offer::Words(words) => Some(format!("_mconnect_words \"$2\" {}", words.join(" "))),
        Offer::Mechanisms(words) => {
            let words = words.join(",");
            Some(format!("[[ $2 != *:* ]] || _mconnect_words \"$2\" \"${{2%:*}}\":{{{words}}}"))
        }
    }
}

const TEMPLATE: &str = r#"# bash completion for mconnect(1). Made from the tool's table of options, and not changed by hand.

# Offers those of the words that begin as the first one.
_mconnect_words() {
    local begun=$1 word
    shift
    for word; do
        [[ $word != "$begun"* ]] || COMPREPLY+=("$word")
    done
}

_mconnect_hosts() {
    if declare -F _known_hosts_real >/dev/null; then
        _known_hosts_real -- "$1"
    else
        COMPREPLY=($(compgen -A hostname -- "$1"))
    fi
}

_mconnect_takes_value() {
    case $1 in
        @TAKING@) ;;
        *) return 1 ;;
    esac
}

# Offers what the value of option $1 can be, of which $2 is there.
_mconnect_value() {
    case $1 in
        @CASES@
    esac
}

_mconnect() {
    local IFS= start=$COMP_CWORD last=${COMP_WORDS[COMP_CWORD]} lead= word cut
    COMPREPLY=()
    # Bash cuts words at =, : and @.
    while ((start > 1)) && [[ ${COMP_WORDS[start]} == [=:@]* || ${COMP_WORDS[start - 1]} == +([=:@]) ]]; do
        ((start--))
    done
    word="${COMP_WORDS[*]:start:COMP_CWORD - start + 1}"
    IFS=$'\n'
    if [[ $'\n'"${COMP_WORDS[*]:1:start - 1}"$'\n' == *$'\n--\n'* ]]; then
        _mconnect_hosts "$word"
    elif [[ $word == --*=* ]]; then
        lead=${word%%=*}=
        _mconnect_value "${word%%=*}" "${word#*=}"
    elif _mconnect_takes_value "${COMP_WORDS[start - 1]}"; then
        _mconnect_value "${COMP_WORDS[start - 1]}" "$word"
    elif [[ $word == -* ]]; then
        _mconnect_words "$word" @OFFERED@
    elif [[ $'\n'"${COMP_WORDS[*]:1:start - 1}"$'\n' == *$'\n--help-smtp\n'* ]]; then
        _mconnect_words "$word" @TOPICS@
    else
        _mconnect_hosts "$word"
    fi
    # What stands before the cut is not written again.
    cut=${word%"$last"}
    [[ $last != +([=:@]) ]] || cut=$word
    COMPREPLY=("${COMPREPLY[@]/#/$lead}")
    COMPREPLY=("${COMPREPLY[@]#"$cut"}")
    [[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *[=/] ]] || compopt -o nospace
}

complete -F _mconnect mconnect
"#;
