/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Encoder of the patch stream (codec 1, rekindle-patch(7)): turns what a device's flash holds
 * into the wanted image, in place, out of copies of what is there and as few other bits as it
 * can. Pure and deterministic; may take a second and some MiB, so it runs in a child process. */
#pragma once

#include "image/plan.h"

/* Whether the device that in describes can take patches. */
bool plan_patch_is_possible(const PlanInput *in);

/* Units of which nothing is known are never copied from. */
int plan_patch(const PlanInput *in, PlanOutput *ret, Why *w);
