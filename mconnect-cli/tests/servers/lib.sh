# Sourced by the scripts beside it. Each runs one real SMTP server on loopback, for the tests; Debian, as root:
#
#   NAME.sh install DIR               fetches the server and what it needs; starts nothing
#   NAME.sh start PORT TLS_PORT DIR   returns 0 once the server has greeted on 127.0.0.1:PORT and on [::1]:PORT
#   NAME.sh stop DIR                  ends the server and returns when it is gone
#
# DIR holds all there is of one server, and other users of the machine must be able to reach it. What the server
# accepts is in DIR/stored/new (a maildir), a file for each recipient, there only when complete; `start` empties it.
# Below the header fields that the server puts on top, a file is the message as sent, with LF for CRLF, as long as that
# has a Date and a Message-ID, no Bcc, no lone CR or LF, and no NUL.
# The server takes anyone@example.com, but answers 550 to refused@example.com, and puts deferred@example.com off.
#
# PORT has STARTTLS, TLS_PORT is inside TLS from the first byte; DIR/tls has the certificates, made by chain.sh when the
# server is started. Where a script says that there is AUTH, the user is `user`, the password `pencil`.
#
# A script says how with three functions, fetch, configure and run, and then calls `main "$@"`.
set -eu
umask 022
export DEBIAN_FRONTEND=noninteractive LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
NAME=${0##*/}

main() {
  case "${1-} $#" in
    'install 2' | 'stop 2') DIR=$2 ;;
    'start 4') PORT=$2 TLS_PORT=$3 DIR=$4 ;;
    *) die "usage: $NAME install DIR | start PORT TLS_PORT DIR | stop DIR" ;;
  esac
  [ "$(id -u)" = 0 ] || die "must run as root"
  mkdir -p "$DIR"
  chmod 755 "$DIR"
  DIR=$(cd "$DIR" && pwd -P)
  [[ $DIR =~ ^[[:alnum:]/._+-]+$ ]] || die "the path $DIR cannot go into a configuration file"
  # One script at a time, whichever server it is for: apt-get cannot be run twice at once.
  exec 8<"${BASH_SOURCE[0]}"
  flock 8
  "do_$1"
}
do_install() { fetch; }
do_start() {
  if is_running; then expect_greeting; return; fi
  local port
  for port in "$PORT" "$TLS_PORT"; do
    ! : 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$port" || die "port $port is in use"
  done
  setpriv --reuid 65534 --clear-groups test -x "$DIR" || die "other users cannot reach $DIR"
  rm -rf "$DIR/stored" "$DIR/spool" "$DIR/log" "$DIR/tls"
  mkdir "$DIR/stored" "$DIR/spool"
  configure
  run
  expect_greeting
}
do_stop() {
  is_running || return 0
  local pid i
  read -r pid _ <"$DIR/pid"
  kill -- "-$pid" || :
  for ((i = 0; i < 200; i++)); do
    has_processes "$pid" || { rm "$DIR/pid"; return 0; }
    ((i != 100)) || kill -KILL -- "-$pid"
    sleep 0.05
  done
  die "process $pid does not end"
}

die() { echo "$NAME: $*" >&2; exit 1; }
need() { local p; for p; do command -v "$p" >/dev/null || die "no $p: run '$NAME install $DIR' first"; done; }
chain() { # chain rsa|ecdsa: makes the certificates
  need openssl
  "$(dirname "${BASH_SOURCE[0]}")/chain.sh" "$1" "$DIR/tls" || die "cannot make certificates"
}
user() { getent passwd "$1" >/dev/null || useradd --system --user-group -d /nonexistent -s /usr/sbin/nologin "$1"; }

spawn() { # spawn COMMAND...: runs a foreground daemon as a session and process group of its own, its output in DIR/log
  setsid "$@" >>"$DIR/log" 2>&1 </dev/null 8<&- &
  echo "$! $(started_at $!)" >"$DIR/pid"
}
spawn_mounted() { # spawn_mounted FOLDER=PATH... -- COMMAND...: likewise, where PATH is DIR/FOLDER for that daemon alone
  spawn unshare --mount bash -euc '
    dir=$1
    while shift && [ "$1" != -- ]; do mount --bind "$dir/${1%%=*}" "${1#*=}"; done
    shift
    exec "$@"' bash "$DIR" "$@"
}
started_at() { sed '/) [ZX] /d; s/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
is_running() { # ...and the process is the one that we started, not a later one of the same number
  local pid since
  [ -s "$DIR/pid" ] && read -r pid since <"$DIR/pid" &&
    [ -n "$since" ] && [ "$(started_at "$pid")" = "$since" ]
}
has_processes() { # has_processes SESSION: that are more than zombies
  sed -n 's/.*) \([^ ]*\) [0-9]* [0-9]* \([0-9]*\) .*/\1 \2/p' /proc/[0-9]*/stat 2>/dev/null | grep -q "^[^ZX] $1\$"
}
expect_greeting() {
  local host i line
  for host in 127.0.0.1 ::1; do
    for ((i = 0; i < 200; i++)); do
      is_running || { tail -n 20 "$DIR/log" >&2; die "the server has ended"; }
      line=$( { read -r -t 10 line <&3; printf 'QUIT\r\n' >&3; echo "$line"; } 2>/dev/null 3<>"/dev/tcp/$host/$PORT") || :
      [[ $line != 220* ]] || continue 2
      sleep 0.05
    done
    tail -n 20 "$DIR/log" >&2
    die "no greeting on $host port $PORT"
  done
}

installed() { # installed PACKAGE...: by apt-get, without starting a service
  [ "$(dpkg-query -Wf '${db:Status-Status} ' "$@" 2>/dev/null)" != "$(printf 'installed %.0s' "$@")" ] || return 0
  local policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    trap "rm -f $policy" EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
  fi
  apt install -y --no-install-recommends "$@"
}
unpacked() { # unpacked PACKAGE: in DIR/root, for a server that cannot be installed beside another one
  [ ! -d "$DIR/root" ] || return 0
  cd "$DIR"
  rm -rf root.new "$1"_*.deb
  apt download "$1"
  dpkg -x "$1"_*.deb root.new
  mv root.new root
}
of_debian_13() { # of_debian_13 PACKAGE...: in DIR/root, with all that they need, for a server that runs in a chroot
  [ ! -d "$DIR/root" ] || return 0
  local sources=/etc/apt/sources.list.d/debian.sources folder package
  [ -e $sources ] || sources=/etc/apt/sources.list
  rm -rf "$DIR/root.new" "$DIR/apt"
  mkdir -p "$DIR/apt/lists/partial" "$DIR/apt/cache/archives/partial" "$DIR/root.new"/usr/{bin,sbin,lib,lib64} "$DIR/root.new/dev"
  : >"$DIR/apt/status"
  sed 's/bookworm/trixie/g' $sources >"$DIR/apt/trixie.${sources##*.}"
  apt_13 update
  apt_13 install -y --no-install-recommends --download-only "$@"
  for folder in bin sbin lib lib64; do ln -s usr/$folder "$DIR/root.new/$folder"; done
  for package in "$DIR"/apt/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$DIR/root.new" -f -
  done
  rm -rf "$DIR/apt"
  mknod -m 666 "$DIR/root.new/dev/null" c 1 3
  mknod -m 666 "$DIR/root.new/dev/urandom" c 1 9
  mv "$DIR/root.new" "$DIR/root"
}
apt_13() { # runs apt-get with lists and a status of its own
  apt-get -qq -o Dir::Etc::sourcelist="$(echo "$DIR"/apt/trixie.*)" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State::lists="$DIR/apt/lists" -o Dir::State::status="$DIR/apt/status" -o Dir::Cache="$DIR/apt/cache" "$@" \
    >"$DIR/apt.log" 2>&1 || { tail -n 20 "$DIR/apt.log" >&2; die "apt-get $* failed"; }
}
apt() { # runs apt-get, once more after an update where the lists are missing or old
  local log=$DIR/apt.log
  apt-get -qq "$@" >"$log" 2>&1 || { apt-get -qq update && apt-get -qq "$@"; } >>"$log" 2>&1 ||
    { tail -n 20 "$log" >&2; die "apt-get $* failed"; }
}
