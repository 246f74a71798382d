/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Power fails in every flash operation of every flow (cuts.h), on devices of several geometries,
 * with whole units and with patches. Without arguments what takes seconds; with "all" everything,
 * a line for each device and flow.
 *
 * The loop proves that it can find something: with planted faults it has to lose devices.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../device/cuts.h"
#include "basic/cleanup.h"
#include "proto/patch-model.h"

#define TWO_SLOTS 6u /* of these */
static const BoardGeometry geometries[] = {
        { "1 KiB pages", 1024, 16, 1024, 1024, 1024, 4, 4 },
        { "half a page buffered", 1024, 16, 1024, 512, 1024, 8, 8 },
        { "256-byte pages", 256, 64, 256, 512, 1024, 4, 4 },
        { "4 KiB erase units", 4096, 4, 4096, 1024, 4096, 4, 4 },
        { "two erase units to a unit", 2048, 8, 1024, 1024, 1024, 2, 2 },
        { "wide writes", 1024, 16, 1024, 1024, 2048, 8, 32 },
#if RKD_WITH_SLOTS
        { "two slots", 1024, 16, 1024, 1024, 1024, 4, 4, 2 },
        { "two slots, half a page", 1024, 16, 1024, 512, 1024, 8, 8, 2 },
#endif
};
static const BoardGeometry large = { "128 KiB", 1024, 128, 1024, 1024, 1024, 4, 4 };
#if RKD_PATCH_IS_BUILT
static const uint8_t profiles[] = { RKD_PATCH_NONE, RKD_PATCH_COMPACT, RKD_PATCH_FULL };
#else
static const uint8_t profiles[] = { RKD_PATCH_NONE };
#endif

static bool all;

static void prepare(const CutSetup *setup, CutCount *ret) {
        *ret = (CutCount){ 0 };
        if (cuts_prepare(setup) < 0)
                fail_msg("%s, %s: no device to begin with", setup->geometry.name,
                                cuts_flow_name(setup->flow));
        ret->operations = cuts_count_operations();
        if (ret->operations == 0)
                fail_msg("%s, %s: fails without a cut", setup->geometry.name,
                                cuts_flow_name(setup->flow));
}

static void judge(const CutSetup *setup, const CutCount *count) {
        if (all)
                print_message("%-26s %-8s profile %u: %3u operations, %6u cases, %6u patches, %u lost\n",
                                setup->geometry.name, cuts_flow_name(setup->flow), setup->profile,
                                count->operations, count->cases, count->patches, count->lost);
        if (count->lost > 0)
                fail_msg("%s, %s, profile %u: %u devices lost, the first: %s", setup->geometry.name,
                                cuts_flow_name(setup->flow), setup->profile, count->lost,
                                count->first);
        assert_true(count->cases >= count->operations);
        assert_true(count->cases > 0);
        assert_true(count->operations == 0 || setup->profile == RKD_PATCH_NONE ||
                        setup->flow >= FLOW_CONFIRM || count->patches > 0);
}

static void cut(void (*loop)(bool thorough, CutCount *count), const CutSetup *setup,
                CutCount *sum) {
        CutCount count;

        prepare(setup, &count);
        loop(all, &count);
        judge(setup, &count);
        sum->operations += count.operations;
        sum->cases += count.cases;
        sum->patches += count.patches;
}

static void tell(const char *what, const CutCount *sum) {
        print_message("%s: %u operations, %u cases, %u patches: 0 devices lost\n", what,
                        sum->operations, sum->cases, sum->patches);
}

static CutSetup setup_of(unsigned geometry, unsigned flow, unsigned profile) {
        if (RKD_SMALL && geometries[geometry].page < geometries[geometry].unit)
                profile = 0; /* whole units only */
        return (CutSetup){ .geometry = geometries[geometry],
                .flow = (CutFlow)flow,
                .profile = profiles[profile % ELEMENTSOF(profiles)],
                .is_signed = geometry == 1 };
}

static void cut_everywhere(void (*loop)(bool, CutCount *), const char *what) {
        CutCount sum = { 0 };

        for (unsigned g = 0; g < ELEMENTSOF(geometries); g++)
                for (unsigned flow = 0; flow < _CUT_FLOW_MAX; flow++)
                        for (unsigned p = 0; p < (all ? ELEMENTSOF(profiles) : 1); p++) {
                                const CutSetup setup = setup_of(g, flow, g + flow + p);

                                cut(loop, &setup, &sum);
                        }
        tell(what, &sum);
}

static void every_operation_can_lose_power(void **state) {
        cut_everywhere(cuts_every, "power cut");
}

static void every_operation_can_fail(void **state) {
        cut_everywhere(cuts_every_failure, "failed operation");
}

static void sample_reads(bool thorough, CutCount *count) {
        count->operations = 0;
        cuts_sample_reads(thorough ? 400 : 25, count);
}

static void a_read_can_fail(void **state) {
        cut_everywhere(sample_reads, "failed read");
}

static void power_can_fail_again_while_it_recovers(void **state) {
        CutCount sum = { 0 };

        for (unsigned g = 0; g < ELEMENTSOF(geometries); g++)
                for (unsigned flow = 0; flow < _CUT_FLOW_MAX; flow++) {
                        const CutSetup setup = setup_of(g, flow, g + flow);

                        if (all || ((g == 0 || g == TWO_SLOTS) &&
                                                   (flow == FLOW_UPGRADE || flow == FLOW_RESTORE)))
                                cut(cuts_every_twice, &setup, &sum);
                }
        tell("power cut twice", &sum);
}

static void a_large_device_can_lose_power(void **state) {
        for (unsigned flow = 0; flow <= FLOW_RESTORE; flow++) {
                const CutSetup setup = {
                        .geometry = large,
                        .flow = (CutFlow)flow,
                        .profile = profiles[ELEMENTSOF(profiles) - 1],
                        .functions = 200,
                };
                CutCount count;

                prepare(&setup, &count);
                cuts_sample(all ? 400 : 8, &count);
                count.operations = 0;
                judge(&setup, &count);
                print_message("power cut of 128 KiB, %s: %u samples: 0 devices lost\n",
                                cuts_flow_name(setup.flow), count.cases);
        }
}

#if RKD_PATCH_IS_BUILT
/* Halves that change places: units are parked beyond both programs. */
static void a_device_that_parks_units_can_lose_power(void **state) {
        for (unsigned g = 0; g < 3; g += 2)
                for (unsigned flow = FLOW_UPGRADE; flow <= FLOW_RESTORE; flow++) {
                        CutSetup setup = setup_of(g, flow, RKD_PATCH_FULL);
                        CutCount count;

                        setup.profile = profiles[ELEMENTSOF(profiles) - 1];
                        setup.functions = 20;
                        setup.turned_by = 9;
                        prepare(&setup, &count);
                        cuts_every(all, &count);
                        judge(&setup, &count);
                        assert_true(count.parked > 0);
                        print_message("power cut of %s, %s, %u units parked: %u cases, %u patches: 0 devices lost\n",
                                        setup.geometry.name, cuts_flow_name(setup.flow),
                                        count.parked, count.cases, count.patches);
                }
}
#endif

static void expect_loss(unsigned geometry, BoardFault fault, const char *why) {
        const CutSetup setup = { .geometry = geometries[geometry],
                .flow = FLOW_UPGRADE,
                .profile = profiles[ELEMENTSOF(profiles) - 1],
                .fault = fault };
        CutCount count;

        prepare(&setup, &count);
        cuts_every(true, &count);
        print_message("planted fault: %u of %u devices lost, the first %s\n", count.lost,
                        count.cases, count.first);
        assert_true(count.lost > 0);
        assert_non_null(strstr(count.first, why));
}

static void a_mark_before_its_data_is_found(void **state) {
        expect_loss(0, FAULT_LATE_DATA, "calls a program complete that is not");
}

static void a_record_page_without_redundancy_is_found(void **state) {
        expect_loss(0, FAULT_ONE_RECORD, "its record is gone");
}

#if RKD_WITH_SLOTS
static void a_second_slot_that_is_the_first_is_found(void **state) {
        expect_loss(TWO_SLOTS, FAULT_ONE_SLOT, "no program starts without a gateway");
}
#endif

int main(int argc, char *argv[]) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_operation_can_lose_power),
                cmocka_unit_test(every_operation_can_fail),
                cmocka_unit_test(a_read_can_fail),
                cmocka_unit_test(power_can_fail_again_while_it_recovers),
                cmocka_unit_test(a_large_device_can_lose_power),
#if RKD_PATCH_IS_BUILT
                cmocka_unit_test(a_device_that_parks_units_can_lose_power),
#endif
                cmocka_unit_test(a_mark_before_its_data_is_found),
                cmocka_unit_test(a_record_page_without_redundancy_is_found),
#if RKD_WITH_SLOTS
                cmocka_unit_test(a_second_slot_that_is_the_first_is_found),
#endif
        };

        all = argc > 1 && strcmp(argv[1], "all") == 0;
        return cmocka_run_group_tests_name("power-cut", tests, NULL, NULL);
}
