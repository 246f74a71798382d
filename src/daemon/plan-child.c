/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One child per plan. Its stream is mapped read-only here; the child is the only writer and is
 * gone by then. */
#include "daemon/plan-child.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "image/plan.h"

#define HELD_MAX 8 /* images that a half-written device may hold units of */

/* Header of the memfd: the codec, then the stream. */
#define PLAN_HEADER_BYTES 16

typedef struct PlanJob PlanJob;

typedef struct PlanChild {
        sd_event *event;
        Store *store;
        PlanJob *jobs;
} PlanChild;

struct PlanJob {
        PlanChild *owner;
        void (*done)(void *cookie, uint8_t codec, const void *stream, size_t n);
        void *cookie;
        pid_t pid;
        int fd;
        sd_event_source *source;
        void *map;
        size_t map_length;
        PlanJob *next;
};

static void job_free(PlanJob *job) {
        if (job->source) {
                /* Still at work: nobody waits for its answer any more. */
                (void)kill(job->pid, SIGKILL);
                (void)waitpid(job->pid, NULL, 0);
                sd_event_source_disable_unref(job->source);
        }
        if (job->map)
                (void)munmap(job->map, job->map_length);
        close_fd(job->fd);
        free(job);
}

static int write_plan(int fd, const PlanOutput *out) {
        uint8_t header[PLAN_HEADER_BYTES] = { out->codec };

        if (pwrite(fd, header, sizeof(header), 0) != (ssize_t)sizeof(header))
                return -EIO;
        for (size_t at = 0; at < out->length;) {
                ssize_t n = pwrite(fd, out->stream + at, out->length - at,
                                (off_t)(PLAN_HEADER_BYTES + at));

                if (n <= 0)
                        return -EIO;
                at += (size_t)n;
        }
        return 0;
}

static const StoreEntry *find_entry(const StoreEntry *entries, size_t n, const PlanInput *in) {
        Sha256 digest;

        if (sha256_of(in->wanted, in->wanted_length, &digest) < 0)
                return NULL;
        for (size_t i = 0; i < n; i++)
                if (sha256_equal(&entries[i].digest, &digest))
                        return entries + i;
        return NULL;
}

/* The images of the wanted one's model, latest used first: what checksums can be of. */
static size_t map_held(Store *store, const PlanInput *in, PlanImage held[HELD_MAX]) {
        const StoreEntry *wanted;
        StoreEntry *entries;
        size_t n_entries, n = 0;

        if (!store || store_list(store, &entries, &n_entries) < 0)
                return 0;
        wanted = find_entry(entries, n_entries, in);
        for (size_t i = 0; wanted && i < n_entries && n < HELD_MAX; i++)
                if (entries + i != wanted && streq_ptr(entries[i].model, wanted->model) &&
                                store_map(store, &entries[i].digest, &held[n].bytes,
                                                &held[n].length, NULL, NULL) >= 0)
                        n++;
        store_entries_free(entries, n_entries);
        return n;
}

/* Also what was there before is read by the child: it is checked as a whole each time. present
 * NULL: nobody knows. */
static void run_child(PlanJob *job, PlanInput *in, const Sha256 *present) {
        PlanImage held[HELD_MAX];
        PlanOutput out = {};
        Why w;

        /* Not in the store: then nothing is known, and everything is sent. */
        if (present)
                (void)store_map(job->owner->store, present, &in->present, &in->present_length, NULL,
                                NULL);
        in->held = held;
        in->n_held = in->sums ? map_held(job->owner->store, in, held) : 0;

        (void)prctl(PR_SET_NAME, "rekindle-plan");
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (plan_make(in, &out, &w) < 0 || write_plan(job->fd, &out) < 0)
                _exit(1);
        _exit(0);
}

static int map_stream(PlanJob *job, const uint8_t **ret, size_t *ret_n) {
        off_t size = lseek(job->fd, 0, SEEK_END);

        if (size < PLAN_HEADER_BYTES)
                return -EIO;
        job->map_length = (size_t)size;
        job->map = mmap(NULL, job->map_length, PROT_READ, MAP_PRIVATE, job->fd, 0);
        if (job->map == MAP_FAILED) {
                job->map = NULL;
                return -ENOMEM;
        }
        *ret = (const uint8_t *)job->map + PLAN_HEADER_BYTES;
        *ret_n = job->map_length - PLAN_HEADER_BYTES;
        return 0;
}

static int on_child(sd_event_source *source, const siginfo_t *si, void *userdata) {
        PlanJob *job = userdata;
        const uint8_t *stream = NULL;
        size_t n = 0;

        job->source = sd_event_source_disable_unref(job->source);
        if (si->si_code != CLD_EXITED || si->si_status != 0 || map_stream(job, &stream, &n) < 0)
                stream = NULL;
        job->done(job->cookie, stream ? *(const uint8_t *)job->map : 0, stream, n);
        return 0;
}

static int fork_job(PlanJob *job, PlanInput *in, const Sha256 *present) {
        sigset_t block, old;
        int r;

        /* sd_event_add_child() wants SIGCHLD blocked; no signal handler of ours may run in the
         * child. */
        (void)sigfillset(&block);
        (void)sigprocmask(SIG_BLOCK, &block, &old);
        job->pid = fork();
        if (job->pid == 0)
                run_child(job, in, present);
        (void)sigprocmask(SIG_SETMASK, &old, NULL);
        if (job->pid < 0)
                return -errno;
        r = sd_event_add_child(job->owner->event, &job->source, job->pid, WEXITED, on_child, job);
        if (r < 0) {
                (void)kill(job->pid, SIGKILL);
                (void)waitpid(job->pid, NULL, 0);
        }
        return r;
}

static int plan_start(void *userdata, const DriverPlanRequest *request, const uint8_t *image,
                size_t image_length,
                void (*done)(void *cookie, uint8_t codec, const void *stream, size_t n),
                void *cookie) {
        PlanChild *p = userdata;
        PlanInput in = {
                .wanted = image,
                .wanted_length = image_length,
                .sums = request->sums,
                .n_sums = request->n_sums,
                .unit_size = request->unit_size,
                .trust_nothing = request->trust_nothing,
                .codecs = request->codecs,
                .codec_profile = request->codec_profile,
                .instruction_set = request->instruction_set,
                .program_base = request->program_base,
                .program_space = request->program_space,
                .ram_base = request->ram_base,
                .ram_size = request->ram_size,
        };
        PlanJob *job;
        int r;

        job = new0(PlanJob, 1);
        if (!job)
                return -ENOMEM;
        *job = (PlanJob){ .owner = p, .done = done, .cookie = cookie };
        job->fd = memfd_create("rekindle-plan", MFD_CLOEXEC);
        if (job->fd < 0) {
                r = -errno;
                free(job);
                return r;
        }
        r = fork_job(job, &in, request->present_is_known ? &request->present : NULL);
        if (r < 0) {
                job_free(job);
                return r;
        }
        job->next = p->jobs;
        p->jobs = job;
        return 0;
}

static void plan_release(void *userdata, void *cookie) {
        PlanChild *p = userdata;

        for (PlanJob **at = &p->jobs; *at; at = &(*at)->next)
                if ((*at)->cookie == cookie) {
                        PlanJob *job = *at;

                        *at = job->next;
                        job_free(job);
                        return;
                }
}

int plan_child_init(sd_event *event, Store *store, Planner *ret) {
        PlanChild *p = new0(PlanChild, 1);

        if (!p)
                return -ENOMEM;
        p->event = event;
        p->store = store;
        *ret = (Planner){ plan_start, plan_release, p };
        return 0;
}

void plan_child_done(Planner *planner) {
        PlanChild *p = planner->userdata;

        while (p && p->jobs) {
                PlanJob *job = p->jobs;

                p->jobs = job->next;
                job_free(job);
        }
        free(p);
        planner->userdata = NULL;
}
