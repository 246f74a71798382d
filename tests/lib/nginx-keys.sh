#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# nginx-keys.sh FOLDER: keys and certificates for a test server, made anew each time.
#
#   ca.crt                      the authority           other.crt   another authority, which signed nothing here
#   tls.crt tls.key tls.pin     of the server: localhost and 127.0.0.1; its pin for PinnedKey=
#   client.crt client.key       of a client             rogue.crt rogue.key   a client of the other authority
#   locked.key passphrase       client.key, encrypted, and what opens it (one line)
#   expired/ elsewhere/         as tls.crt and tls.key, but expired in 2020, or for elsewhere.example and 192.0.2.1 only
#   tls.key, ca.crt are in those folders too, so that each can be the work folder of a server (nginx.sh)
#
# nginx-keys.sh FOLDER token: puts client.key and client.crt into a new token of SoftHSM as well: FOLDER/softhsm.conf for SOFTHSM2_CONF;
# token rk, object gateway, PIN in FOLDER/pin
set -eu
cd "$1"

make_ca() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -keyout "$1.key" -out "$1.crt" 2>/dev/null
}

make_leaf() { # NAME CA EXTENSION
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=${1##*/}" -keyout "$1.key" -out "$1.csr" 2>/dev/null
    echo "$3" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA "$2.crt" -CAkey "$2.key" -CAcreateserial -days 2 -extfile "$1.ext" -out "$1.crt" 2>/dev/null
}

make_server() { # FOLDER EXTENSION
    mkdir "$1"
    make_leaf "$1/tls" ca "$2"
    cp ca.crt "$1/"
}

make_token() {
    mkdir tokens
    printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$PWD" >softhsm.conf
    export SOFTHSM2_CONF="$PWD/softhsm.conf"
    softhsm2-util --init-token --free --label rk --pin "$(cat pin)" --so-pin 87654321
    openssl pkcs8 -topk8 -nocrypt -in client.key -out client.p8
    softhsm2-util --import client.p8 --token rk --label gateway --id 01 --pin "$(cat pin)"
    openssl x509 -in client.crt -outform der -out client.der
    pkcs11-tool --module /usr/lib/softhsm/libsofthsm2.so --token-label rk --login --pin "$(cat pin)" --write-object client.der --type cert \
        --label gateway --id 01
}

if [ "${2:-}" = token ]; then
    echo 4711 >pin
    make_token >token.log 2>&1 || { cat token.log >&2; exit 1; }
    exit 0
fi
make_ca ca
make_ca other
make_leaf tls ca "subjectAltName=DNS:localhost,IP:127.0.0.1"
make_leaf client ca "extendedKeyUsage=clientAuth"
make_leaf rogue other "extendedKeyUsage=clientAuth"
printf 'sha256//%s\n' "$(openssl x509 -in tls.crt -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64)" >tls.pin
echo 'correct horse' >passphrase
openssl pkcs8 -topk8 -in client.key -out locked.key -passout file:passphrase
make_server elsewhere "subjectAltName=DNS:elsewhere.example,IP:192.0.2.1"
make_server expired "subjectAltName=DNS:localhost,IP:127.0.0.1"
touch index.txt
printf '[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\nnew_certs_dir = .\nrand_serial = yes\npolicy = p\ndefault_md = sha256\n[p]\ncommonName = supplied\n' >ca.conf
openssl ca -config ca.conf -batch -notext -cert ca.crt -keyfile ca.key -startdate 20190101000000Z -enddate 20200101000000Z \
    -extfile expired/tls.ext -in expired/tls.csr -out expired/tls.crt 2>/dev/null
