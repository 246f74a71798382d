/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The power-cut loop: a device goes through a flow (an install, an upgrade, …) and loses power in
 * one chosen flash operation; power comes back, the gateway asks what is true and goes on, to
 * the new program or back to the old one. Perhaps power is lost again while it does.
 *
 * A device is lost when, power being back,
 *  - it ran anything but a whole program that its record vouches for (the board watches);
 *  - it does not answer, or knows nothing of its pushes any more;
 *  - it calls a program complete that is not;
 *  - the gateway cannot bring it to run one of the two programs, confirmed;
 *  - it has two slots and a program was confirmed before the flow, and without the gateway it does
 *    not run any that stays.
 */

#include "board.h"

typedef enum CutFlow {
        FLOW_INSTALL, /* on a blank device */
        FLOW_ADOPT,   /* on a device whose program came by a probe */
        FLOW_UPGRADE, /* on a device with a confirmed program */
        FLOW_RESTORE, /* the new program uses up its starts, the old one comes back */
        FLOW_CONFIRM, /* first start, health, confirm through the bootloader */
        FLOW_STARTS,  /* resets by the watchdog until the marks of a record page are used up */
        _CUT_FLOW_MAX,
} CutFlow;

typedef struct CutSetup {
        BoardGeometry geometry;
        CutFlow flow;
        uint8_t profile; /* of patches; RKD_PATCH_NONE: whole units only */
        BoardFault fault;
        bool is_signed;     /* the device demands signatures, where the library can */
        unsigned functions; /* of each program, about 270 bytes each; 0: 12 */
        unsigned turned_by; /* of them, that come last in the new program; 0: 1 */
} CutSetup;

typedef struct CutCount {
        unsigned operations; /* of the flow without a cut */
        unsigned cases;      /* that did lose power */
        unsigned patches;    /* streams in them that were patches */
        unsigned parked;     /* units of the patches that were parked */
        unsigned lost;
        char first[160]; /* that was lost, and why */
} CutCount;

/* One case. All zero: no cut. */
typedef struct CutCase {
        unsigned at[2]; /* operation after power on in which power fails, first and again; 0: not */
        BoardCut cut[2];
        uint32_t seed;
        bool back;     /* the gateway wants the old program after the cut */
        bool fails;    /* no power cut: the operation is torn alike, and said to have failed */
        bool misreads; /* no power cut: `at` is a read of flash, which fails */
} CutCase;

/* Makes the device that the flow begins with. 0, or -1 when there is none. */
int cuts_prepare(const CutSetup *setup);
/* The flow without a cut: operations, or 0 when it fails. */
unsigned cuts_count_operations(void);
/* Adds the case to the count. False: the flow (or the second cut's recovery) was over before. */
bool cuts_try(const CutCase *c, CutCount *count);

/* Every operation of the flow. thorough: every kind of cut with four seeds, on to both programs;
 * else three kinds, by turns. */
void cuts_every(bool thorough, CutCount *count);
/* Every operation of the recovery from a cut in every operation. thorough: from every kind of cut;
 * else one, by turns, as the second cut always is. */
void cuts_every_twice(bool thorough, CutCount *count);
/* Every operation of the flow fails, and power stays on. thorough: as above; else one kind. */
void cuts_every_failure(bool thorough, CutCount *count);
/* n reads of the flow fail. */
void cuts_sample_reads(unsigned n, CutCount *count);
/* Samples of cuts, once and twice. */
void cuts_sample(unsigned n, CutCount *count);

const char *cuts_flow_name(CutFlow flow);
