/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `hints [FINDING|PLACE]`: what a person can do, mildest first. Asks nobody. */
#include "base/cleanup.h"
#include "face/command.h"
#include "face/hint_text.h"
#include "face/output.h"
#include <errno.h>
#include <string.h>

/* Which hints are wanted: those of a finding, of a place, or all. */
struct wish {
	const char *finding; /* NULL: no finding */
	enum place place;    /* PLACE_MAX: no place */
};

/* The hint number `at` of the wish, NULL behind the last one. */
static const struct hint_fact *wish_at(const struct wish *wish, size_t at)
{
	size_t count;
	const struct hint_fact *all = hint_all(&count);

	if (wish->finding)
		return hint_of_finding(wish->finding, at);
	if (wish->place != PLACE_MAX)
		return hint_of_place(wish->place, at);
	return at < count ? &all[at] : NULL;
}

/* --- JSON -------------------------------------------------------------------------------------
 */

static int finds_json(const struct hint_fact *hint, sd_json_variant **ret)
{
	_cleanup_free_ char *words = strdup(strcmp(hint->finds, "-") == 0 ? "" : hint->finds);
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *list = NULL;
	char *rest = words, *word;
	int r = words ? sd_json_build(&list, SD_JSON_BUILD_EMPTY_ARRAY) : -ENOMEM;

	while (r >= 0 && (word = strsep(&rest, " ")))
		if (*word)
			r = sd_json_variant_append_arrayb(&list, SD_JSON_BUILD_STRING(word));
	if (r < 0)
		return r;
	*ret = TAKE(list);
	return 0;
}

static int hint_json(const struct hint_fact *hint, sd_json_variant **list)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *finds = NULL;
	bool since = strcmp(hint->since, "-") != 0, menu = strcmp(hint->menu, "-") != 0;
	int r = finds_json(hint, &finds);

	if (r < 0)
		return r;
	return sd_json_variant_append_arraybo(
	    list, SD_JSON_BUILD_PAIR_STRING("id", hint->id),
	    SD_JSON_BUILD_PAIR_STRING("rung", rung_name(hint->rung)),
	    SD_JSON_BUILD_PAIR_STRING("system", place_name(hint->system)),
	    SD_JSON_BUILD_PAIR_STRING("text", hint->text),
	    SD_JSON_BUILD_PAIR_STRING("keeps", hint->keeps),
	    SD_JSON_BUILD_PAIR_STRING("loses", hint->loses),
	    SD_JSON_BUILD_PAIR_CONDITION(menu, "menu", SD_JSON_BUILD_STRING(hint->menu)),
	    SD_JSON_BUILD_PAIR_CONDITION(since, "since", SD_JSON_BUILD_STRING(hint->since)),
	    SD_JSON_BUILD_PAIR_BOOLEAN("prevention", hint->prevention),
	    SD_JSON_BUILD_PAIR_STRING("tried", tried_name(hint->tried)),
	    SD_JSON_BUILD_PAIR_VARIANT("findings", finds));
}

static int hints_json(const struct command_call *call, const struct wish *wish)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *list = NULL, *fields = NULL;
	const struct hint_fact *hint;
	int r = sd_json_build(&list, SD_JSON_BUILD_EMPTY_ARRAY);

	for (size_t i = 0; r >= 0 && (hint = wish_at(wish, i)); i++)
		r = hint_json(hint, &list);
	if (r >= 0)
		r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_VARIANT("hints", list));
	return r < 0 ? output_bug(call, r) : output_result(call, fields);
}

/* --- text -------------------------------------------------------------------------------------
 */

/* Of which finding they are; "{phone}" is said as the manual writes it. */
static void finding_add(struct screen_prose *prose, const char *id)
{
	const struct finding_fact *finding = finding_find(id);
	_cleanup_free_ char *title = message_format(finding->title, "phone", "PHONE", NULL);
	_cleanup_free_ char *line =
	    message_format("hints-of-finding", "title", title ? title : id, "id", id, NULL);

	screen_prose_add(prose, SCREEN_ROLE_STRONG, line ? line : id);
	screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
}

static int hints_text(const struct command_call *call, const struct wish *wish)
{
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	const struct hint_fact *hint;
	int r = output_prose_new(&prose);

	if (r < 0)
		return output_bug(call, r);
	if (wish->finding)
		finding_add(prose, wish->finding);
	for (size_t i = 0; (hint = wish_at(wish, i)); i++) {
		if (i > 0)
			screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
		hint_text_add(hint, wish->finding ? (unsigned)i + 1 : 0, 0, true, prose);
	}
	r = output_prose(prose);
	return r < 0 ? output_bug(call, r) : 0;
}

/* --- the command ------------------------------------------------------------------------------
 */

int command_hints(const struct command_call *call)
{
	const char *word = call->argc > 0 ? call->argv[0] : NULL;
	struct wish wish = { .place = PLACE_MAX };

	if (word && finding_find(word))
		wish.finding = word;
	else if (word)
		wish.place = place_from_name(word);
	if (word && !wish.finding && wish.place == PLACE_MAX) {
		_cleanup_free_ char *clean = output_clean(word);

		return output_usage(call, "usage-hints", clean);
	}
	return call->json ? hints_json(call, &wish) : hints_text(call, &wish);
}
