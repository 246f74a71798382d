/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a person brings in a folder counts at once, whatever the gateway tries by itself, or is
 * refused with a word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/file.h"
#include "update-fixture.h"

#define STORE_NAME (SHA256_HEX + 8)

static const Program offer[] = { PROGRAM_CANDIDATE, PROGRAM_NONE };

static int server = -1; /* takes every request and answers none; -1: there is none */

static int listen_server(const World *w) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/fetch", w->path);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
                        listen(fd, 64) < 0)
                return -1;
        return fd;
}

static int setup(void **state) {
        int r = world_setup(state);

        if (r == 0)
                world_lose(*state, PROGRAM_CANDIDATE);
        return r;
}

static int setup_slow_server(void **state) {
        int r = setup(state);

        if (r == 0)
                server = listen_server(*state);
        return r == 0 && server >= 0 ? 0 : -1;
}

static int teardown(void **state) {
        server = close_fd(server);
        return world_teardown(state);
}

/* As it is exported: with the candidate's file, if it is not left out. */
static int make_folder(const World *w, const char *name, bool whole) {
        static const char *const below[] = { "", "/targets", "/targets/boiler-ctl",
                "/targets/boiler-ctl/1.2.0" };
        uint8_t bytes[64];
        char path[256], digest[SHA256_HEX];
        Sha256 sha256;
        int fd;

        for (size_t i = 0; i < ELEMENTSOF(below); i++) {
                (void)snprintf(path, sizeof(path), "%s/%s%s", w->path, name, below[i]);
                assert_int_equal(mkdir(path, 0700), 0);
        }
        if (whole) {
                program_digest(PROGRAM_CANDIDATE, &sha256);
                sha256_to_hex(&sha256, digest);
                memset(bytes, 'a' + PROGRAM_CANDIDATE, sizeof(bytes));
                (void)snprintf(path, sizeof(path), "%s/%s%s/%s.image", w->path, name, below[3],
                                digest);
                fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
                assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
                (void)close(fd);
        }
        (void)snprintf(path, sizeof(path), "%s/%s", w->path, name);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(fd >= 0);
        return fd;
}

static Outcome bring(World *w, const char *version, bool whole, Why *text) {
        int fd = make_folder(w, whole ? "whole" : "empty", whole);
        Outcome o = device_request_update_from(w->device, version, fd, text);

        (void)close(fd);
        return o;
}

static void assert_runs_candidate(World *w) {
        Sha256 digest;

        world_until_over(w);
        program_digest(PROGRAM_CANDIDATE, &digest);
        assert_true(sha256_equal(&w->unit.id.digest, &digest));
        assert_int_equal(w->unit.id.state, DEVICE_CONFIRMED);
}

/* The gateway has found the release by itself, or was asked for it. */
static void ask_server(World *w, const char *version) {
        Why text;

        world_turns(w, 20);
        world_offer(w, offer);
        if (version && device_request_update(w->device, version, &text) != OUTCOME_DONE)
                fail_msg("%s", text.text);
        world_until_state(w, server >= 0 ? UPDATE_DOWNLOADING : UPDATE_WAITING);
}

static bool begins_to_wait(World *w, void *userdata) {
        const Update *u = w->device->update;

        return u && u->entering && u->state == UPDATE_WAITING;
}

static void a_folder_takes_the_place_of_a_slow_server(void **state) {
        World *w = *state;
        Why text;

        ask_server(w, NULL);
        if (bring(w, NULL, true, &text) != OUTCOME_DONE)
                fail_msg("%s", text.text);
        assert_runs_candidate(w);
}

static void a_folder_is_minded_while_a_wait_begins(void **state) {
        World *w = *state;
        Why text;

        world_turns(w, 20);
        world_offer(w, offer);
        world_until(w, begins_to_wait, NULL);
        if (bring(w, NULL, true, &text) != OUTCOME_DONE)
                fail_msg("%s", text.text);
        assert_runs_candidate(w);
        assert_int_equal(world_results(w, OUTCOME_DONE), 1);
}

static void a_folder_is_minded_while_a_download_begins(void **state) {
        World *w = *state;
        Why text;

        world_turns(w, 20);
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_offer(w, offer);
        assert_true(w->device->update->entering);
        if (bring(w, NULL, true, &text) != OUTCOME_DONE)
                fail_msg("%s", text.text);
        assert_runs_candidate(w);
}

static void a_choice_by_name_goes_on_from_a_folder(void **state) {
        World *w = *state;
        uint64_t id;
        Why text;

        ask_server(w, "1.2.0");
        id = w->device->update->id;
        if (bring(w, NULL, true, &text) != OUTCOME_DONE)
                fail_msg("%s", text.text);
        assert_true(w->device->update->id == id);
        assert_runs_candidate(w);
}

static void another_version_than_the_choice_is_refused(void **state) {
        World *w = *state;
        Why text;

        ask_server(w, "1.2.0");
        assert_int_equal(bring(w, "1.1.0", true, &text), OUTCOME_BUSY);
        assert_string_equal(text.text,
                        "boiler is busy: upgrade to 1.2.0, downloading; rekindlectl cancel boiler");
}

/* It began by itself, perhaps because of the very check that comes before such a request. */
static void another_version_than_the_gateways_own_choice_is_begun(void **state) {
        static const Program both[] = { PROGRAM_PREVIOUS, PROGRAM_CANDIDATE, PROGRAM_NONE };
        World *w = *state;
        Why text;

        ask_server(w, NULL);
        world_offer(w, both);
        if (device_request_update(w->device, "1.0.0", &text) != OUTCOME_DONE)
                fail_msg("%s", text.text);
        assert_string_equal(w->device->update->candidate->version, "1.0.0");
        assert_int_equal(device_request_update(w->device, "1.2.0", &text), OUTCOME_BUSY);
        world_until_over(w);
        assert_string_equal(w->unit.id.version, "1.0.0");
        assert_string_equal(w->device->record->passed_over, "1.2.0");
}

static void the_same_version_as_the_gateways_own_choice_goes_on(void **state) {
        World *w = *state;
        Why text;

        ask_server(w, NULL);
        assert_int_equal(device_request_update(w->device, "1.2.0", &text), OUTCOME_BUSY);
        assert_int_equal(device_request_update(w->device, NULL, &text), OUTCOME_BUSY);
        assert_int_equal(device_request_update(w->device, "no version", &text), OUTCOME_BUSY);
}

static void a_push_is_not_replaced_by_a_folder(void **state) {
        World *w = *state;
        Why text;

        world_turns(w, 20);
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_TRIAL));
        assert_int_equal(bring(w, NULL, true, &text), OUTCOME_BUSY);
        assert_string_equal(text.text, "boiler is busy: upgrade to 1.2.0, trial");
}

static void nothing_is_replaced_under_hold(void **state) {
        World *w = *state;
        Why text;

        ask_server(w, "1.2.0");
        w->device->record->hold = true;
        assert_int_equal(bring(w, NULL, true, &text), OUTCOME_BUSY);
}

/* What the folder lacks is said for as long as the server lacks it too. */
static void why_the_folder_was_of_no_use_is_not_forgotten(void **state) {
        World *w = *state;
        Why text;

        ask_server(w, NULL);
        assert_int_equal(bring(w, NULL, false, &text), OUTCOME_DONE);
        for (unsigned i = 0; i < 3; i++) {
                world_until_state(w, UPDATE_WAITING);
                assert_non_null(strstr(w->device->update->wait_text,
                                "in the folder: it is not there; the server: "));
                update_wake(w->device->update);
                assert_int_equal(w->device->update->state, UPDATE_DOWNLOADING);
        }
        assert_int_equal(bring(w, NULL, true, &text), OUTCOME_DONE);
        assert_runs_candidate(w);
}

static bool has_asked_server(World *w, void *userdata) {
        const Update *u = w->device->update;

        return u && u->state == UPDATE_DOWNLOADING && !u->entering && u->folder_text.text[0];
}

/* What the server gave before is worth more than nothing. */
static void a_folder_of_no_use_spoils_no_download(void **state) {
        World *w = *state;
        char name[STORE_NAME];
        struct stat st;
        Sha256 digest;
        Why text;
        int fd;

        program_digest(PROGRAM_CANDIDATE, &digest);
        sha256_to_hex(&digest, name);
        (void)strcat(name, ".part");
        fd = openat(w->manager->images_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, "0123456789", 10), 10);
        (void)close(fd);
        (void)strcpy(strrchr(name, '.'), ".etag");
        fd = openat(w->manager->images_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, "\"1\"", 3), 3);
        (void)close(fd);
        ask_server(w, NULL);
        assert_int_equal(bring(w, NULL, false, &text), OUTCOME_DONE);
        world_until(w, has_asked_server, NULL);
        (void)strcpy(strrchr(name, '.'), ".part");
        assert_int_equal(fstatat(w->manager->images_fd, name, &st, 0), 0);
        assert_int_equal(st.st_size, 10);
}

/* A stick that was verified only can be unmounted, however slow a server is. */
static void a_folder_is_let_go_of_while_the_server_is_asked(void **state) {
        World *w = *state;
        int fd;

        ask_server(w, NULL);
        fd = make_folder(w, "whole", true);
        assert_int_equal(manager_offer_folder(w->manager, fd), 0);
        (void)close(fd);
        manager_consider(w->manager);
        world_turns(w, 20);
        assert_int_equal(w->manager->folder_fd, -1);
        assert_int_equal(w->device->update->state, UPDATE_DOWNLOADING);
}

int main(void) {
#define TEST(name, setup) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(a_folder_takes_the_place_of_a_slow_server, setup_slow_server),
                TEST(a_folder_is_minded_while_a_wait_begins, setup),
                TEST(a_folder_is_minded_while_a_download_begins, setup_slow_server),
                TEST(a_choice_by_name_goes_on_from_a_folder, setup_slow_server),
                TEST(another_version_than_the_choice_is_refused, setup_slow_server),
                TEST(another_version_than_the_gateways_own_choice_is_begun, setup_slow_server),
                TEST(the_same_version_as_the_gateways_own_choice_goes_on, setup_slow_server),
                TEST(a_push_is_not_replaced_by_a_folder, setup),
                TEST(nothing_is_replaced_under_hold, setup_slow_server),
                TEST(why_the_folder_was_of_no_use_is_not_forgotten, setup),
                TEST(a_folder_of_no_use_spoils_no_download, setup_slow_server),
                TEST(a_folder_is_let_go_of_while_the_server_is_asked, setup_slow_server),
        };
        sigset_t mask;

        (void)sigemptyset(&mask);
        (void)sigaddset(&mask, SIGCHLD);
        (void)sigprocmask(SIG_BLOCK, &mask, NULL);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
