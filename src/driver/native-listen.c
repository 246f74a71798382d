/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Native, listening: asks for the identity on each speed in turn until a unit answers, reads it
 * piece by piece, and refuses what makes no sense before anything else looks at it. */
#include "basic/names.h"
#include "driver/native-steps.h"

#define LISTEN_ROUNDS   3
#define PIECE_TRIES     3
#define IDENTIFY_FIXED  (RKD_ANSWER_FIXED + 4) /* total, offset */
#define MAX_ANSWER_AT   18                     /* max_answer in the identity, rekindle-link(7) */
#define USUAL_BYTES     192                    /* hardly any identity is longer */
#define UNIT_BYTES_MIN  64
#define UNIT_BYTES_MAX  65536
#define SPACE_BYTES_MAX (64 * 1024 * 1024)

static void add_baud(Native *n, uint32_t baud) {
        for (size_t i = 0; i < n->n_bauds; i++)
                if (n->bauds[i] == baud)
                        return;
        n->bauds[n->n_bauds++] = baud;
}

/* Asks for what is missing of the identity. */
static void ask_piece(Native *n) {
        size_t want = USUAL_BYTES;

        if (n->n_identity >= MAX_ANSWER_AT + 2)
                want = CLAMP((size_t)rkd_load_u16(n->identity_bytes + MAX_ANSWER_AT),
                                RKD_PAYLOAD_MIN, RKD_ANSWER_MAX);
        native_ask(n,
                        &(RkdRequest){
                                        .type = RKD_IDENTIFY,
                                        .what = RKD_IDENTIFY_IDENTITY,
                                        .offset = (uint32_t)n->n_identity,
                                        .want = (uint16_t)(want - IDENTIFY_FIXED),
                        },
                        want, NATIVE_ANSWER_USEC);
}

static void restart_identity(Native *n) {
        n->n_identity = 0;
        ask_piece(n);
}

/* Listens on all speeds, for at least so long; the present speed first, as a device that just
 * answered still uses it. */
void native_listen(Native *n, uint64_t at_least_usec) {
        n->n_bauds = 0;
        if (n->base_baud > 0)
                add_baud(n, n->link.baud);
        add_baud(n, n->request.baud);
        add_baud(n, n->request.program_baud);
        n->baud_index = 0;
        n->rounds = 0;
        n->listen_until_usec = n->now_usec + at_least_usec;
        n->valid_before = n->link.n_valid;
        n->link.blocks = false;
        native_enter(n, NATIVE_LISTEN);
}

void listen_enter(Native *n) {
        if (n->link.baud != n->bauds[n->baud_index])
                native_set_baud(n, n->bauds[n->baud_index]);
        restart_identity(n);
}

void listen_silence(Native *n) {
        if (n->n_identity > 0 && n->tries < PIECE_TRIES) {
                native_ask_again(n, 0);
                return;
        }
        n->baud_index = (n->baud_index + 1) % n->n_bauds;
        if (n->baud_index == 0)
                n->rounds++;
        if (n->rounds < LISTEN_ROUNDS || n->now_usec < n->listen_until_usec) {
                native_enter(n, NATIVE_LISTEN);
                return;
        }
        if (n->result.has_identity)
                native_lost(n, "listening");
        else if (n->link.n_valid > n->valid_before)
                native_finish(n, DRIVER_E_LINE, 0,
                                "the line damages too much: frames come, but no whole identity");
        else
                native_finish(n, DRIVER_E_NO_ANSWER, 0, "no answer%s",
                                n->link.n_damaged > 0
                                                ? "; what comes on the line is not the native link at this speed"
                                                : "");
}

static void take_text(char ret[static DRIVER_STRING_MAX], RkdText text) {
        if (!rkd_text_copy(text, ret, DRIVER_STRING_MAX) ||
                        !text_is_printable(ret, DRIVER_STRING_MAX - 1))
                ret[0] = '\0';
}

static uint32_t capabilities_of(const RkdIdentity *i) {
        static const struct {
                uint32_t device, driver;
        } map[] = {
                { RKD_CAN_READ, DRIVER_CAN_READ_BACK },
                { RKD_CAN_SIGNED, DRIVER_DEMANDS_SIGNED },
                { RKD_CAN_FLOOR, DRIVER_ENFORCES_FLOOR },
                { RKD_CAN_TRIAL_TIMER, DRIVER_CAN_TRIAL },
                { RKD_CAN_MARKS, DRIVER_CAN_CONFIRM },
                { RKD_CAN_HEALTH, DRIVER_CAN_HEALTH },
                { RKD_CAN_SLOTS, DRIVER_HAS_SLOTS },
        };
        uint32_t c = DRIVER_CAN_IDENTIFY | DRIVER_CAN_SUMS | DRIVER_CAN_READ_RELEASE |
                     DRIVER_CAN_ENTER;

        for (size_t k = 0; k < ELEMENTSOF(map); k++)
                if (i->capabilities & map[k].device)
                        c |= map[k].driver;
        return i->digest_source != RKD_DIGEST_NONE ? c | DRIVER_CAN_DIGEST : c;
}

static void take_identity(DriverIdentity *ret, const RkdIdentity *i) {
        *ret = (DriverIdentity){
                .capabilities = capabilities_of(i),
                .state = (DeviceState)i->state,
                .health = (DeviceHealth)i->health,
                .in_bootloader = i->who == RKD_WHO_BOOTLOADER,
                .reset_cause = i->reset_cause,
                .boots = i->boots,
                .attempts_left = i->attempts_left,
                .instruction_set = i->instruction_set,
                .codecs = i->codecs,
                .codec_profile = i->codec_profile,
                .image_length = i->image_length,
                .push_id = i->push_id,
                .program_base = i->program_base,
                .program_space = i->program_space,
                .unit_size = i->unit_size,
                .ram_base = i->ram_base,
                .ram_size = i->ram_size,
        };
        memcpy(ret->digest.bytes, i->image_sha256, SHA256_BYTES);
        take_text(ret->model, i->model);
        take_text(ret->hardware, i->hardware);
        take_text(ret->serial, i->serial);
        take_text(ret->bootloader_version, i->bootloader_version);
        take_text(ret->version, i->version);
        take_text(ret->floor, i->floor);
}

/* The name of the first member that no device may tell, or NULL. */
static const char *odd_member(const RkdIdentity *i) {
        const struct {
                bool ok;
                const char *name;
        } checks[] = {
                { i->who <= RKD_WHO_PROGRAM, "who" },
                { i->state < _RKD_STATE_MAX, "state" },
                { i->health < _RKD_HEALTH_MAX, "health" },
                { i->max_payload >= RKD_PAYLOAD_MIN && i->max_payload <= RKD_PAYLOAD_MAX,
                                "max_payload" },
                { i->max_answer >= RKD_PAYLOAD_MIN && i->max_answer <= RKD_ANSWER_MAX,
                                "max_answer" },
                { i->buffer > 0 || i->who == RKD_WHO_PROGRAM,
                                "buffer" }, /* a program takes no stream */
                { i->unit_size >= UNIT_BYTES_MIN && i->unit_size <= UNIT_BYTES_MAX, "unit_size" },
                { (i->unit_size & (i->unit_size - 1)) == 0, "unit_size" },
                { i->program_space > 0 && i->program_space <= SPACE_BYTES_MAX, "program_space" },
                { i->image_length <= i->program_space, "image_length" },
        };

        for (size_t k = 0; k < ELEMENTSOF(checks); k++)
                if (!checks[k].ok)
                        return checks[k].name;
        return NULL;
}

static bool is_expected_unit(const Native *n) {
        const DriverRequest *r = &n->request;
        const DriverIdentity *i = &n->result.identity;

        return !r->expect_unit ||
               (streq(i->model, r->expect_model) && streq(i->serial, r->expect_serial));
}

static void identity_complete(Native *n) {
        const char *odd;

        if (n->identity_bytes[0] == 1 && n->identity_bytes[1] != RKD_PROTOCOL) {
                native_finish(n, DRIVER_E_UNSUPPORTED, 0,
                                "the device speaks protocol version %u of the native link, not %u",
                                n->identity_bytes[1], RKD_PROTOCOL);
                return;
        }
        if (rkd_identity_decode(&n->identity, n->identity_bytes, n->n_identity) != 0) {
                native_finish(n, DRIVER_E_PROTOCOL, 0,
                                "the device's identity (%zu bytes) is not as rekindle-link(7) says",
                                n->n_identity);
                return;
        }
        odd = odd_member(&n->identity);
        if (odd) {
                native_finish(n, DRIVER_E_PROTOCOL, 0, "the device's identity has an impossible %s",
                                odd);
                return;
        }
        take_identity(&n->result.identity, &n->identity);
        n->result.has_identity = true;
        if (!is_expected_unit(n)) {
                native_finish(n, DRIVER_E_OTHER_UNIT, 0,
                                "another unit answers: %s %s instead of %s %s",
                                n->result.identity.model, n->result.identity.serial,
                                n->request.expect_model, n->request.expect_serial);
                return;
        }
        n->result.heard = true;
        n->link.blocks = n->identity.capabilities & RKD_CAN_FLASH_BLOCKS_CPU;
        native_identified(n);
}

void listen_answer(Native *n, const RkdAnswer *a) {
        if (a->total > RKD_IDENTITY_MAX || a->total < MAX_ANSWER_AT + 2) {
                native_finish(n, DRIVER_E_PROTOCOL, 0,
                                "the device's identity has %u bytes, %u..%u are possible", a->total,
                                MAX_ANSWER_AT + 2, RKD_IDENTITY_MAX);
                return;
        }
        if (n->n_identity > 0 && a->total != n->identity_total) {
                restart_identity(n); /* it changed meanwhile */
                return;
        }
        n->identity_total = a->total;
        if (a->offset != n->n_identity || a->n_bytes == 0 ||
                        a->n_bytes > a->total - n->n_identity) {
                native_finish(n, DRIVER_E_PROTOCOL, 0,
                                "the device answers another piece of its identity than it was asked for");
                return;
        }
        memcpy(n->identity_bytes + n->n_identity, a->bytes, a->n_bytes);
        n->n_identity += a->n_bytes;
        if (n->n_identity == a->total)
                identity_complete(n);
        else
                ask_piece(n);
}
