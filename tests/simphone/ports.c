/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ports.h"

#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "lockdown.h"
#include "phone.h"
#include "text.h"

enum {
	HELD_HIGH = 1024 * 1024,     /* of one way: more is not taken from carriers that can wait */
	HELD_MAX = 16 * 1024 * 1024, /* from those that cannot: the connection breaks */
};

/*
 * One connection: the carrier's service, and the inner service's carrier. Counts what passes and
 * does what the fault rules say to a stream.
 *
 *   passing ──delay──▶ holding ──timer──▶ passing      any ──stall──▶ dead   any ──end──▶ closed
 *
 * Invariants: what is held goes out in its order, before anything younger of the same way. An end
 * (a stall, a cut, the service's own) that comes while something is held waits for it: `ending`;
 * until then nothing new is taken. Once closed or dead nothing passes. The carrier frees it, not
 * from inside its close().
 */
enum ending { ENDING_NOT, ENDING_CLOSED, ENDING_DEAD };

struct connection {
	struct service service; /* first; the carrier's view */
	struct tap tap;
	struct service *inner;      /* owned; NULL while it is being opened */
	bool closed;                /* the inner service or a fault ended it */
	struct timer delay;         /* armed: both ways are held back */
	struct buf held[2];         /* by fault_way */
	enum ending ending;         /* once the delay is over */
	bool draining;              /* what was held passes */
	bool orphan;                /* has no carrier any more */
	struct connection *next;    /* of the orphans */
	void (*taking)(void *user); /* with the carrier's user; NULL: it cannot wait */
};

static bool connection_dead(const struct connection *c)
{
	return c->tap.dead || c->closed || faults_mute(&c->tap.phone->faults);
}

bool ports_taking(const struct service *connection)
{
	const struct connection *c = (const struct connection *)connection;

	return !connection_dead(c) && !c->ending && c->held[FAULT_GOT].len < HELD_HIGH;
}

bool ports_holding(const struct service *connection)
{
	const struct connection *c = (const struct connection *)connection;

	return !connection_dead(c) && c->delay.armed && c->held[FAULT_GOT].len > 0;
}

/* Behind what is held. */
static void connection_close(struct connection *c)
{
	if (c->closed)
		return;
	if (c->delay.armed) {
		/* dead is dead */
		c->ending = c->ending ? c->ending : ENDING_CLOSED;
		return;
	}
	c->closed = true;
	c->tap.dead = true;
	c->service.stream.close(c->service.stream.user);
}

static void hold(struct connection *c, enum fault_way way, const uint8_t *bytes, size_t len)
{
	if (len <= HELD_MAX - c->held[way].len) {
		buf_add(&c->held[way], bytes, len);
		return;
	}
	EVLOG(&c->tap.phone->log, "held-too-much", LOG_TEXT("conversation", c->tap.conversation));
	timer_disarm(c->tap.phone->timers, &c->delay);
	connection_close(c);
}

static void pass_on(struct connection *c, enum fault_way way, const uint8_t *bytes, size_t len)
{
	if (len == 0)
		return;
	if (c->delay.armed)
		hold(c, way, bytes, len);
	else if (way == FAULT_SENT)
		c->service.stream.send(c->service.stream.user, bytes, len);
	else
		c->inner->class->feed(c->inner, bytes, len);
}

static void connection_stall(struct connection *c)
{
	if (c->delay.armed)
		c->ending = c->ending ? c->ending : ENDING_DEAD;
	else
		c->tap.dead = true;
}

static void connection_release(struct connection *c);

/* What the service said goes out before it is fed more: that may make it say more. */
static void delay_over(void *user)
{
	static const enum fault_way order[] = { FAULT_SENT, FAULT_GOT };
	struct connection *c = user;

	c->draining = true;
	for (unsigned i = 0; i < 2 && !connection_dead(c) && !c->delay.armed; i++) {
		struct buf held = c->held[order[i]];

		c->held[order[i]] = (struct buf){};
		pass_on(c, order[i], held.bytes, held.len);
		buf_done(&held);
	}
	c->draining = false;
	if (!c->delay.armed && c->ending == ENDING_CLOSED && !connection_dead(c))
		connection_close(c);
	else if (!c->delay.armed && c->ending == ENDING_DEAD)
		c->tap.dead = true;
	if (c->orphan && !c->delay.armed) {
		connection_release(c);
		return;
	}
	if (c->taking && ports_taking(&c->service))
		c->taking(c->service.stream.user);
}

static void connection_act(struct tap *tap, const struct fault_rule *rule)
{
	struct connection *c =
	    (struct connection *)((char *)tap - offsetof(struct connection, tap));

	if (rule->action == FAULT_STALL)
		connection_stall(c);
	else if (rule->action == FAULT_RESET)
		connection_close(c);
	else if (rule->action == FAULT_DELAY)
		timer_arm(tap->phone->timers, &c->delay, rule->ms, delay_over, c);
}

/* A rule struck in front of @bytes. Returns whether they still go on. */
static bool connection_struck(struct connection *c, const struct fault_rule *rule, uint8_t *bytes,
			      size_t len)
{
	switch (rule->action) {
	case FAULT_GARBAGE:
		fault_garbage(&c->tap.phone->faults, bytes, len);
		return true;
	case FAULT_DELAY:
		connection_act(&c->tap, rule);
		return true;
	case FAULT_CUT:
	case FAULT_RESET:
		connection_close(c);
		return false;
	case FAULT_STALL:
		connection_act(&c->tap, rule);
		return false;
	case FAULT_UNPLUG:
	case FAULT_REBOOT:
	case FAULT_SILENCE:
	case FAULT_DROP:
	case FAULT_ERROR: /* only a message can be answered with one */
		return false;
	}
	return false;
}

/* Bytes of either way: counted, struck, held or passed. */
static void connection_move(struct connection *c, enum fault_way way, const uint8_t *bytes,
			    size_t len)
{
	BUF_AUTO rest = {};

	while (len > 0 && !connection_dead(c) && (!c->ending || c->draining)) {
		size_t at = 0;
		const struct fault_rule *rule =
		    fault_bytes(&c->tap.phone->faults, c->tap.conversation, way, len, &at);

		if (rule) {
			if (!rest.bytes)
				buf_add(&rest, bytes, len);
			bytes = rest.bytes + rest.len - len;
			if (!connection_struck(c, rule, rest.bytes + rest.len - len, len))
				return;
			continue;
		}
		pass_on(c, way, bytes, at);
		bytes += at;
		len -= at;
	}
}

void ports_on_taking(struct service *connection, void (*taking)(void *user))
{
	((struct connection *)connection)->taking = taking;
}

static void connection_feed(struct service *service, const uint8_t *bytes, size_t len)
{
	connection_move((struct connection *)service, FAULT_GOT, bytes, len);
}

static void connection_send(void *user, const void *bytes, size_t len)
{
	connection_move(user, FAULT_SENT, bytes, len);
}

static void inner_close(void *user)
{
	struct connection *c = user;

	if (!connection_dead(c))
		connection_close(c);
}

/* ---- the end of a connection ---- */

static void connection_release(struct connection *c)
{
	struct ports *ports = &c->tap.phone->ports;

	for (struct connection **p = &ports->orphans; c->orphan && *p; p = &(*p)->next) {
		if (*p != c)
			continue;
		*p = c->next;
		break;
	}
	timer_disarm(c->tap.phone->timers, &c->delay);
	c->closed = true;
	if (c->inner)
		c->inner->class->free(c->inner);
	buf_done(&c->held[FAULT_GOT]);
	buf_done(&c->held[FAULT_SENT]);
	free(c);
}

static void nobody_hears(void *user, const void *bytes, size_t len)
{
}

static void nobody_closes(void *user)
{
}

/* A host that hung up had sent what is held: it still arrives. */
static void connection_free(struct service *service)
{
	struct connection *c = (struct connection *)service;
	struct ports *ports = &c->tap.phone->ports;

	if (!ports_holding(service)) {
		connection_release(c);
		return;
	}
	c->service.stream = (struct stream){ nobody_hears, nobody_closes, c, nullptr };
	c->taking = nullptr;
	c->orphan = true;
	c->next = ports->orphans;
	ports->orphans = c;
}

/* ---- listeners ---- */

void ports_init(struct ports *p, struct phone *phone)
{
	*p = (struct ports){ .phone = phone };
	ports_reset(p);
}

void ports_reset(struct ports *p)
{
	while (p->orphans)
		connection_release(p->orphans);
	p->count = 0;
	p->next = PORT_EPHEMERAL_FIRST;
}

void ports_done(struct ports *p)
{
	ports_reset(p);
}

static struct port_listener *listener_find(struct ports *p, uint16_t port)
{
	for (unsigned i = 0; i < p->count; i++)
		if (p->listeners[i].port == port)
			return &p->listeners[i];
	return nullptr;
}

uint16_t ports_listen(struct ports *p, uint16_t port, const char *conversation,
		      service_open_fn open, void *user)
{
	while (port == 0) {
		uint16_t next = p->next++;

		if (p->next == 0)
			p->next = PORT_EPHEMERAL_FIRST;
		if (!listener_find(p, next))
			port = next;
	}
	/* the oldest ephemeral one makes room: a host that starts services without end and never
	 * connects */
	if (p->count == PORTS_MAX) {
		for (unsigned i = 0; i < p->count; i++) {
			if (p->listeners[i].port < PORT_EPHEMERAL_FIRST ||
			    p->listeners[i].port == LOCKDOWN_PORT)
				continue;
			ports_unlisten(p, p->listeners[i].port);
			break;
		}
	}
	if (p->count == PORTS_MAX)
		die("no room for another listener");
	p->listeners[p->count++] = (struct port_listener){ port, conversation, open, user };
	return port;
}

void ports_unlisten(struct ports *p, uint16_t port)
{
	struct port_listener *l = listener_find(p, port);

	if (!l)
		return;
	/* the order is that of age */
	memmove(l, l + 1, (size_t)(&p->listeners[p->count] - (l + 1)) * sizeof(*l));
	p->count--;
}

struct service *ports_open(struct ports *p, uint16_t port, const struct stream *stream)
{
	static const struct service_class class = { connection_feed, connection_free };
	const struct port_listener *found = listener_find(p, port);
	struct port_listener l;
	struct connection *c;
	struct stream inner;

	EVLOG(&p->phone->log, "connect", LOG_INT("port", port), LOG_INT("taken", found != nullptr),
	      LOG_TEXT("conversation", found ? found->conversation : ""));
	if (!found || p->phone->faults.silent || p->phone->scenario.mux_knobs.refuse_port == port)
		return nullptr;
	l = *found; /* opening may change the table */
	c = calloc(1, sizeof(*c));
	if (!c)
		die("out of memory");
	*c = (struct connection){
		.service = { &class, *stream },
		.tap = { .phone = p->phone, .conversation = l.conversation, .act = connection_act }
	};
	inner = (struct stream){ connection_send, inner_close, c, &c->tap };
	c->inner = l.open(p->phone, l.user, &inner);
	return &c->service;
}
