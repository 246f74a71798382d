/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Synthetic programs: see the header. Every function is made twice: once to learn where it lies,
 * once for good. */
#include "synthetic.h"

#include "proto/numbers.h"
#include "proto/patch-code.h"

#define FUNCTION_MIN   16u /* parts */
#define FUNCTION_RANGE 120u
#define PART_BYTES     8u /* at most */
#define CALL_IN        8u
#define POINTER_IN     24u
#define COMMON         64u /* instructions that most code is made of */

typedef struct Maker {
        const SyntheticSpec *spec;
        uint32_t *at; /* of each function */
        uint8_t *out;
        uint32_t n;
        uint32_t random;
} Maker;

static uint32_t next_random(Maker *m) {
        m->random = m->random * UINT32_C(1664525) + UINT32_C(1013904223);
        return m->random >> 8;
}

static void put(Maker *m, uint32_t value, unsigned bytes) {
        for (; bytes > 0; bytes--, value >>= 8)
                m->out[m->n++] = (uint8_t)value;
}

static uint32_t a_call(uint8_t isa) {
        switch (isa) {
        case RKD_ISA_RISCV:
                return UINT32_C(0x000000ef);
        case RKD_ISA_AVR:
                return UINT32_C(0x0000940e);
        default:
                return UINT32_C(0xf800f000);
        }
}

static void put_call(Maker *m, unsigned to) {
        uint8_t isa = m->spec->isa == RKD_ISA_UNKNOWN ? RKD_ISA_THUMB : m->spec->isa;

        put(m, rkd_code_retarget(isa, a_call(isa), m->spec->base + m->n, m->at[to]), 4);
}

static uint32_t half(uint32_t value) {
        return (value >> 12 & 0xf) | (value >> 11 & 1) << 10 | (value >> 8 & 7) << 28 |
               (value & 0xff) << 16;
}

/* LUI and ADDI, or MOVW and MOVT of a register */
static void put_parts(Maker *m, uint32_t address) {
        if (m->spec->isa == RKD_ISA_THUMB2) {
                put(m, UINT32_C(0x0300f240) | half(address & 0xffff), 4);
                put(m, UINT32_C(0x0300f2c0) | half(address >> 16), 4);
                return;
        }
        put(m, UINT32_C(0x537) | ((address + 0x800) & UINT32_C(0xfffff000)), 4);
        put(m, UINT32_C(0x50513) | address << 20, 4);
}

static void put_pointer(Maker *m, unsigned to) {
        uint32_t address = next_random(m) % 2 ? m->at[to] | 1 : m->spec->ram_base + to * 8;

        if (RKD_CODE_HAS_LOW_PARTS(m->spec->isa) && next_random(m) % 2) {
                put_parts(m, address);
                return;
        }
        while (m->n % 4 != 0)
                put(m, 0, 1);
        put(m, address, 4);
}

static void put_instruction(Maker *m) {
        uint32_t which = next_random(m) % 256;

        which = which < 192 ? which % COMMON : which;
        put(m, which * 0x6a1 & 0xdfff, 2); /* few bytes, often the same */
}

static void put_function(Maker *m, unsigned f) {
        const SyntheticSpec *s = m->spec;
        bool changed = s->changed_every > 0 && f % s->changed_every == s->changed_every - 1;
        unsigned parts;

        m->random = s->seed * 7919 + f * 104729 + (changed ? s->version * 1299709 : 0);
        m->at[f] = s->base + m->n;
        parts = FUNCTION_MIN + next_random(m) % FUNCTION_RANGE;
        for (unsigned i = 0; i < parts; i++) {
                uint32_t what = next_random(m);

                if (what % CALL_IN == 0)
                        put_call(m, next_random(m) % s->functions);
                else if (what % POINTER_IN == 1)
                        put_pointer(m, next_random(m) % s->functions);
                else
                        put_instruction(m);
        }
        while (m->n % 4 != 0)
                put(m, 0, 1);
}

int synthetic_image(const SyntheticSpec *spec, uint8_t **ret, size_t *ret_n) {
        Maker m = { .spec = spec };
        size_t room = (size_t)spec->functions * (FUNCTION_MIN + FUNCTION_RANGE + 1) *
                      (PART_BYTES + 3);

        m.at = new0(uint32_t, spec->functions + 1);
        m.out = malloc(room);
        if (!m.at || !m.out) {
                free(m.at);
                free(m.out);
                return -ENOMEM;
        }
        for (unsigned pass = 0; pass < 2; pass++) {
                m.n = 0;
                for (unsigned f = 0; f < spec->functions; f++)
                        put_function(&m, (f + spec->turned_by) % spec->functions);
        }
        free(m.at);
        *ret = m.out;
        *ret_n = m.n;
        return 0;
}

void synthetic_noise(uint8_t *out, size_t n, uint32_t seed) {
        Maker m = { .random = seed };

        for (size_t i = 0; i < n; i++)
                out[i] = (uint8_t)(next_random(&m) >> 5);
}
