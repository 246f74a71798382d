/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The instructions that the patch codec knows: branches with a far target inside one 32-bit word
 * (rekindle-patch(7), "Branches"). Words are little-endian as they lie in flash; `at` is the
 * device address of the word.
 *
 * A build for one profile knows its own machine only: the one that it is compiled for, unless
 * RKD_PATCH_ISA (an RkdInstructionSet, as a number) says another.
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
#define RKD_CODE_KNOWS(isa) ((isa) <= RKD_ISA_AVR)
#endif

bool rkd_code_is_branch(uint8_t isa, uint32_t word);
/* The absolute target of a branch. */
uint32_t rkd_code_target(uint8_t isa, uint32_t word, uint32_t at);
/* The same branch, but at `at` and to `target`; what does not fit is cut off. */
uint32_t rkd_code_retarget(uint8_t isa, uint32_t word, uint32_t at, uint32_t target);
/* A class 0..6 of the byte at source place `from`, which goes to place `to`: low is the byte
 * itself, high the one behind it. */
unsigned rkd_code_class(uint8_t isa, uint32_t from, uint32_t to, uint8_t low, uint8_t high);
