/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Answers that do not come at once. What was asked of a device is answered when it is on disk: a
 * power cut right after "done" must not undo it. What takes its time is watched for the end of its
 * caller, with whom it ends, unless others wait for it too. */
#include "basic/log.h"
#include "daemon/backup.h"
#include "daemon/bus-private.h"

BusAnswer *bus_answer_free(BusAnswer *a) {
        Bus *b;

        if (!a)
                return NULL;
        b = a->bus;
        for (BusAnswer **p = &b->answers; *p; p = &(*p)->next)
                if (*p == a) {
                        *p = a->next;
                        b->n_answers--;
                        break;
                }
        sd_bus_slot_unref(a->gone);
        sd_bus_message_unref(a->call);
        sd_bus_message_unref(a->reply);
        free(a);
        return NULL;
}

/* Nobody is there any more to hear it. */
static void give_up(BusAnswer *a) {
        if (a->device) {
                device_saved_forget(a->device, a);
                backup_forget(a->device, a);
        } else {
                manager_check_forget(a->bus->manager, a);
        }
        (void)bus_answer_free(a);
}

void bus_answers_free(Bus *b) {
        while (b->answers)
                give_up(b->answers);
}

static int on_gone(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BusAnswer *a = userdata;

        log_debug("%s is gone before its answer", sd_bus_message_get_sender(a->call));
        give_up(a);
        return 0;
}

/* Without it the answer is prepared in vain, no more. */
static void watch_caller(BusAnswer *a) {
        const char *sender = sd_bus_message_get_sender(a->call);
        _cleanup_free_ char *match = NULL;

        if (!sender)
                return;
        if (asprintf(&match,
                            "type='signal',sender='org.freedesktop.DBus',"
                            "path='/org/freedesktop/DBus',interface='org.freedesktop.DBus',"
                            "member='NameOwnerChanged',arg0='%s',arg2=''",
                            sender) < 0) {
                match = NULL;
                return;
        }
        if (sd_bus_add_match_async(a->bus->bus, &a->gone, match, on_gone, NULL, a) < 0)
                log_debug("%s is not watched", sender);
}

static BusAnswer *answer_new(Bus *b, Device *d, sd_bus_message *call, sd_bus_message *reply) {
        BusAnswer *a = new0(BusAnswer, 1);

        if (!a)
                return NULL;
        *a = (BusAnswer){
                .bus = b,
                .device = d,
                .call = sd_bus_message_ref(call),
                .reply = sd_bus_message_ref(reply),
                .next = b->answers,
        };
        b->answers = a;
        b->n_answers++;
        return a;
}

int bus_answer_new(Bus *b, Device *d, sd_bus_message *call, BusAnswer **ret) {
        BusAnswer *a = answer_new(b, d, call, NULL);

        if (!a)
                return -ENOMEM;
        watch_caller(a);
        *ret = a;
        return 0;
}

static void warn(const BusAnswer *a, int r) {
        if (r < 0)
                (void)log_full(LOG_WARNING, NULL, r, "a call of %s could not be answered",
                                sd_bus_message_get_member(a->call));
}

void bus_answer_with_outcome(BusAnswer *a, Outcome outcome, const char *text) {
        warn(a, sd_bus_reply_method_return(a->call, "ss", outcome_info(outcome)->code, text));
        (void)bus_answer_free(a);
}

void bus_answer_done(BusAnswer *a, Outcome outcome, const Why *w) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        if (outcome == OUTCOME_DONE)
                warn(a, sd_bus_reply_method_return(a->call, NULL));
        else
                warn(a, sd_bus_reply_method_errno(a->call, bus_refuse(&error, outcome, w), &error));
        (void)bus_answer_free(a);
}

static void on_durable(int error, void *userdata) {
        BusAnswer *a = userdata;

        warn(a, sd_bus_message_send(a->reply));
        (void)bus_answer_free(a);
}

int bus_answer_when_durable(Bus *b, Device *d, sd_bus_message *call, sd_bus_message *reply) {
        BusAnswer *a = answer_new(b, d, call, reply);
        int r;

        if (!a)
                return -ENOMEM;
        r = device_when_durable(d, on_durable, a);
        if (r < 0)
                (void)bus_answer_free(a);
        return r;
}
