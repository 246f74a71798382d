/* SPDX-License-Identifier: MIT */
/*
 * Part of small.c: what is done for each command. What it carries comes at `in`, the answer goes to
 * `out`; what is returned is the result.
 */

#include "device/small.h"

#define SUMS_FIXED 6u
#define SUMS_MAX   8u
#define SUMS_BYTES 8192u /* of all in one answer: what a small core does in some ten ms */

/* first u32, count u16; answer: the same, then the sums */
static uint8_t on_sums(RkdBoot *d, const uint8_t *in, uint8_t *out) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        uint32_t first = *word(in), count = *half(in + 4);
        uint32_t units = p->program_space / p->unit_size, address;

        if (count == 0 || first >= units || count > units - first)
                return RKD_RANGE;
        if (count > SUMS_MAX)
                count = SUMS_MAX;
        if (p->unit_size > SUMS_BYTES / SUMS_MAX && count > SUMS_BYTES / p->unit_size)
                count = SUMS_BYTES / p->unit_size + (p->unit_size > SUMS_BYTES);
        memcpy(out, in, 4);
        *(uint16_t *)(void *)(out + 4) = (uint16_t)count;
        d->n_answer = (uint16_t)(SUMS_FIXED + 4 * count);
        address = p->program_base + first * p->unit_size;
        for (out += SUMS_FIXED; count > 0; count--, out += 4, address += p->unit_size) {
                uint32_t crc = crc_there(d, address, p->unit_size);
                uint16_t *to = (uint16_t *)(void *)out;

                to[0] = (uint16_t)crc;
                to[1] = (uint16_t)(crc >> 16);
        }
        return RKD_OK;
}

/* codec u8, 0 u8, length u32, id u16; answer: credit u32 */
static uint8_t on_stream(RkdBoot *d, const uint8_t *in, uint8_t *out) {
        if (in[0] > (takes_patches(d) ? RKD_CODEC_PATCH : RKD_CODEC_RAW))
                return RKD_UNKNOWN;
        if (d->status != RKD_RECORD_GOOD || d->marks != 0)
                return RKD_BAD_STATE;
        if (d->stream == RKD_STREAM_NONE || d->stream_id != *half(in + 6))
                begin_stream(d, in);
        *(uint32_t *)(void *)out = d->credit;
        d->n_answer = 4;
        return d->error;
}

static uint8_t on_end(RkdBoot *d) {
        uint8_t result;

        if (d->status != RKD_RECORD_GOOD)
                return RKD_BAD_STATE;
        if (d->marks != 0)
                return RKD_OK;
        if (d->error != RKD_OK)
                return d->error;
        if (is_open(d))
                return d->received == d->length ? RKD_BUSY : RKD_BAD_STATE;
        result = check(d);
        return result == RKD_OK ? set_mark(d, RKD_MARK_VERIFIED) : result;
}

static uint8_t on_start(RkdBoot *d) {
        uint8_t result;

        if (!is_runnable(rkd_boot_state(d)))
                return RKD_NOT_RUNNABLE;
        result = check(d);
        if (result == RKD_OK)
                d->phase = RKD_PHASE_START;
        return result == RKD_BAD_DIGEST ? RKD_NOT_RUNNABLE : result;
}

/* First what resets the count: a confirmed program has all its starts. */
static uint8_t on_confirm(RkdBoot *d) {
        unsigned state = rkd_boot_state(d);

        if (state != RKD_TRIAL && state != RKD_CONFIRMED)
                return RKD_BAD_STATE;
        if (used(d) != 0 && set_mark(d, 2u * d->starts + 1u) != RKD_OK)
                return RKD_FLASH;
        return set_mark(d, RKD_MARK_CONFIRMED);
}

/* Bytes of payload, by type. */
static const uint8_t lengths[] = {
        [RKD_IDENTIFY] = 5,
        [RKD_SUMS] = 6,
        [RKD_STREAM] = 8,
        [RKD_END] = 8,
        [RKD_START] = 8,
        [RKD_CONFIRM] = 8,
        [RKD_ENTER] = 0,
};

uint8_t handle(RkdBoot *d, const uint8_t *in, uint8_t *out, uint32_t n) {
        unsigned type = in[1];

        in += RKD_FRAME_HEADER;
        if (type >= sizeof(lengths))
                return RKD_UNKNOWN;
        if (type != RKD_BEGIN && n != lengths[type])
                return RKD_BAD_LENGTH;
        /* Who asks, or wants the program, does not want the bootloader. */
        if (type > RKD_NOP && type != RKD_START)
                d->staying = true;
        /* Those of one push. START takes 0, for whatever can run. */
        if (type - RKD_END <= RKD_CONFIRM - RKD_END && !is_ours(d, in) &&
                        (type != RKD_START || (*word(in) | *word(in + 4)) != 0))
                return RKD_FOREIGN_PUSH;
        switch (type) {
        case RKD_IDENTIFY:
                return on_identify(d, in, out);
        case RKD_NOP:
                put_status(d);
                d->n_answer = RKD_STATUS_BYTES;
                return RKD_OK;
        case RKD_BEGIN:
                return on_begin(d, in, out, n);
        case RKD_SUMS:
                return on_sums(d, in, out);
        case RKD_STREAM:
                return on_stream(d, in, out);
        case RKD_END:
                return on_end(d);
        case RKD_START:
                return on_start(d);
        case RKD_CONFIRM:
                return on_confirm(d);
        default: /* ENTER */
                return type == RKD_ENTER ? RKD_OK : RKD_UNKNOWN;
        }
}
