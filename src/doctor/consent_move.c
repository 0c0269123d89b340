/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Owns a fixed number of consents, the oldest makes room. Invariant: a slot without a volume is
 * free. */
#include "doctor/consent_move.h"
#include "base/object.h"
#include <errno.h>
#include <string.h>

enum { MOVE_CONSENTS_MAX = 64 };

struct move_consent {
	char token[CONSENT_TOKEN_BYTES];
	sd_json_variant *volume; /* owned; NULL: free */
	uint64_t until_ms;
};

struct move_consents {
	struct move_consent slots[MOVE_CONSENTS_MAX];
};

static void slot_clear(struct move_consent *slot)
{
	sd_json_variant_unref(slot->volume);
	*slot = (struct move_consent){ 0 };
}

int move_consents_new(struct move_consents **ret)
{
	struct move_consents *consents = calloc(1, sizeof(*consents));

	if (!consents)
		return -ENOMEM;
	*ret = consents;
	return 0;
}

struct move_consents *move_consents_free(struct move_consents *consents)
{
	for (size_t i = 0; consents && i < MOVE_CONSENTS_MAX; i++)
		slot_clear(&consents->slots[i]);
	free(consents);
	return NULL;
}

static struct move_consent *find_room(struct move_consents *consents, uint64_t now_ms)
{
	struct move_consent *oldest = &consents->slots[0];

	for (size_t i = 0; i < MOVE_CONSENTS_MAX; i++) {
		struct move_consent *slot = &consents->slots[i];

		if (!slot->volume || slot->until_ms <= now_ms)
			return slot;
		if (slot->until_ms < oldest->until_ms)
			oldest = slot;
	}
	return oldest;
}

int move_consent_mint(struct move_consents *consents, sd_json_variant *volume, uint64_t now_ms,
		      char ret[static CONSENT_TOKEN_BYTES])
{
	struct move_consent *slot = find_room(consents, now_ms);
	char token[CONSENT_TOKEN_BYTES];
	int r = consent_token_make(token);

	if (r < 0)
		return r;
	slot_clear(slot);
	memcpy(slot->token, token, sizeof(token));
	slot->volume = sd_json_variant_ref(volume);
	slot->until_ms = now_ms + timing_ms(TIMING_CONSENT);
	memcpy(ret, token, sizeof(token));
	return 0;
}

static int refuse(struct error *err, const char *text)
{
	return error_set(err, ERROR_NO_CONSENT, "consent", 0, "%s", text);
}

int move_consent_use(struct move_consents *consents, const char *token, const char *id,
		     uint64_t now_ms, sd_json_variant **ret, struct error *err)
{
	struct move_consent *slot = NULL;
	const char *shown;

	for (size_t i = 0; token[0] != '\0' && !slot && i < MOVE_CONSENTS_MAX; i++)
		if (consents->slots[i].volume && strcmp(consents->slots[i].token, token) == 0)
			slot = &consents->slots[i];
	if (!slot)
		return refuse(err, "this consent is not known, or was used already; look at the "
				   "computer again");
	if (slot->until_ms <= now_ms) {
		slot_clear(slot);
		return refuse(err, "this consent is too old; look at the computer again");
	}
	shown = object_peek_text(slot->volume, "id");
	if (!shown || strcmp(shown, id) != 0)
		return refuse(err, "this consent was given for another volume");
	*ret = sd_json_variant_ref(slot->volume);
	slot_clear(slot);
	return 0;
}
