/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rekindle-repo: the publisher's tool. Finds the verb and calls it. */
#include <getopt.h>

#include "build-config.h"
#include "repo/verbs.h"

static const char help[] = "rekindle-repo VERB ...\n"
                           "\n"
                           "Makes and signs the repository from which gateways get programs.\n"
                           "\n"
                           "Every day:\n"
                           "  init DIR            make a repository and its keys\n"
                           "  add DIR ...         stage a release\n"
                           "  remove DIR VERSION  stage the end of a release\n"
                           "  promote DIR VERSION --channel NAME\n"
                           "                      stage a release for another channel\n"
                           "  publish DIR         sign what is staged and put it into DIR/public\n"
                           "  show DIR            list releases and how long the signatures last\n"
                           "\n"
                           "From a timer:\n"
                           "  refresh DIR         renew timestamp and snapshot\n"
                           "  expire-check DIR    say what expires soon\n"
                           "  prune DIR           remove metadata that nobody can ask for\n"
                           "\n"
                           "For gateways:\n"
                           "  verify DIR          say what a gateway would\n"
                           "  export DIR FOLDER   copy some models, for gateways without network\n"
                           "\n"
                           "Keys and people:\n"
                           "  key add|remove|rotate|threshold|list|new\n"
                           "                      who signs\n"
                           "  device-key DIR NAME make a key that signs for devices\n"
                           "  delegate DIR TEAM   let a team sign the releases of a model\n"
                           "  root show|renew|sign|export|import|drop\n"
                           "                      sign a root, one after another\n"
                           "  targets show|sign|export|import|drop\n"
                           "                      the same for releases\n"
                           "\n"
                           "  --help              this text; after a verb: its options\n"
                           "  --version           the version\n"
                           "\n"
                           "Exit: 0 done, 1 failed, 2 wrong usage.\n";

static const struct {
        const char *name;
        int (*run)(int argc, char *argv[]);
} verbs[] = {
        { "add", verb_add },
        { "delegate", verb_delegate },
        { "device-key", verb_device_key },
        { "expire-check", verb_expire_check },
        { "export", verb_export },
        { "init", verb_init },
        { "key", verb_key },
        { "promote", verb_promote },
        { "prune", verb_prune },
        { "publish", verb_publish },
        { "refresh", verb_refresh },
        { "remove", verb_remove },
        { "root", verb_root },
        { "show", verb_show },
        { "targets", verb_targets },
        { "verify", verb_verify },
};

int main(int argc, char *argv[]) {
        opterr = 0; /* wrong_option() says it */
        if (argc < 2)
                return wrong_usage("no verb; see rekindle-repo --help");
        if (streq(argv[1], "--help") || streq(argv[1], "-h"))
                return print_help(help);
        if (streq(argv[1], "--version"))
                return print_help("rekindle-repo " REKINDLE_VERSION "\n");
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (streq(verbs[i].name, argv[1]))
                        return end_output(verbs[i].run(argc - 1, argv + 1));
        return wrong_usage("\"%s\" is no verb; see rekindle-repo --help", argv[1]);
}
