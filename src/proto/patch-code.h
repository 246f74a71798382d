/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The instructions that the patch codec knows: those with an address, or the low part of one,
 * inside one 32-bit word (rekindle-patch(7), "Machines"). Words are little-endian as they lie in
 * flash. A branch counts from its origin, which is where it lies; a low part from its base, which
 * is in an instruction nearby.
 *
 * A build for one profile knows its own machine only: the one that it is compiled for, unless
 * RKD_PATCH_ISA (an RkdInstructionSet, as a number) says another. MOVW and MOVT (4) cost 300 bytes
 * and are worth them where programs have them: those of clang and Rust, of gcc with
 * -mslow-flash-data or -mpure-code.
 */

#include <stdbool.h>

#include "proto/numbers.h"
#include "proto/patch-profile.h"

#if defined(RKD_PATCH_PROFILE) && !defined(RKD_PATCH_ISA)
#if defined(__thumb__)
#define RKD_PATCH_ISA 1
#elif defined(__riscv)
#define RKD_PATCH_ISA 2
#elif defined(__AVR__)
#define RKD_PATCH_ISA 3
#endif
#endif

#ifdef RKD_PATCH_ISA
#define RKD_CODE_ISA(isa)   ((void)(isa), RKD_PATCH_ISA)
#define RKD_CODE_KNOWS(isa) ((isa) == RKD_PATCH_ISA)
#else
#define RKD_CODE_ISA(isa)   (isa)
#define RKD_CODE_KNOWS(isa) ((isa) <= RKD_ISA_THUMB2)
#endif

/* Machines whose addresses are made in two parts, each in a word of its own. */
#define RKD_CODE_HAS_LOW_PARTS(isa)                                                                \
        (RKD_CODE_ISA(isa) == RKD_ISA_RISCV || RKD_CODE_ISA(isa) == RKD_ISA_THUMB2)
/* The places where the base of a low part is sought, nearest first, counted from 1. */
#define RKD_CODE_REACH(isa) (RKD_CODE_ISA(isa) == RKD_ISA_RISCV ? 16u : 8u)

/* How far from the low part such a place is. */
static inline uint32_t rkd_code_base_place(uint8_t isa, uint32_t i) {
        return RKD_CODE_ISA(isa) == RKD_ISA_RISCV ? 0 - 2 * i : 2 + 2 * i;
}

/* What a word counts from, as a distance from where it lies: in the source, and at its new place.
 * None for a branch. */
typedef struct RkdCodeOrigin {
        uint32_t here, there;
} RkdCodeOrigin;

typedef enum RkdCodeBase {
        RKD_CODE_NOT_YET,  /* this word is no base: go on */
        RKD_CODE_NO_BASE,  /* nor are those farther away */
        RKD_CODE_FIXED,    /* an address */
        RKD_CODE_RELATIVE, /* to where the word lies */
} RkdCodeBase;

bool rkd_code_is_branch(uint8_t isa, uint32_t word);
/* Whether the word is a low part, provided that there is a base. */
bool rkd_code_is_low_part(uint8_t isa, uint32_t word);
/* What a word at one of the places is to the low part. */
RkdCodeBase rkd_code_base(uint8_t isa, uint32_t low_part, uint32_t word, uint32_t *ret_base);
/* The absolute target of a branch or low part. */
uint32_t rkd_code_target(uint8_t isa, uint32_t word, uint32_t origin);
/* The same instruction, but from `origin` and to `target`; what does not fit is cut off. */
uint32_t rkd_code_retarget(uint8_t isa, uint32_t word, uint32_t origin, uint32_t target);
/* A class 0..6 of the byte at source place `from`, which goes to place `to`: low is the byte
 * itself, high the one behind it. RISC-V and both places odd: low is the byte before `to`. */
unsigned rkd_code_class(uint8_t isa, uint32_t from, uint32_t to, uint8_t low, uint8_t high);
