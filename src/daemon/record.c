/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Record: reading and writing by one table of members, so that nothing is written that is not
 * read, and the other way round; and the few changes that keep its promises (a bad digest is
 * never a backup). */
#include <assert.h>
#include <limits.h>

#include "basic/names.h"
#include "daemon/record.h"

#define WHERE "record"

typedef enum MemberType {
        MEMBER_NAME, /* printable ASCII of 1..64, "" is left out */
        MEMBER_ID,   /* as name_is_valid() */
        MEMBER_WORD, /* printable ASCII of 1..15 */
        MEMBER_VERSION,
        MEMBER_REASON,
        MEMBER_BOOL, /* false is left out */
        MEMBER_U64,
        MEMBER_U32,
        MEMBER_ADDRESS,
        MEMBER_TIME,
        MEMBER_PUSH,
        MEMBER_DIGEST,
        MEMBER_IMAGE,
        MEMBER_BAD,
        MEMBER_FORMAT,
} MemberType;

typedef struct Member {
        const char *key;
        MemberType type;
        size_t offset;
} Member;

static const Member record_members[];
static const Member image_members[];
static const Member bad_members[];

static int object_read(const Member *table, const json_t *o, const char *where, void *ret, Why *w);
static json_t *object_write(const Member *table, const void *value);

static int refuse_unknown(const Member *table, const json_t *o, const char *where, Why *w) {
        const char *key;
        json_t *value;

        json_object_foreach((json_t *)o, key, value) {
                const Member *m = table;

                while (m->key && !streq(m->key, key))
                        m++;
                if (!m->key)
                        return why(w, -EBADMSG, "%s: there is no member \"%.64s\" in format %d",
                                        where, key, RECORD_FORMAT);
        }
        return 0;
}

static size_t text_size(MemberType type) {
        switch (type) {
        case MEMBER_WORD:
                return sizeof(((Record *)0)->protocol);
        case MEMBER_VERSION:
                return VERSION_MAX + 1;
        case MEMBER_REASON:
                return sizeof(((RecordBad *)0)->reason);
        default:
                return NAME_MAX_LENGTH + 1;
        }
}

static int text_read(const Member *m, const json_t *o, const char *where, char *ret, Why *w) {
        const char *s = NULL;
        int r;

        r = json_get_string_opt(o, where, m->key, text_size(m->type) - 1, &s, w);
        if (r < 0)
                return r;
        if (m->type == MEMBER_ID && (!s || !name_is_valid(s)))
                return why(w, -EBADMSG,
                                "%s: \"%s\" has to be a name of 1 to %d characters "
                                "[A-Za-z0-9._-], no dot first",
                                where, m->key, NAME_MAX_LENGTH);
        if (s)
                memcpy(ret, s, strlen(s) + 1);
        return 0;
}

static int number_read(const Member *m, const json_t *o, const char *where, void *ret, Why *w) {
        uint64_t max = m->type == MEMBER_U32       ? UINT32_MAX
                       : m->type == MEMBER_ADDRESS ? 254
                                                   : INT64_MAX;
        uint64_t v = 0;
        int r;

        r = json_get_uint_opt(o, where, m->key, 0, max, &v, w);
        if (r < 0)
                return r;
        if (m->type == MEMBER_U64)
                *(uint64_t *)ret = v;
        else if (m->type == MEMBER_U32)
                *(uint32_t *)ret = (uint32_t)v;
        else if (m->type == MEMBER_ADDRESS)
                *(unsigned *)ret = (unsigned)v;
        else
                *(int64_t *)ret = (int64_t)v;
        return 0;
}

static int format_read(const json_t *o, const char *where, Why *w) {
        uint64_t format = 0;
        int r;

        r = json_get_uint(o, where, "format", 1, INT64_MAX, &format, w);
        if (r < 0)
                return r;
        if (format > RECORD_FORMAT)
                return why(w, -EOPNOTSUPP,
                                "%s: format %llu is newer than this program, which knows %d", where,
                                (unsigned long long)format, RECORD_FORMAT);
        return 0;
}

static int image_read(const Member *m, const json_t *o, RecordImage *ret, Why *w) {
        json_t *object = NULL;
        int r;

        r = json_get_object_opt(o, WHERE, m->key, &object, w);
        if (r < 0 || !object)
                return r;
        r = object_read(image_members, object, m->key, ret, w);
        if (r < 0)
                return r;
        ret->known = true;
        return 0;
}

static int bad_read(const Member *m, const json_t *o, Record *ret, Why *w) {
        json_t *array = NULL;
        int r;

        r = json_get_array_opt(o, WHERE, m->key, RECORD_BAD_MAX, &array, w);
        if (r < 0 || json_array_size(array) == 0)
                return r;
        ret->bad = new0(RecordBad, json_array_size(array));
        if (!ret->bad)
                return why_oom(w);
        for (size_t i = 0; i < json_array_size(array); i++) {
                const json_t *e = json_array_get(array, i);

                if (!json_is_object(e))
                        return why(w, -EBADMSG,
                                        WHERE ": element %zu of \"bad\" has to be an object", i);
                r = object_read(bad_members, e, "bad", ret->bad + i, w);
                if (r < 0)
                        return r;
                ret->n_bad++;
        }
        return 0;
}

static int member_read(const Member *m, const json_t *o, const char *where, void *ret, Why *w) {
        void *field = (char *)ret + m->offset;

        switch (m->type) {
        case MEMBER_FORMAT:
                return format_read(o, where, w);
        case MEMBER_BOOL:
                return json_get_bool_opt(o, where, m->key, field, w);
        case MEMBER_U64:
        case MEMBER_U32:
        case MEMBER_ADDRESS:
        case MEMBER_TIME:
                return number_read(m, o, where, field, w);
        case MEMBER_PUSH:
                return json_get_hex64_opt(o, where, m->key, field, w);
        case MEMBER_DIGEST:
                return json_get_sha256(o, where, m->key, field, w);
        case MEMBER_IMAGE:
                return image_read(m, o, field, w);
        case MEMBER_BAD:
                return bad_read(m, o, ret, w);
        default:
                return text_read(m, o, where, field, w);
        }
}

/* The format is the first member of its table: what a newer program wrote is not called damaged. */
static int object_read(const Member *table, const json_t *o, const char *where, void *ret, Why *w) {
        int r;

        for (const Member *m = table; m->key; m++) {
                r = member_read(m, o, where, ret, w);
                if (r < 0)
                        return r;
        }
        return refuse_unknown(table, o, where, w);
}

static json_t *number_write(const Member *m, const void *field) {
        uint64_t v;

        if (m->type == MEMBER_U64)
                v = MIN(*(const uint64_t *)field, (uint64_t)INT64_MAX);
        else if (m->type == MEMBER_U32)
                v = *(const uint32_t *)field;
        else if (m->type == MEMBER_ADDRESS)
                v = *(const unsigned *)field;
        else
                v = (uint64_t)MAX(*(const int64_t *)field, 0);
        return v == 0 ? json_null() : json_integer((json_int_t)v);
}

static json_t *digest_write(const Sha256 *digest) {
        char hex[SHA256_HEX];

        sha256_to_hex(digest, hex);
        return json_string(hex);
}

static json_t *bad_write(const Record *r) {
        _cleanup_json_ json_t *array = json_array();

        for (size_t i = 0; array && i < r->n_bad; i++)
                if (json_array_append_new(array, object_write(bad_members, r->bad + i)) < 0)
                        return NULL;
        return TAKE_PTR(array);
}

static json_t *member_write(const Member *m, const void *value) {
        const void *field = (const char *)value + m->offset;

        switch (m->type) {
        case MEMBER_FORMAT:
                return json_integer(RECORD_FORMAT);
        case MEMBER_BOOL:
                return *(const bool *)field ? json_true() : json_null();
        case MEMBER_U64:
        case MEMBER_U32:
        case MEMBER_ADDRESS:
        case MEMBER_TIME:
                return number_write(m, field);
        case MEMBER_PUSH:
                return *(const uint64_t *)field ? json_hex64(*(const uint64_t *)field)
                                                : json_null();
        case MEMBER_DIGEST:
                return digest_write(field);
        case MEMBER_IMAGE:
                return ((const RecordImage *)field)->known ? object_write(image_members, field)
                                                           : json_null();
        case MEMBER_BAD:
                return bad_write(value);
        default:
                return *(const char *)field ? json_string(field) : json_null();
        }
}

/* What has the value that a missing member stands for is left out. */
static json_t *object_write(const Member *table, const void *value) {
        _cleanup_json_ json_t *o = json_object();

        for (const Member *m = table; o && m->key; m++) {
                json_t *v = member_write(m, value);

                if (json_is_null(v))
                        continue;
                if (json_object_set_new(o, m->key, v) < 0)
                        return NULL;
        }
        return TAKE_PTR(o);
}

int record_new(const char *id, Record **ret) {
        Record *r;

        if (!name_is_valid(id))
                return -EINVAL;
        r = new0(Record, 1);
        if (!r)
                return -ENOMEM;
        memcpy(r->id, id, strlen(id) + 1);
        *ret = r;
        return 0;
}

Record *record_free(Record *r) {
        if (!r)
                return NULL;
        free(r->bad);
        free(r);
        return NULL;
}

Record *record_copy(const Record *r) {
        _cleanup_(record_freep) Record *c = new0(Record, 1);

        if (!c)
                return NULL;
        *c = *r;
        c->bad = NULL;
        c->n_bad = 0;
        if (r->n_bad > 0) {
                c->bad = new0(RecordBad, r->n_bad);
                if (!c->bad)
                        return NULL;
                memcpy(c->bad, r->bad, r->n_bad * sizeof(RecordBad));
                c->n_bad = r->n_bad;
        }
        return TAKE_PTR(c);
}

/* What the record itself promises, and a hand that edits it may break. */
static int check_promises(const Record *r, Why *w) {
        const RecordImage *const held[] = { &r->backup, &r->previous };

        if (r->floor[0] && !version_is_valid(r->floor))
                return why(w, -EBADMSG, WHERE ": \"floor\" is \"%s\"; it has to be a version",
                                r->floor);
        for (size_t i = 0; i < ELEMENTSOF(held); i++)
                if (held[i]->known && record_is_bad(r, &held[i]->digest))
                        return why(w, -EBADMSG,
                                        WHERE ": %s \"%s\" is on the list of bad programs; "
                                              "such a program cannot be held",
                                        i == 0 ? "backup" : "previous", held[i]->version);
        return 0;
}

int record_parse(const char *bytes, size_t n, Record **ret, Why *w) {
        _cleanup_(record_freep) Record *record = NULL;
        _cleanup_json_ json_t *o = NULL;
        int r;

        if (n > RECORD_MAX)
                return why(w, -EBADMSG, WHERE ": %zu bytes; %d are allowed", n, RECORD_MAX);
        r = json_parse(bytes, n, &o, w);
        if (r < 0)
                return why_prefix(w, r, WHERE);
        if (!json_is_object(o))
                return why(w, -EBADMSG, WHERE ": it has to be an object");
        record = new0(Record, 1);
        if (!record)
                return why_oom(w);
        r = object_read(record_members, o, WHERE, record, w);
        if (r == 0)
                r = check_promises(record, w);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(record);
        return 0;
}

char *record_print(const Record *r) {
        _cleanup_json_ json_t *o = object_write(record_members, r);

        return o ? json_print(o) : NULL;
}

bool record_is_claimed_twice(const Record *r) {
        return r->identity_changed && streq(r->claimed_model, r->model) &&
               streq(r->claimed_serial, r->serial);
}

bool record_is_bad(const Record *r, const Sha256 *digest) {
        for (size_t i = 0; i < r->n_bad; i++)
                if (sha256_equal(&r->bad[i].digest, digest))
                        return true;
        return false;
}

static void remove_bad(Record *r, size_t i) {
        memmove(r->bad + i, r->bad + i + 1, (r->n_bad - i - 1) * sizeof(RecordBad));
        r->n_bad--;
}

int record_add_bad(Record *r, const Sha256 *digest, const char *version, const char *reason,
                int64_t now) {
        RecordBad *p;

        p = realloc(r->bad, (r->n_bad + 1) * sizeof(RecordBad));
        if (!p)
                return -ENOMEM;
        r->bad = p;
        (void)record_clear_bad(r, digest);
        if (r->n_bad >= RECORD_BAD_MAX)
                remove_bad(r, 0);
        p = r->bad + r->n_bad++;
        *p = (RecordBad){ .digest = *digest, .since = now };
        (void)snprintf(p->version, sizeof(p->version), "%s", version);
        (void)snprintf(p->reason, sizeof(p->reason), "%s", reason);
        if (r->backup.known && sha256_equal(&r->backup.digest, digest))
                r->backup = (RecordImage){ 0 };
        if (r->previous.known && sha256_equal(&r->previous.digest, digest))
                r->previous = (RecordImage){ 0 };
        return 0;
}

size_t record_clear_bad(Record *r, const Sha256 *digest) {
        size_t before = r->n_bad;

        for (size_t i = r->n_bad; i-- > 0;)
                if (!digest || sha256_equal(&r->bad[i].digest, digest))
                        remove_bad(r, i);
        return before - r->n_bad;
}

void record_pass_over(Record *r, const char *version, const char *by) {
        if (version_is_valid(r->passed_over) && version_compare(r->passed_over, version) > 0)
                return;
        (void)snprintf(r->passed_over, sizeof(r->passed_over), "%s", version);
        (void)snprintf(r->passed_over_by, sizeof(r->passed_over_by), "%s", by);
}

void record_end_pass_over(Record *r) {
        r->passed_over[0] = r->passed_over_by[0] = '\0';
}

void record_confirm(Record *r, const RecordImage *candidate, const char *floor) {
        assert(candidate->known);
        /* A restored backup, or the same confirm once more after a crash. */
        if (r->backup.known && sha256_equal(&r->backup.digest, &candidate->digest))
                return;
        if (floor && version_is_valid(floor) &&
                        (!r->floor[0] || version_compare(floor, r->floor) > 0))
                (void)snprintf(r->floor, sizeof(r->floor), "%s", floor);
        if (record_is_bad(r, &candidate->digest))
                return;
        if (r->backup.known && !record_is_bad(r, &r->backup.digest))
                r->previous = r->backup;
        else if (r->previous.known && sha256_equal(&r->previous.digest, &candidate->digest))
                r->previous = (RecordImage){ 0 };
        r->backup = *candidate;
}

void record_confirm_previous(Record *r) {
        if (!r->previous.known)
                return;
        r->backup = r->previous;
        r->previous = (RecordImage){ 0 };
}

static const Member image_members[] = {
        { "version", MEMBER_VERSION, offsetof(RecordImage, version) },
        { "sha256", MEMBER_DIGEST, offsetof(RecordImage, digest) },
        { "length", MEMBER_U64, offsetof(RecordImage, length) },
        { "declared", MEMBER_BOOL, offsetof(RecordImage, declared) },
        { "since", MEMBER_TIME, offsetof(RecordImage, since) },
        { NULL },
};

static const Member bad_members[] = {
        { "sha256", MEMBER_DIGEST, offsetof(RecordBad, digest) },
        { "version", MEMBER_VERSION, offsetof(RecordBad, version) },
        { "reason", MEMBER_REASON, offsetof(RecordBad, reason) },
        { "since", MEMBER_TIME, offsetof(RecordBad, since) },
        { NULL },
};

static const Member record_members[] = {
        { "format", MEMBER_FORMAT, 0 },
        { "id", MEMBER_ID, offsetof(Record, id) },
        { "model", MEMBER_NAME, offsetof(Record, model) },
        { "hardware", MEMBER_NAME, offsetof(Record, hardware) },
        { "serial", MEMBER_NAME, offsetof(Record, serial) },
        { "bootloader-version", MEMBER_NAME, offsetof(Record, bootloader_version) },
        { "port", MEMBER_NAME, offsetof(Record, port) },
        { "address", MEMBER_ADDRESS, offsetof(Record, address) },
        { "protocol", MEMBER_WORD, offsetof(Record, protocol) },
        { "program-space", MEMBER_U64, offsetof(Record, program_space) },
        { "capabilities", MEMBER_U32, offsetof(Record, capabilities) },
        { "running", MEMBER_IMAGE, offsetof(Record, running) },
        { "backup", MEMBER_IMAGE, offsetof(Record, backup) },
        { "previous", MEMBER_IMAGE, offsetof(Record, previous) },
        { "bad", MEMBER_BAD, 0 },
        { "floor", MEMBER_VERSION, offsetof(Record, floor) },
        { "hold", MEMBER_BOOL, offsetof(Record, hold) },
        { "identity-changed", MEMBER_BOOL, offsetof(Record, identity_changed) },
        { "claimed-model", MEMBER_NAME, offsetof(Record, claimed_model) },
        { "claimed-serial", MEMBER_NAME, offsetof(Record, claimed_serial) },
        { "foreign-push", MEMBER_BOOL, offsetof(Record, foreign_push) },
        { "push-id", MEMBER_PUSH, offsetof(Record, push_id) },
        { "approved", MEMBER_VERSION, offsetof(Record, approved) },
        { "passed-over", MEMBER_VERSION, offsetof(Record, passed_over) },
        { "passed-over-by", MEMBER_REASON, offsetof(Record, passed_over_by) },
        { "stranded-since", MEMBER_TIME, offsetof(Record, stranded_since) },
        { "stranded-tries", MEMBER_U64, offsetof(Record, stranded_tries) },
        { "erase-day", MEMBER_TIME, offsetof(Record, erase_day) },
        { "erases", MEMBER_U64, offsetof(Record, erases) },
        { "last-seen", MEMBER_TIME, offsetof(Record, last_seen) },
        { NULL },
};
