/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/catalogue_store.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "worker/digest.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

enum {
	LOCK_WAIT_MS = 6000,
	LOCK_POLL_MS = 100,
	FOLDER_MODE = 0770,
	FILE_MODE = 0660,
	ANSWER_VERSION = 2,
	ANSWER_HEAD_BYTES_MAX = 1024,
	COPY_BYTES_MAX = 4 * 1024 * 1024,
	WEEK_S = 7 * 24 * 3600,
	MS_PER_S = 1000,
	/* a copy with fewer of the image's entries is none */
	KEPT_PERCENT_MIN = 80,
	PERCENT = 100,
};

static const char copy_name[] = "catalogue.json", old_name[] = "catalogue.old.json";

static int folder_open(int at, const char *path)
{
	if (mkdirat(at, path, FOLDER_MODE) < 0 && errno != EEXIST)
		log_debug("catalogue: %s is not made: %s", path, strerror(errno));
	return openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static bool lock_take(int fd, struct http *http)
{
	uint64_t end_ms = clock_now_ms() + LOCK_WAIT_MS;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK || clock_now_ms() >= end_ms)
			return false;
		http_wait(http, LOCK_POLL_MS); /* a lock tells nobody that it is free */
	}
	return true;
}

void catalogue_store_open(const char *folder, struct http *http, struct catalogue_store *ret)
{
	struct catalogue_store store = { .folder_fd = -1, .answers_fd = -1, .lock_fd = -1 };

	if (folder)
		store.folder_fd = folder_open(AT_FDCWD, folder);
	if (store.folder_fd >= 0) {
		store.answers_fd = folder_open(store.folder_fd, "answers");
		store.lock_fd = openat(store.folder_fd, "lock",
				       O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	}
	store.may_write = http && store.lock_fd >= 0 && lock_take(store.lock_fd, http);
	*ret = store;
}

void catalogue_store_done(struct catalogue_store *store)
{
	closep(&store->lock_fd);
	closep(&store->answers_fd);
	closep(&store->folder_fd);
	*store = (struct catalogue_store){ .folder_fd = -1, .answers_fd = -1, .lock_fd = -1 };
}

/* The whole file; NULL: none that can be read. The caller frees it. */
static char *text_load(int folder_fd, const char *name, size_t max, size_t *ret_bytes)
{
	_cleanup_close_ int fd = -1;
	char *text = NULL;

	if (folder_fd < 0)
		return NULL;
	fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return fd < 0 || file_read_whole(fd, max, &text, ret_bytes) < 0 ? NULL : text;
}

/* --- answers */

void catalogue_answer_done(struct catalogue_answer *answer)
{
	free(answer->body);
	*answer = (struct catalogue_answer){};
}

static int body_hash(const char *body, size_t n, char ret[static IPSW_SHA256_BYTES])
{
	_cleanup_(digest_freep) struct digest *digest = NULL;
	int r = digest_new(&digest);

	if (r == 0)
		r = digest_add_sha256(digest, body, n);
	return r == 0 ? digest_sha256(digest, ret) : r;
}

/* text: the first line, of head_bytes; body: the n bytes behind it. */
static bool head_read(const char *text, size_t head_bytes, const char *body, size_t n,
		      struct catalogue_answer *answer)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *head = NULL;
	char sha256[IPSW_SHA256_BYTES];

	head = catalogue_json(text, head_bytes);
	if (!head || catalogue_json_number(head, "v") != ANSWER_VERSION ||
	    body_hash(body, n, sha256) < 0 ||
	    strcmp(catalogue_json_text(head, "sha256"), sha256) != 0)
		return false;
	answer->asked_ms = catalogue_json_number(head, "asked_ms");
	answer->status = (unsigned)catalogue_json_number(head, "status");
	return catalogue_copy(answer->etag, sizeof(answer->etag),
			      catalogue_json_text(head, "etag"));
}

int catalogue_store_load_answer(const struct catalogue_store *store, const char *name,
				struct catalogue_answer *ret)
{
	struct catalogue_answer answer = {};
	_cleanup_free_ char *text = NULL;
	size_t n = 0, head_bytes;
	char *end;

	text = text_load(store->answers_fd, name, CATALOGUE_BYTES_MAX + ANSWER_HEAD_BYTES_MAX, &n);
	end = text ? memchr(text, '\n', n) : NULL;
	if (!end)
		return -ENOENT;
	*end = '\0';
	head_bytes = (size_t)(end - text);
	answer.body_bytes = n - head_bytes - 1;
	if (!head_read(text, head_bytes, end + 1, answer.body_bytes, &answer))
		return -ENOENT;
	answer.body = malloc(answer.body_bytes + 1);
	if (!answer.body)
		return -ENOENT;
	memcpy(answer.body, end + 1, answer.body_bytes + 1);
	*ret = answer;
	return 0;
}

/* A cache: what cannot be kept is asked for again. */
void catalogue_store_save_answer(const struct catalogue_store *store, const char *name,
				 const struct catalogue_answer *answer)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *head = NULL;
	_cleanup_free_ char *line = NULL, *text = NULL;
	char sha256[IPSW_SHA256_BYTES];
	size_t head_bytes;
	int r;

	if (!store->may_write || store->answers_fd < 0 ||
	    body_hash(answer->body, answer->body_bytes, sha256) < 0)
		return;
	r = sd_json_buildo(&head, SD_JSON_BUILD_PAIR_UNSIGNED("v", ANSWER_VERSION),
			   SD_JSON_BUILD_PAIR_UNSIGNED("asked_ms", answer->asked_ms),
			   SD_JSON_BUILD_PAIR_UNSIGNED("status", answer->status),
			   SD_JSON_BUILD_PAIR_STRING("etag", answer->etag),
			   SD_JSON_BUILD_PAIR_STRING("sha256", sha256));
	if (r >= 0)
		r = sd_json_variant_format(head, SD_JSON_FORMAT_NEWLINE, &line);
	if (r < 0)
		return;
	head_bytes = strlen(line);
	text = malloc(head_bytes + answer->body_bytes);
	if (!text)
		return;
	memcpy(text, line, head_bytes);
	if (answer->body_bytes)
		memcpy(text + head_bytes, answer->body, answer->body_bytes);
	r = file_write_whole(store->answers_fd, name, text, head_bytes + answer->body_bytes);
	if (r < 0)
		log_debug("catalogue: answer %s is not kept: %s", name, strerror(-r));
}

static bool is_stale(int folder_fd, const char *name, uint64_t now_s)
{
	struct stat status;

	return fstatat(folder_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(status.st_mode) && status.st_mtime >= 0 &&
	       (uint64_t)status.st_mtime + WEEK_S < now_s;
}

void catalogue_store_sweep(const struct catalogue_store *store)
{
	uint64_t now_s = clock_wall_ms() / MS_PER_S;
	const struct dirent *entry;
	DIR *folder;
	int fd;

	if (!store->may_write || store->answers_fd < 0)
		return;
	fd = openat(store->answers_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	folder = fd < 0 ? NULL : fdopendir(fd);
	if (!folder) {
		closep(&fd);
		return;
	}
	while ((entry = readdir(folder)))
		if (is_stale(store->answers_fd, entry->d_name, now_s))
			(void)unlinkat(store->answers_fd, entry->d_name, 0);
	(void)closedir(folder);
}

/* --- the refreshed catalogue */

static int copy_load(const struct catalogue_store *store, const char *name, const char *product,
		     bool is_test, const struct catalogue_own *image, struct catalogue_list *ret,
		     struct catalogue_own *ret_own)
{
	_cleanup_(catalogue_list_done) struct catalogue_list list = {};
	_cleanup_free_ char *text = NULL;
	struct catalogue_own own = {};
	size_t n = 0;

	text = text_load(store->folder_fd, name, COPY_BYTES_MAX, &n);
	if (!text || catalogue_own_parse(text, n, product, CATALOGUE_REFRESHED, is_test, &list,
					 &own, NULL) < 0)
		return -ENOENT;
	if (own.made_ms < image->made_ms ||
	    own.entries * PERCENT < image->entries * KEPT_PERCENT_MIN)
		return -ENOENT;
	*ret = TAKE_STRUCT(list);
	*ret_own = own;
	return 0;
}

int catalogue_store_load(const struct catalogue_store *store, const char *product, bool is_test,
			 const struct catalogue_own *image, struct catalogue_list *ret,
			 struct catalogue_own *ret_own)
{
	if (copy_load(store, copy_name, product, is_test, image, ret, ret_own) == 0)
		return 0;
	return copy_load(store, old_name, product, is_test, image, ret, ret_own);
}

/* Whether others may rely on it without asking anybody else. */
static bool is_sure(const struct catalogue_entry *entry)
{
	unsigned apple = 1U << CATALOGUE_APPLE;

	return !entry->ipsw.conflict &&
	       (entry->ipsw.confirmed || ((entry->sha1_from | entry->sha256_from) & apple) ||
		(entry->told & (1U << CATALOGUE_IMAGE | 1U << CATALOGUE_REFRESHED)));
}

static int by_product(const void *a, const void *b)
{
	const struct catalogue_entry *x = a, *y = b;
	int order = strcmp(x->ipsw.product, y->ipsw.product);

	return order ? order : ipsw_build_compare(y->ipsw.build, x->ipsw.build);
}

/* Only the newest entry of each product that is sure stays, in the order of products. */
static void keep_newest(struct catalogue_list *list)
{
	size_t kept = 0;

	if (list->count)
		qsort(list->entries, list->count, sizeof(*list->entries), by_product);
	for (size_t i = 0; i < list->count; i++) {
		const struct catalogue_entry *entry = &list->entries[i];

		if (!is_sure(entry) || (kept && strcmp(list->entries[kept - 1].ipsw.product,
						       entry->ipsw.product) == 0))
			continue;
		list->entries[kept++] = *entry;
	}
	list->count = kept;
}

static size_t products_count(const struct catalogue_list *known)
{
	size_t count = 0;

	for (size_t i = 0; i < known->count; i++) {
		bool seen = false;

		for (size_t j = 0; j < i && !seen; j++)
			seen = strcmp(known->entries[i].ipsw.product,
				      known->entries[j].ipsw.product) == 0;
		count += !seen;
	}
	return count;
}

/* The last good one stays beside the new one. */
static int copy_write(const struct catalogue_store *store, const char *text)
{
	_cleanup_free_ char *old = NULL;
	size_t n = 0;

	old = text_load(store->folder_fd, copy_name, COPY_BYTES_MAX, &n);
	if (old) {
		struct catalogue_list list = {};
		struct catalogue_own own;

		if (catalogue_own_parse(old, n, NULL, CATALOGUE_REFRESHED, true, &list, &own,
					NULL) == 0)
			(void)file_write_whole(store->folder_fd, old_name, old, n);
		catalogue_list_done(&list);
	}
	return file_write_whole(store->folder_fd, copy_name, text, strlen(text));
}

void catalogue_store_refresh(const struct catalogue_store *store,
			     const struct catalogue_list *known, const struct catalogue_list *news,
			     uint64_t made_ms)
{
	_cleanup_(catalogue_list_done) struct catalogue_list list = {};
	_cleanup_free_ char *text = NULL;
	int r;

	if (!store->may_write)
		return;
	r = catalogue_list_merge(&list, news);
	if (r == 0)
		r = catalogue_list_merge(&list, known);
	if (r < 0)
		return;
	catalogue_list_finish(&list);
	keep_newest(&list);
	if (list.count * PERCENT < products_count(known) * KEPT_PERCENT_MIN)
		return;
	r = catalogue_own_format(&list, made_ms, &text);
	if (r == 0)
		r = copy_write(store, text);
	if (r < 0)
		log_debug("catalogue: the refreshed copy is not written: %s", strerror(-r));
}
