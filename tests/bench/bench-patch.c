/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The patch codec on a pair of images: plans it, plays the stream with the device's decoder onto
 * a flash that holds the old one, and prints what it took. tests/bench/patch calls this.
 *
 * usage: bench-patch [-u UNIT] [-p full|compact] [-e] [-i thumb|thumb2|riscv|avr|other] [-b BASE]
 *        [-r RAMBASE] [-R RAMSIZE] [-s SPACE] [-o STREAM] OLD NEW        (OLD "none": nothing is there) */
#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>

#include "basic/file.h"
#include "patch-player.h"

#define IMAGE_MAX  (8u * 1024 * 1024)
#define RING_BYTES 512u

typedef struct Options {
        PlanInput in;
        const char *stream;
} Options;

static int usage(void) {
        (void)fprintf(stderr, "usage: bench-patch [-u UNIT] [-p full|compact] [-e] [-i SET] "
                              "[-b BASE] [-r RAMBASE] [-R RAMSIZE] [-s SPACE] "
                              "[-o STREAM] OLD NEW\n");
        return 2;
}

static uint8_t instruction_set(const char *name) {
        if (streq(name, "thumb"))
                return RKD_ISA_THUMB;
        if (streq(name, "thumb2"))
                return RKD_ISA_THUMB2;
        if (streq(name, "riscv"))
                return RKD_ISA_RISCV;
        return streq(name, "avr") ? RKD_ISA_AVR : RKD_ISA_UNKNOWN;
}

static int parse(int argc, char *argv[], Options *o) {
        PlanInput *in = &o->in;

        *o = (Options){ .in = { .unit_size = 1024,
                                        .codecs = 3,
                                        .codec_profile = RKD_PATCH_FULL,
                                        .instruction_set = RKD_ISA_THUMB,
                                        .ram_base = 0x20000000,
                                        .ram_size = 0x80000 } };
        for (int c; (c = getopt(argc, argv, "u:p:ei:b:r:R:o:s:")) >= 0;) {
                uint32_t number = optarg ? (uint32_t)strtoul(optarg, NULL, 0) : 0;

                if (c == 'u')
                        in->unit_size = number;
                else if (c == 'p')
                        in->codec_profile = (uint8_t)((in->codec_profile & RKD_PATCH_ERASES_FIRST) |
                                                      (streq(optarg, "full") ? RKD_PATCH_FULL
                                                                             : RKD_PATCH_COMPACT));
                else if (c == 'e')
                        in->codec_profile |= RKD_PATCH_ERASES_FIRST;
                else if (c == 'i')
                        in->instruction_set = instruction_set(optarg);
                else if (c == 'b')
                        in->program_base = number;
                else if (c == 'r')
                        in->ram_base = number;
                else if (c == 'R')
                        in->ram_size = number;
                else if (c == 's')
                        in->program_space = number;
                else if (c == 'o')
                        o->stream = optarg;
                else
                        return -EINVAL;
        }
        return argc - optind == 2 && in->unit_size >= 64 ? 0 : -EINVAL;
}

static int read_image(const char *path, char **ret, size_t *ret_n) {
        int r;

        *ret = NULL;
        *ret_n = 0;
        if (streq(path, "none"))
                return 0;
        r = file_read(AT_FDCWD, path, IMAGE_MAX, ret, ret_n);
        if (r < 0)
                (void)fprintf(stderr, "%s: %s\n", path, strerror(-r));
        return r;
}

static double milliseconds(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Whether a device that holds the old image would hold the new one afterwards. */
static bool play(const PlanInput *in, const PlanOutput *out, double *ret_ms) {
        _cleanup_free_ uint8_t *flash = malloc(in->program_space);
        PatchPlayer player;
        RkdPatchEvent event;
        bool good;

        if (!flash)
                return false;
        if (patch_player_init(&player, in, flash, RING_BYTES) < 0) {
                (void)fprintf(stderr, "more than %u units\n", RKD_PATCH_UNITS_MAX);
                patch_player_done(&player);
                return false;
        }
        memset(flash, 0xff, in->program_space);
        if (in->present)
                memcpy(flash, in->present, in->present_length);
        *ret_ms = milliseconds();
        event = patch_player_run(&player, out->stream, (uint32_t)out->length,
                        (uint32_t)in->wanted_length, RING_BYTES);
        *ret_ms = milliseconds() - *ret_ms;
        good = event == RKD_PATCH_END && !player.out_of_bounds &&
               player.erases == out->units_sent + out->units_parked &&
               memcmp(flash, in->wanted, in->wanted_length) == 0;
        patch_player_done(&player);
        return good;
}

/* The decoder's memory in a device that is built for this profile, with pointers of 32 bits. */
static size_t decoder_bytes(const PlanInput *in) {
        size_t units = (in->program_space / in->unit_size + 7) / 8 * 8;
        size_t n = sizeof(RkdPatch) - sizeof(void *) + 4 - 2 * (RKD_PATCH_UNITS_MAX - units) / 8;

        if ((in->codec_profile & RKD_PATCH_FULL) != 0)
                return n;
        return n - (RKD_PATCH_MAP_FULL - RKD_PATCH_MAP_COMPACT) * sizeof(RkdMapEntry) -
               (RKD_PATCH_TREES_FULL - RKD_PATCH_TREES_COMPACT) * RKD_PATCH_TREE * 3;
}

static int run(Options *o) {
        static const char *const orders[_PLAN_ORDER_MAX] = { "up", "down", "graph" };
        PlanInput *in = &o->in;
        uint32_t most = (uint32_t)MAX(in->wanted_length, in->present_length);
        double plan_ms, play_ms = 0;
        struct rusage used;
        PlanOutput out;
        bool good;
        Why w;

        most = MAX(most, in->program_space);
        in->program_space = (most + in->unit_size - 1) / in->unit_size * in->unit_size;
        plan_ms = milliseconds();
        if (plan_make(in, &out, &w) < 0) {
                (void)fprintf(stderr, "%s\n", w.text);
                return 1;
        }
        plan_ms = milliseconds() - plan_ms;
        (void)getrusage(RUSAGE_SELF, &used);
        good = out.codec == RKD_CODEC_RAW || play(in, &out, &play_ms);
        printf("size=%zu wire=%zu order=%s device_ram=%zu plan_ms=%.0f plan_kib=%ld decode_ms=%.0f units=%u/%u parked=%u %s\n",
                        in->wanted_length, out.length, orders[out.order], decoder_bytes(in),
                        plan_ms, used.ru_maxrss, play_ms, out.units_sent,
                        out.units_sent + out.units_kept, out.units_parked, good ? "good" : "BAD");
        if (o->stream)
                (void)file_replace(AT_FDCWD, o->stream, out.stream, out.length, 0644);
        free(out.stream);
        return good ? 0 : 1;
}

int main(int argc, char *argv[]) {
        _cleanup_free_ char *old = NULL, *wanted = NULL;
        Options o;

        if (parse(argc, argv, &o) < 0)
                return usage();
        if (read_image(argv[optind], &old, &o.in.present_length) < 0 ||
                        read_image(argv[optind + 1], &wanted, &o.in.wanted_length) < 0)
                return 1;
        o.in.present = (const uint8_t *)old;
        o.in.wanted = (const uint8_t *)wanted;
        return run(&o);
}
