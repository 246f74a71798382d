/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The flash of the board, see board-flash.h.
 */

#include "board-flash.h"

#include <openssl/sha.h>
#include <string.h>

#include "proto/bytes.h"
#include "proto/crc.h"

/* Offsets in a record page: rekindle-link(7), "RECORD PAGES". */
#define PAGE_SEQUENCE 4u
#define PAGE_BEGIN    12u
#define PAGE_HEADER   (PAGE_BEGIN + RKD_BEGIN_FIXED)
#define PAGE_LENGTH   (PAGE_HEADER + 8u)
#define PAGE_SHA256   (PAGE_HEADER + 12u)
#define PAGE_MARKS    512u
#define NOT_IN_FLASH  UINT32_MAX

uint32_t board_space(const Board *b) {
        return b->geometry.unit * b->geometry.units;
}

uint32_t board_slot_bytes(const Board *b) {
        return board_space(b) + 2 * b->geometry.record;
}

static unsigned slots(const Board *b) {
        return b->geometry.slots > 1 ? b->geometry.slots : 1;
}

uint32_t board_flash_bytes(const Board *b) {
        return slots(b) * board_slot_bytes(b);
}

/* Where in flash[] n bytes at this address are. */
static uint32_t place_of(const Board *b, uint32_t address, size_t n) {
        uint32_t at = address - BOARD_BASE, size = board_flash_bytes(b);

        if (address < BOARD_BASE || at > size || n > size - at)
                return NOT_IN_FLASH;
        if (b->fault == FAULT_ONE_RECORD &&
                        at % board_slot_bytes(b) >= board_space(b) + b->geometry.record)
                at -= b->geometry.record;
        if (b->fault == FAULT_ONE_SLOT && at >= board_slot_bytes(b) &&
                        at % board_slot_bytes(b) < board_space(b))
                at -= board_slot_bytes(b);
        return at;
}

static bool is_record(const Board *b, uint32_t at) {
        return at % board_slot_bytes(b) >= board_space(b);
}

static uint32_t erase_bytes(const Board *b, uint32_t at) {
        return is_record(b, at) ? b->geometry.record : b->geometry.erase;
}

static uint32_t write_bytes(const Board *b, uint32_t at) {
        return is_record(b, at) ? b->geometry.record_write : b->geometry.write;
}

static unsigned started_slot(const Board *b) {
#if RKD_WITH_SLOTS
        return b->start.slot;
#else
        return 0;
#endif
}

static bool is_busy(const Board *b) {
        return (int32_t)(b->busy_until_ms - b->now_ms) > 0;
}

static int on_read(void *user, uint32_t address, void *out, size_t n) {
        Board *b = user;
        uint32_t at = place_of(b, address, n);

        if (at == NOT_IN_FLASH) {
                board_violate(b, "read outside flash");
                return -1;
        }
        if (b->runs == BOARD_OFF)
                return -1;
        if (is_busy(b))
                board_violate(b, "read while flash is busy");
        if (++b->reads == b->fail_read_at || (b->dead > 0 && b->dead - at < n))
                return -1;
        memcpy(out, b->flash + at, n);
        return 0;
}

/* Power is gone before the late data was written. */
static void lose_late_data(Board *b) {
        memcpy(b->flash + b->late_at, b->late_was, b->late_n);
        b->late_n = 0;
}

/* Counts the operation; whether it does not come to its end. */
static bool begin_operation(Board *b) {
        if (RKD_FLASH_BLOCKS || (b->platform.capabilities & RKD_CAN_FLASH_BLOCKS_CPU) != 0) {
                if (b->n_to_device > 0)
                        board_violate(b, "bytes come while flash blocks the CPU");
                b->now_ms += b->flash_ms;
                b->busy_until_ms = b->now_ms;
        } else
                b->busy_until_ms = b->now_ms + b->flash_ms;
        if (++b->operations == b->cut_at)
                b->runs = BOARD_OFF;
        return b->runs == BOARD_OFF || (b->operations == b->fail_at && b->fails_torn);
}

static int end_operation(Board *b) {
        if (b->runs == BOARD_OFF)
                lose_late_data(b);
        b->late_n = 0;
        if (b->operations != b->fail_at)
                return 0;
        b->busy_until_ms = b->now_ms;
        return -1;
}

/* What is left of n bytes at p when their erase was cut off. */
static void tear_erase(Board *b, uint8_t *p, uint32_t n) {
        uint32_t from = board_random(b) % n, to = from + board_random(b) % (n - from);

        switch (b->cut) {
        case CUT_AFTER:
                memset(p, 0xff, n);
                break;
        case CUT_EDGE:
                if (board_random(b) & 1)
                        memset(p, 0xff, to);
                else
                        memset(p + from, 0xff, n - from);
                break;
        case CUT_INSIDE:
                if (board_random(b) & 1)
                        memset(p, 0xff, from);
                else
                        memset(p + to, 0xff, n - to);
                for (uint32_t i = from; i <= to; i++)
                        p[i] = (uint8_t)board_random(b);
                break;
        case CUT_SPREAD:
                for (uint32_t i = 0; i < n; i++)
                        p[i] |= (uint8_t)board_random(b);
                break;
        case CUT_ZERO:
                memset(p, 0, to + 1);
                break;
        default:
                break;
        }
}

static bool is_page_good(const uint8_t *page) {
        return rkd_crc32(page + PAGE_SEQUENCE, PAGE_MARKS - PAGE_SEQUENCE) == rkd_load_u32(page);
}

/* The newer one; either may be NULL. */
static const uint8_t *newer(const uint8_t *one, const uint8_t *other) {
        if (one && other)
                return (int32_t)(rkd_load_u32(other + PAGE_SEQUENCE) -
                                       rkd_load_u32(one + PAGE_SEQUENCE)) >= 0
                                       ? other
                                       : one;
        return one ? one : other;
}

/* The newest good page of a slot; NULL: none. */
static const uint8_t *slot_record(const Board *b, unsigned slot) {
        const uint8_t *found = NULL;

        for (unsigned i = 0; i < 2; i++) {
                uint32_t at = b->platform.record_pages[i] + slot * board_slot_bytes(b);
                const uint8_t *page = b->flash + place_of(b, at, PAGE_MARKS);

                found = newer(found, is_page_good(page) ? page : NULL);
        }
        return found;
}

static const uint8_t *find_record(const Board *b) {
        return newer(slot_record(b, 0), slots(b) > 1 ? slot_record(b, 1) : NULL);
}

/* One erase unit. */
static int erase(Board *b, uint32_t address) {
        uint32_t at = place_of(b, address, 1), n;
        bool done;

        if (b->runs == BOARD_OFF)
                return -1;
        if (b->runs == BOARD_PROGRAM)
                board_violate(b, "the program erases");
        if (at == NOT_IN_FLASH || at % erase_bytes(b, at) != 0) {
                board_violate(b, "erase of no unit");
                return -1;
        }
        if (b->flash + at == find_record(b) && b->fault != FAULT_ONE_RECORD && b->fail_read_at == 0)
                board_violate(b, "erase of the record that counts");
        n = erase_bytes(b, at);
        *(is_record(b, at) ? &b->wear.record_erases : &b->wear.erases) += 1;
        done = !begin_operation(b) || b->cut == CUT_AFTER;
        if (done)
                memset(b->flash + at, 0xff, n);
        else if (b->cut != CUT_BEFORE)
                tear_erase(b, b->flash + at, n);
        if (done || b->cut != CUT_BEFORE)
                memset(b->written + at / 2, !done, n / 2);
        return end_operation(b);
}

/* Each erase unit is an operation of its own. */
static int on_erase(void *user, uint32_t address, uint32_t n) {
        Board *b = user;
        uint32_t at = place_of(b, address, n);
        int r = 0;

        if (n != b->geometry.unit && n != b->geometry.record)
                board_violate(b, "erase of something else");
        if (at == NOT_IN_FLASH) {
                board_violate(b, "erase outside flash");
                return -1;
        }
        for (uint32_t done = 0; r == 0 && done < n; done += erase_bytes(b, at))
                r = erase(b, address + done);
        return r;
}

static bool is_all_ones(const uint8_t *p, uint32_t n) {
        for (uint32_t i = 0; i < n; i++)
                if (p[i] != 0xff)
                        return false;
        return true;
}

static void write_unit(Board *b, uint32_t at, const uint8_t *data) {
        uint8_t *written = &b->written[at / 2];

        if (*written)
                board_violate(b, "write unit written twice");
        *written = 1;
        for (uint32_t i = 0; i < write_bytes(b, at); i++)
                b->flash[at + i] &= data[i];
}

/* Any of the bits that were to change did; when none did, nobody can tell, and it may be written
 * again. */
static void tear_unit(Board *b, uint32_t at, const uint8_t *data) {
        uint32_t n = write_bytes(b, at);
        uint8_t torn[RKD_WRITE_SIZE_MAX] = { 0 };
        unsigned how = board_random(b) % 4;

        for (uint32_t i = 0; i < n; i++)
                torn[i] = data[i] | (uint8_t)(how == 0 ? 0xff : how == 1 ? 0 : board_random(b));
        write_unit(b, at, torn);
        b->written[at / 2] = !is_all_ones(b->flash + at, n);
}

/* How many of the n bytes are written; behind them something may be torn. */
static uint32_t tear_write(Board *b, uint32_t at, const uint8_t *data, uint32_t n) {
        uint32_t unit = write_bytes(b, at), whole;

        switch (b->cut) {
        case CUT_AFTER:
                return n;
        case CUT_EDGE:
        case CUT_INSIDE:
                whole = board_random(b) % (n / unit) * unit;
                if (b->cut == CUT_INSIDE)
                        tear_unit(b, at + whole, data + whole);
                return whole;
        case CUT_SPREAD:
                for (uint32_t i = 0; i < n; i += unit)
                        tear_unit(b, at + i, data + i);
                return 0;
        case CUT_ZERO:
                tear_unit(b, at, data);
                return 0;
        default:
                return 0;
        }
}

static void note_late(Board *b, uint32_t at, uint32_t n) {
        if (b->fault != FAULT_LATE_DATA || is_record(b, at) || b->runs == BOARD_OFF)
                return;
        b->late_at = at;
        b->late_n = n;
}

static int on_write(void *user, uint32_t address, const void *data, size_t n) {
        Board *b = user;
        const uint8_t *from = data;
        uint32_t at = place_of(b, address, n), whole = (uint32_t)n, unit;
        uint8_t was[BOARD_PAGE_MAX];
        int r;

        if (b->runs == BOARD_OFF)
                return -1;
        unit = at == NOT_IN_FLASH ? 1 : write_bytes(b, at);
        if (at == NOT_IN_FLASH || at % unit != 0 || n % unit != 0 || n == 0 || n > sizeof(was)) {
                board_violate(b, "write of no write unit");
                return -1;
        }
        if (b->runs == BOARD_PROGRAM && !is_record(b, at))
                board_violate(b, "the program writes over itself");
        if (b->runs == BOARD_PROGRAM && at / board_slot_bytes(b) != started_slot(b))
                board_violate(b, "the program writes into the record of another");
        *(is_record(b, at) ? &b->wear.record_writes : &b->wear.writes) += 1;
        memcpy(was, b->flash + at, n);
        if (begin_operation(b))
                whole = tear_write(b, at, from, (uint32_t)n);
        for (uint32_t i = 0; i < whole; i += unit)
                write_unit(b, at + i, from + i);
        r = end_operation(b);
        memcpy(b->late_was, was, n);
        note_late(b, at, (uint32_t)n);
        return r;
}

#if !RKD_FLASH_BLOCKS
static int on_flash_poll(void *user) {
        Board *b = user;

        if (b->runs == BOARD_OFF)
                return -1;
        return is_busy(b);
}
#endif

void board_flash_attach(RkdPlatform *p) {
        p->flash_read = on_read;
        p->flash_erase = on_erase;
        p->flash_write = on_write;
#if !RKD_FLASH_BLOCKS
        p->flash_poll = on_flash_poll;
#endif
}

const uint8_t *board_program(const Board *b, unsigned slot) {
        return b->flash + (b->fault == FAULT_ONE_SLOT ? 0 : slot * board_slot_bytes(b));
}

bool board_slot_holds(const Board *b, unsigned slot, const uint8_t *image, size_t n) {
        const uint8_t *flash = board_program(b, slot);

        for (size_t i = n; i % b->geometry.unit != 0; i++)
                if (flash[i] != 0xff)
                        return false;
        return memcmp(flash, image, n) == 0;
}

unsigned board_slot(const Board *b) {
        const uint8_t *record = find_record(b);

        if (b->runs == BOARD_PROGRAM)
                return started_slot(b);
        return record && record != slot_record(b, 0);
}

static bool is_marked(const Board *b, const uint8_t *record, unsigned mark) {
        uint32_t size = b->geometry.record_write < 4 ? 4 : b->geometry.record_write;

        return !is_all_ones(record + PAGE_MARKS + mark * size, size);
}

/* By a complete record of its slot. */
static bool is_vouched_for(const Board *b, unsigned slot, const uint8_t *record) {
        uint32_t n = rkd_load_u32(record + PAGE_LENGTH);
        uint8_t digest[RKD_SHA256_BYTES];

        if (n > board_space(b) || !is_marked(b, record, 0))
                return false;
        (void)SHA256(board_program(b, slot), n, digest);
        return memcmp(digest, record + PAGE_SHA256, sizeof(digest)) == 0;
}

void board_note_record(Board *b) {
        if (find_record(b))
                b->had_record = true;
}

static bool are_pages_blank(const Board *b) {
        for (unsigned i = 0; i < slots(b); i++)
                if (!is_all_ones(b->flash + i * board_slot_bytes(b) + board_space(b),
                                    2 * b->geometry.record))
                        return false;
        return true;
}

bool board_may_start(const Board *b) {
        unsigned slot = started_slot(b);
        const uint8_t *newest = find_record(b), *record = slot_record(b, slot);

        if (newest)
                return record && is_vouched_for(b, slot, record) &&
                       (record == newest || is_marked(b, record, 1));
        if (b->n_images > 0)
                return !b->had_record && slot == 0; /* the board knows what may run */
        return are_pages_blank(b) && slot == 0;
}
