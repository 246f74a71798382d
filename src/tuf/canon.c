/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Canonical JSON. jansson's own compact sorted dump differs: it writes control characters as
 * \uXXXX, which changes what is signed. */
#include <assert.h>
#include <inttypes.h>

#include "tuf/canon.h"

static int put_value(FILE *f, const json_t *value, Why *w);

static void put_string(FILE *f, const char *s, size_t n) {
        (void)fputc('"', f);
        for (size_t i = 0; i < n; i++) {
                if (s[i] == '"' || s[i] == '\\')
                        (void)fputc('\\', f);
                (void)fputc(s[i], f);
        }
        (void)fputc('"', f);
}

static int put_array(FILE *f, const json_t *array, Why *w) {
        (void)fputc('[', f);
        for (size_t i = 0; i < json_array_size(array); i++) {
                int r;

                if (i > 0)
                        (void)fputc(',', f);
                r = put_value(f, json_array_get(array, i), w);
                if (r < 0)
                        return r;
        }
        (void)fputc(']', f);
        return 0;
}

static int compare_keys(const void *a, const void *b) {
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int put_members(FILE *f, const json_t *object, const char **keys, Why *w) {
        const char *key;
        json_t *value;
        size_t n = 0;

        json_object_foreach((json_t *)object, key, value) {
                keys[n++] = key;
        }
        qsort(keys, n, sizeof(*keys), compare_keys);
        for (size_t i = 0; i < n; i++) {
                int r;

                if (i > 0)
                        (void)fputc(',', f);
                put_string(f, keys[i], strlen(keys[i]));
                (void)fputc(':', f);
                r = put_value(f, json_object_get(object, keys[i]), w);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int put_object(FILE *f, const json_t *object, Why *w) {
        const char **keys;
        int r;

        keys = new0(const char *, json_object_size(object) + 1);
        if (!keys)
                return why_oom(w);
        (void)fputc('{', f);
        r = put_members(f, object, keys, w);
        (void)fputc('}', f);
        free(keys);
        return r;
}

static int put_value(FILE *f, const json_t *value, Why *w) {
        switch (json_typeof(value)) {
        case JSON_OBJECT:
                return put_object(f, value, w);
        case JSON_ARRAY:
                return put_array(f, value, w);
        case JSON_STRING:
                put_string(f, json_string_value(value), json_string_length(value));
                return 0;
        case JSON_INTEGER:
                (void)fprintf(f, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
                return 0;
        case JSON_TRUE:
                (void)fputs("true", f);
                return 0;
        case JSON_FALSE:
                (void)fputs("false", f);
                return 0;
        case JSON_NULL:
                (void)fputs("null", f);
                return 0;
        default:
                return why(w, -EBADMSG, "canonical JSON: %g is no whole number",
                                json_real_value(value));
        }
}

int canon_encode(const json_t *value, char **ret, size_t *ret_n, Why *w) {
        char *bytes = NULL;
        size_t n = 0;
        FILE *f;
        int r;

        assert(value && ret && ret_n);
        f = open_memstream(&bytes, &n);
        if (!f)
                return why_oom(w);
        r = put_value(f, value, w);
        if (fclose(f) != 0 && r >= 0)
                r = why_oom(w);
        if (r < 0) {
                free(bytes);
                return r;
        }
        *ret = bytes;
        *ret_n = n;
        return 0;
}
