/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A part owns the locked descriptor of NAME.part and the digest of its bytes:
 *
 *   NAME.part   | 64 MiB | 64 MiB | … | rest |        |
 *               0                        committed   done = end of the file
 *
 * Invariants: the digest is that of bytes 0 to done; prefixes[i] is the SHA-256 of the first i + 1
 * whole segments; NAME.part.json tells nothing that was not synced before. After a crash bytes
 * behind `committed` are thrown away: nobody can say what they are.
 *
 * NAME.part.json: v, url, etag, size, sha1, sha256 as they were asked for, committed, prefixes (the
 * last one is that of all committed bytes).
 */
#include "worker/fetch_part.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "worker/fetch_space.h"
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	STATE_VERSION = 1,
	STATE_BYTES_MAX = 256 * 1024,
	NAME_BYTES = 256,
	OPEN_TRIES = 5,
	COMMIT_MS = 5000,
	READ_BYTES = 1024 * 1024,
	PREFIXES_MAX = 512, /* 32 GiB */
};
static const uint64_t segment_bytes = 64ULL << 20;

struct part {
	int folder_fd;      /* borrowed */
	const char *folder; /* borrowed */
	int fd;
	struct ipsw wanted;
	char etag[HTTP_ETAG_BYTES];
	struct digest *digest;
	uint64_t done, committed, committed_ms;
	size_t prefix_count;
	char prefixes[PREFIXES_MAX][IPSW_SHA256_BYTES];
};

static int memory_error(struct error *err)
{
	return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot keep the download");
}

static void name_make(const struct part *part, const char *ending, char ret[static NAME_BYTES])
{
	snprintf(ret, NAME_BYTES, "%s%s", part->wanted.name, ending);
}

/* --- opening */

/* 1: locked, and still the file of this name; 0: it was renamed meanwhile, again. */
static int lock_try(struct part *part, const char *name, struct error *err)
{
	struct stat ours, named;

	part->fd = openat(part->folder_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (part->fd < 0)
		return space_write_error(errno, part->folder, err);
	if (flock(part->fd, LOCK_EX | LOCK_NB) < 0)
		return error_set(err, ERROR_BUSY, "worker", 0,
				 "Another download writes this firmware file already. Wait for it");
	if (fstat(part->fd, &ours) < 0 || !S_ISREG(ours.st_mode))
		return error_set(err, ERROR_NO_SPACE, "worker", 0,
				 "%s in %.80s is no file. Move it away", name, part->folder);
	if (fstatat(part->folder_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	    named.st_ino == ours.st_ino && named.st_dev == ours.st_dev)
		return 1;
	close(part->fd);
	part->fd = -1;
	return 0;
}

int part_open(int folder_fd, const char *folder, const struct ipsw *wanted, struct part **ret,
	      struct error *err)
{
	_cleanup_(part_freep) struct part *part = calloc(1, sizeof(*part));
	char name[NAME_BYTES];
	int r = 0;

	if (!part)
		return memory_error(err);
	part->fd = -1;
	part->folder_fd = folder_fd;
	part->folder = folder;
	part->wanted = *wanted;
	part->committed_ms = clock_now_ms();
	if (digest_new(&part->digest) < 0)
		return memory_error(err);
	name_make(part, ".part", name);
	for (int i = 0; r == 0 && i < OPEN_TRIES; i++)
		r = lock_try(part, name, err);
	if (r < 0)
		return r;
	if (r == 0)
		return error_set(err, ERROR_BUSY, "worker", 0,
				 "Another download writes this firmware file already. Wait for it");
	*ret = TAKE(part);
	return 0;
}

struct part *part_free(struct part *part)
{
	if (!part)
		return NULL;
	if (part->fd >= 0)
		close(part->fd);
	digest_free(part->digest);
	free(part);
	return NULL;
}

uint64_t part_done(const struct part *part)
{
	return part->done;
}

const char *part_etag(const struct part *part)
{
	return part->etag;
}

void part_set_etag(struct part *part, const char *etag)
{
	text_copy(part->etag, sizeof(part->etag), etag);
}

/* --- the state file */

struct state {
	const char *url, *etag, *sha1, *sha256;
	uint64_t version, size, committed;
	sd_json_variant *prefixes; /* borrowed, an array */
};

#define STATE_FIELD(name, type, dispatch, member)                                                  \
	{ name, SD_JSON_VARIANT_##type, sd_json_dispatch_##dispatch,                               \
	  offsetof(struct state, member), SD_JSON_MANDATORY | SD_JSON_REFUSE_NULL }

static const sd_json_dispatch_field state_fields[] = {
	STATE_FIELD("v", UNSIGNED, uint64, version),
	STATE_FIELD("url", STRING, const_string, url),
	STATE_FIELD("etag", STRING, const_string, etag),
	STATE_FIELD("size", UNSIGNED, uint64, size),
	STATE_FIELD("sha1", STRING, const_string, sha1),
	STATE_FIELD("sha256", STRING, const_string, sha256),
	STATE_FIELD("committed", UNSIGNED, uint64, committed),
	STATE_FIELD("prefixes", ARRAY, variant_noref, prefixes),
	{},
};

static bool is_same_or_unknown(const char *a, const char *b)
{
	return a[0] == '\0' || b[0] == '\0' || strcmp(a, b) == 0;
}

/* Whether the state is of the file that is wanted, with numbers that can be. */
static bool state_fits(const struct part *part, const struct state *state)
{
	uint64_t segments = (state->committed + segment_bytes - 1) / segment_bytes;

	return state->version == STATE_VERSION && strcmp(state->url, part->wanted.url) == 0 &&
	       state->size == part->wanted.size && state->committed <= state->size &&
	       is_same_or_unknown(state->sha1, part->wanted.sha1) &&
	       is_same_or_unknown(state->sha256, part->wanted.sha256) &&
	       strlen(state->etag) < HTTP_ETAG_BYTES && segments <= PREFIXES_MAX &&
	       sd_json_variant_elements(state->prefixes) == segments;
}

/* NULL if there is none that is whole. */
static sd_json_variant *state_load(const struct part *part)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	sd_json_variant *object = NULL;
	char name[NAME_BYTES];
	size_t n = 0;

	name_make(part, ".part.json", name);
	fd = openat(part->folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || file_read_whole(fd, STATE_BYTES_MAX, &text, &n) < 0 || memchr(text, '\0', n))
		return NULL;
	if (sd_json_parse(text, SD_JSON_PARSE_MUST_BE_OBJECT, &object, NULL, NULL) < 0)
		return NULL;
	return object;
}

static int prefixes_build(const struct part *part, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *list = NULL;
	char rest[IPSW_SHA256_BYTES];
	int r = sd_json_variant_new_array(&list, NULL, 0);

	for (size_t i = 0; r >= 0 && i < part->prefix_count; i++)
		r = sd_json_variant_append_arrayb(&list, SD_JSON_BUILD_STRING(part->prefixes[i]));
	if (r >= 0 && part->done % segment_bytes != 0) {
		r = digest_sha256(part->digest, rest);
		if (r >= 0)
			r = sd_json_variant_append_arrayb(&list, SD_JSON_BUILD_STRING(rest));
	}
	if (r < 0)
		return r;
	*ret = TAKE(list);
	return 0;
}

static int state_write(struct part *part, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL, *prefixes = NULL;
	_cleanup_free_ char *text = NULL;
	char name[NAME_BYTES];
	int r = prefixes_build(part, &prefixes);

	if (r < 0)
		return memory_error(err);
	r = sd_json_buildo(&object, SD_JSON_BUILD_PAIR_UNSIGNED("v", STATE_VERSION),
			   SD_JSON_BUILD_PAIR_STRING("url", part->wanted.url),
			   SD_JSON_BUILD_PAIR_STRING("etag", part->etag),
			   SD_JSON_BUILD_PAIR_UNSIGNED("size", part->wanted.size),
			   SD_JSON_BUILD_PAIR_STRING("sha1", part->wanted.sha1),
			   SD_JSON_BUILD_PAIR_STRING("sha256", part->wanted.sha256),
			   SD_JSON_BUILD_PAIR_UNSIGNED("committed", part->done),
			   SD_JSON_BUILD_PAIR_VARIANT("prefixes", prefixes));
	if (r < 0 || sd_json_variant_format(object, SD_JSON_FORMAT_NEWLINE, &text) < 0)
		return memory_error(err);
	name_make(part, ".part.json", name);
	r = file_write_whole(part->folder_fd, name, text, strlen(text));
	return r < 0 ? space_write_error(-r, part->folder, err) : 0;
}

int part_commit(struct part *part, struct error *err)
{
	int r;

	if (part->committed == part->done)
		return 0;
	if (fdatasync(part->fd) < 0)
		return space_write_error(errno, part->folder, err);
	r = state_write(part, err);
	if (r < 0)
		return r;
	part->committed = part->done;
	part->committed_ms = clock_now_ms();
	return 0;
}

/* --- bytes */

static int prefix_keep(struct part *part, struct error *err)
{
	if (part->prefix_count == PREFIXES_MAX)
		return error_set(err, ERROR_UNSUPPORTED, "worker", 0,
				 "The firmware file is larger than any real one");
	if (digest_sha256(part->digest, part->prefixes[part->prefix_count]) < 0)
		return memory_error(err);
	part->prefix_count++;
	return 0;
}

/* Bytes that lie within one segment. */
static int segment_append(struct part *part, const void *bytes, size_t n, struct error *err)
{
	int r = file_write_at(part->fd, bytes, n, part->done);

	if (r < 0)
		return space_write_error(-r, part->folder, err);
	if (digest_add(part->digest, bytes, n) < 0)
		return memory_error(err);
	part->done += n;
	if (part->done % segment_bytes != 0)
		return 0;
	r = prefix_keep(part, err);
	return r < 0 ? r : part_commit(part, err);
}

int part_append(struct part *part, const void *bytes, size_t n, struct error *err)
{
	const char *at = bytes;

	while (n > 0) {
		uint64_t room = segment_bytes - part->done % segment_bytes;
		size_t take = n < room ? n : (size_t)room;
		int r = segment_append(part, at, take, err);

		if (r < 0)
			return r;
		at += take;
		n -= take;
	}
	if (clock_now_ms() - part->committed_ms >= COMMIT_MS)
		return part_commit(part, err);
	return 0;
}

void part_drop(struct part *part)
{
	char name[NAME_BYTES], state[NAME_BYTES];

	name_make(part, ".part", name);
	name_make(part, ".part.json", state);
	(void)unlinkat(part->folder_fd, name, 0);
	(void)unlinkat(part->folder_fd, state, 0);
}

int part_restart(struct part *part, struct error *err)
{
	char name[NAME_BYTES];

	name_make(part, ".part.json", name);
	(void)unlinkat(part->folder_fd, name, 0);
	part->done = part->committed = 0;
	part->prefix_count = 0;
	part->etag[0] = '\0';
	if (digest_reset(part->digest) < 0)
		return memory_error(err);
	return ftruncate(part->fd, 0) < 0 ? space_write_error(errno, part->folder, err) : 0;
}

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

/* Takes the next segment if its bytes are right: 1; 0 if they are not; or a negative errno. */
static int segment_resume(struct part *part, const struct state *state, part_progress_fn progress,
			  void *context)
{
	sd_json_variant *prefix =
	    sd_json_variant_by_index(state->prefixes, part->done / segment_bytes);
	_cleanup_(digest_freep) struct digest *saved = NULL;
	uint64_t to = part->done + segment_bytes;
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
	if (r == 0 || !sd_json_variant_is_string(prefix) ||
	    strcmp(sha256, sd_json_variant_string(prefix)) != 0)
		return digest_copy(part->digest, saved); /* 0 or -ENOMEM */
	part->done = to;
	return 1;
}

static int state_resume(struct part *part, const struct state *state, part_progress_fn progress,
			void *context, struct error *err)
{
	int r = 1;

	while (r > 0 && part->done < state->committed) {
		r = segment_resume(part, state, progress, context);
		if (r > 0 && part->done % segment_bytes == 0 && prefix_keep(part, err) < 0)
			return -EOPNOTSUPP;
	}
	if (r == -ENOMEM)
		return memory_error(err);
	if (r < 0)
		return error_set_errno(err, ERROR_CANCELLED, "worker", -r, "Nobody listens");
	part->committed = part->done;
	if (ftruncate(part->fd, (off_t)part->done) < 0)
		return space_write_error(errno, part->folder, err);
	return 0;
}

int part_resume(struct part *part, part_progress_fn progress, void *context, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = state_load(part);
	struct state state = {};

	if (!object || sd_json_dispatch(object, state_fields, 0, &state) < 0 ||
	    !state_fits(part, &state))
		return part_restart(part, err);
	part_set_etag(part, state.etag);
	return state_resume(part, &state, progress, context, err);
}

/* --- the end */

/* The bytes as the disk has them, not as memory remembers them. */
static int part_reread(struct part *part, struct digest *digest, struct error *err)
{
	int r;

	(void)posix_fadvise(part->fd, 0, 0, POSIX_FADV_DONTNEED);
	if (digest_reset(digest) < 0)
		return memory_error(err);
	r = range_digest(part, digest, 0, part->done, NULL, NULL);
	return r < 0 ? memory_error(err) : digest_fits(digest, &part->wanted);
}

static int part_rename(struct part *part, const char *ending, struct error *err)
{
	char from[NAME_BYTES], to[NAME_BYTES], state[NAME_BYTES];

	name_make(part, ".part", from);
	name_make(part, ".part.json", state);
	name_make(part, ending, to);
	if (renameat(part->folder_fd, from, part->folder_fd, to) < 0 || fsync(part->folder_fd) < 0)
		return space_write_error(errno, part->folder, err);
	(void)unlinkat(part->folder_fd, state, 0);
	return 0;
}

int part_finish(struct part *part, struct digest *digest, struct error *err)
{
	bool fits;
	int r;

	if (fsync(part->fd) < 0)
		return space_write_error(errno, part->folder, err);
	if (digest_copy(digest, part->digest) < 0)
		return memory_error(err);
	fits = digest_fits(digest, &part->wanted);
	if (!fits) {
		r = part_reread(part, digest, err);
		if (r < 0)
			return r;
		fits = r > 0;
	}
	r = part_rename(part, fits ? "" : ".bad", err);
	return r < 0 ? r : fits;
}
