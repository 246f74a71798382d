/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The simulated flash: NOR rules, real time, and what a cut leaves behind. Time is given, none
 * passes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/port/linux/sim-flash.h"

#define PROGRAM    4096U
#define UNIT       1024U
#define ERASE_USEC 10000U
#define WRITE_USEC 50U

typedef struct Fixture {
        char path[64];
        SimFlash *flash;
        uint8_t data[UNIT];
} Fixture;

static SimFlashConfig config(const Fixture *fixture) {
        return (SimFlashConfig){ .path = fixture->path,
                .slots = 1,
                .program_bytes = PROGRAM,
                .erase_bytes = UNIT,
                .write_bytes = 4,
                .erase_usec = ERASE_USEC,
                .write_usec = WRITE_USEC,
                .seed = 7 };
}

static int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));
        SimFlashConfig c;
        size_t i;

        if (!fixture)
                return -1;
        *state = fixture;
        (void)snprintf(fixture->path, sizeof(fixture->path), "/tmp/test-sim-flash-%d",
                        (int)getpid());
        (void)unlink(fixture->path);
        for (i = 0; i < UNIT; i++)
                fixture->data[i] = (uint8_t)(i * 7 + 1);
        c = config(fixture);
        return sim_flash_new(&fixture->flash, &c);
}

static int teardown(void **state) {
        Fixture *fixture = *state;

        (void)sim_flash_free(fixture->flash);
        (void)unlink(fixture->path);
        free(fixture);
        return 0;
}

static void write_unit(Fixture *fixture, uint32_t address) {
        assert_int_equal(sim_flash_write(fixture->flash, address, fixture->data, UNIT, 0), 0);
        assert_false(sim_flash_run(fixture->flash, UNIT / 4 * WRITE_USEC));
}

static bool is_erased(const Fixture *fixture, uint32_t from, uint32_t until) {
        const uint8_t *bytes = sim_flash_bytes(fixture->flash);

        while (from < until && bytes[from] == 0xff)
                from++;
        return from == until;
}

static void new_flash_is_erased(void **state) {
        Fixture *fixture = *state;

        assert_int_equal(sim_flash_size(fixture->flash), PROGRAM + 2 * UNIT);
        assert_true(is_erased(fixture, 0, PROGRAM + 2 * UNIT));
}

static void second_user_is_refused(void **state) {
        Fixture *fixture = *state;
        SimFlashConfig c = config(fixture);
        SimFlash *second = NULL;

        assert_int_equal(sim_flash_new(&second, &c), -EWOULDBLOCK);
        assert_null(second);
}

static void file_of_another_size_is_refused(void **state) {
        Fixture *fixture = *state;
        SimFlashConfig c = config(fixture);

        fixture->flash = sim_flash_free(fixture->flash);
        c.program_bytes *= 2;
        assert_int_equal(sim_flash_new(&fixture->flash, &c), -EINVAL);
}

static void content_survives(void **state) {
        Fixture *fixture = *state;
        SimFlashConfig c = config(fixture);

        write_unit(fixture, UNIT);
        fixture->flash = sim_flash_free(fixture->flash);
        assert_int_equal(sim_flash_new(&fixture->flash, &c), 0);
        assert_memory_equal(sim_flash_bytes(fixture->flash) + UNIT, fixture->data, UNIT);
}

static void write_takes_its_time(void **state) {
        Fixture *fixture = *state;

        assert_int_equal(sim_flash_write(fixture->flash, 0, fixture->data, UNIT, 1000), 0);
        assert_true(sim_flash_run(fixture->flash, 1000 + 3 * WRITE_USEC));
        assert_memory_equal(sim_flash_bytes(fixture->flash), fixture->data, 12);
        assert_true(is_erased(fixture, 12, UNIT));
        assert_int_equal(sim_flash_write(fixture->flash, UNIT, fixture->data, 4, 1200), -EBUSY);
        assert_false(sim_flash_run(fixture->flash, 1000 + UNIT / 4 * WRITE_USEC));
        assert_memory_equal(sim_flash_bytes(fixture->flash), fixture->data, UNIT);
        assert_int_equal(sim_flash_counts(fixture->flash)->writes, UNIT / 4);
        assert_int_equal(sim_flash_unit_writes(fixture->flash, 0), UNIT / 4);
}

static void write_only_clears_bits(void **state) {
        Fixture *fixture = *state;
        uint8_t ones[4] = { 0xff, 0xff, 0xff, 0xff }, some[4] = { 0x0f, 0xf0, 0xff, 0x00 };

        write_unit(fixture, 0);
        assert_int_equal(sim_flash_counts(fixture->flash)->overwrites, 0);
        assert_int_equal(sim_flash_write(fixture->flash, 0, ones, 4, 0), 0);
        (void)sim_flash_run(fixture->flash, WRITE_USEC);
        assert_memory_equal(sim_flash_bytes(fixture->flash), fixture->data, UNIT);
        assert_int_equal(sim_flash_write(fixture->flash, 0, some, 4, 0), 0);
        (void)sim_flash_run(fixture->flash, WRITE_USEC);
        assert_int_equal(sim_flash_bytes(fixture->flash)[0], fixture->data[0] & 0x0f);
        assert_int_equal(sim_flash_bytes(fixture->flash)[3], 0);
        assert_int_equal(sim_flash_counts(fixture->flash)->overwrites, 2);
}

static void erase_holds_garbage_until_it_is_done(void **state) {
        Fixture *fixture = *state;

        write_unit(fixture, UNIT);
        write_unit(fixture, 2 * UNIT);
        assert_int_equal(sim_flash_erase(fixture->flash, UNIT, 0), 0);
        assert_true(sim_flash_run(fixture->flash, ERASE_USEC / 2));
        assert_memory_not_equal(sim_flash_bytes(fixture->flash) + UNIT, fixture->data, UNIT);
        assert_false(is_erased(fixture, UNIT, 2 * UNIT));
        assert_false(sim_flash_run(fixture->flash, ERASE_USEC));
        assert_true(is_erased(fixture, UNIT, 2 * UNIT));
        assert_memory_equal(sim_flash_bytes(fixture->flash) + 2 * UNIT, fixture->data, UNIT);
        assert_int_equal(sim_flash_unit_erases(fixture->flash, 1), 1);
}

static void deadlines_lead_to_the_end(void **state) {
        Fixture *fixture = *state;
        uint64_t now_usec = 5;
        int steps = 0;

        assert_int_equal(sim_flash_erase(fixture->flash, 0, now_usec), 0);
        while (sim_flash_run(fixture->flash, now_usec)) {
                assert_true(sim_flash_deadline_usec(fixture->flash) > now_usec);
                now_usec = sim_flash_deadline_usec(fixture->flash);
                assert_true(++steps < 20);
        }
        assert_true(steps > 4);
        assert_int_equal(now_usec, 5 + ERASE_USEC);
        assert_int_equal(sim_flash_deadline_usec(fixture->flash), UINT64_MAX);
}

static void odd_operations_are_refused(void **state) {
        Fixture *fixture = *state;
        SimFlash *flash = fixture->flash;

        assert_int_equal(sim_flash_erase(flash, UNIT / 2, 0), -EINVAL);
        assert_int_equal(sim_flash_erase(flash, PROGRAM + 2 * UNIT, 0), -EINVAL);
        assert_int_equal(sim_flash_write(flash, 2, fixture->data, 4, 0), -EINVAL);
        assert_int_equal(sim_flash_write(flash, 0, fixture->data, 3, 0), -EINVAL);
        assert_int_equal(sim_flash_write(flash, 0, fixture->data, 0, 0), -EINVAL);
        assert_int_equal(sim_flash_write(flash, PROGRAM + 2 * UNIT - 4, fixture->data, 8, 0),
                        -EINVAL);
        assert_int_equal(sim_flash_write(flash, UINT32_MAX - 3, fixture->data, 8, 0), -EINVAL);
        assert_int_equal(sim_flash_counts(flash)->operations, 0);
}

static void cut_leaves_a_write_half_done(void **state) {
        Fixture *fixture = *state;

        assert_int_equal(sim_flash_write(fixture->flash, 0, fixture->data, UNIT, 0), 0);
        assert_true(sim_flash_run(fixture->flash, 10 * WRITE_USEC));
        sim_flash_cut(fixture->flash);
        assert_false(sim_flash_has_power(fixture->flash));
        assert_memory_equal(sim_flash_bytes(fixture->flash), fixture->data, 40);
        assert_true(is_erased(fixture, 44, UNIT));
        assert_int_equal(sim_flash_write(fixture->flash, 0, fixture->data, 4, 0), -EIO);
        assert_int_equal(sim_flash_erase(fixture->flash, 0, 0), -EIO);
        sim_flash_power_on(fixture->flash);
        assert_int_equal(sim_flash_erase(fixture->flash, 0, 0), 0);
}

static void power_fails_in_the_operation_that_was_named(void **state) {
        Fixture *fixture = *state;

        sim_flash_cut_after(fixture->flash, 2);
        write_unit(fixture, 0);
        assert_true(sim_flash_has_power(fixture->flash));
        assert_int_equal(sim_flash_erase(fixture->flash, 0, 0), 0);
        assert_false(sim_flash_has_power(fixture->flash));
        assert_memory_not_equal(sim_flash_bytes(fixture->flash), fixture->data, UNIT);
        assert_false(is_erased(fixture, 0, UNIT));
}

static void stalled_operation_ends_when_it_is_told(void **state) {
        Fixture *fixture = *state;

        sim_flash_stall_after(fixture->flash, 2);
        write_unit(fixture, 0);
        assert_false(sim_flash_is_stalled(fixture->flash));
        assert_int_equal(sim_flash_erase(fixture->flash, 0, 0), 0);
        assert_true(sim_flash_is_stalled(fixture->flash));
        assert_true(sim_flash_run(fixture->flash, 100 * ERASE_USEC));
        assert_memory_equal(sim_flash_bytes(fixture->flash), fixture->data, UNIT);
        assert_int_equal(sim_flash_deadline_usec(fixture->flash), UINT64_MAX);
        assert_int_equal(sim_flash_write(fixture->flash, 0, fixture->data, 4, 0), -EBUSY);
        sim_flash_stall_after(fixture->flash, 1);
        assert_false(sim_flash_run(fixture->flash, 100 * ERASE_USEC));
        assert_true(is_erased(fixture, 0, UNIT));
}

static void power_cut_ends_a_stall(void **state) {
        Fixture *fixture = *state;

        sim_flash_stall_after(fixture->flash, 1);
        assert_int_equal(sim_flash_erase(fixture->flash, 0, 0), 0);
        sim_flash_cut(fixture->flash);
        sim_flash_power_on(fixture->flash);
        assert_false(sim_flash_is_stalled(fixture->flash));
        assert_int_equal(sim_flash_erase(fixture->flash, 0, 0), 0);
        assert_false(sim_flash_run(fixture->flash, ERASE_USEC));
}

static void load_erases_all_else(void **state) {
        Fixture *fixture = *state;

        write_unit(fixture, PROGRAM);
        sim_flash_load(fixture->flash, fixture->data, 100);
        assert_memory_equal(sim_flash_bytes(fixture->flash), fixture->data, 100);
        assert_true(is_erased(fixture, 100, PROGRAM + 2 * UNIT));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(new_flash_is_erased, setup, teardown),
                cmocka_unit_test_setup_teardown(second_user_is_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(file_of_another_size_is_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(content_survives, setup, teardown),
                cmocka_unit_test_setup_teardown(write_takes_its_time, setup, teardown),
                cmocka_unit_test_setup_teardown(write_only_clears_bits, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                erase_holds_garbage_until_it_is_done, setup, teardown),
                cmocka_unit_test_setup_teardown(deadlines_lead_to_the_end, setup, teardown),
                cmocka_unit_test_setup_teardown(odd_operations_are_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(cut_leaves_a_write_half_done, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                power_fails_in_the_operation_that_was_named, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                stalled_operation_ends_when_it_is_told, setup, teardown),
                cmocka_unit_test_setup_teardown(power_cut_ends_a_stall, setup, teardown),
                cmocka_unit_test_setup_teardown(load_erases_all_else, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
