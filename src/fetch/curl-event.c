/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CurlEvent: the two callbacks of libcurl's socket interface (libcurl-multi(3)) as sd-event
 * sources. Each socket has one source, kept as libcurl's own pointer to it
 * (curl_multi_assign(3)); one timer for all. */
#include "fetch/curl-event.h"

#define CONNECTIONS_KEPT 8L

struct CurlEvent {
        sd_event *event;
        CURLM *multi;
        CURLSH *share;
        sd_event_source *timer;
        CurlEventFunc on_finished;
};

static void read_finished(CurlEvent *ce) {
        CURLMsg *message;
        int left;

        while ((message = curl_multi_info_read(ce->multi, &left))) {
                CURL *easy = message->easy_handle;
                CURLcode code = message->data.result;
                void *userdata = NULL;

                if (message->msg != CURLMSG_DONE)
                        continue;
                (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&userdata);
                (void)curl_multi_remove_handle(ce->multi, easy);
                ce->on_finished(easy, code, userdata);
        }
}

static void act(CurlEvent *ce, curl_socket_t s, int what) {
        int running;

        (void)curl_multi_socket_action(ce->multi, s, what, &running);
        read_finished(ce);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        int what = 0;

        if (revents & (EPOLLIN | EPOLLHUP))
                what |= CURL_CSELECT_IN;
        if (revents & EPOLLOUT)
                what |= CURL_CSELECT_OUT;
        if (revents & EPOLLERR)
                what |= CURL_CSELECT_ERR;
        act(userdata, fd, what);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        act(userdata, CURL_SOCKET_TIMEOUT, 0);
        return 0;
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *userdata) {
        CurlEvent *ce = userdata;

        if (timeout_ms < 0)
                return sd_event_source_set_enabled(ce->timer, SD_EVENT_OFF) < 0 ? -1 : 0;
        if (sd_event_source_set_time_relative(ce->timer, (uint64_t)timeout_ms * USEC_PER_MSEC) <
                                        0 ||
                        sd_event_source_set_enabled(ce->timer, SD_EVENT_ONESHOT) < 0)
                return -1;
        return 0;
}

static int on_curl_socket(CURL *easy, curl_socket_t s, int action, void *userdata, void *data) {
        CurlEvent *ce = userdata;
        sd_event_source *source = data;
        uint32_t events = 0;

        if (action == CURL_POLL_REMOVE) {
                (void)curl_multi_assign(ce->multi, s, NULL);
                (void)sd_event_source_disable_unref(source);
                return 0;
        }
        if (action & CURL_POLL_IN)
                events |= EPOLLIN;
        if (action & CURL_POLL_OUT)
                events |= EPOLLOUT;
        if (source)
                return sd_event_source_set_io_events(source, events) < 0 ? -1 : 0;
        if (sd_event_add_io(ce->event, &source, s, events, on_io, ce) < 0)
                return -1;
        (void)curl_multi_assign(ce->multi, s, source);
        return 0;
}

static int set_up(CurlEvent *ce) {
        if (curl_multi_setopt(ce->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket) ||
                        curl_multi_setopt(ce->multi, CURLMOPT_SOCKETDATA, ce) ||
                        curl_multi_setopt(ce->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer) ||
                        curl_multi_setopt(ce->multi, CURLMOPT_TIMERDATA, ce) ||
                        curl_multi_setopt(ce->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT) ||
                        curl_multi_setopt(ce->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING))
                return -ENOMEM;
        if (curl_share_setopt(ce->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) != CURLSHE_OK)
                return -ENOMEM;
        return 0;
}

int curl_event_new(sd_event *event, CurlEventFunc on_finished, CurlEvent **ret) {
        _cleanup_(curl_event_freep) CurlEvent *ce = NULL;
        int r;

        ce = new0(CurlEvent, 1);
        if (!ce)
                return -ENOMEM;
        ce->event = sd_event_ref(event);
        ce->on_finished = on_finished;
        r = sd_event_add_time_relative(
                        event, &ce->timer, CLOCK_MONOTONIC, 0, USEC_PER_MSEC, on_timer, ce);
        if (r >= 0)
                r = sd_event_source_set_enabled(ce->timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        ce->multi = curl_multi_init();
        ce->share = curl_share_init();
        if (!ce->multi || !ce->share)
                return -ENOMEM;
        r = set_up(ce);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(ce);
        return 0;
}

CurlEvent *curl_event_free(CurlEvent *ce) {
        if (!ce)
                return NULL;
        /* Sockets of kept connections are still watched until the multi handle closes them. */
        if (ce->multi)
                (void)curl_multi_cleanup(ce->multi);
        if (ce->share)
                (void)curl_share_cleanup(ce->share);
        ce->timer = sd_event_source_disable_unref(ce->timer);
        ce->event = sd_event_unref(ce->event);
        free(ce);
        return NULL;
}

int curl_event_add(CurlEvent *ce, CURL *easy, void *userdata) {
        if (curl_easy_setopt(easy, CURLOPT_PRIVATE, userdata) ||
                        curl_easy_setopt(easy, CURLOPT_SHARE, ce->share))
                return -ENOMEM;
        return curl_multi_add_handle(ce->multi, easy) == CURLM_OK ? 0 : -ENOMEM;
}

void curl_event_remove(CurlEvent *ce, CURL *easy) {
        (void)curl_multi_remove_handle(ce->multi, easy);
}
