/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* device-key: a key whose public half goes into devices. */
#include <getopt.h>

#include "basic/names.h"
#include "repo/key-file.h"
#include "repo/verbs.h"

static const char help[] =
                "rekindle-repo device-key DIR NAME\n"
                "\n"
                "Makes an Ed25519 key for device signatures: DIR/keys/device-NAME.pem (for add\n"
                "--device-key) and DIR/keys/device-NAME.pub.pem (to be built into the devices).\n"
                "\n"
                "  --help                  this text\n";

static const struct option options[] = {
        { "help", no_argument, NULL, 'h' },
        {},
};

static int run(const char *path, const char *name, Why *w) {
        _cleanup_(private_key_freep) PrivateKey *key = NULL;
        _cleanup_(repo_freep) Repo *repo = NULL;
        char file[128];
        int r;

        r = repo_open(path, &repo, w);
        if (r < 0)
                return r;
        r = private_key_generate(&key, w);
        if (r < 0)
                return r;
        (void)snprintf(file, sizeof(file), REPO_KEYS "/device-%s.pem", name);
        r = private_key_save(key, repo->fd, file, w);
        if (r < 0)
                return why_prefix(w, r, "%s", path);
        (void)snprintf(file, sizeof(file), REPO_KEYS "/device-%s.pub.pem", name);
        r = private_key_save_public(key, repo->fd, file, w);
        return r < 0 ? why_prefix(w, r, "%s", path) : 0;
}

int verb_device_key(int argc, char *argv[]) {
        const char *path, *name;
        Why w;
        int c, r;

        while ((c = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
                if (c != 'h')
                        return wrong_option(c, argv);
                return print_help(help);
        }
        r = option_arguments(argc - optind, argv, 2, "DIR NAME");
        if (r != 0)
                return r;
        path = argv[optind];
        name = argv[optind + 1];
        if (!name_is_valid(name))
                return wrong_usage(
                                "\"%s\" cannot name a key; it has to be 1 to 64 of A-Z a-z 0-9 . _ - "
                                "and not begin with a dot",
                                name);
        r = run(path, name, &w);
        if (r < 0)
                return failed(&w);
        printf("%s/keys/device-%s.pem\n%s/keys/device-%s.pub.pem\n", path, name, path, name);
        return EXIT_DONE;
}
