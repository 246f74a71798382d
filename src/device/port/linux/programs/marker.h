/* SPDX-License-Identifier: MIT */
#pragma once

/* What the texts of a descriptor say until rkprog-make has filled them in. */
#define PROGRAM_MARKER "?"
