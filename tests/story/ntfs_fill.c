/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Puts files into an NTFS image without mounting it, by libntfs-3g: NTFS that nobody here wrote.
 *   ntfs_fill IMAGE [--dirty] [PATH=FILE | PATH/]…      a file's content, or an empty folder
 *   ntfs_fill IMAGE --list PATH/                        names in a folder, one a line
 *   ntfs_fill IMAGE --cat PATH                          a file's content
 * Folders of a path are made as needed.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
/* clang-format off: these want those above */
#include <ntfs-3g/attrib.h>
#include <ntfs-3g/dir.h>
#include <ntfs-3g/inode.h>
#include <ntfs-3g/unistr.h>
#include <ntfs-3g/volume.h>
/* clang-format on */

enum { NAME_LENGTH_MAX = 255, FILE_BYTES_MAX = 1 << 20 };

static void die(const char *what, const char *name)
{
	fprintf(stderr, "ntfs_fill: %s: %s: %s\n", name, what, strerror(errno));
	exit(1);
}

/* The inode of a name in a folder, made if it is not there; the folder is closed. */
static ntfs_inode *step(ntfs_volume *volume, ntfs_inode *folder, const char *name, mode_t type)
{
	ntfschar *wide = NULL;
	int length = ntfs_mbstoucs(name, &wide);
	ntfs_inode *inode;
	u64 number;

	if (length <= 0 || length > NAME_LENGTH_MAX)
		die("no name", name);
	number = ntfs_inode_lookup_by_name(folder, wide, length);
	inode = number == (u64)-1
		    ? ntfs_create(folder, const_cpu_to_le32(0), wide, (u8)length, type)
		    : ntfs_inode_open(volume, MREF(number));
	if (!inode)
		die("cannot make or open", name);
	free(wide);
	if (ntfs_inode_close(folder) != 0)
		die("cannot close its folder", name);
	return inode;
}

/* Opens or makes a path; one that ends in "/" is a folder. */
static ntfs_inode *walk(ntfs_volume *volume, const char *path)
{
	ntfs_inode *inode = ntfs_inode_open(volume, FILE_root);
	char part[NAME_LENGTH_MAX + 1];

	while (inode && *path) {
		size_t n = strcspn(path, "/");
		bool last = path[n] == '\0';

		snprintf(part, sizeof(part), "%.*s", (int)n, path);
		inode = step(volume, inode, part, last ? S_IFREG : S_IFDIR);
		path += n + !last;
	}
	if (!inode)
		die("cannot open", path);
	return inode;
}

static void put(ntfs_volume *volume, const char *path, const char *file)
{
	static char bytes[FILE_BYTES_MAX];
	ntfs_inode *inode = walk(volume, path);
	FILE *source = fopen(file, "re");
	size_t n = source ? fread(bytes, 1, sizeof(bytes), source) : 0;
	ntfs_attr *content = ntfs_attr_open(inode, AT_DATA, AT_UNNAMED, 0);

	if (!source || !content || ntfs_attr_truncate(content, (s64)n) != 0 ||
	    (n > 0 && ntfs_attr_pwrite(content, 0, (s64)n, bytes) != (s64)n))
		die("cannot be written", path);
	ntfs_attr_close(content);
	(void)fclose(source);
	if (ntfs_inode_close(inode) != 0)
		die("cannot be closed", path);
}

static int print_name(void *user, const ntfschar *name, const int length, const int kind,
		      const s64 at, const MFT_REF reference, const unsigned type)
{
	char *text = NULL;

	if (kind != FILE_NAME_DOS && ntfs_ucstombs(name, length, &text, 0) > 0 && text[0] != '.')
		puts(text);
	free(text);
	return 0;
}

static void show(ntfs_volume *volume, const char *path, bool list)
{
	static char bytes[FILE_BYTES_MAX];
	ntfs_inode *inode = ntfs_pathname_to_inode(volume, NULL, path);
	ntfs_attr *content;
	s64 position = 0, n;

	if (!inode)
		die("is not there", path);
	if (list) {
		if (ntfs_readdir(inode, &position, NULL, print_name) != 0)
			die("cannot be listed", path);
	} else {
		content = ntfs_attr_open(inode, AT_DATA, AT_UNNAMED, 0);
		n = content ? ntfs_attr_pread(content, 0, sizeof(bytes), bytes) : -1;
		if (n < 0 || fwrite(bytes, 1, (size_t)n, stdout) != (size_t)n)
			die("cannot be read", path);
		ntfs_attr_close(content);
	}
	(void)ntfs_inode_close(inode);
}

static void fill(ntfs_volume *volume, char **arguments)
{
	for (; *arguments; arguments++) {
		char *equals = strchr(*arguments, '=');

		if (strcmp(*arguments, "--dirty") == 0)
			continue;
		if (!equals) {
			if (ntfs_inode_close(walk(volume, *arguments)) != 0)
				die("cannot be closed", *arguments);
			continue;
		}
		*equals = '\0';
		put(volume, *arguments, equals + 1);
	}
}

int main(int argc, char **argv)
{
	bool list = argc == 4 && strcmp(argv[2], "--list") == 0;
	bool cat = argc == 4 && strcmp(argv[2], "--cat") == 0;
	bool dirty = argc > 2 && strcmp(argv[2], "--dirty") == 0;
	ntfs_volume *volume;

	if (argc < 3)
		return 2;
	volume = ntfs_mount(argv[1], list || cat ? NTFS_MNT_RDONLY | NTFS_MNT_FORENSIC : 0);
	if (!volume)
		die("cannot be opened as NTFS", argv[1]);
	if (list || cat)
		show(volume, argv[3], list);
	else
		fill(volume, argv + 2);
	if (dirty && ntfs_volume_write_flags(volume, volume->flags | VOLUME_IS_DIRTY) != 0)
		die("cannot be marked", argv[1]);
	return ntfs_umount(volume, FALSE) == 0 ? 0 : 1;
}
