/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/fetch_note.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	NOTE_VERSION_OLD = 1, /* verified_level was not told, it was 1 */
	NOTE_VERSION = 2,
	NOTE_BYTES_MAX = 64 * 1024,
	NOTES_MAX = 1000,
	LEVEL_HASHED = 1,
	MS_PER_S = 1000,
	NS_PER_MS = 1000000,
	/* file systems of sticks keep times in steps of two seconds */
	TIME_STEP_MS = 2000,
};
static const char note_ending[] = ".json";

struct note {
	uint64_t version, size, mtime_ms, verified_ms, verified_level;
	const char *sha1, *sha256;
};

#define NOTE_FIELD(name, type, dispatch, member)                                                   \
	{ name, SD_JSON_VARIANT_##type, sd_json_dispatch_##dispatch,                               \
	  offsetof(struct note, member), SD_JSON_REFUSE_NULL }

static const sd_json_dispatch_field note_fields[] = {
	NOTE_FIELD("v", UNSIGNED, uint64, version),
	NOTE_FIELD("size", UNSIGNED, uint64, size),
	NOTE_FIELD("mtime_ms", UNSIGNED, uint64, mtime_ms),
	NOTE_FIELD("sha1", STRING, const_string, sha1),
	NOTE_FIELD("sha256", STRING, const_string, sha256),
	NOTE_FIELD("verified_ms", UNSIGNED, uint64, verified_ms),
	NOTE_FIELD("verified_level", UNSIGNED, uint64, verified_level),
	{},
};

static uint64_t mtime_ms(const struct stat *st)
{
	return (uint64_t)st->st_mtim.tv_sec * MS_PER_S + (uint64_t)st->st_mtim.tv_nsec / NS_PER_MS;
}

static bool hash_fits(const char *wanted, const char *noted)
{
	return wanted[0] == '\0' || strcmp(wanted, noted) == 0;
}

/* Whether the note is of this very file and of the one that is wanted. */
static bool note_fits(const struct note *note, const struct ipsw *wanted, const struct stat *st)
{
	uint64_t time = mtime_ms(st);
	uint64_t apart = time > note->mtime_ms ? time - note->mtime_ms : note->mtime_ms - time;
	bool hashed = note->version == NOTE_VERSION_OLD ||
		      (note->version == NOTE_VERSION && note->verified_level >= LEVEL_HASHED);

	return hashed && note->verified_ms > 0 && note->size == (uint64_t)st->st_size &&
	       apart < TIME_STEP_MS && strlen(note->sha1) == IPSW_SHA1_BYTES - 1 &&
	       strlen(note->sha256) == IPSW_SHA256_BYTES - 1 &&
	       hash_fits(wanted->sha1, note->sha1) && hash_fits(wanted->sha256, note->sha256);
}

/* The object in folder_fd/name; NULL if there is none. */
static sd_json_variant *object_read(int folder_fd, const char *name)
{
	sd_json_variant *object = NULL;
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd =
	    openat(folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	size_t n = 0;

	if (fd < 0 || file_read_whole(fd, NOTE_BYTES_MAX, &text, &n) < 0 || memchr(text, '\0', n))
		return NULL;
	if (sd_json_parse(text, SD_JSON_PARSE_MUST_BE_OBJECT, &object, NULL, NULL) < 0)
		return NULL;
	return object;
}

static bool object_is_note(sd_json_variant *object, struct note *ret)
{
	*ret = (struct note){ .sha1 = "", .sha256 = "" };
	return object && sd_json_dispatch(object, note_fields, SD_JSON_ALLOW_EXTENSIONS, ret) >= 0;
}

uint64_t note_read(const struct fetch_place *place, const char *name, struct ipsw *wanted,
		   const struct stat *st)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	char note_name[PLACE_NAME_BYTES];
	struct note note;

	snprintf(note_name, sizeof(note_name), "%.240s%s", name, note_ending);
	object = object_read(place->folder_fd, note_name);
	if (!object_is_note(object, &note) || !note_fits(&note, wanted, st) ||
	    ipsw_set_hash(wanted, note.sha1) < 0 || ipsw_set_hash(wanted, note.sha256) < 0)
		return 0;
	return note.verified_ms;
}

static bool ends_with(const char *name, const char *ending)
{
	size_t n = strlen(name), m = strlen(ending);

	return n > m && strcmp(name + n - m, ending) == 0;
}

/* The note tells this SHA-1, and its file has the name that its SHA-256 gives it. */
static bool is_of_sha1(const struct fetch_place *place, const char *note_name, const char *sha1,
		       char ret[static PLACE_NAME_BYTES])
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object =
	    object_read(place->folder_fd, note_name);
	char name[PLACE_NAME_BYTES], expected[PLACE_NAME_BYTES];
	struct note note;

	if (!object_is_note(object, &note) || strcmp(note.sha1, sha1) != 0)
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)(strlen(note_name) - sizeof(note_ending) + 1),
		 note_name);
	snprintf(expected, sizeof(expected), "%.64s.ipsw", note.sha256);
	if (strcmp(name, expected) != 0 || faccessat(place->folder_fd, name, F_OK, 0) < 0)
		return false;
	text_copy(ret, PLACE_NAME_BYTES, name);
	return true;
}

bool note_find_sha1(const struct fetch_place *place, const char *sha1,
		    char ret[static PLACE_NAME_BYTES])
{
	int fd = openat(place->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	bool found = false;

	for (int i = 0; dir && !found && i < NOTES_MAX && (entry = readdir(dir)); i++)
		found = ends_with(entry->d_name, ".ipsw.json") &&
			is_of_sha1(place, entry->d_name, sha1, ret);
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	return found;
}

/* The firmware and our fields, on top of what others noted of the same bytes. */
static int note_build(sd_json_variant *old, const struct ipsw *ipsw, const struct note *ours,
		      sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL, *fields = NULL,
							  *firmware = NULL;
	uint64_t level = ours->verified_level;
	struct note note;
	int r;

	if (object_is_note(old, &note) && strcmp(note.sha256, ipsw->sha256) == 0) {
		object = sd_json_variant_ref(old);
		if (note.verified_level > level)
			level = note.verified_level;
	}
	r = ipsw_to_json(ipsw, &firmware, NULL);
	if (r >= 0)
		r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_UNSIGNED("v", NOTE_VERSION),
				   SD_JSON_BUILD_PAIR_UNSIGNED("mtime_ms", ours->mtime_ms),
				   SD_JSON_BUILD_PAIR_UNSIGNED("verified_ms", ours->verified_ms),
				   SD_JSON_BUILD_PAIR_UNSIGNED("verified_level", level));
	if (r >= 0)
		r = sd_json_variant_merge_object(&object, firmware);
	if (r >= 0)
		r = sd_json_variant_merge_object(&object, fields);
	if (r < 0)
		return r;
	*ret = TAKE(object);
	return 0;
}

int note_write(const struct fetch_place *place, const struct ipsw *ipsw, uint64_t verified_ms)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL, *old = NULL;
	struct note ours = { .verified_ms = verified_ms, .verified_level = LEVEL_HASHED };
	_cleanup_free_ char *text = NULL;
	struct ipsw plain = *ipsw;
	char name[PLACE_NAME_BYTES];
	struct stat st;
	int r;

	if (fstatat(place->folder_fd, place->stem, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	fetch_place_name(place, note_ending, name);
	old = object_read(place->folder_fd, name);
	plain.path[0] = '\0';
	plain.verified = true;
	plain.size = (uint64_t)st.st_size;
	ours.mtime_ms = mtime_ms(&st);
	r = note_build(old, &plain, &ours, &object);
	if (r < 0)
		return r;
	r = sd_json_variant_format(object, SD_JSON_FORMAT_NEWLINE, &text);
	if (r < 0)
		return r;
	return file_write_whole(place->folder_fd, name, text, strlen(text));
}
