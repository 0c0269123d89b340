/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "notification_proxy.h"

#include <stdlib.h>
#include <string.h>

#include "phone.h"
#include "plist_stream.h"
#include "text.h"

struct notification_proxy {
	struct plist_stream plist; /* first */
	struct phone *phone;
};

static void proxy_take(struct plist_stream *s, plist_t request)
{
	struct notification_proxy *n = (struct notification_proxy *)s;
	const char *command = plist_text(request, "Command");
	const char *name = plist_text(request, "Name");
	plist_t death;

	EVLOG(&n->phone->log, "notification-proxy", LOG_TEXT("command", command ? command : ""),
	      LOG_TEXT("name", name ? name : ""));
	if (!command || strcmp(command, "Shutdown") != 0)
		return;
	death = plist_new_dict();
	plist_dict_set_item(death, "Command", plist_new_string("ProxyDeath"));
	plist_stream_send(s, death);
	plist_stream_close(s);
}

static void proxy_free(struct service *service)
{
	struct notification_proxy *n = (struct notification_proxy *)service;

	plist_stream_done(&n->plist);
	free(n);
}

struct service *notification_proxy_open(struct phone *phone, const struct stream *stream)
{
	static const struct service_class class = { plist_stream_feed, proxy_free };
	struct notification_proxy *n = calloc(1, sizeof(*n));

	if (!n)
		die("out of memory");
	*n = (struct notification_proxy){
		.plist = { .service = { &class, *stream }, .take = proxy_take }, .phone = phone
	};
	return &n->plist.service;
}
