/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns one reference to each link that watches. Invariant: a link in the list is connected;
 * closing one calls the server's disconnect callback, which comes back to watchers_remove(), so a
 * link leaves the list before it is closed.
 */
#include "service/watcher.h"
#include "base/cleanup.h"
#include "base/log.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

struct watcher {
	struct watcher *next;
	sd_varlink *link;
	size_t unread_bytes; /* sent since the queue was last empty */
};

struct watchers {
	struct watcher *first;
};

int watchers_new(struct watchers **ret)
{
	struct watchers *watchers = calloc(1, sizeof(*watchers));

	if (!watchers)
		return -ENOMEM;
	*ret = watchers;
	return 0;
}

struct watchers *watchers_free(struct watchers *watchers)
{
	if (!watchers)
		return NULL;
	while (watchers->first) {
		struct watcher *watcher = watchers->first;

		watchers->first = watcher->next;
		/* not flushed: that would wait for one that does not read */
		sd_varlink_close_unref(watcher->link);
		free(watcher);
	}
	free(watchers);
	return NULL;
}

/* Takes the watcher of this link out of the list; NULL if there is none. */
static struct watcher *watcher_take(struct watchers *watchers, const sd_varlink *link)
{
	struct watcher **at = &watchers->first, *watcher;

	while (*at && (*at)->link != link)
		at = &(*at)->next;
	watcher = *at;
	if (watcher)
		*at = watcher->next;
	return watcher;
}

void watchers_remove(struct watchers *watchers, const sd_varlink *link)
{
	struct watcher *watcher = watcher_take(watchers, link);

	if (!watcher)
		return;
	sd_varlink_unref(watcher->link);
	free(watcher);
}

static int notify(sd_varlink *link, sd_json_variant *event)
{
	return sd_varlink_notifybo(link, SD_JSON_BUILD_PAIR_VARIANT("event", event));
}

int watchers_add(struct watchers *watchers, sd_varlink *link, sd_json_variant *first)
{
	struct watcher *watcher = calloc(1, sizeof(*watcher));
	int r;

	if (!watcher)
		return -ENOMEM;
	r = notify(link, first);
	if (r < 0) {
		free(watcher);
		return r;
	}
	watcher->link = sd_varlink_ref(link);
	watcher->next = watchers->first;
	watchers->first = watcher;
	return 0;
}

/* 0, -ENOBUFS when it reads too slowly, or a negative errno. */
static int watcher_send(struct watcher *watcher, sd_json_variant *event, size_t bytes)
{
	int events = sd_varlink_get_events(watcher->link);

	if (events >= 0 && !(events & EPOLLOUT))
		watcher->unread_bytes = 0; /* nothing is queued on our side */
	watcher->unread_bytes += bytes;
	if (watcher->unread_bytes > WATCHER_UNREAD_BYTES_MAX)
		return -ENOBUFS;
	return notify(watcher->link, event);
}

static size_t event_bytes(sd_json_variant *event)
{
	_cleanup_free_ char *text = NULL;
	int r = sd_json_variant_format(event, 0, &text);

	return r < 0 ? 0 : (size_t)r;
}

void watchers_send(struct watchers *watchers, sd_json_variant *event)
{
	size_t bytes = event_bytes(event);

	for (struct watcher *watcher = watchers->first, *next; watcher; watcher = next) {
		int r = watcher_send(watcher, event, bytes);

		next = watcher->next;
		if (r >= 0)
			continue;
		log_warning("a watcher is dropped: %s", strerror(-r));
		(void)watcher_take(watchers, watcher->link);
		sd_varlink_close_unref(watcher->link);
		free(watcher);
	}
}

size_t watchers_count(const struct watchers *watchers)
{
	size_t n = 0;

	for (const struct watcher *watcher = watchers->first; watcher; watcher = watcher->next)
		n++;
	return n;
}
