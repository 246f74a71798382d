/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The loop over faults: the Nth operation on files fails, or is the last one that this run gets
 * to, for every N. After each a fresh start finds the old or the new state, whatever was told to
 * be durable is there, no temporary is left, and the work can be done again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/file.h"
#include "daemon/history.h"
#include "daemon/journal.h"
#include "daemon/store.h"
#include "fault-files.h"
#include "state-fixture.h"

#define N_MAX      400
#define IMAGE_SIZE 3000
#define MB         (UINT64_C(1) << 20)

typedef struct Served {
        uint8_t image[IMAGE_SIZE];
        uint8_t *file;
        size_t file_n;
        Release *release;
} Served;

/* One story: work under faults, then the look at what is left, unarmed, with a new Sync. */
typedef struct Story {
        void (*prepare)(StateFixture *f);
        void (*work)(StateFixture *f);
        void (*check)(StateFixture *f);
        unsigned least; /* operations that the work has at least */
} Story;

static Served old, new;
static int acknowledged, attempted; /* by the work */
static bool closed;

static void serve(Served *s, const char *version, uint8_t c) {
        Sha256 digest;

        for (size_t i = 0; i < IMAGE_SIZE; i++)
                s->image[i] = (uint8_t)(c + i * i);
        assert_int_equal(sha256_of(s->image, IMAGE_SIZE, &digest), 0);
        assert_int_equal(release_new_bare("boiler", version, IMAGE_SIZE, &digest, &s->release), 0);
        assert_int_equal(zstd_compress(s->image, IMAGE_SIZE, &s->file, &s->file_n), 0);
        s->release->encoding = RELEASE_ZSTD;
        s->release->file_length = s->file_n;
        assert_int_equal(sha256_of(s->file, s->file_n, &s->release->file_digest), 0);
}

static int setup_images(void **state) {
        serve(&old, "1.0.0", 1);
        serve(&new, "2.0.0", 2);
        return 0;
}

static int teardown_images(void **state) {
        free(old.file);
        free(new.file);
        release_free(old.release);
        release_free(new.release);
        return 0;
}

static void run(FaultMode mode, const Story *story) {
        unsigned n;

        for (n = 1; n <= N_MAX; n++) {
                StateFixture *f = NULL;
                bool fired;

                assert_int_equal(state_setup((void **)&f), 0);
                acknowledged = attempted = 0;
                closed = false;
                story->prepare(f);
                fault_arm(mode, n);
                story->work(f);
                state_restart(f);
                fired = fault_disarm();
                story->check(f);
                assert_int_equal(state_teardown((void **)&f), 0);
                if (!fired)
                        break;
        }
        assert_in_range(n, story->least + 1, N_MAX);
        print_message("%u faults\n", n - 1);
}

static void run_all(const Story *story) {
        for (int mode = 0; mode < _FAULT_MODE_MAX; mode++)
                run((FaultMode)mode, story);
}

/* ---- store ---- */

static int add(StateFixture *f, Store *s, Served *x) {
        int r = store_add(s, x->release, x->image, IMAGE_SIZE, state_on_done, f, NULL);

        return r < 0 ? r : state_wait(f);
}

static int receive(StateFixture *f, Store *s, Served *x) {
        StoreWriter *writer = NULL;
        size_t at;
        int r;

        r = store_writer_new(s, x->release, &writer, NULL);
        if (r < 0)
                return r;
        at = store_writer_offset(writer);
        r = store_writer_write(writer, x->file + at, x->file_n - at, NULL);
        if (r == 0)
                (void)store_writer_set_etag(writer, "\"tag\"");
        if (r == 0)
                r = store_writer_commit(writer, state_on_done, f, NULL);
        if (r == 0)
                r = state_wait(f);
        store_writer_free(writer);
        return r;
}

static int check(Store *s, const Sha256 *digest, Why *w) {
        StoreReader *reader = NULL;
        int r;

        r = store_checker_new(s, digest, &reader, w);
        if (r < 0)
                return r;
        do
                r = store_reader_step(reader, w);
        while (r > 0);
        store_reader_free(reader);
        return r;
}

static bool is_good(Store *s, Served *x) {
        return check(s, &x->release->image_digest, NULL) == 0;
}

static void prepare_store(StateFixture *f) {
        Store *s = NULL;

        assert_int_equal(store_new(f->sync, f->dirfd, MB, &s), 0);
        assert_int_equal(add(f, s, &old), 0);
        store_free(s);
}

static void receive_new(StateFixture *f) {
        Store *s = NULL;

        if (store_new(f->sync, f->dirfd, MB, &s) < 0)
                return;
        acknowledged = receive(f, s, &new) == 0;
        store_free(s);
}

static void add_new(StateFixture *f) {
        Store *s = NULL;

        if (store_new(f->sync, f->dirfd, MB, &s) < 0)
                return;
        acknowledged = add(f, s, &new) == 0;
        store_free(s);
}

static void collect_all_but_old(StateFixture *f) {
        Store *s = NULL;

        if (store_new(f->sync, f->dirfd, 1, &s) < 0)
                return;
        if (add(f, s, &new) == 0)
                (void)store_collect(s, &old.release->image_digest, 1);
        store_free(s);
}

static void check_store(StateFixture *f) {
        Store *s = NULL;

        assert_int_equal(store_new(f->sync, f->dirfd, MB, &s), 0);
        assert_int_equal(state_count(f, ".tmp"), 0);
        assert_true(is_good(s, &old));
        if (acknowledged || store_has(s, &new.release->image_digest))
                assert_true(is_good(s, &new));
        assert_int_equal(store_collect(s, &old.release->image_digest, 1), 0);
        assert_int_equal(receive(f, s, &new), 0);
        assert_true(is_good(s, &new));
        store_free(s);
}

static void image_is_received_whole_or_not_at_all(void **state) {
        run_all(&(Story){ prepare_store, receive_new, check_store, 15 });
}

static void image_is_added_whole_or_not_at_all(void **state) {
        run_all(&(Story){ prepare_store, add_new, check_store, 9 });
}

static void garbage_is_collected_without_harm_to_what_is_kept(void **state) {
        run_all(&(Story){ prepare_store, collect_all_but_old, check_store, 11 });
}

/* ---- journal ---- */

static void prepare_nothing(StateFixture *f) {}

static void write_journal(StateFixture *f) {
        Journal *j = NULL;

        assert_int_equal(journal_new(f->sync, f->dirfd, "boiler", &j), 0);
        for (int i = 1; i <= 4; i++) {
                json_t *o = json_pack("{si}", "number", i);
                int r = journal_append(j, o, state_on_done, f);

                json_decref(o);
                attempted = i;
                if (r == 0)
                        r = state_wait(f);
                if (r < 0)
                        break;
                acknowledged = i;
        }
        if (acknowledged == 4) {
                attempted = 5;
                if (journal_close(j, state_on_done, f) == 0)
                        closed = state_wait(f) == 0;
        }
        journal_free(j);
}

static void check_journal(StateFixture *f) {
        json_t *last = NULL;
        Journal *j = NULL;
        char **list = NULL;
        int number = 0;

        assert_int_equal(journal_list(f->dirfd, &list), 0);
        for (char **p = list; *p; p++)
                free(*p);
        free(list);
        assert_int_equal(state_count(f, ".tmp"), 0);
        assert_int_equal(journal_new(f->sync, f->dirfd, "boiler", &j), 0);
        assert_int_equal(journal_load(j, &last, NULL), 0);
        if (last)
                number = (int)json_integer_value(json_object_get(last, "number"));
        if (closed)
                assert_int_equal(number, 0);
        else if (attempted < 5 || number > 0)
                assert_in_range(number, acknowledged, MIN(attempted, 4));
        json_decref(last);
        last = json_pack("{si}", "number", 9);
        assert_int_equal(journal_append(j, last, state_on_done, f), 0);
        assert_int_equal(state_wait(f), 0);
        json_decref(last);
        assert_int_equal(journal_load(j, &last, NULL), 0);
        assert_int_equal(json_integer_value(json_object_get(last, "number")), 9);
        json_decref(last);
        journal_free(j);
}

static void journal_keeps_what_it_acknowledged(void **state) {
        run_all(&(Story){ prepare_nothing, write_journal, check_journal, 12 });
}

static void prepare_torn_journal(StateFixture *f) {
        static const char torn[] = "25 00000000 {\"number\":1,";

        state_put(f, "boiler.journal", torn, strlen(torn));
}

static void load_journal(StateFixture *f) {
        json_t *last = NULL;
        Journal *j = NULL;

        assert_int_equal(journal_new(f->sync, f->dirfd, "boiler", &j), 0);
        (void)journal_load(j, &last, NULL);
        json_decref(last);
        journal_free(j);
}

static void torn_journal_is_cut_or_stays_torn(void **state) {
        run_all(&(Story){ prepare_torn_journal, load_journal, check_journal, 2 });
}

/* ---- history and outbox ---- */

static void write_history(StateFixture *f) {
        History *h = NULL;

        if (history_new(f->sync, f->dirfd, &h) < 0)
                return;
        for (int i = 1; i <= 3; i++) {
                json_t *o = json_pack("{si ss}", "number", i, "event", "result");
                int r = outbox_put(h, o, state_on_done, f);

                if (r == 0)
                        r = state_wait(f);
                if (r == 0)
                        r = history_append(h, o, state_on_done, f);
                if (r == 0)
                        r = state_wait(f);
                json_decref(o);
                if (r < 0)
                        break;
                acknowledged = i;
        }
        history_free(h);
}

static void check_history(StateFixture *f) {
        json_t *events = NULL;
        uint64_t *list = NULL;
        History *h = NULL;
        size_t n;

        assert_int_equal(history_new(f->sync, f->dirfd, &h), 0);
        assert_int_equal(history_read(h, NULL, 10, &events, NULL), 0);
        assert_true(json_array_size(events) >= (size_t)acknowledged);
        for (int i = 0; i < acknowledged; i++)
                assert_int_equal(json_integer_value(json_object_get(
                                                 json_array_get(events, (size_t)i), "number")),
                                i + 1);
        json_decref(events);
        assert_int_equal(outbox_list(h, &list, &n), 0);
        assert_true(n >= (size_t)acknowledged);
        for (size_t i = 0; i < n; i++) {
                assert_int_equal(outbox_read(h, list[i], &events), 0);
                json_decref(events);
        }
        free(list);
        history_free(h);
}

static void history_and_outbox_keep_what_they_acknowledged(void **state) {
        run_all(&(Story){ prepare_nothing, write_history, check_history, 15 });
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(image_is_received_whole_or_not_at_all),
                cmocka_unit_test(image_is_added_whole_or_not_at_all),
                cmocka_unit_test(garbage_is_collected_without_harm_to_what_is_kept),
                cmocka_unit_test(journal_keeps_what_it_acknowledged),
                cmocka_unit_test(torn_journal_is_cut_or_stays_torn),
                cmocka_unit_test(history_and_outbox_keep_what_they_acknowledged),
        };

        return cmocka_run_group_tests(tests, setup_images, teardown_images);
}
