/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is said about one phone: at a glance, and in full. */
#include "base/cleanup.h"
#include "face/amount_text.h"
#include "face/console_layout.h"
#include "face/console_text.h"
#include "face/finding_text.h"
#include "face/job_text.h"
#include "face/phone_text.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	LABEL_COLUMNS = 20,
	HUBS_MANY = 2,         /* restores mostly fail behind so many (idevicerestore issue 236) */
	SPEED_USB2_MBPS = 480, /* what every phone can do */
	SPEED_GIGABIT_MBPS = 1000,
};

static char *speed_text(int64_t mbps)
{
	char number[32];

	if (mbps == 1)
		return message_format("console-speed-mbit", "speed", "1.5", NULL);
	if (mbps >= SPEED_GIGABIT_MBPS && mbps % SPEED_GIGABIT_MBPS == 0) {
		snprintf(number, sizeof(number), "%" PRId64, mbps / SPEED_GIGABIT_MBPS);
		return message_format("console-speed-gbit", "speed", number, NULL);
	}
	snprintf(number, sizeof(number), "%" PRId64, mbps);
	return message_format("console-speed-mbit", "speed", number, NULL);
}

static char *hubs_text(int64_t depth)
{
	char number[32];

	if (depth == 0)
		return message_format("console-no-hub", NULL);
	snprintf(number, sizeof(number), "%" PRId64, depth);
	return message_format(depth == 1 ? "console-one-hub" : "console-many-hubs", "count", number,
			      NULL);
}

char *console_link_text(const struct console_phone *phone)
{
	int64_t mbps = console_phone_number(phone, "speed_mbps");
	_cleanup_free_ char *speed = speed_text(mbps), *hubs = NULL;

	hubs = hubs_text(console_phone_number(phone, "hub_depth"));
	if (!speed || !hubs)
		return NULL;
	return message_format(mbps ? "console-link-line" : "console-link-line-no-speed", "port",
			      console_phone_text(phone, "port"), "speed", speed, "hubs", hubs,
			      NULL);
}

static const char *presence_hint(const struct console_phone *phone)
{
	switch (console_phone_presence(phone)) {
	case PRESENCE_SETTLING:
		return "console-settling";
	case PRESENCE_AWAITED:
		return "console-awaited";
	case PRESENCE_PRESENT:
	case PRESENCE_GONE:
	case PRESENCE_MAX:
		break;
	}
	return NULL;
}

/* A phone that is just coming up may still change its link: no advice before it has settled. */
static void link_hints_add(const struct console_phone *phone, struct screen_prose *prose)
{
	int64_t mbps = console_phone_number(phone, "speed_mbps");

	if (console_phone_presence(phone) != PRESENCE_PRESENT)
		return;
	if (mbps > 0 && mbps < SPEED_USB2_MBPS)
		screen_prose_add(prose, SCREEN_ROLE_WARN, console_text("console-slow-link"));
	if (console_phone_number(phone, "hub_depth") >= HUBS_MANY)
		screen_prose_add(prose, SCREEN_ROLE_WARN, console_text("console-many-hubs-hint"));
}

static void mode_add(const struct console_phone *phone, struct screen_prose *prose)
{
	const struct mode_fact *fact = mode_fact(console_phone_mode(phone));
	_cleanup_free_ char *line =
	    message_format("console-mode-line", "mode", fact->label, "text", fact->text, NULL);

	screen_prose_add(prose, SCREEN_ROLE_TEXT, line ? line : fact->text);
}

/* Its job while there is one, else the worst that is wrong with it. What is only a warning, the
 * lines for mode and link say in their own words. */
static void news_add(const struct console_model *model, const struct console_phone *phone,
		     struct screen_prose *prose)
{
	sd_json_variant *job = console_model_job_of(model, phone);
	_cleanup_free_ char *title = NULL, *line = NULL;

	if (job && !console_job_ended(job)) {
		title = job_text_title(job);
		line = message_format("console-glance-job", "title", title ? title : "", "state",
				      job_text_state(job), NULL);
		if (line)
			screen_prose_add(prose, job_text_role(job), line);
	} else if (phone->findings && finding_text_worst(phone->findings) == SEVERITY_PROBLEM) {
		sd_json_variant *worst = sd_json_variant_by_index(phone->findings, 0);

		title = finding_text_title(worst);
		if (title)
			screen_prose_add(prose, finding_text_role(worst), title);
	}
}

void console_glance(const struct console_model *model, const struct console_phone *phone,
		    struct screen_prose *prose)
{
	_cleanup_free_ char *line = console_link_text(phone);
	const char *hint = presence_hint(phone);

	if (hint)
		screen_prose_add(prose, SCREEN_ROLE_STRONG, console_text(hint));
	news_add(model, phone, prose);
	console_lights_line(phone, prose);
	mode_add(phone, prose);
	if (line)
		screen_prose_add(prose, SCREEN_ROLE_TEXT, line);
	link_hints_add(phone, prose);
}

static void section_add(struct screen_prose *prose, const char *id)
{
	screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
	screen_prose_add(prose, SCREEN_ROLE_STRONG, console_text(id));
}

/* Unknown things are left out. */
static void fact_add(struct screen_prose *prose, const char *id, const char *value)
{
	if (value && *value)
		screen_prose_add_labelled(prose, LABEL_COLUMNS, console_text(id), value);
}

struct fact_row {
	const char *id, *field;
};

static void facts_add(const struct console_phone *phone, struct screen_prose *prose,
		      const struct fact_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fact_add(prose, rows[i].id, console_phone_text(phone, rows[i].field));
}

static int identity_add(const struct console_phone *phone, struct screen_prose *prose)
{
	static const struct fact_row names[] = {
		{ "console-fact-name", "name" },
		{ "console-fact-model", "model" },
		{ "console-fact-product", "product" },
		{ "console-fact-board", "board" },
	};
	static const struct fact_row numbers[] = {
		{ "console-fact-serial", "serial_number" },
		{ "console-fact-ecid", "ecid" },
		{ "console-fact-udid", "udid" },
		{ "console-fact-imei", "imei" },
	};
	const char *version = console_phone_text(phone, "version");
	const char *build = console_phone_text(phone, "build");
	_cleanup_free_ char *system = NULL;

	section_add(prose, "console-section-identity");
	facts_add(phone, prose, names, ARRAY_LEN(names));
	if (*version && asprintf(&system, "%s%s%s%s", version, *build ? " (" : "", build,
				 *build ? ")" : "") < 0)
		return -ENOMEM;
	fact_add(prose, "console-fact-system", system);
	facts_add(phone, prose, numbers, ARRAY_LEN(numbers));
	if (!*console_phone_text(phone, "serial_number"))
		fact_add(prose, "console-fact-serial", console_phone_text(phone, "srnm"));
	return 0;
}

/* What trust is, in words; NULL where that means nothing or is not known. */
static const char *trust_words(const struct console_phone *phone)
{
	const char *id = phone_text_trust(phone->object);

	return id ? console_text(id) : NULL;
}

/* Trust and usbmuxd mean something only where the phone's own system runs. */
static void trust_add(const struct console_phone *phone, struct screen_prose *prose)
{
	enum mode mode = console_phone_mode(phone);

	if (mode != MODE_NORMAL && mode != MODE_RESTORE)
		return;
	fact_add(prose, "console-fact-mux",
		 console_text(console_phone_is(phone, "in_mux") ? "console-in-mux"
								: "console-not-in-mux"));
	fact_add(prose, "console-fact-trust", trust_words(phone));
}

static int connection_add(const struct console_phone *phone, struct screen_prose *prose)
{
	int64_t mbps = console_phone_number(phone, "speed_mbps");
	_cleanup_free_ char *speed = speed_text(mbps), *hubs = NULL;
	char number[32];

	hubs = hubs_text(console_phone_number(phone, "hub_depth"));
	if (!speed || !hubs)
		return -ENOMEM;
	section_add(prose, "console-section-connection");
	fact_add(prose, "console-fact-port", console_phone_text(phone, "port"));
	if (mbps)
		fact_add(prose, "console-fact-speed", speed);
	fact_add(prose, "console-fact-hubs", hubs);
	fact_add(prose, "console-fact-usb-id", console_phone_text(phone, "usb_id"));
	snprintf(number, sizeof(number), "%" PRId64, console_phone_number(phone, "enumerations"));
	fact_add(prose, "console-fact-enumerations", number);
	trust_add(phone, prose);
	return 0;
}

/* Words of an array of strings, with commas. */
static int words_join(sd_json_variant *array, char **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return -ENOMEM;
	for (size_t i = 0; array && i < sd_json_variant_elements(array); i++) {
		sd_json_variant *word = sd_json_variant_by_index(array, i);

		if (sd_json_variant_is_string(word))
			fprintf(out, "%s%s", i ? ", " : "", sd_json_variant_string(word));
	}
	if (fclose(out) != 0)
		return -ENOMEM;
	*ret = TAKE(text);
	return 0;
}

static int boot_loader_add(const struct console_phone *phone, struct screen_prose *prose)
{
	static const struct fact_row rows[] = {
		{ "console-fact-chip", "cpid" },         { "console-fact-board-id", "bdid" },
		{ "console-fact-srtg", "srtg" },         { "console-fact-pwnd", "pwnd" },
		{ "console-fact-ap-nonce", "ap_nonce" }, { "console-fact-sep-nonce", "sep_nonce" },
	};
	_cleanup_free_ char *flags = NULL;
	sd_json_variant *array;
	int r;

	if (!sd_json_variant_by_key(phone->object, "cpid"))
		return 0;
	array = sd_json_variant_by_key(phone->object, "iboot_flags");
	r = words_join(array && sd_json_variant_is_array(array) ? array : NULL, &flags);
	if (r < 0)
		return r;
	section_add(prose, "console-section-boot-loader");
	facts_add(phone, prose, rows, ARRAY_LEN(rows));
	fact_add(prose, "console-fact-flags", flags);
	return 0;
}

static void buttons_add(const struct console_phone *phone, struct screen_prose *prose)
{
	const struct model *model = console_phone_model(phone);
	const struct button_fact *fact = button_fact(model ? model->buttons : BUTTONS_UNKNOWN);

	section_add(prose, "console-section-restart");
	screen_prose_add(prose, SCREEN_ROLE_TEXT, fact->restart);
	section_add(prose, "console-section-recovery");
	screen_prose_add(prose, SCREEN_ROLE_TEXT, fact->recovery);
	section_add(prose, "console-section-dfu");
	screen_prose_add(prose, SCREEN_ROLE_TEXT, fact->dfu);
}

int console_details(const struct console_phone *phone, struct screen_prose *prose)
{
	const char *hint = phone->left ? NULL : presence_hint(phone);
	int r;

	screen_prose_add(prose, SCREEN_ROLE_STRONG, console_phone_label(phone));
	if (hint)
		screen_prose_add(prose, SCREEN_ROLE_STRONG, console_text(hint));
	mode_add(phone, prose);
	if (!phone->left)
		link_hints_add(phone, prose);
	r = identity_add(phone, prose);
	if (r == 0)
		r = connection_add(phone, prose);
	if (r == 0)
		r = boot_loader_add(phone, prose);
	if (r == 0)
		buttons_add(phone, prose);
	return r;
}

static int storage_add(const struct console_phone *phone, struct screen_prose *prose)
{
	int64_t bytes = console_phone_number(phone, "capacity_bytes");
	char amount[AMOUNT_BYTES], percent[24];
	_cleanup_free_ char *battery = NULL;
	bool charging = console_phone_is(phone, "battery_charging");

	if (bytes > 0) {
		amount_text_bytes((uint64_t)bytes, amount);
		fact_add(prose, "console-fact-capacity", amount);
	}
	if (!sd_json_variant_by_key(phone->object, "battery_percent"))
		return 0;
	snprintf(percent, sizeof(percent), "%" PRId64,
		 console_phone_number(phone, "battery_percent"));
	battery = message_format(charging ? "console-battery-charging" : "console-battery",
				 "percent", percent, NULL);
	if (!battery)
		return -ENOMEM;
	fact_add(prose, "console-fact-battery", battery);
	return 0;
}

static void findings_add(const struct console_phone *phone, struct screen_prose *prose)
{
	size_t count = phone->findings ? sd_json_variant_elements(phone->findings) : 0;

	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
		/* here a key tells the hints */
		finding_text_add(sd_json_variant_by_index(phone->findings, i), false, prose);
		console_hints_count_add(sd_json_variant_by_index(phone->findings, i), prose);
	}
	if (!phone->findings && !phone->left)
		screen_prose_add(prose, SCREEN_ROLE_DIM, console_text("console-no-findings"));
}

static void job_add(const struct console_model *model, const struct console_phone *phone,
		    struct screen_prose *prose)
{
	sd_json_variant *job = console_model_job_of(model, phone);
	_cleanup_free_ char *title = NULL, *line = NULL;

	if (!job)
		return;
	title = job_text_title(job);
	line = message_format(console_job_ended(job) ? "console-summary-last-job"
						     : "console-summary-job",
			      "title", title ? title : "", "state", job_text_state(job), NULL);
	if (line)
		screen_prose_add(prose, job_text_role(job), line);
}

int console_summary(const struct console_model *model, const struct console_phone *phone,
		    struct screen_prose *prose)
{
	const char *hint = phone->left ? NULL : presence_hint(phone);
	int r;

	screen_prose_add(prose, SCREEN_ROLE_STRONG, console_phone_label(phone));
	if (hint)
		screen_prose_add(prose, SCREEN_ROLE_STRONG, console_text(hint));
	job_add(model, phone, prose);
	console_lights_line(phone, prose);
	findings_add(phone, prose);
	screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
	console_lights_add(phone, prose);
	fact_add(prose, "console-fact-trust", trust_words(phone));
	r = storage_add(phone, prose);
	if (r < 0)
		return r;
	mode_add(phone, prose);
	if (!phone->left)
		link_hints_add(phone, prose);
	return 0;
}
