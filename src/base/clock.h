/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdint.h>

/* Milliseconds of CLOCK_BOOTTIME: goes on through suspend, never back. For waits and order. */
uint64_t clock_now_ms(void);

/* Milliseconds since the epoch, as the machine believes. For people and files only. */
uint64_t clock_wall_ms(void);
