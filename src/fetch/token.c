/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Token: libcurl says only that the key could not be had. Why, OpenSSL's engine has put into the
 * queue of errors: there the module's answer stands, by its number (PKCS#11 2.40, section
 * 5.1.6). */
#include "fetch/token.h"

#include <openssl/err.h>

/* Our PIN is wrong, or can no longer be right: CKR_PIN_INCORRECT to CKR_PIN_LOCKED. */
#define PIN_ERROR_FIRST 0xa0
#define PIN_ERROR_LAST  0xa4

/* What the module said about the PIN; NULL: nothing. Empties the queue. */
static const char *find_pin_error(void) {
        const char *found = NULL;
        unsigned long e;

        while ((e = ERR_get_error()) != 0) {
                const char *library = ERR_lib_error_string(e);
                int reason = ERR_GET_REASON(e);

                if (library && startswith(library, "PKCS#11") && reason >= PIN_ERROR_FIRST &&
                                reason <= PIN_ERROR_LAST)
                        found = ERR_reason_error_string(e) ?: "";
        }
        return found;
}

int token_judge(Token *token, const FetchConfig *config, CURLcode code, Why *w) {
        const char *reason;

        if (code != CURLE_SSL_CERTPROBLEM || !fetch_config_has_token(config))
                return 0;
        reason = find_pin_error();
        if (!reason)
                return 0;
        token->given_up = true;
        (void)why(&token->text, 0,
                        "the token refuses the PIN of ClientKeyPassphraseFile=%.100s for "
                        "ClientKey=%.100s (%s); wrong ones lock a token, so it is not tried again "
                        "before that file or fetch.conf changes or rekindle-fetch is started again",
                        config->client_key_passphrase_file ? config->client_key_passphrase_file
                                                           : "",
                        config->client_key ? config->client_key : "", reason);
        return why(w, -EACCES, "%s", token->text.text);
}

bool token_is_hopeless(const Token *token, const FetchConfig *config) {
        return token->given_up && !fetch_config_is_changed(config);
}
