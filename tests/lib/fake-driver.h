/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* FakeDriver: follows a script of actions instead of a protocol, and writes down what happens to
 * it. */
#pragma once

#include "driver/driver.h"

typedef struct FakeStep {
        DriverActionType type; /* WAIT: until something comes in, or wait_usec */
        const char *bytes;     /* SEND */
        uint32_t baud;         /* LINE */
        uint64_t wait_usec;    /* WAIT; 0: for ever */
} FakeStep;

typedef struct FakeDriver {
        Driver driver;
        const FakeStep *steps; /* ends with DRIVER_DONE */
        size_t at;
        DriverResult result;
        DriverProgress progress;
        char heard[256];
        size_t n_heard;
        unsigned n_starts, n_ticks, n_plans, n_cancels;
        const void *plan;
        int start_error;
        const char *farewell; /* sent when it is canceled */
        uint64_t deadline_usec;
        DriverPlanRequest request;
} FakeDriver;

FakeDriver fake_driver(const FakeStep *steps);
