/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A watch owns one link and one timer:
 *
 *              connected              disconnected, error
 *   waiting ─────────────▶ watching ──────────────────────▶ waiting (CLIENT_RETRY_MS)
 *      ▲  cannot connect │
 *      └─────────────────┘
 *
 * Invariants: link != NULL exactly while watching. The owner hears of an outage once, however
 * often the connection fails meanwhile, and of nothing from inside client_watch_new().
 */
#include "service/client.h"
#include "base/cleanup.h"
#include "facts/facts.h"
#include "service/client_error.h"
#include "service/fields.h"
#include "service/interface.h"
#include "service/socket.h"
#include <errno.h>
#include <stdio.h>
#include <systemd/sd-varlink.h>

/* A service that restarts is back in less than that; a missing one costs one connect() a second. */
enum { CLIENT_RETRY_MS = 1000 };

struct client_watch {
	sd_event *event;
	char *path;
	sd_varlink *link;
	sd_event_source *timer;
	bool outage_told;
	client_event_fn fn;
	void *user;
};

/* --- errors ---------------------------------------------------------------------------------- */

int client_no_service(struct error *err, const char *path, int errno_value)
{
	return error_set_errno(err, ERROR_NO_SERVICE, "service", errno_value,
			       "no service answers at '%s'", path);
}

static int ambiguous(sd_json_variant *reply, struct error *err)
{
	sd_json_variant *matches = field_array(reply, "matches");
	char keys[ERROR_TEXT_BYTES] = "";
	size_t used = 0;

	for (size_t i = 0; i < sd_json_variant_elements(matches) && used < sizeof(keys); i++) {
		sd_json_variant *match = sd_json_variant_by_index(matches, i);
		int n = snprintf(keys + used, sizeof(keys) - used, "%s%s", used ? ", " : "",
				 sd_json_variant_is_string(match) ? sd_json_variant_string(match)
								  : "?");

		used += n > 0 ? (size_t)n : 0;
	}
	return error_set(err, ERROR_AMBIGUOUS, "service", 0, "these phones fit: %s", keys);
}

int client_reply_error(const char *path, const char *id, sd_json_variant *reply, struct error *err)
{
	const char *wanted = field_string(reply, "wanted");

	if (strcmp(id, INTERFACE_ERROR_NO_SUCH_PHONE) == 0)
		return error_set(err, ERROR_NO_PHONE, "service", 0, "no phone fits '%s'",
				 wanted ? wanted : "");
	if (strcmp(id, INTERFACE_ERROR_AMBIGUOUS_PHONE) == 0)
		return ambiguous(reply, err);
	if (strcmp(id, INTERFACE_ERROR_NO_SUCH_JOB) == 0) {
		const char *job = field_string(reply, "id");

		return error_set(err, ERROR_USAGE, "service", 0,
				 "there is no job '%s'; idevicerescue job list shows all",
				 job ? job : "");
	}
	if (strcmp(id, INTERFACE_ERROR_NOT_ANSWERED) == 0 ||
	    strcmp(id, INTERFACE_ERROR_REFUSED) == 0) {
		const char *origin = field_string(reply, "origin");
		const char *text = field_string(reply, "text");

		return error_set(err, error_kind_from_name(field_string(reply, "kind")),
				 origin ? origin : "service", field_integer(reply, "code", 0), "%s",
				 text ? text : "the phone did not answer");
	}
	if (strcmp(id, SD_VARLINK_ERROR_INVALID_PARAMETER) == 0)
		return field_is(reply, "parameter", "phone")
			   ? error_set(err, ERROR_USAGE, "service", 0,
				       "no phone can be named so; idevicerescue list shows all")
			   : error_set(err, ERROR_USAGE, "service", 0,
				       "the service does not understand the request");
	if (strcmp(id, SD_VARLINK_ERROR_TIMEOUT) == 0)
		return error_set(err, ERROR_SILENT, "service", 0, "the service did not answer");
	if (strcmp(id, SD_VARLINK_ERROR_DISCONNECTED) == 0)
		return client_no_service(err, path, ECONNRESET);
	return error_set(err, ERROR_PROTOCOL, "service", 0, "the service answered %s", id);
}

static int call_error(const char *path, int r, struct error *err)
{
	if (r == -ETIME || r == -ETIMEDOUT)
		return error_set(err, ERROR_SILENT, "service", 0, "the service did not answer");
	if (r == -ECONNRESET || r == -EPIPE || r == -ENOTCONN)
		return client_no_service(err, path, -r);
	return error_set_errno(err, ERROR_PROTOCOL, "service", -r, "the service cannot be asked");
}

/* What the service may take for its answer. A trust check can wait behind a probe. */
uint64_t client_limit_ms(const char *method, sd_json_variant *parameters)
{
	uint64_t limit_ms = timing_ms(TIMING_CALL);

	if (field_true(parameters, "ask"))
		limit_ms += timing_ms(TIMING_PROBE_TOTAL);
	if (strcmp(method, "CheckTrust") == 0)
		limit_ms += timing_ms(TIMING_PROBE_TOTAL) + timing_ms(TIMING_TRUST_CHECK);
	if (strcmp(method, "Plan") == 0 || strcmp(method, "Start") == 0)
		limit_ms += timing_ms(TIMING_PLAN);
	if (strcmp(method, "LookAtComputer") == 0)
		limit_ms += timing_ms(TIMING_HOST_LOOK);
	if (strcmp(method, "MoveRecords") == 0)
		limit_ms += timing_ms(TIMING_HOST_MOVE);
	if (strcmp(method, "ListDisks") == 0)
		limit_ms += timing_ms(TIMING_DISK);
	if (strcmp(method, "UseCache") == 0) /* one is mounted, another one unmounted */
		limit_ms += 2ULL * timing_ms(TIMING_DISK);
	if (strcmp(method, "KeepRecords") == 0) /* does it, then looks */
		limit_ms += 2ULL * timing_ms(TIMING_PROBE_SILENCE);
	return limit_ms;
}

/* --- calls ----------------------------------------------------------------------------------- */

int client_call(const char *socket, const char *method, sd_json_variant *parameters,
		sd_json_variant **ret, struct error *err)
{
	_cleanup_(sd_varlink_close_unrefp) sd_varlink *link = NULL;
	_cleanup_free_ char *path = NULL, *full = NULL;
	sd_json_variant *reply = NULL; /* the link's */
	const char *error_id = NULL;
	int r;

	r = socket_path(socket, &path, err);
	if (r < 0)
		return r;
	if (asprintf(&full, "%s.%s", INTERFACE_NAME, method) < 0)
		return error_set_errno(err, ERROR_BUG, "service", ENOMEM, "call");
	r = sd_varlink_connect_address(&link, path);
	if (r < 0)
		return client_no_service(err, path, -r);
	r = sd_varlink_set_relative_timeout(link, client_limit_ms(method, parameters) * 1000);
	if (r >= 0)
		r = sd_varlink_call(link, full, parameters, &reply, &error_id);
	if (r < 0)
		return call_error(path, r, err);
	if (error_id)
		return client_reply_error(path, error_id, reply, err);
	*ret = sd_json_variant_ref(reply);
	return 0;
}

/* --- watching -------------------------------------------------------------------------------- */

static void watch_wait(struct client_watch *watch, uint64_t wait_ms)
{
	int r = sd_event_source_set_time_relative(watch->timer, wait_ms * 1000);

	if (r >= 0)
		r = sd_event_source_set_enabled(watch->timer, SD_EVENT_ONESHOT);
	if (r < 0) /* an owner that waits for ever would be worse */
		(void)sd_event_exit(watch->event, r);
}

/* Closes the link and tries again later. The watch may be freed when this returns. */
static void watch_outage(struct client_watch *watch, const struct error *err)
{
	bool told = watch->outage_told;

	if (watch->link) {
		sd_varlink_close_unref(watch->link);
		watch->link = NULL;
	}
	watch->outage_told = true;
	watch_wait(watch, CLIENT_RETRY_MS);
	if (!told)
		watch->fn(NULL, err, watch->user);
}

static int on_reply(sd_varlink *link, sd_json_variant *parameters, const char *error_id,
		    sd_varlink_reply_flags_t flags, void *user)
{
	struct client_watch *watch = user;
	sd_json_variant *event = field_object(parameters, "event");
	struct error err;

	if (error_id) {
		(void)client_reply_error(watch->path, error_id, parameters, &err);
		watch_outage(watch, &err);
	} else if (!event) {
		(void)error_set(&err, ERROR_PROTOCOL, "service", 0,
				"the service sent something that is no event");
		watch_outage(watch, &err);
	} else {
		watch->outage_told = false;
		watch->fn(event, NULL, watch->user);
	}
	return 0;
}

static int watch_connect(struct client_watch *watch)
{
	_cleanup_(sd_varlink_close_unrefp) sd_varlink *link = NULL;
	int r;

	r = sd_varlink_connect_address(&link, watch->path);
	if (r < 0)
		return r;
	(void)sd_varlink_set_userdata(link, watch);
	r = sd_varlink_set_relative_timeout(link, UINT64_MAX); /* a quiet bus is no outage */
	if (r >= 0)
		r = sd_varlink_bind_reply(link, on_reply);
	if (r >= 0)
		r = sd_varlink_attach_event(link, watch->event, 0);
	if (r >= 0)
		r = sd_varlink_observe(link, INTERFACE_METHOD_WATCH, NULL);
	if (r < 0)
		return r;
	watch->link = TAKE(link);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *user)
{
	struct client_watch *watch = user;
	int r = watch_connect(watch);

	if (r < 0) {
		struct error err;

		(void)client_no_service(&err, watch->path, -r);
		watch_outage(watch, &err);
	}
	return 0;
}

int client_watch_new(sd_event *event, const char *socket, client_event_fn fn, void *user,
		     struct client_watch **ret)
{
	_cleanup_(client_watch_freep) struct client_watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return -ENOMEM;
	watch->event = sd_event_ref(event);
	watch->fn = fn;
	watch->user = user;
	r = socket_path(socket, &watch->path, NULL);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &watch->timer, CLOCK_BOOTTIME, 0, 0, on_timer,
					       watch);
	if (r < 0)
		return r;
	*ret = TAKE(watch);
	return 0;
}

struct client_watch *client_watch_free(struct client_watch *watch)
{
	if (!watch)
		return NULL;
	if (watch->link)
		sd_varlink_close_unref(watch->link);
	sd_event_source_disable_unref(watch->timer);
	sd_event_unref(watch->event);
	free(watch->path);
	free(watch);
	return NULL;
}
