/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Peer: what the other end showed in a TLS handshake, kept for the sentence about a failure. It
 * watches only: who is trusted is decided by libcurl and OpenSSL. */
#pragma once

#include <curl/curl.h>

#include "basic/cleanup.h"

#define PEER_NAME_MAX 100

typedef struct Peer {
        unsigned references; /* of the exchange, and of each connection that it made */
        unsigned handshakes;
        int verify_error;            /* X509_V_ERR_...; 0: none */
        unsigned depth;              /* of the certificate that it is about; 0: the peer's own */
        char subject[PEER_NAME_MAX]; /* of that certificate, escaped and cut */
        char issuer[PEER_NAME_MAX];
        char names[PEER_NAME_MAX]; /* that the peer's own certificate is for, blanks between */
        time_t not_before, not_after;
        char key[64];          /* sha256//BASE64 of the peer's public key; "": not seen */
        int alert;             /* last TLS alert, either way; -1: none */
        bool alert_is_theirs;  /* the peer sent it */
        bool asks_certificate; /* the peer asked for a client certificate */
} Peer;

/* NULL: out of memory. */
Peer *peer_new(void);
Peer *peer_unref(Peer *peer);
/* Watches the handshakes of this handle. */
CURLcode peer_watch(Peer *peer, CURL *easy);
/* A sentence's end for a verify error that has no better one. */
const char *peer_verify_text(const Peer *peer);
