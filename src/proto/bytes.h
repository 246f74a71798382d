/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Little-endian readers and writers over caller-owned memory, for every layout of the link.
 *
 * A reader never passes its end: a get beyond it returns zero and sets `bad` for good. A writer
 * counts everything that is put, but stores only what falls into its window (`skip` bytes are
 * left out first, at most `room` are stored), so that a long block can be produced in small
 * pieces without a buffer for the whole of it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A string that is not NUL-terminated: a view into somebody else's bytes. */
typedef struct RkdText {
        const char *text;
        uint8_t length;
} RkdText;

typedef struct RkdReader {
        const uint8_t *at;
        size_t left;
        bool bad;
} RkdReader;

typedef struct RkdWriter {
        uint8_t *out;
        size_t skip;  /* bytes of the block before the window */
        size_t room;  /* bytes of the window */
        size_t total; /* bytes of the block so far, stored or not */
} RkdWriter;

/* A number as it lies in a struct of the wire's layout, both ways. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
static inline uint16_t rkd_le16(uint16_t x) {
        return (uint16_t)(x >> 8 | x << 8);
}

static inline uint32_t rkd_le32(uint32_t x) {
        return x >> 24 | (x >> 8 & 0xff00) | (x << 8 & 0xff0000) | x << 24;
}
#else
static inline uint16_t rkd_le16(uint16_t x) {
        return x;
}

static inline uint32_t rkd_le32(uint32_t x) {
        return x;
}
#endif

uint16_t rkd_load_u16(const uint8_t *p);
uint32_t rkd_load_u32(const uint8_t *p);
void rkd_store_u16(uint8_t *p, uint16_t value);
void rkd_store_u32(uint8_t *p, uint32_t value);

uint8_t rkd_get_u8(RkdReader *r);
uint16_t rkd_get_u16(RkdReader *r);
uint32_t rkd_get_u32(RkdReader *r);
uint64_t rkd_get_u64(RkdReader *r);
/* NULL (and bad) when fewer than n bytes are left. */
const uint8_t *rkd_get_bytes(RkdReader *r, size_t n);
/* u8 length, then that many printable ASCII characters (0x20..0x7e); longer than max or others:
 * bad. */
RkdText rkd_get_text(RkdReader *r, size_t max);
/* True when nothing was bad and nothing is left over. */
bool rkd_reader_is_done(const RkdReader *r);

/* The data may lie in the window already, at its place or behind it. */
void rkd_put_bytes(RkdWriter *w, const void *data, size_t n);
void rkd_put_u8(RkdWriter *w, uint8_t value);
void rkd_put_u16(RkdWriter *w, uint16_t value);
void rkd_put_u32(RkdWriter *w, uint32_t value);
void rkd_put_u64(RkdWriter *w, uint64_t value);
void rkd_put_text(RkdWriter *w, RkdText text);

/* A view of a NUL-terminated string; NULL gives the empty text; cut at 255. */
RkdText rkd_text(const char *s);
bool rkd_text_equal(RkdText a, RkdText b);
/* Copies into out[size], NUL-terminated; false (and an empty string) when it does not fit. */
bool rkd_text_copy(RkdText text, char *out, size_t size);
