/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables, units and the progress bar. */
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
#define COLUMNS_GAP   2
#define LAST_MIN      20 /* narrower, a last column is not broken */
#define SHORT_MIN     8  /* narrower, a cell is not shortened */
#define SHORT_MARK    ".."
#define NAME_KEPT     24 /* the first column names the thing: up to this it is shortened last */

typedef struct Cell {
        char *text;
        Color color;
} Cell;

struct Table {
        size_t n_columns;
        Cell *cells; /* the first row is the head */
        size_t n_cells;
        bool one_line;
};

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

/* ---- tables ---- */

int table_new(const char *const *columns, Table **ret) {
        _cleanup_(table_freep) Table *t = new0(Table, 1);
        int r;

        if (!t)
                return -ENOMEM;
        while (columns[t->n_columns])
                t->n_columns++;
        for (size_t i = 0; i < t->n_columns; i++) {
                r = table_add(t, columns[i], COLOR_BOLD);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(t);
        return 0;
}

Table *table_free(Table *t) {
        if (!t)
                return NULL;
        for (size_t i = 0; i < t->n_cells; i++)
                free(t->cells[i].text);
        free(t->cells);
        free(t);
        return NULL;
}

int table_add(Table *t, const char *text, Color color) {
        _cleanup_free_ char *escaped = NULL;
        Cell *larger;

        if (!text || !*text)
                text = "-";
        escaped = text_escape(text, strlen(text), CELL_MAX);
        if (!escaped)
                return -ENOMEM;
        larger = reallocarray(t->cells, t->n_cells + 1, sizeof(Cell));
        if (!larger)
                return -ENOMEM;
        t->cells = larger;
        t->cells[t->n_cells++] = (Cell){ TAKE_PTR(escaped), color };
        return 0;
}

static size_t width_of(const Table *t, size_t column) {
        size_t width = 0;

        for (size_t i = column; i < t->n_cells; i += t->n_columns)
                width = MAX(width, strlen(t->cells[i].text));
        return width;
}

static const char *const color_codes[_COLOR_MAX] = {
        [COLOR_NONE] = "",
        [COLOR_GREEN] = "\033[32m",
        [COLOR_YELLOW] = "\033[33m",
        [COLOR_RED] = "\033[31m",
        [COLOR_BOLD] = "\033[1m",
};

size_t format_break(const char *text, size_t columns) {
        size_t n = strlen(text), at = 0;

        if (n <= columns)
                return n;
        for (size_t i = 0; i < n && (i <= columns || at == 0); i++)
                if (text[i] == ' ')
                        at = i;
        return at > 0 ? at : n;
}

void table_keep_to_lines(Table *t) {
        t->one_line = true;
}

void format_shorten(const char *text, size_t width, char ret[static FORMAT_SHORT_MAX]) {
        size_t n = strlen(text), room, head;

        width = MIN(width, (size_t)FORMAT_SHORT_MAX - 1);
        if (n <= width || width < strlen(SHORT_MARK)) {
                (void)snprintf(ret, FORMAT_SHORT_MAX, "%.*s", (int)width, text);
                return;
        }
        room = width - strlen(SHORT_MARK);
        head = strchr(text, ' ') ? room : (room + 1) / 2;
        (void)snprintf(ret, FORMAT_SHORT_MAX, "%.*s" SHORT_MARK "%s", (int)head, text,
                        text + n - (room - head));
}

static size_t total(const size_t *widths, size_t n, size_t max) {
        size_t sum = n > 0 ? (n - 1) * COLUMNS_GAP : 0;

        for (size_t i = 0; i < n; i++)
                sum += MIN(widths[i], max);
        return sum;
}

/* The widest column that can still be made narrower; n: none. */
static size_t widest(const size_t *widths, size_t n) {
        size_t best = widths[0] > NAME_KEPT ? 0 : n;

        for (size_t i = 1; i < n; i++)
                if (widths[i] > SHORT_MIN && (best == n || widths[i] > widths[best]))
                        best = i;
        return best == n && widths[0] > SHORT_MIN ? 0 : best;
}

/* Makes the widest columns narrower until a row fits; where that is not enough, the last ones go.
 * Returns how many stay. */
static size_t fit(size_t *widths, size_t n, size_t columns) {
        size_t i;

        while (n > 1 && total(widths, n, SHORT_MIN) > columns)
                n--;
        while (total(widths, n, SIZE_MAX) > columns && (i = widest(widths, n)) < n)
                widths[i]--;
        return n;
}

/* last: nothing follows in its row. */
static int print_cell(const Cell *c, size_t width, bool last, bool color, FILE *f) {
        const char *on = color ? color_codes[c->color] : "";
        char text[FORMAT_SHORT_MAX];

        format_shorten(c->text, width, text);
        return fprintf(f, "%s%s%s%*s%s", on, text, *on ? "\033[0m" : "",
                        last ? 0 : (int)(width - strlen(text) + COLUMNS_GAP), "", last ? "\n" : "");
}

/* indent: where the column begins; room: its width, SIZE_MAX: not limited. */
static int print_last(const Cell *c, size_t indent, size_t room, bool color, FILE *f) {
        const char *on = color ? color_codes[c->color] : "", *off = *on ? "\033[0m" : "";
        const char *text = c->text;
        int r = 0;

        while (r >= 0) {
                size_t n = format_break(text, room);

                r = fprintf(f, "%s%.*s%s\n", on, (int)n, text, off);
                text += n;
                text += strspn(text, " ");
                if (!*text)
                        break;
                if (r >= 0)
                        r = fprintf(f, "%*s", (int)indent, "");
        }
        return r;
}

int table_print(const Table *t, bool color, unsigned columns, FILE *f) {
        _cleanup_free_ size_t *widths = new0(size_t, t->n_columns);
        size_t n = t->n_columns, indent = 0, room = SIZE_MAX;

        if (!widths)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                widths[i] = width_of(t, i);
        if (t->one_line && columns > 0)
                n = fit(widths, n, columns);
        for (size_t i = 0; i + 1 < n; i++)
                indent += widths[i] + COLUMNS_GAP;
        if (indent + LAST_MIN <= columns)
                room = columns - indent;
        for (size_t i = 0; i < t->n_cells; i++) {
                size_t column = i % t->n_columns;
                int r = 0;

                if (column + 1 < n || (column + 1 == n && t->one_line))
                        r = print_cell(t->cells + i, widths[column], column + 1 == n, color, f);
                else if (column < n)
                        r = print_last(t->cells + i, indent, room, color, f);
                if (r < 0)
                        return -EIO;
        }
        return 0;
}

/* ---- progress ---- */

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
