/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "files.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* 2024-05-17 10:00 UTC: the first file's date; each further one is a day younger or so */
static const uint64_t first_day_ns = 1715940000ull * 1000000000ull;
static const uint64_t day_ns = 86400ull * 1000000000ull;

static const char *const folders_of_a_new_phone[] = {
	"Books",         "DCIM",      "Downloads",      "PhotoData",
	"PublicStaging", "Purchases", "iTunes_Control", "iTunes_Control/iTunes",
};

/* ---- the tree ---- */

static struct file *file_new(enum file_kind kind, const char *name, size_t name_len, uint64_t now)
{
	struct file *file = calloc(1, sizeof(*file));

	if (!file)
		die("out of memory");
	file->kind = kind;
	file->born_ns = file->changed_ns = now;
	memcpy(file->name, name, name_len);
	return file;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

const struct buf *file_content(struct file *file)
{
	while (file->unmade > 0) {
		uint64_t word = next_random(&file->seed);
		size_t len = file->unmade < sizeof(word) ? file->unmade : sizeof(word);

		buf_add(&file->content, &word, len);
		file->unmade -= len;
	}
	return &file->content;
}

size_t file_bytes(const struct file *file)
{
	return file->content.len + file->unmade;
}

static void file_free(struct files *f, struct file *file)
{
	if (file->kind == FILE_REGULAR)
		f->used -= file_bytes(file);
	buf_done(&file->content);
	free(file);
}

void file_open(struct file *file)
{
	file->opens++;
}

void file_close(struct files *f, struct file *file)
{
	if (--file->opens == 0 && file->removed)
		file_free(f, file);
}

static void file_link(struct file *parent, struct file *file)
{
	struct file **p = &parent->children;

	while (*p && strcmp((*p)->name, file->name) < 0)
		p = &(*p)->next;
	file->parent = parent;
	file->next = *p;
	*p = file;
}

static void file_unlink(struct file *file)
{
	struct file **p = &file->parent->children;

	while (*p != file)
		p = &(*p)->next;
	*p = file->next;
	file->parent = file->next = nullptr;
}

/* Takes it and all below it out of the tree. */
static void tree_remove(struct files *f, struct file *file)
{
	while (file->children)
		tree_remove(f, file->children);
	if (file->parent)
		file_unlink(file);
	file->removed = true;
	f->count--;
	if (file->opens == 0)
		file_free(f, file);
}

/* ---- paths ---- */

static struct file *child_find(const struct file *folder, const char *name, size_t len)
{
	for (struct file *c = folder->children; c; c = c->next)
		if (!strncmp(c->name, name, len) && c->name[len] == '\0')
			return c;
	return nullptr;
}

/*
 * Walks @path up to, and not into, its last word, which @ret_name and @ret_len get (length 0: the
 * path is the root itself). NULL: a folder on the way is missing or is none.
 */
static struct file *parent_find(const struct files *f, const char *path, const char **ret_name,
				size_t *ret_len)
{
	struct file *at = f->root;
	const char *name = path;
	size_t len = 0;

	for (;;) {
		path += strspn(path, "/");
		if (!*path)
			break;
		if (len > 0) {
			struct file *next = child_find(at, name, len);

			if (!next || next->kind != FILE_FOLDER)
				return nullptr;
			at = next;
		}
		name = path;
		len = strcspn(path, "/");
		path += len;
		if (len == 1 && name[0] == '.') {
			len = 0;
		} else if (len == 2 && name[0] == '.' && name[1] == '.') {
			return nullptr; /* the phone's jail */
		}
	}
	*ret_name = name;
	*ret_len = len;
	return at;
}

struct file *files_find(const struct files *f, const char *path)
{
	const char *name;
	size_t len;
	struct file *parent = parent_find(f, path, &name, &len);

	if (!parent)
		return nullptr;
	return len == 0 ? parent : child_find(parent, name, len);
}

/* ---- changes ---- */

static unsigned depth_of(const struct file *file)
{
	unsigned depth = 0;

	for (; file->parent; file = file->parent)
		depth++;
	return depth;
}

/* How many levels stand below it. */
static unsigned height_of(const struct file *file)
{
	unsigned height = 0;

	for (const struct file *c = file->children; c; c = c->next) {
		unsigned below = height_of(c) + 1;

		if (below > height)
			height = below;
	}
	return height;
}

int files_make(struct files *f, const char *path, enum file_kind kind, struct file **ret_file)
{
	const char *name;
	size_t len;
	struct file *parent = parent_find(f, path, &name, &len);
	struct file *file;

	if (!parent)
		return -ENOENT;
	if (len == 0 || child_find(parent, name, len))
		return -EEXIST;
	if (len >= FILE_NAME_BYTES || depth_of(parent) >= FILES_DEPTH_MAX)
		return -EINVAL;
	if (f->count == FILES_MAX)
		return -ENOSPC;
	f->count++;
	file = file_new(kind, name, len, f->now_ns);
	file_link(parent, file);
	if (ret_file)
		*ret_file = file;
	return 0;
}

int files_make_parents(struct files *f, const char *path)
{
	char part[4096];

	if (strlen(path) >= sizeof(part))
		return -EINVAL;
	for (const char *end = path + strspn(path, "/"); *end;) {
		struct file *there;
		int r;

		end += strcspn(end, "/");
		text_copy(part, (size_t)(end - path) + 1, path);
		there = files_find(f, part);
		if (there && there->kind != FILE_FOLDER)
			return -ENOTDIR;
		r = there ? 0 : files_make(f, part, FILE_FOLDER, nullptr);
		if (r < 0)
			return r;
		end += strspn(end, "/");
	}
	return 0;
}

int files_remove(struct files *f, const char *path, bool with_contents)
{
	struct file *file = files_find(f, path);

	if (!file)
		return -ENOENT;
	if (file == f->root)
		return -EINVAL;
	if (file->children && !with_contents)
		return -ENOTEMPTY;
	tree_remove(f, file);
	return 0;
}

int files_rename(struct files *f, const char *from, const char *to)
{
	struct file *file = files_find(f, from), *parent, *there;
	const char *name;
	size_t len;

	if (!file)
		return -ENOENT;
	parent = parent_find(f, to, &name, &len);
	if (!parent)
		return -ENOENT;
	if (file == f->root || len == 0 || len >= FILE_NAME_BYTES)
		return -EINVAL;
	for (const struct file *up = parent; up; up = up->parent)
		if (up == file)
			return -EINVAL; /* into itself */
	if (depth_of(parent) + 1 + height_of(file) > FILES_DEPTH_MAX)
		return -EINVAL;
	there = child_find(parent, name, len);
	if (there == file)
		return 0;
	if (there && there->children)
		return -ENOTEMPTY;
	/* the name lies in the caller's text, not in the file that goes */
	if (there)
		tree_remove(f, there);
	file_unlink(file);
	memset(file->name, 0, sizeof(file->name));
	memcpy(file->name, name, len);
	file_link(parent, file);
	return 0;
}

int files_resize(struct files *f, struct file *file, uint64_t bytes)
{
	static const uint8_t zeros[65536];

	if (file->kind != FILE_REGULAR)
		return -EISDIR;
	file_content(file);
	if (bytes > file->content.len) {
		uint64_t more = bytes - file->content.len;

		if (more > f->capacity - f->used || f->used > FILES_BYTES_MAX ||
		    more > FILES_BYTES_MAX - f->used)
			return -ENOSPC;
		while (file->content.len < bytes) {
			uint64_t left = bytes - file->content.len;

			buf_add(&file->content, zeros, left < sizeof(zeros) ? left : sizeof(zeros));
		}
		f->used += more;
	} else {
		f->used -= file->content.len - bytes;
		file->content.len = bytes;
	}
	file->changed_ns = f->now_ns;
	return 0;
}

int files_write(struct files *f, struct file *file, uint64_t at, const void *bytes, size_t len)
{
	int r;

	if (at > FILES_BYTES_MAX || len > FILES_BYTES_MAX)
		return -ENOSPC;
	file_content(file);
	if (at + len > file->content.len) {
		r = files_resize(f, file, at + len);
		if (r < 0)
			return r;
	}
	if (len > 0)
		memcpy(file->content.bytes + at, bytes, len);
	file->changed_ns = f->now_ns;
	return 0;
}

/* ---- a phone's life ---- */

static void put_file(struct files *f, const char *path, const char *head, size_t bytes,
		     uint64_t *random)
{
	struct file *file;

	f->now_ns += day_ns / 2 + next_random(random) % day_ns;
	if (files_make(f, path, FILE_REGULAR, &file) < 0)
		die("cannot make %s", path);
	buf_add_text(&file->content, head);
	file->unmade = bytes - (bytes < file->content.len ? bytes : file->content.len);
	file->seed = next_random(random);
	f->used += file_bytes(file);
}

static void put_photos(struct files *f, uint64_t *random)
{
	char path[64];

	for (unsigned i = 1; i <= 24; i++) {
		const char *folder = i <= 18 ? "100APPLE" : "101APPLE";

		snprintf(path, sizeof(path), "DCIM/%s/IMG_%04u.%s", folder, i,
			 i % 6 == 0 ? "PNG" : "HEIC");
		put_file(f, path, i % 6 ? "ftypheic" : "\x89PNG\r\n",
			 4096 + next_random(random) % 60000, random);
		if (i % 4 == 1) { /* a live photo is two files of one name */
			snprintf(path, sizeof(path), "DCIM/%s/IMG_%04u.MOV", folder, i);
			put_file(f, path, "ftypqt  ", 100000 + next_random(random) % 100000,
				 random);
		}
	}
	put_file(f, "DCIM/100APPLE/IMG_0002.AAE", "<?xml version=\"1.0\"?>", 600, random);
	put_file(f, "DCIM/100APPLE/IMG_E0002.HEIC", "ftypheic", 30000, random);
}

static void put_folders(struct files *f)
{
	for (size_t i = 0; i < sizeof(folders_of_a_new_phone) / sizeof(char *); i++)
		if (files_make(f, folders_of_a_new_phone[i], FILE_FOLDER, nullptr) < 0)
			die("cannot make %s", folders_of_a_new_phone[i]);
}

void files_init(struct files *f, uint64_t seed, uint64_t capacity)
{
	uint64_t random = seed * 0x9e3779b97f4a7c15 + 0x6d657269;

	*f = (struct files){ .capacity = capacity, .now_ns = first_day_ns };
	f->root = file_new(FILE_FOLDER, "", 0, f->now_ns);
	f->count = 1;
	put_folders(f);
	files_make_parents(f, "DCIM/100APPLE");
	files_make_parents(f, "DCIM/101APPLE");
	files_make_parents(f, "Recordings");
	put_photos(f, &random);
	put_file(f, "PhotoData/Photos.sqlite", "SQLite format 3", 65536, &random);
	put_file(f, "Recordings/20240601 093000.m4a", "ftypM4A ", 40000, &random);
	put_file(f, "Books/caf\xc3\xa9 \xe2\x98\x95.epub", "PK\x03\x04", 9000, &random);
	put_file(f, "Downloads/empty.txt", "", 0, &random);
	/* what is on it fits, however small the scenario makes it */
	if (f->capacity < f->used)
		f->capacity = f->used;
}

void files_done(struct files *f)
{
	if (f->root)
		tree_remove(f, f->root);
	f->root = nullptr;
}

void files_erase(struct files *f)
{
	while (f->root->children)
		tree_remove(f, f->root->children);
	put_folders(f);
}

/* ---- proof ---- */

static void tree_hash(struct file *file, EVP_MD_CTX *hash)
{
	const struct buf *content = file_content(file);
	uint8_t head[9] = { (uint8_t)file->kind };

	put_le32(head + 1, (uint32_t)strlen(file->name));
	put_le32(head + 5, (uint32_t)content->len);
	EVP_DigestUpdate(hash, head, sizeof(head));
	EVP_DigestUpdate(hash, file->name, strlen(file->name));
	EVP_DigestUpdate(hash, content->bytes, content->len);
	for (struct file *c = file->children; c; c = c->next)
		tree_hash(c, hash);
	EVP_DigestUpdate(hash, "", 1); /* the folder ends */
}

void files_digest(const struct files *f, char ret_hex[65])
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	uint8_t digest[32];
	BUF_AUTO hex = {};

	if (!hash || !EVP_DigestInit_ex(hash, EVP_sha256(), nullptr))
		die("SHA-256 is missing");
	tree_hash(f->root, hash);
	EVP_DigestFinal_ex(hash, digest, nullptr);
	EVP_MD_CTX_free(hash);
	buf_add_hex(&hex, digest, sizeof(digest));
	text_copy(ret_hex, 65, buf_text(&hex));
}

static unsigned tree_count(const struct file *file)
{
	unsigned count = file->kind == FILE_REGULAR;

	for (const struct file *c = file->children; c; c = c->next)
		count += tree_count(c);
	return count;
}

unsigned files_count(const struct files *f)
{
	return tree_count(f->root);
}
