/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * JSON lines: one object a line, at most LINE_BYTES_MAX with its newline. The ceiling and the
 * search for NUL bytes are ours because sd-json has neither (reference: platform.md §1.4).
 */
#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-json.h>

enum { LINE_BYTES_MAX = 64 * 1024 };

struct line_reader;

int line_reader_new(struct line_reader **ret);
struct line_reader *line_reader_free(struct line_reader *reader); /* NULL is fine; returns NULL */
static inline void line_reader_freep(struct line_reader **p)
{
	line_reader_free(*p);
}

/*
 * Reads once from fd (which may be non-blocking) into the reader.
 * Returns the bytes read, 0 at the end of the stream, -EAGAIN, or another negative errno.
 * Call line_reader_next() until it returns 0 before filling again.
 */
int line_reader_fill(struct line_reader *reader, int fd);

/*
 * Takes the next whole line as an object. Returns 1 and a reference in *ret; 0 when no whole line
 * is there yet; -EMSGSIZE for a line over the ceiling, -EBADMSG for one that is no JSON object or
 * has a NUL byte: that line is dropped and reading can go on.
 */
int line_reader_next(struct line_reader *reader, sd_json_variant **ret);

/* True if bytes of an unfinished line are left: at the end of a stream that means it was cut off.
 */
bool line_reader_has_rest(const struct line_reader *reader);

/*
 * Writes the object and a newline whole, waiting for a slow reader at most timeout_ms (poll).
 * Returns 0, -EMSGSIZE over the ceiling, -ETIMEDOUT, -EPIPE when nobody reads (no SIGPIPE on
 * sockets), or a negative errno.
 */
int line_write(int fd, sd_json_variant *object, int timeout_ms);
