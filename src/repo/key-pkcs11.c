/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The engine is loaded once and stays until the program ends, because a token's module does not
 * like to be started twice. Which module it is, the variable PKCS11_MODULE_PATH says; p11-kit's
 * list of them otherwise. A wrong PIN is tried once only: tokens lock themselves. */
#define OPENSSL_SUPPRESS_DEPRECATED /* engines: libcrypto 3.0 has no provider for PKCS#11 */
#include <assert.h>

#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "repo/key-pkcs11.h"

#define ENGINE_NAME "pkcs11"

static ENGINE *engine; /* NULL: not loaded yet */

static int load_engine(Why *w) {
        ENGINE *e;

        if (engine)
                return 0;
        ENGINE_load_dynamic();
        e = ENGINE_by_id(ENGINE_NAME);
        if (!e || ENGINE_init(e) != 1) {
                ENGINE_free(e);
                ERR_clear_error();
                return why(w, -ENOENT,
                                "OpenSSL has no engine for PKCS#11; install it (Debian: "
                                "libengine-pkcs11-openssl)");
        }
        engine = e;
        return 0;
}

static int give_pin(const char *uri, Secrets *secrets, Why *w) {
        char pin[SECRET_MAX];
        int r;

        if (strstr(uri, "pin-value=") || strstr(uri, "pin-source="))
                return 0;
        r = secrets_first(secrets, uri, pin, w);
        if (r < 0)
                return r;
        r = ENGINE_ctrl_cmd_string(engine, "PIN", pin, 0) == 1 ? 0 : -EIO;
        OPENSSL_cleanse(pin, sizeof(pin));
        ERR_clear_error();
        return r < 0 ? why(w, r, "%s: the engine takes no PIN", uri) : 0;
}

int pkcs11_load(const char *uri, Secrets *secrets, EVP_PKEY **ret, Why *w) {
        EVP_PKEY *key;
        int r;

        assert(uri && secrets && ret);
        r = load_engine(w);
        if (r < 0)
                return r;
        r = give_pin(uri, secrets, w);
        if (r < 0)
                return r;
        (void)ENGINE_ctrl_cmd_string(engine, "SILENT", NULL, 1); /* the sentence below is ours */
        key = ENGINE_load_private_key(engine, uri, NULL, NULL);
        if (!key) {
                const char *reason = ERR_reason_error_string(ERR_peek_error());

                r = why(w, -EACCES,
                                "%s: no such private key can be used (%s); see the token's name, the "
                                "object's name, the PIN and PKCS11_MODULE_PATH",
                                uri, reason ?: "not found");
                ERR_clear_error();
                return r;
        }
        *ret = key;
        return 0;
}
