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
                "\"publish\" puts the root in force when enough keys have signed: as many as the\n"
                "root before asks for, and as many as it asks for itself.\n"
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
                "For releases that several keys have to sign, or keys that are elsewhere. Until\n"
                "the next \"publish\" nothing more may be staged, or it is signed anew.\n"
                "\n"
                "  --role TEAM             the releases of a team instead of targets\n" KEYRING_HELP
                "  --now TIME              take TIME (2031-12-31T12:00:00Z) for the clock\n"
                "  --help                  this text\n";

typedef struct SignVerb {
        const char *role;
        Keyring ring;
        Publish publish;
        Request request;
        const char *path, *file; /* the arguments; file: NULL where there is one */
        bool is_folder;          /* path is the publisher's folder, else a request */
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
        v->path = argv[optind];
        v->file = argc - optind > 1 ? argv[optind + 1] : NULL;
        return option_arguments(argc - optind, argv, n, n, names);
}

static int run(int n, const char *names, int (*func)(SignVerb *v, Why *w), int argc, char *argv[]) {
        SignVerb v = {};
        Why w = {};
        int r;

        r = parse(&v, n, names, argc, argv);
        if (r != 0)
                return r;
        r = func(&v, &w);
        if (r < 0 && v.publish.repo)
                (void)why_prefix(&w, r, "%s", v.path);
        request_done(&v.request);
        publish_done(&v.publish);
        keyring_done(&v.ring);
        return r < 0 ? failed(&w) : EXIT_DONE;
}

static int open_repo(SignVerb *v, Why *w) {
        int r;

        r = repo_open(v->path, &v->publish.repo, w);
        if (r >= 0)
                v->ring.repo_fd = v->publish.repo->fd;
        return r;
}

static int load_staged(SignVerb *v, Why *w) {
        int r;

        r = open_repo(v, w);
        return r < 0 ? r : request_from_repo(&v->request, &v->publish, v->role, w);
}

/* A folder is the publisher's, everything else a file. */
static int load_either(SignVerb *v, Why *w) {
        struct stat st;

        if (stat(v->path, &st) < 0)
                return why(w, -errno, "%s: %s", v->path, strerror(errno));
        v->is_folder = S_ISDIR(st.st_mode);
        return v->is_folder ? load_staged(v, w) : request_from_file(&v->request, v->path, w);
}

static int show(SignVerb *v, Why *w) {
        int r;

        r = load_either(v, w);
        if (r >= 0)
                request_print(&v->request, stdout);
        return r;
}

static int sign_show(int argc, char *argv[]) {
        return run(1, "DIR or FILE", show, argc, argv);
}

/* Keys that were named sign in any case, others as long as signatures are missing. */
static int add_signatures(SignVerb *v, Why *w) {
        size_t before = json_array_size(v->request.signing.signatures), n;
        int r;

        if (!v->is_folder && v->ring.n_names + v->ring.n_folders == 0)
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

static int sign(SignVerb *v, Why *w) {
        int r;

        r = load_either(v, w);
        if (r >= 0)
                r = add_signatures(v, w);
        if (r >= 0)
                r = v->is_folder ? request_save_to_repo(&v->request, v->publish.repo, w)
                                 : request_save_to_file(&v->request, v->path, w);
        if (r >= 0)
                request_print(&v->request, stdout);
        return r;
}

static int sign_sign(int argc, char *argv[]) {
        return run(1, "DIR or FILE", sign, argc, argv);
}

static int export(SignVerb *v, Why *w) {
        int r;

        r = load_staged(v, w);
        if (r >= 0 && v->request.is_new) /* so that the signatures find the same bytes */
                r = request_save_to_repo(&v->request, v->publish.repo, w);
        if (r >= 0)
                r = request_save_to_file(&v->request, v->file, w);
        if (r >= 0)
                request_print(&v->request, stdout);
        return r;
}

static int sign_export(int argc, char *argv[]) {
        return run(2, "DIR FILE", export, argc, argv);
}

static int take_signatures(SignVerb *v, Why *w) {
        Request file = {};
        int r;

        r = request_from_file(&file, v->file, w);
        if (r >= 0 && !streq(file.role, v->role))
                r = why(w, -EINVAL, "%s: is a request for %s, not for %s", v->file, file.role,
                                v->role);
        if (r >= 0 && !json_equal(file.signing.content, v->request.signing.content))
                r = why(w, -EBADMSG,
                                "%s: is about another %s than the one that is staged, which changed "
                                "since; export it again",
                                v->file, v->role);
        if (r >= 0)
                r = signing_take(&v->request.signing, file.signing.signatures, w);
        if (r == 0)
                (void)fprintf(stderr, "rekindle-repo: warning: %s: brings no new signature\n",
                                v->file);
        request_done(&file);
        return r;
}

static int import(SignVerb *v, Why *w) {
        int r;

        r = load_staged(v, w);
        if (r >= 0)
                r = take_signatures(v, w);
        if (r >= 0)
                r = request_save_to_repo(&v->request, v->publish.repo, w);
        if (r >= 0)
                request_print_state(&v->request, stdout);
        return r;
}

static int sign_import(int argc, char *argv[]) {
        return run(2, "DIR FILE", import, argc, argv);
}

static int stage_renewed(SignVerb *v, Why *w) {
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
        return document ? stage_save_next(repo, "root", document, w) : why_oom(w);
}

static int renew(SignVerb *v, Why *w) {
        int r;

        r = open_repo(v, w);
        if (r >= 0)
                r = stage_renewed(v, w);
        if (r >= 0)
                r = request_from_repo(&v->request, &v->publish, "root", w);
        if (r >= 0)
                request_print(&v->request, stdout);
        return r;
}

static int sign_renew(int argc, char *argv[]) {
        return run(1, "DIR", renew, argc, argv);
}

static int drop(SignVerb *v, Why *w) {
        int r;

        r = open_repo(v, w);
        return r < 0 ? r : stage_drop_next(v->publish.repo, v->role, w);
}

static int sign_drop(int argc, char *argv[]) {
        return run(1, "DIR", drop, argc, argv);
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
