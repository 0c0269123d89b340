/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/log.h"
#include "face/command.h"
#include "face/output.h"
#include "service/service.h"
#include "service/storage.h"
#include <stdlib.h>

/* Plain `serve` is for systemd; typed by hand it would look like a program that hangs. */
static bool started_by_systemd(void)
{
	return getenv("NOTIFY_SOCKET") || getenv("INVOCATION_ID");
}

int command_serve(const struct command_call *call)
{
	struct service_options options = {
		.socket = call->socket,
		.replay = call->replay,
		.record = call->record,
		.worker = call->worker,
		.storage = call->storage,
		.cache = call->cache,
	};
	struct error err;

	if (!call->foreground && !started_by_systemd()) {
		(void)error_set(&err, ERROR_USAGE, "command line", 0, "%s",
				output_text("usage-foreground"));
		return output_end(call, &err);
	}
	/* else each command that needs firmware would fail later, and blame who typed it */
	if (call->cache && call->cache[0] != '/' && !storage_word_is_url(call->cache))
		return output_usage(call, "usage-serve-cache", call->cache);
	if (service_run(&options, &err) < 0)
		return output_end(call, &err);
	return output_result(call, NULL);
}
