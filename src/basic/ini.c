/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The INI reader: one pass, one line at a time in a buffer of its own, nothing allocated. */
#include "ini.h"
#include "names.h"

typedef struct Reader {
        IniLine at;
        char line[INI_LINE_MAX + 1];
        char section[NAME_MAX_LENGTH + 1];
        char name[NAME_MAX_LENGTH + 1];
        IniFunc func;
        void *userdata;
} Reader;

/* Length of the UTF-8 sequence at s (RFC 3629: shortest form, no surrogates, at most U+10FFFF),
 * or 0. */
static size_t utf8_length(const unsigned char *s, size_t left) {
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
        uint32_t c = n == 1 ? s[0] : s[0] & (0x7fU >> n);

        if (n == 0 || n > left || s[0] > 0xf4)
                return 0;
        for (size_t i = 1; i < n; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (s[i] & 0x3f);
        }
        return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

static int refuse(const Reader *r, Why *w, const char *text) {
        return why(w, -EBADMSG, "%s:%u: %s", r->at.file, r->at.line, text);
}

static int check_characters(const Reader *r, size_t n, Why *w) {
        const unsigned char *s = (const unsigned char *)r->line;

        for (size_t i = 0, k; i < n; i += k) {
                k = utf8_length(s + i, n - i);
                if (k == 0)
                        return refuse(r, w, "these bytes are no text; UTF-8 is wanted");
                if ((s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f ||
                                (s[i] == 0xc2 && s[i + 1] < 0xa0))
                        return refuse(r, w,
                                        "a control character; lines of plain text ended by a "
                                        "newline alone are wanted");
        }
        return 0;
}

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

/* Cuts blanks off both ends, in place. */
static char *strip(char *s) {
        size_t n;

        while (is_blank(*s))
                s++;
        for (n = strlen(s); n > 0 && is_blank(s[n - 1]); n--)
                s[n - 1] = '\0';
        return s;
}

/* Words of sections and keys: letters, digits and dashes, a letter first. */
static bool is_word(const char *s) {
        return name_is_valid(s) && !strpbrk(s, "._") && *s > '9';
}

static int read_section(Reader *r, char *s, Why *w) {
        size_t n = strlen(s);
        char *name;

        if (n < 2 || s[n - 1] != ']')
                return refuse(r, w,
                                "the section has no end; [Section] or [Section NAME] is wanted");
        s[n - 1] = '\0';
        s++;
        name = strpbrk(s, " \t");
        if (name) {
                *name++ = '\0';
                name = strip(name);
        }
        if (!is_word(s))
                return refuse(r, w,
                                "no name of a section; [Section] or [Section NAME] is wanted, "
                                "in letters, digits and dashes");
        if (name && !name_is_valid(name))
                return refuse(r, w,
                                "the name in this section is not allowed; 1 to 64 of letters, "
                                "digits, '.', '_' and '-' are wanted, not beginning with a dot");
        (void)strcpy(r->section, s);
        r->at.section = r->section;
        r->at.name = name ? strcpy(r->name, name) : NULL;
        r->at.key = r->at.value = NULL;
        return r->func(&r->at, r->userdata, w);
}

static int read_pair(Reader *r, char *s, Why *w) {
        char *equals = strchr(s, '=');

        if (!equals)
                return refuse(r, w,
                                "neither section nor key; [Section], Key=value, or # before a "
                                "comment is wanted");
        *equals = '\0';
        r->at.key = strip(s);
        r->at.value = strip(equals + 1);
        if (!is_word(r->at.key))
                return refuse(r, w,
                                "no name of a key; Key=value is wanted, the key in letters, digits "
                                "and dashes");
        if (!r->at.section)
                return refuse(r, w, "a key before the first section; [Section] is wanted above it");
        return r->func(&r->at, r->userdata, w);
}

static int read_line(Reader *r, const char *bytes, size_t n, Why *w) {
        char *s;
        int k;

        if (n > INI_LINE_MAX)
                return why(w, -E2BIG, "%s:%u: the line has %zu bytes; at most %d are wanted",
                                r->at.file, r->at.line, n, INI_LINE_MAX);
        memcpy(r->line, bytes, n);
        r->line[n] = '\0';
        k = check_characters(r, n, w);
        if (k < 0)
                return k;
        s = strip(r->line);
        if (*s == '\0' || *s == '#' || *s == ';')
                return 0;
        return *s == '[' ? read_section(r, s, w) : read_pair(r, s, w);
}

int ini_parse(const char *file, const char *bytes, size_t n, IniFunc func, void *userdata, Why *w) {
        Reader reader = { .at = { .file = file }, .func = func, .userdata = userdata };

        if (n > INI_FILE_MAX)
                return why(w, -E2BIG, "%s:1: the file has %zu bytes; at most %d are wanted", file,
                                n, INI_FILE_MAX);
        for (size_t start = 0; start < n;) {
                const char *end = memchr(bytes + start, '\n', n - start);
                size_t length = end ? (size_t)(end - bytes) - start : n - start;
                int r;

                reader.at.line++;
                r = read_line(&reader, bytes + start, length, w);
                if (r < 0)
                        return r;
                start += length + 1;
        }
        return 0;
}
