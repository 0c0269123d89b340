/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phone/match.h"
#include "base/text.h"
#include <errno.h>
#include <string.h>

static bool is_nameless(const struct identity *identity)
{
	return identity->ecid == 0 && identity->udid[0] == '\0';
}

enum match phone_match(const struct phone *phone, const struct identity *news, const char *port)
{
	switch (identity_compare(&phone->identity, news)) {
	case TIE_ECID:
		return MATCH_ECID;
	case TIE_UDID:
		return MATCH_UDID;
	case TIE_DIFFERENT:
		return MATCH_NONE;
	case TIE_UNCERTAIN:
		break;
	}
	/* A phone that is still plugged in cannot come back, whatever its port. */
	if (!port || phone->on_bus)
		return MATCH_NONE;
	if (phone->awaited_port[0] != '\0' && strcmp(phone->awaited_port, port) == 0)
		return MATCH_AWAITED_PORT;
	if (is_nameless(&phone->identity) && is_nameless(news) &&
	    strcmp(phone->sighting.port, port) == 0)
		return MATCH_SAME_PORT;
	return MATCH_NONE;
}

/* Everything that the older knew and the younger does not say otherwise. */
static void join_identities(struct identity *older, const struct identity *younger)
{
	identity_forget_boot(older);
	if (identity_learn(older, younger) == -EXDEV) {
		older->udid[0] = '\0'; /* the same ECID: the present UDID is believed */
		(void)identity_learn(older, younger);
	}
}

void phone_join(struct phone *live, const struct phone *past, uint64_t now_ms)
{
	struct identity joined = past->identity;

	join_identities(&joined, &live->identity);
	live->identity = joined;
	live->enumerations += past->enumerations;
	lately_join(&live->flap_times, &past->flap_times);
	lately_join(&live->recovery_times, &past->recovery_times);
	(void)phone_fade(live, now_ms);
	live->trust_losses += past->trust_losses;
	live->was_trusted = live->trust_known ? live->was_trusted : past->was_trusted;
	if (live->job[0] == '\0')
		text_copy(live->job, sizeof(live->job), past->job);
	if (past->awaited_until_ms > now_ms && live->awaited_until_ms == 0 &&
	    live->presence != PRESENCE_PRESENT) {
		live->awaited_until_ms = past->awaited_until_ms;
		text_copy(live->awaited_port, sizeof(live->awaited_port), past->awaited_port);
	}
}
