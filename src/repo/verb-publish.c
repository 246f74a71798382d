/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* publish and refresh: thin faces of publish.h. refresh leaves what is staged alone and needs
 * the online keys only, so it is what a timer runs. */
#include <getopt.h>

#include "basic/clock.h"
#include "repo/publish.h"
#include "repo/verbs.h"

static const char publish_help[] =
                "rekindle-repo publish DIR [OPTIONS]\n"
                "\n"
                "Signs what is staged and puts it into DIR/public. Run it from time to time\n"
                "without new releases too: it renews signatures of which half the time is over,\n"
                "and does nothing otherwise.\n"
                "\n" KEYRING_HELP
                "  --expires-in ROLE=TIME  how long the new signatures of a role last\n"
                "  --now TIME              take TIME (2031-12-31T12:00:00Z) for the clock\n"
                "  --help                  this text\n";

static const char refresh_help[] =
                "rekindle-repo refresh DIR [OPTIONS]\n"
                "\n"
                "Renews timestamp and snapshot when half of their time is over, with the online\n"
                "keys alone; what is staged stays staged. For a timer.\n"
                "\n" KEYRING_HELP
                "  --expires-in ROLE=TIME  how long the new signatures of a role last\n"
                "  --now TIME              take TIME (2031-12-31T12:00:00Z) for the clock\n"
                "  --help                  this text\n";

static const struct option options[] = {
        KEYRING_OPTIONS,
        { "expires-in", required_argument, NULL, 'e' },
        { "now", required_argument, NULL, 'n' },
        { "help", no_argument, NULL, 'h' },
        {},
};

static int parse_option(Publish *p, int c, char *argv[]) {
        int r = option_keyring(p->ring, c, optarg);

        if (r >= 0)
                return r;
        if (c == 'e')
                return option_expires_in(optarg, p->expires_in);
        return option_common(c, p->only_online ? refresh_help : publish_help, &p->now, argv);
}

static int parse(Publish *p, int argc, char *argv[]) {
        int c, r;

        while ((c = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
                r = parse_option(p, c, argv);
                if (r != 0)
                        return r;
        }
        return option_arguments(argc - optind, argv, 1, 1, "DIR");
}

static int run(Publish *p, const char *path, Why *w) {
        PinNotes notes;
        int r;

        r = repo_open(path, &p->repo, w);
        if (r < 0)
                return r;
        p->ring->repo_fd = p->repo->fd;
        notes = (PinNotes){ .repo_fd = p->repo->fd, .are_obeyed = p->only_online };
        p->ring->secrets.pin_notes = &notes;
        r = publish_plan(p, w);
        if (r >= 0)
                r = publish_place(p, w);
        p->ring->secrets.pin_notes = NULL;
        return r < 0 ? why_prefix(w, r, "%s", path) : 0;
}

static void report(const Publish *p) {
        for (size_t i = 0; i < json_array_size(p->report); i++)
                printf("%s\n", json_string_value(json_array_get(p->report, i)));
        if (json_array_size(p->report) == 0 && !p->is_held)
                printf("nothing to do\n");
}

static int publish(Publish *p, int argc, char *argv[]) {
        Why w = {};
        int r;

        r = parse(p, argc, argv);
        if (r != 0)
                return r;
        r = run(p, argv[optind], &w);
        if (r >= 0)
                report(p);
        else
                (void)failed(&w);
        return r < 0 || p->is_held ? EXIT_FAILED : EXIT_DONE;
}

static int run_verb(bool only_online, int argc, char *argv[]) {
        Keyring ring = { .repo_fd = -1 };
        Publish p = { .ring = &ring, .now = clock_now(&clock_system), .only_online = only_online };
        int code = publish(&p, argc, argv);

        publish_done(&p);
        keyring_done(&ring);
        return code;
}

int verb_publish(int argc, char *argv[]) {
        return run_verb(false, argc, argv);
}

int verb_refresh(int argc, char *argv[]) {
        return run_verb(true, argc, argv);
}
