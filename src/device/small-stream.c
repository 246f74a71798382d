/* SPDX-License-Identifier: MIT */
/*
 * Part of small.c: the stream of a push. Data goes to where it is used, the page or what the
 * decoder of patches reads, and no more is granted than fits there.
 */

#include "device/small.h"

#define RUN_BYTES 8u

bool is_open(const RkdBoot *d) {
        return d->stream == RKD_STREAM_OPEN;
}

static bool is_patch(const RkdBoot *d) {
        return RKD_PATCH_IS_BUILT && d->codec == RKD_CODEC_PATCH;
}

/* A unit is decoded from what it holds, so it has to fit into the page. */
bool takes_patches(const RkdBoot *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);

        return RKD_PATCH_IS_BUILT && p->patch && p->page_bytes >= p->unit_size;
}

bool is_decoding(const RkdBoot *d) {
        return is_patch(d) && is_open(d) && d->received == d->credit;
}

static bool is_in_run(const RkdBoot *d) {
        return d->run_at < d->run_end;
}

static void end_with(RkdBoot *d, unsigned error) {
        d->stream = error == RKD_OK ? RKD_STREAM_ENDED : RKD_STREAM_STOPPED;
        d->error = (uint8_t)error;
}

/* What the page buffer holds at most. */
static uint32_t page_most(const RkdBoot *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);

        return p->page_bytes < p->unit_size ? p->page_bytes : p->unit_size;
}

/* What it is meant for. */
static uint32_t piece_bytes(const RkdBoot *d) {
        uint32_t left = d->run_end - d->run_at, most = page_most(d);

        return left < most ? left : most;
}

/* Bytes that can be taken now. */
static uint32_t room(const RkdBoot *d) {
        if (!is_open(d))
                return 0;
        if (is_patch(d))
                return RKD_PLATFORM(d)->ring_bytes - d->fill;
        return (is_in_run(d) ? piece_bytes(d) : RUN_BYTES) - d->fill;
}

static void raise_credit(RkdBoot *d) {
        uint32_t credit = d->received + room(d), ring = RKD_PLATFORM(d)->ring_bytes;

        /* Behind the run that comes there may be a page of it. */
        if (!is_patch(d) && !is_in_run(d))
                credit += ring - RUN_BYTES < page_most(d) ? ring - RUN_BYTES : page_most(d);
        if (credit > d->length)
                credit = d->length;
        if (credit > d->credit)
                d->credit = credit;
}

/* Units [first, first + count) of the image. */
static void enter_run(RkdBoot *d, uint32_t first, uint32_t count) {
        uint32_t size = RKD_PLATFORM(d)->unit_size, length = d->body->header.length;
        uint32_t units = (length - 1) / size + 1;

        if (first >= units || count > units - first) {
                end_with(d, RKD_RANGE);
                return;
        }
        d->run_at = first * size;
        d->run_end = first + count == units ? length : (first + count) * size;
}

void take_data(RkdBoot *d, const uint8_t *in, uint32_t n) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        uint32_t skip = d->received - *word(in), take;

        if (skip > d->received || skip >= n - RKD_DATA_FIXED || n <= RKD_DATA_FIXED)
                return;
        in += RKD_DATA_FIXED + skip;
        n -= RKD_DATA_FIXED + skip;
        if (n > d->credit - d->received)
                return;
        for (; n > 0 && (take = room(d)) > 0; in += take, n -= take) {
                uint8_t *to = is_patch(d) ? p->ring : is_in_run(d) ? p->page : (uint8_t *)d->run;

                if (take > n)
                        take = n;
                memcpy(to + d->fill, in, take);
                d->fill += take;
                d->received += take;
                if (!is_patch(d) && !is_in_run(d) && d->fill == RUN_BYTES) {
                        d->fill = 0;
                        if (d->run[1] != 0)
                                enter_run(d, d->run[0], d->run[1]);
                        else
                                end_with(d, d->received == d->length ? RKD_OK : RKD_BAD_STREAM);
                }
        }
}

/* The page is full: its unit is erased before its first byte is written. */
static void write_piece(RkdBoot *d, uint32_t fill) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        uint32_t address = p->program_base + d->run_at, n = page_most(d);
        bool is_first = (d->run_at & (p->unit_size - 1)) == 0;

        memset(p->page + fill, 0xff, n - fill);
        forget_check(d);
        if (d->run_at >= p->program_space ||
                        !replace(d, address, is_first ? p->unit_size : 0, p->page, n))
                end_with(d, RKD_FLASH);
        d->run_at += fill;
}

#if RKD_PATCH_IS_BUILT
/* The next unit, or what belongs into its page. */
static void step_patch(RkdBoot *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        uint32_t left, fill = d->fill, piece = is_in_run(d) ? piece_bytes(d) : 0;
        RkdPatchEvent event;

        rkd_patch_offer(p->patch, 0, fill);
        event = piece > 0 ? rkd_patch_fill(p->patch, piece) : rkd_patch_next(p->patch);
        left = rkd_patch_left(p->patch);
        memmove(p->ring, p->ring + fill - left, left);
        d->fill = left;
        if (event == RKD_PATCH_DONE && piece == 0)
                d->run_at = rkd_patch_unit(p->patch, &d->run_end);
        if (piece > 0 && rkd_patch_filled(p->patch) == piece) {
                write_piece(d, piece);
                rkd_patch_written(p->patch);
        }
        if (event == RKD_PATCH_END)
                end_with(d, RKD_OK);
        if (event == RKD_PATCH_BAD)
                end_with(d, RKD_BAD_STREAM);
        if (event == RKD_PATCH_FAULT)
                end_with(d, RKD_FLASH);
        if (event == RKD_PATCH_MORE)
                raise_credit(d);
}
#endif

/* Nothing more is on its way: all that was granted has come, or the gateway has asked. */
void poll_stream(RkdBoot *d) {
        if (!is_open(d) || !(d->received == d->credit || d->poll_due || d->command))
                return;
#if RKD_PATCH_IS_BUILT
        if (is_patch(d)) {
                step_patch(d);
                return;
        }
#endif
        if (is_in_run(d) && room(d) == 0) {
                write_piece(d, d->fill);
                d->fill = 0;
        }
        if (is_open(d) && d->received == d->length)
                end_with(d, RKD_BAD_STREAM);
        raise_credit(d);
}

void begin_stream(RkdBoot *d, const uint8_t *in) {
        d->have = 0; /* the page is wanted */
        d->error = RKD_OK;
        d->stream = RKD_STREAM_OPEN;
        d->stream_id = *half(in + 6);
        d->codec = in[0];
        d->length = *half(in + 2) | (uint32_t)*half(in + 4) << 16;
        d->received = d->credit = d->fill = d->run_at = d->run_end = 0;
        raise_credit(d);
#if RKD_PATCH_IS_BUILT
        if (is_patch(d))
                rkd_patch_begin(RKD_PLATFORM(d)->patch, RKD_PLATFORM(d), d->body->header.length,
                                d->length);
#endif
}
