/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* HttpOrigin: http-origin.py behind two pipes, a line each way. */
#include "http-origin.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define SCRIPT TESTS_LIB_DIR "/http-origin.py"

struct HttpOrigin {
        pid_t pid;
        FILE *to, *from;
        unsigned port;
};

static _Noreturn void child_exec(int in, int out, const char *folder, const char *log_path) {
        sigset_t none;

        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (dup2(in, 0) < 0 || dup2(out, 1) < 0)
                _exit(127);
        if (log_path)
                (void)execl("/usr/bin/python3", "python3", SCRIPT, folder, "--log", log_path, NULL);
        else
                (void)execl("/usr/bin/python3", "python3", SCRIPT, folder, NULL);
        _exit(127);
}

static int start(HttpOrigin *o, const char *folder, const char *log_path) {
        int in[2], out[2];

        if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
                return -errno;
        o->pid = fork();
        if (o->pid == 0)
                child_exec(in[0], out[1], folder, log_path);
        (void)close(in[0]);
        (void)close(out[1]);
        o->to = fdopen(in[1], "w");
        o->from = fdopen(out[0], "r");
        if (o->pid < 0 || !o->to || !o->from)
                return -ENOMEM;
        return fscanf(o->from, "port %u", &o->port) == 1 && fgetc(o->from) == '\n' ? 0 : -EPROTO;
}

int http_origin_new(const char *folder, const char *log_path, HttpOrigin **ret) {
        HttpOrigin *o = new0(HttpOrigin, 1);
        int r;

        if (!o)
                return -ENOMEM;
        r = start(o, folder, log_path);
        if (r < 0) {
                (void)http_origin_free(o);
                return r;
        }
        *ret = o;
        return 0;
}

HttpOrigin *http_origin_free(HttpOrigin *o) {
        if (!o)
                return NULL;
        if (o->pid > 0) {
                (void)kill(o->pid, SIGKILL);
                (void)waitpid(o->pid, NULL, 0);
        }
        if (o->to)
                (void)fclose(o->to);
        if (o->from)
                (void)fclose(o->from);
        free(o);
        return NULL;
}

unsigned http_origin_port(const HttpOrigin *o) {
        return o->port;
}

int http_origin_command(HttpOrigin *o, const char *command) {
        char line[256];

        if (fprintf(o->to, "%s\n", command) < 0 || fflush(o->to) != 0)
                return -EPIPE;
        if (!fgets(line, sizeof line, o->from))
                return -EPIPE;
        return streq(line, "ok\n") ? 0 : -EPROTO;
}
