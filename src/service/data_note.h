/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What became of the stick's data partition at the start: the note of worker `data`
 * (src/worker/README.md). Foreign bytes no more than any file of ours, but read as such. */

enum { DATA_NOTE_TEXT_BYTES = 512, DATA_NOTE_WORD_BYTES = 32 };

struct data_note {
	char state[DATA_NOTE_WORD_BYTES]; /* "made", "adopted", "no-room" … */
	char text[DATA_NOTE_TEXT_BYTES];  /* for people */
};

/* path: NULL the image's. 0; -ENOENT if nothing is noted (yet); -EBADMSG. */
int data_note_read(const char *path, struct data_note *ret);

/*
 * For a place that is only RAM: the id of the message that says why (facts/messages.tsv,
 * "partition-…"), borrowed from the tables; NULL if nobody knows.
 */
const char *data_note_why(const char *path);
