/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VirtualLine: a driver and a virtual device at the two ends of a serial line in virtual time:
 * bytes take their time, may be flipped or dropped, arrive as nonsense when the speeds differ,
 * come back as an echo, and answers may be late. */
#pragma once

#include "driver/driver.h"
#include "virtual-device.h"

#define LINE_QUEUE_BYTES 16384 /* a power of two */

typedef struct LineQueue {
        struct {
                uint64_t at_usec;
                uint8_t byte;
        } entries[LINE_QUEUE_BYTES];
        size_t head, tail;
        uint64_t free_nsec; /* the line is free from then on */
} LineQueue;

typedef struct VirtualLine {
        Driver *driver;
        VirtualDevice *device;
        uint64_t now_usec;
        uint32_t baud;             /* the gateway's */
        uint32_t latency_usec;     /* added to what the device says */
        unsigned flip_in, drop_in; /* one byte in so many; 0: none */
        uint32_t noisy_baud;       /* … at this speed and above; 0: at any */
        uint32_t seed;
        bool echo, mute;
        uint32_t bad_baud; /* a speed that the line cannot carry */
        LineQueue to_device, to_gateway;

        /* Something that happens when so many bytes have left the gateway. */
        uint64_t event_at_bytes;
        void (*on_event)(struct VirtualLine *line);
        uint64_t bytes_sent, bytes_received;
        uint64_t first_data_usec,
                        /* between the first and the last byte sent in the phase SEND */
                        last_data_usec;
        unsigned n_plans;
        bool plan_fails, plan_was_sums, plan_was_known, plan_trusted_nothing;
        uint32_t kept_units;
        uint8_t *stream; /* of the last plan */
} VirtualLine;

void virtual_line_init(VirtualLine *l, Driver *driver, VirtualDevice *device);
void virtual_line_done(VirtualLine *l);
/* Runs until the driver is done, or limit_usec of virtual time are over (then NULL). */
const DriverResult *virtual_line_run(
                VirtualLine *l, const DriverRequest *request, uint64_t limit_usec);
/* Lets the device alone for so long. */
void virtual_line_idle(VirtualLine *l, uint64_t usec);
