/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The gateway's drivers against a device that says anything. The first byte chooses driver,
 * operation and mode; the rest is a script:
 *
 *      0xff n  the next n bytes arrive as they are
 *      0xfe n  the next n bytes arrive as the payload of a valid answer to the command at hand, so
 *      that the depths are reached
 *      else    time goes by: the driver's deadline, or as many milliseconds
 *
 * The driver has to end sooner or later, never spins without waiting, and says no more than a
 * whole frame at a time. */
#include <assert.h>
#include <stdlib.h>

#include "driver/driver.h"
#include "proto/frame.h"
#include "proto/header.h"
#include "proto/message.h"

#define ACTIONS_MAX 10000 /* without waiting */
#define WAITS_MAX   20000 /* until the end, once nothing comes any more */

typedef struct Fuzz {
        Driver *driver;
        uint64_t now_usec, deadline_usec;
        RkdFrameReader reader;
        uint8_t buffer[RKD_PAYLOAD_MAX];
        uint8_t type, sequence; /* of the last command */
        uint8_t stream[4096];
        bool done;
} Fuzz;

static void note_command(Fuzz *f, const uint8_t *bytes, size_t n) {
        RkdFrame frame;

        for (size_t i = 0; i < n; i++)
                if (rkd_frame_reader_feed(&f->reader, bytes[i], &frame) == RKD_DECODED_COMPLETE) {
                        f->type = frame.type;
                        f->sequence = frame.sequence;
                }
}

/* Serves the driver until it waits or is done. */
static void serve(Fuzz *f) {
        DriverAction a;

        for (unsigned i = 0; i < ACTIONS_MAX; i++) {
                f->driver->vtable->next(f->driver, f->now_usec, &a);
                switch (a.type) {
                case DRIVER_SEND:
                        assert(a.length > 0 && a.length <= 1 + RKD_FRAME_ENCODED(RKD_PAYLOAD_MAX));
                        note_command(f, a.bytes, a.length);
                        break;
                case DRIVER_LINE:
                        assert(a.line.baud > 0);
                        break;
                case DRIVER_PLAN:
                        assert(a.plan->n_sums == 0 || a.plan->sums);
                        f->driver->vtable->plan(f->driver, 0, f->stream, sizeof(f->stream));
                        break;
                case DRIVER_DONE:
                        f->done = true;
                        return;
                default:
                        f->deadline_usec = a.deadline_usec;
                        return;
                }
        }
        assert(!"the driver spins");
}

static void pass_time(Fuzz *f, unsigned ms) {
        if (ms == 0 && f->deadline_usec != USEC_INFINITY)
                f->now_usec = f->deadline_usec > f->now_usec ? f->deadline_usec : f->now_usec + 1;
        else
                f->now_usec += ms * USEC_PER_MSEC;
        f->driver->vtable->tick(f->driver, f->now_usec);
        serve(f);
}

static void arrive(Fuzz *f, const uint8_t *bytes, size_t n) {
        f->driver->vtable->input(f->driver, bytes, n, f->now_usec);
        serve(f);
}

/* A valid frame: answers the command at hand when its first byte is 0, and is of that type
 * otherwise. */
static void answer(Fuzz *f, const uint8_t *bytes, size_t n) {
        uint8_t out[RKD_FRAME_ENCODED(256)];
        RkdFrame frame = {
                .type = f->type, .sequence = f->sequence, .flags = RKD_FLAG_FROM_DEVICE
        };

        if (n == 0)
                return;
        if (bytes[0] != 0) {
                frame.type = bytes[0];
                frame.sequence = 0;
        }
        frame.payload = bytes + 1;
        frame.n_payload = n - 1;
        arrive(f, out, rkd_frame_encode(out, sizeof(out), &frame));
}

static void play(Fuzz *f, const uint8_t *p, size_t n) {
        while (n > 0 && !f->done) {
                size_t count = n > 1 ? p[1] : 0;

                if (p[0] < 0xfe) {
                        pass_time(f, p[0]);
                        p++;
                        n--;
                        continue;
                }
                if (n < 2)
                        return;
                count = MIN(count, n - 2);
                if (p[0] == 0xff)
                        arrive(f, p + 2, count);
                else
                        answer(f, p + 2, count);
                p += 2 + count;
                n -= 2 + count;
        }
}

static size_t make_header(uint8_t out[static RKD_HEADER_MAX]) {
        RkdHeader h = { .length = 3000, .model = rkd_text("m"), .version = rkd_text("1") };

        return rkd_header_encode(&h, out, RKD_HEADER_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
        static Fuzz f;
        static uint8_t image[3000], header[RKD_HEADER_MAX];
        DriverRequest request = {
                .baud = 115200,
                .program_baud = 9600,
                .image = image,
                .image_length = sizeof(image),
                .file_name = "f",
                .header = header,
                .header_length = make_header(header),
                .push_id = 7,
                .trial_seconds = 30,
        };

        if (n == 0)
                return 0;
        f = (Fuzz){ .now_usec = USEC_PER_SEC };
        rkd_frame_reader_init(&f.reader, f.buffer, sizeof(f.buffer));
        request.op = (DriverOp)((bytes[0] & 7) % _DRIVER_OP_MAX);
        request.half_duplex = bytes[0] & 0x40;
        request.push_baud = bytes[0] & 0x20 ? 460800 : 0;
        if (driver_new(driver_by_index(bytes[0] & 0x80 ? bytes[0] & 0x08 ? 2 : 1 : 0)->name,
                            &f.driver) < 0)
                abort();
        if (f.driver->vtable->start(f.driver, &request, f.now_usec) == 0) {
                serve(&f);
                play(&f, bytes + 1, n - 1);
                for (unsigned i = 0; i < WAITS_MAX && !f.done; i++)
                        pass_time(&f, 0);
                assert(f.done);
        }
        driver_free(f.driver);
        return 0;
}
