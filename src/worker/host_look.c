/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/host_look.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/object.h"
#include "worker/reply.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MS_PER_S = 1000 };

struct look {
	size_t count;
	struct host_volume volumes[HOST_VOLUMES_MAX];
	struct host_seen seen[HOST_VOLUMES_MAX];
	uint64_t records;
};

static void look_free(struct look *look)
{
	for (size_t i = 0; i < look->count; i++)
		host_seen_done(&look->seen[i]);
	free(look);
}
DEFINE_CLEANUP(struct look *, look_free)

/* --- one volume ------------------------------------------------------------------------------ */

/* What can be said of a volume that nobody looks into. */
static enum host_system system_by_cause(enum host_cause cause)
{
	switch (cause) {
	case HOST_CAUSE_BITLOCKER:
		return HOST_WINDOWS;
	case HOST_CAUSE_LUKS:
		return HOST_LINUX;
	case HOST_CAUSE_MACOS:
		return HOST_MACOS;
	case HOST_CAUSE_NONE:
	case HOST_CAUSE_HIBERNATED:
	case HOST_CAUSE_SLEEPER:
	case HOST_CAUSE_DIRTY:
	case HOST_CAUSE_LOG_OPEN:
	case HOST_CAUSE_RECOVER:
	case HOST_CAUSE_ERRORS:
	case HOST_CAUSE_PROTECTED:
	case HOST_CAUSE_FILE_SYSTEM:
	case HOST_CAUSE_UNREADABLE:
	case HOST_CAUSE_MAX:
		break;
	}
	return HOST_SYSTEM_UNKNOWN;
}

void host_see(const struct host_volume *volume, bool read, struct host_seen *ret)
{
	_cleanup_(host_tree_closep) struct host_tree tree = HOST_TREE_CLOSED;
	int r;

	*ret =
	    (struct host_seen){ .cause = volume->cause, .system = system_by_cause(volume->cause) };
	if (!host_volume_is_looked_into(volume))
		return;
	r = host_tree_open(volume, HOST_LOOK, &tree, &ret->error);
	if (r == 0) {
		r = host_folder_look(volume, tree.root, read, &ret->folder);
		if (r < 0)
			(void)error_set_errno(&ret->error, ERROR_REFUSED, "kernel", -r,
					      "%s cannot be read", volume->name);
	}
	if (r < 0) {
		ret->cause = HOST_CAUSE_UNREADABLE;
		return;
	}
	ret->system = ret->folder.system;
	/* it explains the others: a sleeping system has left all open */
	if (ret->folder.sleeps)
		ret->cause = HOST_CAUSE_HIBERNATED;
}

/* A Windows that sleeps may have the other NTFS volumes open, too: what is written to them now is
 * lost or breaks them when it wakes up. */
static void mark_sleepers(struct look *look)
{
	bool sleeps = false;

	for (size_t i = 0; i < look->count; i++)
		sleeps = sleeps || look->seen[i].folder.sleeps;
	for (size_t i = 0; sleeps && i < look->count; i++)
		if (host_volume_is_windows(&look->volumes[i]) &&
		    look->seen[i].cause != HOST_CAUSE_HIBERNATED &&
		    look->seen[i].cause != HOST_CAUSE_UNREADABLE)
			look->seen[i].cause = HOST_CAUSE_SLEEPER;
}

/* --- telling --------------------------------------------------------------------------------- */

static int tell_volume(const struct host_volume *volume, const struct host_seen *seen)
{
	_cleanup_(object_done) struct object object = { 0 };
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *event = NULL;
	int r;

	object_text(&object, "id", volume->name);
	object_text(&object, "device", volume->path);
	object_text(&object, "disk", volume->disk);
	object_text(&object, "filesystem", volume->filesystem);
	object_text(&object, "label", volume->label);
	object_text(&object, "uuid", volume->uuid);
	object_number(&object, "size_bytes", volume->size_bytes);
	object_text(&object, "system", host_system_name(seen->system));
	object_text(&object, "cause", host_cause_name(seen->cause));
	object_text(&object, "text", seen->error.kind != ERROR_NONE ? seen->error.text : NULL);
	object_text(&object, "folder", seen->folder.path);
	object_text(&object, "system_buid", seen->folder.buid);
	if (seen->folder.more)
		object_flag(&object, "more", true);
	r = object_end(&object, &event);
	return r < 0 ? r : reply_event("volume", event);
}

static int tell_record(const struct host_volume *volume, const struct host_file *file)
{
	_cleanup_(object_done) struct object object = { 0 };
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *event = NULL;
	int r;

	object_text(&object, "volume", volume->name);
	object_text(&object, "udid", file->udid);
	object_text(&object, "file", file->name);
	object_number(&object, "bytes", file->bytes);
	object_number(&object, "modified_ms", file->modified_ms);
	object_flag(&object, "broken", file->record.broken);
	object_text(&object, "why", file->record.why);
	if (file->record.not_before_s > 0)
		object_number(&object, "made_ms", (uint64_t)file->record.not_before_s * MS_PER_S);
	object_text(&object, "system_buid", file->record.system_buid);
	r = object_end(&object, &event);
	return r < 0 ? r : reply_event("record", event);
}

static int tell(struct look *look)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < look->count; i++) {
		const struct host_folder *folder = &look->seen[i].folder;

		r = tell_volume(&look->volumes[i], &look->seen[i]);
		for (size_t j = 0; r == 0 && j < folder->count; j++)
			r = tell_record(&look->volumes[i], &folder->files[j]);
		look->records += folder->count;
	}
	return r;
}

/* --- the computer's clock -------------------------------------------------------------------- */

/* What the clock on the board says, 0 if it cannot be read. Windows keeps local time in it. */
static uint64_t board_clock_ms(void)
{
	const char *path = getenv("IDEVICERESCUE_RTC") ?: "/sys/class/rtc/rtc0/since_epoch";
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[32] = "";
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	return n > 0 ? strtoull(text, NULL, 10) * MS_PER_S : 0;
}

/* When this image was made, 0 unknown: no right clock is before it. */
static uint64_t image_made_ms(void)
{
	struct stat st;

	if (stat("/usr/lib/clock-epoch", &st) < 0 || st.st_mtim.tv_sec <= 0)
		return 0;
	return (uint64_t)st.st_mtim.tv_sec * MS_PER_S;
}

static void add_clock(struct object *object)
{
	uint64_t board_ms = board_clock_ms(), made_ms = image_made_ms();

	if (board_ms > 0)
		object_number(object, "board_ms", board_ms);
	if (made_ms > 0)
		object_number(object, "made_ms", made_ms);
	/* ours, if it was set by a server */
	if (access("/run/systemd/timesync/synchronized", F_OK) == 0)
		object_number(object, "true_ms", clock_wall_ms());
}

int host_look_run(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	static const sd_json_dispatch_field no_fields[] = { {} };
	_cleanup_(look_freep) struct look *look = calloc(1, sizeof(*look));
	_cleanup_(object_done) struct object object = { 0 };
	_cleanup_close_ int lock = -1;
	int r;

	if (!look)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot look");
	r = request_fields(request, no_fields, NULL, err);
	if (r == 0)
		r = host_lock(&lock, err);
	if (r == 0)
		r = host_volumes_find(look->volumes, &look->count, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < look->count; i++)
		host_see(&look->volumes[i], true, &look->seen[i]);
	mark_sleepers(look);
	r = tell(look);
	object_number(&object, "volumes", look->count);
	object_number(&object, "records", look->records);
	add_clock(&object);
	if (r == 0)
		r = object_end(&object, ret_fields);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot tell what was seen");
	return 0;
}
