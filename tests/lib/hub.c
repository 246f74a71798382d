/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hub: one half-duplex line (RS-485) between a gateway and several devices. What one end sends all
 * others hear, and with --echo itself, too. A byte takes ten bit times. Bytes of two ends that
 * overlap in time are a collision: both are heard damaged, and counted; apart when a device has let
 * the gateway wait longer than it may, or the hub itself got no time: programs share a computer.
 *
 *      hub --baud N [--echo] [--log FILE] --gateway PATH NAME=PATH...
 *
 * The gateway's end is a listening socket, one client at a time. A device's is a socket or a
 * terminal of its own; one that is not there is looked for again. An end whose owner reads nothing
 * for a while loses what comes then, as a UART does.
 *
 * Reads commands, one a line, and answers each with a line: "plug NAME", "unplug NAME" (the device
 * keeps its power), "counts" (an object). Ends with its standard input.
 *
 * --log: one object for each frame, in the order of their ends. */
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "basic/clock.h"
#include "basic/names.h"
#include "proto/frame.h"
#include "proto/message.h"

#define ENDS_MAX     17
#define QUEUE_BYTES  8192u /* a power of two; what an end and its adapter hold */
#define OUT_BYTES    4096
#define STEP_NSEC    400000
#define LOOK_NSEC    20000000  /* for an end that is not there */
#define DEAF_NSEC    250000000 /* an owner that reads nothing for so long */
#define LATE_NSEC    110000000 /* rekindle-link(7): 100 ms, and something for the hub */
#define SLOW_NSEC    1000000000
#define STALL_NSEC   30000000
#define DAMAGE       0xa5u
#define NSEC_PER_SEC 1000000000u
#define COMMAND_MAX  128

typedef struct Slot {
        uint64_t end_nsec;
        uint8_t byte;
        bool damaged, late;
} Slot;

typedef struct End {
        const char *name, *path;
        bool listens, unplugged;
        int listen_fd, fd;
        uint64_t look_nsec; /* when it is looked for again */
        uint64_t free_nsec; /* when the byte sent last has left */
        uint64_t read_nsec; /* when its owner had read everything */
        uint64_t rest_nsec; /* when it had sent what came before the present burst */
        bool late;          /* the present burst */
        uint64_t slow_nsec; /* it let the gateway wait; what it says until then counts as late */
        Slot queue[QUEUE_BYTES];
        size_t head, tail;
        uint8_t out[OUT_BYTES];
        size_t n_out;
        RkdFrameReader reader;
        uint8_t buffer[RKD_PAYLOAD_MAX];
        uint64_t n_sent, n_lost;
} End;

typedef struct Hub {
        End *ends; /* the first is the gateway's */
        size_t n_ends;
        uint64_t byte_nsec, n_collisions, n_late;
        bool echo, quit;
        /* The address that the gateway polled last, when, and whether anybody answered. */
        uint8_t asked;
        uint64_t asked_nsec;
        uint64_t slow_nsec; /* the hub got no time; what is said until then counts as late */
        uint64_t wake_nsec; /* when it wanted to run again */
        bool answered;
        End *by_address[256]; /* who has answered there */
        FILE *log;
        char command[COMMAND_MAX];
        size_t n_command;
} Hub;

static uint64_t now_nsec(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

/* Ends. */

static int make_socket(const char *path, bool listens) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd, r;

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, strlen(path));
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (listens)
                r = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -1 : listen(fd, 4);
        else
                r = connect(fd, (struct sockaddr *)&address, sizeof(address));
        if (r < 0) {
                r = -errno;
                (void)close(fd);
                return r;
        }
        return fd;
}

static void lose_end(End *e, uint64_t now) {
        if (e->fd >= 0)
                (void)close(e->fd);
        e->fd = -1;
        e->n_out = 0;
        e->look_nsec = now + LOOK_NSEC;
}

static void look_for(End *e, uint64_t now) {
        if (e->fd >= 0 || now < e->look_nsec)
                return;
        if (e->listens) {
                e->fd = accept4(e->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        } else {
                e->fd = make_socket(e->path, false);
                if (e->fd == -ECONNREFUSED || e->fd == -ENOTSOCK)
                        e->fd = open(e->path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        }
        if (e->fd < 0)
                lose_end(e, now);
        e->read_nsec = now;
}

/* Whether the owner has let bytes lie for long. */
static bool is_deaf(End *e, uint64_t now) {
        int left = 0;

        if (ioctl(e->fd, SIOCOUTQ, &left) < 0 || left == 0)
                e->read_nsec = now;
        return now - e->read_nsec > DEAF_NSEC;
}

static void flush_end(End *e, uint64_t now) {
        ssize_t n;

        if (e->fd < 0 || e->n_out == 0)
                return;
        if (is_deaf(e, now)) {
                e->n_lost += e->n_out;
                e->n_out = 0;
                return;
        }
        n = write(e->fd, e->out, e->n_out);
        if (n < 0 && errno != EAGAIN) {
                lose_end(e, now);
        } else if (n > 0) {
                e->n_out -= (size_t)n;
                memmove(e->out, e->out + n, e->n_out);
        }
}

/* The wire. */

static Slot *slot(End *e, size_t i) {
        return &e->queue[i % QUEUE_BYTES];
}

static void log_frame(Hub *hub, const End *e, const RkdFrame *f, uint64_t at_nsec) {
        if (!hub->log)
                return;
        (void)fprintf(hub->log,
                        "{\"usec\":%" PRIu64
                        ",\"from\":\"%s\",\"address\":%u,\"type\":%u,\"poll\":%s,\"bytes\":%zu}\n",
                        at_nsec / 1000, e->name, f->address, f->type,
                        f->flags & RKD_FLAG_POLL ? "true" : "false", f->n_payload);
        (void)fflush(hub->log);
}

static void damage(Hub *hub, Slot *s, bool late) {
        if (!s->damaged && late)
                hub->n_late++;
        else if (!s->damaged)
                hub->n_collisions++;
        s->damaged = true;
}

/* Damages what others send at the same time. */
static void collide(Hub *hub, const End *sender, Slot *new) {
        uint64_t begin = new->end_nsec - hub->byte_nsec;

        for (End *e = hub->ends; e < hub->ends + hub->n_ends; e++)
                for (size_t i = e->tail; e != sender && i-- != e->head;) {
                        Slot *s = slot(e, i);

                        if (s->end_nsec <= begin)
                                break;
                        if (s->end_nsec - hub->byte_nsec >= new->end_nsec)
                                continue;
                        damage(hub, s, s->late || new->late);
                        damage(hub, new, s->late || new->late);
                }
}

/* What the gateway is sending now is not what a device answers. */
static void begin_burst(const Hub *hub, End *e, uint64_t now) {
        const End *gateway = hub->ends;
        uint64_t asked = gateway->free_nsec > now ? gateway->rest_nsec : gateway->free_nsec;

        e->late = e != gateway && (now < e->slow_nsec || now - asked > LATE_NSEC);
        e->rest_nsec = e->free_nsec;
}

static void put(Hub *hub, End *e, uint8_t byte, uint64_t now) {
        Slot *s = slot(e, e->tail);

        if (e->free_nsec <= now)
                begin_burst(hub, e, now);
        e->free_nsec = MAX(e->free_nsec, now) + hub->byte_nsec;
        *s = (Slot){
                .end_nsec = e->free_nsec, .byte = byte, .late = e->late || now < hub->slow_nsec
        };
        collide(hub, e, s);
        e->tail++;
        e->n_sent++;
}

static void take(Hub *hub, End *e, uint64_t now) {
        uint8_t bytes[1024];
        size_t room = QUEUE_BYTES - (e->tail - e->head);
        ssize_t n;

        if (e->fd < 0 || room == 0)
                return;
        n = read(e->fd, bytes, MIN(room, sizeof(bytes)));
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
                lose_end(e, now);
                return;
        }
        for (ssize_t i = 0; i < n && !e->unplugged; i++)
                put(hub, e, bytes[i], now);
}

static void note_poll(Hub *hub, End *sender, const RkdFrame *f, uint64_t at_nsec) {
        End *asked = hub->by_address[hub->asked];

        if (sender != hub->ends) {
                hub->by_address[f->address] = sender;
                hub->answered = true;
                return;
        }
        if (!(f->flags & RKD_FLAG_POLL))
                return;
        if (!hub->answered && asked && at_nsec - hub->asked_nsec > LATE_NSEC)
                asked->slow_nsec = at_nsec + SLOW_NSEC;
        hub->asked = f->address;
        hub->asked_nsec = at_nsec;
        hub->answered = false;
}

static void hear(Hub *hub, End *sender, const Slot *s) {
        uint8_t byte = s->damaged ? (uint8_t)(s->byte ^ DAMAGE) : s->byte;
        RkdFrame frame;

        if (rkd_frame_reader_feed(&sender->reader, byte, &frame) == RKD_DECODED_COMPLETE) {
                log_frame(hub, sender, &frame, s->end_nsec);
                note_poll(hub, sender, &frame, s->end_nsec);
        }
        for (End *e = hub->ends; e < hub->ends + hub->n_ends; e++) {
                if (e->fd < 0 || e->unplugged || (e == sender && !hub->echo))
                        continue;
                if (e->n_out < sizeof(e->out))
                        e->out[e->n_out++] = byte;
                else
                        e->n_lost++;
        }
}

/* Whose byte leaves next; NULL: nobody's. */
static End *next_sender(Hub *hub) {
        End *next = NULL;

        for (End *e = hub->ends; e < hub->ends + hub->n_ends; e++)
                if (e->head != e->tail &&
                                (!next || slot(e, e->head)->end_nsec <
                                                                slot(next, next->head)->end_nsec))
                        next = e;
        return next;
}

static void give(Hub *hub, uint64_t now) {
        End *e;

        while ((e = next_sender(hub)) && slot(e, e->head)->end_nsec <= now)
                hear(hub, e, slot(e, e->head++));
        for (e = hub->ends; e < hub->ends + hub->n_ends; e++)
                flush_end(e, now);
}

/* Commands. */

static void show_counts(const Hub *hub) {
        (void)printf("{\"collisions\":%" PRIu64 ",\"late\":%" PRIu64 ",\"ends\":{",
                        hub->n_collisions, hub->n_late);
        for (size_t i = 0; i < hub->n_ends; i++) {
                const End *e = &hub->ends[i];

                (void)printf("%s\"%s\":{\"sent\":%" PRIu64 ",\"lost\":%" PRIu64 "}",
                                i > 0 ? "," : "", e->name, e->n_sent, e->n_lost);
        }
        (void)printf("}}\n");
}

static void run_command(Hub *hub, const char *line) {
        const char *name = strchr(line, ' ');

        if (streq(line, "counts")) {
                show_counts(hub);
                return;
        }
        for (size_t i = 0; name && i < hub->n_ends; i++)
                if (streq(name + 1, hub->ends[i].name) &&
                                (startswith(line, "plug ") || startswith(line, "unplug "))) {
                        hub->ends[i].unplugged = *line == 'u';
                        (void)printf("ok\n");
                        return;
                }
        (void)printf("no such command\n");
}

static void take_commands(Hub *hub) {
        ssize_t n = read(STDIN_FILENO, hub->command + hub->n_command,
                        sizeof(hub->command) - hub->n_command);
        char *end;

        if (n <= 0) {
                hub->quit = true;
                return;
        }
        hub->n_command += (size_t)n;
        while ((end = memchr(hub->command, '\n', hub->n_command))) {
                *end++ = '\0';
                run_command(hub, hub->command);
                hub->n_command -= (size_t)(end - hub->command);
                memmove(hub->command, end, hub->n_command);
        }
        hub->quit = hub->n_command == sizeof(hub->command);
        (void)fflush(stdout);
}

/* The loop: bytes move in steps, as an adapter moves them. */
static void wait_for_something(Hub *hub) {
        struct pollfd fds[ENDS_MAX + 1] = { { .fd = STDIN_FILENO, .events = POLLIN } };
        const End *sender = next_sender(hub);
        uint64_t now = now_nsec(), wait = LOOK_NSEC;
        struct timespec t = { 0 };

        if (sender) {
                const Slot *s = &sender->queue[sender->head % QUEUE_BYTES];

                wait = MAX(s->end_nsec > now ? s->end_nsec - now : 0, (uint64_t)STEP_NSEC);
        }
        t.tv_nsec = (long)MIN(wait, (uint64_t)LOOK_NSEC);
        for (size_t i = 0; i < hub->n_ends; i++) {
                const End *e = &hub->ends[i];

                fds[i + 1] = (struct pollfd){ .fd = e->tail - e->head < QUEUE_BYTES ? e->fd : -1,
                        .events = POLLIN };
        }
        hub->wake_nsec = now + (uint64_t)t.tv_nsec;
        (void)ppoll(fds, hub->n_ends + 1, &t, NULL);
        if (fds[0].revents)
                take_commands(hub);
}

static void run(Hub *hub) {
        while (!hub->quit) {
                uint64_t now;

                wait_for_something(hub);
                now = now_nsec();
                if (now > hub->wake_nsec + STALL_NSEC)
                        hub->slow_nsec = now + SLOW_NSEC;
                for (End *e = hub->ends; e < hub->ends + hub->n_ends; e++) {
                        look_for(e, now);
                        take(hub, e, now);
                }
                give(hub, now);
        }
}

static bool add_end(Hub *hub, const char *name, const char *path) {
        End *e = &hub->ends[hub->n_ends];

        if (hub->n_ends == ENDS_MAX || !path)
                return false;
        hub->n_ends++;
        *e = (End){ .name = name, .path = path, .fd = -1, .listen_fd = -1 };
        rkd_frame_reader_init(&e->reader, e->buffer, sizeof(e->buffer));
        return true;
}

static bool add_device(Hub *hub, char *spec) {
        char *path = strchr(spec, '=');

        if (path)
                *path++ = '\0';
        return add_end(hub, spec, path);
}

static bool parse(int argc, char *argv[], Hub *hub) {
        static const struct option options[] = {
                { "baud", required_argument, NULL, 'b' },
                { "echo", no_argument, NULL, 'e' },
                { "log", required_argument, NULL, 'l' },
                { "gateway", required_argument, NULL, 'g' },
                {},
        };
        const char *gateway = NULL;
        uint64_t baud = 0;
        bool good = true;
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                if (c == 'b')
                        good &= parse_uint64(optarg, 300, 20000000, &baud) >= 0;
                else if (c == 'e')
                        hub->echo = true;
                else if (c == 'l')
                        good &= (hub->log = fopen(optarg, "we")) != NULL;
                else if (c == 'g')
                        gateway = optarg;
                else
                        good = false;
        if (!good || baud == 0 || !add_end(hub, "gateway", gateway))
                return false;
        hub->byte_nsec = 10u * (uint64_t)NSEC_PER_SEC / baud;
        while (good && optind < argc)
                good = add_device(hub, argv[optind++]);
        return good;
}

int main(int argc, char *argv[]) {
        static End ends[ENDS_MAX];
        Hub hub = { .ends = ends };

        if (!parse(argc, argv, &hub)) {
                (void)fprintf(stderr,
                                "usage: hub --baud N [--echo] [--log FILE] --gateway PATH NAME=PATH...\n");
                return 2;
        }
        ends[0].listens = true;
        ends[0].listen_fd = make_socket(ends[0].path, true);
        if (ends[0].listen_fd < 0) {
                (void)fprintf(stderr, "hub: %s: %s\n", ends[0].path, strerror(-ends[0].listen_fd));
                return 1;
        }
        (void)signal(SIGPIPE, SIG_IGN);
        (void)printf("ready\n");
        (void)fflush(stdout);
        run(&hub);
        return 0;
}
