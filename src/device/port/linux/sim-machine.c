/* SPDX-License-Identifier: MIT */

/*
 * The simulated device as a state machine.
 *
 *      off ──power on──► bootloader ──start──► program
 *                            ▲                    │ reset: software, watchdog, trial timer,
 *                            └────────────────────┘        crash, pin
 *
 * The bootloader is the device library in this process; the program is a child process. Both
 * reach the line through the same UART. A power cut may come out of the flash
 * (sim_flash_cut_after), so after each turn of the bootloader the power is looked at. A reset or
 * a start that the software asks for waits until the UART has sent all.
 */

#include "sim-machine-internal.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim-util.h"

#define MACHINE_CHUNK        512
#define MACHINE_MESSAGES_MAX 64 /* of the program in one turn */

void sim_machine_say(const SimMachine *machine, const char *format, ...) {
        uint64_t now_usec = sim_now_usec();
        va_list arguments;

        if (!machine->options->verbose)
                return;
        (void)fprintf(stderr, "%8llu.%03llu ", (unsigned long long)(now_usec / 1000000U),
                        (unsigned long long)(now_usec / 1000U % 1000U));
        va_start(arguments, format);
        (void)vfprintf(stderr, format, arguments);
        va_end(arguments);
        (void)fputc('\n', stderr);
}

static void machine_enter_bootloader(SimMachine *machine, RkdCause cause) {
        SimBoard *board = machine->board;
        int r;

        machine->process = sim_process_free(machine->process);
        machine->program_writes = false;
        machine->cause = cause;
        machine->resets[cause]++;
        machine->state = SIM_MACHINE_BOOTLOADER;
        machine->trial_usec = SIM_NEVER_USEC;
        board->request = SIM_REQUEST_NONE;
        board->baud_next = 0;
        sim_line_set_baud(board->line, machine->options->speeds[0]);
        sim_machine_say(machine, "reset: %s", sim_cause_names[cause]);
        r = rkd_boot_init(&machine->boot, &board->platform, (uint8_t)cause);
        assert(r == 0); /* the options were checked */
        (void)r;
}

static void machine_enter_program(SimMachine *machine) {
        SimBoard *board = machine->board;
        uint64_t now_usec = sim_now_usec();
        uint32_t length = SIM_MIN(board->start.program_bytes, machine->options->program_bytes);
        int r;

        board->request = SIM_REQUEST_NONE;
        sim_line_set_baud(board->line, board->page->speeds[0]);
        r = sim_process_new(&machine->process,
                        sim_flash_bytes(board->flash) +
                                        board->start.slot * board->platform.slot_stride,
                        length, board->flash_fd, board->page_fd);
        if (r < 0) {
                sim_machine_say(machine, "start failed: %s", strerror(-r));
                machine_enter_bootloader(machine, RKD_CAUSE_CRASH);
                return;
        }
        machine->state = SIM_MACHINE_PROGRAM;
        machine->starts++;
        machine->watchdog_usec = now_usec + machine->options->watchdog_msec * UINT64_C(1000);
        if (board->start.trial_ms > 0 && machine->options->trial_timer)
                machine->trial_usec = now_usec + board->start.trial_ms * UINT64_C(1000);
        sim_machine_say(machine, "start: pid %d, slot %u, %u bytes, trial %u ms",
                        (int)sim_process_pid(machine->process), (unsigned)board->start.slot,
                        (unsigned)length, (unsigned)board->start.trial_ms);
}

static bool machine_is_deaf(const SimMachine *machine) {
        return machine->options->flash_blocks_cpu && sim_flash_is_busy(machine->board->flash);
}

static void machine_run_input(SimMachine *machine) {
        uint8_t bytes[MACHINE_CHUNK];
        size_t n;

        n = sim_line_receive(machine->board->line, sim_now_usec(), bytes, sizeof(bytes));
        if (n == 0)
                return;
        if (machine_is_deaf(machine)) {
                machine->deaf += n;
                return;
        }
        if (machine->state == SIM_MACHINE_PROGRAM)
                sim_process_uart_write(machine->process, bytes, n);
        else if (machine->board->request == SIM_REQUEST_NONE)
                rkd_boot_receive(&machine->boot, bytes, n);
}

/* Moves what the program has said into the UART; true when there is nothing left of it. */
static bool machine_run_program_output(SimMachine *machine) {
        uint8_t bytes[MACHINE_CHUNK];
        size_t room, n;

        room = sim_line_send_room(machine->board->line);
        if (room == 0)
                return false;
        n = sim_process_uart_read(machine->process, bytes, SIM_MIN(room, sizeof(bytes)));
        (void)sim_line_send(machine->board->line, bytes, n);
        return n == 0;
}

static void machine_program_write(SimMachine *machine, const SimSocMessage *message) {
        int r = -EBUSY;

        if (!machine->program_writes)
                r = sim_flash_write(machine->board->flash,
                                (uint32_t)message->value - SIM_FLASH_BASE, message->bytes,
                                message->length, sim_now_usec());
        if (r < 0)
                sim_process_flash_done(machine->process, r);
        else
                machine->program_writes = true;
}

static void machine_program_message(SimMachine *machine, const SimSocMessage *message) {
        switch (message->type) {
        case SIM_SOC_FEED:
                machine->watchdog_usec =
                                sim_now_usec() + machine->options->watchdog_msec * UINT64_C(1000);
                return;
        case SIM_SOC_TRIAL_PASSED:
                machine->trial_usec = SIM_NEVER_USEC;
                sim_machine_say(machine, "program: trial timer stopped");
                return;
        case SIM_SOC_RESET:
                machine->board->request = SIM_REQUEST_RESET;
                return;
        case SIM_SOC_SET_BAUD:
                machine->board->baud_next = message->value > 0 ? (uint32_t)message->value : 0;
                return;
        case SIM_SOC_WRITE:
                machine_program_write(machine, message);
                return;
        default:
                sim_machine_say(machine, "program: message %u is unknown", (unsigned)message->type);
        }
}

static void machine_run_program(SimMachine *machine) {
        bool ended = sim_process_has_ended(
                        machine->process); /* first, so that its last words are heard */
        SimSocMessage message;
        int i, r = 1;

        if (machine->faulty) { /* before it could say anything */
                sim_machine_reset(machine, RKD_CAUSE_CRASH);
                return;
        }
        (void)machine_run_program_output(machine);
        for (i = 0; i < MACHINE_MESSAGES_MAX && machine->board->request == SIM_REQUEST_NONE; i++) {
                r = sim_process_read_message(machine->process, &message);
                if (r <= 0)
                        break;
                machine_program_message(machine, &message);
        }
        if (machine->program_writes && !sim_flash_run(machine->board->flash, sim_now_usec()) &&
                        sim_flash_has_power(machine->board->flash)) {
                machine->program_writes = false;
                sim_process_flash_done(machine->process, 0);
        }
        if (machine->board->request != SIM_REQUEST_NONE)
                return;
        if (ended || r < 0)
                sim_machine_reset(machine, RKD_CAUSE_CRASH);
        else if (sim_now_usec() >= machine->trial_usec)
                sim_machine_reset(machine, RKD_CAUSE_TRIAL);
        else if (sim_now_usec() >= machine->watchdog_usec)
                sim_machine_reset(machine, RKD_CAUSE_WATCHDOG);
}

/* Once the UART is empty: a new speed, the start of the program, a reset by software. */
static void machine_settle(SimMachine *machine) {
        SimBoard *board = machine->board;

        if (board->request == SIM_REQUEST_NONE && board->baud_next == 0)
                return;
        if (machine->process && !machine_run_program_output(machine))
                return;
        if (sim_line_output_pending(board->line) > 0)
                return;
        if (board->baud_next != 0) {
                sim_line_set_baud(board->line, board->baud_next);
                sim_machine_say(machine, "line: %u baud", (unsigned)board->baud_next);
                board->baud_next = 0;
        }
        if (board->request == SIM_REQUEST_START)
                machine_enter_program(machine);
        else if (board->request == SIM_REQUEST_RESET)
                machine_enter_bootloader(machine, RKD_CAUSE_SOFTWARE);
}

static void machine_power_off(SimMachine *machine) {
        size_t i;

        sim_flash_cut(machine->board->flash);
        sim_line_drop_output(machine->board->line);
        machine->process = sim_process_free(machine->process);
        machine->state = SIM_MACHINE_OFF;
        for (i = 0; i < SIM_SOC_RETAINED_BYTES; i++)
                machine->board->page->retained[i] = (uint8_t)sim_random(&machine->random);
}

void sim_machine_reset(SimMachine *machine, RkdCause cause) {
        sim_line_drop_output(machine->board->line);
        machine_enter_bootloader(machine, cause);
}

void sim_machine_power_cut(SimMachine *machine) {
        sim_machine_say(machine, "power cut");
        machine_power_off(machine);
        sim_machine_power_on(machine);
}

int sim_machine_new(SimMachine **ret, const SimOptions *options) {
        SimMachine *machine;
        int r;

        assert(ret);

        machine = calloc(1, sizeof(*machine));
        if (!machine)
                return -ENOMEM;
        machine->options = options;
        machine->random = UINT64_C(0x9e3779b97f4a7c15) ^ options->seed;
        machine->faulty = options->faulty;
        r = sim_board_new(&machine->board, options);
        if (r < 0) {
                (void)sim_machine_free(machine);
                return r;
        }
        *ret = machine;
        return 0;
}

SimMachine *sim_machine_free(SimMachine *machine) {
        if (!machine)
                return NULL;
        (void)sim_process_free(machine->process);
        (void)sim_board_free(machine->board);
        free(machine);
        return NULL;
}

const char *sim_machine_line_name(const SimMachine *machine) {
        return sim_line_name(machine->board->line);
}

bool sim_machine_is_orphan(const SimMachine *machine) {
        return machine->options->fd != UINT32_MAX && !sim_line_is_plugged(machine->board->line);
}

void sim_machine_power_on(SimMachine *machine) {
        sim_flash_power_on(machine->board->flash);
        machine_enter_bootloader(machine, RKD_CAUSE_POWER);
}

void sim_machine_run(SimMachine *machine) {
        (void)sim_flash_run(machine->board->flash, sim_now_usec());
        machine_run_input(machine);
        if (machine->state == SIM_MACHINE_PROGRAM)
                machine_run_program(machine);
        else if (!machine_is_deaf(machine) && machine->board->request == SIM_REQUEST_NONE)
                rkd_boot_poll(&machine->boot);

        if (!sim_flash_has_power(machine->board->flash))
                sim_machine_power_cut(machine);
        sim_line_run(machine->board->line, sim_now_usec());
        machine_settle(machine);
}

size_t sim_machine_fill_pollfds(const SimMachine *machine, struct pollfd *fds) {
        size_t n = sim_line_fill_pollfds(machine->board->line, fds);

        if (machine->process) {
                fds[n++] = (struct pollfd){ .fd = sim_process_end_fd(machine->process),
                        .events = POLLIN };
                if (machine->board->request == SIM_REQUEST_NONE)
                        fds[n++] = (struct pollfd){ .fd = sim_process_chip_fd(machine->process),
                                .events = POLLIN };
                if (sim_line_send_room(machine->board->line) > 0)
                        fds[n++] = (struct pollfd){ .fd = sim_process_uart_fd(machine->process),
                                .events = POLLIN };
        }
        return n;
}

uint64_t sim_machine_deadline_usec(const SimMachine *machine) {
        uint64_t deadline_usec = SIM_MIN(sim_line_deadline_usec(machine->board->line),
                        sim_flash_deadline_usec(machine->board->flash));

        if (machine->state == SIM_MACHINE_PROGRAM) {
                deadline_usec = SIM_MIN(deadline_usec, machine->watchdog_usec);
                deadline_usec = SIM_MIN(deadline_usec, machine->trial_usec);
        } else if (machine->board->request == SIM_REQUEST_NONE && !machine_is_deaf(machine)) {
                uint32_t wait_ms = rkd_boot_wait_ms(&machine->boot);

                if (wait_ms != UINT32_MAX)
                        deadline_usec = SIM_MIN(
                                        deadline_usec, sim_now_usec() + wait_ms * UINT64_C(1000));
        }
        return deadline_usec;
}

const char *const sim_machine_state_names[_SIM_MACHINE_STATE_MAX] = {
        [SIM_MACHINE_OFF] = "off",
        [SIM_MACHINE_BOOTLOADER] = "bootloader",
        [SIM_MACHINE_PROGRAM] = "program",
};

const char *const sim_cause_names[_RKD_CAUSE_MAX] = {
        [RKD_CAUSE_POWER] = "power",
        [RKD_CAUSE_PIN] = "pin",
        [RKD_CAUSE_SOFTWARE] = "software",
        [RKD_CAUSE_WATCHDOG] = "watchdog",
        [RKD_CAUSE_TRIAL] = "trial timeout",
        [RKD_CAUSE_CRASH] = "crash",
};
