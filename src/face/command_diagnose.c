/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `diagnose` and `trust check`: what is wrong with a phone. */
#include "base/cleanup.h"
#include "doctor/diagnose.h"
#include "face/command.h"
#include "face/finding_text.h"
#include "face/output.h"
#include "face/phone_text.h"
#include "face/request.h"
#include "service/fields.h"
#include <errno.h>
#include <stdio.h>

enum { STATUS_FINDINGS = 1 }; /* DESIGN §12 */

static int status_of(enum severity worst)
{
	return worst == SEVERITY_INFO ? 0 : STATUS_FINDINGS;
}

static void lights_add(sd_json_variant *phone, struct screen_prose *prose)
{
	_cleanup_free_ char *lights = phone_text_lights(phone);

	if (lights[0] != '\0')
		screen_prose_add(prose, SCREEN_ROLE_TEXT, lights);
}

/* One phone's findings, worst first; phone NULL: those of the computer. */
static int findings_write(sd_json_variant *phone, sd_json_variant *findings)
{
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	int r = output_prose_new(&prose);

	if (r < 0)
		return r;
	if (phone) {
		_cleanup_free_ char *label = phone_text_label(phone), *line = NULL;
		_cleanup_free_ char *mode = phone_text_mode(phone);
		const char *key = field_string(phone, "key");

		line = message_format("diagnose-phone", "phone", label, "mode", mode, "key",
				      key ? key : "", NULL);
		screen_prose_add(prose, SCREEN_ROLE_STRONG, line ? line : label);
		lights_add(phone, prose);
	} else {
		screen_prose_add(prose, SCREEN_ROLE_STRONG, output_text("diagnose-computer"));
	}
	for (size_t i = 0; i < sd_json_variant_elements(findings); i++) {
		screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
		finding_text_add(sd_json_variant_by_index(findings, i), true, prose);
	}
	return output_prose(prose);
}

static int diagnoses_write(sd_json_variant *diagnoses)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < sd_json_variant_elements(diagnoses); i++) {
		sd_json_variant *one = sd_json_variant_by_index(diagnoses, i);

		if (i > 0)
			putchar('\n');
		r = findings_write(field_object(one, "phone"), field_array(one, "findings"));
	}
	return r;
}

int command_diagnose(const struct command_call *call)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *parameters = NULL, *reply = NULL;
	const char *who = call->argc > 0 ? call->argv[0] : NULL;
	enum severity worst = SEVERITY_INFO;
	sd_json_variant *diagnoses;
	int r, status;

	if (call->says && said_from_name(call->says) == SAID_MAX)
		return output_usage(call, "usage-says", call->says);
	r = sd_json_buildo(
	    &parameters,
	    SD_JSON_BUILD_PAIR_CONDITION(who != NULL, "phone", SD_JSON_BUILD_STRING(who)),
	    SD_JSON_BUILD_PAIR_CONDITION(call->says != NULL, "says",
					 SD_JSON_BUILD_STRING(call->says)));
	if (r < 0)
		return output_usage(call, "usage-text", who ? who : "");
	status = request_send(call, "Diagnose", parameters, &reply);
	if (status != 0)
		return status;
	diagnoses = field_array(reply, "diagnoses");
	if (!diagnoses)
		return output_bug(call, -EBADMSG);
	for (size_t i = 0; i < sd_json_variant_elements(diagnoses); i++) {
		enum severity one = finding_text_worst(
		    field_array(sd_json_variant_by_index(diagnoses, i), "findings"));

		worst = one > worst ? one : worst;
	}
	if (call->json)
		return output_status(call, status_of(worst), reply); /* field diagnoses */
	r = diagnoses_write(diagnoses);
	return r < 0 ? output_bug(call, r) : status_of(worst);
}

int command_trust_check(const struct command_call *call)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *parameters = NULL, *reply = NULL;
	sd_json_variant *phone, *findings;
	int r, status;

	r = sd_json_buildo(&parameters, SD_JSON_BUILD_PAIR_STRING("phone", call->argv[0]));
	if (r < 0)
		return output_usage(call, "usage-text", call->argv[0]);
	status = request_send(call, "CheckTrust", parameters, &reply);
	if (status != 0)
		return status;
	phone = field_object(reply, "phone");
	findings = field_array(reply, "findings");
	if (!phone || !findings)
		return output_bug(call, -EBADMSG);
	status = status_of(finding_text_worst(findings));
	if (call->json)
		return output_status(call, status, reply); /* fields phone, findings */
	r = findings_write(phone, findings);
	return r < 0 ? output_bug(call, r) : status;
}
