/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Update: one attempt to bring one device to one program, from offer to report. The table of
 * states is in update.c; each state's work is in the file of its name. A state is entered by
 * update_enter() only: journal on disk, then signal and log, then start. */
#pragma once

#include "daemon/journal.h"
#include "daemon/manager.h"
#include "daemon/record.h"

typedef struct Update Update;
typedef struct Download Download;

typedef enum UpdateKind {
        UPDATE_UPGRADE, /* to a release; a blank device is provisioned */
        UPDATE_RESTORE, /* by request, or because the device needs its way back */
        UPDATE_ADOPT,   /* the running program becomes the backup */
        _UPDATE_KIND_MAX,
} UpdateKind;

typedef enum UpdateState {
        UPDATE_DOWNLOADING,
        UPDATE_READING,    /* reads the running program back */
        UPDATE_VALIDATING, /* on the live identity */
        UPDATE_PUSHING,
        UPDATE_TRIAL,
        UPDATE_CONFIRMING,
        UPDATE_ADOPTING,
        UPDATE_RESTORING, /* chooses what to push back */
        UPDATE_STRANDED,
        UPDATE_WAITING,
        UPDATE_REPORTING,
        _UPDATE_STATE_MAX,
} UpdateState;

/* Which image a push is about. */
typedef enum UpdateRole {
        ROLE_CANDIDATE,
        ROLE_BACKUP,
        ROLE_PREVIOUS,
        _ROLE_MAX,
} UpdateRole;

struct Update {
        Device *device;
        Manager *manager;
        /* journalled */
        uint64_t id; /* random: tells its result from every other */
        UpdateKind kind;
        UpdateState state, resume; /* resume: where WAITING goes on */
        UpdateRole role;
        Release *candidate;    /* NULL for a restore */
        RecordImage kept;      /* what is put back: backup or previous as it was when chosen */
        bool backup_bad;       /* the device has shown that the backup does not run */
        uint64_t push_id;      /* of the push under way; 0: none yet */
        uint64_t last_push_id; /* of the push before it in this update; 0: none */
        bool touched;          /* this update may have erased something: too late to cancel */
        bool by_name, provision, by_request;
        char instead_of[VERSION_MAX + 1]; /* by_name: newer and not wanted; "": nothing */
        unsigned tries[_ROLE_MAX];
        unsigned trial_seconds;  /* as the release of the pushed image says; 0: it says nothing */
        unsigned trial_restarts; /* of this push, weighed */
        unsigned stalls;         /* pushes in a row that made no progress */
        Outcome outcome;         /* decided so far: what REPORTING reports */
        char text[WHY_MAX];
        Outcome wait; /* WAITING: for what */
        char wait_text[WHY_MAX];
        uint64_t stranded_tries;
        int64_t started;

        /* of this run */
        Journal *journal;
        bool resumed;            /* in the state in which a former run ended */
        bool in_vain, sent_back; /* the candidate was not taken; START of what ran before asked */
        bool entering;           /* the journal entry of `state` is being written */
        bool have_next;          /* another state was asked for meanwhile */
        UpdateState next;
        Exchange *exchange;
        Download *download;
        sd_event_source *timer;
        struct UpdateRead *reading; /* an image is being checked */
        const uint8_t *image;
        size_t image_length;
        Release *image_release;
        uint32_t units_right; /* the most of the image that a push which was cut found in flash */
        unsigned writes;      /* of its result, under way */
        bool storing;         /* the store has a callback of ours */
        int folder_fd;        /* where a person says that the candidate's file is; -1: nowhere */
        Why folder_text;      /* why the last folder did not give it; empty: none was asked */
        ManagerPort *wanted;  /* the line that is kept open for it; NULL: none */
        unsigned pauses;      /* waits in a row, for growing pauses */
        uint64_t not_before_usec; /* WAITING, STRANDED: an answer does not count earlier */
        void (*ask_func)(Update *u, const DriverResult *result);

        /* trial */
        uint64_t trial_start_usec, trial_end_usec, trial_limit_usec;
        unsigned trial_boots, trial_first_boots, silent;
        bool trial_seen, trial_watched; /* healthy in this trial; in any trial of this push */

        /* for the faces */
        DriverProgress progress;
        uint64_t phase_start_usec, phase_start_bytes, rate_bytes;
        unsigned permille; /* of the whole push; 1000 only after confirm */
        uint64_t left_seconds;
        uint64_t line_bytes;
};

int update_new(Device *d, UpdateKind kind, UpdateState first, const Release *candidate,
                Update **ret);
/* From the last entry of a journal; -EBADMSG with the sentence. */
int update_from_journal(Device *d, const json_t *entry, Update **ret, Why *w);
Update *update_free(Update *u);
DEFINE_TRIVIAL_CLEANUP_FUNC(Update *, update_free);

/* Enters its first state, or goes on after a restart in the state it was in. */
void update_start(Update *u);
void update_resume(Update *u);

/* The one way into a state. */
void update_enter(Update *u, UpdateState state);
/* The table's next state on success and failure. */
void update_success(Update *u);
void update_failure(Update *u, Outcome outcome, const char *format, ...) _printf_(3, 4);
/* Waits for something; comes back to `resume`. */
void update_wait(Update *u, UpdateState resume, Outcome wait, const char *format, ...)
                _printf_(4, 5);
/* The reason of the wait may be gone: tries again now. */
void update_wake(Update *u);
/* Nothing can have been erased by it yet, whatever was cut in between. */
bool update_is_untouched(const Update *u);
/* Ends an untouched one as canceled, with the reason; or because its publisher took it back. */
void update_drop(Update *u, const char *format, ...) _printf_(2, 3);
void update_drop_withdrawn(Update *u);
/* After REPORTING: closes the journal, frees the update, looks at the device again. */
void update_finish(Update *u);

/* Chooses the id of the next push; `id`: what the device holds until then. */
void update_new_push(Update *u, const DriverIdentity *id);
/* The image of the present role: what its record or candidate says. */
const Sha256 *update_digest(const Update *u);
const char *update_version(const Update *u);
/* An on-demand line is wanted for it from now on, or given back. */
void update_want_port(Update *u);
void update_give_port(Update *u);
/* Restarts the state's one timer. */
int update_set_timer(Update *u, uint64_t usec, sd_event_time_handler_t handler);

const char *update_state_to_string(UpdateState s);
const char *update_kind_to_string(UpdateKind k);
const char *update_role_to_string(UpdateRole r);
