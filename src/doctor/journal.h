/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The journal of a job: folder/journal.jsonl, one JSON object a line, appended and synced. A crash
 * at any byte leaves one that is read back: a last line that was cut off is dropped, and truncated
 * away before the next is written.
 */
#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-json.h>

#define JOURNAL_NAME "journal.jsonl"

enum { JOURNAL_BYTES_MAX = 8 << 20 };

struct journal {
	int fd;
	size_t end; /* bytes of whole lines; the next line begins here */
	bool rest;  /* the file has bytes beyond, to be truncated away */
};

/* Makes the file with its first line, whole or not at all. 0 or a negative errno. */
int journal_create(int folder_fd, sd_json_variant *first, struct journal *ret);

/* Borrowed object of one line, in order. A negative return ends the reading with it. */
typedef int (*journal_line_fn)(sd_json_variant *line, void *user);

/*
 * Reads all whole lines. Returns 0, -EBADMSG (a line that is no object, except the last; no line at
 * all), -EFBIG, or a negative errno. A file that cannot be written is opened all the same.
 */
int journal_open(int folder_fd, journal_line_fn fn, void *user, struct journal *ret);

/* 0, or a negative errno and the journal stands as before. -EMSGSIZE over LINE_BYTES_MAX. */
int journal_append(struct journal *journal, sd_json_variant *line);

void journal_close(struct journal *journal); /* fine on fd -1 */
