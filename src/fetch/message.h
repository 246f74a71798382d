/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The messages between a client and rekindle-fetch (rekindle-fetch(8), PROTOCOL): bytes in, views
 * out; no sockets here.
 *
 * A message is one SEQPACKET datagram: the four bytes "RkFt", version (1), type, two zero bytes,
 * then fields in rising order of their tags, each at most once: tag (1 byte), length (4 bytes,
 * little-endian), value. Numbers are little-endian and of fixed size, texts end in a NUL that
 * counts and is their only one. Everything unknown is refused: the version says what is known. */
#pragma once

#include "fetch/client.h"

#define FETCH_MESSAGE_MAX (FETCH_BODY_MAX + FETCH_HEADER_MAX + 8 * 1024)
#define FETCH_HEADERS_MAX 64  /* request headers, by number */
#define FETCH_VALUE_MAX   256 /* If-Range */
#define FETCH_TEXT_MAX    512 /* sentence of a closing message */

/* A decoded request. `request` borrows from the message's bytes and points into `headers`: it
 * stays where it is. */
typedef struct FetchRequestView {
        FetchRequest request;
        const char *headers[FETCH_HEADERS_MAX + 1];
} FetchRequestView;

typedef enum FetchAnswerType {
        FETCH_HEAD = 2,    /* sent before the first byte of the body */
        FETCH_CLOSING = 3, /* sent after the last one */
} FetchAnswerType;

typedef struct FetchAnswer {
        FetchAnswerType type;
        unsigned status;     /* 0 only in a closing message */
        bool resumed;        /* head */
        const char *headers; /* head: "name: value\n" each */
        int error;           /* closing: 0 or one of the errors of FetchResult */
        const char *text;    /* closing */
        uint64_t bytes;      /* closing: written into the pipe */
} FetchAnswer;

/* -EINVAL with the sentence: sizes, characters, methods, headers that only the fetcher may set. */
int fetch_request_check(const FetchRequest *request, Why *w);

/* Checks and encodes into a new buffer (free it). -EINVAL, -ENOMEM. */
int fetch_request_encode(const FetchRequest *request, uint8_t **ret, size_t *ret_n, Why *w);
/* -EBADMSG for anything that fetch_request_encode would not make. */
int fetch_request_decode(const uint8_t *bytes, size_t n, FetchRequestView *ret, Why *w);

/* Texts that are too long are cut, an error outside of the list becomes -EPROTO. -ENOMEM;
 * -EINVAL: headers too long. */
int fetch_answer_encode(const FetchAnswer *answer, uint8_t **ret, size_t *ret_n);
/* The texts are borrowed from bytes. -EBADMSG. */
int fetch_answer_decode(const uint8_t *bytes, size_t n, FetchAnswer *ret, Why *w);

/* "Name: value" of a header that may go over a line: a token, a colon, printable bytes; no CR,
 * LF or other controls. */
bool fetch_header_is_valid(const char *header);
/* True when `header` is called `name` (any case). */
bool fetch_header_is(const char *header, const char *name);
