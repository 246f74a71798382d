/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Models: see the header. */
#include "repo/models.h"
#include "repo/verbs.h"

int option_model(Models *m, const char *value) {
        int r = option_name("--model", value);

        if (r != 0)
                return r;
        if (m->n == MODELS_MAX)
                return wrong_usage("--model can be given %d times", MODELS_MAX);
        m->names[m->n++] = value;
        return 0;
}

bool models_want(Models *m, const char *target) {
        for (size_t i = 0; i < m->n; i++)
                if (startswith(target, m->names[i]) && target[strlen(m->names[i])] == '/')
                        return m->is_found[i] = true;
        return m->n == 0;
}

const char *models_missing(const Models *m) {
        for (size_t i = 0; i < m->n; i++)
                if (!m->is_found[i])
                        return m->names[i];
        return NULL;
}
