/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/data_disk.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "worker/data_table.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <systemd/sd-device.h>
#include <systemd/sd-event.h>

DEFINE_CLEANUP(DIR *, closedir)

enum { CMDLINE_MAX = 4096, MS_TO_US = 1000 };

/* --- what the boot menu said ----------------------------------------------------------------- */

/* "hd0,gpt2", the way GRUB names partitions; shim and BIOS alike. */
static bool is_stick(const char *root, size_t n)
{
	static const char ending[] = ",gpt2";
	size_t digits = 2;

	while (digits < n && isdigit((unsigned char)root[digits]))
		digits++;
	return n > 2 && strncmp(root, "hd", 2) == 0 && digits > 2 &&
	       n - digits == sizeof(ending) - 1 && strncmp(root + digits, ending, n - digits) == 0;
}

/* The value of "name=" if the word begins so, else NULL. */
static const char *value_of(const char *word, size_t n, const char *name, size_t *ret_n)
{
	size_t head = strlen(name);

	if (n < head || strncmp(word, name, head) != 0)
		return NULL;
	*ret_n = n - head;
	return word + head;
}

void data_wish_read(const char *cmdline, struct data_wish *ret)
{
	struct data_wish wish = { 0 };

	for (const char *word = cmdline; *word;) {
		size_t n = strcspn(word, " \t\n"), value_n;
		const char *value;

		value = value_of(word, n, "idevicerescue.data=", &value_n);
		if (value)
			wish.forbidden = value_n == 2 && strncmp(value, "no", 2) == 0;
		value = value_of(word, n, "idevicerescue.medium=", &value_n);
		if (value) {
			wish.from_menu = value_n > 0;
			wish.from_stick = is_stick(value, value_n);
		}
		word += n;
		word += strspn(word, " \t\n");
	}
	*ret = wish;
}

char *data_cmdline_read(void)
{
	const char *path = getenv("IDEVICERESCUE_CMDLINE") ?: "/proc/cmdline";
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[CMDLINE_MAX];
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	if (n < 0)
		return NULL;
	text[n] = '\0';
	return strdup(text);
}

/* --- which disks ----------------------------------------------------------------------------- */

static bool is_ours(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd >= 0 && data_table_is_ours(fd);
}

static void maker_words(sd_device *device, char ret[static DATA_MAKER_BYTES])
{
	const char *vendor = NULL, *model = NULL;
	char words[DATA_MAKER_BYTES];
	size_t n;

	(void)sd_device_get_property_value(device, "ID_VENDOR", &vendor);
	(void)sd_device_get_property_value(device, "ID_MODEL", &model);
	snprintf(words, sizeof(words), "%s%s%s", vendor ? vendor : "", vendor && model ? " " : "",
		 model ? model : "");
	n = text_copy(ret, DATA_MAKER_BYTES, words);
	for (size_t i = 0; i < n; i++)
		if (ret[i] == '_') /* udev's for a space */
			ret[i] = ' ';
}

static bool disk_fill(sd_device *device, struct data_disk *ret)
{
	const char *name = NULL, *path = NULL, *virtual = NULL;
	struct data_disk disk = { 0 };

	if (sd_device_get_sysname(device, &name) < 0 || sd_device_get_devname(device, &path) < 0 ||
	    sd_device_get_devpath(device, &virtual) < 0 ||
	    strncmp(virtual, "/devices/virtual/", 17) == 0 || /* loop, RAM, RAID … */
	    strlen(name) >= sizeof(disk.name) || strlen(path) >= sizeof(disk.path) ||
	    !is_ours(path))
		return false;
	text_copy(disk.name, sizeof(disk.name), name);
	text_copy(disk.path, sizeof(disk.path), path);
	maker_words(device, disk.maker);
	*ret = disk;
	return true;
}

static int disks_list(struct data_disk *ret, size_t max)
{
	_cleanup_(sd_device_enumerator_unrefp) sd_device_enumerator *list = NULL;
	size_t count = 0;
	int r = sd_device_enumerator_new(&list);

	if (r >= 0)
		r = sd_device_enumerator_add_match_subsystem(list, "block", true);
	if (r >= 0)
		r = sd_device_enumerator_add_match_property(list, "DEVTYPE", "disk");
	if (r < 0)
		return r;
	for (sd_device *device = sd_device_enumerator_get_device_first(list); device && count < max;
	     device = sd_device_enumerator_get_device_next(list))
		if (disk_fill(device, &ret[count]))
			count++;
	return (int)count;
}

/* --- a test's images ------------------------------------------------------------------------- */

static int images_list(const char *folder, struct data_disk *ret, size_t max)
{
	_cleanup_(closedirp) DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t count = 0;

	if (!dir)
		return -errno;
	while (count < max && (entry = readdir(dir))) {
		const char *ending = strrchr(entry->d_name, '.');
		struct data_disk disk = { 0 };

		if (!ending || strcmp(ending, ".img") != 0 ||
		    (size_t)snprintf(disk.path, sizeof(disk.path), "%s/%s", folder,
				     entry->d_name) >= sizeof(disk.path) ||
		    !is_ours(disk.path))
			continue;
		snprintf(disk.name, sizeof(disk.name), "%.*s", (int)(ending - entry->d_name),
			 entry->d_name);
		ret[count++] = disk;
	}
	return (int)count;
}

/* --- waiting --------------------------------------------------------------------------------- */

struct await {
	sd_event *event;
	struct data_disk *disks;
	size_t max;
	int count; /* or a negative errno */
};

/* udevd keeps this file as long as it has devices to look at. */
static bool udev_is_busy(void)
{
	return access("/run/udev/queue", F_OK) == 0;
}

static int look(struct await *await)
{
	await->count = disks_list(await->disks, await->max);
	if (await->count < 0 || (await->count > 0 && !udev_is_busy()))
		return sd_event_exit(await->event, 0);
	return 0;
}

static int on_device(sd_device_monitor *monitor, sd_device *device, void *user)
{
	return look(user);
}

/* udevd is at rest: all disks that it was told of are known. */
static int on_rest(sd_event_source *source, const struct inotify_event *change, void *user)
{
	const struct await *await = user;

	return await->count == 0 || udev_is_busy() ? 0 : look(user);
}

static int await_disks(unsigned limit_ms, struct await *await)
{
	_cleanup_(sd_device_monitor_unrefp) sd_device_monitor *monitor = NULL;
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	int r = sd_event_new(&event);

	await->event = event;
	if (r >= 0)
		r = sd_device_monitor_new(&monitor);
	if (r >= 0)
		r = sd_device_monitor_filter_add_match_subsystem_devtype(monitor, "block", "disk");
	if (r >= 0)
		r = sd_device_monitor_attach_event(monitor, event);
	if (r >= 0)
		r = sd_device_monitor_start(monitor, on_device, await);
	if (r >= 0)
		r = sd_event_add_inotify(event, NULL, "/run/udev", IN_DELETE | IN_MOVED_FROM,
					 on_rest, await);
	if (r >= 0)
		r = sd_event_add_time_relative(event, NULL, CLOCK_BOOTTIME,
					       (uint64_t)limit_ms * MS_TO_US, 0, NULL, NULL);
	if (r >= 0)
		r = look(await);
	if (r >= 0)
		r = sd_event_loop(event);
	return r < 0 ? r : await->count;
}

int data_disks_await(unsigned limit_ms, struct data_disk *ret, size_t max)
{
	const char *folder = getenv("IDEVICERESCUE_DISKS");
	struct await await = { .disks = ret, .max = max };

	return folder ? images_list(folder, ret, max) : await_disks(limit_ms, &await);
}
