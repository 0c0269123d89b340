/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/disk_mount.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "facts/facts.h"
#include "worker/disk_user.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>

static const char manager_address[] = "unix:path=/run/systemd/private";
static const char service_name[] = "org.freedesktop.systemd1";
static const char object_path[] = "/org/freedesktop/systemd1";
static const char interface_name[] = "org.freedesktop.systemd1.Manager";

enum {
	CALL_MS = 25 * 1000,
	/* A disk that sleeps, a journal that is written back, a slow one that is synced: the unit
	 * has its limit, we wait a little longer. */
	JOB_MS = 60 * 1000,
	MARGIN_MS = 10 * 1000,
	US_PER_MS = 1000,
};

struct disk_manager {
	sd_bus *bus;
	char *job;       /* path of the job that is awaited, NULL not known yet */
	char result[32]; /* what became of it, "" it is not over */
};

/* --- names ----------------------------------------------------------------------------------- */

int disk_unit_name(const char *path, const char *ending, char ret[static DISK_UNIT_BYTES])
{
	size_t n = 0;

	for (const char *c = path + 1; *c != '\0'; c++) {
		bool plain = isalnum((unsigned char)*c) || *c == ':' || *c == '_' ||
			     (*c == '.' && c != path + 1);

		if (n + sizeof("\\xff") >= DISK_UNIT_BYTES)
			return -ENAMETOOLONG;
		if (*c == '/' || plain)
			ret[n++] = *c == '/' ? '-' : *c;
		else
			n += (size_t)snprintf(ret + n, DISK_UNIT_BYTES - n, "\\x%02x",
					      (unsigned char)*c);
	}
	if (n + 1 + strlen(ending) >= DISK_UNIT_BYTES)
		return -ENAMETOOLONG;
	snprintf(ret + n, DISK_UNIT_BYTES - n, ".%s", ending);
	return 0;
}

#define OPTIONS "nosuid,nodev,noexec,noatime,nosymfollow,errors=remount-ro"
#define OWNER   ",uid=idevicerescue,gid=idevicerescue-data,umask=0007"

static const struct kind {
	const char *filesystem, *type, *options;
} kinds[] = {
	{ "exfat", "exfat", OPTIONS OWNER },
	{ "vfat", "vfat", OPTIONS OWNER },
	{ "ntfs", "ntfs", OPTIONS OWNER },
	{ "ext4", "ext4", OPTIONS },
	/* one driver for all three kinds of ext */
	{ "ext3", "ext4", OPTIONS },
	{ "ext2", "ext4", OPTIONS },
};

static const struct kind *kind_of(const struct host_volume *volume)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i].filesystem, volume->filesystem) == 0)
			return &kinds[i];
	return NULL;
}

const char *disk_mount_options(const struct host_volume *volume)
{
	const struct kind *kind = kind_of(volume);

	return kind ? kind->options : NULL;
}

const char *disk_mount_type(const struct host_volume *volume)
{
	const struct kind *kind = kind_of(volume);

	return kind ? kind->type : NULL;
}

/* --- PID 1 ----------------------------------------------------------------------------------- */

/* JobRemoved(id, job, unit, result). One that comes beside the answer of a call waits in the bus's
 * queue until it is processed, and then the job's path is known. */
static int on_job_removed(sd_bus_message *message, void *user, sd_bus_error *error)
{
	struct disk_manager *manager = user;
	const char *job, *result;
	uint32_t id;

	if (sd_bus_message_read(message, "uoss", &id, &job, NULL, &result) < 0)
		return 0;
	if (manager->job && strcmp(job, manager->job) == 0)
		(void)text_copy(manager->result, sizeof(manager->result), result);
	return 0;
}

int disk_manager_new(const char *address, struct disk_manager **ret, struct error *err)
{
	_cleanup_(disk_manager_freep) struct disk_manager *manager = calloc(1, sizeof(*manager));
	int r = manager ? sd_bus_new(&manager->bus) : -ENOMEM;

	if (r >= 0)
		r = sd_bus_set_address(manager->bus, address ?: manager_address);
	if (r >= 0)
		r = sd_bus_start(manager->bus);
	if (r >= 0)
		r = sd_bus_match_signal(manager->bus, NULL, NULL, object_path, interface_name,
					"JobRemoved", on_job_removed, manager);
	if (r < 0) {
		_cleanup_free_ char *text = message_format("disk-no-manager", NULL);

		(void)error_set_errno(err, ERROR_UNSUPPORTED, "systemd", -r, "%s", text ?: "");
		return -EOPNOTSUPP;
	}
	*ret = TAKE(manager);
	return 0;
}

struct disk_manager *disk_manager_free(struct disk_manager *manager)
{
	if (!manager)
		return NULL;
	sd_bus_close_unref(manager->bus);
	free(manager->job);
	free(manager);
	return NULL;
}

/* Processes what comes until the job is over. */
static int await_job(struct disk_manager *manager, uint64_t deadline_ms)
{
	while (manager->result[0] == '\0') {
		uint64_t now_ms = clock_now_ms();
		int r = sd_bus_process(manager->bus, NULL);

		if (r == 0 && now_ms >= deadline_ms)
			return -ETIMEDOUT;
		if (r == 0)
			r = sd_bus_wait(manager->bus, (deadline_ms - now_ms) * US_PER_MS);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Sends a call whose answer is a job, and waits for its end. 1: done; 0: the job failed (its result
 * is in the manager); a negative errno; -ENOENT: PID 1 knows no such unit. */
static int run_job(struct disk_manager *manager, sd_bus_message *call, sd_bus_error *error)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	const char *job;
	int r = sd_bus_call(manager->bus, call, (uint64_t)CALL_MS * US_PER_MS, error, &reply);

	if (r < 0)
		return sd_bus_error_has_name(error, "org.freedesktop.systemd1.NoSuchUnit") ? -ENOENT
											   : r;
	r = sd_bus_message_read(reply, "o", &job);
	if (r < 0)
		return r;
	free(manager->job);
	manager->result[0] = '\0';
	manager->job = strdup(job);
	if (!manager->job)
		return -ENOMEM;
	r = await_job(manager, clock_now_ms() + JOB_MS + MARGIN_MS);
	return r < 0 ? r : strcmp(manager->result, "done") == 0;
}

static int new_call(struct disk_manager *manager, const char *method, sd_bus_message **ret)
{
	return sd_bus_message_new_method_call(manager->bus, ret, service_name, object_path,
					      interface_name, method);
}

/* --- mounting -------------------------------------------------------------------------------- */

/* The node's own unit: the mount ends with it. */
static int append_device(sd_bus_message *call, const struct host_volume *volume)
{
	static const char *const names[] = { "BindsTo", "After" };
	char device[DISK_UNIT_BYTES];
	int r = disk_unit_name(volume->path, "device", device);

	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(names); i++)
		r = sd_bus_message_append(call, "(sv)", names[i], "as", 1, device);
	return r;
}

static int append_properties(sd_bus_message *call, const struct host_volume *volume,
			     const char *where)
{
	int r = sd_bus_message_open_container(call, 'a', "(sv)");

	if (r >= 0)
		r = sd_bus_message_append(
		    call, "(sv)(sv)(sv)(sv)(sv)(sv)(sv)(sv)", "Description", "s",
		    "Disk for firmware, named by the person", "What", "s", volume->path, "Where",
		    "s", where, "Type", "s", disk_mount_type(volume), "Options", "s",
		    disk_mount_options(volume), "ReadWriteOnly", "b", 1, "TimeoutUSec", "t",
		    (uint64_t)JOB_MS * US_PER_MS, "CollectMode", "s", "inactive-or-failed");
	if (r >= 0)
		r = append_device(call, volume);
	return r < 0 ? r : sd_bus_message_close_container(call);
}

static int mount_call(struct disk_manager *manager, const struct host_volume *volume,
		      const char *where, sd_bus_message **ret)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	char unit[DISK_UNIT_BYTES];
	int r = disk_unit_name(where, "mount", unit);

	if (r >= 0)
		r = new_call(manager, "StartTransientUnit", &call);
	if (r >= 0)
		r = sd_bus_message_append(call, "ss", unit, "replace");
	if (r >= 0)
		r = append_properties(call, volume, where);
	if (r >= 0)
		r = sd_bus_message_append(call, "a(sa(sv))", 0);
	if (r >= 0)
		*ret = TAKE(call);
	return r;
}

/* What the manager said, or what its job came to. */
static int fail(struct disk_manager *manager, int r, const sd_bus_error *error, const char *id,
		const char *where, struct error *err)
{
	const char *why = error->message ?: r < 0 ? strerror(-r) : manager->result;
	_cleanup_free_ char *text = message_format(id, "where", where, "why", why, NULL);
	bool late = r == -ETIMEDOUT || (r == 0 && strcmp(manager->result, "timeout") == 0);

	return error_set(err, late ? ERROR_SILENT : ERROR_REFUSED, "systemd", r < 0 ? -r : 0, "%s",
			 text ?: why);
}

int disk_mount(struct disk_manager *manager, const struct host_volume *volume, const char *where,
	       struct error *err)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	_cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = mount_call(manager, volume, where, &call);

	if (r >= 0)
		r = run_job(manager, call, &error);
	return r > 0 ? 0 : fail(manager, r, &error, "disk-mount-failed", volume->name, err);
}

int disk_unmount(struct disk_manager *manager, const char *where, struct error *err)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	_cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
	char unit[DISK_UNIT_BYTES], users[HOST_TEXT_BYTES];
	int r = disk_unit_name(where, "mount", unit);

	if (r >= 0)
		r = new_call(manager, "StopUnit", &call);
	if (r >= 0)
		r = sd_bus_message_append(call, "ss", unit, "replace");
	if (r >= 0)
		r = run_job(manager, call, &error);
	if (r > 0 || r == -ENOENT)
		return 0;
	if (disk_users(where, users) > 0) {
		_cleanup_free_ char *text = message_format("disk-busy", "users", users, NULL);

		return error_set(err, ERROR_BUSY, "kernel", EBUSY, "%s", text ?: users);
	}
	return fail(manager, r, &error, "disk-unmount-failed", where, err);
}
