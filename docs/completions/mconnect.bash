# bash completion for mconnect(1). Made from the tool's table of options, and not changed by hand.

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
        -p | --port | --source | --timeout | --connect-timeout | --resolver | --pipe | --via | --via-password-file | --haproxy | --haproxy-version | --xclient | --xforward | -c | --command | --to | --from | --message | --header | --body | --mail-param | --rcpt-param | --until | --expiring | --exclude | --targets | --jobs | --per-address | --rate | --resume | --helo | --tls-name | --cafile | --pin | --cert | --key | --tls-min | --save-chain | --auth | --password-file | --password-command | --record | --edit-mode | --color | --play | --set | --scale | --repeat | --quit-at | --drop-at | --junit | --serve | --bind | --port-file | --helpfile) ;;
        *) return 1 ;;
    esac
}

# Offers what the value of option $1 can be, of which $2 is there.
_mconnect_value() {
    case $1 in
        -p | --port) _mconnect_words "$2" smtp submission submissions smtps lmtp ;;
        --pipe | --password-command) COMPREPLY=($(compgen -c -- "$2")) ;;
        --via) _mconnect_words "$2" socks5:// socks5h:// http:// ;;
        --via-password-file | --message | --exclude | --targets | --resume | --cafile | --cert | --key | --save-chain | --password-file | --record | --play | --junit | --serve | --port-file | --helpfile) compopt -o default ;;
        --haproxy) _mconnect_words "$2" local ;;
        --haproxy-version) _mconnect_words "$2" 1 2 ;;
        --until) _mconnect_words "$2" connect greeting ehlo starttls auth mail rcpt data ;;
        --helo | --tls-name) _mconnect_hosts "$2" ;;
        --tls-min) _mconnect_words "$2" 1.2 1.3 ;;
        --auth) [[ $2 != *:* ]] || _mconnect_words "$2" "${2%:*}":{SCRAM-SHA-256-PLUS,SCRAM-SHA-1-PLUS,SCRAM-SHA-256,SCRAM-SHA-1,CRAM-MD5,PLAIN,LOGIN,OAUTHBEARER,XOAUTH2,EXTERNAL} ;;
        --trace) _mconnect_words "$2" hex ;;
        --timestamps) _mconnect_words "$2" clock ;;
        --edit-mode) _mconnect_words "$2" emacs vi ;;
        --color) _mconnect_words "$2" auto always never ;;
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
        _mconnect_words "$word" -p --port -4 -6 --source --timeout --connect-timeout --demo --mx --resolver --trust-resolver --allow-private --pipe --via --via-password-file --haproxy --haproxy-version --xclient --xforward --xclient-anyway -r --raw --no-wait -c --command --fail --to --from --message --header --body --bdat --bdat= --mail-param --rcpt-param --until --lmtp --probe --expiring --exclude --targets --jobs --per-address --rate --resume --starttls --tls --no-tls --no-upgrade --helo -k --insecure --tls-name --cafile --pin --cert --key --tls-min --tls-verbose --save-chain --auth --password-file --password-command --allow-plaintext-auth --quiet --record --trace --trace=hex --json --timestamps --timestamps=clock --timing --edit-mode --no-history --no-escapes --no-explain --color --play --set --scale --keep-going --repeat --quit-at --drop-at --tap --junit --serve --bind --port-file --expect-haproxy --once --help-smtp --helpfile -h --help -V --version
    elif [[ $'\n'"${COMP_WORDS[*]:1:start - 1}"$'\n' == *$'\n--help-smtp\n'* ]]; then
        _mconnect_words "$word" walk smtp helo ehlo lhlo mail rcpt data bdat rset noop vrfy expn help quit etrn auth starttls size body smtputf8 dsn dot greylisting spf dkim dmarc arc mx null-mx ptr dns block-list relay policy submission smtps tls certificate subjectaltname cipher aes-gcm chacha20 ecdhe requiretls plain oauth login xoauth2 base64 proxy http tcp ipv4 ipv6 lmtp rfc cr lf nul ascii utf-8 message-id rrvs reputation rdp postscreen envelope bounce
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
