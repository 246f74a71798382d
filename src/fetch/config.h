/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* FetchConfig: fetch.conf, the one place that says where the fetcher may go and with which keys.
 * One table describes every key; it feeds the reader and `rekindle-fetch --describe`. */
#pragma once

#include "basic/error.h"

#define FETCH_ORIGIN_HEADERS_MAX 8
#define FETCH_ARTIFACT_HOSTS_MAX 16

/* "host" (the scheme's own port) or "host:port". */
typedef struct FetchHost {
        char *name;    /* lower-case; an IPv6 address in its brackets */
        unsigned port; /* 0: the scheme's own */
} FetchHost;

typedef struct FetchConfig {
        char *origin; /* without a slash at its end; NULL: not set */
        FetchHost artifact_hosts[FETCH_ARTIFACT_HOSTS_MAX];
        unsigned n_artifact_hosts;
        bool allow_http;
        unsigned tls_minimum; /* 12 or 13 */
        char *ca_file, *pinned_key;
        char *client_certificate, *client_key; /* paths, or PKCS#11 URIs without a PIN */
        char *client_key_passphrase_file, *pkcs11_module;
        char *client_key_passphrase; /* what that file holds: passphrase or PIN; NULL: none */
        char *origin_headers[FETCH_ORIGIN_HEADERS_MAX]; /* Authorization= and Header= */
        unsigned n_origin_headers;
        char *proxy, *proxy_credentials_file;
        char *proxy_credentials; /* what that file holds: USER:PASSWORD; NULL: none */
        char *no_proxy;          /* as libcurl takes it: with commas between */
        uint64_t connect_usec, low_speed_usec, low_speed_bytes, idle_usec;
        char *path;     /* where it was loaded from; NULL: nowhere */
        uint64_t stamp; /* of that file and the one with the passphrase, at that time */
} FetchConfig;

/* Gets the sentences about keys and sections that nobody knows. */
typedef struct FetchConfigWarn {
        void (*func)(const char *text, void *userdata);
        void *userdata;
} FetchConfigWarn;

void fetch_config_init(FetchConfig *config);
void fetch_config_done(FetchConfig *config);

/* An unknown key or section is told to warn (NULL: nobody), a bad value is -EINVAL with file,
 * line, key and what is allowed. An empty value stands for the default. */
int fetch_config_parse(FetchConfig *config, const char *file, const char *bytes, size_t n,
                const FetchConfigWarn *warn, Why *w);
/* Reads the file and checks the whole: what goes together, and that the named files can be read;
 * takes in the secrets that have files of their own. -ENOENT: no file. */
int fetch_config_load(FetchConfig *config, const char *path, const FetchConfigWarn *warn, Why *w);

/* Other files lie now where it came from. */
bool fetch_config_is_changed(const FetchConfig *config);

/* True for the PKCS#11 URI of a key or certificate in a token, false for a path. */
bool fetch_config_is_token(const char *value);
/* The client's key or certificate is in one. */
bool fetch_config_has_token(const FetchConfig *config);

/* Every key: name, type, default, meaning. */
void fetch_config_describe(FILE *out);
