/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* FolderRead: the child opens the file and copies it into a pipe; its exit status is 0 or the
 * errno. The end of the pipe and the end of the child come in any order; both are waited for. A
 * child that hangs in the kernel is killed and reaped whenever it dies. */
#include "daemon/folder-read.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PIECE_BYTES (64 * 1024)
#define CHILD_FD    3 /* the lowest descriptor that a child uses; two of them */
#define OPEN_FLAGS  (O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

struct FolderRead {
        FolderBytesFunc on_bytes;
        FolderDoneFunc on_done;
        void *userdata;
        char *path; /* NULL: the descriptor is the file */
        uint64_t limit, bytes;
        pid_t pid;
        int fd; /* the pipe's read end; -1: its end was seen */
        sd_event_source *source, *child;
        bool exited;
        int error; /* ours (of on_bytes) or the child's */
        uint8_t piece[PIECE_BYTES];
};

/* --- the file --------------------------------------------------------------------------------- */

static int open_beneath(int folder_fd, const char *path) {
        const struct open_how how = {
                .flags = OPEN_FLAGS,
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
        };
        int fd;

        do
                fd = (int)syscall(SYS_openat2, folder_fd, path, &how, sizeof how);
        while (fd < 0 && errno == EAGAIN); /* a rename went on beside it */
        return fd < 0 ? -errno : fd;
}

/* A name that stays where it is. */
static bool is_plain_name(const char *name) {
        return *name && !streq(name, ".") && !streq(name, "..");
}

/* One component after the other, none of them a link. */
static int open_by_component(int folder_fd, const char *path) {
        _cleanup_free_ char *copy = strdup(path);
        _cleanup_close_ int at = -1;
        char *name = copy, *slash;

        if (!copy)
                return -ENOMEM;
        for (; (slash = strchr(name, '/')); name = slash + 1) {
                int next;

                *slash = 0;
                if (!is_plain_name(name))
                        return -EXDEV;
                next = openat(at < 0 ? folder_fd : at, name,
                                O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (next < 0)
                        return errno == ENOTDIR ? -ELOOP : -errno;
                close_fd(at);
                at = next;
        }
        if (!is_plain_name(name))
                return -EXDEV;
        at = openat(at < 0 ? folder_fd : at, name, OPEN_FLAGS | O_NOFOLLOW);
        return at < 0 ? -errno : TAKE_FD(at);
}

int folder_open_file(int folder_fd, const char *path, bool by_component) {
        _cleanup_close_ int fd = -1;
        struct stat st;

        fd = by_component ? open_by_component(folder_fd, path) : open_beneath(folder_fd, path);
        if (fd == -ENOSYS)
                fd = open_by_component(folder_fd, path);
        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        return S_ISREG(st.st_mode) ? TAKE_FD(fd) : -ENOTSUP;
}

bool folder_fd_is_valid(int fd) {
        int flags = fcntl(fd, F_GETFL);
        struct stat st;

        return flags >= 0 && !(flags & O_PATH) && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

/* --- the child -------------------------------------------------------------------------------- */

static int write_piece(int fd, const uint8_t *bytes, size_t n) {
        while (n > 0) {
                ssize_t k = write(fd, bytes, n);

                if (k < 0 && errno != EINTR)
                        return -errno;
                if (k > 0) {
                        bytes += k;
                        n -= (size_t)k;
                }
        }
        return 0;
}

/* From its beginning, wherever somebody else has read to who has the same descriptor. */
static int copy_file(FolderRead *f, int from, int to) {
        uint64_t left = f->limit + 1; /* one more tells that there is more */
        struct stat st;
        off_t at = 0;
        ssize_t n;
        int r = 0;

        if (fstat(from, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -ENOTSUP;
        if (st.st_size > 0 && (uint64_t)st.st_size > f->limit)
                return -EFBIG;
        while (r >= 0 && left > 0) {
                n = pread(from, f->piece, MIN(left, (uint64_t)sizeof f->piece), at);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                left -= (uint64_t)n;
                at += n;
                r = write_piece(to, f->piece, (size_t)n);
        }
        return r;
}

/* Without any other descriptor of the daemon: it may hang, and lines and locks must not with it. */
static _Noreturn void run_child(FolderRead *f, int folder_fd, int pipe_fd, pid_t parent) {
        int r, fd;

        (void)prctl(PR_SET_NAME, "rekindle-folder");
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(ESRCH);
        folder_fd = fcntl(folder_fd, F_DUPFD, CHILD_FD + 2);
        pipe_fd = fcntl(pipe_fd, F_DUPFD, CHILD_FD + 2);
        if (dup2(folder_fd, CHILD_FD) < 0 || dup2(pipe_fd, CHILD_FD + 1) < 0)
                _exit(errno);
        (void)close_range(CHILD_FD + 2, ~0U, 0);
        fd = f->path ? folder_open_file(CHILD_FD, f->path, false) : CHILD_FD;
        r = fd < 0 ? fd : copy_file(f, fd, CHILD_FD + 1);
        _exit(-r);
}

/* --- the daemon's side ------------------------------------------------------------------------ */

static const char *explain(int error, char *text, size_t size, const char *path) {
        const char *wrong = strerror(-error);

        if (error == -ENOENT)
                wrong = "it is not there";
        else if (error == -ELOOP || error == -EXDEV)
                wrong = "it is or lies behind a symbolic link or another place; only plain files of "
                        "the folder are read";
        else if (error == -ENOTSUP)
                wrong = "it is no plain file";
        else if (error == -EFBIG)
                wrong = "it is larger than it may be";
        else if (error == -EACCES)
                wrong = "the daemon's user may not read it";
        (void)snprintf(text, size, "%s in the folder: %s", path, wrong);
        return text;
}

static void finish(FolderRead *f) {
        FolderDoneFunc on_done = f->on_done;
        void *userdata = f->userdata;
        char text[WHY_MAX] = "";
        int error = f->error;

        if (error < 0 && f->path)
                (void)explain(error, text, sizeof text, f->path);
        (void)folder_read_free(f);
        on_done(error, text, userdata);
}

static void end_pipe(FolderRead *f) {
        f->source = sd_event_source_disable_unref(f->source);
        f->fd = close_fd(f->fd);
}

static int on_pipe(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        FolderRead *f = userdata;
        ssize_t n = read(fd, f->piece, sizeof f->piece);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n > 0 && (uint64_t)n > f->limit - f->bytes)
                f->error = -EFBIG;
        else if (n > 0)
                f->error = f->on_bytes(f->piece, (size_t)n, f->userdata);
        else if (n < 0)
                f->error = -errno;
        if (n > 0 && f->error >= 0) {
                f->bytes += (uint64_t)n;
                return 0;
        }
        end_pipe(f); /* a child that still writes gets SIGPIPE */
        if (f->exited || f->error < 0)
                finish(f);
        return 0;
}

static int on_child(sd_event_source *source, const siginfo_t *si, void *userdata) {
        FolderRead *f = userdata;

        if (!f) /* nobody waits for it any more */
                return sd_event_source_set_floating(source, false);
        f->exited = true;
        if (f->error >= 0 && si->si_code != CLD_EXITED)
                f->error = -EIO;
        else if (f->error >= 0 && si->si_status != 0)
                f->error = -si->si_status;
        if (f->fd < 0)
                finish(f);
        return 0;
}

static int start(FolderRead *f, sd_event *event, int folder_fd) {
        pid_t parent = getpid();
        int r, fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        f->fd = fds[0];
        f->pid = fork();
        if (f->pid == 0)
                run_child(f, folder_fd, fds[1], parent);
        r = f->pid < 0 ? -errno : 0;
        (void)close(fds[1]);
        if (r >= 0)
                r = sd_event_add_child(event, &f->child, f->pid, WEXITED, on_child, f);
        if (r < 0 && f->pid > 0) {
                (void)kill(f->pid, SIGKILL);
                (void)waitpid(f->pid, NULL, 0);
        }
        if (r >= 0 && fcntl(f->fd, F_SETFL, O_NONBLOCK) < 0)
                r = -errno;
        return r < 0 ? r : sd_event_add_io(event, &f->source, f->fd, EPOLLIN, on_pipe, f);
}

int folder_read_new(sd_event *event, const FolderRequest *request, FolderRead **ret) {
        _cleanup_(folder_read_freep) FolderRead *f = new0(FolderRead, 1);
        int r;

        if (!f)
                return -ENOMEM;
        f->fd = -1;
        f->on_bytes = request->on_bytes;
        f->on_done = request->on_done;
        f->userdata = request->userdata;
        f->limit = request->limit;
        if (request->path) {
                f->path = strdup(request->path);
                if (!f->path)
                        return -ENOMEM;
        }
        r = start(f, event, request->folder_fd);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(f);
        return 0;
}

FolderRead *folder_read_free(FolderRead *f) {
        if (!f)
                return NULL;
        end_pipe(f);
        if (f->child && !f->exited) {
                (void)kill(f->pid, SIGKILL);
                (void)sd_event_source_set_userdata(f->child, NULL);
                (void)sd_event_source_set_floating(f->child, true);
                f->child = sd_event_source_unref(f->child);
        }
        f->child = sd_event_source_disable_unref(f->child);
        free(f->path);
        free(f);
        return NULL;
}
