/* SPDX-License-Identifier: MIT */
/*
 * Little-endian readers and writers; see bytes.h for their rules.
 */

#include "proto/bytes.h"

#include <string.h>

uint16_t rkd_load_u16(const uint8_t *p) {
        return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t rkd_load_u32(const uint8_t *p) {
        return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

void rkd_store_u16(uint8_t *p, uint16_t value) {
        p[0] = (uint8_t)value;
        p[1] = (uint8_t)(value >> 8);
}

void rkd_store_u32(uint8_t *p, uint32_t value) {
        for (unsigned i = 0; i < 4; i++)
                p[i] = (uint8_t)(value >> (8 * i));
}

const uint8_t *rkd_get_bytes(RkdReader *r, size_t n) {
        const uint8_t *at = r->at;

        if (r->bad || n > r->left) {
                r->bad = true;
                return NULL;
        }
        r->at += n;
        r->left -= n;
        return at;
}

uint8_t rkd_get_u8(RkdReader *r) {
        const uint8_t *p = rkd_get_bytes(r, 1);

        return p ? *p : 0;
}

uint16_t rkd_get_u16(RkdReader *r) {
        const uint8_t *p = rkd_get_bytes(r, 2);

        return p ? rkd_load_u16(p) : 0;
}

uint32_t rkd_get_u32(RkdReader *r) {
        const uint8_t *p = rkd_get_bytes(r, 4);

        return p ? rkd_load_u32(p) : 0;
}

uint64_t rkd_get_u64(RkdReader *r) {
        const uint8_t *p = rkd_get_bytes(r, 8);

        return p ? rkd_load_u32(p) | (uint64_t)rkd_load_u32(p + 4) << 32 : 0;
}

RkdText rkd_get_text(RkdReader *r, size_t max) {
        RkdText text = { "", 0 };
        uint8_t n = rkd_get_u8(r);
        const uint8_t *p = rkd_get_bytes(r, n);

        if (!p || n > max) {
                r->bad = true;
                return text;
        }
        for (uint8_t i = 0; i < n; i++)
                if (p[i] < 0x20 || p[i] > 0x7e) {
                        r->bad = true;
                        return text;
                }
        text.text = (const char *)p;
        text.length = n;
        return text;
}

bool rkd_reader_is_done(const RkdReader *r) {
        return !r->bad && r->left == 0;
}

void rkd_put_bytes(RkdWriter *w, const void *data, size_t n) {
        const uint8_t *p = data;

        for (; n > 0; n--, p++) {
                size_t at = w->total++ - w->skip;

                if (at < w->room)
                        w->out[at] = *p;
        }
}

void rkd_put_u8(RkdWriter *w, uint8_t value) {
        rkd_put_bytes(w, &value, 1);
}

void rkd_put_u16(RkdWriter *w, uint16_t value) {
        uint8_t p[2];

        rkd_store_u16(p, value);
        rkd_put_bytes(w, p, sizeof(p));
}

void rkd_put_u32(RkdWriter *w, uint32_t value) {
        uint8_t p[4];

        rkd_store_u32(p, value);
        rkd_put_bytes(w, p, sizeof(p));
}

void rkd_put_u64(RkdWriter *w, uint64_t value) {
        rkd_put_u32(w, (uint32_t)value);
        rkd_put_u32(w, (uint32_t)(value >> 32));
}

void rkd_put_text(RkdWriter *w, RkdText text) {
        rkd_put_u8(w, text.length);
        rkd_put_bytes(w, text.text, text.length);
}

RkdText rkd_text(const char *s) {
        RkdText text = { s ? s : "", 0 };

        while (text.length < UINT8_MAX && text.text[text.length] != '\0')
                text.length++;
        return text;
}

bool rkd_text_equal(RkdText a, RkdText b) {
        return a.length == b.length && memcmp(a.text, b.text, a.length) == 0;
}

bool rkd_text_copy(RkdText text, char *out, size_t size) {
        bool fits = text.length < size;

        if (size == 0)
                return false;
        if (fits)
                memcpy(out, text.text, text.length);
        out[fits ? text.length : 0] = '\0';
        return fits;
}
