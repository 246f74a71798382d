/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The native driver on lines that are not kind, in virtual time: noise, half duplex, a bus,
 * flash that takes its time, small buffers, late answers. Efficiency is that of
 * rekindle-link(7): bytes of the image by what the line could have carried meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "native-world.h"

#define SEEDS       20
#define IMAGE_BYTES 60000

static NativeWorld *world;

static void build(const VirtualConfig *config) {
        if (world)
                world = world_free(world);
        world = world_new(config);
        world_set_image(world, IMAGE_BYTES, 4, "1.0.0");
}

static int teardown(void **state) {
        if (world)
                world = world_free(world);
        return 0;
}

static void assert_pushed(void) {
        const DriverResult *r = world_push(world, 7);

        assert_non_null(r);
        if (r->code != DRIVER_OK)
                print_message("%s: %s\n", driver_code_to_string(r->code), r->why.text);
        assert_int_equal(r->code, DRIVER_OK);
        assert_true(world_flash_is_image(world));
}

static double efficiency(void) {
        double usec = (double)(world->line.last_data_usec - world->line.first_data_usec);

        return world->request.image_length / (usec * world->request.baud / 10e6);
}

static void noise_never_stops_a_push(void **state) {
        for (uint32_t seed = 1; seed <= SEEDS; seed++) {
                VirtualConfig config = virtual_config();

                config.erase_usec = 10000;
                config.write_usec = 5000;
                build(&config);
                world->line.flip_in = world->line.drop_in = 10000;
                world->line.seed = seed * 7919;
                assert_pushed();
        }
}

static void noise_costs_bytes_by_its_strength(void **state) {
        static const struct {
                unsigned one_in, percent;
        } cases[] = { { 10000, 150 }, { 3000, 180 }, { 1000, 240 } };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                VirtualConfig config = virtual_config();

                build(&config);
                world->line.flip_in = world->line.drop_in = cases[i].one_in;
                world->line.seed = 7919;
                assert_pushed();
                assert_true(world->line.bytes_sent < IMAGE_BYTES * cases[i].percent / 100);
        }
}

static void noise_never_stops_a_push_to_a_device_that_goes_deaf(void **state) {
        for (uint32_t seed = 1; seed <= SEEDS; seed++) {
                VirtualConfig config = virtual_config();

                config.capabilities |= RKD_CAN_FLASH_BLOCKS_CPU;
                config.erase_usec = 22000;
                config.write_usec = 6000;
                build(&config);
                world->line.flip_in = world->line.drop_in = 3000;
                world->line.seed = seed * 7919;
                assert_pushed();
                assert_true(world->line.bytes_sent < IMAGE_BYTES * 8);
        }
}

static void noise_never_stops_a_push_on_a_bus(void **state) {
        for (uint32_t seed = 1; seed <= SEEDS; seed++) {
                VirtualConfig config = virtual_config();

                config.capabilities &= ~(uint32_t)RKD_CAN_FULL_DUPLEX;
                config.address = 9;
                build(&config);
                world->request.turnaround_usec = 1000;
                world->line.echo = true;
                world->line.flip_in = world->line.drop_in = 10000;
                world->line.seed = seed * 104729;
                assert_pushed();
        }
}

static void half_duplex_hears_itself_and_gets_through(void **state) {
        VirtualConfig config = virtual_config();

        config.capabilities &= ~(uint32_t)RKD_CAN_FULL_DUPLEX;
        config.address = 17;
        build(&config);
        world->request.turnaround_usec = 2000;
        world->line.echo = true;
        assert_pushed();
        assert_true(efficiency() > 0.90);
}

static void other_address_on_the_bus_does_not_answer(void **state) {
        VirtualConfig config = virtual_config();
        const DriverResult *r;

        config.capabilities &= ~(uint32_t)RKD_CAN_FULL_DUPLEX;
        config.address = 17;
        build(&config);
        world->request.address = 18;
        world->line.echo = true;
        r = world_run(world, DRIVER_IDENTIFY);
        assert_non_null(r);
        assert_int_equal(r->code, DRIVER_E_NO_ANSWER);
}

static void flash_that_blocks_the_cpu_loses_nothing(void **state) {
        VirtualConfig config = virtual_config();

        config.capabilities |= RKD_CAN_FLASH_BLOCKS_CPU;
        config.erase_usec = 22000;
        config.write_usec = 6000;
        build(&config);
        assert_pushed();
        /* Nothing had to be sent twice. */
        assert_true(world->line.bytes_sent < IMAGE_BYTES * 104 / 100);
}

/* Grants that come while the POLL is on its way do not bring bytes into the deaf time. */
static void flash_that_blocks_the_cpu_behind_a_small_buffer_loses_nothing(void **state) {
        VirtualConfig config = virtual_config();

        config.capabilities |= RKD_CAN_FLASH_BLOCKS_CPU;
        config.erase_usec = 22000;
        config.write_usec = 6000;
        config.ring_bytes = 512;
        config.max_payload = 132;
        build(&config);
        assert_pushed();
        /* Each frame of 128 bytes has 15 beside them. */
        assert_true(world->line.bytes_sent < IMAGE_BYTES * 115 / 100);
}

static void flash_that_blocks_the_cpu_on_a_bus_loses_nothing(void **state) {
        VirtualConfig config = virtual_config();

        config.capabilities = RKD_CAN_FLASH_BLOCKS_CPU;
        config.address = 3;
        config.erase_usec = 22000;
        config.write_usec = 6000;
        build(&config);
        world->request.turnaround_usec = 500;
        world->line.echo = true;
        assert_pushed();
        assert_true(world->line.bytes_sent < IMAGE_BYTES * 104 / 100);
}

static void slow_flash_is_waited_for(void **state) {
        VirtualConfig config = virtual_config();

        config.erase_usec = 900000;
        config.write_usec = 100000;
        build(&config);
        world_set_image(world, 8000, 4, "1.0.0");
        assert_pushed();
        /* Nothing was sent twice; the rest asks how far it is. */
        assert_true(world->line.bytes_sent < 8000 * 125 / 100);
}

static void flash_and_line_overlap(void **state) {
        VirtualConfig config = virtual_config();
        uint64_t line_usec = IMAGE_BYTES * 10 * USEC_PER_SEC / 115200, usec;

        config.erase_usec = 20000;
        config.write_usec = 20000; /* 40 ms a unit, which takes 89 ms on the line */
        build(&config);
        assert_pushed();
        usec = world->line.last_data_usec - world->line.first_data_usec;
        assert_true(usec < line_usec * 105 / 100 + 100000);
}

static void every_buffer_and_payload_gets_through(void **state) {
        static const struct {
                uint32_t ring;
                uint16_t payload;
        } sizes[] = { { 128, 64 }, { 256, 64 }, { 512, 300 }, { 1000, 999 }, { 4096, 4096 },
                { 8192, 4096 } };

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                VirtualConfig config = virtual_config();

                config.ring_bytes = sizes[i].ring;
                config.max_payload = sizes[i].payload;
                build(&config);
                assert_pushed();
        }
}

static void late_answers_cost_nothing(void **state) {
        static const uint32_t latencies[] = { 0, 1000, 16000 };

        for (size_t i = 0; i < ELEMENTSOF(latencies); i++) {
                VirtualConfig config = virtual_config();

                config.speeds[0] = 921600;
                build(&config);
                world->request.baud = 921600;
                world->line.baud = 921600;
                world->line.latency_usec = latencies[i];
                assert_pushed();
                print_message("921600 baud, answers %u us late: %.3f\n", latencies[i],
                                efficiency());
                assert_true(efficiency() > 0.95);
        }
}

static void assert_reads_back(void) {
        const DriverResult *r = world_run(world, DRIVER_READ_BACK);

        assert_non_null(r);
        assert_int_equal(r->code, DRIVER_OK);
        assert_int_equal(r->length, IMAGE_BYTES);
        assert_memory_equal(r->bytes, world->image, IMAGE_BYTES);
}

static void next_piece_is_asked_for_while_one_comes_in(void **state) {
        const VirtualConfig config = virtual_config();
        uint64_t begin_usec, begin_bytes, line_usec;

        build(&config);
        world_install(world, 7);
        world->line.latency_usec = 60000; /* a piece takes 90 */
        begin_usec = world->line.now_usec;
        begin_bytes = world->line.bytes_received;
        assert_reads_back();
        line_usec = (world->line.bytes_received - begin_bytes) * 10 * USEC_PER_SEC /
                    world->request.baud;
        assert_true(world->line.now_usec - begin_usec < line_usec + USEC_PER_SEC);
}

static void noise_never_spoils_what_is_read_back(void **state) {
        const VirtualConfig config = virtual_config();

        for (uint32_t seed = 1; seed <= SEEDS / 4; seed++) {
                build(&config);
                world_install(world, 7);
                world->line.flip_in = world->line.drop_in = 10000;
                world->line.seed = seed * 104729;
                assert_reads_back();
        }
}

static void two_power_cuts(VirtualLine *line) {
        virtual_device_power_cycle(line->device);
        line->event_at_bytes = line->event_at_bytes < 30000 ? 30000 : 0;
}

static void power_cuts_on_a_noisy_line_are_resumed(void **state) {
        for (uint32_t seed = 1; seed <= SEEDS; seed++) {
                VirtualConfig config = virtual_config();

                config.erase_usec = 20000;
                config.write_usec = 5000;
                build(&config);
                world->line.flip_in = world->line.drop_in = 10000;
                world->line.seed = seed * 31337;
                world->line.event_at_bytes = 5000 + 500 * seed;
                world->line.on_event = two_power_cuts;
                assert_pushed();
        }
}

static void line_that_damages_everything_is_told(void **state) {
        VirtualConfig config = virtual_config();
        const DriverResult *r;

        build(&config);
        world->line.flip_in = 20;
        r = world_push(world, 7);
        assert_non_null(r);
        assert_true(r->code == DRIVER_E_LINE || r->code == DRIVER_E_NO_ANSWER);
}

#define TEST(f) cmocka_unit_test_teardown(f, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(noise_never_stops_a_push),
                TEST(noise_costs_bytes_by_its_strength),
                TEST(noise_never_stops_a_push_to_a_device_that_goes_deaf),
                TEST(noise_never_stops_a_push_on_a_bus),
                TEST(half_duplex_hears_itself_and_gets_through),
                TEST(other_address_on_the_bus_does_not_answer),
                TEST(flash_that_blocks_the_cpu_loses_nothing),
                TEST(flash_that_blocks_the_cpu_behind_a_small_buffer_loses_nothing),
                TEST(flash_that_blocks_the_cpu_on_a_bus_loses_nothing),
                TEST(slow_flash_is_waited_for),
                TEST(flash_and_line_overlap),
                TEST(every_buffer_and_payload_gets_through),
                TEST(late_answers_cost_nothing),
                TEST(next_piece_is_asked_for_while_one_comes_in),
                TEST(noise_never_spoils_what_is_read_back),
                TEST(power_cuts_on_a_noisy_line_are_resumed),
                TEST(line_that_damages_everything_is_told),
        };

        return cmocka_run_group_tests_name("native-line", tests, NULL, NULL);
}
