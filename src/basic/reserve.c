/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reserve: blocks behind the end of an empty file. Cutting the file to its length frees them all
 * (a hole behind the end does so on some file systems only), so a piece is given by letting go of
 * everything and taking the rest again. */
#include <fcntl.h>
#include <sys/stat.h>

#include "reserve.h"

#define PIECE_BYTES 65536
#define BLOCK_BYTES 512 /* of st_blocks; stat(2) */

struct Reserve {
        int fd;
        uint64_t wanted;
};

static uint64_t held(const Reserve *reserve) {
        struct stat st;

        if (fstat(reserve->fd, &st) < 0)
                return 0;
        return MIN((uint64_t)st.st_blocks * BLOCK_BYTES, reserve->wanted);
}

static bool take(Reserve *reserve, uint64_t bytes) {
        if (fallocate(reserve->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)bytes) == 0)
                return true;
        (void)ftruncate(reserve->fd, 0);
        return false;
}

uint64_t reserve_missing(const Reserve *reserve) {
        return reserve->wanted - held(reserve);
}

bool reserve_give(Reserve *reserve) {
        uint64_t before;

        if (!reserve)
                return false;
        before = held(reserve);
        if (before == 0 || ftruncate(reserve->fd, 0) < 0)
                return false;
        if (before > PIECE_BYTES)
                (void)take(reserve, before - PIECE_BYTES);
        return true;
}

void reserve_refill(Reserve *reserve) {
        uint64_t before = held(reserve);

        if (before < reserve->wanted && !take(reserve, reserve->wanted) && before > 0)
                (void)take(reserve, before);
}

int reserve_new(int dirfd, const char *name, uint64_t bytes, Reserve **ret) {
        _cleanup_(reserve_freep) Reserve *reserve = NULL;
        struct stat st;

        reserve = new0(Reserve, 1);
        if (!reserve)
                return -ENOMEM;
        reserve->wanted = bytes;
        reserve->fd = openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (reserve->fd < 0 || fstat(reserve->fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EEXIST;
        reserve_refill(reserve);
        *ret = TAKE_PTR(reserve);
        return 0;
}

Reserve *reserve_free(Reserve *reserve) {
        if (!reserve)
                return NULL;
        (void)close_fd(reserve->fd);
        free(reserve);
        return NULL;
}
