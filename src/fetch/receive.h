/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fetcher's side of a connection: who is there, and the one request that may come. */
#pragma once

#include "fetch/message.h"

/* 0 when the peer is root, or who owns the socket file that listen_fd is bound to; -EPERM
 * otherwise, with the sentence. */
int fetch_peer_check(int listen_fd, int connection, Why *w);

/* Receives the request and the write end of the client's pipe (made non-blocking). ret borrows
 * from *ret_bytes (free it). -EAGAIN: nothing came yet. -ECONNRESET: the client went. -EBADMSG:
 * anything else than one request with one pipe. */
int fetch_receive_request(
                int connection, uint8_t **ret_bytes, FetchRequestView *ret, int *ret_pipe, Why *w);

/* Sends an answer without waiting. */
int fetch_send_answer(int connection, const FetchAnswer *answer);
