/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of drivers, the names of what they report, and whether rekindle-drivers(7) tells
 * both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>

#include "basic/file.h"
#include "driver/driver.h"

static char *page;

static int read_page(void **state) {
        size_t n;

        return file_read(AT_FDCWD, MAN_PAGE, 65536, &page, &n);
}

static int free_page(void **state) {
        free(page);
        return 0;
}

static void assert_page_has(const char *before, const char *text, const char *behind) {
        char line[200];

        (void)snprintf(line, sizeof(line), "%s%s%s", before, text, behind);
        if (!strstr(page, line))
                fail_msg("the page lacks: %s", line);
}

static void every_driver_is_found_by_its_name(void **state) {
        const DriverVTable *v;
        size_t n = 0;

        while ((v = driver_by_index(n))) {
                Driver *d = NULL;

                assert_ptr_equal(driver_find(v->name), v);
                assert_int_equal(driver_new(v->name, &d), 0);
                assert_ptr_equal(d->vtable, v);
                driver_free(d);
                n++;
        }
        assert_int_equal(n, 3);
        assert_null(driver_free(NULL));
}

static void unknown_driver_is_none(void **state) {
        Driver *d = NULL;

        assert_null(driver_find("nativ"));
        assert_int_equal(driver_new("", &d), -ENOENT);
        assert_null(d);
}

static void page_tells_every_driver(void **state) {
        const DriverVTable *v;

        for (size_t i = 0; (v = driver_by_index(i)); i++)
                assert_page_has("\n.It Cm ", v->name, "\n");
        assert_page_has("\n", driver_find("xmodem")->meaning, ".\n");
        assert_page_has("\n", driver_find("ymodem")->meaning, ".\n");
}

static void page_tells_every_result(void **state) {
        for (int c = 0; c < _DRIVER_CODE_MAX; c++)
                assert_page_has("\n.It Cm ", driver_code_to_string((DriverCode)c), "\n");
}

static void every_value_has_a_name_of_its_own(void **state) {
        for (int i = 0; i < _DRIVER_PHASE_MAX; i++)
                assert_non_null(driver_phase_to_string((DriverPhase)i));
        for (int i = 0; i < _DEVICE_STATE_MAX; i++)
                for (int k = 0; k < i; k++)
                        assert_string_not_equal(device_state_to_string((DeviceState)i),
                                        device_state_to_string((DeviceState)k));
        for (int i = 0; i < _DEVICE_HEALTH_MAX; i++)
                for (int k = 0; k < i; k++)
                        assert_string_not_equal(device_health_to_string((DeviceHealth)i),
                                        device_health_to_string((DeviceHealth)k));
        assert_string_equal(driver_code_to_string(DRIVER_E_UNCONFIRMED_END), "unconfirmed-end");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_driver_is_found_by_its_name),
                cmocka_unit_test(unknown_driver_is_none),
                cmocka_unit_test(page_tells_every_driver),
                cmocka_unit_test(page_tells_every_result),
                cmocka_unit_test(every_value_has_a_name_of_its_own),
        };

        return cmocka_run_group_tests_name("driver", tests, read_page, free_page);
}
