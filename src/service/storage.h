/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Where jobs and firmware are kept. In the image: the data partition if there is one, else RAM.
 *
 *   FOLDER/jobs/ID/…      journal, report, what the engine wrote
 *   FOLDER/firmware/…     firmware files and their notes (service/cache.h), unless the person named
 *                         another folder for them
 *   FOLDER/settings.json  what the person chose: v, cache (absolute folder), mirror (URL), disk
 * (uuid of the one that was mounted for it) FOLDER/pairings/…     copy of the pairing records, if
 * the person keeps one (worker `record`, src/worker/README.md); its file kept.json says so. Never
 * in RAM.
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
	const char *note;   /* why there is none (service/data_note.h); NULL the image's */
	const char *cache;  /* absolute folder for firmware, or URL of a mirror, before what the
			       settings say; NULL: those */
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

/*
 * Where firmware goes: adds what struct room tells of it (cache and what begins so, fat) to a room.
 * -ENOSPC (ERROR_NO_SPACE): the folder that the person named is not there, not writable, read-only
 * or fails. It is never made: a disk that is not plugged in must not become a folder in RAM.
 */
int storage_add_cache(const struct storage *storage, struct room *room, struct error *err);

/* A mirror of firmware files (worker/README.md fetch), without a slash at its end. False: none. */
enum { STORAGE_URL_BYTES = 512 };
bool storage_mirror(const struct storage *storage, char ret[static STORAGE_URL_BYTES]);

/*
 * Remembers the person's choice: an absolute folder, a URL (http or https), or "off": neither. What
 * the service was started with goes before it. 0; -EINVAL (ERROR_USAGE) for another word, or what
 * storage_room() and storage_add_cache() say.
 */
int storage_choose(const struct storage *storage, const char *word, struct error *err);

/* The same for a folder on a disk that was mounted for it (service/disks.h). */
enum { STORAGE_DISK_BYTES = 64 };
int storage_choose_disk(const struct storage *storage, const char *folder, const char *uuid,
			struct error *err);
/* Was one mounted for the choice that stands, or for one before it? Then ret is its uuid. */
bool storage_disk(const struct storage *storage, char ret[static STORAGE_DISK_BYTES]);
/* It is unmounted. 0, or a negative errno. */
int storage_forget_disk(const struct storage *storage);

/* Is the word of a choice a URL; does it name a disk: /dev/NAME, or neither a path, a URL nor
 * "off"?
 */
bool storage_word_is_url(const char *word);
bool storage_word_is_disk(const char *word);

/* The service ends in order: so does the cache (cache_close()). */
void storage_close(const struct storage *storage);

/* Says why the disk of a folder takes or gives nothing: full, read-only, gone, worn. -ENOSPC. */
int storage_refuse(const char *folder, int errno_value, struct error *err);

/* All folders that jobs may lie in, "" at the end of ret. */
enum { STORAGE_FOLDERS_MAX = 2 };
void storage_job_folders(const struct storage *storage,
			 char ret[static STORAGE_FOLDERS_MAX][PLAN_ROOM_BYTES]);

/* FOLDER/jobs, the folder of firmware files, and FOLDER/pairings of a room. */
void room_jobs_folder(const struct room *room, char ret[static PLAN_ROOM_BYTES]);
void room_firmware_folder(const struct room *room, char ret[static PLAN_ROOM_BYTES]);
void room_records_folder(const struct room *room, char ret[static PLAN_ROOM_BYTES]);

/* Does the person keep a copy of the pairing records? Then ret is its folder: who forgets a record
 * must have it forgotten there, too. */
bool storage_records_kept(const struct storage *storage, char ret[static PLAN_ROOM_BYTES]);
