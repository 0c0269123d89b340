/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Where jobs and firmware are kept. In the image: the data partition if there is one, else RAM.
 *
 *   FOLDER/jobs/ID/…      journal, report, what the engine wrote
 *   FOLDER/firmware/NAME  whole firmware files; NAME.json beside it says what it is
 *
 * Both are writable for the service's group, which the workers' users share. Nothing is kept open:
 * a partition may fill up or be mounted later, so each question looks anew.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "doctor/plan.h"

struct storage;

struct storage_options {
	const char *folder; /* absolute; the only place then; NULL: those below */
	const char *mount;  /* where a data partition would be mounted; NULL "/data" */
	const char *ram;    /* folder without a data partition; NULL "/var/lib/idevicerescue" */
};

/* Copies the options. 0 or -ENOMEM. */
int storage_new(const struct storage_options *options, struct storage **ret);
struct storage *storage_free(struct storage *storage); /* NULL is fine; returns NULL */
DEFINE_CLEANUP(struct storage *, storage_free)

/*
 * The place for new files, its sub-folders made. Returns 0; or -ENOSPC (ERROR_NO_SPACE) with a text
 * that says what is wrong with it: read-only, full, not ours. A data partition that cannot be used
 * is never replaced by RAM silently.
 */
int storage_room(const struct storage *storage, struct room *ret, struct error *err);

/* All folders that jobs may lie in, "" at the end of ret. */
enum { STORAGE_FOLDERS_MAX = 2 };
void storage_job_folders(const struct storage *storage,
			 char ret[static STORAGE_FOLDERS_MAX][PLAN_ROOM_BYTES]);

/* FOLDER/jobs and FOLDER/firmware of a room. */
void room_jobs_folder(const struct room *room, char ret[static PLAN_ROOM_BYTES]);
void room_firmware_folder(const struct room *room, char ret[static PLAN_ROOM_BYTES]);

/* Remembers beside a whole firmware file what it is. 0 or a negative errno. */
int storage_note_firmware(const struct firmware *firmware);

/*
 * The whole firmware file for this product in the room, of this build (NULL: the one that was
 * fetched last). Returns 0, or -ENOENT.
 */
int storage_find_firmware(const struct room *room, const char *product, const char *build,
			  struct firmware *ret);
