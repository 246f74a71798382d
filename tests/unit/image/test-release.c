/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Release: what is read, what is written, and a table of everything that is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/hex.h"
#include "image/release.h"

#define ABC_SHA256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define FILE_BYTES 2
#define SIGNATURE                                                                                  \
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==" /* 64 zeros */

static const char base[] =
                "{'format':1,'model':'boiler-ctl','version':'2.4.1','hardware':['B','C'],"
                "'image':{'length':3,'sha256':'" ABC_SHA256
                "'},'encoding':'zstd','min-from':'1.3.0',"
                "'floor':'2.0.0','channel':'beta','requires':[{'model':'panel','min-version':'3'}],"
                "'notes':'Better.\\nM\u00fcch faster.','trial':{'seconds':30},'unknown':[1]}";

/* JSON with ' for ". */
static json_t *from_text(const char *text) {
        char *copy = strdup(text);
        json_t *o = NULL;
        Why w = {};

        assert_non_null(copy);
        for (char *p = copy; *p; p++)
                if (*p == '\'')
                        *p = '"';
        if (json_parse(copy, strlen(copy), &o, &w) < 0)
                fail_msg("%s: %s", text, w.text);
        free(copy);
        return o;
}

static json_t *patched(const char *patch) {
        json_t *o = from_text(base), *p = from_text(patch);
        json_t *custom = json_pack("{s:o}", "rekindle", o);

        assert_int_equal(json_object_update(o, p), 0);
        json_decref(p);
        return custom;
}

static int parse(const char *target, uint64_t length, json_t *custom, Release **ret, Why *w) {
        Sha256 digest;
        int r;

        assert_int_equal(sha256_from_hex(ABC_SHA256, &digest), 0);
        r = release_parse(target, length, &digest, custom, ret, w);
        json_decref(custom);
        return r;
}

static Release *parse_good(const char *patch) {
        Release *release = NULL;
        Why w = {};

        if (parse("boiler-ctl/2.4.1/app.bin", FILE_BYTES, patched(patch), &release, &w) < 0)
                fail_msg("%s: %s", patch, w.text);
        return release;
}

static void all_members_are_read(void **state) {
        Release *release = parse_good("{}");

        assert_string_equal(release->target, "boiler-ctl/2.4.1/app.bin");
        assert_int_equal(release->file_length, FILE_BYTES);
        assert_string_equal(release->model, "boiler-ctl");
        assert_string_equal(release->version, "2.4.1");
        assert_string_equal(release->channel, "beta");
        assert_string_equal(release->hardware[1], "C");
        assert_null(release->hardware[2]);
        assert_string_equal(release->min_from, "1.3.0");
        assert_string_equal(release->floor, "2.0.0");
        assert_int_equal(release->n_requires, 1);
        assert_string_equal(release->requires[0].min_version, "3");
        assert_non_null(strstr(release->notes, "M\xc3\xbc"));
        assert_int_equal(release->encoding, RELEASE_ZSTD);
        assert_int_equal(release->image_length, 3);
        assert_int_equal(release->trial_seconds, 30);
        assert_int_equal(release->signature_length, 0);
        release_free(release);
}

static void absent_members_have_their_defaults(void **state) {
        Release *release =
                        parse_good("{'hardware':null,'min-from':null,'floor':null,'channel':null,"
                                   "'requires':null,'notes':null,'trial':null}");

        assert_string_equal(release->channel, "stable");
        assert_null(release->hardware);
        assert_null(release->min_from);
        assert_null(release->floor);
        assert_null(release->notes);
        assert_int_equal(release->n_requires, 0);
        assert_int_equal(release->trial_seconds, 0);
        assert_true(release_fits_hardware(release, "Z"));
        release_free(release);
}

static void header_is_built_when_the_release_has_none(void **state) {
        static const uint8_t start[] = { 'R', 'K', 'H', '1', 1, 0, 0, 0, 3, 0, 0, 0, 0xba, 0x78 };
        static const uint8_t end[] = "\x0a"
                                     "boiler-ctl\x05"
                                     "2.4.1\x05"
                                     "2.0.0\x02\x01"
                                     "B\x01"
                                     "C";
        Release *release = parse_good("{}");

        assert_int_equal(release->header_length, 12 + 32 + sizeof(end) - 1);
        assert_memory_equal(release->header, start, sizeof(start));
        assert_memory_equal(release->header + 44, end, sizeof(end) - 1);
        release_free(release);
}

static void only_named_hardware_fits(void **state) {
        Release *release = parse_good("{}");

        assert_true(release_fits_hardware(release, "B"));
        assert_true(release_fits_hardware(release, "C"));
        assert_false(release_fits_hardware(release, "BC"));
        assert_false(release_fits_hardware(release, ""));
        release_free(release);
}

static const struct {
        const char *patch;
        const char *text; /* part of the sentence */
} refused[] = {
        { "{'format':null}", "\"format\" is missing" },
        { "{'format':'1'}", "\"format\"" },
        { "{'format':0}", "\"format\"" },
        { "{'format':1.0}", "whole number" },
        { "{'model':null}", "\"model\" is missing" },
        { "{'model':'other'}", "target is named" },
        { "{'model':'../x'}", "\"model\"" },
        { "{'model':'.x'}", "\"model\"" },
        { "{'version':null}", "\"version\" is missing" },
        { "{'version':'two'}", "\"version\"" },
        { "{'version':'2.4.2'}", "target is named" },
        { "{'version':7}", "\"version\"" },
        { "{'channel':'a b'}", "\"channel\"" },
        { "{'hardware':[]}", "\"hardware\" is empty" },
        { "{'hardware':['B','B']}", "names B twice" },
        { "{'hardware':[1]}", "\"hardware\"" },
        { "{'hardware':['']}", "\"hardware\"" },
        { "{'hardware':'B'}", "\"hardware\" is a string" },
        { "{'hardware':['1','2','3','4','5','6','7','8','9','10','11','12','13','14','15','16','17']}",
                        "17 elements" },
        { "{'min-from':'2.4.1'}", "has to be below" },
        { "{'min-from':'3'}", "has to be below" },
        { "{'min-from':'x'}", "\"min-from\"" },
        { "{'floor':'2.4.2'}", "must not be above" },
        { "{'floor':''}", "\"floor\"" },
        { "{'image':null}", "\"image\" is missing" },
        { "{'image':{'sha256':'" ABC_SHA256 "'}}", "\"length\" is missing" },
        { "{'image':{'length':0,'sha256':'" ABC_SHA256 "'}}", "\"length\"" },
        { "{'image':{'length':16777217,'sha256':'" ABC_SHA256 "'}}", "16777216" },
        { "{'image':{'length':-1,'sha256':'" ABC_SHA256 "'}}", "\"length\"" },
        { "{'image':{'length':3}}", "\"sha256\" is missing" },
        { "{'image':{'length':3,'sha256':'ba78'}}", "64 hexadecimal digits" },
        { "{'image':{'length':3,'sha256':'" ABC_SHA256 "','parts':[]}}", "\"parts\" is empty" },
        { "{'image':{'length':3,'sha256':'" ABC_SHA256 "','parts':[1]}}", "\"parts\"" },
        { "{'image':{'length':3,'sha256':'" ABC_SHA256
          "','parts':[{'offset':0,'length':2,'sha256':'" ABC_SHA256 "'}]}}",
                        "parts end at 2" },
        { "{'image':{'length':3,'sha256':'" ABC_SHA256
          "','parts':[{'offset':0,'length':4,'sha256':'" ABC_SHA256 "'}]}}",
                        "\"length\"" },
        { "{'image':{'length':3,'sha256':'" ABC_SHA256
          "','parts':[{'offset':0,'length':2,'sha256':'" ABC_SHA256
          "'},{'offset':1,'length':2,'sha256':'" ABC_SHA256 "'}]}}",
                        "\"offset\"" },
        { "{'image':{'length':3,'sha256':'" ABC_SHA256
          "','parts':[{'offset':0,'length':3,'sha256':'" ABC_SHA256
          "'},{'offset':3,'length':1,'sha256':'" ABC_SHA256 "'}]}}",
                        "lies behind the image" },
        { "{'encoding':null}", "\"encoding\" is missing" },
        { "{'encoding':'gzip'}", "zstd or identity" },
        { "{'encoding':'identity'}", "without encoding" },
        { "{'requires':[1]}", "\"requires\"" },
        { "{'requires':[{'model':'panel'}]}", "\"min-version\" is missing" },
        { "{'requires':[{'min-version':'1'}]}", "\"model\" is missing" },
        { "{'requires':[{'model':'panel','min-version':'x'}]}", "\"min-version\"" },
        { "{'requires':[{'model':'p','min-version':'1'},{'model':'p','min-version':'2'}]}",
                        "names p twice" },
        { "{'notes':7}", "\"notes\"" },
        { "{'notes':'a\\u0007b'}", "control character" },
        { "{'trial':30}", "\"trial\"" },
        { "{'trial':{}}", "\"seconds\" is missing" },
        { "{'trial':{'seconds':0}}", "\"seconds\"" },
        { "{'trial':{'seconds':3601}}", "3600" },
        { "{'device-header':'!'}", "base64" },
        { "{'device-header':'UktIMQ=='}", "malformed" },
        { "{'device-signature':'AAAA'}", "has to be 64" },
        { "{'device-signature':'" SIGNATURE "'}", "without the \"device-header\"" },
};

static void everything_odd_is_refused(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(refused); i++) {
                Release *release = NULL;
                Why w = {};
                int r = parse("boiler-ctl/2.4.1/app.bin", FILE_BYTES, patched(refused[i].patch),
                                &release, &w);

                if (r != -EBADMSG || release)
                        fail_msg("%s: %d %s", refused[i].patch, r, w.text);
                if (!strstr(w.text, refused[i].text))
                        fail_msg("%s: says \"%s\"", refused[i].patch, w.text);
        }
}

static void odd_target_names_are_refused(void **state) {
        static const char *const names[] = { "", "boiler-ctl", "boiler-ctl/2.4.1",
                "boiler-ctl/2.4.1/", "boiler-ctl/2.4.1/../x", "boiler-ctl/2.4.1/a/b",
                "boiler-ctl/2.4.1/.x", "boiler-ctl/2.4.10/x", "boiler-ct/2.4.1/x",
                "/boiler-ctl/2.4.1/x", "boiler-ctl//2.4.1/x" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                Release *release = NULL;

                assert_int_equal(parse(names[i], FILE_BYTES, patched("{}"), &release, NULL),
                                -EBADMSG);
                assert_null(release);
        }
}

static void impossible_file_lengths_are_refused(void **state) {
        static const uint64_t lengths[] = { 0, 3 + 1024 + 1, UINT64_MAX };
        Release *release = NULL;

        for (size_t i = 0; i < ELEMENTSOF(lengths); i++)
                assert_int_equal(parse("boiler-ctl/2.4.1/app.bin", lengths[i], patched("{}"),
                                                 &release, NULL),
                                -EBADMSG);
}

static void newer_format_is_told_apart(void **state) {
        Release *release = NULL;
        Why w;

        assert_int_equal(parse("boiler-ctl/2.4.1/app.bin", FILE_BYTES, patched("{'format':2}"),
                                         &release, &w),
                        -EOPNOTSUPP);
        assert_non_null(strstr(w.text, "newer than this program"));
}

static void foreign_target_is_told_apart(void **state) {
        Release *release = NULL;

        assert_int_equal(parse("x", 1, json_object(), &release, NULL), -ENOENT);
        assert_int_equal(parse("x", 1, NULL, &release, NULL), -ENOENT);
        assert_int_equal(parse("x", 1, from_text("{'rekindle':7}"), &release, NULL), -EBADMSG);
}

static void written_release_reads_back_the_same(void **state) {
        Release *first = parse_good("{}"), *second = NULL, *copy = release_copy(first);
        json_t *a = release_to_custom(first), *b, *c;

        assert_int_equal(release_parse(first->target, first->file_length, &first->file_digest, a,
                                         &second, NULL),
                        0);
        b = release_to_custom(second);
        c = release_to_custom(copy);
        assert_non_null(json_object_get(json_object_get(a, "rekindle"), "device-header"));
        assert_true(json_equal(a, b));
        assert_true(json_equal(a, c));
        assert_string_equal(copy->target, first->target);
        assert_true(sha256_equal(&copy->file_digest, &first->file_digest));
        json_decref(a);
        json_decref(b);
        json_decref(c);
        release_free(first);
        release_free(second);
        release_free(copy);
}

static void parts_survive_writing(void **state) {
        Release *first = parse_good(
                        "{'image':{'length':3,'sha256':'" ABC_SHA256
                        "','parts':[{'offset':1,'length':2,'sha256':'" ABC_SHA256 "'}]}}");
        Release *copy = release_copy(first);
        json_t *a = release_to_custom(copy);
        Release *second = NULL;

        assert_int_equal(release_parse(first->target, FILE_BYTES, &first->file_digest, a, &second,
                                         NULL),
                        0);
        assert_int_equal(second->n_parts, 1);
        assert_int_equal(second->parts[0].offset, 1);
        assert_int_equal(second->parts[0].length, 2);
        json_decref(a);
        release_free(first);
        release_free(copy);
        release_free(second);
}

/* The header of one release in front of the words of another. */
static void header_that_says_something_else_is_refused(void **state) {
        static const struct {
                const char *patch, *text;
        } cases[] = {
                { "{'floor':'1.0.0'}", "floor" },
                { "{'floor':null}", "floor" },
                { "{'hardware':['C','B']}", "hardware" },
                { "{'hardware':['B']}", "hardware" },
                { "{'hardware':['B','C','D']}", "hardware" },
                { "{'hardware':null}", "hardware" },
                { "{'image':{'length':4,'sha256':'" ABC_SHA256 "'}}", "length" },
                { "{'image':{'length':3,'sha256':'00" ABC_SHA256 "'}}", "64 hexadecimal" },
                { "{'image':{'length':3,'sha256':'0000000000000000000000000000000000000000000000000000000000000000'}}",
                                "SHA-256" },
                { "{'device-signature':'" SIGNATURE "'}", "algorithm 0" },
        };
        Release *good = parse_good("{}"), *release = NULL;
        char *header;

        assert_int_equal(base64_encode(good->header, good->header_length, &header), 0);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                json_t *custom = patched(cases[i].patch);
                Why w = {};

                json_object_set_new(json_object_get(custom, "rekindle"), "device-header",
                                json_string(header));
                assert_int_equal(parse(good->target, FILE_BYTES, custom, &release, &w), -EBADMSG);
                if (!strstr(w.text, cases[i].text))
                        fail_msg("%s: says \"%s\"", cases[i].patch, w.text);
        }
        free(header);
        release_free(good);
}

static void header_with_an_algorithm_needs_its_signature(void **state) {
        Release *good = parse_good("{}"), *release = NULL;
        json_t *custom = patched("{}");
        char *header;
        Why w;

        good->header[5] = 1;
        assert_int_equal(base64_encode(good->header, good->header_length, &header), 0);
        json_object_set_new(
                        json_object_get(custom, "rekindle"), "device-header", json_string(header));
        assert_int_equal(parse(good->target, FILE_BYTES, json_incref(custom), &release, &w),
                        -EBADMSG);
        assert_non_null(strstr(w.text, "algorithm 1"));
        json_object_set_new(json_object_get(custom, "rekindle"), "device-signature",
                        json_string(SIGNATURE));
        assert_int_equal(parse(good->target, FILE_BYTES, custom, &release, &w), 0);
        assert_int_equal(release->signature_length, 64);
        free(header);
        release_free(good);
        release_free(release);
}

static void bare_release_reads_back_too(void **state) {
        Release *bare = NULL, *second = NULL;
        Sha256 digest;
        json_t *custom;

        assert_int_equal(sha256_from_hex(ABC_SHA256, &digest), 0);
        assert_int_equal(release_new_bare("m", "1.0", 3, &digest, &bare), 0);
        assert_int_equal(bare->signature_length, 0);
        assert_true(bare->header_length > 0);
        custom = release_to_custom(bare);
        assert_int_equal(release_parse(bare->target, bare->file_length, &bare->file_digest, custom,
                                         &second, NULL),
                        0);
        assert_string_equal(second->version, "1.0");
        json_decref(custom);
        release_free(bare);
        release_free(second);
        assert_int_equal(release_new_bare("a/b", "1.0", 3, &digest, &bare), -EINVAL);
        assert_int_equal(release_new_bare("m", "", 3, &digest, &bare), -EINVAL);
        assert_int_equal(release_new_bare("m", "1", 0, &digest, &bare), -EINVAL);
}

static void strings_that_do_not_fit_a_header_are_refused(void **state) {
        json_t *custom = patched("{}"), *list = json_array();
        Release *release = NULL;
        Why w;

        for (int i = 0; i < 16; i++) {
                char text[40];

                (void)snprintf(text, sizeof(text), "revision-%02d-of-the-board", i);
                json_array_append_new(list, json_string(text));
        }
        json_object_set_new(json_object_get(custom, "rekindle"), "hardware", list);
        assert_int_equal(parse("boiler-ctl/2.4.1/app.bin", FILE_BYTES, custom, &release, &w),
                        -EBADMSG);
        assert_non_null(strstr(w.text, "do not fit"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_members_are_read),
                cmocka_unit_test(absent_members_have_their_defaults),
                cmocka_unit_test(header_is_built_when_the_release_has_none),
                cmocka_unit_test(only_named_hardware_fits),
                cmocka_unit_test(everything_odd_is_refused),
                cmocka_unit_test(odd_target_names_are_refused),
                cmocka_unit_test(impossible_file_lengths_are_refused),
                cmocka_unit_test(newer_format_is_told_apart),
                cmocka_unit_test(foreign_target_is_told_apart),
                cmocka_unit_test(written_release_reads_back_the_same),
                cmocka_unit_test(parts_survive_writing),
                cmocka_unit_test(header_that_says_something_else_is_refused),
                cmocka_unit_test(header_with_an_algorithm_needs_its_signature),
                cmocka_unit_test(bare_release_reads_back_too),
                cmocka_unit_test(strings_that_do_not_fit_a_header_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
