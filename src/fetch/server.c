/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* FetchServer: accepts while there is room (those who are too many wait in the listening
 * socket), frees what ended from a source of its own, and counts the idle time. */
#include "fetch/server.h"

#include <poll.h>
#include <sys/socket.h>

#include "fetch/receive.h"

typedef struct Slot {
        Request *request;
        bool ended;
} Slot;

struct FetchServer {
        sd_event *event;
        const FetchConfig *config;
        int listen_fd;
        RequestContext context;
        Slot slots[FETCH_CONNECTIONS_MAX];
        unsigned used;
        bool origin_asks;
        Token token;
        sd_event_source *listener, *sweeper, *idle;
        FetchServerNoteFunc on_note;
        void *userdata;
};

/* Listens only with room, counts idle time only without requests. */
static int adjust(FetchServer *s) {
        int r;

        r = sd_event_source_set_enabled(
                        s->listener, s->used < FETCH_CONNECTIONS_MAX ? SD_EVENT_ON : SD_EVENT_OFF);
        if (r < 0 || !s->idle)
                return r;
        if (s->used > 0)
                return sd_event_source_set_enabled(s->idle, SD_EVENT_OFF);
        r = sd_event_source_set_time_relative(s->idle, s->config->idle_usec);
        return r < 0 ? r : sd_event_source_set_enabled(s->idle, SD_EVENT_ONESHOT);
}

static void on_request_end(Request *request, const char *text, void *userdata) {
        FetchServer *s = userdata;

        for (size_t i = 0; i < ELEMENTSOF(s->slots); i++)
                if (s->slots[i].request == request)
                        s->slots[i].ended = true;
        (void)sd_event_source_set_enabled(s->sweeper, SD_EVENT_ONESHOT);
        if (text && s->on_note)
                s->on_note(text, s->userdata);
}

static void on_token_given_up(void *userdata) {
        FetchServer *s = userdata;

        for (size_t i = 0; i < ELEMENTSOF(s->slots); i++)
                if (s->slots[i].request && !s->slots[i].ended)
                        request_give_up_token(s->slots[i].request);
}

static int on_sweep(sd_event_source *source, void *userdata) {
        FetchServer *s = userdata;

        for (size_t i = 0; i < ELEMENTSOF(s->slots); i++)
                if (s->slots[i].ended) {
                        (void)request_free(s->slots[i].request);
                        s->slots[i] = (Slot){ 0 };
                        s->used--;
                }
        return adjust(s);
}

static int on_idle(sd_event_source *source, uint64_t usec, void *userdata) {
        FetchServer *s = userdata;

        if (token_is_hopeless(&s->token, s->config))
                return adjust(s);
        return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int add_request(FetchServer *s, int fd) {
        Slot *slot = s->slots;
        int r;

        while (slot->request)
                slot++;
        r = request_new(&s->context, fd, &slot->request);
        if (r < 0)
                return r;
        s->used++;
        return adjust(s);
}

static int on_listener(sd_event_source *source, int listen_fd, uint32_t revents, void *userdata) {
        _cleanup_close_ int fd = -1;
        FetchServer *s = userdata;
        Why w;

        fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
                return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ? 0 : -errno;
        if (fetch_peer_check(listen_fd, fd, &w) < 0) {
                if (s->on_note)
                        s->on_note(w.text, s->userdata);
                return 0;
        }
        if (add_request(s, fd) >= 0)
                (void)TAKE_FD(fd);
        return 0;
}

static int add_sources(FetchServer *s, bool idle) {
        int r;

        r = sd_event_add_io(s->event, &s->listener, s->listen_fd, EPOLLIN, on_listener, s);
        if (r >= 0)
                r = sd_event_add_defer(s->event, &s->sweeper, on_sweep, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->sweeper, SD_EVENT_OFF);
        if (r >= 0 && idle)
                r = sd_event_add_time_relative(s->event, &s->idle, CLOCK_MONOTONIC,
                                s->config->idle_usec, 100 * USEC_PER_MSEC, on_idle, s);
        return r < 0 ? r : adjust(s);
}

int fetch_server_new(sd_event *event, const FetchConfig *config, int listen_fd, bool idle,
                FetchServer **ret) {
        _cleanup_(fetch_server_freep) FetchServer *s = NULL;
        int r;

        s = new0(FetchServer, 1);
        if (!s)
                return -ENOMEM;
        s->event = sd_event_ref(event);
        s->config = config;
        s->listen_fd = listen_fd;
        r = curl_event_new(event, request_on_finished, &s->context.curl);
        if (r < 0)
                return r;
        s->context.event = event;
        s->context.config = config;
        s->context.origin_asks = &s->origin_asks;
        s->context.token = &s->token;
        s->context.on_end = on_request_end;
        s->context.on_token_given_up = on_token_given_up;
        s->context.userdata = s;
        r = add_sources(s, idle);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

FetchServer *fetch_server_free(FetchServer *s) {
        if (!s)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(s->slots); i++)
                (void)request_free(s->slots[i].request);
        s->listener = sd_event_source_disable_unref(s->listener);
        s->sweeper = sd_event_source_disable_unref(s->sweeper);
        s->idle = sd_event_source_disable_unref(s->idle);
        s->context.curl = curl_event_free(s->context.curl);
        s->event = sd_event_unref(s->event);
        free(s);
        return NULL;
}

void fetch_server_on_note(FetchServer *s, FetchServerNoteFunc func, void *userdata) {
        s->on_note = func;
        s->userdata = userdata;
}

void fetch_server_refuse(int listen_fd, const char *text) {
        FetchAnswer answer = { .type = FETCH_CLOSING, .error = -EACCES, .text = text };

        for (unsigned i = 0; i < 2 * FETCH_CONNECTIONS_MAX; i++) {
                _cleanup_close_ int fd = -1, pipe = -1;
                _cleanup_free_ uint8_t *bytes = NULL;
                FetchRequestView view;
                struct pollfd p;

                p = (struct pollfd){ .fd = listen_fd, .events = POLLIN };
                if (poll(&p, 1, 0) <= 0)
                        return;
                fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
                if (fd >= 0 && fetch_peer_check(listen_fd, fd, NULL) >= 0 &&
                                fetch_receive_request(fd, &bytes, &view, &pipe, NULL) >= 0)
                        (void)fetch_send_answer(fd, &answer);
        }
}
