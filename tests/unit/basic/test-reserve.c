/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reserve, in a folder of its own; what it does for writes on a full disk is told by the flow
 * story full-disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "basic/file.h"
#include "basic/reserve.h"

#define BYTES (256 * 1024)

typedef struct Fixture {
        char path[64];
        int dirfd;
        Reserve *reserve;
} Fixture;

static int setup(void **state) {
        Fixture *f = new0(Fixture, 1);

        (void)strcpy(f->path, "/tmp/test-reserve.XXXXXX");
        if (!mkdtemp(f->path))
                return -1;
        f->dirfd = folder_open(AT_FDCWD, f->path);
        *state = f;
        return f->dirfd < 0 ? -1 : reserve_new(f->dirfd, "reserve", BYTES, &f->reserve);
}

static int teardown(void **state) {
        Fixture *f = *state;

        reserve_free(f->reserve);
        (void)unlinkat(f->dirfd, "reserve", 0);
        (void)unlinkat(f->dirfd, "link", 0);
        (void)close_fd(f->dirfd);
        (void)rmdir(f->path);
        free(f);
        return 0;
}

static void all_is_held_by_an_empty_file(void **state) {
        const Fixture *f = *state;
        struct stat st;

        assert_int_equal(reserve_missing(f->reserve), 0);
        assert_int_equal(fstatat(f->dirfd, "reserve", &st, 0), 0);
        assert_int_equal(st.st_size, 0);
        assert_true(st.st_blocks * 512 >= BYTES);
}

static void a_piece_is_given_at_a_time(void **state) {
        const Fixture *f = *state;
        uint64_t missing = 0;
        unsigned given = 0;

        while (reserve_give(f->reserve)) {
                assert_true(reserve_missing(f->reserve) > missing);
                missing = reserve_missing(f->reserve);
                given++;
        }
        assert_int_equal(given, 4);
        assert_int_equal(missing, BYTES);
}

static void what_was_given_is_taken_again(void **state) {
        const Fixture *f = *state;

        assert_true(reserve_give(f->reserve));
        assert_true(reserve_give(f->reserve));
        reserve_refill(f->reserve);
        assert_int_equal(reserve_missing(f->reserve), 0);
}

static void it_stays_held_after_its_end(void **state) {
        Fixture *f = *state;

        assert_true(reserve_give(f->reserve));
        f->reserve = reserve_free(f->reserve);
        assert_int_equal(reserve_new(f->dirfd, "reserve", BYTES / 2, &f->reserve), 0);
        assert_int_equal(reserve_missing(f->reserve), 0);
}

static void more_than_the_disk_has_leaves_it_as_it_was(void **state) {
        Fixture *f = *state;
        uint64_t bytes = 0;

        f->reserve = reserve_free(f->reserve);
        assert_int_equal(reserve_new(f->dirfd, "reserve", UINT64_C(1) << 62, &f->reserve), 0);
        assert_true(reserve_missing(f->reserve) > 0);
        assert_int_equal(folder_free_bytes(f->dirfd, &bytes), 0);
        assert_true(bytes > 0);
}

static void a_link_is_refused(void **state) {
        Fixture *f = *state;
        Reserve *other = NULL;

        assert_int_equal(symlinkat("reserve", f->dirfd, "link"), 0);
        assert_int_equal(reserve_new(f->dirfd, "link", BYTES, &other), -ELOOP);
        assert_null(other);
}

static void nothing_is_held_by_none(void **state) {
        assert_false(reserve_give(NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(all_is_held_by_an_empty_file),
                TEST(a_piece_is_given_at_a_time),
                TEST(what_was_given_is_taken_again),
                TEST(it_stays_held_after_its_end),
                TEST(more_than_the_disk_has_leaves_it_as_it_was),
                TEST(a_link_is_refused),
                cmocka_unit_test(nothing_is_held_by_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
