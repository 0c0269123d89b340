/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "service/data_note.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/object.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { NOTE_BYTES_MAX = 4096, NOTE_VERSION = 1 };

static const char note_default[] = "/run/idevicerescue-data/data.json";

int data_note_read(const char *path, struct data_note *ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	_cleanup_close_ int fd =
	    open(path ? path : note_default, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	_cleanup_free_ char *text = NULL;
	struct data_note note = { 0 };
	uint64_t version = 0;
	size_t n = 0;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : -EBADMSG;
	if (file_read_whole(fd, NOTE_BYTES_MAX, &text, &n) < 0 || strlen(text) != n ||
	    sd_json_parse(text, 0, &object, NULL, NULL) < 0 || !sd_json_variant_is_object(object) ||
	    object_read_number(object, "v", &version) < 0 || version != NOTE_VERSION ||
	    object_read_text(object, "state", note.state, sizeof(note.state)) < 0 ||
	    object_read_text(object, "text", note.text, sizeof(note.text)) < 0 ||
	    note.state[0] == '\0')
		return -EBADMSG;
	*ret = note;
	return 0;
}

const char *data_note_why(const char *path)
{
	static const struct {
		const char *state, *message;
	} rows[] = {
		/* it is there, and yet what we write goes to RAM: it is not mounted */
		{ "made", "partition-not-used" },
		{ "adopted", "partition-not-used" },
		{ "foreign", "partition-foreign" },
		{ "no-room", "partition-no-room" },
		{ "not-our-stick", "partition-not-our-stick" },
		{ "no-gpt", "partition-no-gpt" },
		{ "several", "partition-several" },
		{ "forbidden", "partition-forbidden" },
		{ "protected", "partition-protected" },
		{ "failed", "partition-failed" },
	};
	struct data_note note;

	if (data_note_read(path, &note) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(note.state, rows[i].state) == 0)
			return rows[i].message;
	return NULL;
}
