/* SPDX-License-Identifier: MIT */

/*
 * Faults on demand: one function per verb of the control socket, each filling one answer line:
 * "ok", "error: …", or JSON.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim-machine-internal.h"
#include "sim-util.h"

#define COMMAND_STATUS_TAIL 64 /* room kept for the end of the status */

typedef struct Command {
        SimMachine *machine;
        int argc;
        char **argv;
        char *answer;
        size_t size;
} Command;

static void command_result(const Command *command, int r) {
        if (r < 0)
                (void)snprintf(command->answer, command->size, "error: %s", strerror(-r));
        else
                (void)snprintf(command->answer, command->size, "ok");
}

static int command_number(const char *text, uint32_t *ret) {
        unsigned long long value;
        char *end;

        if (text[0] < '0' || text[0] > '9')
                return -EINVAL;
        errno = 0;
        value = strtoull(text, &end, 0);
        if (errno != 0 || *end != '\0' || value > UINT32_MAX)
                return -EINVAL;
        *ret = (uint32_t)value;
        return 0;
}

/* Numbers from argv[1] on; -EINVAL when there are fewer than min, more than max, or one is none. */
static int command_numbers(const Command *command, int min, int max, uint32_t *ret) {
        int i;

        if (command->argc - 1 < min || command->argc - 1 > max)
                return -EINVAL;
        for (i = 1; i < command->argc; i++)
                if (command_number(command->argv[i], &ret[i - 1]) < 0)
                        return -EINVAL;
        return 0;
}

static void command_power_cut(const Command *command) {
        sim_machine_power_cut(command->machine);
        command_result(command, 0);
}

static void command_cut_after(const Command *command) {
        uint32_t count;
        int r = command_numbers(command, 1, 1, &count);

        if (r == 0)
                sim_flash_cut_after(command->machine->board->flash, count);
        command_result(command, r);
}

static void command_stall_after(const Command *command) {
        uint32_t count;
        int r = command_numbers(command, 1, 1, &count);

        if (r == 0)
                sim_flash_stall_after(command->machine->board->flash, count);
        command_result(command, r);
}

static void command_unplug(const Command *command) {
        sim_machine_say(command->machine, "line: unplugged");
        command_result(command, sim_line_unplug(command->machine->board->line));
}

static void command_plug(const Command *command) {
        sim_machine_say(command->machine, "line: plugged");
        command_result(command, sim_line_plug(command->machine->board->line));
}

static void command_noise(const Command *command) {
        uint32_t numbers[3] = { 0 };
        int r = command_numbers(command, 2, 3, numbers);

        if (r == 0)
                sim_line_set_noise(
                                command->machine->board->line, numbers[0], numbers[1], numbers[2]);
        command_result(command, r);
}

/* "on", which is also what no word means, or "off". */
static int command_switch(const Command *command, bool *ret) {
        bool off = command->argc == 2 && strcmp(command->argv[1], "off") == 0;

        if (command->argc > 2 ||
                        (command->argc == 2 && !off && strcmp(command->argv[1], "on") != 0))
                return -EINVAL;
        *ret = !off;
        return 0;
}

static void command_mute(const Command *command) {
        bool mute;
        int r = command_switch(command, &mute);

        if (r == 0)
                sim_line_set_mute(command->machine->board->line, mute);
        command_result(command, r);
}

static void command_faulty(const Command *command) {
        command_result(command, command_switch(command, &command->machine->faulty));
}

static void command_reset(const Command *command) {
        sim_machine_reset(command->machine, RKD_CAUSE_PIN);
        command_result(command, 0);
}

static void command_wipe_program(const Command *command) {
        const SimOptions *options = command->machine->options;
        SimFlash *flash = command->machine->board->flash;

        for (uint32_t slot = 0; slot < options->slots; slot++)
                sim_flash_wipe(flash, slot * sim_flash_slot_size(flash), options->program_bytes);
        command_result(command, 0);
}

static void command_corrupt(const Command *command) {
        uint32_t offset;
        int r = command_numbers(command, 1, 1, &offset);

        if (r == 0)
                r = sim_flash_corrupt(command->machine->board->flash, offset);
        command_result(command, r);
}

static int command_status_units(const Command *command, int n) {
        const SimFlash *flash = command->machine->board->flash;
        const char *separator = "";
        uint32_t unit;

        for (unit = 0; unit < sim_flash_units(flash); unit++) {
                uint32_t erases = sim_flash_unit_erases(flash, unit),
                         writes = sim_flash_unit_writes(flash, unit);

                if ((size_t)n + COMMAND_STATUS_TAIL > command->size)
                        break;
                if (erases == 0 && writes == 0)
                        continue;
                n += snprintf(command->answer + n, command->size - (size_t)n, "%s\"%u\":[%u,%u]",
                                separator, (unsigned)unit, (unsigned)erases, (unsigned)writes);
                separator = ",";
        }
        return n;
}

static void command_status(const Command *command) {
        const SimMachine *machine = command->machine;
        const SimBoard *board = machine->board;
        const SimLineCounts *line = sim_line_counts(board->line);
        const SimFlashCounts *flash = sim_flash_counts(board->flash);
        const char *separator = "";
        int cause, n;

#define COMMAND_PRINT(...) snprintf(command->answer + n, command->size - (size_t)n, __VA_ARGS__)
        n = 0;
        n += COMMAND_PRINT(
                        "{\"state\":\"%s\",\"pid\":%d,\"slot\":%u,\"starts\":%u,\"cause\":\"%s\",\"resets\":{",
                        sim_machine_state_names[machine->state],
                        machine->process ? (int)sim_process_pid(machine->process) : 0,
                        (unsigned)board->start.slot, (unsigned)machine->starts,
                        sim_cause_names[machine->cause]);
        for (cause = 0; cause < _RKD_CAUSE_MAX; cause++, separator = ",")
                n += COMMAND_PRINT("%s\"%s\":%u", separator, sim_cause_names[cause],
                                (unsigned)machine->resets[cause]);
        n += COMMAND_PRINT(
                        "},\"plugged\":%s,\"baud\":%u,\"bytes-in\":%llu,\"bytes-out\":%llu,\"damaged\":%llu,"
                        "\"lost\":%llu,\"deaf\":%llu,",
                        sim_line_is_plugged(board->line) ? "true" : "false",
                        (unsigned)sim_line_baud(board->line), (unsigned long long)line->bytes_in,
                        (unsigned long long)line->bytes_out, (unsigned long long)line->damaged,
                        (unsigned long long)line->lost, (unsigned long long)machine->deaf);
        n += COMMAND_PRINT(
                        "\"stalled\":%s,\"operations\":%llu,\"erases\":%llu,\"writes\":%llu,\"overwrites\":%llu,"
                        "\"units\":{",
                        sim_flash_is_stalled(board->flash) ? "true" : "false",
                        (unsigned long long)flash->operations, (unsigned long long)flash->erases,
                        (unsigned long long)flash->writes, (unsigned long long)flash->overwrites);
        n = command_status_units(command, n);
        n += COMMAND_PRINT("}}");
#undef COMMAND_PRINT
}

static const struct {
        const char *verb;
        void (*run)(const Command *command);
} command_table[] = {
        { "power-cut", command_power_cut },
        { "cut-after", command_cut_after },
        { "stall-after", command_stall_after },
        { "unplug", command_unplug },
        { "plug", command_plug },
        { "noise", command_noise },
        { "mute", command_mute },
        { "faulty", command_faulty },
        { "reset", command_reset },
        { "wipe-program", command_wipe_program },
        { "corrupt", command_corrupt },
        { "status", command_status },
};

void sim_machine_on_command(void *userdata, int argc, char **argv, char *ret_answer, size_t size) {
        Command command = { userdata, argc, argv, ret_answer, size };
        size_t i;

        for (i = 0; i < sizeof(command_table) / sizeof(command_table[0]); i++)
                if (strcmp(argv[0], command_table[i].verb) == 0) {
                        command_table[i].run(&command);
                        return;
                }
        (void)snprintf(ret_answer, size, "error: unknown command");
}
