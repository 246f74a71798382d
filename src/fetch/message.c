/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages of rekindle-fetch: one writer and one reader of tagged fields, and on them the three
 * messages. What the encoder refuses to write the decoder refuses to read, by the same check, so
 * that neither end trusts the other. */
#include "fetch/message.h"

#include <assert.h>
#include <strings.h>

#define PREFIX_BYTES 8
#define VERSION      1
#define TYPE_REQUEST 1
#define STATUS_MAX   999

enum {
        TAG_KIND = 1,
        TAG_METHOD,
        TAG_URL,
        TAG_HEADERS,
        TAG_BODY,
        TAG_BYTE_LIMIT,
        TAG_RESUME_OFFSET,
        TAG_IF_RANGE,
        TAG_STATUS,
        TAG_RESUMED,
        TAG_ERROR,
        TAG_BYTES,
        TAG_TEXT,
        _TAG_MAX,
};

static const uint8_t magic[4] = { 'R', 'k', 'F', 't' };

/* Errors by their number on the socket. */
static const int wire_errors[] = {
        0,
        -ETIMEDOUT,
        -ECONNREFUSED,
        -EHOSTUNREACH,
        -EPROTO,
        -EFBIG,
        -ECANCELED,
        -EPIPE,
        -EACCES,
};

static const char *const methods[] = { "GET", "POST", "PUT" };

/* Set by the fetcher, by libcurl, or by nobody. */
static const char *const reserved_headers[] = {
        "Connection",
        "Content-Length",
        "Expect",
        "Host",
        "If-Range",
        "Keep-Alive",
        "Proxy-Authorization",
        "Proxy-Connection",
        "Range",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
};

typedef struct Writer {
        uint8_t *bytes;
        size_t n;
} Writer;

typedef struct Field {
        const uint8_t *bytes;
        size_t n;
        bool present;
} Field;

/* --- writing ---------------------------------------------------------------------------------- */

static void put_le(uint8_t *to, uint64_t v, size_t n) {
        for (size_t i = 0; i < n; i++)
                to[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get_le(const uint8_t *from, size_t n) {
        uint64_t v = 0;

        for (size_t i = n; i > 0; i--)
                v = v << 8 | from[i - 1];
        return v;
}

/* Room for FETCH_MESSAGE_MAX bytes: enough for everything that passes the checks. */
static int writer_init(Writer *w, uint8_t type) {
        w->bytes = malloc(FETCH_MESSAGE_MAX);
        if (!w->bytes)
                return -ENOMEM;
        memcpy(w->bytes, magic, sizeof magic);
        w->bytes[4] = VERSION;
        w->bytes[5] = type;
        w->bytes[6] = w->bytes[7] = 0;
        w->n = PREFIX_BYTES;
        return 0;
}

/* Begins a field of n bytes; the caller fills what is returned. */
static uint8_t *writer_field(Writer *w, uint8_t tag, size_t n) {
        uint8_t *at = w->bytes + w->n;

        assert(w->n + 5 + n <= FETCH_MESSAGE_MAX);
        at[0] = tag;
        put_le(at + 1, n, 4);
        w->n += 5 + n;
        return at + 5;
}

static void writer_number(Writer *w, uint8_t tag, uint64_t v, size_t size) {
        put_le(writer_field(w, tag, size), v, size);
}

static void writer_text(Writer *w, uint8_t tag, const char *text, size_t max) {
        size_t n = strnlen(text, max);
        uint8_t *to = writer_field(w, tag, n + 1);

        memcpy(to, text, n);
        to[n] = 0;
}

static void writer_finish(Writer *w, uint8_t **ret, size_t *ret_n) {
        uint8_t *smaller = realloc(w->bytes, w->n);

        *ret = smaller ? smaller : w->bytes;
        *ret_n = w->n;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Splits a message into its fields; ret has _TAG_MAX of them. */
static int split(const uint8_t *bytes, size_t n, uint8_t *ret_type, Field *ret, Why *w) {
        Field fields[_TAG_MAX] = { 0 };
        unsigned last = 0;

        if (n < PREFIX_BYTES || n > FETCH_MESSAGE_MAX)
                return why(w, -EBADMSG, "message has %zu bytes; 8 to %d would be right", n,
                                FETCH_MESSAGE_MAX);
        if (memcmp(bytes, magic, sizeof magic) != 0 || bytes[6] != 0 || bytes[7] != 0)
                return why(w, -EBADMSG, "message does not begin as a message of rekindle-fetch");
        if (bytes[4] != VERSION)
                return why(w, -EBADMSG, "message has version %u; this side speaks version %d",
                                bytes[4], VERSION);
        for (size_t at = PREFIX_BYTES; at < n;) {
                size_t length;
                unsigned tag = bytes[at];

                if (n - at < 5)
                        return why(w, -EBADMSG, "message is cut in a field");
                length = get_le(bytes + at + 1, 4);
                if (length > n - at - 5)
                        return why(w, -EBADMSG, "field %u is longer than the message", tag);
                if (tag <= last || tag >= _TAG_MAX)
                        return why(w, -EBADMSG, "field %u is unknown or out of order", tag);
                fields[tag] = (Field){ bytes + at + 5, length, true };
                last = tag;
                at += 5 + length;
        }
        *ret_type = bytes[5];
        memcpy(ret, fields, sizeof fields);
        return 0;
}

/* Only the tags of `allowed` (a bit each) may be there. */
static int only(const Field *fields, uint32_t allowed, Why *w) {
        for (unsigned tag = 0; tag < _TAG_MAX; tag++)
                if (fields[tag].present && !(allowed & (UINT32_C(1) << tag)))
                        return why(w, -EBADMSG, "field %u does not belong into this message", tag);
        return 0;
}

static int get_number(const Field *fields, unsigned tag, size_t size, uint64_t max, uint64_t *ret,
                Why *w) {
        const Field *f = &fields[tag];
        uint64_t v;

        if (!f->present || f->n != size)
                return why(w, -EBADMSG, "field %u is missing or has not %zu bytes", tag, size);
        v = get_le(f->bytes, size);
        if (v > max)
                return why(w, -EBADMSG, "field %u is out of range", tag);
        *ret = v;
        return 0;
}

/* A text of at most max bytes and its NUL; missing gives NULL if it is optional. */
static int get_text(const Field *fields, unsigned tag, size_t max, bool optional, const char **ret,
                Why *w) {
        const Field *f = &fields[tag];

        if (!f->present) {
                if (!optional)
                        return why(w, -EBADMSG, "field %u is missing", tag);
                *ret = NULL;
                return 0;
        }
        if (f->n == 0 || f->n > max + 1 || memchr(f->bytes, 0, f->n) != f->bytes + f->n - 1)
                return why(w, -EBADMSG, "field %u is no text of at most %zu bytes", tag, max);
        *ret = (const char *)f->bytes;
        return 0;
}

/* Request headers: texts one after another, each with its NUL. */
static int get_header_list(const Field *f, const char **ret, Why *w) {
        size_t at = 0, count = 0;

        if (f->n > FETCH_HEADER_MAX)
                return why(w, -EBADMSG, "headers are larger than %d bytes", FETCH_HEADER_MAX);
        while (at < f->n) {
                const uint8_t *end = memchr(f->bytes + at, 0, f->n - at);

                if (!end || count == FETCH_HEADERS_MAX)
                        return why(w, -EBADMSG, "headers are more than %d, or cut",
                                        FETCH_HEADERS_MAX);
                ret[count++] = (const char *)f->bytes + at;
                at = (size_t)(end - f->bytes) + 1;
        }
        ret[count] = NULL;
        return 0;
}

/* --- what is right ---------------------------------------------------------------------------- */

static bool is_token(char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               (c != 0 && strchr("!#$%&'*+-.^_`|~", c));
}

/* Length of the header's name, 0 if it has none. */
static size_t header_name_length(const char *header) {
        size_t n = 0;

        while (is_token(header[n]))
                n++;
        return header[n] == ':' ? n : 0;
}

static bool is_plain(const char *s, const char *refused) {
        for (; *s; s++)
                if (*s <= 0x20 || *s > 0x7e || strchr(refused, *s))
                        return false;
        return true;
}

static int check_headers(const char *const *headers, Why *w) {
        size_t total = 0, count = 0;

        for (; headers && headers[count]; count++) {
                const char *h = headers[count];

                total += strlen(h) + 1;
                if (!fetch_header_is_valid(h))
                        return why(w, -EINVAL,
                                        "request header %zu is not \"Name: value\" in printable characters",
                                        count + 1);
                for (size_t i = 0; i < ELEMENTSOF(reserved_headers); i++)
                        if (fetch_header_is(h, reserved_headers[i]))
                                return why(w, -EINVAL,
                                                "request header %s: is set by the fetcher only",
                                                reserved_headers[i]);
        }
        if (total > FETCH_HEADER_MAX || count > FETCH_HEADERS_MAX)
                return why(w, -EINVAL,
                                "request headers have %zu bytes in %zu lines; at most %d in %d",
                                total, count, FETCH_HEADER_MAX, FETCH_HEADERS_MAX);
        return 0;
}

static int check_url(const char *url, Why *w) {
        size_t n = url ? strlen(url) : 0;

        if (n == 0 || n > FETCH_URL_MAX)
                return why(w, -EINVAL, "URL has %zu bytes; 1 to %d would be right", n,
                                FETCH_URL_MAX);
        if (!is_plain(url, "\"<>\\^`{|}#"))
                return why(w, -EINVAL,
                                "URL holds a blank, control or other character that must be escaped: %s",
                                url);
        if (url[0] != '/' && !startswith(url, "https://") && !startswith(url, "http://"))
                return why(w, -EINVAL, "URL is neither https:// nor a path that begins with /: %s",
                                url);
        return 0;
}

static int check_resume(const FetchRequest *r, Why *w) {
        if (r->if_range && r->resume_offset == 0)
                return why(w, -EINVAL, "If-Range goes only with a resume offset");
        if (r->if_range && (strlen(r->if_range) > FETCH_VALUE_MAX || !*r->if_range))
                return why(w, -EINVAL, "If-Range has not 1 to %d bytes", FETCH_VALUE_MAX);
        for (const char *s = r->if_range; s && *s; s++)
                if (*s < 0x20 || *s > 0x7e)
                        return why(w, -EINVAL, "If-Range holds a control character");
        if (r->resume_offset > 0 && !streq(r->method, "GET"))
                return why(w, -EINVAL, "only GET can be resumed, not %s", r->method);
        return 0;
}

static int request_from_fields(const Field *fields, FetchRequestView *view, Why *w) {
        FetchRequest *r = &view->request;
        uint64_t kind = 0;
        int e;

        e = only(fields, (UINT32_C(1) << (TAG_IF_RANGE + 1)) - 1, w);
        if (e >= 0)
                e = get_number(fields, TAG_KIND, 1, FETCH_STREAM, &kind, w);
        if (e >= 0)
                e = get_text(fields, TAG_METHOD, 8, false, &r->method, w);
        if (e >= 0)
                e = get_text(fields, TAG_URL, FETCH_URL_MAX, false, &r->url, w);
        if (e >= 0)
                e = get_header_list(&fields[TAG_HEADERS], view->headers, w);
        if (e >= 0)
                e = get_number(fields, TAG_BYTE_LIMIT, 8, UINT64_MAX, &r->byte_limit, w);
        if (e >= 0)
                e = get_number(fields, TAG_RESUME_OFFSET, 8, UINT64_MAX, &r->resume_offset, w);
        if (e >= 0)
                e = get_text(fields, TAG_IF_RANGE, FETCH_VALUE_MAX, true, &r->if_range, w);
        if (e < 0)
                return e;
        if (!fields[TAG_HEADERS].present || !fields[TAG_BODY].present)
                return why(w, -EBADMSG, "request has no headers or no body field");
        r->kind = (FetchKind)kind;
        r->headers = view->headers;
        r->body = fields[TAG_BODY].bytes;
        r->body_length = fields[TAG_BODY].n;
        return 0;
}

static uint8_t error_to_wire(int error) {
        for (size_t i = 0; i < ELEMENTSOF(wire_errors); i++)
                if (wire_errors[i] == error)
                        return (uint8_t)i;
        return error_to_wire(-EPROTO);
}

/* Lines "name: value\n" and nothing else. */
static int check_header_lines(const char *s, Why *w) {
        while (*s) {
                const char *end = strchr(s, '\n');
                size_t name = header_name_length(s);

                if (!end || name == 0)
                        return why(w, -EBADMSG, "head holds a line that is no header");
                for (; s < end; s++)
                        if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
                                return why(w, -EBADMSG, "head holds a control character");
                s = end + 1;
        }
        return 0;
}

static int head_from_fields(const Field *fields, FetchAnswer *a, Why *w) {
        uint64_t status = 0, resumed = 0;
        int e;

        e = only(fields, 1u << TAG_HEADERS | 1u << TAG_STATUS | 1u << TAG_RESUMED, w);
        if (e >= 0)
                e = get_text(fields, TAG_HEADERS, FETCH_HEADER_MAX, false, &a->headers, w);
        if (e >= 0)
                e = get_number(fields, TAG_STATUS, 2, STATUS_MAX, &status, w);
        if (e >= 0)
                e = get_number(fields, TAG_RESUMED, 1, 1, &resumed, w);
        if (e < 0)
                return e;
        if (status < 200 || (resumed && status != 206))
                return why(w, -EBADMSG, "head has status %u", (unsigned)status);
        a->status = (unsigned)status;
        a->resumed = resumed;
        return check_header_lines(a->headers, w);
}

static int closing_from_fields(const Field *fields, FetchAnswer *a, Why *w) {
        uint64_t status = 0, error = 0;
        int e;

        e = only(fields, 1u << TAG_STATUS | 1u << TAG_ERROR | 1u << TAG_BYTES | 1u << TAG_TEXT, w);
        if (e >= 0)
                e = get_number(fields, TAG_STATUS, 2, STATUS_MAX, &status, w);
        if (e >= 0)
                e = get_number(fields, TAG_ERROR, 1, ELEMENTSOF(wire_errors) - 1, &error, w);
        if (e >= 0)
                e = get_number(fields, TAG_BYTES, 8, UINT64_MAX, &a->bytes, w);
        if (e >= 0)
                e = get_text(fields, TAG_TEXT, FETCH_TEXT_MAX, false, &a->text, w);
        if (e < 0)
                return e;
        a->status = (unsigned)status;
        a->error = wire_errors[error];
        return 0;
}

/* --- public ----------------------------------------------------------------------------------- */

bool fetch_header_is_valid(const char *header) {
        size_t n = header_name_length(header);

        if (n == 0)
                return false;
        for (const unsigned char *s = (const unsigned char *)header + n + 1; *s; s++)
                if ((*s < 0x20 && *s != '\t') || *s == 0x7f)
                        return false;
        return true;
}

bool fetch_header_is(const char *header, const char *name) {
        size_t n = strlen(name);

        return strncasecmp(header, name, n) == 0 && header[n] == ':';
}

int fetch_request_check(const FetchRequest *r, Why *w) {
        bool known = false;
        int e;

        if (r->kind != FETCH_TRANSFER && r->kind != FETCH_STREAM)
                return why(w, -EINVAL, "request kind %d is unknown", (int)r->kind);
        for (size_t i = 0; i < ELEMENTSOF(methods); i++)
                known = known || streq_ptr(r->method, methods[i]);
        if (!known)
                return why(w, -EINVAL, "request method is none of GET, POST and PUT");
        e = check_url(r->url, w);
        if (e < 0)
                return e;
        e = check_headers(r->headers, w);
        if (e < 0)
                return e;
        if (r->body_length > FETCH_BODY_MAX || (r->body_length > 0 && streq(r->method, "GET")))
                return why(w, -EINVAL, "request body has %zu bytes; at most %d, and none with GET",
                                r->body_length, FETCH_BODY_MAX);
        return check_resume(r, w);
}

int fetch_request_encode(const FetchRequest *r, uint8_t **ret, size_t *ret_n, Why *w) {
        Writer writer;
        uint8_t *to;
        size_t total = 0;
        int e;

        e = fetch_request_check(r, w);
        if (e < 0)
                return e;
        e = writer_init(&writer, TYPE_REQUEST);
        if (e < 0)
                return why(w, e, "not enough memory for a request");
        writer_number(&writer, TAG_KIND, r->kind, 1);
        writer_text(&writer, TAG_METHOD, r->method, FETCH_MESSAGE_MAX);
        writer_text(&writer, TAG_URL, r->url, FETCH_MESSAGE_MAX);
        for (size_t i = 0; r->headers && r->headers[i]; i++)
                total += strlen(r->headers[i]) + 1;
        to = writer_field(&writer, TAG_HEADERS, total);
        for (size_t i = 0; r->headers && r->headers[i]; i++)
                to = (uint8_t *)stpcpy((char *)to, r->headers[i]) + 1;
        to = writer_field(&writer, TAG_BODY, r->body_length);
        if (r->body_length > 0)
                memcpy(to, r->body, r->body_length);
        writer_number(&writer, TAG_BYTE_LIMIT, r->byte_limit, 8);
        writer_number(&writer, TAG_RESUME_OFFSET, r->resume_offset, 8);
        if (r->if_range)
                writer_text(&writer, TAG_IF_RANGE, r->if_range, FETCH_MESSAGE_MAX);
        writer_finish(&writer, ret, ret_n);
        return 0;
}

int fetch_request_decode(const uint8_t *bytes, size_t n, FetchRequestView *ret, Why *w) {
        Field fields[_TAG_MAX];
        uint8_t type;
        int e;

        e = split(bytes, n, &type, fields, w);
        if (e < 0)
                return e;
        if (type != TYPE_REQUEST)
                return why(w, -EBADMSG, "message of type %u where a request would be right", type);
        memset(ret, 0, sizeof *ret);
        e = request_from_fields(fields, ret, w);
        if (e < 0)
                return e;
        return fetch_request_check(&ret->request, w) < 0 ? -EBADMSG : 0;
}

int fetch_answer_encode(const FetchAnswer *a, uint8_t **ret, size_t *ret_n) {
        Writer writer;
        int e;

        if (a->type == FETCH_HEAD && strlen(a->headers) > FETCH_HEADER_MAX)
                return -EINVAL;
        e = writer_init(&writer, (uint8_t)a->type);
        if (e < 0)
                return e;
        if (a->type == FETCH_HEAD)
                writer_text(&writer, TAG_HEADERS, a->headers, FETCH_MESSAGE_MAX);
        writer_number(&writer, TAG_STATUS, a->status, 2);
        if (a->type == FETCH_HEAD) {
                writer_number(&writer, TAG_RESUMED, a->resumed, 1);
        } else {
                writer_number(&writer, TAG_ERROR, error_to_wire(a->error), 1);
                writer_number(&writer, TAG_BYTES, a->bytes, 8);
                writer_text(&writer, TAG_TEXT, a->text ? a->text : "", FETCH_TEXT_MAX);
        }
        writer_finish(&writer, ret, ret_n);
        return 0;
}

int fetch_answer_decode(const uint8_t *bytes, size_t n, FetchAnswer *ret, Why *w) {
        Field fields[_TAG_MAX];
        FetchAnswer answer = { 0 };
        uint8_t type;
        int e;

        e = split(bytes, n, &type, fields, w);
        if (e < 0)
                return e;
        answer.type = (FetchAnswerType)type;
        if (type == FETCH_HEAD)
                e = head_from_fields(fields, &answer, w);
        else if (type == FETCH_CLOSING)
                e = closing_from_fields(fields, &answer, w);
        else
                e = why(w, -EBADMSG, "message of type %u where an answer would be right", type);
        if (e < 0)
                return e;
        *ret = answer;
        return 0;
}
