/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nginx: one process, found by its port and pid files. */
#include "nginx.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define SCRIPT    TESTS_LIB_DIR "/nginx.sh"
#define WAITS_MAX 4500
#define WAIT_MSEC 20

struct Nginx {
        pid_t pid;
        unsigned port;
};

static _Noreturn void child_exec(
                const char *www, const char *work, const char *port, const char *extra) {
        sigset_t none;

        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)execl(SCRIPT, SCRIPT, www, port, work, extra, NULL);
        _exit(127);
}

static int write_extra(const char *path, const char *extra) {
        _cleanup_fclose_ FILE *f = fopen(path, "we");

        return f && fputs(extra ? extra : "", f) >= 0 ? 0 : -EIO;
}

/* The pid file comes when it listens; the port file is older. */
static int wait_for(Nginx *nginx, const char *pid_path, const char *port_path) {
        _cleanup_fclose_ FILE *f = NULL;

        for (unsigned i = 0; access(pid_path, F_OK) < 0; i++) {
                if (i == WAITS_MAX || waitpid(nginx->pid, NULL, WNOHANG) != 0)
                        return -ETIMEDOUT;
                (void)poll(NULL, 0, WAIT_MSEC);
        }
        f = fopen(port_path, "re");
        return f && fscanf(f, "%u", &nginx->port) == 1 ? 0 : -EIO;
}

int nginx_new(const char *www, const char *work, const char *extra, Nginx **ret) {
        char port_path[300], pid_path[300], extra_path[300];
        Nginx *nginx = new0(Nginx, 1);
        int r;

        if (!nginx)
                return -ENOMEM;
        (void)snprintf(port_path, sizeof port_path, "%s/port", work);
        (void)snprintf(pid_path, sizeof pid_path, "%s/nginx.pid", work);
        (void)snprintf(extra_path, sizeof extra_path, "%s/extra.conf", work);
        (void)unlink(pid_path);
        r = write_extra(extra_path, extra);
        if (r >= 0) {
                nginx->pid = fork();
                if (nginx->pid == 0)
                        child_exec(www, work, port_path, extra_path);
                r = nginx->pid < 0 ? -errno : wait_for(nginx, pid_path, port_path);
        }
        if (r < 0) {
                (void)nginx_free(nginx);
                return r;
        }
        *ret = nginx;
        return 0;
}

Nginx *nginx_free(Nginx *nginx) {
        if (!nginx)
                return NULL;
        if (nginx->pid > 0) {
                (void)kill(nginx->pid, SIGKILL);
                (void)waitpid(nginx->pid, NULL, 0);
        }
        free(nginx);
        return NULL;
}

unsigned nginx_port(const Nginx *nginx) {
        return nginx->port;
}
