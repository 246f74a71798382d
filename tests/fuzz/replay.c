/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a fuzz target over every file of the folders and files named on the command line: each
 * once whole and once cut at every length up to 256 bytes, so that the corpus also tests what is
 * truncated. Exit 1 when there was no input. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX (1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static unsigned long runs;

static void run_one(const uint8_t *bytes, size_t n) {
        /* A copy of exactly n bytes, so that sanitizers see a read past its end. */
        uint8_t *copy = malloc(n ? n : 1);

        if (!copy)
                abort();
        memcpy(copy, bytes, n);
        (void)LLVMFuzzerTestOneInput(copy, n);
        free(copy);
        runs++;
}

static int run_file(const char *path) {
        FILE *f = fopen(path, "rb");
        uint8_t *buffer = malloc(INPUT_MAX);
        size_t n;

        if (!f || !buffer) {
                perror(path);
                return -1;
        }
        n = fread(buffer, 1, INPUT_MAX, f);
        (void)fclose(f);
        run_one(buffer, n);
        for (size_t cut = 0; cut < n && cut < 256; cut++)
                run_one(buffer, cut);
        free(buffer);
        return 0;
}

static int run_path(const char *path) {
        struct dirent **list;
        struct stat st;
        int n, r = 0;

        if (stat(path, &st) < 0) {
                perror(path);
                return -1;
        }
        if (!S_ISDIR(st.st_mode))
                return run_file(path);
        n = scandir(path, &list, NULL, alphasort);
        if (n < 0) {
                perror(path);
                return -1;
        }
        for (int i = 0; i < n; i++) {
                char *child = NULL;

                if (list[i]->d_name[0] != '.' &&
                                asprintf(&child, "%s/%s", path, list[i]->d_name) > 0)
                        r |= run_path(child);
                free(child);
                free(list[i]);
        }
        free(list);
        return r;
}

int main(int argc, char *argv[]) {
        int r = 0;

        for (int i = 1; i < argc; i++)
                r |= run_path(argv[i]);
        printf("%lu inputs\n", runs);
        return r < 0 || runs == 0 ? 1 : 0;
}
