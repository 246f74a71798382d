/* SPDX-License-Identifier: MIT */

/*
 * The program area as a running process.
 *
 * The image is copied into a memfd and executed from there with an empty environment, four
 * descriptors (sim-soc.h), no others, a process group of its own, little CPU time and a parent
 * whose death it does not survive. It is killed with its whole group; nothing of it outlives a
 * reset.
 */

#include "sim-process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "sim-util.h"

#define PROCESS_CPU_SECONDS 600U
#define PROCESS_FD_FREE     16 /* descriptors are parked from here on while 3..6 are filled */

struct SimProcess {
        pid_t pid;
        int pid_fd;
        int uart_fd;
        int chip_fd;
};

static int process_make_image(const uint8_t *image, size_t length) {
        int fd;

        fd = memfd_create("program", MFD_CLOEXEC);
        if (fd < 0)
                return -errno;
        while (length > 0) {
                ssize_t n = write(fd, image, length);

                if (n < 0) {
                        n = -errno;
                        (void)close(fd);
                        return (int)n;
                }
                image += n;
                length -= (size_t)n;
        }
        return fd;
}

static void process_limit(int resource, rlim_t value) {
        struct rlimit limit = { .rlim_cur = value, .rlim_max = value };

        (void)setrlimit((__rlimit_resource_t)resource, &limit);
}

/* In the child; fds: UART, chip, flash, page, image. Does not come back. */
static void process_exec(const int fds[5], pid_t parent) {
        static char name[] = "program";
        char *const argv[] = { name, NULL };
        char *const envp[] = { NULL };
        sigset_t none;
        int i, parked[5];

        if (setpgid(0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                _exit(127);
        for (i = 0; i < 5; i++) {
                parked[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, PROCESS_FD_FREE);
                if (parked[i] < 0)
                        _exit(127);
        }
        for (i = 0; i < 4; i++)
                if (dup2(parked[i], SIM_SOC_UART_FD + i) < 0)
                        _exit(127);
        if (dup3(parked[4], SIM_SOC_PAGE_FD + 1, O_CLOEXEC) < 0)
                _exit(127);
        for (i = 0; i < 3; i++)
                (void)close(i);
        if (close_range(SIM_SOC_PAGE_FD + 2, ~0U, 0) < 0)
                _exit(127);

        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        for (i = 1; i < NSIG; i++)
                (void)signal(i, SIG_DFL);
        process_limit(RLIMIT_CORE, 0);
        process_limit(RLIMIT_CPU, PROCESS_CPU_SECONDS);
        (void)fexecve(SIM_SOC_PAGE_FD + 1, argv, envp);
        _exit(126);
}

static int process_start(SimProcess *process, const int fds[5]) {
        pid_t parent = getpid();

        process->pid = fork();
        if (process->pid < 0)
                return -errno;
        if (process->pid == 0)
                process_exec(fds, parent);
        (void)setpgid(process->pid, process->pid);
        process->pid_fd = pidfd_open(process->pid, 0);
        return process->pid_fd < 0 ? -errno : 0;
}

int sim_process_new(
                SimProcess **ret, const uint8_t *image, size_t length, int flash_fd, int page_fd) {
        int fds[5] = { -1, -1, flash_fd, page_fd, -1 }, pair[2], r;
        SimProcess *process;

        assert(ret);

        process = calloc(1, sizeof(*process));
        if (!process)
                return -ENOMEM;
        process->pid = -1;
        process->pid_fd = process->uart_fd = process->chip_fd = -1;

        r = fds[4] = process_make_image(image, length);
        if (r >= 0)
                r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ? -errno : 0;
        if (r == 0) {
                process->uart_fd = pair[0];
                fds[0] = pair[1];
                r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ? -errno : 0;
        }
        if (r == 0) {
                process->chip_fd = pair[0];
                fds[1] = pair[1];
                r = process_start(process, fds);
        }
        (void)sim_close(fds[0]);
        (void)sim_close(fds[1]);
        (void)sim_close(fds[4]);
        if (r < 0) {
                (void)sim_process_free(process);
                return r;
        }
        *ret = process;
        return 0;
}

SimProcess *sim_process_free(SimProcess *process) {
        if (!process)
                return NULL;
        if (process->pid > 0) {
                (void)kill(-process->pid, SIGKILL);
                (void)kill(process->pid, SIGKILL); /* it may not have its group yet */
                while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        (void)sim_close(process->pid_fd);
        (void)sim_close(process->uart_fd);
        (void)sim_close(process->chip_fd);
        free(process);
        return NULL;
}

pid_t sim_process_pid(const SimProcess *process) {
        return process->pid;
}

int sim_process_end_fd(const SimProcess *process) {
        return process->pid_fd;
}

int sim_process_uart_fd(const SimProcess *process) {
        return process->uart_fd;
}

int sim_process_chip_fd(const SimProcess *process) {
        return process->chip_fd;
}

bool sim_process_has_ended(SimProcess *process) {
        struct pollfd look = { .fd = process->pid_fd, .events = POLLIN };

        return poll(&look, 1, 0) > 0;
}

int sim_process_read_message(SimProcess *process, SimSocMessage *ret_message) {
        SimSocMessage message;
        ssize_t n;

        n = recv(process->chip_fd, &message, sizeof(message), MSG_DONTWAIT);
        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        if (n == 0)
                return -ECONNRESET;
        if ((size_t)n < offsetof(SimSocMessage, bytes) || message.length > sizeof(message.bytes) ||
                        message.length != (size_t)n - offsetof(SimSocMessage, bytes))
                return -EBADMSG;
        *ret_message = message;
        return 1;
}

void sim_process_flash_done(SimProcess *process, int result) {
        SimSocMessage message = { .type = SIM_SOC_FLASH_DONE, .value = result };

        (void)send(process->chip_fd, &message, offsetof(SimSocMessage, bytes),
                        MSG_NOSIGNAL | MSG_DONTWAIT);
}

void sim_process_uart_write(SimProcess *process, const uint8_t *bytes, size_t n_bytes) {
        (void)send(process->uart_fd, bytes, n_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
}

size_t sim_process_uart_read(SimProcess *process, uint8_t *ret_bytes, size_t size) {
        ssize_t n = recv(process->uart_fd, ret_bytes, size, MSG_DONTWAIT);

        return n < 0 ? 0 : (size_t)n;
}
