#!/bin/bash
# dovecot.sh install DIR | start PORT TLS_PORT DIR | stop DIR     Dovecot 2.4's submission server, of Debian 13; see lib.sh
#
# It binds SCRAM to TLS (tls-exporter on TLS 1.3), which nothing in Debian 12 does, so it is unpacked with all that it needs,
# and runs in a chroot. It offers AUTH inside TLS only: PLAIN, SCRAM-SHA-256, SCRAM-SHA-1-PLUS and SCRAM-SHA-256-PLUS.
#
# It hands mail on to a server that drops it, and stores nothing.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

fetch() {
  installed openssl postfix
  [ ! -d "$DIR/root" ] || return 0
  local sources=/etc/apt/sources.list.d/debian.sources folder package
  [ -e $sources ] || sources=/etc/apt/sources.list
  rm -rf "$DIR/root.new" "$DIR/apt"
  mkdir -p "$DIR/apt/lists/partial" "$DIR/apt/cache/archives/partial" "$DIR/root.new"/usr/{bin,sbin,lib,lib64} "$DIR/root.new/dev"
  : >"$DIR/apt/status"
  sed 's/bookworm/trixie/g' $sources >"$DIR/apt/trixie.${sources##*.}"
  of_trixie update
  of_trixie install -y --no-install-recommends --download-only dovecot-submissiond
  for folder in bin sbin lib lib64; do ln -s usr/$folder "$DIR/root.new/$folder"; done
  for package in "$DIR"/apt/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$DIR/root.new" -f -
  done
  rm -rf "$DIR/apt"
  mknod -m 666 "$DIR/root.new/dev/null" c 1 3
  mknod -m 666 "$DIR/root.new/dev/urandom" c 1 9
  mv "$DIR/root.new" "$DIR/root"
}
of_trixie() { # runs apt-get with lists and a status of its own
  apt-get -qq -o Dir::Etc::sourcelist="$(echo "$DIR"/apt/trixie.*)" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State::lists="$DIR/apt/lists" -o Dir::State::status="$DIR/apt/status" -o Dir::Cache="$DIR/apt/cache" "$@" \
    >"$DIR/apt.log" 2>&1 || { tail -n 20 "$DIR/apt.log" >&2; die "apt-get $* failed"; }
}

configure() {
  need smtp-sink chroot
  ROOT=$DIR/root
  chain ecdsa
  cp "$DIR/tls/server.pem" "$DIR/tls/server.key" "$ROOT/"
  printf '%s:x:%s:%s::/:/bin/false\n' root 0 0 dovecot 901 901 dovenull 902 902 mail 903 903 >"$ROOT/etc/passwd"
  printf '%s:x:%s:\n' root 0 dovecot 901 dovenull 902 mail 903 >"$ROOT/etc/group"
  echo 'user:{PLAIN}pencil' >"$ROOT/users"
  mkdir -p "$ROOT/home" "$ROOT/tmp" "$ROOT/run" "$ROOT/var/lib/dovecot"
  chown 903:903 "$ROOT/home"
  RELAY=$PORT
  while : $((RELAY += 1)); : 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$RELAY" || [ "$RELAY" = "$TLS_PORT" ]; do :; done
  cat >"$ROOT/dovecot.conf" <<E
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1
protocols = submission
listen = 127.0.0.1, ::1
hostname = dovecot.localhost
log_path = /log
auth_mechanisms = plain scram-sha-256 scram-sha-1-plus scram-sha-256-plus
ssl = required
ssl_server_cert_file = /server.pem
ssl_server_key_file = /server.key
mail_driver = maildir
mail_path = /home/Maildir
submission_relay_host = 127.0.0.1
submission_relay_port = $RELAY
submission_relay_trusted = no
passdb passwd-file {
  passwd_file_path = /users
}
userdb static {
  fields {
    uid = mail
    gid = mail
    home = /home
  }
}
service submission-login {
  inet_listener submission {
    port = $PORT
  }
  inet_listener submissions {
    port = $TLS_PORT
    ssl = yes
  }
}
E
}

run() {
  spawn bash -c "smtp-sink -u nobody -c 127.0.0.1:$RELAY 100 & exec chroot '$ROOT' /usr/sbin/dovecot -F -c /dovecot.conf"
}

main "$@"
