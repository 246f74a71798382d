/* SPDX-License-Identifier: MIT */

/*
 * The control socket: up to four clients at a time, one line per command, one line per answer.
 * A client that sends a line longer than the buffer, or does not take its answers, is cut off.
 */

#include "sim-control.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "sim-util.h"

#define CONTROL_LINE_BYTES 256
#define CONTROL_WORDS      8

typedef struct ControlClient {
        int fd;
        size_t n;
        char line[CONTROL_LINE_BYTES];
} ControlClient;

struct SimControl {
        char *path;
        int listen_fd;
        bool is_bound; /* the path is ours */
        ControlClient clients[SIM_CONTROL_CLIENTS];
        SimControlFunc on_command;
        void *userdata;
        char answer[SIM_CONTROL_ANSWER_BYTES];
};

/* 0, or negative when the client is to be cut off */
static int control_answer(SimControl *control, ControlClient *client, char *line) {
        char *argv[CONTROL_WORDS], *save = NULL, *word;
        size_t n;
        int argc = 0;

        for (word = strtok_r(line, " \r", &save); word && argc < CONTROL_WORDS;
                        word = strtok_r(NULL, " \r", &save))
                argv[argc++] = word;
        if (argc == 0)
                return 0;

        control->on_command(control->userdata, argc, argv, control->answer,
                        sizeof(control->answer) - 1);
        n = strlen(control->answer);
        control->answer[n++] = '\n';
        return send(client->fd, control->answer, n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n
                               ? 0
                               : -EPIPE;
}

static int control_run_client(SimControl *control, ControlClient *client) {
        ssize_t n;
        char *end;

        n = recv(client->fd, client->line + client->n, sizeof(client->line) - client->n,
                        MSG_DONTWAIT);
        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        if (n == 0)
                return -ECONNRESET;
        client->n += (size_t)n;

        while ((end = memchr(client->line, '\n', client->n))) {
                char line[CONTROL_LINE_BYTES];
                size_t length = (size_t)(end - client->line);

                memcpy(line, client->line, length);
                line[length] = '\0';
                client->n -= length + 1;
                memmove(client->line, end + 1, client->n);
                if (control_answer(control, client, line) < 0)
                        return -EPIPE;
        }
        return client->n == sizeof(client->line) ? -EMSGSIZE : 0;
}

static void control_accept(SimControl *control) {
        size_t i;

        for (i = 0; i < SIM_CONTROL_CLIENTS; i++) {
                if (control->clients[i].fd >= 0)
                        continue;
                control->clients[i].n = 0;
                control->clients[i].fd = accept4(
                                control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
                return;
        }
}

static int control_listen(SimControl *control) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int r;

        if (strlen(control->path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.sun_path, control->path, strlen(control->path));
        control->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (control->listen_fd < 0)
                return -errno;
        r = sim_clear_path(control->path, S_IFSOCK);
        if (r < 0)
                return r;
        if (bind(control->listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
                        listen(control->listen_fd, SIM_CONTROL_CLIENTS) < 0)
                return -errno;
        control->is_bound = true;
        return 0;
}

int sim_control_new(SimControl **ret, const char *path, SimControlFunc on_command, void *userdata) {
        SimControl *control;
        size_t i;
        int r;

        assert(ret);
        assert(on_command);

        control = calloc(1, sizeof(*control));
        if (!control)
                return -ENOMEM;
        control->listen_fd = -1;
        for (i = 0; i < SIM_CONTROL_CLIENTS; i++)
                control->clients[i].fd = -1;
        control->on_command = on_command;
        control->userdata = userdata;
        control->path = strdup(path);
        r = control->path ? control_listen(control) : -ENOMEM;
        if (r < 0) {
                (void)sim_control_free(control);
                return r;
        }
        *ret = control;
        return 0;
}

SimControl *sim_control_free(SimControl *control) {
        size_t i;

        if (!control)
                return NULL;
        for (i = 0; i < SIM_CONTROL_CLIENTS; i++)
                (void)sim_close(control->clients[i].fd);
        if (control->is_bound)
                (void)unlink(control->path);
        (void)sim_close(control->listen_fd);
        free(control->path);
        free(control);
        return NULL;
}

size_t sim_control_fill_pollfds(const SimControl *control, struct pollfd *fds) {
        size_t i, n = 0;
        bool full = true;

        for (i = 0; i < SIM_CONTROL_CLIENTS; i++) {
                if (control->clients[i].fd >= 0)
                        fds[n++] = (struct pollfd){ .fd = control->clients[i].fd,
                                .events = POLLIN };
                else
                        full = false;
        }
        if (!full)
                fds[n++] = (struct pollfd){ .fd = control->listen_fd, .events = POLLIN };
        return n;
}

void sim_control_run(SimControl *control) {
        size_t i;

        control_accept(control);
        for (i = 0; i < SIM_CONTROL_CLIENTS; i++)
                if (control->clients[i].fd >= 0 &&
                                control_run_client(control, &control->clients[i]) < 0)
                        control->clients[i].fd = sim_close(control->clients[i].fd);
}
