/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Each rule looks at the circumstances and says whether its finding holds and what says so. A phone
 * that a job has is left to the job: its modes and refusals are on their way, and advice about them
 * would be wrong in a minute.
 */
#include "doctor/diagnose.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "doctor/chart.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATTERY_LOW_PERCENT = 20 };

static const uint64_t STORAGE_LOW_BYTES = 1000 * 1000 * 1000; /* as the finding's text says */

const char *said_name(enum said said)
{
	static const char *const names[SAID_MAX] = {
		[SAID_NOTHING] = "",
		[SAID_FORGOTTEN_PASSCODE] = "forgotten-passcode",
		[SAID_DISABLED] = "disabled",
		[SAID_SCREEN_TIME] = "screen-time",
	};

	return names[said];
}

enum said said_from_name(const char *name)
{
	for (int said = SAID_NOTHING + 1; name && said < SAID_MAX; said++)
		if (strcmp(name, said_name((enum said)said)) == 0)
			return (enum said)said;
	return SAID_MAX;
}

void chart_add(struct chart *chart, enum light layer, const char *id, char *evidence)
{
	_cleanup_free_ char *text = evidence;
	const struct finding_fact *fact = finding_find(id);
	struct finding *finding;

	if (!fact || chart->count == FINDINGS_MAX || chart_has(chart, id))
		return;
	chart->layers[chart->count] = layer;
	finding = &chart->findings[chart->count++];
	finding->fact = fact;
	text_copy(finding->evidence, sizeof(finding->evidence), text);
}

bool chart_has(const struct chart *chart, const char *id)
{
	for (size_t i = 0; i < chart->count; i++)
		if (strcmp(chart->findings[i].fact->id, id) == 0)
			return true;
	return false;
}

/* What is no matter of the way to the phone. */
static void add(struct chart *chart, const char *id, char *evidence)
{
	chart_add(chart, LIGHT_MAX, id, evidence);
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
	const struct phone *phone = chart->seen->phone;
	const char *id = finding_of_mode(phone->mode);
	char times[16];

	if (id)
		add(chart, id, evidence_of_usb(phone));
	if (!phone_is_in_a_loop(phone))
		return;
	snprintf(times, sizeof(times), "%u", phone->recoveries);
	add(chart, "recovery-loop", message_format("evidence-recoveries", "count", times, NULL));
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

static void look_at_storage(struct chart *chart)
{
	const struct identity *identity = &chart->seen->phone->identity;
	char megabytes[24];

	if (!identity->free_known || identity->free_bytes >= STORAGE_LOW_BYTES)
		return;
	snprintf(megabytes, sizeof(megabytes), "%" PRIu64, identity->free_bytes / 1000000);
	add(chart, "storage-full", message_format("evidence-free", "free", megabytes, NULL));
}

/* --- the phone's condition */

static void look_at_activation(struct chart *chart)
{
	const struct phone *phone = chart->seen->phone;
	const char *word = phone->identity.activation;

	/* "Activated", "FactoryActivated", "WildcardActivated"; but "Unactivated", "MismatchedIMEI"
	 */
	if (phone->detail == DETAIL_NOT_ACTIVATED ||
	    (word[0] != '\0' && !strstr(word, "Activated") && !strstr(word, "SoftActivation")))
		add(chart, "not-activated",
		    message_format("evidence-activation", "word",
				   word[0] != '\0' ? word : "Unactivated", NULL));
	if (phone->detail == DETAIL_SETUP || phone->identity.setup_done == TOLD_NO)
		add(chart, "setup-unfinished", message_format("evidence-setup", NULL));
	if (phone->identity.lost_mode == TOLD_YES)
		add(chart, "lost-mode", message_format("evidence-lost-mode", NULL));
}

/* Its system is of another time than what we talk to it with; no matter while all works. */
static void look_at_age(struct chart *chart)
{
	const struct phone *phone = chart->seen->phone;
	unsigned newest = threshold_fact(THRESHOLD_IOS_NEWEST)->value;
	unsigned tls_old = threshold_fact(THRESHOLD_IOS_TLS_OLD)->value;
	long major = strtol(phone->identity.version, NULL, 10);

	if (phone->mode != MODE_NORMAL || phone->trust == TRUST_TRUSTED || major <= 0)
		return;
	if (major > newest)
		add(chart, "phone-too-new",
		    message_format("evidence-version", "version", phone->identity.version, NULL));
	else if (major < tls_old && chart_has(chart, "tls-fails"))
		add(chart, "phone-too-old",
		    message_format("evidence-version", "version", phone->identity.version, NULL));
}

static const char *finding_of_word(enum said said)
{
	switch (said) {
	case SAID_FORGOTTEN_PASSCODE:
		return "forgotten-passcode";
	case SAID_DISABLED:
		return "disabled";
	case SAID_SCREEN_TIME:
		return "screen-time";
	case SAID_NOTHING:
	case SAID_MAX:
		break;
	}
	return NULL;
}

static void look_at_word_of_person(struct chart *chart)
{
	const char *id = finding_of_word(chart->seen->said);

	if (id)
		add(chart, id, message_format("evidence-person", NULL));
}

/* --- all of it */

/* Severe ones first; of one severity those of the layer that failed first; then as found. */
static bool is_before(const struct chart *chart, size_t a, size_t b, enum light failed)
{
	const struct finding_fact *x = chart->findings[a].fact, *y = chart->findings[b].fact;

	if (x->severity != y->severity)
		return x->severity > y->severity;
	return failed != LIGHT_MAX && chart->layers[a] == failed && chart->layers[b] != failed;
}

static void swap(struct chart *chart, size_t a, size_t b)
{
	struct finding finding = chart->findings[a];
	enum light layer = chart->layers[a];

	chart->findings[a] = chart->findings[b];
	chart->layers[a] = chart->layers[b];
	chart->findings[b] = finding;
	chart->layers[b] = layer;
}

static void sort(struct chart *chart)
{
	struct light_seen lights[LIGHT_MAX];
	enum light failed = LIGHT_MAX;

	if (chart->seen->phone) {
		lights_see(chart->seen, lights);
		failed = lights_failed(lights);
	}
	for (size_t i = 1; i < chart->count; i++)
		for (size_t at = i; at > 0 && is_before(chart, at, at - 1, failed); at--)
			swap(chart, at, at - 1);
}

static void look_at_phone(struct chart *chart)
{
	const struct phone *phone = chart->seen->phone;

	look_at_word_of_person(chart);
	if (phone->on_bus)
		chart_look_at_usb(chart);
	if (phone->job[0] != '\0') {
		add(chart, "job-running", message_format("evidence-job", "job", phone->job, NULL));
		return;
	}
	if (!phone->on_bus) {
		chart_add(chart, LIGHT_USB, "no-phone",
			  message_format("evidence-left", "port", phone->sighting.port, NULL));
		return;
	}
	chart_look_at_mux(chart);
	look_at_mode(chart);
	look_at_model(chart);
	chart_look_at_trust(chart);
	look_at_activation(chart);
	look_at_age(chart);
	look_at_battery(chart);
	look_at_storage(chart);
}

static bool is_well(const struct chart *chart)
{
	for (size_t i = 0; i < chart->count; i++)
		if (chart->findings[i].fact->severity != SEVERITY_INFO)
			return false;
	return true;
}

/* Where trust is not known: is there another finding that says why? */
static bool way_is_open(const struct chart *chart)
{
	enum mux_sight sight = mux_sight(chart->seen);

	for (size_t i = 0; i < chart->count; i++)
		if (chart->layers[i] == LIGHT_LINK)
			return false;
	return sight == MUX_SIGHT_WELL || sight == MUX_SIGHT_NONE;
}

/* A diagnosis never ends empty: it says what is well, or what is not known. */
static void conclude(struct chart *chart)
{
	const struct phone *phone = chart->seen->phone;

	if (phone->job[0] != '\0' || !phone->on_bus || phone->mode != MODE_NORMAL)
		return;
	if (phone->trust == TRUST_UNKNOWN && !chart_finding_of_trust(phone) && way_is_open(chart)) {
		add(chart, "trust-unknown",
		    phone_is_settled(phone) ? message_format("evidence-not-asked", NULL)
					    : message_format("evidence-settling", NULL));
	} else if (phone->trust == TRUST_TRUSTED && is_well(chart)) {
		add(chart, "all-well", message_format("evidence-trusted", NULL));
		add(chart, "host-works-here", message_format("evidence-works-here", NULL));
	}
}

/* Of this computer: no phone is named. */
static void look_at_nobody(struct chart *chart)
{
	const struct circumstances *seen = chart->seen;

	look_at_word_of_person(chart);
	chart_look_at_ports(chart);
	if (seen->others > 0)
		return; /* what holds for all phones is told with each of them */
	chart_add(chart, LIGHT_USB, "no-phone", message_format("evidence-nothing", NULL));
	chart_look_at_mux(chart);
	if (seen->clock_wrong)
		chart_add(chart, LIGHT_LINK, "clock-wrong", message_format("evidence-clock", NULL));
}

size_t diagnose(const struct circumstances *circumstances, struct finding ret[static FINDINGS_MAX])
{
	struct chart chart = { .seen = circumstances, .findings = ret };

	if (circumstances->phone) {
		look_at_phone(&chart);
		conclude(&chart);
	} else {
		look_at_nobody(&chart);
	}
	sort(&chart);
	return chart.count;
}
