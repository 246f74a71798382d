/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* add and show: what is staged, signed for devices, refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "bench.h"
#include "image/image.h"

#define ADD     "add repo --model boiler --version 1.0.0 "
#define PUBLISH "publish repo --now " BENCH_NOW

static Release *publish_and_get(Bench *b, const char *target) {
        bench_expect(b, 0, PUBLISH, NULL);
        assert_int_equal(bench_refresh(b, BENCH_NOW), UPDATER_OK);
        return bench_release(b, target);
}

static void all_options_reach_the_release(void **state) {
        Bench *b = *state;
        Release *release;

        bench_write(b, "notes.txt", "Two\nlines.", 10);
        bench_expect(b, 0,
                        ADD
                        "--file f.img --hardware B --hardware C --min-from 0.5 --floor 0.9 "
                        "--channel beta --requires panel>=2.1 --requires pump>=1 --notes @notes.txt "
                        "--trial 42 app.bin",
                        "boiler/1.0.0/f.img staged: image 20000 bytes");
        release = publish_and_get(b, "boiler/1.0.0/f.img");
        assert_string_equal(release->hardware[0], "B");
        assert_string_equal(release->hardware[1], "C");
        assert_null(release->hardware[2]);
        assert_string_equal(release->min_from, "0.5");
        assert_string_equal(release->floor, "0.9");
        assert_string_equal(release->channel, "beta");
        assert_int_equal(release->n_requires, 2);
        assert_string_equal(release->requires[0].model, "panel");
        assert_string_equal(release->requires[0].min_version, "2.1");
        assert_string_equal(release->notes, "Two\nlines.");
        assert_int_equal(release->trial_seconds, 42);
        release_free(release);
}

static void identity_keeps_the_bytes(void **state) {
        Bench *b = *state;
        Release *release;

        bench_expect(b, 0, ADD "--identity app.bin", "file 20000 bytes (identity)");
        release = publish_and_get(b, "boiler/1.0.0/app.bin");
        assert_int_equal(release->encoding, RELEASE_IDENTITY);
        release_free(release);
}

static void what_does_not_shrink_is_not_compressed(void **state) {
        bench_expect(*state, 0, ADD "noise.bin", "file 20000 bytes (identity)");
}

static void parts_are_digested_one_by_one(void **state) {
        Bench *b = *state;
        Release *release;
        uint8_t bytes[300];

        memset(bytes, 0xff, sizeof(bytes));
        memset(bytes, 1, 100);
        memset(bytes + 200, 2, 100);
        bench_write(b, "parts.bin", bytes, sizeof(bytes));
        bench_expect(b, 0, ADD "--part 0:100 --part 200:100 parts.bin", NULL);
        release = publish_and_get(b, "boiler/1.0.0/parts.bin");
        assert_int_equal(release->n_parts, 2);
        assert_int_equal(image_check(bytes, sizeof(bytes), release, NULL), 0);
        bytes[250] ^= 1;
        assert_int_equal(image_check(bytes, sizeof(bytes), release, NULL), -EBADMSG);
        release_free(release);
}

static EVP_PKEY *read_public(Bench *b, const char *path) {
        size_t n;
        char *pem = bench_read(b, path, &n);
        BIO *bio = BIO_new_mem_buf(pem, (int)n);
        EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);

        assert_non_null(key);
        BIO_free(bio);
        free(pem);
        return key;
}

static int verify(EVP_PKEY *key, const EVP_MD *md, const uint8_t *signature, size_t n,
                const Release *r) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        int good;

        assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, md, NULL, key), 1);
        good = EVP_DigestVerify(ctx, signature, n, r->header, r->header_length);
        EVP_MD_CTX_free(ctx);
        return good;
}

static void device_key_signs_the_header(void **state) {
        Bench *b = *state;
        EVP_PKEY *key;
        Release *r;

        bench_expect(b, 0, "device-key repo line1", NULL);
        bench_expect(b, 0, ADD "--device-key repo/keys/device-line1.pem app.bin", NULL);
        r = publish_and_get(b, "boiler/1.0.0/app.bin");
        key = read_public(b, "repo/keys/device-line1.pub.pem");
        assert_int_equal(r->header[5], 1);
        assert_int_equal(r->signature_length, 64);
        assert_int_equal(verify(key, NULL, r->signature, 64, r), 1);
        r->header[8] ^= 1;
        assert_int_not_equal(verify(key, NULL, r->signature, 64, r), 1);
        EVP_PKEY_free(key);
        release_free(r);
}

static EVP_PKEY *write_p256(Bench *b, const char *path) {
        EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
        BIO *bio = BIO_new(BIO_s_mem());
        char *pem;
        long n;

        assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
        n = BIO_get_mem_data(bio, &pem);
        bench_write(b, path, pem, (size_t)n);
        BIO_free(bio);
        return key;
}

static void p256_device_signature_is_r_and_s(void **state) {
        Bench *b = *state;
        EVP_PKEY *key = write_p256(b, "p256.pem");
        ECDSA_SIG *sig = ECDSA_SIG_new();
        uint8_t *der = NULL;
        Release *r;
        int n;

        bench_expect(b, 0, ADD "--device-key p256.pem app.bin", NULL);
        r = publish_and_get(b, "boiler/1.0.0/app.bin");
        assert_int_equal(r->header[5], 2);
        assert_int_equal(r->signature_length, 64);
        ECDSA_SIG_set0(sig, BN_bin2bn(r->signature, 32, NULL),
                        BN_bin2bn(r->signature + 32, 32, NULL));
        n = i2d_ECDSA_SIG(sig, &der);
        assert_int_equal(verify(key, EVP_sha256(), der, (size_t)n, r), 1);
        OPENSSL_free(der);
        ECDSA_SIG_free(sig);
        EVP_PKEY_free(key);
        release_free(r);
}

static const struct {
        const char *line;
        int code;
        const char *text;
} refused[] = {
        { "add repo app.bin", 2, "--model and --version are needed" },
        { ADD, 2, "1 argument instead of DIR IMAGE" },
        { ADD "app.bin x", 2, "arguments" },
        { ADD "--colour red app.bin", 2, "--colour is no option here; see rekindle-repo add" },
        { ADD "app.bin --trial", 2, "add: --trial needs a value" },
        { "show -x repo", 2, "show: -x is no option here" },
        { "init --keys k repo", 2, "init: --keys is no option here" },
        { ADD "--trial 0 app.bin", 2, "1 to 3600" },
        { ADD "--trial 1h app.bin", 2, "1 to 3600" },
        { ADD "--requires panel app.bin", 2, "MODEL>=VERSION" },
        { ADD "--part 5 app.bin", 2, "--part is \"5\"; it has to be OFFSET:LENGTH" },
        { ADD "--part 0:0 app.bin", 2, "--part is \"0:0\"; it has to be OFFSET:LENGTH" },
        { ADD "none.bin", 1, "none.bin: No such file" },
        { ADD "empty.bin", 1, "is empty" },
        { ADD "large.bin", 1, "larger than the 16777216 bytes" },
        { ADD "repo", 1, "repo: " },
        { ADD "--file .x app.bin", 2, "--file is \".x\"" },
        { ADD "--file a/b app.bin", 2, "--file is \"a/b\"" },
        { ADD "--floor 1.0.1 app.bin", 1, "must not be above" },
        { ADD "--floor x app.bin", 2, "--floor is \"x\"" },
        { ADD "--min-from 1.0.0 app.bin", 1, "has to be below" },
        { ADD "--channel a/b app.bin", 2, "--channel is \"a/b\"" },
        { ADD "--hardware a/b app.bin", 2, "--hardware is \"a/b\"" },
        { ADD "--hardware B --hardware B app.bin", 1, "names B twice" },
        { ADD "--requires a/b>=1 app.bin", 2, "--requires is \"a/b\"" },
        { ADD "--requires panel>=x app.bin", 2, "--requires is \"x\"" },
        { ADD "--notes @none.txt app.bin", 1, "none.txt" },
        { ADD "--notes @noise.bin app.bin", 1, "larger than the 4096 bytes" },
        { ADD "--notes \xff app.bin", 1, "no UTF-8" },
        { ADD "--notes @latin1.txt app.bin", 1, "latin1.txt: is no text in UTF-8" },
        { ADD "--part 0:20001 app.bin", 1, "ends behind the image" },
        { ADD "--part 0:100 app.bin", 1, "belongs to no part" },
        { ADD "--part 0:20000 --part 100:50 app.bin", 1, "begins before the end of 0:20000" },
        { ADD "--device-key app.bin app.bin", 1, "app.bin: is no private key in PEM" },
        { ADD "--device-key none.pem app.bin", 1, "none.pem" },
        { "add repo --model a/b --version 1 app.bin", 2, "--model" },
        { "add repo --model boiler --version one app.bin", 2, "--version" },
        { "add none --model boiler --version 1 app.bin", 1, "none: is not there; make" },
        { "add . --model boiler --version 1 app.bin", 1, "is no repository" },
        { "publish repo --now yesterday", 2, "--now" },
        { "publish repo --expires-in timestamp", 2, "ROLE=TIME" },
        { "publish repo --expires-in king=1d", 2, "ROLE=TIME" },
        { "publish repo --expires-in root=0", 2, "ROLE=TIME" },
        { "publish", 2, "arguments" },
        { "show", 2, "arguments" },
        { "init", 2, "arguments" },
        { "", 2, "no verb" },
        { "burn repo", 2, "is no verb" },
};

static void everything_odd_is_refused_and_nothing_is_staged(void **state) {
        Bench *b = *state;
        char *large = calloc(1, RELEASE_IMAGE_MAX + 1);

        bench_write(b, "large.bin", large, RELEASE_IMAGE_MAX + 1);
        bench_write(b, "empty.bin", "", 0);
        bench_write(b, "latin1.txt",
                        "Gr\xfc\xdf"
                        "e",
                        5);
        free(large);
        for (size_t i = 0; i < ELEMENTSOF(refused); i++)
                bench_expect(b, refused[i].code, refused[i].line, refused[i].text);
        assert_false(bench_has(b, "repo/stage/index.json"));
}

static void taken_version_is_refused_for_other_bytes(void **state) {
        Bench *b = *state;

        bench_expect(b, 0, ADD "app.bin", NULL);
        bench_expect(b, 1, ADD "--file app.bin other.bin", "is staged already with other bytes");
        bench_expect(b, 1, ADD "other.bin", "takes the same place");
        bench_expect(b, 0, PUBLISH, NULL);
        bench_expect(b, 1, ADD "--file app.bin other.bin", "is published already with other bytes");
        bench_expect(b, 1, "add repo --model boiler --version v1.0 other.bin",
                        "takes the same place");
        bench_expect(b, 0, "add repo --model boiler --version 1.0.1 other.bin", NULL);
        bench_expect(b, 0, "add repo --model pump --version 1.0.0 other.bin", NULL);
}

static void other_hardware_may_have_its_own_bytes(void **state) {
        Bench *b = *state;

        bench_expect(b, 0, ADD "--hardware A app.bin", NULL);
        bench_expect(b, 0, ADD "--hardware B other.bin", NULL);
        bench_expect(b, 1, ADD "--hardware B --hardware C --file third.bin noise.bin",
                        "takes the same place");
        bench_expect(b, 1, ADD "--file third.bin noise.bin", "takes the same place");
}

static void information_may_be_changed_for_the_same_bytes(void **state) {
        Bench *b = *state;
        Release *release;

        bench_expect(b, 0, ADD "--notes first app.bin", NULL);
        bench_expect(b, 0, PUBLISH, NULL);
        bench_expect(b, 0, ADD "--notes second app.bin", "staged");
        release = publish_and_get(b, "boiler/1.0.0/app.bin");
        assert_string_equal(release->notes, "second");
        release_free(release);
}

static void show_lists_by_model_and_version(void **state) {
        Bench *b = *state;
        const char *first, *second, *third;

        bench_expect(b, 0, "add repo --model pump --version 1.0 app.bin", NULL);
        bench_expect(b, 0, "add repo --model boiler --version 1.10.0 app.bin", NULL);
        bench_expect(b, 0, PUBLISH, NULL);
        bench_expect(b, 0, "add repo --model boiler --version 1.9.0 other.bin", NULL);
        bench_expect(b, 0, "show repo", "ROLE");
        first = strstr(b->output, "1.9.0");
        second = strstr(b->output, "1.10.0");
        third = strstr(b->output, "pump");
        assert_true(first && second && third && first < second && second < third);
        assert_non_null(strstr(b->output, "staged"));
        assert_non_null(strstr(b->output, "published"));
}

static void show_gives_json(void **state) {
        Bench *b = *state;
        json_t *o = NULL, *release;

        bench_expect(b, 0, ADD "app.bin", NULL);
        bench_expect(b, 0, "show repo --json", NULL);
        assert_int_equal(json_parse(b->output, strlen(b->output), &o, NULL), 0);
        release = json_array_get(json_object_get(o, "releases"), 0);
        assert_string_equal(json_string_value(json_object_get(release, "target")),
                        "boiler/1.0.0/app.bin");
        assert_string_equal(json_string_value(json_object_get(release, "state")), "staged");
        assert_int_equal(json_integer_value(json_object_get(
                                         json_object_get(json_object_get(o, "roles"), "root"),
                                         "version")),
                        1);
        json_decref(o);
}

static void help_is_there_for_each_verb(void **state) {
        static const char *const lines[] = { "--help", "init --help", "add --help",
                "publish --help", "show --help", "device-key --help" };

        for (size_t i = 0; i < ELEMENTSOF(lines); i++)
                bench_expect(*state, 0, lines[i], "--help");
        bench_expect(*state, 0, "--version", "rekindle-repo ");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, bench_set_up, bench_tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(all_options_reach_the_release),
                TEST(identity_keeps_the_bytes),
                TEST(what_does_not_shrink_is_not_compressed),
                TEST(parts_are_digested_one_by_one),
                TEST(device_key_signs_the_header),
                TEST(p256_device_signature_is_r_and_s),
                TEST(everything_odd_is_refused_and_nothing_is_staged),
                TEST(taken_version_is_refused_for_other_bytes),
                TEST(other_hardware_may_have_its_own_bytes),
                TEST(information_may_be_changed_for_the_same_bytes),
                TEST(show_lists_by_model_and_version),
                TEST(show_gives_json),
                TEST(help_is_there_for_each_verb),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
