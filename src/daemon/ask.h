/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ask: one driver operation on behalf of an update, and what all stages do alike with its
 * result. */
#pragma once

#include "daemon/device.h"

typedef void (*AskFunc)(Update *u, const DriverResult *result);

/* Queues the operation; func gets the result unless the update leaves its state before.
 * Submitting cannot fail towards the caller: trouble parks the update. */
void update_ask(Update *u, DriverOp op, AskFunc func);

/* START of whatever can run: of a device with two slots also the program that it ran before. */
void update_ask_start_any(Update *u, AskFunc func);

/* The same with the image of the present role, which u->image holds. ours: the push that the
 * device has open may be replaced. */
void update_ask_push(Update *u, bool ours, AskFunc func);

/* Rate and time left of the phase whose bytes u->progress counts. */
void update_begin_rate(Update *u);
void update_set_rate(Update *u);

/* True when the line or the unit, not the program, is to blame; then the update waits for its
 * device and comes back to the state it is in. */
bool update_parked(Update *u, const DriverResult *result);

/* The push that the device speaks of is this update's, or one of ours before it. */
bool update_is_ours(const Update *u, const DriverIdentity *id);
/* The device is in the hands of somebody else's push (design section 7). */
bool update_is_foreign(const Update *u, const DriverIdentity *id);
/* Says so, and waits until a person accepts. */
void update_wait_foreign(Update *u, const DriverIdentity *id);
