/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* delegate: a team signs the releases of some models with keys of its own. Staged; publish puts
 * it in force together with the team's first signature. */
#include <getopt.h>

#include "basic/names.h"
#include "repo/new-key.h"
#include "repo/root-edit.h"
#include "repo/stage.h"
#include "repo/team.h"
#include "repo/verbs.h"

static const char help[] =
                "rekindle-repo delegate DIR TEAM [OPTIONS]\n"
                "\n"
                "Lets a team sign the releases of models: a role of its own in the repository,\n"
                "for paths MODEL/*/*. Releases of the model that are published already stay where\n"
                "they are; new ones are the team's. Again for the same team: adds models.\n"
                "\n"
                "  --model MODEL           a model whose releases are the team's, any number\n"
                "  --key KEY               a key of the team, any number: a file or a pkcs11: URI\n"
                "                          as in \"key add\". None for a new team: one is made in\n"
                "                          DIR/keys\n"
                "  --threshold NUMBER      how many of them have to sign (1)\n" NEW_KEY_HELP
                "  --passphrase-file FILE  passphrase or PIN; else REKINDLE_PASSPHRASE, else the\n"
                "                          terminal is asked\n"
                "  --remove                end it; targets takes over the team's releases\n"
                "  --help                  this text\n";

typedef struct Delegate {
        const char *team;
        const char *models[TEAM_MODELS_MAX];
        size_t n_models;
        const char *keys[KEYRING_NAMES_MAX];
        size_t n_keys;
        uint64_t threshold; /* 0: stays */
        bool remove;
        Secrets secrets;
        NewKey new_key;
        Repo *repo;
        json_t *entry;
} Delegate;

static const struct option options[] = {
        NEW_KEY_OPTIONS,
        { "model", required_argument, NULL, 'm' },
        { "key", required_argument, NULL, 'k' },
        { "threshold", required_argument, NULL, 't' },
        { "passphrase-file", required_argument, NULL, 'P' },
        { "remove", no_argument, NULL, 'r' },
        { "help", no_argument, NULL, 'h' },
        {},
};

static int take_model(Delegate *d, const char *value) {
        int r = option_name("--model", value);

        if (r != 0)
                return r;
        if (d->n_models == TEAM_MODELS_MAX)
                return wrong_usage("--model can be given %d times", TEAM_MODELS_MAX);
        d->models[d->n_models++] = value;
        return 0;
}

static int parse_option(Delegate *d, int c, char *argv[]) {
        int r = option_new_key(&d->new_key, c, optarg);

        if (r >= 0)
                return r;
        switch (c) {
        case 'm':
                return take_model(d, optarg);
        case 'k':
                if (d->n_keys == KEYRING_NAMES_MAX)
                        return wrong_usage("--key can be given %d times", KEYRING_NAMES_MAX);
                d->keys[d->n_keys++] = optarg;
                return 0;
        case 't':
                return option_number("--threshold", optarg, 1, KEYRING_NAMES_MAX, &d->threshold);
        case 'P':
                d->secrets.files[0] = optarg;
                d->secrets.n_files = 1;
                return 0;
        case 'r':
                d->remove = true;
                return 0;
        case 'h':
                exit(print_help(help));
        default:
                return wrong_option(c, argv);
        }
}

/* Those that would do nothing are refused. */
static int check_options(const Delegate *d) {
        const NewKey *k = &d->new_key;

        if (d->remove && (d->n_models > 0 || d->n_keys > 0 || d->threshold > 0 ||
                                         k->is_type_named || k->encrypt || d->secrets.n_files > 0))
                return wrong_usage("--remove ends the whole delegation; it goes with no other "
                                   "option");
        if (d->n_keys > 0)
                return check_new_key(k, d->keys[0]);
        return 0;
}

static int parse(Delegate *d, int argc, char *argv[]) {
        int c, r;

        d->new_key.secrets = &d->secrets;
        while ((c = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
                r = parse_option(d, c, argv);
                if (r != 0)
                        return r;
        }
        r = option_arguments(argc - optind, argv, 2, 2, "DIR TEAM");
        if (r != 0)
                return r;
        r = check_options(d);
        if (r != 0)
                return r;
        d->team = argv[optind + 1];
        if (!team_name_is_valid(d->team))
                return wrong_usage(
                                "\"%s\" cannot name a team; it has to be 1 to 64 of A-Z a-z 0-9 . _ -, "
                                "not begin with a dot, root, targets, snapshot, timestamp or device, "
                                "and not end in .pub",
                                d->team);
        return 0;
}

static int begin(Delegate *d, Why *w) {
        const json_t *staged = json_object_get(d->repo->staged_teams, d->team);
        const Team *team = repo_find_team(d->repo, d->team);

        if (json_is_object(staged))
                d->entry = json_deep_copy(staged);
        else if (team && !staged)
                d->entry = json_deep_copy(team->entry);
        else
                d->entry = json_pack("{s:{}, s:[], s:i, s:[]}", "keys", "keyids", "threshold", 1,
                                "models");
        return d->entry ? 0 : why_oom(w);
}

/* Another team that has the model, in the next state. */
static const char *find_other(const Delegate *d, const char *model) {
        const char *name;
        json_t *entry;

        json_object_foreach(d->repo->staged_teams, name, entry) {
                if (!streq(name, d->team) && team_has_model(entry, model))
                        return name;
        }
        for (size_t i = 0; i < d->repo->n_teams; i++) {
                const Team *team = &d->repo->teams[i];

                if (!streq(team->name, d->team) &&
                                !json_object_get(d->repo->staged_teams, team->name) &&
                                team_has_model(team->entry, model))
                        return team->name;
        }
        return NULL;
}

static int add_models(const Delegate *d, Why *w) {
        json_t *models = json_object_get(d->entry, "models");

        for (size_t i = 0; i < d->n_models; i++) {
                const char *other = find_other(d, d->models[i]);

                if (other)
                        return why(w, -EEXIST,
                                        "%s is the model of %s already; end that first with "
                                        "\"delegate ... %s --remove\"",
                                        d->models[i], other, other);
                if (!team_has_model(d->entry, d->models[i]) &&
                                json_array_append_new(models, json_string(d->models[i])) < 0)
                        return why_oom(w);
        }
        return 0;
}

static int add_key(Delegate *d, const char *name, Why *w) {
        json_t *keys = json_object_get(d->entry, "keys");
        _cleanup_json_ json_t *key = NULL;
        char id[TUF_KEYID_HEX];
        int r;

        r = new_key_for_role(&d->new_key, d->repo->fd, d->team, name, &key, w);
        if (r >= 0)
                r = tuf_key_id(key, id, w);
        if (r < 0 || json_object_get(keys, id))
                return r;
        if (json_object_set(keys, id, key) < 0 ||
                        json_array_append_new(
                                        json_object_get(d->entry, "keyids"), json_string(id)) < 0)
                return why_oom(w);
        return 0;
}

/* more: a key that is still to be made. */
static int check_entry(const Delegate *d, size_t more, Why *w) {
        size_t n = json_array_size(json_object_get(d->entry, "keyids")) + more;
        size_t n_models = json_array_size(json_object_get(d->entry, "models"));
        json_int_t threshold = json_integer_value(json_object_get(d->entry, "threshold"));

        if (n_models == 0)
                return why(w, -EINVAL, "%s would have no model; name one with --model", d->team);
        if (n_models > TEAM_MODELS_MAX)
                return why(w, -E2BIG, "%s would have %zu models; a team can have %d", d->team,
                                n_models, TEAM_MODELS_MAX);
        if (n > KEYS_PER_ROLE_MAX)
                return why(w, -E2BIG, "%s would have %zu keys; a role can have %d", d->team, n,
                                KEYS_PER_ROLE_MAX);
        if ((size_t)threshold > n)
                return why(w, -EINVAL,
                                "%s would have %zu key%s for a threshold of %lld; name more with "
                                "--key",
                                d->team, n, n == 1 ? "" : "s", (long long)threshold);
        if (!repo_find_team(d->repo, d->team) && !json_object_get(d->repo->staged_teams, d->team) &&
                        d->repo->n_teams + json_object_size(d->repo->staged_teams) >=
                                        REPO_TEAMS_MAX)
                return why(w, -E2BIG, "there are %d teams or changes to them already",
                                REPO_TEAMS_MAX);
        return 0;
}

/* All that can be wrong is known before a key is made. */
static int make_entry(Delegate *d, Why *w) {
        bool lacks_key;
        int r;

        r = begin(d, w);
        if (r >= 0)
                r = add_models(d, w);
        for (size_t i = 0; r >= 0 && i < d->n_keys; i++) {
                r = add_key(d, d->keys[i], w);
                new_key_settle(&d->new_key, d->repo->fd, r);
        }
        if (r < 0)
                return r;
        if (d->threshold > 0 && json_object_set_new(d->entry, "threshold",
                                                json_integer((json_int_t)d->threshold)) < 0)
                return why_oom(w);
        lacks_key = json_array_size(json_object_get(d->entry, "keyids")) == 0;
        r = check_entry(d, lacks_key, w);
        if (r < 0)
                return r;
        if (lacks_key)
                return check_new_key(&d->new_key, NULL) != 0 ? EXIT_USAGE : add_key(d, NULL, w);
        if (d->n_keys == 0 && (d->new_key.is_type_named || d->new_key.encrypt))
                return why(w, -EINVAL,
                                "%s has a key already; \"key add\" or \"key rotate\" makes another",
                                d->team);
        return 0;
}

static int extend(Delegate *d, Why *w) {
        int r = make_entry(d, w);

        if (r != 0)
                return r;
        if (json_object_set(d->repo->staged_teams, d->team, d->entry) < 0)
                r = why_oom(w);
        if (r >= 0)
                r = stage_save(d->repo, w);
        new_key_settle(&d->new_key, d->repo->fd, r);
        if (r >= 0)
                printf("the delegation to %s is staged\n", d->team);
        return r;
}

static int end(Delegate *d, Why *w) {
        const Team *team = repo_find_team(d->repo, d->team);
        json_t *staged = d->repo->staged_teams, *entry;
        const char *target;
        int r;

        if (!team && !json_object_get(staged, d->team))
                return why(w, -ENOENT, "there is no team %s; \"key list\" shows them", d->team);
        (void)json_object_del(staged, d->team);
        if (team && json_object_set_new(staged, d->team, json_null()) < 0)
                return why_oom(w);
        /* Gateways need its releases as before: somebody else has to list them. */
        json_object_foreach(team ? (json_t *)targets_of(team->current) : NULL, target, entry) {
                if (!json_object_get(d->repo->staged, target) &&
                                !json_object_get(d->repo->removed, target) &&
                                json_object_set(d->repo->staged, target, entry) < 0)
                        return why_oom(w);
        }
        r = stage_save(d->repo, w);
        if (r >= 0)
                printf("the end of the delegation to %s is staged\n", d->team);
        return r;
}

int verb_delegate(int argc, char *argv[]) {
        Delegate d = {};
        Why w = {};
        int r;

        r = parse(&d, argc, argv);
        if (r != 0)
                return r;
        r = repo_open(argv[optind], &d.repo, &w);
        if (r >= 0) {
                r = d.remove ? end(&d, &w) : extend(&d, &w);
                if (r < 0)
                        (void)why_prefix(&w, r, "%s", argv[optind]);
        }
        json_decref(d.entry);
        (void)repo_free(d.repo);
        secrets_done(&d.secrets);
        return r < 0 ? failed(&w) : r;
}
