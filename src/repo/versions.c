/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Steps: a device goes to the highest version that may replace what it has, again and again; from
 * a higher version everything is allowed that a lower one may take. So it is enough to follow the
 * highest step, with the release and without it, from each version where that makes a difference:
 * the listed ones and those that a min-from names. */
#include <assert.h>

#include "image/version.h"
#include "repo/versions.h"

#define LOWEST "0-0" /* below every version that somebody would ship */

static int collect(const Release *release, RepoState state, void *userdata) {
        Versions *v = userdata;
        Release **more;

        if (state == REPO_REMOVED)
                return 0;
        more = reallocarray(v->items, v->n + 1, sizeof(*more));
        if (!more)
                return -ENOMEM;
        v->items = more;
        more[v->n] = release_copy(release);
        if (!more[v->n])
                return -ENOMEM;
        v->n++;
        return 0;
}

int versions_load(Versions *v, const Repo *repo, Why *w) {
        int r;

        assert(v && repo);
        *v = (Versions){};
        r = repo_foreach_release(repo, collect, v, w);
        return r == -ENOMEM ? why_oom(w) : r;
}

void versions_done(Versions *v) {
        for (size_t i = 0; i < v->n; i++)
                (void)release_free(v->items[i]);
        free(v->items);
        *v = (Versions){};
}

/* One way of devices: a model, a channel, a hardware revision. */
typedef struct Way {
        const Versions *v;
        const Release *like;
        const char *hardware;
} Way;

static bool is_on_way(const Way *way, const Release *r) {
        return streq(r->model, way->like->model) && streq(r->channel, way->like->channel) &&
               release_fits_hardware(r, way->hardware);
}

/* The highest version in one step; NULL: none. */
static const char *step(const Way *way, const char *from, const Release *without) {
        const char *best = NULL;

        for (size_t i = 0; i < way->v->n; i++) {
                const Release *r = way->v->items[i];

                if (!is_on_way(way, r) || (without && streq(r->target, without->target)) ||
                                version_compare(r->version, from) <= 0 ||
                                (r->min_from && version_compare(r->min_from, from) > 0))
                        continue;
                if (!best || version_compare(r->version, best) > 0)
                        best = r->version;
        }
        return best;
}

static const char *reach(const Way *way, const char *from, const Release *without) {
        const char *next;

        while ((next = step(way, from, without)))
                from = next;
        return from;
}

/* The end of the way is the release itself: to withdraw the newest one is no loss of a step. */
static bool is_lost(const Way *way, const char *from, const Release *release, const char **ret_to) {
        const char *before = reach(way, from, NULL);

        *ret_to = before;
        return version_compare(before, release->version) > 0 &&
               version_compare(reach(way, from, release), before) < 0;
}

static bool is_needed_on(const Way *way, const Release *release, const char **ret_from,
                const char **ret_to) {
        *ret_from = LOWEST;
        if (is_lost(way, LOWEST, release, ret_to))
                return true;
        for (size_t i = 0; i < way->v->n; i++) {
                const Release *r = way->v->items[i];
                const char *from[] = { r->version, r->min_from };

                for (size_t k = 0; is_on_way(way, r) && k < ELEMENTSOF(from); k++) {
                        *ret_from = from[k];
                        if (from[k] && is_lost(way, from[k], release, ret_to))
                                return true;
                }
        }
        return false;
}

bool versions_is_stepping_stone(const Versions *v, const Release *release, const char **ret_from,
                const char **ret_to) {
        Way way = { .v = v, .like = release, .hardware = "" };

        assert(v && release && ret_from && ret_to);
        if (!release->hardware && is_needed_on(&way, release, ret_from, ret_to))
                return true;
        for (size_t i = 0; i < v->n; i++) {
                char **list = v->items[i]->hardware;

                for (size_t k = 0; list && list[k]; k++) {
                        way.hardware = list[k];
                        if (release_fits_hardware(release, way.hardware) &&
                                        is_needed_on(&way, release, ret_from, ret_to))
                                return true;
                }
        }
        return false;
}
