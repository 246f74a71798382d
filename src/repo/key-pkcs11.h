/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys in tokens (smart cards, HSMs, SoftHSM), through OpenSSL's PKCS#11 engine. */
#pragma once

#include <openssl/types.h>

#include "repo/secret.h"

/* The private key that a pkcs11: URI (RFC 7512) names; its PIN is pin-value or pin-source of the
 * URI, else a secret. */
int pkcs11_load(const char *uri, Secrets *secrets, EVP_PKEY **ret, Why *w);
