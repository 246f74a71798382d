/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the native driver's steps offer to its table of steps, and to each other. */
#pragma once

#include "driver/native-private.h"

/* native-listen.c */
void native_listen(Native *n, uint64_t at_least_usec);
void listen_enter(Native *n);
void listen_answer(Native *n, const RkdAnswer *a);
void listen_silence(Native *n);

/* native-push.c */
void native_push(Native *n);
void speed_up_enter(Native *n);
void speed_up_answer(Native *n, const RkdAnswer *a);
void speed_up_refused(Native *n, const RkdAnswer *a);
void speed_check_enter(Native *n);
void speed_check_answer(Native *n, const RkdAnswer *a);
void speed_silence(Native *n);
void begin_enter(Native *n);
void begin_answer(Native *n, const RkdAnswer *a);
void sums_enter(Native *n);
void sums_answer(Native *n, const RkdAnswer *a);
bool sums_ahead(const Native *n, RkdRequest *ret);
void plan_enter(Native *n);
void plan_answer(Native *n, const RkdAnswer *a);
void plan_silence(Native *n);
void plan_ready(Native *n, uint8_t codec, const void *stream, size_t n_stream);

/* native-send.c */
void stream_enter(Native *n);
void stream_answer(Native *n, const RkdAnswer *a);
void stream_refused(Native *n, const RkdAnswer *a);
void send_enter(Native *n);
void send_answer(Native *n, const RkdAnswer *a);
void send_status(Native *n, const RkdAnswer *a, bool sure);
void send_quiet(Native *n);
void end_enter(Native *n);
void end_answer(Native *n, const RkdAnswer *a);
void end_refused(Native *n, const RkdAnswer *a);

/* native-read.c */
void read_enter(Native *n);
void read_answer(Native *n, const RkdAnswer *a);
bool read_ahead(const Native *n, RkdRequest *ret);
void release_enter(Native *n);
void release_answer(Native *n, const RkdAnswer *a);
/* A program that cannot be read while it runs leaves for its bootloader, which can. */
void read_refused(Native *n, const RkdAnswer *a);
void leave_enter(Native *n);
