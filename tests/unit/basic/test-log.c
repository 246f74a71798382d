/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Logging: what arrives at a terminal, at a service manager and in the journal. The journal's
 * function is this file's own, so that no journal has to run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "basic/log.h"

typedef struct Fixture {
        int saved, reader;
} Fixture;

static char journal[4096];
static int journal_result;

/* Takes the place of libsystemd's: collects the fields, one a line. */
int sd_journal_sendv(const struct iovec *v, int n) {
        for (int i = 0; i < n; i++) {
                (void)strncat(journal, v[i].iov_base, v[i].iov_len);
                (void)strcat(journal, "\n");
        }
        return journal_result;
}

static int setup(void **state) {
        Fixture *f = new0(Fixture, 1);
        int pair[2];

        if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
                return -1;
        f->saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
        f->reader = pair[0];
        (void)dup2(pair[1], STDERR_FILENO);
        (void)close(pair[1]);
        (void)unsetenv("INVOCATION_ID");
        (void)unsetenv("JOURNAL_STREAM");
        journal[0] = '\0';
        journal_result = 0;
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        (void)dup2(f->saved, STDERR_FILENO);
        (void)close(f->saved);
        (void)close(f->reader);
        free(f);
        return 0;
}

static void assert_written(Fixture *f, const char *expected) {
        char text[8192] = "";

        (void)!read(f->reader, text, sizeof(text) - 1);
        assert_string_equal(text, expected);
}

static void open_on_journal(void) {
        char stream[64];
        struct stat st;

        assert_int_equal(fstat(STDERR_FILENO, &st), 0);
        (void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
                        (unsigned long long)st.st_ino);
        (void)setenv("JOURNAL_STREAM", stream, 1);
        log_open("rekindled", LOG_DEBUG);
}

static void lines_name_program_device_and_error(void **state) {
        log_open("rekindled", LOG_INFO);
        log_info("ready");
        assert_written(*state, "rekindled: ready\n");
        assert_int_equal(log_full(LOG_ERR, "boiler", -ENOSPC, "cannot store %d", 3), -ENOSPC);
        assert_written(*state, "rekindled: boiler: cannot store 3: No space left on device\n");
        assert_int_equal(log_error_errno(-99999, "odd"), -99999);
        assert_written(*state, "rekindled: odd: unknown error\n");
        assert_int_equal(log_oom(), -ENOMEM);
        assert_written(*state, "rekindled: not enough memory: Cannot allocate memory\n");
}

static void lesser_levels_are_left_out(void **state) {
        log_open("rekindled", LOG_NOTICE);
        log_info("no");
        log_notice("yes");
        assert_written(*state, "rekindled: yes\n");
        log_set_level(LOG_DEBUG);
        assert_int_equal(log_max_level(), LOG_DEBUG);
        log_debug("more");
        assert_written(*state, "rekindled: more\n");
}

static void a_service_manager_gets_levels(void **state) {
        (void)setenv("INVOCATION_ID", "00", 1);
        log_open("rekindled", LOG_INFO);
        log_warning("careful");
        assert_written(*state, "<4>careful\n");
}

static void a_line_stays_one_line(void **state) {
        log_open("x", LOG_INFO);
        log_info("a\nb\x1b[1m\xc3\xa4");
        assert_written(*state, "x: a\\x0ab\\x1b[1m\\xc3\\xa4\n");
}

static void long_lines_are_cut_and_ended(void **state) {
        char text[5000], read_back[8192];
        Fixture *f = *state;
        ssize_t n;

        memset(text, 1, sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        log_open("x", LOG_INFO);
        log_info("%s", text);
        n = read(f->reader, read_back, sizeof(read_back));
        assert_true(n > 4000 && n < 4500);
        assert_int_equal(read_back[n - 1], '\n');
        assert_null(memchr(read_back, '\n', (size_t)n - 1));
}

static void the_journal_gets_fields(void **state) {
        open_on_journal();
        assert_int_equal(log_full(LOG_ERR, "boiler", -EIO, "lost"), -EIO);
        assert_string_equal(journal,
                        "MESSAGE=lost: Input/output error\nPRIORITY=3\nSYSLOG_IDENTIFIER=rekindled\n"
                        "REKINDLE_DEVICE=boiler\nERRNO=5\n");
        assert_written(*state, "");
}

static void events_carry_their_own_fields(void **state) {
        const char *const fields[] = { "REKINDLE_STATE=trial", "REKINDLE_VERSION=1.1.0", NULL };

        open_on_journal();
        log_event(LOG_INFO, NULL, fields, "trial begins");
        assert_string_equal(journal,
                        "MESSAGE=trial begins\nPRIORITY=6\nSYSLOG_IDENTIFIER=rekindled\n"
                        "REKINDLE_STATE=trial\nREKINDLE_VERSION=1.1.0\n");
        (void)unsetenv("JOURNAL_STREAM");
        log_open("rekindled", LOG_INFO);
        log_event(LOG_INFO, "boiler", fields, "trial begins");
        assert_written(*state, "rekindled: boiler: trial begins\n");
}

static void another_stream_is_not_the_journal(void **state) {
        (void)setenv("JOURNAL_STREAM", "1:1", 1);
        log_open("rekindled", LOG_INFO);
        log_info("here");
        assert_string_equal(journal, "");
        assert_written(*state, "rekindled: here\n");
}

static void a_refusing_journal_does_not_swallow_the_line(void **state) {
        open_on_journal();
        journal_result = -EPERM;
        log_info("here");
        assert_written(*state, "rekindled: here\n");
}

static void errno_survives(void **state) {
        log_open("rekindled", LOG_INFO);
        errno = E2BIG;
        log_info("%s", "text");
        assert_int_equal(errno, E2BIG);
}

static void levels_have_names(void **state) {
        assert_int_equal(log_level_from_string("debug"), LOG_DEBUG);
        assert_int_equal(log_level_from_string("info"), LOG_INFO);
        assert_int_equal(log_level_from_string("notice"), LOG_NOTICE);
        assert_int_equal(log_level_from_string("warning"), LOG_WARNING);
        assert_int_equal(log_level_from_string("error"), LOG_ERR);
        assert_int_equal(log_level_from_string("Debug"), -EINVAL);
        assert_int_equal(log_level_from_string(""), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(lines_name_program_device_and_error),
                TEST(lesser_levels_are_left_out),
                TEST(a_service_manager_gets_levels),
                TEST(a_line_stays_one_line),
                TEST(long_lines_are_cut_and_ended),
                TEST(the_journal_gets_fields),
                TEST(events_carry_their_own_fields),
                TEST(another_stream_is_not_the_journal),
                TEST(a_refusing_journal_does_not_swallow_the_line),
                TEST(errno_survives),
                cmocka_unit_test(levels_have_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
