/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/update-read.h"

struct UpdateRead {
        Update *update;
        UpdateReadFunc func;
        StoreReader *reader;
        sd_event_source *source;
};

static int on_slice(sd_event_source *source, void *userdata) {
        UpdateRead *read = userdata;
        Update *u = read->update;
        UpdateReadFunc func = read->func;
        Why w = {};
        int r;

        r = store_reader_step(read->reader, &w);
        if (r > 0)
                return 0;
        if (r == 0)
                store_reader_take(read->reader, &u->image, &u->image_length, &u->image_release);
        u->reading = update_read_free(read);
        func(u, r, w.text);
        return 0;
}

void update_read_image(Update *u, const Sha256 *digest, UpdateReadFunc func) {
        UpdateRead *read = new0(UpdateRead, 1);
        Why w = {};
        int r;

        r = read ? store_reader_new(u->manager->store, digest, &read->reader, &w) : why_oom(&w);
        if (r < 0) {
                free(read);
                func(u, r, w.text);
                return;
        }
        read->update = u;
        read->func = func;
        u->reading = update_read_free(u->reading);
        u->reading = read;
        r = sd_event_add_defer(u->manager->event, &read->source, on_slice, read);
        if (r >= 0)
                r = sd_event_source_set_enabled(read->source, SD_EVENT_ON);
        if (r < 0)
                manager_fatal(u->manager, r, "an image could not be read");
}

UpdateRead *update_read_free(UpdateRead *read) {
        if (!read)
                return NULL;
        read->source = sd_event_source_disable_unref(read->source);
        store_reader_free(read->reader);
        free(read);
        return NULL;
}
