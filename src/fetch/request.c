/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Request: WAITING for the message → RUNNING in libcurl, through up to five redirects → FLUSHING
 * what the pipe does not take yet → closing message → ENDED.
 *
 * At most one of libcurl's chunks is held here: what a full pipe leaves over is `pending`, and
 * libcurl is paused until it is gone, so that a reader who does not read makes the server wait.
 * The client's end of the connection closing, or any second message, ends everything. Once a
 * failure is noted, libcurl is stopped from its own callback, and what it reports then does not
 * count. */
#include "fetch/request.h"

#include <assert.h>

#include "fetch/failure.h"
#include "fetch/hop.h"
#include "fetch/receive.h"
#include "fetch/response.h"

#define FIRST_MESSAGE_USEC (10 * USEC_PER_SEC)
#define REDIRECT_BODY_MAX  (64 * 1024)

typedef enum RequestState {
        REQUEST_WAITING,
        REQUEST_RUNNING,
        REQUEST_FLUSHING,
        REQUEST_ENDED,
} RequestState;

struct Request {
        const RequestContext *context;
        RequestState state;
        int connection, pipe;
        sd_event_source *connection_source, *pipe_source, *timer;
        uint8_t *message;
        FetchRequestView view; /* borrows from message */

        FetchHop hop;
        bool in_curl; /* hop.easy belongs to the multi handle */
        unsigned redirects;
        bool redirecting, head_sent, paused;
        size_t redirect_bytes, heads_bytes;
        FetchResponse response;

        uint64_t bytes; /* taken for the pipe */
        uint8_t pending[CURL_MAX_WRITE_SIZE];
        size_t pending_at, pending_n;

        uint64_t tick_usec, tick_bytes, slow_usec;
        int error;
        bool stopped; /* ended by us: error says how, also when it is 0 */
        Why text;
};

/* --- the end ---------------------------------------------------------------------------------- */

static void leave_curl(Request *r) {
        if (r->in_curl)
                curl_event_remove(r->context->curl, r->hop.easy);
        r->in_curl = false;
}

static void request_end(Request *r, const char *text) {
        if (r->state == REQUEST_ENDED)
                return;
        r->state = REQUEST_ENDED;
        r->connection_source = sd_event_source_disable_unref(r->connection_source);
        r->pipe_source = sd_event_source_disable_unref(r->pipe_source);
        r->timer = sd_event_source_disable_unref(r->timer);
        r->pipe = close_fd(r->pipe);
        r->connection = close_fd(r->connection);
        r->context->on_end(r, text, r->context->userdata);
}

static void send_closing(Request *r) {
        FetchAnswer answer = {
                .type = FETCH_CLOSING,
                .status = r->response.status,
                .error = r->error,
                .text = r->error ? r->text.text : "",
                .bytes = r->bytes,
        };

        /* First the end of the pipe: when the message is read, all bytes can be. */
        r->pipe_source = sd_event_source_disable_unref(r->pipe_source);
        r->pipe = close_fd(r->pipe);
        (void)fetch_send_answer(r->connection, &answer);
        request_end(r, r->error ? r->text.text : NULL);
}

/* libcurl is done with the request. Not from within its callbacks. */
static void finish(Request *r) {
        leave_curl(r);
        r->timer = sd_event_source_disable_unref(r->timer);
        r->state = REQUEST_FLUSHING;
        if (r->pending_n == 0)
                send_closing(r);
}

static void note_failure(Request *r, int error, const char *text) {
        if (r->stopped)
                return;
        r->stopped = true;
        r->error = error;
        (void)why(&r->text, error, "%s", text);
}

static void fail(Request *r, int error, const char *text) {
        note_failure(r, error, text);
        finish(r);
}

/* --- the pipe --------------------------------------------------------------------------------- */

/* Bytes written, 0 when the pipe is full, < 0 when nobody reads any more. */
static ssize_t pipe_write(Request *r, const uint8_t *bytes, size_t n) {
        ssize_t k = write(r->pipe, bytes, n);

        if (k < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        return k < 0 ? -errno : k;
}

/* Takes all n bytes, into the pipe or aside. */
static int pipe_take(Request *r, const uint8_t *bytes, size_t n) {
        ssize_t k = n > 0 ? pipe_write(r, bytes, n) : 0;

        assert(r->pending_n == 0 && n <= sizeof r->pending);
        if (k < 0)
                return (int)k;
        r->bytes += n;
        r->pending_at = 0;
        r->pending_n = n - (size_t)k;
        memcpy(r->pending, bytes + k, r->pending_n);
        return r->pending_n > 0 ? sd_event_source_set_enabled(r->pipe_source, SD_EVENT_ON) : 0;
}

static int on_pipe(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Request *r = userdata;
        ssize_t k = pipe_write(r, r->pending + r->pending_at, r->pending_n);

        if (k < 0) {
                request_end(r, "the client does not read any more");
                return 0;
        }
        r->pending_at += (size_t)k;
        r->pending_n -= (size_t)k;
        if (r->pending_n > 0)
                return 0;
        (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
        if (r->state == REQUEST_FLUSHING) {
                send_closing(r);
        } else if (r->paused) {
                r->paused = false;
                (void)curl_easy_pause(r->hop.easy, CURLPAUSE_CONT);
        }
        return 0;
}

/* --- libcurl's callbacks: they note, stop by returning 0, and free nothing -------------------- */

static bool is_success(const Request *r) {
        return r->response.status >= 200 && r->response.status < 300;
}

static size_t stop(Request *r, int error, const char *text) {
        note_failure(r, error, text);
        return 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *userdata) {
        Request *r = userdata;
        uint64_t room = r->view.request.byte_limit - r->bytes;
        size_t n = size * count;

        if (r->state != REQUEST_RUNNING)
                return 0;
        if (r->redirecting) {
                r->redirect_bytes += n;
                return r->redirect_bytes > REDIRECT_BODY_MAX
                                       ? stop(r, -EPROTO,
                                                         "a redirect has a body of more than 64 KiB")
                                       : n;
        }
        if (!r->head_sent)
                return stop(r, -EPROTO, "the server sent a body without a head");
        if (r->pending_n > 0) {
                r->paused = true;
                return CURL_WRITEFUNC_PAUSE;
        }
        if (pipe_take(r, (const uint8_t *)bytes, MIN(n, room)) < 0)
                return stop(r, -ECANCELED, "the client does not read any more");
        if (n <= room)
                return n;
        /* The page of an error is no content: its end does not matter. */
        return is_success(r) ? stop(r, -EFBIG, "the body is larger than the request allows")
                             : stop(r, 0, "");
}

static int check_head(Request *r, Why *w) {
        const FetchResponse *a = &r->response;
        uint64_t offset = r->view.request.resume_offset;

        if (is_success(r) && a->is_encoded)
                return why(w, -EPROTO,
                                "the server sent the body with a Content-Encoding; it has to send files as they are");
        if (a->status != 206)
                return 0;
        if (offset == 0)
                return why(w, -EPROTO, "the server sent a part that nobody asked for");
        if (!a->has_range || a->range_start != offset)
                return why(w, -EPROTO, "the server sent another part than was asked for");
        return 0;
}

static int send_head(Request *r, Why *w) {
        FetchAnswer answer = {
                .type = FETCH_HEAD,
                .status = r->response.status,
                .resumed = r->response.status == 206,
                .headers = r->response.lines,
        };
        int e;

        e = check_head(r, w);
        if (e < 0)
                return e;
        e = fetch_send_answer(r->connection, &answer);
        if (e < 0)
                return why(w, -ECANCELED, "the client does not take the answer");
        r->head_sent = true;
        if (is_success(r) && r->response.has_length &&
                        r->response.length > r->view.request.byte_limit)
                return why(w, -EFBIG, "the body is larger than the request allows");
        return 0;
}

static size_t on_header(char *line, size_t size, size_t count, void *userdata) {
        Request *r = userdata;
        size_t n = size * count;
        int e;
        Why w;

        if (r->state != REQUEST_RUNNING)
                return 0;
        r->heads_bytes += n;
        if (r->heads_bytes > FETCH_HEADS_MAX)
                return stop(r, -EPROTO,
                                "the server sent more than 64 KiB of interim heads and trailers");
        if (r->head_sent || r->redirecting)
                return n;
        e = fetch_response_line(&r->response, line, n, &w);
        if (e < 0)
                return stop(r, e, w.text);
        if (!r->response.complete || r->response.status < 200)
                return n;
        if (fetch_response_is_redirect(&r->response) && streq(r->view.request.method, "GET")) {
                r->redirecting = true;
                return n;
        }
        e = send_head(r, &w);
        return e < 0 ? stop(r, e, w.text) : n;
}

/* --- exchanges -------------------------------------------------------------------------------- */

static bool needs_token(const Request *r, const FetchTarget *target) {
        return target->is_origin && fetch_config_has_token(r->context->config);
}

static int hop_start(Request *r, FetchTarget *target, Why *w) {
        int e, c = 0;

        if (r->context->token->given_up && needs_token(r, target))
                return why(w, -EACCES, "%s", r->context->token->text.text);
        r->redirecting = false;
        r->redirect_bytes = r->heads_bytes = 0;
        fetch_response_reset(&r->response);
        e = fetch_hop_set_up(&r->hop, r->context->config, &r->view.request, target, r->redirects);
        if (e == -ENOPKG)
                return why(w, -EACCES,
                                "ClientKey= or ClientCertificate= lies in a token, and OpenSSL has no engine pkcs11 here; Debian's package libengine-pkcs11-openssl would bring it");
        if (e < 0)
                return why(w, -EPROTO, "%s",
                                e == -ENOMEM ? "not enough memory"
                                             : "libcurl refuses what fetch.conf says");
        c |= (int)curl_easy_setopt(r->hop.easy, CURLOPT_WRITEFUNCTION, on_body);
        c |= (int)curl_easy_setopt(r->hop.easy, CURLOPT_WRITEDATA, r);
        c |= (int)curl_easy_setopt(r->hop.easy, CURLOPT_HEADERFUNCTION, on_header);
        c |= (int)curl_easy_setopt(r->hop.easy, CURLOPT_HEADERDATA, r);
        if (c != 0 || curl_event_add(r->context->curl, r->hop.easy, r) < 0)
                return why(w, -EPROTO, "libcurl cannot start the request");
        r->in_curl = true;
        return 0;
}

static int follow(Request *r, Why *w) {
        FetchTarget target = { 0 };
        char *url = NULL;
        int e;

        if (r->redirects++ == FETCH_REDIRECTS_MAX)
                return why(w, -EPROTO, "more than %d redirects", FETCH_REDIRECTS_MAX);
        if (curl_easy_getinfo(r->hop.easy, CURLINFO_REDIRECT_URL, &url) || !url)
                return why(w, -EPROTO, "the server redirects to what is no URL");
        e = fetch_target_redirect(r->context->config, &r->hop.target, url, &target, w);
        if (e < 0)
                return e;
        e = hop_start(r, &target, w);
        fetch_target_done(&target);
        return e;
}

/* Of a POST or PUT, 400 may mean what was sent. */
static bool is_refused_certificate(Request *r, Why *w) {
        bool *asks = r->context->origin_asks;

        *asks |= r->hop.target.is_origin && r->hop.peer->asks_certificate;
        return streq(r->view.request.method, "GET") &&
               fetch_failure_status(&r->hop, r->context->config, r->response.status, *asks, w) < 0;
}

void request_on_finished(CURL *easy, CURLcode code, void *userdata) {
        Request *r = userdata;
        Why w;
        int e;

        r->in_curl = false;
        if (r->state != REQUEST_RUNNING)
                return;
        if (r->stopped) {
                finish(r);
        } else if (code != CURLE_OK) {
                e = token_judge(r->context->token, r->context->config, code, &w);
                if (e == 0)
                        e = fetch_failure(&r->hop, r->context->config, code, &w);
                fail(r, e, w.text);
                if (r->context->token->given_up)
                        r->context->on_token_given_up(r->context->userdata);
        } else if (r->redirecting) {
                e = follow(r, &w);
                if (e < 0)
                        fail(r, e, w.text);
        } else if (!r->head_sent) {
                fail(r, -EPROTO, "the server sent no answer");
        } else if (is_refused_certificate(r, &w)) {
                fail(r, -EACCES, w.text);
        } else {
                finish(r);
        }
}

void request_give_up_token(Request *r) {
        if (r->state == REQUEST_RUNNING && !r->head_sent && needs_token(r, &r->hop.target))
                fail(r, -EACCES, r->context->token->text.text);
}

/* --- time ------------------------------------------------------------------------------------- */

static int timer_set(Request *r, uint64_t usec, sd_event_time_handler_t handler) {
        int e;

        r->timer = sd_event_source_disable_unref(r->timer);
        e = sd_event_add_time_relative(r->context->event, &r->timer, CLOCK_MONOTONIC, usec,
                        10 * USEC_PER_MSEC, handler, r);
        return e;
}

static int on_silence(sd_event_source *source, uint64_t usec, void *userdata) {
        request_end(userdata, "a client connected and sent no request");
        return 0;
}

/* Bytes that moved either way; headers do not count, so that they cannot trickle for ever. */
static uint64_t moved_bytes(const Request *r) {
        curl_off_t sent = 0;

        (void)curl_easy_getinfo(r->hop.easy, CURLINFO_SIZE_UPLOAD_T, &sent);
        return r->bytes + (uint64_t)sent;
}

/* One tick of the low-speed rule. A stream may be silent once its head came; a reader who does
 * not read is not the server's fault. */
static int on_tick(sd_event_source *source, uint64_t usec, void *userdata) {
        const FetchConfig *config;
        Request *r = userdata;
        uint64_t now = moved_bytes(r), moved;

        config = r->context->config;
        if (r->view.request.kind == FETCH_STREAM && r->head_sent) {
                r->timer = sd_event_source_disable_unref(r->timer);
                return 0;
        }
        moved = now > r->tick_bytes ? now - r->tick_bytes : 0;
        r->tick_bytes = now;
        if (r->pending_n > 0 || moved * USEC_PER_SEC >= config->low_speed_bytes * r->tick_usec)
                r->slow_usec = 0;
        else
                r->slow_usec += r->tick_usec;
        if (r->slow_usec >= config->low_speed_usec)
                fail(r, -ETIMEDOUT,
                                "the transfer is slower than LowSpeedBytes= of fetch.conf allows");
        else
                (void)timer_set(r, r->tick_usec, on_tick);
        return 0;
}

/* --- the connection --------------------------------------------------------------------------- */

static int request_start(Request *r, Why *w) {
        FetchTarget target = { 0 };
        int e;

        r->state = REQUEST_RUNNING;
        e = sd_event_add_io(r->context->event, &r->pipe_source, r->pipe, EPOLLOUT, on_pipe, r);
        if (e >= 0)
                e = sd_event_source_set_enabled(r->pipe_source, SD_EVENT_OFF);
        if (e >= 0) {
                r->tick_usec = MIN(USEC_PER_SEC, r->context->config->low_speed_usec / 4);
                e = timer_set(r, r->tick_usec, on_tick);
        }
        if (e < 0)
                return why(w, -EPROTO, "not enough memory");
        e = fetch_target_resolve(r->context->config, r->view.request.url, &target, w);
        if (e < 0)
                return e;
        e = hop_start(r, &target, w);
        fetch_target_done(&target);
        return e;
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Request *r = userdata;
        Why w;
        int e;

        if (r->state != REQUEST_WAITING) {
                request_end(r, "the client went away");
                return 0;
        }
        e = fetch_receive_request(r->connection, &r->message, &r->view, &r->pipe, &w);
        if (e == -EAGAIN)
                return 0;
        if (e < 0) {
                request_end(r, w.text);
                return 0;
        }
        e = request_start(r, &w);
        if (e < 0)
                fail(r, e, w.text);
        return 0;
}

int request_new(const RequestContext *context, int connection, Request **ret) {
        Request *r;
        int e;

        r = new0(Request, 1);
        if (!r)
                return -ENOMEM;
        r->context = context;
        r->connection = r->pipe = -1;
        e = sd_event_add_io(context->event, &r->connection_source, connection, EPOLLIN,
                        on_connection, r);
        if (e >= 0)
                e = timer_set(r, FIRST_MESSAGE_USEC, on_silence);
        if (e < 0) {
                (void)request_free(r);
                return e;
        }
        r->connection = connection;
        *ret = r;
        return 0;
}

Request *request_free(Request *r) {
        if (!r)
                return NULL;
        leave_curl(r);
        fetch_hop_done(&r->hop);
        (void)sd_event_source_disable_unref(r->connection_source);
        (void)sd_event_source_disable_unref(r->pipe_source);
        (void)sd_event_source_disable_unref(r->timer);
        (void)close_fd(r->pipe);
        (void)close_fd(r->connection);
        free(r->message);
        free(r);
        return NULL;
}
