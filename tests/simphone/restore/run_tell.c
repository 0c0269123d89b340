/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "phone.h"
#include "restore/run_parts.h"

enum { TRAIL_MAX = 32768 };

plist_t run_message(const char *type)
{
	plist_t message = plist_new_dict();

	plist_dict_set_item(message, "MsgType", plist_new_string(type));
	return message;
}

void run_say(struct run *r, plist_t message)
{
	if (r->main)
		plist_stream_send(r->main, message);
	else
		plist_free(message);
}

void run_progress(struct run *r, unsigned operation, int percent)
{
	plist_t message;

	if (!operation)
		return;
	message = run_message("ProgressMsg");
	plist_dict_set_item(message, "Operation", plist_new_uint(operation));
	plist_dict_set_item(message, "Progress", plist_new_int(percent));
	run_say(r, message);
}

void run_trail(struct run *r, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (r->trail.len > TRAIL_MAX)
		buf_drop(&r->trail, r->trail.len / 2);
	buf_addf(&r->trail, "%s\n", line);
}

void run_checkpoint(struct run *r, const struct step *s, bool complete, int64_t result,
		    const char *error)
{
	plist_t message = run_message("CheckpointMsg");

	plist_dict_set_item(message, "CHECKPOINT_ID", plist_new_uint(s->checkpoint));
	plist_dict_set_item(message, "CHECKPOINT_NAME", plist_new_string(s->name));
	plist_dict_set_item(message, "CHECKPOINT_RESULT", plist_new_int(result));
	plist_dict_set_item(message, "CHECKPOINT_COMPLETE", plist_new_bool(complete));
	if (error)
		plist_dict_set_item(message, "CHECKPOINT_ERROR", plist_new_string(error));
	EVLOG(&r->phone->log, "checkpoint", LOG_TEXT("name", s->name), LOG_INT("id", s->checkpoint),
	      LOG_INT("complete", complete), LOG_INT("result", result));
	run_say(r, message);
}

void run_status(struct run *r, uint64_t status, int64_t error, const char *log)
{
	plist_t message = run_message("StatusMsg");

	plist_dict_set_item(message, "Status", plist_new_uint(status));
	if (error)
		plist_dict_set_item(message, "AMRError", plist_new_uint((uint64_t)error));
	if (log)
		plist_dict_set_item(message, "Log", plist_new_string(log));
	EVLOG(&r->phone->log, "status", LOG_INT("status", status), LOG_INT("error", error));
	run_say(r, message);
}
