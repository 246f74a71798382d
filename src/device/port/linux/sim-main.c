/* SPDX-License-Identifier: MIT */

/*
 * rekindle-sim: one loop over the machine's descriptors and the control socket, until SIGTERM or
 * SIGINT.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

#include "sim-control.h"
#include "sim-machine.h"
#include "sim-util.h"

typedef struct Sim {
        SimOptions options;
        SimMachine *machine;
        SimControl *control;
        int signal_fd;
} Sim;

static int sim_block_signals(Sim *sim) {
        sigset_t mask;

        (void)sigemptyset(&mask);
        (void)sigaddset(&mask, SIGTERM);
        (void)sigaddset(&mask, SIGINT);
        (void)sigaddset(&mask, SIGHUP);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        (void)signal(SIGPIPE, SIG_IGN);
        sim->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC);
        return sim->signal_fd < 0 ? -errno : 0;
}

static int sim_wait(const Sim *sim, struct pollfd *fds, size_t n) {
        uint64_t deadline_usec = sim_machine_deadline_usec(sim->machine), now_usec = sim_now_usec();
        uint64_t wait_usec = deadline_usec > now_usec ? deadline_usec - now_usec : 0;
        struct timespec timeout = { (time_t)(wait_usec / 1000000U),
                (long)(wait_usec % 1000000U * 1000U) };

        if (ppoll(fds, n, deadline_usec == SIM_NEVER_USEC ? NULL : &timeout, NULL) < 0 &&
                        errno != EINTR)
                return -errno;
        return 0;
}

static int sim_loop(Sim *sim) {
        struct pollfd fds[1 + SIM_CONTROL_POLLFDS + SIM_MACHINE_POLLFDS];
        int r;

        sim_machine_power_on(sim->machine);
        for (;;) {
                size_t n = 1;

                fds[0] = (struct pollfd){ .fd = sim->signal_fd, .events = POLLIN };
                if (sim->control)
                        n += sim_control_fill_pollfds(sim->control, fds + n);
                n += sim_machine_fill_pollfds(sim->machine, fds + n);
                r = sim_wait(sim, fds, n);
                if (r < 0)
                        return r;
                if (fds[0].revents & POLLIN || sim_machine_is_orphan(sim->machine))
                        return 0;
                if (sim->control)
                        sim_control_run(sim->control);
                sim_machine_run(sim->machine);
        }
}

static int sim_complain(const char *what, int r) {
        (void)fprintf(stderr, "rekindle-sim: %s: %s\n", what,
                        r == -EEXIST ? "is there and not ours; it is not replaced" : strerror(-r));
        return r;
}

static int sim_start(Sim *sim) {
        int r;

        r = sim_block_signals(sim);
        if (r < 0)
                return sim_complain("signals", r);
        r = sim_machine_new(&sim->machine, &sim->options);
        if (r < 0)
                return r;
        if (sim->options.control) {
                r = sim_control_new(&sim->control, sim->options.control, sim_machine_on_command,
                                sim->machine);
                if (r < 0)
                        return sim_complain(sim->options.control, r);
        }
        (void)printf("ready %s\n", sim_machine_line_name(sim->machine));
        (void)fflush(stdout);
        return 0;
}

int main(int argc, char **argv) {
        Sim sim = { .signal_fd = -1 };
        int r;

        r = sim_options_parse(&sim.options, argc, argv);
        if (r != 0)
                return r < 0 ? 2 : EXIT_SUCCESS;
        r = sim_start(&sim);
        if (r == 0) {
                r = sim_loop(&sim);
                if (r < 0)
                        (void)sim_complain("poll", r);
        }
        (void)sim_control_free(sim.control);
        (void)sim_machine_free(sim.machine);
        (void)sim_close(sim.signal_fd);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
