/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 *   │ the finding, and which of how many           │
 *   │ its hints, the mildest first (scrolls)       │
 *   │ ── rule ── part that is shown ──             │
 */
#include "base/cleanup.h"
#include "face/console_layout.h"
#include "face/console_text.h"
#include "face/finding_text.h"
#include "face/hint_text.h"
#include "service/fields.h"
#include <stdio.h>

static unsigned findings_count(const struct console_phone *phone)
{
	return phone && phone->findings ? (unsigned)sd_json_variant_elements(phone->findings) : 0;
}

/* The finding that is shown; NULL if none is known. */
static sd_json_variant *finding_at(const struct console_phone *phone, unsigned index)
{
	unsigned count = findings_count(phone);

	return count ? sd_json_variant_by_index(phone->findings, index % count) : NULL;
}

static void heading_add(sd_json_variant *finding, unsigned index, unsigned count,
			struct screen_prose *prose)
{
	_cleanup_free_ char *title = finding_text_title(finding), *line = NULL, *part = NULL;
	char at[12], all[12];

	line = message_format("console-hints-of", "title", title ? title : "", NULL);
	screen_prose_add(prose, finding_text_role(finding), line ? line : "");
	if (count < 2)
		return;
	snprintf(at, sizeof(at), "%u", index % count + 1);
	snprintf(all, sizeof(all), "%u", count);
	part = message_format("console-hints-part", "at", at, "count", all, NULL);
	screen_prose_add(prose, SCREEN_ROLE_DIM, part ? part : "");
}

/* In the menus of the phone we know the version; of another computer nothing. */
static unsigned major_of(const struct console_phone *phone, const struct hint_fact *hint)
{
	return hint->system == PLACE_PHONE ? hint_text_major(console_phone_text(phone, "version"))
					   : 0;
}

static void hints_add(const struct console_phone *phone, sd_json_variant *finding,
		      struct screen_prose *prose)
{
	const char *id = field_string(finding, "id");
	const struct hint_fact *hint;
	unsigned number = 0;

	while ((hint = hint_of_finding(id, number))) {
		screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
		hint_text_add(hint, ++number, major_of(phone, hint), false, prose);
	}
	if (number == 0)
		screen_prose_add(prose, SCREEN_ROLE_TEXT, console_text("console-hints-none"));
}

int console_page_hints_put(const struct console_model *model, struct console_view *view,
			   struct screen_page *page, struct console_space space)
{
	const struct console_phone *phone = console_model_find(model, view->chosen);
	sd_json_variant *finding = finding_at(phone, view->item);
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	int r = console_prose_new(page, space, &prose);

	if (r < 0)
		return r;
	console_warn(model, phone, prose);
	if (finding) {
		heading_add(finding, view->item, findings_count(phone), prose);
		hints_add(phone, finding, prose);
	} else {
		screen_prose_add(prose, SCREEN_ROLE_DIM, console_text("console-no-findings"));
	}
	return console_prose_put(prose, view, page, space);
}

void console_hints_count_add(sd_json_variant *finding, struct screen_prose *prose)
{
	const unsigned label_columns = 16; /* as finding_text_add() has them */
	const char *id = field_string(finding, "id");
	_cleanup_free_ char *line = NULL;
	unsigned count = 0;
	char number[12];

	while (hint_of_finding(id, count))
		count++;
	snprintf(number, sizeof(number), "%u", count);
	line = message_format("console-hints-count", "count", number, NULL);
	if (count > 0 && line)
		screen_prose_add_labelled(prose, label_columns, console_text("console-hints-label"),
					  line);
}

size_t console_page_hints_keys(const struct console_model *model, const struct console_view *view,
			       const char *ret[static CONSOLE_KEYS_MAX])
{
	const struct console_phone *phone = console_model_find(model, view->chosen);
	size_t count = 0;

	ret[count++] = "console-keys-back";
	ret[count++] = "console-keys-scroll";
	if (findings_count(phone) > 1)
		ret[count++] = "console-keys-next-finding";
	return count;
}

enum console_reaction console_page_hints_input(struct console_view *view,
					       const struct console_model *model,
					       struct screen_input input)
{
	const struct console_phone *phone = console_model_find(model, view->chosen);
	unsigned count = findings_count(phone);

	if (input.key == SCREEN_KEY_BACK || input.key == SCREEN_KEY_ERASE) {
		console_view_open(view, CONSOLE_PAGE_PHONE);
		return CONSOLE_CHANGED;
	}
	if (input.key == SCREEN_KEY_ENTER || input.key == SCREEN_KEY_RIGHT) {
		if (count < 2)
			return CONSOLE_NOTHING;
		view->item = (view->item + 1) % count;
		view->scroll = 0;
		return CONSOLE_CHANGED;
	}
	return console_view_move(view, input.key, UINT16_MAX, &view->scroll) ? CONSOLE_CHANGED
									     : CONSOLE_NOTHING;
}
