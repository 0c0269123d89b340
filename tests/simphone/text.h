/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small helpers for text, and the one way out when the simulator itself is wrong. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Prints "simphone: …" on stderr and ends the program with status 2. */
[[noreturn, gnu::format(printf, 1, 2)]] void die(const char *format, ...);

/*
 * Takes one UTF-8 character off *@text, which must not be at its end. A byte that begins no valid
 * character counts as U+FFFD and is skipped alone.
 */
uint32_t text_next_rune(const char **text);

/*
 * Resolves \\ \n \r \t \xNN and \uNNNN in place. \xNN stands for the byte, \uNNNN for the character
 * in UTF-8. Returns 0, or -EINVAL for an unknown escape or one that yields NUL.
 */
int text_unescape(char *text);

/* Copies with truncation; @room is the size of @to and not 0. */
void text_copy(char *to, size_t room, const char *from);
