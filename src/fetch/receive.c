/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One SEQPACKET message with exactly one descriptor, which must be the write end of a pipe.
 * Everything else that a peer may attach is closed. */
#include "fetch/receive.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define DESCRIPTORS_MAX 8

typedef union Control {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
} Control;

int fetch_peer_check(int listen_fd, int connection, Why *w) {
        struct sockaddr_un address = { 0 };
        socklen_t n = sizeof address - 1, m = sizeof(struct ucred);
        struct ucred peer;
        struct stat st;

        if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &m) < 0)
                return why(w, -errno, "cannot tell who connects: %m");
        if (peer.uid == 0)
                return 0;
        if (getsockname(listen_fd, (struct sockaddr *)&address, &n) == 0 &&
                        address.sun_path[0] == '/' && stat(address.sun_path, &st) == 0 &&
                        S_ISSOCK(st.st_mode) && st.st_uid == peer.uid)
                return 0;
        return why(w, -EPERM, "user %u may not use this socket; its owner and root may",
                        (unsigned)peer.uid);
}

/* The first descriptor that came, the others closed. */
static int take_descriptor(struct msghdr *msg, unsigned *ret_count) {
        unsigned count = 0;
        int first = -1;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
                        int fd;

                        memcpy(&fd, (uint8_t *)c + at, sizeof fd);
                        if (count++ == 0)
                                first = fd;
                        else
                                (void)close_fd(fd);
                }
        }
        *ret_count = count;
        return first;
}

static bool is_write_end(int fd) {
        struct stat st;
        int flags = fcntl(fd, F_GETFL);

        return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && flags >= 0 &&
               (flags & O_ACCMODE) == O_WRONLY && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

int fetch_receive_request(
                int connection, uint8_t **ret_bytes, FetchRequestView *ret, int *ret_pipe, Why *w) {
        _cleanup_free_ uint8_t *bytes = NULL;
        _cleanup_close_ int fd = -1;
        Control control;
        struct iovec iov;
        struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
        unsigned descriptors;
        uint8_t *smaller;
        ssize_t n;
        int r;

        bytes = malloc(FETCH_MESSAGE_MAX);
        if (!bytes)
                return why(w, -ENOMEM, "not enough memory for a request");
        iov = (struct iovec){ bytes, FETCH_MESSAGE_MAX };
        msg.msg_control = &control;
        msg.msg_controllen = sizeof control;
        n = recvmsg(connection, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (n < 0)
                return errno == EAGAIN || errno == EINTR
                                       ? -EAGAIN
                                       : why(w, -ECONNRESET, "the client went away: %m");
        fd = take_descriptor(&msg, &descriptors);
        if (n == 0 && descriptors == 0)
                return why(w, -ECONNRESET, "the client went away");
        if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
                return why(w, -EBADMSG, "a request is larger than %d bytes", FETCH_MESSAGE_MAX);
        if (descriptors != 1 || !is_write_end(fd))
                return why(w, -EBADMSG, "a request came without the write end of one pipe");
        smaller = realloc(bytes, (size_t)MAX(n, 1));
        if (smaller)
                bytes = smaller;
        r = fetch_request_decode(bytes, (size_t)n, ret, w);
        if (r < 0)
                return r;
        *ret_bytes = TAKE_PTR(bytes);
        *ret_pipe = TAKE_FD(fd);
        return 0;
}

int fetch_send_answer(int connection, const FetchAnswer *answer) {
        _cleanup_free_ uint8_t *bytes = NULL;
        size_t n;
        int r;

        r = fetch_answer_encode(answer, &bytes, &n);
        if (r < 0)
                return r;
        return send(connection, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}
