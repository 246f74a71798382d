/* SPDX-License-Identifier: MIT */

/*
 * The command line of rekindle-sim: one table gives each option's type, range, default and
 * meaning, and feeds the parser and --help.
 */

#include "sim-options.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build-config.h"
#include "rekindle/device.h"

#define OPTION_FIRST  256
#define OPTION_COUNT  (sizeof(option_table) / sizeof(option_table[0]))
#define STRING_MAX    63
#define DEFAULT_SPEED 115200

typedef enum OptionKind {
        OPTION_PATH,
        OPTION_STRING, /* what a device may say of itself: printable, short */
        OPTION_NUMBER,
        OPTION_FLAG,
        OPTION_YES_NO,
        OPTION_SPEEDS,
        OPTION_CODEC,
} OptionKind;

typedef struct OptionSpec {
        const char *name;
        OptionKind kind;
        size_t offset;
        uint32_t min;
        uint32_t max;
        uint32_t number;  /* default */
        const char *text; /* default */
        const char *argument;
        const char *help;
} OptionSpec;

#define AT(member) offsetof(SimOptions, member)

/* clang-format off */
static const OptionSpec option_table[] = {
        { "link", OPTION_PATH, AT(link), 0, 0, 0, NULL, "PATH", "symlink to the pty" },
        { "unix", OPTION_PATH, AT(unix_path), 0, 0, 0, NULL, "PATH", "listen on a socket instead of a pty" },
        { "fd", OPTION_NUMBER, AT(fd), 0, INT32_MAX, UINT32_MAX, NULL, "N", "an open descriptor instead of a pty" },
        { "pace", OPTION_FLAG, AT(pace), 0, 0, 0, NULL, NULL, "bytes take their time, speeds must match" },
        { "half-duplex", OPTION_FLAG, AT(half_duplex), 0, 0, 0, NULL, NULL, "speak only when polled" },
        { "echo", OPTION_FLAG, AT(echo), 0, 0, 0, NULL, NULL, "the gateway hears itself" },
        { "address", OPTION_NUMBER, AT(address), 0, 254, 0, NULL, "N", "address on a bus; 0: point to point" },
        { "speeds", OPTION_SPEEDS, AT(speeds), 0, 0, DEFAULT_SPEED, NULL, "BAUD,...", "the first is the one after a reset" },
        { "program-baud", OPTION_NUMBER, AT(program_baud), 300, 20000000, 0, NULL, "BAUD", "the program's speed, if another" },

        { "flash", OPTION_PATH, AT(flash), 0, 0, 0, NULL, "FILE", "flash memory (needed); created if missing" },
        { "program-space", OPTION_NUMBER, AT(program_bytes), 1024, 16 << 20, 64 << 10, NULL, "BYTES", "program area" },
        { "slots", OPTION_NUMBER, AT(slots), 1, 2, 1, NULL, "N", "program areas, each with a record" },
        { "unit", OPTION_NUMBER, AT(unit_bytes), 512, 64 << 10, 1024, NULL, "BYTES", "flash unit of the link" },
        { "erase-size", OPTION_NUMBER, AT(erase_bytes), 512, 64 << 10, 0, NULL, "BYTES", "erase unit; default: the unit" },
        { "write-size", OPTION_NUMBER, AT(write_bytes), 1, RKD_WRITE_SIZE_MAX, 4, NULL, "BYTES", "write unit" },
        { "erase-ms", OPTION_NUMBER, AT(erase_msec), 0, 60000, 10, NULL, "MS", "time to erase one unit" },
        { "write-us", OPTION_NUMBER, AT(write_usec), 0, 1000000, 42, NULL, "US", "time to write one write unit" },
        { "flash-times", OPTION_YES_NO, AT(flash_times), 0, 0, 1, NULL, "on|off", "off: flash takes no time" },
        { "flash-blocks-cpu", OPTION_FLAG, AT(flash_blocks_cpu), 0, 0, 0, NULL, NULL, "deaf while flash works" },
        { "load", OPTION_PATH, AT(load), 0, 0, 0, NULL, "IMAGE", "put a program into flash by other means first" },

        { "model", OPTION_STRING, AT(model), 1, 0, 0, "sim", "TEXT", "model" },
        { "hardware", OPTION_STRING, AT(hardware), 0, 0, 0, "A", "TEXT", "hardware revision" },
        { "serial", OPTION_STRING, AT(serial), 0, 0, 0, "0001", "TEXT", "serial number" },
        { "bootloader-version", OPTION_STRING, AT(bootloader_version), 0, 0, 0, "1.0.0", "TEXT", "version" },
        { "device-key", OPTION_PATH, AT(device_key), 0, 0, 0, NULL, "FILE", "publisher's public key (PEM); demands signatures" },
        { "floor-enforced", OPTION_FLAG, AT(floor_enforced), 0, 0, 0, NULL, NULL, "the device enforces the floor" },
        { "buffer", OPTION_NUMBER, AT(buffer_bytes), 256, 1 << 20, 4096, NULL, "BYTES", "receive buffer" },
        { "max-payload", OPTION_NUMBER, AT(max_payload), 64, 4096, 2048, NULL, "BYTES", "longest payload of a frame" },
        { "codec", OPTION_CODEC, AT(codec), 0, 0, RKD_PATCH_NONE, NULL, "raw|compact|full", "patches that it can take" },
        { "trial-timer", OPTION_YES_NO, AT(trial_timer), 0, 0, 1, NULL, "yes|no", "the hardware has a trial timer" },
        { "read-back", OPTION_YES_NO, AT(read_back), 0, 0, 1, NULL, "yes|no", "flash can be read over the line" },
        { "watchdog-ms", OPTION_NUMBER, AT(watchdog_msec), 50, 600000, 1000, NULL, "MS", "the watchdog's window" },

        { "control", OPTION_PATH, AT(control), 0, 0, 0, NULL, "PATH", "socket for faults on demand" },
        { "noise-flip", OPTION_NUMBER, AT(noise_flip), 0, UINT32_MAX, 0, NULL, "N", "one byte of N is flipped" },
        { "noise-drop", OPTION_NUMBER, AT(noise_drop), 0, UINT32_MAX, 0, NULL, "N", "one byte of N is dropped" },
        { "mute", OPTION_FLAG, AT(mute), 0, 0, 0, NULL, NULL, "the gateway hears nothing" },
        { "faulty", OPTION_FLAG, AT(faulty), 0, 0, 0, NULL, NULL, "every program crashes" },
        { "cut-after", OPTION_NUMBER, AT(cut_after), 0, UINT32_MAX, 0, NULL, "N", "power cut in the Nth flash operation" },
        { "seed", OPTION_NUMBER, AT(seed), 1, UINT32_MAX, 1, NULL, "N", "of noise and of half-done flash operations" },
        { "verbose", OPTION_FLAG, AT(verbose), 0, 0, 0, NULL, NULL, "a line per event on stderr" },
};
/* clang-format on */

static int option_number(const char *text, uint32_t min, uint32_t max, uint32_t *ret) {
        unsigned long long value;
        char *end;

        if (text[0] < '0' || text[0] > '9')
                return -EINVAL;
        errno = 0;
        value = strtoull(text, &end, 0);
        if (errno != 0 || *end != '\0' || value < min || value > max)
                return -EINVAL;
        *ret = (uint32_t)value;
        return 0;
}

static int option_speeds(SimOptions *options, const char *text) {
        char copy[128], *save = NULL, *word;
        uint32_t n = 0;

        if (strlen(text) >= sizeof(copy))
                return -EINVAL;
        (void)strcpy(copy, text);
        for (word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save))
                if (n == SIM_SPEEDS_MAX ||
                                option_number(word, 300, 20000000, &options->speeds[n++]) < 0)
                        return -EINVAL;
        options->n_speeds = n;
        return n > 0 ? 0 : -EINVAL;
}

static int option_codec(SimOptions *options, const char *text) {
        static const char *const names[_RKD_PATCH_PROFILE_MAX] = {
                [RKD_PATCH_NONE] = "raw",
                [RKD_PATCH_COMPACT] = "compact",
                [RKD_PATCH_FULL] = "full",
        };

        for (uint32_t i = 0; i < _RKD_PATCH_PROFILE_MAX; i++)
                if (strcmp(text, names[i]) == 0) {
                        options->codec = i;
                        return 0;
                }
        return -EINVAL;
}

static int option_string(const char *text, uint32_t min) {
        size_t i;

        for (i = 0; text[i]; i++)
                if (text[i] < 0x20 || text[i] > 0x7e)
                        return -EINVAL;
        return i >= min && i <= STRING_MAX ? 0 : -EINVAL;
}

/* What would have been right. */
static void option_allowed(const OptionSpec *spec, char *ret, size_t size) {
        switch (spec->kind) {
        case OPTION_NUMBER:
                (void)snprintf(ret, size, "%u to %u", (unsigned)spec->min, (unsigned)spec->max);
                break;
        case OPTION_STRING:
                (void)snprintf(ret, size, "%u to %d printable ASCII characters",
                                (unsigned)spec->min, STRING_MAX);
                break;
        case OPTION_SPEEDS:
                (void)snprintf(ret, size, "1 to %d speeds of 300 to 20000000, commas between",
                                SIM_SPEEDS_MAX);
                break;
        case OPTION_YES_NO:
                (void)snprintf(ret, size, "%s", spec->argument);
                break;
        default:
                (void)snprintf(ret, size, "not empty");
        }
}

static int option_set(SimOptions *options, const OptionSpec *spec, const char *text) {
        void *member = (char *)options + spec->offset;

        switch (spec->kind) {
        case OPTION_PATH:
                *(const char **)member = text;
                return text[0] ? 0 : -EINVAL;
        case OPTION_STRING:
                *(const char **)member = text;
                return option_string(text, spec->min);
        case OPTION_NUMBER:
                return option_number(text, spec->min, spec->max, member);
        case OPTION_FLAG:
                *(uint32_t *)member = 1;
                return 0;
        case OPTION_YES_NO:
                *(uint32_t *)member = strcmp(text, "yes") == 0 || strcmp(text, "on") == 0;
                return *(uint32_t *)member || strcmp(text, "no") == 0 || strcmp(text, "off") == 0
                                       ? 0
                                       : -EINVAL;
        case OPTION_SPEEDS:
                return option_speeds(options, text);
        case OPTION_CODEC:
                return option_codec(options, text);
        }
        return -EINVAL;
}

static void option_defaults(SimOptions *options) {
        size_t i;

        memset(options, 0, sizeof(*options));
        for (i = 0; i < OPTION_COUNT; i++) {
                void *member = (char *)options + option_table[i].offset;

                if (option_table[i].kind == OPTION_PATH || option_table[i].kind == OPTION_STRING)
                        *(const char **)member = option_table[i].text;
                else
                        *(uint32_t *)member = option_table[i].number;
        }
        options->n_speeds = 1;
}

static int option_complain(const char *what) {
        (void)fprintf(stderr, "rekindle-sim: %s\n", what);
        return -EINVAL;
}

/* What no single option can tell. */
static int option_check(SimOptions *options) {
        if (!options->flash)
                return option_complain("--flash=FILE is needed");
        if ((options->unix_path != NULL) + (options->fd != UINT32_MAX) + (options->link != NULL) >
                        1)
                return option_complain("only one of --link, --unix and --fd can be given");
        if (options->erase_bytes == 0)
                options->erase_bytes = options->unit_bytes;
        if ((options->write_bytes & (options->write_bytes - 1)) != 0)
                return option_complain("--write-size must be a power of two");
        if (options->erase_bytes % options->write_bytes != 0)
                return option_complain("--erase-size must be a multiple of --write-size");
        if ((options->unit_bytes & (options->unit_bytes - 1)) != 0)
                return option_complain("--unit must be a power of two");
        if (options->unit_bytes % options->erase_bytes != 0)
                return option_complain("--unit must be a multiple of --erase-size");
        if (options->erase_bytes < RKD_RECORD_SIZE_MIN)
                return option_complain("--erase-size must be large enough for a record, 640 bytes");
        if (options->program_bytes % options->unit_bytes != 0)
                return option_complain("--program-space must be a multiple of --unit");
        if (options->codec != RKD_PATCH_NONE &&
                        ((options->unit_bytes & (options->unit_bytes - 1)) != 0 ||
                                        options->program_bytes / options->unit_bytes >
                                                        RKD_PATCH_UNITS_MAX))
                return option_complain("--codec needs a --unit that is a power of two, and at most "
                                       "512 of them in --program-space");
        if (options->max_payload > options->buffer_bytes)
                return option_complain("--max-payload must not be larger than --buffer");
        return 0;
}

static void option_help(void) {
        size_t i;

        (void)puts("rekindle-sim --flash=FILE [OPTION...]\n\nA simulated device on a pty.\n");
        for (i = 0; i < OPTION_COUNT; i++) {
                char left[64];

                (void)snprintf(left, sizeof(left), "--%s%s%s", option_table[i].name,
                                option_table[i].argument ? "=" : "",
                                option_table[i].argument ? option_table[i].argument : "");
                (void)printf("  %-28s %s\n", left, option_table[i].help);
        }
        (void)puts("  --help                       this text\n"
                   "  --version                    the version");
}

int sim_options_parse(SimOptions *ret, int argc, char **argv) {
        struct option names[OPTION_COUNT + 3];
        SimOptions options;
        size_t i;
        int c;

        for (i = 0; i < OPTION_COUNT; i++)
                names[i] = (struct option){ option_table[i].name,
                        option_table[i].argument ? required_argument : no_argument, NULL,
                        OPTION_FIRST + (int)i };
        names[i++] = (struct option){ "help", no_argument, NULL, 'h' };
        names[i++] = (struct option){ "version", no_argument, NULL, 'V' };
        names[i] = (struct option){ NULL, 0, NULL, 0 };

        option_defaults(&options);
        opterr = 0;
        while ((c = getopt_long(argc, argv, ":h", names, NULL)) >= 0) {
                if (c == 'h') {
                        option_help();
                        return 1;
                }
                if (c == 'V') {
                        (void)puts("rekindle-sim " REKINDLE_VERSION);
                        return 1;
                }
                if (c < OPTION_FIRST) {
                        (void)fprintf(stderr, "rekindle-sim: %s %s; see --help\n", argv[optind - 1],
                                        c == ':' ? "needs a value" : "is no option here");
                        return -EINVAL;
                }
                if (option_set(&options, &option_table[c - OPTION_FIRST], optarg ? optarg : "") <
                                0) {
                        char allowed[80];

                        option_allowed(&option_table[c - OPTION_FIRST], allowed, sizeof(allowed));
                        (void)fprintf(stderr, "rekindle-sim: --%s is \"%s\"; it has to be %s\n",
                                        option_table[c - OPTION_FIRST].name, optarg, allowed);
                        return -EINVAL;
                }
        }
        if (optind < argc)
                return option_complain("it takes options only; see --help");
        if (option_check(&options) < 0)
                return -EINVAL;
        *ret = options;
        return 0;
}
