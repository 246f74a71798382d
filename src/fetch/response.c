/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Response: status line and header lines of an HTTP answer (RFC 9110 section 5, RFC 9112
 * sections 4 and 5), bounded. */
#include "fetch/response.h"

#include <strings.h>

#include "basic/names.h"

static int read_number(const char *s, size_t n, uint64_t *ret) {
        char digits[24];

        if (n == 0 || n >= sizeof digits)
                return -EINVAL;
        memcpy(digits, s, n);
        digits[n] = 0;
        return parse_uint64(digits, 0, UINT64_MAX, ret);
}

/* "HTTP/1.1 206 Partial Content". */
static int read_status(FetchResponse *r, const char *line, size_t n, Why *w) {
        const char *space = memchr(line, ' ', n);
        uint64_t status;

        if (!space || (size_t)(space - line) + 4 > n || read_number(space + 1, 3, &status) < 0 ||
                        status < 100)
                return why(w, -EPROTO, "the server sent a status line that is none");
        fetch_response_reset(r);
        r->status = (unsigned)status;
        return 0;
}

/* "bytes 100-199/1000" or "bytes 100-199/\*". */
static void read_range(FetchResponse *r, const char *value) {
        const char *dash = strchr(value, '-');

        if (!startswith(value, "bytes ") || !dash)
                return;
        r->has_range = read_number(value + 6, (size_t)(dash - value - 6), &r->range_start) >= 0;
}

/* The line that was just stored, NUL-ended in place of its newline. */
static int note(FetchResponse *r, const char *line, Why *w) {
        const char *value = strchr(line, ':') + 1;
        uint64_t length;

        value += strspn(value, " \t");
        if (fetch_header_is(line, "location"))
                r->has_location = *value != 0;
        if (fetch_header_is(line, "content-range"))
                read_range(r, value);
        if (fetch_header_is(line, "content-encoding"))
                r->is_encoded |= *value && strcasecmp(value, "identity") != 0;
        /* libcurl would decode the others, asked for or not. */
        if (fetch_header_is(line, "transfer-encoding") && strcasecmp(value, "chunked") != 0)
                return why(w, -EPROTO, "the server sent a Transfer-Encoding other than chunked");
        if (!fetch_header_is(line, "content-length"))
                return 0;
        if (read_number(value, strlen(value), &length) < 0 ||
                        (r->has_length && length != r->length))
                return why(w, -EPROTO, "the server sent a Content-Length that is no one number");
        r->length = length;
        r->has_length = true;
        return 0;
}

static void lower_name(char *line) {
        for (; *line && *line != ':'; line++)
                if (*line >= 'A' && *line <= 'Z')
                        *line = (char)(*line - 'A' + 'a');
}

void fetch_response_reset(FetchResponse *r) {
        r->status = 0;
        r->complete = r->has_location = r->has_length = r->has_range = r->is_encoded = false;
        r->n = 0;
        r->length = r->range_start = 0;
        r->lines[0] = 0;
}

int fetch_response_line(FetchResponse *r, const char *line, size_t n, Why *w) {
        char *to = r->lines + r->n;
        int e;

        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r' || line[n - 1] == ' '))
                n--;
        if (n >= 5 && memcmp(line, "HTTP/", 5) == 0)
                return read_status(r, line, n, w);
        if (r->complete)
                return 0;
        if (r->status == 0)
                return why(w, -EPROTO, "the server sent no status line");
        if (n == 0) {
                r->complete = true;
                return 0;
        }
        if (n + 1 > FETCH_HEADER_MAX - r->n)
                return why(w, -EPROTO, "the server sent more than %d bytes of headers",
                                FETCH_HEADER_MAX);
        memcpy(to, line, n);
        to[n] = 0;
        if (memchr(to, 0, n) || !fetch_header_is_valid(to)) {
                *to = 0;
                return why(w, -EPROTO, "the server sent a header line that is not \"Name: value\"");
        }
        lower_name(to);
        e = note(r, to, w);
        to[n] = '\n';
        to[n + 1] = 0;
        r->n += n + 1;
        return e;
}

bool fetch_response_is_redirect(const FetchResponse *r) {
        return r->has_location && (r->status == 301 || r->status == 302 || r->status == 303 ||
                                                  r->status == 307 || r->status == 308);
}
