#!/bin/bash
# ssh.sh install DIR | start PORT OTHER_PORT DIR | stop DIR     two of OpenSSH's servers, installed by apt-get; see lib.sh
#
# One at each port of 127.0.0.1, as two machines: DIR/made/config has them as h1 and h2, for `ssh -F`, with a key that lets
# root in. GNU parallel is installed with them.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

fetch() { installed openssh-server openssh-client parallel; }

configure() {
  need sshd ssh-keygen ssh parallel
  rm -rf "$DIR/made"
  mkdir -m 700 "$DIR/made"
  cd "$DIR/made"
  local host port
  ssh-keygen -q -t ed25519 -N '' -C '' -f key
  for host in "h1 $PORT" "h2 $TLS_PORT"; do
    port=${host#* } host=${host% *}
    ssh-keygen -q -t ed25519 -N '' -C '' -f "$host"
    cat >"$host.conf" <<E
ListenAddress 127.0.0.1:$port
HostKey $DIR/made/$host
PidFile none
AuthorizedKeysFile $DIR/made/key.pub
AllowUsers root
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
MaxStartups 100
E
    cat >>config <<E
Host $host
  HostName 127.0.0.1
  Port $port
  User root
  IdentityFile $DIR/made/key
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile $DIR/made/known
  StrictHostKeyChecking yes
E
    echo "[127.0.0.1]:$port $(cut -d' ' -f1,2 "$host.pub")" >>known
  done
}

run() {
  mkdir -p /run/sshd
  # It calls itself anew for each client, by its whole path.
  spawn sh -euc '"$1" -D -e -f "$2/h1.conf" & exec "$1" -D -e -f "$2/h2.conf"' sh "$(command -v sshd)" "$DIR/made"
}

expect_greeting() { # a login at both
  local host i
  for host in h1 h2; do
    for ((i = 0; i < 200; i++)); do
      is_running || { tail -n 20 "$DIR/log" >&2; die "the server has ended"; }
      ! ssh -F "$DIR/made/config" -o BatchMode=yes "$host" true 2>"$DIR/ssh.log" </dev/null 8<&- || continue 2
      sleep 0.05
    done
    cat "$DIR/ssh.log" >&2
    die "no login at $host"
  done
}

main "$@"
