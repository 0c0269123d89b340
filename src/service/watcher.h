/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The links that called Watch, and what is sent to them. */
#include <stddef.h>
#include <systemd/sd-varlink.h>

/*
 * A watcher may leave this much unread before it is dropped; it comes back and asks for a snapshot.
 * sd-varlink alone would queue 16 MiB for each.
 */
enum { WATCHER_UNREAD_BYTES_MAX = 1024 * 1024 };

struct watchers;

int watchers_new(struct watchers **ret);
/* Closes all links. NULL is fine; returns NULL. */
struct watchers *watchers_free(struct watchers *watchers);

/* Sends the first event (a snapshot) and keeps a reference to the link. Returns 0 or a negative
 * errno, then the link was not taken. */
int watchers_add(struct watchers *watchers, sd_varlink *link, sd_json_variant *first);

/* The link is gone (or never watched: then nothing happens). */
void watchers_remove(struct watchers *watchers, const sd_varlink *link);

/* Sends {"event":…} to all; who cannot take it is dropped. */
void watchers_send(struct watchers *watchers, sd_json_variant *event);

size_t watchers_count(const struct watchers *watchers);
