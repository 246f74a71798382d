/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fetcher: connects to rekindle-fetch, and is its service manager where there is none.
 *
 * The child gets nothing but the listening socket and the standard descriptors, and dies with
 * its parent. It has no state, so that it can be killed at any time. */
#include "fetch/fetcher.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "basic/file.h"

#define LISTEN_FD 3 /* SD_LISTEN_FDS_START */
#define BACKLOG   32

struct Fetcher {
        sd_event *event;
        struct sockaddr_un address;
        char *program, *config_path;
        int listen_fd; /* -1: not ours */
        pid_t pid;     /* 0: none */
        int pidfd;
        sd_event_source *source;
        FetcherExitFunc on_exit;
        void *userdata;
};

static void exit_text(const siginfo_t *si, char *text, size_t n) {
        if (si->si_code == CLD_EXITED)
                (void)snprintf(text, n, "rekindle-fetch exited with status %d%s", si->si_status,
                                si->si_status == 127 ? ": it cannot be started" : "");
        else
                (void)snprintf(text, n, "rekindle-fetch was killed by signal %d", si->si_status);
}

static void forget_process(Fetcher *f) {
        f->source = sd_event_source_disable_unref(f->source);
        f->pidfd = close_fd(f->pidfd);
        f->pid = 0;
}

static int on_process(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Fetcher *f = userdata;
        siginfo_t si = { 0 };
        char text[80];

        if (waitid(P_PID, (id_t)f->pid, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
                return 0;
        exit_text(&si, text, sizeof text);
        forget_process(f);
        if (f->on_exit)
                f->on_exit(text, f->userdata);
        return 0;
}

/* In the child, after fork: only what may be called there, and exec. */
_Noreturn static void child_exec(const Fetcher *f, pid_t parent) {
        char pid[16];
        sigset_t none;

        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)signal(SIGPIPE, SIG_DFL);
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
                _exit(127);
        if (f->listen_fd == LISTEN_FD ? fcntl(LISTEN_FD, F_SETFD, 0) < 0
                                      : dup2(f->listen_fd, LISTEN_FD) < 0)
                _exit(127);
        (void)close_range(LISTEN_FD + 1, ~0U, 0);
        (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
        (void)setenv("LISTEN_PID", pid, 1);
        (void)setenv("LISTEN_FDS", "1", 1);
        (void)unsetenv("LISTEN_FDNAMES");
        (void)unsetenv("NOTIFY_SOCKET");
        (void)unsetenv("WATCHDOG_USEC");
        (void)unsetenv("WATCHDOG_PID");
        if (f->config_path)
                (void)execl(f->program, f->program, "--config", f->config_path, NULL);
        else
                (void)execl(f->program, f->program, NULL);
        _exit(127);
}

static int watch(Fetcher *f) {
        int r;

        f->pidfd = pidfd_open(f->pid, 0);
        if (f->pidfd < 0)
                return -errno;
        r = sd_event_add_io(f->event, &f->source, f->pidfd, EPOLLIN, on_process, f);
        if (r < 0)
                return r;
        /* After the connections: what the process still said is read before its end is judged. */
        return sd_event_source_set_priority(f->source, SD_EVENT_PRIORITY_NORMAL + 10);
}

static void end_process(Fetcher *f) {
        if (f->pid > 0) {
                (void)kill(f->pid, SIGKILL);
                while (waitpid(f->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        forget_process(f);
}

static int spawn(Fetcher *f, Why *w) {
        pid_t parent = getpid();
        int r;

        f->pid = fork();
        if (f->pid < 0) {
                r = -errno;
                f->pid = 0;
                return why(w, r, "cannot start %s: %s", f->program, strerror(-r));
        }
        if (f->pid == 0)
                child_exec(f, parent);
        r = watch(f);
        if (r < 0) {
                end_process(f);
                return why(w, r, "cannot watch %s: %s", f->program, strerror(-r));
        }
        return 0;
}

/* A listening socket at the path; what lies there without a listener is a leftover. */
static int listen_at(Fetcher *f, Why *w) {
        _cleanup_close_ int fd = -1;
        int r;

        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return why(w, -errno, "cannot make a socket: %m");
        r = path_clear(f->address.sun_path, S_IFSOCK);
        if (r == -EEXIST)
                return why(w, r, "%s is there and no socket; it is not replaced",
                                f->address.sun_path);
        if (r < 0)
                return why(w, r, "cannot listen at %s: %s", f->address.sun_path, strerror(-r));
        if (fchmod(fd, 0600) < 0 ||
                        bind(fd, (struct sockaddr *)&f->address, sizeof f->address) < 0 ||
                        listen(fd, BACKLOG) < 0)
                return why(w, -errno, "cannot listen at %s: %m", f->address.sun_path);
        f->listen_fd = TAKE_FD(fd);
        return 0;
}

static int try_connect(const Fetcher *f) {
        _cleanup_close_ int fd = -1;

        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *)&f->address, sizeof f->address) < 0)
                return -errno;
        return TAKE_FD(fd);
}

int fetcher_new(sd_event *event, const char *socket_path, const char *program,
                const char *config_path, Fetcher **ret) {
        _cleanup_(fetcher_freep) Fetcher *f = NULL;

        f = new0(Fetcher, 1);
        if (!f)
                return -ENOMEM;
        f->listen_fd = f->pidfd = -1;
        f->event = sd_event_ref(event);
        f->address.sun_family = AF_UNIX;
        if (strlen(socket_path) >= sizeof f->address.sun_path)
                return -ENAMETOOLONG;
        (void)stpcpy(f->address.sun_path, socket_path);
        if (program && program[0] != '/')
                return -EINVAL;
        if (free_and_strdup(&f->program, program) < 0 ||
                        free_and_strdup(&f->config_path, config_path) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(f);
        return 0;
}

Fetcher *fetcher_free(Fetcher *f) {
        if (!f)
                return NULL;
        end_process(f);
        if (f->listen_fd >= 0)
                (void)unlink(f->address.sun_path);
        f->listen_fd = close_fd(f->listen_fd);
        f->event = sd_event_unref(f->event);
        free(f->program);
        free(f->config_path);
        free(f);
        return NULL;
}

void fetcher_on_exit(Fetcher *f, FetcherExitFunc func, void *userdata) {
        f->on_exit = func;
        f->userdata = userdata;
}

int fetcher_connect(Fetcher *f, Why *w) {
        int fd, r;

        if (f->listen_fd < 0) {
                fd = try_connect(f);
                if (fd >= 0)
                        return fd;
                if (!f->program || (fd != -ENOENT && fd != -ECONNREFUSED))
                        return why(w, fd, "cannot connect to rekindle-fetch at %s: %s",
                                        f->address.sun_path, strerror(-fd));
                r = listen_at(f, w);
                if (r < 0)
                        return r;
        }
        r = fetcher_revive(f, w);
        if (r < 0)
                return r;
        fd = try_connect(f);
        if (fd < 0)
                return why(w, fd, "cannot connect to rekindle-fetch at %s: %s", f->address.sun_path,
                                strerror(-fd));
        return fd;
}

int fetcher_revive(Fetcher *f, Why *w) {
        return f->listen_fd >= 0 && f->pid == 0 ? spawn(f, w) : 0;
}

pid_t fetcher_pid(const Fetcher *f) {
        return f->pid;
}
