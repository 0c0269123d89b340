/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A ceiling over what a phone can do to the libraries that read its bytes: libimobiledevice 1.4.0
 * allocates whatever a length prefix says (up to 4 GiB) and does not look whether it got it. With a
 * ceiling memory ends early, and a library that breaks ends the worker with a line that says so,
 * not without a word.
 *
 * Built with sanitizers there is none: they need the memory and report what breaks.
 */
#include <stddef.h>

enum { CEILING_LINE_BYTES = 2048 };

struct ceiling {
	void *stack; /* the handler's own, for a stack that overflows; owned */
};

/*
 * From here memory is bounded, and a crash writes last_line (copied; at most CEILING_LINE_BYTES) to
 * standard output and ends the process with status 1. Returns 0 or a negative errno.
 */
int ceiling_set(struct ceiling *ceiling, const char *last_line);
/* The same with another bound on memory, in bytes. */
int ceiling_set_bytes(struct ceiling *ceiling, size_t bytes, const char *last_line);
/* Another last line. */
void ceiling_line(struct ceiling *ceiling, const char *last_line);
/* As it was before; may be called twice. */
void ceiling_lift(struct ceiling *ceiling);
