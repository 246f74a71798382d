/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Models: those that a person named with --model, or all when there is none. */
#pragma once

#include "basic/cleanup.h"

#define MODELS_MAX 64

typedef struct Models {
        const char *names[MODELS_MAX];
        size_t n;
        bool is_found[MODELS_MAX];
} Models;

/* A value of --model. 0, or EXIT_USAGE after saying what would be right. */
int option_model(Models *m, const char *value);

/* Whether a target, "MODEL/…", is of a wanted model, which is found then. */
bool models_want(Models *m, const char *target);

/* The first model that no target was of; NULL: none. */
const char *models_missing(const Models *m);
