/* SPDX-License-Identifier: MIT */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct SimLine SimLine;

typedef enum SimLineKind {
        SIM_LINE_PTY,
        SIM_LINE_UNIX,
        SIM_LINE_FD,
} SimLineKind;

typedef struct SimLineConfig {
        SimLineKind kind;
        const char *path; /* PTY: symlink to the pts, or NULL; UNIX: the socket */
        int fd;           /* FD: taken over */
        bool pace;        /* bytes take their time, and both ends must have the same speed */
        bool echo;        /* what the gateway sends comes back to it */
        uint64_t seed;
} SimLineConfig;

typedef struct SimLineCounts {
        uint64_t bytes_in;  /* that arrived at the device */
        uint64_t bytes_out; /* that left the device */
        uint64_t damaged;   /* flipped, dropped or read at the wrong speed, both ways */
        uint64_t lost;      /* sent by the device while nobody took them */
} SimLineCounts;

#define SIM_LINE_POLLFDS 3

int sim_line_new(SimLine **ret, const SimLineConfig *config);
SimLine *sim_line_free(SimLine *line);

/* Where the gateway finds the line: the pts, the socket, or "fd". */
const char *sim_line_name(const SimLine *line);
const SimLineCounts *sim_line_counts(const SimLine *line);

/* The speed of the device's UART. */
void sim_line_set_baud(SimLine *line, uint32_t baud);
uint32_t sim_line_baud(const SimLine *line);
/* One byte of so many is flipped or dropped, each way; 0: none. */
void sim_line_set_noise(SimLine *line, uint32_t flip, uint32_t drop, uint64_t seed);
/* A mute device hears, but nothing of what it says reaches the gateway. */
void sim_line_set_mute(SimLine *line, bool mute);

/* The plug is pulled: the gateway sees a hang-up. -ENOTSUP on a descriptor that was handed in. */
int sim_line_unplug(SimLine *line);
int sim_line_plug(SimLine *line);
bool sim_line_is_plugged(const SimLine *line);

/* Bytes that have arrived by now; 0: none. */
size_t sim_line_receive(SimLine *line, uint64_t now_usec, uint8_t *ret_bytes, size_t size);
/* The UART takes what fits into it. */
size_t sim_line_send(SimLine *line, const uint8_t *bytes, size_t n_bytes);
size_t sim_line_send_room(const SimLine *line);
/* Bytes that the UART has taken and that have not left yet. */
size_t sim_line_output_pending(const SimLine *line);
/* What the UART holds is gone (reset, power cut). */
void sim_line_drop_output(SimLine *line);

/* Moves output, accepts the next gateway. */
void sim_line_run(SimLine *line, uint64_t now_usec);
size_t sim_line_fill_pollfds(const SimLine *line, struct pollfd *fds);
uint64_t sim_line_deadline_usec(const SimLine *line);
