/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who holds a tty: locks that everybody honours who asks, and a look through /proc for those who
 * do not. Only what this user may see is seen. The owner of a pty's master, and its children,
 * are the far end of the line and no holders. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "basic/file.h"
#include "basic/names.h"
#include "driver/port-backend.h"

#define PTS_MAJOR 136

typedef struct ProcessView {
        bool device; /* has the tty open */
        bool master; /* has the master of this pty open */
} ProcessView;

/* The number behind `key` in a small file under /proc, or -1. */
static long number_behind(int dirfd, const char *path, const char *key) {
        char text[1024];
        _cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
        const char *at;

        if (n <= 0)
                return -1;
        text[n] = '\0';
        at = strstr(text, key);
        return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

/* Numbers of ptys count within one mounted devpts; containers have one each. */
static bool is_same_line(const struct stat *a, const struct stat *b) {
        return a->st_rdev == b->st_rdev &&
               (major(a->st_rdev) != PTS_MAJOR || a->st_dev == b->st_dev);
}

static void view_descriptor(
                int process, const char *name, const struct stat *line, ProcessView *view) {
        char path[32], target[64];
        struct stat st;
        ssize_t n;

        (void)snprintf(path, sizeof(path), "fd/%.16s", name);
        n = readlinkat(process, path, target, sizeof(target) - 1);
        if (n <= 0)
                return;
        target[n] = '\0';
        if (!startswith(target, "/dev/") || fstatat(process, path, &st, 0) < 0 ||
                        !S_ISCHR(st.st_mode))
                return;
        if (is_same_line(&st, line))
                view->device = true;
        if (major(line->st_rdev) != PTS_MAJOR || !strstr(target, "ptmx"))
                return;
        (void)snprintf(path, sizeof(path), "fdinfo/%.16s", name);
        if (number_behind(process, path, "tty-index:") == (long)minor(line->st_rdev))
                view->master = true;
}

static ProcessView view_process(int process, const struct stat *line) {
        ProcessView view = { 0 };
        _cleanup_(closedirp) DIR *d = NULL;
        struct dirent *e;

        if (folder_list(process, "fd", &d) < 0)
                return view;
        while ((e = readdir(d)))
                if (e->d_name[0] != '.')
                        view_descriptor(process, e->d_name, line, &view);
        return view;
}

static bool holds(int proc, const char *pid, const struct stat *line) {
        _cleanup_close_ int process = openat(proc, pid, O_PATH | O_DIRECTORY | O_CLOEXEC);
        _cleanup_close_ int parent = -1;
        ProcessView view;
        char name[24];
        long parent_pid;

        if (process < 0)
                return false;
        view = view_process(process, line);
        if (!view.device || view.master)
                return false;
        parent_pid = number_behind(process, "status", "PPid:");
        if (parent_pid == (long)getpid())
                return false;
        (void)snprintf(name, sizeof(name), "%ld", parent_pid);
        parent = openat(proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return parent < 0 || !view_process(parent, line).master;
}

static void name_process(int proc, const char *pid, char ret[static PORT_HOLDER_MAX]) {
        _cleanup_free_ char *name = NULL;
        char path[32], comm[32] = "?";
        _cleanup_close_ int fd = -1;
        ssize_t n = -1;

        (void)snprintf(path, sizeof(path), "%.16s/comm", pid);
        fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0)
                n = read(fd, comm, sizeof(comm));
        name = text_escape(comm, n > 1 ? (size_t)n - 1 : 1, 32);
        (void)snprintf(ret, PORT_HOLDER_MAX, "%s (pid %.16s)", name ? name : "?", pid);
}

int port_holder(const char *path, char ret[static PORT_HOLDER_MAX]) {
        _cleanup_close_ int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_(closedirp) DIR *d = opendir("/proc");
        struct dirent *e;
        struct stat st;
        uint64_t pid;

        if (proc < 0 || !d || stat(path, &st) < 0 || !S_ISCHR(st.st_mode))
                return 0;
        while ((e = readdir(d))) {
                if (parse_uint64(e->d_name, 1, INT32_MAX, &pid) < 0 || pid == (uint64_t)getpid())
                        continue;
                if (!holds(proc, e->d_name, &st))
                        continue;
                name_process(proc, e->d_name, ret);
                return 1;
        }
        return 0;
}

int port_refuse_holder(const char *path, Why *w) {
        char holder[PORT_HOLDER_MAX];

        if (port_holder(path, holder) == 0)
                return 0;
        return why(w, -EBUSY, "%s is held by %s", path, holder);
}

static int locked(const char *path, Why *w) {
        int r = port_refuse_holder(path, w);

        return r < 0 ? r
                     : why(w, -EBUSY, "%s is locked by a process that cannot be seen from here",
                                       path);
}

int port_lock(int fd, const char *path, Why *w) {
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                if (errno == EWOULDBLOCK)
                        return locked(path, w);
                return why(w, -errno, "%s cannot be locked: %s", path, strerror(errno));
        }
        if (ioctl(fd, TIOCEXCL) < 0)
                return why(w, -errno, "%s cannot be locked: %s", path, strerror(errno));
        return 0;
}

void port_unlock(int fd) {
        /* On a pty the exclusive mode outlives the descriptor. */
        (void)ioctl(fd, TIOCNXCL);
        (void)flock(fd, LOCK_UN);
}
