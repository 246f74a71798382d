/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The device library: a bootloader engine (RkdBoot) and the program's side of the link
 * (RkdProgram).
 *
 * The caller owns all memory: one context, and the buffers that its RkdPlatform names; both live as
 * long as the context is used. Nothing here waits, allocates or recurses. Bytes go in through
 * …_receive(), everything else happens in …_poll():
 *
 *      rkd_boot_init(&boot, &platform, cause);
 *      for (;;) {
 *              rkd_boot_receive(&boot, bytes, n);
 *              rkd_boot_poll(&boot);
 *              … sleep until a byte comes or rkd_boot_wait_ms(&boot) is over …
 *      }
 */

#include "device/rkd-context.h"
#include "rekindle/platform.h"

enum {
        RKD_E_PLATFORM = 1
}; /* the platform struct breaks a rule of platform.h */

#define RKD_WAIT_MAX_MS 1000u

/* What a program says of itself, put anywhere into its image at a multiple of 4 (linker
 * fragment: a section of its own, kept: `.rkd_descriptor : ALIGN(4) { KEEP(*(.rkd_descriptor))
 * }`, and `rkd_image_bytes = end of image - program base`). */
typedef struct RkdDescriptor {
        uint8_t magic[8];  /* RKD_DESCRIPTOR_MAGIC */
        uint32_t length;   /* bytes of the image, little-endian */
        uint32_t reserved; /* 0 */
        char model[64];    /* NUL-terminated, the rest zero */
        char version[64];
} RkdDescriptor;

#define RKD_DESCRIPTOR_MAGIC                                                                       \
        { 'R', 'K', 'D', 'E', 'S', 'C', 0xb7, 0x01 }

/* --- bootloader --- */

/* cause: RkdCause of the reset that led here. 0 or RKD_E_PLATFORM. */
int rkd_boot_init(RkdBoot *boot, const RkdPlatform *platform, uint8_t cause);
/* Bytes from the line, any number at a time. */
void rkd_boot_receive(RkdBoot *boot, const uint8_t *data, size_t n);
/* Does what can be done now. To be called in a loop. */
void rkd_boot_poll(RkdBoot *boot);
/* How long the loop may sleep while no byte comes, 0..RKD_WAIT_MAX_MS: 0 when there is work, 1
 * while flash is busy. */
uint32_t rkd_boot_wait_ms(const RkdBoot *boot);
/* RkdState as a gateway would be told. */
uint8_t rkd_boot_state(const RkdBoot *boot);
/* True once start_program or reset was called: nothing happens any more until rkd_boot_init(). */
bool rkd_boot_is_gone(const RkdBoot *boot);

/* --- program --- */

/* descriptor: optional, of this very program; it lives as long as the context. 0 or
 * RKD_E_PLATFORM. */
int rkd_program_init(
                RkdProgram *program, const RkdPlatform *platform, const RkdDescriptor *descriptor);
void rkd_program_receive(RkdProgram *program, const uint8_t *data, size_t n);
void rkd_program_poll(RkdProgram *program);
uint32_t rkd_program_wait_ms(const RkdProgram *program);
/* RKD_HEALTH_GOOD writes the healthy mark if one is due and stops the trial timer;
 * RKD_HEALTH_SICK is told to who asks. May be repeated. */
void rkd_program_report(RkdProgram *program, RkdHealth health);
/* Whether the gateway has confirmed this program. */
bool rkd_program_is_confirmed(const RkdProgram *program);
/* Back into the bootloader, which stays there for a while (as ENTER does). */
void rkd_program_leave(RkdProgram *program);
bool rkd_program_is_gone(const RkdProgram *program);
