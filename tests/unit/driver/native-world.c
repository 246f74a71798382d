/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "native-world.h"

NativeWorld *world_new(const VirtualConfig *config) {
        NativeWorld *w = new0(NativeWorld, 1);

        if (!w || driver_new("native", &w->driver) < 0)
                abort();
        w->device = virtual_device_new(config);
        virtual_line_init(&w->line, w->driver, w->device);
        w->request = (DriverRequest){
                .address = config->address,
                .baud = 115200,
                .half_duplex = !(config->capabilities & RKD_CAN_FULL_DUPLEX),
                .trial_seconds = 30,
                .image = w->image,
                .header = w->header,
                .push_id = 1,
        };
        world_set_image(w, 20000, 1, "1.0.0");
        return w;
}

NativeWorld *world_free(NativeWorld *w) {
        driver_free(w->driver);
        virtual_line_done(&w->line);
        free(w->device);
        free(w);
        return NULL;
}

void world_set_image(NativeWorld *w, size_t n, uint32_t seed, const char *version) {
        RkdHeader header = {
                .length = (uint32_t)n, .model = rkd_text("virtual"), .version = rkd_text(version)
        };
        Sha256 digest;

        for (size_t i = 0; i < n; i++) {
                seed = seed * UINT32_C(1664525) + UINT32_C(1013904223);
                w->image[i] = (uint8_t)(seed >> 24);
        }
        if (sha256_of(w->image, n, &digest) < 0)
                abort();
        memcpy(header.sha256, digest.bytes, sizeof(header.sha256));
        w->request.image_length = n;
        w->request.header_length = rkd_header_encode(&header, w->header, sizeof(w->header));
}

const DriverResult *world_run(NativeWorld *w, DriverOp op) {
        w->request.op = op;
        return virtual_line_run(&w->line, &w->request, WORLD_LIMIT);
}

const DriverResult *world_push(NativeWorld *w, uint64_t push_id) {
        w->request.push_id = push_id;
        return world_run(w, DRIVER_PUSH);
}

bool world_flash_is_image(const NativeWorld *w) {
        return memcmp(w->device->flash, w->image, w->request.image_length) == 0;
}

static void must(const DriverResult *r) {
        if (!r || r->code != DRIVER_OK) {
                (void)fprintf(stderr, "setting up: %s\n", r ? r->why.text : "no end");
                abort();
        }
}

void world_install(NativeWorld *w, uint64_t push_id) {
        must(world_push(w, push_id));
        must(world_run(w, DRIVER_START));
        virtual_line_idle(&w->line, USEC_PER_SEC);
        must(world_run(w, DRIVER_CONFIRM));
        virtual_line_idle(&w->line, USEC_PER_SEC);
}
