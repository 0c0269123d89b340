/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A carrier of up to eight connections to the phone's ports, for targets that go past the doors:
 * frees what closed, never from inside its close(). Included behind bed.h.
 */
#pragma once

enum { LINES = 8 };

struct line {
	struct service *service; /* NULL: not open */
	bool closed;
	bool afc; /* what speaks there is afc */
};

struct party {
	struct bed *bed;
	struct line lines[LINES];
};

static inline void line_took(void *user, const void *bytes, size_t len)
{
	const volatile uint8_t *at = bytes;

	if (len > 0) { /* the sanitizer looks at both ends */
		(void)at[0];
		(void)at[len - 1];
	}
}

static inline void line_ended(void *user)
{
	((struct line *)user)->closed = true;
}

static inline void line_free(struct line *l)
{
	if (l->service)
		l->service->class->free(l->service);
	*l = (struct line){};
}

/* What closed goes, and all when the phone is off the bus. */
static inline void lines_reap(struct party *p)
{
	for (unsigned i = 0; i < LINES; i++)
		if (p->lines[i].closed || !p->bed->phone.usb.shape)
			line_free(&p->lines[i]);
}

static inline void lines_free(struct party *p)
{
	for (unsigned i = 0; i < LINES; i++)
		line_free(&p->lines[i]);
}

static inline void line_connect(struct party *p, struct line *l, uint16_t port)
{
	const struct stream stream = { line_took, line_ended, l, nullptr };

	l->service = ports_open(&p->bed->phone.ports, port, &stream);
	lines_reap(p);
}

static inline void line_say(struct party *p, struct line *l, const uint8_t *bytes, size_t len)
{
	if (l->service && len > 0 && ports_taking(l->service))
		l->service->class->feed(l->service, bytes, len);
	lines_reap(p);
}
