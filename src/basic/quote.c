/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "quote.h"

#define UNRESERVED "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

static char *quote(const char *s, const char *plain) {
        static const char digits[] = "0123456789ABCDEF";
        char *quoted = malloc(3 * strlen(s) + 1), *p = quoted;

        if (!quoted)
                return NULL;
        for (; *s; s++) {
                unsigned char c = (unsigned char)*s;

                if (strchr(plain, *s)) {
                        *p++ = *s;
                        continue;
                }
                *p++ = '%';
                *p++ = digits[c >> 4];
                *p++ = digits[c & 15];
        }
        *p = '\0';
        return quoted;
}

char *quote_name(const char *s) {
        return quote(s, UNRESERVED);
}

char *quote_path(const char *s) {
        return quote(s, UNRESERVED "!$&'()*+,;=:@/");
}
