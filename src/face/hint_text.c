/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "face/hint_text.h"
#include "base/cleanup.h"
#include "face/output.h"
#include <stdio.h>
#include <string.h>

enum { LABEL_COLUMNS = 16, MENU_BYTES = 512, MAJOR_MAX = 999 };

static const char *const rungs[RUNG_MAX] = {
	[RUNG_LINK] = "hint-rung-link",         [RUNG_TRUST] = "hint-rung-trust",
	[RUNG_RESTART] = "hint-rung-restart",   [RUNG_COMPUTER] = "hint-rung-computer",
	[RUNG_RECOVERY] = "hint-rung-recovery", [RUNG_BACKUP] = "hint-rung-backup",
	[RUNG_UPDATE] = "hint-rung-update",     [RUNG_ERASE] = "hint-rung-erase",
	[RUNG_PROVE] = "hint-rung-prove",       [RUNG_PREVENTION] = "hint-rung-prevention",
};

static const char *const places[PLACE_MAX] = {
	[PLACE_ANY] = "hint-place-any",     [PLACE_PHONE] = "hint-place-phone",
	[PLACE_THIS] = "hint-place-this",   [PLACE_WINDOWS] = "hint-place-windows",
	[PLACE_MACOS] = "hint-place-macos", [PLACE_LINUX] = "hint-place-linux",
};

unsigned hint_text_major(const char *version)
{
	unsigned major = 0;

	for (; *version >= '0' && *version <= '9' && major <= MAJOR_MAX; version++)
		major = major * 10 + (unsigned)(*version - '0');
	return major <= MAJOR_MAX ? major : 0;
}

static void row_add(struct screen_prose *prose, const char *label, const char *text)
{
	if (strcmp(text, "-") != 0 && *text)
		screen_prose_add_labelled(prose, LABEL_COLUMNS, output_text(label), text);
}

void hint_text_add(const struct hint_fact *hint, unsigned number, unsigned major, bool named,
		   struct screen_prose *prose)
{
	enum screen_role role = hint->rung == RUNG_ERASE ? SCREEN_ROLE_ALERT : SCREEN_ROLE_STRONG;
	_cleanup_free_ char *title = NULL;
	char count[16], path[MENU_BYTES];

	snprintf(count, sizeof(count), "%u", number);
	title = message_format(
	    number ? "hint-title-numbered" : "hint-title", "rung", output_text(rungs[hint->rung]),
	    "place", output_text(places[hint->system]), number ? "number" : NULL, count, NULL);
	screen_prose_add(prose, role, title ? title : hint->id);
	row_add(prose, "hint-text", hint->text);
	if (hint_menu(hint, major, path, sizeof(path)))
		row_add(prose, "hint-menu", path);
	row_add(prose, "hint-keeps", hint->keeps);
	row_add(prose, "hint-loses", hint->loses);
	row_add(prose, "hint-since", hint->since);
	if (named)
		row_add(prose, "hint-id", hint->id);
}
