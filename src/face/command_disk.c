/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `firmware disks`: the disks that could hold firmware. */
#include "base/cleanup.h"
#include "face/amount_text.h"
#include "face/command.h"
#include "face/output.h"
#include "face/request.h"
#include "service/fields.h"
#include <string.h>

/* Takes the text over; NULL is left out. */
static void add(struct screen_prose *prose, enum screen_role role, char *text)
{
	if (text)
		screen_prose_add(prose, role, text);
	free(text);
}

static char *clean(sd_json_variant *object, const char *name, const char *absent)
{
	return output_clean(field_string(object, name) ?: absent);
}

static char *unknown(void)
{
	return message_format("disk-unknown", NULL);
}

static void head_add(sd_json_variant *disk, struct screen_prose *prose)
{
	_cleanup_free_ char *id = clean(disk, "id", ""), *label = clean(disk, "label", "");
	_cleanup_free_ char *filesystem = clean(disk, "filesystem", "-"), *none = unknown();
	_cleanup_free_ char *maker = clean(disk, "disk", none ?: "");
	char size[AMOUNT_BYTES];

	amount_text_bytes(field_unsigned(disk, "size_bytes", 0), size);
	add(prose, SCREEN_ROLE_STRONG,
	    message_format(label[0] != '\0' ? "disk-head-label" : "disk-head", "id", id,
			   "filesystem", filesystem, "label", label, "disk", maker, "size", size,
			   NULL));
}

static void mounted_add(sd_json_variant *disk, struct screen_prose *prose)
{
	_cleanup_free_ char *folder = clean(disk, "folder", "");
	char room[AMOUNT_BYTES];

	amount_text_bytes(field_unsigned(disk, "free_bytes", 0), room);
	add(prose, SCREEN_ROLE_TEXT,
	    message_format("disk-line-mounted", "folder", folder, "free", room, NULL));
}

static void disk_add(sd_json_variant *disk, struct screen_prose *prose)
{
	_cleanup_free_ char *id = clean(disk, "id", ""), *text = clean(disk, "text", "");
	const char *how = field_true(disk, "internal") ? "disk-line-internal" : "disk-line-usable";

	screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
	head_add(disk, prose);
	if (field_string(disk, "folder"))
		mounted_add(disk, prose);
	else if (field_is(disk, "cause", "none"))
		add(prose, SCREEN_ROLE_TEXT, message_format(how, "id", id, NULL));
	else
		screen_prose_add(prose, SCREEN_ROLE_WARN, text);
	if (field_is(disk, "cause", "none") && field_is(disk, "filesystem", "vfat"))
		add(prose, SCREEN_ROLE_WARN, message_format("disk-line-fat", NULL));
}

static int disks_write(sd_json_variant *disks)
{
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	int r = output_prose_new(&prose);

	if (r < 0)
		return r;
	if (sd_json_variant_elements(disks) == 0)
		add(prose, SCREEN_ROLE_TEXT, message_format("disk-none", NULL));
	for (size_t i = 0; i < sd_json_variant_elements(disks); i++)
		disk_add(sd_json_variant_by_index(disks, i), prose);
	return output_prose(prose);
}

int command_firmware_disks(const struct command_call *call)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *reply = NULL;
	int status = request_send(call, "ListDisks", NULL, &reply), r;

	if (status != 0)
		return status;
	r = call->json ? 0 : disks_write(field_array(reply, "disks"));
	return r < 0 ? output_bug(call, r) : output_result(call, reply);
}
