#!/bin/bash
# postfix.sh install DIR | start PORT TLS_PORT DIR | stop DIR     Postfix, installed by apt-get; see lib.sh
#
# It has TLS by OpenSSL, with RSA; on TLS_PORT TLS 1.2 alone. It offers AUTH by Cyrus SASL, in the clear as well: PLAIN,
# LOGIN, CRAM-MD5, SCRAM-SHA-1 and SCRAM-SHA-256.
#
# It puts Return-Path, X-Original-To, Delivered-To and Received on top of a message that it stores. It ends a session that
# sends before the greeting, or past a command where a client has to wait (smtpd_forbid_unauth_pipelining).
#
# For sessions that fail: deferred@example.com is put off as by greylisting, 127.0.0.2:PORT takes mail inside TLS only, and
# 127.0.0.3:PORT one connection at a time.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
DAEMONS=/usr/lib/postfix/sbin
QUEUE=/var/spool/postfix

fetch() {
  command -v postfix >/dev/null || installed postfix
  installed libsasl2-modules openssl sasl2-bin
}

configure() {
  need postfix postconf saslpasswd2 $DAEMONS/master
  [ -n "$(postconf -d smtpd_forbid_unauth_pipelining 2>/dev/null)" ] || die "this Postfix is too old for smtpd_forbid_unauth_pipelining"
  mkdir -p "$DIR/etc/sasl" "$DIR/data"
  chown postfix "$DIR/data"
  chown nobody "$DIR/stored"
  cat >"$DIR/etc/main.cf" <<E
compatibility_level = 3.6
queue_directory = $QUEUE
data_directory = $DIR/data
command_directory = /usr/sbin
daemon_directory = $DAEMONS
maillog_file = $DIR/log
maillog_file_prefixes = $DIR
myhostname = postfix.localhost
mydestination =
mynetworks =
inet_protocols = all
alias_maps =
alias_database =
import_environment = MAIL_CONFIG LC_ALL=C

# A message is stored as it came.
message_size_limit = 200000000
virtual_mailbox_limit = 0
virtual_mailbox_domains = example.com
virtual_mailbox_maps = static:stored/
virtual_mailbox_base = $DIR
virtual_minimum_uid = 1
virtual_uid_maps = static:$(id -u nobody)
virtual_gid_maps = static:$(id -g nobody)
local_header_rewrite_clients =
message_drop_headers =
cleanup_replace_stray_cr_lf = no

smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access inline:{
  { refused@example.com = 550 5.1.1 No such user here },
  { deferred@example.com = DEFER_IF_PERMIT Service temporarily unavailable } }
smtpd_forbid_unauth_pipelining = yes
smtpd_peername_lookup = no

smtpd_tls_security_level = may
smtpd_tls_chain_files = $DIR/tls/server.key, $DIR/tls/server.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
smtpd_sasl_local_domain = localhost
cyrus_sasl_config_path = $DIR/etc/sasl

# Nothing is throttled.
default_process_limit = 1000
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
smtpd_hard_error_limit = 10000
smtpd_junk_command_limit = 10000
in_flow_delay = 0
E
  cat >"$DIR/etc/master.cf" <<E
127.0.0.1:$PORT inet n - n - - smtpd
[::1]:$PORT inet n - n - - smtpd
127.0.0.2:$PORT inet n - n - - smtpd -o smtpd_tls_security_level=encrypt
127.0.0.3:$PORT inet n - n - - smtpd -o smtpd_client_connection_count_limit=1
127.0.0.1:$TLS_PORT inet n - n - - smtpd -o smtpd_tls_wrappermode=yes -o smtpd_tls_mandatory_protocols=TLSv1.2
[::1]:$TLS_PORT inet n - n - - smtpd -o smtpd_tls_wrappermode=yes -o smtpd_tls_mandatory_protocols=TLSv1.2
anvil unix - - n - 1 anvil
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
E
  cat >"$DIR/etc/sasl/smtpd.conf" <<E
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: $DIR/etc/sasldb
mech_list: PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256
E
  chain rsa
  rm -f "$DIR/etc/sasldb"
  echo pencil | saslpasswd2 -p -c -f "$DIR/etc/sasldb" -u localhost user
  chgrp postfix "$DIR/etc/sasldb"
  chmod 640 "$DIR/etc/sasldb"
}

run() {
  # The sockets in the queue would have too long a name at its real place.
  spawn_mounted spool=$QUEUE -- sh -euc 'postfix -c "$1" check; exec "$2/master" -c "$1"' sh "$DIR/etc" $DAEMONS
}

main "$@"
