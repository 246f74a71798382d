/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Version: order of version names. A name is read as `v`? core tail? (`+` build)?:
 *
 *   core   decimal fields with dots between them; a missing field counts as 0
 *   tail   the pre-release: what follows the core up to `+`, without its first separator (`-`, `~`
 *          or `.`); so 2.0-rc.1, 2.0~rc.1 and 2.0rc.1 stand in the same place, before 2.0
 *   build  identifiers behind the first `+`; none at all comes before any
 *
 * Identifiers are compared by SemVer 2.0.0, clause 11.4: numbers by value and before words,
 * words by their bytes, the shorter list first. Numbers are compared as digit strings, so no
 * length overflows. */
#include <assert.h>

#include "image/version.h"

typedef struct Span {
        const char *p, *end;
} Span;

typedef struct VersionParts {
        Span core, tail, build;
} VersionParts;

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static const char *skip_v(const char *s) {
        return *s == 'v' || *s == 'V' ? s + 1 : s;
}

static VersionParts split(const char *s) {
        VersionParts v = {};
        const char *end = s + strlen(s), *plus = strchr(s, '+'), *p = skip_v(s);

        v.core.p = p;
        while (is_digit(*p)) {
                while (is_digit(*p))
                        p++;
                if (p[0] != '.' || !is_digit(p[1]))
                        break;
                p++;
        }
        v.core.end = p;
        v.tail.end = plus ? plus : end;
        v.tail.p = p < v.tail.end && (*p == '-' || *p == '~' || *p == '.') ? p + 1 : p;
        v.build.p = plus ? plus + 1 : end;
        v.build.end = end;
        return v;
}

/* Cuts the next identifier off; false when none is left. */
static bool next_identifier(Span *list, Span *ret) {
        const char *p = list->p;

        if (p >= list->end)
                return false;
        while (p < list->end && *p != '.')
                p++;
        *ret = (Span){ .p = list->p, .end = p };
        list->p = p < list->end ? p + 1 : p;
        return true;
}

static bool is_number(Span s) {
        if (s.p == s.end)
                return false;
        for (; s.p < s.end; s.p++)
                if (!is_digit(*s.p))
                        return false;
        return true;
}

static int compare_numbers(Span a, Span b) {
        while (a.p < a.end && *a.p == '0')
                a.p++;
        while (b.p < b.end && *b.p == '0')
                b.p++;
        if (a.end - a.p != b.end - b.p)
                return a.end - a.p < b.end - b.p ? -1 : 1;
        return memcmp(a.p, b.p, (size_t)(a.end - a.p));
}

static int compare_words(Span a, Span b) {
        size_t na = (size_t)(a.end - a.p), nb = (size_t)(b.end - b.p);
        int r = memcmp(a.p, b.p, MIN(na, nb));

        if (r != 0)
                return r;
        return na < nb ? -1 : na > nb;
}

static int compare_identifiers(Span a, Span b) {
        bool na = is_number(a), nb = is_number(b);

        if (na && nb)
                return compare_numbers(a, b);
        if (na != nb)
                return na ? -1 : 1;
        return compare_words(a, b);
}

static int compare_lists(Span a, Span b) {
        for (;;) {
                Span x, y;
                bool has_x = next_identifier(&a, &x), has_y = next_identifier(&b, &y);
                int r;

                if (!has_x || !has_y)
                        return (int)has_x - (int)has_y;
                r = compare_identifiers(x, y);
                if (r != 0)
                        return r;
        }
}

static int compare_cores(Span a, Span b) {
        for (;;) {
                static const char zero[] = "0";
                Span x = { zero, zero + 1 }, y = { zero, zero + 1 };
                bool has_x = next_identifier(&a, &x), has_y = next_identifier(&b, &y);
                int r;

                if (!has_x && !has_y)
                        return 0;
                r = compare_numbers(x, y);
                if (r != 0)
                        return r;
        }
}

bool version_is_valid(const char *s) {
        size_t n;

        if (!s)
                return false;
        n = strnlen(s, VERSION_MAX + 1);
        if (n == 0 || n > VERSION_MAX || !is_digit(*skip_v(s)))
                return false;
        for (size_t i = 0; i < n; i++)
                if (!is_digit(s[i]) && !is_letter(s[i]) && !strchr(".+~_-", s[i]))
                        return false;
        return true;
}

int version_compare(const char *a, const char *b) {
        VersionParts x, y;
        bool pre_x, pre_y;
        int r;

        assert(version_is_valid(a) && version_is_valid(b));
        x = split(a);
        y = split(b);
        r = compare_cores(x.core, y.core);
        if (r != 0)
                return r;
        pre_x = x.tail.p < x.tail.end;
        pre_y = y.tail.p < y.tail.end;
        if (pre_x != pre_y) /* a pre-release comes before its release */
                return pre_x ? -1 : 1;
        r = compare_lists(x.tail, y.tail);
        if (r != 0)
                return r;
        return compare_lists(x.build, y.build);
}
