/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `trust keep`: whether pairing records outlive the power-off. */
#include "base/cleanup.h"
#include "face/command.h"
#include "face/output.h"
#include "face/request.h"
#include "service/fields.h"
#include <stdio.h>
#include <string.h>

static void add(struct screen_prose *prose, enum screen_role role, const char *id, uint64_t records)
{
	_cleanup_free_ char *text = NULL;
	char count[24];

	snprintf(count, sizeof(count), "%llu", (unsigned long long)records);
	text = message_format(id, "count", count, NULL);
	screen_prose_add(prose, role, text ? text : id);
}

/* What is, and what that means. */
static int state_write(sd_json_variant *state)
{
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	uint64_t records = field_unsigned(state, "records", 0);
	int r = output_prose_new(&prose);

	if (r < 0)
		return r;
	if (field_true(state, "kept")) {
		add(prose, SCREEN_ROLE_STRONG, "keep-on", records);
		add(prose, SCREEN_ROLE_TEXT, "keep-on-means", records);
	} else {
		add(prose, SCREEN_ROLE_STRONG, "keep-off", records);
		add(prose, SCREEN_ROLE_TEXT,
		    field_true(state, "lasting") ? "keep-off-means" : "keep-no-place", records);
	}
	return output_prose(prose);
}

int command_trust_keep(const struct command_call *call)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *parameters = NULL, *state = NULL;
	const char *word = call->argc > 0 ? call->argv[0] : NULL;
	int r, status;

	if (word && strcmp(word, "on") != 0 && strcmp(word, "off") != 0)
		return output_usage(call, "usage-keep", word);
	r = sd_json_buildo(
	    &parameters,
	    SD_JSON_BUILD_PAIR_CONDITION(word != NULL, "keep",
					 SD_JSON_BUILD_BOOLEAN(word && strcmp(word, "on") == 0)));
	if (r < 0)
		return output_bug(call, r);
	status = request_send(call, "KeepRecords", parameters, &state);
	if (status != 0)
		return status;
	r = call->json ? 0 : state_write(state);
	return r < 0 ? output_bug(call, r) : output_result(call, state);
}
