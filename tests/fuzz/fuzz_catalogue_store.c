/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What lies in the catalogue's folder of a worn stick, or one that somebody wrote to: read as an
 * answer and as the refreshed catalogue. What we keep comes back as it was, and no changed body
 * does.
 */
#include "base/cleanup.h"
#include "worker/catalogue_store.h"
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char name[] = "answer.json", copy[] = "catalogue.json";

static void file_put(int folder_fd, const char *file, const uint8_t *bytes, size_t n)
{
	_cleanup_close_ int fd =
	    openat(folder_fd, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
		abort();
}

/* A text that a header of a request can have. */
static void etag_check(const char *etag)
{
	for (const char *c = etag; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			abort();
}

/* An answer of the whole input but its first byte is kept; then one bit of its file is another. */
static void there_and_back(const struct catalogue_store *store, const uint8_t *data, size_t size)
{
	struct catalogue_answer answer = { .status = 200, .asked_ms = 7, .etag = "\"e\"" }, back;
	_cleanup_close_ int fd = -1;
	struct stat status;
	uint8_t byte;

	answer.body = (char *)data + 1;
	answer.body_bytes = size - 1;
	catalogue_store_save_answer(store, name, &answer);
	if (catalogue_store_load_answer(store, name, &back) < 0)
		abort();
	if (back.status != 200 || back.asked_ms != 7 || strcmp(back.etag, "\"e\"") != 0 ||
	    back.body_bytes != size - 1 || memcmp(back.body, data + 1, size - 1) != 0)
		abort();
	catalogue_answer_done(&back);
	fd = openat(store->answers_fd, name, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0)
		abort();
	status.st_size = status.st_size * data[0] / 256;
	if (pread(fd, &byte, 1, status.st_size) != 1)
		abort();
	byte ^= (uint8_t)(1U << data[0] % 8);
	if (pwrite(fd, &byte, 1, status.st_size) != 1)
		abort();
	if (catalogue_store_load_answer(store, name, &back) < 0)
		return;
	if (back.body_bytes != size - 1 || memcmp(back.body, data + 1, size - 1) != 0)
		abort();
	etag_check(back.etag);
	catalogue_answer_done(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct catalogue_own image = { .made_ms = 1, .entries = 1 };
	_cleanup_(catalogue_list_done) struct catalogue_list list = {};
	struct catalogue_own own = {};
	struct catalogue_answer answer = {};
	struct catalogue_store store;
	char folder[] = "/dev/shm/fuzz-store-XXXXXX";

	if (size == 0)
		return 0;
	if (!mkdtemp(folder))
		abort();
	catalogue_store_open(folder, NULL, &store);
	store.may_write = true; /* nobody else is there who could have the lock */
	file_put(store.answers_fd, name, data, size);
	if (catalogue_store_load_answer(&store, name, &answer) == 0) {
		etag_check(answer.etag);
		if (answer.body[answer.body_bytes] != '\0' || answer.body_bytes >= size)
			abort();
		catalogue_answer_done(&answer);
	}
	file_put(store.folder_fd, copy, data, size);
	if (catalogue_store_load(&store, NULL, false, &image, &list, &own) == 0)
		catalogue_store_refresh(&store, &list, &list, own.made_ms);
	there_and_back(&store, data, size);
	(void)unlinkat(store.answers_fd, name, 0);
	(void)unlinkat(store.folder_fd, "answers", AT_REMOVEDIR);
	(void)unlinkat(store.folder_fd, copy, 0);
	(void)unlinkat(store.folder_fd, "catalogue.old.json", 0);
	(void)unlinkat(store.folder_fd, "lock", 0);
	catalogue_store_done(&store);
	if (rmdir(folder) < 0)
		abort();
	return 0;
}
