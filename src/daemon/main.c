/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rekindled: options, log, signals, manager, bus, READY, loop. */
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

#include "basic/log.h"
#include "build-config.h"
#include "daemon/bus.h"

#define FILES_MAX   16384
#define LARGE_BYTES (128 * 1024)

typedef struct Options {
        ManagerOptions manager;
        bool describe, json;
        int level;
} Options;

static const char usage[] =
                "rekindled [OPTION...]\n\n"
                "Keeps the programs of the devices on this gateway's serial ports up to date.\n\n"
                "  --config FILE         configuration; default\n"
                "                        " REKINDLE_SYSCONFDIR "/rekindled.conf\n"
                "  --root FILE           the publisher's root.json; default\n"
                "                        " REKINDLE_SYSCONFDIR "/root.json\n"
                "  --state-dir FOLDER    default " REKINDLE_STATEDIR "\n"
                "  --fetch-socket PATH   socket of rekindle-fetch; default\n"
                "                        " REKINDLE_FETCHDIR "/socket\n"
                "  --fetch-program PATH  started when nothing listens there; default\n"
                "                        " REKINDLE_LIBEXECDIR "/rekindle-fetch\n"
                "  --fetch-config FILE   configuration of a fetcher that is started so; default\n"
                "                        " REKINDLE_SYSCONFDIR "/fetch.conf\n"
                "  --log-level LEVEL     error, warning, notice, info (default) or debug\n"
                "  --describe            print every configuration key and what it means\n"
                "  --json                with --describe: for programs\n"
                "  --help, --version\n";

static int parse_argv(int argc, char *argv[], Options *ret) {
        enum {
                CONFIG = 256,
                ROOT,
                STATE_DIR,
                FETCH_SOCKET,
                FETCH_PROGRAM,
                FETCH_CONFIG,
                LOG_LEVEL,
                DESCRIBE,
                JSON
        };
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'V' },
                { "config", required_argument, NULL, CONFIG },
                { "root", required_argument, NULL, ROOT },
                { "state-dir", required_argument, NULL, STATE_DIR },
                { "fetch-socket", required_argument, NULL, FETCH_SOCKET },
                { "fetch-program", required_argument, NULL, FETCH_PROGRAM },
                { "fetch-config", required_argument, NULL, FETCH_CONFIG },
                { "log-level", required_argument, NULL, LOG_LEVEL },
                { "describe", no_argument, NULL, DESCRIBE },
                { "json", no_argument, NULL, JSON },
                {},
        };
        int c;

        opterr = 0;
        while ((c = getopt_long(argc, argv, ":hV", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        fputs(usage, stdout);
                        exit(EXIT_SUCCESS);
                case 'V':
                        puts("rekindled " REKINDLE_VERSION);
                        exit(EXIT_SUCCESS);
                case CONFIG:
                        ret->manager.config_path = optarg;
                        ret->manager.config_required = true;
                        break;
                case ROOT:
                        ret->manager.root_path = optarg;
                        break;
                case STATE_DIR:
                        ret->manager.state_dir = optarg;
                        break;
                case FETCH_SOCKET:
                        ret->manager.fetch_socket = optarg;
                        break;
                case FETCH_PROGRAM:
                        ret->manager.fetch_program = optarg;
                        break;
                case FETCH_CONFIG:
                        ret->manager.fetch_config = optarg;
                        break;
                case LOG_LEVEL:
                        ret->level = log_level_from_string(optarg);
                        if (ret->level < 0) {
                                fprintf(stderr,
                                                "rekindled: \"%s\" is no log level: error, warning, notice, "
                                                "info or debug\n",
                                                optarg);
                                return -EINVAL;
                        }
                        break;
                case DESCRIBE:
                        ret->describe = true;
                        break;
                case JSON:
                        ret->json = true;
                        break;
                case ':':
                        fprintf(stderr, "rekindled: %s needs a value; see --help\n",
                                        argv[optind - 1]);
                        return -EINVAL;
                default:
                        fprintf(stderr, "rekindled: %s is no option here; see --help\n",
                                        argv[optind - 1]);
                        return -EINVAL;
                }
        if (optind < argc) {
                fprintf(stderr, "rekindled: unexpected argument \"%s\"; see --help\n",
                                argv[optind]);
                return -EINVAL;
        }
        if (ret->json && !ret->describe) {
                fprintf(stderr, "rekindled: --json goes with --describe only\n");
                return -EINVAL;
        }
        return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        log_notice("stopping");
        return sd_event_exit(sd_event_source_get_event(source), EXIT_SUCCESS);
}

/* From a terminal that is closed; else from somebody who takes it for a reload. */
static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        if (isatty(STDERR_FILENO))
                return on_signal(source, si, userdata);
        log_notice("SIGHUP changes nothing: the configuration is read at the start; restart the service for another one");
        return 0;
}

static int block_signals(sd_event *event) {
        sigset_t set;
        int r;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGTERM);
        (void)sigaddset(&set, SIGINT);
        (void)sigaddset(&set, SIGHUP);
        (void)sigaddset(&set, SIGCHLD);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        (void)signal(SIGPIPE, SIG_IGN);
        r = sd_event_add_signal(event, NULL, SIGTERM, on_signal, NULL);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGHUP, on_hangup, NULL);
        return r < 0 ? r : sd_event_add_signal(event, NULL, SIGINT, on_signal, NULL);
}

/* All devices may have something to write at once, and what waits for the disk holds
 * descriptors. */
static void raise_limit(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= FILES_MAX)
                return;
        limit.rlim_cur = MIN(limit.rlim_max, (rlim_t)FILES_MAX);
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
                log_warning("the number of open files stays small: %s", strerror(errno));
}

/* Large blocks, such as a message of megabytes, go back to the system when they are freed, however
 * many came before; by itself the allocator learns to keep them. */
static void return_memory(void) {
#ifdef M_MMAP_THRESHOLD
        (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
#endif
}

static int run(const Options *o) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(manager_freep) Manager *m = NULL;
        Why w;
        int r;

        raise_limit();
        return_memory();
        r = sd_event_default(&event);
        if (r >= 0)
                r = block_signals(event);
        if (r >= 0)
                r = sd_event_set_watchdog(event, true);
        if (r < 0)
                return log_error_errno(r, "the event loop cannot be made");
        r = manager_new(event, &clock_system, &o->manager, &m, &w);
        if (r < 0) {
                log_error("%s", w.text);
                return r;
        }
        r = bus_new(m, NULL, &m->bus, &w);
        if (r < 0) {
                log_error("%s", w.text);
                return r;
        }
        r = manager_start(m);
        if (r < 0) {
                (void)log_error_errno(r, "the ports and open updates could not be taken up");
        } else {
                (void)sd_notify(false, "READY=1");
                r = sd_event_loop(event);
                (void)sd_notify(false, "STOPPING=1");
        }
        m->bus = bus_free(m->bus);
        return r < 0 ? r : m->exit_error;
}

int main(int argc, char *argv[]) {
        Options o = {
                .manager = {
                        .config_path = REKINDLE_SYSCONFDIR "/rekindled.conf",
                        .root_path = REKINDLE_SYSCONFDIR "/root.json",
                        .state_dir = REKINDLE_STATEDIR,
                        .fetch_socket = REKINDLE_FETCHDIR "/socket",
                        .fetch_program = REKINDLE_LIBEXECDIR "/rekindle-fetch",
                        .fetch_config = REKINDLE_SYSCONFDIR "/fetch.conf",
                },
                .level = LOG_INFO,
        };

        if (parse_argv(argc, argv, &o) < 0)
                return 2;
        if (o.describe) {
                config_describe(stdout, o.json);
                return EXIT_SUCCESS;
        }
        log_open("rekindled", o.level);
        return run(&o) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
