/* SPDX-License-Identifier: MIT */
/*
 * The stream of a push, see rkd-stream.h.
 *
 * Bytes of a DATA frame go behind the head of the ring while they come in, at their place, and
 * count only when the frame turns out good: the ring is the window, and nothing is buffered
 * twice. Duplicates overwrite nothing that counts.
 */

#include "device/rkd-stream.h"

#include <string.h>

#include "device/rkd-flash.h"
#include "device/rkd-patch.h"
#include "proto/bytes.h"

enum {
        PHASE_NONE,
        PHASE_OPEN,
        PHASE_ENDED,
        PHASE_STOPPED
};
enum {
        BLOCKING_RECEIVE,
        BLOCKING_ANNOUNCE,
        BLOCKING_TOLD,
        BLOCKING_WORK
};

#define RUN_BYTES    8u
#define NAK_AGAIN_MS 250u
#define BUSY_MAX_MS  60000u
#define STEPS        8u /* at each poll */

/* A loop, since a Cortex-M0 does not divide. */
uint32_t rkd_stream_count_units(const RkdPlatform *p, uint32_t n) {
        uint32_t count = 1;

        for (; n > p->unit_size; n -= p->unit_size)
                count++;
        return count;
}

void rkd_stream_init(RkdStream *s, const RkdPlatform *p, RkdFlash *flash) {
        *s = (RkdStream){ .platform = p, .flash = flash };
}

static bool is_patch(const RkdStream *s) {
        return RKD_PATCH_IS_BUILT && s->codec == RKD_CODEC_PATCH;
}

bool rkd_stream_is_blocking(const RkdStream *s) {
        return RKD_FLASH_BLOCKS || (s->platform->capabilities & RKD_CAN_FLASH_BLOCKS_CPU) != 0;
}

static void raise_credit(RkdStream *s) {
        uint32_t room = s->platform->ring_bytes, left = s->length - s->taken;

        s->credit = s->taken + (room < left ? room : left);
        if (s->credit - s->credit_told >= room / 4 ||
                        (s->credit == s->length && s->credit_told != s->length))
                s->ack_due = true;
}

void rkd_stream_begin(
                RkdStream *s, uint16_t id, uint8_t codec, uint32_t length, uint32_t image_length) {
        rkd_flash_forgive(s->flash);
        rkd_stream_init(s, s->platform, s->flash);
        s->phase = PHASE_OPEN;
        s->id = id;
        s->codec = codec;
        s->length = length;
        s->image_length = image_length;
        s->frame_offset = UINT32_MAX;
        raise_credit(s);
        s->ack_due = false;
        if (is_patch(s))
                rkd_patch_begin(s->platform->patch, s->platform, image_length, length);
}

void rkd_stream_stop(RkdStream *s) {
        rkd_stream_init(s, s->platform, s->flash);
}

static void stop_with(RkdStream *s, uint8_t error) {
        s->phase = PHASE_STOPPED;
        s->error = error;
        s->ack_due = true;
}

static void note_gap(RkdStream *s) {
        s->gap = true;
        s->polled = false;
}

static void note_progress(RkdStream *s, uint32_t received) {
        uint32_t n = received - s->received;

        s->received = received;
        s->ring_in += n;
        if (s->ring_in >= s->platform->ring_bytes)
                s->ring_in -= s->platform->ring_bytes;
        s->gap = false;
        s->nak_told = false;
}

void rkd_stream_frame_begin(RkdStream *s) {
        s->frame_offset = 0;
        s->frame_bytes = 0;
        s->frame_in = s->ring_in;
}

void rkd_stream_frame_byte(RkdStream *s, uint8_t byte) {
        uint32_t n = s->frame_bytes++, at;

        if (n < RKD_DATA_FIXED) {
                s->frame_offset |= (uint32_t)byte << (8 * n);
                return;
        }
        n -= RKD_DATA_FIXED;
        if (s->phase != PHASE_OPEN || s->frame_offset > s->received ||
                        n >= s->credit - s->frame_offset)
                return;
        at = s->frame_offset + n;
        if (at < s->received)
                return;
        s->platform->ring[s->frame_in++] = byte;
        if (s->frame_in == s->platform->ring_bytes)
                s->frame_in = 0;
}

void rkd_stream_frame_end(RkdStream *s) {
        uint32_t n = s->frame_bytes - RKD_DATA_FIXED;

        if (s->phase != PHASE_OPEN || s->frame_bytes <= RKD_DATA_FIXED)
                return;
        if (s->frame_offset > s->received || n > s->credit - s->frame_offset) {
                note_gap(s);
                return;
        }
        if (s->frame_offset + n > s->received)
                note_progress(s, s->frame_offset + n);
        else
                s->ack_due = true;
}

void rkd_stream_note_damage(RkdStream *s) {
        if (s->phase == PHASE_OPEN && s->received < s->credit)
                note_gap(s);
}

void rkd_stream_note_poll(RkdStream *s) {
        if (s->phase == PHASE_OPEN && !s->gap)
                s->polled = true;
}

static uint32_t piece_bytes(const RkdStream *s) {
        uint32_t left = s->unit_bytes - s->unit_at;

        return left < s->platform->page_bytes ? left : s->platform->page_bytes;
}

static uint32_t take(RkdStream *s, uint8_t *out, uint32_t want) {
        const RkdPlatform *p = s->platform;
        uint32_t have = s->received - s->taken, to_end = p->ring_bytes - s->ring_out;

        want = want < have ? want : have;
        if (want > to_end)
                want = to_end; /* the rest at the next step */
        memcpy(out, p->ring + s->ring_out, want);
        s->ring_out = want == to_end ? 0 : s->ring_out + want;
        s->taken += want;
        return want;
}

static void enter_unit(RkdStream *s) {
        const RkdPlatform *p = s->platform;
        uint32_t left = s->image_length - (s->unit_address - p->program_base);

        s->unit_at = 0;
        s->unit_bytes = left < p->unit_size ? left : p->unit_size;
        s->erase_due = true;
        /* A patch copies from the unit itself, until its page is full. */
        s->erase_early = !is_patch(s) || p->page_bytes < p->unit_size;
}

static void end_stream(RkdStream *s) {
        s->phase = PHASE_ENDED;
        s->ack_due = true;
}

static void begin_run(RkdStream *s) {
        const RkdPlatform *p = s->platform;
        uint32_t first = rkd_load_u32(s->run), count = rkd_load_u32(s->run + 4);
        uint32_t units = rkd_stream_count_units(p, s->image_length);

        s->n_run = 0;
        if (count == 0) {
                if (s->taken != s->length)
                        stop_with(s, RKD_BAD_STREAM);
                else
                        end_stream(s);
        } else if (first >= units || count > units - first)
                stop_with(s, RKD_RANGE);
        else {
                s->units_left = count;
                s->unit_address = p->program_base + first * p->unit_size;
                enter_unit(s);
        }
}

static bool read_run(RkdStream *s) {
        uint32_t n = take(s, s->run + s->n_run, RUN_BYTES - s->n_run);

        s->n_run = (uint8_t)(s->n_run + n);
        if (s->n_run == RUN_BYTES)
                begin_run(s);
        return n > 0;
}

/* The decoder may take from the ring, and did. */
static void offer_ring(RkdStream *s) {
        rkd_patch_offer(s->platform->patch, s->ring_out, s->received - s->taken);
}

static bool note_patch(RkdStream *s, RkdPatchEvent event) {
        uint32_t have = s->received - s->taken, n = have - rkd_patch_left(s->platform->patch);

        s->taken += n;
        s->ring_out += n;
        if (s->ring_out >= s->platform->ring_bytes)
                s->ring_out -= s->platform->ring_bytes;
        if (event == RKD_PATCH_BAD)
                stop_with(s, RKD_BAD_STREAM);
        if (event == RKD_PATCH_FAULT)
                stop_with(s, RKD_FLASH);
        return event != RKD_PATCH_MORE;
}

static bool next_unit(RkdStream *s) {
        const RkdPlatform *p = s->platform;
        RkdPatchEvent event;

        offer_ring(s);
        event = rkd_patch_next(p->patch);
        if (event == RKD_PATCH_DONE) {
                s->units_left = 1;
                s->unit_address = p->program_base + rkd_patch_unit(p->patch) * p->unit_size;
                enter_unit(s);
        } else if (event == RKD_PATCH_END)
                end_stream(s);
        return note_patch(s, event);
}

/* Flash is only read while it rests. */
static bool fill_by_patch(RkdStream *s) {
        RkdPatchEvent event;

        if (rkd_flash_is_busy(s->flash) || (s->erase_due && s->erase_early))
                return false;
        offer_ring(s);
        event = rkd_patch_fill(s->platform->patch, piece_bytes(s));
        s->page_fill = rkd_patch_filled(s->platform->patch);
        return note_patch(s, event);
}

static bool may_flash(const RkdStream *s) {
        return !rkd_flash_is_busy(s->flash) &&
               (!rkd_stream_is_blocking(s) || s->blocking == BLOCKING_WORK);
}

static void erase_unit(RkdStream *s) {
        s->erase_due = false;
        s->dirty = true;
        rkd_flash_erase(s->flash, RKD_AREA_PROGRAM, s->unit_address, s->platform->unit_size);
}

/* The write size of the region that holds the address. */
static uint32_t write_size(const RkdPlatform *p, uint32_t address) {
        uint32_t size = 1;

        for (uint8_t i = 0; i < p->n_regions && p->regions[i].start <= address; i++)
                size = p->regions[i].write_size;
        return size;
}

static void write_piece(RkdStream *s) {
        uint32_t address = s->unit_address + s->unit_at, n = s->page_fill;

        for (; (n & (write_size(s->platform, address) - 1)) != 0; n++)
                s->platform->page[n] = 0xff;
        s->dirty = true;
        rkd_flash_write(s->flash, RKD_AREA_PROGRAM, address, s->platform->page, n);
        if (is_patch(s))
                rkd_patch_written(s->platform->patch);
        s->unit_at += s->page_fill;
        s->page_fill = 0;
        if (s->unit_at < s->unit_bytes)
                return;
        s->unit_address += s->platform->unit_size;
        if (--s->units_left > 0)
                enter_unit(s);
}

static bool is_full(const RkdStream *s) {
        return s->page_fill == piece_bytes(s);
}

static bool may_erase(const RkdStream *s) {
        return s->erase_due && (s->erase_early || is_full(s));
}

/* Whether a whole piece, or an erase, waits for flash. */
static bool wants_flash(const RkdStream *s) {
        return s->phase == PHASE_OPEN && s->units_left > 0 && (may_erase(s) || is_full(s));
}

static bool fill_raw(RkdStream *s) {
        uint32_t n = take(s, s->platform->page + s->page_fill, piece_bytes(s) - s->page_fill);

        s->page_fill += n;
        return n > 0;
}

/* One thing; false when there is nothing that can be done now. */
static bool step(RkdStream *s) {
        if (s->phase != PHASE_OPEN || rkd_flash_is_writing(s->flash))
                return false;
        if (s->units_left == 0)
                return is_patch(s) ? next_unit(s) : read_run(s);
        if (may_erase(s) && may_flash(s)) {
                erase_unit(s);
                return true;
        }
        if (!is_full(s))
                return is_patch(s) ? fill_by_patch(s) : fill_raw(s);
        if (s->erase_due || !may_flash(s))
                return false;
        write_piece(s);
        return true;
}

static bool is_starved(const RkdStream *s) {
        return s->phase == PHASE_OPEN && !is_patch(s) && s->taken == s->length && !wants_flash(s) &&
               !rkd_flash_is_busy(s->flash);
}

/* Whether what the ring holds takes the stream further. */
static bool can_go_on(const RkdStream *s) {
        uint32_t have = s->received - s->taken;

        if (is_patch(s))
                return have >= RKD_PATCH_STEP_BYTES || s->received == s->length;
        return have > 0;
}

static bool is_quiet(const RkdStream *s) {
        return s->polled || s->received == s->credit;
}

/* is_cut: the steps of this poll were used up. */
static void poll_blocking(RkdStream *s, bool is_cut) {
        bool wants = wants_flash(s);

        if (s->blocking == BLOCKING_WORK && !wants && !rkd_flash_is_busy(s->flash) &&
                        !(is_cut && can_go_on(s)))
                s->blocking = BLOCKING_RECEIVE;
        if (s->blocking != BLOCKING_RECEIVE)
                return;
        if (!wants) {
                /* As long as a few bytes make pages, nobody needs to send more. */
                if (is_patch(s) && can_go_on(s))
                        return;
                s->polled = false;
                raise_credit(s);
        } else if (is_quiet(s)) {
                s->blocking = BLOCKING_ANNOUNCE;
                s->ack_due = true;
        }
}

void rkd_stream_poll(RkdStream *s) {
        unsigned left = STEPS;

        if (s->phase != PHASE_OPEN)
                return;
        if (s->flash->failed) {
                stop_with(s, RKD_FLASH);
                return;
        }
        while (left > 0 && step(s)) {
                if (RKD_FLASH_BLOCKS && s->flash->failed)
                        return; /* the next poll says so */
                left--;
        }
        if (is_starved(s))
                stop_with(s, RKD_BAD_STREAM);
        if (s->phase != PHASE_OPEN)
                return;
        if (rkd_stream_is_blocking(s))
                poll_blocking(s, left == 0);
        else
                raise_credit(s);
}

bool rkd_stream_is_open(const RkdStream *s) {
        return s->phase == PHASE_OPEN;
}

bool rkd_stream_has_id(const RkdStream *s, uint16_t id) {
        return s->phase != PHASE_NONE && s->id == id;
}

bool rkd_stream_is_working(const RkdStream *s) {
        if (s->phase != PHASE_OPEN || rkd_flash_is_busy(s->flash))
                return false;
        if (s->blocking == BLOCKING_TOLD)
                return true;
        if (wants_flash(s) && may_flash(s))
                return true;
        return (s->units_left == 0 || !is_full(s)) && can_go_on(s);
}

uint16_t rkd_stream_busy_ms(const RkdStream *s) {
        const RkdPlatform *p = s->platform;
        uint32_t n = s->page_fill + (is_patch(s) ? 0 : s->received - s->taken);
        uint32_t erase_ms, ms = p->write_ms, at;

        if (!rkd_stream_is_blocking(s) || s->blocking == BLOCKING_RECEIVE || s->phase != PHASE_OPEN)
                return 0;
        erase_ms = p->erase_ms * rkd_flash_count_units(p, s->unit_address, p->unit_size);
        for (at = n; at >= p->page_bytes; at -= p->page_bytes)
                ms += p->write_ms;
        for (at = s->unit_at + n; at >= p->unit_size; at -= p->unit_size)
                ms += erase_ms;
        if (s->erase_due)
                ms += erase_ms;
        return (uint16_t)(ms < BUSY_MAX_MS ? ms : BUSY_MAX_MS);
}

bool rkd_stream_may_nak(const RkdStream *s) {
        uint32_t now = rkd_now_ms(s->platform);

        return s->gap && (!s->nak_told || now - s->nak_ms >= NAK_AGAIN_MS);
}

void rkd_stream_note_announced(RkdStream *s) {
        if (s->blocking == BLOCKING_ANNOUNCE)
                s->blocking = BLOCKING_TOLD;
}

void rkd_stream_note_told(RkdStream *s, bool nak) {
        s->credit_told = s->credit;
        s->ack_due = false;
        rkd_stream_note_announced(s);
        if (!nak)
                return;
        s->nak_told = true;
        s->nak_ms = rkd_now_ms(s->platform);
}

void rkd_stream_note_sent(RkdStream *s) {
        if (s->blocking == BLOCKING_TOLD)
                s->blocking = BLOCKING_WORK;
}
