/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The manager's inner parts: its ports and who is behind them, and what it takes up at start. */
#pragma once

#include "daemon/device.h"

int manager_open_ports(Manager *m);
void manager_close_ports(Manager *m);

/* consumes record */
int manager_add_device(Manager *m, const char *id, Record *record, Device **ret);
int manager_load_devices(Manager *m, Why *w);
int manager_resume_updates(Manager *m);
/* What each device's last update came to, from history: for the faces only. */
void manager_recall_results(Manager *m);
int manager_plan_window(Manager *m);
/* Asks the server now, or joins the refresh under way. */
void manager_refresh(Manager *m);
void manager_refresh_done(Manager *m);
/* Lets go of the folder that no update needs any more. */
void manager_tidy_folder(Manager *m);
/* Tidies the store, unless a download is under way. */
void manager_collect(Manager *m);
