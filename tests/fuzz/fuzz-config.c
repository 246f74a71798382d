/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz target of the configuration: what is taken is within its bounds and hangs together; a
 * refusal names the file. */
#include <assert.h>

#include "daemon/config-table.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void on_warning(const char *text, void *userdata) {
        assert(startswith(text, "FILE:") && strstr(text, "it is ignored"));
}

static void check(const Config *c) {
        assert(c->metadata_url && c->targets_url && c->channel);
        assert(c->trial_min_usec <= c->trial_default_usec);
        assert(c->trial_default_usec <= c->trial_max_usec);
        assert(c->window_from < 24 * 60 && c->window_to < 24 * 60);
        for (size_t i = 0; i < c->n_ports; i++) {
                assert(c->ports[i].path && !c->ports[i].owner);
                assert(c->ports[i].baud >= 1200 && c->ports[i].baud <= 4000000);
                assert(c->ports[i].push_baud <= 4000000);
                assert(config_find_port(c, c->ports[i].name) == c->ports + i);
        }
        for (size_t i = 0; i < c->n_devices; i++) {
                const ConfigDevice *d = c->devices + i;

                assert(config_find_port(c, d->port) && d->address <= 254);
                assert(config_match_device(c, d->port, (unsigned)d->address, d->serial) == d);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
        const ConfigText text = { "FILE", (const char *)bytes, n };
        Config *c = NULL;
        Why w = { "" };
        int r = config_parse(&text, on_warning, NULL, &c, &w);

        assert(r == 0 || r == -EINVAL);
        assert((r == 0) == (c != NULL));
        if (r == 0)
                check(c);
        else
                assert(startswith(w.text, "FILE:"));
        config_free(c);
        return 0;
}
