/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration: defaults, every kind of value, refusals with their sentence, drop-ins; and
 * the table against the example file and the man page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/file.h"
#include "basic/json.h"
#include "daemon/config-table.h"
#include "state-fixture.h"

#define PORT   "[Port p]\nPath=/dev/ttyS1\n"
#define DEVICE "[Device d]\nPort=p\n"

typedef struct Warnings {
        unsigned n;
        char last[WHY_MAX];
} Warnings;

static void on_warning(const char *text, void *userdata) {
        Warnings *w = userdata;

        w->n++;
        (void)snprintf(w->last, sizeof(w->last), "%s", text);
}

static Config *parse(const char *text) {
        Warnings warnings = { 0 };
        Config *c = NULL;
        Why w = { "" };

        if (config_parse(&(ConfigText){ "a.conf", text, strlen(text) }, on_warning, &warnings, &c,
                            &w) < 0)
                fail_msg("\"%s\" is refused: %s", text, w.text);
        if (warnings.n > 0)
                fail_msg("\"%s\" is warned of: %s", text, warnings.last);
        return c;
}

static int refuse(const char *text, Config **ret, Why *w) {
        return config_parse(&(ConfigText){ "a.conf", text, strlen(text) }, NULL, NULL, ret, w);
}

static void empty_file_gives_the_defaults(void **state) {
        Config *c = parse("");

        assert_string_equal(c->metadata_url, "/metadata");
        assert_string_equal(c->targets_url, "/targets");
        assert_int_equal(c->poll_interval_usec, 3600 * USEC_PER_SEC);
        assert_int_equal(c->poll_random_usec, 600 * USEC_PER_SEC);
        assert_false(c->ask);
        assert_int_equal(c->provision, PROVISION_ASK);
        assert_string_equal(c->channel, "stable");
        assert_false(c->strict_floor);
        assert_int_equal(c->store_max_bytes, 256 << 20);
        assert_int_equal(c->adopt_usec, 60 * USEC_PER_SEC);
        assert_int_equal(c->trial_min_usec, 5 * USEC_PER_SEC);
        assert_int_equal(c->trial_max_usec, 3600 * USEC_PER_SEC);
        assert_int_equal(c->trial_default_usec, 30 * USEC_PER_SEC);
        assert_int_equal(c->restore_tries, 2);
        assert_int_equal(c->stranded_pause_usec, 60 * USEC_PER_SEC);
        assert_int_equal(c->pushes_per_day, 24);
        assert_int_equal(c->window_from, c->window_to);
        assert_int_equal(c->status_interval_usec, 60 * USEC_PER_SEC);
        assert_int_equal(c->n_ports + c->n_devices, 0);
        config_free(c);
}

static void every_key_of_the_single_sections_is_read(void **state) {
        Config *c = parse(
                        "[Server]\nMetadataUrl=https://a/m\nTargetsUrl=/t\nPollInterval=0\n"
                        "PollRandomDelay=90\n[Updates]\nApproval=ask\nProvision=no\nChannel=beta\n"
                        "StrictFloor=yes\nStoreMax=2M\nAdoptSeconds=0\nTrialMinSeconds=6\n"
                        "TrialMaxSeconds=20\nTrialSeconds=7\nRestoreTries=3\nPushesPerDay=5\n"
                        "StrandedPause=2\n"
                        "Window=22:30-05:15\nStatusInterval=2min\n");

        assert_string_equal(c->metadata_url, "https://a/m");
        assert_string_equal(c->targets_url, "/t");
        assert_int_equal(c->poll_interval_usec, 0);
        assert_int_equal(c->poll_random_usec, 90 * USEC_PER_SEC);
        assert_true(c->ask);
        assert_int_equal(c->provision, PROVISION_NO);
        assert_string_equal(c->channel, "beta");
        assert_true(c->strict_floor);
        assert_int_equal(c->store_max_bytes, 2 << 20);
        assert_int_equal(c->adopt_usec, 0);
        assert_int_equal(c->trial_min_usec, 6 * USEC_PER_SEC);
        assert_int_equal(c->trial_max_usec, 20 * USEC_PER_SEC);
        assert_int_equal(c->trial_default_usec, 7 * USEC_PER_SEC);
        assert_int_equal(c->restore_tries, 3);
        assert_int_equal(c->stranded_pause_usec, 2 * USEC_PER_SEC);
        assert_int_equal(c->pushes_per_day, 5);
        assert_int_equal(c->window_from, 22 * 60 + 30);
        assert_int_equal(c->window_to, 5 * 60 + 15);
        assert_int_equal(c->status_interval_usec, 120 * USEC_PER_SEC);
        config_free(c);
}

static void every_key_of_a_port_is_read(void **state) {
        Config *c = parse(
                        "[Port p]\nPath=unix:/run/sim\nMode=on-demand\nBaud=9600\nProgramBaud=19200\n"
                        "PushBaud=921600\nHalfDuplex=no\nRtsCts=yes\nTurnaroundUsec=5\nOwner=\n"
                        "Discover=no\n");
        const ConfigPort *p = config_find_port(c, "p");

        assert_non_null(p);
        assert_string_equal(p->path, "unix:/run/sim");
        assert_int_equal(p->mode, PORT_ON_DEMAND);
        assert_int_equal(p->baud, 9600);
        assert_int_equal(p->program_baud, 19200);
        assert_int_equal(p->push_baud, 921600);
        assert_false(p->half_duplex);
        assert_true(p->rtscts);
        assert_int_equal(p->turnaround_usec, 5);
        assert_null(p->owner);
        assert_false(p->discover);
        assert_null(config_find_port(c, "q"));
        config_free(c);
}

static void every_key_of_a_device_is_read(void **state) {
        Config *c = parse(PORT "[Device d]\nPort=p\nAddress=254\nModel=boiler\nSerial=0 42\n"
                               "Protocol=native\nChannel=beta\nProvision=auto\nApproval=ask\n"
                               "StrictFloor=no\n");
        const ConfigDevice *d = config_find_device(c, "d");

        assert_non_null(d);
        assert_string_equal(d->port, "p");
        assert_int_equal(d->address, 254);
        assert_string_equal(d->model, "boiler");
        assert_string_equal(d->serial, "0 42");
        assert_string_equal(d->protocol, "native");
        assert_string_equal(d->channel, "beta");
        assert_true(d->provision_set && d->provision == PROVISION_AUTO);
        assert_true(d->ask_set && d->ask);
        assert_true(d->strict_floor_set && !d->strict_floor);
        config_free(c);
}

static void device_without_keys_of_its_own_follows_the_rest(void **state) {
        Config *c = parse(PORT DEVICE);
        const ConfigDevice *d = config_find_device(c, "d");
        const ConfigPort *p = config_find_port(c, "p");

        assert_false(d->provision_set || d->ask_set || d->strict_floor_set);
        assert_null(d->channel);
        assert_null(d->model);
        assert_string_equal(d->protocol, "native");
        assert_int_equal(p->baud, 115200);
        assert_int_equal(p->program_baud + p->push_baud, 0);
        assert_true(p->discover);
        assert_int_equal(p->mode, PORT_EXCLUSIVE);
        config_free(c);
}

static void empty_value_is_the_default_again(void **state) {
        Config *c = parse("[Updates]\nChannel=beta\nRestoreTries=5\nChannel=\nRestoreTries=\n" PORT
                                        DEVICE "Approval=ask\nApproval=\nModel=x\nModel=\n");

        assert_string_equal(c->channel, "stable");
        assert_int_equal(c->restore_tries, 2);
        assert_false(c->devices[0].ask_set);
        assert_null(c->devices[0].model);
        config_free(c);
}

static void bus_has_one_speed_and_announces_nothing(void **state) {
        Config *c = parse(PORT "Baud=57600\n" DEVICE "Address=3\n");

        assert_int_equal(c->ports[0].push_baud, 57600);
        assert_false(c->ports[0].discover);
        config_free(c);
}

static void push_speed_none_stays_at_the_first(void **state) {
        Config *c = parse(PORT "PushBaud=none\n");

        assert_int_equal(c->ports[0].push_baud, 115200);
        config_free(c);
}

static void default_trial_follows_its_bounds(void **state) {
        Config *c = parse("[Updates]\nTrialMaxSeconds=10\n");

        assert_int_equal(c->trial_default_usec, 10 * USEC_PER_SEC);
        config_free(c);
}

static const struct {
        const char *text, *says;
} bad_values[] = {
        { "[Updates]\nApproval=maybe\n", "a.conf:2: Approval=maybe: it has to be auto | ask" },
        { "[Updates]\nProvision=yes\n", "it has to be ask | auto | no" },
        { "[Updates]\nStrictFloor=si\n", "it has to be yes | no" },
        { "[Updates]\nRestoreTries=0\n", "a whole number from 1 to 10" },
        { "[Updates]\nRestoreTries=11\n", "a whole number from 1 to 10" },
        { "[Updates]\nRestoreTries=2x\n", "a whole number from 1 to 10" },
        { "[Updates]\nTrialSeconds=4\n", "a span of time from 5s to 1h" },
        { "[Updates]\nTrialSeconds=soon\n", "a span of time" },
        { "[Updates]\nStoreMax=1K\n", "a size from 1M to 1024G" },
        { "[Updates]\nWindow=8-9\n", "HH:MM-HH:MM" },
        { "[Updates]\nWindow=08:00-24:00\n", "HH:MM-HH:MM" },
        { "[Updates]\nWindow=08:60-09:00\n", "HH:MM-HH:MM" },
        { "[Updates]\nWindow=08:00-09:000\n", "HH:MM-HH:MM" },
        { "[Updates]\nChannel=a/b\n", "letters, digits" },
        { "[Server]\nMetadataUrl=metadata\n", "a path from / on" },
        { "[Server]\nMetadataUrl=/a b\n", "a path from / on" },
        { "[Server]\nMetadataUrl=/metadata/\n", "without / at its end" },
        { "[Server]\nTargetsUrl=ftp://a\n", "a path from / on" },
        { "[Port p]\nPath=ttyS1\n", "a.conf:2: Path=ttyS1: it has to be an absolute path" },
        { "[Port p]\nPath=unix:sock\n", "an absolute path" },
        { PORT "Baud=0\n", "from 1200 to 4000000" },
        { PORT "Baud=none\n", "from 1200 to 4000000" },
        { PORT "PushBaud=fast\n", "from 1200 to 4000000, or none" },
        { PORT "Mode=shared\n", "exclusive | on-demand" },
        { PORT "TurnaroundUsec=-1\n", "from 0 to 1000000" },
        { PORT DEVICE "Address=255\n", "from 0 to 254" },
        { PORT DEVICE "Protocol=telepathy\n", "native" },
        { PORT DEVICE "Model=.hidden\n", "no dot first" },
        { "[Updates]\n= 1\n", "a.conf:2:" },
        { "[Updates\n", "a.conf:1:" },
        { "Approval=ask\n", "before the first section" },
};

static void bad_values_are_refused_with_their_place(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(bad_values); i++) {
                Config *c = NULL;
                Why w = { "" };

                assert_int_equal(refuse(bad_values[i].text, &c, &w), -EINVAL);
                assert_null(c);
                if (!strstr(w.text, bad_values[i].says))
                        fail_msg("\"%s\" says \"%s\", not \"%s\"", bad_values[i].text, w.text,
                                        bad_values[i].says);
        }
}

static const struct {
        const char *text, *says;
} bad_wholes[] = {
        { "[Port p]\nBaud=9600\n", "a.conf:1: Path=: it is missing" },
        { PORT "[Port q]\nPath=/dev/ttyS1\n", "a.conf:4: Path=: another [Port]" },
        { "[Device d]\nModel=x\n", "a.conf:1: Port=: it is missing" },
        { PORT "[Device d]\nPort=q\n", "a.conf:4: Port=: there is no [Port]" },
        { PORT DEVICE "[Device e]\nPort=p\n", "a.conf:5: Address=: another [Device]" },
        { PORT DEVICE "Address=5\n[Device e]\nPort=p\nAddress=5\nSerial=1\n",
                        "a.conf:8: Address=: another [Device] on this port has the same" },
        { PORT DEVICE "[Device e]\nPort=p\nAddress=5\n", "makes this port a bus" },
        { PORT "PushBaud=230400\n" DEVICE "Address=1\n",
                        "a.conf:3: PushBaud=: a device on this port has an address" },
        { PORT "Discover=yes\n" DEVICE "Address=1\n", "a.conf:3: Discover=:" },
        { PORT "HalfDuplex=yes\nRtsCts=yes\n", "a.conf:4: RtsCts=:" },
        { PORT DEVICE "Address=1\nProtocol=ymodem\nModel=x\n", "only Protocol=native" },
        { PORT DEVICE "Protocol=xmodem\n", "Model=: it is missing" },
        { "[Updates]\nTrialMinSeconds=20\nTrialMaxSeconds=10\n", "a.conf:2: TrialMinSeconds=:" },
        { "[Updates]\nTrialSeconds=20\nTrialMaxSeconds=10\n", "a.conf:2: TrialSeconds=:" },
        { "[Port]\nPath=/dev/ttyS1\n", "a.conf:1: [Port]: this section needs a name" },
        { "[Updates x]\n", "a.conf:1: [Updates]: this section has no name" },
};

static void what_only_the_whole_tells_is_refused_with_its_place(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(bad_wholes); i++) {
                Config *c = NULL;
                Why w = { "" };

                if (refuse(bad_wholes[i].text, &c, &w) != -EINVAL)
                        fail_msg("\"%s\" is not refused", bad_wholes[i].text);
                if (!strstr(w.text, bad_wholes[i].says))
                        fail_msg("\"%s\" says \"%s\", not \"%s\"", bad_wholes[i].text, w.text,
                                        bad_wholes[i].says);
        }
}

static void owner_is_refused_and_the_missing_right_named(void **state) {
        static const char text[] = PORT "Owner=heating.service\n";
        Config *c = NULL;
        Why w = { "" };

        assert_int_equal(refuse(text, &c, &w), -EINVAL);
        assert_non_null(strstr(w.text, "a.conf:3: Owner=heating.service:"));
        assert_non_null(strstr(w.text, "polkit rule"));
        assert_non_null(strstr(w.text, "org.freedesktop.systemd1.manage-units"));
        assert_non_null(strstr(w.text, "rekindlectl ports release"));
}

static void unknown_keys_and_sections_are_warned_of(void **state) {
        static const struct {
                const char *text, *says;
        } cases[] = {
                { "[Updates]\nColour=red\n",
                                "a.conf:2: there is no key Colour in [Updates]; it is ignored" },
                { "[Server]\nChannel=x\n",
                                "a.conf:2: there is no key Channel in [Server]; it is ignored" },
                { "[Paint]\nColour=red\n",
                                "a.conf:1: there is no section Paint, only Server, Updates, Port NAME and Device NAME; "
                                "it is ignored" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Warnings warnings = { 0 };
                Config *c = NULL;

                assert_int_equal(config_parse(&(ConfigText){ "a.conf", cases[i].text,
                                                              strlen(cases[i].text) },
                                                 on_warning, &warnings, &c, NULL),
                                0);
                assert_int_equal(warnings.n, 1);
                assert_string_equal(warnings.last, cases[i].says);
                config_free(c);
        }
}

static void same_address_with_other_serials_is_allowed(void **state) {
        Config *c = parse(PORT DEVICE "Serial=1\n[Device e]\nPort=p\nSerial=2\n");

        assert_int_equal(c->n_devices, 2);
        config_free(c);
}

static void device_is_matched_by_port_address_and_serial(void **state) {
        Config *c = parse(PORT "[Port q]\nPath=/dev/ttyS2\n" DEVICE "Serial=1\n"
                               "[Device e]\nPort=p\nSerial=2\n[Device f]\nPort=q\nAddress=7\n");
        static const struct {
                const char *port;
                unsigned address;
                const char *serial, *id;
        } cases[] = {
                { "p", 0, "1", "d" },
                { "p", 0, "2", "e" },
                { "p", 0, "3", NULL },
                { "p", 0, NULL, "d" },
                { "q", 7, "9", "f" },
                { "q", 7, NULL, "f" },
                { "q", 0, NULL, NULL },
                { "r", 7, NULL, NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const ConfigDevice *d = config_match_device(
                                c, cases[i].port, cases[i].address, cases[i].serial);

                assert_true(streq_ptr(d ? d->name : NULL, cases[i].id));
        }
        config_free(c);
}

static void more_ports_than_allowed_are_refused(void **state) {
        char text[8192] = "";
        Config *c = NULL;
        size_t n = 0;
        Why w = { "" };

        for (int i = 0; i <= CONFIG_PORTS_MAX; i++)
                n += (size_t)snprintf(
                                text + n, sizeof(text) - n, "[Port p%d]\nPath=/dev/tty%d\n", i, i);
        assert_int_equal(refuse(text, &c, &w), -EINVAL);
        assert_string_equal(w.text, "a.conf:129: more than 64 sections [Port NAME]");
}

/* ---- files ---- */

static void put(StateFixture *f, const char *name, const char *text) {
        state_put(f, name, text, strlen(text));
}

static Config *load(StateFixture *f, bool required, int expected, Why *w) {
        Config *c = NULL;
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/a.conf", f->path);
        assert_int_equal(config_load(path, required, NULL, NULL, &c, w), expected);
        return c;
}

static void dropins_are_read_in_order_after_the_main_file(void **state) {
        StateFixture *f = *state;
        Config *c;

        assert_int_equal(mkdirat(f->dirfd, "a.conf.d", 0700), 0);
        put(f, "a.conf", "[Updates]\nChannel=main\nRestoreTries=5\n");
        put(f, "a.conf.d/20.conf", "[Updates]\nChannel=twenty\n");
        put(f, "a.conf.d/10.conf", "[Updates]\nChannel=ten\nPushesPerDay=3\n");
        put(f, "a.conf.d/30.conf~", "[Updates]\nChannel=backup\n");
        put(f, "a.conf.d/.40.conf", "[Updates]\nChannel=hidden\n");
        c = load(f, true, 0, NULL);
        assert_string_equal(c->channel, "twenty");
        assert_int_equal(c->restore_tries, 5);
        assert_int_equal(c->pushes_per_day, 3);
        config_free(c);
}

static void dropin_adds_to_a_section_of_the_main_file(void **state) {
        StateFixture *f = *state;
        Config *c;

        assert_int_equal(mkdirat(f->dirfd, "a.conf.d", 0700), 0);
        put(f, "a.conf", PORT "Baud=9600\n" DEVICE);
        put(f, "a.conf.d/10.conf", "[Port p]\nBaud=19200\n[Device d]\nModel=x\n");
        c = load(f, true, 0, NULL);
        assert_int_equal(c->n_ports, 1);
        assert_string_equal(c->ports[0].path, "/dev/ttyS1");
        assert_int_equal(c->ports[0].baud, 19200);
        assert_string_equal(c->devices[0].model, "x");
        config_free(c);
}

static void refusal_in_a_dropin_names_that_file(void **state) {
        StateFixture *f = *state;
        Why w = { "" };

        assert_int_equal(mkdirat(f->dirfd, "a.conf.d", 0700), 0);
        put(f, "a.conf.d/10.conf", "[Updates]\n\nRestoreTries=many\n");
        (void)load(f, false, -EINVAL, &w);
        assert_non_null(strstr(w.text, "a.conf.d/10.conf:3: RestoreTries=many"));
}

static void missing_file_is_empty_unless_required(void **state) {
        Config *c = load(*state, false, 0, NULL);
        Why w = { "" };

        assert_string_equal(c->channel, "stable");
        config_free(c);
        (void)load(*state, true, -ENOENT, &w);
        assert_non_null(strstr(w.text, "a.conf: No such file"));
}

/* ---- the table ---- */

static void every_key_is_complete(void **state) {
        for (size_t i = 0; config_key(i); i++) {
                const ConfigKey *key = config_key(i);
                char allowed[CONFIG_ALLOWED_MAX] = "";

                assert_ptr_equal(config_key_find(key->section, key->name), key);
                assert_true(strlen(key->meaning) > 10);
                assert_int_equal(key->meaning[strlen(key->meaning) - 1], '.');
                assert_null(strstr(key->meaning, "  "));
                config_key_allowed(key, allowed);
                assert_true(strlen(allowed) > 0);
                assert_non_null(config_type_to_string(key->type));
        }
}

static char *describe(bool json) {
        char *text = NULL;
        size_t n;
        FILE *f = open_memstream(&text, &n);

        config_describe(f, json);
        (void)fclose(f);
        return text;
}

static char *read_source(const char *path) {
        char full[512];
        char *text = NULL;
        size_t n;

        (void)snprintf(full, sizeof(full), "%s/%s", getenv("REKINDLE_SOURCE") ?: ".", path);
        if (file_read(AT_FDCWD, full, 1 << 20, &text, &n) < 0)
                fail_msg("%s cannot be read", full);
        return text;
}

static void example_file_is_what_the_table_says(void **state) {
        char *described = describe(false), *example = read_source("conf/rekindled.conf");

        /* Regenerate with: rekindled --describe >conf/rekindled.conf */
        assert_string_equal(described, example);
        free(described);
        free(example);
}

/* Without its comment signs the example is a configuration, but for the keys that have no
 * default. */
static void example_file_parses(void **state) {
        char *example = read_source("conf/rekindled.conf");

        config_free(parse(example));
        free(example);
}

static void description_for_programs_has_every_key(void **state) {
        char *text = describe(true);
        json_t *array = NULL;
        size_t n = 0;

        assert_int_equal(json_parse(text, strlen(text), &array, NULL), 0);
        while (config_key(n)) {
                const json_t *o = json_array_get(array, n);
                const ConfigKey *key = config_key(n++);

                assert_string_equal(json_string_value(json_object_get(o, "key")), key->name);
                assert_string_equal(json_string_value(json_object_get(o, "section")),
                                config_section_to_string(key->section));
                assert_true(streq_ptr(
                                json_string_value(json_object_get(o, "default")), key->fallback));
        }
        assert_int_equal(json_array_size(array), n);
        json_decref(array);
        free(text);
}

/* Each key of the table has its item, with its default, in the part about its section; and there
 * are no other items. */
static void man_page_has_every_key_and_no_other(void **state) {
        char *page = read_source("man/rekindled.conf.5"), *at = page;
        size_t items = 0, n = 0;

        for (; config_key(n); n++) {
                const ConfigKey *key = config_key(n);
                char item[128];

                (void)snprintf(item, sizeof(item), "\n.It Va %s Ns = Ns Ar %s\n", key->name,
                                key->fallback ? key->fallback : "");
                if (!key->fallback)
                        (void)snprintf(item, sizeof(item), "\n.It Va %s Ns =\n", key->name);
                if (n == 0 || config_key(n - 1)->section != key->section) {
                        at = strstr(at, "\n.Sh SECTION ");
                        assert_non_null(at);
                        at++;
                        assert_true(startswith(at + strlen(".Sh SECTION \\(lB"),
                                        config_section_to_string(key->section)));
                }
                if (!strstr(at, item))
                        fail_msg("%s lacks:%s", "man/rekindled.conf.5", item);
        }
        for (const char *s = page; (s = strstr(s, "\n.It Va ")); s++)
                items++;
        assert_int_equal(items, n);
        free(page);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, state_setup, state_teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(empty_file_gives_the_defaults),
                cmocka_unit_test(every_key_of_the_single_sections_is_read),
                cmocka_unit_test(every_key_of_a_port_is_read),
                cmocka_unit_test(every_key_of_a_device_is_read),
                cmocka_unit_test(device_without_keys_of_its_own_follows_the_rest),
                cmocka_unit_test(empty_value_is_the_default_again),
                cmocka_unit_test(bus_has_one_speed_and_announces_nothing),
                cmocka_unit_test(push_speed_none_stays_at_the_first),
                cmocka_unit_test(default_trial_follows_its_bounds),
                cmocka_unit_test(bad_values_are_refused_with_their_place),
                cmocka_unit_test(what_only_the_whole_tells_is_refused_with_its_place),
                cmocka_unit_test(owner_is_refused_and_the_missing_right_named),
                cmocka_unit_test(unknown_keys_and_sections_are_warned_of),
                cmocka_unit_test(same_address_with_other_serials_is_allowed),
                cmocka_unit_test(device_is_matched_by_port_address_and_serial),
                cmocka_unit_test(more_ports_than_allowed_are_refused),
                TEST(dropins_are_read_in_order_after_the_main_file),
                TEST(dropin_adds_to_a_section_of_the_main_file),
                TEST(refusal_in_a_dropin_names_that_file),
                TEST(missing_file_is_empty_unless_required),
                cmocka_unit_test(every_key_is_complete),
                cmocka_unit_test(example_file_is_what_the_table_says),
                cmocka_unit_test(example_file_parses),
                cmocka_unit_test(description_for_programs_has_every_key),
                cmocka_unit_test(man_page_has_every_key_and_no_other),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
