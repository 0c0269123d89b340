/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/host_place.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

DEFINE_CLEANUP(DIR *, closedir)

static const char sys_block[] = "/sys/class/block";

enum {
	ATTRIBUTE_BYTES = 256,
	SECTOR = 512,
	PATH_BYTES = 640,
	INNER_BYTES = 320,
	UDEV_WAIT_MS = 20000
};

/* No disks, or none of this computer. */
static const char *const not_disks[] = {
	"loop", "ram", "zram", "sr", "fd", "dm-", "md", "nbd", "mtdblock",
};

static bool is_no_disk(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(not_disks); i++) {
		size_t n = strlen(not_disks[i]);

		if (strncmp(name, not_disks[i], n) == 0 &&
		    (not_disks[i][n - 1] == '-' || isdigit((unsigned char)name[n])))
			return true;
	}
	return false;
}

/* A file of sysfs without its newline; "" if it is not there. */
static void attribute_read(const char *name, const char *attribute, char ret[ATTRIBUTE_BYTES])
{
	char path[PATH_BYTES], bytes[ATTRIBUTE_BYTES];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	ret[0] = '\0';
	snprintf(path, sizeof(path), "%s/%s/%s", sys_block, name, attribute);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, bytes, sizeof(bytes)) : -1;
	while (n > 0 && isspace((unsigned char)bytes[n - 1]))
		n--;
	if (n > 0)
		text_to_utf8(ret, ATTRIBUTE_BYTES, bytes, (size_t)n);
}

static uint64_t attribute_number(const char *name, const char *attribute)
{
	char text[ATTRIBUTE_BYTES];

	attribute_read(name, attribute, text);
	return strtoull(text, NULL, 10);
}

static bool attribute_is_there(const char *name, const char *attribute)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s/%s", sys_block, name, attribute);
	return access(path, F_OK) == 0;
}

/* The disk that a partition is on: the folder above it. */
static int disk_of(const char *name, char ret[HOST_NAME_BYTES])
{
	_cleanup_free_ char *real = NULL;
	char path[PATH_BYTES], *end;
	const char *disk;

	snprintf(path, sizeof(path), "%s/%s", sys_block, name);
	real = realpath(path, NULL);
	end = real ? strrchr(real, '/') : NULL;
	if (!end)
		return -ENOENT;
	*end = '\0';
	disk = strrchr(real, '/');
	if (!disk || strlen(disk + 1) >= HOST_NAME_BYTES)
		return -ENOENT;
	text_copy(ret, HOST_NAME_BYTES, disk + 1);
	return 0;
}

/* In sysfs a "!" stands for the "/" of a node's name. */
static void node_path(const char *name, char *ret, size_t bytes)
{
	snprintf(ret, bytes, "/dev/%s", name);
	for (char *at = ret; (at = strchr(at, '!'));)
		*at = '/';
}

static bool has_partitions(const char *disk)
{
	_cleanup_(closedirp) DIR *folder = NULL;
	struct dirent *entry;
	char path[PATH_BYTES], inner[INNER_BYTES];

	snprintf(path, sizeof(path), "%s/%s", sys_block, disk);
	folder = opendir(path);
	while (folder && (entry = readdir(folder))) {
		snprintf(inner, sizeof(inner), "%.128s/partition", entry->d_name);
		if (strncmp(entry->d_name, disk, strlen(disk)) == 0 &&
		    attribute_is_there(disk, inner))
			return true;
	}
	return false;
}

/* By number: "8:1" is the third word of a line of mountinfo, the fifth says where (as the kernel
 * writes it: a blank is \040). */
static void find_mount(FILE *mounts, const char *number, char ret[HOST_PATH_BYTES])
{
	_cleanup_free_ char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, mounts) > 0) {
		char *rest = line, *words[5];

		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			words[i] = strsep(&rest, " ");
		if (!words[4] || strcmp(words[2], number) != 0)
			continue;
		(void)text_copy(ret, HOST_PATH_BYTES, words[4]);
		return;
	}
}

static void mounted_where(const char *name, char ret[HOST_PATH_BYTES])
{
	char number[ATTRIBUTE_BYTES];
	FILE *mounts;

	ret[0] = '\0';
	attribute_read(name, "dev", number);
	mounts = fopen("/proc/self/mountinfo", "re");
	if (mounts) {
		find_mount(mounts, number, ret);
		(void)fclose(mounts);
	} else {
		(void)text_copy(ret, HOST_PATH_BYTES, "?"); /* it is left alone */
	}
}

/* --- made to be pulled out? ------------------------------------------------------------------ */

/* PCI and USB devices say "removable" of themselves: a disk in a Thunderbolt box hangs below one.
 */
static bool says_removable(const char *folder)
{
	char path[PATH_MAX + sizeof("/removable")], text[sizeof("removable")] = "";
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "%s/removable", folder);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return false;
	return text[0] == '1' || strcmp(text, "removable") == 0;
}

static bool is_internal(const char *disk)
{
	char path[PATH_BYTES], type[ATTRIBUTE_BYTES];
	_cleanup_free_ char *real = NULL;

	snprintf(path, sizeof(path), "%s/%s", sys_block, disk);
	real = realpath(path, NULL);
	attribute_read(disk, "device/type", type); /* of cards: SD; soldered ones: MMC */
	if (!real)
		return true;
	if (strstr(real, "/usb") || strcmp(type, "SD") == 0)
		return false;
	for (char *end; strcmp(real, "/sys/devices") != 0 && (end = strrchr(real, '/'));
	     *end = '\0')
		if (says_removable(real))
			return false;
	return true;
}

static void disk_words(const char *disk, char ret[HOST_TEXT_BYTES])
{
	char vendor[ATTRIBUTE_BYTES], model[ATTRIBUTE_BYTES];

	attribute_read(disk, "device/model", model);
	if (model[0] == '\0')
		attribute_read(disk, "device/name", model); /* cards */
	attribute_read(disk, "device/vendor", vendor);
	/* SATA disks are all of vendor ATA; virtio's is a number */
	if (strcmp(vendor, "ATA") == 0 || strncmp(vendor, "0x", 2) == 0)
		vendor[0] = '\0';
	snprintf(ret, HOST_TEXT_BYTES, "%.40s%s%.80s", vendor, vendor[0] && model[0] ? " " : "",
		 model);
}

/* True if there may be a volume of the computer in it. */
static bool place_fill(const char *name, struct host_volume *volume)
{
	bool partition = attribute_is_there(name, "partition");
	char disk[HOST_NAME_BYTES], disk_path[HOST_PATH_BYTES];

	if (strlen(name) >= HOST_NAME_BYTES || is_no_disk(name) ||
	    attribute_number(name, "hidden") == 1 || attribute_number(name, "size") == 0)
		return false;
	if (!partition && has_partitions(name))
		return false;
	if (partition ? disk_of(name, disk) < 0 : snprintf(disk, sizeof(disk), "%.63s", name) <= 0)
		return false;
	node_path(disk, disk_path, sizeof(disk_path));
	*volume = (struct host_volume){
		.size_bytes = attribute_number(name, "size") * SECTOR,
		.protected = attribute_number(name, "ro") == 1,
		.internal = is_internal(disk),
		.ours = host_disk_is_ours(disk_path),
	};
	mounted_where(name, volume->mounted);
	text_copy(volume->name, sizeof(volume->name), name);
	node_path(name, volume->path, sizeof(volume->path));
	disk_words(disk, volume->disk);
	return true;
}

/* udevd has a file there as long as it has devices to look at: right after the start disks are
 * still being found. */
static void udev_wait(void)
{
	_cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	uint64_t end_ms = clock_now_ms() + UDEV_WAIT_MS, now_ms;
	char events[4096];

	if (fd < 0 || inotify_add_watch(fd, "/run/udev", IN_DELETE | IN_MOVED_FROM) < 0)
		return;
	while (access("/run/udev/queue", F_OK) == 0 && (now_ms = clock_now_ms()) < end_ms) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };

		if (poll(&wait, 1, (int)(end_ms - now_ms)) > 0 &&
		    read(fd, events, sizeof(events)) < 0)
			break;
	}
}

int host_places_find(struct host_volume ret[static HOST_VOLUMES_MAX], size_t *ret_count)
{
	_cleanup_(closedirp) DIR *folder = NULL;
	struct dirent *entry;
	size_t count = 0;

	udev_wait();
	folder = opendir(sys_block);
	if (!folder)
		return -errno;
	while (count < HOST_VOLUMES_MAX && (entry = readdir(folder)))
		if (entry->d_name[0] != '.' && place_fill(entry->d_name, &ret[count]))
			count++;
	*ret_count = count;
	return 0;
}

/* --- a test's images ------------------------------------------------------------------------- */

static bool image_fill(const char *folder, const char *file, struct host_volume *volume)
{
	const char *ending = strrchr(file, '.');
	struct host_volume found = { 0 };
	struct stat st;
	int stem;

	if (!ending || strcmp(ending, ".img") != 0)
		return false;
	stem = (int)(ending - file);
	if ((size_t)snprintf(found.path, sizeof(found.path), "%s/%s", folder, file) >=
		sizeof(found.path) ||
	    stat(found.path, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	snprintf(found.name, sizeof(found.name), "%.*s", stem, file);
	snprintf(found.tree, sizeof(found.tree), "%s/%.*s.mounted", folder, stem, file);
	snprintf(found.disk, sizeof(found.disk), "Image of a test");
	found.size_bytes = (uint64_t)st.st_size;
	found.protected = (st.st_mode & 0222) == 0;
	found.internal = strncmp(file, "internal", strlen("internal")) == 0;
	*volume = found;
	return true;
}

int host_places_images(const char *folder, struct host_volume ret[static HOST_VOLUMES_MAX],
		       size_t *ret_count)
{
	_cleanup_(closedirp) DIR *open_folder = opendir(folder);
	struct dirent *entry;
	size_t count = 0;

	if (!open_folder)
		return -errno;
	while (count < HOST_VOLUMES_MAX && (entry = readdir(open_folder)))
		if (image_fill(folder, entry->d_name, &ret[count]))
			count++;
	*ret_count = count;
	return 0;
}
