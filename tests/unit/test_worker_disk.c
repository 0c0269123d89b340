/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which volume is meant, whether firmware may be kept on it (worker/disk_judge.h), how the unit of
 * its mount is called, and what is said with PID 1, which a thread pretends to be
 * (worker/disk_mount.h). Whole runs: test_native_disks.py, test_image_data.py. */
#include "base/cleanup.h"
#include "facts/facts.h"
#include "unit.h"
#include "worker/disk_judge.h"
#include "worker/disk_mount.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>

static const char parent[] = "/run/idevicerescue-disk";

/* --- may it be used? ------------------------------------------------------------------------- */

struct row {
	const char *what;
	struct host_volume volume;
	enum disk_cause wanted;
};

#define VOLUME(fs, why, ...)                                                                       \
	{ .name = "sdb1",                                                                          \
	  .path = "/dev/sdb1",                                                                     \
	  .filesystem = fs,                                                                        \
                                                                                                   \
	  .cause = HOST_CAUSE_##why,                                                               \
	  __VA_ARGS__ }

static const struct row rows[] = {
	{ "exfat", VOLUME("exfat", FILE_SYSTEM), DISK_NONE },
	{ "vfat", VOLUME("vfat", FILE_SYSTEM), DISK_NONE },
	{ "ntfs", VOLUME("ntfs", NONE), DISK_NONE },
	{ "ext4", VOLUME("ext4", NONE), DISK_NONE },
	{ "internal exfat: the person decides", VOLUME("exfat", FILE_SYSTEM, .internal = true),
	  DISK_NONE },
	{ "pulled ext4", VOLUME("ext4", RECOVER), DISK_NONE },
	{ "a Linux that sleeps", VOLUME("ext4", RECOVER, .internal = true), DISK_RECOVER },
	{ "pulled ext4 with its switch on", VOLUME("ext4", RECOVER, .protected = true),
	  DISK_PROTECTED },
	{ "exfat with its switch on", VOLUME("exfat", FILE_SYSTEM, .protected = true),
	  DISK_PROTECTED },
	{ "ntfs with its switch on", VOLUME("ntfs", PROTECTED, .protected = true), DISK_PROTECTED },
	{ "worse goes first", VOLUME("ntfs", DIRTY, .protected = true), DISK_DIRTY },
	{ "hibernated", VOLUME("ntfs", HIBERNATED), DISK_HIBERNATED },
	{ "sleeper", VOLUME("ntfs", SLEEPER), DISK_SLEEPER },
	{ "log open", VOLUME("ntfs", LOG_OPEN), DISK_LOG_OPEN },
	{ "errors", VOLUME("ext4", ERRORS), DISK_ERRORS },
	{ "bitlocker", VOLUME("bitlocker", BITLOCKER), DISK_BITLOCKER },
	{ "luks", VOLUME("luks", LUKS), DISK_LUKS },
	{ "apfs", VOLUME("apfs", MACOS), DISK_MACOS },
	{ "swap", VOLUME("swap", FILE_SYSTEM), DISK_FILE_SYSTEM },
	{ "btrfs", VOLUME("btrfs", FILE_SYSTEM), DISK_FILE_SYSTEM },
	{ "empty", VOLUME("", FILE_SYSTEM), DISK_EMPTY },
	{ "no medium's error", VOLUME("", UNREADABLE), DISK_UNREADABLE },
	{ "ours", VOLUME("exfat", FILE_SYSTEM, .ours = true), DISK_OURS },
	{ "ours and mounted", VOLUME("exfat", FILE_SYSTEM, .ours = true, .mounted = "/data"),
	  DISK_OURS },
	{ "mounted elsewhere", VOLUME("exfat", FILE_SYSTEM, .mounted = "/mnt"), DISK_MOUNTED },
	{ "nobody knows", VOLUME("exfat", FILE_SYSTEM, .mounted = "?"), DISK_MOUNTED },
	{ "mounted beside the parent",
	  VOLUME("exfat", FILE_SYSTEM, .mounted = "/run/idevicerescue-disks/x"), DISK_MOUNTED },
	{ "mounted by us", VOLUME("ntfs", DIRTY, .mounted = "/run/idevicerescue-disk/AB12-CD34"),
	  DISK_NONE },
};

static void set_uuid(struct host_volume *volume, const char *uuid)
{
	snprintf(volume->uuid, sizeof(volume->uuid), "%s", uuid);
}

/* It becomes a folder's and a unit's name. */
static void test_ids(void **state)
{
	static const struct {
		const char *uuid;
		enum disk_cause wanted;
	} ids[] = {
		{ "AB12-CD34", DISK_NONE }, { "0011223344556677", DISK_NONE },
		{ "", DISK_NO_ID },         { "../../etc", DISK_NO_ID },
		{ "-o12", DISK_NO_ID },     { "12 34", DISK_NO_ID },
		{ "12", DISK_NO_ID },       { "AB12/CD34", DISK_NO_ID },
	};

	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		struct host_volume volume = VOLUME("exfat", FILE_SYSTEM);

		set_uuid(&volume, ids[i].uuid);
		if (disk_judge(&volume, parent) != ids[i].wanted)
			fail_msg("%s", ids[i].uuid);
	}
}

static void test_may_it_be_used(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct host_volume volume = rows[i].volume;
		enum disk_cause cause;

		set_uuid(&volume, "AB12-CD34");
		cause = disk_judge(&volume, parent);

		if (cause != rows[i].wanted)
			fail_msg("%s: %s", rows[i].what, disk_cause_name(cause));
	}
}

/* Every cause has a text that fits an error's and says what to do. */
static void test_texts(void **state)
{
	struct host_volume volume = { .filesystem = "zfs_member",
				      .name = "nvme0n1p10",
				      .mounted = "/mnt" };

	assert_null(disk_cause_text(DISK_NONE, &volume));
	for (int cause = DISK_NONE + 1; cause < DISK_CAUSE_MAX; cause++) {
		_cleanup_free_ char *text = disk_cause_text((enum disk_cause)cause, &volume);

		assert_non_null(text);
		assert_true(strlen(text) < ERROR_TEXT_BYTES && !strchr(text, '{'));
		assert_true(strstr(text, "nvme0n1p10"));
	}
}

/* --- which one is meant? --------------------------------------------------------------------- */

static void test_which_one_is_meant(void **state)
{
	static const struct host_volume volumes[] = {
		{ .name = "sda1", .path = "/dev/sda1", .label = "Data", .uuid = "AB12-CD34" },
		{ .name = "sdb1", .path = "/dev/sdb1", .label = "sda1", .uuid = "0011-2233" },
		{ .name = "sdb2", .path = "/dev/sdb2", .label = "DATA", .uuid = "" },
		{ .name = "sdc1", .path = "/dev/sdc1", .label = "Twin", .uuid = "5555-5555" },
		{ .name = "sdd1", .path = "/dev/sdd1", .label = "Twin", .uuid = "5555-5555" },
	};
	static const struct {
		const char *word;
		int wanted; /* index, or the negative errno */
	} words[] = {
		{ "sda1", 0 },           { "/dev/sda1", 0 },
		{ "ab12-cd34", 0 },      { "Data", 0 },
		{ "DATA", 2 },           { "data", -ENOTUNIQ },
		{ "0011-2233", 1 },      { "Twin", -ENOTUNIQ },
		{ "twin", -ENOTUNIQ },   { "5555-5555", -ENOTUNIQ },
		{ "", -ENOENT },         { "sdb", -ENOENT },
		{ "/dev/sdb", -ENOENT }, { "/dev/", -ENOENT },
		{ "Dat", -ENOENT },      { "sdd1", 4 },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct error err = { 0 };
		size_t at = 99;
		int r = disk_choose(volumes, ARRAY_LEN(volumes), words[i].word, &at, &err);

		if (r < 0 ? r != words[i].wanted : (int)at != words[i].wanted)
			fail_msg("'%s': %d, %zu", words[i].word, r, at);
		assert_int_equal(err.kind == ERROR_NONE, r == 0);
		if (strcmp(words[i].word, "/dev/sdb") == 0)
			assert_true(strstr(err.text, "sdb1"));
		if (strcmp(words[i].word, "Twin") == 0)
			assert_true(strstr(err.text, "sdc1, sdd1"));
	}
}

/* --- names ----------------------------------------------------------------------------------- */

static void test_names_of_units(void **state)
{
	char unit[DISK_UNIT_BYTES], path[300] = "/";

	/* as systemd-escape --path --suffix=… has them */
	assert_int_equal(disk_unit_name("/run/idevicerescue-disk/AB12-CD34", "mount", unit), 0);
	assert_string_equal(unit, "run-idevicerescue\\x2ddisk-AB12\\x2dCD34.mount");
	assert_int_equal(disk_unit_name("/dev/nvme0n1p3", "device", unit), 0);
	assert_string_equal(unit, "dev-nvme0n1p3.device");
	assert_int_equal(disk_unit_name("/.a b/\xc3\xa4.c", "mount", unit), 0);
	assert_string_equal(unit, "\\x2ea\\x20b-\\xc3\\xa4.c.mount");
	memset(path + 1, 'a', sizeof(path) - 2);
	assert_int_equal(disk_unit_name(path, "mount", unit), -ENAMETOOLONG);
	memset(path + 1, '-', 70);
	path[71] = '\0';
	assert_int_equal(disk_unit_name(path, "mount", unit), -ENAMETOOLONG);
}

/* --- PID 1, pretended ------------------------------------------------------------------------ */

struct manager {
	int listen_fd;
	char address[160];
	pthread_t thread;
	const char *result; /* of the job; NULL: an error instead of a job */
	const char *error;  /* its name */
	char called[32], unit[DISK_UNIT_BYTES], properties[2048];
};

static void note(struct manager *manager, const char *text)
{
	size_t n = strlen(manager->properties);

	snprintf(manager->properties + n, sizeof(manager->properties) - n, "%s;", text);
}

/* The properties as text: "What=/dev/sdb1;". */
static void note_properties(struct manager *manager, sd_bus_message *call)
{
	const char *name, *text, *type;
	char line[512];

	assert_true(sd_bus_message_enter_container(call, 'a', "(sv)") > 0);
	while (sd_bus_message_enter_container(call, 'r', "sv") > 0) {
		assert_true(sd_bus_message_read(call, "s", &name) > 0);
		assert_true(sd_bus_message_peek_type(call, NULL, &type) > 0);
		if (strcmp(type, "s") == 0)
			assert_true(sd_bus_message_read(call, "v", "s", &text) > 0);
		else if (strcmp(type, "as") == 0)
			assert_true(sd_bus_message_read(call, "v", "as", 1, &text) > 0);
		else {
			assert_true(sd_bus_message_skip(call, "v") > 0);
			text = type;
		}
		snprintf(line, sizeof(line), "%s=%s", name, text);
		note(manager, line);
		assert_true(sd_bus_message_exit_container(call) >= 0);
	}
}

static int on_call(sd_bus_message *call, void *user, sd_bus_error *error)
{
	struct manager *manager = user;
	sd_bus *bus = sd_bus_message_get_bus(call);
	const char *unit, *mode;

	if (!sd_bus_message_get_member(call) ||
	    strcmp(sd_bus_message_get_path(call) ?: "", "/org/freedesktop/systemd1") != 0)
		return 0;
	snprintf(manager->called, sizeof(manager->called), "%s", sd_bus_message_get_member(call));
	assert_true(sd_bus_message_read(call, "ss", &unit, &mode) > 0);
	assert_string_equal(mode, "replace");
	snprintf(manager->unit, sizeof(manager->unit), "%s", unit);
	if (strcmp(manager->called, "StartTransientUnit") == 0)
		note_properties(manager, call);
	if (!manager->result)
		return sd_bus_reply_method_errorf(call, manager->error, "so it is");
	/* somebody else's job is over, too */
	assert_true(sd_bus_emit_signal(bus, "/org/freedesktop/systemd1",
				       "org.freedesktop.systemd1.Manager", "JobRemoved", "uoss", 4,
				       "/job/4", "other.service", "failed") >= 0);
	assert_true(sd_bus_reply_method_return(call, "o", "/job/5") >= 0);
	return sd_bus_emit_signal(bus, "/org/freedesktop/systemd1",
				  "org.freedesktop.systemd1.Manager", "JobRemoved", "uoss", 5,
				  "/job/5", unit, manager->result);
}

static void *serve(void *user)
{
	struct manager *manager = user;
	int fd = accept4(manager->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	sd_id128_t id = { .bytes = { 1 } };
	sd_bus *bus = NULL;
	int r = sd_bus_new(&bus);

	if (fd < 0 || r < 0 || sd_bus_set_fd(bus, fd, fd) < 0 ||
	    sd_bus_set_server(bus, 1, id) < 0 || sd_bus_set_anonymous(bus, 1) < 0 ||
	    sd_bus_add_filter(bus, NULL, on_call, manager) < 0 || sd_bus_start(bus) < 0)
		return user;
	while ((r = sd_bus_process(bus, NULL)) >= 0)
		if (r == 0 && sd_bus_wait(bus, UINT64_C(20000000)) <= 0)
			break;
	sd_bus_flush_close_unref(bus);
	return NULL;
}

static void manager_start(struct manager *manager)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/idr-manager-%d", getpid());
	(void)unlink(address.sun_path);
	snprintf(manager->address, sizeof(manager->address), "unix:path=%s", address.sun_path);
	manager->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(manager->listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(manager->listen_fd, 1), 0);
	assert_int_equal(pthread_create(&manager->thread, NULL, serve, manager), 0);
}

static void manager_end(struct manager *manager)
{
	void *failed;

	assert_int_equal(pthread_join(manager->thread, &failed), 0);
	assert_null(failed);
	close(manager->listen_fd);
	(void)unlink(manager->address + strlen("unix:path="));
}

static const struct host_volume exfat = { .name = "sdb1",
					  .path = "/dev/sdb1",
					  .filesystem = "exfat" };

/* Mounts (or unmounts) with the manager; returns what that returned. */
static int talk(struct manager *manager, bool mount, struct error *err)
{
	struct disk_manager *link = NULL;
	int r;

	manager_start(manager);
	assert_int_equal(disk_manager_new(manager->address, &link, err), 0);
	r = mount ? disk_mount(link, &exfat, "/run/idevicerescue-disk/AB", err)
		  : disk_unmount(link, "/run/idevicerescue-disk/AB", err);
	disk_manager_free(link);
	manager_end(manager);
	return r;
}

static void test_a_mount(void **state)
{
	struct manager manager = { .result = "done" };
	struct error err = { 0 };

	assert_int_equal(talk(&manager, true, &err), 0);
	assert_string_equal(manager.called, "StartTransientUnit");
	assert_string_equal(manager.unit, "run-idevicerescue\\x2ddisk-AB.mount");
	for (size_t i = 0; i < 6; i++) {
		static const char *const wanted[] = {
			"What=/dev/sdb1;",
			"Where=/run/idevicerescue-disk/AB;",
			"Type=exfat;",
			"BindsTo=dev-sdb1.device;",
			"After=dev-sdb1.device;",
			"ReadWriteOnly=b;",
		};

		if (!strstr(manager.properties, wanted[i]))
			fail_msg("%s is not in %s", wanted[i], manager.properties);
	}
	assert_true(strstr(manager.properties, "nosuid,nodev,noexec,noatime"));
	assert_true(strstr(manager.properties, "uid=idevicerescue,gid=idevicerescue-data"));
}

static void test_a_mount_that_fails(void **state)
{
	static const struct {
		const char *result, *error;
		enum error_kind kind;
	} cases[] = {
		{ "failed", NULL, ERROR_REFUSED },
		{ "dependency", NULL, ERROR_REFUSED },
		{ "timeout", NULL, ERROR_SILENT },
		{ NULL, "org.freedesktop.DBus.Error.AccessDenied", ERROR_REFUSED },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct manager manager = { .result = cases[i].result, .error = cases[i].error };
		struct error err = { 0 };

		assert_true(talk(&manager, true, &err) < 0);
		assert_int_equal(err.kind, cases[i].kind);
		assert_true(strstr(err.text, cases[i].result ?: "so it is"));
	}
}

static void test_an_unmount(void **state)
{
	struct manager done = { .result = "done" };
	struct manager none = { .error = "org.freedesktop.systemd1.NoSuchUnit" };
	struct manager failed = { .result = "failed" };
	struct error err = { 0 };

	assert_int_equal(talk(&done, false, &err), 0);
	assert_string_equal(done.called, "StopUnit");
	assert_string_equal(done.unit, "run-idevicerescue\\x2ddisk-AB.mount");
	assert_int_equal(talk(&none, false, &err), 0);
	assert_true(talk(&failed, false, &err) < 0);
	assert_int_equal(err.kind, ERROR_REFUSED);
}

static void test_without_pid_1(void **state)
{
	struct disk_manager *link = NULL;
	struct error err = { 0 };

	assert_int_equal(disk_manager_new("unix:path=/tmp/there-is-none", &link, &err),
			 -EOPNOTSUPP);
	assert_int_equal(err.kind, ERROR_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_may_it_be_used),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_which_one_is_meant),
		cmocka_unit_test(test_names_of_units),
		cmocka_unit_test(test_a_mount),
		cmocka_unit_test(test_a_mount_that_fails),
		cmocka_unit_test(test_an_unmount),
		cmocka_unit_test(test_without_pid_1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
