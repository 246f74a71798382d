/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rekindle-fetch: the network half of Rekindle. Reads fetch.conf, takes the listening socket and
 * serves until it is idle or told to end. A fetch.conf that is wrong ends it with 1; those who
 * already wait are told why. */
#include <curl/curl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include "basic/file.h"
#include "basic/log.h"
#include "build-config.h"
#include "fetch/server.h"
#include "fetch/target.h"

#define PKCS11_MODULE "PKCS11_MODULE_PATH" /* where OpenSSL's engine looks for the module's name */

typedef struct Options {
        const char *config, *socket;
        bool describe, done;
} Options;

static void help(void) {
        (void)printf("rekindle-fetch [OPTION...]\n\n"
                     "Fetches for rekindled, over the socket of rekindle-fetch.socket.\n\n"
                     "  --config FILE         instead of %s/fetch.conf\n"
                     "  --socket PATH         listen there instead of on the socket of the service\n"
                     "                        manager\n"
                     "  --log-level LEVEL     error, warning, notice (default), info or debug\n"
                     "  --describe            print every key of fetch.conf and what it means\n"
                     "  --help, --version\n",
                        REKINDLE_SYSCONFDIR);
}

static int wrong_usage(const char *word, const char *text) {
        (void)fprintf(stderr, "rekindle-fetch: %s %s; see --help\n", word, text);
        return -EINVAL;
}

static int parse_arguments(int argc, char *argv[], Options *o) {
        enum {
                CONFIG = 256,
                SOCKET,
                LOG,
                DESCRIBE,
                HELP,
                VERSION
        };
        static const struct option options[] = {
                { "config", required_argument, NULL, CONFIG },
                { "socket", required_argument, NULL, SOCKET },
                { "log-level", required_argument, NULL, LOG },
                { "describe", no_argument, NULL, DESCRIBE },
                { "help", no_argument, NULL, HELP },
                { "version", no_argument, NULL, VERSION },
                { 0 },
        };
        int c;

        opterr = 0;
        while ((c = getopt_long(argc, argv, ":", options, NULL)) >= 0) {
                if (c == CONFIG)
                        o->config = optarg;
                else if (c == SOCKET)
                        o->socket = optarg;
                else if (c == LOG && log_level_from_string(optarg) >= 0)
                        log_set_level(log_level_from_string(optarg));
                else if (c == DESCRIBE)
                        fetch_config_describe(stdout);
                else if (c == HELP)
                        help();
                else if (c == VERSION)
                        (void)puts("rekindle-fetch " REKINDLE_VERSION);
                else if (c == LOG)
                        return wrong_usage(optarg,
                                        "is no log level; it has to be error, warning, notice, info "
                                        "or debug");
                else
                        return wrong_usage(argv[optind - 1],
                                        c == ':' ? "needs a value" : "is no option here");
                o->done = o->done || c >= DESCRIBE;
        }
        return optind == argc ? 0
                              : wrong_usage(argv[optind], "is no argument of it; it takes none");
}

static void on_warn(const char *text, void *userdata) {
        log_warning("%s", text);
}

static void on_note(const char *text, void *userdata) {
        log_info("%s", text);
}

/* The socket of the service manager, or one at the given path. */
static int take_socket(const Options *o, Why *w) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = -1;
        int n = sd_listen_fds(1), r;

        if (!o->socket) {
                if (n != 1 || sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_SEQPACKET, 1, NULL, 0) <=
                                                0)
                        return why(w, -EINVAL,
                                        "no SEQPACKET socket came from the service manager; --socket PATH makes one");
                return SD_LISTEN_FDS_START;
        }
        if (strlen(o->socket) >= sizeof address.sun_path)
                return why(w, -ENAMETOOLONG, "the path of the socket is too long: %s", o->socket);
        (void)stpcpy(address.sun_path, o->socket);
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        r = path_clear(o->socket, S_IFSOCK);
        if (r == -EEXIST)
                return why(w, r, "%s is there and no socket; it is not replaced", o->socket);
        if (fd < 0 || fchmod(fd, 0600) < 0 ||
                        bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
                        listen(fd, FETCH_CONNECTIONS_MAX) < 0)
                return why(w, -errno, "cannot listen at %s: %m", o->socket);
        return TAKE_FD(fd);
}

static int load_config(const char *path, FetchConfig *config, Why *w) {
        FetchConfigWarn warn = { on_warn, NULL };
        FetchTarget target = { 0 };
        int r;

        r = fetch_config_load(config, path, &warn, w);
        if (r < 0 || !config->origin)
                return r;
        r = fetch_target_resolve(config, "/", &target, w);
        fetch_target_done(&target);
        return r < 0 ? why_prefix(w, r, "%s", path) : 0;
}

static int serve(const FetchConfig *config, int listen_fd, bool idle) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        FetchServer *server = NULL;
        sigset_t signals;
        int r;

        (void)sigemptyset(&signals);
        (void)sigaddset(&signals, SIGTERM);
        (void)sigaddset(&signals, SIGINT);
        (void)sigprocmask(SIG_BLOCK, &signals, NULL);
        (void)signal(SIGPIPE, SIG_IGN);
        r = sd_event_new(&event);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
        if (r >= 0)
                r = fetch_server_new(event, config, listen_fd, idle, &server);
        if (r < 0)
                return log_error_errno(r, "cannot start");
        fetch_server_on_note(server, on_note, NULL);
        (void)sd_notify(0, "READY=1");
        r = sd_event_loop(event);
        (void)fetch_server_free(server);
        return r < 0 ? log_error_errno(r, "the event loop failed") : 0;
}

int main(int argc, char *argv[]) {
        Options o = { .config = REKINDLE_SYSCONFDIR "/fetch.conf" };
        FetchConfig config;
        int listen_fd, r;
        Why w;

        log_open("rekindle-fetch", LOG_NOTICE);
        if (parse_arguments(argc, argv, &o) < 0)
                return 2;
        if (o.done)
                return 0;
        listen_fd = take_socket(&o, &w);
        if (listen_fd < 0) {
                log_error("%s", w.text);
                return 1;
        }
        fetch_config_init(&config);
        r = load_config(o.config, &config, &w);
        if (r < 0) {
                log_error("%s", w.text);
                fetch_server_refuse(listen_fd, w.text);
        } else if (config.pkcs11_module && setenv(PKCS11_MODULE, config.pkcs11_module, 1) < 0) {
                r = log_error_errno(-errno, "cannot start");
        } else if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
                r = -ENOMEM;
                log_error("libcurl cannot start");
        } else {
                r = serve(&config, listen_fd, !o.socket);
                curl_global_cleanup();
        }
        fetch_config_done(&config);
        return r < 0 ? 1 : 0;
}
