#!/bin/bash
# dovecot.sh install DIR | start PORT TLS_PORT DIR | stop DIR     Dovecot 2.4, of Debian 13; see lib.sh
#
# It binds SCRAM to TLS (tls-exporter on TLS 1.3), which nothing in Debian 12 does, so it is unpacked with all that it needs,
# and runs in a chroot. It offers AUTH inside TLS only: PLAIN, SCRAM-SHA-256, SCRAM-SHA-1-PLUS and SCRAM-SHA-256-PLUS.
#
# Its submission server hands mail on to a server that drops it, and stores nothing. Its LMTP server is on 127.0.0.2:PORT
# and the socket DIR/root/run/dovecot/lmtp, and stores what one@example.com and two@example.com get; it answers 550 to
# others, and to full@example.com after the message, when it cannot store it.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

fetch() {
  installed openssl postfix
  of_debian_13 dovecot-submissiond dovecot-lmtpd
}

configure() {
  need smtp-sink chroot
  ROOT=$DIR/root
  chain ecdsa
  cp "$DIR/tls/server.pem" "$DIR/tls/server.key" "$ROOT/"
  printf '%s:x:%s:%s::/:/bin/false\n' root 0 0 dovecot 901 901 dovenull 902 902 mail 903 903 >"$ROOT/etc/passwd"
  printf '%s:x:%s:\n' root 0 dovecot 901 dovenull 902 mail 903 >"$ROOT/etc/group"
  printf '%s:{PLAIN}pencil::::::%s\n' user '' one@example.com '' two@example.com '' full@example.com userdb_mail_path=/full >"$ROOT/users"
  mkdir -p "$ROOT/home" "$ROOT/stored" "$ROOT/full" "$ROOT/tmp" "$ROOT/run" "$ROOT/var/lib/dovecot"
  chown 903:903 "$ROOT/home" "$DIR/stored"
  chmod 700 "$ROOT/full"
  RELAY=$PORT
  while : $((RELAY += 1)); : 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$RELAY" || [ "$RELAY" = "$TLS_PORT" ]; do :; done
  cat >"$ROOT/dovecot.conf" <<E
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1
protocols = submission lmtp
listen = 127.0.0.1, ::1
hostname = dovecot.localhost
log_path = /log
auth_mechanisms = plain scram-sha-256 scram-sha-1-plus scram-sha-256-plus
ssl = required
ssl_server_cert_file = /server.pem
ssl_server_key_file = /server.key
mail_driver = maildir
mail_path = /stored
submission_relay_host = 127.0.0.1
submission_relay_port = $RELAY
submission_relay_trusted = no
passdb passwd-file {
  passwd_file_path = /users
}
userdb passwd-file {
  passwd_file_path = /users
  fields {
    uid:default = mail
    gid:default = mail
    home:default = /home
  }
}
service lmtp {
  unix_listener lmtp {
    mode = 0666
  }
  inet_listener lmtp {
    listen = 127.0.0.2
    port = $PORT
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
  spawn_mounted stored="$ROOT/stored" -- bash -c "smtp-sink -u nobody -c 127.0.0.1:$RELAY 100 &
    until : 2>/dev/null 3<>/dev/tcp/127.0.0.1/$RELAY; do sleep 0.05; done; exec chroot '$ROOT' /usr/sbin/dovecot -F -c /dovecot.conf"
}

main "$@"
