/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "face/request.h"
#include "base/cleanup.h"
#include "face/output.h"
#include "service/client_call.h"
#include "service/fields.h"
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

/* --- one call -------------------------------------------------------------------------------- */

struct request {
	sd_event *event;
	sd_json_variant *reply; /* owned */
	struct error err;       /* kind none: it succeeded */
	bool told;
};

static void on_reply(sd_json_variant *reply, const struct error *err, void *user)
{
	struct request *request = user;

	request->told = true;
	request->reply = sd_json_variant_ref(reply);
	if (err)
		request->err = *err;
	(void)sd_event_exit(request->event, 0);
}

/* The call has a limit of its own, so the loop ends. */
static int request_wait(struct request *request, const struct command_call *call,
			const char *method, sd_json_variant *parameters)
{
	_cleanup_(client_call_freep) struct client_call *link = NULL;
	int r;

	r = client_call_start(request->event, call->socket, method, parameters, on_reply, request,
			      &link, &request->err);
	if (r < 0)
		return r;
	r = sd_event_loop(request->event);
	return r < 0 || !request->told ? error_set(&request->err, ERROR_BUG, "idevicerescue", r,
						   "%s", output_text("output-bug"))
				       : 0;
}

int request_try(const struct command_call *call, const char *method, sd_json_variant *parameters,
		sd_json_variant **ret, struct error *err, char **ret_next)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	struct request request = { 0 };
	const char *next;
	int r = sd_event_new(&event);

	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "idevicerescue", -r, "%s", method);
	request.event = event;
	r = request_wait(&request, call, method, parameters);
	if (r >= 0 && request.err.kind == ERROR_NONE) {
		*ret = request.reply;
		return 0;
	}
	next = field_string(request.reply, "next");
	*ret_next = next ? strdup(next) : NULL;
	*err = request.err;
	sd_json_variant_unref(request.reply);
	return r < 0 ? r : -EIO;
}

int request_send(const struct command_call *call, const char *method, sd_json_variant *parameters,
		 sd_json_variant **ret)
{
	_cleanup_free_ char *next = NULL;
	struct error err = { 0 };

	if (request_try(call, method, parameters, ret, &err, &next) >= 0)
		return 0;
	return output_end_next(call, &err, next);
}

/* --- plans ----------------------------------------------------------------------------------- */

/* "iPhone14,5", which no PHONE looks like; a phone of that name is name:iPhone14,5. */
static bool is_product(const char *who)
{
	static const char *const families[] = { "iPhone", "iPad", "iPod" };

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		size_t bytes = strlen(families[i]);
		const char *numbers = who + bytes;

		if (strncmp(who, families[i], bytes) == 0 && isdigit((unsigned char)*numbers) &&
		    strspn(numbers, "0123456789,") == strlen(numbers) && strchr(numbers, ','))
			return true;
	}
	return false;
}

/* The service runs elsewhere: it needs the whole path. Returns 0 or an exit status. */
static int file_path(const struct command_call *call, char **ret)
{
	struct error err;

	*ret = call->file ? realpath(call->file, NULL) : NULL;
	if (!call->file || *ret)
		return 0;
	(void)error_set_errno(&err, ERROR_BAD_FILE, "kernel", errno, "'%s' cannot be read",
			      call->file);
	return output_end(call, &err);
}

static int wish_send(const struct command_call *call, const char *method, const struct wish *wish,
		     sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *parameters = NULL;
	bool product = wish->goal == GOAL_FIRMWARE && is_product(wish->who);
	_cleanup_free_ char *file = NULL;
	bool start = strcmp(method, "Start") == 0;
	int r = file_path(call, &file);

	if (r != 0)
		return r;
	r = sd_json_buildo(
	    &parameters, SD_JSON_BUILD_PAIR_STRING(product ? "product" : "phone", wish->who),
	    SD_JSON_BUILD_PAIR_STRING("goal", goal_name(wish->goal)),
	    SD_JSON_BUILD_PAIR_CONDITION(call->build != NULL, "build",
					 SD_JSON_BUILD_STRING(call->build)),
	    SD_JSON_BUILD_PAIR_CONDITION(file != NULL, "file", SD_JSON_BUILD_STRING(file)),
	    SD_JSON_BUILD_PAIR_CONDITION(start && call->consent, "consent",
					 SD_JSON_BUILD_STRING(call->consent)),
	    SD_JSON_BUILD_PAIR_CONDITION(start && call->confirm, "confirm",
					 SD_JSON_BUILD_STRING(call->confirm)));
	if (r < 0)
		return output_usage(call, "usage-text", wish->who);
	return request_send(call, method, parameters, ret);
}

/* The object `field` of a reply. */
static int reply_take(const struct command_call *call, sd_json_variant *reply, const char *field,
		      sd_json_variant **ret)
{
	sd_json_variant *object = field_object(reply, field);

	if (!object)
		return output_bug(call, -EBADMSG);
	*ret = sd_json_variant_ref(object);
	return 0;
}

int request_plan(const struct command_call *call, const struct wish *wish, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *reply = NULL;
	int status = wish_send(call, "Plan", wish, &reply);

	return status != 0 ? status : reply_take(call, reply, "plan", ret);
}

int request_start(const struct command_call *call, const struct wish *wish, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *reply = NULL;
	int status = wish_send(call, "Start", wish, &reply);

	return status != 0 ? status : reply_take(call, reply, "job", ret);
}

int request_job(const struct command_call *call, const char *method, const char *id,
		sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *parameters = NULL, *reply = NULL;
	int status;

	if (sd_json_buildo(&parameters, SD_JSON_BUILD_PAIR_STRING("id", id)) < 0)
		return output_usage(call, "usage-text", id);
	status = request_send(call, method, parameters, &reply);
	return status != 0 ? status : reply_take(call, reply, "job", ret);
}
