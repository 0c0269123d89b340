/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phone/match.h"
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
