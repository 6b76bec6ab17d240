#!/bin/bash
# dns.sh install DIR | start PORT AUTHORITY_PORT DIR | stop DIR     NSD and Unbound, installed by apt-get; see lib.sh
#
# A DNS of its own, signed from a root of its own down: NSD has the zones at 127.0.0.1:AUTHORITY_PORT, and Unbound
# validates them at 127.0.0.1:PORT, where it sets AD, and answers SERVFAIL with why (RFC 8914) for what is bogus.
# Before it starts, DIR/zones has the records of each zone below test., without SOA and NS, by its name:
#
#   DIR/zones/signed/NAME      signed, and its DS is in test.
#   DIR/zones/unsigned/NAME    not signed, and without DS
#   DIR/zones/bogus/NAME       signed with another key than its DS says
. "$(dirname "$(readlink -f "$0")")/lib.sh"

fetch() { installed nsd unbound ldnsutils; }

configure() {
  need nsd unbound ldns-keygen ldns-signzone drill
  rm -rf "$DIR/made"
  mkdir "$DIR/made"
  cd "$DIR/made"
  local kind zone name key wrong
  for zone in "$DIR"/zones/*/*; do
    name=${zone##*/} kind=${zone%/*}
    kind=${kind##*/}
    { heading "$name."; cat "$zone"; } >"$name.zone"
    echo "$name. IN NS ns.test." >>delegations
    case $kind in
      signed)
        key=$(key_for "$name.")
        sign "$name." "$name.zone" "$key"
        cat "$key.ds" >>delegations ;;
      bogus)
        key=$(key_for "$name.") wrong=$(key_for "$name.")
        sign "$name." "$name.zone" "$key"
        cat "$wrong.ds" >>delegations ;;
    esac
  done
  { heading test.; echo 'ns.test. IN A 127.0.0.1'; cat delegations; } >test.zone
  key=$(key_for test.)
  sign test. test.zone "$key"
  { heading .; printf 'test. IN NS ns.test.\nns.test. IN A 127.0.0.1\n'; cat "$key.ds"; } >root.zone
  key=$(key_for .)
  sign . root.zone "$key"
  cp "$key.key" anchor.key
  {
    cat <<E
server:
  ip-address: 127.0.0.1@$TLS_PORT
  username: ""
  zonesdir: "$DIR/made"
  database: ""
  pidfile: ""
  xfrdfile: "$DIR/made/xfrd.state"
  zonelistfile: "$DIR/made/zone.list"
  server-count: 1
remote-control:
  control-enable: no
E
    for zone in *.zone; do
      name=${zone%.zone}
      [ "$name" != root ] || name=
      [ ! -e "$zone.signed" ] || zone=$zone.signed
      printf 'zone:\n  name: "%s."\n  zonefile: %s\n' "$name" "$zone"
    done
  } >nsd.conf
  {
    cat <<E
server:
  interface: 127.0.0.1@$PORT
  username: ""
  chroot: ""
  directory: "$DIR/made"
  pidfile: ""
  use-syslog: no
  logfile: ""
  do-not-query-localhost: no
  do-ip6: no
  num-threads: 1
  ede: yes
  val-log-level: 2
  module-config: "validator iterator"
  trust-anchor-file: "$DIR/made/anchor.key"
  local-zone: "test." nodefault
remote-control:
  control-enable: no
E
    for zone in *.zone; do
      name=${zone%.zone}
      [ "$name" != root ] || name=
      printf 'stub-zone:\n  name: "%s."\n  stub-addr: 127.0.0.1@%s\n  stub-prime: no\n' "$name" "$TLS_PORT"
    done
  } >unbound.conf
}
heading() { printf '$TTL 60\n%s IN SOA ns.test. host.test. 1 3600 600 86400 60\n%s IN NS ns.test.\n' "$1" "$1"; }
key_for() { ldns-keygen -a ECDSAP256SHA256 -k -r /dev/urandom "$1"; }
sign() { ldns-signzone -f "$2.signed" -o "$1" "$2" "$3" >/dev/null || die "cannot sign $1"; }

run() { spawn sh -euc 'nsd -d -c "$1/nsd.conf" & exec unbound -d -c "$1/unbound.conf"' sh "$DIR/made"; }

expect_greeting() { # an answer that is validated
  local i
  for ((i = 0; i < 200; i++)); do
    is_running || { tail -n 20 "$DIR/log" >&2; die "the server has ended"; }
    ! drill -D -p "$PORT" @127.0.0.1 test. SOA 2>/dev/null | grep -q 'flags:.* ad' || return 0
    sleep 0.05
  done
  tail -n 20 "$DIR/log" >&2
  die "no validated answer on port $PORT"
}

main "$@"
