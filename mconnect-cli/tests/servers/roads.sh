#!/bin/bash
# roads.sh install DIR | start PORT TLS_PORT DIR | stop DIR     What sessions go to and through, by apt-get; see lib.sh
#
# At PORT of these addresses; TLS_PORT is not used:
#   127.0.0.1, ::1   Postfix, which lets them say XCLIENT and XFORWARD
#   127.0.0.2        Postfix, which wants a PROXY header within a second
#   127.0.0.3        Exim, which wants one, too
#   127.0.0.4        microsocks, a proxy of SOCKS 5, for `user` with `pencil`
#   127.0.0.5        tinyproxy, a proxy of HTTP, for the same, to port PORT alone
# DIR/lmtp.sock is Dovecot's LMTP, into DIR/mail, for ann@example.test alone; DIR/root/usr/sbin/exim4 -C DIR/exim.conf -bs is
# Exim as a process. Postfix and Exim take anyone@example.com, drop the mail, and refuse 192.0.2.66 at RCPT.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
DAEMONS=/usr/lib/postfix/sbin
QUEUE=/var/spool/postfix
EXIM_USER=Debian-exim

fetch() {
  command -v postfix >/dev/null || installed postfix
  installed dovecot-lmtpd libcrypt1 libdb5.3 libgnutls-dane0 libgnutls30 libidn12 libidn2-0 libldap-2.5-0 libmariadb3 libnsl2 \
    libpcre2-8-0 libperl5.36 libpq5 libspf2-2 libsqlite3-0 microsocks tinyproxy-bin
  # The light one knows no PROXY header.
  unpacked exim4-daemon-heavy
  user $EXIM_USER
}

configure() {
  need postfix dovecot microsocks tinyproxy "$DIR/root/usr/sbin/exim4"
  mkdir -p "$DIR/etc" "$DIR/data" "$DIR/exim" "$DIR/mail" "$DIR/run" "$DIR/state"
  chown postfix "$DIR/data"
  chown $EXIM_USER: "$DIR/exim"
  chown nobody:nogroup "$DIR/mail"
  cat >"$DIR/etc/main.cf" <<E
compatibility_level = 3.6
queue_directory = $QUEUE
data_directory = $DIR/data
command_directory = /usr/sbin
daemon_directory = $DAEMONS
maillog_file = $DIR/log
maillog_file_prefixes = $DIR
myhostname = postfix.localhost
mydestination = example.com
mynetworks =
inet_protocols = all
alias_maps =
alias_database =
local_recipient_maps =
local_transport = discard:
import_environment = MAIL_CONFIG LC_ALL=C
smtpd_relay_restrictions = check_client_access inline:{192.0.2.66=REJECT}, reject_unauth_destination
smtpd_authorized_xclient_hosts = 127.0.0.1, [::1]
smtpd_authorized_xforward_hosts = 127.0.0.1, [::1]
smtpd_upstream_proxy_timeout = 1s
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
E
  cat >"$DIR/etc/master.cf" <<E
127.0.0.1:$PORT inet n - n - - smtpd
[::1]:$PORT inet n - n - - smtpd
127.0.0.2:$PORT inet n - n - - smtpd -o smtpd_upstream_proxy_protocol=haproxy
anvil unix - - n - 1 anvil
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
E
  cat >"$DIR/exim.conf" <<E
exim_path = $DIR/root/usr/sbin/exim4
exim_user = $EXIM_USER
exim_group = $EXIM_USER
primary_hostname = exim.localhost
spool_directory = $DIR/exim
log_file_path = $DIR/exim/%slog
pid_file_path = $DIR/exim/daemon.pid
notifier_socket =
keep_environment =
never_users =
local_interfaces = 127.0.0.3
daemon_smtp_ports = $PORT
hosts_proxy = 127.0.0.0/8
tls_advertise_hosts =
host_lookup =
acl_smtp_rcpt = check_recipient
begin acl
check_recipient:
  deny hosts = 192.0.2.66
       message = not from \$sender_host_address
  accept
begin routers
drop:
  driver = redirect
  data = :blackhole:
E
  cat >"$DIR/dovecot.conf" <<E
base_dir = $DIR/run
state_dir = $DIR/state
log_path = $DIR/log
protocols = lmtp
ssl = no
hostname = dovecot.localhost
postmaster_address = postmaster@example.test
default_login_user = nobody
default_internal_user = nobody
default_internal_group = nogroup
mail_location = maildir:$DIR/mail/%n
first_valid_uid = 1
auth_username_format = %Ln
userdb {
  driver = passwd-file
  args = username_format=%n $DIR/users
  default_fields = uid=nobody gid=nogroup home=$DIR/mail/%n
}
passdb {
  driver = passwd-file
  args = username_format=%n $DIR/users
}
service lmtp {
  unix_listener $DIR/lmtp.sock {
    mode = 0666
  }
}
service stats {
  unix_listener stats-writer {
    mode = 0666
  }
}
E
  echo ann:::::: >"$DIR/users"
  cat >"$DIR/tinyproxy.conf" <<E
Listen 127.0.0.5
Port $PORT
Timeout 60
LogFile "$DIR/log"
DefaultErrorFile "/usr/share/tinyproxy/default.html"
BasicAuth user pencil
ConnectPort $PORT
E
}

run() {
  # The sockets in the queue would have too long a name at its real place.
  spawn_mounted spool=$QUEUE -- bash -euc '
    dir=$1 port=$2
    dovecot -F -c "$dir/dovecot.conf" &
    "$dir/root/usr/sbin/exim4" -C "$dir/exim.conf" -bdf -q1h &
    microsocks -i 127.0.0.4 -p "$port" -u user -P pencil &
    tinyproxy -d -c "$dir/tinyproxy.conf" &
    postfix -c "$dir/etc" check
    exec "$3/master" -c "$dir/etc"' bash "$DIR" "$PORT" $DAEMONS
  local i
  for ((i = 0; i < 200; i++)); do
    [ ! -S "$DIR/lmtp.sock" ] || ! { : 3<>"/dev/tcp/127.0.0.3/$PORT" && : 3<>"/dev/tcp/127.0.0.4/$PORT" &&
      : 3<>"/dev/tcp/127.0.0.5/$PORT"; } 2>/dev/null || return 0
    sleep 0.05
  done
  tail -n 20 "$DIR/log" >&2
  die "not all of them listen"
}

main "$@"
