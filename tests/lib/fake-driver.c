/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake-driver.h"

static const DriverPulse pulses[] = { { .dtr = 1, .rts = -1, .brk = -1, .hold_usec = 1000 },
        { .dtr = 0, .rts = -1, .brk = -1 } };

static FakeDriver *fake(Driver *d) {
        return (FakeDriver *)d;
}

static int fake_start(Driver *d, const DriverRequest *request, uint64_t now_usec) {
        FakeDriver *f = fake(d);

        f->n_starts++;
        f->at = 0;
        f->deadline_usec = 0;
        f->result = (DriverResult){ .heard = true };
        return f->start_error;
}

static void fake_next(Driver *d, uint64_t now_usec, DriverAction *ret) {
        FakeDriver *f = fake(d);
        const FakeStep *s = f->steps + f->at;

        *ret = (DriverAction){ .type = s->type, .deadline_usec = USEC_INFINITY };
        switch (s->type) {
        case DRIVER_SEND:
                ret->bytes = s->bytes;
                ret->length = strlen(s->bytes);
                f->at++;
                return;
        case DRIVER_LINE:
                ret->line = (DriverLine){
                        .baud = s->baud, .data_bits = 8, .stop_bits = 1, .parity = 'N'
                };
                f->at++;
                return;
        case DRIVER_PULSE:
                ret->pulses = pulses;
                ret->n_pulses = ELEMENTSOF(pulses);
                f->at++;
                return;
        case DRIVER_PLAN:
                ret->plan = &f->request;
                return;
        case DRIVER_WAIT:
                if (s->wait_usec > 0 && f->deadline_usec == 0)
                        f->deadline_usec = now_usec + s->wait_usec;
                ret->deadline_usec = s->wait_usec > 0 ? f->deadline_usec : USEC_INFINITY;
                return;
        default:
                return;
        }
}

static void fake_input(Driver *d, const void *bytes, size_t n, uint64_t now_usec) {
        FakeDriver *f = fake(d);
        size_t room = sizeof(f->heard) - 1 - f->n_heard;

        memcpy(f->heard + f->n_heard, bytes, MIN(n, room));
        f->n_heard += MIN(n, room);
        f->progress.done_bytes += n;
        if (f->steps[f->at].type == DRIVER_WAIT)
                f->at++;
}

static void fake_tick(Driver *d, uint64_t now_usec) {
        FakeDriver *f = fake(d);

        if (f->deadline_usec == 0 || now_usec < f->deadline_usec)
                return;
        f->n_ticks++;
        f->deadline_usec = 0;
        f->at++;
}

static void fake_plan(Driver *d, uint8_t codec, const void *stream, size_t n) {
        fake(d)->n_plans++;
        fake(d)->plan = stream;
        fake(d)->at++;
}

static void fake_cancel(Driver *d) {
        static FakeStep steps[2];
        FakeDriver *f = fake(d);

        f->n_cancels++;
        steps[0] = (FakeStep){ .type = f->farewell ? DRIVER_SEND : DRIVER_DONE,
                .bytes = f->farewell };
        steps[1] = (FakeStep){ .type = DRIVER_DONE };
        f->steps = steps;
        f->at = 0;
}

static void fake_progress(const Driver *d, DriverProgress *ret) {
        *ret = ((const FakeDriver *)d)->progress;
}

static const DriverResult *fake_result(const Driver *d) {
        return &((const FakeDriver *)d)->result;
}

static const DriverVTable fake_vtable = {
        .name = "fake",
        .meaning = "a script",
        .start = fake_start,
        .next = fake_next,
        .input = fake_input,
        .tick = fake_tick,
        .plan = fake_plan,
        .cancel = fake_cancel,
        .progress = fake_progress,
        .result = fake_result,
};

FakeDriver fake_driver(const FakeStep *steps) {
        return (FakeDriver){ .driver.vtable = &fake_vtable, .steps = steps };
}
