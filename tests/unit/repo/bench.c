/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bench: files and programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "basic/file.h"
#include "bench.h"

#define FILE_MAX (32 * 1024 * 1024)

static char *path_of(const Bench *b, const char *path) {
        char *full;

        assert_true(asprintf(&full, "%s/%s", b->folder, path) > 0);
        return full;
}

char *bench_read(const Bench *b, const char *path, size_t *ret_n) {
        char *full = path_of(b, path), *bytes = NULL;
        size_t n;

        if (file_read(AT_FDCWD, full, FILE_MAX, &bytes, &n) < 0)
                fail_msg("%s cannot be read", path);
        if (ret_n)
                *ret_n = n;
        free(full);
        return bytes;
}

void bench_write(const Bench *b, const char *path, const void *bytes, size_t n) {
        char *full = path_of(b, path);
        int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        assert_true(fd >= 0);
        assert_int_equal(write_all(fd, bytes, n), 0);
        (void)close(fd);
        free(full);
}

bool bench_has(const Bench *b, const char *path) {
        char *full = path_of(b, path);
        bool has = access(full, F_OK) == 0;

        free(full);
        return has;
}

static void run_child(const Bench *b, int fd, char *line) {
        char *argv[64];
        int argc = 0;

        for (char *word = strtok(line, " "); word && argc < 63; word = strtok(NULL, " "))
                argv[argc++] = word;
        argv[argc] = NULL;
        if (dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0 || chdir(b->folder) < 0)
                _exit(126);
        execvp(argv[0], argv);
        _exit(127);
}

/* Reads to the end; what does not fit is dropped. */
static void take_output(Bench *b, int fd) {
        char rest[4096];
        size_t n = 0;
        ssize_t k;

        while ((k = read(fd, rest, sizeof(rest))) > 0) {
                size_t take = MIN((size_t)k, sizeof(b->output) - 1 - n);

                memcpy(b->output + n, rest, take);
                n += take;
        }
        b->output[n] = '\0';
}

int bench_command(Bench *b, const char *line) {
        char *command = strdup(line);
        int fds[2], status;
        pid_t pid;

        assert_non_null(command);
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                run_child(b, fds[1], command);
        free(command);
        (void)close(fds[1]);
        take_output(b, fds[0]);
        (void)close(fds[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int bench_run(Bench *b, const char *line) {
        char *command;
        int code;

        assert_true(asprintf(&command, "%s %s", REKINDLE_REPO, line) > 0);
        code = bench_command(b, command);
        free(command);
        return code;
}

void bench_expect(Bench *b, int code, const char *line, const char *text) {
        int got = bench_run(b, line);

        if (got != code)
                fail_msg("%s: exit %d: %s", line, got, b->output);
        if (text && !strstr(b->output, text))
                fail_msg("%s: says \"%s\" instead of \"%s\"", line, b->output, text);
}

char *bench_list(Bench *b, const char *path) {
        char *command, *text = NULL;
        size_t size = 0;
        FILE *f;
        ssize_t n;

        assert_true(asprintf(&command, "cd %s && find %s -type f | sort | xargs sha256sum",
                                    b->folder, path) > 0);
        f = popen(command, "re");
        assert_non_null(f);
        n = getdelim(&text, &size, '\0', f);
        assert_true(n > 0);
        assert_int_equal(pclose(f), 0);
        free(command);
        return text;
}

static void answer(Bench *b, const char *name) {
        char path[128];
        size_t n;

        (void)snprintf(path, sizeof(path), "repo/public/metadata/%s", name);
        if (bench_has(b, path)) {
                char *bytes = bench_read(b, path, &n);

                updater_bytes(b->updater, bytes, n);
                free(bytes);
        } else
                updater_not_found(b->updater);
}

static const char *local_text(const Bench *b, const char *name, size_t *ret_n) {
        const json_t *text = json_object_get(b->local, name);

        *ret_n = json_string_length(text);
        return json_string_value(text);
}

UpdaterError bench_refresh(Bench *b, const char *now) {
        UpdaterLocal local = {};
        UpdaterStep step;
        int64_t seconds;

        b->why = (Why){};
        local.root = local_text(b, "root.json", &local.root_length);
        local.timestamp = local_text(b, "timestamp.json", &local.timestamp_length);
        local.snapshot = local_text(b, "snapshot.json", &local.snapshot_length);
        local.targets = local_text(b, "targets.json", &local.targets_length);
        assert_int_equal(rfc3339_parse(now, &seconds), 0);
        b->updater = updater_free(b->updater);
        if (updater_new(&local, seconds, &b->updater, &b->why) < 0)
                return _UPDATER_ERROR_MAX;
        for (;;) {
                updater_next(b->updater, &step);
                if (step.type == UPDATER_FETCH)
                        answer(b, step.name);
                else if (step.type == UPDATER_STORE) {
                        json_object_set_new(
                                        b->local, step.name, json_stringn(step.bytes, step.length));
                        updater_stored(b->updater);
                } else
                        return updater_result(b->updater, &b->why);
        }
}

void bench_new_client(Bench *b) {
        char *root = bench_read(b, "repo/root.json", NULL);

        json_object_clear(b->local);
        json_object_set_new(b->local, "root.json", json_string(root));
        free(root);
}

Release *bench_release(Bench *b, const char *target) {
        Release *release = NULL;
        TufTarget t;
        Why w = {};

        if (updater_find_target(b->updater, target, &t) < 0 ||
                        release_parse(t.name, t.length, &t.digest, t.custom, &release, &w) < 0)
                fail_msg("%s: no such release: %s", target, w.text);
        return release;
}

static void make_images(const Bench *b) {
        static uint8_t bytes[20000];
        uint32_t x = 7;

        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (uint8_t)(i / 16);
        bench_write(b, "app.bin", bytes, sizeof(bytes));
        bytes[100] = 0xaa;
        bench_write(b, "other.bin", bytes, sizeof(bytes));
        for (size_t i = 0; i < sizeof(bytes); i++) {
                x = x * 1664525 + 1013904223;
                bytes[i] = (uint8_t)(x >> 24);
        }
        bench_write(b, "noise.bin", bytes, sizeof(bytes));
}

int bench_set_up(void **state) {
        Bench *b = new0(Bench, 1);
        char folder[] = "/tmp/rekindle-bench-XXXXXX";

        if (!mkdtemp(folder))
                return -1;
        b->folder = strdup(folder);
        b->local = json_object();
        make_images(b);
        if (bench_run(b, "init repo --now " BENCH_NOW) != 0) {
                print_error("%s\n", b->output);
                return -1;
        }
        bench_new_client(b);
        *state = b;
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
        return remove(path);
}

int bench_tear_down(void **state) {
        Bench *b = *state;
        int r = nftw(b->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);

        (void)updater_free(b->updater);
        json_decref(b->local);
        free(b->folder);
        free(b);
        return r;
}
