/* SPDX-License-Identifier: MIT */
/*
 * Order of versions, see version.h: fields of the core (missing ones are 0), then no pre-release
 * after any, then the fields of the pre-release, then those of the build part.
 */

#include "proto/version.h"

#include <string.h>

typedef struct Part {
        const char *at;
        size_t n;
} Part;

static bool is_digits(Part p) {
        for (size_t i = 0; i < p.n; i++)
                if (p.at[i] < '0' || p.at[i] > '9')
                        return false;
        return p.n > 0;
}

/* Cuts what is before the first `mark` off `rest`; without one, everything. */
static Part cut(Part *rest, char mark) {
        Part head = { rest->at, 0 };
        size_t used;

        while (head.n < rest->n && head.at[head.n] != mark)
                head.n++;
        used = head.n < rest->n ? head.n + 1 : head.n;
        rest->at += used;
        rest->n -= used;
        return head;
}

static int compare_text(Part a, Part b) {
        size_t n = a.n < b.n ? a.n : b.n;
        int r = n > 0 ? memcmp(a.at, b.at, n) : 0;

        return r != 0 ? r : (a.n > b.n) - (a.n < b.n);
}

static int compare_number(Part a, Part b) {
        for (; a.n > 0 && *a.at == '0'; a.n--)
                a.at++;
        for (; b.n > 0 && *b.at == '0'; b.n--)
                b.at++;
        if (a.n != b.n)
                return a.n > b.n ? 1 : -1;
        return compare_text(a, b);
}

/* A number is before a word. */
static int compare_field(Part a, Part b) {
        bool na = is_digits(a), nb = is_digits(b);

        if (na && nb)
                return compare_number(a, b);
        if (na != nb)
                return na ? -1 : 1;
        return compare_text(a, b);
}

/* Dotted lists; core: a missing field is 0, else the shorter list is before the longer. */
static int compare_list(Part a, Part b, bool core) {
        const Part zero = { "0", 1 };

        while (a.n > 0 || b.n > 0) {
                bool ha = a.n > 0, hb = b.n > 0;
                int r;

                if (ha != hb && !core)
                        return ha ? 1 : -1;
                r = compare_field(ha ? cut(&a, '.') : zero, hb ? cut(&b, '.') : zero);
                if (r != 0)
                        return r;
        }
        return 0;
}

static Part strip(RkdText text) {
        Part p = { text.text, text.length };

        if (p.n > 1 && (*p.at == 'v' || *p.at == 'V')) {
                p.at++;
                p.n--;
        }
        return p;
}

int rkd_version_compare(RkdText a, RkdText b) {
        Part build_a = strip(a), build_b = strip(b);
        Part pre_a = cut(&build_a, '+'), pre_b = cut(&build_b, '+');
        Part core_a = cut(&pre_a, '-'), core_b = cut(&pre_b, '-');
        int r = compare_list(core_a, core_b, true);

        if (r != 0)
                return r;
        if ((pre_a.n > 0) != (pre_b.n > 0))
                return pre_a.n > 0 ? -1 : 1;
        r = compare_list(pre_a, pre_b, false);
        return r != 0 ? r : compare_list(build_a, build_b, false);
}
