/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a device maker supplies to the device library: one constant struct of numbers, memory and
 * functions.
 *
 * Rules: no function may wait for the other end of the line. The library calls them only from
 * rkd_boot_*() and rkd_program_*(), never from interrupts. Addresses are device addresses. Members
 * marked "optional" may be NULL or 0.
 *
 * Bootloader and program each have a struct of their own. The program's needs: user, address,
 * capabilities, the strings, the geometry, the record, speeds, tx, retained, and of the
 * functions those that its comment does not give to the bootloader.
 */

#include <stddef.h>
#include <stdint.h>

#include "device/rkd-config.h"
#include "proto/frame.h"
#include "proto/message.h"
#include "proto/patch-model.h"

#define RKD_RETAINED_BYTES  32u
#define RKD_ATTEMPTS        3u   /* when platform.start_attempts is 0 */
#define RKD_PAGE_MIN        512u /* page buffer */
#define RKD_RECORD_SIZE_MIN 640u /* of one record page */
#ifndef RKD_WRITE_SIZE_MAX
#define RKD_WRITE_SIZE_MAX 32u /* of the record */
#endif
/* Of a frame with n bytes of payload, in rx and in tx. */
#if RKD_SMALL
#define RKD_RX_BYTES(n) ((n) + 10u + (n) / 254u)
#else
#define RKD_RX_BYTES(n) ((n) + 8u)
#endif
#define RKD_TX_BYTES(n) ((n) + 14u)

typedef struct RkdStart {
        uint32_t program_base;
        /* length of the image from the record; program_space when there is no record */
        uint32_t program_bytes;
        /* > 0: reset with RKD_CAUSE_TRIAL unless trial_passed is called in this time */
        uint32_t trial_ms;
#if RKD_WITH_SLOTS
        uint8_t slot; /* that is to be shown at program_base */
#endif
} RkdStart;

/* What happens, and a number with it. */
typedef enum RkdLog {
        RKD_LOG_BOOT,    /* the bootloader begins: RkdCause */
        RKD_LOG_REFUSED, /* a command: its type, and RkdResult from bit 8 on */
        RKD_LOG_PUSH,    /* one was begun: bytes of the image */
        RKD_LOG_STREAM,  /* it came to its end, or was stopped: RkdResult */
        RKD_LOG_MARK,    /* was set: 0 verified, 1 confirmed, then start and healthy in turn */
        RKD_LOG_FLASH,   /* failed: 0 an erase, 1 a write */
        RKD_LOG_START,   /* of a program: starts since BEGIN, with this one */
} RkdLog;

/* What the library touches most comes first: a Cortex-M0 reaches 128 bytes in one instruction. */
typedef struct RkdPlatform {
        void *user; /* handed to every function */

        /* Optional, instead of `address`: where the factory or a switch sets it. With one that is
         * not 0 the device is in half duplex, whatever `capabilities` says. */
        uint8_t (*find_address)(void *user);

        uint8_t address;   /* 0: point to point, 1..254: on a bus */
        uint8_t n_regions; /* 1..RKD_REGIONS_MAX */
        uint8_t n_speeds;  /* 1..RKD_SPEEDS_MAX */
        uint8_t reserved[1];

        /* From here to ram_size in the order of the identity. */
        uint8_t start_attempts;  /* 0: RKD_ATTEMPTS; at most 8 */
        uint8_t instruction_set; /* RkdInstructionSet */
        uint8_t reserved2[1];
        uint8_t patch_profile; /* with `patch`: RkdPatchProfile, of those that were built */
        /* of READ, TRIAL_TIMER, FULL_DUPLEX, FLASH_BLOCKS_CPU; in the program also SIGNED and FLOOR
         * where its bootloader has the hooks for them; the library adds the others */
        uint32_t capabilities;
        uint16_t max_payload;       /* 64..RKD_PAYLOAD_MAX, in the bootloader at most ring_bytes */
        uint16_t record_write_size; /* 1..RKD_WRITE_SIZE_MAX, a power of 2 */
        uint32_t ring_bytes;        /* of `ring`; without one: of what a gateway may send ahead */
        uint32_t unit_size, program_base, program_space;
        uint32_t ram_base, ram_size;

        /* Flash. erase: n bytes from `address` on, whole erase units: one flash unit or one record
         * page; write: address and n are multiples of the write size, the data stays untouched
         * until poll has answered. Both begin the operation and return 0, or < 0. poll: 0 done, 1
         * busy, < 0 failed. A platform whose CPU stands still meanwhile does the whole in erase and
         * write, and lets everything that `send` took leave before that. */
#if !RKD_FLASH_MAPPED
        int (*flash_read)(void *user, uint32_t address, void *out, size_t n);
#endif
        int (*flash_erase)(void *user, uint32_t address, uint32_t n); /* bootloader */
        int (*flash_write)(void *user, uint32_t address, const void *data, size_t n);
#if !RKD_FLASH_BLOCKS
        int (*flash_poll)(void *user);
#endif

        /* Takes up to n bytes for the line without waiting; returns how many. n may be 0. */
        size_t (*send)(void *user, const uint8_t *data, size_t n);
        /* Free-running, wraps at 2^32. */
        uint32_t (*milliseconds)(void *user);

        /* Geometry. Regions are in rising order and cover [program_base, program_base +
         * program_space) without a gap; they may cover more. unit_size: what SUMS and runs count
         * in, and what is erased at a time; a power of 2, a multiple of every erase size inside the
         * program space, and of every write size; program_space is a multiple of it. */
        const RkdRegion *regions;

        /* Two pieces of flash outside the program space, erased one at a time. Each write unit is
         * written at most once between two erases. */
        uint32_t record_pages[2];
        uint32_t record_size; /* bytes of one, at least RKD_RECORD_SIZE_MIN */

        uint32_t erase_ms; /* worst case for one flash unit */
        uint32_t write_ms; /* worst case for one page buffer */

        /* Memory, page and rx aligned as a uint32_t is. page: the page buffer, bytes a power of 2,
         * at least 512; of a smaller unit it holds one. ring: the receive buffer, which is the
         * window; at least 128. rx: one frame, RKD_RX_BYTES(max_payload). tx: at least
         * RKD_TX_BYTES(64), for answers up to what fits. */
        uint8_t *page; /* bootloader */
        uint32_t page_bytes;
        uint8_t *ring; /* bootloader */
        uint8_t *rx;
        uint8_t *tx;
        uint32_t tx_bytes;
        /* optional: 32 bytes that survive a reset (not a power cut), shared by bootloader and
         * program. Without them ENTER cannot leave a program, and starts are not counted after
         * confirm. */
        uint8_t *retained;
        /* Bootloader, optional: memory for the decoder of patches (an RkdPatch); NULL: whole pages
         * only. unit_size must be a power of two then, and RKD_PATCH_UNITS_MAX of them the whole
         * program space. */
        struct RkdPatch *patch;

        /* the bootloader listens so long before it starts a program by itself */
        uint32_t listen_ms;
        const uint32_t *speeds; /* first: the speed after a reset */
        const char *model;      /* each string: 0..63 printable ASCII characters, NULL: empty */
        const char *hardware;
        const char *serial;
        const char *bootloader_version;

#if RKD_WITH_BAUD
        /* Optional. Called when `send` has taken the whole answer: let it leave, then switch. */
        void (*set_baud)(void *user, uint32_t baud);
#endif
        void (*feed_watchdog)(void *user); /* optional */

        /* Bootloader: leaves for the program. May return (a simulator does): the context is dead
         * then until rkd_boot_init(). */
        void (*start_program)(void *user, const RkdStart *start);
        /* Resets into the bootloader. May return; the context is dead then. */
        void (*reset)(void *user);
        /* Program, optional: stops the trial timer. */
        void (*trial_passed)(void *user);
        /* Bootloader, optional: whether the flash at the program base can be started at all.
         * Without it: its first word is neither all ones nor all zeros. Returns 1 or 0. */
        int (*is_plausible)(void *user);
#if RKD_WITH_SIGNATURE
        /* Bootloader, optional: makes the device demand signatures. 0 when the publisher signed
         * the header, < 0 when not, > 0 when that is not known yet: then it is called again at the
         * next poll, with the same in the same place, and `again` set. Without `again` whatever was
         * begun is void. From the first call to the answer the memory of `patch` is not in use.
         * algorithm: RkdAlgorithm, not 0; signature: RKD_SIGNATURE_BYTES. */
        int (*verify_signature)(void *user, bool again, uint8_t algorithm, const uint8_t *header,
                        size_t n_header, const uint8_t *signature);
#endif
#if RKD_WITH_FLOOR
        /* Bootloader, optional: makes the device enforce the floor; rkd_version_compare() of
         * proto/version.h fits. */
        int (*compare_versions)(RkdText a, RkdText b);
#endif
#if RKD_WITH_SLOTS
        /* Optional: two slots, of which the chip shows one at the program base when it runs a
         * program. In the addresses that flash functions are given the program space is that of
         * slot 0, and slot 1 lies slot_stride behind it, whatever is shown; record_pages belong to
         * slot 0, slot_record_pages to slot 1. Needs `retained` and `reset`. */
        uint32_t slot_stride; /* 0: one slot; else at least program_space */
        uint32_t slot_record_pages[2];
        /* Bootloader, optional, in place of is_plausible. */
        int (*is_slot_plausible)(void *user, unsigned slot);
#endif
#if RKD_WITH_LOG
        /* Optional: for a console or a trace; must not wait. */
        void (*log)(void *user, RkdLog what, uint32_t value);
#endif
} RkdPlatform;
