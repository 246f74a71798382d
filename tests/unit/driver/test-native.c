/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The native driver against the real device library in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "native-world.h"

/* of the record page, see rekindle-link(7) */
#define MARKS_AT       512
#define MARK_BYTES     4
#define MARK_CONFIRMED 1

static NativeWorld *world;

static void build(const VirtualConfig *config) {
        if (world)
                world = world_free(world);
        world = world_new(config);
}

static int setup(void **state) {
        VirtualConfig config = virtual_config();

        build(&config);
        return 0;
}

static int teardown(void **state) {
        world = world_free(world);
        return 0;
}

static void assert_code(const DriverResult *r, DriverCode code) {
        assert_non_null(r);
        if (r->code != code)
                print_message("%s: %s\n", driver_code_to_string(r->code), r->why.text);
        assert_int_equal(r->code, code);
}

static void blank_device_is_identified(void **state) {
        const DriverResult *r = world_run(world, DRIVER_IDENTIFY);

        assert_code(r, DRIVER_OK);
        assert_true(r->heard);
        assert_true(r->has_identity);
        assert_int_equal(r->identity.state, DEVICE_EMPTY);
        assert_true(r->identity.in_bootloader);
        assert_string_equal(r->identity.model, "virtual");
        assert_string_equal(r->identity.serial, "0001");
        assert_int_equal(r->identity.program_space, 64 * 1024);
        assert_true(r->identity.capabilities & DRIVER_CAN_READ_BACK);
        assert_false(r->identity.capabilities & DRIVER_DEMANDS_SIGNED);
}

static void silent_line_is_no_answer(void **state) {
        const DriverResult *r;

        world->line.mute = true;
        r = world_run(world, DRIVER_IDENTIFY);
        assert_code(r, DRIVER_E_NO_ANSWER);
        assert_false(r->heard);
}

static void image_is_pushed(void **state) {
        const DriverResult *r = world_push(world, 7);

        assert_code(r, DRIVER_OK);
        assert_true(r->erased);
        assert_true(r->stream_bytes > world->request.image_length);
        assert_true(world_flash_is_image(world));
        assert_int_equal(rkd_boot_state(&world->device->boot), RKD_VERIFIED);
}

static void program_is_started_and_confirmed(void **state) {
        const DriverResult *r;

        world_install(world, 7);
        r = world_run(world, DRIVER_IDENTIFY);
        assert_code(r, DRIVER_OK);
        assert_false(r->identity.in_bootloader);
        assert_int_equal(r->identity.state, DEVICE_CONFIRMED);
        assert_int_equal(r->identity.health, DEVICE_HEALTH_HEALTHY);
        assert_int_equal(r->identity.push_id, 7);
        assert_string_equal(r->identity.version, "1.0.0");
}

static void confirmed_program_leaves_for_the_next_push(void **state) {
        const DriverResult *r;

        world_install(world, 7);
        world_set_image(world, 21000, 2, "1.1.0");
        r = world_push(world, 8);
        assert_code(r, DRIVER_OK);
        assert_true(world_flash_is_image(world));
        assert_true(world->line.plan_was_known);
}

static void cut_power(VirtualLine *line) {
        virtual_device_power_cycle(line->device);
}

/* Before the push is open the device comes back with its old program, which knows no BEGIN. */
static void power_cut_before_the_push_is_open_asks_the_program_again(void **state) {
        for (uint64_t at = 10; at < 600; at += 10) {
                assert_int_equal(setup(NULL), 0);
                world_install(world, 7);
                world_set_image(world, 3000, 2, "1.1.0");
                world->line.event_at_bytes = world->line.bytes_sent + at;
                world->line.on_event = cut_power;
                assert_code(world_push(world, 8), DRIVER_OK);
                assert_true(world_flash_is_image(world));
        }
}

static void start_of_a_program_that_runs_is_done_already(void **state) {
        world_install(world, 7);
        assert_code(world_run(world, DRIVER_START), DRIVER_OK);
        world->request.push_id = 8;
        assert_code(world_run(world, DRIVER_START), DRIVER_E_STATE);
}

static void confirm_twice_is_done_already(void **state) {
        world_install(world, 7);
        assert_code(world_run(world, DRIVER_CONFIRM), DRIVER_OK);
}

static void program_is_found_at_its_own_speed(void **state) {
        VirtualConfig config = virtual_config();
        const DriverResult *r;

        config.program_baud = 9600;
        build(&config);
        world->request.program_baud = 9600;
        world_install(world, 7);
        r = world_run(world, DRIVER_IDENTIFY);
        assert_code(r, DRIVER_OK);
        assert_false(r->identity.in_bootloader);
        assert_int_equal(world->line.baud, 9600);
        world_set_image(world, 3000, 3, "1.2.0");
        assert_code(world_push(world, 9), DRIVER_OK);
}

static void push_that_is_complete_sends_no_data(void **state) {
        uint64_t sent;

        assert_code(world_push(world, 7), DRIVER_OK);
        sent = world->line.bytes_sent;
        assert_code(world_push(world, 7), DRIVER_OK);
        assert_true(world->line.bytes_sent - sent < 200);
}

static void power_cut_is_resumed_from_the_checksums(void **state) {
        world->line.event_at_bytes = 12000;
        world->line.on_event = cut_power;
        assert_code(world_push(world, 7), DRIVER_OK);
        assert_int_equal(world->line.n_plans, 2);
        assert_true(world->line.plan_was_sums);
        assert_true(world->line.kept_units > 5);
        assert_true(world_flash_is_image(world));
}

static void go_silent(VirtualLine *line) {
        line->mute = true;
}

static void device_that_falls_silent_ends_the_push(void **state) {
        const DriverResult *r;

        world->line.event_at_bytes = 12000;
        world->line.on_event = go_silent;
        r = world_push(world, 7);
        assert_code(r, DRIVER_E_NO_ANSWER);
        assert_true(r->heard);
        assert_true(r->erased);
        assert_int_equal(r->units_right, 0); /* it was not asked */
}

static void open_push_goes_on_in_a_new_exchange(void **state) {
        const DriverResult *r;

        device_that_falls_silent_ends_the_push(state);
        world->line.mute = false;
        world->line.to_gateway.head = world->line.to_gateway.tail;
        r = world_push(world, 7);
        assert_code(r, DRIVER_OK);
        assert_true(world->line.kept_units > 5);
        assert_int_equal(r->units_right, world->line.kept_units);
        assert_true(world_flash_is_image(world));
}

static void other_unit_gets_no_further_byte(void **state) {
        const DriverResult *r;

        world->request.expect_unit = true;
        (void)strcpy(world->request.expect_model, "virtual");
        (void)strcpy(world->request.expect_serial, "0002");
        r = world_push(world, 7);
        assert_code(r, DRIVER_E_OTHER_UNIT);
        assert_true(r->has_identity);
        assert_false(r->heard);
        assert_false(r->erased);
        assert_int_equal(rkd_boot_state(&world->device->boot), RKD_EMPTY);
}

static void foreign_push_is_refused_until_taken_over(void **state) {
        const DriverResult *r;

        assert_code(world_push(world, 7), DRIVER_OK);
        r = world_push(world, 8);
        assert_code(r, DRIVER_E_FOREIGN_PUSH);
        assert_int_equal(r->device_code, RKD_FOREIGN_PUSH);
        world->request.take_over = true;
        assert_code(world_push(world, 8), DRIVER_OK);
}

/* One slot of the marks was read wrongly while they were loaded. */
static void spoil_mark(VirtualDevice *d) {
        for (size_t i = 0; i < ELEMENTSOF(d->platform.record_pages); i++)
                d->flash[d->platform.record_pages[i] + MARKS_AT + MARK_CONFIRMED * MARK_BYTES] = 0;
        virtual_device_power_cycle(d);
}

static void a_push_that_the_device_cannot_go_on_with_gives_way_to_a_new_one(void **state) {
        const DriverResult *r;

        device_that_falls_silent_ends_the_push(state);
        world->line.mute = false;
        world->line.to_gateway.head = world->line.to_gateway.tail;
        spoil_mark(world->device);
        r = world_push(world, 7);
        assert_code(r, DRIVER_E_STATE);
        assert_int_equal(r->device_code, RKD_BAD_STATE);
        assert_int_equal(r->identity.state, DEVICE_PUSHING);
        assert_int_equal(r->identity.push_id, 7);
        world->request.take_over = true;
        assert_code(world_push(world, 8), DRIVER_OK);
        assert_true(world_flash_is_image(world));
}

static void wrong_model_is_refused_by_the_device(void **state) {
        RkdHeader header = {
                .length = 20000, .model = rkd_text("boiler"), .version = rkd_text("1")
        };
        const DriverResult *r;

        world->request.header_length =
                        rkd_header_encode(&header, world->header, sizeof(world->header));
        r = world_push(world, 7);
        assert_code(r, DRIVER_E_REFUSED);
        assert_int_equal(r->device_code, RKD_WRONG_MODEL);
        assert_string_equal(r->why.text + strlen(r->why.text) -
                                            strlen(rkd_result_text(RKD_WRONG_MODEL)),
                        rkd_result_text(RKD_WRONG_MODEL));
}

static void image_beyond_the_program_space_is_refused(void **state) {
        world_set_image(world, 64 * 1024 + 1, 1, "1.0.0");
        assert_code(world_push(world, 7), DRIVER_E_REFUSED);
        assert_int_equal(rkd_boot_state(&world->device->boot), RKD_EMPTY);
}

static void failed_plan_is_told(void **state) {
        world->line.plan_fails = true;
        assert_code(world_push(world, 7), DRIVER_E_PLAN);
}

static void flash_that_fails_is_told(void **state) {
        world->device->flash_fails = true;
        assert_code(world_push(world, 7), DRIVER_E_FLASH);
}

static void spoil_kept_unit(VirtualLine *line) {
        line->device->flash[100] ^= 0x10;
}

static void wrong_digest_is_tried_once_more_trusting_nothing(void **state) {
        device_that_falls_silent_ends_the_push(state);
        world->line.mute = false;
        world->line.n_plans = 0;
        world->line.event_at_bytes = world->line.bytes_sent + 4000;
        world->line.on_event = spoil_kept_unit;
        assert_code(world_push(world, 7), DRIVER_OK);
        assert_int_equal(world->line.n_plans, 2);
        assert_true(world->line.plan_trusted_nothing);
        assert_true(world_flash_is_image(world));
}

static void digest_that_never_matches_is_told(void **state) {
        world->image[5] ^= 1; /* not what the header says */
        assert_code(world_push(world, 7), DRIVER_E_DIGEST);
        assert_int_equal(world->line.n_plans, 2);
        assert_true(world->line.plan_trusted_nothing);
}

static void speed_is_raised_for_the_push_and_lowered_after_it(void **state) {
        uint64_t usec;

        world->request.push_baud = 460800;
        assert_code(world_push(world, 7), DRIVER_OK);
        assert_int_equal(world->line.baud, 115200);
        assert_int_equal(world->device->baud, 115200);
        usec = world->line.last_data_usec - world->line.first_data_usec;
        assert_true(usec < 20000 * 10 * USEC_PER_SEC / 115200);
}

static uint32_t noted_baud;

static void note_baud(VirtualLine *line) {
        noted_baud = line->device->baud;
}

static void speed_that_the_line_cannot_carry_is_given_up(void **state) {
        world->request.push_baud = 460800;
        world->line.bad_baud = 460800;
        assert_code(world_push(world, 7), DRIVER_OK);
        assert_int_equal(world->line.baud, 115200);
        assert_true(world_flash_is_image(world));
}

static void fastest_speed_of_the_device_is_chosen(void **state) {
        world->request.push_baud = DRIVER_BAUD_FASTEST;
        world->line.event_at_bytes = 12000;
        world->line.on_event = note_baud;
        assert_code(world_push(world, 7), DRIVER_OK);
        assert_int_equal(noted_baud, 460800);
        assert_int_equal(world->line.baud, 115200);
}

static void speed_at_which_the_line_damages_data_is_given_up(void **state) {
        world->request.push_baud = DRIVER_BAUD_FASTEST;
        world->line.flip_in = 100;
        world->line.noisy_baud = 460800;
        assert_code(world_push(world, 7), DRIVER_OK);
        assert_int_equal(world->line.baud, 115200);
        assert_true(world_flash_is_image(world));
}

static void speed_that_the_device_does_not_name_is_not_asked_for(void **state) {
        world->request.push_baud = 230400;
        assert_code(world_push(world, 7), DRIVER_OK);
        assert_int_equal(world->line.baud, 115200);
}

static void program_is_read_back(void **state) {
        const DriverResult *r;

        world_install(world, 7);
        r = world_run(world, DRIVER_READ_BACK);
        assert_code(r, DRIVER_OK);
        assert_int_equal(r->length, world->request.image_length);
        assert_memory_equal(r->bytes, world->image, r->length);
}

static void program_runs_again_after_it_was_read_out_of_the_bootloader(void **state) {
        virtual_device_load(world->device, world->image, world->request.image_length);
        assert_code(world_run(world, DRIVER_READ_RELEASE), DRIVER_E_STATE);
        assert_true(world_run(world, DRIVER_IDENTIFY)->identity.in_bootloader);
        assert_code(world_run(world, DRIVER_READ_BACK), DRIVER_OK);
        assert_false(world_run(world, DRIVER_IDENTIFY)->identity.in_bootloader);
}

static void device_that_cannot_be_read_says_so(void **state) {
        VirtualConfig config = virtual_config();

        config.capabilities &= ~(uint32_t)RKD_CAN_READ;
        build(&config);
        assert_code(world_run(world, DRIVER_READ_BACK), DRIVER_E_UNSUPPORTED);
}

static void release_is_read_out_of_the_record(void **state) {
        const DriverResult *r;

        world_install(world, 7);
        r = world_run(world, DRIVER_READ_RELEASE);
        assert_code(r, DRIVER_OK);
        assert_int_equal(r->header_length, world->request.header_length);
        assert_int_equal(r->length, r->header_length);
        assert_memory_equal(r->bytes, world->header, r->length);
}

static void blank_device_has_no_release(void **state) {
        const DriverResult *r = world_run(world, DRIVER_READ_RELEASE);

        assert_non_null(r);
        assert_int_not_equal(r->code, DRIVER_OK);
}

static void cancel_ends_at_once(void **state) {
        DriverAction a;

        world->request.op = DRIVER_PUSH;
        assert_int_equal(world->driver->vtable->start(world->driver, &world->request, 5), 0);
        world->driver->vtable->next(world->driver, 5, &a);
        world->driver->vtable->cancel(world->driver);
        world->driver->vtable->next(world->driver, 6, &a);
        assert_int_equal(a.type, DRIVER_DONE);
        assert_code(world->driver->vtable->result(world->driver), DRIVER_E_CANCELED);
}

static void request_without_sense_is_refused(void **state) {
        Driver *d = world->driver;
        DriverRequest r = world->request;

        r.op = DRIVER_CONFIRM;
        r.push_id = 0;
        assert_int_equal(d->vtable->start(d, &r, 0), -EINVAL);
        r = world->request;
        r.op = DRIVER_PUSH;
        r.image_length = 0;
        assert_int_equal(d->vtable->start(d, &r, 0), -EINVAL);
        r = world->request;
        r.baud = 0;
        assert_int_equal(d->vtable->start(d, &r, 0), -EINVAL);
        r = world->request;
        r.op = DRIVER_PUSH;
        r.trial_seconds = 0;
        assert_int_equal(d->vtable->start(d, &r, 0), -EINVAL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(blank_device_is_identified),
                TEST(silent_line_is_no_answer),
                TEST(image_is_pushed),
                TEST(program_is_started_and_confirmed),
                TEST(confirmed_program_leaves_for_the_next_push),
                TEST(power_cut_before_the_push_is_open_asks_the_program_again),
                TEST(start_of_a_program_that_runs_is_done_already),
                TEST(confirm_twice_is_done_already),
                TEST(program_is_found_at_its_own_speed),
                TEST(push_that_is_complete_sends_no_data),
                TEST(power_cut_is_resumed_from_the_checksums),
                TEST(device_that_falls_silent_ends_the_push),
                TEST(open_push_goes_on_in_a_new_exchange),
                TEST(other_unit_gets_no_further_byte),
                TEST(foreign_push_is_refused_until_taken_over),
                TEST(a_push_that_the_device_cannot_go_on_with_gives_way_to_a_new_one),
                TEST(wrong_model_is_refused_by_the_device),
                TEST(image_beyond_the_program_space_is_refused),
                TEST(failed_plan_is_told),
                TEST(flash_that_fails_is_told),
                TEST(wrong_digest_is_tried_once_more_trusting_nothing),
                TEST(digest_that_never_matches_is_told),
                TEST(speed_is_raised_for_the_push_and_lowered_after_it),
                TEST(speed_that_the_line_cannot_carry_is_given_up),
                TEST(fastest_speed_of_the_device_is_chosen),
                TEST(speed_at_which_the_line_damages_data_is_given_up),
                TEST(speed_that_the_device_does_not_name_is_not_asked_for),
                TEST(program_is_read_back),
                TEST(program_runs_again_after_it_was_read_out_of_the_bootloader),
                TEST(device_that_cannot_be_read_says_so),
                TEST(release_is_read_out_of_the_record),
                TEST(blank_device_has_no_release),
                TEST(cancel_ends_at_once),
                TEST(request_without_sense_is_refused),
        };

        return cmocka_run_group_tests_name("native", tests, NULL, NULL);
}
