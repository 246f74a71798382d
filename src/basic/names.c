/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names, escapes and numbers: pure functions over bytes; nothing depends on the locale. */
#include <strings.h>

#include "names.h"

typedef struct Unit {
        const char *suffix;
        uint64_t factor;
} Unit;

static const Unit time_units[];
static const Unit size_units[];

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static bool is_alpha(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_plain(unsigned char c) {
        return c >= 0x20 && c < 0x7f;
}

/* Reads the digits at *p and moves *p behind them. -EINVAL without a digit, -ERANGE beyond 64
 * bits. */
static int read_digits(const char **p, uint64_t *ret) {
        const char *s = *p;
        uint64_t v = 0;

        if (!is_digit(*s))
                return -EINVAL;
        for (; is_digit(*s); s++)
                if (__builtin_mul_overflow(v, 10, &v) ||
                                __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
                        return -ERANGE;
        *p = s;
        *ret = v;
        return 0;
}

/* The unit whose suffix is the run of n letters at s, or NULL. */
static const Unit *find_unit(const Unit *units, const char *s, size_t n) {
        for (const Unit *u = units; u->suffix; u++)
                if (strlen(u->suffix) == n && memcmp(u->suffix, s, n) == 0)
                        return u;
        return NULL;
}

/* Digits and a run of letters that names one of the units; moves *p behind both. */
static int read_quantity(const char **p, const Unit *units, uint64_t *ret) {
        const char *s = *p;
        const Unit *u;
        uint64_t v = 0;
        size_t n = 0;
        int r;

        r = read_digits(&s, &v);
        if (r < 0)
                return r;
        while (is_alpha(s[n]))
                n++;
        u = find_unit(units, s, n);
        if (!u)
                return -EINVAL;
        if (__builtin_mul_overflow(v, u->factor, &v))
                return -ERANGE;
        *p = s + n;
        *ret = v;
        return 0;
}

bool name_is_valid(const char *s) {
        size_t n;

        if (!s || *s == '.')
                return false;
        for (n = 0; s[n]; n++)
                if (n >= NAME_MAX_LENGTH || !(is_alpha(s[n]) || is_digit(s[n]) || s[n] == '.' ||
                                                            s[n] == '_' || s[n] == '-'))
                        return false;
        return n > 0;
}

bool text_is_printable(const char *s, size_t max) {
        size_t n;

        for (n = 0; s[n]; n++)
                if (n >= max || !is_plain((unsigned char)s[n]))
                        return false;
        return true;
}

void text_clean(char *s) {
        for (; *s; s++)
                if (!is_plain((unsigned char)*s))
                        *s = '?';
}

char *text_escape(const void *bytes, size_t n, size_t max) {
        static const char digits[] = "0123456789abcdef";
        const unsigned char *in = bytes;
        size_t room = n < max / 4 ? 4 * n : max, k = 0;
        char *out = malloc(room + sizeof("..."));

        if (!out)
                return NULL;
        for (size_t i = 0; i < n; i++) {
                size_t width = in[i] == '\\' ? 2 : is_plain(in[i]) ? 1 : 4;

                if (width > max - k) {
                        memcpy(out + k, "...", 4);
                        return out;
                }
                out[k] = width == 1 ? (char)in[i] : '\\';
                if (width == 2)
                        out[k + 1] = '\\';
                else if (width == 4) {
                        out[k + 1] = 'x';
                        out[k + 2] = digits[in[i] >> 4];
                        out[k + 3] = digits[in[i] & 0xf];
                }
                k += width;
        }
        out[k] = '\0';
        return out;
}

int parse_uint64(const char *s, uint64_t min, uint64_t max, uint64_t *ret) {
        uint64_t v = 0;
        int r;

        r = read_digits(&s, &v);
        if (*s && r != -ERANGE)
                return -EINVAL;
        if (r < 0)
                return r;
        if (v < min || v > max)
                return -ERANGE;
        *ret = v;
        return 0;
}

int parse_boolean(const char *s, bool *ret) {
        static const char *const yes[] = { "yes", "true", "on", "1" };
        static const char *const no[] = { "no", "false", "off", "0" };

        for (size_t i = 0; i < ELEMENTSOF(yes); i++) {
                if (strcasecmp(s, yes[i]) == 0) {
                        *ret = true;
                        return 0;
                }
                if (strcasecmp(s, no[i]) == 0) {
                        *ret = false;
                        return 0;
                }
        }
        return -EINVAL;
}

int parse_usec(const char *s, uint64_t *ret_usec) {
        uint64_t sum = 0, v = 0;
        int r;

        /* Only a number that stands alone may do without its unit. */
        r = parse_uint64(s, 0, UINT64_MAX / USEC_PER_SEC, &v);
        if (r == 0) {
                *ret_usec = v * USEC_PER_SEC;
                return 0;
        }
        if (r == -ERANGE)
                return r;
        do {
                r = read_quantity(&s, time_units, &v);
                if (r < 0)
                        return r;
                if (__builtin_add_overflow(sum, v, &sum))
                        return -ERANGE;
                while (*s == ' ' && s[1])
                        s++;
        } while (*s);
        /* The greatest number is USEC_INFINITY and never a length. */
        if (sum == USEC_INFINITY)
                return -ERANGE;
        *ret_usec = sum;
        return 0;
}

int parse_bytes(const char *s, uint64_t *ret_bytes) {
        uint64_t v = 0;
        int r;

        r = read_quantity(&s, size_units, &v);
        if (r < 0)
                return r;
        if (*s)
                return -EINVAL;
        *ret_bytes = v;
        return 0;
}

static const Unit time_units[] = {
        { "us", 1 },
        { "ms", USEC_PER_MSEC },
        { "s", USEC_PER_SEC },
        { "min", 60 * USEC_PER_SEC },
        { "h", 3600 * USEC_PER_SEC },
        { "d", 86400 * USEC_PER_SEC },
        { NULL, 0 },
};

static const Unit size_units[] = {
        { "", 1 },
        { "K", UINT64_C(1) << 10 },
        { "M", UINT64_C(1) << 20 },
        { "G", UINT64_C(1) << 30 },
        { NULL, 0 },
};
