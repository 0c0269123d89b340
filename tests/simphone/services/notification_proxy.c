/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "services/notification_proxy.h"

#include <stdlib.h>
#include <string.h>

#include "phone.h"
#include "plist_stream.h"
#include "text.h"

enum { NAMES_MAX = 64 };

struct notification_proxy {
	struct plist_stream plist; /* first */
	struct phone *phone;
	struct notice_observer observer;
	unsigned count;
	char *names[NAMES_MAX]; /* observed; owned */
};

static bool observes(const struct notification_proxy *n, const char *name)
{
	for (unsigned i = 0; i < n->count; i++)
		if (!strcmp(n->names[i], name))
			return true;
	return false;
}

static void proxy_hear(void *user, const char *name)
{
	struct notification_proxy *n = user;
	plist_t relay;

	if (!observes(n, name) || n->plist.closing)
		return;
	relay = plist_new_dict();
	plist_dict_set_item(relay, "Command", plist_new_string("RelayNotification"));
	plist_dict_set_item(relay, "Name", plist_new_string(name));
	plist_stream_send(&n->plist, relay);
}

static void proxy_observe(struct notification_proxy *n, const char *name)
{
	if (observes(n, name) || n->count == NAMES_MAX)
		return;
	n->names[n->count] = strdup(name);
	if (!n->names[n->count])
		die("out of memory");
	n->count++;
}

static void proxy_take(struct plist_stream *s, plist_t request)
{
	struct notification_proxy *n = (struct notification_proxy *)s;
	const char *command = plist_text(request, "Command");
	const char *name = plist_text(request, "Name");
	plist_t death;

	EVLOG(&n->phone->log, "notification-proxy", LOG_TEXT("command", command ? command : ""),
	      LOG_TEXT("name", name ? name : ""));
	if (!command)
		return;
	if (!strcmp(command, "ObserveNotification") && name) {
		proxy_observe(n, name);
	} else if (!strcmp(command, "PostNotification") && name) {
		notice_post(n->phone, name);
	} else if (!strcmp(command, "Shutdown")) {
		death = plist_new_dict();
		plist_dict_set_item(death, "Command", plist_new_string("ProxyDeath"));
		plist_stream_send(s, death);
		plist_stream_close(s);
	}
}

static void proxy_free(struct service *service)
{
	struct notification_proxy *n = (struct notification_proxy *)service;

	notices_remove(&n->phone->notices, &n->observer);
	for (unsigned i = 0; i < n->count; i++)
		free(n->names[i]);
	plist_stream_done(&n->plist);
	free(n);
}

struct service *notification_proxy_open(struct phone *phone, void *user,
					const struct stream *stream)
{
	static const struct service_class class = { plist_stream_feed, proxy_free };
	struct notification_proxy *n = calloc(1, sizeof(*n));

	if (!n)
		die("out of memory");
	*n = (struct notification_proxy){
		.plist = { .service = { &class, *stream }, .take = proxy_take },
		.phone = phone,
		.observer = { .hear = proxy_hear, .user = n },
	};
	notices_add(&phone->notices, &n->observer);
	return &n->plist.service;
}
