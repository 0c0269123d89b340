/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The line reader: the stream comes in pieces, as the first byte of the input says; every line
 * comes out once, and reading ends.
 */
#include "base/cleanup.h"
#include "base/line.h"
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

/* Takes all lines that are whole; returns how many, good or bad. */
static size_t take_lines(struct line_reader *reader)
{
	size_t lines = 0;

	for (;;) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
		int r = line_reader_next(reader, &object);

		if (r == 0)
			return lines;
		check(r == 1 || r == -EBADMSG || r == -EMSGSIZE);
		check((r == 1) == (object != NULL));
		check(r != 1 || sd_json_variant_is_object(object));
		lines++;
	}
}

static size_t count_newlines(const uint8_t *data, size_t size)
{
	size_t count = 0;

	for (size_t i = 0; i < size; i++)
		count += data[i] == '\n';
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(line_reader_freep) struct line_reader *reader = NULL;
	_cleanup_close_ int fd = memfd_create("lines", MFD_CLOEXEC);
	size_t lines = 0, piece, at = 0;

	if (size == 0)
		return 0;
	piece = (size_t)data[0] * 16 + 1;
	data++, size--;
	check(fd >= 0);
	check(line_reader_new(&reader) == 0);
	while (at < size) {
		size_t n = size - at < piece ? size - at : piece;

		check(pwrite(fd, data + at, n, (off_t)at) == (ssize_t)n);
		at += n;
		while (line_reader_fill(reader, fd) > 0)
			lines += take_lines(reader);
	}
	check(line_reader_fill(reader, fd) == 0);
	/* a line over the ceiling is told before its newline has come */
	check(lines >= count_newlines(data, size));
	check(lines <= count_newlines(data, size) + 1);
	if (size > 0 && data[size - 1] == '\n')
		check(!line_reader_has_rest(reader));
	return 0;
}
