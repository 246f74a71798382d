/* SPDX-License-Identifier: MIT */
/* Addresses in the code of Thumb, RISC-V and AVR, see patch-code.h. */

#include "proto/patch-code.h"

/* BL and B.W with both J bits set: 4 MiB each way, which is all a microcontroller has. */
#define THUMB_MASK   UINT32_C(0xb800f800)
#define THUMB_BRANCH UINT32_C(0xb800f000)
#define THUMB_KEPT   UINT32_C(0xf800f800)

/* MOVW, the low half of a value; MOVT has the high one */
#define THUMB_MOV_MASK UINT32_C(0x8000fbf0)
#define THUMB_MOVW     UINT32_C(0xf240)
#define THUMB_MOVT     UINT32_C(0xf2c0)
#define THUMB_MOV_KEPT UINT32_C(0x8f00fbf0)
#define THUMB_REGISTER UINT32_C(0x0f000000)

/* JAL */
#define RISCV_MASK   UINT32_C(0x7f)
#define RISCV_BRANCH UINT32_C(0x6f)
#define RISCV_KEPT   UINT32_C(0xfff)

/* Low parts: loads and stores of integers and floats, ADDI, JALR. Bases: LUI, AUIPC, C.LUI. */
#define RISCV_ACCESS_MASK UINT32_C(0x5b)
#define RISCV_ACCESS      UINT32_C(0x03)
#define RISCV_STORE_MASK  UINT32_C(0x7b)
#define RISCV_STORE       UINT32_C(0x23)
#define RISCV_OTHER_MASK  UINT32_C(0x707f)
#define RISCV_ADDI        UINT32_C(0x13)
#define RISCV_JALR        UINT32_C(0x67)
#define RISCV_LUI         UINT32_C(0x37)
#define RISCV_AUIPC       UINT32_C(0x17)
#define RISCV_UPPER       UINT32_C(0xfffff000)
#define RISCV_BRANCH_IF   UINT32_C(0x63)
#define RISCV_SHORT_MASK  UINT32_C(0xe003)
#define RISCV_SHORT_LUI   UINT32_C(0x6001)
#define RISCV_STACK       2u

/* CALL and JMP, a code address in words; LDS and STS, a data address */
#define AVR_MASK      UINT32_C(0xfe0c)
#define AVR_BRANCH    UINT32_C(0x940c)
#define AVR_KEPT      UINT32_C(0xfe0e)
#define AVR_DATA_MASK UINT32_C(0xfc0f)
#define AVR_DATA      UINT32_C(0x9000)
#define AVR_RAM       UINT32_C(0x800000) /* where compilers put the data space */

static bool thumb_is_low_part(uint32_t word) {
        return (word & THUMB_MOV_MASK) == THUMB_MOVW;
}

static uint32_t thumb_half(uint32_t word) {
        return (word & 0xf) << 12 | (word >> 10 & 1) << 11 | (word >> 28 & 7) << 8 |
               (word >> 16 & 0xff);
}

static uint32_t thumb_with_half(uint32_t word, uint32_t half) {
        return (word & THUMB_MOV_KEPT) | (half >> 12 & 0xf) | (half >> 11 & 1) << 10 |
               (half >> 8 & 7) << 28 | (half & 0xff) << 16;
}

static RkdCodeBase thumb_base(uint32_t low_part, uint32_t word, uint32_t *ret_base) {
        if ((word & THUMB_MOV_MASK) != THUMB_MOVT || ((word ^ low_part) & THUMB_REGISTER) != 0)
                return RKD_CODE_NOT_YET;
        *ret_base = thumb_half(word) << 16;
        return RKD_CODE_FIXED;
}

static uint32_t thumb_target(uint32_t word, uint32_t at) {
        uint32_t halfwords = (word & 0x3ff) << 11 | ((word >> 16) & 0x7ff);

        if (word & 0x400)
                halfwords |= UINT32_C(0xffe00000);
        return at + 4 + halfwords * 2;
}

static uint32_t thumb_retarget(uint32_t word, uint32_t at, uint32_t target) {
        uint32_t bytes = target - at - 4;

        return (word & THUMB_KEPT) | ((bytes >> 12) & 0x3ff) | (bytes >> 31 << 10) |
               ((bytes >> 1) & 0x7ff) << 16;
}

static bool riscv_is_jump(uint32_t word) {
        return (word & RISCV_MASK) == RISCV_BRANCH;
}

static bool riscv_is_store(uint32_t word) {
        return (word & RISCV_STORE_MASK) == RISCV_STORE;
}

static uint32_t riscv_low_part(uint32_t word) {
        uint32_t low = word >> 20;

        if (riscv_is_store(word))
                low = (low & 0xfe0) | (word >> 7 & 0x1f);
        return (low ^ 0x800) - 0x800;
}

static uint32_t riscv_with_low_part(uint32_t word, uint32_t low) {
        if (riscv_is_store(word))
                return (word & UINT32_C(0x1fff07f)) | (low & 0xfe0) << 20 | (low & 0x1f) << 7;
        return (word & UINT32_C(0xfffff)) | low << 20;
}

static uint32_t riscv_target(uint32_t word, uint32_t at) {
        uint32_t bytes = (word & 0xff000) | (word >> 20 & 1) << 11 | (word >> 21 & 0x3ff) << 1;

        if (!riscv_is_jump(word))
                return at + riscv_low_part(word);
        if (word >> 31)
                bytes |= UINT32_C(0xfff00000);
        return at + bytes;
}

static uint32_t riscv_retarget(uint32_t word, uint32_t at, uint32_t target) {
        uint32_t bytes = target - at;

        if (!riscv_is_jump(word))
                return riscv_with_low_part(word, bytes);
        return (word & RISCV_KEPT) | (bytes & 0xff000) | (bytes >> 11 & 1) << 20 |
               (bytes >> 1 & 0x3ff) << 21 | (bytes >> 20 & 1) << 31;
}

static bool riscv_is_low_part(uint32_t word) {
        unsigned from = word >> 15 & 31; /* a register */

        if (from == 0 || from == RISCV_STACK)
                return false;
        return (word & RISCV_ACCESS_MASK) == RISCV_ACCESS ||
               (word & RISCV_OTHER_MASK) == RISCV_ADDI || (word & RISCV_OTHER_MASK) == RISCV_JALR;
}

/* Whether the instruction gives its register a value. */
static bool riscv_writes(uint32_t word) {
        if ((word & 3) == 3)
                return !riscv_is_store(word) && (word & RISCV_MASK) != RISCV_BRANCH_IF;
        return (word & 3) != 0 && (word & 0xe000) <= 0x8000 && (word & RISCV_SHORT_MASK) != 0x8001;
}

static RkdCodeBase riscv_base(uint32_t low_part, uint32_t before, uint32_t *ret_base) {
        if ((before >> 7 & 31) != (low_part >> 15 & 31))
                return RKD_CODE_NOT_YET;
        *ret_base = before & RISCV_UPPER;
        if ((before & RISCV_MASK) == RISCV_LUI)
                return RKD_CODE_FIXED;
        if ((before & RISCV_MASK) == RISCV_AUIPC)
                return RKD_CODE_RELATIVE;
        if ((before & RISCV_SHORT_MASK) != RISCV_SHORT_LUI)
                return riscv_writes(before) ? RKD_CODE_NO_BASE : RKD_CODE_NOT_YET;
        *ret_base = (before & 0x7c) << 10;
        if (before & 0x1000)
                *ret_base |= UINT32_C(0xfffe0000);
        return RKD_CODE_FIXED;
}

static bool avr_is_data(uint32_t word) {
        return (word & AVR_DATA_MASK) == AVR_DATA;
}

static uint32_t avr_target(uint32_t word) {
        if (avr_is_data(word))
                return AVR_RAM + (word >> 16);
        return (word >> 16 | (word & 1) << 16 | (word & 0x1f0) << 13) * 2;
}

static uint32_t avr_retarget(uint32_t word, uint32_t target) {
        uint32_t words = target / 2;

        if (avr_is_data(word))
                return (word & 0xffff) | target << 16;
        return (word & AVR_KEPT) | words << 16 | (words >> 16 & 1) | (words >> 13 & 0x1f0);
}

bool rkd_code_is_branch(uint8_t isa, uint32_t word) {
        switch (RKD_CODE_ISA(isa)) {
        case RKD_ISA_THUMB:
        case RKD_ISA_THUMB2:
                return (word & THUMB_MASK) == THUMB_BRANCH;
        case RKD_ISA_RISCV:
                return riscv_is_jump(word);
        case RKD_ISA_AVR:
                return (word & AVR_MASK) == AVR_BRANCH || avr_is_data(word);
        default:
                return false;
        }
}

bool rkd_code_is_low_part(uint8_t isa, uint32_t word) {
        switch (RKD_CODE_ISA(isa)) {
        case RKD_ISA_THUMB2:
                return thumb_is_low_part(word);
        case RKD_ISA_RISCV:
                return riscv_is_low_part(word);
        default:
                return false;
        }
}

RkdCodeBase rkd_code_base(uint8_t isa, uint32_t low_part, uint32_t word, uint32_t *ret_base) {
        if (RKD_CODE_ISA(isa) == RKD_ISA_THUMB2)
                return thumb_base(low_part, word, ret_base);
        return riscv_base(low_part, word, ret_base);
}

uint32_t rkd_code_target(uint8_t isa, uint32_t word, uint32_t origin) {
        switch (RKD_CODE_ISA(isa)) {
        case RKD_ISA_THUMB2:
                if (thumb_is_low_part(word))
                        return origin + thumb_half(word);
                return thumb_target(word, origin);
        case RKD_ISA_THUMB:
                return thumb_target(word, origin);
        case RKD_ISA_RISCV:
                return riscv_target(word, origin);
        default:
                return avr_target(word);
        }
}

uint32_t rkd_code_retarget(uint8_t isa, uint32_t word, uint32_t origin, uint32_t target) {
        switch (RKD_CODE_ISA(isa)) {
        case RKD_ISA_THUMB2:
                if (thumb_is_low_part(word))
                        return thumb_with_half(word, target - origin);
                return thumb_retarget(word, origin, target);
        case RKD_ISA_THUMB:
                return thumb_retarget(word, origin, target);
        case RKD_ISA_RISCV:
                return riscv_retarget(word, origin, target);
        default:
                return avr_retarget(word, target);
        }
}

/* By the first byte of an instruction: what its other byte is likely to be. */
static unsigned thumb_class(uint8_t high) {
        if (high >= 0xe8)
                return 5; /* 32 bits long */
        if (high >= 0xd0)
                return 4;              /* branch */
        return high >> 3 == 9 ? 3 : 6; /* load from a literal pool, or another */
}

static unsigned avr_class(uint8_t high) {
        switch (high >> 4) {
        case 0xe:
                return 3; /* LDI */
        case 0xf:
                return 4; /* conditional branch */
        case 0xc:
        case 0xd:
                return 5; /* RJMP, RCALL */
        default:
                return 6;
        }
}

unsigned rkd_code_class(uint8_t isa, uint32_t from, uint32_t to, uint8_t low, uint8_t high) {
        if (from & to & 1)
                return RKD_CODE_ISA(isa) == RKD_ISA_RISCV && (low & 3) != 3;
        if ((from | to) & 1)
                return 1 + (to & 1);
        switch (RKD_CODE_ISA(isa)) {
        case RKD_ISA_THUMB:
        case RKD_ISA_THUMB2:
                return thumb_class(high);
        case RKD_ISA_RISCV:
                return 3 + (low & 3);
        case RKD_ISA_AVR:
                return avr_class(high);
        default:
                return 3;
        }
}
