#!/bin/sh
# Makes the certificates beside it, with openssl: for mx.example.org, valid from 2020 for a hundred years, of kinds that
# the loopback server does not make on the spot. Each file holds a server's certificate, its chain, and its key, which is
# nobody's secret; the roots are in files of their own.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

rsa=rsa:2048
p256="ec -pkeyopt ec_paramgen_curve:prime256v1"
p384="ec -pkeyopt ec_paramgen_curve:secp384r1"
p521="ec -pkeyopt ec_paramgen_curve:secp521r1"
names=subjectAltName=DNS:mx.example.org
authority=basicConstraints=critical,CA:TRUE
end=21200101000000Z

: >"$work/index"
cat >"$work/config" <<END
[ca]
default_ca = all
[all]
database = $work/index
new_certs_dir = $work
rand_serial = yes
default_md = default
unique_subject = no
policy = any
[any]
commonName = supplied
END

# request NAME KEY SUBJECT
request() {
    openssl req -new -newkey $2 -nodes -subj "/CN=$3" -keyout "$work/$1.key" -out "$work/$1.csr" 2>"$work/log"
}

# sign NAME ISSUER [EXTENSION ...]: without extensions, one of version 1.
sign() {
    name=$1 issuer=$2
    shift 2
    printf '%s\n' "$@" >"$work/extensions"
    set -- ${1:+-extfile "$work/extensions"}
    if [ "$name" = "$issuer" ]; then
        set -- -selfsign "$@"
    else
        set -- -cert "$work/$issuer.pem" "$@"
    fi
    openssl ca -batch -config "$work/config" -in "$work/$name.csr" -keyfile "$work/$issuer.key" \
        -startdate 20200101000000Z -enddate "$end" -notext -out "$work/$name.pem" "$@" 2>"$work/log" ||
        { cat "$work/log" >&2; exit 1; }
}

root() {
    request "$@"
    sign "$1" "$1" "$authority"
}

# issue ISSUER NAME KEY SUBJECT [EXTENSION ...]
issue() {
    issuer=$1
    shift
    request "$1" "$2" "$3"
    name=$1
    shift 3
    sign "$name" "$issuer" "$@"
}

# server NAME [CHAIN ...]: writes it down with its chain and key.
server() {
    for part; do cat "$work/$part.pem"; done >"$1.pem"
    cat "$work/$1.key" >>"$1.pem"
}

root rsa-root $rsa "RSA Root"
cp "$work/rsa-root.pem" .
issue rsa-root between $rsa "RSA Intermediate" "$authority"
issue between rsa $rsa mx.example.org "$names"
server rsa between
# Without its chain, though it says where that is.
issue between alone "$p256" mx.example.org "$names" "authorityInfoAccess=caIssuers;URI:http://ca.example.org/between.der"
server alone
issue rsa-root p384 "$p384" mx.example.org "$names"
server p384
issue rsa-root version1 "$p256" mx.example.org
server version1
issue rsa-root critical "$p256" mx.example.org "$names" "1.2.3.4=critical,ASN1:UTF8String:x"
server critical
issue rsa-root for-clients "$p256" mx.example.org "$names" extendedKeyUsage=clientAuth
server for-clients
issue rsa-root authority "$p256" mx.example.org "$names" "$authority"
server authority
root p521-root "$p521" "P-521 Root"
cp "$work/p521-root.pem" .
issue p521-root under-p521 "$p256" mx.example.org "$names"
server under-p521

# A root whose time is over, and a certificate under it whose time is not.
end=20210101000000Z
root expired-root "$p256" "Expired Root"
cp "$work/expired-root.pem" .
end=21200101000000Z
issue expired-root under-expired "$p256" mx.example.org "$names"
server under-expired

# A certificate that is too old, where it is not needed: the root's key, vouched for by a root of former times.
root old-root "$p256" "Old Root"
cp "$work/rsa-root.csr" "$work/cross.csr"
end=20210101000000Z
sign cross old-root "$authority"
cp "$work/rsa.pem" "$work/cross-signed.pem"
cp "$work/rsa.key" "$work/cross-signed.key"
server cross-signed between cross
