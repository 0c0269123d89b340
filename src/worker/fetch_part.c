/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A part owns the locked descriptor of HASH.ipsw.part, the digest of its bytes, and marks:
 *
 *   HASH.ipsw.part   | 8 MiB | 8 MiB | … | 64 MiB | … |  written, hashed …  |
 *                    0       mark    mark     mark    mark = committed
 *
 * Invariants: marks[i] is the SHA-256 of the first i marks' bytes, once the hashing thread has come
 * there (of what was there before the run: only those that the state needs); HASH.ipsw.part.json
 * tells nothing that was not synced before. After a crash bytes behind `committed` are thrown away:
 * nobody can say what they are. Two threads may fill it; what they share is the etag, which has a
 * lock, and marks, which fetch_flow.c hands over.
 */
#include "worker/fetch_part.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "worker/fetch_space.h"
#include "worker/fetch_state.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	OPEN_TRIES = 5,
	READ_BYTES = 1024 * 1024,
	DIRECT_BYTES = 4096, /* what goes past the cache begins and ends at multiples of it */
	DIRECT_LEAST = 1024 * 1024,
};

struct part {
	struct fetch_place place; /* its folder is borrowed */
	int fd;
	int direct_fd; /* of the same file, past the kernel's cache; -1: its disk has no such way */
	struct ipsw wanted;
	pthread_mutex_t etag_lock;
	char etag[HTTP_ETAG_BYTES];
	char etag_url[IPSW_PATH_BYTES];
	struct digest *digest;
	uint64_t done;
	char (*marks)[IPSW_SHA256_BYTES]; /* of size / part_mark_bytes + 1 */
};

static int memory_error(struct error *err)
{
	return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot keep the download");
}

/* --- opening */

static int busy_error(struct error *err)
{
	return error_set(err, ERROR_BUSY, "worker", 0,
			 "Another download writes this firmware file already. Wait for it");
}

/* 1: locked, and still the file of this name; 0: it was renamed meanwhile, again. */
static int lock_try(struct part *part, const char *name, struct error *err)
{
	struct stat ours, named;

	part->fd =
	    openat(part->place.folder_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (part->fd < 0)
		return space_write_error(errno, part->place.folder, err);
	if (flock(part->fd, LOCK_EX | LOCK_NB) < 0)
		return busy_error(err);
	if (fstat(part->fd, &ours) < 0 || !S_ISREG(ours.st_mode))
		return error_set(err, ERROR_NO_SPACE, "worker", 0,
				 "%.80s in %.80s is no file. Move it away", name,
				 part->place.folder);
	if (fstatat(part->place.folder_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	    named.st_ino == ours.st_ino && named.st_dev == ours.st_dev)
		return 1;
	close(part->fd);
	part->fd = -1;
	return 0;
}

/* Bytes that nobody reads soon cost twice as much by way of the kernel's cache, and push out what
 * is of use there. */
static void direct_open(struct part *part, const char *name)
{
	struct stat ours, theirs;

	part->direct_fd = openat(part->place.folder_fd, name,
				 O_WRONLY | O_DIRECT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (part->direct_fd < 0 ||
	    (fstat(part->fd, &ours) == 0 && fstat(part->direct_fd, &theirs) == 0 &&
	     ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev))
		return;
	close(part->direct_fd);
	part->direct_fd = -1;
}

/* A part under another name gets ours, its state first: a part without one begins anew. */
static int part_adopt(const struct fetch_place *place, const char *other, struct error *err)
{
	struct fetch_place theirs = *place;
	char from[PLACE_NAME_BYTES], to[PLACE_NAME_BYTES];
	_cleanup_close_ int fd = -1;

	text_copy(theirs.stem, sizeof(theirs.stem), other);
	fetch_place_name(&theirs, ".part", from);
	fd = openat(place->folder_fd, from, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return 0;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return busy_error(err);
	fetch_place_name(&theirs, ".part.json", from);
	fetch_place_name(place, ".part.json", to);
	(void)renameat(place->folder_fd, from, place->folder_fd, to);
	fetch_place_name(&theirs, ".part", from);
	fetch_place_name(place, ".part", to);
	/* another fetch may have been faster */
	if (renameat(place->folder_fd, from, place->folder_fd, to) < 0 && errno != ENOENT)
		return space_write_error(errno, place->folder, err);
	return 0;
}

static int parts_adopt(const struct fetch_place *place, const struct ipsw *wanted,
		       struct error *err)
{
	char name[PLACE_NAME_BYTES];
	int r = 0;

	fetch_place_name(place, ".part", name);
	for (size_t i = 0; r == 0 && faccessat(place->folder_fd, name, F_OK, 0) < 0; i++) {
		char other[PLACE_NAME_BYTES];

		if (!fetch_place_other_name(place, wanted, i, other))
			break;
		r = part_adopt(place, other, err);
	}
	return r;
}

static int part_new(const struct fetch_place *place, const struct ipsw *wanted, struct part **ret)
{
	_cleanup_(part_freep) struct part *part = calloc(1, sizeof(*part));

	if (!part)
		return -ENOMEM;
	part->fd = part->direct_fd = -1;
	part->place = *place;
	part->wanted = *wanted;
	pthread_mutex_init(&part->etag_lock, NULL);
	part->marks = calloc((size_t)(wanted->size / part_mark_bytes) + 1, sizeof(*part->marks));
	if (!part->marks || digest_new(&part->digest) < 0)
		return -ENOMEM;
	*ret = TAKE(part);
	return 0;
}

int part_open(const struct fetch_place *place, const struct ipsw *wanted, struct part **ret,
	      struct error *err)
{
	_cleanup_(part_freep) struct part *part = NULL;
	char name[PLACE_NAME_BYTES];
	int r = parts_adopt(place, wanted, err);

	if (r < 0)
		return r;
	if (part_new(place, wanted, &part) < 0)
		return memory_error(err);
	fetch_place_name(place, ".part", name);
	for (int i = 0; r == 0 && i < OPEN_TRIES; i++)
		r = lock_try(part, name, err);
	if (r < 0)
		return r;
	if (r == 0)
		return busy_error(err);
	direct_open(part, name);
	*ret = TAKE(part);
	return 0;
}

struct part *part_free(struct part *part)
{
	if (!part)
		return NULL;
	if (part->fd >= 0)
		close(part->fd);
	if (part->direct_fd >= 0)
		close(part->direct_fd);
	digest_free(part->digest);
	pthread_mutex_destroy(&part->etag_lock);
	free(part->marks);
	free(part);
	return NULL;
}

uint64_t part_done(const struct part *part)
{
	return part->done;
}

const char *part_etag(const struct part *part, const char *url)
{
	return strcmp(part->etag_url, url) == 0 ? part->etag : "";
}

void part_set_etag(struct part *part, const char *url, const char *etag)
{
	pthread_mutex_lock(&part->etag_lock);
	text_copy(part->etag, sizeof(part->etag), etag);
	text_copy(part->etag_url, sizeof(part->etag_url), url);
	pthread_mutex_unlock(&part->etag_lock);
}

/* --- the state file */

/* 0, or -ENOENT: there is none that is whole and of this file. */
static int state_load(const struct part *part, struct fetch_state *ret)
{
	_cleanup_(fetch_state_done) struct fetch_state state = {};
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	char name[PLACE_NAME_BYTES];
	size_t n = 0;

	fetch_place_name(&part->place, ".part.json", name);
	fd = openat(part->place.folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || file_read_whole(fd, STATE_BYTES_MAX, &text, &n) < 0 ||
	    fetch_state_parse(text, n, &state) < 0 || !fetch_state_fits(&state, &part->wanted))
		return -ENOENT;
	*ret = TAKE_STRUCT(state);
	return 0;
}

/* Prefixes of whole segments, and of all bytes before `at`. */
static int prefixes_build(const struct part *part, uint64_t at, struct fetch_state *state)
{
	static const uint64_t marks_each = state_segment_bytes / part_mark_bytes;
	size_t count = (size_t)(at / state_segment_bytes);

	state->prefixes = calloc(count + 1, sizeof(*state->prefixes));
	if (!state->prefixes)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		text_copy(state->prefixes[i], IPSW_SHA256_BYTES, part->marks[(i + 1) * marks_each]);
	state->prefix_count = count;
	if (at % state_segment_bytes == 0)
		return 0;
	state->prefix_count++;
	if (at % part_mark_bytes != 0)
		return digest_sha256(part->digest, state->prefixes[count]);
	text_copy(state->prefixes[count], IPSW_SHA256_BYTES, part->marks[at / part_mark_bytes]);
	return 0;
}

static int state_build(struct part *part, uint64_t at, struct fetch_state *state)
{
	text_copy(state->url, sizeof(state->url), part->wanted.url);
	text_copy(state->sha1, sizeof(state->sha1), part->wanted.sha1);
	text_copy(state->sha256, sizeof(state->sha256), part->wanted.sha256);
	state->size = part->wanted.size;
	state->committed = at;
	pthread_mutex_lock(&part->etag_lock);
	text_copy(state->etag, sizeof(state->etag), part->etag);
	text_copy(state->from, sizeof(state->from),
		  part->etag_url[0] ? part->etag_url : part->wanted.url);
	pthread_mutex_unlock(&part->etag_lock);
	return prefixes_build(part, at, state);
}

int part_commit(struct part *part, uint64_t at, struct error *err)
{
	_cleanup_(fetch_state_done) struct fetch_state state = {};
	_cleanup_free_ char *text = NULL;
	char name[PLACE_NAME_BYTES];
	int r;

	if (fdatasync(part->fd) < 0)
		return space_write_error(errno, part->place.folder, err);
	if (state_build(part, at, &state) < 0 || fetch_state_format(&state, &text) < 0)
		return memory_error(err);
	fetch_place_name(&part->place, ".part.json", name);
	r = file_write_whole(part->place.folder_fd, name, text, strlen(text));
	return r < 0 ? space_write_error(-r, part->place.folder, err) : 0;
}

/* --- bytes */

/* -EINVAL: it is not done in this way. */
static int write_direct(struct part *part, uint64_t at, const void *bytes, size_t n)
{
	int r;

	if (part->direct_fd < 0 || n < DIRECT_LEAST ||
	    (at | n | (uintptr_t)bytes) % DIRECT_BYTES != 0)
		return -EINVAL;
	r = file_write_at(part->direct_fd, bytes, n, at);
	if (r == -EINVAL) {
		close(part->direct_fd);
		part->direct_fd = -1;
	}
	return r;
}

int part_write(struct part *part, uint64_t at, const void *bytes, size_t n, struct error *err)
{
	int r = write_direct(part, at, bytes, n);

	if (r == -EINVAL)
		r = file_write_at(part->fd, bytes, n, at);
	if (r < 0)
		return space_write_error(-r, part->place.folder, err);
	/* on its way early, so that the next commit has little to wait for; no promise, so a
	 * failure shows there */
	if (at / part_mark_bytes != (at + n) / part_mark_bytes)
		(void)sync_file_range(part->fd, (off_t)(at - at % part_mark_bytes),
				      (off_t)part_mark_bytes, SYNC_FILE_RANGE_WRITE);
	return digest_add_sha1(part->digest, bytes, n) < 0 ? memory_error(err) : 0;
}

int part_hash(struct part *part, const void *bytes, size_t n, struct error *err)
{
	return digest_add_sha256(part->digest, bytes, n) < 0 ? memory_error(err) : 0;
}

int part_mark(struct part *part, uint64_t at, struct error *err)
{
	if (at % part_mark_bytes != 0)
		return 0;
	return digest_sha256(part->digest, part->marks[at / part_mark_bytes]) < 0
		   ? memory_error(err)
		   : 0;
}

void part_rest(struct part *part, uint64_t at)
{
	part->done = at;
}

static void part_unlink(const struct fetch_place *place)
{
	char name[PLACE_NAME_BYTES], state[PLACE_NAME_BYTES];

	fetch_place_name(place, ".part", name);
	fetch_place_name(place, ".part.json", state);
	(void)unlinkat(place->folder_fd, name, 0);
	(void)unlinkat(place->folder_fd, state, 0);
}

void part_drop(struct part *part)
{
	part_unlink(&part->place);
}

void part_clear(const struct fetch_place *place)
{
	char name[PLACE_NAME_BYTES];
	_cleanup_close_ int fd = -1;

	fetch_place_name(place, ".part", name);
	fd = openat(place->folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 ? errno == ENOENT : flock(fd, LOCK_EX | LOCK_NB) == 0)
		part_unlink(place);
}

int part_restart(struct part *part, struct error *err)
{
	char name[PLACE_NAME_BYTES];

	fetch_place_name(&part->place, ".part.json", name);
	(void)unlinkat(part->place.folder_fd, name, 0);
	part->done = 0;
	part_set_etag(part, "", "");
	if (digest_reset(part->digest) < 0)
		return memory_error(err);
	return ftruncate(part->fd, 0) < 0 ? space_write_error(errno, part->place.folder, err) : 0;
}

/* --- what lies there */

/* Adds the file's bytes from `from` to `to` to the digest. 1, 0 if they cannot be read, or what
 * progress returned. */
static int range_digest(const struct part *part, struct digest *digest, uint64_t from, uint64_t to,
			part_progress_fn progress, void *context)
{
	_cleanup_free_ char *buffer = malloc(READ_BYTES);

	if (!buffer)
		return -ENOMEM;
	while (from < to) {
		size_t n = to - from < READ_BYTES ? (size_t)(to - from) : READ_BYTES;
		ssize_t got = pread(part->fd, buffer, n, (off_t)from);
		int r;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return 0;
		if (digest_add(digest, buffer, (size_t)got) < 0)
			return -ENOMEM;
		from += (uint64_t)got;
		r = progress ? progress(context, from) : 0;
		if (r < 0)
			return r;
	}
	return 1;
}

/* Of what range_digest() returned. */
static int digest_error(int r, struct error *err)
{
	if (r == -ENOMEM)
		return memory_error(err);
	return error_set_errno(err, ERROR_CANCELLED, "worker", -r, "Nobody listens");
}

/* Takes the next segment if its bytes are right: 1; 0 if they are not; or a negative errno. */
static int segment_resume(struct part *part, const struct fetch_state *state,
			  part_progress_fn progress, void *context)
{
	const char *prefix = state->prefixes[part->done / state_segment_bytes];
	_cleanup_(digest_freep) struct digest *saved = NULL;
	uint64_t to = part->done + state_segment_bytes;
	char sha256[IPSW_SHA256_BYTES];
	int r;

	if (to > state->committed)
		to = state->committed;
	if (digest_new(&saved) < 0 || digest_copy(saved, part->digest) < 0)
		return -ENOMEM;
	r = range_digest(part, part->digest, part->done, to, progress, context);
	if (r < 0)
		return r;
	if (r > 0 && digest_sha256(part->digest, sha256) < 0)
		return -ENOMEM;
	if (r == 0 || strcmp(sha256, prefix) != 0)
		return digest_copy(part->digest, saved); /* 0 or -ENOMEM */
	part->done = to;
	if (to % part_mark_bytes == 0)
		text_copy(part->marks[to / part_mark_bytes], IPSW_SHA256_BYTES, sha256);
	return 1;
}

int part_resume(struct part *part, part_progress_fn progress, void *context, struct error *err)
{
	_cleanup_(fetch_state_done) struct fetch_state state = {};
	int r = 1;

	if (state_load(part, &state) < 0)
		return part_restart(part, err);
	part_set_etag(part, state.from, state.etag);
	while (r > 0 && part->done < state.committed)
		r = segment_resume(part, &state, progress, context);
	if (r < 0)
		return digest_error(r, err);
	if (ftruncate(part->fd, (off_t)part->done) < 0)
		return space_write_error(errno, part->place.folder, err);
	return 0;
}

/* --- the end */

/* The bytes as the disk has them, not as memory remembers them. 1: they are right; 0: they are not;
 * or a negative errno with err set. */
static int part_reread(struct part *part, struct digest *digest, part_progress_fn progress,
		       void *context, struct error *err)
{
	int r;

	(void)posix_fadvise(part->fd, 0, 0, POSIX_FADV_DONTNEED);
	if (digest_reset(digest) < 0)
		return memory_error(err);
	r = range_digest(part, digest, 0, part->done, progress, context);
	return r < 0 ? digest_error(r, err) : digest_fits(digest, &part->wanted);
}

static int part_rename(struct part *part, const char *ending, struct error *err)
{
	char from[PLACE_NAME_BYTES], to[PLACE_NAME_BYTES], state[PLACE_NAME_BYTES];

	fetch_place_name(&part->place, ".part", from);
	fetch_place_name(&part->place, ".part.json", state);
	fetch_place_name(&part->place, ending, to);
	if (renameat(part->place.folder_fd, from, part->place.folder_fd, to) < 0 ||
	    fsync(part->place.folder_fd) < 0)
		return space_write_error(errno, part->place.folder, err);
	(void)unlinkat(part->place.folder_fd, state, 0);
	return 0;
}

int part_finish(struct part *part, struct digest *digest, part_progress_fn progress, void *context,
		struct error *err)
{
	bool fits;
	int r;

	if (fsync(part->fd) < 0)
		return space_write_error(errno, part->place.folder, err);
	if (digest_copy(digest, part->digest) < 0)
		return memory_error(err);
	fits = digest_fits(digest, &part->wanted);
	if (!fits) {
		r = part_reread(part, digest, progress, context, err);
		if (r < 0)
			return r;
		fits = r > 0;
	}
	r = part_rename(part, fits ? "" : ".bad", err);
	return r < 0 ? r : fits;
}
