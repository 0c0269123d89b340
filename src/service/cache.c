/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is asked of the firmware files that are kept; each question is a new look (cache_look.c). A
 * lock is only taken to delete.
 */
#include "service/cache.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "doctor/signing.h"
#include "facts/facts.h"
#include "service/cache_look.h"
#include "service/storage.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

enum { WORD_DIGITS_MIN = 8 };

static const uint64_t part_old_ms = UINT64_C(14) * 24 * 3600 * 1000;

int cache_list(const struct room *room, struct cache_entry **ret, size_t *ret_count)
{
	_cleanup_(cache_look_freep) struct cache_look *look = NULL;
	int r = cache_look_new(room, &look);

	if (r < 0 && r != -ENOENT)
		return r;
	*ret = look ? TAKE(look->entries) : NULL;
	*ret_count = look ? look->count : 0;
	return 0;
}

/* --- finding --------------------------------------------------------------------------------- */

static bool given(const char *text)
{
	return text && text[0] != '\0';
}

/* 1 equal, -1 different, 0 one of both is not known. */
static int compare_known(const char *a, const char *b)
{
	if (!given(a) || !given(b))
		return 0;
	return strcmp(a, b) == 0 ? 1 : -1;
}

/* What speaks for an entry, the more the better. */
enum fit { FIT_NONE, FIT_NAMES, FIT_ADDRESS, FIT_HASH };

static enum fit entry_fit(const struct cache_entry *entry, const struct cache_query *query)
{
	int sha256 = compare_known(entry->firmware.sha256, query->sha256);
	int sha1 = compare_known(entry->firmware.sha1, query->sha1);

	if (entry->kind != CACHE_WHOLE || sha256 < 0 || sha1 < 0)
		return FIT_NONE;
	if (sha256 > 0 || sha1 > 0)
		return FIT_HASH;
	if (compare_known(entry->firmware.url, query->url) > 0)
		return FIT_ADDRESS;
	if (!given(query->product) && !given(query->build))
		return FIT_NONE;
	if (given(query->product) &&
	    !words_have(entry->products, query->product, strlen(query->product)))
		return FIT_NONE;
	if (given(query->build) && strcmp(entry->firmware.build, query->build) != 0)
		return FIT_NONE;
	return FIT_NAMES;
}

struct found {
	const struct cache_entry *entry; /* NULL none */
	enum fit fit;
	time_t written;
};

static bool is_better(const struct found *one, const struct found *best)
{
	int order;

	if (!best->entry || one->fit != best->fit)
		return !best->entry || one->fit > best->fit;
	order = build_compare(one->entry->firmware.build, best->entry->firmware.build);
	return order != 0 ? order > 0 : one->written > best->written;
}

int cache_find(const struct room *room, const struct cache_query *query, struct firmware *ret)
{
	_cleanup_(cache_look_freep) struct cache_look *look = NULL;
	struct found best = { 0 };

	if (cache_look_new(room, &look) < 0)
		return -ENOENT;
	for (size_t i = 0; i < look->count; i++) {
		struct found one = { .entry = &look->entries[i] };
		struct stat st;

		one.fit = entry_fit(one.entry, query);
		if (one.fit == FIT_NONE ||
		    fstatat(look->fd, one.entry->file, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		one.written = st.st_mtime;
		if (is_better(&one, &best))
			best = one;
	}
	if (!best.entry)
		return -ENOENT;
	*ret = best.entry->firmware;
	if (given(query->product))
		text_copy(ret->product, sizeof(ret->product), query->product);
	return 0;
}

/* Is the file called by this firmware's hash or name? */
static bool file_is_of(const char *file, const struct firmware *firmware)
{
	const char *const names[] = { firmware->sha256, firmware->sha1 };
	size_t n = cache_stem_bytes(file);

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t digits = strlen(names[i]);

		if (digits > 0 && n == digits + strlen(CACHE_WHOLE_END) &&
		    strncmp(file, names[i], digits) == 0)
			return true;
	}
	return firmware->name[0] != '\0' && strlen(firmware->name) == n &&
	       strncmp(file, firmware->name, n) == 0;
}

bool cache_file_is_of(const char *path, const struct firmware *firmware)
{
	const char *slash = strrchr(path, '/');

	return strcmp(path, firmware->path) == 0 || file_is_of(slash ? slash + 1 : path, firmware);
}

uint64_t cache_part_bytes(const struct room *room, const struct firmware *firmware)
{
	_cleanup_(cache_look_freep) struct cache_look *look = NULL;
	uint64_t bytes = 0;

	if (cache_look_new(room, &look) < 0)
		return 0;
	for (size_t i = 0; i < look->count; i++)
		if (look->entries[i].kind == CACHE_PART &&
		    file_is_of(look->entries[i].file, firmware) && look->entries[i].bytes > bytes)
			bytes = look->entries[i].bytes;
	/* what lies there beyond its size is not of it */
	return firmware->size != 0 && bytes > firmware->size ? 0 : bytes;
}

/* --- what may go ----------------------------------------------------------------------------- */

static bool is_of(const struct cache_entry *entry, const struct firmware *keep)
{
	return file_is_of(entry->file, keep) ||
	       compare_known(entry->firmware.sha256, keep->sha256) > 0 ||
	       compare_known(entry->firmware.sha1, keep->sha1) > 0;
}

/* Does another whole file, which stays, serve this product? */
static bool product_stays(const struct cache_look *look, const bool *gone, size_t but,
			  const char *word, size_t n)
{
	for (size_t i = 0; i < look->count; i++)
		if (i != but && !gone[i] && look->entries[i].kind == CACHE_WHOLE &&
		    words_have(look->entries[i].products, word, n))
			return true;
	return false;
}

/* Of a file whose products nobody knows it cannot be said that another one does as well. */
static bool is_last_copy(const struct cache_look *look, const bool *gone, size_t at)
{
	const char *word = look->entries[at].products;

	if (word[0] == '\0')
		return true;
	while (*word != '\0') {
		size_t n = strcspn(word, " ");

		if (!product_stays(look, gone, at, word, n))
			return true;
		word += n;
		word += strspn(word, " ");
	}
	return false;
}

static void drop_fill(const struct cache_entry *entry, struct plan_drop *ret)
{
	const struct firmware *firmware = &entry->firmware;
	_cleanup_free_ char *label = NULL;

	if (entry->kind == CACHE_PART)
		label = message_format("cache-label-part", "name", firmware->name, NULL);
	else if (entry->kind == CACHE_BAD)
		label = message_format("cache-label-bad", "name", firmware->name, NULL);
	else if (firmware->version[0] != '\0')
		label = message_format("cache-label", "version", firmware->version, "build",
				       firmware->build, "products", entry->products, NULL);
	*ret = (struct plan_drop){ .bytes = entry->bytes };
	text_copy(ret->file, sizeof(ret->file), entry->file);
	text_copy(ret->label, sizeof(ret->label), label ?: firmware->name);
}

/* In which of the rounds it may go; 0 never. */
static unsigned round_of(const struct cache_look *look, const struct cache_entry *entry,
			 const struct firmware *keep)
{
	/* what a plan is about to use stays even if its note calls it damaged */
	if (entry->in_use || strcmp(entry->firmware.path, keep->path) == 0)
		return 0;
	if (entry->kind == CACHE_BAD)
		return 1;
	if (is_of(entry, keep))
		return 0;
	if (entry->kind == CACHE_PART)
		return entry->used_ms + part_old_ms < look->place.now_ms ? 2 : 0;
	return 3;
}

size_t cache_may_go(const struct room *room, const struct firmware *keep, bool offline,
		    cache_needed_fn needed_fn, void *user,
		    struct plan_drop ret[static PLAN_DROPS_MAX])
{
	_cleanup_(cache_look_freep) struct cache_look *look = NULL;
	bool gone[CACHE_FILES_MAX] = { false };
	size_t count = 0;

	if (cache_look_new(room, &look) < 0)
		return 0;
	for (unsigned round = 1; round <= 3; round++) {
		for (size_t i = look->count; i-- > 0 && count < PLAN_DROPS_MAX;) {
			const struct cache_entry *entry = &look->entries[i];

			if (round_of(look, entry, keep) != round ||
			    (needed_fn && needed_fn(entry->firmware.path, user)) ||
			    (round == 3 && offline && is_last_copy(look, gone, i)))
				continue;
			gone[i] = true;
			drop_fill(entry, &ret[count++]);
		}
	}
	return count;
}

/* --- dropping -------------------------------------------------------------------------------- */

static bool has_digits(const char *hash, const char *word)
{
	size_t n = strlen(word);

	return n >= WORD_DIGITS_MIN && strncmp(hash, word, n) == 0;
}

static bool is_named(const struct cache_entry *entry, const char *word)
{
	return strcmp(entry->firmware.name, word) == 0 ||
	       has_digits(entry->firmware.sha256, word) || has_digits(entry->firmware.sha1, word);
}

static const struct cache_entry *find_file(const struct cache_look *look, const char *file)
{
	for (size_t i = 0; i < look->count; i++)
		if (strcmp(look->entries[i].file, file) == 0)
			return &look->entries[i];
	return NULL;
}

static int none_error(const char *word, struct error *err)
{
	(void)error_set(err, ERROR_USAGE, "service", 0,
			"the firmware cache has no file '%.100s'. See idevicerescue firmware cache",
			word);
	return -ENOENT;
}

/* 0, or -ENOENT with err: none, or more than one. */
static int find_word(const struct cache_look *look, const char *word,
		     const struct cache_entry **ret, struct error *err)
{
	const struct cache_entry *found = NULL, *file = find_file(look, word);
	size_t count = 0;

	for (size_t i = 0; i < look->count && !file; i++)
		if (is_named(&look->entries[i], word)) {
			found = &look->entries[i];
			count++;
		}
	if (!file && count == 0)
		return none_error(word, err);
	if (!file && count > 1) {
		(void)error_set(err, ERROR_USAGE, "service", 0,
				"the firmware cache has more than one file '%.100s': give the "
				"name of the file itself",
				word);
		return -ENOENT;
	}
	*ret = file ?: found;
	return 0;
}

/* Locked descriptors; -1 where there is no such file. */
struct claim {
	int fds[3];
};

static void claim_done(struct claim *claim)
{
	for (size_t i = 0; i < ARRAY_LEN(claim->fds); i++)
		closep(&claim->fds[i]);
}

/* The file, and whoever writes it: 0, or -EBUSY. */
static int claim_take(const struct cache_look *look, const char *file, struct claim *claim)
{
	static const char *const ends[] = { "", ".lock", ".part" };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		char name[CACHE_FILE_BYTES + sizeof(".lock")];

		snprintf(name, sizeof(name), "%.*s%s", (int)cache_stem_bytes(file), file, ends[i]);
		claim->fds[i] =
		    openat(look->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (claim->fds[i] >= 0 && flock(claim->fds[i], LOCK_EX | LOCK_NB) < 0 &&
		    errno == EWOULDBLOCK)
			return -EBUSY;
	}
	return 0;
}

static int busy_error(const struct cache_entry *entry, struct error *err)
{
	return error_set(err, ERROR_BUSY, "service", 0,
			 "'%.100s' is in use: a job or another program needs it. Wait until that "
			 "has ended",
			 entry->firmware.name);
}

static int entry_unlink(const struct cache_look *look, const struct cache_entry *entry,
			struct error *err)
{
	/* its note, or of a part its state, and what an interrupted write of that has left; a .lock
	 * stays: somebody may have it open */
	static const char *const ends[] = { ".json", ".json.part" };

	if (unlinkat(look->fd, entry->file, 0) < 0)
		return errno == ENOENT ? none_error(entry->file, err)
				       : storage_refuse(look->folder, errno, err);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		char note[CACHE_FILE_BYTES + sizeof(".json.part")];

		snprintf(note, sizeof(note), "%s%s", entry->file, ends[i]);
		(void)unlinkat(look->fd, note, 0);
	}
	/* what a worn disk did not take is not deleted */
	if (fsync(look->fd) < 0 && errno == EIO)
		return storage_refuse(look->folder, EIO, err);
	return 0;
}

/* Takes a new look. 0; or -ENOMEM, -ENOSPC with err: also of a folder that is not there. */
static int look_to_drop(const struct room *room, struct cache_look **ret, struct error *err)
{
	char folder[PLAN_ROOM_BYTES];
	int r = cache_look_new(room, ret);

	if (r >= 0)
		return 0;
	if (r == -ENOMEM)
		return error_set_errno(err, ERROR_BUG, "service", ENOMEM, "cannot read the cache");
	room_firmware_folder(room, folder);
	return storage_refuse(folder, -r, err);
}

static int entry_drop(const struct cache_look *look, const struct cache_entry *entry,
		      cache_needed_fn needed_fn, void *user, struct error *err)
{
	_cleanup_(claim_done) struct claim claim = { { -1, -1, -1 } };

	if ((needed_fn && needed_fn(entry->firmware.path, user)) ||
	    claim_take(look, entry->file, &claim) < 0)
		return busy_error(entry, err);
	return entry_unlink(look, entry, err);
}

int cache_drop(const struct room *room, const char *word, cache_needed_fn needed_fn, void *user,
	       struct cache_entry *ret, struct error *err)
{
	_cleanup_(cache_look_freep) struct cache_look *look = NULL;
	const struct cache_entry *entry = NULL;
	int r = look_to_drop(room, &look, err);

	if (r >= 0)
		r = find_word(look, word, &entry, err);
	if (r >= 0)
		r = entry_drop(look, entry, needed_fn, user, err);
	if (r >= 0 && ret)
		*ret = *entry;
	return r;
}

int cache_drop_file(const struct room *room, const char *file, cache_needed_fn needed_fn,
		    void *user, struct error *err)
{
	_cleanup_(cache_look_freep) struct cache_look *look = NULL;
	const struct cache_entry *entry;
	int r = look_to_drop(room, &look, err);

	if (r < 0)
		return r;
	entry = find_file(look, file);
	return entry ? entry_drop(look, entry, needed_fn, user, err) : none_error(file, err);
}
