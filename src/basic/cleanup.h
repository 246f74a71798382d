/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ownership in one place: scope-bound release, hand-over of pointers and descriptors, allocation
 * helpers and the few macros that every file wants. Nothing in here can fail in a hidden way. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _cleanup_(f)   __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_       __attribute__((unused))
#define _warn_unused_  __attribute__((warn_unused_result))
#define _fallthrough_  __attribute__((fallthrough))

#define ELEMENTSOF(x)  (sizeof(x) / sizeof((x)[0]))
#define MIN(a, b)      ((a) < (b) ? (a) : (b))
#define MAX(a, b)      ((a) > (b) ? (a) : (b))
#define CLAMP(x, l, h) ((x) < (l) ? (l) : (x) > (h) ? (h) : (x))

#define USEC_PER_SEC  UINT64_C(1000000)
#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_INFINITY UINT64_MAX

/* DEFINE_TRIVIAL_CLEANUP_FUNC(Port *, port_free) makes port_freep for _cleanup_(port_freep). */
#define DEFINE_TRIVIAL_CLEANUP_FUNC(type, func)                                                    \
        static inline void func##p(type *p) {                                                      \
                if (*p)                                                                            \
                        func(*p);                                                                  \
        }                                                                                          \
        struct cleanup_semicolon_##func

#define TAKE_PTR(p)                                                                                \
        ({                                                                                         \
                __auto_type _pp = &(p);                                                            \
                __auto_type _v = *_pp;                                                             \
                *_pp = NULL;                                                                       \
                _v;                                                                                \
        })

#define TAKE_FD(fd)                                                                                \
        ({                                                                                         \
                int *_fp = &(fd);                                                                  \
                int _v = *_fp;                                                                     \
                *_fp = -1;                                                                         \
                _v;                                                                                \
        })

#define new0(t, n) ((t *)calloc((n), sizeof(t)))

static inline void freep(void *p) {
        free(*(void **)p);
}

/* Closes fd when it is >= 0, keeps errno, returns -1: `x->fd = close_fd(x->fd);` */
static inline int close_fd(int fd) {
        if (fd >= 0) {
                int e = errno;
                (void)close(fd);
                errno = e;
        }
        return -1;
}

static inline void close_fdp(int *fd) {
        *fd = close_fd(*fd);
}

static inline void fclosep(FILE **f) {
        if (*f)
                (void)fclose(*f);
}

static inline bool streq(const char *a, const char *b) {
        return strcmp(a, b) == 0;
}

/* Equal, or both NULL. */
static inline bool streq_ptr(const char *a, const char *b) {
        return a && b ? streq(a, b) : a == b;
}

static inline bool startswith(const char *s, const char *prefix) {
        return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Replaces *p by a copy of s (s may be NULL: *p becomes NULL). Returns 0 or -ENOMEM, *p kept. */
static inline int free_and_strdup(char **p, const char *s) {
        char *c = NULL;

        if (s) {
                c = strdup(s);
                if (!c)
                        return -ENOMEM;
        }
        free(*p);
        *p = c;
        return 0;
}

#define _cleanup_free_   _cleanup_(freep)
#define _cleanup_close_  _cleanup_(close_fdp)
#define _cleanup_fclose_ _cleanup_(fclosep)
