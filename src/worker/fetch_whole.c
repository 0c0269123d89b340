/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/fetch_whole.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "worker/digest.h"
#include "worker/fetch_space.h"
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	NOTE_VERSION = 1,
	NOTE_BYTES_MAX = 16 * 1024,
	NAME_BYTES = 256,
	READ_BYTES = 1024 * 1024,
	MS_PER_S = 1000,
	NS_PER_MS = 1000000,
	/* file systems of sticks keep times in steps of two seconds */
	TIME_STEP_MS = 2000,
};

struct note {
	uint64_t version, size, mtime_ms, verified_ms;
	const char *sha1, *sha256;
};

#define NOTE_FIELD(name, type, dispatch, member)                                                   \
	{ name, SD_JSON_VARIANT_##type, sd_json_dispatch_##dispatch,                               \
	  offsetof(struct note, member), SD_JSON_MANDATORY | SD_JSON_REFUSE_NULL }

static const sd_json_dispatch_field note_fields[] = {
	NOTE_FIELD("v", UNSIGNED, uint64, version),
	NOTE_FIELD("size", UNSIGNED, uint64, size),
	NOTE_FIELD("mtime_ms", UNSIGNED, uint64, mtime_ms),
	NOTE_FIELD("sha1", STRING, const_string, sha1),
	NOTE_FIELD("sha256", STRING, const_string, sha256),
	NOTE_FIELD("verified_ms", UNSIGNED, uint64, verified_ms),
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

	return note->version == NOTE_VERSION && note->size == (uint64_t)st->st_size &&
	       apart < TIME_STEP_MS && strlen(note->sha1) == IPSW_SHA1_BYTES - 1 &&
	       strlen(note->sha256) == IPSW_SHA256_BYTES - 1 &&
	       hash_fits(wanted->sha1, note->sha1) && hash_fits(wanted->sha256, note->sha256);
}

static bool note_read(int folder_fd, struct ipsw *wanted, const struct stat *st)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	struct note note = {};
	char name[NAME_BYTES];
	size_t n = 0;

	snprintf(name, sizeof(name), "%s.json", wanted->name);
	fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || file_read_whole(fd, NOTE_BYTES_MAX, &text, &n) < 0 || memchr(text, '\0', n))
		return false;
	if (sd_json_parse(text, SD_JSON_PARSE_MUST_BE_OBJECT, &object, NULL, NULL) < 0 ||
	    sd_json_dispatch(object, note_fields, SD_JSON_ALLOW_EXTENSIONS, &note) < 0)
		return false;
	return note_fits(&note, wanted, st) && ipsw_set_hash(wanted, note.sha1) == 0 &&
	       ipsw_set_hash(wanted, note.sha256) == 0;
}

int whole_note(int folder_fd, const struct ipsw *ipsw)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	_cleanup_free_ char *text = NULL;
	char name[NAME_BYTES];
	struct stat st;
	int r;

	if (fstatat(folder_fd, ipsw->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	r = sd_json_buildo(&object, SD_JSON_BUILD_PAIR_UNSIGNED("v", NOTE_VERSION),
			   SD_JSON_BUILD_PAIR_UNSIGNED("size", (uint64_t)st.st_size),
			   SD_JSON_BUILD_PAIR_UNSIGNED("mtime_ms", mtime_ms(&st)),
			   SD_JSON_BUILD_PAIR_STRING("sha1", ipsw->sha1),
			   SD_JSON_BUILD_PAIR_STRING("sha256", ipsw->sha256),
			   SD_JSON_BUILD_PAIR_UNSIGNED("verified_ms", clock_wall_ms()));
	if (r < 0)
		return r;
	r = sd_json_variant_format(object, SD_JSON_FORMAT_NEWLINE, &text);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "%s.json", ipsw->name);
	return file_write_whole(folder_fd, name, text, strlen(text));
}

static int file_digest(int fd, struct digest *digest, part_progress_fn progress, void *context,
		       struct error *err)
{
	_cleanup_free_ char *buffer = malloc(READ_BYTES);
	uint64_t done = 0;

	if (!buffer)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot hash");
	for (;;) {
		ssize_t n = read(fd, buffer, READ_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(err, ERROR_BAD_FILE, "kernel", errno,
					       "The firmware file cannot be read from the disk");
		if (n == 0)
			return 0;
		if (digest_add(digest, buffer, (size_t)n) < 0)
			return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot hash");
		done += (uint64_t)n;
		if (progress && progress(context, done) < 0)
			return error_set(err, ERROR_CANCELLED, "worker", 0, "Nobody listens");
	}
}

static int set_aside(int folder_fd, const char *folder, const char *name, struct error *err)
{
	char bad[NAME_BYTES];

	snprintf(bad, sizeof(bad), "%s.bad", name);
	if (renameat(folder_fd, name, folder_fd, bad) < 0)
		return space_write_error(errno, folder, err);
	return 0;
}

int whole_find(int folder_fd, const char *folder, struct ipsw *wanted, part_progress_fn progress,
	       void *context, struct error *err)
{
	_cleanup_(digest_freep) struct digest *digest = NULL;
	_cleanup_close_ int fd =
	    openat(folder_fd, wanted->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	int r;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "%.120s in %.80s cannot be read. Move it away", wanted->name,
				 folder);
	if ((uint64_t)st.st_size != wanted->size)
		return set_aside(folder_fd, folder, wanted->name, err);
	if (note_read(folder_fd, wanted, &st))
		return 1;
	if (digest_new(&digest) < 0)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot hash");
	r = file_digest(fd, digest, progress, context, err);
	if (r < 0)
		return r;
	if (!digest_fits(digest, wanted))
		return set_aside(folder_fd, folder, wanted->name, err);
	if (digest_sha1(digest, wanted->sha1) < 0 || digest_sha256(digest, wanted->sha256) < 0)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot hash");
	r = whole_note(folder_fd, wanted);
	if (r < 0)
		log_warning("Cannot note that %s is right: %s", wanted->name, strerror(-r));
	return 1;
}
