/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The phone's errand "Backup": what it can ask of the host. */
#include <string.h>

#include "lockdown_verbs.h"
#include "services/backup_parts.h"
#include "text.h"

const char *const errand_got_names[GOTS] = { "Status.plist", "Manifest.plist", "Manifest.db" };

void errand_fail(struct run *r, unsigned code)
{
	r->over = true;
	backup_respond(r->errand.owner, code, nullptr);
}

bool errand_once(struct run *r)
{
	return r->at++ == 0;
}

uint64_t errand_bytes_left(const struct run *r)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < r->set.count; i++)
		if (r->set.entries[i].is_new)
			bytes += r->set.entries[i].bytes;
	return bytes;
}

int errand_entry_compare(const void *a, const void *b)
{
	return strcmp(((const struct backup_entry *)a)->id, ((const struct backup_entry *)b)->id);
}

/* ---- questions ---- */

void errand_send(struct run *r, plist_t list)
{
	devicelink_send(backup_link(r->errand.owner), list);
}

const char *errand_path(const struct run *r, const char *format, const char *rest, struct buf *to)
{
	buf_addf(to, "%s/", r->errand.id);
	buf_addf(to, format, rest);
	return buf_text(to);
}

void errand_folder_ask(struct run *r, const char *path)
{
	plist_t list = devicelink_list("DLMessageCreateDirectory");

	plist_array_append_item(list, plist_new_string(path));
	plist_array_append_item(list, plist_new_dict());
	plist_array_append_item(list, plist_new_real(0));
	errand_send(r, list);
}

void errand_remove_ask(struct run *r, plist_t paths)
{
	plist_t list = devicelink_list("DLMessageRemoveItems");

	plist_array_append_item(list, paths);
	plist_array_append_item(list, plist_new_dict());
	plist_array_append_item(list, plist_new_real(95));
	errand_send(r, list);
}

void errand_moves_ask(struct run *r, plist_t moves)
{
	plist_t list = devicelink_list("DLMessageMoveItems");

	plist_array_append_item(list, moves);
	plist_array_append_item(list, plist_new_dict());
	plist_array_append_item(list, plist_new_real(90));
	errand_send(r, list);
}

void errand_upload_begin(struct run *r, double progress, uint64_t bytes)
{
	plist_t list = devicelink_list("DLMessageUploadFiles"), options = plist_new_dict();

	dict_number(options, "DLDeviceIOCallbacks", 1);
	plist_array_append_item(list, options);
	plist_array_append_item(list, plist_new_real(progress));
	plist_array_append_item(list, plist_new_uint(bytes));
	errand_send(r, list);
}

void errand_downloads_ask(struct run *r, bool status, bool manifests)
{
	plist_t paths = plist_new_array();

	for (unsigned i = 0; i < GOTS; i++) {
		BUF_AUTO path = {};

		buf_clear(&r->got[i]);
		r->has[i] = false;
		if (i == GOT_STATUS ? !status : !manifests)
			continue;
		plist_array_append_item(
		    paths, plist_new_string(errand_path(r, "%s", errand_got_names[i], &path)));
	}
	backup_ask_files(r->errand.owner, paths, 0);
}

void errand_status_upload(struct run *r, const char *state)
{
	struct buf *status = &r->sent[GOT_STATUS];
	BUF_AUTO path = {};

	buf_clear(status);
	backup_status(r->errand.phone, state, r->full, status);
	errand_upload_begin(r, 0, status->len);
	devicelink_send_file(backup_link(r->errand.owner), "/var/tmp/tmp.0",
			     errand_path(r, "%s", errand_got_names[GOT_STATUS], &path),
			     status->bytes, status->len, nullptr);
	devicelink_end_files(backup_link(r->errand.owner));
}
