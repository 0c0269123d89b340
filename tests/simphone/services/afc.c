/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "services/afc.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "phone.h"
#include "text.h"

enum {
	HEADER_BYTES = 40,
	PACKET_MAX = 8 * 1024 * 1024,
	READ_MAX = 4 * 1024 * 1024,
	HANDLES = 64,
	BLOCK_BYTES = 4096,

	LINK_HARD = 1,
	LINK_SYMBOLIC = 2,
};

static const char magic[] = "CFA6LPAA";

enum operation {
	OP_STATUS = 0x01,
	OP_DATA = 0x02,
	OP_READ_DIR = 0x03,
	OP_TRUNCATE = 0x07,
	OP_REMOVE_PATH = 0x08,
	OP_MAKE_DIR = 0x09,
	OP_GET_FILE_INFO = 0x0a,
	OP_GET_DEVINFO = 0x0b,
	OP_FILE_OPEN = 0x0d,
	OP_FILE_OPEN_RES = 0x0e,
	OP_FILE_READ = 0x0f,
	OP_FILE_WRITE = 0x10,
	OP_FILE_SEEK = 0x11,
	OP_FILE_TELL = 0x12,
	OP_FILE_TELL_RES = 0x13,
	OP_FILE_CLOSE = 0x14,
	OP_FILE_SET_SIZE = 0x15,
	OP_RENAME_PATH = 0x18,
	OP_FILE_LOCK = 0x1b,
	OP_MAKE_LINK = 0x1c,
	OP_GET_FILE_HASH = 0x1d,
	OP_SET_MOD_TIME = 0x1e,
	OP_REMOVE_WITH_CONTENTS = 0x22,
};

enum status {
	AFC_OK = 0,
	AFC_UNKNOWN = 1,
	AFC_HEADER = 2,
	AFC_NO_RESOURCES = 3,
	AFC_READ = 4,
	AFC_UNKNOWN_PACKET = 6,
	AFC_ARGUMENT = 7,
	AFC_NOT_FOUND = 8,
	AFC_IS_FOLDER = 9,
	AFC_PERMISSION = 10,
	AFC_EXISTS = 16,
	AFC_NO_SPACE = 18,
	AFC_WOULD_BLOCK = 19,
	AFC_IO = 20,
	AFC_NOT_EMPTY = 33,
};

/* POSIX's words for how a file is opened, by afc's number (1 to 6). */
static const struct open_mode {
	bool read, write, create, truncate, append;
} open_modes[] = {
	[1] = { .read = true },
	[2] = { .read = true, .write = true, .create = true },
	[3] = { .write = true, .create = true, .truncate = true },
	[4] = { .read = true, .write = true, .create = true, .truncate = true },
	[5] = { .write = true, .create = true, .append = true },
	[6] = { .read = true, .write = true, .create = true, .append = true },
};

struct handle {
	struct file *file; /* NULL: free */
	const struct open_mode *mode;
	uint64_t at;
	bool unreadable; /* the scenario's damaged file */
};

struct afc {
	struct service service; /* first */
	struct phone *phone;
	struct buf in;
	bool closed;
	struct handle handles[HANDLES]; /* handle number: index + 1 */
};

/* One request: its arguments and payload (texts end with NUL beyond both), and how to answer. */
struct request {
	struct afc *afc;
	uint64_t number;
	uint64_t operation;
	const uint8_t *body;
	size_t len;
};

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

static void answer_status(const struct request *r, enum status status)
{
	uint8_t code[8];

	put_le64(code, status);
	answer(r, OP_STATUS, code, sizeof(code), nullptr, 0);
}

static void answer_number(const struct request *r, enum operation op, uint64_t number)
{
	uint8_t bytes[8];

	put_le64(bytes, number);
	answer(r, op, bytes, sizeof(bytes), nullptr, 0);
}

static void answer_data(const struct request *r, const void *bytes, size_t len)
{
	answer(r, OP_DATA, nullptr, 0, bytes, len);
}

static enum status status_of(int error)
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

static uint64_t word_of(const struct request *r, unsigned index)
{
	return r->len >= 8 * (index + 1) ? get_le64(r->body + 8 * index) : 0;
}

/* The text behind @skip bytes of numbers; "" if the request is too short. */
static const char *text_of(const struct request *r, size_t skip)
{
	return r->len > skip ? (const char *)r->body + skip : "";
}

/* The text behind the first one. */
static const char *second_text_of(const struct request *r)
{
	return text_of(r, strlen(text_of(r, 0)) + 1);
}

static struct handle *handle_of(const struct request *r)
{
	uint64_t number = word_of(r, 0);

	if (number < 1 || number > HANDLES || !r->afc->handles[number - 1].file)
		return nullptr;
	return &r->afc->handles[number - 1];
}

static struct files *files_of(const struct request *r)
{
	struct files *f = &r->afc->phone->files;

	f->now_ns += 1000000; /* each request is later than the one before */
	return f;
}

/* ---- paths ---- */

static void read_dir(const struct request *r)
{
	const struct file *folder = files_find(files_of(r), text_of(r, 0));
	BUF_AUTO names = {};

	if (!folder || folder->kind != FILE_FOLDER) {
		answer_status(r, folder ? AFC_READ : AFC_NOT_FOUND);
		return;
	}
	buf_add(&names, ".\0..", 5);
	for (const struct file *c = folder->children; c; c = c->next)
		buf_add(&names, c->name, strlen(c->name) + 1);
	answer_data(r, names.bytes, names.len);
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
	const struct file *file = files_find(files_of(r), text_of(r, 0));
	unsigned links = 2; /* itself and its parent */
	BUF_AUTO info = {};

	if (!file) {
		answer_status(r, AFC_NOT_FOUND);
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
	answer_data(r, info.bytes, info.len);
}

static void device_info(const struct request *r)
{
	const struct files *f = files_of(r);
	BUF_AUTO info = {};

	add_pair(&info, "Model", r->afc->phone->identity.model->product);
	add_number(&info, "FSTotalBytes", f->capacity);
	add_number(&info, "FSFreeBytes", f->capacity - f->used);
	add_number(&info, "FSBlockSize", BLOCK_BYTES);
	answer_data(r, info.bytes, info.len);
}

static void make_dir(const struct request *r)
{
	struct files *f = files_of(r);
	const char *path = text_of(r, 0);
	const struct file *there = files_find(f, path);

	if (there && there->kind == FILE_FOLDER)
		answer_status(r, AFC_OK);
	else
		answer_status(r, status_of(files_make_parents(f, path)));
}

static void remove_path(const struct request *r)
{
	bool all = r->operation == OP_REMOVE_WITH_CONTENTS;
	int error = files_remove(files_of(r), text_of(r, 0), all);

	/* the phone says "unknown" for a folder that is not empty */
	answer_status(r, error == -ENOTEMPTY ? AFC_UNKNOWN : status_of(error));
}

static void rename_path(const struct request *r)
{
	answer_status(r, status_of(files_rename(files_of(r), text_of(r, 0), second_text_of(r))));
}

/* Newer systems let nobody make symbolic links over afc; hard links are made by none that we know.
 */
static void make_link(const struct request *r)
{
	answer_status(r, word_of(r, 0) == LINK_HARD || word_of(r, 0) == LINK_SYMBOLIC
			     ? AFC_PERMISSION
			     : AFC_ARGUMENT);
}

static void set_time(const struct request *r)
{
	struct file *file = files_find(files_of(r), text_of(r, 8));

	if (file)
		file->changed_ns = word_of(r, 0);
	answer_status(r, file ? AFC_OK : AFC_NOT_FOUND);
}

static void truncate_path(const struct request *r)
{
	struct files *f = files_of(r);
	struct file *file = files_find(f, text_of(r, 8));

	answer_status(r, file ? status_of(files_resize(f, file, word_of(r, 0))) : AFC_NOT_FOUND);
}

static void hash_path(const struct request *r)
{
	struct file *file = files_find(files_of(r), text_of(r, 0));
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (!file || file->kind != FILE_REGULAR) {
		answer_status(r, file ? AFC_IS_FOLDER : AFC_NOT_FOUND);
		return;
	}
	EVP_Digest(file_content(file)->bytes, file_bytes(file), digest, &len, EVP_sha1(), nullptr);
	answer_data(r, digest, len);
}

/* ---- handles ---- */

static void open_file(const struct request *r)
{
	struct files *f = files_of(r);
	uint64_t number = word_of(r, 0);
	const char *path = text_of(r, 8);
	struct file *file = files_find(f, path);
	struct handle *free_one = nullptr;
	const struct open_mode *mode;
	int error = 0;

	if (number < 1 || number >= sizeof(open_modes) / sizeof(open_modes[0])) {
		answer_status(r, AFC_ARGUMENT);
		return;
	}
	for (unsigned i = 0; i < HANDLES && !free_one; i++)
		if (!r->afc->handles[i].file)
			free_one = &r->afc->handles[i];
	if (!free_one) {
		answer_status(r, AFC_NO_RESOURCES);
		return;
	}
	mode = &open_modes[number];
	if (!file && mode->create)
		error = files_make(f, path, FILE_REGULAR, &file);
	else if (!file)
		error = -ENOENT;
	else if (file->kind != FILE_REGULAR)
		error = -EISDIR;
	if (error < 0) {
		answer_status(r, status_of(error));
		return;
	}
	if (mode->truncate)
		files_resize(f, file, 0);
	file_open(file);
	path += strspn(path, "/");
	*free_one = (struct handle){ file, mode, 0,
				     *r->afc->phone->scenario.afc_unreadable &&
					 !strcmp(path, r->afc->phone->scenario.afc_unreadable) };
	answer_number(r, OP_FILE_OPEN_RES, (uint64_t)(free_one - r->afc->handles) + 1);
}

static void read_file(const struct request *r)
{
	struct handle *h = handle_of(r);
	uint64_t want = word_of(r, 1), left;

	if (!h || !h->mode->read) {
		answer_status(r, h ? AFC_PERMISSION : AFC_ARGUMENT);
		return;
	}
	/* the second half of a damaged file cannot be read */
	if (h->unreadable && h->at >= file_bytes(h->file) / 2) {
		answer_status(r, AFC_IO);
		return;
	}
	left = h->at < file_bytes(h->file) ? file_bytes(h->file) - h->at : 0;
	if (h->unreadable)
		left = file_bytes(h->file) / 2 - h->at;
	if (want > left)
		want = left;
	if (want > READ_MAX)
		want = READ_MAX;
	answer_data(r, want ? file_content(h->file)->bytes + h->at : nullptr, want);
	h->at += want;
}

static void write_file(const struct request *r)
{
	struct handle *h = handle_of(r);
	size_t len = r->len >= 8 ? r->len - 8 : 0;
	int error;

	if (!h || !h->mode->write) {
		answer_status(r, h ? AFC_PERMISSION : AFC_ARGUMENT);
		return;
	}
	if (h->mode->append)
		h->at = file_bytes(h->file);
	error = files_write(files_of(r), h->file, h->at, r->body + 8, len);
	if (error == 0)
		h->at += len;
	answer_status(r, status_of(error));
}

static void seek_file(const struct request *r)
{
	struct handle *h = handle_of(r);
	uint64_t whence = word_of(r, 1);
	int64_t offset = (int64_t)word_of(r, 2), base;

	if (!h || whence > 2 || r->len < 24) {
		answer_status(r, AFC_ARGUMENT);
		return;
	}
	base = whence == 0 ? 0 : (int64_t)(whence == 1 ? h->at : file_bytes(h->file));
	if (__builtin_add_overflow(base, offset, &base) || base < 0) {
		answer_status(r, AFC_ARGUMENT);
		return;
	}
	h->at = (uint64_t)base;
	answer_status(r, AFC_OK);
}

static void tell_file(const struct request *r)
{
	const struct handle *h = handle_of(r);

	if (h)
		answer_number(r, OP_FILE_TELL_RES, h->at);
	else
		answer_status(r, AFC_ARGUMENT);
}

static void resize_file(const struct request *r)
{
	struct handle *h = handle_of(r);

	if (h && h->mode->write)
		answer_status(r, status_of(files_resize(files_of(r), h->file, word_of(r, 1))));
	else
		answer_status(r, AFC_ARGUMENT);
}

static void close_file(const struct request *r)
{
	struct handle *h = handle_of(r);

	if (h) {
		file_close(files_of(r), h->file);
		h->file = nullptr;
	}
	answer_status(r, h ? AFC_OK : AFC_ARGUMENT);
}

/* One host at a time: the scenario says whether another holds the lock. */
static void lock_file(const struct request *r)
{
	if (!handle_of(r))
		answer_status(r, AFC_ARGUMENT);
	else
		answer_status(r, r->afc->phone->scenario.afc_locked ? AFC_WOULD_BLOCK : AFC_OK);
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
	{ OP_FILE_OPEN, "FileRefOpen", open_file, 8 },
	{ OP_FILE_READ, "FileRefRead", read_file, 16 },
	{ OP_FILE_WRITE, "FileRefWrite", write_file, 8 },
	{ OP_FILE_SEEK, "FileRefSeek", seek_file, 24 },
	{ OP_FILE_TELL, "FileRefTell", tell_file, 8 },
	{ OP_FILE_CLOSE, "FileRefClose", close_file, 8 },
	{ OP_FILE_SET_SIZE, "FileRefSetFileSize", resize_file, 16 },
	{ OP_RENAME_PATH, "RenamePath", rename_path, 0 },
	{ OP_FILE_LOCK, "FileRefLock", lock_file, 16 },
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
		answer_status(r, AFC_HEADER);
		return;
	case TAP_ERROR: /* error:20 is a status */
		answer_status(
		    r, (enum status)strtoul(tap_error(r->afc->service.stream.tap), nullptr, 10));
		return;
	case TAP_PASS:
		break;
	}
	if (found == count)
		answer_status(r, AFC_UNKNOWN_PACKET);
	else if (r->len < operations[found].numbers)
		answer_status(r, AFC_HEADER);
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

	for (unsigned i = 0; i < HANDLES; i++)
		if (a->handles[i].file)
			file_close(&a->phone->files, a->handles[i].file);
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
