/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Outcome: the table, and two look-ups in it. */
#include <assert.h>

#include "daemon/outcome.h"

#define ERROR_PREFIX "org.rekindle.Rekindle1.Error."

#define ROW(value, code_, class_, exit_, ddi_, error_, text_)                                      \
        [value] = { .code = (code_),                                                               \
                .class = (class_),                                                                 \
                .text = (text_),                                                                   \
                .bus_error = ERROR_PREFIX error_,                                                  \
                .exit_status = (exit_),                                                            \
                .ddi = (ddi_) }

static const OutcomeInfo outcomes[_OUTCOME_MAX];
static const char *const classes[_OUTCOME_CLASS_MAX];

const OutcomeInfo *outcome_info(Outcome o) {
        assert((unsigned)o < _OUTCOME_MAX);
        return outcomes + o;
}

int outcome_from_code(const char *code, Outcome *ret) {
        for (size_t i = 0; i < _OUTCOME_MAX; i++)
                if (streq(outcomes[i].code, code)) {
                        *ret = (Outcome)i;
                        return 0;
                }
        return -EINVAL;
}

const char *outcome_class_to_string(OutcomeClass c) {
        assert((unsigned)c < _OUTCOME_CLASS_MAX);
        return classes[c];
}

static const char *const classes[_OUTCOME_CLASS_MAX] = {
        [OUTCOME_CLASS_SUCCESS] = "success",
        [OUTCOME_CLASS_NOTHING] = "nothing-to-do",
        [OUTCOME_CLASS_WAIT] = "wait",
        [OUTCOME_CLASS_REFUSAL] = "refusal",
        [OUTCOME_CLASS_FAILURE] = "failure",
};

static const OutcomeInfo outcomes[_OUTCOME_MAX] = {
        ROW(OUTCOME_DONE, "done", OUTCOME_CLASS_SUCCESS, 0, "success", "Done",
                        "the program runs and is confirmed"),
        ROW(OUTCOME_RESTORED_BY_REQUEST, "restored-by-request", OUTCOME_CLASS_SUCCESS, 0, "success",
                        "RestoredByRequest",
                        "the program that was held back was put back as asked"),
        ROW(OUTCOME_ALREADY_RUNNING, "already-running", OUTCOME_CLASS_NOTHING, 3, "success",
                        "AlreadyRunning", "the device runs this program already"),
        ROW(OUTCOME_NO_RELEASE, "no-release", OUTCOME_CLASS_NOTHING, 3, "none", "NoRelease",
                        "there is no newer release for this device in its channel"),
        ROW(OUTCOME_PASSED_OVER, "passed-over", OUTCOME_CLASS_NOTHING, 3, "none", "PassedOver",
                        "this release was passed over; it is not installed by itself"),
        ROW(OUTCOME_WAIT_DEVICE, "wait-device", OUTCOME_CLASS_WAIT, 7, "none", "WaitDevice",
                        "waiting for the device to answer"),
        ROW(OUTCOME_WAIT_APPROVAL, "wait-approval", OUTCOME_CLASS_WAIT, 5, "none", "WaitApproval",
                        "waiting for a person to approve this version"),
        ROW(OUTCOME_WAIT_WINDOW, "wait-window", OUTCOME_CLASS_WAIT, 5, "none", "WaitWindow",
                        "waiting for the service window"),
        ROW(OUTCOME_WAIT_PAUSE, "wait-pause", OUTCOME_CLASS_WAIT, 5, "none", "WaitPause",
                        "waiting before it is tried again"),
        ROW(OUTCOME_WAIT_HOLD, "wait-hold", OUTCOME_CLASS_WAIT, 5, "none", "WaitHold",
                        "a person holds this device"),
        ROW(OUTCOME_WAIT_INHIBIT, "wait-inhibit", OUTCOME_CLASS_WAIT, 5, "none", "WaitInhibit",
                        "a program inhibits updates"),
        ROW(OUTCOME_WAIT_CLOCK, "wait-clock", OUTCOME_CLASS_WAIT, 5, "none", "WaitClock",
                        "waiting for a clock that can be trusted"),
        ROW(OUTCOME_WAIT_SERVER, "wait-server", OUTCOME_CLASS_WAIT, 1, "none", "WaitServer",
                        "waiting for the server to answer again"),
        ROW(OUTCOME_WRONG_MODEL, "wrong-model", OUTCOME_CLASS_REFUSAL, 5, "failure", "WrongModel",
                        "the release is for another model"),
        ROW(OUTCOME_WRONG_HARDWARE, "wrong-hardware", OUTCOME_CLASS_REFUSAL, 5, "failure",
                        "WrongHardware", "the release is for another hardware revision"),
        ROW(OUTCOME_TOO_LARGE, "too-large", OUTCOME_CLASS_REFUSAL, 5, "failure", "TooLarge",
                        "the program is larger than the space that the device has for it"),
        ROW(OUTCOME_OLDER, "older", OUTCOME_CLASS_REFUSAL, 5, "failure", "Older",
                        "the release is older than what runs"),
        ROW(OUTCOME_BELOW_FLOOR, "below-floor", OUTCOME_CLASS_REFUSAL, 5, "failure", "BelowFloor",
                        "the release is below the floor of this device"),
        ROW(OUTCOME_SAME_VERSION_OTHER_DIGEST, "same-version-other-digest", OUTCOME_CLASS_REFUSAL,
                        5, "failure", "SameVersionOtherDigest",
                        "another program of the same version runs"),
        ROW(OUTCOME_BELOW_MIN_FROM, "below-min-from", OUTCOME_CLASS_REFUSAL, 5, "failure",
                        "BelowMinFrom", "what runs is too old for a direct step to this release"),
        ROW(OUTCOME_REQUIRES_UNMET, "requires-unmet", OUTCOME_CLASS_REFUSAL, 5, "failure",
                        "RequiresUnmet", "another device is not as new as this release requires"),
        ROW(OUTCOME_KNOWN_BAD, "known-bad", OUTCOME_CLASS_REFUSAL, 5, "failure", "KnownBad",
                        "this program has failed on this device before"),
        ROW(OUTCOME_NO_BACKUP, "no-backup", OUTCOME_CLASS_REFUSAL, 5, "failure", "NoBackup",
                        "there is no way back: what runs is not held as a backup"),
        ROW(OUTCOME_NO_SPACE, "no-space", OUTCOME_CLASS_REFUSAL, 5, "failure", "NoSpace",
                        "there is not enough room on the gateway"),
        ROW(OUTCOME_NOT_SIGNED_FOR_DEVICE, "not-signed-for-device", OUTCOME_CLASS_REFUSAL, 5,
                        "failure", "NotSignedForDevice",
                        "the device demands a signature that the release does not carry"),
        ROW(OUTCOME_CANNOT_PROVE, "cannot-prove", OUTCOME_CLASS_REFUSAL, 5, "failure",
                        "CannotProve", "nothing could show that the new program runs"),
        ROW(OUTCOME_PROVISION_DISABLED, "provision-disabled", OUTCOME_CLASS_REFUSAL, 5, "failure",
                        "ProvisionDisabled",
                        "the device is blank and may not be given its first program"),
        ROW(OUTCOME_OTHER_CHANNEL, "other-channel", OUTCOME_CLASS_REFUSAL, 5, "failure",
                        "OtherChannel", "the release belongs to another channel"),
        ROW(OUTCOME_FOREIGN_PUSH, "foreign-push", OUTCOME_CLASS_REFUSAL, 5, "failure",
                        "ForeignPush", "a push of another gateway is open on the device"),
        ROW(OUTCOME_IDENTITY_CHANGED, "identity-changed", OUTCOME_CLASS_REFUSAL, 5, "failure",
                        "IdentityChanged", "another unit answers than the one that is known"),
        ROW(OUTCOME_PARTS_UNSUPPORTED, "parts-unsupported", OUTCOME_CLASS_REFUSAL, 5, "failure",
                        "PartsUnsupported",
                        "the program has parts that cannot be pushed to this device"),
        ROW(OUTCOME_UNKNOWN_DEVICE, "unknown-device", OUTCOME_CLASS_REFUSAL, 4, "failure",
                        "UnknownDevice", "there is no such device"),
        ROW(OUTCOME_UNKNOWN_VERSION, "unknown-version", OUTCOME_CLASS_REFUSAL, 4, "failure",
                        "UnknownVersion", "there is no release of this version"),
        ROW(OUTCOME_UNKNOWN_PORT, "unknown-port", OUTCOME_CLASS_REFUSAL, 4, "failure",
                        "UnknownPort", "there is no such port"),
        ROW(OUTCOME_BUSY, "busy", OUTCOME_CLASS_REFUSAL, 5, "failure", "Busy",
                        "an update of this device is under way"),
        ROW(OUTCOME_TOO_LATE, "too-late", OUTCOME_CLASS_REFUSAL, 5, "failure", "TooLate",
                        "too late: the push has begun and is finished to its end"),
        ROW(OUTCOME_NOT_RUNNING, "not-running", OUTCOME_CLASS_REFUSAL, 3, "failure", "NotRunning",
                        "there is nothing under way that this could act upon"),
        ROW(OUTCOME_INVALID_ARGUMENT, "invalid-argument", OUTCOME_CLASS_REFUSAL, 2, "failure",
                        "InvalidArgument", "the request makes no sense"),
        ROW(OUTCOME_ACCESS_DENIED, "access-denied", OUTCOME_CLASS_REFUSAL, 5, "failure",
                        "AccessDenied", "the caller may not do this"),
        ROW(OUTCOME_PORT_HELD, "port-held", OUTCOME_CLASS_REFUSAL, 5, "failure", "PortHeld",
                        "another program holds the serial line"),
        ROW(OUTCOME_PORT_FAILED, "port-failed", OUTCOME_CLASS_REFUSAL, 5, "failure", "PortFailed",
                        "the serial line cannot be opened"),
        ROW(OUTCOME_CANNOT_READ_BACK, "cannot-read-back", OUTCOME_CLASS_REFUSAL, 5, "failure",
                        "CannotReadBack", "the running program cannot be read out of this device"),
        ROW(OUTCOME_NOT_HEALTHY, "not-healthy", OUTCOME_CLASS_REFUSAL, 5, "failure", "NotHealthy",
                        "the running program does not answer healthy"),
        ROW(OUTCOME_DIGEST_MISMATCH, "digest-mismatch", OUTCOME_CLASS_REFUSAL, 5, "failure",
                        "DigestMismatch", "these bytes are not the program that runs"),
        ROW(OUTCOME_METADATA_INVALID, "metadata-invalid", OUTCOME_CLASS_FAILURE, 1, "failure",
                        "MetadataInvalid", "the signed metadata is malformed"),
        ROW(OUTCOME_METADATA_SIGNATURE, "metadata-signature", OUTCOME_CLASS_FAILURE, 1, "failure",
                        "MetadataSignature",
                        "the metadata is not signed by enough of the trusted keys"),
        ROW(OUTCOME_METADATA_VERSION, "metadata-version", OUTCOME_CLASS_FAILURE, 1, "failure",
                        "MetadataVersion",
                        "the metadata is older than, or other than, what was seen or announced"),
        ROW(OUTCOME_METADATA_EXPIRED, "metadata-expired", OUTCOME_CLASS_FAILURE, 1, "failure",
                        "MetadataExpired", "the metadata has expired"),
        ROW(OUTCOME_METADATA_MISSING, "metadata-missing", OUTCOME_CLASS_FAILURE, 1, "failure",
                        "MetadataMissing", "the server lacks metadata that has to be there"),
        ROW(OUTCOME_SERVER_UNREACHABLE, "server-unreachable", OUTCOME_CLASS_FAILURE, 1, "failure",
                        "ServerUnreachable", "the server does not answer"),
        ROW(OUTCOME_FOLDER_UNREADABLE, "folder-unreadable", OUTCOME_CLASS_FAILURE, 1, "failure",
                        "FolderUnreadable", "the folder cannot be read"),
        ROW(OUTCOME_IMAGE_INVALID, "image-invalid", OUTCOME_CLASS_FAILURE, 1, "failure",
                        "ImageInvalid", "the file that was served is not what was signed"),
        ROW(OUTCOME_DEVICE_UNREACHABLE, "device-unreachable", OUTCOME_CLASS_FAILURE, 7, "failure",
                        "DeviceUnreachable", "the device does not answer"),
        ROW(OUTCOME_DEVICE_REFUSED, "device-refused", OUTCOME_CLASS_FAILURE, 1, "failure",
                        "DeviceRefused", "the device refused the program"),
        ROW(OUTCOME_PUSH_FAILED_FLASH, "push-failed-flash", OUTCOME_CLASS_FAILURE, 1, "failure",
                        "PushFailedFlash", "the flash of the device did not take the program"),
        ROW(OUTCOME_RESTORED, "restored", OUTCOME_CLASS_FAILURE, 6, "failure", "Restored",
                        "the new program failed its trial and the backup runs again"),
        ROW(OUTCOME_RESTORED_PREVIOUS, "restored-previous", OUTCOME_CLASS_FAILURE, 6, "failure",
                        "RestoredPrevious",
                        "the new program and the backup failed and the previous program runs again"),
        ROW(OUTCOME_STRANDED, "stranded", OUTCOME_CLASS_FAILURE, 1, "failure", "Stranded",
                        "neither the backup nor the previous program runs; the gateway keeps trying"),
        ROW(OUTCOME_PROVISION_FAILED, "provision-failed", OUTCOME_CLASS_FAILURE, 1, "failure",
                        "ProvisionFailed",
                        "no release that fits the blank device passed its trial"),
        ROW(OUTCOME_CANCELED, "canceled", OUTCOME_CLASS_FAILURE, 1, "failure", "Canceled",
                        "the update was canceled before anything was erased"),
        ROW(OUTCOME_STORE_FAILED, "store-failed", OUTCOME_CLASS_FAILURE, 1, "failure",
                        "StoreFailed", "the disk of the gateway failed"),
        ROW(OUTCOME_INTERNAL, "internal", OUTCOME_CLASS_FAILURE, 1, "failure", "Internal",
                        "an error inside the gateway"),
};
