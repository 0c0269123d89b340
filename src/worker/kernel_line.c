/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/kernel_line.h"
#include "base/cleanup.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { FACILITY_SHIFT = 3, US_PER_S = 1000 * 1000, FRACTION_DIGITS = 6, NUMBER_DIGITS_MAX = 18 };

/* A piece of the line that is not terminated. */
struct span {
	const char *at;
	size_t n;
};

static bool skip_text(struct span *span, const char *text)
{
	size_t n = strlen(text);

	if (span->n < n || memcmp(span->at, text, n) != 0)
		return false;
	span->at += n;
	span->n -= n;
	return true;
}

static bool skip_number(struct span *span, uint64_t *ret)
{
	uint64_t value = 0;
	size_t n = 0;

	while (n < span->n && n < NUMBER_DIGITS_MAX && isdigit((unsigned char)span->at[n]))
		value = value * 10 + (uint64_t)(span->at[n++] - '0');
	if (n == 0 || (n < span->n && isdigit((unsigned char)span->at[n])))
		return false;
	span->at += n;
	span->n -= n;
	*ret = value;
	return true;
}

/* Behind the next `c`; false if there is none. */
static bool skip_behind(struct span *span, char c)
{
	const char *found = memchr(span->at, c, span->n);

	if (!found)
		return false;
	span->n -= (size_t)(found + 1 - span->at);
	span->at = found + 1;
	return true;
}

static void skip_spaces(struct span *span)
{
	while (span->n > 0 && *span->at == ' ')
		span->at++, span->n--;
}

static bool span_has(const struct span *span, const char *text)
{
	return memmem(span->at, span->n, text, strlen(text)) != NULL;
}

/* --- the head */

/* "6,1234,567890,-;" */
static bool skip_record_head(struct span *span, struct kernel_head *head)
{
	struct span rest = *span;
	uint64_t priority;

	if (!skip_number(&rest, &priority) || !skip_text(&rest, ",") ||
	    !skip_number(&rest, &head->number) || !skip_text(&rest, ",") ||
	    !skip_number(&rest, &head->time_us) || !skip_text(&rest, ",") ||
	    !skip_behind(&rest, ';'))
		return false;
	head->record = true;
	head->timed = true;
	head->kernel = priority >> FACILITY_SHIFT == 0;
	*span = rest;
	return true;
}

/* "   12.345678" up to the bracket */
static bool read_seconds(struct span inside, uint64_t *ret_us)
{
	uint64_t seconds, fraction;
	const char *digits;

	skip_spaces(&inside);
	if (!skip_number(&inside, &seconds) || !skip_text(&inside, "."))
		return false;
	digits = inside.at;
	if (!skip_number(&inside, &fraction) || inside.at != digits + FRACTION_DIGITS ||
	    inside.n > 0 || seconds > UINT32_MAX)
		return false;
	*ret_us = seconds * US_PER_S + fraction;
	return true;
}

/* "[   12.345678] ", "[Sep14 22:47] ", "[  +0.198420] ", "[   12.345678][  T123] " */
static bool skip_brackets(struct span *span, struct kernel_head *head)
{
	struct span rest = *span, inside;

	if (!skip_text(&rest, "["))
		return false;
	inside = rest;
	if (!skip_behind(&rest, ']'))
		return false;
	inside.n -= rest.n + 1;
	if (read_seconds(inside, &head->time_us))
		head->timed = true;
	if (skip_text(&rest, "["))
		(void)skip_behind(&rest, ']');
	skip_spaces(&rest);
	*span = rest;
	return true;
}

/* "Nov 22 10:00:00 host kernel: …" with its brackets; a bare message of a port is none, whatever
 * stands in it. */
static void skip_log_head(struct span *span, struct kernel_head *head)
{
	static const char log_mark[] = " kernel: ";
	struct span bare = *span;
	const char *mark = memmem(span->at, span->n, log_mark, sizeof(log_mark) - 1);

	if (!mark || skip_text(&bare, "usb ") || skip_text(&bare, "hub "))
		return;
	span->n -= (size_t)(mark - span->at) + sizeof(log_mark) - 1;
	span->at = mark + sizeof(log_mark) - 1;
	(void)skip_brackets(span, head);
}

void kernel_head_parse(const char *line, size_t n, struct kernel_head *ret)
{
	const char *end = memchr(line, '\n', n);
	struct span span = { line, end ? (size_t)(end - line) : n };
	struct kernel_head head = { .kernel = true };

	if (!skip_record_head(&span, &head)) {
		if (skip_text(&span, "<")) /* dmesg --raw */
			(void)skip_behind(&span, '>');
		if (!skip_brackets(&span, &head))
			skip_log_head(&span, &head);
	}
	if (span.n > 0 && span.at[span.n - 1] == '\r')
		span.n--;
	head.text = span.at;
	head.text_bytes = span.n;
	*ret = head;
}

/* --- who it is about */

enum subject {
	SUBJECT_DEVICE, /* "usb 1-2: " */
	SUBJECT_PORT,   /* "usb 1-2-port3: ", "usb usb1-port2: " */
	SUBJECT_HUB, /* "hub 1-2:1.0: ", "hub 1-0:1.0: "; kernels before 3.15 tell the port later */
	SUBJECT_CONTROLLER, /* "xhci_hcd 0000:00:14.0: " */
	SUBJECT_MAX,
};

struct about {
	enum subject subject;
	char port[KERNEL_PORT_BYTES]; /* of a hub: its own, "1-0" of a root hub */
};

/* "1-2.3.4" up to `stop`, which is skipped */
static bool skip_port(struct span *span, const char *stop, char ret[static KERNEL_PORT_BYTES])
{
	struct span rest = *span;
	uint64_t number;
	size_t n;

	if (!skip_number(&rest, &number) || !skip_text(&rest, "-"))
		return false;
	do {
		if (!skip_number(&rest, &number))
			return false;
	} while (skip_text(&rest, "."));
	n = (size_t)(rest.at - span->at);
	if (n >= KERNEL_PORT_BYTES || !skip_text(&rest, stop))
		return false;
	memcpy(ret, span->at, n);
	ret[n] = '\0';
	*span = rest;
	return true;
}

/* Port number `number` of the hub at `hub` ("1-2", or "1-0" for a root hub). */
static bool join_port(const char *hub, uint64_t number, char ret[static KERNEL_PORT_BYTES])
{
	char joined[2 * KERNEL_PORT_BYTES];
	size_t n = strlen(hub);
	bool root = n >= 2 && strcmp(hub + n - 2, "-0") == 0;

	if (number == 0 || number > UINT8_MAX)
		return false;
	if (root)
		n--;
	n = (size_t)snprintf(joined, sizeof(joined), "%.*s%s%u", (int)n, hub, root ? "" : ".",
			     (unsigned)number);
	if (n >= KERNEL_PORT_BYTES)
		return false;
	memcpy(ret, joined, n + 1);
	return true;
}

static bool skip_usb(struct span *span, struct about *ret)
{
	struct span rest = *span;
	char hub[KERNEL_PORT_BYTES];
	uint64_t bus, number;

	if (skip_port(&rest, ": ", ret->port)) {
		ret->subject = SUBJECT_DEVICE;
	} else if (skip_text(&rest, "usb")) {
		if (!skip_number(&rest, &bus) || bus > UINT16_MAX || !skip_text(&rest, "-port") ||
		    !skip_number(&rest, &number) || !skip_text(&rest, ": "))
			return false;
		snprintf(hub, sizeof(hub), "%u-0", (unsigned)bus);
		if (!join_port(hub, number, ret->port))
			return false;
		ret->subject = SUBJECT_PORT;
	} else {
		if (!skip_port(&rest, "-port", hub) || !skip_number(&rest, &number) ||
		    !skip_text(&rest, ": ") || !join_port(hub, number, ret->port))
			return false;
		ret->subject = SUBJECT_PORT;
	}
	*span = rest;
	return true;
}

/* "xhci_hcd 0000:00:14.0: ", "ehci-pci 0000:00:1a.0: ", "xhci-hcd xhci-hcd.2.auto: " */
static bool skip_controller(struct span *span, struct about *ret)
{
	static const char *const families[] = { "xhci", "ehci", "ohci", "uhci" };
	struct span rest = *span;
	bool known = false;

	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		known = known || skip_text(&rest, families[i]);
	if (!known || !skip_behind(&rest, ' '))
		return false;
	/* the name of the controller has colons, but no space */
	while (skip_behind(&rest, ':'))
		if (skip_text(&rest, " ")) {
			ret->subject = SUBJECT_CONTROLLER;
			ret->port[0] = '\0';
			*span = rest;
			return true;
		}
	return false;
}

static bool skip_about(struct span *span, struct about *ret)
{
	struct span rest = *span;

	if (skip_text(&rest, "usb ")) {
		if (!skip_usb(&rest, ret))
			return false;
	} else if (skip_text(&rest, "hub ")) {
		if (!skip_port(&rest, ":", ret->port) || !skip_behind(&rest, ' '))
			return false;
		ret->subject = SUBJECT_HUB;
	} else if (!skip_controller(&rest, ret)) {
		return false;
	}
	*span = rest;
	return true;
}

/* --- what it says */

/*
 * The message begins with `begins` and has `has` somewhere behind it. Nothing is searched in the
 * whole line: a phone's own name stands in the log too ("usb 1-2: Product: …").
 */
static const struct rule {
	enum subject subject;
	const char *begins, *has, *trouble;
} rules[] = {
	{ SUBJECT_DEVICE, "device descriptor read/", ", error -", "no-descriptor" },
	{ SUBJECT_DEVICE, "unable to read config", "", "no-descriptor" },
	{ SUBJECT_DEVICE, "can't read configurations, error -", "", "no-descriptor" },
	{ SUBJECT_DEVICE, "device not accepting address ", ", error -", "no-address" },
	{ SUBJECT_DEVICE, "Device not responding to setup address", "", "no-address" },
	{ SUBJECT_DEVICE, "device not responding to setup address", "", "no-address" },
	{ SUBJECT_DEVICE, "reset ", " USB device ", "reset" },
	{ SUBJECT_DEVICE, "rejected ", " due to insufficient available bus power", "power" },
	{ SUBJECT_DEVICE, "new config #", " exceeds power limit", "power" },
	{ SUBJECT_DEVICE, "can't set config #", ", error -", "power" },
	{ SUBJECT_PORT, "over-current c", "", "over-current" },
	{ SUBJECT_PORT, "unable to enumerate USB device", "", "no-enumeration" },
	{ SUBJECT_PORT, "Cannot enable. ", "", "no-enumeration" },
	{ SUBJECT_PORT, "disabled by hub (EMI?)", "", "emi" },
	{ SUBJECT_PORT, "connect-debounce failed", "", "emi" },
	{ SUBJECT_HUB, "over-current c", "", "over-current" },
	{ SUBJECT_HUB, "unable to enumerate USB device on port ", "", "no-enumeration" },
	{ SUBJECT_HUB, "Cannot enable port ", "", "no-enumeration" },
	{ SUBJECT_HUB, "port ", " disabled by hub (EMI?)", "emi" },
	{ SUBJECT_HUB, "connect-debounce failed, port ", "", "emi" },
	{ SUBJECT_CONTROLLER, "HC died", "", "host" },
	{ SUBJECT_CONTROLLER, "xHCI host controller not responding, assume dead", "", "host" },
	{ SUBJECT_CONTROLLER, "WARNING: Host System Error", "", "host" },
	{ SUBJECT_CONTROLLER, "HC Unrecoverable error", "", "host" },
	{ SUBJECT_CONTROLLER, "OHCI Unrecoverable Error", "", "host" },
	{ SUBJECT_CONTROLLER, "fatal error", "", "host" },
	{ SUBJECT_CONTROLLER, "fatal command", "", "host" },
};

/* A transfer without bandwidth left on the bus is no want of power. */
static bool is_bandwidth(const struct span *message)
{
	struct span rest = *message;

	return skip_text(&rest, "can't set config #") && span_has(&rest, ", error -28");
}

static const struct rule *find_rule(enum subject subject, const struct span *message)
{
	if (is_bandwidth(message))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		struct span rest = *message;

		if (rules[i].subject != subject)
			continue;
		if (skip_text(&rest, rules[i].begins) && span_has(&rest, rules[i].has))
			return &rules[i];
	}
	return NULL;
}

/* The port that a hub's message names; without one it is about the hub itself. */
static bool hub_port(const struct span *message, struct about *about)
{
	const char *found = memmem(message->at, message->n, "port ", 5);
	uint64_t number;
	size_t n = strlen(about->port);

	if (found) {
		struct span rest = { found + 5, message->n - (size_t)(found + 5 - message->at) };

		return skip_number(&rest, &number) && join_port(about->port, number, about->port);
	}
	if (n >= 2 && strcmp(about->port + n - 2, "-0") == 0)
		about->port[0] = '\0'; /* a root hub is its controller */
	return true;
}

static void copy_printable(char *dst, size_t dst_bytes, const char *src, size_t n)
{
	size_t used = 0;

	while (used < n && used + 1 < dst_bytes) {
		dst[used] = src[used] >= ' ' && src[used] <= '~' ? src[used] : '?';
		used++;
	}
	dst[used] = '\0';
}

bool kernel_line_parse(const char *line, size_t n, struct kernel_line *ret)
{
	struct kernel_line out = { 0 };
	struct about about;
	struct span message;
	const struct rule *rule;

	kernel_head_parse(line, n, &out.head);
	message = (struct span){ out.head.text, out.head.text_bytes };
	if (!out.head.kernel || !skip_about(&message, &about))
		return false;
	rule = find_rule(about.subject, &message);
	if (!rule || (about.subject == SUBJECT_HUB && !hub_port(&message, &about)))
		return false;
	out.trouble = rule->trouble;
	memcpy(out.port, about.port, sizeof(out.port));
	copy_printable(out.text, sizeof(out.text), out.head.text, out.head.text_bytes);
	*ret = out;
	return true;
}
