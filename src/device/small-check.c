/* SPDX-License-Identifier: MIT */
/*
 * Part of small.c: what it wants of the platform, beyond the rules that hold for every bootloader.
 *
 * A platform that is known to the compiler (RKD_PLATFORM_H) is looked at by the compiler, where it
 * optimises at all: a broken rule is an error in its line, and a kept one no code. What it cannot
 * know, and any other platform, is looked at by init, with RKD_WITH_CHECKS.
 */

#include "device/rkd-check.h"
#include "device/small.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "small.c is for little-endian machines"
#endif
#if !RKD_FLASH_BLOCKS
#error "small.c wants RKD_FLASH_BLOCKS: flash that is done when erase and write return"
#endif
_Static_assert(RKD_WRITE_SIZE_MAX >= 4, "a mark has four bytes");

#define IMAGE_MAX UINT32_C(0x20000000) /* its length in bits fits into a word */

#if defined(RKD_PLATFORM_H) && defined(__OPTIMIZE__)
__attribute__((error("the platform breaks this rule of small.c"))) void rkd_rule_is_broken(void);
#define LOOK_AT(rule) ((__builtin_constant_p(rule) && !(rule)) ? rkd_rule_is_broken() : (void)0)
#else
#define LOOK_AT(rule) ((void)0)
#endif

#define RULE(rule)                                                                                 \
        do {                                                                                       \
                LOOK_AT(rule);                                                                     \
                if (RKD_WITH_CHECKS && !(rule))                                                    \
                        return false;                                                              \
        } while (0)

/* What a text takes in the identity; of one that only the linker knows, what its array takes. */
#if defined(RKD_PLATFORM_H) && defined(__OPTIMIZE__)
#define ROOM(text) __builtin_object_size(text, 0)
#define TEXT_BYTES(text)                                                                           \
        (!(text) ? 1u : ROOM(text) <= RKD_TEXT_MAX ? ROOM(text) : RKD_TEXT_MAX + 1u)
#else
#define TEXT_BYTES(text) (1u + (uint32_t)rkd_text(text).length)
#endif
/* With a version as long as can be, and an empty floor. */
#define IDENTITY_BYTES(p)                                                                          \
        (RKD_FIXED_IDENTITY_BYTES + 1u + 4u * (p)->n_speeds + 1u + 14u * (p)->n_regions +          \
                        TEXT_BYTES((p)->model) + TEXT_BYTES((p)->hardware) +                       \
                        TEXT_BYTES((p)->serial) + TEXT_BYTES((p)->bootloader_version) + 1u +       \
                        RKD_TEXT_MAX + 1u)

#define IS_ALIGNED(at)     ((uintptr_t)(at) % sizeof(uint32_t) == 0)
#define IS_POWER_OF_2(n)   (((n) & ((n)-1)) == 0)
#define IS_WITHIN(n, a, b) ((uint32_t)(n) - (a) <= (b) - (a))

/* One thing to a line, as the compiler tells lines. */
static inline __attribute__((always_inline)) bool keeps_rules(const RkdPlatform *p) {
        RULE(IS_POWER_OF_2(p->unit_size));
        RULE(p->program_space % p->unit_size == 0);
        RULE(IS_WITHIN(p->program_space, 1, IMAGE_MAX - 1));
        RULE(p->page_bytes >= RKD_PAGE_MIN);
        RULE(IS_POWER_OF_2(p->page_bytes));
        RULE(IS_ALIGNED(p->page));
        RULE(IS_ALIGNED(p->rx));
        RULE(IS_ALIGNED(p->tx));
        RULE(IS_ALIGNED(p->retained));
        RULE(p->retained != NULL);
        /* The identity is made in one piece. */
        RULE(p->tx_bytes >= RKD_TX_BYTES(RKD_ANSWER_FIXED + WINDOW_FIXED + IDENTITY_BYTES(p)));
        RULE(p->start_attempts <= 8);
        RULE(IS_WITHIN(p->record_write_size, 1, RKD_WRITE_SIZE_MAX));
        RULE(RKD_RECORD_MARKS + RKD_MARKS_MAX * SLOT_BYTES(p) <= p->record_size);
        RULE(p->ring_bytes >= 128);
        RULE(p->max_payload <= p->ring_bytes);
        RULE(IS_WITHIN(p->max_payload, RKD_PAYLOAD_MIN, RKD_PAYLOAD_MAX));
#if RKD_PATCH_IS_BUILT
        /* A patch copies from the unit that it writes. */
        RULE(!p->patch || p->page_bytes >= p->unit_size);
        RULE(!p->patch || p->ring);
#endif
        return true;
}

bool is_platform_valid(const RkdPlatform *p) {
#if RKD_WITH_CHECKS
        if (!rkd_platform_is_valid(p) || !p->page || !p->flash_erase || !p->start_program)
                return false;
#if RKD_PATCH_IS_BUILT
        if (p->patch && !rkd_patch_fits(p))
                return false;
#endif
#endif
        return keeps_rules(p);
}
