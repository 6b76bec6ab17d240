# Sourced by the scripts beside it, at the root of the repository.
here=mconnect-cli/benches bench=target/bench
servers=()

# Makes the binary that is measured, or copies the one that MCONNECT names, and the meter.
build() {
    mkdir -p $bench
    [[ ${MCONNECT:-} ]] || cargo build --release --quiet
    # As installed: a copied file is laid out in memory in larger pieces than one that a linker wrote.
    cp "${MCONNECT:-${CARGO_TARGET_DIR:-target}/release/mconnect}" $bench/mconnect
    MCONNECT=$bench/mconnect
    cc -std=c11 -O2 -static -o $bench/meter $here/meter.c 2>/dev/null || cc -std=c11 -O2 -o $bench/meter $here/meter.c
}

machine() { echo "$(nproc) cores, $(uname -sr), $(cc --version | head -n1)"; }

# Starts a server that prints its port on one line and runs until the end of the script, and sets port.
serve() {
    exec {told}< <(exec "$@")
    servers+=($!)
    read -r port <&"$told"
}
end_servers() {
    [[ ${#servers[@]} -eq 0 ]] || { kill "${servers[@]}"; wait "${servers[@]}"; } 2>/dev/null || true
}
trap end_servers EXIT

# Writes a file that is not there yet: once FILE COMMAND, which prints the contents.
once() {
    [[ -s $1 ]] || { "${@:2}" >"$1.part" && mv "$1.part" "$1"; }
}

# A line of pair.py's plan: name, input, octets, expected output, command.
plan() { local IFS=$'\t'; echo "$*"; }

pair() { python3 $here/pair.py "$1" $bench/meter $bench/output; }
