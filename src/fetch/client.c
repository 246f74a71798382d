/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* FetchClient: requests to rekindle-fetch and what comes back.
 *
 * A call is waiting (encoded, no descriptor), open (connection and pipe), then ended. Of an open
 * call, the pipe is read only once the head came, so that the status is known before the first
 * byte. It ends when the closing message and the end of the pipe were seen and agree, or when
 * the connection ended without a closing message: what the pipe still holds is handed over, and
 * the result is -EPIPE. Callbacks may cancel any call and free the client: a call that is in use
 * is `busy` and freed by whoever made it so. */
#include "fetch/client.h"

#include <assert.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "fetch/fetcher.h"
#include "fetch/message.h"

#define CHUNK_BYTES   (32 * 1024)
#define REVIVALS_MAX  3                     /* without an answer in between */
#define PATIENCE_USEC (5400 * USEC_PER_SEC) /* fetch.conf allows a little more than an hour */

struct FetchCall {
        FetchClient *client; /* NULL: ended or canceled */
        FetchCall *previous, *next;
        uint8_t *message; /* while waiting */
        size_t message_bytes;
        int socket, pipe;
        sd_event_source *socket_source, *pipe_source, *silence;
        bool is_stream;
        uint64_t byte_limit, received;
        FetchBodyFunc on_body;
        FetchDoneFunc on_done;
        void *userdata;
        bool busy, orphaned;

        bool have_head, have_closing;
        bool resumed;
        unsigned status;
        char *headers;
        int error;
        uint64_t bytes;
        Why text;
};

struct FetchClient {
        sd_event *event;
        Fetcher *fetcher;
        sd_event_source *
                        /* opens waiting calls, ends orphans; enabled when there may be one */
                        start;
        FetchCall *first, *last;
        unsigned open, revivals;
        uint64_t patience_usec;
        Why exit_text;
        uint8_t chunk[CHUNK_BYTES];
};

/* --- a call's life ---------------------------------------------------------------------------- */

static void call_close(FetchCall *call) {
        call->socket_source = sd_event_source_disable_unref(call->socket_source);
        call->pipe_source = sd_event_source_disable_unref(call->pipe_source);
        call->silence = sd_event_source_disable_unref(call->silence);
        call->pipe = close_fd(call->pipe);
        if (call->socket >= 0) {
                call->socket = close_fd(call->socket);
                call->client->open--;
        }
}

/* Takes the call out of the client; afterwards it is only memory. */
static void call_unlink(FetchCall *call) {
        FetchClient *client = call->client;

        if (!client)
                return;
        call_close(call);
        *(call->previous ? &call->previous->next : &client->first) = call->next;
        *(call->next ? &call->next->previous : &client->last) = call->previous;
        call->client = NULL;
        if (client->start)
                (void)sd_event_source_set_enabled(client->start, SD_EVENT_ONESHOT);
}

static void call_free(FetchCall *call) {
        free(call->message);
        free(call->headers);
        free(call);
}

static void call_release(FetchCall *call) {
        call->busy = false;
        if (!call->client)
                call_free(call);
}

/* A copy of the value of the header `name`; NULL if there is none. */
static char *header_value(const char *headers, const char *name) {
        size_t n = strlen(name);

        for (const char *s = headers; s && *s; s = strchr(s, '\n') + 1)
                if (fetch_header_is(s, name)) {
                        s += n + 1;
                        s += strspn(s, " \t");
                        return strndup(s, strcspn(s, "\n"));
                }
        return NULL;
}

/* Ends the call with its callback. error 0: what the closing message said. The caller holds it
 * busy. */
static void call_finish(FetchCall *call, int error, const char *text) {
        _cleanup_free_ char *etag = header_value(call->headers, "etag");
        _cleanup_free_ char *retry_after = header_value(call->headers, "retry-after");
        FetchResult result = {
                .error = error ? error : call->error,
                .text = error         ? text
                        : call->error ? call->text.text
                                      : "",
                .status = call->status,
                .bytes = call->received,
                .resumed = call->resumed,
                .etag = etag,
                .retry_after = retry_after,
                .headers = call->headers ? call->headers : "",
        };

        call_unlink(call);
        call->on_done(call, &result, call->userdata);
}

/* Closing message and end of the pipe: they must agree. */
static void call_conclude(FetchCall *call) {
        if (call->error == 0 && !call->have_head)
                call_finish(call, -EPROTO, "rekindle-fetch closed the request without a status");
        else if (call->error == 0 && call->bytes != call->received)
                call_finish(call, -EPIPE,
                                "the body does not have the bytes that rekindle-fetch sent");
        else
                call_finish(call, 0, NULL);
}

/* --- what comes from the fetcher -------------------------------------------------------------- */

/* Hands one chunk over; < 0 when the call has ended by it. */
static int call_body(FetchCall *call, const uint8_t *bytes, size_t n) {
        int r;

        if (n > call->byte_limit - call->received) {
                call_finish(call, -EFBIG, "the body is larger than the request allows");
                return -EFBIG;
        }
        call->received += n;
        r = call->on_body(call, call->status, call->resumed, bytes, n, call->userdata);
        if (!call->client)
                return -ECANCELED;
        if (r < 0)
                call_finish(call, -ECANCELED, "the transfer was canceled by its reader");
        return r < 0 ? r : 0;
}

/* 1 when bytes were handed over, 0 when there are none now, < 0 when the call has ended. */
static int call_read_pipe(FetchCall *call) {
        FetchClient *client = call->client;
        ssize_t n;

        n = read(call->pipe, client->chunk, sizeof client->chunk);
        if (n > 0)
                return call_body(call, client->chunk, (size_t)n) < 0 ? -1 : 1;
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        call->pipe_source = sd_event_source_disable_unref(call->pipe_source);
        call->pipe = close_fd(call->pipe);
        if (!call->have_closing)
                return 0;
        call_conclude(call);
        return -1;
}

/* The connection is gone and nothing was said: what lies in the pipe is all there will be. */
static void call_broken(FetchCall *call, const char *text) {
        int r = 1;

        while (r > 0 && call->pipe >= 0 && call->have_head)
                r = call_read_pipe(call);
        if (r >= 0)
                call_finish(call, -EPIPE, text);
}

static void call_heard(FetchCall *call) {
        if (call->silence)
                (void)sd_event_source_set_time_relative(call->silence, call->client->patience_usec);
}

static int on_silence(sd_event_source *source, uint64_t usec, void *userdata) {
        FetchCall *call = userdata;

        call->busy = true;
        call_finish(call, -ETIMEDOUT, "rekindle-fetch says nothing any more");
        call_release(call);
        return 0;
}

static int on_pipe(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        FetchCall *call = userdata;

        call->busy = true;
        call_heard(call);
        (void)call_read_pipe(call);
        call_release(call);
        return 0;
}

static int call_take_head(FetchCall *call, const FetchAnswer *a, Why *w) {
        if (call->have_head || call->have_closing)
                return why(w, -EPROTO, "rekindle-fetch sent a second head");
        if (free_and_strdup(&call->headers, a->headers) < 0)
                return why(w, -ENOMEM, "not enough memory for the headers");
        call->have_head = true;
        call->status = a->status;
        call->resumed = a->resumed;
        return sd_event_source_set_enabled(call->pipe_source, SD_EVENT_ON);
}

static void call_take_closing(FetchCall *call, const FetchAnswer *a) {
        call->have_closing = true;
        call->error = a->error;
        call->bytes = a->bytes;
        (void)why(&call->text, 0, "%s", a->text);
        /* No head, no body: nothing to wait for. */
        if (call->pipe < 0 || !call->have_head)
                call_conclude(call);
}

/* One message. 1 when one was taken, 0 when there is none, < 0 when the call has ended. */
static int call_read_socket(FetchCall *call) {
        FetchClient *client = call->client;
        FetchAnswer answer;
        ssize_t n;
        Why w;
        int r;

        static_assert(sizeof client->chunk >= FETCH_HEADER_MAX + 1024, "an answer fits");
        n = recv(call->socket, client->chunk, sizeof client->chunk, MSG_TRUNC);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n < 0 && errno == ECONNRESET)
                n = recv(call->socket, client->chunk, sizeof client->chunk, MSG_TRUNC);
        if (n <= 0) {
                call->socket_source = sd_event_source_disable_unref(call->socket_source);
                if (call->have_closing)
                        return 0;
                call_broken(call, "rekindle-fetch went away in the middle of the request");
                return -1;
        }
        client->revivals = 0;
        r = n > (ssize_t)sizeof client->chunk
                            ? why(&w, -EMSGSIZE, "the answer of rekindle-fetch is too long")
                            : fetch_answer_decode(client->chunk, (size_t)n, &answer, &w);
        if (r >= 0 && call->have_closing)
                r = why(&w, -EPROTO, "rekindle-fetch sent more after its closing message");
        if (r >= 0 && answer.type == FETCH_HEAD)
                r = call_take_head(call, &answer, &w);
        else if (r >= 0)
                call_take_closing(call, &answer);
        if (r < 0)
                call_finish(call, r == -ENOMEM ? r : -EPROTO, w.text);
        return call->client ? 1 : -1;
}

static int on_socket(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        FetchCall *call = userdata;

        call->busy = true;
        call_heard(call);
        (void)call_read_socket(call);
        call_release(call);
        return 0;
}

/* --- opening ---------------------------------------------------------------------------------- */

/* Sends the request with the pipe's write end. */
static int call_send(FetchCall *call, int write_end, Why *w) {
        union {
                struct cmsghdr header;
                uint8_t bytes[CMSG_SPACE(sizeof(int))];
        } control = { 0 };
        struct iovec iov = { call->message, call->message_bytes };
        struct msghdr msg = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof control,
        };
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &write_end, sizeof write_end);
        if (sendmsg(call->socket, &msg, MSG_NOSIGNAL) < 0)
                return why(w, -errno, "cannot send a request to rekindle-fetch: %m");
        return 0;
}

static int call_watch(FetchCall *call) {
        sd_event *event = call->client->event;
        int r;

        r = sd_event_add_io(event, &call->socket_source, call->socket, EPOLLIN, on_socket, call);
        if (r >= 0)
                r = sd_event_add_io(event, &call->pipe_source, call->pipe, EPOLLIN, on_pipe, call);
        if (r >= 0)
                r = sd_event_source_set_enabled(call->pipe_source, SD_EVENT_OFF);
        if (r >= 0 && !call->is_stream)
                r = sd_event_add_time_relative(event, &call->silence, CLOCK_MONOTONIC,
                                call->client->patience_usec, USEC_PER_SEC, on_silence, call);
        return r;
}

static int call_open(FetchCall *call, Why *w) {
        _cleanup_close_ int read_end = -1, write_end = -1;
        int ends[2], fd, r;

        fd = fetcher_connect(call->client->fetcher, w);
        if (fd < 0)
                return fd;
        call->socket = fd;
        call->client->open++;
        if (pipe2(ends, O_CLOEXEC) < 0)
                return why(w, -errno, "cannot make a pipe: %m");
        read_end = ends[0];
        write_end = ends[1];
        if (fcntl(read_end, F_SETFL, O_NONBLOCK) < 0)
                return why(w, -errno, "cannot make a pipe: %m");
        call->pipe = TAKE_FD(read_end);
        r = call_send(call, write_end, w);
        if (r < 0)
                return r;
        free(TAKE_PTR(call->message));
        r = call_watch(call);
        return r < 0 ? why(w, r, "cannot watch a request: %s", strerror(-r)) : 0;
}

/* Nobody will serve this call any more: what was still said counts, then it is over. */
static void call_end_orphan(FetchCall *call) {
        int r = 1;

        call->orphaned = false;
        while (r > 0)
                r = call_read_socket(call);
        if (r == 0 && !call->have_closing)
                call_broken(call, call->client->exit_text.text);
}

static FetchCall *next_to_do(const FetchClient *client) {
        for (FetchCall *call = client->first; call; call = call->next)
                if (call->orphaned || (call->message && client->open < FETCH_AT_ONCE))
                        return call;
        return NULL;
}

/* One call at a time: a callback may do anything to the client. */
static int on_start(sd_event_source *source, void *userdata) {
        FetchClient *client = userdata;
        FetchCall *call = next_to_do(client);
        Why w;

        if (!call)
                return 0;
        (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        call->busy = true;
        if (call->orphaned)
                call_end_orphan(call);
        else if (call_open(call, &w) < 0)
                call_finish(call, -EPIPE, w.text);
        call_release(call);
        return 0;
}

/* Our process ended. Calls that it had taken see the end of their connections; the others wait
 * in the listening socket and are served by the next process, unless one after the other ends
 * without having said anything. */
static void on_fetcher_exit(const char *text, void *userdata) {
        FetchClient *client = userdata;
        unsigned unheard = 0;

        for (FetchCall *call = client->first; call; call = call->next)
                unheard += !call->message && !call->have_closing;
        if (unheard == 0)
                return;
        (void)why(&client->exit_text, -EPIPE, "%s", text);
        if (client->revivals++ < REVIVALS_MAX &&
                        fetcher_revive(client->fetcher, &client->exit_text) >= 0)
                return;
        client->revivals = 0;
        for (FetchCall *call = client->first; call; call = call->next)
                call->orphaned = !call->message && !call->have_closing;
        (void)sd_event_source_set_enabled(client->start, SD_EVENT_ONESHOT);
}

/* --- public ----------------------------------------------------------------------------------- */

int fetch_client_new(sd_event *event, const char *socket_path, const char *program,
                const char *config_path, FetchClient **ret) {
        _cleanup_(fetch_client_freep) FetchClient *client = NULL;
        int r;

        client = new0(FetchClient, 1);
        if (!client)
                return -ENOMEM;
        client->event = sd_event_ref(event);
        client->patience_usec = PATIENCE_USEC;
        r = fetcher_new(event, socket_path, program, config_path, &client->fetcher);
        if (r < 0)
                return r;
        fetcher_on_exit(client->fetcher, on_fetcher_exit, client);
        r = sd_event_add_defer(event, &client->start, on_start, client);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(client->start, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(client);
        return 0;
}

void fetch_client_set_patience(FetchClient *client, uint64_t usec) {
        client->patience_usec = usec;
}

FetchClient *fetch_client_free(FetchClient *client) {
        if (!client)
                return NULL;
        client->start = sd_event_source_disable_unref(client->start);
        while (client->first)
                (void)fetch_call_cancel(client->first);
        (void)fetcher_free(client->fetcher);
        client->event = sd_event_unref(client->event);
        free(client);
        return NULL;
}

int fetch_client_call(FetchClient *client, const FetchRequest *request, FetchBodyFunc on_body,
                FetchDoneFunc on_done, void *userdata, FetchCall **ret, Why *w) {
        FetchCall *call;
        int r;

        if (!on_body && request->byte_limit > 0)
                return why(w, -EINVAL, "a request with a byte limit needs a reader");
        call = new0(FetchCall, 1);
        if (!call)
                return why(w, -ENOMEM, "not enough memory for a request");
        call->socket = call->pipe = -1;
        r = fetch_request_encode(request, &call->message, &call->message_bytes, w);
        if (r < 0) {
                call_free(call);
                return r;
        }
        call->byte_limit = request->byte_limit;
        call->is_stream = request->kind == FETCH_STREAM;
        call->on_body = on_body;
        call->on_done = on_done;
        call->userdata = userdata;
        call->client = client;
        call->previous = client->last;
        *(client->last ? &client->last->next : &client->first) = call;
        client->last = call;
        (void)sd_event_source_set_enabled(client->start, SD_EVENT_ONESHOT);
        if (ret)
                *ret = call;
        return 0;
}

char *fetch_call_etag(const FetchCall *call) {
        return header_value(call->headers, "etag");
}

FetchCall *fetch_call_cancel(FetchCall *call) {
        if (!call)
                return NULL;
        call_unlink(call);
        if (!call->busy)
                call_free(call);
        return NULL;
}
