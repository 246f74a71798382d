/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Steps from version to version: which release nobody can do without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "repo/versions.h"

#define ROWS_MAX 8

typedef struct Row {
        const char *version, *min_from, *hardware, *channel, *model;
} Row;

typedef struct Case {
        const char *name;
        Row rows[ROWS_MAX];
        const char *removed;   /* a version of the rows, the first that has it */
        const char *from, *to; /* NULL: nobody needs it */
} Case;

static const Case cases[] = {
        { "no min-from, no steps", { { "1.0" }, { "2.0" }, { "3.0" } }, "2.0", NULL, NULL },
        { "the only one that leads on", { { "1.0" }, { "1.5" }, { "2.0", "1.5" } }, "1.5", "0-0",
                        "2.0" },
        { "another one leads on too", { { "1.5" }, { "1.6" }, { "2.0", "1.5" } }, "1.5", NULL,
                        NULL },
        { "another one that is too low", { { "1.4" }, { "1.5" }, { "2.0", "1.5" } }, "1.5", "0-0",
                        "2.0" },
        { "the newest", { { "1.0" }, { "1.5" }, { "2.0", "1.5" } }, "2.0", NULL, NULL },
        { "in the middle of a chain",
                        { { "1.0" }, { "2.0", "1.0" }, { "3.0", "2.0" }, { "4.0", "3.0" } }, "2.0",
                        "0-0", "4.0" },
        { "a chain that nobody new enters", { { "2.0", "1.0" }, { "3.0", "2.0" } }, "2.0", "1.0",
                        "3.0" },
        { "a way around by a later one",
                        { { "1.5" }, { "1.9", "1.0" }, { "1.0" }, { "2.0", "1.5" } }, "1.5", NULL,
                        NULL },
        { "other hardware has its own way",
                        { { "1.5", NULL, "A" }, { "1.6", NULL, "B" }, { "2.0", "1.5" } }, "1.5",
                        "0-0", "2.0" },
        { "the other hardware is not asked", { { "1.5", NULL, "A" }, { "2.0", "1.5", "B" } }, "1.5",
                        NULL, NULL },
        { "one for any hardware stands in", { { "1.5", NULL, "A" }, { "1.6" }, { "2.0", "1.5" } },
                        "1.5", NULL, NULL },
        { "another channel does not help",
                        { { "1.5" }, { "1.6", NULL, NULL, "beta" }, { "2.0", "1.5" } }, "1.5",
                        "0-0", "2.0" },
        { "another model does not help",
                        { { "1.5" }, { "1.6", NULL, NULL, NULL, "pump" }, { "2.0", "1.5" } }, "1.5",
                        "0-0", "2.0" },
};

typedef struct Made {
        Release releases[ROWS_MAX];
        Release *items[ROWS_MAX];
        char targets[ROWS_MAX][80];
        char *hardware[ROWS_MAX][2];
        Versions v;
} Made;

static void make(const Case *c, Made *m) {
        *m = (Made){};
        for (size_t i = 0; i < ROWS_MAX && c->rows[i].version; i++) {
                const Row *row = &c->rows[i];
                const char *model = row->model ?: "boiler";

                (void)snprintf(m->targets[i], sizeof(m->targets[i]), "%s/%s/f%zu", model,
                                row->version, i);
                m->hardware[i][0] = (char *)row->hardware;
                m->releases[i] = (Release){
                        .target = m->targets[i],
                        .model = (char *)model,
                        .version = (char *)row->version,
                        .min_from = (char *)row->min_from,
                        .channel = (char *)(row->channel ?: "stable"),
                        .hardware = row->hardware ? m->hardware[i] : NULL,
                };
                m->items[i] = &m->releases[i];
                m->v.n++;
        }
        m->v.items = m->items;
}

static const Release *find(const Made *m, const char *version) {
        for (size_t i = 0; i < m->v.n; i++)
                if (streq(m->items[i]->version, version))
                        return m->items[i];
        return NULL;
}

static void needed_steps_are_told(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const Case *c = &cases[i];
                const char *from = NULL, *to = NULL;
                bool is_needed;
                Made m;

                make(c, &m);
                is_needed = versions_is_stepping_stone(&m.v, find(&m, c->removed), &from, &to);
                if (is_needed != (c->from != NULL))
                        fail_msg("%s: %s", c->name, is_needed ? "is needed" : "is not needed");
                if (is_needed && (!streq(from, c->from) || !streq(to, c->to)))
                        fail_msg("%s: from %s to %s", c->name, from, to);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(needed_steps_are_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
