/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What idevicebackup2 1.4.0 says while it backs up, and what its end means. Its exit status alone
 * means nothing: it is 0 after damaged and after unfinished backups (backup-and-logs.md §0, §1.9).
 * Pure. Lines come through engine_lines_feed() (engine_output.h), which splits at \r, too.
 */
#include "base/error.h"
#include <stdbool.h>

enum backup_encrypted { BACKUP_ENCRYPTION_UNKNOWN, BACKUP_PLAIN, BACKUP_ENCRYPTED };

struct backup_output {
	bool requested;  /* the phone was asked to begin */
	bool passcode;   /* it wants its passcode typed */
	bool receiving;  /* and sends files */
	bool successful; /* "Backup Successful." */
	bool aborted;    /* "Backup Aborted." */
	bool cancelled;  /* by somebody at the phone */
	enum backup_encrypted encrypted;
	unsigned received;    /* files, as it counts them at its end */
	struct error trouble; /* the first line that says why not; kind none */
};

/* Takes a line: valid UTF-8 without control characters, not empty. */
void backup_output_line(struct backup_output *output, const char *line);

/*
 * Why there is no backup, of a program that has ended by itself with exit_status (128 and the
 * signal's number for a signal). Returns the negative errno of error_set().
 */
int backup_output_failed(const struct backup_output *output, int exit_status, struct error *err);
