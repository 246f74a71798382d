/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Validation as a table. A case names what differs from a world in which release 2.0.0 (digest
 * 2) may be installed over 1.0.0 (digest 1), which is the backup: words as in `words` below. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/validate.h"
#include "driver/driver.h"

#define MB (1024 * 1024)

typedef struct World {
        Record *record;
        Release *release;
        ValidateInput in;
        const char *lowest;
        char *hardware[2];
        ReleaseRequire require;
        ReleasePart part;
} World;

typedef struct Case {
        const char *spec;
        Outcome outcome;
        const char *says; /* a part of the sentence */
} Case;

typedef struct Word {
        const char *name;
        void (*set)(World *world, const char *value);
} Word;

static const Word words[];

static Sha256 digest(char c) {
        Sha256 d;

        memset(d.bytes, c == '0' ? 0 : c, sizeof(d.bytes));
        return d;
}

/* "VERSION:DIGEST"; no version: "-". */
static RecordImage image(const char *value) {
        const char *colon = strchr(value, ':');
        RecordImage i = { .known = true, .digest = digest(colon[1]), .length = 100 };

        if (*value != '-')
                memcpy(i.version, value, (size_t)(colon - value));
        return i;
}

static bool has_any_image(const Sha256 *digest, void *userdata) {
        return true;
}

static const char *lowest_version_of(const char *model, void *userdata) {
        World *world = userdata;

        return streq(model, "display") ? world->lowest : NULL;
}

static Release *make_release(const char *version, char c) {
        Sha256 d = digest(c);
        Release *r = NULL;

        assert_int_equal(release_new_bare("boiler", version, 100, &d, &r), 0);
        return r;
}

static void world_init(World *world) {
        *world = (World){ .release = make_release("2.0.0", '2') };
        assert_int_equal(record_new("b1", &world->record), 0);
        strcpy(world->record->model, "boiler");
        strcpy(world->record->hardware, "B");
        strcpy(world->record->protocol, "native");
        world->record->program_space = 1000;
        world->record->running = world->record->backup = image("1.0.0:1");
        world->in = (ValidateInput){
                .release = world->release,
                .record = world->record,
                .channel = "stable",
                .provision = PROVISION_ASK,
                .has_model_section = true,
                .window_open = true,
                .clock_ok = true,
                .device_present = true,
                .can_prove = true,
                .backup_ok = true,
                .free_bytes = 10 * MB,
                .reserve_bytes = MB,
                .lowest_version_of = lowest_version_of,
                .userdata = world,
        };
}

static void world_done(World *world) {
        /* These were put in from the stack. */
        world->release->hardware = NULL;
        world->release->requires = NULL;
        world->release->parts = NULL;
        world->release->n_requires = world->release->n_parts = 0;
        release_free(world->release);
        record_free(world->record);
}

static void world_set(World *world, const char *spec) {
        char copy[200], *save = NULL;

        assert_true(strlen(spec) < sizeof(copy));
        strcpy(copy, spec);
        for (char *s = strtok_r(copy, " ", &save); s; s = strtok_r(NULL, " ", &save)) {
                char *value = strchr(s, '=');
                const Word *word = words;

                if (value)
                        *value++ = '\0';
                while (word->name && !streq(word->name, s))
                        word++;
                if (!word->name)
                        fail_msg("the case \"%s\" uses the unknown word \"%s\"", spec, s);
                word->set(world, value);
        }
}

static void check(const Case *c) {
        World world;
        Verdict v;

        world_init(&world);
        world_set(&world, c->spec);
        validate(&world.in, &v);
        if (v.outcome != c->outcome)
                fail_msg("\"%s\" gives %s (%s), not %s", c->spec, outcome_info(v.outcome)->code,
                                v.why.text, outcome_info(c->outcome)->code);
        if (c->says && !strstr(v.why.text, c->says))
                fail_msg("\"%s\" says \"%s\", not \"%s\"", c->spec, v.why.text, c->says);
        if (v.may_download != (v.outcome == OUTCOME_WAIT_WINDOW))
                fail_msg("\"%s\": a download may run under a wait for the window, then only",
                                c->spec);
        world_done(&world);
}

static void check_all(const Case *cases, size_t n) {
        for (size_t i = 0; i < n; i++)
                check(cases + i);
}

static void what_makes_sense_is_let_through(void **state) {
        static const Case cases[] = {
                { "", OUTCOME_DONE, "2.0.0 can be installed over 1.0.0" },
                { "instore free=1048576", OUTCOME_DONE, NULL },
                { "fits=B", OUTCOME_DONE, NULL },
                { "minfrom=1.0.0", OUTCOME_DONE, NULL },
                { "requires=1.2.0 lowest=1.2.0", OUTCOME_DONE, NULL },
                { "floor=2.0.0", OUTCOME_DONE, NULL },
                { "size=1000", OUTCOME_DONE, NULL },
                { "size=5000 space=0", OUTCOME_DONE, NULL },
                { "demands signed", OUTCOME_DONE, NULL },
                { "ask approved=2.0.0", OUTCOME_DONE, NULL },
                { "passed=1.9.0", OUTCOME_DONE, NULL },
                { "passed=2.0.0 asked", OUTCOME_DONE, NULL },
                { "passed=2.0.0 byname", OUTCOME_DONE, NULL },
                { "passed=2.0.0 approved=2.0.0", OUTCOME_DONE, NULL },
                { "bad=9", OUTCOME_DONE, NULL },
        };

        check_all(cases, ELEMENTSOF(cases));
}

static void each_refusal_has_its_case(void **state) {
        static const Case cases[] = {
                { "changed", OUTCOME_IDENTITY_CHANGED, "serial 43 answers" },
                { "claimed-twice", OUTCOME_IDENTITY_CHANGED, "two units say" },
                { "foreign", OUTCOME_FOREIGN_PUSH, "accept" },
                { "model=heater", OUTCOME_WRONG_MODEL, "the device is heater" },
                { "model= live", OUTCOME_WRONG_MODEL, "the device is unknown" },
                { "fits=C", OUTCOME_WRONG_HARDWARE, "it fits C" },
                { "fits=C hardware= live", OUTCOME_WRONG_HARDWARE, "not told" },
                { "parts", OUTCOME_PARTS_UNSUPPORTED, "1 parts" },
                { "running=2.0.0:2", OUTCOME_ALREADY_RUNNING, "2.0.0 runs already" },
                { "rchannel=beta", OUTCOME_OTHER_CHANNEL, "follows stable" },
                { "bad=2", OUTCOME_KNOWN_BAD, "watchdog" },
                { "running=2.0.0:3", OUTCOME_SAME_VERSION_OTHER_DIGEST, "new version" },
                { "floor=2.0.1", OUTCOME_BELOW_FLOOR, "below the floor 2.0.1" },
                { "running=2.1.0:3", OUTCOME_OLDER, "older than 2.1.0" },
                { "passed=2.0.0", OUTCOME_PASSED_OVER, "by itself, since it was canceled" },
                { "passed=2.0.1 minfrom=1.0.1", OUTCOME_PASSED_OVER, "update b1 ends that" },
                { "minfrom=1.0.1", OUTCOME_BELOW_MIN_FROM, "from 1.0.1 on, 1.0.0 runs" },
                { "requires=1.2.0 lowest=1.1.9", OUTCOME_REQUIRES_UNMET, "here is 1.1.9" },
                { "requires=1.2.0", OUTCOME_REQUIRES_UNMET, "here is none" },
                { "requires=1.2.0 lowest=odd", OUTCOME_REQUIRES_UNMET, "here is odd" },
                { "size=1001", OUTCOME_TOO_LARGE, "room for 1000" },
                { "demands", OUTCOME_NOT_SIGNED_FOR_DEVICE, "no device signature" },
                { "noprove", OUTCOME_CANNOT_PROVE, "over native" },
                { "nobackup", OUTCOME_NO_BACKUP, "missing from the store" },
                { "nobackup backup=none", OUTCOME_NO_BACKUP, "adopt it first" },
                { "nobackup running=1.5.0:5", OUTCOME_NO_BACKUP, "another program runs" },
                { "free=1048775", OUTCOME_NO_SPACE, "200 bytes" },
                { "free=1048575 instore", OUTCOME_NO_SPACE, "1048576 kept in reserve" },
                { "blank backup=none running=none nosection", OUTCOME_PROVISION_DISABLED,
                                "names its model" },
                { "blank backup=none running=none provision=no", OUTCOME_PROVISION_DISABLED,
                                "Provision=no" },
        };

        check_all(cases, ELEMENTSOF(cases));
}

static void each_wait_has_its_case(void **state) {
        static const Case cases[] = {
                { "hold", OUTCOME_WAIT_HOLD, "held" },
                { "inhibit", OUTCOME_WAIT_INHIBIT, "inhibits" },
                { "noclock", OUTCOME_WAIT_CLOCK, "clock" },
                { "absent", OUTCOME_WAIT_DEVICE, "answers" },
                { "model=", OUTCOME_WAIT_DEVICE, "not told its model" },
                { "ask", OUTCOME_WAIT_APPROVAL, "approval" },
                { "ask approved=1.9.0", OUTCOME_WAIT_APPROVAL, NULL },
                { "nowindow", OUTCOME_WAIT_WINDOW, "service window" },
                { "blank backup=none running=none", OUTCOME_WAIT_APPROVAL, "first program" },
        };

        check_all(cases, ELEMENTSOF(cases));
}

/* Where several things are wrong, people hear of the one that decides. */
static void the_order_of_the_rules_is_kept(void **state) {
        static const Case cases[] = {
                { "changed foreign model=heater", OUTCOME_IDENTITY_CHANGED, NULL },
                { "foreign model=heater", OUTCOME_FOREIGN_PUSH, NULL },
                { "model=heater fits=C", OUTCOME_WRONG_MODEL, NULL },
                { "running=2.0.0:2 rchannel=beta bad=2", OUTCOME_ALREADY_RUNNING, NULL },
                { "bad=2 running=2.1.0:3", OUTCOME_KNOWN_BAD, NULL },
                { "bad=2 floor=3.0.0", OUTCOME_KNOWN_BAD, NULL },
                { "floor=3.0.0 running=3.0.0:3", OUTCOME_BELOW_FLOOR, NULL },
                { "running=2.1.0:3 minfrom=3.0.0", OUTCOME_OLDER, NULL },
                { "minfrom=1.5.0 nobackup", OUTCOME_BELOW_MIN_FROM, NULL },
                { "nobackup free=0", OUTCOME_NO_BACKUP, NULL },
                { "nobackup hold absent", OUTCOME_NO_BACKUP, NULL },
                { "free=0 hold", OUTCOME_NO_SPACE, NULL },
                { "hold inhibit noclock absent ask nowindow", OUTCOME_WAIT_HOLD, NULL },
                { "inhibit noclock absent ask nowindow", OUTCOME_WAIT_INHIBIT, NULL },
                { "noclock absent ask nowindow", OUTCOME_WAIT_CLOCK, NULL },
                { "absent ask nowindow", OUTCOME_WAIT_DEVICE, NULL },
                { "ask nowindow", OUTCOME_WAIT_APPROVAL, NULL },
        };

        check_all(cases, ELEMENTSOF(cases));
}

static void asked_for_by_name(void **state) {
        static const Case cases[] = {
                { "byname running=2.1.0:3 backup=2.1.0:3", OUTCOME_DONE, "over 2.1.0" },
                { "byname rchannel=beta", OUTCOME_DONE, NULL },
                { "byname ask", OUTCOME_DONE, NULL },
                { "byname bad=2", OUTCOME_KNOWN_BAD, NULL },
                { "byname floor=2.0.1", OUTCOME_BELOW_FLOOR, NULL },
                { "byname running=2.0.0:3", OUTCOME_SAME_VERSION_OTHER_DIGEST, NULL },
                { "byname minfrom=1.5.0", OUTCOME_BELOW_MIN_FROM, NULL },
                { "byname nobackup", OUTCOME_NO_BACKUP, NULL },
                { "byname hold", OUTCOME_WAIT_HOLD, NULL },
                { "byname nowindow", OUTCOME_WAIT_WINDOW, NULL },
                { "byname blank backup=none running=none", OUTCOME_DONE, NULL },
                { "byname blank backup=none running=none provision=no", OUTCOME_PROVISION_DISABLED,
                                NULL },
        };

        check_all(cases, ELEMENTSOF(cases));
}

static void unknown_running_version_is_judged_by_digest(void **state) {
        static const Case cases[] = {
                { "running=-:2", OUTCOME_ALREADY_RUNNING, NULL },
                { "running=-:1 minfrom=1.0.0", OUTCOME_DONE, "over 1.0.0" },
                { "running=-:1 backup=2.5.0:1", OUTCOME_OLDER, "older than 2.5.0" },
                { "running=-:4 previous=2.5.0:4", OUTCOME_OLDER, "older than 2.5.0" },
                { "running=odd:1 backup=2.5.0:1", OUTCOME_OLDER, NULL },
                { "running=-:7 minfrom=1.0.0", OUTCOME_BELOW_MIN_FROM, "an unknown version runs" },
                { "running=-:7", OUTCOME_DONE, NULL },
                /* No digest either: the version alone tells. */
                { "running=2.0.0:0", OUTCOME_ALREADY_RUNNING, NULL },
                { "running=1.0.0:0", OUTCOME_DONE, NULL },
        };

        check_all(cases, ELEMENTSOF(cases));
}

static void floor_and_what_is_held_below_it(void **state) {
        static const Case cases[] = {
                { "floor=2.5.0 running=2.5.0:5 backup=2.5.0:5 previous=2.0.0:2 byname",
                                OUTCOME_DONE, NULL },
                { "floor=2.5.0 running=2.5.0:5 backup=2.5.0:5 previous=2.0.0:2 byname strict",
                                OUTCOME_BELOW_FLOOR, NULL },
                { "floor=2.5.0 running=2.5.0:5 backup=2.5.0:5 previous=2.0.0:2 byname enforces",
                                OUTCOME_BELOW_FLOOR, NULL },
        };

        check_all(cases, ELEMENTSOF(cases));
}

static void blank_devices(void **state) {
        static const Case cases[] = {
                { "blank backup=none running=none provision=auto", OUTCOME_DONE,
                                "can be installed" },
                { "blank backup=none running=none provision=auto ask", OUTCOME_DONE, NULL },
                { "blank backup=none running=none approved=2.0.0", OUTCOME_DONE, NULL },
                { "blank backup=none running=none provision=auto minfrom=1.0.0", OUTCOME_DONE,
                                NULL },
                { "blank backup=none running=none provision=auto floor=3.0.0", OUTCOME_BELOW_FLOOR,
                                NULL },
                { "blank backup=none running=none provision=auto nobackup", OUTCOME_DONE, NULL },
                { "blank backup=none running=none provision=auto bad=2", OUTCOME_KNOWN_BAD, NULL },
                /* With a past it is no provisioning: the section need not name a model. */
                { "blank nosection provision=no", OUTCOME_DONE, NULL },
                { "blank ask provision=auto", OUTCOME_WAIT_APPROVAL, NULL },
                /* What is known to have run on it once does not make a release older. */
                { "blank running=3.0.0:3", OUTCOME_DONE, NULL },
                /* Neither backup nor previous runs: a later release may end that. */
                { "stranded nobackup backup=none running=none", OUTCOME_DONE, NULL },
                { "stranded nobackup", OUTCOME_NO_BACKUP, NULL },
        };

        check_all(cases, ELEMENTSOF(cases));
}

static void verdict_tells_of_provisioning(void **state) {
        World world;
        Verdict v;

        world_init(&world);
        validate(&world.in, &v);
        assert_false(v.provision);
        world_set(&world, "blank");
        validate(&world.in, &v);
        assert_false(v.provision);
        world_set(&world, "backup=none running=none provision=auto");
        validate(&world.in, &v);
        assert_true(v.provision);
        assert_int_equal(v.outcome, OUTCOME_DONE);
        world_done(&world);
}

static void hardware_unknown_before_the_first_contact_is_left_to_the_live_run(void **state) {
        static const Case cases[] = {
                { "fits=C hardware= absent", OUTCOME_WAIT_DEVICE, NULL },
                { "fits=C hardware=", OUTCOME_DONE, NULL },
        };

        check_all(cases, ELEMENTSOF(cases));
}

typedef struct RestoreCase {
        const char *spec;
        Outcome previous; /* of restoring the previous, 1.0.0 with digest 1 */
} RestoreCase;

static void previous_is_restorable_below_the_floor_unless_strict(void **state) {
        static const RestoreCase cases[] = {
                { "previous=1.0.0:1", OUTCOME_DONE },
                { "previous=1.0.0:1 floor=2.0.0", OUTCOME_DONE },
                { "previous=1.0.0:1 floor=2.0.0 strict", OUTCOME_BELOW_FLOOR },
                { "previous=1.0.0:1 floor=1.0.0 strict", OUTCOME_DONE },
                { "previous=1.0.0:1 floor=2.0.0 enforces", OUTCOME_BELOW_FLOOR },
                { "bad=8 previous=1.0.0:8", OUTCOME_KNOWN_BAD },
                { "", OUTCOME_NO_BACKUP },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                World world;
                Outcome o;

                world_init(&world);
                world_set(&world, cases[i].spec);
                o = validate_restore(
                                world.record, &world.record->previous, world.in.strict_floor, NULL);
                if (o != cases[i].previous)
                        fail_msg("\"%s\" gives %s", cases[i].spec, outcome_info(o)->code);
                world_done(&world);
        }
}

/* ---- selection ---- */

typedef struct SelectCase {
        const char *spec;
        const char *releases; /* "VERSION:DIGEST[<MIN-FROM][/HARDWARE]", blanks between */
        const char *chosen;   /* version, NULL: none */
        Outcome outcome;
        const char *says;
} SelectCase;

static Release *release_from(char *s) {
        char *hardware = strchr(s, '/'), *min_from = strchr(s, '<'), *colon = strchr(s, ':');
        Release *r;

        if (hardware)
                *hardware++ = '\0';
        if (min_from)
                *min_from++ = '\0';
        *colon++ = '\0';
        r = make_release(s, *colon);
        if (min_from)
                r->min_from = strdup(min_from);
        if (hardware) {
                r->hardware = new0(char *, 2);
                r->hardware[0] = strdup(hardware);
        }
        return r;
}

static size_t make_releases(const char *text, Release *list[static 8]) {
        char copy[200], *save = NULL;
        size_t n = 0;

        strcpy(copy, text);
        for (char *s = strtok_r(copy, " ", &save); s; s = strtok_r(NULL, " ", &save))
                list[n++] = release_from(s);
        return n;
}

static void check_select(const SelectCase *c) {
        Release *list[8];
        Verdict v = { .outcome = _OUTCOME_MAX };
        size_t n = make_releases(c->releases, list), i = 99;
        World world;
        int r;

        world_init(&world);
        world_set(&world, c->spec);
        world.in.release = NULL;
        r = validate_select(&world.in, list, n, &i, &v);
        if (r != (c->chosen ? 0 : -ENOENT) || (c->chosen && !streq(list[i]->version, c->chosen)))
                fail_msg("\"%s\" of \"%s\" gives %d, %s", c->spec, c->releases, r,
                                r == 0 ? list[i]->version : v.why.text);
        if (v.outcome != c->outcome || (c->says && !strstr(v.why.text, c->says)))
                fail_msg("\"%s\" of \"%s\": %s, %s", c->spec, c->releases,
                                outcome_info(v.outcome)->code, v.why.text);
        for (size_t k = 0; k < n; k++)
                release_free(list[k]);
        world_done(&world);
}

static void the_highest_that_validates_is_selected(void **state) {
        static const SelectCase cases[] = {
                { "", "2.0.0:2 10.0.0:a 3.0.0:3", "10.0.0", OUTCOME_DONE, NULL },
                { "bad=a", "2.0.0:2 10.0.0:a 3.0.0:3", "3.0.0", OUTCOME_DONE, NULL },
                { "", "2.0.0:2 3.0.0:3/C", "2.0.0", OUTCOME_DONE, NULL },
                { "", "2.0.0:2 3.0.0-rc.1:3", "3.0.0-rc.1", OUTCOME_DONE, NULL },
                { "", "1.0.0:1", NULL, OUTCOME_ALREADY_RUNNING, NULL },
                { "", "1.0.0:1 3.0.0:3/C", NULL, OUTCOME_ALREADY_RUNNING, NULL },
                { "bad=2", "1.0.0:1 2.0.0:2", NULL, OUTCOME_KNOWN_BAD, NULL },
                { "running=5.0.0:5 backup=5.0.0:5", "1.0.0:1 2.0.0:2", NULL, OUTCOME_NO_RELEASE,
                                "older than 5.0.0" },
                { "", "", NULL, OUTCOME_NO_RELEASE, "model boiler" },
                { "", "3.0.0:3/C", NULL, OUTCOME_NO_RELEASE, "hardware B" },
                { "nobackup", "3.0.0:3 2.0.0:2", NULL, OUTCOME_NO_BACKUP, "backup 1.0.0" },
                /* A wait is no reason to take a lower one. */
                { "hold", "3.0.0:3 2.0.0:2", "3.0.0", OUTCOME_WAIT_HOLD, NULL },
                { "ask approved=2.0.0", "3.0.0:3 2.0.0:2", "3.0.0", OUTCOME_WAIT_APPROVAL, NULL },
                /* Nothing lower comes in the place of what a person did not want. */
                { "passed=3.0.0", "3.0.0:3 2.0.0:2", NULL, OUTCOME_PASSED_OVER, "3.0.0 is not" },
                { "passed=2.0.0", "3.0.0:3 2.0.0:2", "3.0.0", OUTCOME_DONE, NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                check_select(cases + i);
}

static void the_highest_is_the_one_that_is_meant_for_the_device(void **state) {
        static const struct {
                const char *releases, *highest;
        } cases[] = {
                { "", NULL },
                { "1.0.0:1 0.9.0:9", "1.0.0" },
                { "2.0.0:2 3.0.0:3<2.5.0 1.0.0:1", "3.0.0" },
                { "2.0.0:2 3.0.0:3/C", "2.0.0" },
                { "3.0.0:3/C", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const Release *highest;
                Release *list[8];
                World world;
                size_t n;

                world_init(&world);
                n = make_releases(cases[i].releases, list);
                highest = validate_highest(&world.in, list, n);
                if (!streq(highest ? highest->version : "",
                                    cases[i].highest ? cases[i].highest : ""))
                        fail_msg("\"%s\" gives %s", cases[i].releases,
                                        highest ? highest->version : "none");
                for (size_t k = 0; k < n; k++)
                        release_free(list[k]);
                world_done(&world);
        }
}

static void min_from_is_reached_over_stepping_stones(void **state) {
        static const SelectCase cases[] = {
                { "", "2.0.0:2 3.0.0:3<2.0.0", "2.0.0", OUTCOME_DONE, "on the way to 3.0.0" },
                { "", "2.0.0:2 2.9.0:9 3.0.0:3<2.0.0", "2.9.0", OUTCOME_DONE, NULL },
                { "", "2.0.0:2 3.0.0:3<2.0.0 4.0.0:4<3.0.0", "2.0.0", OUTCOME_DONE,
                                "on the way to 4.0.0" },
                { "running=2.0.0:2 backup=2.0.0:2", "2.0.0:2 3.0.0:3<2.0.0 4.0.0:4<3.0.0", "3.0.0",
                                OUTCOME_DONE, NULL },
                { "", "3.0.0:3<2.0.0", NULL, OUTCOME_BELOW_MIN_FROM, NULL },
                { "bad=2", "2.0.0:2 3.0.0:3<2.0.0", NULL, OUTCOME_BELOW_MIN_FROM, NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                check_select(cases + i);
}

static void running_version_is_looked_up_among_the_releases(void **state) {
        static const SelectCase cases[] = {
                { "running=-:2", "2.0.0:2 1.5.0:5", NULL, OUTCOME_ALREADY_RUNNING, NULL },
                { "running=-:2", "3.0.0:3<2.0.0 2.0.0:2", "3.0.0", OUTCOME_DONE, "over 2.0.0" },
                { "running=-:9", "3.0.0:3<2.0.0 2.0.0:2", "2.0.0", OUTCOME_DONE, NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                check_select(cases + i);
}

static void failed_provisioning_goes_on_with_the_next_lower(void **state) {
        static const SelectCase cases[] = {
                { "blank backup=none running=none provision=auto bad=3", "3.0.0:3 2.0.0:2 1.0.0:1",
                                "2.0.0", OUTCOME_DONE, NULL },
        };

        check_select(cases);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_makes_sense_is_let_through),
                cmocka_unit_test(each_refusal_has_its_case),
                cmocka_unit_test(each_wait_has_its_case),
                cmocka_unit_test(the_order_of_the_rules_is_kept),
                cmocka_unit_test(asked_for_by_name),
                cmocka_unit_test(unknown_running_version_is_judged_by_digest),
                cmocka_unit_test(floor_and_what_is_held_below_it),
                cmocka_unit_test(blank_devices),
                cmocka_unit_test(verdict_tells_of_provisioning),
                cmocka_unit_test(hardware_unknown_before_the_first_contact_is_left_to_the_live_run),
                cmocka_unit_test(previous_is_restorable_below_the_floor_unless_strict),
                cmocka_unit_test(the_highest_that_validates_is_selected),
                cmocka_unit_test(the_highest_is_the_one_that_is_meant_for_the_device),
                cmocka_unit_test(min_from_is_reached_over_stepping_stones),
                cmocka_unit_test(running_version_is_looked_up_among_the_releases),
                cmocka_unit_test(failed_provisioning_goes_on_with_the_next_lower),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* ---- the words of a case ---- */

#define SET(name, statement)                                                                       \
        static void set_##name(World *x, const char *v) {                                          \
                statement;                                                                         \
        }

static void copy_text(char *to, const char *v) {
        memcpy(to, v, strlen(v) + 1);
}

static void add_bad(World *x, const char *v) {
        Sha256 d = digest(*v);

        assert_int_equal(
                        record_add_bad(x->record, &d, "2.0.0", "watchdog: 3 starts used up", 1), 0);
}

static void add_requires(World *x, const char *v) {
        x->require = (ReleaseRequire){ .model = (char *)"display" };
        x->require.min_version = (char *)(streq(v, "1.2.0") ? "1.2.0" : "0");
        x->release->requires = &x->require;
        x->release->n_requires = 1;
}

static void add_part(World *x, const char *v) {
        x->part = (ReleasePart){ .offset = 0, .length = 100 };
        x->release->parts = &x->part;
        x->release->n_parts = 1;
}

static void set_fits_to(World *x, const char *v) {
        x->hardware[0] = (char *)(streq(v, "B") ? "B" : "C");
        x->release->hardware = x->hardware;
}

static void claim_other(World *x, const char *v) {
        x->record->identity_changed = true;
        strcpy(x->record->claimed_serial, "43");
}

static void claim_same(World *x, const char *v) {
        x->record->identity_changed = true;
        strcpy(x->record->claimed_model, x->record->model);
        strcpy(x->record->claimed_serial, x->record->serial);
}

static void set_image(RecordImage *to, const char *v) {
        *to = streq(v, "none") ? (RecordImage){ 0 } : image(v);
}

/* Texts in the record are copied; those in the release are owned by it. */
SET(model, copy_text(x->record->model, v))
SET(hardware, copy_text(x->record->hardware, v))
SET(floor, copy_text(x->record->floor, v))
SET(approved, copy_text(x->record->approved, v))
SET(passed, record_pass_over(x->record, v, "since it was canceled"))
SET(asked, x->in.asked = true)
SET(running, set_image(&x->record->running, v))
SET(backup, set_image(&x->record->backup, v))
SET(previous, set_image(&x->record->previous, v))
SET(foreign, x->record->foreign_push = true)
SET(hold, x->record->hold = true)
SET(stranded, x->record->stranded_since = 1)
SET(space, x->record->program_space = strtoull(v, NULL, 10))
SET(demands, x->record->capabilities |= DRIVER_DEMANDS_SIGNED)
SET(enforces, x->record->capabilities |= DRIVER_ENFORCES_FLOOR)
SET(minfrom, assert_int_equal(free_and_strdup(&x->release->min_from, v), 0))
SET(rchannel, assert_int_equal(free_and_strdup(&x->release->channel, v), 0))
SET(size, x->release->image_length = strtoull(v, NULL, 10))
SET(signed, x->release->signature_length = 64)
SET(lowest, x->lowest = streq(v, "odd") ? "odd" : streq(v, "1.2.0") ? "1.2.0" : "1.1.9")
SET(byname, x->in.by_name = true)
SET(live, x->in.live = true)
SET(strict, x->in.strict_floor = true)
SET(noprove, x->in.can_prove = false)
SET(nobackup, x->in.backup_ok = false)
SET(blank, x->in.blank = true)
SET(nosection, x->in.has_model_section = false)
SET(provision, x->in.provision = streq(v, "no") ? PROVISION_NO : PROVISION_AUTO)
SET(free, x->in.free_bytes = strtoull(v, NULL, 10))
SET(instore, x->in.has_image = has_any_image)
SET(inhibit, x->in.inhibited = true)
SET(noclock, x->in.clock_ok = false)
SET(absent, x->in.device_present = false)
SET(ask, x->in.ask = true)
SET(nowindow, x->in.window_open = false)

static const Word words[] = {
        { "model", set_model },
        { "hardware", set_hardware },
        { "floor", set_floor },
        { "approved", set_approved },
        { "passed", set_passed },
        { "asked", set_asked },
        { "running", set_running },
        { "backup", set_backup },
        { "previous", set_previous },
        { "foreign", set_foreign },
        { "hold", set_hold },
        { "stranded", set_stranded },
        { "space", set_space },
        { "demands", set_demands },
        { "enforces", set_enforces },
        { "minfrom", set_minfrom },
        { "rchannel", set_rchannel },
        { "size", set_size },
        { "signed", set_signed },
        { "lowest", set_lowest },
        { "byname", set_byname },
        { "live", set_live },
        { "strict", set_strict },
        { "noprove", set_noprove },
        { "nobackup", set_nobackup },
        { "blank", set_blank },
        { "nosection", set_nosection },
        { "provision", set_provision },
        { "free", set_free },
        { "instore", set_instore },
        { "inhibit", set_inhibit },
        { "noclock", set_noclock },
        { "absent", set_absent },
        { "ask", set_ask },
        { "nowindow", set_nowindow },
        { "bad", add_bad },
        { "requires", add_requires },
        { "parts", add_part },
        { "fits", set_fits_to },
        { "changed", claim_other },
        { "claimed-twice", claim_same },
        { NULL, NULL },
};
