#!/bin/bash
# exim.sh install DIR | start PORT TLS_PORT DIR | stop DIR     Exim 4, unpacked from exim4-daemon-light; see lib.sh
#
# It has TLS by GnuTLS, with ECDSA; on TLS_PORT TLS 1.3 alone. It offers AUTH, in the clear as well: PLAIN, LOGIN and
# CRAM-MD5; and EXTERNAL to a client that showed the certificate of chain.sh.
#
# It puts Received on top of a message that it stores. It offers no PIPELINING and ends a session that sends more than
# one command at a time, or anything before the greeting (smtp_enforce_sync).
#
# For sessions that fail: deferred@example.com is put off as by greylisting, and with a file DIR/limited there is one
# connection at a time.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
EXIM_USER=Debian-exim

fetch() {
  installed libcrypt1 libdb5.3 libgnutls-dane0 libgnutls30 libidn12 libidn2-0 libnsl2 libpcre2-8-0 openssl
  unpacked exim4-daemon-light
  user $EXIM_USER
}

configure() {
  EXIM=$DIR/root/usr/sbin/exim4
  need "$EXIM"
  chown $EXIM_USER: "$DIR/spool" "$DIR/stored"
  cat >"$DIR/exim.conf" <<E
exim_path = $EXIM
exim_user = $EXIM_USER
exim_group = $EXIM_USER
primary_hostname = exim.localhost
spool_directory = $DIR/spool
log_file_path = $DIR/spool/%slog
pid_file_path = $DIR/spool/daemon.pid
notifier_socket =
keep_environment =
local_interfaces = <; 127.0.0.1 ; ::1
daemon_smtp_ports = $PORT : $TLS_PORT
tls_on_connect_ports = $TLS_PORT
tls_advertise_hosts = *
tls_certificate = $DIR/tls/server.pem
tls_privatekey = $DIR/tls/server.key
tls_require_ciphers = NORMAL\${if ={\$received_port}{$TLS_PORT}{:-VERS-ALL:+VERS-TLS1.3}}
tls_try_verify_hosts = *
tls_verify_certificates = $DIR/tls/root.pem
domainlist local_domains = example.com

smtp_enforce_sync = true
pipelining_advertise_hosts =
pipelining_connect_advertise_hosts =
dsn_advertise_hosts = *
acl_smtp_connect = wait_a_moment
acl_smtp_rcpt = check_recipient
acl_smtp_data = accept

# A message is stored as it came.
message_size_limit = 200M
return_path_remove = false
delivery_date_remove = false
envelope_to_remove = false

# Nothing is throttled.
smtp_accept_max = 10000
smtp_accept_max_per_connection = 0
smtp_accept_max_per_host = \${if exists{$DIR/limited}{1}{0}}
smtp_accept_max_nonmail_hosts =
smtp_accept_queue_per_connection = 0
smtp_connect_backlog = 1000
rfc1413_hosts =
host_lookup =

begin acl
# What a client sends before the greeting is there by now.
wait_a_moment:
  accept condition = \${run{/bin/sleep 0.05}{yes}{yes}}
check_recipient:
  deny local_parts = refused
       message = No such user here
  defer local_parts = deferred
       message = Greylisted, please try again
  accept domains = +local_domains
  deny message = Relaying is refused

begin routers
store:
  driver = accept
  transport = maildir

begin transports
maildir:
  driver = appendfile
  user = $EXIM_USER
  directory = $DIR/stored
  maildir_format

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if and{{eq{\$auth2}{user}}{eq{\$auth3}{pencil}}}}
  server_set_id = \$auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = <| Username: | Password:
  server_condition = \${if and{{eq{\$auth1}{user}}{eq{\$auth2}{pencil}}}}
  server_set_id = \$auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = \${if eq{\$auth1}{user}{pencil}fail}
  server_set_id = \$auth1
external:
  driver = external
  public_name = EXTERNAL
  server_advertise_condition = \$tls_in_certificate_verified
  server_param2 = \${certextract {subj_altname,mail}{\$tls_in_peercert}}
  server_condition = \${if eq{\$auth1}{\$auth2}}
  server_set_id = \$auth1
E
  chain ecdsa
  chown $EXIM_USER: "$DIR/tls" "$DIR/tls/server.key"
}

run() { spawn "$EXIM" -C "$DIR/exim.conf" -bdf; }

main "$@"
