/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* paced-line: a serial line between two stream sockets, as a process of its own. In each direction
 * a byte leaves ten bit times after the one before it; what the device says (right to left) may be
 * late by a fixed time. It counts what passes and notes when the first DATA frame of the native
 * link began and the last one ended, or the first and last byte of any other protocol.
 *
 *      paced-line --left listen:PATH --right connect:PATH --baud N [--latency-us N]
 *
 * Prints one JSON object when an end closes or SIGTERM comes. */
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "basic/clock.h"
#include "basic/names.h"
#include "proto/frame.h"
#include "proto/message.h"

#define QUEUE_BYTES 16384u /* a power of two; what a driver and its adapter hold */
#define STEP_NSEC   400000 /* bytes move at least so often */
#define BURST_BYTES 256    /* that came without a pause are data, for protocols that are not ours */

typedef struct Direction {
        const char *name;
        int from, to;
        uint64_t latency_nsec;
        struct {
                uint64_t at_nsec;
                uint8_t byte;
        } queue[QUEUE_BYTES];
        size_t head, tail;
        uint64_t free_nsec; /* when the byte sent last has left */
        uint64_t n_bytes, first_nsec, last_nsec, burst_nsec;
        size_t n_burst;
        bool closed;
        RkdFrameReader reader;
        uint8_t buffer[RKD_PAYLOAD_MAX];
        uint64_t frame_nsec, first_data_nsec, last_data_nsec, n_data; /* n_data: payload */
} Direction;

static uint64_t byte_nsec;

static uint64_t now_nsec(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000 * USEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static void note_frame(Direction *d, uint8_t byte, uint64_t at_nsec) {
        RkdFrame frame;

        if (d->frame_nsec == 0 && byte != 0)
                d->frame_nsec = at_nsec - byte_nsec;
        if (rkd_frame_reader_feed(&d->reader, byte, &frame) == RKD_DECODED_COMPLETE &&
                        frame.type == RKD_DATA) {
                if (d->first_data_nsec == 0)
                        d->first_data_nsec = d->frame_nsec;
                d->last_data_nsec = at_nsec;
                d->n_data += frame.n_payload;
        }
        if (byte == 0)
                d->frame_nsec = 0;
}

static void note_byte(Direction *d, uint64_t at_nsec) {
        if (d->n_bytes++ == 0)
                d->first_nsec = at_nsec - byte_nsec;
        d->n_burst = at_nsec - d->last_nsec > 3 * byte_nsec ? 1 : d->n_burst + 1;
        if (d->n_burst == BURST_BYTES && d->burst_nsec == 0)
                d->burst_nsec = at_nsec - BURST_BYTES * byte_nsec;
        d->last_nsec = at_nsec;
}

/* Takes what the sender has ready; each byte gets its time. */
static void take(Direction *d) {
        uint8_t bytes[2048];
        size_t room = QUEUE_BYTES - (d->tail - d->head);
        ssize_t n = room == 0 ? 0 : recv(d->from, bytes, MIN(room, sizeof(bytes)), MSG_DONTWAIT);
        uint64_t now = now_nsec();

        if (room > 0 && (n == 0 || (n < 0 && errno != EAGAIN)))
                d->closed = true;
        for (ssize_t i = 0; i < n; i++) {
                d->free_nsec = MAX(d->free_nsec, now) + byte_nsec;
                note_byte(d, d->free_nsec);
                note_frame(d, bytes[i], d->free_nsec);
                d->queue[d->tail % QUEUE_BYTES].at_nsec = d->free_nsec + d->latency_nsec;
                d->queue[d->tail++ % QUEUE_BYTES].byte = bytes[i];
        }
}

/* Hands over what has left by now. */
static void give(Direction *d) {
        uint8_t bytes[2048];
        uint64_t now = now_nsec();
        size_t n = 0;
        ssize_t sent;

        while (n < sizeof(bytes) && d->head + n != d->tail &&
                        d->queue[(d->head + n) % QUEUE_BYTES].at_nsec <= now) {
                bytes[n] = d->queue[(d->head + n) % QUEUE_BYTES].byte;
                n++;
        }
        if (n == 0)
                return;
        sent = send(d->to, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN)
                d->closed = true;
        d->head += sent > 0 ? (size_t)sent : 0;
}

static bool is_empty(const Direction *d) {
        return d->head == d->tail;
}

static uint64_t next_nsec(const Direction *d) {
        return is_empty(d) ? UINT64_MAX : d->queue[d->head % QUEUE_BYTES].at_nsec;
}

static void run(Direction *right, Direction *left, int signals) {
        struct pollfd fds[3] = { { .fd = right->from, .events = POLLIN },
                { .fd = left->from, .events = POLLIN }, { .fd = signals, .events = POLLIN } };

        for (;;) {
                uint64_t next = MIN(next_nsec(right), next_nsec(left)), now = now_nsec();
                uint64_t wait = next <= now ? 0 : next - now;
                struct timespec t;

                /* Late enough that several bytes move at once, as an adapter does it. */
                wait = next == UINT64_MAX ? 1000 * USEC_PER_SEC : MAX(wait, (uint64_t)STEP_NSEC);
                t = (struct timespec){ .tv_sec = (time_t)(wait / 1000000000),
                        .tv_nsec = (long)(wait % 1000000000) };
                fds[0].events = right->tail - right->head < QUEUE_BYTES ? POLLIN : 0;
                fds[1].events = left->tail - left->head < QUEUE_BYTES ? POLLIN : 0;
                (void)ppoll(fds, ELEMENTSOF(fds), &t, NULL);
                if (fds[2].revents)
                        return;
                take(right);
                take(left);
                give(right);
                give(left);
                if ((right->closed && is_empty(right)) || (left->closed && is_empty(left)))
                        return;
        }
}

static int open_end(const char *spec) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        const char *path = strchr(spec, ':');
        int fd, connection;

        if (!path || strlen(path + 1) >= sizeof(address.sun_path))
                return -EINVAL;
        memcpy(address.sun_path, path + 1, strlen(path + 1));
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        if (startswith(spec, "connect:"))
                return connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : fd;
        (void)unlink(address.sun_path);
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
                return -errno;
        (void)printf("ready\n");
        (void)fflush(stdout);
        connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        (void)close(fd);
        return connection < 0 ? -errno : connection;
}

static void report(const Direction *d) {
        (void)printf("\"%s\":{\"bytes\":%" PRIu64 ",\"first\":%" PRIu64 ",\"last\":%" PRIu64
                     ",\"burst\":%" PRIu64 ",\"first_data\":%" PRIu64 ",\"last_data\":%" PRIu64
                     ",\"data\":%" PRIu64 "}",
                        d->name, d->n_bytes, d->first_nsec / 1000, d->last_nsec / 1000,
                        d->burst_nsec / 1000, d->first_data_nsec / 1000, d->last_data_nsec / 1000,
                        d->n_data);
}

typedef struct Options {
        const char *left, *right;
        uint64_t baud, latency_usec;
} Options;

static int parse(int argc, char *argv[], Options *ret) {
        static const struct option options[] = {
                { "left", required_argument, NULL, 'l' },
                { "right", required_argument, NULL, 'r' },
                { "baud", required_argument, NULL, 'b' },
                { "latency-us", required_argument, NULL, 'y' },
                {},
        };
        int c, r = 0;

        while (r >= 0 && (c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 'l':
                        ret->left = optarg;
                        break;
                case 'r':
                        ret->right = optarg;
                        break;
                case 'b':
                        r = parse_uint64(optarg, 300, 20000000, &ret->baud);
                        break;
                case 'y':
                        r = parse_uint64(optarg, 0, 10000000, &ret->latency_usec);
                        break;
                default:
                        return -EINVAL;
                }
        return r < 0 || !ret->left || !ret->right || ret->baud == 0 ? -EINVAL : 0;
}

int main(int argc, char *argv[]) {
        static Direction right = { .name = "right" }, left = { .name = "left" };
        Options o = { 0 };
        sigset_t set;

        if (parse(argc, argv, &o) < 0) {
                (void)fprintf(stderr,
                                "usage: paced-line --left listen:PATH --right connect:PATH --baud N [--latency-us N]\n");
                return 2;
        }
        byte_nsec = 10 * 1000 * USEC_PER_SEC / o.baud;
        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGTERM);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        rkd_frame_reader_init(&right.reader, right.buffer, sizeof(right.buffer));
        rkd_frame_reader_init(&left.reader, left.buffer, sizeof(left.buffer));
        right.to = left.from = open_end(o.right);
        right.from = left.to = open_end(o.left);
        left.latency_nsec = o.latency_usec * 1000;
        if (right.to < 0 || right.from < 0) {
                (void)fprintf(stderr, "paced-line: no line: %s\n",
                                strerror(-MIN(right.to, right.from)));
                return 1;
        }
        run(&right, &left, signalfd(-1, &set, SFD_CLOEXEC));
        (void)printf("{");
        report(&right);
        (void)printf(",");
        report(&left);
        (void)printf("}\n");
        return 0;
}
