/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * engine-N.jsonl: what the service follows (README.md). Lines are only ever appended, whole; the
 * file is locked (flock) as long as the worker lives, so a reader can tell one that died.
 */
#include "base/error.h"
#include <stdint.h>
#include <systemd/sd-json.h>

enum { RESTORE_FILE_NAME_BYTES = 32 };

struct restore_file {
	char name[RESTORE_FILE_NAME_BYTES]; /* "engine-1.jsonl" */
	int fd;                             /* close-on-exec; -1 none */
	int64_t bytes;                      /* whole lines so far */
};

/*
 * Makes and locks the file of this attempt, which must not be there. 0, or a negative errno with
 * err set: ERROR_NO_SPACE when it cannot be written, ERROR_BUSY when there is one.
 */
int restore_file_create(int folder_fd, unsigned attempt, struct restore_file *ret,
			struct error *err);
void restore_file_done(struct restore_file *file);

/* Appends an event; fields may be NULL. 0, or a negative errno and nothing of it is in the file. */
int restore_file_event(struct restore_file *file, const char *event, sd_json_variant *fields);
/* Appends a line that is built already, the last one; on disk when this returns 0. */
int restore_file_end(struct restore_file *file, sd_json_variant *line);

/* Removes a folder of the job's with all that is in it, never following a link out of it. 0, also
 * if there is none, or a negative errno. */
int restore_folder_remove(int folder_fd, const char *name);
