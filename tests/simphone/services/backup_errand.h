/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What mobilebackup2.c and the errands that it runs share. An errand is made by …_begin(), asks
 * the host by backup_ask…(), hears each answer, and ends itself with backup_respond(): it is freed
 * after the call that did so.
 */
#pragma once

#include "services/devicelink.h"
#include "services/mobilebackup2.h"

enum {
	MB_ERROR_UNKNOWN = 1,
	MB_ERROR_UPLOAD = 104,
	MB_ERROR_SPACE = 105,
	MB_ERROR_MANIFEST = 205,
	MB_ERROR_PASSWORD = 207,
	MB_ERROR_LOCKED = 208,
	MB_ERROR_FIND_MY = 211,
	MB_ERROR_SETUP = 212,
};

struct errand {
	struct phone *phone;
	struct mobilebackup2 *owner; /* borrowed */
	char id[64];                 /* TargetIdentifier: the folder of the backup */
	/* The host's DLMessageStatusResponse: 0 or a negative code. @payload may be NULL. */
	void (*answer)(struct errand *e, int64_t code, plist_t payload);
	/* A file that was asked for. */
	void (*file)(struct errand *e, const char *path, const struct buf *content, bool whole);
	void (*free)(struct errand *e);
};

struct errand *backup_begin(struct mobilebackup2 *owner, struct phone *phone, const char *id,
			    plist_t request);
struct errand *restore_begin(struct mobilebackup2 *owner, struct phone *phone, const char *id,
			     plist_t request);

struct devicelink *backup_link(struct mobilebackup2 *owner);
/* DLMessageDownloadFiles; @paths (an array) is taken over. */
void backup_ask_files(struct mobilebackup2 *owner, plist_t paths, double progress);
/* The Response that ends the request. @text may be NULL. */
void backup_respond(struct mobilebackup2 *owner, unsigned code, const char *text);
/* The user cancels on the phone: hosts hear of it by a notification, and a moment later this. */
void backup_cancel(struct mobilebackup2 *owner);
/* DLMessageDisconnect instead. */
void backup_hang_up(struct mobilebackup2 *owner);
