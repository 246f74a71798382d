/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* expire-check: what expires soon, for a monitoring system. It reads only. */
#include <getopt.h>

#include "basic/clock.h"
#include "basic/names.h"
#include "repo/verbs.h"

static const char help[] =
                "rekindle-repo expire-check DIR [OPTIONS]\n"
                "\n"
                "Says which signatures expire soon, and exits with 1 when there are any. Soon:\n"
                "when a quarter of the time is left that the role's signatures last.\n"
                "\n"
                "  --within TIME           take TIME (14d) for soon\n"
                "  --now TIME              take TIME (2031-12-31T12:00:00Z) for the clock\n"
                "  --help                  this text\n";

typedef struct Check {
        uint64_t within; /* seconds; 0: a quarter */
        int64_t now;
        unsigned n;
} Check;

static const struct option options[] = {
        { "within", required_argument, NULL, 'w' },
        { "now", required_argument, NULL, 'n' },
        { "help", no_argument, NULL, 'h' },
        {},
};

static int option_within(const char *value, uint64_t *ret_seconds) {
        uint64_t usec;

        if (parse_usec(value, &usec) < 0 || usec < USEC_PER_SEC ||
                        usec / USEC_PER_SEC > UINT64_C(3153600000))
                return wrong_usage(
                                "--within is \"%s\"; it has to be a time like 14d, at most 100 years",
                                value);
        *ret_seconds = usec / USEC_PER_SEC;
        return 0;
}

static int parse_option(Check *check, int c, char *argv[]) {
        if (c == 'w')
                return option_within(optarg, &check->within);
        return option_common(c, help, &check->now, argv);
}

static int parse(Check *check, int argc, char *argv[]) {
        int c, r;

        while ((c = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
                r = parse_option(check, c, argv);
                if (r != 0)
                        return r;
        }
        return option_arguments(argc - optind, argv, 1, 1, "DIR");
}

static void check_one(Check *check, const char *name, const TufMetadata *m, uint64_t lasts) {
        long long left = m->expires - check->now, hours = left / 3600;
        bool is_days = hours >= 48;
        char text[RFC3339_MAX];

        if (left > (int64_t)(check->within > 0 ? check->within : lasts / 4))
                return;
        rfc3339_format(m->expires, text);
        if (left <= 0)
                printf("%s %llu expired at %s\n", name, (unsigned long long)m->version, text);
        else
                printf("%s %llu expires at %s, in %lld %s%s\n", name,
                                (unsigned long long)m->version, text, is_days ? hours / 24 : hours,
                                is_days ? "day" : "hour", hours == 1 ? "" : "s");
        check->n++;
}

int verb_expire_check(int argc, char *argv[]) {
        Check check = { .now = clock_now(&clock_system) };
        _cleanup_(repo_freep) Repo *repo = NULL;
        Why w = {};
        int r;

        r = parse(&check, argc, argv);
        if (r != 0)
                return r;
        if (repo_open(argv[optind], &repo, &w) < 0)
                return failed(&w);
        for (TufRole i = 0; i < _TUF_ROLE_MAX; i++)
                if (repo->current[i])
                        check_one(&check, tuf_role_to_string(i), repo->current[i],
                                        repo->expires_in[i]);
        for (size_t i = 0; i < repo->n_teams; i++)
                check_one(&check, repo->teams[i].name, repo->teams[i].current,
                                repo->expires_in[TUF_TARGETS]);
        if (check.n > 0)
                return EXIT_FAILED;
        printf("nothing expires soon\n");
        return EXIT_DONE;
}
