/* SPDX-License-Identifier: GPL-3.0-or-later */
/* afc: open files. A handle holds its file open until it is closed, or the connection ends. */
#include <errno.h>
#include <string.h>

#include "services/afc_inner.h"

enum { READ_MAX = 4 * 1024 * 1024, LOCK_UNLOCK = 12 };

/* POSIX's words for how a file is opened, by afc's number (1 to 6). */
static const struct open_mode open_modes[] = {
	[1] = { .read = true },
	[2] = { .read = true, .write = true, .create = true },
	[3] = { .write = true, .create = true, .truncate = true },
	[4] = { .read = true, .write = true, .create = true, .truncate = true },
	[5] = { .write = true, .create = true, .append = true },
	[6] = { .read = true, .write = true, .create = true, .append = true },
};

static struct handle *handle_of(const struct request *r)
{
	uint64_t number = afc_word(r, 0);

	if (number < 1 || number > AFC_HANDLES || !r->afc->handles[number - 1].file)
		return nullptr;
	return &r->afc->handles[number - 1];
}

void afc_open_file(const struct request *r)
{
	struct files *f = afc_files(r);
	uint64_t number = afc_word(r, 0);
	const char *path = afc_text(r, 8);
	struct file *file = files_find(f, path);
	struct handle *free_one = nullptr;
	const struct open_mode *mode;
	int error = 0;

	if (number < 1 || number >= sizeof(open_modes) / sizeof(open_modes[0])) {
		afc_answer_status(r, AFC_ARGUMENT);
		return;
	}
	for (unsigned i = 0; i < AFC_HANDLES && !free_one; i++)
		if (!r->afc->handles[i].file)
			free_one = &r->afc->handles[i];
	if (!free_one) {
		afc_answer_status(r, AFC_NO_RESOURCES);
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
		afc_answer_status(r, afc_status_of(error));
		return;
	}
	if (mode->truncate)
		files_resize(f, file, 0);
	file_open(file);
	path += strspn(path, "/");
	*free_one = (struct handle){ file, mode, 0,
				     *r->afc->phone->scenario.afc_unreadable &&
					 !strcmp(path, r->afc->phone->scenario.afc_unreadable) };
	afc_answer_number(r, OP_FILE_OPEN_RES, (uint64_t)(free_one - r->afc->handles) + 1);
}

void afc_read_file(const struct request *r)
{
	struct handle *h = handle_of(r);
	uint64_t want = afc_word(r, 1), left;

	if (!h || !h->mode->read) {
		afc_answer_status(r, h ? AFC_PERMISSION : AFC_ARGUMENT);
		return;
	}
	/* the second half of a damaged file cannot be read */
	if (h->unreadable && h->at >= file_bytes(h->file) / 2) {
		afc_answer_status(r, AFC_IO);
		return;
	}
	left = h->at < file_bytes(h->file) ? file_bytes(h->file) - h->at : 0;
	if (h->unreadable)
		left = file_bytes(h->file) / 2 - h->at;
	if (want > left)
		want = left;
	if (want > READ_MAX)
		want = READ_MAX;
	afc_answer_data(r, want ? file_content(h->file)->bytes + h->at : nullptr, want);
	h->at += want;
}

void afc_write_file(const struct request *r)
{
	struct handle *h = handle_of(r);
	size_t len = r->len >= 8 ? r->len - 8 : 0;
	int error;

	if (!h || !h->mode->write) {
		afc_answer_status(r, h ? AFC_PERMISSION : AFC_ARGUMENT);
		return;
	}
	if (h->mode->append)
		h->at = file_bytes(h->file);
	error = files_write(afc_files(r), h->file, h->at, r->body + 8, len);
	if (error == 0)
		h->at += len;
	afc_answer_status(r, afc_status_of(error));
}

void afc_seek_file(const struct request *r)
{
	struct handle *h = handle_of(r);
	uint64_t whence = afc_word(r, 1);
	int64_t offset = (int64_t)afc_word(r, 2), base;

	if (!h || whence > 2 || r->len < 24) {
		afc_answer_status(r, AFC_ARGUMENT);
		return;
	}
	base = whence == 0 ? 0 : (int64_t)(whence == 1 ? h->at : file_bytes(h->file));
	if (__builtin_add_overflow(base, offset, &base) || base < 0) {
		afc_answer_status(r, AFC_ARGUMENT);
		return;
	}
	h->at = (uint64_t)base;
	afc_answer_status(r, AFC_OK);
}

void afc_tell_file(const struct request *r)
{
	const struct handle *h = handle_of(r);

	if (h)
		afc_answer_number(r, OP_FILE_TELL_RES, h->at);
	else
		afc_answer_status(r, AFC_ARGUMENT);
}

void afc_resize_file(const struct request *r)
{
	struct handle *h = handle_of(r);

	if (h && h->mode->write)
		afc_answer_status(
		    r, afc_status_of(files_resize(afc_files(r), h->file, afc_word(r, 1))));
	else
		afc_answer_status(r, AFC_ARGUMENT);
}

void afc_close_file(const struct request *r)
{
	struct handle *h = handle_of(r);

	if (h) {
		file_close(afc_files(r), h->file);
		h->file = nullptr;
	}
	afc_answer_status(r, h ? AFC_OK : AFC_ARGUMENT);
}

/* One host at a time: the scenario says whether another holds the lock. */
void afc_lock_file(const struct request *r)
{
	struct scenario *s = &r->afc->phone->scenario;
	bool unlocks = afc_word(r, 1) == LOCK_UNLOCK;
	bool busy = s->afc_locked || (s->afc_busy > 0 && !unlocks);

	if (!handle_of(r)) {
		afc_answer_status(r, AFC_ARGUMENT);
		return;
	}
	s->afc_busy -= s->afc_busy > 0 && !unlocks;
	afc_answer_status(r, busy ? AFC_WOULD_BLOCK : AFC_OK);
}

void afc_close_all(struct afc *a)
{
	for (unsigned i = 0; i < AFC_HANDLES; i++)
		if (a->handles[i].file)
			file_close(&a->phone->files, a->handles[i].file);
}
