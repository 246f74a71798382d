/* SPDX-License-Identifier: MIT */
/*
 * The stream of one push: DATA frames into the ring, whole pages or a patch out of it, through the
 * page buffer into flash.
 *
 * Credit is always what the ring can still take; it only grows. Where flash blocks the CPU it grows
 * only while nothing waits for flash: then everything that was granted is awaited (or a POLL),
 * announced, and done in one go.
 */

#include <string.h>

#include "device/rkd-engine.h"
#include "device/rkd-patch.h"

#define RUN_BYTES    8u
#define NAK_AGAIN_MS 250u
#define STEPS        8u /* at each poll */

bool rkd_is_blocking(const RkdDevice *d) {
        return RKD_FLASH_BLOCKS || (RKD_PLATFORM(d)->capabilities & RKD_CAN_FLASH_BLOCKS_CPU) != 0;
}

static bool is_open(const RkdDevice *d) {
        return d->stream == RKD_STREAM_OPEN;
}

static bool is_patch(const RkdDevice *d) {
        return RKD_PATCH_IS_BUILT && d->codec == RKD_CODEC_PATCH;
}

/* Bytes in the ring. */
static uint32_t waiting(const RkdDevice *d) {
        return d->received - d->taken;
}

static void raise_credit(RkdDevice *d) {
        uint32_t room = RKD_PLATFORM(d)->ring_bytes, left = d->length - d->taken;

        d->credit = d->taken + (room < left ? room : left);
        if (d->credit - d->credit_told >= room / 4 ||
                        (d->credit == d->length && d->credit_told != d->length))
                d->ack_due = true;
}

void rkd_stream_begin(RkdDevice *d, unsigned id, unsigned codec, uint32_t length) {
        rkd_stream_stop(d);
        d->failed = false;
        d->stream = RKD_STREAM_OPEN;
        d->stream_id = (uint16_t)id;
        d->codec = (uint8_t)codec;
        d->length = length;
        d->received = d->taken = d->credit_told = d->ring_out = 0;
        d->run_at = d->run_end = d->page_fill = 0;
        d->erase_due = d->gap = d->nak_told = d->blocking = 0;
        raise_credit(d);
        d->ack_due = false;
        if (!is_patch(d))
                return;
        rkd_patch_begin(RKD_PLATFORM(d)->patch, RKD_PLATFORM(d), rkd_le32(d->body->header.length),
                        length);
#if RKD_WITH_SLOTS
        rkd_patch_read_at(RKD_PLATFORM(d)->patch, rkd_program_address(d, 0));
#endif
}

void rkd_stream_stop(RkdDevice *d) {
        d->stream = RKD_STREAM_NONE;
        d->error = RKD_OK;
        d->gap = d->ack_due = d->blocking = 0;
        d->received = d->credit = 0;
}

static void end_with(RkdDevice *d, unsigned error) {
        d->stream = error == RKD_OK ? RKD_STREAM_ENDED : RKD_STREAM_STOPPED;
        d->error = (uint8_t)error;
        d->blocking = RKD_BLOCKING_RECEIVE;
        d->ack_due = true;
        rkd_log(d, RKD_LOG_STREAM, error);
}

/* What the page buffer is meant for: a unit, or as much of it as fits, or the end of the run. */
static uint32_t piece_bytes(const RkdDevice *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        uint32_t left = d->run_end - d->run_at;
        uint32_t most = p->page_bytes < p->unit_size ? p->page_bytes : p->unit_size;

        return left < most ? left : most;
}

static bool is_full(const RkdDevice *d) {
        return d->page_fill == piece_bytes(d);
}

static bool is_in_run(const RkdDevice *d) {
        return d->run_at < d->run_end;
}

static void take(RkdDevice *d, uint32_t n) {
        d->taken += n;
        d->ring_out += n;
}

static void note_unit(RkdDevice *d) {
        if (is_in_run(d) && (d->run_at & (RKD_PLATFORM(d)->unit_size - 1)) == 0)
                d->erase_due = true;
}

/* Units [first, first + count) of the image; false when there are no such. */
static bool enter_run(RkdDevice *d, uint32_t first, uint32_t count) {
        uint32_t size = RKD_PLATFORM(d)->unit_size, length = rkd_le32(d->body->header.length);
        uint32_t units = (length - 1) / size + 1;

        if (first >= units || count > units - first)
                return false;
        d->run_at = first * size;
        d->run_end = first + count == units ? length : (first + count) * size;
        note_unit(d);
        return true;
}

static bool read_run(RkdDevice *d) {
        const uint8_t *run = RKD_PLATFORM(d)->ring + d->ring_out;
        uint32_t first, count;

        if (waiting(d) < RUN_BYTES)
                return false;
        first = rkd_load_u32(run);
        count = rkd_load_u32(run + 4);
        take(d, RUN_BYTES);
        if (count == 0)
                end_with(d, d->taken == d->length ? RKD_OK : RKD_BAD_STREAM);
        else if (!enter_run(d, first, count))
                end_with(d, RKD_RANGE);
        return true;
}

static bool fill_raw(RkdDevice *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        uint32_t n = piece_bytes(d) - d->page_fill;

        if (n > waiting(d))
                n = waiting(d);
        memcpy(p->page + d->page_fill, p->ring + d->ring_out, n);
        d->page_fill += n;
        take(d, n);
        return n > 0;
}

#if RKD_PATCH_IS_BUILT
/* The next unit, or what belongs into its page. Flash is only read while it rests. */
static bool step_patch(RkdDevice *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        uint32_t have = waiting(d);
        RkdPatchEvent event;

        if (rkd_flash_is_busy(d))
                return false;
        rkd_patch_offer(p->patch, d->ring_out, have);
        if (is_in_run(d)) {
                event = rkd_patch_fill(p->patch, piece_bytes(d));
                d->page_fill = rkd_patch_filled(p->patch);
        } else {
                event = rkd_patch_next(p->patch);
                if (event == RKD_PATCH_DONE) {
                        d->run_at = rkd_patch_unit(p->patch, &d->run_end);
                        note_unit(d);
                }
        }
        take(d, have - rkd_patch_left(p->patch));
        if (event == RKD_PATCH_END)
                end_with(d, RKD_OK);
        if (event == RKD_PATCH_BAD)
                end_with(d, RKD_BAD_STREAM);
        if (event == RKD_PATCH_FAULT)
                end_with(d, RKD_FLASH);
        return event != RKD_PATCH_MORE;
}
#else
#define step_patch(d) false
#endif

/* A patch copies from the unit itself, until its page is full. */
static bool may_erase(const RkdDevice *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);

        return d->erase_due && (!is_patch(d) || p->page_bytes < p->unit_size || is_full(d));
}

/* Whether a whole piece, or an erase, waits for flash. */
static bool wants_flash(const RkdDevice *d) {
        return is_open(d) && is_in_run(d) && (may_erase(d) || is_full(d));
}

static bool may_flash(const RkdDevice *d) {
        return !rkd_flash_is_busy(d) &&
               (!rkd_is_blocking(d) || (d->blocking == RKD_BLOCKING_WORK && rkd_link_is_idle(d)));
}

static void erase_unit(RkdDevice *d) {
        d->erase_due = false;
        rkd_boot_forget_check(d);
        rkd_flash_work(d, RKD_AREA_PROGRAM, d->run_at, NULL, RKD_PLATFORM(d)->unit_size);
}

/* Filled up to the write size, whatever it is. */
static void write_piece(RkdDevice *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        uint32_t n = p->page_bytes < p->unit_size ? p->page_bytes : p->unit_size;

        memset(p->page + d->page_fill, 0xff, n - d->page_fill);
        rkd_flash_work(d, RKD_AREA_PROGRAM, d->run_at, p->page, n);
        if (is_patch(d))
                rkd_patch_written(p->patch);
        d->run_at += d->page_fill;
        d->page_fill = 0;
        note_unit(d);
}

/* One thing; false when there is nothing that can be done now. */
static bool step(RkdDevice *d) {
        if (!is_open(d) || d->failed || rkd_flash_is_writing(d))
                return false;
        if (is_in_run(d) && may_erase(d)) {
                if (may_flash(d)) {
                        erase_unit(d);
                        return true;
                }
                if (is_patch(d))
                        return false;
        }
        if (!is_in_run(d) || !is_full(d)) {
                if (is_patch(d))
                        return step_patch(d);
                return is_in_run(d) ? fill_raw(d) : read_run(d);
        }
        if (d->erase_due || !may_flash(d))
                return false;
        write_piece(d);
        return true;
}

/* Whether what the ring holds takes the stream further. */
static bool can_go_on(const RkdDevice *d) {
        if (is_patch(d))
                return waiting(d) >= RKD_PATCH_STEP_BYTES || d->received == d->length;
        return waiting(d) >= (is_in_run(d) ? 1 : RUN_BYTES);
}

/* is_cut: the steps of this poll were used up. */
static void poll_blocking(RkdDevice *d, bool is_cut) {
        bool wants = wants_flash(d);

        if (d->blocking == RKD_BLOCKING_WORK && !wants && !rkd_flash_is_busy(d) &&
                        !(is_cut && can_go_on(d)))
                d->blocking = RKD_BLOCKING_RECEIVE;
        if (d->blocking != RKD_BLOCKING_RECEIVE)
                return;
        if (!wants) {
                /* As long as a few bytes make pages, nobody needs to send more. */
                if (is_patch(d) && can_go_on(d))
                        return;
                d->polled = false;
                raise_credit(d);
        } else if (d->polled || d->received == d->credit) {
                d->blocking = RKD_BLOCKING_ANNOUNCE;
                d->ack_due = true;
        }
}

void rkd_stream_poll(RkdDevice *d) {
        unsigned left = STEPS;

        while (left > 0 && step(d))
                left--;
        if (!is_open(d))
                return;
        if (d->failed)
                end_with(d, RKD_FLASH);
        else if (!is_patch(d) && d->received == d->length && !can_go_on(d) && !wants_flash(d) &&
                        !rkd_flash_is_busy(d))
                end_with(d, RKD_BAD_STREAM); /* it has come to its end before its end */
        else if (rkd_is_blocking(d))
                poll_blocking(d, left == 0);
        else
                raise_credit(d);
}

bool rkd_stream_is_working(const RkdDevice *d) {
        if (!is_open(d) || rkd_flash_is_busy(d))
                return false;
        if (wants_flash(d))
                return may_flash(d);
        return can_go_on(d);
}

bool rkd_stream_may_nak(const RkdDevice *d) {
        return d->gap && (!d->nak_told || rkd_now_ms(d) - d->nak_ms >= NAK_AGAIN_MS);
}

void rkd_stream_note_told(RkdDevice *d) {
        d->credit_told = d->credit;
        d->ack_due = false;
        rkd_note_announced(d);
        if (!d->gap)
                return;
        d->nak_told = true;
        d->nak_ms = rkd_now_ms(d);
}
