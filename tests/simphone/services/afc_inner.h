/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the two files of afc share: afc.c has packets, answers and paths, afc_handles.c what is
 * asked of open files. Nobody else includes it.
 */
#pragma once

#include "phone.h"
#include "services/afc.h"

enum { AFC_HANDLES = 64 };

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

/* How a file is opened. */
struct open_mode {
	bool read, write, create, truncate, append;
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
	struct handle handles[AFC_HANDLES]; /* handle number: index + 1 */
};

/* One request: its arguments and payload (texts end with NUL beyond both), and how to answer. */
struct request {
	struct afc *afc;
	uint64_t number;
	uint64_t operation;
	const uint8_t *body;
	size_t len;
};

/* ---- afc.c ---- */

void afc_answer_status(const struct request *r, enum status status);
void afc_answer_number(const struct request *r, enum operation op, uint64_t number);
void afc_answer_data(const struct request *r, const void *bytes, size_t len);
/* The status for a negative errno, or 0. */
enum status afc_status_of(int error);

/* The number at place @index of the arguments; 0 if the request is too short. */
uint64_t afc_word(const struct request *r, unsigned index);
/* The text behind @skip bytes of numbers; "" if the request is too short. */
const char *afc_text(const struct request *r, size_t skip);
/* The phone's files, at the time of this request. */
struct files *afc_files(const struct request *r);

/* ---- afc_handles.c: each answers its request ---- */

void afc_open_file(const struct request *r);
void afc_read_file(const struct request *r);
void afc_write_file(const struct request *r);
void afc_seek_file(const struct request *r);
void afc_tell_file(const struct request *r);
void afc_resize_file(const struct request *r);
void afc_close_file(const struct request *r);
void afc_lock_file(const struct request *r);
/* Closes all, at the end of the connection. */
void afc_close_all(struct afc *a);
