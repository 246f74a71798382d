/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The record of a device: what is written is read again, what is odd is refused by name, and a
 * bad digest is never held. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>

#include "basic/file.h"
#include "daemon/record.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000"

static Sha256 digest(uint8_t c) {
        Sha256 d;

        memset(d.bytes, c, sizeof(d.bytes));
        return d;
}

static RecordImage image(const char *version, uint8_t c) {
        RecordImage i = { .known = true, .digest = digest(c), .length = 1000, .since = 1700000000 };

        (void)snprintf(i.version, sizeof(i.version), "%s", version);
        return i;
}

static int setup(void **state) {
        Record *r = NULL;

        if (record_new("boiler", &r) < 0)
                return -1;
        *state = r;
        return 0;
}

static int teardown(void **state) {
        record_free(*state);
        return 0;
}

static void fill(Record *r) {
        Sha256 bad = digest(9);

        strcpy(r->model, "boiler-ctl");
        strcpy(r->hardware, "B");
        strcpy(r->serial, "0042 / \"x\" \\ y");
        strcpy(r->bootloader_version, "1.0");
        strcpy(r->port, "ttyS1");
        r->address = 254;
        strcpy(r->protocol, "native");
        r->program_space = 229376;
        r->capabilities = UINT32_MAX;
        r->running = image("2.0.0", 2);
        r->backup = image("2.0.0", 2);
        r->previous = image("1.0.0", 1);
        r->previous.declared = true;
        assert_int_equal(record_add_bad(r, &bad, "3.0.0", "watchdog: 3 starts used up", 1700000001),
                        0);
        strcpy(r->floor, "1.0.0");
        r->hold = r->identity_changed = r->foreign_push = true;
        r->push_id = UINT64_MAX;
        strcpy(r->claimed_model, "other");
        strcpy(r->claimed_serial, "0043");
        strcpy(r->approved, "4.0.0-rc.1+b");
        strcpy(r->passed_over, "4.0.0");
        strcpy(r->passed_over_by, "since 2.0.0 was asked for");
        r->stranded_since = 1700000002;
        r->stranded_tries = 5;
        r->erase_day = 19700;
        r->erases = 7;
        r->last_seen = INT64_MAX;
}

/* Two records are the same when they print the same and all of their fixed part is. */
static void assert_same(const Record *a, const Record *b) {
        Record x = *a, y = *b;

        assert_int_equal(x.n_bad, y.n_bad);
        for (size_t i = 0; i < x.n_bad; i++)
                assert_memory_equal(x.bad + i, y.bad + i, sizeof(RecordBad));
        x.bad = y.bad = NULL;
        assert_memory_equal(&x, &y, sizeof(x));
}

static void full_record_survives_the_round_trip(void **state) {
        Record *r = *state, *again = NULL;
        char *text;
        Why w;

        fill(r);
        text = record_print(r);
        assert_non_null(text);
        assert_int_equal(record_parse(text, strlen(text), &again, &w), 0);
        assert_same(r, again);
        free(text);
        record_free(again);
}

static void empty_record_survives_the_round_trip(void **state) {
        Record *r = *state, *again = NULL;
        char *text = record_print(r);

        assert_string_equal(text, "{\"bad\":[],\"format\":1,\"id\":\"boiler\"}");
        assert_int_equal(record_parse(text, strlen(text), &again, NULL), 0);
        assert_same(r, again);
        free(text);
        record_free(again);
}

/* Each member that is written has its word in rekindle-state(5). */
static void every_member_is_described(void **state) {
        Record *r = *state;
        json_t *o = NULL, *value;
        char path[512], *text, *page = NULL;
        const char *key;
        size_t n;

        (void)snprintf(path, sizeof(path), "%s/man/rekindle-state.5",
                        getenv("REKINDLE_SOURCE") ?: ".");
        assert_int_equal(file_read(AT_FDCWD, path, 1 << 20, &page, &n), 0);
        fill(r);
        text = record_print(r);
        assert_int_equal(json_parse(text, strlen(text), &o, NULL), 0);
        assert_int_equal(json_object_size(o), 30);
        json_object_foreach(o, key, value) {
                char word[64];

                (void)snprintf(word, sizeof(word), streq(key, "format") ? ".Ql %s" : " %s", key);
                if (!strstr(page, word))
                        fail_msg("rekindle-state(5) lacks the member %s", key);
        }
        json_decref(o);
        free(text);
        free(page);
}

static void copy_is_equal_and_apart(void **state) {
        Record *r = *state, *copy;

        fill(r);
        copy = record_copy(r);
        assert_non_null(copy);
        assert_same(r, copy);
        assert_ptr_not_equal(r->bad, copy->bad);
        assert_int_equal(record_clear_bad(copy, NULL), 1);
        assert_int_equal(r->n_bad, 1);
        record_free(copy);
}

static const struct {
        const char *text, *says;
        int error;
} evil[] = {
        { "", "no JSON", -EBADMSG },
        { "[]", "has to be an object", -EBADMSG },
        { "{}", "\"format\" is missing", -EBADMSG },
        { "{\"format\":1}", "\"id\" has to be a name", -EBADMSG },
        { "{\"format\":2,\"id\":\"a\",\"new\":1}", "format 2 is newer", -EOPNOTSUPP },
        { "{\"format\":\"1\",\"id\":\"a\"}", "\"format\" is a string", -EBADMSG },
        { "{\"format\":1,\"id\":\"../a\"}", "\"id\"", -EBADMSG },
        { "{\"format\":1,\"id\":\"a\",\"id\":\"b\"}", "duplicate", -EBADMSG },
        { "{\"format\":1,\"id\":\"a\",\"colour\":\"red\"}", "no member \"colour\"", -EBADMSG },
        { "{\"format\":1,\"id\":\"a\",\"address\":255}", "\"address\" is 255", -EBADMSG },
        { "{\"format\":1,\"id\":\"a\",\"last-seen\":-1}", "\"last-seen\" is -1", -EBADMSG },
        { "{\"format\":1,\"id\":\"a\",\"erases\":1.5}", "\"erases\"", -EBADMSG },
        { "{\"format\":1,\"id\":\"a\",\"hold\":1}", "\"hold\"", -EBADMSG },
        { "{\"format\":1,\"id\":\"a\",\"push-id\":\"12\"}", "\"push-id\"", -EBADMSG },
        { "{\"format\":1,\"id\":\"a\",\"capabilities\":4294967296}", "\"capabilities\"", -EBADMSG },
        { "{\"format\":1,\"id\":\"a\",\"model\":\"\\u0007\"}", "\"model\"", -EBADMSG },
        { "{\"format\":1,\"id\":\"a\",\"floor\":\"new\"}", "\"floor\" is \"new\"", -EBADMSG },
        { "{\"format\":1,\"id\":\"a\",\"backup\":{}}", "\"sha256\" is missing", -EBADMSG },
        { "{\"format\":1,\"id\":\"a\",\"backup\":{\"sha256\":\"00\"}}", "\"sha256\"", -EBADMSG },
        { "{\"format\":1,\"id\":\"a\",\"backup\":[]}", "\"backup\" is an array", -EBADMSG },
        { "{\"format\":1,\"id\":\"a\",\"bad\":[1]}", "element 0 of \"bad\"", -EBADMSG },
        { "{\"format\":1,\"id\":\"a\",\"running\":{\"sha256\":\"" ZEROS "000000\",\"path\":\"/\"}}",
                        "no member \"path\"", -EBADMSG },
        { "{\"format\":1,\"id\":\"a\",\"backup\":{\"sha256\":\"" ZEROS
          "000000\"},\"bad\":[{\"sha256\":\"" ZEROS "000000\"}]}",
                        "on the list of bad programs", -EBADMSG },
};

static void evil_records_are_refused(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(evil); i++) {
                Record *r = NULL;
                Why w = { "" };

                assert_int_equal(record_parse(evil[i].text, strlen(evil[i].text), &r, &w),
                                evil[i].error);
                assert_null(r);
                if (!strstr(w.text, evil[i].says))
                        fail_msg("case %zu says \"%s\", not \"%s\"", i, w.text, evil[i].says);
        }
}

static void texts_longer_than_their_field_are_refused(void **state) {
        static const struct {
                const char *key;
                size_t max;
        } cases[] = {
                { "model", 64 },
                { "hardware", 64 },
                { "serial", 64 },
                { "port", 64 },
                { "protocol", 15 },
                { "approved", 48 },
                { "passed-over", 48 },
                { "passed-over-by", 95 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                for (size_t over = 0; over < 2; over++) {
                        char value[100] = "", text[200];
                        Record *r = NULL;
                        int n;

                        memset(value, 'x', cases[i].max + over);
                        n = snprintf(text, sizeof(text),
                                        "{\"format\":1,\"id\":\"a\",\"%s\":\"%s\"}", cases[i].key,
                                        value);
                        assert_int_equal(record_parse(text, (size_t)n, &r, NULL),
                                        over ? -EBADMSG : 0);
                        record_free(r);
                }
}

static void names_that_are_no_ids_make_no_record(void **state) {
        Record *r = NULL;

        assert_int_equal(record_new("", &r), -EINVAL);
        assert_int_equal(record_new(".hidden", &r), -EINVAL);
        assert_int_equal(record_new("a/b", &r), -EINVAL);
        assert_null(r);
}

static void the_highest_version_that_was_passed_over_counts(void **state) {
        Record *r = *state;

        record_pass_over(r, "1.5.0", "first");
        record_pass_over(r, "1.4.0", "lower");
        assert_string_equal(r->passed_over, "1.5.0");
        assert_string_equal(r->passed_over_by, "first");
        record_pass_over(r, "1.10.0", "higher");
        assert_string_equal(r->passed_over, "1.10.0");
        record_end_pass_over(r);
        assert_string_equal(r->passed_over, "");
        assert_string_equal(r->passed_over_by, "");
}

static void bad_digest_is_known_until_cleared(void **state) {
        Record *r = *state;
        Sha256 a = digest(1), b = digest(2);

        assert_false(record_is_bad(r, &a));
        assert_int_equal(record_add_bad(r, &a, "1.0.0", "crash", 5), 0);
        assert_true(record_is_bad(r, &a));
        assert_false(record_is_bad(r, &b));
        assert_int_equal(record_clear_bad(r, &b), 0);
        assert_int_equal(record_clear_bad(r, &a), 1);
        assert_false(record_is_bad(r, &a));
}

static void same_bad_digest_is_kept_once_with_the_newest_reason(void **state) {
        Record *r = *state;
        Sha256 a = digest(1), b = digest(2);

        assert_int_equal(record_add_bad(r, &a, "1.0.0", "crash", 5), 0);
        assert_int_equal(record_add_bad(r, &b, "2.0.0", "hang", 6), 0);
        assert_int_equal(record_add_bad(r, &a, "1.0.0", "sick", 7), 0);
        assert_int_equal(r->n_bad, 2);
        assert_string_equal(r->bad[1].reason, "sick");
        assert_int_equal(r->bad[1].since, 7);
}

static void oldest_bad_digest_falls_out(void **state) {
        Record *r = *state;
        Sha256 first = digest(0), second = digest(1);

        for (unsigned i = 0; i <= RECORD_BAD_MAX; i++) {
                Sha256 d = digest((uint8_t)i);

                assert_int_equal(record_add_bad(r, &d, "1.0.0", "crash", i), 0);
        }
        assert_int_equal(r->n_bad, RECORD_BAD_MAX);
        assert_false(record_is_bad(r, &first));
        assert_true(record_is_bad(r, &second));
}

static void reason_longer_than_its_field_is_cut(void **state) {
        Record *r = *state;
        char reason[200] = "";
        Sha256 a = digest(1);

        memset(reason, 'r', sizeof(reason) - 1);
        assert_int_equal(record_add_bad(r, &a, "1.0.0", reason, 5), 0);
        assert_int_equal(strlen(r->bad[0].reason), sizeof(r->bad[0].reason) - 1);
}

static void bad_digest_leaves_backup_and_previous(void **state) {
        Record *r = *state;
        Sha256 two = digest(2), one = digest(1);

        r->backup = image("2.0.0", 2);
        r->previous = image("1.0.0", 1);
        assert_int_equal(record_add_bad(r, &two, "2.0.0", "crash", 5), 0);
        assert_false(r->backup.known);
        assert_true(r->previous.known);
        assert_int_equal(record_add_bad(r, &one, "1.0.0", "crash", 6), 0);
        assert_false(r->previous.known);
}

static void confirm_makes_the_backup_the_previous(void **state) {
        Record *r = *state;
        RecordImage one = image("1.0.0", 1), two = image("2.0.0", 2), three = image("3.0.0", 3);

        record_confirm(r, &one, NULL);
        assert_memory_equal(&r->backup, &one, sizeof(one));
        assert_false(r->previous.known);
        record_confirm(r, &two, NULL);
        assert_memory_equal(&r->previous, &one, sizeof(one));
        record_confirm(r, &three, NULL);
        assert_memory_equal(&r->backup, &three, sizeof(three));
        assert_memory_equal(&r->previous, &two, sizeof(two));
}

static void confirm_of_the_backup_changes_nothing(void **state) {
        Record *r = *state, before;
        RecordImage again = image("2.0.0", 2);

        r->backup = image("2.0.0", 2);
        r->previous = image("1.0.0", 1);
        before = *r;
        again.since++;
        record_confirm(r, &again, "2.0.0");
        assert_memory_equal(r, &before, sizeof(before));
}

static void confirm_of_the_former_previous_keeps_both(void **state) {
        Record *r = *state;
        RecordImage one = image("1.0.0", 1), two = image("2.0.0", 2);

        r->backup = two;
        r->previous = one;
        record_confirm(r, &one, NULL);
        assert_memory_equal(&r->backup, &one, sizeof(one));
        assert_memory_equal(&r->previous, &two, sizeof(two));
}

static void confirm_of_previous_without_a_backup_holds_it_once(void **state) {
        Record *r = *state;
        RecordImage one = image("1.0.0", 1);

        r->previous = one;
        record_confirm(r, &one, NULL);
        assert_true(r->backup.known);
        assert_false(r->previous.known);
}

static void bad_program_is_never_made_the_backup(void **state) {
        Record *r = *state;
        RecordImage one = image("1.0.0", 1), two = image("2.0.0", 2);

        r->backup = one;
        assert_int_equal(record_add_bad(r, &two.digest, "2.0.0", "crash", 5), 0);
        record_confirm(r, &two, NULL);
        assert_memory_equal(&r->backup, &one, sizeof(one));
        assert_false(r->previous.known);
}

static void floor_rises_and_never_falls(void **state) {
        Record *r = *state;
        RecordImage one = image("1.0.0", 1), two = image("2.0.0", 2), three = image("3.0.0", 3);

        record_confirm(r, &one, "0.9.0");
        assert_string_equal(r->floor, "0.9.0");
        record_confirm(r, &two, "0.10.0");
        assert_string_equal(r->floor, "0.10.0");
        record_confirm(r, &three, "0.9.9");
        assert_string_equal(r->floor, "0.10.0");
}

static void confirmed_previous_becomes_the_backup_once(void **state) {
        Record *r = *state;
        RecordImage one = image("1.0.0", 1);

        r->backup = image("2.0.0", 2);
        r->previous = one;
        record_confirm_previous(r);
        record_confirm_previous(r); /* the same again, after a crash */
        assert_memory_equal(&r->backup, &one, sizeof(one));
        assert_false(r->previous.known);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                TEST(full_record_survives_the_round_trip),
                TEST(empty_record_survives_the_round_trip),
                TEST(every_member_is_described),
                TEST(copy_is_equal_and_apart),
                cmocka_unit_test(evil_records_are_refused),
                cmocka_unit_test(texts_longer_than_their_field_are_refused),
                cmocka_unit_test(names_that_are_no_ids_make_no_record),
                TEST(the_highest_version_that_was_passed_over_counts),
                TEST(bad_digest_is_known_until_cleared),
                TEST(same_bad_digest_is_kept_once_with_the_newest_reason),
                TEST(oldest_bad_digest_falls_out),
                TEST(reason_longer_than_its_field_is_cut),
                TEST(bad_digest_leaves_backup_and_previous),
                TEST(confirm_makes_the_backup_the_previous),
                TEST(confirm_of_the_backup_changes_nothing),
                TEST(confirm_of_the_former_previous_keeps_both),
                TEST(confirm_of_previous_without_a_backup_holds_it_once),
                TEST(bad_program_is_never_made_the_backup),
                TEST(floor_rises_and_never_falls),
                TEST(confirmed_previous_becomes_the_backup_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
