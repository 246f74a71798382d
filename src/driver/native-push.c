/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Native, the way to the stream: the speed of the push, BEGIN in pieces, what the flash holds
 * now, and the plan. */
#include "driver/native-steps.h"
#include "proto/crc.h"

#define SPEED_CHECK_TRIES  3
#define SPEED_CHECK_USEC   (60 * USEC_PER_MSEC)
#define SPEED_FAILURES_MAX 2
#define SPEED_MAX_BAUD     4000000
/* the device's end switches after its answer has left */
#define SETTLE_USEC (5 * USEC_PER_MSEC)
#define FALL_BACK_USEC                                                                             \
        (600 * USEC_PER_MSEC) /* the device returns to its first speed after 500 ms */
#define FAST_ALIVE_USEC                                                                            \
        (150 * USEC_PER_MSEC) /* so that it does not, while there is nothing to say */
#define SLOW_ALIVE_USEC   (2 * USEC_PER_SEC) /* so that it does not start a program after 10 s */
#define SUMS_FIXED        (RKD_ANSWER_FIXED + 6) /* first, count */
#define SUM_BYTES_PER_SEC 500000                 /* CRC-32 on a slow device */

/* What the request's push_baud is on this device; 0: no change. */
static uint32_t push_speed(const Native *n) {
        uint32_t wanted = n->request.push_baud, best = 0;

        for (size_t i = 0; i < n->identity.n_speeds; i++) {
                uint32_t speed = n->identity.speeds[i];

                if (speed == wanted || (wanted == DRIVER_BAUD_FASTEST && speed <= SPEED_MAX_BAUD))
                        best = MAX(best, speed);
        }
        return best > n->link.baud || best == wanted ? best : 0;
}

static bool wants_speed(const Native *n) {
        uint32_t speed = push_speed(n);

        return speed != 0 && speed != n->link.baud && n->request.address == RKD_ADDRESS_POINT &&
               n->speed_failures < SPEED_FAILURES_MAX;
}

/* A push of this id that the device has already checked, and perhaps given up since: only the
 * answer was lost, or the gateway was away. */
static bool is_complete_already(const Native *n) {
        const DriverIdentity *i = &n->result.identity;

        return i->push_id == n->request.push_id && i->image_length == n->request.image_length &&
               (i->state == DEVICE_VERIFIED || i->state == DEVICE_TRIAL ||
                               i->state == DEVICE_CONFIRMED || i->state == DEVICE_FAILED);
}

void native_push(Native *n) {
        if (is_complete_already(n))
                native_finish(n, DRIVER_OK, 0, "%s", "");
        else if (n->request.image_length > n->identity.program_space)
                native_finish(n, DRIVER_E_REFUSED, RKD_TOO_LARGE,
                                "the image has %zu bytes, the device has room for %u",
                                n->request.image_length, n->identity.program_space);
        else
                native_enter(n, wants_speed(n) ? NATIVE_SPEED_UP : NATIVE_BEGIN);
}

/* Speed. */

void speed_up_enter(Native *n) {
        native_ask(n, &(RkdRequest){ .type = RKD_SET_BAUD, .baud = push_speed(n) },
                        RKD_ANSWER_FIXED + 4, NATIVE_ANSWER_USEC);
}

void speed_up_answer(Native *n, const RkdAnswer *a) {
        if (a->baud != n->command.baud) {
                native_finish(n, DRIVER_E_PROTOCOL, 0,
                                "the device answers with %u baud where %u were asked for", a->baud,
                                n->command.baud);
                return;
        }
        if (n->base_baud == 0)
                n->base_baud = n->link.baud;
        native_set_baud(n, n->command.baud);
        native_enter(n, NATIVE_SPEED_CHECK);
}

void speed_up_refused(Native *n, const RkdAnswer *a) {
        n->speed_failures = SPEED_FAILURES_MAX;
        native_enter(n, NATIVE_BEGIN);
}

void speed_check_enter(Native *n) {
        native_ask(n, &(RkdRequest){ .type = RKD_NOP }, RKD_ANSWER_FIXED + RKD_STATUS_BYTES,
                        SPEED_CHECK_USEC);
        n->not_before_usec = n->now_usec + SETTLE_USEC;
}

void speed_check_answer(Native *n, const RkdAnswer *a) {
        native_enter(n, NATIVE_BEGIN);
}

/* Both ends meet again at the first speed. */
static void fall_back(Native *n) {
        if (n->base_baud == 0)
                n->base_baud = n->link.baud;
        native_set_baud(n, n->base_baud);
        native_listen(n, 2 * FALL_BACK_USEC);
        n->not_before_usec = n->now_usec + FALL_BACK_USEC;
}

/* Nothing is heard at the new speed, or the answer to SET-BAUD was lost. */
void speed_silence(Native *n) {
        if (n->step == NATIVE_SPEED_CHECK && n->tries < SPEED_CHECK_TRIES) {
                native_ask_again(n, 0);
                return;
        }
        n->speed_failures++;
        fall_back(n);
}

bool native_slow_down(Native *n) {
        if (n->base_baud == 0 || n->speed_failures >= SPEED_FAILURES_MAX)
                return false;
        n->speed_failures = SPEED_FAILURES_MAX;
        n->recoveries = 0;
        fall_back(n);
        return true;
}

/* BEGIN. */

static void ask_begin_piece(Native *n, size_t offset) {
        size_t length = MIN(n->n_area - offset, RKD_BEGIN_PIECE);

        /* With its last piece the device writes its record: from here on it counts as changed. */
        n->result.erased |= offset + length == n->n_area;
        native_ask(n,
                        &(RkdRequest){
                                        .type = RKD_BEGIN,
                                        .total = (uint16_t)n->n_area,
                                        .offset = (uint32_t)offset,
                                        .bytes = n->area + offset,
                                        .n_bytes = length,
                        },
                        RKD_ANSWER_FIXED + 2, NATIVE_ANSWER_USEC);
}

void begin_enter(Native *n) {
        const DriverRequest *r = &n->request;
        RkdBegin begin = {
                .flags = r->restore ? RKD_BEGIN_RESTORE : 0,
                .trial_seconds = (uint16_t)r->trial_seconds,
                .push_id = r->push_id,
                .replaces = r->take_over && n->identity.push_id != r->push_id ? n->identity.push_id
                                                                              : 0,
                .header = r->header,
                .n_header = (uint16_t)r->header_length,
                .signature = r->signature,
                .n_signature = (uint16_t)r->signature_length,
        };

        n->n_area = rkd_begin_encode(&begin, n->area, sizeof(n->area));
        if (n->n_area == 0)
                native_finish(n, DRIVER_E_PLAN, 0,
                                "device header (%zu bytes) and signature (%zu bytes) cannot be told to a device",
                                r->header_length, r->signature_length);
        else
                ask_begin_piece(n, 0);
}

void begin_answer(Native *n, const RkdAnswer *a) {
        size_t have = a->offset, had = n->command.offset;

        if (have > n->n_area || (have <= had && have != 0)) {
                native_finish(n, DRIVER_E_PROTOCOL, 0,
                                "the device has %zu bytes of the begin area after %zu of %zu were sent",
                                have, had + n->command.n_bytes, n->n_area);
                return;
        }
        if (have == 0 && ++n->begin_restarts > 3)
                native_lost(n, "BEGIN");
        else if (have < n->n_area)
                ask_begin_piece(n, have);
        else {
                n->result.begun = true;
                native_enter(n, NATIVE_SUMS);
        }
}

/* What the flash holds: vouched for by the device, asked for unit by unit, or not to be trusted. */

static bool content_is_known(const Native *n) {
        const RkdIdentity *i = &n->identity;

        /* BEGIN may have gone to another slot than it tells of. */
        if (i->capabilities & RKD_CAN_SLOTS)
                return false;
        return (i->state == RKD_VERIFIED || i->state == RKD_TRIAL || i->state == RKD_CONFIRMED ||
                               i->state == RKD_UNMANAGED) &&
               (i->digest_source == RKD_DIGEST_RECORD || i->digest_source == RKD_DIGEST_AREA) &&
               i->image_length > 0 && !sha256_is_zero(&n->result.identity.digest);
}

static RkdRequest sums_from(const Native *n, size_t first) {
        size_t most = (n->identity.max_answer - SUMS_FIXED) / sizeof(uint32_t);

        return (RkdRequest){ .type = RKD_SUMS,
                .first = (uint32_t)first,
                .count = (uint16_t)MIN(n->n_sums - first, most) };
}

static void ask_sums(Native *n) {
        const RkdRequest ask = sums_from(n, n->n_sums_read);
        uint64_t work = (uint64_t)ask.count * n->identity.unit_size * USEC_PER_SEC /
                        SUM_BYTES_PER_SEC;

        native_ask(n, &ask, SUMS_FIXED + ask.count * sizeof(uint32_t), NATIVE_ANSWER_USEC + work);
}

bool sums_ahead(const Native *n, RkdRequest *ret) {
        *ret = sums_from(n, n->command.first + n->command.count);
        return ret->count > 0;
}

void sums_enter(Native *n) {
        uint32_t unit = n->identity.unit_size;
        uint64_t bytes = MAX((uint64_t)n->request.image_length, n->identity.image_length);

        n->n_sums = n->n_sums_read = 0;
        free(n->sums);
        n->sums = NULL;
        /* Nothing worth keeping is in an empty one. */
        if (n->trust_nothing || content_is_known(n) || n->identity.state == RKD_EMPTY) {
                native_enter(n, NATIVE_PLAN);
                return;
        }
        n->n_sums = (bytes + unit - 1) / unit;
        n->sums = new0(uint32_t, n->n_sums);
        if (!n->sums)
                native_finish(n, DRIVER_E_PLAN, 0, "not enough memory");
        else
                ask_sums(n);
}

/* Of the image, what lies behind it in its last unit being erased. */
static uint32_t sum_of_unit(const DriverRequest *r, size_t offset, uint32_t unit) {
        static const uint8_t fill[64] = { [0 ... 63] = 0xff };
        size_t length = MIN(r->image_length - offset, unit);
        uint32_t crc = rkd_crc32_add(RKD_CRC32_START, r->image + offset, length);

        for (; length < unit; length += MIN(unit - length, sizeof(fill)))
                crc = rkd_crc32_add(crc, fill, MIN(unit - length, sizeof(fill)));
        return rkd_crc32_finish(crc);
}

/* A plan that is made after a cut may be longer than what the one before had left; that more of
 * the flash is right is progress. */
static void count_right(Native *n) {
        uint32_t unit = n->identity.unit_size, right = 0;

        for (size_t i = 0; i * unit < n->request.image_length; i++)
                right += sum_of_unit(&n->request, i * unit, unit) == n->sums[i];
        if (right > n->result.units_right)
                n->recoveries = 0;
        n->result.units_right = right;
}

void sums_answer(Native *n, const RkdAnswer *a) {
        if (a->first != n->n_sums_read || a->count == 0 || a->count > n->command.count ||
                        a->n_bytes != a->count * sizeof(uint32_t)) {
                native_finish(n, DRIVER_E_PROTOCOL, 0,
                                "the device answers with checksums of %u units from %u where %u from %zu were asked for",
                                a->count, a->first, n->command.count, n->n_sums_read);
                return;
        }
        for (size_t i = 0; i < a->count; i++)
                n->sums[n->n_sums_read++] = rkd_load_u32(a->bytes + i * sizeof(uint32_t));
        if (n->n_sums_read < n->n_sums) {
                ask_sums(n);
                return;
        }
        count_right(n);
        native_enter(n, NATIVE_PLAN);
}

/* The plan is computed elsewhere; meanwhile the device is kept awake and at its speed. */

void plan_enter(Native *n) {
        const RkdIdentity *i = &n->identity;
        bool fast = n->base_baud > 0 && n->link.baud != n->base_baud;

        n->plan = (DriverPlanRequest){
                .codecs = i->codecs,
                .codec_profile = i->codec_profile,
                .instruction_set = i->instruction_set,
                .unit_size = i->unit_size,
                .program_base = i->program_base,
                .program_space = i->program_space,
                .ram_base = i->ram_base,
                .ram_size = i->ram_size,
                .present_is_known = !n->trust_nothing && content_is_known(n),
                .present = n->result.identity.digest,
                .sums = n->sums,
                .n_sums = n->n_sums,
                .trust_nothing = n->trust_nothing,
        };
        native_ask(n, &(RkdRequest){ .type = RKD_NOP }, RKD_ANSWER_FIXED + RKD_STATUS_BYTES,
                        NATIVE_ANSWER_USEC);
        n->not_before_usec = n->now_usec + (fast ? FAST_ALIVE_USEC : SLOW_ALIVE_USEC);
}

void plan_answer(Native *n, const RkdAnswer *a) {
        plan_enter(n);
}

/* The plan goes on; whether the device is still there is asked when it is ready. */
void plan_silence(Native *n) {
        plan_enter(n);
}

void plan_ready(Native *n, uint8_t codec, const void *stream, size_t n_stream) {
        if (!stream || n_stream == 0 || n_stream > UINT32_MAX) {
                native_finish(n, DRIVER_E_PLAN, 0, "no plan could be made for this device");
                return;
        }
        if (codec > 7 || !(n->identity.codecs & (1u << codec))) {
                native_finish(n, DRIVER_E_PLAN, 0,
                                "the plan uses codec %u, which the device does not know", codec);
                return;
        }
        n->codec = codec;
        n->stream = stream;
        n->n_stream = n_stream;
        native_enter(n, NATIVE_STREAM);
}
