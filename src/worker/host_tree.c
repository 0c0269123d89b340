/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/host_tree.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

DEFINE_CLEANUP(DIR *, closedir)

/* --- the node's flag ------------------------------------------------------------------------- */

static int node_set(int fd, bool protected)
{
	int value = protected;

	return ioctl(fd, BLKROSET, &value) < 0 ? -errno : 0;
}

static void mark_path(const char *name, char ret[HOST_PATH_BYTES])
{
	snprintf(ret, HOST_PATH_BYTES, HOST_MARKS "/%s.node", name);
}

/* A mark that is still there is of a worker that was killed: its node was writable. */
static void mark_settle(int folder, const char *mark)
{
	static const char ending[] = ".node";
	char path[HOST_PATH_BYTES];
	size_t n = strlen(mark), stem = n - (sizeof(ending) - 1);
	_cleanup_close_ int fd = -1;

	if (n < sizeof(ending) || strcmp(mark + stem, ending) != 0)
		return;
	snprintf(path, sizeof(path), "/dev/%.*s", (int)stem, mark);
	for (char *at = path; (at = strchr(at, '!'));)
		*at = '/';
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0 && node_set(fd, false) < 0)
		log_warning("%s stays read-only: %m", path);
	(void)unlinkat(folder, mark, 0);
}

int host_lock(int *ret_fd, struct error *err)
{
	_cleanup_close_ int fd = open(HOST_MARKS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(closedirp) DIR *folder = NULL;
	struct dirent *entry;

	if (fd < 0 && getenv("IDEVICERESCUE_DISKS")) {
		*ret_fd = -1;
		return 0;
	}
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return error_set_errno(err, errno == EWOULDBLOCK ? ERROR_BUSY : ERROR_BUG, "kernel",
				       errno, "The disks are being looked at by another worker");
	folder = opendir(HOST_MARKS);
	while (folder && (entry = readdir(folder)))
		mark_settle(fd, entry->d_name);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* Sets the node read-only and remembers what it was. */
static int node_protect(const struct host_volume *volume, struct host_tree *tree)
{
	_cleanup_close_ int fd = -1;
	int r;

	tree->was_protected = volume->protected;
	if (volume->protected)
		return 0;
	mark_path(volume->name, tree->mark);
	fd = open(tree->mark, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		tree->mark[0] = '\0';
		return -errno;
	}
	r = node_set(tree->node, true);
	return r;
}

static void node_release(struct host_tree *tree)
{
	int r = 0;

	if (tree->mark[0] != '\0') {
		r = node_set(tree->node, tree->was_protected);
		if (r < 0)
			log_warning("a disk's node stays read-only: %s", strerror(-r));
		else
			(void)unlink(tree->mark);
	}
	tree->mark[0] = '\0';
}

/* --- mounting -------------------------------------------------------------------------------- */

/* What a driver says of a mount that fails, without the "e " that stands before it. */
static void driver_words(int context, char ret[HOST_TEXT_BYTES])
{
	char bytes[HOST_TEXT_BYTES];
	ssize_t n;

	while ((n = read(context, bytes, sizeof(bytes))) > 2)
		text_to_utf8(ret, HOST_TEXT_BYTES, bytes + 2, (size_t)n - 2);
}

static int set_flag(int context, const char *name)
{
	return fsconfig(context, FSCONFIG_SET_FLAG, name, NULL, 0) < 0 ? -errno : 0;
}

static int set_text(int context, const char *name, const char *value)
{
	return fsconfig(context, FSCONFIG_SET_STRING, name, value, 0) < 0 ? -errno : 0;
}

/*
 * On any doubt the driver is to fall back to read-only: NTFS would go on writing, and ext do what
 * the disk itself says, which may be to panic. ext that is only looked at: its journal is left
 * alone.
 */
static int set_options(int context, const struct host_volume *volume, enum host_access access)
{
	bool windows = host_volume_is_windows(volume);
	int r = set_text(context, "source", volume->path);

	if (r == 0 && access == HOST_LOOK)
		r = set_flag(context, "ro");
	if (r == 0)
		r = set_text(context, "errors", "remount-ro");
	if (r == 0 && windows)
		r = set_flag(context, "nocase");
	if (r == 0 && !windows && access == HOST_LOOK && strcmp(volume->filesystem, "ext2") != 0)
		r = set_flag(context, "noload");
	return r;
}

static int mount_volume(const struct host_volume *volume, enum host_access access, int *ret,
			struct error *err)
{
	unsigned attributes = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC |
			      MOUNT_ATTR_NOATIME | MOUNT_ATTR_NOSYMFOLLOW;
	/* one driver for all three kinds of ext */
	const char *driver = host_volume_is_windows(volume) ? "ntfs" : "ext4";
	_cleanup_close_ int context = fsopen(driver, FSOPEN_CLOEXEC);
	char words[HOST_TEXT_BYTES] = "";
	int r = context < 0 ? -errno : set_options(context, volume, access), fd;

	if (access == HOST_LOOK)
		attributes |= MOUNT_ATTR_RDONLY;
	if (r == 0 && fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		r = -errno;
	fd = r == 0 ? fsmount(context, FSMOUNT_CLOEXEC, attributes) : -1;
	if (r == 0 && fd < 0)
		r = -errno;
	if (r < 0) {
		if (context >= 0)
			driver_words(context, words);
		return error_set_errno(err, ERROR_REFUSED, "kernel", -r,
				       "The driver for %s cannot open %s%s%s", volume->filesystem,
				       volume->name, words[0] ? ": " : "", words);
	}
	*ret = fd;
	return 0;
}

static bool is_writable(int root)
{
	struct statvfs vfs;

	return fstatvfs(root, &vfs) == 0 && !(vfs.f_flag & ST_RDONLY);
}

static int open_folder(const struct host_volume *volume, struct host_tree *ret, struct error *err)
{
	ret->root = open(volume->tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (ret->root < 0)
		return error_set_errno(err, ERROR_REFUSED, "kernel", errno, "%s cannot be opened",
				       volume->name);
	ret->writable = access(volume->tree, W_OK) == 0;
	return 0;
}

int host_tree_open(const struct host_volume *volume, enum host_access access, struct host_tree *ret,
		   struct error *err)
{
	_cleanup_(host_tree_closep) struct host_tree tree = HOST_TREE_CLOSED;
	int r = 0;

	if (volume->tree[0] != '\0') {
		*ret = HOST_TREE_CLOSED;
		return open_folder(volume, ret, err);
	}
	tree.node = open(volume->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (tree.node < 0)
		return error_set_errno(err, ERROR_REFUSED, "kernel", errno, "%s cannot be opened",
				       volume->name);
	if (access == HOST_LOOK)
		r = node_protect(volume, &tree);
	if (r < 0)
		return error_set_errno(err, ERROR_REFUSED, "kernel", -r,
				       "%s cannot be set read-only, so it is not opened",
				       volume->name);
	r = mount_volume(volume, access, &tree.root, err);
	if (r < 0)
		return r;
	tree.writable = access == HOST_CHANGE && is_writable(tree.root);
	*ret = tree;
	tree = HOST_TREE_CLOSED;
	return 0;
}

/* What fsmount() gives is a path only, by which nothing can be synced. */
static int tree_sync(const struct host_tree *tree)
{
	_cleanup_close_ int fd = openat(tree->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || syncfs(fd) < 0 ? -errno : 0;
}

int host_tree_close(struct host_tree *tree)
{
	int r = 0;

	if (tree->root >= 0) {
		if (tree->writable)
			r = tree_sync(tree);
		(void)close(tree->root);
	}
	if (tree->node >= 0) {
		node_release(tree);
		(void)close(tree->node);
	}
	*tree = HOST_TREE_CLOSED;
	return r;
}
