/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses in instructions: what assemblers make of them, and how they are made anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/cleanup.h"
#include "proto/patch-code.h"

typedef struct Sample {
        uint8_t isa;
        uint32_t word, origin, target;
} Sample;

/* As binutils shows them; of a low part, the origin is its base. */
static const Sample samples[] = {
        { RKD_ISA_THUMB, 0xf82bf000, 0x00d0, 0x12a },           /* bl 12a */
        { RKD_ISA_THUMB, 0xfd16f7ff, 0x30000, 0x2fa30 },        /* bl 2fa30 */
        { RKD_ISA_THUMB, 0xba00f7ff, 0x30000, 0x2f404 },        /* b.w 2f404 */
        { RKD_ISA_THUMB2, 0xfd16f7ff, 0x30000, 0x2fa30 },       /* bl 2fa30 */
        { RKD_ISA_THUMB2, 0x43fff241, 0x20000000, 0x200014ff }, /* movw r3,#0x14ff */
        { RKD_ISA_THUMB2, 0x0c08f64f, 0x8000000, 0x800f808 },   /* movw ip,#0xf808 */
        { RKD_ISA_RISCV, 0x5b00b2ef, 0x8000014, 0x800b5c4 },    /* jal t0,800b5c4 */
        { RKD_ISA_RISCV, 0xfdfff0ef, 0x8000020, 0x7fffffe },    /* jal ra,7fffffe */
        { RKD_ISA_RISCV, 0x75c58593, 0x8014000, 0x801475c },    /* addi a1,a1,1884 */
        { RKD_ISA_RISCV, 0xbe47a803, 0x8015000, 0x8014be4 },    /* lw a6,-1052(a5) */
        { RKD_ISA_RISCV, 0x86a7a223, 0x20001000, 0x20000864 },  /* sw a0,-1948(a5) */
        { RKD_ISA_RISCV, 0x010080e7, 0x8000400, 0x8000410 },    /* jalr 16(ra) */
        { RKD_ISA_AVR, 0x1234940e, 0, 0x2468 },                 /* call 0x2468 */
        { RKD_ISA_AVR, 0x01009180, 0, 0x800100 },               /* lds r24,0x0100 */
};

static void targets_are_those_of_the_assembler(void **state) {
        for (const Sample *s = samples; s < samples + ELEMENTSOF(samples); s++)
                assert_int_equal(rkd_code_target(s->isa, s->word, s->origin), s->target);
}

static void an_address_made_anew_is_found_again(void **state) {
        static const uint32_t moves[] = { 0, 4, 0x7e, 0u - 36, 0x740, 0u - 0x80 };

        for (const Sample *s = samples; s < samples + ELEMENTSOF(samples); s++)
                for (size_t k = 0; k < ELEMENTSOF(moves); k++) {
                        bool low = rkd_code_is_low_part(s->isa, s->word);
                        uint32_t target = s->target + moves[k], word;

                        word = rkd_code_retarget(s->isa, s->word, s->origin, target);
                        target -= rkd_code_target(s->isa, word, s->origin);
                        if (low)
                                target &= s->isa == RKD_ISA_THUMB2 ? 0xffff : 0xfff;
                        assert_int_equal(target, 0);
                        word = rkd_code_retarget(s->isa, word, s->origin, s->target);
                        assert_int_equal(word, s->word);
                }
}

static void every_sample_is_known_for_what_it_is(void **state) {
        for (const Sample *s = samples; s < samples + ELEMENTSOF(samples); s++) {
                bool low = rkd_code_is_low_part(s->isa, s->word);

                assert_true(low != rkd_code_is_branch(s->isa, s->word));
        }
}

static void nothing_counts_from_zero_or_the_stack(void **state) {
        assert_false(rkd_code_is_low_part(RKD_ISA_RISCV, 0x00c02783)); /* lw a5,12(zero) */
        assert_false(rkd_code_is_low_part(RKD_ISA_RISCV, 0x00c12783)); /* lw a5,12(sp) */
        assert_true(rkd_code_is_low_part(RKD_ISA_RISCV, 0x00c52783));  /* lw a5,12(a0) */
}

/* What the word before "addi a5,a5,…" is to it. */
static void expect(uint32_t before, RkdCodeBase kind, uint32_t base) {
        uint32_t found = 0;

        assert_int_equal(rkd_code_base(RKD_ISA_RISCV, 0x00078793, before, &found), kind);
        if (kind >= RKD_CODE_FIXED)
                assert_int_equal(found, base);
}

static void bases_are_what_loads_the_register(void **state) {
        expect(0x080147b7, RKD_CODE_FIXED, 0x08014000); /* lui a5,0x8014 */
        expect(0xfffff7b7, RKD_CODE_FIXED, 0xfffff000);
        expect(0x00012797, RKD_CODE_RELATIVE, 0x12000); /* auipc a5,0x12 */
        expect(0x000067c1, RKD_CODE_FIXED, 0x10000);    /* c.lui a5,0x10 */
        expect(0x000077fd, RKD_CODE_FIXED, 0xfffff000); /* c.lui a5,0xfffff */
        expect(0x08014537, RKD_CODE_NOT_YET, 0);        /* lui a0,0x8014 */
}

static void a_register_that_was_changed_has_no_base(void **state) {
        expect(0x00878793, RKD_CODE_NO_BASE, 0); /* addi a5,a5,8 */
        expect(0x0007a783, RKD_CODE_NO_BASE, 0); /* lw a5,0(a5) */
        expect(0x000007a1, RKD_CODE_NO_BASE, 0); /* c.addi a5,8 */
        expect(0x000087aa, RKD_CODE_NO_BASE, 0); /* c.mv a5,a0 */
        expect(0x00b527a3, RKD_CODE_NOT_YET, 0); /* sw a1,15(a0): no register */
        expect(0x00b507e3, RKD_CODE_NOT_YET, 0); /* beq a0,a1: no register */
        expect(0x0000c799, RKD_CODE_NOT_YET, 0); /* c.beqz */
}

static void the_high_half_is_that_of_the_same_register(void **state) {
        uint32_t base = 0;

        assert_int_equal(rkd_code_base(RKD_ISA_THUMB2, 0x43fff241, 0x0300f2c2, &base),
                        RKD_CODE_FIXED); /* movt r3,#0x2000 */
        assert_int_equal(base, 0x20000000);
        assert_int_equal(rkd_code_base(RKD_ISA_THUMB2, 0x43fff241, 0x0200f2c2, &base),
                        RKD_CODE_NOT_YET); /* movt r2,#0x2000 */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(targets_are_those_of_the_assembler),
                cmocka_unit_test(an_address_made_anew_is_found_again),
                cmocka_unit_test(every_sample_is_known_for_what_it_is),
                cmocka_unit_test(nothing_counts_from_zero_or_the_stack),
                cmocka_unit_test(the_high_half_is_that_of_the_same_register),
                cmocka_unit_test(bases_are_what_loads_the_register),
                cmocka_unit_test(a_register_that_was_changed_has_no_base),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
