/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Outcome: every way in which a request, a validation or an update can end or wait, in one
 * table: stable code, sentence for people, D-Bus error name, exit code of rekindlectl, DDI
 * execution/finished words. Add a row, and every face knows it. */
#pragma once

#include "basic/cleanup.h"

typedef enum OutcomeClass {
        OUTCOME_CLASS_SUCCESS,
        OUTCOME_CLASS_NOTHING, /* nothing to do */
        /* goes on by itself or after a person's word; never into history as a failure */
        OUTCOME_CLASS_WAIT,
        OUTCOME_CLASS_REFUSAL, /* validation or request refused; nothing was touched */
        OUTCOME_CLASS_FAILURE, /* tried and failed; the way back was taken where needed */
        _OUTCOME_CLASS_MAX,
} OutcomeClass;

typedef enum Outcome {
        OUTCOME_DONE,
        OUTCOME_RESTORED_BY_REQUEST,
        /* nothing to do */
        OUTCOME_ALREADY_RUNNING,
        OUTCOME_NO_RELEASE,  /* no release for this model and channel */
        OUTCOME_PASSED_OVER, /* not wanted by a person, or not taken by the device */
        /* waits (validation) */
        OUTCOME_WAIT_DEVICE,
        OUTCOME_WAIT_APPROVAL,
        OUTCOME_WAIT_WINDOW,
        OUTCOME_WAIT_PAUSE, /* the same was tried, or enough for today */
        OUTCOME_WAIT_HOLD,
        OUTCOME_WAIT_INHIBIT,
        OUTCOME_WAIT_CLOCK,
        OUTCOME_WAIT_SERVER, /* download broken; goes on when the server answers again */
        /* refusals of validation (design section 6) */
        OUTCOME_WRONG_MODEL,
        OUTCOME_WRONG_HARDWARE,
        OUTCOME_TOO_LARGE,
        OUTCOME_OLDER,
        OUTCOME_BELOW_FLOOR,
        OUTCOME_SAME_VERSION_OTHER_DIGEST,
        OUTCOME_BELOW_MIN_FROM,
        OUTCOME_REQUIRES_UNMET,
        OUTCOME_KNOWN_BAD,
        OUTCOME_NO_BACKUP,
        OUTCOME_NO_SPACE,
        /* the device demands a device signature, the release has none */
        OUTCOME_NOT_SIGNED_FOR_DEVICE,
        OUTCOME_CANNOT_PROVE, /* this driver cannot tell whether a program runs */
        OUTCOME_PROVISION_DISABLED,
        OUTCOME_OTHER_CHANNEL,
        OUTCOME_FOREIGN_PUSH,
        OUTCOME_IDENTITY_CHANGED,
        OUTCOME_PARTS_UNSUPPORTED,
        /* refusals of requests */
        OUTCOME_UNKNOWN_DEVICE,
        OUTCOME_UNKNOWN_VERSION,
        OUTCOME_UNKNOWN_PORT,
        OUTCOME_BUSY,        /* an update is under way */
        OUTCOME_TOO_LATE,    /* cancel after the first erase */
        OUTCOME_NOT_RUNNING, /* nothing to cancel, approve, accept, ... */
        OUTCOME_INVALID_ARGUMENT,
        OUTCOME_ACCESS_DENIED,
        OUTCOME_PORT_HELD,
        OUTCOME_PORT_FAILED, /* it cannot be opened: the path is missing, no right to it, … */
        OUTCOME_CANNOT_READ_BACK,
        OUTCOME_NOT_HEALTHY, /* adopt wants a healthy program */
        OUTCOME_DIGEST_MISMATCH,
        /* failures */
        OUTCOME_METADATA_INVALID,
        OUTCOME_METADATA_SIGNATURE,
        OUTCOME_METADATA_VERSION,
        OUTCOME_METADATA_EXPIRED,
        OUTCOME_METADATA_MISSING,
        OUTCOME_SERVER_UNREACHABLE,
        OUTCOME_FOLDER_UNREADABLE, /* one that was handed over in the server's place */
        OUTCOME_IMAGE_INVALID,     /* downloaded file or image does not match what was signed */
        OUTCOME_DEVICE_UNREACHABLE,
        OUTCOME_DEVICE_REFUSED,
        OUTCOME_PUSH_FAILED_FLASH,
        OUTCOME_RESTORED, /* the candidate failed its trial, the backup runs again */
        OUTCOME_RESTORED_PREVIOUS,
        OUTCOME_STRANDED,
        OUTCOME_PROVISION_FAILED,
        OUTCOME_CANCELED,
        OUTCOME_STORE_FAILED, /* disk error */
        OUTCOME_INTERNAL,
        _OUTCOME_MAX,
} Outcome;

typedef struct OutcomeInfo {
        const char *code; /* "below-floor": stable, shown with --json, in history and reports */
        OutcomeClass class;
        const char *text;      /* sentence without the particulars */
        const char *bus_error; /* "org.rekindle.Rekindle1.Error.BelowFloor" */
        int exit_status;       /* of rekindlectl: design section 10 */
        const char *ddi;       /* "success", "failure", "none" */
} OutcomeInfo;

const OutcomeInfo *outcome_info(Outcome o);
int outcome_from_code(const char *code, Outcome *ret); /* -EINVAL */
const char *outcome_class_to_string(OutcomeClass c);
