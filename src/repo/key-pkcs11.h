/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys in tokens (smart cards, HSMs, SoftHSM), through OpenSSL's PKCS#11 engine. */
#pragma once

#include <openssl/types.h>

#include "repo/secret.h"

/* How many characters of a URI a sentence may have: what follows can be the PIN. */
static inline size_t pkcs11_shown(const char *uri) {
        return strcspn(uri, "?");
}

/* The private key that a pkcs11: URI (RFC 7512) names; its PIN is pin-value or pin-source of the
 * URI, else a secret. place: the key file that has the URI, or a person who named it. */
int pkcs11_load(const char *uri, const PinSource *place, Secrets *secrets, EVP_PKEY **ret, Why *w);
