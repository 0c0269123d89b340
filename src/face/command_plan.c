/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `plan` and `restore`: the card, the consent, and the job. */
#include "base/cleanup.h"
#include "face/command.h"
#include "face/follow.h"
#include "face/output.h"
#include "face/plan_text.h"
#include "face/request.h"
#include "service/fields.h"
#include <stdio.h>
#include <string.h>

/* One word for a shell: in quotes, and a quote in it as '\''. NULL only without memory. */
static char *shell_word(const char *text)
{
	static const char quote[] = "'\\''";
	char *word = malloc(strlen(text) * strlen(quote) + sizeof("''")), *end = word;

	if (!word)
		return NULL;
	*end++ = '\'';
	for (; *text; text++)
		end = *text == '\'' ? mempcpy(end, quote, strlen(quote)) : mempcpy(end, text, 1);
	*end++ = '\'';
	*end = '\0';
	return word;
}

/* What to type to do it: "restore ecid:0x… --erase --build 21F90". NULL only without memory. */
static char *restore_command(const struct command_call *call, sd_json_variant *plan)
{
	_cleanup_free_ char *file = call->file ? shell_word(call->file) : NULL;
	const char *key = field_string(plan, "phone");
	char *command = NULL;

	if ((call->file && !file) ||
	    asprintf(&command, "restore %s --erase%s%s%s%s", key ? key : "",
		     call->build ? " --build " : "", call->build ? call->build : "",
		     file ? " --file " : "", file ? file : "") < 0)
		return NULL;
	return command;
}

/* How to agree, after the card of a plan that erases. */
static int consent_write(const struct command_call *call, sd_json_variant *plan)
{
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	_cleanup_free_ char *command = restore_command(call, plan), *line = NULL, *clean = NULL;
	int r = output_prose_new(&prose);

	if (r < 0)
		return r;
	line = plan_text_consent_line(plan, command ? command : "");
	if (line) {
		clean = output_clean(line);
		printf("\n%s\n  %s\n", output_text("plan-consent"), clean);
	}
	plan_text_consent_add(plan, prose);
	return output_prose(prose);
}

static int card_write(const struct command_call *call, sd_json_variant *plan)
{
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	int r = output_prose_new(&prose);

	if (r < 0)
		return r;
	plan_text_add(plan, prose);
	r = output_prose(prose);
	if (r >= 0 && plan_text_erases(plan))
		r = consent_write(call, plan);
	return r;
}

int command_plan(const struct command_call *call)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *plan = NULL, *fields = NULL;
	struct wish wish = { .who = call->argv[0], .goal = goal_from_name(call->argv[1]) };
	int r, status;

	if (wish.goal == GOAL_MAX)
		return output_usage(call, "usage-goal", call->argv[1]);
	status = request_plan(call, &wish, &plan);
	if (status != 0)
		return status;
	if (!call->json)
		r = card_write(call, plan);
	else
		r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_VARIANT("plan", plan));
	return r < 0 ? output_bug(call, r) : output_result(call, fields);
}

/* --- restore --------------------------------------------------------------------------------- */

/* The card instead of a start: nothing is done without a consent. */
static int consent_missing(const struct command_call *call, sd_json_variant *plan)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int status = error_exit_status(ERROR_NO_CONSENT);
	int r;

	if (!call->json) {
		r = card_write(call, plan);
		return r < 0 ? output_bug(call, r) : status;
	}
	r = sd_json_buildo(
	    &fields, SD_JSON_BUILD_PAIR_VARIANT("plan", plan),
	    SD_JSON_BUILD_PAIR_OBJECT(
		"error", SD_JSON_BUILD_PAIR_STRING("kind", error_kind_name(ERROR_NO_CONSENT)),
		SD_JSON_BUILD_PAIR_STRING("origin", "idevicerescue"),
		SD_JSON_BUILD_PAIR_INTEGER("code", 0),
		SD_JSON_BUILD_PAIR_STRING("text", output_text("restore-no-consent"))));
	return r < 0 ? output_bug(call, r) : output_status(call, status, fields);
}

int command_restore(const struct command_call *call)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *plan = NULL, *job = NULL;
	struct wish wish = { .who = call->argv[0], .goal = call->erase ? GOAL_ERASE : GOAL_UPDATE };
	int status;

	if (call->update == call->erase)
		return output_usage(call, "usage-restore", "");
	if (!call->erase && (call->consent || call->confirm))
		return output_usage(call, "usage-consent", "");
	if (call->erase && !call->consent != !call->confirm)
		return output_usage(call, "usage-consent-half", "");
	if (call->erase && !call->consent) {
		status = request_plan(call, &wish, &plan);
		return status != 0 ? status : consent_missing(call, plan);
	}
	status = request_start(call, &wish, &job);
	return status != 0 ? status : follow_job(call, job);
}
