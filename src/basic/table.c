/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Table: cells are kept as they are shown; widths are known when it is printed. */
#include "basic/table.h"

#include "basic/names.h"
#include "basic/terminal.h"

#define CELL_MAX    400
#define COLUMNS_GAP 2
#define LAST_MIN    20 /* narrower, a last column is not broken */
#define SHORT_MIN   8  /* narrower, a cell is not shortened */
#define SHORT_MARK  ".."
#define NAME_KEPT   24 /* the first column names the thing: up to this it is shortened last */

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

void table_keep_to_lines(Table *t) {
        t->one_line = true;
}

void table_shorten(const char *text, size_t width, char ret[static TABLE_SHORT_MAX]) {
        size_t n = strlen(text), room, head;

        width = MIN(width, (size_t)TABLE_SHORT_MAX - 1);
        if (n <= width || width < strlen(SHORT_MARK)) {
                (void)snprintf(ret, TABLE_SHORT_MAX, "%.*s", (int)width, text);
                return;
        }
        room = width - strlen(SHORT_MARK);
        head = strchr(text, ' ') ? room : (room + 1) / 2;
        (void)snprintf(ret, TABLE_SHORT_MAX, "%.*s" SHORT_MARK "%s", (int)head, text,
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

/* Makes the widest columns narrower until they fit, as far as that goes. */
static void narrow(size_t *widths, size_t n, size_t columns) {
        size_t i;

        while (total(widths, n, SIZE_MAX) > columns && (i = widest(widths, n)) < n)
                widths[i]--;
}

/* A row in one line: where narrow columns are not enough, the last ones go. Returns how many
 * stay. */
static size_t fit_lines(size_t *widths, size_t n, size_t columns) {
        while (n > 1 && total(widths, n, SHORT_MIN) > columns)
                n--;
        narrow(widths, n, columns);
        return n;
}

/* Leaves room for the last column, if that can be had. */
static void fit_last(size_t *widths, size_t n, size_t columns) {
        size_t last = COLUMNS_GAP + MIN(widths[n - 1], (size_t)LAST_MIN);

        if (n > 1 && columns >= last && total(widths, n - 1, SHORT_MIN) <= columns - last)
                narrow(widths, n - 1, columns - last);
}

/* last: nothing follows in its row. */
static int print_cell(const Cell *c, size_t width, bool last, bool color, FILE *f) {
        const char *on = color ? color_codes[c->color] : "";
        char text[TABLE_SHORT_MAX];

        table_shorten(c->text, width, text);
        return fprintf(f, "%s%s%s%*s%s", on, text, *on ? "\033[0m" : "",
                        last ? 0 : (int)(width - strlen(text) + COLUMNS_GAP), "", last ? "\n" : "");
}

/* indent: where the column begins; room: its width, SIZE_MAX: not limited. */
static int print_last(const Cell *c, size_t indent, size_t room, bool color, FILE *f) {
        const char *on = color ? color_codes[c->color] : "", *off = *on ? "\033[0m" : "";
        const char *text = c->text;
        int r = 0;

        while (r >= 0) {
                size_t n = text_break(text, room);

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
                n = fit_lines(widths, n, columns);
        else if (columns > 0)
                fit_last(widths, n, columns);
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
