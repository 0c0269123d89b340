/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "notices.h"

#include "phone.h"

void notices_add(struct notices *n, struct notice_observer *o)
{
	struct notice_observer **p = &n->first;

	while (*p)
		p = &(*p)->next;
	o->next = nullptr;
	*p = o;
}

void notices_remove(struct notices *n, struct notice_observer *o)
{
	for (struct notice_observer **p = &n->first; *p; p = &(*p)->next) {
		if (*p != o)
			continue;
		*p = o->next;
		return;
	}
}

void notice_post(struct phone *phone, const char *name)
{
	EVLOG(&phone->log, "notice", LOG_TEXT("name", name));
	for (struct notice_observer *o = phone->notices.first; o; o = o->next)
		o->hear(o->user, name);
}
