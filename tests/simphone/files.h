/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The user's files (/var/mobile/Media as afc shows it), in memory. They live through every change
 * of mode; an erase destroys them, an update keeps them, and files_digest() can prove either.
 *
 * Invariants: the children of a folder are sorted by name; a file that is open outlives its removal
 * (`opens`); `used` is the sum of the contents of all regular files, also of those. The bytes of a
 * file that was there from the start are made when somebody looks at them: `unmade` of them are
 * missing.
 */
#pragma once

#include <stdint.h>

#include "buf.h"

/* What is really stored, however large the disk is said to be. */
enum {
	FILE_NAME_BYTES = 256,
	FILES_BYTES_MAX = 256 << 20, /* of all files together */
	FILES_MAX = 16384,           /* files, folders and links */
	FILES_DEPTH_MAX = 64,
};

enum file_kind { FILE_REGULAR, FILE_FOLDER, FILE_LINK };

struct file {
	struct file *parent;   /* NULL: the root, or removed */
	struct file *children; /* of a folder, by name */
	struct file *next;
	char name[FILE_NAME_BYTES];
	enum file_kind kind;
	struct buf content; /* of a regular file: by file_content() */
	size_t unmade;      /* bytes that follow from `seed` */
	uint64_t seed;
	uint64_t born_ns, changed_ns;
	unsigned opens;
	bool removed;
};

struct files {
	struct file *root;
	uint64_t used;     /* bytes */
	uint64_t capacity; /* bytes the user may fill */
	unsigned count;    /* of all kinds, with the root */
	uint64_t now_ns;   /* what new files are dated with */
};

/* A phone that has been used for a while: photos, recordings, books. The same for the same @seed.
 */
void files_init(struct files *f, uint64_t seed, uint64_t capacity);
void files_done(struct files *f);

/* What an erase install leaves: the folders that every new phone has, and no file. */
void files_erase(struct files *f);

/* SHA-256 (hex) over names, kinds and contents; and how many regular files there are. */
void files_digest(const struct files *f, char ret_hex[65]);
unsigned files_count(const struct files *f);

/* NULL: there is nothing at @path, or it leaves the root. Does not follow links. */
struct file *files_find(const struct files *f, const char *path);

/* All of these: 0, or -ENOENT, -EEXIST, -ENOTDIR, -EISDIR, -ENOTEMPTY, -ENOSPC, -EINVAL. */
int files_make(struct files *f, const char *path, enum file_kind kind, struct file **ret_file);
int files_make_parents(struct files *f, const char *path);
int files_remove(struct files *f, const char *path, bool with_contents);
int files_rename(struct files *f, const char *from, const char *to);
int files_write(struct files *f, struct file *file, uint64_t at, const void *bytes, size_t len);
int files_resize(struct files *f, struct file *file, uint64_t bytes);

/* Its bytes, or where a link points; valid until the next change. */
const struct buf *file_content(struct file *file);
size_t file_bytes(const struct file *file);

void file_open(struct file *file);
/* Frees it if it was removed meanwhile. */
void file_close(struct files *f, struct file *file);
