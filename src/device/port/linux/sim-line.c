/* SPDX-License-Identifier: MIT */

/*
 * The serial line between the gateway and the device's UART: a pty, a listening socket with one
 * client at a time, or a descriptor. What happens to bytes on a real line happens here: they take
 * their time (pace), are garbage at the wrong speed, are flipped or dropped (noise), come back to
 * their sender (echo), or are lost because nobody is there to take them. A UART never waits for its
 * listener.
 *
 * States: unplugged (fd < 0 and not listening), waiting for a client (socket only), connected.
 */

#include "sim-line.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "sim-tty.h"
#include "sim-util.h"

#define LINE_OUT_BYTES    4096U
#define LINE_ECHO_MAX     2048U
#define LINE_CHUNK        16U      /* paced bytes are moved in groups of about so many, */
#define LINE_STEP_NSEC    1000000U /* or once in so long, whichever is rarer */
#define LINE_NSEC_PER_SEC UINT64_C(1000000000)

struct SimLine {
        SimLineConfig config;
        char *name;
        int fd;
        int slave_fd;
        int listen_fd;
        int watch_fd;
        int n_users; /* who have the terminal open; with none, the device talks to nobody */
        bool linked;
        bool mute;

        uint32_t baud;
        uint64_t in_nsec; /* when the last byte had come in; only meaningful while in_pending > 0 */
        uint64_t out_nsec; /* when the last byte had gone out */
        /* bytes that are known to wait in the gateway's queue (paced lines only) */
        size_t in_pending;

        uint8_t out[LINE_OUT_BYTES];
        size_t n_out;

        uint32_t flip;
        uint32_t drop;
        uint64_t seed;
        SimLineCounts counts;
};

static uint64_t line_bytes_nsec(const SimLine *line, uint64_t n_bytes) {
        return n_bytes * 10U * LINE_NSEC_PER_SEC / line->baud;
}

/* Bytes that have had time to pass since then. */
static uint64_t line_bytes_since(const SimLine *line, uint64_t since_nsec, uint64_t now_usec) {
        uint64_t now_nsec = now_usec * 1000U;
        uint64_t spent_nsec = now_nsec > since_nsec ? now_nsec - since_nsec : 0;

        return SIM_MIN(spent_nsec, LINE_NSEC_PER_SEC) * line->baud / (10U * LINE_NSEC_PER_SEC);
}

/* When so many bytes will have passed; in steps, since a wake-up for each byte is too dear. */
static uint64_t line_next_usec(const SimLine *line, uint64_t since_nsec, size_t n_bytes) {
        uint64_t step_nsec = line_bytes_nsec(line, LINE_CHUNK);

        if (step_nsec < LINE_STEP_NSEC)
                step_nsec = LINE_STEP_NSEC;
        return (since_nsec + SIM_MIN(step_nsec, line_bytes_nsec(line, n_bytes))) / 1000U + 1;
}

/* Passes bytes over the copper: returns how many come out at the other end. */
static size_t line_spoil(SimLine *line, uint8_t *bytes, size_t n_bytes) {
        bool garbage = false;
        size_t i, n = 0;

        if (line->config.pace && line->config.kind == SIM_LINE_PTY) {
                uint32_t baud = sim_tty_baud(line->slave_fd);

                garbage = baud != 0 && baud != line->baud;
        }
        for (i = 0; i < n_bytes; i++) {
                uint8_t byte = bytes[i];

                if (sim_one_in(&line->seed, line->drop)) {
                        line->counts.damaged++;
                        continue;
                }
                if (garbage)
                        byte = (uint8_t)sim_random(&line->seed);
                else if (sim_one_in(&line->seed, line->flip))
                        byte ^= (uint8_t)(1U << (sim_random(&line->seed) % 8));
                if (garbage || byte != bytes[i])
                        line->counts.damaged++;
                bytes[n++] = byte;
        }
        return n;
}

static void line_hang_up(SimLine *line) {
        line->fd = sim_close(line->fd);
        line->n_out = 0;
        line->in_pending = 0;
}

static int line_listen(SimLine *line) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int r;

        if (strlen(line->config.path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.sun_path, line->config.path, strlen(line->config.path));

        line->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (line->listen_fd < 0)
                return -errno;
        r = sim_clear_path(line->config.path, S_IFSOCK);
        if (r < 0)
                return r;
        if (bind(line->listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
                        listen(line->listen_fd, 4) < 0)
                return -errno;
        line->linked = true;
        return 0;
}

static int line_open_pty(SimLine *line) {
        char *name;
        int r;

        r = sim_tty_open(&line->fd, &line->slave_fd, &name);
        if (r < 0)
                return r;
        free(line->name);
        line->name = name;
        line->n_users = 0;
        line->watch_fd = sim_tty_watch(line->name);
        if (line->watch_fd < 0)
                return line->watch_fd;
        if (!line->config.path)
                return 0;
        r = sim_tty_link(line->config.path, line->name);
        line->linked = r == 0;
        return r;
}

static void line_write(SimLine *line, size_t n_bytes) {
        uint8_t bytes[LINE_OUT_BYTES];
        ssize_t written;
        size_t n;

        memcpy(bytes, line->out, n_bytes);
        memmove(line->out, line->out + n_bytes, line->n_out - n_bytes);
        line->n_out -= n_bytes;
        line->counts.bytes_out += n_bytes;
        if (line->mute || line->fd < 0 || (line->watch_fd >= 0 && line->n_users <= 0)) {
                line->counts.lost += n_bytes;
                return;
        }

        n = line_spoil(line, bytes, n_bytes);
        written = n == 0 ? 0 : send(line->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (written < 0 && errno == ENOTSOCK)
                written = write(line->fd, bytes, n);
        if (written < 0 && errno != EAGAIN && errno != EINTR)
                line_hang_up(line);
        if (written < (ssize_t)n)
                line->counts.lost += n - (size_t)(written < 0 ? 0 : written);
}

static void line_run_output(SimLine *line, uint64_t now_usec) {
        size_t n = line->n_out;

        if (n == 0) {
                line->out_nsec = now_usec * 1000U;
                return;
        }
        if (line->config.pace) {
                n = SIM_MIN(n, line_bytes_since(line, line->out_nsec, now_usec));
                line->out_nsec += line_bytes_nsec(line, n);
        }
        if (n > 0)
                line_write(line, n);
}

/* At least one: a hang-up, and what the kernel does not count yet, are to be read too. */
static size_t line_look(const SimLine *line) {
        int pending = 0;

        return ioctl(line->fd, FIONREAD, &pending) < 0 || pending < 1 ? 1 : (size_t)pending;
}

/* How many bytes may have come in by now. */
static size_t line_may_receive(SimLine *line, uint64_t now_usec, size_t size) {
        struct pollfd look = { .fd = line->fd, .events = POLLIN };

        if (!line->config.pace)
                return size;
        if (line->in_pending == 0) {
                if (poll(&look, 1, 0) <= 0)
                        return 0;
                line->in_pending = line_look(line);
                line->in_nsec = now_usec * 1000U; /* they start to move now that they are seen */
        }
        return SIM_MIN(line_bytes_since(line, line->in_nsec, now_usec), size);
}

/* Who opens a serial port does not hear what was said before. */
static void line_count_users(SimLine *line) {
        int before = line->n_users;

        line->n_users = sim_tty_count_users(line->watch_fd, before);
        if (before <= 0 && line->n_users > 0)
                sim_tty_flush(line->slave_fd);
}

int sim_line_new(SimLine **ret, const SimLineConfig *config) {
        SimLine *line;
        int r = 0;

        assert(ret);

        line = calloc(1, sizeof(*line));
        if (!line)
                return -ENOMEM;
        line->config = *config;
        line->fd = line->slave_fd = line->listen_fd = line->watch_fd = -1;
        line->baud = 115200;
        line->seed = config->seed ? config->seed : 1;
        if (config->kind == SIM_LINE_FD) {
                line->fd = config->fd;
                if (fcntl(line->fd, F_SETFL, fcntl(line->fd, F_GETFL) | O_NONBLOCK) < 0 ||
                                fcntl(line->fd, F_SETFD, FD_CLOEXEC) < 0)
                        r = -errno;
        }
        if (r == 0 && config->kind != SIM_LINE_PTY) {
                line->name = strdup(config->kind == SIM_LINE_FD ? "fd" : config->path);
                r = line->name ? 0 : -ENOMEM;
        }
        if (r == 0 && config->kind != SIM_LINE_FD)
                r = sim_line_plug(line);
        if (r < 0) {
                (void)sim_line_free(line);
                return r;
        }
        *ret = line;
        return 0;
}

SimLine *sim_line_free(SimLine *line) {
        if (!line)
                return NULL;
        (void)sim_line_unplug(line);
        (void)sim_close(line->fd);
        free(line->name);
        free(line);
        return NULL;
}

const char *sim_line_name(const SimLine *line) {
        return line->name;
}

const SimLineCounts *sim_line_counts(const SimLine *line) {
        return &line->counts;
}

void sim_line_set_baud(SimLine *line, uint32_t baud) {
        assert(baud > 0);
        line->baud = baud;
}

uint32_t sim_line_baud(const SimLine *line) {
        return line->baud;
}

void sim_line_set_noise(SimLine *line, uint32_t flip, uint32_t drop, uint64_t seed) {
        line->flip = flip;
        line->drop = drop;
        if (seed != 0)
                line->seed = seed;
}

void sim_line_set_mute(SimLine *line, bool mute) {
        line->mute = mute;
}

int sim_line_unplug(SimLine *line) {
        if (line->config.kind == SIM_LINE_FD)
                return -ENOTSUP;
        if (line->linked)
                (void)unlink(line->config.path);
        line->linked = false;
        line->listen_fd = sim_close(line->listen_fd);
        line->slave_fd = sim_close(line->slave_fd);
        line->watch_fd = sim_close(line->watch_fd);
        line_hang_up(line);
        return 0;
}

int sim_line_plug(SimLine *line) {
        int r;

        if (line->config.kind == SIM_LINE_FD)
                return -ENOTSUP;
        if (sim_line_is_plugged(line))
                return 0;
        r = line->config.kind == SIM_LINE_PTY ? line_open_pty(line) : line_listen(line);
        if (r < 0)
                (void)sim_line_unplug(line);
        return r;
}

bool sim_line_is_plugged(const SimLine *line) {
        return line->fd >= 0 || line->listen_fd >= 0;
}

size_t sim_line_receive(SimLine *line, uint64_t now_usec, uint8_t *ret_bytes, size_t size) {
        ssize_t n;
        size_t may;

        if (line->fd < 0)
                return 0;
        if (line->watch_fd >= 0)
                line_count_users(line);
        /* Room for the echo is kept free: what cannot be echoed is not taken yet. */
        if (line->config.echo)
                size = line->n_out >= LINE_ECHO_MAX ? 0
                                                    : SIM_MIN(size, LINE_OUT_BYTES - LINE_ECHO_MAX);
        may = line_may_receive(line, now_usec, size);
        if (may == 0)
                return 0;

        n = read(line->fd, ret_bytes, may);
        if (n <= 0) {
                line->in_pending = 0;
                if (n == 0 || (errno != EAGAIN && errno != EINTR))
                        line_hang_up(line);
                return 0;
        }
        if (line->config.pace) {
                line->in_nsec += line_bytes_nsec(line, (uint64_t)n);
                line->in_pending = (size_t)n == may ? line_look(line) : 0;
        }
        if (line->config.echo) {
                memcpy(line->out + line->n_out, ret_bytes, (size_t)n);
                line->n_out += (size_t)n;
        }
        line->counts.bytes_in += (uint64_t)n;
        return line_spoil(line, ret_bytes, (size_t)n);
}

size_t sim_line_send(SimLine *line, const uint8_t *bytes, size_t n_bytes) {
        n_bytes = SIM_MIN(n_bytes, sim_line_send_room(line));
        memcpy(line->out + line->n_out, bytes, n_bytes);
        line->n_out += n_bytes;
        return n_bytes;
}

size_t sim_line_send_room(const SimLine *line) {
        return LINE_ECHO_MAX - SIM_MIN(line->n_out, LINE_ECHO_MAX);
}

size_t sim_line_output_pending(const SimLine *line) {
        return line->n_out;
}

void sim_line_drop_output(SimLine *line) {
        line->n_out = 0;
}

void sim_line_run(SimLine *line, uint64_t now_usec) {
        if (line->fd < 0 && line->listen_fd >= 0)
                line->fd = accept4(line->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        line_run_output(line, now_usec);
}

size_t sim_line_fill_pollfds(const SimLine *line, struct pollfd *fds) {
        size_t n = 0;

        /* A paced byte that is on its way is waited for by the clock, not by the descriptor. */
        if (line->fd >= 0 && line->in_pending == 0)
                fds[n++] = (struct pollfd){ .fd = line->fd, .events = POLLIN };
        if (line->fd < 0 && line->listen_fd >= 0)
                fds[n++] = (struct pollfd){ .fd = line->listen_fd, .events = POLLIN };
        if (line->watch_fd >= 0)
                fds[n++] = (struct pollfd){ .fd = line->watch_fd, .events = POLLIN };
        return n;
}

uint64_t sim_line_deadline_usec(const SimLine *line) {
        uint64_t deadline_usec = SIM_NEVER_USEC;

        if (line->in_pending > 0)
                deadline_usec = line_next_usec(line, line->in_nsec, line->in_pending);
        if (line->n_out > 0)
                deadline_usec = line->config.pace ? SIM_MIN(deadline_usec,
                                                                    line_next_usec(line,
                                                                                    line->out_nsec,
                                                                                    line->n_out))
                                                  : 0;
        return deadline_usec;
}
