/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The backup service with a host made by hand, and the database that it writes and reads. */
#include <errno.h>
#include <stdio.h>

#include "bed.h"
#include "services/backup_db.h"
#include "services/backup_errand.h"
#include "services/backup_set.h"

enum { STORED_MAX = 256 };

/* A host that keeps every file of a backup by its path, and does what it is told. */
struct host_of_tests {
	struct bed *bed;
	struct service *service;
	struct buf in;
	bool closed, streaming;
	unsigned stored;
	struct {
		char path[256];
		struct buf content;
	} files[STORED_MAX];
	char name[256], path[256]; /* of the file that comes */
	struct buf content;
	unsigned words;       /* of that file: its two names */
	int64_t error;        /* of the last Response; -1: none came */
	unsigned lists;       /* questions of the phone */
	const char *withhold; /* part of the path of a file that it will not give back */
	uint64_t free_bytes;
};

static void host_turn(struct host_of_tests *h);

static void host_hear(void *user, const void *bytes, size_t len)
{
	buf_add(&((struct host_of_tests *)user)->in, bytes, len);
}

static void host_end(void *user)
{
	((struct host_of_tests *)user)->closed = true;
}

static void host_say(struct host_of_tests *h, plist_t list)
{
	char *bytes = nullptr;
	uint32_t len = 0;
	uint8_t prefix[4];

	plist_to_bin(list, &bytes, &len);
	plist_free(list);
	put_be32(prefix, len);
	h->service->class->feed(h->service, prefix, 4);
	h->service->class->feed(h->service, (const uint8_t *)bytes, len);
	plist_mem_free(bytes);
}

static void host_ask(struct host_of_tests *h, plist_t message)
{
	plist_t list = devicelink_list("DLMessageProcessMessage");

	plist_array_append_item(list, message);
	h->error = -1;
	host_say(h, list);
	host_turn(h);
}

static plist_t message_of(const char *name)
{
	plist_t message = plist_new_dict();

	plist_dict_set_item(message, "MessageName", plist_new_string(name));
	plist_dict_set_item(message, "TargetIdentifier", plist_new_string("U"));
	plist_dict_set_item(message, "SourceIdentifier", plist_new_string("U"));
	return message;
}

static void host_status(struct host_of_tests *h, int64_t code, plist_t payload)
{
	plist_t list = devicelink_list("DLMessageStatusResponse");

	/* a negative number in 16 bytes, as idevicebackup2 writes it */
	plist_array_append_item(list, plist_new_uint((uint64_t)code));
	plist_array_append_item(list, plist_new_string("___EmptyParameterString___"));
	plist_array_append_item(list, payload ? payload : plist_new_dict());
	host_say(h, list);
}

static int stored_find(const struct host_of_tests *h, const char *path)
{
	for (unsigned i = 0; i < h->stored; i++)
		if (!strcmp(h->files[i].path, path))
			return (int)i;
	return -1;
}

static void stored_put(struct host_of_tests *h)
{
	int at = stored_find(h, h->path);

	if (at < 0) {
		assert_true(h->stored < STORED_MAX);
		at = (int)h->stored++;
		snprintf(h->files[at].path, sizeof(h->files[at].path), "%s", h->path);
	}
	buf_clear(&h->files[at].content);
	buf_add(&h->files[at].content, h->content.bytes, h->content.len);
}

static void stored_drop(struct host_of_tests *h, const char *prefix)
{
	for (unsigned i = 0; i < h->stored;) {
		if (strncmp(h->files[i].path, prefix, strlen(prefix)) != 0) {
			i++;
			continue;
		}
		buf_done(&h->files[i].content);
		h->files[i] = h->files[--h->stored];
		memset(&h->files[h->stored], 0, sizeof(h->files[0]));
	}
}

/* ---- what the phone asks ---- */

static void raw(struct host_of_tests *h, const void *bytes, size_t len)
{
	uint8_t prefix[4];

	put_be32(prefix, (uint32_t)len);
	h->service->class->feed(h->service, prefix, 4);
	if (len > 0)
		h->service->class->feed(h->service, bytes, len);
}

static void files_give(struct host_of_tests *h, plist_t paths)
{
	int64_t code = 0;

	for (uint32_t i = 0; i < plist_array_get_size(paths) && code == 0; i++) {
		const char *path = plist_get_string_ptr(plist_array_get_item(paths, i), nullptr);
		int at = stored_find(h, path);
		BUF_AUTO block = {};

		raw(h, path, strlen(path));
		if (at < 0 || (h->withhold && strstr(path, h->withhold))) {
			raw(h, "\x06No such file", 13);
			code = -13;
			continue;
		}
		buf_add(&block, "\x0c", 1);
		buf_add(&block, h->files[at].content.bytes, h->files[at].content.len);
		raw(h, block.bytes, block.len);
		raw(h, "\0", 1);
	}
	raw(h, nullptr, 0);
	host_status(h, code, nullptr);
}

static void moves_do(struct host_of_tests *h, plist_t moves)
{
	plist_dict_iter at = nullptr;
	plist_t to = nullptr;
	char *from = nullptr;

	plist_dict_new_iter(moves, &at);
	for (plist_dict_next_item(moves, at, &from, &to); to;
	     plist_dict_next_item(moves, at, &from, &to)) {
		const char *target = plist_get_string_ptr(to, nullptr);
		int found = stored_find(h, from);

		assert_true(found >= 0);
		if (stored_find(h, target) >= 0) {
			stored_drop(h, target);
			found = stored_find(h, from);
		}
		snprintf(h->files[found].path, sizeof(h->files[found].path), "%s", target);
		plist_mem_free(from);
	}
	plist_mem_free(at);
	host_status(h, 0, nullptr);
}

static void removes_do(struct host_of_tests *h, plist_t paths)
{
	for (uint32_t i = 0; i < plist_array_get_size(paths); i++)
		stored_drop(h, plist_get_string_ptr(plist_array_get_item(paths, i), nullptr));
	host_status(h, 0, nullptr);
}

static void folder_list(struct host_of_tests *h, const char *path)
{
	plist_t entries = plist_new_dict();

	for (unsigned i = 0; i < h->stored; i++)
		if (!strncmp(h->files[i].path, path, strlen(path)))
			plist_dict_set_item(entries, h->files[i].path, plist_new_dict());
	host_status(h, 0, entries);
}

static void message_hear(struct host_of_tests *h, plist_t message)
{
	plist_t code = plist_dict_get_item(message, "ErrorCode");
	uint64_t number = 0;

	if (code)
		plist_get_uint_val(code, &number);
	h->error = (int64_t)number;
}

static void list_hear(struct host_of_tests *h, plist_t list)
{
	const char *name = plist_get_string_ptr(plist_array_get_item(list, 0), nullptr);
	plist_t first = plist_array_get_item(list, 1), answer;

	h->lists++;
	if (!strcmp(name, "DLMessageVersionExchange")) {
		answer = devicelink_list(name);
		plist_array_append_item(answer, plist_new_string("DLVersionsOk"));
		host_say(h, answer);
	} else if (!strcmp(name, "DLMessageProcessMessage")) {
		message_hear(h, first);
	} else if (!strcmp(name, "DLMessageDownloadFiles")) {
		files_give(h, first);
	} else if (!strcmp(name, "DLMessageUploadFiles")) {
		h->streaming = true;
		h->words = 0;
	} else if (!strcmp(name, "DLMessageMoveItems")) {
		moves_do(h, first);
	} else if (!strcmp(name, "DLMessageRemoveItems")) {
		removes_do(h, first);
	} else if (!strcmp(name, "DLContentsOfDirectory")) {
		folder_list(h, plist_get_string_ptr(first, nullptr));
	} else if (!strcmp(name, "DLMessageGetFreeDiskSpace")) {
		host_status(h, 0, plist_new_uint(h->free_bytes));
	} else if (!strcmp(name, "DLMessagePurgeDiskSpace")) {
		host_status(h, -1, nullptr);
	} else if (!strcmp(name, "DLMessageCreateDirectory")) {
		host_status(h, 0, nullptr);
	}
}

static void stream_hear(struct host_of_tests *h, const uint8_t *bytes, uint32_t len)
{
	char *word = h->words == 0 ? h->name : h->path;

	if (len == 0) {
		h->streaming = false;
		host_status(h, 0, nullptr);
	} else if (h->words < 2) {
		assert_true(len < sizeof(h->path));
		memcpy(word, bytes, len);
		word[len] = '\0';
		h->words++;
		buf_clear(&h->content);
	} else if (bytes[0] == 0x0c) {
		buf_add(&h->content, bytes + 1, len - 1);
	} else {
		stored_put(h);
		h->words = 0;
	}
}

/* All that the phone said so far. */
static void host_turn(struct host_of_tests *h)
{
	while (h->in.len >= 4 && h->in.len >= 4 + (size_t)get_be32(h->in.bytes)) {
		uint32_t len = get_be32(h->in.bytes);
		BUF_AUTO frame = {};
		plist_t list = nullptr;

		buf_add(&frame, h->in.bytes + 4, len);
		buf_drop(&h->in, 4 + (size_t)len);
		if (h->streaming) {
			stream_hear(h, frame.bytes, len);
			continue;
		}
		plist_from_memory((const char *)frame.bytes, len, &list, nullptr);
		assert_non_null(list);
		list_hear(h, list);
		plist_free(list);
	}
}

static void host_connect(struct host_of_tests *h, struct bed *bed)
{
	if (h->service)
		h->service->class->free(h->service);
	h->bed = bed;
	h->closed = false;
	h->service = mobilebackup2_open(&bed->phone, nullptr,
					&(struct stream){ host_hear, host_end, h, nullptr });
	host_turn(h);
	host_ask(h, message_of("Hello"));
	assert_int_equal(h->error, 0);
}

static struct host_of_tests *host_new(struct bed *bed)
{
	struct host_of_tests *h = calloc(1, sizeof(*h));

	h->free_bytes = 1ull << 40;
	host_connect(h, bed);
	return h;
}

static void host_free(struct host_of_tests *h)
{
	h->service->class->free(h->service);
	stored_drop(h, "");
	buf_done(&h->in);
	buf_done(&h->content);
	free(h);
}

static void change(struct bed *b, const char *path, const char *text)
{
	struct file *file = files_find(&b->phone.files, path);

	if (!file)
		assert_int_equal(files_make(&b->phone.files, path, FILE_REGULAR, &file), 0);
	assert_int_equal(files_write(&b->phone.files, file, 0, text, strlen(text)), 0);
}

/* ---- backup and restore ---- */

static void test_backup_and_restore(void **state)
{
	struct bed *old = BED("seed=1"), *new = BED("seed=2");
	struct host_of_tests *h = host_new(old);
	char wanted[65], found[65];
	struct file *link;

	assert_int_equal(files_make(&old->phone.files, "Downloads/link", FILE_LINK, &link), 0);
	buf_add_text(&link->content, "empty.txt");
	files_digest(&old->phone.files, wanted);
	host_ask(h, message_of("Backup"));
	assert_int_equal(h->error, 0);
	assert_int_equal(h->stored, files_count(&old->phone.files) + 3);
	assert_true(stored_find(h, "U/Manifest.db") >= 0);

	host_connect(h, new);
	files_digest(&new->phone.files, found);
	assert_string_not_equal(found, wanted);
	host_ask(h, message_of("Restore"));
	assert_int_equal(h->error, 0);
	files_digest(&new->phone.files, found);
	assert_string_equal(found, wanted);
	bed_wait(new, 20000);
	assert_int_equal(new->phone.boots, 2);
	host_free(h);
	bed_free(old);
	bed_free(new);
}

static void test_incremental(void **state)
{
	struct bed *b = BED("seed=1");
	struct host_of_tests *h = host_new(b);
	unsigned first, questions;

	host_ask(h, message_of("Backup"));
	first = h->stored;
	questions = h->lists;
	assert_int_equal(files_remove(&b->phone.files, "Downloads/empty.txt", false), 0);
	change(b, "Downloads/more.txt", "more");
	change(b, "Books/other.txt", "other");
	h->lists = 0;
	host_ask(h, message_of("Backup"));
	assert_int_equal(h->error, 0);
	assert_int_equal(h->stored, first + 1);
	assert_true(h->lists < questions);
	host_free(h);
	bed_free(b);
}

/* A missing or a changed file: nothing of the phone changes. */
static void test_restore_refused(void **state)
{
	struct bed *b = BED("seed=1");
	struct host_of_tests *h = host_new(b);
	char before[65], after[65];
	unsigned at = 0;

	host_ask(h, message_of("Backup"));
	change(b, "Books/other.txt", "after the backup");
	files_digest(&b->phone.files, before);
	while (strstr(h->files[at].path, ".plist") || strstr(h->files[at].path, ".db") ||
	       h->files[at].content.len == 0)
		at++;
	h->withhold = h->files[at].path;
	host_ask(h, message_of("Restore"));
	assert_int_equal(h->error, MB_ERROR_MANIFEST);
	h->withhold = nullptr;
	h->files[at].content.bytes[0] ^= 1;
	host_ask(h, message_of("Restore"));
	assert_int_equal(h->error, MB_ERROR_MANIFEST);
	assert_true(bed_logged(b, "backup-file-wrong"));
	h->withhold = "Status.plist";
	host_ask(h, message_of("Restore"));
	assert_int_equal(h->error, MB_ERROR_MANIFEST);
	files_digest(&b->phone.files, after);
	assert_string_equal(before, after);
	host_free(h);
	bed_free(b);
}

static void test_no_room(void **state)
{
	struct bed *b = BED("seed=1");
	struct host_of_tests *h = host_new(b);

	h->free_bytes = 128 << 20;
	host_ask(h, message_of("Backup"));
	assert_int_equal(h->error, MB_ERROR_SPACE);
	assert_int_equal(h->stored, 0);
	assert_int_equal(scenario_set(&b->phone.scenario, "backup_skips_space", "yes", nullptr, 0),
			 0);
	host_ask(h, message_of("Backup"));
	assert_int_equal(h->error, 0);
	host_free(h);
	bed_free(b);
}

/* ---- the passcode, passwords, refusals ---- */

static void test_passcode(void **state)
{
	struct bed *b = BED("passcode=yes", "version=17.0", "backup_passcode_ms=5000");
	struct host_of_tests *h = host_new(b);
	const char *why;

	host_ask(h, message_of("Backup"));
	assert_int_equal(h->error, -1);
	assert_true(b->phone.backup.asker != nullptr);
	assert_true(bed_logged(b, "com.apple.LocalAuthentication.ui.presented"));
	bed_wait(b, 5001);
	host_turn(h);
	assert_int_equal(h->error, MB_ERROR_LOCKED);
	assert_int_equal(mobilebackup2_type(&b->phone, true, &why), -EINVAL);

	host_ask(h, message_of("Backup"));
	assert_int_equal(mobilebackup2_type(&b->phone, false, &why), 0);
	host_turn(h);
	assert_int_equal(h->error, MB_ERROR_LOCKED);

	host_ask(h, message_of("Backup"));
	assert_int_equal(mobilebackup2_type(&b->phone, true, &why), 0);
	host_turn(h);
	assert_int_equal(h->error, 0);

	/* a host that leaves while it is wanted */
	host_ask(h, message_of("Backup"));
	host_connect(h, b);
	assert_true(b->phone.backup.asker == nullptr);
	host_free(h);
	bed_free(b);
}

static void password_ask(struct host_of_tests *h, const char *old, const char *new)
{
	plist_t message = message_of("ChangePassword");

	if (old)
		plist_dict_set_item(message, "OldPassword", plist_new_string(old));
	if (new)
		plist_dict_set_item(message, "NewPassword", plist_new_string(new));
	host_ask(h, message);
}

static void test_password(void **state)
{
	struct bed *b = BED("version=12.0");
	struct host_of_tests *h = host_new(b);
	plist_t message, options;

	password_ask(h, nullptr, nullptr);
	assert_int_equal(h->error, MB_ERROR_UNKNOWN);
	password_ask(h, nullptr, "one");
	assert_int_equal(h->error, 0);
	password_ask(h, "two", "three");
	assert_int_equal(h->error, MB_ERROR_PASSWORD);
	host_ask(h, message_of("Backup"));
	host_ask(h, message_of("Restore"));
	assert_int_equal(h->error, MB_ERROR_PASSWORD);
	message = message_of("Restore");
	options = plist_new_dict();
	plist_dict_set_item(options, "Password", plist_new_string("one"));
	plist_dict_set_item(message, "Options", options);
	host_ask(h, message);
	assert_int_equal(h->error, 0);
	password_ask(h, "one", nullptr);
	assert_int_equal(h->error, 0);
	assert_string_equal(b->phone.backup.password, "");
	host_free(h);
	bed_free(b);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *name;
		int64_t error;
	} cases[] = {
		{ "Info", MB_ERROR_MANIFEST },   { "List", MB_ERROR_MANIFEST },
		{ "Unback", MB_ERROR_MANIFEST }, { "EraseDevice", MB_ERROR_UNKNOWN },
		{ "Dance", MB_ERROR_UNKNOWN },
	};
	struct bed *b = BED("seed=1");
	struct host_of_tests *h = host_new(b);
	unsigned files = files_count(&b->phone.files);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		host_ask(h, message_of(cases[i].name));
		assert_int_equal(h->error, cases[i].error);
	}
	assert_true(bed_logged(b, "\"event\":\"backup-refused\",\"name\":\"EraseDevice\""));
	assert_int_equal(files_count(&b->phone.files), files);
	host_free(h);
	bed_free(b);
}

/* A backup folder is one name, not a path. */
static void test_folder_names(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a/b" };
	struct bed *b = BED("seed=1");
	struct host_of_tests *h = host_new(b);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		plist_t message = message_of("Backup");

		plist_dict_set_item(message, "TargetIdentifier", plist_new_string(bad[i]));
		host_ask(h, message);
		assert_int_equal(h->error, MB_ERROR_UNKNOWN);
	}
	assert_int_equal(h->stored, 0);
	host_free(h);
	bed_free(b);
}

/* ---- the database ---- */

struct seen {
	unsigned count;
	bool wrong;
};

static bool row_see(void *user, const struct backup_row *row)
{
	struct seen *s = user;
	char path[64];

	snprintf(path, sizeof(path), "Media/%u", s->count++);
	s->wrong |= strcmp(row->path, path) != 0 || strcmp(row->domain, "D") != 0 ||
		    row->flags != 1 || row->blob_len != 500;
	return true;
}

static void test_database(void **state)
{
	static const unsigned counts[] = { 0, 1, 100, 5000 };
	static const uint8_t blob[500] = { 1, 2, 3 };

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct backup_db db = {};
		struct seen seen = {};
		BUF_AUTO file = {};

		for (unsigned n = 0; n < counts[i]; n++) {
			struct backup_row row = { .domain = "D", .flags = 1, .blob = blob };
			char path[64];

			snprintf(path, sizeof(path), "Media/%u", n);
			snprintf(row.id, sizeof(row.id), "%040u", n);
			row.path = path;
			row.blob_len = sizeof(blob);
			assert_true(backup_db_add(&db, &row));
		}
		backup_db_write(&db, &file);
		backup_db_done(&db);
		assert_int_equal(file.len % 65536, 0);
		assert_int_equal(backup_db_read(file.bytes, file.len, row_see, &seen), 0);
		assert_int_equal(seen.count, counts[i]);
		assert_false(seen.wrong);
		/* cut anywhere, it is refused or ends early, and nothing breaks */
		for (size_t len = 0; len < file.len; len += 7919)
			backup_db_read(file.bytes, len, row_see, &seen);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backup_and_restore), cmocka_unit_test(test_incremental),
		cmocka_unit_test(test_restore_refused),    cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_passcode),           cmocka_unit_test(test_password),
		cmocka_unit_test(test_refusals),           cmocka_unit_test(test_folder_names),
		cmocka_unit_test(test_database),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
