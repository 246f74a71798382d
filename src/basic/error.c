/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why: bounded sentences for refusals. Everything is formatted into buffers on the stack,
 * because the arguments may point into the very Why that is written. */
#include <stdarg.h>

#include "error.h"

/* Copies text into ret, non-printable bytes as \xNN, cut with "..." where it does not fit. */
static void put_printable(char ret[static WHY_MAX], const char *text) {
        static const char digits[] = "0123456789abcdef";
        size_t n = 0, cut = 0;

        for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
                bool plain = *p >= 0x20 && *p < 0x7f;
                size_t width = plain ? 1 : 4;

                if (n + width >= WHY_MAX) {
                        memcpy(ret + cut, "...", 4);
                        return;
                }
                if (plain)
                        ret[n] = (char)*p;
                else {
                        ret[n] = '\\';
                        ret[n + 1] = 'x';
                        ret[n + 2] = digits[*p >> 4];
                        ret[n + 3] = digits[*p & 0xf];
                }
                n += width;
                if (n + 4 <= WHY_MAX)
                        cut = n;
        }
        ret[n] = '\0';
}

int why(Why *w, int r, const char *format, ...) {
        char text[WHY_MAX + 1];
        va_list ap;

        if (!w)
                return r;
        va_start(ap, format);
        (void)vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        put_printable(w->text, text);
        return r;
}

int why_prefix(Why *w, int r, const char *format, ...) {
        char text[2 * WHY_MAX + 4];
        va_list ap;
        int n;

        if (!w)
                return r;
        va_start(ap, format);
        n = vsnprintf(text, WHY_MAX, format, ap);
        va_end(ap);
        n = CLAMP(n, 0, WHY_MAX - 1);
        (void)snprintf(text + n, sizeof(text) - (size_t)n, ": %s", w->text);
        put_printable(w->text, text);
        return r;
}

int why_oom(Why *w) {
        return why(w, -ENOMEM, "not enough memory");
}
