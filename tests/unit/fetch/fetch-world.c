/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* FetchWorld: see the header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sys/stat.h>

#include "basic/file.h"
#include "fetch-world.h"

#define GUARD_USEC (90 * USEC_PER_SEC) /* longer than anything here takes */

static void write_file(const char *folder, const char *name, const void *bytes, size_t n) {
        char path[512];
        int fd;

        (void)snprintf(path, sizeof path, "%s/%s", folder, name);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        assert_true(fd >= 0);
        assert_int_equal(write_all(fd, bytes, n), 0);
        (void)close(fd);
}

const char *world_plain(const FetchWorld *world) {
        static char text[100];

        (void)snprintf(text, sizeof text, "Origin=http://127.0.0.1:%u\nAllowHttp=yes\n",
                        http_origin_port(world->origin));
        return text;
}

void world_configure(FetchWorld *world, const char *format, ...) {
        char lines[4096] = "[Fetch]\n", socket[512], config[512];
        va_list ap;
        int r;

        world->client = fetch_client_free(world->client);
        va_start(ap, format);
        (void)vsnprintf(lines + 8, sizeof lines - 8, format, ap);
        va_end(ap);
        write_file(world->folder, "fetch.conf", lines, strlen(lines));
        (void)snprintf(socket, sizeof socket, "%s/socket", world->folder);
        (void)snprintf(config, sizeof config, "%s/fetch.conf", world->folder);
        r = fetch_client_new(world->event, socket, FETCH_PROGRAM, config, &world->client);
        assert_int_equal(r, 0);
}

int world_setup(void **state) {
        FetchWorld *world = new0(FetchWorld, 1);
        char template[] = "/tmp/rkfetch-XXXXXX", path[512], log[512];

        if (!world || !mkdtemp(template) || sd_event_new(&world->event) < 0)
                return -1;
        *state = world;
        world->folder = strdup(template);
        (void)snprintf(path, sizeof path, "%s/www", template);
        (void)snprintf(log, sizeof log, "%s/origin.log", template);
        if (mkdir(path, 0755) < 0 || http_origin_new(path, log, &world->origin) < 0)
                return -1;
        world_configure(world, "%s", world_plain(world));
        return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

int world_teardown(void **state) {
        FetchWorld *world = *state;

        (void)fetch_client_free(world->client);
        (void)http_origin_free(world->origin);
        (void)sd_event_unref(world->event);
        (void)nftw(world->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        free(world->folder);
        free(world);
        return 0;
}

uint8_t world_pattern(size_t at) {
        return (uint8_t)((at * UINT64_C(2654435761)) >> 24);
}

void world_file(const FetchWorld *world, const char *name, size_t n) {
        uint8_t *bytes = malloc(n + 1);
        char path[300];

        assert_non_null(bytes);
        for (size_t i = 0; i < n; i++)
                bytes[i] = world_pattern(i);
        (void)snprintf(path, sizeof path, "www/%s", name);
        write_file(world->folder, path, bytes, n);
        free(bytes);
}

static int on_body(FetchCall *call, unsigned status, bool resumed, const void *bytes, size_t n,
                void *userdata) {
        Got *got = userdata;
        size_t k = MIN(n, BODY_KEPT - got->body_n);

        got->status = status;
        memcpy(got->body + got->body_n, bytes, k);
        got->body_n += k;
        got->bytes += n;
        got->calls++;
        return got->cancel_after > 0 && got->bytes >= got->cancel_after ? -ECANCELED : 0;
}

static void on_done(FetchCall *call, const FetchResult *result, void *userdata) {
        Got *got = userdata;

        assert_false(got->done);
        got->done = true;
        got->error = result->error;
        got->status = result->status;
        got->resumed = result->resumed;
        (void)snprintf(got->text, sizeof got->text, "%s", result->text);
        (void)snprintf(got->etag, sizeof got->etag, "%s", result->etag ? result->etag : "");
        (void)snprintf(got->retry_after, sizeof got->retry_after, "%s",
                        result->retry_after ? result->retry_after : "");
        (void)snprintf(got->headers, sizeof got->headers, "%s", result->headers);
        assert_int_equal(result->bytes, got->bytes);
}

FetchCall *world_start(FetchWorld *world, const FetchRequest *request, Got *got) {
        FetchCall *call = NULL;
        Why w = { "" };
        int r;

        r = fetch_client_call(world->client, request, on_body, on_done, got, &call, &w);
        if (r < 0)
                fail_msg("%s", w.text);
        return call;
}

void world_run_until(FetchWorld *world, const bool *flag) {
        uint64_t end, now;

        (void)sd_event_now(world->event, CLOCK_MONOTONIC, &now);
        end = now + GUARD_USEC;
        while (!*flag) {
                assert_true(sd_event_run(world->event, USEC_PER_SEC) >= 0);
                (void)sd_event_now(world->event, CLOCK_MONOTONIC, &now);
                if (now > end)
                        fail_msg("nothing came within 90 s");
        }
}

void world_fetch(FetchWorld *world, const FetchRequest *request, Got *got) {
        uint64_t cancel_after = got->cancel_after;

        *got = (Got){ .cancel_after = cancel_after };
        (void)world_start(world, request, got);
        world_run_until(world, &got->done);
}

void world_get(FetchWorld *world, const char *path, Got *got) {
        FetchRequest request = { .method = "GET", .url = path, .byte_limit = 1024 * 1024 };

        world_fetch(world, &request, got);
}

/* Lines of the log that contain both texts; ret_last (4096 bytes, or NULL): the last of them. */
static unsigned count_lines(
                const FetchWorld *world, const char *text, const char *second, char *ret_last) {
        _cleanup_free_ char *bytes = NULL;
        char path[512], *rest = NULL;
        unsigned count = 0;
        size_t n;

        (void)snprintf(path, sizeof path, "%s/origin.log", world->folder);
        assert_int_equal(file_read(AT_FDCWD, path, 16 * 1024 * 1024, &bytes, &n), 0);
        for (char *line = strtok_r(bytes, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
                if (strstr(line, text) && strstr(line, second)) {
                        count++;
                        if (ret_last)
                                (void)snprintf(ret_last, 4096, "%s", line);
                }
        return count;
}

unsigned world_log_count(const FetchWorld *world, const char *text) {
        return count_lines(world, text, "\"ended\": null", NULL);
}

unsigned world_log_sent(const FetchWorld *world, const char *text) {
        return count_lines(world, text, "\"ended\": true", NULL);
}

uint64_t world_wait_for_cut(const FetchWorld *world, const char *text) {
        static char line[4096];
        const char *sent;

        for (unsigned i = 0; count_lines(world, text, "\"ended\": false", line) == 0; i++) {
                assert_true(i < 4500);
                (void)poll(NULL, 0, 20);
        }
        sent = strstr(line, "\"sent\": ");
        assert_non_null(sent);
        return strtoull(sent + strlen("\"sent\": "), NULL, 10);
}

void world_command(FetchWorld *world, const char *command) {
        assert_int_equal(http_origin_command(world->origin, command), 0);
}
