/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plans come out of a child process: whole, or not at all, and nobody is left when they are
 * given up. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/wait.h>

#include "daemon/plan-child.h"

#define UNIT_BYTES  1024
#define IMAGE_BYTES (5 * UNIT_BYTES + 100)

typedef struct Fixture {
        sd_event *event;
        Planner planner;
        uint8_t image[IMAGE_BYTES];
        unsigned calls;
        bool failed;
        size_t length;
        uint8_t codec;
        uint8_t first[8];
} Fixture;

static int setup(void **state) {
        Fixture *f = new0(Fixture, 1);
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGCHLD);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        for (size_t i = 0; i < IMAGE_BYTES; i++)
                f->image[i] = (uint8_t)(i * 7);
        if (sd_event_new(&f->event) < 0 || plan_child_init(f->event, NULL, &f->planner) < 0)
                return -1;
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        plan_child_done(&f->planner);
        sd_event_unref(f->event);
        free(f);
        /* Not one child is left. */
        return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? 0 : -1;
}

static void on_done(void *cookie, uint8_t codec, const void *stream, size_t n) {
        Fixture *f = cookie;

        f->calls++;
        f->failed = !stream;
        f->codec = codec;
        f->length = n;
        if (stream && n >= sizeof(f->first))
                memcpy(f->first, stream, sizeof(f->first));
}

static void start(Fixture *f, uint32_t unit_size) {
        const DriverPlanRequest request = {
                .codecs = 1, .unit_size = unit_size, .trust_nothing = true
        };

        assert_int_equal(f->planner.start(f->planner.userdata, &request, f->image, IMAGE_BYTES,
                                         on_done, f),
                        0);
}

static void run_until_called(Fixture *f) {
        for (int i = 0; i < 900 && f->calls == 0; i++)
                assert_true(sd_event_run(f->event, 100 * USEC_PER_MSEC) >= 0);
        assert_int_equal(f->calls, 1);
}

static void a_plan_of_literals_has_all_bytes(void **state) {
        Fixture *f = *state;

        start(f, UNIT_BYTES);
        run_until_called(f);
        assert_false(f->failed);
        assert_int_equal(f->codec, 0);
        /* One run of six units and its bytes, and the end. */
        assert_int_equal(f->length, 8 + IMAGE_BYTES + 8);
        assert_memory_equal(f->first, "\0\0\0\0\6\0\0\0", 8);
        f->planner.release(f->planner.userdata, f);
}

static void a_plan_that_cannot_be_made_says_so(void **state) {
        Fixture *f = *state;

        start(f, 3); /* no unit size of any device */
        run_until_called(f);
        assert_true(f->failed);
        f->planner.release(f->planner.userdata, f);
}

static void a_plan_given_up_calls_nobody(void **state) {
        Fixture *f = *state;

        start(f, UNIT_BYTES);
        f->planner.release(f->planner.userdata, f);
        assert_true(sd_event_run(f->event, 50 * USEC_PER_MSEC) >= 0);
        assert_int_equal(f->calls, 0);
}

static void the_end_takes_open_plans_with_it(void **state) {
        Fixture *f = *state;

        start(f, UNIT_BYTES); /* teardown looks for children */
        assert_int_equal(f->calls, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_plan_of_literals_has_all_bytes, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                a_plan_that_cannot_be_made_says_so, setup, teardown),
                cmocka_unit_test_setup_teardown(a_plan_given_up_calls_nobody, setup, teardown),
                cmocka_unit_test_setup_teardown(the_end_takes_open_plans_with_it, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
