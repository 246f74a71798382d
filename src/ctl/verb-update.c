/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* update, restore: asks and stays until the end. An update asks the server first; when that does
 * not answer, what is known already is good enough. A folder that is refused is not. */
#include "ctl/follow.h"

static int refresh(Ctl *c) {
        char outcome[64], text[WHY_MAX];
        int r;

        r = c->from ? ctl_open_folder(c) : 0;
        if (r == 0)
                r = ctl_check(c, outcome, text);
        if (r != 0)
                return r;
        if (ctl_outcome_status(c, outcome) != STATUS_DONE && c->from)
                return ctl_failure(c, NULL, outcome, ctl_outcome_status(c, outcome), text);
        if (ctl_outcome_status(c, outcome) != STATUS_DONE)
                (void)ctl_failed("%s; going on with the releases that are known", text);
        return 0;
}

static int finish(FollowSet *f, bool single, int r) {
        if (r >= 0)
                r = follow_run(f);
        return r < 0 ? ctl_errno(r, "rekindled cannot be asked") : follow_report(f, single);
}

static int update_all(Ctl *c) {
        _cleanup_(follow_freep) FollowSet *f = NULL;
        _cleanup_json_ json_t *devices = NULL;
        const json_t *d;
        size_t i;
        int r;

        r = ctl_devices(c, &devices);
        if (r != 0)
                return r;
        r = follow_new(c, &f);
        json_array_foreach(devices, i, d) {
                if (r >= 0)
                        r = follow_add(f, member_string(d, "id"), "Update", "");
        }
        return finish(f, false, r);
}

int verb_update(Ctl *c, int argc, char *argv[]) {
        const char *at = argc > 0 ? strchr(argv[0], '@') : NULL;
        _cleanup_(follow_freep) FollowSet *f = NULL;
        _cleanup_free_ char *id = NULL;
        int r;

        if (at && (!at[1] || at == argv[0]))
                return ctl_usage("\"%s\" is not DEV@VERSION", argv[0]);
        r = refresh(c);
        if (r != 0)
                return r;
        if (argc == 0)
                return update_all(c);
        id = strndup(argv[0], at ? (size_t)(at - argv[0]) : strlen(argv[0]));
        if (!id)
                return ctl_errno(-ENOMEM, "update");
        r = follow_new(c, &f);
        if (r >= 0)
                r = follow_add(f, id, "Update", at ? at + 1 : "");
        return finish(f, true, r);
}

int verb_restore(Ctl *c, int argc, char *argv[]) {
        _cleanup_(follow_freep) FollowSet *f = NULL;
        int r;

        r = follow_new(c, &f);
        if (r >= 0)
                r = follow_add(f, argv[0], "Restore", NULL);
        return finish(f, true, r);
}
