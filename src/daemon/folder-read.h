/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* FolderRead: one file of a folder that somebody handed over as a descriptor, such as a USB stick.
 * The name leads nowhere else: it is resolved beneath the folder, no component may be a symbolic
 * link, and only a plain file is read. Its bytes come once, from a child process, so that a medium
 * that hangs holds nobody else. Also for a file that was handed over itself. */
#pragma once

#include <systemd/sd-event.h>

#include "basic/error.h"

typedef struct FolderRead FolderRead;

/* Bytes as they come (borrowed), at most 64 KiB at a time. < 0 stops: that is the error. */
typedef int (*FolderBytesFunc)(const void *bytes, size_t n, void *userdata);
/* Exactly once; the object is dead afterwards. error: 0; -ENOENT: no such file; -EFBIG: more than
 * the limit; what on_bytes returned; another -errno: it cannot be read. text: the sentence. */
typedef void (*FolderDoneFunc)(int error, const char *text, void *userdata);

typedef struct FolderRequest {
        int folder_fd;    /* borrowed for the call of folder_read_new only */
        const char *path; /* NULL: folder_fd is the file itself, of which no sentence is made */
        uint64_t limit;
        FolderBytesFunc on_bytes;
        FolderDoneFunc on_done;
        void *userdata;
} FolderRequest;

/* SIGCHLD must be blocked, as sd_event_add_child(3) wants it. */
int folder_read_new(sd_event *event, const FolderRequest *request, FolderRead **ret);
FolderRead *folder_read_free(FolderRead *read); /* no callback any more */
DEFINE_TRIVIAL_CLEANUP_FUNC(FolderRead *, folder_read_free);

/* The way in, for the tests: a descriptor of folder_fd/path or -errno. -ENOTSUP: no plain file.
 * With by_component, as on kernels without openat2(2). */
int folder_open_file(int folder_fd, const char *path, bool by_component);
/* A descriptor that can be such a folder: a directory that its opener could read. */
bool folder_fd_is_valid(int fd);
