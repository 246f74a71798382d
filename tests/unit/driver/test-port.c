/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* States, queue and exchanges of a port, over a pair of sockets and scripted drivers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/clock.h"
#include "fake-driver.h"
#include "fake-port.h"
#include "proto/message.h"

#define TURNS_MAX       2000 /* of the loop until something has to have happened */
#define EXCHANGE_MAX    8
#define TURNAROUND_USEC (20 * USEC_PER_MSEC)

static sd_event *event;
static Port *port;
static FakePort line;
static FakeDriver drivers[EXCHANGE_MAX];
static Exchange *exchanges[EXCHANGE_MAX];
static struct {
        size_t order[EXCHANGE_MAX];
        DriverCode code[EXCHANGE_MAX];
        char text[WHY_MAX];
        size_t n_done, n_states, n_hellos, n_progress;
        bool bootloader;
        bool again; /* on_done queues the exchange once more */
        Exchange *cancel;
} seen;

static const FakeStep ask_and_listen[] = { { DRIVER_SEND, "ping" }, { DRIVER_WAIT },
        { DRIVER_DONE } };
static const FakeStep nothing[] = { { DRIVER_DONE } };

static void submit(size_t i, PortPriority priority);

static void on_done(Exchange *x, const DriverResult *result, void *userdata) {
        size_t i = (size_t)userdata;

        seen.order[seen.n_done] = i;
        seen.code[seen.n_done++] = result->code;
        (void)strcpy(seen.text, result->why.text);
        exchanges[i] = NULL;
        seen.cancel = exchange_cancel(seen.cancel);
        if (seen.again) {
                seen.again = false;
                submit(i, PORT_STATUS);
        }
}

static void on_progress(Exchange *x, const DriverProgress *p, void *userdata) {
        seen.n_progress++;
}

static void on_state(Port *p, void *userdata) {
        seen.n_states++;
}

static void on_hello(Port *p, bool bootloader, void *userdata) {
        seen.n_hellos++;
        seen.bootloader = bootloader;
}

static const PortEvents events = { .on_state = on_state, .on_hello = on_hello };

static void make(PortMode mode, bool half_duplex, const Planner *planner) {
        PortConfig config = { .name = "p",
                .path = "/dev/fake",
                .mode = mode,
                .baud = 115200,
                .half_duplex = half_duplex,
                .turnaround_usec = TURNAROUND_USEC };
        PortWorld world = {
                .event = event,
                .events = &events,
                .planner = planner,
                .opener = fake_port_open,
                .opener_userdata = &line,
        };
        Why w = { "" };

        assert_int_equal(port_new_full(&world, &config, &port, &w), 0);
}

static int setup(void **state) {
        memset(&seen, 0, sizeof(seen));
        memset(exchanges, 0, sizeof(exchanges));
        line = (FakePort)FAKE_PORT_INIT;
        for (size_t i = 0; i < EXCHANGE_MAX; i++)
                drivers[i] = fake_driver(nothing);
        return sd_event_new(&event);
}

static int teardown(void **state) {
        port = port_free(port);
        fake_port_done(&line);
        event = sd_event_unref(event);
        return 0;
}

static void submit(size_t i, PortPriority priority) {
        DriverRequest request = { .op = DRIVER_IDENTIFY };
        ExchangeFuncs funcs = {
                .on_done = on_done, .on_progress = on_progress, .userdata = (void *)i
        };

        assert_int_equal(port_submit(port, priority, &drivers[i].driver, &request, &funcs,
                                         &exchanges[i]),
                        0);
}

/* All that can happen now. */
static void settle(void) {
        for (unsigned i = 0; i < TURNS_MAX && sd_event_run(event, 0) > 0; i++)
                ;
}

static void run_until(const size_t *count, size_t value) {
        for (unsigned i = 0; i < TURNS_MAX && *count < value; i++)
                assert_true(sd_event_run(event, 20 * USEC_PER_MSEC) >= 0);
        assert_true(*count >= value);
}

static void say(const char *text) {
        assert_int_equal(write(line.far, text, strlen(text)), (int)strlen(text));
        settle();
}

static void assert_heard(const char *text) {
        char buffer[256] = "";

        (void)!read(line.far, buffer, sizeof(buffer) - 1);
        assert_string_equal(buffer, text);
}

static void exchange_runs_its_driver(void **state) {
        make(PORT_EXCLUSIVE, false, NULL);
        drivers[0] = fake_driver(ask_and_listen);
        submit(0, PORT_STATUS);
        assert_int_equal(drivers[0].n_starts, 0); /* never from inside the caller */
        settle();
        assert_true(port_is_busy(port));
        assert_heard("ping");
        say("pong");
        assert_int_equal(seen.n_done, 1);
        assert_int_equal(seen.code[0], DRIVER_OK);
        assert_string_equal(drivers[0].heard, "pong");
        assert_false(port_is_busy(port));
}

static void restore_goes_before_push_before_status(void **state) {
        static const size_t order[] = { 0, 4, 2, 3, 1 };

        make(PORT_EXCLUSIVE, false, NULL);
        drivers[0] = fake_driver(ask_and_listen);
        submit(0, PORT_STATUS);
        settle();
        submit(1, PORT_STATUS);
        submit(2, PORT_PUSH);
        submit(3, PORT_PUSH);
        submit(4, PORT_RESTORE);
        assert_int_equal(port_queue_length(port), 4);
        say("go");
        settle();
        assert_int_equal(seen.n_done, 5);
        assert_memory_equal(seen.order, order, sizeof(order));
}

static void queued_exchange_is_canceled_without_a_word(void **state) {
        make(PORT_EXCLUSIVE, false, NULL);
        submit(0, PORT_STATUS);
        submit(1, PORT_STATUS);
        assert_null(exchange_cancel(exchanges[0]));
        assert_null(exchange_cancel(NULL));
        settle();
        assert_int_equal(seen.n_done, 1);
        assert_int_equal(seen.order[0], 1);
        assert_int_equal(drivers[0].n_starts, 0);
}

static void running_exchange_is_canceled_with_its_farewell(void **state) {
        make(PORT_EXCLUSIVE, false, NULL);
        drivers[0] = fake_driver(ask_and_listen);
        drivers[0].farewell = "bye";
        submit(0, PORT_STATUS);
        submit(1, PORT_STATUS);
        settle();
        (void)exchange_cancel(exchanges[0]);
        settle();
        assert_heard("pingbye");
        assert_int_equal(seen.n_done, 1);
        assert_int_equal(seen.order[0], 1);
}

static void callback_may_cancel_and_queue(void **state) {
        make(PORT_EXCLUSIVE, false, NULL);
        submit(0, PORT_STATUS);
        submit(1, PORT_STATUS);
        seen.cancel = exchanges[1];
        seen.again = true;
        settle();
        assert_int_equal(seen.n_done, 2);
        assert_int_equal(drivers[0].n_starts, 2);
        assert_int_equal(drivers[1].n_starts, 0);
}

static void driver_that_refuses_the_request_ends_it(void **state) {
        make(PORT_EXCLUSIVE, false, NULL);
        drivers[0].start_error = -EINVAL;
        submit(0, PORT_STATUS);
        settle();
        assert_int_equal(seen.code[0], DRIVER_E_UNSUPPORTED);
}

static void line_returns_to_the_ports_speed(void **state) {
        static const FakeStep steps[] = { { DRIVER_LINE, .baud = 9600 }, { DRIVER_WAIT },
                { DRIVER_DONE } };

        make(PORT_EXCLUSIVE, false, NULL);
        assert_int_equal(line.line.baud, 115200);
        drivers[0] = fake_driver(steps);
        submit(0, PORT_STATUS);
        settle();
        assert_int_equal(line.line.baud, 9600);
        say("x");
        assert_int_equal(line.line.baud, 115200);
}

static void speed_changes_only_when_all_bytes_have_left(void **state) {
        static const FakeStep steps[] = { { DRIVER_SEND, "x" }, { DRIVER_LINE, .baud = 9600 },
                { DRIVER_WAIT }, { DRIVER_DONE } };

        make(PORT_EXCLUSIVE, false, NULL);
        line.queued = 1;
        drivers[0] = fake_driver(steps);
        submit(0, PORT_STATUS);
        settle();
        assert_int_equal(line.line.baud, 115200);
        line.queued = 0;
        for (unsigned i = 0; i < TURNS_MAX && line.line.baud != 9600; i++)
                assert_true(sd_event_run(event, 20 * USEC_PER_MSEC) >= 0);
        assert_int_equal(line.line.baud, 9600);
}

static void pulses_are_given_one_after_another(void **state) {
        static const FakeStep steps[] = { { DRIVER_PULSE }, { DRIVER_DONE } };

        make(PORT_EXCLUSIVE, false, NULL);
        drivers[0] = fake_driver(steps);
        submit(0, PORT_STATUS);
        settle();
        run_until(&seen.n_done, 1);
        assert_int_equal(line.n_pulses, 2);
}

static void deadline_wakes_the_driver(void **state) {
        static const FakeStep steps[] = { { DRIVER_WAIT, .wait_usec = 1000 }, { DRIVER_DONE } };

        make(PORT_EXCLUSIVE, false, NULL);
        drivers[0] = fake_driver(steps);
        submit(0, PORT_STATUS);
        run_until(&seen.n_done, 1);
        assert_int_equal(drivers[0].n_ticks, 1);
}

static void line_that_takes_little_gets_all_bytes(void **state) {
        make(PORT_EXCLUSIVE, false, NULL);
        line.write_max = 1;
        drivers[0] = fake_driver(ask_and_listen);
        submit(0, PORT_STATUS);
        settle();
        assert_heard("ping");
        say("pong");
        assert_int_equal(seen.code[0], DRIVER_OK);
}

static void lost_line_ends_the_exchange_and_comes_back(void **state) {
        make(PORT_EXCLUSIVE, false, NULL);
        drivers[0] = fake_driver(ask_and_listen);
        submit(0, PORT_STATUS);
        submit(1, PORT_STATUS);
        settle();
        assert_heard("ping");
        fake_port_hang_up(&line);
        settle();
        assert_int_equal(port_state(port), PORT_FAILED);
        assert_string_equal(port_problem(port), "/dev/fake was lost: hung up");
        assert_int_equal(seen.n_done, 2);
        assert_int_equal(seen.code[0], DRIVER_E_PORT);
        assert_int_equal(seen.code[1], DRIVER_E_PORT);
        /* What had been done is told: the driver was ended before it was asked. */
        assert_int_equal(drivers[0].n_cancels, 1);
        seen.n_states = 0;
        run_until(&seen.n_states, 1);
        assert_int_equal(port_state(port), PORT_OPEN);
        assert_string_equal(port_problem(port), "");
}

static void held_line_fails_with_the_holders_name(void **state) {
        line.refuse = -EBUSY;
        make(PORT_EXCLUSIVE, false, NULL);
        assert_int_equal(port_state(port), PORT_FAILED);
        assert_string_equal(port_problem(port), "/dev/fake is held by minicom (pid 812)");
        submit(0, PORT_STATUS);
        settle();
        assert_int_equal(seen.code[0], DRIVER_E_PORT);
        assert_string_equal(seen.text, port_problem(port));
        line.refuse = 0;
        run_until(&seen.n_states, 1);
        assert_int_equal(port_state(port), PORT_OPEN);
}

static void on_demand_line_waits_to_be_handed_over(void **state) {
        Why w = { "" };

        make(PORT_ON_DEMAND, false, NULL);
        assert_int_equal(port_state(port), PORT_CLOSED);
        assert_int_equal(port_hand_over(port, &w), -EALREADY);
        port_want(port);
        assert_int_equal(port_state(port), PORT_WANTED);
        submit(0, PORT_STATUS);
        settle();
        assert_int_equal(seen.n_done, 0);
        assert_int_equal(line.n_opens, 0);
        assert_int_equal(port_hand_over(port, &w), 0);
        settle();
        assert_int_equal(port_state(port), PORT_OPEN);
        assert_int_equal(seen.n_done, 1);
        port_unwant(port);
        settle();
        assert_int_equal(port_state(port), PORT_CLOSED);
        assert_int_equal(line.n_closes, 1);
}

static void on_demand_line_that_is_still_held_stays_wanted(void **state) {
        Why w = { "" };

        make(PORT_ON_DEMAND, false, NULL);
        port_want(port);
        line.refuse = -EBUSY;
        assert_int_equal(port_hand_over(port, &w), -EBUSY);
        assert_string_equal(w.text, "/dev/fake is held by minicom (pid 812)");
        assert_int_equal(port_state(port), PORT_WANTED);
        assert_string_equal(port_problem(port), w.text);
        line.refuse = 0;
        assert_int_equal(port_hand_over(port, &w), 0);
        assert_string_equal(port_problem(port), "");
        assert_int_equal(port_hand_over(port, &w), -EALREADY);
}

static void on_demand_line_stays_while_anybody_wants_it(void **state) {
        make(PORT_ON_DEMAND, false, NULL);
        port_want(port);
        port_want(port);
        assert_int_equal(port_hand_over(port, NULL), 0);
        port_unwant(port);
        settle();
        assert_int_equal(port_state(port), PORT_OPEN);
        drivers[0] = fake_driver(ask_and_listen);
        submit(0, PORT_RESTORE);
        settle();
        port_unwant(port);
        settle();
        assert_int_equal(port_state(port), PORT_OPEN); /* its exchange is not done */
        say("pong");
        settle();
        assert_int_equal(port_state(port), PORT_CLOSED);
}

static void exchange_on_a_closed_line_fails(void **state) {
        make(PORT_ON_DEMAND, false, NULL);
        submit(0, PORT_STATUS);
        settle();
        assert_int_equal(seen.code[0], DRIVER_E_PORT);
        assert_string_equal(
                        seen.text, "port p is closed: it is opened on demand, and nobody wants it");
}

static void say_hello(void) {
        uint8_t payload[RKD_PAYLOAD_MIN], bytes[RKD_FRAME_ENCODED(RKD_PAYLOAD_MIN)];
        RkdAnswer hello = { .type = RKD_HELLO, .who = RKD_WHO_BOOTLOADER };
        RkdFrame frame = { .type = RKD_HELLO, .flags = RKD_FLAG_FROM_DEVICE, .payload = payload };
        size_t n;

        frame.n_payload = rkd_answer_encode(&hello, payload, sizeof(payload));
        n = rkd_frame_encode(bytes, sizeof(bytes), &frame);
        assert_int_equal(write(line.far, bytes, n), (int)n);
        settle();
}

static void hello_is_heard_while_the_line_is_idle(void **state) {
        make(PORT_EXCLUSIVE, false, NULL);
        say_hello();
        assert_int_equal(seen.n_hellos, 1);
        assert_true(seen.bootloader);
        drivers[0] = fake_driver(ask_and_listen);
        submit(0, PORT_STATUS);
        settle();
        say_hello(); /* the driver's */
        assert_int_equal(seen.n_hellos, 1);
}

static void nobody_says_hello_on_a_bus(void **state) {
        make(PORT_EXCLUSIVE, true, NULL);
        say_hello();
        assert_int_equal(seen.n_hellos, 0);
}

static void device_has_its_turnaround_before_another_is_asked(void **state) {
        uint64_t heard_usec;

        make(PORT_EXCLUSIVE, true, NULL);
        drivers[0] = fake_driver(ask_and_listen);
        submit(0, PORT_STATUS);
        submit(1, PORT_STATUS);
        settle();
        heard_usec = monotonic_usec();
        say("pong");
        run_until(&seen.n_done, 2);
        assert_true(monotonic_usec() >= heard_usec + TURNAROUND_USEC);
}

static void answer_to_a_canceled_exchange_has_its_time_on_a_bus(void **state) {
        static const FakeStep steps[] = { { DRIVER_SEND, "ping" },
                { DRIVER_WAIT, .wait_usec = 400 * USEC_PER_MSEC }, { DRIVER_DONE } };
        uint64_t deadline_usec;

        make(PORT_EXCLUSIVE, true, NULL);
        drivers[0] = fake_driver(steps);
        submit(0, PORT_STATUS);
        submit(1, PORT_STATUS);
        settle();
        deadline_usec = drivers[0].deadline_usec;
        (void)exchange_cancel(exchanges[0]);
        run_until(&seen.n_done, 1);
        assert_int_equal(seen.order[0], 1);
        assert_true(monotonic_usec() >= deadline_usec);
}

static void progress_is_told_seldom(void **state) {
        static FakeStep steps[102];
        uint64_t begin = monotonic_usec();

        for (size_t i = 0; i < 101; i++)
                steps[i] = (FakeStep){ DRIVER_WAIT };
        steps[101] = (FakeStep){ DRIVER_DONE };
        make(PORT_EXCLUSIVE, false, NULL);
        drivers[0] = fake_driver(steps);
        submit(0, PORT_STATUS);
        settle();
        for (size_t i = 0; i < 100; i++)
                say("x");
        assert_int_equal(seen.n_done, 0);
        assert_in_range(seen.n_progress, 1, 1 + (monotonic_usec() - begin) / (100 * USEC_PER_MSEC));
}

static const FakeStep planned[] = { { DRIVER_PLAN }, { DRIVER_DONE } };

static struct {
        void (*done)(void *cookie, uint8_t codec, const void *stream, size_t n);
        void *cookie;
        unsigned n_started, n_released;
        bool at_once;
        int error;
} plans;

static int plan_start(void *userdata, const DriverPlanRequest *request, const uint8_t *image,
                size_t n, void (*done)(void *cookie, uint8_t codec, const void *stream, size_t n),
                void *cookie) {
        plans.n_started++;
        plans.done = done;
        plans.cookie = cookie;
        if (plans.error == 0 && plans.at_once)
                done(cookie, 0, "stream", 6);
        return plans.error;
}

static void plan_release(void *userdata, void *cookie) {
        plans.n_released++;
}

static const Planner planner = { .start = plan_start, .release = plan_release };

static void plan_may_come_at_once_or_later(void **state) {
        memset(&plans, 0, sizeof(plans));
        make(PORT_EXCLUSIVE, false, &planner);
        drivers[0] = fake_driver(planned);
        plans.at_once = true;
        submit(0, PORT_PUSH);
        settle();
        assert_int_equal(seen.n_done, 1);
        plans.at_once = false;
        submit(0, PORT_PUSH);
        settle();
        assert_int_equal(seen.n_done, 1);
        plans.done(plans.cookie, 0, "stream", 6);
        settle();
        assert_int_equal(seen.n_done, 2);
        assert_int_equal(plans.n_started, 2);
        assert_int_equal(plans.n_released, 2);
}

static void plan_that_cannot_be_made_is_told(void **state) {
        memset(&plans, 0, sizeof(plans));
        make(PORT_EXCLUSIVE, false, &planner);
        plans.error = -ENOMEM;
        drivers[0] = fake_driver(planned);
        submit(0, PORT_PUSH);
        settle();
        assert_int_equal(drivers[0].n_plans, 1);
        assert_null(drivers[0].plan);
        assert_int_equal(plans.n_released, 0);
}

static void canceled_exchange_releases_its_plan(void **state) {
        memset(&plans, 0, sizeof(plans));
        make(PORT_EXCLUSIVE, false, &planner);
        drivers[0] = fake_driver(planned);
        submit(0, PORT_PUSH);
        settle();
        (void)exchange_cancel(exchanges[0]);
        assert_int_equal(plans.n_released, 1);
}

static void port_with_odd_settings_is_refused(void **state) {
        static const PortConfig odd[] = {
                { .name = "", .path = "/dev/x", .baud = 9600 },
                { .name = "a/b", .path = "/dev/x", .baud = 9600 },
                { .name = "p", .path = "ttyS0", .baud = 9600 },
                { .name = "p", .path = "unix:sock", .baud = 9600 },
                { .name = "p", .path = "/dev/x", .baud = 0 },
                { .name = "p", .path = "/dev/x", .baud = 4000001 },
        };
        Why w;

        for (size_t i = 0; i < ELEMENTSOF(odd); i++) {
                w.text[0] = '\0';
                assert_int_equal(port_new(event, &odd[i], NULL, NULL, &port, &w), -EINVAL);
                assert_string_not_equal(w.text, "");
        }
        port = NULL;
}

/* One exchange with every kind of operation on the line, the nth of which fails: it ends once,
 * and the port is usable again. */
static void every_failing_operation_is_survived(void **state) {
        static const FakeStep steps[] = { { DRIVER_LINE, .baud = 9600 }, { DRIVER_PULSE },
                { DRIVER_SEND, "ping" }, { DRIVER_LINE, .baud = 19200 },
                { DRIVER_WAIT, .wait_usec = 1000 }, { DRIVER_DONE } };
        unsigned n, failed = 0;

        for (n = 1;; n++) {
                (void)setup(NULL);
                line.fail_at = n;
                make(PORT_EXCLUSIVE, false, NULL);
                drivers[0] = fake_driver(steps);
                submit(0, PORT_STATUS);
                run_until(&seen.n_done, 1);
                settle();
                assert_int_equal(seen.n_done, 1);
                assert_true(seen.code[0] == DRIVER_OK || seen.code[0] == DRIVER_E_PORT);
                failed += seen.code[0] != DRIVER_OK;
                if (line.n_operations < n)
                        break;
                for (unsigned i = 0; i < TURNS_MAX && port_state(port) != PORT_OPEN; i++)
                        assert_true(sd_event_run(event, 20 * USEC_PER_MSEC) >= 0);
                submit(1, PORT_STATUS);
                run_until(&seen.n_done, 2);
                assert_int_equal(seen.code[1], DRIVER_OK);
                (void)teardown(NULL);
        }
        print_message("%u operations, %u of their failures ended the exchange\n", n - 1, failed);
        assert_true(failed >= 5);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(exchange_runs_its_driver),
                TEST(restore_goes_before_push_before_status),
                TEST(queued_exchange_is_canceled_without_a_word),
                TEST(running_exchange_is_canceled_with_its_farewell),
                TEST(callback_may_cancel_and_queue),
                TEST(driver_that_refuses_the_request_ends_it),
                TEST(line_returns_to_the_ports_speed),
                TEST(speed_changes_only_when_all_bytes_have_left),
                TEST(pulses_are_given_one_after_another),
                TEST(deadline_wakes_the_driver),
                TEST(line_that_takes_little_gets_all_bytes),
                TEST(lost_line_ends_the_exchange_and_comes_back),
                TEST(held_line_fails_with_the_holders_name),
                TEST(on_demand_line_waits_to_be_handed_over),
                TEST(on_demand_line_that_is_still_held_stays_wanted),
                TEST(on_demand_line_stays_while_anybody_wants_it),
                TEST(exchange_on_a_closed_line_fails),
                TEST(hello_is_heard_while_the_line_is_idle),
                TEST(nobody_says_hello_on_a_bus),
                TEST(device_has_its_turnaround_before_another_is_asked),
                TEST(answer_to_a_canceled_exchange_has_its_time_on_a_bus),
                TEST(progress_is_told_seldom),
                TEST(plan_may_come_at_once_or_later),
                TEST(plan_that_cannot_be_made_is_told),
                TEST(canceled_exchange_releases_its_plan),
                TEST(port_with_odd_settings_is_refused),
                cmocka_unit_test_teardown(every_failing_operation_is_survived, teardown),
        };

        return cmocka_run_group_tests_name("port", tests, NULL, NULL);
}
