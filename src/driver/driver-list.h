/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables that driver.c lists; one per driver file. */
#pragma once

#include "driver/driver.h"

extern const DriverVTable native_vtable;
extern const DriverVTable xmodem_vtable;
extern const DriverVTable ymodem_vtable;
