/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A small gateway for tests of the device library: asks, waits in the board's own time, pushes
 * images. Plain on purpose: one command at a time, all it may send under the present credit at
 * once, then it listens. With images at hand (`held`) it has patches planned, from what the
 * device really holds; without, it sends whole units.
 */

#include "board.h"
#include "image/plan.h"
#include "proto/header.h"

typedef struct Gateway {
        Board *board;
        uint8_t address;
        uint8_t sequence;
        RkdFrameReader reader;
        uint8_t payload[RKD_PAYLOAD_MAX];
        RkdFrame frame; /* the last one that came */
        RkdAnswer answer;
        uint32_t credit; /* the highest that was told in this stream */
        unsigned naks, acks, hellos;
        unsigned drop_data; /* drop the Nth DATA frame; 0: none */
        unsigned sent_data;
        uint16_t stream_id;
        uint8_t identity[RKD_IDENTITY_MAX];
        /* Patches, where the device takes them, made from what these images have. */
        const PlanImage *held;
        size_t n_held;
        bool trust_nothing; /* every unit, whole */
        unsigned patches;   /* streams that were patches */
        unsigned parked;    /* units of them that were parked */
} Gateway;

typedef struct Push {
        const uint8_t *image;
        size_t n_image;
        uint64_t push_id;
        uint64_t replaces;
        const char *version;
        const char *floor;
        const char *model;    /* NULL: that of the board */
        const char *hardware; /* NULL: none */
        uint8_t algorithm;
        uint8_t flags;          /* of the begin area */
        uint16_t trial_seconds; /* 0: 2 */
        uint32_t wrong_length;  /* instead of the image's, 0: that */
} Push;

void gateway_init(Gateway *g, Board *board);
/* Sends one frame; the board does not run yet. */
void gateway_send(Gateway *g, uint8_t type, uint8_t flags, const uint8_t *payload, size_t n);
/* Runs the board until a frame of this type comes (0: any); false after ms without. */
bool gateway_await(Gateway *g, uint8_t type, unsigned ms);
/* Sends the command and waits for its answer; BUSY is asked again. The result, or -1 when
 * nothing came. */
int gateway_ask(Gateway *g, const RkdRequest *request);
int gateway_ask_id(Gateway *g, uint8_t type, uint64_t push_id);

int gateway_identify(Gateway *g, RkdIdentity *ret);
/* The steps of a push: results as gateway_ask(). */
int gateway_begin(Gateway *g, const Push *push);
/* Any begin area at all. */
int gateway_send_begin(Gateway *g, const uint8_t *area, size_t n);
/* Any stream at all. */
int gateway_send_stream(Gateway *g, uint8_t codec, const uint8_t *stream, uint32_t length);
int gateway_stream(Gateway *g, const Push *push);
int gateway_push(Gateway *g, const Push *push);
/* Identify, BEGIN (in place of what is there), stream of what differs, END. */
int gateway_install(Gateway *g, Push push);
/* After START: waits until the program answers healthy; then CONFIRM. */
int gateway_confirm(Gateway *g, uint64_t push_id);

/* Whatever state the device is in: brings it to run this program, confirmed, under a push id of its
 * own. A program that cannot leave is reset; power stays on. 0, or -1. */
int gateway_settle(Gateway *g, Push push);

/* Incompressible bytes. */
void image_make(uint8_t *out, size_t n, uint32_t seed);
