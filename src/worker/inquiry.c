/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/inquiry.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "worker/reply.h"
#include <string.h>

const char *reached_name(enum reached reached)
{
	static const char *const names[REACHED_MAX] = {
		[REACHED_NONE] = "none",         [REACHED_PORT] = "port",
		[REACHED_LOCKDOWN] = "lockdown", [REACHED_RECORD] = "record",
		[REACHED_SESSION] = "session",   [REACHED_SERVICE] = "service",
	};

	return names[reached];
}

int inquiry_fields(const struct inquiry *inquiry, sd_json_variant **ret)
{
	int r = sd_json_buildo(
	    ret, SD_JSON_BUILD_PAIR_STRING("reach", reached_name(inquiry->reached)),
	    SD_JSON_BUILD_PAIR_CONDITION(inquiry->record_known, "record",
					 SD_JSON_BUILD_BOOLEAN(inquiry->record)),
	    SD_JSON_BUILD_PAIR_CONDITION(inquiry->record_known, "record_broken",
					 SD_JSON_BUILD_BOOLEAN(inquiry->record_broken)),
	    SD_JSON_BUILD_PAIR_CONDITION(inquiry->detail != NULL, "detail",
					 SD_JSON_BUILD_STRING(inquiry->detail)));

	return r < 0 ? r : 0;
}

static const struct error silent = {
	.kind = ERROR_SILENT,
	.origin = "worker",
	.text = "The phone does not answer",
};
static const struct error broke = {
	.kind = ERROR_PROTOCOL,
	.origin = "worker",
	.text = "The phone sends what breaks the program that reads it",
};

/* The line of such an end, with what is known now. Allocated. */
static int line_make(const struct inquiry *inquiry, const struct error *err, char **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int r = inquiry_fields(inquiry, &fields);

	return r < 0 ? r : reply_error_text(err, fields, ret);
}

static int limit_arm(struct inquiry *inquiry)
{
	_cleanup_free_ char *line = NULL;
	uint64_t now_ms = clock_now_ms();
	int r = line_make(inquiry, &silent, &line);

	if (r < 0)
		return r;
	if (inquiry->armed)
		lifeline_release(&inquiry->lifeline);
	inquiry->armed = false;
	r = lifeline_limit(&inquiry->lifeline,
			   inquiry->end_ms > now_ms ? (unsigned)(inquiry->end_ms - now_ms) : 1,
			   line);
	inquiry->armed = r == 0;
	return r;
}

int inquiry_begin(struct inquiry *inquiry, unsigned limit_ms, struct error *err)
{
	_cleanup_free_ char *line = NULL;
	int r;

	*inquiry = (struct inquiry){ .end_ms = clock_now_ms() + limit_ms };
	r = line_make(inquiry, &broke, &line);
	if (r == 0)
		r = ceiling_set(&inquiry->ceiling, line);
	if (r == 0)
		r = limit_arm(inquiry);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot limit the worker");
	return 0;
}

void inquiry_end(struct inquiry *inquiry)
{
	if (inquiry->armed)
		lifeline_release(&inquiry->lifeline);
	inquiry->armed = false;
	ceiling_lift(&inquiry->ceiling);
}

/* An old line is better than none; without a limit the service still has its own. */
static void limit_renew(struct inquiry *inquiry)
{
	_cleanup_free_ char *line = NULL;
	int r = inquiry->armed ? limit_arm(inquiry) : 0;

	if (r == 0)
		r = line_make(inquiry, &broke, &line);
	if (r == 0)
		ceiling_line(&inquiry->ceiling, line);
	else
		log_warning("Cannot renew the limit: %s", strerror(-r));
}

void inquiry_reached(struct inquiry *inquiry, enum reached reached)
{
	if (!inquiry || reached <= inquiry->reached)
		return;
	inquiry->reached = reached;
	limit_renew(inquiry);
}

void inquiry_detail(struct inquiry *inquiry, const char *detail)
{
	if (!inquiry || inquiry->detail == detail)
		return;
	inquiry->detail = detail;
	limit_renew(inquiry);
}

void inquiry_record(struct inquiry *inquiry, bool record, bool broken)
{
	if (!inquiry)
		return;
	inquiry->record_known = true;
	inquiry->record = record;
	inquiry->record_broken = broken;
	limit_renew(inquiry);
}
