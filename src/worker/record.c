/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/record.h"
#include "base/cleanup.h"
#include "worker/session.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <usbmuxd.h>

static const char usual_folder[] = "/var/lib/lockdown";
static const char identity_file[] = "SystemConfiguration.plist";

DEFINE_CLEANUP(DIR *, closedir)

struct fields {
	const char *action, *udid;
};

static const sd_json_dispatch_field fields_table[] = {
	{ "action", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
	  offsetof(struct fields, action), SD_JSON_MANDATORY | SD_JSON_REFUSE_NULL },
	{ "udid", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
	  offsetof(struct fields, udid), SD_JSON_REFUSE_NULL },
	{},
};

bool record_file_name(const char *name)
{
	static const char ending[] = ".plist";
	static const char allowed[] = "0123456789-abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t stem = strspn(name, allowed);

	return stem > 0 && strcmp(name + stem, ending) == 0 && strcmp(name, identity_file) != 0;
}

static int forget(const char *udid, uint64_t *ret, struct error *err)
{
	usbmuxd_device_info_t *phones = NULL;
	int r = usbmuxd_get_device_list(&phones);

	if (r < 0)
		return error_set(err, ERROR_NO_SERVICE, "usbmuxd", r, "usbmuxd is not running");
	usbmuxd_device_list_free(&phones);
	r = record_forget(udid, err);
	if (r < 0)
		return r;
	*ret = (uint64_t)r;
	return 0;
}

/* Removes a file and nothing else: no link is followed, no folder entered. 1 if it went, 0 if it is
 * no file, a negative errno. */
static int remove_file(int folder, const char *name)
{
	struct stat st;

	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	if (unlinkat(folder, name, 0) < 0)
		return errno == ENOENT ? 0 : -errno;
	return 1;
}

static int remove_records(DIR *folder, uint64_t *ret)
{
	struct dirent *entry;
	uint64_t count = 0;
	int fd = dirfd(folder), r;

	if (fd < 0)
		return -errno;
	while (errno = 0, (entry = readdir(folder)) != NULL) {
		if (!record_file_name(entry->d_name))
			continue;
		r = remove_file(fd, entry->d_name);
		if (r < 0)
			return r;
		count += (uint64_t)r;
	}
	if (errno != 0)
		return -errno;
	r = remove_file(fd, identity_file);
	if (r < 0)
		return r;
	if (fsync(fd) < 0 && errno != EINVAL)
		return -errno;
	*ret = count;
	return 0;
}

static int forget_store(uint64_t *ret, struct error *err)
{
	_cleanup_(closedirp) DIR *folder = NULL;
	const char *path = getenv("IDEVICERESCUE_LOCKDOWN");
	int r = 0;

	folder = opendir(path ? path : usual_folder);
	if (!folder)
		r = -errno;
	if (r == -ENOENT) { /* usbmuxd has never kept any */
		*ret = 0;
		return 0;
	}
	if (r == 0)
		r = remove_records(folder, ret);
	if (r < 0)
		return error_set_errno(err, ERROR_REFUSED, "kernel", -r,
				       "Cannot remove this computer's pairings");
	return 0;
}

static int run(const struct fields *fields, uint64_t *ret, struct error *err)
{
	char udid[REQUEST_UDID_BYTES];

	if (strcmp(fields->action, "forget") == 0) {
		int r = request_check_udid(fields->udid, udid, err);

		return r < 0 ? r : forget(udid, ret, err);
	}
	if (strcmp(fields->action, "forget-store") != 0)
		return error_set(err, ERROR_USAGE, "worker", 0, "Field \"action\" is no action");
	if (fields->udid)
		return error_set(err, ERROR_USAGE, "worker", 0,
				 "Field \"udid\" is for one phone's record only");
	return forget_store(ret, err);
}

int record_run(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	struct fields fields = {};
	uint64_t forgotten = 0;
	int r = request_fields(request, fields_table, &fields, err);

	if (r == 0)
		r = run(&fields, &forgotten, err);
	if (r < 0)
		return r;
	r = sd_json_buildo(ret_fields, SD_JSON_BUILD_PAIR_UNSIGNED("forgotten", forgotten));
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the result");
	return 0;
}
