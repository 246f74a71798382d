/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The engine is loaded once and stays until the program ends, because a token's module does not
 * like to be started twice. Which module it is, the variable PKCS11_MODULE_PATH says; p11-kit's
 * list of them otherwise. Once a token has refused a PIN, none is tried any more in this run, of
 * whichever key: tokens lock themselves. */
#define OPENSSL_SUPPRESS_DEPRECATED /* engines: libcrypto 3.0 has no provider for PKCS#11 */
#include <assert.h>
#include <fcntl.h>

#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "basic/hex.h"
#include "repo/key-pkcs11.h"

#define ENGINE_NAME "pkcs11"
#define PIN_VALUE   "pin-value="
#define PIN_SOURCE  "pin-source="

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

/* Where the PIN comes from: the URI, as the engine reads it, else a secret. */
static PinSource pin_source(const char *uri, const PinSource *place, const Secrets *secrets) {
        const char *file = strstr(uri, PIN_SOURCE);

        if (file) {
                file += strlen(PIN_SOURCE);
                file += startswith(file, "file:") ? strlen("file:") : 0;
                return (PinSource){ .name = file, .is_file = true, .dirfd = AT_FDCWD };
        }
        return strstr(uri, PIN_VALUE) ? *place : secrets_first_source(secrets);
}

/* The PIN in the URI, decoded (RFC 3986, 2.1): the engine prints a URI that it was given. */
static int value_of_uri(const char *uri, char ret[static SECRET_MAX], Why *w) {
        const char *p = strstr(uri, PIN_VALUE) + strlen(PIN_VALUE);
        size_t n = 0;

        for (; *p && *p != '&' && n + 1 < SECRET_MAX; p++) {
                const char digits[3] = { p[1], p[1] ? p[2] : '\0' };

                ret[n] = *p;
                if (*p == '%' && (hex_decode(digits, ret + n, 1) < 0 || ret[n] == '\0'))
                        break;
                p += *p == '%' ? 2 : 0;
                n++;
        }
        ret[n] = '\0';
        if (*p && *p != '&')
                return why(w, -EINVAL, "%.*s: pin-value is too long or no text of a URI",
                                (int)pkcs11_shown(uri), uri);
        return 0;
}

static int give_pin(const char *uri, Secrets *secrets, Why *w) {
        char pin[SECRET_MAX];
        int r;

        if (strstr(uri, PIN_SOURCE))
                return 0;
        r = strstr(uri, PIN_VALUE) ? value_of_uri(uri, pin, w)
                                   : secrets_first(secrets, uri, pin, w);
        if (r >= 0 && ENGINE_ctrl_cmd_string(engine, "PIN", pin, 0) != 1)
                r = why(w, -EIO, "%.*s: the engine takes no PIN", (int)pkcs11_shown(uri), uri);
        OPENSSL_cleanse(pin, sizeof(pin));
        ERR_clear_error();
        return r;
}

static int load_key(const char *uri, EVP_PKEY **ret, Why *w) {
        _cleanup_free_ char *shown =
                        strndup(uri, strstr(uri, PIN_SOURCE) ? strlen(uri) : pkcs11_shown(uri));

        if (!shown)
                return why_oom(w);
        (void)ENGINE_ctrl_cmd_string(engine, "SILENT", NULL, 1); /* the sentence is ours */
        *ret = ENGINE_load_private_key(engine, shown, NULL, NULL);
        return 0;
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
                                "%.*s: the token refuses the PIN (%s); it is not tried again in this "
                                "run, because wrong ones lock a token",
                                (int)pkcs11_shown(uri), uri, reason ?: "wrong");
        return why(w, -EACCES,
                        "%.*s: no such private key can be used (%s); see the token's name, the "
                        "object's name, the PIN and PKCS11_MODULE_PATH",
                        (int)pkcs11_shown(uri), uri, reason ?: "not found");
}

int pkcs11_load(const char *uri, const PinSource *place, Secrets *secrets, EVP_PKEY **ret, Why *w) {
        PinSource source;
        EVP_PKEY *key = NULL;
        int r;

        assert(uri && place && secrets && ret);
        if (pin_refused)
                return why(w, -EACCES,
                                "%.*s: a token refused its PIN before; none is tried any more in this "
                                "run",
                                (int)pkcs11_shown(uri), uri);
        source = pin_source(uri, place, secrets);
        r = pin_notes_check(secrets->pin_notes, uri, &source, w);
        if (r >= 0)
                r = load_engine(w);
        if (r >= 0)
                r = give_pin(uri, secrets, w);
        if (r < 0)
                return r;
        r = load_key(uri, &key, w);
        if (r < 0)
                return r;
        if (!key) {
                r = refused(uri, w);
                if (pin_refused)
                        pin_notes_add(secrets->pin_notes, uri, &source, w);
                return r;
        }
        r = pin_notes_forget(secrets->pin_notes, uri, w);
        if (r < 0) {
                EVP_PKEY_free(key);
                return r;
        }
        *ret = key;
        return 0;
}
