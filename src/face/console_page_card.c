/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 *   │ the card (scrolls)                           │
 *   │ ── rule ── part that is shown ──             │
 *   │ what became of the last try                  │
 *   │ how to agree; what is typed                  │
 *
 * Enter starts what keeps the data. What erases takes the LAST4 of the phone, which the service
 * compares: nothing here knows whether it is right.
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "face/console_layout.h"
#include "face/console_text.h"
#include "face/plan_text.h"
#include "service/fields.h"
#include <string.h>

enum { LAST4 = 4 };

static bool card_is_question(const struct console_card *card)
{
	return card->job[0] != '\0';
}

/* A new card is what Enter gets. */
static bool card_is_stale(const struct console_card *card)
{
	return !card->plan || card->expired || (card->refused && card->typed[0] == '\0');
}

static bool card_takes_text(const struct console_card *card)
{
	return card->plan && plan_text_erases(card->plan) && !card->expired;
}

static bool card_phone_is_here(const struct console_view *view, const struct console_model *model)
{
	return card_is_question(&view->card) ||
	       console_model_index(model, view->chosen) != SIZE_MAX;
}

/* --- layout */

static const char *asking_text(enum console_ask ask)
{
	switch (ask) {
	case CONSOLE_ASK_PLAN:
	case CONSOLE_ASK_QUESTION:
		return "console-asking-plan";
	case CONSOLE_ASK_START:
	case CONSOLE_ASK_YES:
		return "console-asking-start";
	case CONSOLE_ASK_NONE:
	case CONSOLE_ASK_TRUST:
	case CONSOLE_ASK_NO:
	case CONSOLE_ASK_DONE:
	case CONSOLE_ASK_CANCEL:
	case CONSOLE_ASK_PAUSE:
	case CONSOLE_ASK_RESUME:
	case CONSOLE_ASK_SAYS:
	case CONSOLE_ASK_MAX:
		break;
	}
	return NULL;
}

/* The number whose end is to be typed: the phone's Settings and its tray show it, too. */
static const char *confirm_number(const struct console_model *model, sd_json_variant *plan)
{
	const char *ecid = field_string(plan, "ecid");

	for (size_t i = 0; ecid && i < console_model_count(model); i++) {
		const struct console_phone *phone = console_model_at(model, i);

		if (!text_equal_fold(ecid, console_phone_text(phone, "ecid")))
			continue;
		if (*console_phone_text(phone, "serial_number"))
			return console_phone_text(phone, "serial_number");
		if (*console_phone_text(phone, "srnm"))
			return console_phone_text(phone, "srnm");
	}
	return ecid ? ecid : "";
}

static void consent_add(const struct console_model *model, const struct console_card *card,
			struct screen_prose *prose)
{
	const char *hint = field_string(card->plan, "confirm_hint");
	_cleanup_free_ char *text = message_format(
	    "console-consent", "hint", hint ? hint : console_text("console-consent-hint"), "number",
	    confirm_number(model, card->plan), NULL);
	_cleanup_free_ char *typed = message_format("console-typed", "text", card->typed, NULL);

	if (card->refused && card->typed[0] == '\0')
		screen_prose_add(prose, SCREEN_ROLE_TEXT, console_text("console-consent-again"));
	else
		screen_prose_add(prose, SCREEN_ROLE_ALERT, text ? text : "");
	screen_prose_add(prose, SCREEN_ROLE_STRONG, typed ? typed : "");
}

/* What stands under the card: it never scrolls away. */
static void decision_add(const struct console_model *model, const struct console_view *view,
			 struct screen_prose *prose)
{
	const struct console_card *card = &view->card;

	if (view->notice[0])
		screen_prose_add(prose, SCREEN_ROLE_ALERT, view->notice);
	if (asking_text(view->ask)) {
		screen_prose_add(prose, SCREEN_ROLE_STRONG, console_text(asking_text(view->ask)));
		return;
	}
	if (!card_phone_is_here(view, model))
		screen_prose_add(prose, SCREEN_ROLE_WARN, console_text("console-card-left"));
	else if (card->expired)
		screen_prose_add(prose, SCREEN_ROLE_WARN, console_text("console-card-expired"));
	else if (!card->plan)
		screen_prose_add(prose, SCREEN_ROLE_TEXT, console_text("console-card-again"));
	else if (card_takes_text(card))
		consent_add(model, card, prose);
	else
		screen_prose_add(prose, SCREEN_ROLE_STRONG, console_text("console-card-start"));
}

static int card_add(const struct console_model *model, const struct console_view *view,
		    struct screen_prose *prose)
{
	const struct console_card *card = &view->card;

	if (console_model_link(model) != CONSOLE_LINK_UP)
		screen_prose_add(prose, SCREEN_ROLE_ALERT, console_text("console-lost"));
	if (card->plan)
		plan_text_add(card->plan, prose);
	else if (!card_is_question(card) && card->goal < GOAL_MAX)
		screen_prose_add(prose, SCREEN_ROLE_STRONG, goal_fact(card->goal)->label);
	return screen_prose_error(prose);
}

int console_page_card_put(const struct console_model *model, struct console_view *view,
			  struct screen_page *page, struct console_space space)
{
	_cleanup_(screen_prose_freep) struct screen_prose *card = NULL, *decision = NULL;
	struct console_space top = space;
	unsigned lines, rows = space.end - space.first, most = rows > 4 ? rows - 3 : 1;
	int r = console_prose_new(page, space, &card);

	if (r == 0)
		r = console_prose_new(page, space, &decision);
	if (r == 0)
		r = card_add(model, view, card);
	if (r < 0)
		return r;
	decision_add(model, view, decision);
	lines = screen_prose_lines(decision);
	if (lines > most) /* the end is where one types */
		lines = most;
	if (lines > rows)
		lines = rows;
	top.end = space.end - lines;
	r = console_prose_put(card, view, page, top);
	screen_prose_put(decision, screen_prose_lines(decision) - lines, page, top.end, 1, lines);
	return r < 0 ? r : screen_prose_error(decision);
}

size_t console_page_card_keys(const struct console_model *model, const struct console_view *view,
			      const char *ret[static CONSOLE_KEYS_MAX])
{
	const struct console_card *card = &view->card;
	size_t count = 0;

	if (view->ask != CONSOLE_ASK_START && view->ask != CONSOLE_ASK_YES)
		ret[count++] = "console-keys-leave-card";
	if (view->ask == CONSOLE_ASK_NONE && card_phone_is_here(view, model))
		ret[count++] = card_is_stale(card) ? "console-keys-new-card" : "console-keys-start";
	ret[count++] = "console-keys-scroll";
	return count;
}

/* --- keys */

static enum console_reaction card_leave(struct console_view *view)
{
	bool question = card_is_question(&view->card);

	console_card_done(&view->card);
	console_view_open(view, question ? CONSOLE_PAGE_JOB : CONSOLE_PAGE_PHONE);
	return CONSOLE_CHANGED;
}

static enum console_reaction card_refuse(struct console_view *view, const char *id)
{
	text_copy(view->notice, sizeof(view->notice), console_text(id));
	return CONSOLE_CHANGED;
}

static enum console_reaction card_agree(struct console_view *view,
					const struct console_model *model)
{
	const struct console_card *card = &view->card;
	bool question = card_is_question(card);

	if (!card_phone_is_here(view, model))
		return CONSOLE_NOTHING;
	if (card_is_stale(card))
		return console_view_ask(view, question ? CONSOLE_ASK_QUESTION : CONSOLE_ASK_PLAN);
	if (card_takes_text(card) && strlen(card->typed) != LAST4)
		return card_refuse(view, "console-card-four");
	return console_view_ask(view, question ? CONSOLE_ASK_YES : CONSOLE_ASK_START);
}

static enum console_reaction card_type(struct console_card *card, char character)
{
	size_t length = strlen(card->typed);

	if (length + 1 >= sizeof(card->typed))
		return CONSOLE_CHANGED;
	card->typed[length] = character;
	card->typed[length + 1] = '\0';
	return CONSOLE_CHANGED;
}

static enum console_reaction card_erase(struct console_view *view)
{
	size_t length = strlen(view->card.typed);

	if (length == 0)
		return card_leave(view);
	view->card.typed[length - 1] = '\0';
	return CONSOLE_CHANGED;
}

enum console_reaction console_page_card_input(struct console_view *view,
					      const struct console_model *model,
					      struct screen_input input)
{
	struct console_card *card = &view->card;

	if (view->ask == CONSOLE_ASK_START || view->ask == CONSOLE_ASK_YES)
		return CONSOLE_NOTHING; /* it cannot be taken back by leaving; it is soon answered
					 */
	if (input.character && card_takes_text(card) && card_phone_is_here(view, model))
		return card_type(card, input.character);
	if (input.key == SCREEN_KEY_BACK)
		return card_leave(view);
	if (input.key == SCREEN_KEY_ERASE)
		return card_erase(view);
	if (input.key == SCREEN_KEY_ENTER)
		return view->ask == CONSOLE_ASK_NONE ? card_agree(view, model) : CONSOLE_NOTHING;
	return console_view_move(view, input.key, UINT16_MAX, &view->scroll) ? CONSOLE_CHANGED
									     : CONSOLE_NOTHING;
}
