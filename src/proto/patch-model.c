/* SPDX-License-Identifier: MIT */
/* Probabilities, contexts and learning of the patch codec, see patch-model.h. */

#include "proto/patch-model.h"

#include <string.h>

#define FLAG_MIN   12u
#define FLAG_EVEN  UINT32_C(0x80000000)
#define FLAG_STAYS 60u /* after so many, a decision counts as much as the last one */
#define BIT_MIN    16u
#define BIT_EVEN   0x8000u
#define BIT_STAYS  15u
#define JUMP_START (UINT32_C(0x30000000) | 1u)
#define HIT_SEEN   2u

#define HASH   UINT32_C(0x9e3779b1)
#define NODE   UINT32_C(0x2f0b4c47)
#define EAGER  6
#define WEIGHT 20000

static const uint16_t flag_rate[FLAG_STAYS + 1];
static const uint8_t bit_rate[BIT_STAYS + 1];
static const uint8_t hit_start[2][RKD_PATCH_RUNS];
#if RKD_PATCH_FULL_SIZES
static const int16_t stretch_table[128];
static const uint16_t squash_table[33];
#endif

static void init_bits(RkdPatchBit *bits, size_t n) {
        for (size_t i = 0; i < n; i++)
                bits[i] = BIT_EVEN;
}

static void init_hits(RkdPatchModel *m) {
        for (unsigned k = 0; k < 2; k++)
                for (unsigned run = 0; run < RKD_PATCH_RUNS; run++) {
                        RkdPatchFlag *flag = &m->hit[k][run][0][0];

                        for (unsigned i = 0; i < RKD_PATCH_PLACES * RKD_PATCH_HISTORIES; i++)
                                flag[i] = (uint32_t)hit_start[k][run] << 24 | HIT_SEEN;
                        m->jump[k][run] = JUMP_START;
                }
}

void rkd_patch_model_init(RkdPatchModel *m, uint8_t profile) {
        RkdPatchFlag *flags = m->again;

        memset(m, 0, sizeof(*m));
        m->profile = profile;
        init_hits(m);
        for (; flags < (RkdPatchFlag *)m->number; flags++)
                *flags = FLAG_EVEN;
        init_bits((RkdPatchBit *)m->number, sizeof(m->number) / (sizeof(RkdPatchBit)));
        init_bits(m->literal[0], sizeof(m->literal) / (sizeof(RkdPatchBit)));
#if RKD_PATCH_FULL_SIZES
        for (unsigned i = 0; i < 4 * RKD_PATCH_MIXED; i++)
                m->weight[i / RKD_PATCH_MIXED][i % RKD_PATCH_MIXED] = WEIGHT;
#endif
}

uint32_t rkd_patch_flag_chance(RkdPatchFlag flag) {
        uint32_t chance = flag >> 16;

        if (chance < FLAG_MIN)
                return FLAG_MIN;
        return chance > 65536u - FLAG_MIN ? 65536u - FLAG_MIN : chance;
}

void rkd_patch_flag_learn(RkdPatchFlag *flag, unsigned bit) {
        uint32_t state = *flag, seen = state & 0x3ff;
        int32_t chance = (int32_t)(state >> 10), aim = bit ? 1 << 22 : 0;
        /* The product is shifted down to keep its low 10 bits apart from the count. */
        uint32_t step = (uint32_t)(((aim - chance) >> 3) * (int32_t)flag_rate[seen]);

        *flag = state + (step & ~UINT32_C(0x3ff)) + (seen < FLAG_STAYS);
}

uint32_t rkd_patch_bit_chance(RkdPatchBit bit) {
        uint32_t chance = bit >> 4;

        if (chance < BIT_MIN)
                chance = BIT_MIN;
        if (chance > 4096u - BIT_MIN)
                chance = 4096u - BIT_MIN;
        return chance << 4;
}

void rkd_patch_bit_learn(RkdPatchBit *state, unsigned bit) {
        unsigned seen = *state & 15u;
        int chance = *state >> 4, aim = bit ? 4095 : 0;

        chance += (aim - chance) * bit_rate[seen] >> 8;
        *state = (RkdPatchBit)(chance << 4 | (int)(seen < BIT_STAYS ? seen + 1 : seen));
}

static unsigned run_context(const RkdPatchTrail *t) {
        if (t->run == 0)
                return t->literals < 3 ? t->literals : 3;
        if (t->run < 5)
                return 3u + t->run;
        if (t->run < 8)
                return 8;
        if (t->run < 16)
                return 9;
        return t->run < 32 ? 10 : 11;
}

/* None, some or many of the last 16 bytes were literals. */
static unsigned history_context(const RkdPatchTrail *t) {
        unsigned h = t->history;

        if (h == 0)
                return 0;
        h &= h - 1;
        return (h & (h - 1)) == 0 ? 1 : 2;
}

RkdPatchFlag *rkd_patch_hit(
                RkdPatchModel *m, const RkdPatchTrail *t, unsigned kind, unsigned class) {
        unsigned history = RKD_PATCH_IS_FULL(m) ? history_context(t) : 0;

        return &m->hit[kind][run_context(t)][class][history];
}

RkdPatchFlag *rkd_patch_jump(RkdPatchModel *m, const RkdPatchTrail *t, unsigned kind) {
        return &m->jump[kind][run_context(t)];
}

RkdPatchBit *rkd_patch_sign(RkdPatchNumber *number, unsigned n) {
        return &number->sign[n < 6 ? 0 : n < 11 ? 1 : 2];
}

RkdPatchBit *rkd_patch_mantissa(RkdPatchNumber *number, unsigned n, unsigned i, uint32_t value) {
        if (i + 3 >= n)
                return &number->top[n < 19 ? n - 2 : 17][value - 1];
        if (i < 2)
                return &number->low[i == 1 ? 0 : 1 + (value & 1)];
        return NULL;
}

#if RKD_PATCH_FULL_SIZES

static uint32_t hash(uint32_t x) {
        return x * HASH >> 8;
}

static void literal_hashes(RkdPatchLiteral *l, const RkdPatchTrail *t, uint32_t odd,
                uint32_t before, uint8_t source) {
        uint32_t last = before & 0xff, two = last << 8 | (before >> 8 & 0xff);
        bool first = t->literals <= 1;

        l->hash[0] = odd << 8;
        l->hash[1] = hash(last << 1 | odd);
        l->hash[2] = hash(two | UINT32_C(0x10000) << (odd * 4));
        l->hash[3] = hash(first ? (uint32_t)source << 2 | UINT32_C(0x20000)
                                : (before >> 16 & 0xff) << 1 | odd | UINT32_C(0x40000));
        l->set = (uint8_t)((first ? 0 : 2) + odd);
}

/* ln(p / (1 - p)) in 256ths. */
static int stretch(unsigned chance) {
        unsigned i = chance >> 4;

        return i < 128 ? -stretch_table[127 - i] : stretch_table[i - 128];
}

static int squash(int32_t x) {
        int part, i;

        if (x > 2047)
                return 4095;
        if (x < -2047)
                return 1;
        part = x & 127;
        i = (int)(x >> 7) + 16;
        return (squash_table[i] * (128 - part) + squash_table[i + 1] * part + 64) >> 7;
}

static uint32_t mix(const RkdPatchModel *m, RkdPatchLiteral *l) {
        int32_t sum = 0;
        int chance;

        for (unsigned i = 0; i < RKD_PATCH_MIXED; i++) {
                uint32_t slot = l->hash[i] + (i == 0 ? l->node : l->node * NODE >> i);

                l->slot[i] = (uint16_t)(slot & (RKD_PATCH_SLOTS - 1));
                l->stretched[i] = (int16_t)stretch(m->literal[i][l->slot[i]] >> 4);
                sum += l->stretched[i] * (m->weight[l->set][i] >> 2) >> 6;
        }
        chance = squash(sum >> 8);
        if (chance < (int)BIT_MIN)
                chance = BIT_MIN;
        if (chance > 4096 - (int)BIT_MIN)
                chance = 4096 - BIT_MIN;
        l->mixed = (uint16_t)chance;
        return (uint32_t)chance << 4;
}

static void mix_learn(RkdPatchModel *m, RkdPatchLiteral *l, unsigned bit) {
        int32_t error = ((bit ? 4096 : 0) - l->mixed) * EAGER;

        for (unsigned i = 0; i < RKD_PATCH_MIXED; i++) {
                m->weight[l->set][i] += (l->stretched[i] * error + 0x2000) >> 14;
                rkd_patch_bit_learn(&m->literal[i][l->slot[i]], bit);
        }
}

#endif

void rkd_patch_literal_begin(RkdPatchLiteral *l, const RkdPatchTrail *t, uint32_t to,
                uint32_t before, uint8_t source) {
        l->node = 1;
#if RKD_PATCH_FULL_SIZES
        literal_hashes(l, t, to & 1, before, source);
#else
        l->hash[0] = (to & 1) << 8;
#endif
}

uint32_t rkd_patch_literal_chance(const RkdPatchModel *m, RkdPatchLiteral *l) {
#if RKD_PATCH_FULL_SIZES
        if (RKD_PATCH_IS_FULL(m))
                return mix(m, l);
#endif
        l->slot[0] = (uint16_t)(l->hash[0] + l->node);
        return rkd_patch_bit_chance(m->literal[0][l->slot[0]]);
}

void rkd_patch_literal_learn(RkdPatchModel *m, RkdPatchLiteral *l, unsigned bit) {
#if RKD_PATCH_FULL_SIZES
        if (RKD_PATCH_IS_FULL(m))
                mix_learn(m, l, bit);
        else
#endif
                rkd_patch_bit_learn(&m->literal[0][l->slot[0]], bit);
        l->node = l->node << 1 | bit;
}

uint32_t rkd_patch_map_room(const RkdPatchModel *m) {
        return RKD_PATCH_IS_FULL(m) ? RKD_PATCH_MAP_FULL : RKD_PATCH_MAP_COMPACT;
}

static void add_run(RkdPatchTrail *t, unsigned n) {
        t->run = (uint8_t)(t->run > 255 - n ? 255 : t->run + n);
        t->history = (uint16_t)(t->history << n);
        t->literals = 0;
        t->jumped = 0;
}

void rkd_patch_trail_word(RkdPatchTrail *t) {
        add_run(t, 4);
}

void rkd_patch_trail_hit(RkdPatchTrail *t) {
        add_run(t, 1);
}

void rkd_patch_trail_jump(RkdPatchTrail *t) {
        t->run = t->literals = 0;
        t->history = 0;
        t->jumped = 1;
}

void rkd_patch_trail_literal(RkdPatchTrail *t) {
        if (t->literals < 255)
                t->literals++;
        t->run = 0;
        t->history = (uint16_t)(t->history << 1 | 1);
        t->jumped = 0;
}

/* 16384 / (2n + 3): about 1 / (n + 1.5) of the way. */
static const uint16_t flag_rate[FLAG_STAYS + 1] = { 5461, 3277, 2341, 1820, 1489, 1260, 1092, 964,
        862, 780, 712, 655, 607, 565, 529, 496, 468, 443, 420, 400, 381, 364, 349, 334, 321, 309,
        298, 287, 278, 269, 260, 252, 245, 237, 231, 224, 218, 213, 207, 202, 197, 193, 188, 184,
        180, 176, 172, 169, 165, 162, 159, 156, 153, 150, 148, 145, 142, 140, 138, 135, 133 };

/* 256 / (n + 1.6) */
static const uint8_t bit_rate[BIT_STAYS + 1] = { 160, 98, 71, 56, 46, 39, 34, 30, 27, 24, 22, 20,
        19, 18, 16, 15 };

/* How likely a copied byte is before anything was learnt, in 256ths. */
static const uint8_t hit_start[2][RKD_PATCH_RUNS] = {
        { 250, 190, 150, 80, 225, 235, 242, 246, 248, 251, 253, 254 },
        { 250, 40, 30, 15, 235, 215, 205, 200, 205, 215, 225, 240 },
};

#if RKD_PATCH_FULL_SIZES

/* The upper half: 256 * ln((2i + 1) / (511 - 2i)) for i = 128..255. */
static const int16_t stretch_table[128] = { 2, 6, 10, 14, 18, 22, 26, 30, 34, 38, 42, 46, 50, 54,
        58, 62, 66, 70, 75, 79, 83, 87, 91, 95, 99, 103, 108, 112, 116, 120, 124, 129, 133, 137,
        141, 146, 150, 155, 159, 163, 168, 172, 177, 181, 186, 190, 195, 200, 204, 209, 214, 218,
        223, 228, 233, 238, 243, 248, 253, 258, 263, 268, 273, 279, 284, 289, 295, 300, 306, 311,
        317, 323, 329, 335, 341, 347, 353, 359, 366, 372, 379, 385, 392, 399, 406, 413, 421, 428,
        436, 443, 451, 459, 468, 476, 485, 494, 503, 512, 522, 532, 542, 553, 564, 575, 587, 599,
        612, 625, 639, 653, 669, 685, 702, 720, 739, 760, 783, 807, 834, 863, 896, 934, 978, 1030,
        1095, 1182, 1314, 1597 };

/* 4096 / (1 + exp(-x / 256)) at x = -2048, -1920 … 2048. */
static const uint16_t squash_table[33] = { 1, 2, 4, 6, 10, 17, 27, 45, 74, 120, 194, 311, 488, 747,
        1102, 1546, 2048, 2550, 2994, 3349, 3608, 3785, 3902, 3976, 4022, 4051, 4069, 4079, 4086,
        4090, 4092, 4094, 4095 };

#endif
