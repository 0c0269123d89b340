/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which firmware files a card has named as going (struct plan: drops). Who starts a plan has it
 * made anew, maybe without ever having asked for a card: only what stood on one lately is deleted.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "service/server_parts.h"
#include <string.h>

/* The file's own, else a free one, else the one that ends first. */
static struct drop_shown *slot_for(struct server *server, const char *file)
{
	struct drop_shown *oldest = server->drops_shown;

	for (size_t i = 0; i < ARRAY_LEN(server->drops_shown); i++) {
		struct drop_shown *slot = &server->drops_shown[i];

		if (strcmp(slot->file, file) == 0)
			return slot;
		if (slot->until_ms < oldest->until_ms)
			oldest = slot;
	}
	return oldest;
}

void drops_show(struct server *server, const struct plan *plan)
{
	for (size_t i = 0; i < plan->drop_count; i++) {
		struct drop_shown *slot = slot_for(server, plan->drops[i].file);

		text_copy(slot->file, sizeof(slot->file), plan->drops[i].file);
		slot->until_ms = clock_now_ms() + timing_ms(TIMING_CONSENT);
	}
}

static bool is_shown(const struct server *server, const char *file)
{
	for (size_t i = 0; i < ARRAY_LEN(server->drops_shown); i++)
		if (strcmp(server->drops_shown[i].file, file) == 0)
			return clock_now_ms() < server->drops_shown[i].until_ms;
	return false;
}

int drops_check(const struct server *server, const struct plan *plan, struct error *err)
{
	for (size_t i = 0; i < plan->drop_count; i++) {
		_cleanup_free_ char *text = NULL;

		if (is_shown(server, plan->drops[i].file))
			continue;
		text = message_format("plan-drops-unseen", "label", plan->drops[i].label, NULL);
		return error_set(err, ERROR_NO_CONSENT, "service", 0, "%s",
				 text ?: plan->drops[i].file);
	}
	return 0;
}
