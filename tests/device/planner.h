/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The plans of the tests' gateway. A loop over power cuts asks for the same ones again and again:
 * what was planned once is kept.
 */

#include "image/plan.h"

/* The same as plan_make() for an input with sums; NULL when it fails. Until the next call, and
 * never freed by the caller. */
const PlanOutput *planner_plan(const PlanInput *in);
/* Streams that were planned, not found again. */
unsigned planner_count(void);
