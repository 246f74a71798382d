/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* init and publish: what a client finds, what evil edits give, what is rewritten when, and a cut
 * at every rename. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "bench.h"
#include "image/decompress.h"
#include "image/image.h"

#define METADATA "repo/public/metadata/"
#define ADD_1    "add repo --model boiler --version 1.0.0 app.bin"
#define ADD_2    "add repo --model boiler --version 1.1.0 other.bin --min-from 1.0.0 --floor 1.0.0"
#define PUBLISH  "publish repo --now " BENCH_NOW

static void publish_first(Bench *b) {
        bench_expect(b, 0, ADD_1, "boiler/1.0.0/app.bin staged");
        bench_expect(b, 0, PUBLISH, "targets 1\nsnapshot 1\ntimestamp 1\n");
}

static void expect(Bench *b, const char *now, UpdaterError error) {
        UpdaterError got = bench_refresh(b, now);

        if (got != error)
                fail_msg("ended with %s: %s",
                                got == _UPDATER_ERROR_MAX ? "no updater"
                                                          : updater_error_to_string(got),
                                b->why.text);
}

typedef struct Buffer {
        uint8_t bytes[65536];
        size_t n;
} Buffer;

static int collect(const void *bytes, size_t n, void *userdata) {
        Buffer *buffer = userdata;

        if (n > sizeof(buffer->bytes) - buffer->n)
                return -E2BIG;
        memcpy(buffer->bytes + buffer->n, bytes, n);
        buffer->n += n;
        return 0;
}

/* The served file of a release, through digest, decoder and image check, is the image. */
static void check_file(Bench *b, const Release *release, const char *image) {
        static Buffer buffer;
        char *path, *full, *file, *want;
        Decoder *decoder = NULL;
        size_t n, n_want;
        TufTarget t;
        Sha256 digest;

        assert_int_equal(updater_find_target(b->updater, release->target, &t), 0);
        assert_int_equal(updater_target_path(b->updater, &t, &path), 0);
        assert_true(asprintf(&full, "repo/public/targets/%s", path) > 0);
        file = bench_read(b, full, &n);
        assert_int_equal(n, t.length);
        assert_int_equal(sha256_of(file, n, &digest), 0);
        assert_true(sha256_equal(&digest, &t.digest));
        buffer.n = 0;
        assert_int_equal(decoder_new(release->encoding, release->image_length, &decoder), 0);
        assert_int_equal(decoder_write(decoder, file, n, collect, &buffer, NULL), 0);
        assert_int_equal(decoder_finish(decoder, NULL), 0);
        assert_int_equal(image_check(buffer.bytes, buffer.n, release, NULL), 0);
        want = bench_read(b, image, &n_want);
        assert_int_equal(buffer.n, n_want);
        assert_memory_equal(buffer.bytes, want, n_want);
        decoder_free(decoder);
        free(want);
        free(file);
        free(full);
        free(path);
}

static void client_gets_the_published_image(void **state) {
        Bench *b = *state;
        Release *release;

        publish_first(b);
        expect(b, BENCH_NOW, UPDATER_OK);
        release = bench_release(b, "boiler/1.0.0/app.bin");
        assert_int_equal(release->encoding, RELEASE_ZSTD);
        check_file(b, release, "app.bin");
        release_free(release);
}

static void client_follows_the_next_release(void **state) {
        Bench *b = *state;
        Release *release;

        publish_first(b);
        expect(b, BENCH_NOW, UPDATER_OK);
        bench_expect(b, 0, ADD_2, NULL);
        bench_expect(b, 0, PUBLISH, "targets 2\nsnapshot 2\ntimestamp 2\n");
        expect(b, BENCH_NOW, UPDATER_OK);
        release = bench_release(b, "boiler/1.1.0/other.bin");
        assert_string_equal(release->min_from, "1.0.0");
        assert_string_equal(release->floor, "1.0.0");
        check_file(b, release, "other.bin");
        release_free(release);
        release = bench_release(b, "boiler/1.0.0/app.bin");
        check_file(b, release, "app.bin");
        release_free(release);
}

static void staged_release_is_not_seen_by_clients(void **state) {
        Bench *b = *state;
        TufTarget t;

        publish_first(b);
        bench_expect(b, 0, ADD_2, NULL);
        expect(b, BENCH_NOW, UPDATER_OK);
        assert_int_equal(updater_find_target(b->updater, "boiler/1.1.0/other.bin", &t), -ENOENT);
}

static void nothing_is_rewritten_when_nothing_changed(void **state) {
        Bench *b = *state;
        char *before, *after;

        publish_first(b);
        before = bench_list(b, "repo");
        bench_expect(b, 0, PUBLISH, "nothing to do");
        bench_expect(b, 0, ADD_1, "nothing to do");
        bench_expect(b, 0, "publish repo --now 2030-01-14T00:00:00Z", "nothing to do");
        after = bench_list(b, "repo");
        assert_string_equal(before, after);
        free(before);
        free(after);
}

static void signatures_are_renewed_at_half_of_their_time(void **state) {
        Bench *b = *state;

        publish_first(b);
        bench_expect(b, 0, "publish repo --now 2030-01-17T00:00:00Z", "snapshot 2\ntimestamp 2\n");
        assert_null(strstr(b->output, "targets"));
        expect(b, "2030-02-10T00:00:00Z", UPDATER_OK);
        bench_expect(b, 0, "publish repo --now 2030-07-05T00:00:00Z",
                        "targets 2\nsnapshot 3\ntimestamp 3\n");
        assert_null(strstr(b->output, "root"));
        expect(b, "2030-07-06T00:00:00Z", UPDATER_OK);
}

static void old_client_follows_a_renewed_root(void **state) {
        Bench *b = *state;

        publish_first(b);
        bench_expect(b, 0, "publish repo --now 2031-06-01T00:00:00Z", "root 2\n");
        assert_true(bench_has(b, METADATA "2.root.json"));
        expect(b, "2032-05-01T00:00:00Z", UPDATER_E_EXPIRED); /* the timestamp */
        assert_true(strstr(b->why.text, "TUF 5.4.4: timestamp"));
        bench_expect(b, 0, "publish repo --now 2032-05-01T00:00:00Z", "timestamp 3\n");
        expect(b, "2032-05-01T00:00:00Z", UPDATER_OK);
}

static void each_expiry_is_the_one_that_was_asked_for(void **state) {
        Bench *b = *state;

        bench_expect(b, 0, PUBLISH " --expires-in timestamp=2h --expires-in targets=3d", NULL);
        bench_expect(b, 0, "show repo --json", "\"expires\": \"2030-01-01T02:00:00Z\"");
        bench_expect(b, 0, "show repo --json", "\"expires\": \"2030-01-04T00:00:00Z\"");
        expect(b, "2030-01-01T01:59:59Z", UPDATER_OK);
        expect(b, "2030-01-01T02:00:00Z", UPDATER_E_EXPIRED);
}

/* Every byte, its lowest bit turned: no such file gets through. */
static void changed_byte_anywhere_is_refused(void **state) {
        static const char *const names[] = { "timestamp.json", "1.snapshot.json",
                "1.targets.json" };
        Bench *b = *state;

        publish_first(b);
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                char path[64], *bytes;
                size_t n;

                (void)snprintf(path, sizeof(path), METADATA "%s", names[i]);
                bytes = bench_read(b, path, &n);
                for (size_t k = 0; k < n; k++) {
                        UpdaterError error;

                        bytes[k] ^= 1;
                        bench_write(b, path, bytes, n);
                        bench_new_client(b);
                        error = bench_refresh(b, BENCH_NOW);
                        if (error != UPDATER_E_METADATA && error != UPDATER_E_SIGNATURE)
                                fail_msg("%s, byte %zu: %s", names[i], k,
                                                updater_error_to_string(error));
                        bytes[k] ^= 1;
                }
                bench_write(b, path, bytes, n);
                free(bytes);
        }
        expect(b, BENCH_NOW, UPDATER_OK);
}

static void older_files_are_refused_as_rollback(void **state) {
        Bench *b = *state;
        char *old;
        size_t n;

        publish_first(b);
        old = bench_read(b, METADATA "timestamp.json", &n);
        bench_expect(b, 0, ADD_2, NULL);
        bench_expect(b, 0, PUBLISH, NULL);
        expect(b, BENCH_NOW, UPDATER_OK);
        bench_write(b, METADATA "timestamp.json", old, n);
        expect(b, BENCH_NOW, UPDATER_E_VERSION);
        free(old);
}

static void files_of_another_publisher_are_refused(void **state) {
        Bench *b = *state;

        publish_first(b);
        bench_expect(b, 0, "init evil --now " BENCH_NOW, NULL);
        bench_expect(b, 0, "add evil --model boiler --version 9.0.0 other.bin", NULL);
        bench_expect(b, 0, "publish evil --now " BENCH_NOW, NULL);
        for (int i = 0; i < 2; i++) {
                char *bytes;
                size_t n;

                bytes = bench_read(b, "evil/public/metadata/timestamp.json", &n);
                bench_write(b, METADATA "timestamp.json", bytes, n);
                free(bytes);
                expect(b, BENCH_NOW, UPDATER_E_SIGNATURE);
                bytes = bench_read(b, "evil/public/metadata/1.root.json", &n);
                bench_write(b, METADATA "2.root.json", bytes, n); /* for the second round */
                free(bytes);
        }
        assert_true(startswith(b->why.text, "TUF 5.3.4: by root 1"));
}

static void publish_signs_nothing_on_top_of_a_changed_folder(void **state) {
        static const char *const names[] = { "timestamp.json", "1.snapshot.json",
                "1.targets.json" };
        Bench *b = *state;

        publish_first(b);
        bench_expect(b, 0, ADD_2, NULL);
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                char path[64], *bytes;
                size_t n;

                (void)snprintf(path, sizeof(path), METADATA "%s", names[i]);
                bytes = bench_read(b, path, &n);
                bytes[n / 2] ^= 1;
                bench_write(b, path, bytes, n);
                bench_expect(b, 1, PUBLISH, names[i]);
                bytes[n / 2] ^= 1;
                bench_write(b, path, bytes, n);
                free(bytes);
        }
        bench_expect(b, 0, PUBLISH, "targets 2");
}

/* Whole and consistent, but of other keys: only the signatures tell. */
static void publish_signs_nothing_on_top_of_foreign_metadata(void **state) {
        Bench *b = *state;

        publish_first(b);
        bench_expect(b, 0, ADD_2, NULL);
        bench_expect(b, 0, "init evil --now " BENCH_NOW, NULL);
        bench_expect(b, 0, "add evil --model boiler --version 9.0.0 other.bin", NULL);
        bench_expect(b, 0, "publish evil --now " BENCH_NOW, NULL);
        assert_int_equal(bench_command(b, "cp -r evil/public repo/"), 0);
        bench_expect(b, 1, PUBLISH, "timestamp: 0 good signatures");
        bench_expect(b, 1, "show repo", "timestamp: 0 good signatures");
}

static void damaged_staged_file_is_not_published(void **state) {
        Bench *b = *state;
        json_t *index = NULL;
        char *text, path[256];
        size_t n;

        bench_expect(b, 0, ADD_1, NULL);
        text = bench_read(b, "repo/stage/index.json", &n);
        assert_int_equal(json_parse(text, n, &index, NULL), 0);
        (void)snprintf(path, sizeof(path), "repo/stage/%s.app.bin",
                        json_string_value(json_object_get(
                                        json_object_get(json_object_get(json_object_get(index,
                                                                                        "targets"),
                                                                        "boiler/1.0.0/app.bin"),
                                                        "hashes"),
                                        "sha256")));
        free(text);
        json_decref(index);
        text = bench_read(b, path, &n);
        text[n - 1] ^= 1;
        bench_write(b, path, text, n);
        free(text);
        bench_expect(b, 1, PUBLISH, "another sha256 than promised");
        assert_false(bench_has(b, METADATA "timestamp.json"));
}

static void keys_may_lie_apart(void **state) {
        Bench *b = *state;
        char *pem, *other;
        size_t n, n_other;

        pem = bench_read(b, "repo/keys/targets.pem", &n);
        other = bench_read(b, "repo/keys/snapshot.pem", &n_other);
        bench_write(b, "targets.pem", pem, n);
        assert_int_equal(bench_command(b, "rm repo/keys/targets.pem repo/keys/root.pem"), 0);
        bench_expect(b, 0, ADD_1, NULL);
        bench_expect(b, 1, PUBLISH, "repo: keys/targets.pem: is not there (key ");
        bench_expect(b, 0, PUBLISH " --keys .", "targets 1");
        bench_expect(b, 0, "publish repo --now 2030-01-17T00:00:00Z", "timestamp 2");
        bench_write(b, "repo/keys/targets.pem", other, n_other);
        bench_expect(b, 0, ADD_2, NULL);
        bench_expect(b, 1, PUBLISH, "is not the key that the root names for targets");
        free(pem);
        free(other);
}

static void absent_root_key_is_warned_about_in_time(void **state) {
        Bench *b = *state;

        publish_first(b);
        assert_int_equal(bench_command(b, "rm repo/keys/root.pem"), 0);
        bench_expect(b, 0, "publish repo --now 2031-06-01T00:00:00Z",
                        "warning: the root expires at 2032-01-01T00:00:00Z");
        assert_false(bench_has(b, METADATA "2.root.json"));
}

static void private_keys_are_for_their_owner_only(void **state) {
        static const char *const names[] = { "root", "targets", "snapshot", "timestamp",
                "device-x" };
        Bench *b = *state;

        bench_expect(b, 0, "device-key repo x", "repo/keys/device-x.pub.pem");
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                struct stat st;
                char *path;

                assert_true(asprintf(&path, "%s/repo/keys/%s.pem", b->folder, names[i]) > 0);
                assert_int_equal(stat(path, &st), 0);
                assert_int_equal(st.st_mode & 07777, 0600);
                free(path);
        }
        bench_expect(b, 1, "device-key repo x", "is not replaced");
        bench_expect(b, 2, "device-key repo ../x", "cannot name a key");
}

static void init_never_replaces_keys(void **state) {
        Bench *b = *state;
        char *before = bench_list(b, "repo"), *after;

        bench_expect(b, 1, "init repo", "is a repository already");
        after = bench_list(b, "repo");
        assert_string_equal(before, after);
        free(before);
        free(after);
}

static void same_input_gives_the_same_bytes(void **state) {
        Bench *b = *state;
        char *first, *second;

        assert_int_equal(bench_command(b, "cp -r repo twin"), 0);
        publish_first(b);
        first = bench_read(b, METADATA "timestamp.json", NULL);
        bench_expect(b, 0, "add twin --model boiler --version 1.0.0 app.bin", NULL);
        bench_expect(b, 0, "publish twin --now " BENCH_NOW, NULL);
        second = bench_read(b, "twin/public/metadata/timestamp.json", NULL);
        assert_string_equal(first, second);
        free(first);
        free(second);
}

/* Killed at the Nth rename; what clients see is the old or the new release, and the next publish
 * brings the new one. */
static bool publish_with_cut(Bench *b, unsigned at) {
        char line[512], *files;
        TufTarget t;
        int code;

        (void)snprintf(line, sizeof(line),
                        "env ASAN_OPTIONS=detect_leaks=0 strace -qq -o strace.log "
                        "-e inject=renameat:signal=KILL:when=%u " REKINDLE_REPO " " PUBLISH,
                        at);
        code = bench_command(b, line);
        expect(b, BENCH_NOW, UPDATER_OK);
        assert_int_equal(updater_find_target(b->updater, "boiler/1.0.0/app.bin", &t), 0);
        bench_expect(b, 0, PUBLISH, NULL);
        expect(b, BENCH_NOW, UPDATER_OK);
        assert_int_equal(updater_find_target(b->updater, "boiler/1.1.0/other.bin", &t), 0);
        assert_false(bench_has(b, "repo/stage/index.json"));
        files = bench_list(b, "repo");
        assert_null(strstr(files, ".tmp"));
        free(files);
        return code != 0;
}

static void cut_at_any_rename_harms_nobody(void **state) {
        unsigned cuts = 0;

        for (unsigned at = 1; at < 30; at++) {
                Bench *b = *state;
                bool cut;

                publish_first(b);
                expect(b, BENCH_NOW, UPDATER_OK);
                bench_expect(b, 0, ADD_2, NULL);
                cut = publish_with_cut(b, at);
                assert_int_equal(bench_tear_down(state), 0);
                assert_int_equal(bench_set_up(state), 0);
                if (!cut)
                        break;
                cuts++;
        }
        assert_int_equal(cuts, 5); /* file, targets, snapshot, timestamp, dates */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, bench_set_up, bench_tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(client_gets_the_published_image),
                TEST(client_follows_the_next_release),
                TEST(staged_release_is_not_seen_by_clients),
                TEST(nothing_is_rewritten_when_nothing_changed),
                TEST(signatures_are_renewed_at_half_of_their_time),
                TEST(old_client_follows_a_renewed_root),
                TEST(each_expiry_is_the_one_that_was_asked_for),
                TEST(changed_byte_anywhere_is_refused),
                TEST(older_files_are_refused_as_rollback),
                TEST(files_of_another_publisher_are_refused),
                TEST(publish_signs_nothing_on_top_of_a_changed_folder),
                TEST(publish_signs_nothing_on_top_of_foreign_metadata),
                TEST(damaged_staged_file_is_not_published),
                TEST(keys_may_lie_apart),
                TEST(absent_root_key_is_warned_about_in_time),
                TEST(private_keys_are_for_their_owner_only),
                TEST(init_never_replaces_keys),
                TEST(same_input_gives_the_same_bytes),
                TEST(cut_at_any_rename_harms_nobody),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
