/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Sizes, times and days in words for people, shared by the command line and the console. */
#include <stdint.h>

enum { AMOUNT_BYTES = 64 };

/* "7.4 GB" (1000s, as disks are sold), "512 bytes". */
void amount_text_bytes(uint64_t bytes, char ret[static AMOUNT_BYTES]);

/* "24.1 MB a second" of bytes a second. */
void amount_text_rate(uint64_t rate, char ret[static AMOUNT_BYTES]);

/* "2026-11-22" (UTC) of milliseconds since the epoch; "" for 0, and for no day that there is. */
void amount_text_day(uint64_t ms, char ret[static AMOUNT_BYTES]);

/* "less than a minute", "about 3 minutes", "about 1 hour and 20 minutes". */
void amount_text_duration(uint64_t seconds, char ret[static AMOUNT_BYTES]);
