/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/fetch_whole.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "worker/digest.h"
#include "worker/fetch_note.h"
#include "worker/fetch_space.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 1024 * 1024 };

/* 1: all of it is in the digest; 0: it cannot be read; or a negative errno. */
static int file_digest(int fd, struct digest *digest, const struct whole_options *options,
		       struct error *err)
{
	_cleanup_free_ char *buffer = malloc(READ_BYTES);
	uint64_t done = 0;

	if (!buffer)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot hash");
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	for (;;) {
		ssize_t n = read(fd, buffer, READ_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			log_warning("The firmware file cannot be read: %s", strerror(errno));
			return 0;
		}
		if (n == 0)
			return 1;
		if (digest_add(digest, buffer, (size_t)n) < 0)
			return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot hash");
		done += (uint64_t)n;
		if (options->progress && options->progress(options->context, done) < 0)
			return error_set(err, ERROR_CANCELLED, "worker", 0, "Nobody listens");
	}
}

/* A wrong file is kept as HASH.ipsw.bad, but not taken away from who uses it. fd: of it. */
static int set_aside(const struct fetch_place *place, const char *name, int fd, struct error *err)
{
	char bad[PLACE_NAME_BYTES], note[PLACE_NAME_BYTES];

	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return error_set(err, ERROR_BUSY, "worker", 0,
				 "The firmware file %.80s is damaged, and in use. Wait until that "
				 "has ended, then try again",
				 name);
	fetch_place_name(place, ".bad", bad);
	if (renameat(place->folder_fd, name, place->folder_fd, bad) < 0)
		return space_write_error(errno, place->folder, err);
	/* the note of the name that is looked for gets its new file soon */
	snprintf(note, sizeof(note), "%.240s.json", name);
	if (strcmp(name, place->stem) != 0)
		(void)unlinkat(place->folder_fd, note, 0);
	return 0;
}

/* Gives the file its name by its hash, and its note along with it, unless somebody uses it under
 * the one it has. fd: of it, with a shared lock. */
static int file_adopt(struct fetch_place *place, const char *name, int fd, struct error *err)
{
	char note[PLACE_NAME_BYTES], to[PLACE_NAME_BYTES];

	if (strcmp(name, place->stem) == 0)
		return 0;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		text_copy(place->stem, sizeof(place->stem), name);
		return 0;
	}
	if (renameat(place->folder_fd, name, place->folder_fd, place->stem) < 0 ||
	    fsync(place->folder_fd) < 0)
		return space_write_error(errno, place->folder, err);
	snprintf(note, sizeof(note), "%.240s.json", name);
	fetch_place_name(place, ".json", to);
	(void)renameat(place->folder_fd, note, place->folder_fd, to);
	return 0;
}

/* The lock came too late: the file was removed, or has another name. */
static bool is_gone(const struct fetch_place *place, const char *name, const struct stat *ours)
{
	struct stat named;

	return fstatat(place->folder_fd, name, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
	       named.st_ino != ours->st_ino || named.st_dev != ours->st_dev;
}

/* *ret_fd: the file, with a shared lock. 1; 0: there is none of this name; or a negative errno. */
static int file_open(const struct fetch_place *place, const char *name, int *ret_fd,
		     struct stat *ret_stat, struct error *err)
{
	_cleanup_close_ int fd =
	    openat(place->folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, ret_stat) < 0 || !S_ISREG(ret_stat->st_mode))
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "%.120s in %.80s cannot be read. Move it away", name,
				 place->folder);
	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		return error_set(err, ERROR_BUSY, "worker", 0,
				 "The firmware file %.80s is being removed. Try again", name);
	if (fstat(fd, ret_stat) < 0 || is_gone(place, name, ret_stat))
		return 0;
	*ret_fd = TAKE_FD(fd);
	return 1;
}

/* 1: hashed, and right; 0: wrong, or cannot be read; or a negative errno. */
static int file_verify(int fd, struct ipsw *wanted, const struct whole_options *options,
		       struct error *err)
{
	_cleanup_(digest_freep) struct digest *digest = NULL;
	int r;

	if (digest_new(&digest) < 0)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot hash");
	r = file_digest(fd, digest, options, err);
	if (r <= 0)
		return r;
	if (!digest_fits(digest, wanted))
		return 0;
	if (digest_sha1(digest, wanted->sha1) < 0 || digest_sha256(digest, wanted->sha256) < 0)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot hash");
	return 1;
}

/* As whole_find(), under one name. */
static int whole_look(struct fetch_place *place, const char *name, struct ipsw *wanted,
		      const struct whole_options *options, struct error *err)
{
	struct ipsw noted = *wanted;
	_cleanup_close_ int fd = -1;
	uint64_t verified_ms;
	struct stat st;
	int r = file_open(place, name, &fd, &st, err);

	if (r <= 0)
		return r;
	verified_ms = note_read(place, name, &noted, &st);
	/* whoever tells the size may be wrong, a hash that was right is not */
	if (!verified_ms && (uint64_t)st.st_size != wanted->size)
		return set_aside(place, name, fd, err);
	if (options->rehash)
		verified_ms = 0;
	if (verified_ms)
		*wanted = noted;
	else
		r = file_verify(fd, wanted, options, err);
	if (r == 0)
		return set_aside(place, name, fd, err);
	if (r < 0)
		return r;
	wanted->size = (uint64_t)st.st_size;
	if (verified_ms && strcmp(name, place->stem) == 0)
		return 1;
	r = file_adopt(place, name, fd, err);
	if (r < 0)
		return r;
	r = note_write(place, wanted, verified_ms ? verified_ms : clock_wall_ms());
	if (r < 0)
		log_warning("Cannot note that %s is right: %s", place->stem, strerror(-r));
	return 1;
}

int whole_find(struct fetch_place *place, struct ipsw *wanted, const struct whole_options *options,
	       struct error *err)
{
	char name[PLACE_NAME_BYTES];
	struct ipsw asked = *wanted;
	int r = 0;

	if (!wanted->sha256[0] && note_find_sha1(place, wanted->sha1, name)) {
		text_copy(place->stem, sizeof(place->stem), name);
		r = whole_look(place, name, wanted, options, err);
		/* the one known by its SHA-256 was wrong: a new one is named as it was asked for */
		if (r == 0)
			fetch_place_set_stem(place, &asked);
	}
	if (r == 0)
		r = whole_look(place, place->stem, wanted, options, err);
	for (size_t i = 0; r == 0 && fetch_place_other_name(place, &asked, i, name); i++)
		r = whole_look(place, name, wanted, options, err);
	return r;
}
