/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which firmware files a card has named as going (struct plan: drops). Who starts a plan has it
 * made anew, maybe without ever having asked for a card: only what stood on one lately is deleted.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "service/server_parts.h"
#include <stdio.h>
#include <string.h>

/* Of the file itself: another folder may be chosen meanwhile, with files of the same names. */
static void drop_path(const struct plan *plan, const struct plan_drop *drop,
		      char ret[static DROP_PATH_BYTES])
{
	char folder[PLAN_ROOM_BYTES];

	room_firmware_folder(&plan->room, folder);
	snprintf(ret, DROP_PATH_BYTES, "%s/%s", folder, drop->file);
}

/* The file's own, else a free one, else the one that ends first. */
static struct drop_shown *slot_for(struct server *server, const char *path)
{
	struct drop_shown *oldest = server->drops_shown;

	for (size_t i = 0; i < ARRAY_LEN(server->drops_shown); i++) {
		struct drop_shown *slot = &server->drops_shown[i];

		if (strcmp(slot->path, path) == 0)
			return slot;
		if (slot->until_ms < oldest->until_ms)
			oldest = slot;
	}
	return oldest;
}

void drops_show(struct server *server, const struct plan *plan)
{
	for (size_t i = 0; i < plan->drop_count; i++) {
		char path[DROP_PATH_BYTES];
		struct drop_shown *slot;

		drop_path(plan, &plan->drops[i], path);
		slot = slot_for(server, path);
		text_copy(slot->path, sizeof(slot->path), path);
		slot->until_ms = clock_now_ms() + timing_ms(TIMING_CONSENT);
	}
}

static bool is_shown(const struct server *server, const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(server->drops_shown); i++)
		if (strcmp(server->drops_shown[i].path, path) == 0)
			return clock_now_ms() < server->drops_shown[i].until_ms;
	return false;
}

int drops_check(const struct server *server, const struct plan *plan, struct error *err)
{
	for (size_t i = 0; i < plan->drop_count; i++) {
		_cleanup_free_ char *text = NULL;
		char path[DROP_PATH_BYTES];

		drop_path(plan, &plan->drops[i], path);
		if (is_shown(server, path))
			continue;
		text = message_format("plan-drops-unseen", "label", plan->drops[i].label, NULL);
		return error_set(err, ERROR_NO_CONSENT, "service", 0, "%s",
				 text ?: plan->drops[i].file);
	}
	return 0;
}
