#!/bin/bash
# chain.sh rsa|ecdsa DIR     makes certificates in DIR, with openssl: good for 30 days, a key each, all of one kind
#
#   root.pem                      the authority to trust
#   server.pem, server.key        for localhost, 127.0.0.1 and ::1, with an intermediate authority's certificate behind it
#   client.pem, client.key        for user@example.com, with that, too
set -eu
case $1 in
  rsa) KEY=(rsa:2048) ;;
  ecdsa) KEY=(ec -pkeyopt ec_paramgen_curve:P-256) ;;
  *) echo "usage: chain.sh rsa|ecdsa DIR" >&2; exit 64 ;;
esac
mkdir -p "$2"
cd "$2"

certificate() { # certificate NAME SUBJECT EXTENSION [ISSUER]
  local issuer=(${4:+-CA "$4.pem" -CAkey "$4.key"})
  openssl req -x509 -config request.conf -newkey "${KEY[@]}" -noenc -keyout "$1.key" -out "$1.pem" -days 30 \
    -subj "/CN=$2" -addext "$3" ${issuer[@]+"${issuer[@]}"} 2>openssl.log || { cat openssl.log >&2; exit 1; }
}
# The system's own file would bring extensions of its own.
printf '[req]\ndistinguished_name=name\n[name]\n' >request.conf
certificate root 'Root of a test' basicConstraints=critical,CA:TRUE
certificate intermediate 'Intermediate of a test' basicConstraints=critical,CA:TRUE root
certificate server localhost subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1 intermediate
certificate client user@example.com subjectAltName=email:user@example.com intermediate
for name in server client; do cat intermediate.pem >>$name.pem; done
