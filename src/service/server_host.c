/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The methods about the computer itself. */
#include "base/cleanup.h"
#include "service/server_parts.h"
#include <errno.h>

/* next: NULL, what the kind of the error says. */
static void reply_host_failure(sd_varlink *link, const struct error *err, const char *next)
{
	const struct message *general = message_for_error(err->kind);

	if (!next && general)
		next = general->text;
	(void)reply_refused_next(link, err, next);
}

static void on_looked(sd_json_variant *object, const struct error *err, const char *next,
		      void *user)
{
	struct pending *pending = user;

	if (err)
		reply_host_failure(pending->link, err, next);
	else
		(void)sd_varlink_replybo(pending->link,
					 SD_JSON_BUILD_PAIR_VARIANT("computer", object));
	pending_end(pending);
}

/* Answers a call where nothing can be looked at; true if it did. */
static bool reply_no_host(const struct server *server, sd_varlink *link)
{
	struct error err;

	if (server->options.host)
		return false;
	(void)error_set(&err, ERROR_UNSUPPORTED, "service", 0,
			"this computer's disks cannot be looked at from here");
	reply_host_failure(link, &err, NULL);
	return true;
}

int on_look_at_computer(sd_varlink *link, sd_json_variant *parameters,
			sd_varlink_method_flags_t flags, void *user)
{
	struct server *server = user;
	struct pending *pending;
	int r;

	r = sd_varlink_dispatch(link, parameters, NULL, NULL);
	if (r != 0)
		return r;
	if (reply_no_host(server, link))
		return 0;
	pending = pending_new(server, link, "");
	if (!pending)
		return sd_varlink_error_errno(link, -ENOMEM);
	host_look(server->options.host, on_looked, pending);
	return 0;
}

static void on_moved(sd_json_variant *object, const struct error *err, const char *next, void *user)
{
	struct pending *pending = user;

	if (err)
		reply_host_failure(pending->link, err, next);
	else
		(void)sd_varlink_replybo(pending->link,
					 SD_JSON_BUILD_PAIR_VARIANT("moved", object));
	pending_end(pending);
}

int on_move_records(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		    void *user)
{
	static const sd_json_dispatch_field table[] = {
		TEXT_FIELD(host_move, volume, MUST),
		TEXT_FIELD(host_move, consent, MUST),
		{ "records", SD_JSON_VARIANT_ARRAY, sd_json_dispatch_variant_noref,
		  offsetof(struct host_move, records), SD_JSON_NULLABLE },
		{},
	};
	struct host_move move = { 0 };
	struct server *server = user;
	struct pending *pending;
	int r;

	r = sd_varlink_dispatch(link, parameters, table, &move);
	if (r != 0)
		return r;
	if (sd_json_variant_is_null(move.records))
		move.records = NULL;
	if (reply_no_host(server, link))
		return 0;
	pending = pending_new(server, link, "");
	if (!pending)
		return sd_varlink_error_errno(link, -ENOMEM);
	host_move(server->options.host, &move, on_moved, pending);
	return 0;
}
