#!/bin/bash
# opensmtpd.sh install DIR | start PORT TLS_PORT DIR | stop DIR     OpenSMTPD 7.6, of Debian 13; see lib.sh
#
# Debian 12's (6.8.0p2) cannot shake hands with anybody, whatever the version, the cipher and the key: it keeps the private
# key in a process apart, behind methods of its own for RSA and ECDSA, and OpenSSL 3 signs without asking them ("EVP lib").
# So this one is unpacked with all that it needs, and runs in a chroot.
#
# It has TLS by OpenSSL, with RSA. It offers AUTH inside TLS only: PLAIN and LOGIN. deferred@example.com is put off as by
# greylisting.
#
# It puts Return-Path, Delivered-To and Received on top of a message that it stores; it removes Bcc, adds Date and
# Message-ID where they are missing, and refuses a message without a header. It offers no PIPELINING and ends a session
# in which two lines are there at once where it waits for a command.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

fetch() {
  installed openssl
  # Its maildir is written by a command of a shell.
  of_debian_13 opensmtpd dash
}

configure() {
  ROOT=$DIR/root
  need "$ROOT/usr/sbin/smtpd" unshare perl chroot openssl
  chain rsa
  mkdir -p "$ROOT"/{stored,run,tmp,var/{run,spool,lib/opensmtpd/empty},etc/ssl/certs}
  cp "$DIR/tls/server.pem" "$DIR/tls/server.key" "$ROOT/"
  cp "$DIR/tls/root.pem" "$ROOT/etc/ssl/certs/ca-certificates.crt"
  chmod 600 "$ROOT/server.key"
  printf '%s:x:%s:%s::/:/bin/false\n' root 0 0 opensmtpd 901 901 opensmtpq 902 902 nobody 65534 65534 >"$ROOT/etc/passwd"
  printf '%s:x:%s:\n' root 0 opensmtpd 901 opensmtpq 902 nogroup 65534 >"$ROOT/etc/group"
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$ROOT/etc/hosts"
  # It would otherwise ask DNS for the name of each client, and greet only when the answer is there.
  echo 'lookup file' >"$ROOT/etc/resolv.conf"
  chown 65534 "$DIR/stored"
  cat >"$ROOT/smtpd.conf" <<E
smtp max-message-size 200M
pki here cert "/server.pem"
pki here key "/server.key"
table anyone { "@" = nobody }
table deferred { "deferred@example.com" }
filter greylist phase rcpt-to match rcpt-to <deferred> reject "450 4.7.1 Greylisted, please try again"
table users { "user" = "$(openssl passwd -6 pencil)" }
listen on 127.0.0.1 port $PORT tls pki here auth-optional <users> hostname opensmtpd.localhost filter greylist
listen on ::1 port $PORT tls pki here auth-optional <users> hostname opensmtpd.localhost filter greylist
listen on 127.0.0.1 port $TLS_PORT smtps pki here auth-optional <users> hostname opensmtpd.localhost filter greylist
listen on ::1 port $TLS_PORT smtps pki here auth-optional <users> hostname opensmtpd.localhost filter greylist
action store maildir "/stored" virtual <anyone>
match from any for any rcpt-to "refused@example.com" reject
match from any for domain example.com action store
E
}

run() {
  mkdir -p "$DIR/spool/smtpd"
  chmod 711 "$DIR/spool/smtpd"
  ulimit -n "$(ulimit -Hn)"
  spawn_mounted stored=$ROOT/stored spool=$ROOT/var/spool -- chroot "$ROOT" /usr/sbin/smtpd -d -f /smtpd.conf
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
