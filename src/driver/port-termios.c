/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Line settings by termios2(2const), which takes any speed. A file of its own, because the
 * kernel's header and the C library's <termios.h> exclude each other. */
#include <asm/termbits.h>
#include <sys/ioctl.h>

#include "driver/port-backend.h"

static int character_size(uint8_t bits, tcflag_t *ret) {
        static const tcflag_t sizes[] = { CS5, CS6, CS7, CS8 };

        if (bits < 5 || bits > 8)
                return -EINVAL;
        *ret = sizes[bits - 5];
        return 0;
}

static int parity_flags(char parity, tcflag_t *ret) {
        switch (parity) {
        case 'N':
                *ret = 0;
                return 0;
        case 'E':
                *ret = PARENB;
                return 0;
        case 'O':
                *ret = PARENB | PARODD;
                return 0;
        default:
                return -EINVAL;
        }
}

/* The bits of a usual speed, which other programs on the line know how to read; BOTHER for any
 * other. */
static tcflag_t speed_bits(uint32_t baud) {
        static const struct {
                uint32_t baud;
                tcflag_t bits;
        } usual[] = {
                { 1200, B1200 },
                { 2400, B2400 },
                { 4800, B4800 },
                { 9600, B9600 },
                { 19200, B19200 },
                { 38400, B38400 },
                { 57600, B57600 },
                { 115200, B115200 },
                { 230400, B230400 },
                { 460800, B460800 },
                { 500000, B500000 },
                { 576000, B576000 },
                { 921600, B921600 },
                { 1000000, B1000000 },
                { 1152000, B1152000 },
                { 1500000, B1500000 },
                { 2000000, B2000000 },
                { 2500000, B2500000 },
                { 3000000, B3000000 },
                { 3500000, B3500000 },
                { 4000000, B4000000 },
        };

        for (size_t i = 0; i < ELEMENTSOF(usual); i++)
                if (usual[i].baud == baud)
                        return usual[i].bits;
        return BOTHER;
}

int termios_set_line(int fd, const DriverLine *line) {
        tcflag_t size, parity;
        struct termios2 t;
        int r;

        if (line->baud == 0)
                return -EINVAL; /* B0 would hang up */
        r = character_size(line->data_bits, &size);
        if (r < 0)
                return r;
        r = parity_flags(line->parity, &parity);
        if (r < 0)
                return r;
        if (ioctl(fd, TCGETS2, &t) < 0)
                return -errno;
        t.c_iflag = 0;
        t.c_oflag = 0;
        t.c_lflag = 0;
        t.c_cflag = size | parity | CREAD | CLOCAL | speed_bits(line->baud);
        t.c_cflag |= line->stop_bits == 2 ? CSTOPB : 0;
        t.c_cflag |= line->rtscts ? CRTSCTS : 0;
        t.c_ispeed = t.c_ospeed = line->baud;
        /* A read of nothing then means that the line has hung up. */
        t.c_cc[VMIN] = 1;
        t.c_cc[VTIME] = 0;
        return ioctl(fd, TCSETS2, &t) < 0 ? -errno : 0;
}

int termios_set_rtscts(int fd, bool on) {
        struct termios2 t;

        if (ioctl(fd, TCGETS2, &t) < 0)
                return -errno;
        t.c_iflag &= ~(tcflag_t)(IXON | IXOFF | IXANY);
        t.c_cflag = on ? t.c_cflag | CRTSCTS : t.c_cflag & ~CRTSCTS;
        return ioctl(fd, TCSETS2, &t) < 0 ? -errno : 0;
}

static int set_control(int fd, int8_t wanted, int bit) {
        if (wanted < 0)
                return 0;
        return ioctl(fd, wanted ? TIOCMBIS : TIOCMBIC, &bit) < 0 ? -errno : 0;
}

int termios_pulse(int fd, const DriverPulse *pulse) {
        int r = set_control(fd, pulse->dtr, TIOCM_DTR);

        if (r >= 0)
                r = set_control(fd, pulse->rts, TIOCM_RTS);
        if (r >= 0 && pulse->brk >= 0)
                r = ioctl(fd, pulse->brk ? TIOCSBRK : TIOCCBRK) < 0 ? -errno : 0;
        return r == -ENOTTY ? -EOPNOTSUPP : r;
}
