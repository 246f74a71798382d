/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The test vectors of rekindle-patch(7), decoded as a device does. The page is named on the command
 * line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "patch-player.h"

#define VECTORS   7u
#define BYTES_MAX 1024u
#define RING      64u
#define NOT_TOLD  0xee

typedef struct Part {
        uint8_t bytes[BYTES_MAX];
        size_t n;
} Part;

typedef struct Vector {
        char name[64];
        PlanInput in;
        Part old, wanted, stream;
} Vector;

static const char *page;
static Vector vectors[VECTORS + 1];
static unsigned n_vectors;

static void read_head(Vector *v, const char *line) {
        unsigned isa, profile, n;
        PlanInput *in = &v->in;

        n = (unsigned)sscanf(line, "vector %63s %u %x %u %x %x %x %x", v->name, &isa, &profile,
                        &in->unit_size, &in->program_base, &in->program_space, &in->ram_base,
                        &in->ram_size);
        assert_int_equal(n, 8);
        in->instruction_set = (uint8_t)isa;
        in->codec_profile = (uint8_t)profile;
}

/* Pairs of hex digits; "??": a unit of which nothing is known. */
static void read_bytes(Part *p, const char *line, size_t unit) {
        for (; line[0] > ' '; line += 2) {
                size_t n = line[0] == '?' ? unit : 1;
                uint8_t byte = NOT_TOLD;

                assert_true(p->n + n <= BYTES_MAX);
                if (line[0] != '?')
                        assert_int_equal(sscanf(line, "%2hhx", &byte), 1);
                memset(p->bytes + p->n, byte, n);
                p->n += n;
        }
}

static int read_page(void **state) {
        FILE *f = fopen(page, "re");
        Vector *v = NULL;
        Part *part = NULL;
        char line[256];

        if (!f)
                return -1;
        while (fgets(line, sizeof(line), f)) {
                if (strncmp(line, "vector ", 7) == 0 && n_vectors <= VECTORS) {
                        v = &vectors[n_vectors++];
                        read_head(v, line);
                } else if (v && streq(line, "old\n"))
                        part = &v->old;
                else if (v && streq(line, "new\n"))
                        part = &v->wanted;
                else if (v && streq(line, "stream\n"))
                        part = &v->stream;
                else if (line[0] == '.') /* a macro */
                        part = NULL;
                else if (part)
                        read_bytes(part, line, v->in.unit_size);
        }
        (void)fclose(f);
        return 0;
}

static void play(const Vector *v) {
        size_t unit = v->in.unit_size, end = (v->old.n + unit - 1) / unit * unit;
        uint8_t flash[BYTES_MAX];
        PatchPlayer player;

        assert_true(v->in.program_space <= sizeof(flash));
        memset(flash, NOT_TOLD, sizeof(flash));
        memset(flash, 0xff, end);
        memcpy(flash, v->old.bytes, v->old.n);
        assert_int_equal(patch_player_init(&player, &v->in, flash, RING), 0);
        assert_int_equal(patch_player_run(&player, v->stream.bytes, (uint32_t)v->stream.n,
                                         (uint32_t)v->wanted.n, RING),
                        RKD_PATCH_END);
        patch_player_done(&player);
        assert_memory_equal(flash, v->wanted.bytes, v->wanted.n);
}

static void every_vector_of_the_page_decodes(void **state) {
        assert_int_equal(n_vectors, VECTORS);
        for (unsigned i = 0; i < n_vectors; i++) {
                assert_true(vectors[i].wanted.n > 100);
                play(&vectors[i]);
        }
}

int main(int argc, char *argv[]) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_vector_of_the_page_decodes),
        };

        if (argc != 2)
                return 2;
        page = argv[1];
        return cmocka_run_group_tests(tests, read_page, NULL);
}
