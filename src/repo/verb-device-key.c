/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* device-key: a key whose public half goes into devices; "key add DIR device-NAME" in short. */
#include <getopt.h>

#include "repo/device-key.h"
#include "repo/verbs.h"

static const char help[] =
                "rekindle-repo device-key DIR NAME [KEY] [OPTIONS]\n"
                "\n"
                "Makes a key for device signatures: DIR/keys/device-NAME.pem (for add\n"
                "--device-key) and DIR/keys/device-NAME.pub.pem (to be built into the devices).\n"
                "KEY: the pkcs11: URI of one that lies in a token.\n"
                "\n" NEW_KEY_HELP
                "  --passphrase-file FILE  passphrase or PIN; else REKINDLE_PASSPHRASE, else the\n"
                "                          terminal is asked\n"
                "  --help                  this text\n";

static const struct option options[] = {
        NEW_KEY_OPTIONS,
        { "passphrase-file", required_argument, NULL, 'P' },
        { "help", no_argument, NULL, 'h' },
        {},
};

int verb_device_key(int argc, char *argv[]) {
        Secrets secrets = {};
        NewKey k = { .secrets = &secrets };
        const char *key;
        int c, r;

        while ((c = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
                r = option_new_key(&k, c, optarg);
                if (r > 0)
                        return r;
                if (r == 0)
                        continue;
                if (c == 'h')
                        return print_help(help);
                if (c != 'P')
                        return wrong_option(c, argv);
                secrets.files[0] = optarg;
                secrets.n_files = 1;
        }
        r = option_arguments(argc - optind, argv, 2, 3, "DIR NAME [KEY]");
        if (r != 0)
                return r;
        key = argc - optind == 3 ? argv[optind + 2] : NULL;
        r = check_new_key(&k, key);
        return r != 0 ? r : device_key_make(argv[optind], argv[optind + 1], key, &k);
}
