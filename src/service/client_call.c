/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A call owns its link:
 *
 *   client_call_start() ──▶ asked ──▶ reply, error, limit, hang-up ──▶ told (link closed)
 *
 * Invariants: fn is called at most once; link == NULL exactly when it was.
 */
#include "service/client_call.h"
#include "service/client_error.h"
#include "service/interface.h"
#include "service/socket.h"
#include <errno.h>
#include <stdio.h>
#include <systemd/sd-varlink.h>

struct client_call {
	char *path;
	sd_varlink *link;
	client_reply_fn fn;
	void *user;
};

static int on_reply(sd_varlink *link, sd_json_variant *parameters, const char *error_id,
		    sd_varlink_reply_flags_t flags, void *user)
{
	struct client_call *call = user;
	struct error err = { 0 };

	call->link = NULL;
	if (error_id) {
		(void)client_reply_error(call->path, error_id, parameters, &err);
		call->fn(parameters, &err, call->user);
	} else {
		call->fn(parameters, NULL, call->user);
	}
	/* fn may have freed the call: it is not touched any more */
	sd_varlink_close_unref(link);
	return 0;
}

static int call_connect(struct client_call *call, sd_event *event, const char *method,
			sd_json_variant *parameters)
{
	_cleanup_(sd_varlink_close_unrefp) sd_varlink *link = NULL;
	_cleanup_free_ char *full = NULL;
	int r;

	if (asprintf(&full, "%s.%s", INTERFACE_NAME, method) < 0)
		return -ENOMEM;
	r = sd_varlink_connect_address(&link, call->path);
	if (r < 0)
		return r;
	(void)sd_varlink_set_userdata(link, call);
	r = sd_varlink_set_relative_timeout(link, client_limit_ms(method, parameters) * 1000);
	if (r >= 0)
		r = sd_varlink_bind_reply(link, on_reply);
	if (r >= 0)
		r = sd_varlink_attach_event(link, event, 0);
	if (r >= 0)
		r = sd_varlink_invoke(link, full, parameters);
	if (r < 0)
		return r;
	call->link = TAKE(link);
	return 0;
}

int client_call_start(sd_event *event, const char *socket, const char *method,
		      sd_json_variant *parameters, client_reply_fn fn, void *user,
		      struct client_call **ret, struct error *err)
{
	_cleanup_(client_call_freep) struct client_call *call = calloc(1, sizeof(*call));
	int r;

	if (!call)
		return error_set_errno(err, ERROR_BUG, "service", ENOMEM, "call");
	call->fn = fn;
	call->user = user;
	r = socket_path(socket, &call->path, err);
	if (r < 0)
		return r;
	r = call_connect(call, event, method, parameters);
	if (r < 0)
		return client_no_service(err, call->path, -r);
	*ret = TAKE(call);
	return 0;
}

struct client_call *client_call_free(struct client_call *call)
{
	if (!call)
		return NULL;
	if (call->link)
		sd_varlink_close_unref(call->link);
	free(call->path);
	free(call);
	return NULL;
}
