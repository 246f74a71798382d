/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VirtualLine: see the header. Time jumps from event to event: a byte arrives, a deadline
 * passes, the device wakes. */
#include "virtual-line.h"
#include "image/plan.h"

#define ACTIONS_MAX 100000 /* of the driver without time going by: it hangs */

static uint32_t next_random(VirtualLine *l) {
        l->seed = l->seed * UINT32_C(1664525) + UINT32_C(1013904223);
        return l->seed >> 8;
}

static uint64_t byte_nsec(uint32_t baud) {
        return 10 * 1000 * USEC_PER_SEC / baud;
}

static void put(VirtualLine *l, LineQueue *q, uint8_t byte, uint32_t baud, uint64_t latency_usec) {
        bool noisy = baud >= l->noisy_baud;

        q->free_nsec = MAX(q->free_nsec, l->now_usec * 1000) + byte_nsec(baud);
        if (noisy && l->drop_in > 0 && next_random(l) % l->drop_in == 0)
                return;
        if (noisy && l->flip_in > 0 && next_random(l) % l->flip_in == 0)
                byte ^= (uint8_t)(1u << next_random(l) % 8);
        if (l->baud != l->device->baud || l->baud == l->bad_baud)
                byte ^= 0x55;
        if (q->tail - q->head == LINE_QUEUE_BYTES)
                abort(); /* more than any credit allows */
        q->entries[q->tail % LINE_QUEUE_BYTES].at_usec = q->free_nsec / 1000 + latency_usec;
        q->entries[q->tail % LINE_QUEUE_BYTES].byte = byte;
        q->tail++;
}

static bool take(LineQueue *q, uint64_t now_usec, uint8_t *ret) {
        if (q->head == q->tail || q->entries[q->head % LINE_QUEUE_BYTES].at_usec > now_usec)
                return false;
        *ret = q->entries[q->head++ % LINE_QUEUE_BYTES].byte;
        return true;
}

static uint64_t next_arrival(const LineQueue *q) {
        return q->head == q->tail ? USEC_INFINITY : q->entries[q->head % LINE_QUEUE_BYTES].at_usec;
}

static bool is_sending_data(const VirtualLine *l) {
        DriverProgress p;

        l->driver->vtable->progress(l->driver, &p);
        return p.phase == DRIVER_PHASE_SEND;
}

static void send_bytes(VirtualLine *l, const uint8_t *bytes, size_t n) {
        bool data = is_sending_data(l);

        if (data && l->first_data_usec == 0)
                l->first_data_usec = MAX(l->to_device.free_nsec / 1000, l->now_usec);
        for (size_t i = 0; i < n; i++) {
                put(l, &l->to_device, bytes[i], l->baud, 0);
                if (l->echo)
                        put(l, &l->to_gateway, bytes[i], l->baud, 0);
                if (++l->bytes_sent == l->event_at_bytes)
                        l->on_event(l);
        }
        if (data)
                l->last_data_usec = l->to_device.free_nsec / 1000;
}

static void make_plan(VirtualLine *l, const DriverRequest *request, const DriverPlanRequest *p) {
        PlanInput in = {
                .wanted = request->image,
                .wanted_length = request->image_length,
                .sums = p->sums,
                .n_sums = p->n_sums,
                .unit_size = p->unit_size,
                .trust_nothing = p->trust_nothing,
                .codecs = p->codecs,
                .codec_profile = p->codec_profile,
                .instruction_set = p->instruction_set,
                .program_base = p->program_base,
                .program_space = p->program_space,
                .ram_base = p->ram_base,
                .ram_size = p->ram_size,
        };
        PlanOutput out = { 0 };

        l->n_plans++;
        l->plan_was_sums = p->sums;
        l->plan_was_known = p->present_is_known;
        l->plan_trusted_nothing = p->trust_nothing;
        free(l->stream);
        l->stream = NULL;
        if (!l->plan_fails && plan_make(&in, &out, NULL) < 0)
                abort();
        l->stream = out.stream;
        l->kept_units = out.units_kept;
        l->driver->vtable->plan(l->driver, out.codec, out.stream, out.length);
}

/* Does what the driver says; returns its deadline, or 0 when it is done. */
static uint64_t serve_driver(VirtualLine *l, const DriverRequest *request) {
        for (unsigned i = 0; i < ACTIONS_MAX; i++) {
                DriverAction a;

                l->driver->vtable->next(l->driver, l->now_usec, &a);
                switch (a.type) {
                case DRIVER_SEND:
                        send_bytes(l, a.bytes, a.length);
                        break;
                case DRIVER_LINE:
                        l->baud = a.line.baud;
                        break;
                case DRIVER_PLAN:
                        make_plan(l, request, a.plan);
                        break;
                case DRIVER_DONE:
                        return 0;
                default:
                        return a.deadline_usec;
                }
        }
        abort();
}

static void serve_device(VirtualLine *l) {
        VirtualDevice *d = l->device;
        uint8_t byte;

        while (take(&l->to_device, l->now_usec, &byte))
                virtual_device_receive(d, l->now_usec, byte);
}

static uint64_t run_device(VirtualLine *l) {
        VirtualDevice *d = l->device;
        uint64_t wake = virtual_device_run(d, l->now_usec);

        for (size_t i = 0; i < d->n_out && !l->mute; i++)
                put(l, &l->to_gateway, d->out[i], d->baud, l->latency_usec);
        d->n_out = 0;
        if (d->baud_next > 0)
                d->baud = d->baud_next;
        d->baud_next = 0;
        return wake;
}

static void serve_input(VirtualLine *l) {
        uint8_t byte;

        while (take(&l->to_gateway, l->now_usec, &byte)) {
                l->bytes_received++;
                l->driver->vtable->input(l->driver, &byte, 1, l->now_usec);
        }
}

void virtual_line_init(VirtualLine *l, Driver *driver, VirtualDevice *device) {
        *l = (VirtualLine){
                .driver = driver,
                .device = device,
                .now_usec = 1000 * USEC_PER_SEC,
                .baud = 115200,
                .seed = 1,
        };
}

void virtual_line_done(VirtualLine *l) {
        free(l->stream);
        l->stream = NULL;
}

const DriverResult *virtual_line_run(
                VirtualLine *l, const DriverRequest *request, uint64_t limit_usec) {
        uint64_t limit = l->now_usec + limit_usec, deadline, wake;

        if (l->driver->vtable->start(l->driver, request, l->now_usec) < 0)
                return NULL;
        while (l->now_usec < limit) {
                deadline = serve_driver(l, request);
                if (deadline == 0)
                        return l->driver->vtable->result(l->driver);
                wake = run_device(l);
                l->now_usec = MAX(l->now_usec + 1,
                                MIN(MIN(next_arrival(&l->to_device), next_arrival(&l->to_gateway)),
                                                MIN(deadline, wake)));
                serve_device(l);
                serve_input(l);
                if (l->now_usec >= deadline)
                        l->driver->vtable->tick(l->driver, l->now_usec);
        }
        return NULL;
}

void virtual_line_idle(VirtualLine *l, uint64_t usec) {
        uint64_t until = l->now_usec + usec;

        while (l->now_usec < until) {
                uint64_t wake = run_device(l);

                l->now_usec = MIN(until,
                                MAX(l->now_usec + 1, MIN(wake, next_arrival(&l->to_device))));
                serve_device(l);
        }
        l->to_gateway.head = l->to_gateway.tail;
}
