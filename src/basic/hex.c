/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hexadecimal and base64. Both decoders accept exactly one spelling of the bytes (but either
 * case of hexadecimal digits), so that what is compared as text is equal as bytes. */
#include "hex.h"

static const char base64_digits[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int hex_value(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

static int base64_value(char c) {
        const char *p = c ? strchr(base64_digits, c) : NULL;

        return p ? (int)(p - base64_digits) : -1;
}

/* Value of the four characters at s, of which the last `pad` are '='. Bits that padding leaves over
 * must be zero. */
static int decode_group(const char *s, unsigned pad, uint32_t *ret) {
        uint32_t v = 0;

        for (unsigned i = 0; i < 4; i++) {
                int d = i < 4 - pad ? base64_value(s[i]) : 0;

                if (d < 0 || (i >= 4 - pad && s[i] != '='))
                        return -EINVAL;
                v = v << 6 | (uint32_t)d;
        }
        if (v & ((UINT32_C(1) << (8 * pad)) - 1))
                return -EINVAL;
        *ret = v;
        return 0;
}

void hex_encode(const void *bytes, size_t n, char *ret) {
        static const char digits[] = "0123456789abcdef";
        const uint8_t *in = bytes;

        for (size_t i = 0; i < n; i++) {
                ret[2 * i] = digits[in[i] >> 4];
                ret[2 * i + 1] = digits[in[i] & 0xf];
        }
        ret[2 * n] = '\0';
}

int hex_decode(const char *s, void *ret, size_t n) {
        uint8_t *out = ret;

        if (strnlen(s, 2 * n + 1) != 2 * n)
                return -EINVAL;
        for (size_t i = 0; i < 2 * n; i++)
                if (hex_value(s[i]) < 0)
                        return -EINVAL;
        for (size_t i = 0; i < n; i++)
                out[i] = (uint8_t)(hex_value(s[2 * i]) << 4 | hex_value(s[2 * i + 1]));
        return 0;
}

int base64_encode(const void *bytes, size_t n, char **ret) {
        const uint8_t *in = bytes;
        char *out, *o;

        if (n > SIZE_MAX / 2)
                return -ENOMEM;
        o = out = malloc((n + 2) / 3 * 4 + 1);
        if (!out)
                return -ENOMEM;
        for (size_t i = 0; i < n; i += 3) {
                uint32_t v = (uint32_t)in[i] << 16;

                v |= i + 1 < n ? (uint32_t)in[i + 1] << 8 : 0;
                v |= i + 2 < n ? in[i + 2] : 0;
                *o++ = base64_digits[v >> 18];
                *o++ = base64_digits[v >> 12 & 0x3f];
                *o++ = i + 1 < n ? base64_digits[v >> 6 & 0x3f] : '=';
                *o++ = i + 2 < n ? base64_digits[v & 0x3f] : '=';
        }
        *o = '\0';
        *ret = out;
        return 0;
}

int base64_decode(const char *s, size_t max, uint8_t **ret, size_t *ret_n) {
        _cleanup_free_ uint8_t *out = NULL;
        size_t length = strlen(s), n, k = 0;
        unsigned pad = 0;

        if (length % 4 != 0)
                return -EINVAL;
        if (length > 0)
                pad = s[length - 1] != '=' ? 0 : s[length - 2] != '=' ? 1 : 2;
        n = length / 4 * 3 - pad;
        if (n > max)
                return -E2BIG;
        out = malloc(n + 1);
        if (!out)
                return -ENOMEM;
        for (size_t i = 0; i < length; i += 4) {
                uint32_t v = 0;
                int r;

                r = decode_group(s + i, i + 4 == length ? pad : 0, &v);
                if (r < 0)
                        return r;
                for (unsigned shift = 16; k < n && shift <= 16; shift -= 8)
                        out[k++] = (uint8_t)(v >> shift);
        }
        out[n] = 0;
        *ret = TAKE_PTR(out);
        *ret_n = n;
        return 0;
}
