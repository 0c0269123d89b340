/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "services/afc_inner.h"
#include "text.h"

enum {
	HEADER_BYTES = 40,
	PACKET_MAX = 8 * 1024 * 1024,
	BLOCK_BYTES = 4096,

	LINK_HARD = 1,
	LINK_SYMBOLIC = 2,
};

static const char magic[] = "CFA6LPAA";

static uint64_t get_le64(const uint8_t *p)
{
	return get_le32(p) | (uint64_t)get_le32(p + 4) << 32;
}

static void put_le64(uint8_t *p, uint64_t v)
{
	put_le32(p, (uint32_t)v);
	put_le32(p + 4, (uint32_t)(v >> 32));
}

/* ---- answers ---- */

static void answer(const struct request *r, enum operation op, const void *arguments,
		   size_t arguments_len, const void *payload, size_t payload_len)
{
	struct stream *stream = &r->afc->service.stream;
	uint8_t header[HEADER_BYTES];
	BUF_AUTO packet = {};

	memcpy(header, magic, 8);
	put_le64(header + 8, HEADER_BYTES + arguments_len + payload_len);
	put_le64(header + 16, HEADER_BYTES + arguments_len);
	put_le64(header + 24, r->number);
	put_le64(header + 32, op);
	buf_add(&packet, header, sizeof(header));
	buf_add(&packet, arguments, arguments_len);
	buf_add(&packet, payload, payload_len);
	switch (tap_message(stream->tap, FAULT_SENT, "answer")) {
	case TAP_DROP:
		return;
	case TAP_GARBAGE:
		fault_garbage(&r->afc->phone->faults, packet.bytes, packet.len);
		break;
	case TAP_CUT:
		stream->send(stream->user, packet.bytes, packet.len / 2);
		r->afc->closed = true;
		stream->close(stream->user);
		return;
	case TAP_PASS:
	case TAP_ERROR:
		break;
	}
	stream->send(stream->user, packet.bytes, packet.len);
}

void afc_answer_status(const struct request *r, enum status status)
{
	uint8_t code[8];

	put_le64(code, status);
	answer(r, OP_STATUS, code, sizeof(code), nullptr, 0);
}

void afc_answer_number(const struct request *r, enum operation op, uint64_t number)
{
	uint8_t bytes[8];

	put_le64(bytes, number);
	answer(r, op, bytes, sizeof(bytes), nullptr, 0);
}

void afc_answer_data(const struct request *r, const void *bytes, size_t len)
{
	answer(r, OP_DATA, nullptr, 0, bytes, len);
}

enum status afc_status_of(int error)
{
	switch (-error) {
	case 0:
		return AFC_OK;
	case ENOENT:
	case ENOTDIR:
		return AFC_NOT_FOUND;
	case EEXIST:
		return AFC_EXISTS;
	case EISDIR:
		return AFC_IS_FOLDER;
	case ENOTEMPTY:
		return AFC_NOT_EMPTY;
	case ENOSPC:
		return AFC_NO_SPACE;
	case EINVAL:
		return AFC_ARGUMENT;
	default:
		return AFC_UNKNOWN;
	}
}

/* ---- arguments ---- */

uint64_t afc_word(const struct request *r, unsigned index)
{
	return r->len >= 8 * (index + 1) ? get_le64(r->body + 8 * index) : 0;
}

/* The text behind @skip bytes of numbers; "" if the request is too short. */
const char *afc_text(const struct request *r, size_t skip)
{
	return r->len > skip ? (const char *)r->body + skip : "";
}

/* The text behind the first one. */
static const char *second_text_of(const struct request *r)
{
	return afc_text(r, strlen(afc_text(r, 0)) + 1);
}

struct files *afc_files(const struct request *r)
{
	struct files *f = &r->afc->phone->files;

	f->now_ns += 1000000; /* each request is later than the one before */
	return f;
}

/* ---- paths ---- */

static void read_dir(const struct request *r)
{
	const struct file *folder = files_find(afc_files(r), afc_text(r, 0));
	BUF_AUTO names = {};

	if (!folder || folder->kind != FILE_FOLDER) {
		afc_answer_status(r, folder ? AFC_READ : AFC_NOT_FOUND);
		return;
	}
	buf_add(&names, ".\0..", 5);
	for (const struct file *c = folder->children; c; c = c->next)
		buf_add(&names, c->name, strlen(c->name) + 1);
	afc_answer_data(r, names.bytes, names.len);
}

static void add_pair(struct buf *to, const char *key, const char *value)
{
	buf_add(to, key, strlen(key) + 1);
	buf_add(to, value, strlen(value) + 1);
}

static void add_number(struct buf *to, const char *key, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	add_pair(to, key, text);
}

static void file_info(const struct request *r)
{
	static const char *const formats[] = { "S_IFREG", "S_IFDIR", "S_IFLNK" };
	const struct file *file = files_find(afc_files(r), afc_text(r, 0));
	unsigned links = 2; /* itself and its parent */
	BUF_AUTO info = {};

	if (!file) {
		afc_answer_status(r, AFC_NOT_FOUND);
		return;
	}
	for (const struct file *c = file->children; c; c = c->next)
		links++;
	add_number(&info, "st_size", file->kind == FILE_FOLDER ? 32 * links : file_bytes(file));
	add_number(&info, "st_blocks", (file_bytes(file) + BLOCK_BYTES - 1) / BLOCK_BYTES * 8);
	add_number(&info, "st_nlink", file->kind == FILE_FOLDER ? links : 1);
	add_pair(&info, "st_ifmt", formats[file->kind]);
	add_number(&info, "st_mtime", file->changed_ns);
	add_number(&info, "st_birthtime", file->born_ns);
	if (file->kind == FILE_LINK) {
		BUF_AUTO target = {};

		buf_add(&target, file->content.bytes, file->content.len);
		add_pair(&info, "LinkTarget", buf_text(&target));
	}
	afc_answer_data(r, info.bytes, info.len);
}

static void device_info(const struct request *r)
{
	const struct files *f = afc_files(r);
	BUF_AUTO info = {};

	add_pair(&info, "Model", r->afc->phone->identity.model->product);
	add_number(&info, "FSTotalBytes", f->capacity);
	add_number(&info, "FSFreeBytes", f->capacity - f->used);
	add_number(&info, "FSBlockSize", BLOCK_BYTES);
	afc_answer_data(r, info.bytes, info.len);
}

static void make_dir(const struct request *r)
{
	struct files *f = afc_files(r);
	const char *path = afc_text(r, 0);
	const struct file *there = files_find(f, path);

	if (there && there->kind == FILE_FOLDER)
		afc_answer_status(r, AFC_OK);
	else
		afc_answer_status(r, afc_status_of(files_make_parents(f, path)));
}

static void remove_path(const struct request *r)
{
	bool all = r->operation == OP_REMOVE_WITH_CONTENTS;
	int error = files_remove(afc_files(r), afc_text(r, 0), all);

	/* the phone says "unknown" for a folder that is not empty */
	afc_answer_status(r, error == -ENOTEMPTY ? AFC_UNKNOWN : afc_status_of(error));
}

static void rename_path(const struct request *r)
{
	afc_answer_status(
	    r, afc_status_of(files_rename(afc_files(r), afc_text(r, 0), second_text_of(r))));
}

/* Newer systems let nobody make symbolic links over afc; hard links are made by none that we know.
 */
static void make_link(const struct request *r)
{
	afc_answer_status(r, afc_word(r, 0) == LINK_HARD || afc_word(r, 0) == LINK_SYMBOLIC
				 ? AFC_PERMISSION
				 : AFC_ARGUMENT);
}

static void set_time(const struct request *r)
{
	struct file *file = files_find(afc_files(r), afc_text(r, 8));

	if (file)
		file->changed_ns = afc_word(r, 0);
	afc_answer_status(r, file ? AFC_OK : AFC_NOT_FOUND);
}

static void truncate_path(const struct request *r)
{
	struct files *f = afc_files(r);
	struct file *file = files_find(f, afc_text(r, 8));

	afc_answer_status(r, file ? afc_status_of(files_resize(f, file, afc_word(r, 0)))
				  : AFC_NOT_FOUND);
}

static void hash_path(const struct request *r)
{
	struct file *file = files_find(afc_files(r), afc_text(r, 0));
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (!file || file->kind != FILE_REGULAR) {
		afc_answer_status(r, file ? AFC_IS_FOLDER : AFC_NOT_FOUND);
		return;
	}
	EVP_Digest(file_content(file)->bytes, file_bytes(file), digest, &len, EVP_sha1(), nullptr);
	afc_answer_data(r, digest, len);
}

/* ---- packets ---- */

static const struct {
	enum operation operation;
	const char *name;
	void (*run)(const struct request *r);
	size_t numbers; /* bytes of numbers that must be there */
} operations[] = {
	{ OP_READ_DIR, "ReadDir", read_dir, 0 },
	{ OP_TRUNCATE, "TruncateFile", truncate_path, 8 },
	{ OP_REMOVE_PATH, "RemovePath", remove_path, 0 },
	{ OP_MAKE_DIR, "MakeDir", make_dir, 0 },
	{ OP_GET_FILE_INFO, "GetFileInfo", file_info, 0 },
	{ OP_GET_DEVINFO, "GetDeviceInfo", device_info, 0 },
	{ OP_FILE_OPEN, "FileRefOpen", afc_open_file, 8 },
	{ OP_FILE_READ, "FileRefRead", afc_read_file, 16 },
	{ OP_FILE_WRITE, "FileRefWrite", afc_write_file, 8 },
	{ OP_FILE_SEEK, "FileRefSeek", afc_seek_file, 24 },
	{ OP_FILE_TELL, "FileRefTell", afc_tell_file, 8 },
	{ OP_FILE_CLOSE, "FileRefClose", afc_close_file, 8 },
	{ OP_FILE_SET_SIZE, "FileRefSetFileSize", afc_resize_file, 16 },
	{ OP_RENAME_PATH, "RenamePath", rename_path, 0 },
	{ OP_FILE_LOCK, "FileRefLock", afc_lock_file, 16 },
	{ OP_MAKE_LINK, "MakeLink", make_link, 8 },
	{ OP_GET_FILE_HASH, "GetFileHash", hash_path, 0 },
	{ OP_SET_MOD_TIME, "SetModTime", set_time, 8 },
	{ OP_REMOVE_WITH_CONTENTS, "RemovePathAndContents", remove_path, 0 },
};

static void request_run(const struct request *r)
{
	size_t found = 0, count = sizeof(operations) / sizeof(operations[0]);

	while (found < count && operations[found].operation != r->operation)
		found++;
	switch (tap_message(r->afc->service.stream.tap, FAULT_GOT,
			    found < count ? operations[found].name : "unknown")) {
	case TAP_DROP:
		return;
	case TAP_GARBAGE:
	case TAP_CUT:
		afc_answer_status(r, AFC_HEADER);
		return;
	case TAP_ERROR: /* error:20 is a status */
		afc_answer_status(
		    r, (enum status)strtoul(tap_error(r->afc->service.stream.tap), nullptr, 10));
		return;
	case TAP_PASS:
		break;
	}
	if (found == count)
		afc_answer_status(r, AFC_UNKNOWN_PACKET);
	else if (r->len < operations[found].numbers)
		afc_answer_status(r, AFC_HEADER);
	else
		operations[found].run(r);
}

/* Takes one packet off the input. False: none is whole yet. */
static bool packet_take(struct afc *a)
{
	const uint8_t *p = a->in.bytes;
	uint64_t whole;
	BUF_AUTO body = {};
	struct request r;

	if (a->in.len < HEADER_BYTES)
		return false;
	whole = get_le64(p + 8);
	if (memcmp(p, magic, 8) != 0 || whole < HEADER_BYTES || whole > PACKET_MAX ||
	    get_le64(p + 16) < HEADER_BYTES || get_le64(p + 16) > whole) {
		a->closed = true;
		a->service.stream.close(a->service.stream.user);
		return false;
	}
	if (a->in.len < whole)
		return false;
	r = (struct request){ a, get_le64(p + 24), get_le64(p + 32), nullptr,
			      (size_t)whole - HEADER_BYTES };
	buf_add(&body, p + HEADER_BYTES, r.len);
	buf_drop(&a->in, (size_t)whole);
	r.body = (const uint8_t *)buf_text(&body); /* texts end at the packet's end at the latest */
	request_run(&r);
	return true;
}

static void afc_feed(struct service *service, const uint8_t *bytes, size_t len)
{
	struct afc *a = (struct afc *)service;

	if (a->closed)
		return;
	buf_add(&a->in, bytes, len);
	while (!a->closed && packet_take(a))
		;
}

static void afc_free(struct service *service)
{
	struct afc *a = (struct afc *)service;

	afc_close_all(a);
	buf_done(&a->in);
	free(a);
}

struct service *afc_open(struct phone *phone, void *user, const struct stream *stream)
{
	static const struct service_class class = { afc_feed, afc_free };
	struct afc *a = calloc(1, sizeof(*a));

	if (!a)
		die("out of memory");
	*a = (struct afc){ .service = { &class, *stream }, .phone = phone };
	return &a->service;
}
