/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "services/heartbeat.h"

#include <stdlib.h>
#include <string.h>

#include "phone.h"
#include "plist_stream.h"
#include "text.h"

struct heartbeat {
	struct plist_stream plist; /* first */
	struct phone *phone;
	struct timer beat;
	unsigned missed; /* Marcos without a Polo */
};

static void beat(void *user)
{
	struct heartbeat *h = user;
	plist_t marco;

	if (h->missed == HEARTBEAT_MISSED_MAX) {
		EVLOG(&h->phone->log, "heartbeat-lost");
		plist_stream_close(&h->plist);
		return;
	}
	h->missed++;
	marco = plist_new_dict();
	plist_dict_set_item(marco, "Command", plist_new_string("Marco"));
	plist_dict_set_item(marco, "Interval", plist_new_uint(HEARTBEAT_SECONDS));
	plist_stream_send_binary(&h->plist, marco);
	timer_arm(h->phone->timers, &h->beat, HEARTBEAT_SECONDS * 1000, beat, h);
}

static void heartbeat_take(struct plist_stream *s, plist_t request)
{
	struct heartbeat *h = (struct heartbeat *)s;
	const char *command = plist_text(request, "Command");

	if (command && !strcmp(command, "Polo"))
		h->missed = 0;
}

static void heartbeat_free(struct service *service)
{
	struct heartbeat *h = (struct heartbeat *)service;

	timer_disarm(h->phone->timers, &h->beat);
	plist_stream_done(&h->plist);
	free(h);
}

struct service *heartbeat_open(struct phone *phone, void *user, const struct stream *stream)
{
	static const struct service_class class = { plist_stream_feed, heartbeat_free };
	struct heartbeat *h = calloc(1, sizeof(*h));

	if (!h)
		die("out of memory");
	*h =
	    (struct heartbeat){ .plist = { .service = { &class, *stream }, .take = heartbeat_take },
				.phone = phone };
	timer_arm(phone->timers, &h->beat, 0, beat, h);
	return &h->plist.service;
}
