/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Each rule looks at the circumstances and says whether its finding holds and what says so. A phone
 * that a job has is left to the job: its modes and refusals are on their way, and advice about them
 * would be wrong in a minute.
 */
#include "doctor/diagnose.h"
#include "base/cleanup.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BATTERY_LOW_PERCENT = 20, SLOW_LINK_MBPS = 12, MANY_HUBS = 2 };

/* A diagnosis in the making. */
struct chart {
	const struct circumstances *seen;
	struct finding *findings;
	size_t count;
};

/* Adds a finding; the evidence is taken over, NULL (no memory) leaves it empty. */
static void add(struct chart *chart, const char *id, char *evidence)
{
	_cleanup_free_ char *text = evidence;
	const struct finding_fact *fact = finding_find(id);
	struct finding *finding;

	if (!fact || chart->count == FINDINGS_MAX)
		return;
	finding = &chart->findings[chart->count++];
	finding->fact = fact;
	text_copy(finding->evidence, sizeof(finding->evidence), text);
}

static bool is_settled(const struct phone *phone)
{
	return phone->on_bus && phone->presence == PRESENCE_PRESENT;
}

static char *evidence_of_usb(const struct phone *phone)
{
	char id[sizeof("05ac:12a8")];

	snprintf(id, sizeof(id), "%04x:%04x", phone->sighting.vid, phone->sighting.pid);
	return message_format("evidence-usb", "id", id, "port", phone->sighting.port, NULL);
}

/* --- the computer and the link */

static void look_at_mux(struct chart *chart)
{
	const struct phone *phone = chart->seen->phone;

	if (chart->seen->mux_up) {
		if (phone && phone->mode == MODE_NORMAL && is_settled(phone) && !phone->in_mux)
			add(chart, "not-in-mux", evidence_of_usb(phone));
	} else if (!phone || phone->mode == MODE_NORMAL) {
		add(chart, "mux-down", message_format("evidence-mux-down", NULL));
	}
}

static void look_at_link(struct chart *chart)
{
	const struct phone *phone = chart->seen->phone;
	char number[16];

	if (!phone->on_bus)
		return;
	if (phone->sighting.speed_mbps > 0 && phone->sighting.speed_mbps <= SLOW_LINK_MBPS) {
		snprintf(number, sizeof(number), "%u", phone->sighting.speed_mbps);
		add(chart, "slow-link",
		    message_format("evidence-speed", "speed", number, "port", phone->sighting.port,
				   NULL));
	}
	if (phone->sighting.hub_depth >= MANY_HUBS) {
		snprintf(number, sizeof(number), "%u", phone->sighting.hub_depth);
		add(chart, "behind-hubs",
		    message_format("evidence-hubs", "count", number, "port", phone->sighting.port,
				   NULL));
	}
}

/* --- what it runs */

/* NULL: a mode that is as it should be. */
static const char *finding_of_mode(enum mode mode)
{
	switch (mode) {
	case MODE_RECOVERY:
		return "in-recovery";
	case MODE_DFU:
		return "in-dfu";
	case MODE_WTF:
		return "in-wtf";
	case MODE_RESTORE:
		return "in-restore";
	case MODE_PORT_DFU:
		return "in-port-dfu";
	case MODE_DEBUG_USB:
		return "in-debug-usb";
	case MODE_UNKNOWN:
		return "mode-unknown";
	case MODE_NORMAL:
	case MODE_MAX:
		break;
	}
	return NULL;
}

static void look_at_mode(struct chart *chart)
{
	const char *id = finding_of_mode(chart->seen->phone->mode);

	if (id)
		add(chart, id, evidence_of_usb(chart->seen->phone));
}

static void look_at_model(struct chart *chart)
{
	const struct identity *identity = &chart->seen->phone->identity;
	unsigned both = IBOOT_HAS_CPID | IBOOT_HAS_BDID;
	char chip[8], board[8];

	if (identity->model)
		return;
	if ((identity->iboot.has & both) == both) {
		snprintf(chip, sizeof(chip), "0x%04" PRIx32, identity->iboot.cpid & 0xffff);
		snprintf(board, sizeof(board), "0x%02" PRIx32, identity->iboot.bdid & 0xff);
		add(chart, "model-unknown",
		    message_format("evidence-chip", "chip", chip, "board", board, NULL));
	} else if (identity->product[0] != '\0') {
		add(chart, "model-unknown",
		    message_format("evidence-product", "product", identity->product, NULL));
	}
}

static void look_at_battery(struct chart *chart)
{
	const struct identity *identity = &chart->seen->phone->identity;
	char percent[16];

	if (identity->battery == 0 || identity->battery - 1 >= BATTERY_LOW_PERCENT)
		return;
	snprintf(percent, sizeof(percent), "%u", identity->battery - 1);
	add(chart, "battery-low",
	    identity->battery_charging
		? message_format("evidence-battery-charging", "percent", percent, NULL)
		: message_format("evidence-battery", "percent", percent, NULL));
}

/* --- trust */

/* NULL: trusted, or nothing is known. */
static const char *finding_of_trust(const struct phone *phone)
{
	switch (phone->trust) {
	case TRUST_LOCKED:
		return "phone-locked";
	case TRUST_ASKING:
		return "trust-asking";
	case TRUST_DENIED:
		return "trust-denied";
	case TRUST_STALE:
		return "trust-stale";
	case TRUST_REFUSED_BY_POLICY:
		return "trust-refused-by-policy";
	case TRUST_UNKNOWN:
		return phone->trust_known && !phone->has_record ? "trust-none" : NULL;
	case TRUST_TRUSTED:
	case TRUST_MAX:
		break;
	}
	return NULL;
}

static char *evidence_of_error(const struct error *error)
{
	return message_format("evidence-said", "origin", error->origin, "text", error->text, NULL);
}

static void look_at_trust(struct chart *chart)
{
	const struct phone *phone = chart->seen->phone;
	const char *id = finding_of_trust(phone);

	if (phone->mode != MODE_NORMAL || !id)
		return;
	if (phone->trust_reason.kind != ERROR_NONE)
		add(chart, id, evidence_of_error(&phone->trust_reason));
	else if (phone->trust_known && !phone->has_record)
		add(chart, id, message_format("evidence-no-record", NULL));
	else
		add(chart, id,
		    message_format("evidence-trust", "trust", trust_name(phone->trust), NULL));
}

static bool has(const struct chart *chart, const char *id)
{
	for (size_t i = 0; i < chart->count; i++)
		if (strcmp(chart->findings[i].fact->id, id) == 0)
			return true;
	return false;
}

/* The last question to it had no answer; what has a finding of its own already is not told twice.
 */
static void look_at_problem(struct chart *chart)
{
	const struct error *problem = chart->seen->problem;

	if (!problem || problem->kind == ERROR_NONE)
		return;
	if (problem->kind == ERROR_LOCKED) {
		if (!has(chart, "phone-locked"))
			add(chart, "phone-locked", evidence_of_error(problem));
		return;
	}
	if ((problem->kind == ERROR_NO_SERVICE && has(chart, "mux-down")) ||
	    (problem->kind == ERROR_NO_PHONE && has(chart, "not-in-mux")))
		return;
	add(chart, "no-answer", evidence_of_error(problem));
}

/* --- all of it */

/* Severe ones first; of one severity in the order in which they were found. */
static void sort(struct chart *chart)
{
	for (size_t i = 1; i < chart->count; i++) {
		struct finding moved = chart->findings[i];
		size_t at = i;

		while (at > 0 && chart->findings[at - 1].fact->severity < moved.fact->severity) {
			chart->findings[at] = chart->findings[at - 1];
			at--;
		}
		chart->findings[at] = moved;
	}
}

static void look_at_phone(struct chart *chart)
{
	const struct phone *phone = chart->seen->phone;

	look_at_link(chart);
	if (phone->job[0] != '\0') {
		add(chart, "job-running", message_format("evidence-job", "job", phone->job, NULL));
		return;
	}
	if (!phone->on_bus) {
		add(chart, "no-phone",
		    message_format("evidence-left", "port", phone->sighting.port, NULL));
		return;
	}
	look_at_mux(chart);
	look_at_mode(chart);
	look_at_model(chart);
	look_at_trust(chart);
	look_at_problem(chart);
	look_at_battery(chart);
}

/* A diagnosis never ends empty: it says what is well, or what is not known. */
static void conclude(struct chart *chart)
{
	const struct phone *phone = chart->seen->phone;

	if (phone->job[0] != '\0' || !phone->on_bus || phone->mode != MODE_NORMAL)
		return;
	if (phone->trust == TRUST_UNKNOWN && !finding_of_trust(phone) &&
	    !has(chart, "phone-locked") && !has(chart, "mux-down") && !has(chart, "not-in-mux")) {
		add(chart, "trust-unknown",
		    is_settled(phone) ? message_format("evidence-not-asked", NULL)
				      : message_format("evidence-settling", NULL));
	} else if (phone->trust == TRUST_TRUSTED) {
		for (size_t i = 0; i < chart->count; i++)
			if (chart->findings[i].fact->severity != SEVERITY_INFO)
				return;
		add(chart, "all-well", message_format("evidence-trusted", NULL));
	}
}

size_t diagnose(const struct circumstances *circumstances, struct finding ret[static FINDINGS_MAX])
{
	struct chart chart = { .seen = circumstances, .findings = ret };

	if (circumstances->phone) {
		look_at_phone(&chart);
		conclude(&chart);
	} else {
		add(&chart, "no-phone", message_format("evidence-nothing", NULL));
		look_at_mux(&chart);
	}
	sort(&chart);
	return chart.count;
}
