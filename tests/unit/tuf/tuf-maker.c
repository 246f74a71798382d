/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The repository of the tests. Signs with libcrypto directly, apart from what src/repo does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/hex.h"
#include "tuf-maker.h"
#include "tuf/canon.h"
#include "tuf/key.h"

static const TufRole lister[_TUF_ROLE_MAX] = {
        [TUF_ROOT] = _TUF_ROLE_MAX,
        [TUF_TIMESTAMP] = _TUF_ROLE_MAX,
        [TUF_SNAPSHOT] = TUF_TIMESTAMP,
        [TUF_TARGETS] = TUF_SNAPSHOT,
};

json_t *maker_key_object(const Maker *m, unsigned key) {
        uint8_t raw[32];
        char hex[65];
        size_t n = sizeof(raw);

        assert_int_equal(EVP_PKEY_get_raw_public_key(m->keys[key], raw, &n), 1);
        hex_encode(raw, n, hex);
        return json_pack("{s:s, s:s, s:{s:s}}", "keytype", "ed25519", "scheme", "ed25519", "keyval",
                        "public", hex);
}

void maker_set_role_keys(
                Maker *m, TufRole role, const unsigned *keys, unsigned n, unsigned threshold) {
        json_t *root = m->content[TUF_ROOT], *ids = json_array();

        m->n_signers[role] = n;
        for (unsigned i = 0; i < n; i++) {
                m->signers[role][i] = keys[i];
                json_array_append_new(ids, json_string(m->ids[keys[i]]));
                json_object_set_new(json_object_get(root, "keys"), m->ids[keys[i]],
                                maker_key_object(m, keys[i]));
        }
        json_object_set_new(json_object_get(root, "roles"), tuf_role_to_string(role),
                        json_pack("{s:o, s:i}", "keyids", ids, "threshold", (int)threshold));
}

static json_t *sign(const Maker *m, unsigned key, const char *canonical, size_t n) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        uint8_t signature[64];
        size_t size = sizeof(signature);
        char hex[129];

        assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, m->keys[key]), 1);
        assert_int_equal(EVP_DigestSign(ctx, signature, &size, (const uint8_t *)canonical, n), 1);
        EVP_MD_CTX_free(ctx);
        hex_encode(signature, size, hex);
        return json_pack("{s:s, s:s}", "keyid", m->ids[key], "sig", hex);
}

static void file_name(const Maker *m, TufRole role, char ret[64]) {
        const json_t *consistent = json_object_get(m->content[TUF_ROOT], "consistent_snapshot");

        if (role == TUF_TIMESTAMP || (role != TUF_ROOT && !json_is_true(consistent)))
                (void)snprintf(ret, 64, "%s.json", tuf_role_to_string(role));
        else
                (void)snprintf(ret, 64, "%d.%s.json",
                                (int)json_integer_value(
                                                json_object_get(m->content[role], "version")),
                                tuf_role_to_string(role));
}

char *maker_sign(const Maker *m, const json_t *content, const unsigned *keys, unsigned n) {
        json_t *signatures = json_array(), *document;
        char *canonical, *text;
        size_t length;

        assert_int_equal(canon_encode(content, &canonical, &length, NULL), 0);
        for (unsigned i = 0; i < n; i++)
                json_array_append_new(signatures, sign(m, keys[i], canonical, length));
        document = json_pack("{s:O, s:o}", "signed", content, "signatures", signatures);
        text = json_dumps(document, JSON_COMPACT);
        free(canonical);
        json_decref(document);
        return text;
}

void maker_write(Maker *m, TufRole role) {
        char *text = maker_sign(m, m->content[role], m->signers[role], m->n_signers[role]);
        char name[64];

        file_name(m, role, name);
        maker_put(m, name, text);
        free(text);
}

void maker_add_target(json_t *content, const char *name) {
        json_object_set_new(json_object_get(content, "targets"), name,
                        json_pack("{s:i, s:{s:s}}", "length", 3, "hashes", "sha256",
                                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
}

void maker_promise(Maker *m, TufRole role) {
        char name[64], listed[64], hex[SHA256_HEX];
        const char *text;
        Sha256 digest;

        file_name(m, role, name);
        text = maker_get(m, name);
        assert_int_equal(sha256_of(text, strlen(text), &digest), 0);
        sha256_to_hex(&digest, hex);
        (void)snprintf(listed, sizeof(listed), "%s.json", tuf_role_to_string(role));
        json_object_set_new(json_object_get(m->content[lister[role]], "meta"), listed,
                        json_pack("{s:O, s:i, s:{s:s}}", "version",
                                        json_object_get(m->content[role], "version"), "length",
                                        (int)strlen(text), "hashes", "sha256", hex));
}

void maker_set_version(Maker *m, TufRole role, int version) {
        json_object_set_new(m->content[role], "version", json_integer(version));
}

void maker_set_expires(Maker *m, TufRole role, const char *expires) {
        json_object_set_new(m->content[role], "expires", json_string(expires));
}

void maker_publish(Maker *m, TufRole role) {
        for (;;) {
                int version = (int)json_integer_value(json_object_get(m->content[role], "version"));

                maker_set_version(m, role, version + 1);
                maker_write(m, role);
                if (lister[role] == _TUF_ROLE_MAX)
                        return;
                maker_promise(m, role);
                role = lister[role];
        }
}

const char *maker_get(const Maker *m, const char *name) {
        return json_string_value(json_object_get(m->files, name));
}

void maker_put(Maker *m, const char *name, const char *text) {
        if (text)
                json_object_set_new(m->files, name, json_string(text));
        else
                json_object_del(m->files, name);
}

void maker_edit(Maker *m, const char *name, const char *from, const char *to) {
        const char *old = maker_get(m, name), *at;
        char *text;

        assert_non_null(old);
        at = strstr(old, from);
        if (!at)
                fail_msg("%s has no %s: %s", name, from, old);
        assert_true(asprintf(&text, "%.*s%s%s", (int)(at - old), old, to, at + strlen(from)) > 0);
        maker_put(m, name, text);
        free(text);
}

static void note(char *list, size_t size, const char *name) {
        size_t n = strlen(list);

        (void)snprintf(list + n, size - n, "%s ", name);
}

static void answer(Maker *m, const char *name) {
        const char *text = maker_get(m, name);

        note(m->requests, sizeof(m->requests), name);
        if (text && startswith(text, "ERROR"))
                updater_error(m->updater, text);
        else if (text)
                updater_bytes(m->updater, text, strlen(text));
        else
                updater_not_found(m->updater);
}

static void store(Maker *m, const UpdaterStep *step) {
        note(m->stores, sizeof(m->stores), step->name);
        json_object_set_new(m->local, step->name, json_stringn(step->bytes, step->length));
        updater_stored(m->updater);
}

static const char *local_text(const Maker *m, const char *name, size_t *ret_n) {
        const json_t *text = json_object_get(m->local, name);

        *ret_n = json_string_length(text);
        return json_string_value(text);
}

static void load(Maker *m, const char *name) {
        const char *text;
        size_t n;

        text = local_text(m, name, &n);
        if (text)
                updater_bytes(m->updater, text, n);
        else
                updater_not_found(m->updater);
}

UpdaterError maker_run(Maker *m) {
        UpdaterStep step;

        for (;;) {
                updater_next(m->updater, &step);
                if (step.type == UPDATER_FETCH)
                        answer(m, step.name);
                else if (step.type == UPDATER_LOAD)
                        load(m, step.name);
                else if (step.type == UPDATER_STORE)
                        store(m, &step);
                else
                        return updater_result(m->updater, &m->why);
        }
}

UpdaterError maker_refresh(Maker *m) {
        UpdaterLocal local = {};

        m->requests[0] = m->stores[0] = '\0';
        m->why = (Why){};
        local.root = local_text(m, "root.json", &local.root_length);
        local.timestamp = local_text(m, "timestamp.json", &local.timestamp_length);
        local.snapshot = local_text(m, "snapshot.json", &local.snapshot_length);
        local.targets = local_text(m, "targets.json", &local.targets_length);
        m->updater = updater_free(m->updater);
        if (updater_new(&local, m->now, &m->updater, &m->why) < 0)
                return _UPDATER_ERROR_MAX;
        return maker_run(m);
}

void maker_expect(Maker *m, UpdaterError error, const char *text) {
        UpdaterError got = maker_refresh(m);

        if (got != error)
                fail_msg("ended with %s (%s) instead of %s",
                                got == _UPDATER_ERROR_MAX ? "no updater"
                                                          : updater_error_to_string(got),
                                m->why.text, updater_error_to_string(error));
        if (text && !strstr(m->why.text, text))
                fail_msg("says \"%s\" instead of \"%s\"", m->why.text, text);
}

static json_t *new_content(TufRole role) {
        return json_pack("{s:s, s:s, s:i, s:s}", "_type", tuf_role_to_string(role), "spec_version",
                        "1.0.34", "version", 0, "expires", MAKER_FUTURE);
}

static void make_keys(Maker *m) {
        for (unsigned i = 0; i < MAKER_KEYS; i++) {
                uint8_t seed[32] = { (uint8_t)(i + 1) };
                json_t *object;

                m->keys[i] = EVP_PKEY_new_raw_private_key(
                                EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
                object = maker_key_object(m, i);
                assert_int_equal(tuf_key_id(object, m->ids[i], NULL), 0);
                json_decref(object);
        }
}

int maker_set_up(void **state) {
        Maker *m = new0(Maker, 1);

        m->now = MAKER_NOW;
        m->files = json_object();
        m->local = json_object();
        m->roles = json_object();
        m->role_keys = json_object();
        make_keys(m);
        for (TufRole i = 0; i < _TUF_ROLE_MAX; i++)
                m->content[i] = new_content(i);
        json_object_set_new(m->content[TUF_ROOT], "consistent_snapshot", json_true());
        json_object_set_new(m->content[TUF_ROOT], "keys", json_object());
        json_object_set_new(m->content[TUF_ROOT], "roles", json_object());
        json_object_set_new(m->content[TUF_TIMESTAMP], "meta", json_object());
        json_object_set_new(m->content[TUF_SNAPSHOT], "meta", json_object());
        json_object_set_new(m->content[TUF_TARGETS], "targets", json_object());
        for (unsigned i = 0; i < _TUF_ROLE_MAX; i++)
                maker_set_role_keys(m, i, &i, 1, 1);
        maker_publish(m, TUF_ROOT);
        maker_publish(m, TUF_TARGETS);
        json_object_set(m->local, "root.json", json_object_get(m->files, "1.root.json"));
        *state = m;
        return 0;
}

int maker_tear_down(void **state) {
        Maker *m = *state;

        (void)updater_free(m->updater);
        for (unsigned i = 0; i < MAKER_KEYS; i++)
                EVP_PKEY_free(m->keys[i]);
        for (TufRole i = 0; i < _TUF_ROLE_MAX; i++)
                json_decref(m->content[i]);
        json_decref(m->files);
        json_decref(m->local);
        json_decref(m->roles);
        json_decref(m->role_keys);
        free(m);
        return 0;
}
