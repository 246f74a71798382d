/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The store: images in by download and by hand, out only when they pass their digest; room,
 * garbage, what a crash leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

#include "basic/file.h"
#include "daemon/store.h"
#include "state-fixture.h"

#define IMAGE_SIZE 70000
#define MB         (UINT64_C(1) << 20)

/* An image, the file that is served for it, and the release of both. */
typedef struct Served {
        uint8_t *image, *file;
        size_t image_n, file_n;
        Release *release;
} Served;

/* Bytes that do not compress to nothing, and other ones for each seed. */
static void fill(uint8_t *p, size_t n, uint32_t seed) {
        for (size_t i = 0; i < n; i++) {
                seed = seed * 1664525 + 1013904223;
                p[i] = (uint8_t)((seed >> 24) & 0x3f);
        }
}

static Served serve(size_t n, uint32_t seed, ReleaseEncoding encoding) {
        Served s = { .image = malloc(n), .image_n = n };
        char version[32];
        Sha256 digest;

        fill(s.image, n, seed);
        (void)snprintf(version, sizeof(version), "%u.0.0", seed);
        assert_int_equal(sha256_of(s.image, n, &digest), 0);
        assert_int_equal(release_new_bare("boiler", version, n, &digest, &s.release), 0);
        if (encoding == RELEASE_ZSTD) {
                assert_int_equal(zstd_compress(s.image, n, &s.file, &s.file_n), 0);
        } else {
                s.file = malloc(n);
                memcpy(s.file, s.image, n);
                s.file_n = n;
        }
        s.release->encoding = encoding;
        s.release->file_length = s.file_n;
        assert_int_equal(sha256_of(s.file, s.file_n, &s.release->file_digest), 0);
        return s;
}

static void served_done(Served *s) {
        free(s->image);
        free(s->file);
        release_free(s->release);
}

static Store *open_store(StateFixture *f, uint64_t max) {
        Store *s = NULL;

        assert_int_equal(store_new(f->sync, f->dirfd, max, &s), 0);
        return s;
}

static void add(StateFixture *f, Store *s, const Served *x) {
        Why w = { "" };

        if (store_add(s, x->release, x->image, x->image_n, state_on_done, f, &w) < 0)
                fail_msg("%s", w.text);
        assert_int_equal(state_wait(f), 0);
}

static int receive(StateFixture *f, Store *s, const Served *x, Why *w) {
        StoreWriter *writer = NULL;
        int r;

        r = store_writer_new(s, x->release, &writer, w);
        if (r == 0)
                r = store_writer_write(writer, x->file, x->file_n, w);
        if (r == 0)
                r = store_writer_commit(writer, state_on_done, f, w);
        if (r == 0)
                r = state_wait(f);
        store_writer_free(writer);
        return r;
}

static void assert_there(Store *s, const Served *x) {
        const uint8_t *bytes = NULL;
        Release *release = NULL;
        size_t n = 0;
        Why w = { "" };

        assert_true(store_has(s, &x->release->image_digest));
        if (store_map(s, &x->release->image_digest, &bytes, &n, &release, &w) < 0)
                fail_msg("%s", w.text);
        assert_int_equal(n, x->image_n);
        assert_memory_equal(bytes, x->image, n);
        assert_string_equal(release->version, x->release->version);
        assert_memory_equal(release->header, x->release->header, x->release->header_length);
        store_unmap(bytes, n);
        release_free(release);
}

static void name_of(const Sha256 *digest, const char *suffix, char ret[static 100]) {
        char hex[SHA256_HEX];

        sha256_to_hex(digest, hex);
        (void)snprintf(ret, 100, "%s%s", hex, suffix);
}

static bool has_file(StateFixture *f, const Sha256 *digest, const char *suffix) {
        char name[100];

        name_of(digest, suffix, name);
        return state_has(f, name);
}

static void set_age(StateFixture *f, const Sha256 *digest, const char *suffix, time_t seconds) {
        struct timespec t[2] = { { .tv_sec = time(NULL) - seconds },
                { .tv_sec = time(NULL) - seconds } };
        char name[100];

        name_of(digest, suffix, name);
        assert_int_equal(utimensat(f->dirfd, name, t, 0), 0);
}

static void flip(StateFixture *f, const Sha256 *digest, const char *suffix, off_t at) {
        char name[100];
        uint8_t c;
        int fd;

        name_of(digest, suffix, name);
        fd = openat(f->dirfd, name, O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(pread(fd, &c, 1, at), 1);
        c ^= 1;
        assert_int_equal(pwrite(fd, &c, 1, at), 1);
        (void)close(fd);
}

/* ---- in and out ---- */

static void added_image_is_there_after_a_restart(void **state) {
        Served x = serve(IMAGE_SIZE, 1, RELEASE_IDENTITY);
        Store *s = open_store(*state, MB);

        assert_false(store_has(s, &x.release->image_digest));
        add(*state, s, &x);
        assert_there(s, &x);
        store_free(s);
        s = open_store(*state, MB);
        assert_there(s, &x);
        assert_int_equal(state_count(*state, ""), 2);
        store_free(s);
        served_done(&x);
}

static void bytes_that_are_not_the_image_are_not_added(void **state) {
        Served x = serve(IMAGE_SIZE, 1, RELEASE_IDENTITY);
        Store *s = open_store(*state, MB);

        x.image[5] ^= 1;
        assert_int_equal(store_add(s, x.release, x.image, x.image_n, state_on_done, *state, NULL),
                        -EBADMSG);
        assert_int_equal(store_add(s, x.release, x.image, x.image_n - 1, state_on_done, *state,
                                         NULL),
                        -EBADMSG);
        assert_int_equal(state_count(*state, ""), 0);
        store_free(s);
        served_done(&x);
}

static void received_file_is_decoded_into_the_store(void **state) {
        static const ReleaseEncoding encodings[] = { RELEASE_IDENTITY, RELEASE_ZSTD };

        for (size_t i = 0; i < ELEMENTSOF(encodings); i++) {
                Served x = serve(IMAGE_SIZE, (uint32_t)i + 1, encodings[i]);
                Store *s = open_store(*state, MB);

                assert_int_equal(receive(*state, s, &x, NULL), 0);
                assert_there(s, &x);
                assert_int_equal(state_count(*state, ".part"), 0);
                assert_int_equal(state_count(*state, ".tmp"), 0);
                store_free(s);
                served_done(&x);
        }
}

/* So that the lines of the gateway need not wait for all of it. */
static void unpacking_is_done_in_slices(void **state) {
        Served x = serve(3 * MB, 1, RELEASE_ZSTD);
        Store *s = open_store(*state, 8 * MB);
        StoreWriter *writer = NULL;
        size_t n = 0;
        int r;

        assert_int_equal(store_writer_new(s, x.release, &writer, NULL), 0);
        assert_int_equal(store_writer_write(writer, x.file, x.file_n, NULL), 0);
        do {
                r = store_writer_unpack(writer, NULL);
                n++;
        } while (r > 0);
        assert_int_equal(r, 0);
        assert_in_range(n, x.file_n / (64 * 1024) + x.image_n / (512 * 1024), 200);
        assert_int_equal(store_writer_unpack(writer, NULL), 0);
        assert_int_equal(store_writer_commit(writer, state_on_done, *state, NULL), 0);
        assert_int_equal(state_wait(*state), 0);
        store_writer_free(writer);
        assert_there(s, &x);
        store_free(s);
        served_done(&x);
}

static void cut_download_goes_on_where_it_stopped(void **state) {
        Served x = serve(IMAGE_SIZE, 1, RELEASE_ZSTD);
        Store *s = open_store(*state, MB);
        StoreWriter *writer = NULL;

        assert_int_equal(store_writer_new(s, x.release, &writer, NULL), 0);
        assert_int_equal(store_writer_offset(writer), 0);
        assert_null(store_writer_etag(writer));
        assert_int_equal(store_writer_set_etag(writer, "\"v1\""), 0);
        assert_int_equal(store_writer_write(writer, x.file, 1000, NULL), 0);
        store_writer_free(writer);
        store_free(s);
        s = open_store(*state, MB);
        assert_int_equal(store_writer_new(s, x.release, &writer, NULL), 0);
        assert_int_equal(store_writer_offset(writer), 1000);
        assert_string_equal(store_writer_etag(writer), "\"v1\"");
        assert_int_equal(store_writer_write(writer, x.file + 1000, x.file_n - 1000, NULL), 0);
        assert_int_equal(store_writer_commit(writer, state_on_done, *state, NULL), 0);
        assert_int_equal(state_wait(*state), 0);
        store_writer_free(writer);
        assert_there(s, &x);
        assert_int_equal(state_count(*state, ""), 2);
        store_free(s);
        served_done(&x);
}

/* Nothing of the work on a large part that was there waits for one call. */
static void resumed_part_is_hashed_in_slices(void **state) {
        StateFixture *f = *state;
        Store *s = open_store(f, UINT64_MAX);
        Served x = serve(3 * MB, 9, RELEASE_IDENTITY);
        StoreWriter *writer;
        unsigned slices = 0;
        Why w;
        int r;

        assert_int_equal(store_writer_new(s, x.release, &writer, &w), 0);
        assert_int_equal(store_writer_write(writer, x.file, x.file_n / 2, &w), 0);
        store_writer_free(writer);
        assert_int_equal(store_writer_new(s, x.release, &writer, &w), 0);
        assert_true(store_writer_offset(writer) == x.file_n / 2);
        assert_int_equal(store_writer_write(writer, x.file + x.file_n / 2, x.file_n - x.file_n / 2,
                                         &w),
                        0);
        while ((r = store_writer_unpack(writer, &w)) > 0)
                slices++;
        assert_int_equal(r, 0);
        assert_true(slices > 3 * 6); /* file, its image, and that again */
        store_writer_free(writer);
        served_done(&x);
        store_free(s);
}

static void image_is_read_in_slices(void **state) {
        StateFixture *f = *state;
        Store *s = open_store(f, UINT64_MAX);
        Served x = serve(3 * MB, 10, RELEASE_IDENTITY);
        StoreReader *reader;
        const uint8_t *bytes;
        unsigned slices = 0;
        size_t n;
        Why w;
        int r;

        add(f, s, &x);
        assert_int_equal(store_reader_new(s, &x.release->image_digest, &reader, &w), 0);
        while ((r = store_reader_step(reader, &w)) > 0)
                slices++;
        assert_int_equal(r, 0);
        assert_true(slices >= 5);
        store_reader_take(reader, &bytes, &n, NULL);
        assert_int_equal(n, 3 * MB);
        assert_memory_equal(bytes, x.image, n);
        store_reader_free(reader);
        store_unmap(bytes, n);
        /* its last slice */
        flip(f, &x.release->image_digest, "", 3 * MB - 1);
        assert_int_equal(store_reader_new(s, &x.release->image_digest, &reader, &w), 0);
        while ((r = store_reader_step(reader, &w)) > 0)
                ;
        assert_int_equal(r, -EBADMSG);
        assert_non_null(strstr(w.text, "set aside as damaged"));
        assert_false(store_has(s, &x.release->image_digest));
        store_reader_free(reader);
        served_done(&x);
        store_free(s);
}

static void what_was_received_stays_until_its_image_is_durable(void **state) {
        Served x = serve(IMAGE_SIZE, 1, RELEASE_ZSTD);
        Store *s = open_store(*state, MB);
        StateFixture *f = *state;
        int pair[2];
        Why w;

        assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
        /* A pipe cannot be synced, and after a failure nothing more is. */
        assert_int_equal(sync_file(f->sync, pair[1], NULL, NULL, NULL), 0);
        assert_int_equal(receive(f, s, &x, &w), -EIO);
        assert_false(store_has(s, &x.release->image_digest));
        assert_true(has_file(f, &x.release->file_digest, ".part"));
        (void)close(pair[0]);
        (void)close(pair[1]);
        store_free(s);
        served_done(&x);
}

static void server_that_begins_anew_is_followed(void **state) {
        Served x = serve(IMAGE_SIZE, 1, RELEASE_ZSTD);
        Store *s = open_store(*state, MB);
        StoreWriter *writer = NULL;

        assert_int_equal(store_writer_new(s, x.release, &writer, NULL), 0);
        assert_int_equal(store_writer_write(writer, "old bytes", 9, NULL), 0);
        store_writer_free(writer);
        assert_int_equal(store_writer_new(s, x.release, &writer, NULL), 0);
        assert_int_equal(store_writer_restart(writer, "\"v2\""), 0);
        assert_int_equal(store_writer_offset(writer), 0);
        assert_string_equal(store_writer_etag(writer), "\"v2\"");
        assert_int_equal(store_writer_write(writer, x.file, x.file_n, NULL), 0);
        assert_int_equal(store_writer_commit(writer, state_on_done, *state, NULL), 0);
        assert_int_equal(state_wait(*state), 0);
        store_writer_free(writer);
        assert_there(s, &x);
        store_free(s);
        served_done(&x);
}

static void more_than_was_signed_is_refused(void **state) {
        Served x = serve(IMAGE_SIZE, 1, RELEASE_ZSTD);
        Store *s = open_store(*state, MB);
        StoreWriter *writer = NULL;

        assert_int_equal(store_writer_new(s, x.release, &writer, NULL), 0);
        assert_int_equal(store_writer_write(writer, x.file, x.file_n, NULL), 0);
        assert_int_equal(store_writer_write(writer, "x", 1, NULL), -EFBIG);
        assert_int_equal(store_writer_offset(writer), x.file_n);
        store_writer_free(writer);
        store_free(s);
        served_done(&x);
}

static void incomplete_file_is_not_committed(void **state) {
        Served x = serve(IMAGE_SIZE, 1, RELEASE_ZSTD);
        Store *s = open_store(*state, MB);
        StoreWriter *writer = NULL;

        assert_int_equal(store_writer_new(s, x.release, &writer, NULL), 0);
        assert_int_equal(store_writer_write(writer, x.file, x.file_n - 1, NULL), 0);
        assert_int_equal(store_writer_commit(writer, state_on_done, *state, NULL), -EINVAL);
        store_writer_free(writer);
        assert_int_equal(state_count(*state, ".part"), 1);
        assert_false(store_has(s, &x.release->image_digest));
        store_free(s);
        served_done(&x);
}

static void tampered_file_is_refused_and_forgotten(void **state) {
        Served x = serve(IMAGE_SIZE, 1, RELEASE_ZSTD);
        Store *s = open_store(*state, MB);
        Why w = { "" };

        x.file[100] ^= 1;
        assert_int_equal(receive(*state, s, &x, &w), -EBADMSG);
        assert_non_null(strstr(w.text, "not the file that was signed"));
        assert_int_equal(state_count(*state, ""), 0);
        store_free(s);
        served_done(&x);
}

/* The file is what was signed, but not what the publisher says of the image in it. */
static void image_other_than_signed_is_refused(void **state) {
        for (int i = 0; i < 3; i++) {
                Served x = serve(IMAGE_SIZE, 1, RELEASE_ZSTD);
                Store *s = open_store(*state, MB);

                if (i == 0)
                        x.release->image_digest.bytes[0] ^= 1;
                else
                        x.release->image_length += i == 1 ? 1 : -1;
                assert_int_equal(receive(*state, s, &x, NULL), -EBADMSG);
                assert_int_equal(state_count(*state, ""), 0);
                store_free(s);
                served_done(&x);
        }
}

static void stale_part_begins_again(void **state) {
        Served x = serve(IMAGE_SIZE, 1, RELEASE_ZSTD);
        Store *s = open_store(*state, MB);
        StoreWriter *writer = NULL;
        char name[100];

        name_of(&x.release->file_digest, ".part", name);
        state_put(*state, name, "zeros after a power cut", 23);
        assert_int_equal(store_writer_new(s, x.release, &writer, NULL), 0);
        assert_int_equal(store_writer_offset(writer), 23);
        assert_int_equal(store_writer_write(writer, x.file + 23, x.file_n - 23, NULL), 0);
        assert_int_equal(store_writer_commit(writer, state_on_done, *state, NULL), -ESTALE);
        store_writer_free(writer);
        assert_int_equal(receive(*state, s, &x, NULL), 0);
        assert_there(s, &x);
        store_free(s);
        served_done(&x);
}

static void part_longer_than_the_file_begins_again(void **state) {
        Served x = serve(1000, 1, RELEASE_IDENTITY);
        Store *s = open_store(*state, MB);
        static const uint8_t longer[1001];
        StoreWriter *writer = NULL;
        char name[100];

        name_of(&x.release->file_digest, ".part", name);
        state_put(*state, name, longer, sizeof(longer));
        assert_int_equal(store_writer_new(s, x.release, &writer, NULL), 0);
        assert_int_equal(store_writer_offset(writer), 0);
        store_writer_free(writer);
        store_free(s);
        served_done(&x);
}

static void two_writers_of_one_file_do_not_meet(void **state) {
        StateFixture *f = *state;
        Served x = serve(IMAGE_SIZE, 1, RELEASE_ZSTD);
        StoreWriter *a = NULL, *b = NULL;
        Store *s = open_store(f, MB);

        assert_int_equal(store_writer_new(s, x.release, &a, NULL), 0);
        assert_int_equal(store_writer_write(a, x.file, 500, NULL), 0);
        assert_int_equal(store_writer_new(s, x.release, &b, NULL), 0);
        assert_int_equal(store_writer_offset(b), 0);
        assert_int_equal(store_writer_write(b, x.file, x.file_n, NULL), 0);
        assert_int_equal(store_writer_commit(b, state_on_done, f, NULL), 0);
        assert_int_equal(state_wait(f), 0);
        store_writer_free(b);
        assert_int_equal(store_writer_write(a, x.file + 500, x.file_n - 500, NULL), 0);
        assert_int_equal(store_writer_commit(a, state_on_done, f, NULL), 0);
        assert_int_equal(state_wait(f), 0);
        store_writer_free(a);
        assert_there(s, &x);
        assert_int_equal(state_count(f, ""), 2);
        store_free(s);
        served_done(&x);
}

static void writer_that_dies_leaves_its_commit_to_end_in_silence(void **state) {
        StateFixture *f = *state;
        Served x = serve(IMAGE_SIZE, 1, RELEASE_ZSTD);
        StoreWriter *writer = NULL;
        Store *s = open_store(f, MB);

        assert_int_equal(store_writer_new(s, x.release, &writer, NULL), 0);
        assert_int_equal(store_writer_write(writer, x.file, x.file_n, NULL), 0);
        assert_int_equal(store_writer_commit(writer, state_on_done, f, NULL), 0);
        store_writer_free(writer);
        state_settle(f);
        assert_int_equal(f->n_done, 0);
        assert_there(s, &x);
        assert_int_equal(state_count(f, ""), 2);
        store_free(s);
        served_done(&x);
}

static void forgotten_callback_does_not_run(void **state) {
        StateFixture *f = *state;
        Served x = serve(IMAGE_SIZE, 1, RELEASE_IDENTITY);
        Store *s = open_store(f, MB);

        assert_int_equal(store_add(s, x.release, x.image, x.image_n, state_on_done, f, NULL), 0);
        store_forget(s, f);
        state_settle(f);
        assert_int_equal(f->n_done, 0);
        assert_there(s, &x);
        store_free(s);
        served_done(&x);
}

/* ---- damage ---- */

static int check(Store *s, const Sha256 *digest, Why *w) {
        StoreReader *reader = NULL;
        int r;

        r = store_checker_new(s, digest, &reader, w);
        if (r < 0)
                return r;
        do
                r = store_reader_step(reader, w);
        while (r > 0);
        store_reader_free(reader);
        return r;
}

static void damaged_image_is_set_aside_and_can_be_fetched_anew(void **state) {
        Served x = serve(IMAGE_SIZE, 1, RELEASE_ZSTD);
        Store *s = open_store(*state, MB);
        const uint8_t *bytes = NULL;
        Why w = { "" };
        size_t n;

        add(*state, s, &x);
        flip(*state, &x.release->image_digest, "", IMAGE_SIZE / 2);
        assert_int_equal(check(s, &x.release->image_digest, NULL), -EBADMSG);
        assert_true(store_has(s, &x.release->image_digest));
        assert_int_equal(store_map(s, &x.release->image_digest, &bytes, &n, NULL, &w), -EBADMSG);
        assert_non_null(strstr(w.text, "set aside as damaged"));
        assert_null(bytes);
        assert_false(store_has(s, &x.release->image_digest));
        assert_true(has_file(*state, &x.release->image_digest, ".damaged"));
        assert_int_equal(store_map(s, &x.release->image_digest, &bytes, &n, NULL, NULL), -ENOENT);
        assert_int_equal(receive(*state, s, &x, NULL), 0);
        assert_there(s, &x);
        store_free(s);
        served_done(&x);
}

static void damaged_release_is_set_aside(void **state) {
        Served x = serve(IMAGE_SIZE, 1, RELEASE_IDENTITY);
        Store *s = open_store(*state, MB);
        const uint8_t *bytes = NULL;
        size_t n;

        add(*state, s, &x);
        flip(*state, &x.release->image_digest, ".json", 0);
        assert_int_equal(store_map(s, &x.release->image_digest, &bytes, &n, NULL, NULL), -EBADMSG);
        assert_false(store_has(s, &x.release->image_digest));
        store_free(s);
        served_done(&x);
}

static void image_of_another_length_is_damaged(void **state) {
        Served x = serve(IMAGE_SIZE, 1, RELEASE_IDENTITY);
        Store *s = open_store(*state, MB);
        char name[100];
        Why w = { "" };

        add(*state, s, &x);
        name_of(&x.release->image_digest, "", name);
        state_put(*state, name, x.image, IMAGE_SIZE - 1);
        assert_int_equal(check(s, &x.release->image_digest, &w), -EBADMSG);
        assert_non_null(strstr(w.text, "69999 bytes where 70000 are right"));
        store_free(s);
        served_done(&x);
}

static void release_of_another_image_does_not_lend_its_name(void **state) {
        Served x = serve(IMAGE_SIZE, 1, RELEASE_IDENTITY),
               y = serve(IMAGE_SIZE, 2, RELEASE_IDENTITY);
        Store *s = open_store(*state, MB);
        char from[100], to[100];
        Why w = { "" };

        add(*state, s, &x);
        add(*state, s, &y);
        name_of(&y.release->image_digest, ".json", from);
        name_of(&x.release->image_digest, ".json", to);
        assert_int_equal(renameat(((StateFixture *)*state)->dirfd, from,
                                         ((StateFixture *)*state)->dirfd, to),
                        0);
        assert_int_equal(check(s, &x.release->image_digest, &w), -EBADMSG);
        assert_non_null(strstr(w.text, "another digest"));
        store_free(s);
        served_done(&x);
        served_done(&y);
}

static void newer_format_is_left_alone(void **state) {
        StateFixture *f = *state;
        Served x = serve(IMAGE_SIZE, 1, RELEASE_IDENTITY);
        Store *s = open_store(f, MB);
        const uint8_t *bytes;
        char name[100];
        size_t n;

        add(f, s, &x);
        name_of(&x.release->image_digest, ".json", name);
        state_put(f, name, "{\"format\":2}", 12);
        assert_int_equal(store_map(s, &x.release->image_digest, &bytes, &n, NULL, NULL),
                        -EOPNOTSUPP);
        assert_true(has_file(f, &x.release->image_digest, ".json"));
        store_free(s);
        served_done(&x);
}

static void temporaries_of_a_killed_run_are_swept(void **state) {
        Store *s;

        state_put(*state, ".x.abcdef.tmp", "x", 1);
        s = open_store(*state, MB);
        assert_int_equal(state_count(*state, ""), 0);
        store_free(s);
}

/* ---- garbage ---- */

static void least_recently_used_images_go_first(void **state) {
        Served x[4];
        Store *s = open_store(*state, 3 * IMAGE_SIZE);

        for (uint32_t i = 0; i < 4; i++) {
                x[i] = serve(IMAGE_SIZE, i + 1, RELEASE_IDENTITY);
                add(*state, s, x + i);
                set_age(*state, &x[i].release->image_digest, ".json", 1000 - i);
        }
        assert_there(s, x + 0); /* used now: the youngest */
        assert_int_equal(store_collect(s, NULL, 0), 0);
        assert_true(store_has(s, &x[0].release->image_digest));
        assert_false(store_has(s, &x[1].release->image_digest));
        assert_false(store_has(s, &x[2].release->image_digest));
        assert_true(store_has(s, &x[3].release->image_digest));
        assert_int_equal(state_count(*state, ""), 4);
        store_free(s);
        for (int i = 0; i < 4; i++)
                served_done(x + i);
}

static void what_is_to_be_kept_is_kept_in_any_case(void **state) {
        Served x[3];
        Store *s = open_store(*state, 1);
        Sha256 keep[2];

        for (uint32_t i = 0; i < 3; i++) {
                x[i] = serve(IMAGE_SIZE, i + 1, RELEASE_IDENTITY);
                add(*state, s, x + i);
                set_age(*state, &x[i].release->image_digest, ".json", 100 * 86400);
        }
        keep[0] = x[0].release->image_digest;
        keep[1] = x[2].release->image_digest;
        assert_int_equal(store_collect(s, keep, 2), 0);
        assert_int_equal(store_make_room(s, UINT64_MAX, keep, 2), -ENOSPC);
        assert_there(s, x + 0);
        assert_false(store_has(s, &x[1].release->image_digest));
        assert_there(s, x + 2);
        store_free(s);
        for (int i = 0; i < 3; i++)
                served_done(x + i);
}

static void halves_and_old_rests_are_garbage(void **state) {
        StateFixture *f = *state;
        Served x = serve(IMAGE_SIZE, 1, RELEASE_ZSTD), y = serve(IMAGE_SIZE, 2, RELEASE_ZSTD);
        Store *s = open_store(f, MB);
        char name[100];

        name_of(&x.release->image_digest, "", name);
        state_put(f, name, x.image, x.image_n); /* never got its .json */
        name_of(&x.release->file_digest, ".part", name);
        state_put(f, name, "x", 1);
        set_age(f, &x.release->file_digest, ".part", 8 * 86400);
        name_of(&y.release->file_digest, ".part", name);
        state_put(f, name, "y", 1);
        set_age(f, &y.release->file_digest, ".part", 6 * 86400);
        state_put(f, "README", "not ours", 8);
        assert_int_equal(store_collect(s, NULL, 0), 0);
        assert_false(has_file(f, &x.release->image_digest, ""));
        assert_false(has_file(f, &x.release->file_digest, ".part"));
        assert_true(has_file(f, &y.release->file_digest, ".part"));
        assert_true(state_has(f, "README"));
        store_free(s);
        served_done(&x);
        served_done(&y);
}

static void nothing_is_collected_inside_a_transfer(void **state) {
        StateFixture *f = *state;
        Served x = serve(IMAGE_SIZE, 1, RELEASE_ZSTD), y = serve(IMAGE_SIZE, 2, RELEASE_IDENTITY);
        StoreWriter *writer = NULL;
        Store *s = open_store(f, 1);

        add(f, s, &y);
        assert_int_equal(store_writer_new(s, x.release, &writer, NULL), 0);
        assert_int_equal(store_collect(s, NULL, 0), -EBUSY);
        store_writer_free(writer);
        assert_int_equal(store_add(s, x.release, x.image, x.image_n, state_on_done, f, NULL), 0);
        assert_int_equal(store_collect(s, NULL, 0), -EBUSY);
        assert_int_equal(state_wait(f), 0);
        assert_int_equal(store_collect(s, NULL, 0), 0);
        assert_int_equal(state_count(f, ""), 0);
        store_free(s);
        served_done(&x);
        served_done(&y);
}

static void list_has_the_images_most_recently_used_first(void **state) {
        Served x = serve(IMAGE_SIZE, 1, RELEASE_IDENTITY), y = serve(1000, 2, RELEASE_IDENTITY);
        Store *s = open_store(*state, MB);
        StoreEntry *list = NULL;
        size_t n;

        add(*state, s, &x);
        add(*state, s, &y);
        set_age(*state, &y.release->image_digest, ".json", 50);
        assert_int_equal(store_list(s, &list, &n), 0);
        assert_int_equal(n, 2);
        assert_string_equal(list[0].version, "1.0.0");
        assert_string_equal(list[1].version, "2.0.0");
        assert_string_equal(list[1].model, "boiler");
        assert_int_equal(list[1].length, 1000);
        assert_true(sha256_equal(&list[1].digest, &y.release->image_digest));
        store_entries_free(list, n);
        store_free(s);
        served_done(&x);
        served_done(&y);
}

/* ---- room ---- */

static int put_proc(const char *path, const char *text) {
        int fd = open(path, O_WRONLY | O_CLOEXEC), r;

        if (fd < 0)
                return -1;
        r = write_all(fd, text, strlen(text));
        (void)close(fd);
        return r;
}

/* Who is not root becomes somebody who may mount, in a namespace of his own. */
static int become_mounter(void) {
        char uids[64], gids[64];

        (void)snprintf(uids, sizeof(uids), "%u %u 1\n", geteuid(), geteuid());
        (void)snprintf(gids, sizeof(gids), "%u %u 1\n", getegid(), getegid());
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
                return -1;
        return put_proc("/proc/self/uid_map", uids) < 0 ||
                                               put_proc("/proc/self/setgroups", "deny") < 0 ||
                                               put_proc("/proc/self/gid_map", gids) < 0
                               ? -1
                               : 0;
}

/* A file system of 4 MiB. */
static int setup_small(void **state) {
        StateFixture *f;

        if (state_setup(state) < 0)
                return -1;
        f = *state;
        if (mount("tmpfs", f->path, "tmpfs", 0, "size=4M") < 0 &&
                        (become_mounter() < 0 ||
                                        mount("tmpfs", f->path, "tmpfs", 0, "size=4M") < 0))
                return -1;
        (void)close_fd(f->dirfd);
        f->dirfd = folder_open(AT_FDCWD, f->path);
        f->mounted = true;
        return 0;
}

static int teardown_small(void **state) {
        StateFixture *f = *state;

        (void)sync_free(f->sync);
        f->sync = NULL;
        f->dirfd = close_fd(f->dirfd);
        if (f->mounted)
                (void)umount2(f->path, MNT_DETACH);
        return state_teardown(state);
}

static void full_disk_refuses_before_anything_is_received(void **state) {
        StateFixture *f = *state;
        Served x = serve(3 * MB, 1, RELEASE_IDENTITY);
        StoreWriter *writer = NULL;
        Store *s = open_store(f, MB);
        Why w = { "" };

        assert_int_equal(store_writer_new(s, x.release, &writer, &w), -ENOSPC);
        assert_null(writer);
        assert_non_null(strstr(w.text, "no room for 6291456 bytes"));
        assert_int_equal(state_count(f, ""), 0);
        assert_int_equal(store_add(s, x.release, x.image, x.image_n, state_on_done, f, NULL),
                        -ENOSPC);
        assert_int_equal(state_count(f, ""), 0);
        store_free(s);
        served_done(&x);
}

/* 4 MiB hold the file and the image, but not the reserve beside them. */
static void reserve_for_the_small_files_stays_free(void **state) {
        StateFixture *f = *state;
        Served x = serve(1200000, 1, RELEASE_IDENTITY), y = serve(500000, 2, RELEASE_IDENTITY);
        StoreWriter *writer = NULL;
        uint64_t before, after;
        Store *s = open_store(f, MB);

        assert_int_equal(folder_free_bytes(f->dirfd, &before), 0);
        assert_int_equal(store_writer_new(s, x.release, &writer, NULL), -ENOSPC);
        assert_int_equal(folder_free_bytes(f->dirfd, &after), 0);
        assert_int_equal(before, after);
        assert_int_equal(receive(f, s, &y, NULL), 0);
        store_free(s);
        served_done(&x);
        served_done(&y);
}

/* What was reserved is there, whoever fills the disk meanwhile. */
static void reserved_room_outlasts_a_disk_that_fills_up(void **state) {
        StateFixture *f = *state;
        Served x = serve(400000, 1, RELEASE_ZSTD);
        uint8_t *block = calloc(1, 65536);
        StoreWriter *writer = NULL;
        Store *s = open_store(f, MB);
        int fd;

        assert_int_equal(store_writer_new(s, x.release, &writer, NULL), 0);
        fd = openat(f->dirfd, "hog", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        while (write(fd, block, 65536) > 0)
                ;
        assert_int_equal(ftruncate(fd, lseek(fd, 0, SEEK_END) - 65536), 0); /* for the .json */
        (void)close(fd);
        free(block);
        assert_int_equal(store_writer_write(writer, x.file, x.file_n, NULL), 0);
        assert_int_equal(store_writer_commit(writer, state_on_done, f, NULL), 0);
        assert_int_equal(state_wait(f), 0);
        store_writer_free(writer);
        assert_there(s, &x);
        store_free(s);
        served_done(&x);
}

static void room_is_made_by_removing_what_is_not_kept(void **state) {
        StateFixture *f = *state;
        Served x = serve(600000, 1, RELEASE_IDENTITY), y = serve(600000, 2, RELEASE_IDENTITY);
        Store *s = open_store(f, 64 * MB);
        uint64_t available, removable = 0;

        add(f, s, &x);
        add(f, s, &y);
        set_age(f, &x.release->image_digest, ".json", 50);
        assert_int_equal(store_removable(s, &y.release->image_digest, 1, &removable), 0);
        assert_in_range(removable, 600000, 610000);
        assert_int_equal(folder_free_bytes(f->dirfd, &available), 0);
        assert_int_equal(store_make_room(s, available, NULL, 0), 0);
        assert_true(store_has(s, &x.release->image_digest));
        assert_int_equal(store_make_room(s, available + 300000, NULL, 0), 0);
        assert_false(store_has(s, &x.release->image_digest));
        assert_true(store_has(s, &y.release->image_digest));
        assert_int_equal(store_make_room(s, available + 800000, &y.release->image_digest, 1),
                        -ENOSPC);
        assert_there(s, &y);
        store_free(s);
        served_done(&x);
        served_done(&y);
}

static void room_is_not_made_of_a_download_that_runs(void **state) {
        StateFixture *f = *state;
        Served x = serve(IMAGE_SIZE, 1, RELEASE_ZSTD), y = serve(IMAGE_SIZE, 2, RELEASE_ZSTD);
        Store *s = open_store(f, MB);
        StoreWriter *writer = NULL;
        char name[100];

        name_of(&y.release->file_digest, ".part", name);
        state_put(f, name, "y", 1);
        assert_int_equal(store_writer_new(s, x.release, &writer, NULL), 0);
        assert_int_equal(store_writer_write(writer, x.file, 1000, NULL), 0);
        assert_int_equal(store_make_room(s, UINT64_MAX, NULL, 0), -ENOSPC);
        assert_false(has_file(f, &y.release->file_digest, ".part"));
        assert_true(has_file(f, &x.release->file_digest, ".part"));
        store_writer_free(writer);
        store_free(s);
        served_done(&x);
        served_done(&y);
}

#define TEST(f)  cmocka_unit_test_setup_teardown(f, state_setup, state_teardown)
#define SMALL(f) cmocka_unit_test_setup_teardown(f, setup_small, teardown_small)

int main(void) {
        static const struct CMUnitTest tests[] = {
                TEST(added_image_is_there_after_a_restart),
                TEST(bytes_that_are_not_the_image_are_not_added),
                TEST(received_file_is_decoded_into_the_store),
                TEST(unpacking_is_done_in_slices),
                TEST(cut_download_goes_on_where_it_stopped),
                TEST(what_was_received_stays_until_its_image_is_durable),
                TEST(resumed_part_is_hashed_in_slices),
                TEST(image_is_read_in_slices),
                TEST(server_that_begins_anew_is_followed),
                TEST(more_than_was_signed_is_refused),
                TEST(incomplete_file_is_not_committed),
                TEST(tampered_file_is_refused_and_forgotten),
                TEST(image_other_than_signed_is_refused),
                TEST(stale_part_begins_again),
                TEST(part_longer_than_the_file_begins_again),
                TEST(two_writers_of_one_file_do_not_meet),
                TEST(writer_that_dies_leaves_its_commit_to_end_in_silence),
                TEST(forgotten_callback_does_not_run),
                TEST(damaged_image_is_set_aside_and_can_be_fetched_anew),
                TEST(damaged_release_is_set_aside),
                TEST(image_of_another_length_is_damaged),
                TEST(release_of_another_image_does_not_lend_its_name),
                TEST(newer_format_is_left_alone),
                TEST(temporaries_of_a_killed_run_are_swept),
                TEST(least_recently_used_images_go_first),
                TEST(what_is_to_be_kept_is_kept_in_any_case),
                TEST(halves_and_old_rests_are_garbage),
                TEST(nothing_is_collected_inside_a_transfer),
                TEST(list_has_the_images_most_recently_used_first),
                SMALL(full_disk_refuses_before_anything_is_received),
                SMALL(reserve_for_the_small_files_stays_free),
                SMALL(reserved_room_outlasts_a_disk_that_fills_up),
                SMALL(room_is_made_by_removing_what_is_not_kept),
                TEST(room_is_not_made_of_a_download_that_runs),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
