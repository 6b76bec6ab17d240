# Sourced by run: the parts that install packages, and most of which want root.

targets() {
  benches
  step 'many targets at a farm of servers: killed and resumed'
  package python3
  tested --no-run
  MCONNECT=$target/debug/mconnect FARM=$target/debug/farm TARGETS=3000 mconnect-cli/benches/probe endurance
}

minimum() {
  step 'the minimum version of Rust, of each crate'
  package python3
  for crate in mconnect-core mconnect-cli; do
    minimum=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' $crate/Cargo.toml)
    # What the crates that it is built from state themselves.
    cargo metadata --format-version 1 --all-features | python3 -c '
import json, sys
crate, minimum = sys.argv[1], sys.argv[2]
number = lambda version: [int(part) for part in version.split(".")][:2]
data = json.load(sys.stdin)
packages = {package["id"]: package for package in data["packages"]}
nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
todo, seen = [id for id, package in packages.items() if package["name"] == crate], set()
while todo:
    seen.add(id := todo.pop())
    for dep in nodes[id]["deps"]:
        if dep["pkg"] not in seen and any(kind["kind"] != "dev" for kind in dep["dep_kinds"]):
            todo.append(dep["pkg"])
stated = [packages[id] for id in seen if packages[id]["rust_version"]]
newer = [package["name"] for package in stated if number(package["rust_version"]) > number(minimum)]
sys.exit(f"{crate} states Rust {minimum}, and these need a newer one: {newer}" if newer else 0)
' $crate "$minimum"
    # Lints know the library, and not the language.
    # A let chain: && before a let, or behind one, outside of parentheses.
    if [ "$minimum" \< 1.88 ] && find $crate/src -name '*.rs' -exec awk '
      /^ *\/\// { next }
      {
        line = $0
        while (gsub(/\([^()]*\)/, "", line)) ;
        if (line ~ /&& let / || line ~ /(if|while) let [^{]*&& / || (is_open && line ~ /^ *&& /))
          print FILENAME ":" FNR ": " $0
        is_open = line ~ /(if|while) let [^{;]*$/
      }' {} + | grep .; then
      die "let chains came with Rust 1.88"
    fi
    older=$(rustup toolchain list 2>/dev/null | sed -n "s/^\(${minimum//./\\.}\(\.[0-9]*\)\?\)-.*/\1/p" | head -1)
    if [[ $(rustc --version) == "rustc $minimum."* ]]; then
      echo "$crate: all of this is done by Rust $minimum"
    elif [ -n "$older" ]; then
      cargo "+$older" check -p $crate --all-features --locked --target-dir "$target/minimum"
      echo "$crate: built by Rust $older"
    else
      echo "$crate: linted for Rust $minimum (clippy::incompatible_msrv), not built by it: it is not here"
    fi
  done
}

manual() {
  step 'the manual page'
  package mandoc
  mandoc -T lint -W warning docs/mconnect.1
}

binary() {
  step 'the binary lies anywhere, its relocations are read-only, and it exports nothing'
  package binutils
  cargo build --release --locked -p mconnect-cli
  binary=$target/release/mconnect
  looks() { readelf -W "$1" "$binary" | grep "$2" >/dev/null || die "no $2 in readelf $1"; }
  looks -h 'Type: *DYN'
  looks -l GNU_RELRO
  looks -d BIND_NOW
  looks -d '(RELR)'
  exported=$(readelf -W --dyn-syms "$binary" | awk '$1 ~ /^[0-9]+:$/ && $7 != "UND" && $8 { print $8 }')
  [ -z "$exported" ] || die "the binary exports $exported"
}

openssl() {
  step "Python's ssl"
  package python3
  package openssl
  tested --test real openssl -- --ignored
}

domains() {
  step 'NSD, Unbound, Postfix and policies over HTTPS: what domains say of their mail'
  package python3
  tested --test real domains -- --ignored
}

machines() {
  step "GNU parallel over two of OpenSSH's servers: killed half way and resumed"
  tested --test real machines -- --ignored --show-output
}

servers() {
  step 'Postfix, Exim, OpenSMTPD and Dovecot, two proxies, GNU SASL, and the options of swaks and curl'
  package gsasl
  package microsocks
  package tinyproxy-bin
  package swaks
  package curl
  tested --test real -- --ignored --skip openssl --skip domains --skip machines --skip completions --skip written_down --show-output
}

shells() {
  step 'bash, zsh and fish: what they complete'
  package bash-completion
  package zsh
  package fish
  tested --test real completions -- --ignored
}

debian() {
  step 'the package for Debian: as lintian has it, and in a clean root'
  package dpkg-dev
  package xz-utils
  package lintian
  package mmdebstrap
  command -v cargo-deb >/dev/null ||
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --no-default-features cargo-deb@3.8.0
  cargo build --release --locked -p mconnect-cli
  deb=$TMPDIR/mconnect.deb root=$TMPDIR/root
  cargo deb -p mconnect-cli --no-build -o "$deb"
  [ "$(dpkg-deb -f "$deb" Version)" = "$(dpkg-parsechangelog -l mconnect-cli/debian/changelog -S Version)" ] ||
    die 'mconnect-cli/debian/changelog speaks of another version'
  lintian --allow-root --fail-on error,warning --tag-display-limit 0 "$deb"
  mmdebstrap --quiet --variant=essential --include=man-db "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root"
  cp "$deb" "$root/tmp"
  chroot "$root" dpkg -i /tmp/mconnect.deb
  echo QUIT | chroot "$root" mconnect --demo | grep '^221' || die 'what was installed opens no session'
  [ "$(chroot "$root" man -w mconnect)" = /usr/share/man/man1/mconnect.1.gz ] || die 'man does not find the page'
  completions() { # completions FILE PLACE: it is there as it was made
    cmp "docs/completions/$1" "$root/usr/share/$2"
  }
  completions mconnect.bash bash-completion/completions/mconnect
  completions _mconnect zsh/vendor-completions/_mconnect
  completions mconnect.fish fish/vendor_completions.d/mconnect.fish
  rm -r "$root"
}
