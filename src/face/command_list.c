/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "base/text.h"
#include "face/command.h"
#include "face/output.h"
#include "face/phone_text.h"
#include "service/client.h"
#include "service/fields.h"
#include <errno.h>
#include <stdio.h>

enum { COLUMNS = 6, GAP_COLUMNS = 2 };

static const char *const titles[COLUMNS] = {
	"console-column-name", "console-column-model", "console-column-mode",
	"console-column-port", "lights-column",        "list-column-key",
};

/* One line of the table; cells are allocated. */
struct row {
	char *cells[COLUMNS];
};

static void row_done(struct row *row)
{
	for (size_t i = 0; i < COLUMNS; i++)
		free(row->cells[i]);
}

static void row_fill(struct row *row, sd_json_variant *phone)
{
	row->cells[0] = phone_text_label(phone);
	row->cells[1] = phone_text_field(phone, "model");
	row->cells[2] = phone_text_mode(phone);
	row->cells[3] = phone_text_field(phone, "port");
	row->cells[4] = phone_text_lights(phone);
	row->cells[5] = phone_text_field(phone, "key");
}

static void row_write(const struct row *row, const size_t *widths)
{
	for (size_t i = 0; i + 1 < COLUMNS; i++)
		output_padded(row->cells[i], widths[i] + GAP_COLUMNS);
	printf("%s\n", row->cells[COLUMNS - 1]);
}

static void widths_fit(size_t *widths, const struct row *row)
{
	for (size_t i = 0; i < COLUMNS; i++) {
		size_t columns = text_columns(row->cells[i]);

		widths[i] = columns > widths[i] ? columns : widths[i];
	}
}

static int table_write(sd_json_variant *phones)
{
	size_t count = sd_json_variant_elements(phones), widths[COLUMNS] = { 0 };
	struct row head, *rows = calloc(count, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < COLUMNS; i++)
		head.cells[i] = output_clean(output_text(titles[i]));
	widths_fit(widths, &head);
	for (size_t i = 0; i < count; i++) {
		row_fill(&rows[i], sd_json_variant_by_index(phones, i));
		widths_fit(widths, &rows[i]);
	}
	row_write(&head, widths);
	for (size_t i = 0; i < count; i++)
		row_write(&rows[i], widths);
	row_done(&head);
	for (size_t i = 0; i < count; i++)
		row_done(&rows[i]);
	free(rows);
	return 0;
}

static void empty_write(void)
{
	static const char *const lines[] = { "list-empty", "list-empty-cable", "list-empty-port",
					     "list-empty-battery" };

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		printf("%s\n", output_text(lines[i]));
}

static int list_json(const struct command_call *call, sd_json_variant *snapshot,
		     sd_json_variant *phones)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int r;

	r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_VARIANT("phones", phones),
			   SD_JSON_BUILD_PAIR_BOOLEAN("mux_up", field_true(snapshot, "mux_up")),
			   SD_JSON_BUILD_PAIR_BOOLEAN("test", field_true(snapshot, "test")));
	return r < 0 ? output_bug(call, r) : output_result(call, fields);
}

int command_list(const struct command_call *call)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *reply = NULL;
	sd_json_variant *snapshot, *phones;
	struct error err;
	int r;

	if (client_call(call->socket, "List", NULL, &reply, &err) < 0)
		return output_end(call, &err);
	snapshot = field_object(reply, "snapshot");
	phones = field_array(snapshot, "phones");
	if (!phones)
		return output_bug(call, -EBADMSG);
	if (call->json)
		return list_json(call, snapshot, phones);
	if (sd_json_variant_elements(phones) == 0) {
		empty_write();
		return 0;
	}
	r = table_write(phones);
	return r < 0 ? output_bug(call, r) : 0;
}
