/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pattern: segment by segment; within one, the last star takes one character more whenever what
 * follows it does not fit, so that the time is at most the product of both lengths. */
#include "tuf/pattern.h"

/* A segment and its end. */
typedef struct Segment {
        const char *at, *end;
} Segment;

static Segment segment_of(const char *s) {
        return (Segment){ s, s + strcspn(s, "/") };
}

/* Behind the UTF-8 character at p. */
static const char *next_character(const char *p) {
        p++;
        while (((unsigned char)*p & 0xc0) == 0x80)
                p++;
        return p;
}

static bool segment_matches(Segment pattern, Segment text, uint64_t *budget) {
        const char *star = NULL, *resume = NULL;

        for (; *budget > 0 && text.at < text.end; (*budget)--) {
                if (pattern.at < pattern.end && *pattern.at == '*') {
                        star = ++pattern.at;
                        resume = text.at;
                } else if (pattern.at < pattern.end && *pattern.at == '?') {
                        pattern.at++;
                        text.at = next_character(text.at);
                } else if (pattern.at < pattern.end && *pattern.at == *text.at) {
                        pattern.at++;
                        text.at++;
                } else if (star) {
                        pattern.at = star;
                        resume = next_character(resume);
                        text.at = resume;
                } else {
                        return false;
                }
        }
        if (*budget == 0)
                return false;
        (*budget)--;
        while (pattern.at < pattern.end && *pattern.at == '*')
                pattern.at++;
        return pattern.at == pattern.end;
}

bool pattern_matches(const char *pattern, const char *path, uint64_t *budget) {
        for (;;) {
                Segment p = segment_of(pattern), t = segment_of(path);

                if (!segment_matches(p, t, budget) || *p.end != *t.end)
                        return false;
                if (*p.end == '\0')
                        return true;
                pattern = p.end + 1;
                path = t.end + 1;
        }
}

bool pattern_reaches(const char *pattern, const char *folder, uint64_t *budget) {
        Segment first = segment_of(pattern);

        return *first.end == '/' && segment_matches(first, segment_of(folder), budget);
}
