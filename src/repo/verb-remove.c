/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* remove and promote: changes to releases that are there, staged for the next publish. A release
 * that gateways may still need is not removed: as a step on their way to a newer one, or as the
 * backup that they look for by its digest. */
#include <getopt.h>

#include "basic/clock.h"
#include "basic/names.h"
#include "image/version.h"
#include "repo/stage.h"
#include "repo/verbs.h"
#include "repo/versions.h"

#define FILES_MAX 64 /* of one version: for different hardware */

static const char remove_help[] =
                "rekindle-repo remove DIR VERSION [OPTIONS]\n"
                "\n"
                "Stages the end of a release; publish takes it away. Refused for a release that\n"
                "was published lately, because gateways look for their backup in the repository,\n"
                "and for one without which devices cannot get to a newer version (min-from). What\n"
                "is only staged goes at once.\n"
                "\n"
                "  --model MODEL           whose version, if several models have it\n"
                "  --keep-for DAYS         how long a release is kept after it was published (as\n"
                "                          init was told, 180)\n"
                "  --force                 even if gateways need it: a release that does harm\n"
                "  --now TIME              take TIME (2031-12-31T12:00:00Z) for the clock\n"
                "  --help                  this text\n";

static const char promote_help[] =
                "rekindle-repo promote DIR VERSION --channel NAME [OPTIONS]\n"
                "\n"
                "Stages a release for another channel: the same bytes, the same signature for\n"
                "devices. publish puts it in force.\n"
                "\n"
                "  --channel NAME          the channel that it is for from then on\n"
                "  --model MODEL           whose version, if several models have it\n"
                "  --force                 even if devices on its old channel need it\n"
                "  --help                  this text\n";

typedef struct Change {
        const char *version, *model, *channel;
        uint64_t keep_days;
        bool has_keep_days, force;
        int64_t now;
        Repo *repo;
        Release *found[FILES_MAX];
        bool is_staged[FILES_MAX];
        char *staged_path[FILES_MAX]; /* of what goes with the stage; NULL: nothing */
        size_t n;
        bool is_removed; /* it is there, and its end is staged already */
} Change;

static const struct option options[] = {
        { "model", required_argument, NULL, 'm' },
        { "channel", required_argument, NULL, 'c' },
        { "keep-for", required_argument, NULL, 'k' },
        { "force", no_argument, NULL, 'f' },
        { "now", required_argument, NULL, 'n' },
        { "help", no_argument, NULL, 'h' },
        {},
};

static int parse_option(Change *c, int option, const char *allowed, char *argv[]) {
        if (option == ':' || option == '?' || !strchr(allowed, option))
                return wrong_option(option == ':' ? option : '?', argv);
        switch (option) {
        case 'm':
                c->model = optarg;
                break;
        case 'c':
                c->channel = optarg;
                break;
        case 'k':
                c->has_keep_days = true;
                return option_number("--keep-for", optarg, 0, 36500, &c->keep_days);
        case 'f':
                c->force = true;
                return 0;
        case 'n':
                return option_now(optarg, &c->now);
        default:
                exit(print_help(*allowed == 'm' ? remove_help : promote_help));
        }
        return option_name(option == 'm' ? "--model" : "--channel", optarg);
}

static int parse(Change *c, const char *allowed, int argc, char *argv[]) {
        int option, r;

        c->now = clock_now(&clock_system);
        while ((option = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
                r = parse_option(c, option, allowed, argv);
                if (r != 0)
                        return r;
        }
        r = option_arguments(argc - optind, argv, 2, 2, "DIR VERSION");
        if (r != 0)
                return r;
        c->version = argv[optind + 1];
        if (!version_is_valid(c->version))
                return wrong_usage(
                                "\"%s\" is no version; it has to begin with a number and have at "
                                "most %d of A-Z a-z 0-9 . + ~ _ -",
                                c->version, VERSION_MAX);
        return 0;
}

static int find(const Release *release, RepoState state, void *userdata) {
        Change *c = userdata;

        if (!streq(release->version, c->version) ||
                        (c->model && !streq(release->model, c->model)) || c->n == FILES_MAX)
                return 0;
        if (state == REPO_REMOVED) {
                c->is_removed = true;
                return 0;
        }
        c->found[c->n] = release_copy(release);
        if (!c->found[c->n])
                return -ENOMEM;
        c->is_staged[c->n++] = state == REPO_STAGED;
        return 0;
}

/* All files of the version, of one model. */
static int find_all(Change *c, Why *w) {
        int r;

        r = repo_foreach_release(c->repo, find, c, w);
        if (r < 0)
                return r == -ENOMEM ? why_oom(w) : r;
        if (c->n == 0 && !c->is_removed)
                return why(w, -ENOENT, "there is no version %s%s%s; \"show\" lists what there is",
                                c->version, c->model ? " of " : "", c->model ?: "");
        for (size_t i = 1; i < c->n; i++)
                if (!streq(c->found[i]->model, c->found[0]->model))
                        return why(w, -EINVAL,
                                        "%s and %s both have a version %s; say which with --model",
                                        c->found[0]->model, c->found[i]->model, c->version);
        return 0;
}

static int run(Change *c, const char *path, int (*change)(Change *c, Why *w)) {
        Why w = {};
        int r;

        r = repo_open(path, &c->repo, &w);
        if (r >= 0) {
                r = change(c, &w);
                if (r < 0)
                        (void)why_prefix(&w, r, "%s", path);
        }
        for (size_t i = 0; i < c->n; i++) {
                (void)release_free(c->found[i]);
                free(c->staged_path[i]);
        }
        (void)repo_free(c->repo);
        return r < 0 ? failed(&w) : EXIT_DONE;
}

/* --- remove ----------------------------------------------------------------------------------- */

static int check_age(const Change *c, const Release *release, Why *w) {
        const char *date = json_string_value(json_object_get(c->repo->dates, release->target));
        uint64_t days = c->has_keep_days ? c->keep_days : c->repo->keep_days;
        int64_t published = c->now, end;
        char text[RFC3339_MAX];

        if (date && rfc3339_parse(date, &published) < 0)
                return why(w, -EBADMSG, REPO_DATES ": \"%s\" has a bad date", release->target);
        end = published + (int64_t)(days * REPO_DAY);
        if (days == 0 || end <= c->now)
                return 0;
        rfc3339_format(end, text);
        return why(w, -EBUSY,
                        "%s: gateways may need it as a backup; it is kept for %llu days after it was "
                        "published, until %s (--keep-for DAYS, or --force)",
                        release->target, (unsigned long long)days, text);
}

static int check_steps(const Release *release, const Versions *versions, Why *w) {
        const char *from, *to;

        if (!versions_is_stepping_stone(versions, release, &from, &to))
                return 0;
        return why(w, -EBUSY,
                        "%s: devices %s%s get to %s only by it (min-from); add another way first, or use "
                        "--force",
                        release->target, streq(from, "0-0") ? "of older versions" : "that run ",
                        streq(from, "0-0") ? "" : from, to);
}

static int check_removal(const Change *c, Why *w) {
        Versions versions;
        int r;

        r = versions_load(&versions, c->repo, w);
        for (size_t i = 0; r >= 0 && !c->force && i < c->n; i++) {
                if (c->is_staged[i] && !repo_find_target(c->repo, c->found[i]->target,
                                                       &(const char *){ NULL }))
                        continue;
                r = check_age(c, c->found[i], w);
                if (r >= 0)
                        r = check_steps(c->found[i], &versions, w);
        }
        versions_done(&versions);
        return r;
}

static int mark_removed(Change *c, size_t i, Why *w) {
        const char *target = c->found[i]->target, *role;
        const json_t *entry = json_object_get(c->repo->staged, target);
        int r;

        if (entry) {
                r = stage_path(target, entry, &c->staged_path[i], w);
                if (r < 0)
                        return r;
                (void)json_object_del(c->repo->staged, target);
        }
        if (!repo_find_target(c->repo, target, &role))
                return 0;
        return json_object_set_new(c->repo->removed, target, json_true()) < 0 ? why_oom(w) : 0;
}

/* A file that stays goes with the next publish. */
static void end_removal(const Change *c, size_t i) {
        const char *target = c->found[i]->target;

        if (c->staged_path[i])
                (void)unlinkat(c->repo->fd, c->staged_path[i], 0);
        if (json_object_get(c->repo->removed, target))
                printf("the end of %s is staged\n", target);
        else
                printf("%s is not staged any more\n", target);
}

static int remove_all(Change *c, Why *w) {
        int r;

        r = find_all(c, w);
        if (r >= 0)
                r = check_removal(c, w);
        if (r >= 0 && c->n == 0)
                printf("the end of %s is staged already\n", c->version);
        for (size_t i = 0; r >= 0 && i < c->n; i++)
                r = mark_removed(c, i, w);
        if (r >= 0 && c->n > 0)
                r = stage_save(c->repo, w);
        for (size_t i = 0; r >= 0 && i < c->n; i++)
                end_removal(c, i);
        return r;
}

int verb_remove(int argc, char *argv[]) {
        Change c = {};
        int r = parse(&c, "mkfnh", argc, argv);

        return r != 0 ? r : run(&c, argv[optind], remove_all);
}

/* --- promote ---------------------------------------------------------------------------------- */

/* 1: it changes. */
static int mark_promoted(const Change *c, const Release *release, Why *w) {
        const char *role, *target = release->target;
        const json_t *old = json_object_get(c->repo->staged, target)
                                            ?: repo_find_target(c->repo, target, &role);
        _cleanup_json_ json_t *entry = json_deep_copy(old);
        json_t *custom = json_object_get(json_object_get(entry, "custom"), "rekindle");

        if (streq(release->channel, c->channel))
                return 0;
        if (json_object_set_new(custom, "channel", json_string(c->channel)) < 0 ||
                        json_object_set(c->repo->staged, target, entry) < 0)
                return why_oom(w);
        return 1;
}

static void say_promoted(const Change *c, const Release *release) {
        if (streq(release->channel, c->channel))
                printf("%s is for %s already, nothing to do\n", release->target, c->channel);
        else
                printf("%s: %s in the place of %s is staged\n", release->target, c->channel,
                                release->channel);
}

/* A release that leaves a channel may be missed there as if it were removed. */
static int check_channel(const Change *c, Why *w) {
        Versions versions;
        int r;

        r = versions_load(&versions, c->repo, w);
        for (size_t i = 0; r >= 0 && i < c->n; i++)
                if (!streq(c->found[i]->channel, c->channel) && !c->force)
                        r = check_steps(c->found[i], &versions, w);
        versions_done(&versions);
        return r;
}

static int promote_all(Change *c, Why *w) {
        size_t n = 0;
        int r;

        r = find_all(c, w);
        if (r >= 0 && c->n == 0)
                r = why(w, -ENOENT, "the end of %s is staged; \"add\" it again to keep it",
                                c->version);
        if (r >= 0)
                r = check_channel(c, w);
        for (size_t i = 0; r >= 0 && i < c->n; i++) {
                r = mark_promoted(c, c->found[i], w);
                n += r > 0;
        }
        if (r >= 0 && n > 0)
                r = stage_save(c->repo, w);
        for (size_t i = 0; r >= 0 && i < c->n; i++)
                say_promoted(c, c->found[i]);
        return r;
}

int verb_promote(int argc, char *argv[]) {
        Change c = {};
        int r;

        r = parse(&c, "cmfh", argc, argv);
        if (r != 0)
                return r;
        if (!c.channel)
                return wrong_usage(
                                "promote: --channel is needed; see rekindle-repo promote --help");
        return run(&c, argv[optind], promote_all);
}
