#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# nginx-keys.sh FOLDER: keys and certificates for a test server, made anew each time.
#
#   ca.crt                      the authority           other.crt   another authority, which signed nothing here
#   tls.crt tls.key tls.pin     of the server: localhost and 127.0.0.1; its pin for PinnedKey=
#   client.crt client.key       of a client             rogue.crt rogue.key   a client of the other authority
set -eu
cd "$1"

make_ca() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -keyout "$1.key" -out "$1.crt" 2>/dev/null
}

make_leaf() { # NAME CA EXTENSION
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>/dev/null
    echo "$3" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA "$2.crt" -CAkey "$2.key" -CAcreateserial -days 2 -extfile "$1.ext" -out "$1.crt" 2>/dev/null
}

make_ca ca
make_ca other
make_leaf tls ca "subjectAltName=DNS:localhost,IP:127.0.0.1"
make_leaf client ca "extendedKeyUsage=clientAuth"
make_leaf rogue other "extendedKeyUsage=clientAuth"
printf 'sha256//%s\n' "$(openssl x509 -in tls.crt -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64)" >tls.pin
