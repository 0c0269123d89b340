/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The way to the phone: its port, what the kernel says of it, and usbmuxd. */
#include "base/cleanup.h"
#include "base/text.h"
#include "doctor/chart.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	FULL_SPEED_MBPS = 12,
	HIGH_SPEED_MBPS = 480,
	MANY_HUBS = 2,
	MANY_RESETS = 3,   /* one or two belong to a start or to a switch of the configuration */
	MANY_FAILURES = 2, /* a plug that goes in slowly costs one attempt */
};

static const char ptp_interface[] = "06/01/01";

/* --- judgements that the lights share -------------------------------------------------------- */

bool phone_is_settled(const struct phone *phone)
{
	return phone->on_bus && phone->presence == PRESENCE_PRESENT;
}

bool phone_needs_mux(const struct phone *phone)
{
	return phone->mode == MODE_NORMAL || phone->mode == MODE_RESTORE;
}

bool phone_is_camera(const struct phone *phone)
{
	const char *interfaces = phone->sighting.interfaces;
	size_t one = sizeof(ptp_interface) - 1;

	if (phone->mode != MODE_NORMAL || interfaces[0] == '\0')
		return false;
	for (;;) {
		if (strncmp(interfaces, ptp_interface, one) != 0)
			return false;
		interfaces += one;
		if (*interfaces == '\0')
			return true;
		if (*interfaces++ != ' ')
			return false;
	}
}

/* NULL if the kernel has nothing against the port. */
static const struct trouble *trouble_of(const struct circumstances *seen, const char *port)
{
	return seen->troubles ? troubles_port(seen->troubles, port) : NULL;
}

unsigned trouble_count(const struct circumstances *seen, const char *port, ...)
{
	const struct trouble *trouble = trouble_of(seen, port);
	unsigned count = 0;
	va_list kinds;

	if (!trouble)
		return 0;
	va_start(kinds, port);
	for (int kind = va_arg(kinds, int); kind != TROUBLE_MAX; kind = va_arg(kinds, int))
		count += trouble->counts[kind];
	va_end(kinds);
	return count;
}

static unsigned resets(const struct circumstances *seen)
{
	return trouble_count(seen, seen->phone->sighting.port, TROUBLE_RESET, TROUBLE_MAX);
}

bool phone_is_in_a_loop(const struct phone *phone)
{
	return phone->mode == MODE_RECOVERY && phone->recoveries >= PHONE_RECOVERIES_MANY;
}

bool phone_comes_often(const struct phone *phone)
{
	return phone->flaps >= PHONE_FLAPS_MANY && !phone_is_in_a_loop(phone);
}

bool phone_is_flapping(const struct circumstances *seen)
{
	return phone_comes_often(seen->phone) || resets(seen) >= MANY_RESETS;
}

/* A job that took the phone from us is no fault of the phone. */
static bool is_problem(const struct error *error)
{
	return error && error->kind != ERROR_NONE &&
	       !(error->kind == ERROR_BUSY && strcmp(error->origin, "service") == 0);
}

const struct error *question_problem(const struct circumstances *seen)
{
	if (is_problem(seen->problem))
		return seen->problem;
	if (seen->phone && is_problem(&seen->phone->reach_problem))
		return &seen->phone->reach_problem;
	return NULL;
}

/* usbmuxd itself is not up: what is known of why. */
static enum mux_sight sight_of_no_mux(const struct error *why)
{
	if (why && why->kind == ERROR_SILENT)
		return MUX_SIGHT_HANGS;
	if (why && (why->kind == ERROR_PROTOCOL || why->kind == ERROR_REFUSED))
		return MUX_SIGHT_REFUSES;
	return MUX_SIGHT_DOWN;
}

/* It lists the phone, and a question came no further than usbmuxd. */
static enum mux_sight sight_of_problem(const struct error *problem)
{
	switch (problem->kind) {
	case ERROR_SILENT:
		return MUX_SIGHT_HANGS;
	case ERROR_REFUSED:
	case ERROR_PROTOCOL:
		return MUX_SIGHT_REFUSES;
	case ERROR_NO_SERVICE:
		return MUX_SIGHT_DOWN;
	case ERROR_NO_PHONE:
		return MUX_SIGHT_MISSES;
	case ERROR_NONE:
	case ERROR_USAGE:
	case ERROR_AMBIGUOUS:
	case ERROR_LOCKED:
	case ERROR_BUSY:
	case ERROR_UNPLUGGED:
	case ERROR_NO_CONSENT:
	case ERROR_BAD_FILE:
	case ERROR_NOT_SIGNED:
	case ERROR_NO_SPACE:
	case ERROR_NETWORK:
	case ERROR_ENGINE:
	case ERROR_CANCELLED:
	case ERROR_UNSUPPORTED:
	case ERROR_BUG:
	case ERROR_KIND_MAX:
		break;
	}
	return MUX_SIGHT_WELL;
}

enum mux_sight mux_sight(const struct circumstances *seen)
{
	const struct error *problem = question_problem(seen);
	const struct phone *phone = seen->phone;

	if (phone && (!phone->on_bus || !phone_needs_mux(phone)))
		return MUX_SIGHT_NONE;
	if (seen->mux_unknown)
		return MUX_SIGHT_NONE;
	if (!seen->mux_up)
		return sight_of_no_mux(seen->mux_problem);
	if (!phone)
		return MUX_SIGHT_NONE;
	if (!phone->in_mux) {
		if (!phone_is_settled(phone))
			return MUX_SIGHT_NONE;
		return phone_is_camera(phone) ? MUX_SIGHT_CAMERA : MUX_SIGHT_MISSES;
	}
	/* a worker that crashed or hangs says nothing about usbmuxd */
	if (phone->reach == REACH_NONE && problem && strcmp(problem->origin, "service") != 0)
		return sight_of_problem(problem);
	return MUX_SIGHT_WELL;
}

/* --- evidence -------------------------------------------------------------------------------- */

char *evidence_of_usb(const struct phone *phone)
{
	char id[sizeof("05ac:12a8")];

	snprintf(id, sizeof(id), "%04x:%04x", phone->sighting.vid, phone->sighting.pid);
	return message_format("evidence-usb", "id", id, "port", phone->sighting.port, NULL);
}

char *evidence_of_error(const struct error *error)
{
	return message_format("evidence-said", "origin", error->origin, "text", error->text, NULL);
}

char *evidence_of_kernel(const struct trouble *trouble, unsigned lines)
{
	char count[16];

	snprintf(count, sizeof(count), "%u", lines);
	if (trouble->port[0] == '\0')
		return message_format("evidence-kernel-controller", "line", trouble->line, NULL);
	return message_format("evidence-kernel", "count", count, "port", trouble->port, "line",
			      trouble->line, NULL);
}

static char *evidence_of_number(const char *message, const char *key, unsigned number,
				const char *port)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	return message_format(message, key, text, "port", port, NULL);
}

/* --- ports ----------------------------------------------------------------------------------- */

static bool is_phones_port(const struct circumstances *seen, const char *port)
{
	for (size_t i = 0; i < seen->ports_count; i++)
		if (strcmp(seen->ports[i], port) == 0)
			return true;
	return false;
}

static void look_at_trouble(struct chart *chart, const struct trouble *trouble, bool here)
{
	const unsigned *counts = trouble->counts;
	unsigned over = counts[TROUBLE_OVER_CURRENT];
	unsigned failed = counts[TROUBLE_NO_DESCRIPTOR] + counts[TROUBLE_NO_ADDRESS] +
			  counts[TROUBLE_NO_ENUMERATION] + counts[TROUBLE_EMI];
	unsigned grave = counts[TROUBLE_POWER] + counts[TROUBLE_HOST];

	if (over > 0)
		chart_add(chart, LIGHT_USB, "port-over-current", evidence_of_kernel(trouble, over));
	if (grave > 0 || failed >= (here ? MANY_FAILURES : 1))
		chart_add(chart, LIGHT_USB, "port-trouble",
			  evidence_of_kernel(trouble, failed + grave));
}

void chart_look_at_ports(struct chart *chart)
{
	const struct circumstances *seen = chart->seen;
	size_t count = seen->troubles ? troubles_count(seen->troubles) : 0;

	for (size_t i = 0; i < count; i++) {
		const struct trouble *trouble = troubles_at(seen->troubles, i);

		if (!is_phones_port(seen, trouble->port))
			look_at_trouble(chart, trouble, false);
	}
	if (seen->others == 0 && seen->kernel_read && count == 0)
		chart_add(chart, LIGHT_USB, "charge-only", message_format("evidence-quiet", NULL));
}

/* --- USB of a phone -------------------------------------------------------------------------- */

static void look_at_speed(struct chart *chart)
{
	const struct phone *phone = chart->seen->phone;
	unsigned mbps = phone->sighting.speed_mbps;
	const struct model *model = phone->identity.model;
	char able[16], now[16];

	if (mbps > 0 && mbps <= FULL_SPEED_MBPS)
		chart_add(
		    chart, LIGHT_USB, "slow-link",
		    evidence_of_number("evidence-speed", "speed", mbps, phone->sighting.port));
	/* iBoot and the boot ROM know no more than USB 2 */
	if (phone->mode != MODE_NORMAL || mbps != HIGH_SPEED_MBPS || !model ||
	    model->usb_mbps <= mbps)
		return;
	snprintf(able, sizeof(able), "%u", model->usb_mbps);
	snprintf(now, sizeof(now), "%u", mbps);
	chart_add(chart, LIGHT_USB, "slower-than-able",
		  message_format("evidence-able", "speed", now, "able", able, "port",
				 phone->sighting.port, NULL));
}

static void look_at_resets(struct chart *chart)
{
	const struct phone *phone = chart->seen->phone;
	const struct trouble *trouble = trouble_of(chart->seen, phone->sighting.port);

	if (phone_comes_often(phone))
		chart_add(chart, LIGHT_USB, "resets",
			  evidence_of_number("evidence-flaps", "count", phone->flaps,
					     phone->sighting.port));
	else if (trouble && resets(chart->seen) >= MANY_RESETS)
		chart_add(chart, LIGHT_USB, "resets",
			  evidence_of_kernel(trouble, resets(chart->seen)));
}

void chart_look_at_usb(struct chart *chart)
{
	const struct phone *phone = chart->seen->phone;
	const struct trouble *trouble = trouble_of(chart->seen, phone->sighting.port);

	if (trouble)
		look_at_trouble(chart, trouble, true);
	look_at_resets(chart);
	look_at_speed(chart);
	if (phone->sighting.hub_depth >= MANY_HUBS)
		chart_add(chart, LIGHT_USB, "behind-hubs",
			  evidence_of_number("evidence-hubs", "count", phone->sighting.hub_depth,
					     phone->sighting.port));
}

/* --- usbmuxd --------------------------------------------------------------------------------- */

/* Who says that usbmuxd hangs or refuses: usbmuxd's own watch, or the last question. */
static char *evidence_of_mux(const struct circumstances *seen)
{
	const struct error *why = seen->mux_up ? question_problem(seen) : seen->mux_problem;

	return why ? evidence_of_error(why) : message_format("evidence-mux-down", NULL);
}

void chart_look_at_mux(struct chart *chart)
{
	const struct circumstances *seen = chart->seen;

	switch (mux_sight(seen)) {
	case MUX_SIGHT_DOWN:
		chart_add(chart, LIGHT_MUX, "mux-down", message_format("evidence-mux-down", NULL));
		break;
	case MUX_SIGHT_HANGS:
		chart_add(chart, LIGHT_MUX, "mux-hung", evidence_of_mux(seen));
		break;
	case MUX_SIGHT_REFUSES:
		chart_add(chart, LIGHT_MUX, "mux-refuses", evidence_of_mux(seen));
		break;
	case MUX_SIGHT_CAMERA:
		chart_add(chart, LIGHT_MUX, "camera-only",
			  message_format("evidence-interfaces", "interfaces",
					 seen->phone->sighting.interfaces, NULL));
		break;
	case MUX_SIGHT_MISSES:
		chart_add(chart, LIGHT_MUX, "not-in-mux", evidence_of_usb(seen->phone));
		break;
	case MUX_SIGHT_NONE:
	case MUX_SIGHT_WELL:
	case MUX_SIGHT_MAX:
		break;
	}
}
