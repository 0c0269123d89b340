/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * At the start of the machine, once:
 *
 *   boot menu's words ─▶ the disk with our ids ─▶ what is on it ─▶ making ─▶ the note
 *        │ forbidden, not a stick    │ none, two      │ foreign, no room, protected
 *        └───────────────────────────┴────────────────┴──▶ nothing is written, the note says why
 *
 * Nothing is written to a disk unless all of these hold: our boot menu was read from the second
 * partition of a GPT; exactly one disk has a GPT with our id; its partitions are the two of our
 * image, with their ids, and none else; and libblkid finds nothing in the room behind them.
 */
#include "worker/data.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/object.h"
#include "base/text.h"
#include "worker/data_disk.h"
#include "worker/data_make.h"
#include "worker/data_table.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

enum {
	APPEAR_MS = 600000,
	LABEL_BYTES = 224,
	SIZE_BYTES = 32,
	GB = 1000000000,
	NUMBER_OF_DATA = 3
};

/* What became of it. */
struct outcome {
	enum partition_state state;
	char disk[LABEL_BYTES]; /* "sdb, SanDisk Ultra"; "" none */
	char found[DATA_FOUND_BYTES];
	uint64_t bytes;     /* of the partition, 0 none */
	struct error error; /* with PARTITION_FAILED */
};

/* --- one disk -------------------------------------------------------------------------------- */

/* In sectors of 512 bytes; a disk with larger ones was never written with our image. */
static int disk_size(int fd, uint64_t *ret_sectors)
{
	uint64_t bytes = 0;
	int sector = 0;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode)) {
		bytes = (uint64_t)st.st_size;
		sector = DATA_SECTOR;
	} else if (ioctl(fd, BLKGETSIZE64, &bytes) < 0 || ioctl(fd, BLKSSZGET, &sector) < 0) {
		return -errno;
	}
	*ret_sectors = bytes / DATA_SECTOR;
	return sector == DATA_SECTOR ? 0 : -EOPNOTSUPP;
}

static bool is_protected(int fd)
{
	int value = 0;

	return ioctl(fd, BLKROGET, &value) == 0 && value != 0;
}

/* The kernel reads the table anew, or is told of the one partition if somebody has another open.
 * udevd looks at the disk when we close it. */
static void kernel_tell(int fd, const struct data_judgement *done)
{
	struct blkpg_partition part = {
		.start = (long long)(done->start * DATA_SECTOR),
		.length = (long long)(done->sectors * DATA_SECTOR),
		.pno = NUMBER_OF_DATA,
	};
	struct blkpg_ioctl_arg add = { .op = BLKPG_ADD_PARTITION,
				       .datalen = sizeof(part),
				       .data = &part };
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISBLK(st.st_mode) || ioctl(fd, BLKRRPART) == 0)
		return;
	if (ioctl(fd, BLKPG, &add) < 0 && errno != EBUSY)
		log_warning("The kernel does not take the new partition: %m");
}

static int disk_fail(struct outcome *outcome, int r, const char *what)
{
	outcome->state = PARTITION_FAILED;
	return error_set_errno(&outcome->error, ERROR_REFUSED, "kernel", -r, "%s", what);
}

/* Opened for writing, nobody else at it: udevd leaves alone what is locked so. */
static int disk_open(const struct data_disk *disk, int *ret_fd, struct outcome *outcome)
{
	_cleanup_close_ int fd = open(disk->path, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && (errno == EROFS || errno == EACCES || errno == EPERM)) {
		outcome->state = PARTITION_PROTECTED;
		return -EROFS;
	}
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return disk_fail(outcome, -errno, "It cannot be opened");
	if (is_protected(fd)) {
		outcome->state = PARTITION_PROTECTED;
		return -EROFS;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static void judgement_take(const struct data_judgement *judgement, struct outcome *outcome)
{
	outcome->state = judgement->state;
	text_copy(outcome->found, sizeof(outcome->found), judgement->found);
	outcome->bytes = judgement->sectors * DATA_SECTOR;
}

/* Judged again under the lock: only that counts. */
static void disk_make(const struct data_disk *disk, struct outcome *outcome)
{
	struct data_judgement judgement = { 0 };
	_cleanup_close_ int fd = -1;
	uint64_t sectors = 0;
	int r;

	if (disk_open(disk, &fd, outcome) < 0)
		return;
	r = disk_size(fd, &sectors);
	if (r == 0)
		r = data_table_judge(fd, sectors, &judgement);
	if (r < 0) {
		(void)disk_fail(outcome, r, "It cannot be read");
		return;
	}
	judgement_take(&judgement, outcome);
	if (!judgement.make_volume && !judgement.add_entry && !judgement.mend_table)
		return;
	if (data_make(fd, sectors, &judgement, &outcome->error) < 0) {
		outcome->state = PARTITION_FAILED;
		return;
	}
	kernel_tell(fd, &judgement);
}

/* Looked at without the right to write first: most starts end here. */
static void disk_look(const struct data_disk *disk, struct outcome *outcome)
{
	_cleanup_close_ int fd = open(disk->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct data_judgement judgement = { 0 };
	uint64_t sectors = 0;
	int r = fd < 0 ? -errno : disk_size(fd, &sectors);

	if (r == 0)
		r = data_table_is_ours(fd) ? data_table_judge(fd, sectors, &judgement) : -ENODEV;
	if (r < 0) {
		(void)disk_fail(outcome, r, "It cannot be read");
		return;
	}
	judgement_take(&judgement, outcome);
	if (judgement.make_volume || judgement.add_entry || judgement.mend_table)
		disk_make(disk, outcome);
}

/* --- all of it ------------------------------------------------------------------------------- */

static void outcome_find(struct outcome *outcome)
{
	_cleanup_free_ char *cmdline = data_cmdline_read();
	struct data_disk disks[2];
	struct data_wish wish;
	int count;

	data_wish_read(cmdline ? cmdline : "", &wish);
	outcome->state = PARTITION_FORBIDDEN;
	if (wish.forbidden)
		return;
	outcome->state = wish.from_menu ? PARTITION_NO_GPT : PARTITION_NOT_OUR_STICK;
	if (!wish.from_stick)
		return;
	count = data_disks_await(APPEAR_MS, disks, ARRAY_LEN(disks));
	outcome->state = count == 0 ? PARTITION_NOT_OUR_STICK : PARTITION_SEVERAL;
	if (count < 0)
		(void)disk_fail(outcome, count, "The disks cannot be listed");
	if (count != 1)
		return;
	snprintf(outcome->disk, sizeof(outcome->disk), "%s%s%s", disks[0].name,
		 disks[0].maker[0] ? ", " : "", disks[0].maker);
	disk_look(&disks[0], outcome);
}

static const char *const messages[PARTITION_STATE_MAX] = {
	[PARTITION_MADE] = "partition-made",
	[PARTITION_ADOPTED] = "partition-adopted",
	[PARTITION_FOREIGN] = "partition-foreign-what",
	[PARTITION_NO_ROOM] = "partition-no-room",
	[PARTITION_NOT_OUR_STICK] = "partition-not-our-stick",
	[PARTITION_NO_GPT] = "partition-no-gpt",
	[PARTITION_SEVERAL] = "partition-several",
	[PARTITION_FORBIDDEN] = "partition-forbidden",
	[PARTITION_PROTECTED] = "partition-protected",
	[PARTITION_FAILED] = "partition-failed-why",
};

static char *outcome_text(const struct outcome *outcome)
{
	char size[SIZE_BYTES];

	snprintf(size, sizeof(size), "%llu GB", (unsigned long long)(outcome->bytes / GB));
	return message_format(messages[outcome->state], "disk", outcome->disk, "size", size,
			      "found", outcome->found, "reason", outcome->error.text, NULL);
}

/* The object of the note and of the result. */
static int outcome_build(const struct outcome *outcome, const char *text, bool note,
			 sd_json_variant **ret)
{
	_cleanup_(object_done) struct object object = { 0 };

	if (note)
		object_number(&object, "v", WORKER_PROTOCOL_VERSION);
	object_text(&object, "state", partition_state_name(outcome->state));
	object_text(&object, "text", text);
	object_text(&object, "disk", outcome->disk);
	if (outcome->state == PARTITION_MADE || outcome->state == PARTITION_ADOPTED)
		object_number(&object, "bytes", outcome->bytes);
	return object_end(&object, ret);
}

static int note_write(const char *path, const struct outcome *outcome, const char *text)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	_cleanup_free_ char *line = NULL, *folder = strdup(path);
	_cleanup_close_ int fd = -1;
	char *slash = folder ? strrchr(folder, '/') : NULL;
	int r;

	if (!slash)
		return -ENOMEM;
	*slash = '\0';
	r = outcome_build(outcome, text, true, &object);
	if (r == 0)
		r = sd_json_variant_format(object, SD_JSON_FORMAT_NEWLINE, &line);
	if (r < 0)
		return r;
	fd = open(folder[0] ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : file_write_whole(fd, slash + 1, line, strlen(line));
}

int data_run(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	static const sd_json_dispatch_field table[] = { { "note", SD_JSON_VARIANT_STRING,
							  sd_json_dispatch_const_string, 0,
							  SD_JSON_MANDATORY | SD_JSON_REFUSE_NULL },
							{} };
	struct outcome outcome = { .state = PARTITION_FAILED };
	_cleanup_free_ char *text = NULL;
	const char *note = NULL;
	int r = request_fields(request, table, &note, err);

	if (r < 0)
		return r;
	if (note[0] != '/' || strlen(note) >= PATH_MAX)
		return error_set(err, ERROR_USAGE, "worker", 0,
				 "Field \"note\" is no absolute path");
	outcome_find(&outcome);
	text = outcome_text(&outcome);
	log_notice("%s", text ? text : partition_state_name(outcome.state));
	r = note_write(note, &outcome, text);
	if (r < 0)
		log_warning("What became of the data partition cannot be noted: %s", strerror(-r));
	r = outcome_build(&outcome, text, false, ret_fields);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot tell what was done");
	if (outcome.state != PARTITION_FAILED)
		return 0;
	*err = outcome.error;
	return -EIO;
}
