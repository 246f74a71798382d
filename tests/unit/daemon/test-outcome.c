/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of outcomes: complete, without doubles, and in keeping with the exit codes that
 * rekindlectl promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>

#include "daemon/outcome.h"

static void every_outcome_has_all_fields(void **state) {
        for (int i = 0; i < _OUTCOME_MAX; i++) {
                const OutcomeInfo *o = outcome_info((Outcome)i);

                assert_non_null(o->code);
                assert_true(strlen(o->code) > 2);
                assert_non_null(o->text);
                assert_true(strlen(o->text) > 10);
                assert_true((unsigned)o->class < _OUTCOME_CLASS_MAX);
                assert_non_null(o->bus_error);
                assert_non_null(o->ddi);
        }
}

static void codes_and_error_names_are_unique(void **state) {
        for (int i = 0; i < _OUTCOME_MAX; i++)
                for (int k = 0; k < i; k++) {
                        const OutcomeInfo *a = outcome_info((Outcome)i);
                        const OutcomeInfo *b = outcome_info((Outcome)k);

                        assert_string_not_equal(a->code, b->code);
                        assert_string_not_equal(a->bus_error, b->bus_error);
                        assert_string_not_equal(a->text, b->text);
                }
}

/* "below-floor" and "org.rekindle.Rekindle1.Error.BelowFloor". */
static void error_name_is_the_code_in_camel_case(void **state) {
        static const char prefix[] = "org.rekindle.Rekindle1.Error.";

        for (int i = 0; i < _OUTCOME_MAX; i++) {
                const OutcomeInfo *o = outcome_info((Outcome)i);
                char expected[128];
                size_t n = strlen(prefix);
                bool upper = true;

                memcpy(expected, prefix, n);
                for (const char *p = o->code; *p; p++) {
                        if (*p != '-')
                                expected[n++] = (char)(upper ? toupper(*p) : *p);
                        upper = *p == '-';
                }
                expected[n] = '\0';
                assert_string_equal(o->bus_error, expected);
        }
}

static void code_leads_back_to_its_outcome(void **state) {
        for (int i = 0; i < _OUTCOME_MAX; i++) {
                Outcome o = _OUTCOME_MAX;

                assert_int_equal(outcome_from_code(outcome_info((Outcome)i)->code, &o), 0);
                assert_int_equal(o, i);
        }
}

static void unknown_code_is_refused(void **state) {
        Outcome o = OUTCOME_BUSY;

        assert_int_equal(outcome_from_code("no-such-code", &o), -EINVAL);
        assert_int_equal(outcome_from_code("", &o), -EINVAL);
        assert_int_equal(o, OUTCOME_BUSY);
}

static void waits_are_named_as_such(void **state) {
        for (int i = 0; i < _OUTCOME_MAX; i++) {
                const OutcomeInfo *o = outcome_info((Outcome)i);

                assert_int_equal(o->class == OUTCOME_CLASS_WAIT, startswith(o->code, "wait-"));
        }
}

/* 0 done, 1 failed, 2 usage, 3 nothing to do, 4 not found, 5 refused, 6 restored to backup, 7
 * device unreachable. */
static void exit_status_fits_the_class(void **state) {
        static const struct {
                OutcomeClass class;
                const char *allowed;
        } classes[] = {
                { OUTCOME_CLASS_SUCCESS, "0" },
                { OUTCOME_CLASS_NOTHING, "3" },
                { OUTCOME_CLASS_WAIT, "157" },
                { OUTCOME_CLASS_REFUSAL, "2345" },
                { OUTCOME_CLASS_FAILURE, "167" },
        };

        for (int i = 0; i < _OUTCOME_MAX; i++) {
                const OutcomeInfo *o = outcome_info((Outcome)i);

                assert_in_range(o->exit_status, 0, 7);
                for (size_t k = 0; k < ELEMENTSOF(classes); k++)
                        if (classes[k].class == o->class)
                                assert_non_null(strchr(classes[k].allowed, '0' + o->exit_status));
        }
}

static void exit_statuses_that_scripts_rely_on(void **state) {
        static const struct {
                Outcome outcome;
                int status;
        } cases[] = {
                { OUTCOME_DONE, 0 },
                { OUTCOME_RESTORED_BY_REQUEST, 0 },
                { OUTCOME_ALREADY_RUNNING, 3 },
                { OUTCOME_UNKNOWN_DEVICE, 4 },
                { OUTCOME_BELOW_FLOOR, 5 },
                { OUTCOME_INVALID_ARGUMENT, 2 },
                { OUTCOME_RESTORED, 6 },
                { OUTCOME_RESTORED_PREVIOUS, 6 },
                { OUTCOME_STRANDED, 1 },
                { OUTCOME_DEVICE_UNREACHABLE, 7 },
                { OUTCOME_WAIT_DEVICE, 7 },
                { OUTCOME_WAIT_APPROVAL, 5 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_int_equal(outcome_info(cases[i].outcome)->exit_status, cases[i].status);
}

/* A wait is no end; what was refused or failed never goes to the server as a success. */
static void ddi_word_fits_the_class(void **state) {
        for (int i = 0; i < _OUTCOME_MAX; i++) {
                const OutcomeInfo *o = outcome_info((Outcome)i);

                if (o->class == OUTCOME_CLASS_SUCCESS)
                        assert_string_equal(o->ddi, "success");
                else if (o->class == OUTCOME_CLASS_WAIT)
                        assert_string_equal(o->ddi, "none");
                else if (o->class != OUTCOME_CLASS_NOTHING)
                        assert_string_equal(o->ddi, "failure");
                else
                        assert_string_not_equal(o->ddi, "failure");
        }
}

static void classes_have_names(void **state) {
        assert_string_equal(outcome_class_to_string(OUTCOME_CLASS_SUCCESS), "success");
        assert_string_equal(outcome_class_to_string(OUTCOME_CLASS_NOTHING), "nothing-to-do");
        assert_string_equal(outcome_class_to_string(OUTCOME_CLASS_WAIT), "wait");
        assert_string_equal(outcome_class_to_string(OUTCOME_CLASS_REFUSAL), "refusal");
        assert_string_equal(outcome_class_to_string(OUTCOME_CLASS_FAILURE), "failure");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_outcome_has_all_fields),
                cmocka_unit_test(codes_and_error_names_are_unique),
                cmocka_unit_test(error_name_is_the_code_in_camel_case),
                cmocka_unit_test(code_leads_back_to_its_outcome),
                cmocka_unit_test(unknown_code_is_refused),
                cmocka_unit_test(waits_are_named_as_such),
                cmocka_unit_test(exit_status_fits_the_class),
                cmocka_unit_test(exit_statuses_that_scripts_rely_on),
                cmocka_unit_test(ddi_word_fits_the_class),
                cmocka_unit_test(classes_have_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
