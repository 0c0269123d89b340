/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `network`: can the servers of a restore be used from here, and if not, why? By one run of the
 * worker `network`; no service. */
#include "base/cleanup.h"
#include "face/command.h"
#include "face/output.h"
#include "face/worker_run.h"
#include "service/fields.h"
#include <errno.h>
#include <string.h>

enum { LABEL_COLUMNS = 8, MS_PER_S = 1000, EXIT_NETWORK = 10 /* DESIGN §12 */ };

static const char *purpose_text(sd_json_variant *host)
{
	static const char *const words[][2] = {
		{ "signing", "network-for-signing" },
		{ "phone", "network-for-phone" },
		{ "keys", "network-for-keys" },
		{ "firmware", "network-for-firmware" },
		{ "old-firmware", "network-for-firmware-old" },
		{ "catalogue", "network-for-catalogue" },
		{ "versions", "network-for-versions" },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (field_is(host, "purpose", words[i][0]))
			return output_text(words[i][1]);
	return ""; /* a worker that knows more servers than we */
}

static int host_add(sd_json_variant *host, struct screen_prose *prose)
{
	const char *label = field_is(host, "state", "works") ? "network-works" : "network-fails";
	_cleanup_free_ char *name = output_clean(field_string(host, "host") ?: "");
	_cleanup_free_ char *line = NULL;

	line = message_format("network-line", "host", name, "purpose", purpose_text(host), NULL);
	if (!line)
		return -ENOMEM;
	screen_prose_add_labelled(prose, LABEL_COLUMNS, output_text(label), line);
	return 0;
}

static void text_add(sd_json_variant *object, struct screen_prose *prose)
{
	_cleanup_free_ char *text = output_clean(field_string(object, "text") ?: "");

	screen_prose_add(prose, SCREEN_ROLE_STRONG, text);
}

/* True if a host before this one, or the whole, has told of the same cause. */
static bool is_told(sd_json_variant *result, sd_json_variant *hosts, size_t at)
{
	const char *cause = field_string(sd_json_variant_by_index(hosts, at), "cause");

	if (!cause || field_is(result, "cause", cause))
		return true;
	for (size_t i = 0; i < at; i++)
		if (field_is(sd_json_variant_by_index(hosts, i), "cause", cause))
			return true;
	return false;
}

/* The hosts, a line each; then each cause in words, that of the whole first. */
static int result_write(sd_json_variant *result)
{
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	sd_json_variant *hosts = field_array(result, "hosts");
	size_t count = sd_json_variant_elements(hosts);
	int r = output_prose_new(&prose);

	for (size_t i = 0; i < count && r >= 0; i++)
		r = host_add(sd_json_variant_by_index(hosts, i), prose);
	if (r < 0)
		return r;
	text_add(result, prose);
	for (size_t i = 0; i < count; i++) {
		sd_json_variant *host = sd_json_variant_by_index(hosts, i);

		if (!field_is(host, "state", "works") && !is_told(result, hosts, i))
			text_add(host, prose);
	}
	return output_prose(prose);
}

/* {"network": {hosts, cause, text}} */
static int result_json(sd_json_variant *result, sd_json_variant **ret)
{
	sd_json_variant *hosts = field_array(result, "hosts");

	return sd_json_buildo(ret,
			      SD_JSON_BUILD_PAIR_OBJECT(
				  "network", SD_JSON_BUILD_PAIR_VARIANT("hosts", hosts),
				  SD_JSON_BUILD_PAIR_STRING("cause", field_string(result, "cause")),
				  SD_JSON_BUILD_PAIR_STRING("text", field_string(result, "text"))));
}

int command_network(const struct command_call *call)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *result = NULL, *fields = NULL;
	struct error err = { 0 };
	int r = sd_json_build(&fields, SD_JSON_BUILD_EMPTY_OBJECT);

	if (r < 0)
		return output_bug(call, r);
	r = worker_run(call->worker, "network", fields,
		       step_fact(STEP_NETWORK)->silence_s * MS_PER_S, NULL, NULL, &result, &err);
	if (r < 0)
		return output_end(call, &err);
	if (!field_array(result, "hosts") || !field_string(result, "cause") ||
	    !field_string(result, "text"))
		return output_bug(call, -EBADMSG);
	fields = sd_json_variant_unref(fields);
	r = call->json ? result_json(result, &fields) : result_write(result);
	if (r < 0)
		return output_bug(call, r);
	return output_status(call, field_is(result, "cause", "none") ? 0 : EXIT_NETWORK, fields);
}
