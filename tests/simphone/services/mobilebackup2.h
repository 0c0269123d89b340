/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * com.apple.mobilebackup2: backups to the host and back, over DeviceLink (devicelink.h). One
 * connection:
 *
 *   VERSION ──DLVersionsOk──▶ HELLO ──Hello──▶ READY ──Backup, Restore …──▶ PASSCODE ──typed──▶
 * BUSY ▲        (none is wanted) ──────────────────▶   │ └──────────────────── Response
 * ──────────────────┘
 *
 * BUSY: an errand (backup_run.c, restore_run.c) asks the host for what it needs, one question after
 * the other, and ends with a Response.
 */
#pragma once

#include <stdint.h>

#include "stream.h"
#include "timers.h"

struct phone;
struct mobilebackup2;

enum backup_rule {
	BACKUP_NORMAL,
	BACKUP_NOTHING,         /* says at once that it is done, and sent no file */
	BACKUP_NO_FINAL_STATUS, /* Status.plist never says finished */
	BACKUP_NO_FOLDERS,      /* does not make folders before it sends files into them */
	BACKUP_DOTDOT,          /* one file's path leaves the folder of the backup */
	BACKUP_LONG_NAME,       /* one file's path is longer than hosts take */
	BACKUP_CANCEL,          /* the user cancels on the phone, in the middle */
	BACKUP_DISCONNECT,      /* DLMessageDisconnect in place of the Response */
};

struct backup_knobs {
	enum backup_rule rule;
	uint64_t error;         /* the Response to Backup and Restore, if not 0 */
	uint64_t type_after_ms; /* the user types the passcode so long after the wish; 0: nobody */
	uint64_t passcode_ms;   /* how long the wish stands: 180000 */
	bool skips_space;       /* does not ask how much room the host has */
	bool find_my;           /* is on: restoring is refused, 211 */
};

/* What the phone keeps of backups, beyond a connection. */
struct backup_keep {
	char password[64];           /* of encrypted backups; empty: they are not */
	bool cloud;                  /* iCloud backup is on */
	struct mobilebackup2 *asker; /* whose wish for the passcode is on the screen */
};

struct service *mobilebackup2_open(struct phone *phone, void *user, const struct stream *stream);

/* The hand types the passcode that a backup wants, or dismisses the wish. -EINVAL: none is shown.
 */
int mobilebackup2_type(struct phone *phone, bool typed, const char **why);
