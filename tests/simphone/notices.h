/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What happens on the phone and may interest a host: notifications by name, as notification_proxy
 * relays them. Anybody posts; observers hear all names and choose.
 */
#pragma once

struct phone;

struct notice_observer {
	void (*hear)(void *user, const char *name);
	void *user;
	struct notice_observer *next;
};

/* Embedded in the phone; zeroed memory is without observers. */
struct notices {
	struct notice_observer *first; /* borrowed */
};

void notices_add(struct notices *n, struct notice_observer *o);
void notices_remove(struct notices *n, struct notice_observer *o);

/* Tells every observer, in the order in which they came; logs it. Observers may not be removed from
 * inside hear(). */
void notice_post(struct phone *phone, const char *name);
