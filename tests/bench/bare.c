/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bare: see the header. */
#include "bare.h"

#define TIMER   ((volatile Timer *)0x40000000)
#define ENABLED 1u

enum { /* semihosting */
        WRITE0 = 0x04,
        EXIT = 0x18,
        STOPPED = 0x20026,
};

typedef struct Timer {
        uint32_t control, value, reload;
} Timer;

static void semihosting(uint32_t what, const void *with) {
        register uint32_t r0 __asm__("r0") = what;
        register const void *r1 __asm__("r1") = with;

        __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

void bare_begin(void) {
        TIMER->reload = TIMER->value = UINT32_MAX;
        TIMER->control = ENABLED;
}

void bare_print(const char *name, uint32_t value) {
        char text[12], *p = text + sizeof(text);

        semihosting(WRITE0, name);
        *--p = '\0';
        *--p = '\n';
        do
                *--p = (char)('0' + value % 10);
        while ((value /= 10) > 0);
        semihosting(WRITE0, p);
}

void bare_end(void) {
        semihosting(EXIT, (const void *)STOPPED);
        for (;;)
                ;
}
