/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The map of the patch codec: what it says of addresses that it was told of, and of others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/patch-map.h"

#define FAR  0x40000u
#define ROOM 4u

static RkdMap map;

static int set_up(void **state) {
        map = (RkdMap){ .n = 0 };
        rkd_map_learn(&map, ROOM, 3000, 30);
        rkd_map_learn(&map, ROOM, 1000, 10);
        rkd_map_learn(&map, ROOM, 2000, 10);
        return 0;
}

static void expect(uint32_t address, RkdMapClass class, uint32_t move) {
        RkdMapGuess guess = rkd_map_look_up(&map, address);

        assert_int_equal(guess.class, class);
        assert_int_equal(guess.move, move);
}

static void an_address_moves_as_it_was_told_last(void **state) {
        expect(2000, RKD_MAP_EXACT, 10);
        rkd_map_learn(&map, ROOM, 2000, 20);
        expect(2000, RKD_MAP_EXACT, 20);
        assert_int_equal(map.n, 3);
}

static void between_two_addresses_the_nearer_one_counts(void **state) {
        expect(1500, RKD_MAP_INSIDE, 10);
        expect(2501, RKD_MAP_BETWEEN, 30);
        expect(2500, RKD_MAP_BETWEEN, 10); /* the lower one when both are as near */
        assert_int_equal(rkd_map_look_up(&map, 2500).other, 30);
        assert_int_equal(rkd_map_look_up(&map, 2501).other, 10);
}

static void at_the_edge_one_address_counts_if_it_is_near(void **state) {
        expect(0, RKD_MAP_EDGE, 10);
        expect(3000 + FAR - 1, RKD_MAP_EDGE, 30);
        expect(3000 + FAR, RKD_MAP_UNKNOWN, 0);
        expect(UINT32_MAX, RKD_MAP_UNKNOWN, 0);
}

static void nothing_is_known_of_an_empty_map(void **state) {
        map.n = 0;
        expect(1000, RKD_MAP_UNKNOWN, 0);
}

static void in_a_full_map_one_after_the_other_leaves(void **state) {
        rkd_map_learn(&map, ROOM, 4000, 40);
        rkd_map_learn(&map, ROOM, 5000, 50); /* the first leaves: 1000 */
        expect(1000, RKD_MAP_EDGE, 10);
        expect(5000, RKD_MAP_EXACT, 50);
        rkd_map_learn(&map, ROOM, 1000, 11); /* then the second: 3000 */
        expect(3000, RKD_MAP_BETWEEN, 10);
        expect(1000, RKD_MAP_EXACT, 11);
        assert_int_equal(map.n, ROOM);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(an_address_moves_as_it_was_told_last, set_up),
                cmocka_unit_test_setup(between_two_addresses_the_nearer_one_counts, set_up),
                cmocka_unit_test_setup(at_the_edge_one_address_counts_if_it_is_near, set_up),
                cmocka_unit_test_setup(nothing_is_known_of_an_empty_map, set_up),
                cmocka_unit_test_setup(in_a_full_map_one_after_the_other_leaves, set_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
