/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Test bed: one phone with a made-up clock, a door that only remembers, and the event log in
 * memory. Included by the test programs, after cmocka.h.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "phone.h"

struct bed {
	struct timers timers;
	struct phone phone;
	FILE *log;
	char *log_text;
	size_t log_len;
	unsigned attaches, detaches;
	/* answers to bulk_in(), oldest first; each behind its length (u32, host order) */
	struct buf in;
	unsigned in_count;
};

static inline void bed_on_attach(void *user)
{
	((struct bed *)user)->attaches++;
}

static inline void bed_on_detach(void *user)
{
	((struct bed *)user)->detaches++;
}

static inline void bed_on_in(void *user, uint64_t id, uint8_t ep, enum usb_reply reply,
			     const uint8_t *bytes, size_t len)
{
	struct bed *b = user;
	uint32_t size = (uint32_t)len;

	assert_int_equal(reply, USB_OK);
	buf_add(&b->in, &size, sizeof(size));
	buf_add(&b->in, bytes, len);
	b->in_count++;
}

/* settings: "key=value" strings, NULL-ended */
static inline struct bed *bed_new(const char *const *settings)
{
	struct bed *b = calloc(1, sizeof(*b));
	struct scenario s;
	char why[256];

	scenario_init(&s);
	for (; settings && *settings; settings++) {
		char key[64];
		const char *equals = strchr(*settings, '=');

		snprintf(key, sizeof(key), "%.*s", (int)(equals - *settings), *settings);
		if (scenario_set(&s, key, equals + 1, why, sizeof(why)) < 0)
			fail_msg("%s", why);
	}
	b->log = open_memstream(&b->log_text, &b->log_len);
	phone_init(&b->phone, &s, &b->timers, b->log);
	b->phone.usb.door = (struct usb_door){ .attach = bed_on_attach,
					       .detach = bed_on_detach,
					       .bulk_in_done = bed_on_in,
					       .user = b };
	phone_start(&b->phone);
	b->attaches = 0; /* tests count what happens later */
	return b;
}

#define BED(...) bed_new((const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) nullptr })

static inline void bed_free(struct bed *b)
{
	phone_done(&b->phone);
	assert_null(b->timers.first);
	fclose(b->log);
	free(b->log_text);
	buf_done(&b->in);
	free(b);
}

static inline void bed_wait(struct bed *b, uint64_t ms)
{
	timers_run(&b->timers, b->timers.now_ms + ms);
}

/* A control transfer; @in may be NULL for OUT. */
static inline enum usb_reply bed_control(struct bed *b, unsigned type_request, uint16_t value,
					 uint16_t index, const void *out, uint16_t len,
					 struct buf *in)
{
	const struct usb_setup setup = { (uint8_t)(type_request >> 8), (uint8_t)type_request, value,
					 index, len };
	BUF_AUTO nothing = {};

	if (in)
		buf_clear(in);
	return usbdev_control(&b->phone.usb, &setup, out, in ? in : &nothing);
}

/* A command to iBoot. */
static inline enum usb_reply bed_command(struct bed *b, const char *line)
{
	return bed_control(b, 0x4000, 0, 0, line, (uint16_t)(strlen(line) + 1), nullptr);
}

/* Whether the log has @text. */
static inline bool bed_logged(struct bed *b, const char *text)
{
	fflush(b->log);
	return b->log_text && strstr(b->log_text, text);
}
