/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* root and targets: documents that several people sign one after another. In the publisher's
 * folder with keys that are at hand; or as a file that goes from one to the next. */
#include <getopt.h>
#include <sys/stat.h>

#include "basic/clock.h"
#include "repo/request.h"
#include "repo/root-edit.h"
#include "repo/stage.h"
#include "repo/verbs.h"

static const char root_help[] =
                "rekindle-repo root VERB ...\n"
                "\n"
                "  show DIR|FILE           what is to be signed, and who signed\n"
                "  renew DIR               stage the root again, to last longer\n"
                "  sign DIR|FILE           sign the staged root, or a file of \"root export\"\n"
                "  export DIR FILE         write the staged root for somebody who signs elsewhere\n"
                "  import DIR FILE         take over the signatures of that file\n"
                "  drop DIR                forget the staged root\n"
                "\n"
                "\"publish\" puts the root in force when enough keys have signed: as many as the root\n"
                "before asks for, and as many as it asks for itself.\n"
                "\n" KEYRING_HELP
                "  --now TIME              take TIME (2031-12-31T12:00:00Z) for the clock\n"
                "  --help                  this text\n";

static const char targets_help[] =
                "rekindle-repo targets VERB ...\n"
                "\n"
                "  show DIR|FILE           what is to be signed, and who signed\n"
                "  sign DIR|FILE           sign what is staged, or a file of \"targets export\"\n"
                "  export DIR FILE         write what is staged for somebody who signs elsewhere\n"
                "  import DIR FILE         take over the signatures of that file\n"
                "  drop DIR                forget what was signed\n"
                "\n"
                "For releases that several keys have to sign, or keys that are elsewhere. Until the\n"
                "next \"publish\" nothing more may be staged, or it is signed anew.\n"
                "\n"
                "  --role TEAM             the releases of a team instead of targets\n" KEYRING_HELP
                "  --now TIME              take TIME (2031-12-31T12:00:00Z) for the clock\n"
                "  --help                  this text\n";

typedef struct SignVerb {
        const char *role;
        Keyring ring;
        Publish publish;
        Request request;
} SignVerb;

static const struct option options[] = {
        KEYRING_OPTIONS,
        { "role", required_argument, NULL, 'r' },
        { "now", required_argument, NULL, 'n' },
        {},
};

static int parse(SignVerb *v, int n, const char *names, int argc, char *argv[]) {
        int c, r;

        v->role = startswith(argv[0], "root ") ? "root" : "targets";
        v->ring.repo_fd = -1;
        v->publish.ring = &v->ring;
        v->publish.now = clock_now(&clock_system);
        while ((c = getopt_long(argc, argv, ":", options, NULL)) >= 0) {
                r = option_keyring(&v->ring, c, optarg);
                if (r < 0 && c == 'r' && !streq(v->role, "root")) {
                        v->role = optarg;
                        r = 0;
                } else if (r < 0 && c == 'n')
                        r = option_now(optarg, &v->publish.now);
                else if (r < 0)
                        return wrong_option(c == ':' ? c : '?', argv);
                if (r != 0)
                        return r;
        }
        return option_arguments(argc - optind, argv, n, n, names);
}

static int finish(SignVerb *v, int r, const Why *w) {
        request_done(&v->request);
        publish_done(&v->publish);
        keyring_done(&v->ring);
        return r < 0 ? failed(w) : EXIT_DONE;
}

static int open_repo(SignVerb *v, const char *path, Why *w) {
        int r;

        r = repo_open(path, &v->publish.repo, w);
        if (r >= 0)
                v->ring.repo_fd = v->publish.repo->fd;
        return r;
}

static int load_staged(SignVerb *v, const char *path, Why *w) {
        int r;

        r = open_repo(v, path, w);
        return r < 0 ? r : request_from_repo(&v->request, &v->publish, v->role, w);
}

/* A folder is the publisher's, everything else a file. */
static int load_either(SignVerb *v, const char *path, bool *ret_is_folder, Why *w) {
        struct stat st;

        if (stat(path, &st) < 0)
                return why(w, -errno, "%s: %s", path, strerror(errno));
        *ret_is_folder = S_ISDIR(st.st_mode);
        return *ret_is_folder ? load_staged(v, path, w) : request_from_file(&v->request, path, w);
}

static int sign_show(int argc, char *argv[]) {
        SignVerb v = {};
        bool is_folder;
        Why w = {};
        int r;

        r = parse(&v, 1, "DIR or FILE", argc, argv);
        if (r != 0)
                return r;
        r = load_either(&v, argv[optind], &is_folder, &w);
        if (r >= 0)
                request_print(&v.request, stdout);
        return finish(&v, r, &w);
}

/* Keys that were named sign in any case, others as long as signatures are missing. */
static int sign(SignVerb *v, bool is_folder, Why *w) {
        size_t before = json_array_size(v->request.signing.signatures), n;
        int r;

        if (!is_folder && v->ring.n_names + v->ring.n_folders == 0)
                return why(w, -EINVAL,
                                "name the key with --key, or the folder that has it with --keys");
        r = signing_sign_named(&v->request.signing, &v->ring, w);
        if (r == 0 && v->ring.n_names > 0 && !signing_is_complete(&v->request.signing))
                return why(w, -EKEYREJECTED,
                                "%s: is not one of the keys that have to sign, or has signed already",
                                v->ring.names[0]);
        if (r >= 0)
                r = signing_sign(&v->request.signing, &v->ring, w);
        if (r < 0)
                return r;
        n = json_array_size(v->request.signing.signatures);
        if (n == before && !signing_is_complete(&v->request.signing))
                return signing_check(&v->request.signing, &v->ring, w);
        return 0;
}

static int sign_sign(int argc, char *argv[]) {
        const char *path;
        SignVerb v = {};
        bool is_folder;
        Why w = {};
        int r;

        r = parse(&v, 1, "DIR or FILE", argc, argv);
        if (r != 0)
                return r;
        path = argv[optind];
        r = load_either(&v, path, &is_folder, &w);
        if (r >= 0)
                r = sign(&v, is_folder, &w);
        if (r >= 0)
                r = is_folder ? request_save_to_repo(&v.request, v.publish.repo, &w)
                              : request_save_to_file(&v.request, path, &w);
        if (r >= 0)
                request_print(&v.request, stdout);
        return finish(&v, r, &w);
}

static int sign_export(int argc, char *argv[]) {
        SignVerb v = {};
        Why w = {};
        int r;

        r = parse(&v, 2, "DIR FILE", argc, argv);
        if (r != 0)
                return r;
        r = load_staged(&v, argv[optind], &w);
        if (r >= 0 && v.request.is_new) /* so that the signatures find the same bytes */
                r = request_save_to_repo(&v.request, v.publish.repo, &w);
        if (r >= 0)
                r = request_save_to_file(&v.request, argv[optind + 1], &w);
        if (r >= 0)
                request_print(&v.request, stdout);
        return finish(&v, r, &w);
}

static int import(SignVerb *v, const char *path, Why *w) {
        Request file = {};
        int r;

        r = request_from_file(&file, path, w);
        if (r >= 0 && !streq(file.role, v->role))
                r = why(w, -EINVAL, "%s: is a request for %s, not for %s", path, file.role,
                                v->role);
        if (r >= 0 && !json_equal(file.signing.content, v->request.signing.content))
                r = why(w, -EBADMSG,
                                "%s: is about another %s than the one that is staged, which changed "
                                "since; export it again",
                                path, v->role);
        if (r >= 0)
                r = signing_take(&v->request.signing, file.signing.signatures, w);
        if (r == 0)
                (void)fprintf(stderr, "rekindle-repo: warning: %s: brings no new signature\n",
                                path);
        request_done(&file);
        return r;
}

static int sign_import(int argc, char *argv[]) {
        SignVerb v = {};
        Why w = {};
        int r;

        r = parse(&v, 2, "DIR FILE", argc, argv);
        if (r != 0)
                return r;
        r = load_staged(&v, argv[optind], &w);
        if (r >= 0)
                r = import(&v, argv[optind + 1], &w);
        if (r >= 0)
                r = request_save_to_repo(&v.request, v.publish.repo, &w);
        if (r >= 0)
                request_print_state(&v.request, stdout);
        return finish(&v, r, &w);
}

static int renew(SignVerb *v, Why *w) {
        const Repo *repo = v->publish.repo;
        _cleanup_json_ json_t *content = NULL, *document = NULL;
        int r;

        r = root_next_content(repo, v->publish.now, &content, NULL, w);
        if (r < 0)
                return r;
        document = json_pack("{s:o, s:[]}", "signed",
                        root_renewed(content,
                                        (uint64_t)json_integer_value(
                                                        json_object_get(content, "version")),
                                        v->publish.now + (int64_t)repo->expires_in[TUF_ROOT]),
                        "signatures");
        r = document ? stage_save_next(repo, "root", document, w) : why_oom(w);
        return r < 0 ? r : request_from_repo(&v->request, &v->publish, "root", w);
}

static int sign_renew(int argc, char *argv[]) {
        SignVerb v = {};
        Why w = {};
        int r;

        r = parse(&v, 1, "DIR", argc, argv);
        if (r != 0)
                return r;
        r = open_repo(&v, argv[optind], &w);
        if (r >= 0)
                r = renew(&v, &w);
        if (r >= 0)
                request_print(&v.request, stdout);
        return finish(&v, r, &w);
}

static int sign_drop(int argc, char *argv[]) {
        SignVerb v = {};
        Why w = {};
        int r;

        r = parse(&v, 1, "DIR", argc, argv);
        if (r != 0)
                return r;
        r = open_repo(&v, argv[optind], &w);
        if (r >= 0)
                r = stage_drop_next(v.publish.repo, v.role, &w);
        return finish(&v, r, &w);
}

int verb_root(int argc, char *argv[]) {
        static const SubVerb verbs[] = {
                { "root drop", sign_drop, root_help },
                { "root export", sign_export, root_help },
                { "root import", sign_import, root_help },
                { "root renew", sign_renew, root_help },
                { "root show", sign_show, root_help },
                { "root sign", sign_sign, root_help },
        };

        return run_sub_verb(verbs, ELEMENTSOF(verbs), root_help, argc, argv);
}

int verb_targets(int argc, char *argv[]) {
        static const SubVerb verbs[] = {
                { "targets drop", sign_drop, targets_help },
                { "targets export", sign_export, targets_help },
                { "targets import", sign_import, targets_help },
                { "targets show", sign_show, targets_help },
                { "targets sign", sign_sign, targets_help },
        };

        return run_sub_verb(verbs, ELEMENTSOF(verbs), targets_help, argc, argv);
}
