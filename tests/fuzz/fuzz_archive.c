/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A firmware file's directory, ours and libzip's view of it, a member out of it, and all of it once
 * from begin to end: every byte is seen once and in order, and no member has more than it says. */
#include "base/cleanup.h"
#include "worker/archive.h"
#include "worker/archive_end.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMBER_BYTES_MAX = 1024 * 1024, UNPACKED_BYTES_MAX = 64 * 1024 * 1024 };

struct seen {
	const uint8_t *file;
	size_t at;
	uint64_t members, left, unpacked;
};

static int take_file(void *context, const void *bytes, size_t n)
{
	struct seen *seen = context;

	if (memcmp(seen->file + seen->at, bytes, n) != 0)
		abort();
	seen->at += n;
	return 0;
}

/* Out of the folder into which somebody unpacks. A part may well end with dots. */
static bool leads_out(const char *name)
{
	for (const char *part = name; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
		if (strcspn(part, "/") == 2 && strncmp(part, "..", 2) == 0)
			return true;
	return name[0] == '/';
}

static int take_begin(void *context, const char *name, uint64_t bytes, struct error *err)
{
	struct seen *seen = context;

	if (name[0] == '\0' || leads_out(name))
		abort();
	seen->left = bytes;
	return 0;
}

static int take_data(void *context, const void *bytes, size_t n, struct error *err)
{
	struct seen *seen = context;

	if (n == 0 || n > seen->left || n > ARCHIVE_BLOCK_BYTES)
		abort();
	seen->left -= n;
	seen->unpacked += n;
	/* what is allowed is more than a run of the fuzzer has time for */
	if (seen->unpacked > UNPACKED_BYTES_MAX)
		return error_set(err, ERROR_BAD_FILE, "fuzz", 0, "Enough");
	return 0;
}

static int take_end(void *context, struct error *err)
{
	struct seen *seen = context;

	if (seen->left != 0)
		abort();
	seen->members++;
	return 0;
}

static void take_progress(void *context, uint64_t done)
{
}

static void sweep(struct archive *archive, const uint8_t *data, size_t size)
{
	struct seen seen = { .file = data };
	struct archive_sink sink = {
		.file = take_file,
		.begin = take_begin,
		.data = take_data,
		.end = take_end,
		.progress = take_progress,
		.context = &seen,
	};
	struct error err = {};

	if (archive_sweep(archive, &sink, &err) < 0) {
		if (err.kind != ERROR_BAD_FILE || err.text[0] == '\0')
			abort();
		return;
	}
	if (seen.at != size || seen.members != archive_members(archive))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(archive_freep) struct archive *archive = NULL;
	_cleanup_close_ int fd = memfd_create("fuzz", MFD_CLOEXEC);
	_cleanup_free_ char *bytes = NULL;
	struct archive_member member;
	struct error err = {};
	char path[32];
	size_t n = 0;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (archive_open(path, NULL, NULL, &archive, &err) < 0) {
		if (err.kind != ERROR_BAD_FILE || err.text[0] == '\0')
			abort();
		return 0;
	}
	if (archive_members(archive) > ARCHIVE_MEMBERS_MAX || archive_size(archive) != size)
		abort();
	(void)archive_find(archive, "BuildManifest.plist", &member);
	if (archive_read(archive, "BuildManifest.plist", MEMBER_BYTES_MAX, &bytes, &n, &err) == 0 &&
	    (n > MEMBER_BYTES_MAX || bytes[n] != '\0'))
		abort();
	sweep(archive, data, size);
	return 0;
}
