/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Units and the progress bar. */
#include "ctl/format.h"

#include <ctype.h>
#include <inttypes.h>
#include <time.h>

#include "basic/names.h"

#define CELL_MAX 400
#define BAR_MIN  10
#define BAR_MAX  40
/* The bar does not move while phases and numbers come and go. */
#define PHASE_WIDTH   11 /* "downloading" */
#define NUMBERS_WIDTH 30 /* "100 %  1023.9 KiB/s  0:00 left" */

void format_kebab(const char *camel, char ret[static FORMAT_MAX]) {
        size_t n = 0;

        for (const char *p = camel; *p && n + 2 < FORMAT_MAX; p++) {
                if (isupper((unsigned char)*p) && p > camel)
                        ret[n++] = '-';
                ret[n++] = (char)tolower((unsigned char)*p);
        }
        ret[n] = '\0';
}

void format_bytes(uint64_t bytes, char ret[static FORMAT_MAX]) {
        static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
        uint64_t scale = 1024;
        size_t i = 0;

        if (bytes < 1024) {
                (void)snprintf(ret, FORMAT_MAX, "%" PRIu64 " B", bytes);
                return;
        }
        while (i + 1 < ELEMENTSOF(units) && bytes / scale >= 1024) {
                scale *= 1024;
                i++;
        }
        (void)snprintf(ret, FORMAT_MAX, "%" PRIu64 ".%" PRIu64 " %s", bytes / scale,
                        bytes % scale / (scale / 1024) * 10 / 1024, units[i]);
}

void format_duration(uint64_t seconds, char ret[static FORMAT_MAX]) {
        uint64_t hours = seconds / 3600;
        unsigned minutes = (unsigned)(seconds / 60 % 60), rest = (unsigned)(seconds % 60);

        if (hours > 0)
                (void)snprintf(ret, FORMAT_MAX, "%" PRIu64 ":%02u:%02u", hours, minutes, rest);
        else
                (void)snprintf(ret, FORMAT_MAX, "%u:%02u", minutes, rest);
}

void format_time(uint64_t seconds, char ret[static FORMAT_MAX]) {
        time_t t = (time_t)seconds;
        struct tm tm;

        if (seconds == 0 || !localtime_r(&t, &tm) ||
                        strftime(ret, FORMAT_MAX, "%Y-%m-%d %H:%M:%S", &tm) == 0)
                (void)snprintf(ret, FORMAT_MAX, "%s", seconds == 0 ? "never" : "?");
}

Color format_state_color(const char *state) {
        static const char *const red[] = { "stranded", "unhealthy", "identity-changed", "failed",
                "failure", "refusal" };
        static const char *const green[] = { "idle", "done", "success", "open" };

        for (size_t i = 0; i < ELEMENTSOF(red); i++)
                if (streq(red[i], state))
                        return COLOR_RED;
        for (size_t i = 0; i < ELEMENTSOF(green); i++)
                if (streq(green[i], state))
                        return COLOR_GREEN;
        return COLOR_YELLOW;
}

static void render_numbers(const Progress *p, char *ret, size_t n) {
        char rate[FORMAT_MAX], left[FORMAT_MAX];
        bool has_rate = p->rate_bytes > 0, has_left = p->left_seconds > 0;

        format_bytes(p->rate_bytes, rate);
        format_duration(p->left_seconds, left);
        (void)snprintf(ret, n, "%3u %%%s%s%s%s%s%s", p->permille / 10, has_rate ? "  " : "",
                        has_rate ? rate : "", has_rate ? "/s" : "", has_left ? "  " : "",
                        has_left ? left : "", has_left ? " left" : "");
}

char *progress_render(const Progress *p, unsigned columns) {
        _cleanup_free_ char *name = NULL, *phase = NULL, *line = NULL;
        char numbers[3 * FORMAT_MAX], raw[2 * CELL_MAX], bar[BAR_MAX + 4];
        size_t used, width;
        int r;

        (void)snprintf(raw, sizeof(raw), "%s%s%s", p->device, *p->version ? " " : "", p->version);
        name = text_escape(raw, strlen(raw), CELL_MAX);
        phase = text_escape(p->phase, strlen(p->phase), CELL_MAX);
        if (!name || !phase)
                return NULL;
        render_numbers(p, numbers, sizeof(numbers));
        used = strlen(name) + 2 + MAX(strlen(phase), (size_t)PHASE_WIDTH) + 5 +
               MAX(strlen(numbers), (size_t)NUMBERS_WIDTH);
        if (used + BAR_MIN <= columns) {
                width = MIN(columns - used, (size_t)BAR_MAX);
                for (size_t i = 0; i < width; i++)
                        bar[i] = (i + 1) * 1000 <= (uint64_t)p->permille * width ? '#' : '.';
                bar[width] = '\0';
                r = asprintf(&line, "%s  %-*s  [%s] %s", name, PHASE_WIDTH, phase, bar, numbers);
        } else
                r = asprintf(&line, "%s  %s  %s", name, phase, numbers);
        if (r < 0)
                return NULL;
        if (strlen(line) > columns)
                line[columns] = '\0';
        return TAKE_PTR(line);
}
