/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Token: the key of the client certificate where it lies in one. A token locks itself for good
 * after a few wrong PINs, so one that was refused is tried once: then the key is given up for as
 * long as fetch.conf and the file with the PIN are what they were, and the fetcher stays, however
 * idle, because the next one would try again. */
#pragma once

#include <curl/curl.h>

#include "fetch/config.h"

typedef struct Token {
        bool given_up;
        Why text; /* why */
} Token;

/* An exchange with the origin ended with this result, right now. -EACCES with the sentence when
 * the token refused the PIN; 0: it is about something else. */
int token_judge(Token *token, const FetchConfig *config, CURLcode code, Why *w);
/* Given up, and nothing has changed since. */
bool token_is_hopeless(const Token *token, const FetchConfig *config);
