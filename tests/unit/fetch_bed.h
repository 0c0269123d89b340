/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A folder of its own for the files of one download, for tests of the worker kind `fetch`. */
#include "base/cleanup.h"
#include "unit.h"
#include "worker/fetch_part.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* of "abc" */
#define SHA1   "a9993e364706816aba3e25717850c26c9cd0d89d"
#define SHA256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define URL    "https://updates.cdn-apple.com/a/x_Restore.ipsw"

static const uint64_t mib = 1ULL << 20;

/* size in bytes; the SHA-1 alone is known. */
struct bed {
	char folder[32];
	struct fetch_place place;
	struct ipsw wanted;
	struct http *http;
};

static inline void bed_make(struct bed *bed, uint64_t size)
{
	*bed = (struct bed){ .folder = "/tmp/fetch.XXXXXX" };
	assert_non_null(mkdtemp(bed->folder));
	bed->place.folder = bed->folder;
	bed->place.folder_fd = open(bed->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bed->wanted =
	    (struct ipsw){ .url = URL, .name = "x_Restore.ipsw", .size = size, .sha1 = SHA1 };
	fetch_place_set_stem(&bed->place, &bed->wanted);
	assert_int_equal(http_new(&bed->http, NULL), 0);
}

/* Nothing else may be left there. */
static inline void bed_end(struct bed *bed)
{
	static const char *const endings[] = { "", ".json", ".part", ".part.json", ".bad" };
	char name[PLACE_NAME_BYTES];

	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		fetch_place_name(&bed->place, endings[i], name);
		(void)unlinkat(bed->place.folder_fd, name, 0);
	}
	close(bed->place.folder_fd);
	assert_int_equal(rmdir(bed->folder), 0);
	http_free(bed->http);
}

static inline struct part *part_of(struct bed *bed)
{
	struct part *part = NULL;

	assert_int_equal(part_open(&bed->place, &bed->wanted, &part, NULL), 0);
	assert_int_equal(part_resume(part, NULL, NULL, NULL), 0);
	return part;
}

/* Of the file with this ending, in bytes; 0: none. */
static inline uint64_t size_of(const struct bed *bed, const char *ending)
{
	char name[PLACE_NAME_BYTES];
	struct stat st;

	fetch_place_name(&bed->place, ending, name);
	return fstatat(bed->place.folder_fd, name, &st, 0) < 0 ? 0 : (uint64_t)st.st_size;
}
