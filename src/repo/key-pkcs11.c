/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The engine is loaded once and stays until the program ends, because a token's module does not
 * like to be started twice. Which module it is, the variable PKCS11_MODULE_PATH says; p11-kit's
 * list of them otherwise. Once a token has refused a PIN, none is tried any more in this run, of
 * whichever key: tokens lock themselves. */
#define OPENSSL_SUPPRESS_DEPRECATED /* engines: libcrypto 3.0 has no provider for PKCS#11 */
#include <assert.h>

#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "repo/key-pkcs11.h"

#define ENGINE_NAME "pkcs11"

/* CKR_PIN_INCORRECT to CKR_PIN_LOCKED: PKCS#11 2.40, section 5.1.6 */
#define PIN_ERROR_FIRST 0xa0
#define PIN_ERROR_LAST  0xa4

static ENGINE *engine; /* NULL: not loaded yet */
static bool pin_refused;

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

/* The module's answer is an error of the engine's library. */
static bool is_pin_error(unsigned long e) {
        const char *library = ERR_lib_error_string(e);

        return library && startswith(library, "PKCS#11") && ERR_GET_REASON(e) >= PIN_ERROR_FIRST &&
               ERR_GET_REASON(e) <= PIN_ERROR_LAST;
}

/* What the engine left in OpenSSL's queue of errors. */
static int refused(const char *uri, Why *w) {
        const char *reason = ERR_reason_error_string(ERR_peek_error());
        unsigned long e;

        while ((e = ERR_get_error()) != 0 && !pin_refused)
                if (is_pin_error(e)) {
                        pin_refused = true;
                        reason = ERR_reason_error_string(e);
                }
        ERR_clear_error();
        if (pin_refused)
                return why(w, -EACCES,
                                "%s: the token refuses the PIN (%s); it is not tried again in this run, "
                                "because wrong ones lock a token; a timer that uses it has to be stopped "
                                "until the PIN is right",
                                uri, reason ?: "wrong");
        return why(w, -EACCES,
                        "%s: no such private key can be used (%s); see the token's name, the "
                        "object's name, the PIN and PKCS11_MODULE_PATH",
                        uri, reason ?: "not found");
}

int pkcs11_load(const char *uri, Secrets *secrets, EVP_PKEY **ret, Why *w) {
        EVP_PKEY *key;
        int r;

        assert(uri && secrets && ret);
        if (pin_refused)
                return why(w, -EACCES,
                                "%s: a token refused its PIN before; none is tried any more in this run",
                                uri);
        r = load_engine(w);
        if (r >= 0)
                r = give_pin(uri, secrets, w);
        if (r < 0)
                return r;
        (void)ENGINE_ctrl_cmd_string(engine, "SILENT", NULL, 1); /* the sentence is ours */
        key = ENGINE_load_private_key(engine, uri, NULL, NULL);
        if (!key)
                return refused(uri, w);
        *ret = key;
        return 0;
}
