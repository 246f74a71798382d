/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The properties of a device on the bus, in one list: name, D-Bus type, getter, whether changes
 * are signalled. bus-property.c makes its rows of it, bus-device.c the interface. */
#pragma once

#define BUS_DEVICE_PROPERTIES(X)                                                                   \
        X("Id", "s", id, CONST)                                                                    \
        X("Model", "s", model, CHANGES)                                                            \
        X("Hardware", "s", hardware, CHANGES)                                                      \
        X("Serial", "s", serial, CHANGES)                                                          \
        X("BootloaderVersion", "s", bootloader_version, CHANGES)                                   \
        X("Port", "s", port, CHANGES)                                                              \
        X("Address", "u", address, CHANGES)                                                        \
        X("Protocol", "s", protocol, CHANGES)                                                      \
        X("ProgramSpace", "t", program_space, CHANGES)                                             \
        X("Present", "b", present, CHANGES)                                                        \
        X("LastSeen", "t", last_seen, QUIET)                                                       \
        X("State", "s", state, CHANGES)                                                            \
        X("StateText", "s", state_text, CHANGES)                                                   \
        X("DeviceState", "s", device_state, CHANGES)                                               \
        X("Health", "s", health, CHANGES)                                                          \
        X("Unhealthy", "b", unhealthy, CHANGES)                                                    \
        X("Stranded", "b", stranded, CHANGES)                                                      \
        X("RunningVersion", "s", running_version, CHANGES)                                         \
        X("RunningDigest", "s", running_digest, CHANGES)                                           \
        X("RunningState", "s", running_state, CHANGES)                                             \
        X("BackupVersion", "s", backup_version, CHANGES)                                           \
        X("BackupDigest", "s", backup_digest, CHANGES)                                             \
        X("BackupVerified", "b", backup_verified, CHANGES)                                         \
        X("PreviousVersion", "s", previous_version, CHANGES)                                       \
        X("PreviousDigest", "s", previous_digest, CHANGES)                                         \
        X("Floor", "s", floor, CHANGES)                                                            \
        X("Bad", "a(ssst)", bad, CHANGES)                                                          \
        X("Hold", "b", hold, CHANGES)                                                              \
        X("Approved", "s", approved, CHANGES)                                                      \
        X("PassedOver", "s", passed_over, CHANGES)                                                 \
        X("IdentityChanged", "b", identity_changed, CHANGES)                                       \
        X("ClaimedModel", "s", claimed_model, CHANGES)                                             \
        X("ClaimedSerial", "s", claimed_serial, CHANGES)                                           \
        X("ForeignPush", "b", foreign_push, CHANGES)                                               \
        X("Kind", "s", kind, CHANGES)                                                              \
        X("Candidate", "s", candidate, CHANGES)                                                    \
        X("Pushing", "s", pushing, CHANGES)                                                        \
        X("Waiting", "s", waiting, CHANGES)                                                        \
        X("Phase", "s", phase, CHANGES)                                                            \
        X("Progress", "u", progress, CHANGES)                                                      \
        X("PhaseDone", "t", phase_done, CHANGES)                                                   \
        X("PhaseTotal", "t", phase_total, CHANGES)                                                 \
        X("Rate", "t", rate, CHANGES)                                                              \
        X("TimeLeft", "t", time_left, CHANGES)                                                     \
        X("Outcome", "s", outcome, CHANGES)                                                        \
        X("OutcomeText", "s", outcome_text, CHANGES)                                               \
        X("OutcomeTime", "t", outcome_time, CHANGES)                                               \
        X("Verdict", "s", verdict, CHANGES)                                                        \
        X("VerdictText", "s", verdict_text, CHANGES)
