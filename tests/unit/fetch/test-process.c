/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fetcher as a process: killed, idle, misconfigured, missing, kept by somebody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "fetch-world.h"

static Got got;

/* The running child of this process that is called rekindle-fetch; 0: none. */
static pid_t fetcher_pid(void) {
        DIR *proc = opendir("/proc");
        struct dirent *d;
        pid_t found = 0;

        assert_non_null(proc);
        while ((d = readdir(proc))) {
                char path[300], state = 0;
                int ppid = 0;
                FILE *f;

                (void)snprintf(path, sizeof path, "/proc/%s/stat", d->d_name);
                f = *d->d_name >= '1' && *d->d_name <= '9' ? fopen(path, "r") : NULL;
                if (!f)
                        continue;
                if (fscanf(f, "%*d (rekindle-fetch) %c %d", &state, &ppid) == 2 &&
                                ppid == getpid() && state != 'Z')
                        found = (pid_t)atoi(d->d_name);
                (void)fclose(f);
        }
        (void)closedir(proc);
        return found;
}

/* Runs the loop until the spawned process is gone and noticed. */
static void run_until_no_fetcher(FetchWorld *world) {
        for (unsigned i = 0; fetcher_pid() != 0; i++) {
                assert_true(i < 1000);
                assert_true(sd_event_run(world->event, 50 * USEC_PER_MSEC) >= 0);
        }
        while (sd_event_run(world->event, 0) > 0)
                ;
}

/* Starts a slow transfer of /a and runs until the first bytes came. */
static void start_slow_transfer(FetchWorld *world, Got *slow) {
        FetchRequest request = { .method = "GET", .url = "/a", .byte_limit = 1 << 20 };

        memset(slow, 0, sizeof *slow);
        world_file(world, "a", 500000);
        world_command(world, "slow 100000");
        (void)world_start(world, &request, slow);
        for (unsigned i = 0; slow->calls == 0; i++) {
                assert_true(i < 10000);
                assert_true(sd_event_run(world->event, USEC_PER_SEC) >= 0);
        }
        assert_false(slow->done);
}

static void killed_fetcher_breaks_its_transfers_and_the_next_call_works(void **state) {
        FetchWorld *world = *state;
        pid_t first;

        start_slow_transfer(world, &got);
        first = fetcher_pid();
        assert_true(first > 0);
        assert_int_equal(kill(first, SIGKILL), 0);
        world_run_until(world, &got.done);
        assert_int_equal(got.error, -EPIPE);
        assert_int_equal(got.status, 200);
        assert_true(got.bytes > 0 && got.bytes < 500000);
        assert_int_equal(got.headers[0] != 0, true);
        world_command(world, "slow off");
        world_get(world, "/a", &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(got.bytes, 500000);
        assert_int_not_equal(fetcher_pid(), first);
}

static void calls_behind_a_killed_fetcher_all_end(void **state) {
        static Got many[2 * FETCH_AT_ONCE];
        FetchRequest request = { .method = "GET", .url = "/a", .byte_limit = 1 << 20 };
        FetchWorld *world = *state;

        start_slow_transfer(world, &got);
        for (size_t i = 0; i < ELEMENTSOF(many); i++) {
                memset(&many[i], 0, sizeof many[i]);
                (void)world_start(world, &request, &many[i]);
        }
        assert_true(sd_event_run(world->event, USEC_PER_SEC) >= 0);
        assert_int_equal(kill(fetcher_pid(), SIGKILL), 0);
        world_command(world, "slow off");
        for (size_t i = 0; i < ELEMENTSOF(many); i++) {
                world_run_until(world, &many[i].done);
                assert_true(many[i].error == 0 || many[i].error == -EPIPE);
        }
        world_run_until(world, &got.done);
        assert_int_equal(got.error, -EPIPE);
}

static void idle_fetcher_ends_and_comes_back(void **state) {
        FetchWorld *world = *state;

        world_file(world, "a", 10);
        world_configure(world, "%sIdleSec=100ms\n", world_plain(world));
        for (unsigned i = 0; i < 3; i++) {
                world_get(world, "/a", &got);
                assert_int_equal(got.error, 0);
                run_until_no_fetcher(world);
        }
}

static void client_that_goes_ends_its_fetcher(void **state) {
        FetchWorld *world = *state;

        world_get(world, "/", &got);
        assert_true(fetcher_pid() > 0);
        world->client = fetch_client_free(world->client);
        assert_int_equal(fetcher_pid(), 0);
}

static void wrong_fetch_conf_is_told_to_who_asks(void **state) {
        FetchWorld *world = *state;

        world_configure(world, "%sConnectSec=never\n", world_plain(world));
        for (unsigned i = 0; i < 3; i++) {
                world_get(world, "/a", &got);
                assert_int_equal(got.error, -EACCES);
                assert_non_null(strstr(got.text,
                                "fetch.conf:4: ConnectSec=never is wrong; allowed: 100ms to 10min"));
        }
        world_file(world, "a", 10);
        world_configure(world, "%s", world_plain(world));
        world_get(world, "/a", &got);
        assert_int_equal(got.error, 0);
}

static void fetch_conf_without_origin_forbids_everything(void **state) {
        world_configure(*state, "AllowHttp=yes\n");
        world_get(*state, "/a", &got);
        assert_int_equal(got.error, -EACCES);
        assert_non_null(strstr(got.text, "Origin="));
}

/* A client beside the world's own, with another program. */
static void replace_client(FetchWorld *world, const char *socket, const char *program) {
        world->client = fetch_client_free(world->client);
        assert_int_equal(fetch_client_new(world->event, socket, program, NULL, &world->client), 0);
}

static void missing_program_is_said_so(void **state) {
        FetchWorld *world = *state;
        char socket[300];

        (void)snprintf(socket, sizeof socket, "%s/socket.2", world->folder);
        replace_client(world, socket, "/nowhere/rekindle-fetch");
        world_get(world, "/a", &got);
        assert_int_equal(got.error, -EPIPE);
        assert_non_null(strstr(got.text, "127"));
        replace_client(world, socket, NULL);
        world_get(world, "/a", &got);
        assert_int_equal(got.error, -EPIPE);
        assert_non_null(strstr(got.text, socket));
}

static void program_that_ends_at_once_is_not_spawned_for_ever(void **state) {
        FetchWorld *world = *state;
        char socket[300];

        (void)snprintf(socket, sizeof socket, "%s/socket.2", world->folder);
        replace_client(world, socket, "/bin/true");
        world_get(world, "/a", &got);
        assert_int_equal(got.error, -EPIPE);
        assert_non_null(strstr(got.text, "status 0"));
}

static bool listens(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        bool yes;

        assert_true(strlen(path) < sizeof address.sun_path);
        (void)stpcpy(address.sun_path, path);
        yes = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
        (void)close(fd);
        return yes;
}

static pid_t spawn_listening(const FetchWorld *world, const char *socket) {
        char config[300];
        pid_t pid;

        (void)snprintf(config, sizeof config, "%s/fetch.conf", world->folder);
        pid = fork();
        if (pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void)execl(FETCH_PROGRAM, FETCH_PROGRAM, "--config", config, "--socket", socket,
                                NULL);
                _exit(127);
        }
        for (unsigned i = 0; !listens(socket); i++) {
                assert_true(i < 9000);
                (void)usleep(10000);
        }
        return pid;
}

static void fetcher_of_somebody_else_is_used_and_not_spawned(void **state) {
        FetchWorld *world = *state;
        char socket[300];
        pid_t pid;

        world_file(world, "a", 10);
        (void)snprintf(socket, sizeof socket, "%s/socket.2", world->folder);
        pid = spawn_listening(world, socket);
        replace_client(world, socket, "/nowhere/rekindle-fetch");
        world_get(world, "/a", &got);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(got.error, 0);
        assert_int_equal(got.bytes, 10);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                WITH_WORLD(killed_fetcher_breaks_its_transfers_and_the_next_call_works),
                WITH_WORLD(calls_behind_a_killed_fetcher_all_end),
                WITH_WORLD(idle_fetcher_ends_and_comes_back),
                WITH_WORLD(client_that_goes_ends_its_fetcher),
                WITH_WORLD(wrong_fetch_conf_is_told_to_who_asks),
                WITH_WORLD(fetch_conf_without_origin_forbids_everything),
                WITH_WORLD(missing_program_is_said_so),
                WITH_WORLD(program_that_ends_at_once_is_not_spawned_for_ever),
                WITH_WORLD(fetcher_of_somebody_else_is_used_and_not_spawned),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
