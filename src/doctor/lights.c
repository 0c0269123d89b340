/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A light works if something was seen to work, fails if something was seen to fail; off is what
 * does not apply or was not looked at. So the first that failed is where the way breaks off.
 */
#include "doctor/lights.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "doctor/chart.h"
#include <stdio.h>
#include <string.h>

const char *light_name(enum light light)
{
	static const char *const names[LIGHT_MAX] = {
		[LIGHT_USB] = "usb",
		[LIGHT_MUX] = "mux",
		[LIGHT_LINK] = "link",
	};

	return names[light];
}

const char *light_state_name(enum light_state state)
{
	static const char *const names[LIGHT_STATE_MAX] = {
		[LIGHT_OFF] = "off",
		[LIGHT_WORKING] = "working",
		[LIGHT_FAILED] = "failed",
	};

	return names[state];
}

/* The evidence is taken over. */
static void light_set(struct light_seen *light, enum light_state state, char *evidence)
{
	_cleanup_free_ char *text = evidence;

	light->state = state;
	text_copy(light->evidence, sizeof(light->evidence), text ? text : "?");
}

/* --- USB ------------------------------------------------------------------------------------- */

static char *number_text(const char *message, unsigned number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	return message_format(message, "number", text, NULL);
}

/* Appends ", part"; the part is taken over. */
static void append(char *text, size_t bytes, char *part)
{
	_cleanup_free_ char *own = part;
	size_t used = strlen(text);

	if (own && used + 2 < bytes)
		snprintf(text + used, bytes - used, "%s%s", used > 0 ? ", " : "", own);
}

/* "Port 1-2, 480 Mbit/s, no hub, up to 500 mA": what is known of the place. */
static char *usb_evidence(const struct circumstances *seen)
{
	const struct sighting *sighting = &seen->phone->sighting;
	const struct trouble *trouble =
	    seen->troubles ? troubles_port(seen->troubles, sighting->port) : NULL;
	char text[LIGHT_EVIDENCE_BYTES] = "";

	append(text, sizeof(text), message_format("light-port", "port", sighting->port, NULL));
	if (sighting->speed_mbps > 0)
		append(text, sizeof(text), number_text("light-speed", sighting->speed_mbps));
	append(text, sizeof(text),
	       sighting->hub_depth > 0 ? number_text("light-hubs", sighting->hub_depth)
				       : message_format("light-no-hub", NULL));
	if (sighting->max_power_ma > 0)
		append(text, sizeof(text), number_text("light-power", sighting->max_power_ma));
	if (trouble)
		append(text, sizeof(text), number_text("light-kernel", trouble_total(trouble)));
	else if (!seen->kernel_read)
		append(text, sizeof(text), message_format("light-kernel-unread", NULL));
	return strdup(text);
}

static void see_usb(const struct circumstances *seen, struct light_seen *light)
{
	const struct phone *phone = seen->phone;
	const struct trouble *trouble;
	unsigned grave;
	char flaps[16];

	if (!phone->on_bus) {
		light_set(light, LIGHT_OFF,
			  message_format("evidence-left", "port", phone->sighting.port, NULL));
		return;
	}
	if (phone_comes_often(phone)) {
		snprintf(flaps, sizeof(flaps), "%u", phone->flaps);
		light_set(light, LIGHT_FAILED,
			  message_format("evidence-flaps", "count", flaps, "port",
					 phone->sighting.port, NULL));
		return;
	}
	trouble = seen->troubles ? troubles_port(seen->troubles, phone->sighting.port) : NULL;
	grave = trouble_count(seen, phone->sighting.port, TROUBLE_OVER_CURRENT, TROUBLE_POWER,
			      TROUBLE_MAX);
	if (trouble && (grave > 0 || phone_is_flapping(seen)))
		light_set(light, LIGHT_FAILED, evidence_of_kernel(trouble, trouble_total(trouble)));
	else
		light_set(light, LIGHT_WORKING, usb_evidence(seen));
}

/* --- usbmuxd --------------------------------------------------------------------------------- */

static char *mux_evidence(const struct circumstances *seen)
{
	const struct error *why = seen->mux_up ? question_problem(seen) : seen->mux_problem;

	return why && why->kind != ERROR_NONE ? evidence_of_error(why)
					      : message_format("evidence-mux-down", NULL);
}

static void see_mux(const struct circumstances *seen, struct light_seen *light)
{
	const struct phone *phone = seen->phone;

	switch (mux_sight(seen)) {
	case MUX_SIGHT_NONE:
		light_set(light, LIGHT_OFF,
			  !phone->on_bus || phone_needs_mux(phone)
			      ? message_format("light-mux-not-yet", NULL)
			      : message_format("light-not-needed", "mode",
					       mode_fact(phone->mode)->label, NULL));
		break;
	case MUX_SIGHT_WELL:
		light_set(light, LIGHT_WORKING,
			  message_format(phone->reach >= REACH_PORT ? "light-mux-port"
								    : "light-mux-lists",
					 NULL));
		break;
	case MUX_SIGHT_DOWN:
	case MUX_SIGHT_HANGS:
	case MUX_SIGHT_REFUSES:
		light_set(light, LIGHT_FAILED, mux_evidence(seen));
		break;
	case MUX_SIGHT_CAMERA:
		light_set(light, LIGHT_FAILED,
			  message_format("evidence-interfaces", "interfaces",
					 phone->sighting.interfaces, NULL));
		break;
	case MUX_SIGHT_MISSES:
		light_set(light, LIGHT_FAILED, message_format("light-mux-misses", NULL));
		break;
	case MUX_SIGHT_MAX:
		break;
	}
}

/* --- the secure link ------------------------------------------------------------------------- */

static char *reach_evidence(enum reach reach)
{
	static const char *const messages[REACH_MAX] = {
		[REACH_NONE] = "light-link-none",        [REACH_PORT] = "light-link-port",
		[REACH_LOCKDOWN] = "light-link-answers", [REACH_RECORD] = "light-link-record",
		[REACH_SESSION] = "light-link-session",  [REACH_SERVICE] = "light-link-service",
	};

	return message_format(messages[reach], NULL);
}

/* How far it came, and what stood in the way there: "…; lockdownd says: …". */
static char *stuck_evidence(const struct phone *phone, const struct error *why)
{
	_cleanup_free_ char *far = reach_evidence(phone->reach);
	_cleanup_free_ char *said = NULL;

	if (!why || why->kind == ERROR_NONE)
		return message_format("light-link-trust", "far", far ? far : "", "trust",
				      trust_name(phone->trust), NULL);
	said = evidence_of_error(why);
	return message_format("light-link-stuck", "far", far ? far : "", "why", said ? said : "",
			      NULL);
}

static void see_link(const struct circumstances *seen, enum light_state mux,
		     struct light_seen *light)
{
	const struct error *problem = question_problem(seen);
	const struct phone *phone = seen->phone;

	if (!phone->on_bus || phone->mode != MODE_NORMAL)
		light_set(light, LIGHT_OFF,
			  message_format("light-not-needed", "mode", mode_fact(phone->mode)->label,
					 NULL));
	else if (mux != LIGHT_WORKING)
		light_set(light, LIGHT_OFF, message_format("light-link-no-mux", NULL));
	else if (phone->trust == TRUST_TRUSTED && !problem)
		light_set(light, LIGHT_WORKING, reach_evidence(phone->reach));
	else if (phone->trust_known && phone->trust != TRUST_TRUSTED)
		light_set(light, LIGHT_FAILED,
			  stuck_evidence(phone, phone->trust_reason.kind != ERROR_NONE
						    ? &phone->trust_reason
						    : problem));
	else if (problem)
		light_set(light, LIGHT_FAILED, stuck_evidence(phone, problem));
	else
		light_set(light, LIGHT_OFF, message_format("light-link-unasked", NULL));
}

/* --- all three ------------------------------------------------------------------------------- */

void lights_see(const struct circumstances *circumstances, struct light_seen ret[static LIGHT_MAX])
{
	see_usb(circumstances, &ret[LIGHT_USB]);
	see_mux(circumstances, &ret[LIGHT_MUX]);
	see_link(circumstances, ret[LIGHT_MUX].state, &ret[LIGHT_LINK]);
}

enum light lights_failed(const struct light_seen lights[static LIGHT_MAX])
{
	for (int light = 0; light < LIGHT_MAX; light++)
		if (lights[light].state == LIGHT_FAILED)
			return (enum light)light;
	return LIGHT_MAX;
}

int lights_to_json(const struct light_seen lights[static LIGHT_MAX], sd_json_variant **object)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *array = NULL;
	enum light failed = lights_failed(lights);
	int r = 0;

	for (int light = 0; r >= 0 && light < LIGHT_MAX; light++)
		r = sd_json_variant_append_arraybo(
		    &array, SD_JSON_BUILD_PAIR_STRING("light", light_name((enum light)light)),
		    SD_JSON_BUILD_PAIR_STRING("state", light_state_name(lights[light].state)),
		    SD_JSON_BUILD_PAIR_STRING("evidence", lights[light].evidence));
	if (r >= 0)
		r = sd_json_variant_set_field(object, "lights", array);
	if (r >= 0 && failed != LIGHT_MAX)
		r = sd_json_variant_set_field_string(object, "failed_light", light_name(failed));
	return r < 0 ? r : 0;
}
