/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tests' gateway, see gateway.h.
 */

#include "gateway.h"

#include <openssl/sha.h>
#include <string.h>

#include "planner.h"
#include "proto/crc.h"

#define WAIT_MS   500u
#define TRIES     40u
#define ROUNDS    400u
#define STEPS     12u
#define SETTLE_ID UINT64_C(0x5e771e0000000000)
#define PAYLOAD   256u
#define UNIT_MAX  4096u
#define UNITS_MAX (BOARD_SPACE_MAX / 256)

void gateway_init(Gateway *g, Board *board) {
        memset(g, 0, sizeof(*g));
        g->board = board;
        g->address = board->platform.address;
        g->sequence = 1;
        rkd_frame_reader_init(&g->reader, g->payload, sizeof(g->payload));
}

static void put_line(Board *b, const uint8_t *bytes, size_t n) {
        if (n > sizeof(b->to_device) - b->n_to_device)
                board_violate(b, "the test floods the line");
        else {
                memcpy(b->to_device + b->n_to_device, bytes, n);
                b->n_to_device += n;
        }
}

void gateway_send(Gateway *g, uint8_t type, uint8_t flags, const uint8_t *payload, size_t n) {
        uint8_t line[RKD_FRAME_ENCODED(RKD_PAYLOAD_MAX)];
        const RkdFrame frame = {
                .address = g->address,
                .type = type,
                .sequence = g->sequence,
                .flags = flags,
                .payload = payload,
                .n_payload = n,
        };

        put_line(g->board, line, rkd_frame_encode(line, sizeof(line), &frame));
}

/* Looks at the answer that came; what a device must never say is a violation. */
static void note_frame(Gateway *g) {
        const RkdStatus *s = &g->answer.status;

        if (rkd_answer_decode(&g->answer, g->frame.type, g->payload, g->frame.n_payload) != 0) {
                board_violate(g->board, "malformed answer");
                return;
        }
        if ((g->frame.flags & RKD_FLAG_FROM_DEVICE) == 0 || g->frame.address != g->address)
                board_violate(g->board, "answer with the wrong address or direction");
        g->acks += g->frame.type == RKD_ACK;
        g->naks += g->frame.type == RKD_NAK;
        g->hellos += g->frame.type == RKD_HELLO;
        if (g->frame.type != RKD_ACK && g->frame.type != RKD_NAK)
                return;
        if (s->credit < g->credit || s->received > s->credit)
                board_violate(g->board, "credit taken back");
        g->credit = s->credit;
}

/* Takes bytes off the line up to the end of a frame. */
static bool take_frame(Gateway *g) {
        Board *b = g->board;
        RkdDecoded what = RKD_DECODED_MORE;
        size_t n = 0;

        while (n < b->n_from_device && what == RKD_DECODED_MORE)
                what = rkd_frame_reader_feed(&g->reader, b->from_device[n++], &g->frame);
        b->n_from_device -= n;
        memmove(b->from_device, b->from_device + n, b->n_from_device);
        if (what == RKD_DECODED_COMPLETE)
                note_frame(g);
        return what == RKD_DECODED_COMPLETE;
}

bool gateway_await(Gateway *g, uint8_t type, unsigned ms) {
        while (true) {
                while (take_frame(g))
                        if (type == 0 || g->frame.type == type)
                                return true;
                if (ms-- == 0 || g->board->runs == BOARD_OFF)
                        return false;
                board_step(g->board);
        }
}

/* Waits for the answer to the present command. */
static bool await_answer(Gateway *g, uint8_t type) {
        do
                if (!gateway_await(g, type, WAIT_MS))
                        return false;
        while (g->frame.sequence != g->sequence);
        return true;
}

int gateway_ask(Gateway *g, const RkdRequest *request) {
        uint8_t payload[RKD_PAYLOAD_MIN];
        size_t n = rkd_request_encode(request, payload, sizeof(payload));
        unsigned silent = 0;

        for (unsigned i = 0; i < TRIES; i++) {
                uint16_t busy_ms;

                g->sequence++;
                gateway_send(g, request->type, RKD_FLAG_POLL, payload, n);
                if (!await_answer(g, request->type)) {
                        if (g->board->noise == 0 || ++silent == TRIES / 2)
                                return -1;
                        continue;
                }
                if (g->answer.result != RKD_BUSY)
                        return g->answer.result;
                busy_ms = g->answer.busy_ms;
                board_run(g->board, busy_ms);
        }
        return RKD_BUSY;
}

int gateway_ask_id(Gateway *g, uint8_t type, uint64_t push_id) {
        const RkdRequest q = { .type = type, .push_id = push_id };

        return gateway_ask(g, &q);
}

int gateway_identify(Gateway *g, RkdIdentity *ret) {
        RkdRequest q = { .type = RKD_IDENTIFY, .want = RKD_PAYLOAD_MIN - 7 };

        do {
                int r = gateway_ask(g, &q);

                if (r != 0)
                        return r;
                if (g->answer.offset != q.offset || g->answer.n_bytes == 0 ||
                                g->answer.total > sizeof(g->identity))
                        return -1;
                memcpy(g->identity + q.offset, g->answer.bytes, g->answer.n_bytes);
                q.offset += (uint32_t)g->answer.n_bytes;
        } while (q.offset < g->answer.total);
        return rkd_identity_decode(ret, g->identity, q.offset) == 0 ? 0 : -1;
}

static size_t make_header(const Gateway *g, const Push *push, uint8_t *out) {
        RkdHeader h = {
                .algorithm = push->algorithm,
                .length = push->wrong_length ? push->wrong_length : (uint32_t)push->n_image,
                .model = rkd_text(push->model ? push->model : g->board->platform.model),
                .version = rkd_text(push->version),
                .floor = rkd_text(push->floor),
        };

        (void)SHA256(push->image, push->n_image, h.sha256);
        if (push->hardware) {
                h.n_hardware = 1;
                h.hardware[0] = rkd_text(push->hardware);
        }
        return rkd_header_encode(&h, out, RKD_HEADER_MAX);
}

int gateway_send_begin(Gateway *g, const uint8_t *area, size_t n) {
        RkdRequest q = { .type = RKD_BEGIN, .total = (uint16_t)n };

        while (q.offset < n) {
                int r;

                q.bytes = area + q.offset;
                q.n_bytes = n - q.offset < RKD_BEGIN_PIECE ? n - q.offset : RKD_BEGIN_PIECE;
                r = gateway_ask(g, &q);
                if (r != 0)
                        return r;
                if (g->answer.offset != q.offset + q.n_bytes)
                        return -1;
                q.offset = g->answer.offset;
        }
        return 0;
}

int gateway_begin(Gateway *g, const Push *push) {
        uint8_t header[RKD_HEADER_MAX], area[RKD_BEGIN_MAX];
        static const uint8_t signature[RKD_SIGNATURE_BYTES] = { 0x5a };
        const RkdBegin begin = {
                .flags = push->flags,
                .trial_seconds = push->trial_seconds ? push->trial_seconds : 2,
                .push_id = push->push_id,
                .replaces = push->replaces,
                .header = header,
                .n_header = (uint16_t)make_header(g, push, header),
                .signature = signature,
                .n_signature = push->algorithm ? RKD_SIGNATURE_BYTES : 0,
        };

        return gateway_send_begin(g, area, rkd_begin_encode(&begin, area, sizeof(area)));
}

static size_t unit_bytes(const Push *push, uint32_t unit_size, uint32_t unit) {
        size_t left = push->n_image - unit * unit_size;

        return left < unit_size ? left : unit_size;
}

/* The sums of units 0 to n. 0, or what the device said. */
static int read_sums(Gateway *g, uint32_t *sums, uint32_t n) {
        for (uint32_t at = 0; at < n;) {
                const RkdRequest q = { .type = RKD_SUMS, .first = at, .count = (uint16_t)(n - at) };
                int r = gateway_ask(g, &q);

                if (r != 0)
                        return r;
                if (g->answer.count == 0 || g->answer.count > n - at)
                        return -1;
                for (uint16_t i = 0; i < g->answer.count; i++)
                        sums[at++] = rkd_load_u32(g->answer.bytes + 4u * i);
        }
        return 0;
}

static bool has_unit(const Gateway *g, const Push *push, uint32_t unit, uint32_t sum) {
        uint32_t size = g->board->geometry.unit;
        uint8_t wanted[UNIT_MAX];
        size_t n = unit_bytes(push, size, unit);

        memset(wanted, 0xff, size);
        memcpy(wanted, push->image + unit * size, n);
        return sum == rkd_crc32(wanted, size);
}

/* The stream of all units that differ, one to a run. */
static uint32_t make_stream(
                const Gateway *g, const Push *push, const uint32_t *sums, uint8_t *out) {
        uint32_t size = g->board->geometry.unit, n = 0;

        for (uint32_t unit = 0; unit * size < push->n_image; unit++) {
                if (!g->trust_nothing && has_unit(g, push, unit, sums[unit]))
                        continue;
                rkd_store_u32(out + n, unit);
                rkd_store_u32(out + n + 4, 1);
                memcpy(out + n + 8, push->image + unit * size, unit_bytes(push, size, unit));
                n += 8 + (uint32_t)unit_bytes(push, size, unit);
        }
        memset(out + n, 0, 8);
        return n + 8;
}

static const PlanOutput *plan(Gateway *g, const Push *push, const uint32_t *sums) {
        const RkdPlatform *p = &g->board->platform;
        const PlanInput in = {
                .wanted = push->image,
                .wanted_length = push->n_image,
                .sums = sums,
                .n_sums = g->board->geometry.units,
                .held = g->held,
                .n_held = g->n_held,
                .unit_size = p->unit_size,
                .trust_nothing = g->trust_nothing,
                .codecs = 1u << RKD_CODEC_RAW | 1u << RKD_CODEC_PATCH,
                .codec_profile = p->patch_profile |
                                 (p->page_bytes < p->unit_size ? RKD_PATCH_ERASES_FIRST : 0),
                .instruction_set = p->instruction_set,
                .program_base = p->program_base,
                .program_space = p->program_space,
                .ram_base = p->ram_base,
                .ram_size = p->ram_size,
        };

        return planner_plan(&in);
}

/* Everything from `from` to the credit, POLL on the last frame. */
static void send_window(Gateway *g, const uint8_t *stream, uint32_t from, uint32_t end) {
        uint32_t most = g->board->platform.max_payload;
        uint8_t payload[PAYLOAD];

        most = (most < PAYLOAD ? most : PAYLOAD) - 4;
        while (from < end) {
                uint32_t n = end - from < most ? end - from : most;

                rkd_store_u32(payload, from);
                memcpy(payload + 4, stream + from, n);
                from += n;
                if (++g->sent_data != g->drop_data)
                        gateway_send(g, RKD_DATA, from == end ? RKD_FLAG_POLL : 0, payload, 4 + n);
        }
}

/* Sends the whole stream; 0, the device's error, or -1 when it fell silent. */
static int send_stream(Gateway *g, const uint8_t *stream, uint32_t length) {
        const RkdRequest nop = { .type = RKD_NOP };
        uint32_t next, end;

        for (unsigned i = 0; i < ROUNDS; i++) {
                const RkdStatus *s = &g->answer.status;

                if (gateway_ask(g, &nop) != 0)
                        return -1;
                if (s->error != 0)
                        return s->error;
                if (s->received == length)
                        return 0;
                next = s->received;
                /* The stream that is open may be a longer one. */
                end = s->credit < length ? s->credit : length;
                if (next < end) {
                        send_window(g, stream, next, end);
                        while (g->board->n_to_device > 0 && g->board->runs != BOARD_OFF)
                                board_step(g->board);
                }
                (void)gateway_await(g, RKD_ACK, 20);
                board_run(g->board, s->busy_ms);
        }
        return -1;
}

int gateway_send_stream(Gateway *g, uint8_t codec, const uint8_t *stream, uint32_t length) {
        const RkdRequest q = {
                .type = RKD_STREAM,
                .codec = codec,
                .length = length,
                .stream_id = ++g->stream_id,
        };
        int r;

        g->credit = 0;
        r = gateway_ask(g, &q);
        return r != 0 ? r : send_stream(g, stream, length);
}

int gateway_stream(Gateway *g, const Push *push) {
        static uint8_t stream[BOARD_SPACE_MAX + 8 * (UNITS_MAX + 1)];
        bool planned = g->n_held > 0 && g->board->platform.patch;
        static uint32_t sums[UNITS_MAX];
        uint32_t n = (uint32_t)((push->n_image - 1) / g->board->geometry.unit) + 1;
        const PlanOutput *out;
        int r = read_sums(g, sums, planned ? g->board->geometry.units : n);

        if (r != 0)
                return r;
        if (!planned)
                return gateway_send_stream(
                                g, RKD_CODEC_RAW, stream, make_stream(g, push, sums, stream));
        out = plan(g, push, sums);
        if (!out)
                return -1;
        g->patches += out->codec == RKD_CODEC_PATCH;
        g->parked += out->units_parked;
        return gateway_send_stream(g, out->codec, out->stream, (uint32_t)out->length);
}

int gateway_push(Gateway *g, const Push *push) {
        int r = gateway_begin(g, push);

        if (r == 0)
                r = gateway_stream(g, push);
        if (r == 0)
                r = gateway_ask_id(g, RKD_END, push->push_id);
        return r;
}

int gateway_install(Gateway *g, Push push) {
        RkdIdentity id;
        int r = gateway_identify(g, &id);

        if (r != 0)
                return r;
        push.replaces = id.push_id;
        if (id.push_id == push.push_id && id.state != RKD_PUSHING)
                return 0;
        return gateway_push(g, &push);
}

int gateway_confirm(Gateway *g, uint64_t push_id) {
        for (unsigned i = 0; i < TRIES; i++) {
                const RkdRequest nop = { .type = RKD_NOP };

                if (gateway_ask(g, &nop) == 0 && g->answer.status.health == RKD_HEALTH_GOOD)
                        return gateway_ask_id(g, RKD_CONFIRM, push_id);
        }
        return -1;
}

static void enter(Gateway *g) {
        const RkdRequest q = { .type = RKD_ENTER };

        if (gateway_ask(g, &q) != 0) {
                board_reset(g->board, RKD_CAUSE_PIN);
                (void)gateway_ask(g, &q); /* so that it stays */
        }
        board_run(g->board, 5);
}

int gateway_settle(Gateway *g, Push push) {
        bool is_ours;

        push.push_id = 0;
        for (unsigned i = 0; i < STEPS; i++) {
                RkdIdentity id;

                if (gateway_identify(g, &id) != 0)
                        continue;
                is_ours = push.push_id != 0 && id.push_id == push.push_id;
                if (is_ours && id.who == RKD_WHO_PROGRAM) {
                        if (gateway_confirm(g, push.push_id) == 0)
                                return 0;
                } else if (id.who == RKD_WHO_PROGRAM) {
                        enter(g);
                } else if (is_ours && id.state != RKD_PUSHING) {
                        (void)gateway_ask_id(g, RKD_START, push.push_id);
                        board_run(g->board, 5);
                } else {
                        if (!is_ours)
                                push.push_id = id.push_id ^ SETTLE_ID;
                        push.replaces = id.push_id;
                        (void)gateway_push(g, &push);
                }
        }
        return -1;
}

void image_make(uint8_t *out, size_t n, uint32_t seed) {
        uint32_t x = seed * 2654435761u + 1;

        for (size_t i = 0; i < n; i++) {
                x ^= x << 13;
                x ^= x >> 17;
                x ^= x << 5;
                out[i] = (uint8_t)(x >> 11);
        }
        out[0] = 0x40;
}
