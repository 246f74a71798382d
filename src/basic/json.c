/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strict JSON: jansson does the work; the depth is bounded before it sees the bytes, because it
 * recurses. Each getter comes as a pair over one reader of values, so that both say the same
 * about a wrong one. */
#include <inttypes.h>

#include "hex.h"
#include "json.h"
#include "names.h"

#define DEPTH_MAX 64

/* Deepest nesting of brackets outside strings; what is no JSON at all is left to the parser. */
static unsigned nesting(const char *bytes, size_t n) {
        unsigned depth = 0, deepest = 0;
        bool in_string = false;

        for (size_t i = 0; i < n; i++) {
                char c = bytes[i];

                if (in_string) {
                        if (c == '\\')
                                i++;
                        else if (c == '"')
                                in_string = false;
                } else if (c == '"')
                        in_string = true;
                else if (c == '{' || c == '[') {
                        depth++;
                        deepest = MAX(deepest, depth);
                } else if ((c == '}' || c == ']') && depth > 0)
                        depth--;
        }
        return deepest;
}

int json_parse(const char *bytes, size_t n, json_t **ret, Why *w) {
        json_error_t error;
        json_t *j;

        if (nesting(bytes, n) > DEPTH_MAX)
                return why(w, -EBADMSG, "JSON is nested deeper than %d levels", DEPTH_MAX);
        j = json_loadb(bytes, n, JSON_REJECT_DUPLICATES, &error);
        if (!j && json_error_code(&error) == json_error_out_of_memory)
                return why_oom(w);
        if (!j)
                return why(w, -EBADMSG, "no JSON at line %d, column %d: %s", error.line,
                                error.column, error.text);
        *ret = j;
        return 0;
}

static const char *type_name(const json_t *v) {
        switch (json_typeof(v)) {
        case JSON_OBJECT:
                return "an object";
        case JSON_ARRAY:
                return "an array";
        case JSON_STRING:
                return "a string";
        case JSON_INTEGER:
                return "a whole number";
        case JSON_REAL:
                return "a number with a fraction";
        case JSON_TRUE:
        case JSON_FALSE:
                return "true or false";
        default:
                return "null";
        }
}

/* The member, or NULL when it is absent or null. */
static const json_t *member(const json_t *o, const char *key) {
        const json_t *v = json_object_get(o, key);

        return json_is_null(v) ? NULL : v;
}

static int missing(const char *where, const char *key, const char *wanted, Why *w) {
        return why(w, -EBADMSG, "%s: \"%s\" is missing; it has to be %s", where, key, wanted);
}

static int wrong_type(
                const char *where, const char *key, const json_t *v, const char *wanted, Why *w) {
        return why(w, -EBADMSG, "%s: \"%s\" is %s; it has to be %s", where, key, type_name(v),
                        wanted);
}

static int read_string(const json_t *v, const char *where, const char *key, size_t max,
                const char **ret, Why *w) {
        const char *s = json_string_value(v);

        if (!s)
                return wrong_type(where, key, v, "a string", w);
        if (!*s || !text_is_printable(s, max))
                return why(w, -EBADMSG,
                                "%s: \"%s\" is \"%.100s\"; it has to be 1 to %zu printable ASCII "
                                "characters",
                                where, key, s, max);
        *ret = s;
        return 0;
}

int json_get_string(const json_t *o, const char *where, const char *key, size_t max,
                const char **ret, Why *w) {
        const json_t *v = member(o, key);

        if (!v)
                return missing(where, key, "a string", w);
        return read_string(v, where, key, max, ret, w);
}

int json_get_string_opt(const json_t *o, const char *where, const char *key, size_t max,
                const char **ret, Why *w) {
        const json_t *v = member(o, key);

        return v ? read_string(v, where, key, max, ret, w) : 0;
}

int json_get_text_opt(const json_t *o, const char *where, const char *key, size_t max,
                const char **ret, Why *w) {
        const json_t *v = member(o, key);
        const char *s;

        if (!v)
                return 0;
        s = json_string_value(v);
        if (!s)
                return wrong_type(where, key, v, "a string", w);
        if (json_string_length(v) > max)
                return why(w, -EBADMSG, "%s: \"%s\" has %zu bytes; %zu are allowed", where, key,
                                json_string_length(v), max);
        for (const unsigned char *p = (const unsigned char *)s; *p; p++)
                if ((*p < 0x20 && *p != '\n' && *p != '\t') || *p == 0x7f ||
                                (p[0] == 0xc2 && p[1] < 0xa0))
                        return why(w, -EBADMSG,
                                        "%s: \"%s\" contains a control character other than "
                                        "newline and tab",
                                        where, key);
        *ret = s;
        return 0;
}

static int read_uint(const json_t *v, const char *where, const char *key, uint64_t min,
                uint64_t max, uint64_t *ret, Why *w) {
        json_int_t i;

        if (!json_is_integer(v))
                return wrong_type(where, key, v, "a whole number", w);
        i = json_integer_value(v);
        if (i < 0 || (uint64_t)i < min || (uint64_t)i > max)
                return why(w, -EBADMSG,
                                "%s: \"%s\" is %" JSON_INTEGER_FORMAT
                                "; it has to be from %llu to %llu",
                                where, key, i, (unsigned long long)min, (unsigned long long)max);
        *ret = (uint64_t)i;
        return 0;
}

int json_get_uint(const json_t *o, const char *where, const char *key, uint64_t min, uint64_t max,
                uint64_t *ret, Why *w) {
        const json_t *v = member(o, key);

        if (!v)
                return missing(where, key, "a whole number", w);
        return read_uint(v, where, key, min, max, ret, w);
}

int json_get_uint_opt(const json_t *o, const char *where, const char *key, uint64_t min,
                uint64_t max, uint64_t *ret, Why *w) {
        const json_t *v = member(o, key);

        return v ? read_uint(v, where, key, min, max, ret, w) : 0;
}

int json_get_hex64_opt(const json_t *o, const char *where, const char *key, uint64_t *ret, Why *w) {
        const json_t *v = member(o, key);
        const char *s;
        uint8_t b[8];

        if (!v)
                return 0;
        s = json_string_value(v);
        if (!s)
                return wrong_type(where, key, v, "16 hexadecimal digits", w);
        if (hex_decode(s, b, sizeof(b)) < 0)
                return why(w, -EBADMSG,
                                "%s: \"%s\" is \"%.100s\"; it has to be 16 hexadecimal digits",
                                where, key, s);
        *ret = 0;
        for (size_t i = 0; i < sizeof(b); i++)
                *ret = *ret << 8 | b[i];
        return 0;
}

json_t *json_hex64(uint64_t v) {
        char s[17];

        (void)snprintf(s, sizeof(s), "%016" PRIx64, v);
        return json_string(s);
}

int json_get_bool_opt(const json_t *o, const char *where, const char *key, bool *ret, Why *w) {
        const json_t *v = member(o, key);

        if (!v)
                return 0;
        if (!json_is_boolean(v))
                return wrong_type(where, key, v, "true or false", w);
        *ret = json_is_true(v);
        return 0;
}

int json_get_object(const json_t *o, const char *where, const char *key, json_t **ret, Why *w) {
        if (!member(o, key))
                return missing(where, key, "an object", w);
        return json_get_object_opt(o, where, key, ret, w);
}

int json_get_object_opt(const json_t *o, const char *where, const char *key, json_t **ret, Why *w) {
        json_t *v = json_object_get(o, key);

        if (!v || json_is_null(v))
                return 0;
        if (!json_is_object(v))
                return wrong_type(where, key, v, "an object", w);
        *ret = v;
        return 0;
}

int json_get_array(const json_t *o, const char *where, const char *key, size_t max, json_t **ret,
                Why *w) {
        if (!member(o, key))
                return missing(where, key, "an array", w);
        return json_get_array_opt(o, where, key, max, ret, w);
}

int json_get_array_opt(const json_t *o, const char *where, const char *key, size_t max,
                json_t **ret, Why *w) {
        json_t *v = json_object_get(o, key);

        if (!v || json_is_null(v))
                return 0;
        if (!json_is_array(v))
                return wrong_type(where, key, v, "an array", w);
        if (json_array_size(v) > max)
                return why(w, -EBADMSG, "%s: \"%s\" has %zu elements; %zu are allowed", where, key,
                                json_array_size(v), max);
        *ret = v;
        return 0;
}

int json_get_sha256(const json_t *o, const char *where, const char *key, Sha256 *ret, Why *w) {
        if (!member(o, key))
                return missing(where, key, "64 hexadecimal digits", w);
        return json_get_sha256_opt(o, where, key, ret, w);
}

int json_get_sha256_opt(const json_t *o, const char *where, const char *key, Sha256 *ret, Why *w) {
        const json_t *v = member(o, key);
        const char *s;

        if (!v)
                return 0;
        s = json_string_value(v);
        if (!s)
                return wrong_type(where, key, v, "64 hexadecimal digits", w);
        if (sha256_from_hex(s, ret) < 0)
                return why(w, -EBADMSG,
                                "%s: \"%s\" is \"%.100s\"; it has to be 64 hexadecimal digits",
                                where, key, s);
        return 0;
}

bool json_has_string(const json_t *array, const char *s) {
        for (size_t i = 0; i < json_array_size(array); i++)
                if (streq_ptr(json_string_value(json_array_get(array, i)), s))
                        return true;
        return false;
}

json_t *json_sorted(const json_t *array, int (*compare)(const void *a, const void *b)) {
        size_t n = json_array_size(array);
        _cleanup_free_ json_t **elements = new0(json_t *, n + 1);
        _cleanup_json_ json_t *sorted = json_array();

        if (!elements || !sorted)
                return NULL;
        for (size_t i = 0; i < n; i++)
                elements[i] = json_array_get(array, i);
        qsort(elements, n, sizeof(elements[0]), compare);
        for (size_t i = 0; i < n; i++)
                if (json_array_append(sorted, elements[i]) < 0)
                        return NULL;
        return TAKE_PTR(sorted);
}

char *json_print(const json_t *o) {
        return json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
}
