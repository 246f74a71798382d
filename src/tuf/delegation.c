/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Delegation: the shape is checked once, when the metadata is read; what is looked up later
 * relies on it. A bin's number is the first bits of the path's SHA-256, its name ends in that
 * number in hexadecimal, as wide as the last bin's. */
#include "tuf/delegation.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>

#include "tuf/pattern.h"

#define PATTERNS_MAX 16384
#define PREFIX_MAX   (SHA256_HEX - 1)

/* --- shape ------------------------------------------------------------------------------------ */

static bool is_prefix_of_digest(const char *s) {
        size_t n = strlen(s);

        for (size_t i = 0; i < n; i++)
                if (!isxdigit((unsigned char)s[i]))
                        return false;
        return n > 0 && n <= PREFIX_MAX;
}

static int check_strings(const json_t *role, const char *member, bool digests, Why *w) {
        json_t *list;
        int r;

        r = json_get_array(role, "delegation", member, PATTERNS_MAX, &list, w);
        if (r < 0)
                return r;
        for (size_t i = 0; i < json_array_size(list); i++) {
                const char *s = json_string_value(json_array_get(list, i));

                if (!s)
                        return why(w, -EBADMSG, "\"%s\": each element has to be a string", member);
                if (digests && !is_prefix_of_digest(s))
                        return why(w, -EBADMSG,
                                        "\"%s\": \"%.70s\" has to be 1 to 64 hexadecimal digits",
                                        member, s);
        }
        return 0;
}

static int check_name(const char *name, Why *w) {
        if (!name || !*name)
                return why(w, -EBADMSG, "\"name\" has to be a string that is not empty");
        for (TufRole i = 0; i < _TUF_ROLE_MAX; i++)
                if (streq(name, tuf_role_to_string(i)))
                        return why(w, -EBADMSG,
                                        "\"name\" is %s; that is no name for a delegated role",
                                        name);
        return 0;
}

static int check_role(const json_t *role, Why *w) {
        bool terminating, paths, prefixes;
        int r;

        if (!json_is_object(role))
                return why(w, -EBADMSG, "has to be an object");
        r = check_name(json_string_value(json_object_get(role, "name")), w);
        if (r >= 0)
                r = tuf_signers_check(role, "delegation", w);
        if (r >= 0)
                r = json_get_bool_opt(role, "delegation", "terminating", &terminating, w);
        if (r < 0)
                return r;
        paths = json_object_get(role, "paths") != NULL;
        prefixes = json_object_get(role, "path_hash_prefixes") != NULL;
        if (paths == prefixes)
                return why(w, -EBADMSG, "has to have one of \"paths\" and \"path_hash_prefixes\"");
        return check_strings(role, paths ? "paths" : "path_hash_prefixes", prefixes, w);
}

static int check_roles(const json_t *delegations, Why *w) {
        _cleanup_json_ json_t *names = json_object();
        json_t *list;
        int r;

        if (!names)
                return why_oom(w);
        r = json_get_array(delegations, "delegations", "roles", TUF_ROLES_MAX, &list, w);
        if (r < 0)
                return r;
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *role = json_array_get(list, i);
                const char *name;

                r = check_role(role, w);
                if (r < 0)
                        return why_prefix(w, r, "delegation %zu", i + 1);
                name = json_string_value(json_object_get(role, "name"));
                if (json_object_get(names, name))
                        return why(w, -EBADMSG, "two delegations to \"%.100s\"", name);
                if (json_object_set_new(names, name, json_true()) < 0)
                        return why_oom(w);
        }
        return 0;
}

static int check_bins(const json_t *delegations, Why *w) {
        const char *prefix;
        json_t *bins;
        uint64_t bits;
        int r;

        r = json_get_object(delegations, "delegations", "succinct_roles", &bins, w);
        if (r < 0)
                return r;
        r = json_get_uint(bins, "succinct_roles", "bit_length", 1, TUF_BIN_BITS_MAX, &bits, w);
        if (r < 0)
                return r;
        prefix = json_string_value(json_object_get(bins, "name_prefix"));
        if (!prefix || !*prefix)
                return why(w, -EBADMSG,
                                "succinct_roles: \"name_prefix\" has to be a string that is not empty");
        return tuf_signers_check(bins, "succinct_roles", w);
}

int delegations_check(const json_t *delegations, Why *w) {
        bool roles, bins;
        json_t *keys;
        int r;

        if (!json_is_object(delegations))
                return why(w, -EBADMSG, "\"delegations\" has to be an object");
        r = json_get_object(delegations, "delegations", "keys", &keys, w);
        if (r < 0)
                return r;
        roles = json_object_get(delegations, "roles") != NULL;
        bins = json_object_get(delegations, "succinct_roles") != NULL;
        if (roles == bins)
                return why(w, -EBADMSG,
                                "\"delegations\" has to have one of \"roles\" and \"succinct_roles\"");
        return roles ? check_roles(delegations, w) : check_bins(delegations, w);
}

/* --- looking ---------------------------------------------------------------------------------- */

static const json_t *delegations_of(const TufMetadata *targets) {
        assert(targets && targets->role == TUF_TARGETS);
        return json_object_get(targets->content, "delegations");
}

static bool folder_is_reached(const json_t *patterns, const char *folder, uint64_t *budget) {
        for (size_t i = 0; i < json_array_size(patterns) && *budget > 0; i++)
                if (pattern_reaches(json_string_value(json_array_get(patterns, i)), folder, budget))
                        return true;
        return false;
}

/* A digest says nothing about the folder: what is handed on by digests may be anywhere. */
static bool reaches(const json_t *role, const DelegationQuery *query) {
        const json_t *patterns = json_object_get(role, "paths");

        if (!query->folders)
                return true;
        if (!patterns)
                return query->n_folders > 0;
        for (size_t i = 0; i < query->n_folders; i++)
                if (folder_is_reached(patterns, query->folders[i], query->budget))
                        return true;
        return false;
}

static bool has_prefix(const json_t *prefixes, const char *path, uint64_t *budget) {
        char hex[SHA256_HEX];
        Sha256 digest;

        *budget -= MIN(*budget, strlen(path) + json_array_size(prefixes));
        if (sha256_of(path, strlen(path), &digest) < 0)
                return false;
        sha256_to_hex(&digest, hex);
        for (size_t i = 0; i < json_array_size(prefixes); i++) {
                const char *prefix = json_string_value(json_array_get(prefixes, i));

                if (strncasecmp(hex, prefix, strlen(prefix)) == 0)
                        return true;
        }
        return false;
}

static bool may_list(const json_t *role, const char *path, uint64_t *budget) {
        const json_t *patterns = json_object_get(role, "paths");

        if (!patterns)
                return has_prefix(json_object_get(role, "path_hash_prefixes"), path, budget);
        for (size_t i = 0; i < json_array_size(patterns) && *budget > 0; i++)
                if (pattern_matches(json_string_value(json_array_get(patterns, i)), path, budget))
                        return true;
        return false;
}

static bool fits(const json_t *role, const DelegationQuery *query) {
        return query->path ? may_list(role, query->path, query->budget) : reaches(role, query);
}

static void take_role(const json_t *delegations, const json_t *role, Delegation *ret) {
        ret->name = json_string_value(json_object_get(role, "name"));
        ret->signers = (TufSigners){ json_object_get(delegations, "keys"), role, ret->name };
        ret->terminating = json_is_true(json_object_get(role, "terminating"));
}

static unsigned bin_bits(const json_t *bins) {
        return (unsigned)json_integer_value(json_object_get(bins, "bit_length"));
}

/* False when the name is too long to be one. */
static bool take_bin(const json_t *delegations, const json_t *bins, uint64_t bin, Delegation *ret) {
        int digits = (int)(bin_bits(bins) + 3) / 4;
        int n;

        n = snprintf(ret->bin, sizeof(ret->bin), "%s-%0*" PRIx64,
                        json_string_value(json_object_get(bins, "name_prefix")), digits, bin);
        if (n < 0 || (size_t)n >= sizeof(ret->bin))
                return false;
        ret->name = ret->bin;
        ret->signers = (TufSigners){ json_object_get(delegations, "keys"), bins, ret->name };
        ret->terminating = true;
        return true;
}

static bool bin_of(const json_t *bins, const char *path, uint64_t *ret) {
        uint32_t first;
        Sha256 digest;

        if (sha256_of(path, strlen(path), &digest) < 0)
                return false;
        first = (uint32_t)digest.bytes[0] << 24 | (uint32_t)digest.bytes[1] << 16 |
                (uint32_t)digest.bytes[2] << 8 | digest.bytes[3];
        *ret = first >> (TUF_BIN_BITS_MAX - bin_bits(bins));
        return true;
}

static bool next_bin(const json_t *delegations, const json_t *bins, const DelegationQuery *query,
                uint64_t *i, Delegation *ret) {
        uint64_t bin = *i;

        if (query->folders && query->n_folders == 0)
                return false;
        if (query->path && (*i > 0 || !bin_of(bins, query->path, &bin)))
                return false;
        if (bin >> bin_bits(bins) != 0)
                return false;
        (*i)++;
        return take_bin(delegations, bins, bin, ret);
}

bool delegation_next(const TufMetadata *targets, const DelegationQuery *query, uint64_t *i,
                Delegation *ret) {
        const json_t *delegations = delegations_of(targets), *roles, *bins;

        assert(query && i && ret);
        bins = json_object_get(delegations, "succinct_roles");
        if (bins)
                return next_bin(delegations, bins, query, i, ret);
        roles = json_object_get(delegations, "roles");
        while (*i < json_array_size(roles)) {
                const json_t *role = json_array_get(roles, (size_t)(*i)++);

                if (!fits(role, query))
                        continue;
                take_role(delegations, role, ret);
                return true;
        }
        return false;
}

static bool find_bin(
                const json_t *delegations, const json_t *bins, const char *name, Delegation *ret) {
        const char *digits = strrchr(name, '-');
        char *end = NULL;
        uint64_t bin;

        if (!digits || !isxdigit((unsigned char)digits[1]))
                return false;
        bin = strtoull(digits + 1, &end, 16);
        return *end == '\0' && bin >> bin_bits(bins) == 0 &&
               take_bin(delegations, bins, bin, ret) && streq(ret->name, name);
}

bool delegation_find(const TufMetadata *targets, const char *name, Delegation *ret) {
        const json_t *delegations = delegations_of(targets), *roles, *bins;

        assert(name && ret);
        bins = json_object_get(delegations, "succinct_roles");
        if (bins)
                return find_bin(delegations, bins, name, ret);
        roles = json_object_get(delegations, "roles");
        for (size_t i = 0; i < json_array_size(roles); i++) {
                take_role(delegations, json_array_get(roles, i), ret);
                if (streq(ret->name, name))
                        return true;
        }
        return false;
}

uint64_t delegation_bins(const TufMetadata *targets) {
        const json_t *bins = json_object_get(delegations_of(targets), "succinct_roles");

        return bins ? UINT64_C(1) << bin_bits(bins) : 0;
}
