/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "face/amount_text.h"
#include "face/command.h"
#include "face/output.h"
#include "face/phone_text.h"
#include "service/client.h"
#include "service/fields.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_COLUMNS = 20 };

struct fact_row {
	const char *label; /* message id */
	const char *field;
};

static const struct fact_row identity_rows[] = {
	{ "console-fact-name", "name" },
	{ "console-fact-model", "model" },
	{ "console-fact-product", "product" },
	{ "console-fact-board", "board" },
	{ "console-fact-system", "version" },
	{ "show-build", "build" },
	{ "console-fact-serial", "serial_number" },
	{ "console-fact-ecid", "ecid" },
	{ "console-fact-udid", "udid" },
	{ "show-activation", "activation" },
};

static const struct fact_row iboot_rows[] = {
	{ "console-fact-chip", "cpid" },         { "console-fact-board-id", "bdid" },
	{ "show-chip-revision", "cprv" },        { "show-fuses", "cpfm" },
	{ "show-security-epoch", "scep" },       { "console-fact-imei", "imei" },
	{ "console-fact-srtg", "srtg" },         { "console-fact-pwnd", "pwnd" },
	{ "console-fact-ap-nonce", "ap_nonce" }, { "console-fact-sep-nonce", "sep_nonce" },
};

/* Unknown things are left out. */
static void fact_write(const char *label, const char *value)
{
	if (value[0] == '\0')
		return;
	fputs("  ", stdout);
	output_padded(label, LABEL_COLUMNS);
	printf("  %s\n", value);
}

static void rows_write(sd_json_variant *phone, const struct fact_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *value = phone_text_field(phone, rows[i].field);

		fact_write(output_text(rows[i].label), value);
	}
}

/* What the phone tells only to a computer that it trusts. */
static void storage_write(sd_json_variant *phone)
{
	uint64_t bytes = field_unsigned(phone, "capacity_bytes", 0);
	uint64_t free_bytes = field_unsigned(phone, "free_bytes", UINT64_MAX);
	uint64_t percent = field_unsigned(phone, "battery_percent", UINT64_MAX);
	const bool charging = field_true(phone, "battery_charging");
	_cleanup_free_ char *battery = NULL;
	char amount[AMOUNT_BYTES], number[24];

	if (bytes > 0) {
		amount_text_bytes(bytes, amount);
		fact_write(output_text("console-fact-capacity"), amount);
	}
	if (free_bytes != UINT64_MAX) {
		amount_text_bytes(free_bytes, amount);
		fact_write(output_text("show-free"), amount);
	}
	if (percent == UINT64_MAX)
		return;
	snprintf(number, sizeof(number), "%" PRIu64, percent);
	battery = message_format(charging ? "console-battery-charging" : "console-battery",
				 "percent", number, NULL);
	if (battery)
		fact_write(output_text("console-fact-battery"), battery);
}

static void head_write(sd_json_variant *phone)
{
	_cleanup_free_ char *label = phone_text_label(phone), *mode = phone_text_mode(phone);
	const struct mode_fact *fact = mode_fact(mode_from_name(field_string(phone, "mode")));

	printf("%s\n%s: %s\n", label, mode, fact->text);
}

/* How far the way to it is open, with what was seen of each part. */
static void lights_write(sd_json_variant *phone)
{
	static const struct fact_row rows[] = {
		{ "lights-label-usb", "usb" },
		{ "lights-label-mux", "mux" },
		{ "lights-label-link", "link" },
	};

	printf("\n%s\n", output_text("lights-section"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_free_ char *line = phone_text_light(phone, rows[i].field);

		fact_write(output_text(rows[i].label), line);
	}
}

static void connection_write(sd_json_variant *phone)
{
	_cleanup_free_ char *key = phone_text_field(phone, "key");
	_cleanup_free_ char *port = phone_text_field(phone, "port");
	_cleanup_free_ char *speed = phone_text_speed(phone), *hubs = phone_text_hubs(phone);
	_cleanup_free_ char *usb_id = phone_text_field(phone, "usb_id");
	_cleanup_free_ char *since = phone_text_time(field_unsigned(phone, "since_ms", 0), true);
	char times[32];

	snprintf(times, sizeof(times), "%" PRIu64, field_unsigned(phone, "enumerations", 0));
	printf("\n%s\n", output_text("console-section-connection"));
	fact_write(output_text("show-key"), key);
	fact_write(output_text("console-fact-port"), port);
	fact_write(output_text("console-fact-speed"), speed);
	fact_write(output_text("console-fact-hubs"), hubs);
	fact_write(output_text("console-fact-usb-id"), usb_id);
	fact_write(output_text("show-since"), since);
	fact_write(output_text("console-fact-enumerations"), times);
	if (field_is(phone, "mode", "normal") || field_is(phone, "mode", "restore"))
		fact_write(output_text("console-fact-mux"),
			   output_text(field_true(phone, "in_mux") ? "console-in-mux"
								   : "console-not-in-mux"));
}

/* What each flag that is set means, one line a flag. */
static void flags_write(sd_json_variant *phone)
{
	sd_json_variant *ids = field_array(phone, "iboot_flags");
	size_t count;
	const struct iboot_flag *flags = iboot_flag_all(&count);
	const char *label = output_text("console-fact-flags");

	for (size_t i = 0; i < sd_json_variant_elements(ids); i++) {
		sd_json_variant *id = sd_json_variant_by_index(ids, i);

		for (size_t k = 0; k < count && sd_json_variant_is_string(id); k++) {
			if (strcmp(flags[k].id, sd_json_variant_string(id)) != 0)
				continue;
			fact_write(label, flags[k].text);
			label = "";
		}
	}
}

static void problem_write(sd_json_variant *problem)
{
	_cleanup_free_ char *text = phone_text_field(problem, "text");
	_cleanup_free_ char *origin = phone_text_field(problem, "origin");
	_cleanup_free_ char *line =
	    message_format("show-problem", "origin", origin, "text", text, NULL);

	printf("\n%s\n", line ? line : text);
}

static void show_text(sd_json_variant *reply, sd_json_variant *phone)
{
	sd_json_variant *problem = field_object(reply, "problem");

	head_write(phone);
	printf("\n%s\n", output_text("console-section-identity"));
	rows_write(phone, identity_rows, ARRAY_LEN(identity_rows));
	storage_write(phone);
	if (phone_text_trust(phone))
		fact_write(output_text("console-fact-trust"), output_text(phone_text_trust(phone)));
	if (field_array(phone, "lights"))
		lights_write(phone);
	connection_write(phone);
	if (field_string(phone, "cpid")) {
		printf("\n%s\n", output_text("console-section-boot-loader"));
		rows_write(phone, iboot_rows, ARRAY_LEN(iboot_rows));
		flags_write(phone);
	}
	if (problem)
		problem_write(problem);
}

static int show_call(const struct command_call *call, sd_json_variant **ret, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *parameters = NULL;
	int r;

	r = sd_json_buildo(
	    &parameters, SD_JSON_BUILD_PAIR_STRING("phone", call->argv[0]),
	    SD_JSON_BUILD_PAIR_CONDITION(call->ask, "ask", SD_JSON_BUILD_BOOLEAN(true)));
	if (r < 0) /* not UTF-8 */
		return error_set(err, ERROR_USAGE, "command line", 0, "%s",
				 output_text("usage-phone"));
	return client_call(call->socket, "Show", parameters, ret, err);
}

int command_show(const struct command_call *call)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *reply = NULL;
	sd_json_variant *phone;
	struct error err;

	if (show_call(call, &reply, &err) < 0)
		return output_end(call, &err);
	phone = field_object(reply, "phone");
	if (!phone)
		return output_bug(call, -EBADMSG);
	if (call->json)
		return output_result(call, reply); /* fields phone, problem */
	show_text(reply, phone);
	return 0;
}
