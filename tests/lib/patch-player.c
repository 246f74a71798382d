/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PatchPlayer: see the header. */
#include "patch-player.h"

#define ROUNDS_MAX 100000000ul /* a decoder that hangs is a failure, not a wait */

static int flash_read(void *user, uint32_t address, void *out, size_t n) {
        PatchPlayer *p = user;
        uint32_t at = address - p->platform.program_base;

        if (at >= p->platform.program_space || n > p->platform.program_space - at) {
                p->out_of_bounds = true;
                return -1;
        }
        memcpy(out, p->flash + at, n);
        return 0;
}

int patch_player_init(PatchPlayer *p, const PlanInput *in, uint8_t *flash, uint32_t ring_bytes) {
        uint32_t page_bytes = in->codec_profile & RKD_PATCH_ERASES_FIRST ? in->unit_size / 2
                                                                         : in->unit_size;

        *p = (PatchPlayer){ .flash = flash };
        p->page = malloc(page_bytes);
        p->ring = malloc(ring_bytes);
        p->platform = (RkdPlatform){
                .user = p,
                .instruction_set = in->instruction_set,
                .unit_size = in->unit_size,
                .program_base = in->program_base,
                .program_space = in->program_space,
                .ram_base = in->ram_base,
                .ram_size = in->ram_size,
                .page = p->page,
                .page_bytes = page_bytes,
                .ring = p->ring,
                .ring_bytes = ring_bytes,
                .patch = &p->patch,
                .patch_profile = in->codec_profile & (uint8_t)~RKD_PATCH_ERASES_FIRST,
                .flash_read = flash_read,
        };
        if (!p->page || !p->ring)
                return -ENOMEM;
        return rkd_patch_fits(&p->platform) ? 0 : -EINVAL;
}

void patch_player_done(PatchPlayer *p) {
        free(p->page);
        free(p->ring);
}

static uint8_t *flash_at(PatchPlayer *p, uint32_t at, uint32_t n) {
        if (at < p->platform.program_space && n <= p->platform.program_space - at)
                return p->flash + at;
        p->out_of_bounds = true;
        return NULL;
}

static void erase(PatchPlayer *p, uint32_t at) {
        uint8_t *bytes = flash_at(p, at, p->platform.unit_size);

        p->erases++;
        if (bytes)
                memset(bytes, 0xff, p->platform.unit_size);
}

static void write_piece(PatchPlayer *p, uint32_t at, uint32_t n) {
        uint8_t *bytes = flash_at(p, at, n);

        for (uint32_t i = 0; bytes && i < n; i++)
                bytes[i] &= p->page[i];
        memset(p->page, 0xee, p->platform.page_bytes); /* nobody may count on it any more */
}

typedef struct Feed {
        PatchPlayer *player;
        const uint8_t *stream;
        uint32_t n, at, piece;
        uint32_t ring_in, ring_out, ring_have;
        unsigned long rounds;
} Feed;

/* What the decoder wanted more for; MORE when there is no more. */
static RkdPatchEvent feed(Feed *f, RkdPatchEvent event) {
        PatchPlayer *p = f->player;
        uint32_t left = rkd_patch_left(&p->patch);

        if (++f->rounds > ROUNDS_MAX)
                return RKD_PATCH_FAULT;
        f->ring_out = (f->ring_out + f->ring_have - left) % p->platform.ring_bytes;
        f->ring_have = left;
        if (event == RKD_PATCH_MORE) {
                if (f->at == f->n || left == p->platform.ring_bytes)
                        return RKD_PATCH_MORE;
                for (uint32_t i = 0; i < f->piece && f->at < f->n &&
                                     f->ring_have < p->platform.ring_bytes;
                                i++) {
                        p->ring[f->ring_in] = f->stream[f->at++];
                        f->ring_in = (f->ring_in + 1) % p->platform.ring_bytes;
                        f->ring_have++;
                }
                event = RKD_PATCH_GOING;
        }
        rkd_patch_offer(&p->patch, f->ring_out, f->ring_have);
        return event;
}

static RkdPatchEvent fill(Feed *f, uint32_t n) {
        RkdPatchEvent event;

        do
                event = feed(f, rkd_patch_fill(&f->player->patch, n));
        while (event == RKD_PATCH_GOING);
        return event;
}

static RkdPatchEvent play_unit(Feed *f) {
        PatchPlayer *p = f->player;
        uint32_t end, start = rkd_patch_unit(&p->patch, &end), n = end - start, at = 0;
        bool erases_first = p->platform.page_bytes < p->platform.unit_size;
        RkdPatchEvent event;

        if (n - 1 >= p->platform.unit_size)
                p->out_of_bounds = true;
        if (erases_first)
                erase(p, start);
        while (at < n) {
                uint32_t piece = MIN(n - at, p->platform.page_bytes);

                event = fill(f, piece);
                if (event != RKD_PATCH_DONE)
                        return event;
                if (!erases_first)
                        erase(p, start);
                rkd_patch_written(&p->patch);
                write_piece(p, start + at, piece);
                at += piece;
        }
        return RKD_PATCH_GOING;
}

RkdPatchEvent patch_player_run(PatchPlayer *p, const uint8_t *stream, uint32_t n,
                uint32_t image_length, uint32_t piece) {
        Feed f = { .player = p, .stream = stream, .n = n, .piece = piece };
        RkdPatchEvent event = RKD_PATCH_GOING;

        rkd_patch_begin(&p->patch, &p->platform, image_length, n);
        while (event == RKD_PATCH_GOING) {
                event = feed(&f, rkd_patch_next(&p->patch));
                if (event != RKD_PATCH_DONE)
                        continue;
                event = play_unit(&f);
                if (p->stop_after > 0 && p->erases >= p->stop_after)
                        return RKD_PATCH_MORE;
        }
        return event;
}
