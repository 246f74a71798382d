/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Validate: the rules, one function each, in one table in the order in which people want to hear of
 * them: who answers there, whether the release is meant for it, whether there is anything to do,
 * whether it may be done, whether it can be done and undone, and last whether it may be done now.
 * The first rule that objects decides.
 *
 * The waits come last and the window is the last of them: where the verdict is to wait for the
 * window, nothing else stands in the way, and the download may run already.
 *
 * The version that runs is what the device says; where that is no version, it is the one under
 * which the gateway knows the same digest (backup, previous, or a release of the repository). */
#include <assert.h>

#include "daemon/store.h"
#include "daemon/validate.h"
#include "driver/driver.h"

typedef struct Rule {
        Outcome (*func)(const ValidateInput *in, Why *w);
} Rule;

static const Rule rules[];

/* Refuses with a sentence. */
#define OBJECT(w, outcome, ...) ((void)why((w), -EPERM, __VA_ARGS__), (outcome))

static bool same_digest(const RecordImage *image, const Sha256 *digest) {
        return image->known && !sha256_is_zero(&image->digest) &&
               sha256_equal(&image->digest, digest);
}

/* NULL: nothing runs, or nobody knows its version. */
static const char *running_version(const Record *r) {
        if (!r->running.known)
                return NULL;
        if (version_is_valid(r->running.version))
                return r->running.version;
        if (same_digest(&r->backup, &r->running.digest) && version_is_valid(r->backup.version))
                return r->backup.version;
        if (same_digest(&r->previous, &r->running.digest) && version_is_valid(r->previous.version))
                return r->previous.version;
        return NULL;
}

static bool floor_is_strict(const Record *r, bool strict_floor) {
        return strict_floor || r->capabilities & DRIVER_ENFORCES_FLOOR;
}

static bool is_below_floor(const Record *r, const char *version) {
        return r->floor[0] && version_compare(version, r->floor) < 0;
}

/* A blank device without a past: what is wanted is its first program. */
static bool is_provision(const ValidateInput *in) {
        return in->blank && !in->record->backup.known && !in->record->previous.known;
}

static Outcome rule_identity(const ValidateInput *in, Why *w) {
        const Record *r = in->record;

        if (!r->identity_changed)
                return OUTCOME_DONE;
        if (record_is_claimed_twice(r))
                return OBJECT(w, OUTCOME_IDENTITY_CHANGED,
                                "two units say that they are model %s, serial %s; take the wrong "
                                "one away, then accept the other",
                                r->model, r->serial);
        return OBJECT(w, OUTCOME_IDENTITY_CHANGED,
                        "model %s, serial %s answers where model %s, serial %s is known; look at "
                        "the unit, then accept it",
                        *r->claimed_model ? r->claimed_model : "unknown",
                        *r->claimed_serial ? r->claimed_serial : "unknown",
                        *r->model ? r->model : "unknown", *r->serial ? r->serial : "unknown");
}

static Outcome rule_foreign_push(const ValidateInput *in, Why *w) {
        if (!in->record->foreign_push)
                return OUTCOME_DONE;
        return OBJECT(w, OUTCOME_FOREIGN_PUSH,
                        "the device holds an open push that this gateway did not begin; make sure "
                        "that no other one does, then accept it");
}

static Outcome rule_model(const ValidateInput *in, Why *w) {
        const char *model = in->record->model;

        if (!*model && !in->live)
                return OBJECT(w, OUTCOME_WAIT_DEVICE, "the device has not told its model yet");
        if (streq(model, in->release->model))
                return OUTCOME_DONE;
        return OBJECT(w, OUTCOME_WRONG_MODEL, "%s is for model %s, the device is %s",
                        in->release->version, in->release->model, *model ? model : "unknown");
}

static Outcome rule_hardware(const ValidateInput *in, Why *w) {
        const char *hardware = in->record->hardware;

        if (!in->release->hardware || (!*hardware && !in->live) ||
                        (*hardware && release_fits_hardware(in->release, hardware)))
                return OUTCOME_DONE;
        return OBJECT(w, OUTCOME_WRONG_HARDWARE, "%s is not for hardware revision %s; it fits %s%s",
                        in->release->version, *hardware ? hardware : "(not told)",
                        in->release->hardware[0], in->release->hardware[1] ? " and others" : "");
}

/* The link pushes one blob and the device checks the digest of that; the digest of a part table
 * is another, even where the parts lie end to end. So the device could only find fault with it
 * after the erase. */
static Outcome rule_parts(const ValidateInput *in, Why *w) {
        if (in->release->n_parts == 0)
                return OUTCOME_DONE;
        return OBJECT(w, OUTCOME_PARTS_UNSUPPORTED,
                        "%s has a table of %zu parts; programs of one part can be pushed",
                        in->release->version, in->release->n_parts);
}

static Outcome rule_already_running(const ValidateInput *in, Why *w) {
        const RecordImage *running = &in->record->running;
        const char *version = running_version(in->record);

        if (in->blank || !running->known)
                return OUTCOME_DONE;
        if (!sha256_is_zero(&running->digest)) {
                if (!sha256_equal(&running->digest, &in->release->image_digest))
                        return OUTCOME_DONE;
        } else if (!version || version_compare(version, in->release->version) != 0)
                return OUTCOME_DONE;
        return OBJECT(w, OUTCOME_ALREADY_RUNNING, "%s runs already", in->release->version);
}

static Outcome rule_channel(const ValidateInput *in, Why *w) {
        if (in->by_name || !in->channel || streq(in->release->channel, in->channel))
                return OUTCOME_DONE;
        return OBJECT(w, OUTCOME_OTHER_CHANNEL, "%s is of channel %s, the device follows %s",
                        in->release->version, in->release->channel, in->channel);
}

static Outcome rule_known_bad(const ValidateInput *in, Why *w) {
        const Record *r = in->record;

        for (size_t i = 0; i < r->n_bad; i++)
                if (sha256_equal(&r->bad[i].digest, &in->release->image_digest))
                        return OBJECT(w, OUTCOME_KNOWN_BAD, "%s has failed on this device: %s",
                                        in->release->version, r->bad[i].reason);
        return OUTCOME_DONE;
}

static Outcome rule_same_version(const ValidateInput *in, Why *w) {
        const char *version = in->blank ? NULL : running_version(in->record);

        if (!version || version_compare(version, in->release->version) != 0)
                return OUTCOME_DONE;
        return OBJECT(w, OUTCOME_SAME_VERSION_OTHER_DIGEST,
                        "%s runs, but it is another program than the %s that was released; a new "
                        "program needs a new version",
                        version, in->release->version);
}

static Outcome rule_floor(const ValidateInput *in, Why *w) {
        const Record *r = in->record;
        const Sha256 *digest = &in->release->image_digest;

        if (!is_below_floor(r, in->release->version))
                return OUTCOME_DONE;
        if (!floor_is_strict(r, in->strict_floor) &&
                        (same_digest(&r->backup, digest) || same_digest(&r->previous, digest)))
                return OUTCOME_DONE;
        return OBJECT(w, OUTCOME_BELOW_FLOOR, "%s is below the floor %s", in->release->version,
                        r->floor);
}

static Outcome rule_older(const ValidateInput *in, Why *w) {
        const char *version = in->blank ? NULL : running_version(in->record);

        if (in->by_name || !version || version_compare(in->release->version, version) > 0)
                return OUTCOME_DONE;
        return OBJECT(w, OUTCOME_OLDER, "%s is older than %s, which runs; ask for it by name",
                        in->release->version, version);
}

static Outcome rule_passed_over(const ValidateInput *in, Why *w) {
        const Record *r = in->record;
        const char *version = in->release->version;

        if (in->by_name || in->asked || r->stranded_since > 0 ||
                        !version_is_valid(r->passed_over) ||
                        version_compare(version, r->passed_over) > 0 || streq(r->approved, version))
                return OUTCOME_DONE;
        return OBJECT(w, OUTCOME_PASSED_OVER,
                        "%s is not installed by itself, %s; rekindlectl update %s ends that",
                        version, r->passed_over_by, r->id);
}

static Outcome rule_min_from(const ValidateInput *in, Why *w) {
        const char *version = running_version(in->record), *min = in->release->min_from;

        if (!min || in->blank || (version && version_compare(version, min) >= 0))
                return OUTCOME_DONE;
        return OBJECT(w, OUTCOME_BELOW_MIN_FROM, "%s can be installed from %s on, %s runs",
                        in->release->version, min, version ? version : "an unknown version");
}

/* A model that is not behind this gateway at all is as good as one that is too old: the release
 * says that it cannot do without. */
static Outcome rule_requires(const ValidateInput *in, Why *w) {
        for (size_t i = 0; i < in->release->n_requires; i++) {
                const ReleaseRequire *q = in->release->requires + i;
                const char *lowest = NULL;

                if (in->lowest_version_of)
                        lowest = in->lowest_version_of(q->model, in->userdata);
                if (lowest && version_is_valid(lowest) &&
                                version_compare(lowest, q->min_version) >= 0)
                        continue;
                return OBJECT(w, OUTCOME_REQUIRES_UNMET, "%s requires %s %s or later, here is %s",
                                in->release->version, q->model, q->min_version,
                                lowest ? lowest : "none");
        }
        return OUTCOME_DONE;
}

static Outcome rule_size(const ValidateInput *in, Why *w) {
        uint64_t space = in->record->program_space;

        if (space == 0 || in->release->image_length <= space)
                return OUTCOME_DONE;
        return OBJECT(w, OUTCOME_TOO_LARGE, "%s has %llu bytes, the device has room for %llu",
                        in->release->version, (unsigned long long)in->release->image_length,
                        (unsigned long long)space);
}

static Outcome rule_signature(const ValidateInput *in, Why *w) {
        if (!(in->record->capabilities & DRIVER_DEMANDS_SIGNED) ||
                        in->release->signature_length > 0)
                return OUTCOME_DONE;
        return OBJECT(w, OUTCOME_NOT_SIGNED_FOR_DEVICE,
                        "%s carries no device signature, and the device takes nothing without",
                        in->release->version);
}

static Outcome rule_prove(const ValidateInput *in, Why *w) {
        if (in->can_prove)
                return OUTCOME_DONE;
        return OBJECT(w, OUTCOME_CANNOT_PROVE,
                        "over %s nothing can be learnt of whether a program runs",
                        *in->record->protocol ? in->record->protocol : "this protocol");
}

static Outcome rule_provision(const ValidateInput *in, Why *w) {
        if (!is_provision(in))
                return OUTCOME_DONE;
        if (!in->has_model_section)
                return OBJECT(w, OUTCOME_PROVISION_DISABLED,
                                "the device is blank, and no [Device] section names its model");
        if (in->provision == PROVISION_NO)
                return OBJECT(w, OUTCOME_PROVISION_DISABLED,
                                "the device is blank, and Provision=no");
        return OUTCOME_DONE;
}

/* Nothing is erased without a way back, but for where there is nothing to go back to. */
static Outcome rule_backup(const ValidateInput *in, Why *w) {
        const Record *r = in->record;

        if (in->blank || in->backup_ok || (r->stranded_since > 0 && !r->running.known))
                return OUTCOME_DONE;
        if (!r->backup.known)
                return OBJECT(w, OUTCOME_NO_BACKUP,
                                "no backup of the program that runs is held; adopt it first");
        if (r->running.known && !same_digest(&r->backup, &r->running.digest))
                return OBJECT(w, OUTCOME_NO_BACKUP,
                                "the backup is %s, but another program runs; adopt that first",
                                r->backup.version);
        return OBJECT(w, OUTCOME_NO_BACKUP,
                        "the backup %s is missing from the store or does not pass its digest",
                        r->backup.version);
}

static Outcome rule_space(const ValidateInput *in, Why *w) {
        bool have = in->has_image && in->has_image(&in->release->image_digest, in->userdata);
        uint64_t need = have ? 0 : store_bytes_needed(in->release);

        if (in->free_bytes >= in->reserve_bytes && in->free_bytes - in->reserve_bytes >= need)
                return OUTCOME_DONE;
        return OBJECT(w, OUTCOME_NO_SPACE,
                        "%s needs %llu bytes in the state folder beside %llu kept in reserve, "
                        "%llu are free",
                        in->release->version, (unsigned long long)need,
                        (unsigned long long)in->reserve_bytes, (unsigned long long)in->free_bytes);
}

static Outcome rule_wait_hold(const ValidateInput *in, Why *w) {
        if (!in->record->hold)
                return OUTCOME_DONE;
        return OBJECT(w, OUTCOME_WAIT_HOLD, "%s waits until the device is no longer held",
                        in->release->version);
}

static Outcome rule_wait_inhibit(const ValidateInput *in, Why *w) {
        if (!in->inhibited)
                return OUTCOME_DONE;
        return OBJECT(w, OUTCOME_WAIT_INHIBIT, "%s waits until no program inhibits updates",
                        in->release->version);
}

static Outcome rule_wait_clock(const ValidateInput *in, Why *w) {
        if (in->clock_ok)
                return OUTCOME_DONE;
        return OBJECT(w, OUTCOME_WAIT_CLOCK,
                        "%s waits for a clock by which the freshness of the metadata can be judged",
                        in->release->version);
}

static Outcome rule_wait_device(const ValidateInput *in, Why *w) {
        if (in->device_present)
                return OUTCOME_DONE;
        return OBJECT(w, OUTCOME_WAIT_DEVICE, "%s waits until the device answers",
                        in->release->version);
}

static Outcome rule_wait_approval(const ValidateInput *in, Why *w) {
        bool provision = is_provision(in);
        bool ask = provision ? in->provision == PROVISION_ASK : in->ask;

        if (!ask || in->by_name || streq(in->record->approved, in->release->version))
                return OUTCOME_DONE;
        return OBJECT(w, OUTCOME_WAIT_APPROVAL, "%s%s waits for approval", in->release->version,
                        provision ? ", the first program of this device," : "");
}

static Outcome rule_wait_window(const ValidateInput *in, Why *w) {
        if (in->window_open)
                return OUTCOME_DONE;
        return OBJECT(w, OUTCOME_WAIT_WINDOW, "%s waits for the service window",
                        in->release->version);
}

void validate(const ValidateInput *in, Verdict *ret) {
        const char *version;

        assert(in->release && in->record);
        *ret = (Verdict){ .outcome = OUTCOME_DONE, .provision = is_provision(in) };
        for (const Rule *rule = rules; rule->func; rule++) {
                ret->outcome = rule->func(in, &ret->why);
                if (ret->outcome == OUTCOME_DONE)
                        continue;
                ret->may_download = ret->outcome == OUTCOME_WAIT_WINDOW;
                return;
        }
        version = in->blank ? NULL : running_version(in->record);
        (void)why(&ret->why, 0, "%s can be installed%s%s", in->release->version,
                        version ? " over " : "", version ? version : "");
}

Outcome validate_restore(
                const Record *record, const RecordImage *image, bool strict_floor, Why *w) {
        if (!image->known)
                return OBJECT(w, OUTCOME_NO_BACKUP, "no such program is held for this device");
        if (record_is_bad(record, &image->digest))
                return OBJECT(w, OUTCOME_KNOWN_BAD, "%s has failed on this device", image->version);
        if (floor_is_strict(record, strict_floor) && version_is_valid(image->version) &&
                        is_below_floor(record, image->version))
                return OBJECT(w, OUTCOME_BELOW_FLOOR, "%s is below the floor %s, which is strict",
                                image->version, record->floor);
        return OUTCOME_DONE;
}

/* Whether a refusal says that the release was never meant for this device. */
static bool is_for_others(Outcome o) {
        return o == OUTCOME_WRONG_MODEL || o == OUTCOME_WRONG_HARDWARE ||
               o == OUTCOME_OTHER_CHANNEL;
}

/* The highest release below the bound (NULL: none), ties in order of the list. Returns n when
 * there is none. */
static size_t next_lower(Release *const *releases, size_t n, const bool *seen) {
        size_t best = n;

        for (size_t i = 0; i < n; i++)
                if (!seen[i] && (best == n || version_compare(releases[i]->version,
                                                              releases[best]->version) > 0))
                        best = i;
        return best;
}

/* What runs under a version that only the repository knows by digest. */
static void name_running(Record *record, Release *const *releases, size_t n) {
        if (!record->running.known || running_version(record))
                return;
        for (size_t i = 0; i < n; i++)
                if (same_digest(&record->running, &releases[i]->image_digest)) {
                        (void)snprintf(record->running.version, sizeof(record->running.version),
                                        "%s", releases[i]->version);
                        return;
                }
}

static void tell_none(const ValidateInput *in, const Verdict *highest, Verdict *ret) {
        if (highest) {
                *ret = *highest;
                /* Nobody asked for that one: nothing newer is there. */
                if (highest->outcome == OUTCOME_OLDER)
                        ret->outcome = OUTCOME_NO_RELEASE;
                return;
        }
        *ret = (Verdict){ .outcome = OUTCOME_NO_RELEASE };
        (void)why(&ret->why, 0, "no release for model %s%s%s in channel %s",
                        *in->record->model ? in->record->model : "unknown",
                        *in->record->hardware ? ", hardware " : "", in->record->hardware,
                        in->channel ? in->channel : "any");
}

int validate_select(const ValidateInput *in, Release *const *releases, size_t n, size_t *ret_index,
                Verdict *ret_verdict) {
        _cleanup_free_ bool *seen = new0(bool, n + 1);
        Record record = *in->record;
        ValidateInput each = *in;
        Verdict highest, verdict;
        bool have_highest = false;
        const char *towards = NULL;
        size_t i;

        if (!seen)
                return -ENOMEM;
        name_running(&record, releases, n);
        each.record = &record;
        while ((i = next_lower(releases, n, seen)) < n) {
                OutcomeClass class;

                seen[i] = true;
                each.release = releases[i];
                validate(&each, &verdict);
                class = outcome_info(verdict.outcome)->class;
                if (class == OUTCOME_CLASS_SUCCESS || class == OUTCOME_CLASS_WAIT) {
                        if (towards)
                                (void)why_prefix(&verdict.why, 0, "on the way to %s", towards);
                        *ret_index = i;
                        *ret_verdict = verdict;
                        return 0;
                }
                if (verdict.outcome == OUTCOME_BELOW_MIN_FROM && !towards)
                        towards = releases[i]->version;
                if (!have_highest && !is_for_others(verdict.outcome)) {
                        highest = verdict;
                        have_highest = true;
                }
        }
        tell_none(in, have_highest ? &highest : NULL, ret_verdict);
        return -ENOENT;
}

const Release *validate_highest(const ValidateInput *in, Release *const *releases, size_t n) {
        const Release *highest = NULL;
        ValidateInput each = *in;
        Verdict verdict;

        each.by_name = false;
        for (size_t i = 0; i < n; i++) {
                each.release = releases[i];
                validate(&each, &verdict);
                if (is_for_others(verdict.outcome))
                        continue;
                if (!highest || version_compare(releases[i]->version, highest->version) > 0)
                        highest = releases[i];
        }
        return highest;
}

static const Rule rules[] = {
        { rule_identity },
        { rule_foreign_push },
        { rule_model },
        { rule_hardware },
        { rule_parts },
        { rule_already_running },
        { rule_channel },
        { rule_known_bad },
        { rule_same_version },
        { rule_floor },
        { rule_older },
        { rule_passed_over },
        { rule_min_from },
        { rule_requires },
        { rule_size },
        { rule_signature },
        { rule_prove },
        { rule_provision },
        { rule_backup },
        { rule_space },
        { rule_wait_hold },
        { rule_wait_inhibit },
        { rule_wait_clock },
        { rule_wait_device },
        { rule_wait_approval },
        { rule_wait_window },
        { NULL },
};
