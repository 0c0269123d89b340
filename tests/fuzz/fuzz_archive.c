/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A firmware file's directory, ours and libzip's view of it, and a member out of it. */
#include "base/cleanup.h"
#include "worker/archive.h"
#include "worker/archive_end.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { MEMBER_BYTES_MAX = 1024 * 1024 };
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
	return 0;
}
