/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "face/command.h"
#include "face/output.h"
#include "face/phone_text.h"
#include "service/client.h"
#include "service/fields.h"
#include <errno.h>
#include <stdio.h>
#include <systemd/sd-event.h>

struct watch {
	const struct command_call *call;
	sd_event *event;
	struct error err; /* why the watch ended, ERROR_NONE if the person ended it */
};

/* Ends the loop; 0 also when the output cannot be written, which output_flush() reports. */
static void watch_end(struct watch *watch)
{
	(void)sd_event_exit(watch->event, 0);
}

static void phone_line(const char *id, uint64_t time_ms, sd_json_variant *phone)
{
	_cleanup_free_ char *time = phone_text_time(time_ms, false);
	_cleanup_free_ char *label = phone_text_label(phone), *mode = phone_text_mode(phone);
	_cleanup_free_ char *port = phone_text_field(phone, "port");
	_cleanup_free_ char *key = phone_text_field(phone, "key");
	_cleanup_free_ char *lights = phone_text_lights(phone);
	_cleanup_free_ char *line = message_format(id, "time", time, "phone", label, "mode", mode,
						   "port", port, "key", key, NULL);

	/* of one that left there is no way to tell */
	if (field_is(phone, "presence", "gone") || lights[0] == '\0')
		printf("%s\n", line ? line : id);
	else
		printf("%s, %s\n", line ? line : id, lights);
}

static void plain_line(const char *id, uint64_t time_ms)
{
	_cleanup_free_ char *time = phone_text_time(time_ms, false);
	_cleanup_free_ char *line = message_format(id, "time", time, NULL);

	printf("%s\n", line ? line : id);
}

static void snapshot_lines(sd_json_variant *snapshot, uint64_t time_ms)
{
	sd_json_variant *phones = field_array(snapshot, "phones");
	size_t count = sd_json_variant_elements(phones);

	if (count == 0)
		plain_line("watch-empty", time_ms);
	for (size_t i = 0; i < count; i++)
		phone_line("watch-here", time_ms, sd_json_variant_by_index(phones, i));
}

static void event_lines(sd_json_variant *event)
{
	static const struct {
		const char *kind, *id;
	} phone_kinds[] = { { "added", "watch-added" },
			    { "changed", "watch-changed" },
			    { "removed", "watch-removed" } };
	uint64_t time_ms = field_unsigned(event, "time_ms", 0);
	sd_json_variant *phone = field_object(event, "phone");

	if (field_is(event, "kind", "snapshot"))
		snapshot_lines(field_object(event, "snapshot"), time_ms);
	else if (field_is(event, "kind", "mux-up"))
		plain_line("watch-mux-up", time_ms);
	else if (field_is(event, "kind", "mux-down"))
		plain_line("watch-mux-down", time_ms);
	for (size_t i = 0; phone && i < ARRAY_LEN(phone_kinds); i++)
		if (field_is(event, "kind", phone_kinds[i].kind))
			phone_line(phone_kinds[i].id, time_ms, phone);
}

static void on_event(sd_json_variant *event, const struct error *err, void *user)
{
	struct watch *watch = user;

	if (!event) {
		watch->err = *err;
		watch_end(watch);
		return;
	}
	if (watch->call->json) {
		if (output_json("event", event) < 0)
			watch_end(watch);
		return;
	}
	event_lines(event);
	if (fflush(stdout) != 0)
		watch_end(watch);
}

static int watch_run(struct watch *watch)
{
	_cleanup_(client_watch_freep) struct client_watch *client = NULL;
	int r;

	r = sd_event_set_signal_exit(watch->event, true);
	if (r >= 0)
		r = client_watch_new(watch->event, watch->call->socket, on_event, watch, &client);
	return r < 0 ? r : sd_event_loop(watch->event);
}

int command_watch(const struct command_call *call)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	struct watch watch = { .call = call };
	int r;

	r = sd_event_new(&event);
	watch.event = event;
	if (r >= 0)
		r = watch_run(&watch);
	if (r < 0)
		return output_bug(call, r);
	if (watch.err.kind != ERROR_NONE)
		return output_end(call, &watch.err);
	return output_result(call, NULL);
}
