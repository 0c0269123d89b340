/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/disk_judge.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "facts/facts.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct cause_words {
	const char *name, *text; /* id of a message */
} causes[DISK_CAUSE_MAX] = {
	[DISK_NONE] = { "none", NULL },
	[DISK_OURS] = { "ours", "disk-no-ours" },
	[DISK_MOUNTED] = { "mounted", "disk-no-mounted" },
	[DISK_EMPTY] = { "empty", "disk-no-empty" },
	[DISK_NO_ID] = { "no-id", "disk-no-id" },
	[DISK_HIBERNATED] = { "hibernated", "disk-no-hibernated" },
	[DISK_SLEEPER] = { "sleeper", "disk-no-sleeper" },
	[DISK_DIRTY] = { "dirty", "disk-no-dirty" },
	[DISK_LOG_OPEN] = { "log-open", "disk-no-log-open" },
	[DISK_RECOVER] = { "recover", "disk-no-recover" },
	[DISK_ERRORS] = { "errors", "disk-no-errors" },
	[DISK_BITLOCKER] = { "bitlocker", "disk-no-bitlocker" },
	[DISK_LUKS] = { "luks", "disk-no-luks" },
	[DISK_PROTECTED] = { "protected", "disk-no-protected" },
	[DISK_MACOS] = { "macos", "disk-no-macos" },
	[DISK_FILE_SYSTEM] = { "file-system", "disk-no-file-system" },
	[DISK_UNREADABLE] = { "unreadable", "disk-no-unreadable" },
};

const char *disk_cause_name(enum disk_cause cause)
{
	return causes[cause].name;
}

char *disk_cause_text(enum disk_cause cause, const struct host_volume *volume)
{
	const char *filesystem = volume->filesystem[0] != '\0' ? volume->filesystem : "-";

	return causes[cause].text
		   ? message_format(causes[cause].text, "id", volume->name, "filesystem",
				    filesystem, "where", volume->mounted, NULL)
		   : NULL;
}

/* --- may it be used? ------------------------------------------------------------------------- */

static enum disk_cause cause_of(enum host_cause cause)
{
	switch (cause) {
	case HOST_CAUSE_NONE:
		return DISK_NONE;
	case HOST_CAUSE_HIBERNATED:
		return DISK_HIBERNATED;
	case HOST_CAUSE_SLEEPER:
		return DISK_SLEEPER;
	case HOST_CAUSE_DIRTY:
		return DISK_DIRTY;
	case HOST_CAUSE_LOG_OPEN:
		return DISK_LOG_OPEN;
	case HOST_CAUSE_RECOVER:
		return DISK_RECOVER;
	case HOST_CAUSE_ERRORS:
		return DISK_ERRORS;
	case HOST_CAUSE_BITLOCKER:
		return DISK_BITLOCKER;
	case HOST_CAUSE_LUKS:
		return DISK_LUKS;
	case HOST_CAUSE_PROTECTED:
		return DISK_PROTECTED;
	case HOST_CAUSE_MACOS:
		return DISK_MACOS;
	case HOST_CAUSE_FILE_SYSTEM:
		return DISK_FILE_SYSTEM;
	case HOST_CAUSE_UNREADABLE:
	case HOST_CAUSE_MAX:
		break;
	}
	return DISK_UNREADABLE;
}

/* It becomes the name of a folder and of a unit. */
static bool has_id(const struct host_volume *volume)
{
	static const char allowed[] = "0123456789-abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t n = strlen(volume->uuid);

	return n >= 4 && volume->uuid[0] != '-' && strspn(volume->uuid, allowed) == n;
}

/* host-look has no use for these two, so to it they are a file system like any other. */
static bool is_fat(const struct host_volume *volume)
{
	return strcmp(volume->filesystem, "exfat") == 0 || strcmp(volume->filesystem, "vfat") == 0;
}

bool disk_is_used(const struct host_volume *volume, const char *parent)
{
	size_t n = strlen(parent);

	return strncmp(volume->mounted, parent, n) == 0 && volume->mounted[n] == '/';
}

enum disk_cause disk_judge(const struct host_volume *volume, const char *parent)
{
	enum disk_cause cause = cause_of(volume->cause);

	if (volume->ours)
		return DISK_OURS;
	if (disk_is_used(volume, parent))
		return DISK_NONE; /* what its bytes say while they are being written is no news */
	if (volume->mounted[0] != '\0')
		return DISK_MOUNTED;
	if (cause == DISK_FILE_SYSTEM && is_fat(volume))
		cause = DISK_NONE;
	else if (cause == DISK_FILE_SYSTEM && volume->filesystem[0] == '\0')
		return DISK_EMPTY;
	/* one that was pulled out is put right by its driver when it is mounted */
	if (cause == DISK_RECOVER && !volume->internal)
		cause = DISK_NONE;
	if (cause == DISK_NONE && volume->protected)
		return DISK_PROTECTED;
	if (cause == DISK_NONE && !has_id(volume))
		return DISK_NO_ID;
	return cause;
}

/* --- which one is meant? --------------------------------------------------------------------- */

typedef bool (*fits_fn)(const struct host_volume *volume, const char *word);

static bool fits_name(const struct host_volume *volume, const char *word)
{
	return strcmp(volume->name, word) == 0 || strcmp(volume->path, word) == 0;
}

static bool fits_uuid(const struct host_volume *volume, const char *word)
{
	return volume->uuid[0] != '\0' && text_equal_fold(volume->uuid, word);
}

static bool fits_label(const struct host_volume *volume, const char *word)
{
	return strcmp(volume->label, word) == 0;
}

static bool fits_label_fold(const struct host_volume *volume, const char *word)
{
	return text_equal_fold(volume->label, word);
}

static int refuse_several(const struct host_volume *volumes, size_t count, fits_fn fits,
			  const char *word, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	char names[HOST_TEXT_BYTES] = "";
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		if (fits(&volumes[i], word) && n < sizeof(names))
			n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", n ? ", " : "",
					      volumes[i].name);
	text = message_format("disk-several", "word", word, "ids", names, NULL);
	(void)error_set(err, ERROR_AMBIGUOUS, "worker", 0, "%s", text ?: word);
	return -ENOTUNIQ;
}

/* "sdb", of which sdb1 is there. */
static bool is_disk_of(const struct host_volume *volume, const char *word)
{
	const char *name = strncmp(word, "/dev/", 5) == 0 ? word + 5 : word;
	size_t n = strlen(name);

	return n > 2 && strncmp(volume->name, name, n) == 0 && volume->name[n] != '\0';
}

static int refuse_none(const struct host_volume *volumes, size_t count, const char *word,
		       struct error *err)
{
	_cleanup_free_ char *text = NULL;
	const char *part = NULL;

	for (size_t i = 0; i < count && !part; i++)
		part = is_disk_of(&volumes[i], word) ? volumes[i].name : NULL;
	text = part ? message_format("disk-has-partitions", "word", word, "id", part, NULL)
		    : message_format("disk-not-there", "word", word, NULL);
	(void)error_set(err, ERROR_USAGE, "worker", 0, "%s", text ?: word);
	return -ENOENT;
}

int disk_choose(const struct host_volume *volumes, size_t count, const char *word, size_t *ret,
		struct error *err)
{
	static const fits_fn ways[] = { fits_name, fits_uuid, fits_label, fits_label_fold };

	for (size_t way = 0; word[0] != '\0' && way < ARRAY_LEN(ways); way++) {
		size_t found = 0, at = 0;

		for (size_t i = 0; i < count; i++) {
			if (!ways[way](&volumes[i], word))
				continue;
			found++;
			at = i;
		}
		if (found > 1)
			return refuse_several(volumes, count, ways[way], word, err);
		if (found == 1) {
			*ret = at;
			return 0;
		}
	}
	return refuse_none(volumes, count, word, err);
}
