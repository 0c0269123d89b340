/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "doctor/plan_room.h"
#include "base/cleanup.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AMOUNT_BYTES = 24 };

static const uint64_t spare_least = UINT64_C(64) << 20, spare_most = UINT64_C(512) << 20;
/* What must be left of the memory for everything else, when firmware is kept there. */
static const uint64_t memory_most = UINT64_C(4) << 30;
static const uint64_t fat_file_max = (UINT64_C(4) << 30) - 1;

static uint64_t sum(uint64_t a, uint64_t b)
{
	uint64_t c;

	return __builtin_add_overflow(a, b, &c) ? UINT64_MAX : c;
}

/* The amount itself, within limits: what is small needs little beside it. */
static uint64_t clamp(uint64_t bytes, uint64_t least, uint64_t most)
{
	if (bytes < least)
		return least;
	return bytes > most ? most : bytes;
}

static void amount_format(uint64_t bytes, char ret[static AMOUNT_BYTES])
{
	const double megabyte = 1e6, gigabyte = 1e9;

	if ((double)bytes >= gigabyte)
		snprintf(ret, AMOUNT_BYTES, "%.1f GB", (double)bytes / gigabyte);
	else
		snprintf(ret, AMOUNT_BYTES, "%.0f MB", (double)bytes / megabyte);
}

/* --- what is needed -------------------------------------------------------------------------- */

struct need {
	uint64_t fetched;  /* still to be fetched */
	uint64_t unpacked; /* of the system image, 0 if the engine reads it from the archive */
	uint64_t spare;
};

static struct need need_of(const struct firmware *firmware, const struct variant *variant,
			   uint64_t part_bytes)
{
	uint64_t part = part_bytes < firmware->size ? part_bytes : firmware->size;
	uint64_t fetched = firmware->path[0] == '\0' ? firmware->size - part : 0;
	uint64_t unpacked = variant->os_packed ? variant->os_bytes : 0;

	return (struct need){
		.fetched = fetched,
		.unpacked = unpacked,
		.spare = clamp(sum(fetched, unpacked), spare_least, spare_most),
	};
}

static uint64_t need_sum(const struct need *need)
{
	return sum(sum(need->fetched, need->unpacked), need->spare);
}

uint64_t plan_need_here(const struct firmware *firmware, const struct variant *variant)
{
	struct need need = need_of(firmware, variant, firmware->size);

	return need_sum(&need);
}

/* --- refusals -------------------------------------------------------------------------------- */

static int refuse(struct error *err, char *text)
{
	int r = error_set(err, ERROR_NO_SPACE, "planner", 0, "%s", text ?: "there is no room");

	free(text);
	return r;
}

static int refuse_short(const char *folder, uint64_t need, uint64_t have, uint64_t could,
			struct error *err)
{
	char needed[AMOUNT_BYTES], free_now[AMOUNT_BYTES], more[AMOUNT_BYTES];

	amount_format(need, needed);
	amount_format(have, free_now);
	amount_format(could, more);
	return refuse(err, could > 0
			       ? message_format("room-short-even-so", "need", needed, "free",
						free_now, "folder", folder, "more", more, NULL)
			       : message_format("room-short", "need", needed, "free", free_now,
						"folder", folder, NULL));
}

static int check_fat(const struct plan *plan, const struct need *need, const char *folder,
		     struct error *err)
{
	char size[AMOUNT_BYTES];

	if (!plan->room.fat || need->fetched == 0 || plan->firmware.size <= fat_file_max)
		return 0;
	amount_format(plan->firmware.size, size);
	return refuse(err, message_format("room-fat", "folder", folder, "size", size, NULL));
}

/* A firmware in memory leaves enough of it for the rest of the system. */
static int check_memory(const struct plan *plan, const struct need *need, struct error *err)
{
	const struct room *room = &plan->room;
	const bool chosen = room->cache[0] != '\0' && room->cache_in_memory;
	const bool here = room->cache[0] == '\0' && !room->lasting;
	uint64_t held = sum(chosen || here ? need->fetched : 0, room->lasting ? 0 : need->unpacked);
	uint64_t wanted = sum(held, clamp(held, spare_least, memory_most));
	char want[AMOUNT_BYTES], have[AMOUNT_BYTES];

	if (room->ram_bytes == 0 || held == 0 || wanted <= room->ram_bytes)
		return 0;
	amount_format(wanted, want);
	amount_format(room->ram_bytes, have);
	return refuse(err, message_format(chosen ? "room-memory-chosen" : "room-memory", "need",
					  want, "have", have, "folder", room->cache, NULL));
}

/* --- making room ----------------------------------------------------------------------------- */

/* Takes from what may go until `have` bytes are `need`. Returns what there is then. */
static uint64_t pick_drops(struct plan *plan, const struct plan_request *request, uint64_t have,
			   uint64_t need)
{
	for (size_t i = 0; i < request->may_go_count && have < need; i++) {
		if (plan->drop_count == PLAN_DROPS_MAX)
			break;
		plan->drops[plan->drop_count++] = request->may_go[i];
		have = sum(have, request->may_go[i].bytes);
	}
	return have;
}

/* The folder of firmware: what does not fit is made to, if files may go. */
static int take_cache_room(struct plan *plan, const struct plan_request *request,
			   const char *folder, uint64_t have, uint64_t need, struct error *err)
{
	uint64_t after = pick_drops(plan, request, have, need);

	if (after >= need)
		return 0;
	return refuse_short(folder, need, have, after - have, err);
}

int plan_take_room(struct plan *plan, const struct plan_request *request, struct error *err)
{
	const struct need need = need_of(&plan->firmware, &plan->variant, request->part_bytes);
	const struct room *room = &plan->room;
	const bool apart = room->cache[0] != '\0' && !room->cache_here;
	const char *folder = room->cache[0] != '\0' ? room->cache : room->folder;
	int r;

	plan->need_bytes = need_sum(&need);
	plan->drop_count = 0;
	if (room->folder[0] == '\0')
		return refuse(err, message_format("room-none", NULL));
	r = check_fat(plan, &need, folder, err);
	if (r >= 0)
		r = check_memory(plan, &need, err);
	if (r < 0)
		return r;
	if (!apart)
		return take_cache_room(plan, request, folder, room->free_bytes, plan->need_bytes,
				       err);
	/* another disk holds the firmware; the job and what is unpacked stay here */
	if (sum(need.unpacked, need.spare) > room->free_bytes)
		return refuse_short(room->folder, sum(need.unpacked, need.spare), room->free_bytes,
				    0, err);
	if (need.fetched == 0)
		return 0;
	return take_cache_room(plan, request, folder, room->cache_free_bytes,
			       sum(need.fetched, need.spare), err);
}

/* --- in journals and on the card ------------------------------------------------------------- */

void plan_put_drops(struct object *object, const struct plan *plan)
{
	sd_json_variant *array = NULL;

	for (size_t i = 0; i < plan->drop_count; i++) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *variant = NULL;
		struct object element = { 0 };

		object_text(&element, "file", plan->drops[i].file);
		object_text(&element, "label", plan->drops[i].label);
		object_number(&element, "bytes", plan->drops[i].bytes);
		if (object_check(object, object_end(&element, &variant)) >= 0)
			object_check(object, sd_json_variant_append_array(&array, variant));
	}
	object_take(object, "drops", array);
}

int plan_read_drops(sd_json_variant *object, struct plan *ret)
{
	sd_json_variant *array = sd_json_variant_by_key(object, "drops");

	if (!array)
		return 0;
	if (!sd_json_variant_is_array(array) || sd_json_variant_elements(array) > PLAN_DROPS_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < sd_json_variant_elements(array); i++) {
		sd_json_variant *element = sd_json_variant_by_index(array, i);
		struct plan_drop drop = { 0 };

		if (!sd_json_variant_is_object(element) ||
		    object_read_text(element, "file", drop.file, sizeof(drop.file)) < 0 ||
		    object_read_text(element, "label", drop.label, sizeof(drop.label)) < 0 ||
		    object_read_number(element, "bytes", &drop.bytes) < 0 || drop.file[0] == '\0' ||
		    strchr(drop.file, '/'))
			return -EBADMSG;
		ret->drops[ret->drop_count++] = drop;
	}
	return 0;
}
