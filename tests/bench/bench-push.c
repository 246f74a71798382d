/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bench-push: the gateway's half of the line bench: identifies a device and pushes an image with
 * the native driver, on one line that is given as for [Port]. Prints one JSON object with the
 * monotonic times of what it did. Also the smallest example of how the driver library is used: a
 * port, a driver, a planner, an exchange.
 *
 *      bench-push --path PATH --baud N [--push-baud N] [--half-duplex] [--turnaround-us N]
 *      [--address N] [--bytes N] */
#include <getopt.h>
#include <inttypes.h>

#include "basic/backoff.h"
#include "basic/clock.h"
#include "basic/names.h"
#include "driver/port.h"
#include "image/plan.h"
#include "proto/header.h"

typedef struct Bench {
        sd_event *event;
        Port *port;
        Driver *driver;
        DriverRequest request;
        uint8_t *image;
        uint8_t header[RKD_HEADER_MAX];
        PlanOutput plan;
        uint64_t begin_usec, identified_usec, end_usec;
} Bench;

static int make_plan(void *userdata, const DriverPlanRequest *request, const uint8_t *image,
                size_t image_length,
                void (*done)(void *cookie, uint8_t codec, const void *stream, size_t n),
                void *cookie) {
        Bench *b = userdata;
        PlanInput in = {
                .wanted = image,
                .wanted_length = image_length,
                .sums = request->sums,
                .n_sums = request->n_sums,
                .unit_size = request->unit_size,
                .trust_nothing = request->trust_nothing,
        };
        int r = plan_literal(&in, &b->plan, NULL);

        if (r < 0)
                return r;
        done(cookie, b->plan.codec, b->plan.stream, b->plan.length);
        return 0;
}

static void release_plan(void *userdata, void *cookie) {
        Bench *b = userdata;

        free(b->plan.stream);
        b->plan.stream = NULL;
}

static void report(const Bench *b, const DriverResult *r) {
        (void)printf("{\"code\":\"%s\",\"text\":\"%s\",\"bytes\":%zu,\"begin\":%" PRIu64
                     ",\"identified\":%" PRIu64 ",\"end\":%" PRIu64 ",\"sent\":%" PRIu64
                     ",\"received\":%" PRIu64 "}\n",
                        driver_code_to_string(r->code), r->why.text, b->request.image_length,
                        b->begin_usec, b->identified_usec, b->end_usec, r->line_bytes_sent,
                        r->line_bytes_received);
}

static void on_pushed(Exchange *x, const DriverResult *result, void *userdata) {
        Bench *b = userdata;

        b->end_usec = monotonic_usec();
        report(b, result);
        (void)sd_event_exit(b->event, result->code == DRIVER_OK ? 0 : 1);
}

static int set_header(Bench *b, const DriverIdentity *i) {
        RkdHeader header = {
                .length = (uint32_t)b->request.image_length,
                .model = rkd_text(i->model),
                .version = rkd_text("1.0.0"),
        };
        Sha256 digest;
        int r = sha256_of(b->image, b->request.image_length, &digest);

        if (r < 0)
                return r;
        memcpy(header.sha256, digest.bytes, sizeof(header.sha256));
        b->request.header = b->header;
        b->request.header_length = rkd_header_encode(&header, b->header, sizeof(b->header));
        return b->request.header_length > 0 ? 0 : -EINVAL;
}

static void on_identified(Exchange *x, const DriverResult *result, void *userdata) {
        const ExchangeFuncs funcs = { .on_done = on_pushed, .userdata = userdata };
        Bench *b = userdata;

        b->identified_usec = b->begin_usec = monotonic_usec();
        b->request.op = DRIVER_PUSH;
        if (result->code != DRIVER_OK || set_header(b, &result->identity) < 0 ||
                        port_submit(b->port, PORT_PUSH, b->driver, &b->request, &funcs, NULL) < 0) {
                report(b, result);
                (void)sd_event_exit(b->event, 1);
        }
}

static int parse(int argc, char *argv[], Bench *b, PortConfig *c) {
        static const struct option options[] = {
                { "path", required_argument, NULL, 'p' },
                { "baud", required_argument, NULL, 'b' },
                { "push-baud", required_argument, NULL, 'u' },
                { "half-duplex", no_argument, NULL, 'h' },
                { "turnaround-us", required_argument, NULL, 't' },
                { "address", required_argument, NULL, 'a' },
                { "bytes", required_argument, NULL, 'n' },
                {},
        };
        uint64_t v = 0;
        int o;

        while ((o = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                if (o == '?' || (o != 'p' && o != 'h' && parse_uint64(optarg, 0, 64 << 20, &v) < 0))
                        return -EINVAL;
                if (o == 'p')
                        c->path = optarg;
                else if (o == 'b')
                        c->baud = (uint32_t)v;
                else if (o == 'u')
                        b->request.push_baud = (uint32_t)v;
                else if (o == 'h')
                        c->half_duplex = true;
                else if (o == 't')
                        c->turnaround_usec = (uint32_t)v;
                else if (o == 'a')
                        b->request.address = (uint8_t)v;
                else
                        b->request.image_length = v;
        }
        return c->path && b->request.image_length > 0 ? 0 : -EINVAL;
}

/* What no codec makes smaller; the simulator takes what begins like a program. */
static int make_image(Bench *b) {
        uint32_t seed = 1;

        b->image = malloc(b->request.image_length);
        if (!b->image)
                return -ENOMEM;
        for (size_t i = 0; i < b->request.image_length; i++) {
                seed = seed * UINT32_C(1664525) + UINT32_C(1013904223);
                b->image[i] = (uint8_t)(seed >> 24);
        }
        memcpy(b->image, "\177ELF", MIN(b->request.image_length, (size_t)4));
        b->request.image = b->image;
        b->request.push_id = random_u64() | 1;
        b->request.trial_seconds = 30;
        b->request.take_over = true;
        return 0;
}

static int run(Bench *b, const PortConfig *config, Why *w) {
        const Planner planner = { .start = make_plan, .release = release_plan, .userdata = b };
        const ExchangeFuncs funcs = { .on_done = on_identified, .userdata = b };
        int r = port_new(b->event, config, NULL, &planner, &b->port, w);

        if (r < 0)
                return r;
        b->begin_usec = monotonic_usec();
        b->request.op = DRIVER_IDENTIFY;
        r = port_submit(b->port, PORT_STATUS, b->driver, &b->request, &funcs, NULL);
        return r < 0 ? r : sd_event_loop(b->event);
}

int main(int argc, char *argv[]) {
        PortConfig config = { .name = "bench", .baud = 115200 };
        Bench b = { .request.image_length = 128 * 1024 };
        Why w = { "" };
        int r;

        if (parse(argc, argv, &b, &config) < 0) {
                (void)fprintf(stderr,
                                "usage: bench-push --path PATH --baud N [--push-baud N] [--half-duplex] [--turnaround-us N] "
                                "[--address N] [--bytes N]\n");
                return 2;
        }
        if (make_image(&b) < 0 || driver_new("native", &b.driver) < 0 || sd_event_new(&b.event) < 0)
                return 1;
        r = run(&b, &config, &w);
        if (r < 0)
                (void)fprintf(stderr, "bench-push: %s\n", w.text);
        port_free(b.port);
        driver_free(b.driver);
        sd_event_unref(b.event);
        free(b.image);
        return r == 0 ? 0 : 1;
}
