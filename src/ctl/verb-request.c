/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cancel, hold, unhold, accept, approve, clear-bad: one call each, and what it led to. */
#include "ctl/ctl.h"

int verb_cancel(Ctl *c, int argc, char *argv[]) {
        int r = ctl_call_device(c, argv[0], "Cancel", NULL, "a{sv}", 0);

        return r != 0 ? r : ctl_said(c, "device", argv[0], "the update is canceled");
}

int verb_hold(Ctl *c, int argc, char *argv[]) {
        int r = ctl_call_device(c, argv[0], "SetHold", NULL, "ba{sv}", 1, 0);

        return r != 0 ? r : ctl_said(c, "device", argv[0], "on hold until rekindlectl unhold");
}

int verb_unhold(Ctl *c, int argc, char *argv[]) {
        int r = ctl_call_device(c, argv[0], "SetHold", NULL, "ba{sv}", 0, 0);

        return r != 0 ? r : ctl_said(c, "device", argv[0], "no longer on hold");
}

int verb_accept(Ctl *c, int argc, char *argv[]) {
        int r = ctl_call_device(c, argv[0], "Accept", NULL, "a{sv}", 0);

        return r != 0 ? r : ctl_said(c, "device", argv[0], "accepted");
}

int verb_approve(Ctl *c, int argc, char *argv[]) {
        const char *at = strchr(argv[0], '@');
        _cleanup_free_ char *device =
                        strndup(argv[0], at ? (size_t)(at - argv[0]) : strlen(argv[0]));
        Why w;
        int r;

        if (!device)
                return ctl_errno(-ENOMEM, "approve");
        if (at && !at[1])
                return ctl_usage("there is no version after the @ of \"%s\"", argv[0]);
        r = ctl_call_device(c, device, "Approve", NULL, "sa{sv}", at ? at + 1 : "", 0);
        if (r != 0)
                return r;
        if (!at)
                return ctl_said(c, "device", device, "the release that waits is approved");
        (void)why(&w, 0, "%s is approved", at + 1);
        return ctl_said(c, "device", device, w.text);
}

int verb_clear_bad(Ctl *c, int argc, char *argv[]) {
        int r = ctl_call_device(c, argv[0], "ClearBad", NULL, "sa{sv}", argc > 1 ? argv[1] : "", 0);

        return r != 0 ? r : ctl_said(c, "device", argv[0], "forgotten; it may be tried again");
}
