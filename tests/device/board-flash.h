/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The flash of the board: erase units that only become all ones as a whole, write units in which
 * bits only become zero, once between two erases, and only where no erase was cut off;
 * operations that take time; power that fails inside any of them. And the judge, who reads the
 * record pages as rekindle-link(7) describes them.
 */

#include "board.h"

/* The functions of the platform. */
void board_flash_attach(RkdPlatform *platform);
uint32_t board_space(const Board *b);
uint32_t board_slot_bytes(const Board *b); /* with its record pages */
uint32_t board_flash_bytes(const Board *b);
/* The program space of a slot. */
const uint8_t *board_program(const Board *b, unsigned slot);
bool board_slot_holds(const Board *b, unsigned slot, const uint8_t *image, size_t n);
/* That runs; else that of the newest record. */
unsigned board_slot(const Board *b);

/* Notes whether there is a good record; to be called whenever a bootloader begins. */
void board_note_record(Board *b);
/* Whether the slot that was started may be: what the newest record vouches for, or what the newest
 * of this slot does, when it is confirmed; anything before the first push. */
bool board_may_start(const Board *b);
