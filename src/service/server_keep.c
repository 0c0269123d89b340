/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KeepRecords: the copy of the pairing records on the data partition. */
#include "service/keeper.h"
#include "service/server_parts.h"
#include <errno.h>

static void on_kept(const struct keeper_state *state, const struct error *err, void *user)
{
	struct pending *pending = user;

	/* A link that has just gone is no failure of ours. */
	if (err)
		(void)reply_refused(pending->link, err);
	else
		(void)sd_varlink_replybo(pending->link,
					 SD_JSON_BUILD_PAIR_BOOLEAN("kept", state->kept),
					 SD_JSON_BUILD_PAIR_UNSIGNED("records", state->records),
					 SD_JSON_BUILD_PAIR_BOOLEAN("lasting", state->lasting));
	pending_end(pending);
}

int on_keep_records(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		    void *user)
{
	struct keep_parameters {
		int keep;
	} p = { .keep = -1 };
	static const sd_json_dispatch_field table[] = {
		{ "keep", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_tristate,
		  offsetof(struct keep_parameters, keep), SD_JSON_NULLABLE },
		{},
	};
	struct server *server = user;
	enum keeper_wish wish;
	struct pending *pending;
	struct error err;
	int r;

	r = sd_varlink_dispatch(link, parameters, table, &p);
	if (r != 0)
		return r;
	wish = p.keep < 0 ? KEEPER_LOOK : p.keep > 0 ? KEEPER_ON : KEEPER_OFF;
	pending = pending_new(server, link, "");
	if (!pending)
		return sd_varlink_error_errno(link, -ENOMEM);
	if (!server->options.keeper)
		r = error_set(&err, ERROR_UNSUPPORTED, "service", 0, "It has no pairings");
	else
		r = keeper_ask(server->options.keeper, wish, on_kept, pending, &err);
	if (r < 0) {
		pending_end(pending);
		return reply_refused(link, &err);
	}
	return 0;
}
