/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "unit.h"
#include "worker/backup_folder.h"
#include "worker/backup_output.h"
#include "worker/engine_output.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void on_line(void *context, const char *line)
{
	backup_output_line(context, line);
}

static struct backup_output said(const char *text)
{
	struct backup_output output = {};
	struct engine_lines lines = {};

	engine_lines_feed(&lines, text, strlen(text), on_line, &output);
	engine_lines_end(&lines, on_line, &output);
	return output;
}

static void test_success(void **state)
{
	struct backup_output output =
	    said("Backup will be encrypted.\nRequesting backup from device...\nFull backup mode.\n"
		 "*** Waiting for passcode to be entered on the device ***\r\nReceiving files\n"
		 "\r[=====     ]  52% (1.2 MB/2.4 MB)     \r[==========] 100% Finished\n"
		 "Received 9 files from device.\nBackup Successful.\n");

	assert_true(output.requested && output.passcode && output.receiving && output.successful);
	assert_false(output.aborted || output.cancelled);
	assert_int_equal(output.encrypted, BACKUP_ENCRYPTED);
	assert_int_equal(output.received, 9);
	assert_int_equal(output.trouble.kind, ERROR_NONE);
}

static void test_failures(void **state)
{
	static const struct {
		const char *text;
		int exit_status;
		enum error_kind kind;
		const char *origin;
		int code;
	} cases[] = {
		{ "ErrorCode 208: Device locked (MBErrorDomain/208)\nBackup Failed (Error Code "
		  "208).",
		  48, ERROR_LOCKED, "idevicebackup2", 208 },
		{ "ErrorCode 105: x\n", 151, ERROR_NO_SPACE, "idevicebackup2", 105 },
		{ "[===   ]  87% (1.7 MB/2.0 MB)     ErrorCode 100: x\nReceived 3 files.\n", 156,
		  ERROR_PROTOCOL, "idevicebackup2", 100 },
		{ "[===   ]  87% (1.7 MB/2.0 MB)     ErrorCode 1: Backup cancelled\n", 255,
		  ERROR_CANCELLED, "idevicebackup2", 255 },
		{ "ErrorCode 4711: x\n", 1, ERROR_PROTOCOL, "idevicebackup2", 4711 },
		{ "ErrorCode 99999999999999999999: x\n", 1, ERROR_PROTOCOL, "idevicebackup2", 1 },
		{ "ERROR: Could not connect to lockdownd, error code -17\n", 255, ERROR_LOCKED,
		  "lockdownd", -17 },
		{ "ERROR: Could not start service com.apple.afc: Invalid service\n", 255,
		  ERROR_REFUSED, "idevicebackup2", 0 },
		{ "ERROR: Could not start service com.apple.mobilebackup2: Password protected\n",
		  255, ERROR_LOCKED, "idevicebackup2", 0 },
		{ "ERROR: could not lock file! error code: 8\n", 255, ERROR_BUSY, "idevicebackup2",
		  0 },
		{ "No device found with udid A.\n", 255, ERROR_UNPLUGGED, "idevicebackup2", 0 },
		{ "User has cancelled the backup process on the device.\nBackup Aborted.\n", 255,
		  ERROR_CANCELLED, "idevicebackup2", 255 },
		{ "Backup Aborted.\n", 255, ERROR_PROTOCOL, "idevicebackup2", 255 },
		{ "Backup Successful.\n", 0, ERROR_PROTOCOL, "idevicebackup2", 0 },
		{ "", 127, ERROR_UNSUPPORTED, "idevicebackup2", 127 },
		{ "", 134, ERROR_PROTOCOL, "idevicebackup2", 134 },
		{ "", 0, ERROR_PROTOCOL, "idevicebackup2", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct backup_output output = said(cases[i].text);
		struct error err = {};

		assert_true(backup_output_failed(&output, cases[i].exit_status, &err) < 0);
		if (err.kind != cases[i].kind || strcmp(err.origin, cases[i].origin) != 0 ||
		    err.code != cases[i].code)
			fail_msg("%s: %s %s %lld", cases[i].text, error_kind_name(err.kind),
				 err.origin, (long long)err.code);
		assert_true(err.text[0] != '\0');
	}
}

static void test_proof(void **state)
{
	static const struct {
		struct backup_found found;
		bool ended, proves;
	} cases[] = {
		{ { .info = true, .state = true, .finished = true, .manifest = true }, true, true },
		{ { .info = true, .state = true, .manifest = true }, true, false },
		{ { .info = true, .state = true, .finished = true, .payloads = 9 }, true, false },
		{ { .state = true, .finished = true, .manifest = true }, true, false },
		{ { .info = true, .finished = true, .manifest = true }, true, false },
		{ {}, true, false },
		{ { .info = true, .state = true, .payloads = 2 }, false, true },
		{ { .info = true, .state = true, .payloads = 1 }, false, false },
		{ { .info = true, .state = true, .manifest = true }, false, true },
		{ { .info = true, .payloads = 5 }, false, false },
		{ { .info = true }, false, false },
		{ {}, false, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (backup_found_proves(&cases[i].found, cases[i].ended) != cases[i].proves)
			fail_msg("case %zu", i);
}

/* --- the folder */

static void put(int folder, const char *path, const char *text)
{
	int fd = openat(folder, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void test_folder(void **state)
{
	static const char finished[] =
	    "<plist><dict><key>SnapshotState</key><string>finished</string></dict></plist>";
	static const char payload[] = "A/14/1477d3f0a0b1c2d3e4f5061728394a5b6c7d8e9f";
	char path[] = "/tmp/test_worker_backup.XXXXXX";
	struct backup_found found;
	int folder;

	assert_non_null(mkdtemp(path));
	folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(backup_folder_look(folder, "A", &found), 0);
	assert_int_equal(found.files, 0);
	assert_int_equal(mkdirat(folder, "A", 0700), 0);
	assert_int_equal(mkdirat(folder, "A/14", 0700), 0);
	put(folder, "A/Info.plist", "<plist><dict></dict></plist>");
	assert_int_equal(symlinkat("/etc", folder, "A/link"), 0);
	assert_int_equal(backup_folder_look(folder, "A", &found), 0);
	assert_true(found.info && !found.state && found.files == 0 && found.bytes == 0);
	put(folder, "A/Status.plist", finished);
	put(folder, "A/Manifest.plist", "<plist><dict><key>Da");
	put(folder, payload, "12345");
	put(folder, "A/14/short", "12345");
	assert_int_equal(backup_folder_look(folder, "A", &found), 0);
	assert_true(found.state && found.finished && !found.manifest);
	assert_int_equal(found.files, 4);
	assert_int_equal(found.payloads, 1);
	assert_int_equal(found.bytes, strlen(finished) + 20 + 10);
	put(folder, "A/Manifest.plist", "<plist><dict></dict></plist>");
	assert_int_equal(backup_folder_look(folder, "A", &found), 0);
	assert_true(found.manifest);
	for (const char *const *name =
		 (const char *const[]){ "A/Info.plist", "A/Status.plist", "A/Manifest.plist",
					"A/14/short", "A/link", payload, NULL };
	     *name; name++)
		assert_int_equal(unlinkat(folder, *name, 0), 0);
	assert_int_equal(unlinkat(folder, "A/14", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(folder, "A", AT_REMOVEDIR), 0);
	close(folder);
	assert_int_equal(rmdir(path), 0);
}

/* A phone nests its folders as deep as it likes, and ours is gone all the same. */
static void test_deep_folder_goes(void **state)
{
	enum { DEEP = 200 };
	char path[] = "/tmp/test_worker_backup.XXXXXX";
	int folder, at;

	assert_non_null(mkdtemp(path));
	folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put(folder, "journal", "stays");
	assert_int_equal(backup_folder_remove(folder, "proof"), 0);
	assert_int_equal(mkdirat(folder, "proof", 0700), 0);
	at = openat(folder, "proof", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* names that ours could meet */
	put(at, "raised-0", "12345");
	assert_int_equal(mkdirat(at, "raised-1", 0700), 0);
	put(at, "raised-1/file", "12345");
	for (int i = 0; i < DEEP; i++) {
		int next;

		assert_int_equal(mkdirat(at, "d", 0700), 0);
		next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		put(next, "file", "12345");
		assert_int_equal(symlinkat(path, next, "link"), 0);
		close(at);
		at = next;
	}
	close(at);
	assert_int_equal(backup_folder_remove(folder, "proof"), 0);
	assert_int_equal(faccessat(folder, "proof", F_OK, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(unlinkat(folder, "journal", 0), 0);
	close(folder);
	assert_int_equal(rmdir(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_success),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_proof),
		cmocka_unit_test(test_folder),
		cmocka_unit_test(test_deep_folder_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
