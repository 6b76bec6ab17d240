#!/bin/bash
# opensmtpd.sh install DIR | start PORT TLS_PORT DIR | stop DIR     OpenSMTPD, unpacked from opensmtpd; see lib.sh
#
# It offers STARTTLS, but Debian 12's build (6.8.0p2, with OpenSSL 3) cannot shake hands with anybody; it offers AUTH
# inside TLS only, so that there is none.
#
# It puts Return-Path, Delivered-To and Received on top of a message that it stores; it removes Bcc, adds Date and
# Message-ID where they are missing, and refuses a message without a header. It offers no PIPELINING and ends a session
# in which two lines are there at once where it waits for a command. Its paths are compiled in, so it runs in a mount
# namespace where they are folders of DIR.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

fetch() {
  installed libcrypt1 libdb5.3 libevent-2.1-7 libpam0g libssl3 openssl zlib1g
  unpacked opensmtpd
  user opensmtpd
  user opensmtpq
}

configure() {
  SMTPD=$DIR/root/usr/sbin/smtpd
  need "$SMTPD" unshare perl
  chown nobody "$DIR/stored"
  cat >"$DIR/smtpd.conf" <<E
smtp max-message-size 200M
pki here cert "$DIR/tls/server.pem"
pki here key "$DIR/tls/server.key"
table anyone { "@" = nobody }
listen on 127.0.0.1 port $PORT tls pki here hostname opensmtpd.localhost
listen on ::1 port $PORT tls pki here hostname opensmtpd.localhost
listen on 127.0.0.1 port $TLS_PORT smtps pki here hostname opensmtpd.localhost
listen on ::1 port $TLS_PORT smtps pki here hostname opensmtpd.localhost
action store maildir "$DIR/stored" virtual <anyone>
match from any for any rcpt-to "refused@example.com" reject
match from any for domain example.com action store
E
  chain rsa
}

run() {
  mkdir -p "$DIR/spool/smtpd" "$DIR/run" "$DIR/etc" "$DIR/root/var/lib/opensmtpd/empty"
  chmod 711 "$DIR/spool/smtpd"
  cp /etc/passwd /etc/group "$DIR/etc/"
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$DIR/etc/hosts"
  # It would otherwise ask DNS for the name of each client, and greet only when the answer is there.
  echo 'lookup file' >"$DIR/etc/resolv.conf"
  ulimit -n "$(ulimit -Hn)"
  spawn_mounted spool=/var/spool run=/run etc=/etc root/var/lib=/var/lib root/usr/libexec=/usr/libexec -- \
    "$SMTPD" -d -f "$DIR/smtpd.conf"
  expect_greeting
  lengthen_backlog
}

# It listens with a backlog of 5, compiled in, so that of many connections at once some would wait for ever. As listen(2)
# may be called again, this does so on a copy of each of its listening sockets (pidfd_open is 434, pidfd_getfd is 438).
lengthen_backlog() {
  perl -MSocket -e '
    for my $stat (glob "/proc/[0-9]*/stat") {
      open my $file, "<", $stat or next;
      (<$file> // "") =~ /^(\d+) .*\) \S \d+ \d+ $ARGV[0] / or next;
      my $process = syscall 434, $1 + 0, 0;
      for my $number (3 .. 63) {
        my $copy = syscall 438, $process, $number, 0;
        next if $copy < 0 || !open my $socket, "+<&=", $copy;
        listen $socket, 1000 if unpack "i", getsockopt($socket, SOL_SOCKET, SO_ACCEPTCONN) // "";
      }
    }' "$(cut -d' ' -f1 "$DIR/pid")" || die "cannot lengthen the backlog"
}

main "$@"
