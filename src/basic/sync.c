/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sync: a forked child that makes writes durable, and the queue in front of it.
 *
 * A job is `waiting` in the parent until fewer than JOBS_SENT_MAX are `sent`; the child answers
 * in the order in which it received, so an answer always belongs to the first job that is sent.
 * The end of the stream from the child is its death: nobody else holds its end of the pair.
 * After that, as after an answer that makes no sense, the Sync is broken: the open jobs end with
 * -EIO and new ones are refused. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "file.h"
#include "sync.h"

#define JOBS_SENT_MAX 32
#define JOBS_OPEN_MAX 4096 /* 512 devices that all come to an end at once */
#define CHILD_SOCKET  3

typedef enum SyncKind {
        SYNC_FILE,
        SYNC_REPLACE,
        SYNC_UNLINK,
} SyncKind;

typedef struct Request {
        uint64_t id;
        uint32_t kind;
        char from[NAME_MAX + 1];
        char to[NAME_MAX + 1];
} Request;

typedef struct Answer {
        uint64_t id;
        int32_t error;
        uint32_t reserved;
} Answer;

struct SyncJob {
        TAILQ_ENTRY(SyncJob) link;
        Request request;
        int fds[2]; /* what the request is about: file and folder, as far as its kind has them */
        size_t n_fds;
        SyncFunc func; /* NULL: forgotten */
        void *userdata;
};

typedef TAILQ_HEAD(JobList, SyncJob) JobList;

struct Sync {
        sd_event_source *source;
        Reserve *reserve;
        int fd;
        pid_t pid;
        bool broken;
        uint64_t last_id;
        size_t n_sent, n_waiting;
        JobList sent, waiting;
};

static int send_with_fds(int fd, const Request *request, const int *fds, size_t n_fds) {
        union {
                char bytes[CMSG_SPACE(2 * sizeof(int))];
                struct cmsghdr align;
        } control = { 0 };
        struct iovec iov = { .iov_base = (void *)request, .iov_len = sizeof(*request) };
        struct msghdr m = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = control.bytes,
                .msg_controllen = CMSG_SPACE(n_fds * sizeof(int)),
        };
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);

        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
        return sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* The child's side: a request and the descriptors that came with it. 1, 0 at the end of the
 * stream, or -errno. */
static int receive_with_fds(int fd, Request *ret, int ret_fds[static 2]) {
        union {
                char bytes[CMSG_SPACE(2 * sizeof(int))];
                struct cmsghdr align;
        } control;
        struct iovec iov = { .iov_base = ret, .iov_len = sizeof(*ret) };
        struct msghdr m = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = control.bytes,
                .msg_controllen = sizeof(control.bytes),
        };
        ssize_t n;

        do
                n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n <= 0)
                return n < 0 ? -errno : 0;
        if ((size_t)n != sizeof(*ret) || m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
                return -EPROTO;
        ret_fds[0] = ret_fds[1] = -1;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
                if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
                        memcpy(ret_fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
        return 1;
}

static int child_replace(const Request *q, int fd, int dirfd) {
        if (fsync(fd) < 0 || renameat(dirfd, q->from, dirfd, q->to) < 0 || fsync(dirfd) < 0)
                return -errno;
        return 0;
}

static int child_unlink(const Request *q, int dirfd) {
        if (unlinkat(dirfd, q->from, 0) < 0 && errno != ENOENT)
                return -errno;
        return fsync(dirfd) < 0 ? -errno : 0;
}

static int child_work(const Request *q, const int fds[static 2]) {
        switch (q->kind) {
        case SYNC_FILE:
                return fsync(fds[0]) < 0 ? -errno : 0;
        case SYNC_REPLACE:
                return child_replace(q, fds[0], fds[1]);
        case SYNC_UNLINK:
                return child_unlink(q, fds[0]);
        default:
                return -EPROTO;
        }
}

/* Until the parent closes. After a failed job nothing more is done: what comes later may build
 * on it. */
static int child_loop(int fd) {
        bool failed = false;
        Request request;
        int fds[2], r;

        while ((r = receive_with_fds(fd, &request, fds)) > 0) {
                Answer answer = { .id = request.id };

                answer.error = failed ? -EIO : child_work(&request, fds);
                failed = answer.error < 0;
                for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                        (void)close_fd(fds[i]);
                if (send(fd, &answer, sizeof(answer), MSG_NOSIGNAL) < 0)
                        return -errno;
        }
        return r;
}

/* Lets go of everything that was inherited but the socket, which gets the number CHILD_SOCKET. */
static int child_keep_only(int fd) {
        int null;

        fd = fcntl(fd, F_DUPFD, CHILD_SOCKET);
        if (fd < 0 || (fd != CHILD_SOCKET && dup2(fd, CHILD_SOCKET) < 0) ||
                        close_range(CHILD_SOCKET + 1, UINT_MAX, 0) < 0)
                return -errno;
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null < 0)
                return -errno;
        for (int i = 0; i < CHILD_SOCKET; i++)
                if (dup2(null, i) < 0)
                        return -errno;
        return null >= CHILD_SOCKET ? close_fd(null) + 1 : 0;
}

/* No handler of the parent's may run here. Requests to stop go to the whole group or service:
 * they are the parent's to answer, and it still needs this child to do so. */
static void child_signals(void) {
        sigset_t none;

        for (int i = 1; i < _NSIG; i++)
                (void)signal(i, SIG_DFL);
        (void)signal(SIGHUP, SIG_IGN);
        (void)signal(SIGINT, SIG_IGN);
        (void)signal(SIGQUIT, SIG_IGN);
        (void)signal(SIGTERM, SIG_IGN);
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void child_main(int fd, pid_t parent) {
        child_signals();
        (void)prctl(PR_SET_NAME, "rekindle-sync");
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || child_keep_only(fd) < 0)
                _exit(EXIT_FAILURE);
        _exit(child_loop(CHILD_SOCKET) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

static void job_close_fds(SyncJob *job) {
        for (size_t i = 0; i < job->n_fds; i++)
                job->fds[i] = close_fd(job->fds[i]);
}

static SyncJob *job_free(SyncJob *job) {
        if (!job)
                return NULL;
        job_close_fds(job);
        free(job);
        return NULL;
}
DEFINE_TRIVIAL_CLEANUP_FUNC(SyncJob *, job_free);

/* Ends a job that was taken off its list. */
static void job_end(SyncJob *job, int error) {
        SyncFunc func = job->func;
        void *userdata = job->userdata;

        (void)job_free(job);
        if (func)
                func(error, userdata);
}

/* No more comes from the child; on_answer sees the end of the stream and ends the jobs from the
 * loop. */
static void sync_break(Sync *sync) {
        sync->broken = true;
        (void)shutdown(sync->fd, SHUT_RDWR);
}

static void sync_send_waiting(Sync *sync) {
        SyncJob *job;

        while (!sync->broken && sync->n_sent < JOBS_SENT_MAX &&
                        (job = TAILQ_FIRST(&sync->waiting))) {
                int r = send_with_fds(sync->fd, &job->request, job->fds, job->n_fds);

                /* The socket is full: the next answer comes back to this. */
                if (r < 0 && sync->n_sent > 0)
                        return;
                if (r < 0) {
                        sync_break(sync);
                        return;
                }
                job_close_fds(job);
                TAILQ_REMOVE(&sync->waiting, job, link);
                TAILQ_INSERT_TAIL(&sync->sent, job, link);
                sync->n_waiting--;
                sync->n_sent++;
        }
}

static SyncJob *take_first(JobList *list, size_t *n) {
        SyncJob *job = TAILQ_FIRST(list);

        if (job) {
                TAILQ_REMOVE(list, job, link);
                (*n)--;
        }
        return job;
}

static void sync_end_all(Sync *sync) {
        SyncJob *job;

        sync->broken = true;
        (void)sd_event_source_set_enabled(sync->source, SD_EVENT_OFF);
        while ((job = take_first(&sync->sent, &sync->n_sent)) ||
                        (job = take_first(&sync->waiting, &sync->n_waiting)))
                job_end(job, -EIO);
}

static int on_answer(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Sync *sync = userdata;
        Answer answer;
        SyncJob *job;
        ssize_t n;

        n = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        job = TAILQ_FIRST(&sync->sent);
        if (n != sizeof(answer) || !job || job->request.id != answer.id) {
                sync_end_all(sync);
                return 0;
        }
        job = take_first(&sync->sent, &sync->n_sent);
        sync_send_waiting(sync);
        job_end(job, answer.error);
        return 0;
}

int sync_new(Sync **ret, sd_event *event) {
        _cleanup_(sync_freep) Sync *sync = NULL;
        _cleanup_close_ int theirs = -1;
        pid_t parent = getpid();
        int pair[2], r;

        sync = new0(Sync, 1);
        if (!sync)
                return -ENOMEM;
        sync->fd = -1;
        TAILQ_INIT(&sync->sent);
        TAILQ_INIT(&sync->waiting);
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        sync->fd = pair[0];
        theirs = pair[1];
        r = sd_event_add_io(event, &sync->source, sync->fd, EPOLLIN, on_answer, sync);
        if (r < 0)
                return r;
        (void)sd_event_source_set_description(sync->source, "sync");
        sync->pid = fork();
        if (sync->pid < 0)
                return -errno;
        if (sync->pid == 0)
                child_main(theirs, parent);
        *ret = TAKE_PTR(sync);
        return 0;
}

Sync *sync_free(Sync *sync) {
        SyncJob *job;

        if (!sync)
                return NULL;
        (void)sd_event_source_disable_unref(sync->source);
        /* The child ends what it has received and leaves; it is waited for, so that it renames
         * nothing behind the back of whoever reads the state next. */
        sync->fd = close_fd(sync->fd);
        while (sync->pid > 0 && waitpid(sync->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        while ((job = take_first(&sync->sent, &sync->n_sent)) ||
                        (job = take_first(&sync->waiting, &sync->n_waiting)))
                (void)job_free(job);
        free(sync);
        return NULL;
}

static int set_name(char ret[static NAME_MAX + 1], const char *name) {
        size_t n = strlen(name);

        /* A name in another folder would be made durable in the wrong one. */
        if (n == 0 || strchr(name, '/'))
                return -EINVAL;
        if (n > NAME_MAX)
                return -ENAMETOOLONG;
        memcpy(ret, name, n + 1);
        return 0;
}

/* A job with duplicates of the descriptors and no names yet. */
static int job_new(SyncJob **ret, SyncKind kind, const int *fds, size_t n_fds) {
        _cleanup_(job_freep) SyncJob *job = new0(SyncJob, 1);

        if (!job)
                return -ENOMEM;
        job->request.kind = kind;
        for (; job->n_fds < n_fds; job->n_fds++) {
                int fd = fcntl(fds[job->n_fds], F_DUPFD_CLOEXEC, CHILD_SOCKET);

                if (fd < 0)
                        return -errno;
                job->fds[job->n_fds] = fd;
        }
        *ret = TAKE_PTR(job);
        return 0;
}

/* Takes the job over, on failure too. */
static int sync_submit(Sync *sync, SyncJob *job, SyncFunc func, void *userdata, SyncJob **ret) {
        if (sync->broken || sync->n_sent + sync->n_waiting >= JOBS_OPEN_MAX) {
                (void)job_free(job);
                return sync->broken ? -EIO : -ENOBUFS;
        }
        job->request.id = ++sync->last_id;
        job->func = func;
        job->userdata = userdata;
        TAILQ_INSERT_TAIL(&sync->waiting, job, link);
        sync->n_waiting++;
        sync_send_waiting(sync);
        if (ret)
                *ret = job;
        return 0;
}

int sync_file(Sync *sync, int fd, SyncFunc func, void *userdata, SyncJob **ret) {
        SyncJob *job;
        int r;

        r = job_new(&job, SYNC_FILE, &fd, 1);
        if (r < 0)
                return r;
        return sync_submit(sync, job, func, userdata, ret);
}

int sync_replace(Sync *sync, int fd, int dirfd, const char *from, const char *to, SyncFunc func,
                void *userdata, SyncJob **ret) {
        _cleanup_(job_freep) SyncJob *job = NULL;
        int r;

        r = job_new(&job, SYNC_REPLACE, (const int[]){ fd, dirfd }, 2);
        if (r < 0)
                return r;
        r = set_name(job->request.from, from);
        if (r < 0)
                return r;
        r = set_name(job->request.to, to);
        if (r < 0)
                return r;
        return sync_submit(sync, TAKE_PTR(job), func, userdata, ret);
}

void sync_use_reserve(Sync *sync, Reserve *reserve) {
        sync->reserve = reserve;
}

int sync_write_bytes(const Sync *sync, int fd, const void *bytes, size_t n) {
        const uint8_t *p = bytes;

        while (n > 0) {
                ssize_t k = write(fd, p, n);

                if (k > 0) {
                        p += k;
                        n -= (size_t)k;
                        continue;
                }
                if (k == 0)
                        return -EIO;
                if (errno == EINTR)
                        continue;
                if (errno != ENOSPC)
                        return -errno;
                if (!reserve_give(sync->reserve))
                        return -ENOSPC;
        }
        return 0;
}

/* The name, too, may need a block of the folder. */
static int open_temporary(const Sync *sync, int dirfd, const char *name, char **ret) {
        int fd;

        do
                fd = file_open_temporary(dirfd, name, 0600, ret);
        while (fd == -ENOSPC && reserve_give(sync->reserve));
        return fd;
}

int sync_write(Sync *sync, int dirfd, const char *name, const void *bytes, size_t n, SyncFunc func,
                void *userdata, SyncJob **ret) {
        _cleanup_free_ char *temporary = NULL;
        _cleanup_close_ int fd = -1;
        int r;

        if (sync->broken)
                return -EIO;
        fd = open_temporary(sync, dirfd, name, &temporary);
        if (fd < 0)
                return fd;
        r = sync_write_bytes(sync, fd, bytes, n);
        if (r == 0)
                r = sync_replace(sync, fd, dirfd, temporary, name, func, userdata, ret);
        if (r < 0)
                (void)unlinkat(dirfd, temporary, 0);
        return r;
}

int sync_unlink(Sync *sync, int dirfd, const char *name, SyncFunc func, void *userdata,
                SyncJob **ret) {
        _cleanup_(job_freep) SyncJob *job = NULL;
        int r;

        r = job_new(&job, SYNC_UNLINK, &dirfd, 1);
        if (r < 0)
                return r;
        r = set_name(job->request.from, name);
        if (r < 0)
                return r;
        return sync_submit(sync, TAKE_PTR(job), func, userdata, ret);
}

SyncJob *sync_job_forget(SyncJob *job) {
        if (job)
                job->func = NULL;
        return NULL;
}

bool sync_is_idle(const Sync *sync) {
        return sync->n_sent + sync->n_waiting == 0;
}
