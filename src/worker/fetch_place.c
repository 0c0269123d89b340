/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/fetch_place.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>

static void name_of_hash(const char *hash, char ret[static PLACE_NAME_BYTES])
{
	snprintf(ret, PLACE_NAME_BYTES, "%.64s.ipsw", hash);
}

void fetch_place_set_stem(struct fetch_place *place, const struct ipsw *wanted)
{
	name_of_hash(wanted->sha256[0] ? wanted->sha256 : wanted->sha1, place->stem);
}

void fetch_place_name(const struct fetch_place *place, const char *ending,
		      char ret[static PLACE_NAME_BYTES])
{
	snprintf(ret, PLACE_NAME_BYTES, "%.240s%.15s", place->stem, ending);
}

bool fetch_place_other_name(const struct fetch_place *place, const struct ipsw *wanted, size_t i,
			    char ret[static PLACE_NAME_BYTES])
{
	char of_sha1[PLACE_NAME_BYTES];

	name_of_hash(wanted->sha1, of_sha1);
	if (wanted->sha1[0] && strcmp(of_sha1, place->stem) != 0) {
		if (i == 0) {
			text_copy(ret, PLACE_NAME_BYTES, of_sha1);
			return true;
		}
		i--;
	}
	if (i > 0 || !ipsw_name_is_plain(wanted->name) || strcmp(wanted->name, place->stem) == 0)
		return false;
	text_copy(ret, PLACE_NAME_BYTES, wanted->name);
	return true;
}
