/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The properties of a device: one getter each, and what to tell when: a digest of every value is
 * kept, and only what differs goes out. */
#include "daemon/bus-property.h"
#include "basic/log.h"
#include "basic/names.h"
#include "daemon/bus-private.h"

#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME  UINT64_C(0x100000001b3)

typedef struct BusValue {
        const char *s; /* type s */
        uint64_t u;    /* types b, u and t */
        const Record *bad;
        char text[WHY_MAX]; /* room for strings that are made here */
} BusValue;

typedef struct BusProperty {
        const char *name, *type;
        void (*get)(const Device *d, BusValue *v);
        bool quiet;
} BusProperty;

enum {
        QUIET_CONST = true,
        QUIET_QUIET = true,
        QUIET_CHANGES = false,
};

#define GET_TEXT(name, expression)                                                                 \
        static void get_##name(const Device *d, BusValue *v) {                                     \
                v->s = (expression);                                                               \
        }
#define GET_NUMBER(name, expression)                                                               \
        static void get_##name(const Device *d, BusValue *v) {                                     \
                v->u = (uint64_t)(expression);                                                     \
        }
#define GET_DIGEST(name, image)                                                                    \
        static void get_##name(const Device *d, BusValue *v) {                                     \
                if (d->record->image.known)                                                        \
                        sha256_to_hex(&d->record->image.digest, v->text);                          \
        }
#define GET_VERSION(name, image)                                                                   \
        GET_TEXT(name, d->record->image.known ? d->record->image.version : "")

GET_TEXT(id, d->record->id)
GET_TEXT(model, d->record->model[0] || !d->config || !d->config->model ? d->record->model
                                                                       : d->config->model)
GET_TEXT(hardware, d->record->hardware)
GET_TEXT(serial, d->record->serial)
GET_TEXT(bootloader_version, d->record->bootloader_version)
GET_TEXT(port, d->port ? d->port->config->name : d->record->port)
GET_NUMBER(address, d->record->address)
GET_TEXT(protocol, d->record->protocol)
GET_NUMBER(program_space, d->record->program_space)
GET_NUMBER(present, d->present)
GET_NUMBER(last_seen, MAX(d->record->last_seen, 0))
GET_TEXT(state, device_state(d))
GET_TEXT(device_state, d->known ? device_state_to_string(d->identity.state) : "")
GET_TEXT(health, d->known ? device_health_to_string(d->identity.health) : "")
GET_NUMBER(unhealthy, d->unhealthy.text[0] != '\0')
GET_NUMBER(stranded, d->record->stranded_since > 0)
GET_VERSION(backup_version, backup)
GET_DIGEST(backup_digest, backup)
GET_NUMBER(backup_verified, d->record->backup.known && !d->record->backup.declared)
GET_VERSION(previous_version, previous)
GET_DIGEST(previous_digest, previous)
GET_TEXT(floor, d->record->floor)
GET_NUMBER(hold, d->record->hold)
GET_TEXT(approved, d->record->approved)
GET_TEXT(passed_over, d->record->passed_over)
GET_NUMBER(identity_changed, d->record->identity_changed)
GET_TEXT(claimed_model, d->record->claimed_model)
GET_TEXT(claimed_serial, d->record->claimed_serial)
GET_NUMBER(foreign_push, d->record->foreign_push)
GET_TEXT(kind, d->update ? update_kind_to_string(d->update->kind) : "")
GET_TEXT(candidate, d->update && d->update->candidate ? d->update->candidate->version : "")
GET_TEXT(pushing, d->update ? update_role_to_string(d->update->role) : "")
GET_TEXT(waiting, d->update && d->update->state == UPDATE_WAITING
                                  ? outcome_info(d->update->wait)->code
                                  : "")
GET_NUMBER(progress, d->update ? d->update->permille : 0)
GET_NUMBER(phase_done, d->update ? d->update->progress.done_bytes : 0)
GET_NUMBER(phase_total, d->update ? d->update->progress.total_bytes : 0)
GET_NUMBER(rate, d->update ? d->update->rate_bytes : 0)
GET_NUMBER(time_left, d->update ? d->update->left_seconds : 0)
GET_TEXT(outcome, d->last_time > 0 ? outcome_info(d->last_outcome)->code : "")
GET_TEXT(outcome_text, d->last_text.text)
GET_NUMBER(outcome_time, MAX(d->last_time, 0))
GET_TEXT(verdict, d->verdict.outcome != OUTCOME_DONE || d->verdict.why.text[0]
                                  ? outcome_info(d->verdict.outcome)->code
                                  : "")
GET_TEXT(verdict_text, d->verdict.why.text)

/* Of what was pushed last, and is not confirmed yet. */
static bool is_trial_running(const Device *d) {
        return d->known && d->present && !d->identity.in_bootloader &&
               d->identity.state == DEVICE_TRIAL;
}

static void get_running_version(const Device *d, BusValue *v) {
        if (is_trial_running(d))
                v->s = d->identity.version;
        else if (d->record->running.known)
                v->s = d->record->running.version;
}

static void get_running_digest(const Device *d, BusValue *v) {
        if (is_trial_running(d))
                sha256_to_hex(&d->identity.digest, v->text);
        else if (d->record->running.known)
                sha256_to_hex(&d->record->running.digest, v->text);
}

/* What the device told before a push is over with its first byte. */
static void get_running_state(const Device *d, BusValue *v) {
        const Update *u = d->update;

        if (!d->known || !d->present)
                v->s = "";
        else if (d->identity.in_bootloader || (u && u->state == UPDATE_PUSHING && u->touched))
                v->s = "none";
        else
                v->s = is_trial_running(d) ? "trial" : "runs";
}

static void get_state_text(const Device *d, BusValue *v) {
        Why w = {};

        device_state_text(d, &w);
        (void)snprintf(v->text, sizeof(v->text), "%s", w.text);
}

/* What the driver does where it does something, else the state of the update. */
static void get_phase(const Device *d, BusValue *v) {
        const Update *u = d->update;

        if (!u)
                return;
        if (u->state == UPDATE_PUSHING && u->progress.phase != DRIVER_PHASE_IDLE)
                v->s = driver_phase_to_string(u->progress.phase);
        else
                v->s = update_state_to_string(u->state);
}

static void get_bad(const Device *d, BusValue *v) {
        v->bad = d->record;
}

#define ROW(name, type, getter, when) { name, type, get_##getter, QUIET_##when },
static const BusProperty properties[] = { BUS_DEVICE_PROPERTIES(ROW) };
#undef ROW

_Static_assert(ELEMENTSOF(properties) <= BUS_PROPERTIES_MAX, "BUS_PROPERTIES_MAX is too small");

/* Strings of devices are printable already; this is the last line of defence, since one odd byte
 * would make the whole object unreadable. */
static void make_harmless(BusValue *v) {
        _cleanup_free_ char *escaped = NULL;

        if (!v->s)
                v->s = v->text;
        if (text_is_printable(v->s, WHY_MAX))
                return;
        escaped = text_escape(v->s, strlen(v->s), WHY_MAX - 4);
        (void)snprintf(v->text, sizeof(v->text), "%s", escaped ? escaped : "");
        v->s = v->text;
}

static void get(const BusProperty *p, const Device *d, BusValue *v) {
        *v = (BusValue){};
        p->get(d, v);
        if (p->type[0] == 's')
                make_harmless(v);
}

/* FNV-1a (draft-eastlake-fnv): equal values must compare equal, nobody attacks this. */
static uint64_t mix(uint64_t h, const void *bytes, size_t n) {
        const uint8_t *p = bytes;

        for (size_t i = 0; i < n; i++)
                h = (h ^ p[i]) * FNV_PRIME;
        return h;
}

static uint64_t digest_of(const BusValue *v) {
        uint64_t h = FNV_OFFSET;

        if (v->bad) {
                for (size_t i = 0; i < v->bad->n_bad; i++) {
                        h = mix(h, &v->bad->bad[i].digest, sizeof(Sha256));
                        h = mix(h, &v->bad->bad[i].since, sizeof(int64_t));
                }
                return h;
        }
        return v->s ? mix(h, v->s, strlen(v->s)) : mix(h, &v->u, sizeof(v->u));
}

static int append_bad(sd_bus_message *reply, const Record *r) {
        int k;

        k = sd_bus_message_open_container(reply, 'a', "(ssst)");
        for (size_t i = 0; k >= 0 && i < r->n_bad; i++) {
                const RecordBad *bad = r->bad + i;
                BusValue reason = { .s = bad->reason };
                char digest[SHA256_HEX];

                sha256_to_hex(&bad->digest, digest);
                make_harmless(&reason);
                k = sd_bus_message_append(reply, "(ssst)", digest, bad->version, reason.s,
                                (uint64_t)MAX(bad->since, 0));
        }
        return k < 0 ? k : sd_bus_message_close_container(reply);
}

static int append(sd_bus_message *reply, const BusProperty *p, const BusValue *v) {
        switch (p->type[0]) {
        case 's':
                return sd_bus_message_append(reply, "s", v->s);
        case 'b':
                return sd_bus_message_append(reply, "b", v->u != 0);
        case 'u':
                return sd_bus_message_append(reply, "u", (uint32_t)v->u);
        case 't':
                return sd_bus_message_append(reply, "t", v->u);
        default:
                return append_bad(reply, v->bad);
        }
}

int bus_device_property_get(sd_bus *bus, const char *path, const char *interface,
                const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        BusValue v;

        for (size_t i = 0; i < ELEMENTSOF(properties); i++)
                if (streq(properties[i].name, property)) {
                        get(properties + i, userdata, &v);
                        return append(reply, properties + i, &v);
                }
        return -ENOENT;
}

void bus_device_mark_told(BusDevice *bd) {
        BusValue v;

        bd->changed = bd->progressed = false;
        for (size_t i = 0; i < ELEMENTSOF(properties); i++) {
                get(properties + i, bd->device, &v);
                bd->told[i] = digest_of(&v);
        }
}

void bus_device_emit(Bus *b, BusDevice *bd) {
        char *names[ELEMENTSOF(properties) + 1];
        size_t n = 0;
        BusValue v;
        int r;

        bd->changed = bd->progressed = false;
        for (size_t i = 0; i < ELEMENTSOF(properties); i++) {
                uint64_t digest;

                if (properties[i].quiet)
                        continue;
                get(properties + i, bd->device, &v);
                digest = digest_of(&v);
                if (digest == bd->told[i])
                        continue;
                bd->told[i] = digest;
                names[n++] = (char *)properties[i].name;
        }
        if (n == 0)
                return;
        names[n] = NULL;
        r = sd_bus_emit_properties_changed_strv(b->bus, bd->path, BUS_DEVICE, names);
        if (r < 0)
                (void)log_full(LOG_WARNING, device_id(bd->device), r,
                                "changes could not be told over the bus");
}
