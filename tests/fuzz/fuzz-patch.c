/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Patch streams that nobody planned, over the flash of every kind of device: whatever comes, the
 * decoder ends, and stays within the program space and its buffers.
 *
 * Byte 0 is the device: bits 0-1 instruction set, 2 full profile, 3 erases first, 4-5 unit of 64
 * to 512 bytes, 6-7 how few bytes of the stream come at a time. Bytes 1 and 2 are the length of the
 * image; bit 7 of byte 2 makes Thumb one with MOVW. The rest is the stream, made to look as if
 * it were for this device.
 */

#include <stdlib.h>
#include <string.h>

#include "patch-player.h"
#include "synthetic.h"

#define SPACE 4096u
#define RING  64u
#define HEAD  3u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* What the device holds: a program for its machine, erased flash behind it. */
static const uint8_t *old_flash(uint8_t isa) {
        static uint8_t flash[RKD_ISA_THUMB2 + 1][SPACE];
        static bool made[RKD_ISA_THUMB2 + 1];
        SyntheticSpec spec = { .isa = isa, .ram_base = 0x20000000, .seed = 1, .functions = 12 };
        uint8_t *image;
        size_t n_image;

        if (made[isa])
                return flash[isa];
        if (synthetic_image(&spec, &image, &n_image) < 0)
                abort();
        memset(flash[isa], 0xff, SPACE);
        memcpy(flash[isa], image, MIN(n_image, SPACE));
        free(image);
        made[isa] = true;
        return flash[isa];
}

static PlanInput device_of(uint8_t byte) {
        return (PlanInput){
                .instruction_set = byte & 3,
                .codec_profile = (uint8_t)((byte & 4 ? RKD_PATCH_FULL : RKD_PATCH_COMPACT) |
                                           (byte & 8 ? RKD_PATCH_ERASES_FIRST : 0)),
                .unit_size = 64u << (byte >> 4 & 3),
                .program_space = SPACE,
                .ram_base = 0x20000000,
                .ram_size = 0x8000,
        };
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
        uint8_t *flash, *stream;
        PatchPlayer player;
        uint32_t length;
        PlanInput in;

        if (n <= HEAD)
                return 0;
        in = device_of(bytes[0]);
        if (in.instruction_set == RKD_ISA_THUMB && bytes[2] & 0x80)
                in.instruction_set = RKD_ISA_THUMB2;
        length = (bytes[1] | (uint32_t)bytes[2] << 8) % SPACE + 1;
        flash = malloc(SPACE);
        stream = malloc(n - HEAD);
        if (!flash || !stream || patch_player_init(&player, &in, flash, RING) < 0)
                abort();
        memcpy(flash, old_flash(in.instruction_set), SPACE);
        memcpy(stream, bytes + HEAD, n - HEAD);
        stream[0] = RKD_PATCH_FORMAT(in.codec_profile, in.instruction_set);
        (void)patch_player_run(
                        &player, stream, (uint32_t)(n - HEAD), length, 1 + (bytes[0] >> 6) * 21);
        if (player.out_of_bounds || player.erases > SPACE / in.unit_size)
                abort();
        patch_player_done(&player);
        free(stream);
        free(flash);
        return 0;
}
