/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The phone's errand "Backup": what the host has already, and how much room there is. */
#include <stdlib.h>
#include <string.h>

#include "plist_stream.h"
#include "services/backup_parts.h"

/* ---- steps: what the host has ---- */

bool errand_old_status_ask(struct run *r)
{
	if (!errand_once(r))
		return false;
	errand_downloads_ask(r, true, false);
	return true;
}

void errand_old_status_hear(struct run *r, int64_t code, plist_t payload)
{
	plist_t status = r->has[GOT_STATUS] ? backup_list_read(&r->got[GOT_STATUS]) : nullptr;
	const char *state = status ? plist_text(status, "SnapshotState") : nullptr;

	if (!state || strcmp(state, "finished") != 0)
		r->full = true;
	plist_free(status);
}

bool errand_old_manifest_ask(struct run *r)
{
	if (r->full || !errand_once(r))
		return false;
	errand_downloads_ask(r, false, true);
	return true;
}

/* A row of the host's manifest: not sent again if nothing changed, removed if it is gone. */
static bool old_row(void *user, const struct backup_row *row)
{
	struct backup_entry key = {}, *found;
	uint8_t digest[BACKUP_DIGEST_BYTES];
	struct run *r = user;
	uint64_t bytes;

	memcpy(key.id, row->id, sizeof(key.id));
	found = r->set.count ? bsearch(&key, r->set.entries, r->set.count,
				       sizeof(struct backup_entry), errand_entry_compare)
			     : nullptr;
	if (row->flags != BACKUP_FILE)
		return true;
	if (!found)
		buf_add(&r->removed, row->id, sizeof(row->id));
	else if (backup_row_content(row, &bytes, digest) && bytes == found->bytes &&
		 !memcmp(digest, found->digest, sizeof(digest)))
		found->is_new = false;
	return true;
}

void errand_old_manifest_hear(struct run *r, int64_t code, plist_t payload)
{
	const struct buf *db = &r->got[GOT_DATABASE];

	if (code == 0 && r->has[GOT_DATABASE] &&
	    backup_db_read(db->bytes, db->len, old_row, r) == 0)
		return;
	/* a manifest that cannot be read: everything once more */
	r->full = true;
	buf_clear(&r->removed);
	for (unsigned i = 0; i < r->set.count; i++)
		r->set.entries[i].is_new = true;
}

bool errand_snapshot_list_ask(struct run *r)
{
	plist_t list;
	BUF_AUTO path = {};

	if (!errand_once(r))
		return false;
	list = devicelink_list("DLContentsOfDirectory");
	plist_array_append_item(list, plist_new_string(errand_path(r, "%s", "Snapshot", &path)));
	errand_send(r, list);
	return true;
}

void errand_snapshot_list_hear(struct run *r, int64_t code, plist_t payload)
{
	r->leftovers = payload && plist_get_node_type(payload) == PLIST_DICT &&
		       plist_dict_get_size(payload) > 0;
}

bool errand_snapshot_remove_ask(struct run *r)
{
	plist_t paths;
	BUF_AUTO path = {};

	if (!r->leftovers || !errand_once(r))
		return false;
	paths = plist_new_array();
	plist_array_append_item(paths, plist_new_string(errand_path(r, "%s", "Snapshot", &path)));
	errand_remove_ask(r, paths);
	return true;
}

/* ---- steps: room ---- */

bool errand_space_ask(struct run *r)
{
	if (r->errand.phone->scenario.backup.skips_space || !errand_once(r))
		return false;
	errand_send(r, devicelink_list("DLMessageGetFreeDiskSpace"));
	return true;
}

void errand_space_hear(struct run *r, int64_t code, plist_t payload)
{
	uint64_t free_bytes = 0;

	if (payload && plist_get_node_type(payload) == PLIST_INT)
		plist_get_uint_val(payload, &free_bytes);
	r->purge = code != 0 || free_bytes <= errand_bytes_left(r) + ROOM_BEYOND;
}

bool errand_purge_ask(struct run *r)
{
	plist_t list;

	if (!r->purge || !errand_once(r))
		return false;
	list = devicelink_list("DLMessagePurgeDiskSpace");
	plist_array_append_item(list, plist_new_uint(errand_bytes_left(r) + ROOM_BEYOND));
	plist_array_append_item(list, plist_new_uint(1));
	errand_send(r, list);
	return true;
}

void errand_purge_hear(struct run *r, int64_t code, plist_t payload)
{
	if (code != 0)
		errand_fail(r, MB_ERROR_SPACE);
}
