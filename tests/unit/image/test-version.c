/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Versions: the table of tests/fixtures/versions.txt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image/version.h"

typedef struct Table {
        char lines[128][160];
        size_t n;
} Table;

static int load(void **state) {
        static Table table;
        FILE *f = fopen(FIXTURES "/versions.txt", "re");

        if (!f)
                return -1;
        table.n = 0;
        while (table.n < ELEMENTSOF(table.lines) &&
                        fgets(table.lines[table.n], sizeof(table.lines[0]), f)) {
                char *line = table.lines[table.n];

                line[strcspn(line, "\n")] = '\0';
                if (line[0] != '#' && line[0] != '\0')
                        table.n++;
        }
        *state = &table;
        return fclose(f);
}

/* "A < B" or "A = B" into its words; false for the other kind of line. */
static bool read_pair(const char *line, char a[64], char *sign, char b[64]) {
        return line[0] != '!' && sscanf(line, "%63s %c %63s", a, sign, b) == 3;
}

static void pairs_are_in_the_order_of_the_table(void **state) {
        const Table *table = *state;
        unsigned pairs = 0;

        for (size_t i = 0; i < table->n; i++) {
                char a[64], b[64], sign;
                int r;

                if (!read_pair(table->lines[i], a, &sign, b))
                        continue;
                assert_true(version_is_valid(a) && version_is_valid(b));
                r = version_compare(a, b);
                if (sign == '<' ? r >= 0 : r != 0)
                        fail_msg("%s: got %d", table->lines[i], r);
                r = version_compare(b, a);
                if (sign == '<' ? r <= 0 : r != 0)
                        fail_msg("%s, turned round: got %d", table->lines[i], r);
                assert_int_equal(version_compare(a, a), 0);
                pairs++;
        }
        assert_in_range(pairs, 30, 1000);
}

static void what_is_no_version_is_refused(void **state) {
        const Table *table = *state;
        unsigned refused = 0;

        for (size_t i = 0; i < table->n; i++) {
                const char *line = table->lines[i];

                if (line[0] != '!')
                        continue;
                if (version_is_valid(line[1] == ' ' ? line + 2 : ""))
                        fail_msg("taken: %s", line);
                refused++;
        }
        assert_in_range(refused, 8, 100);
        assert_false(version_is_valid(NULL));
}

/* SemVer's own chain: each against each, so that the order is total. */
static void order_is_transitive(void **state) {
        static const char *const chain[] = { "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
                "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.0+1",
                "1.0.1-0", "1.0.1" };

        for (size_t i = 0; i < ELEMENTSOF(chain); i++)
                for (size_t k = 0; k < ELEMENTSOF(chain); k++) {
                        int r = version_compare(chain[i], chain[k]);

                        assert_int_equal((r > 0) - (r < 0), (i > k) - (i < k));
                }
}

static void longest_version_is_valid(void **state) {
        char text[VERSION_MAX + 2];

        memset(text, '1', sizeof(text));
        text[VERSION_MAX] = '\0';
        assert_true(version_is_valid(text));
        text[VERSION_MAX] = '1';
        text[VERSION_MAX + 1] = '\0';
        assert_false(version_is_valid(text));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(pairs_are_in_the_order_of_the_table),
                cmocka_unit_test(what_is_no_version_is_refused),
                cmocka_unit_test(order_is_transitive),
                cmocka_unit_test(longest_version_is_valid),
        };

        return cmocka_run_group_tests(tests, load, NULL);
}
