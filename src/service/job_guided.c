/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The steps that the person does: resets in the phone's settings, another cable or port, unplugging
 * and plugging in again.
 *
 *   swap:   measure ─▶ person ─▶ (the phone came back) ─▶ measure ─▶ done: what changed
 *   others:            person ─▶ (the phone came back) ─▶ done
 *
 * A step ends by what the bus shows; the person's word counts where the bus cannot show it (a reset
 * after which the phone does not restart), or to skip the step. Each has a limit.
 */
#include "base/clock.h"
#include "base/text.h"
#include "service/fields.h"
#include "service/job_run.h"
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LIST_MS = 15 * 1000, /* it is back: usbmuxd lists it by then, or this link does not serve */
	MENU_BYTES = 320,
	NUMBER_BYTES = 24,
	FOUND_BYTES = 640,
};

static bool is_swap(enum step_kind kind)
{
	return kind == STEP_SWAP_CABLE || kind == STEP_SWAP_PORT;
}

static bool is_reset(enum step_kind kind)
{
	return kind == STEP_RESET_PRIVACY || kind == STEP_RESET_NETWORK ||
	       kind == STEP_RESET_SETTINGS;
}

static bool is_back(const struct run *run, const struct phone *phone)
{
	return phone && phone->on_bus && phone->presence == PRESENCE_PRESENT &&
	       phone->enumerations != run->enumeration;
}

/* --- what the person is told ----------------------------------------------------------------- */

/* A reset, by its row of the hints: its menu by the phone's iOS, what stays and what is lost. */
static char *reset_text(const struct hint_fact *hint, const struct phone *phone)
{
	unsigned long major = phone ? strtoul(phone->identity.version, NULL, 10) : 0;
	char menu[MENU_BYTES];

	(void)hint_menu(hint, major < UINT16_MAX ? (unsigned)major : 0, menu, sizeof(menu));
	return message_format("repair-reset", "menu", menu, "text", hint->text, "keeps",
			      hint->keeps, "loses", hint->loses, NULL);
}

static void tell_person(struct run *run, const struct phone *phone)
{
	enum step_kind kind = run_step_kind(run);
	const struct hint_fact *hint = is_reset(kind) ? hint_find(step_name(kind)) : NULL;
	_cleanup_free_ char *text = hint ? reset_text(hint, phone) : NULL;
	const char *id = kind == STEP_SWAP_CABLE  ? "repair-swap-cable"
			 : kind == STEP_SWAP_PORT ? "repair-swap-port"
						  : "repair-replug";

	if (!is_reset(kind))
		text = message_format(id, NULL);
	work_tell_person(run, text ? text : step_fact(kind)->guidance);
}

static void await_person(struct run *run, const struct phone *phone)
{
	uint64_t now_ms = clock_now_ms();
	unsigned limit_ms =
	    run->step_until_ms > now_ms ? (unsigned)(run->step_until_ms - now_ms) : 1;

	run->away_told = false;
	run->back_ms = 0;
	tell_person(run, phone);
	(void)fleet_expect(run->jobs->options.fleet, run->phone_id, limit_ms, now_ms);
	run_enter(run, DOING_AWAIT_PERSON, run->step_until_ms);
}

/* --- the link, before and after -------------------------------------------------------------- */

static void measure_link(const struct run *run, const struct phone *phone, uint64_t answer_ms,
			 struct link_measure *ret)
{
	const struct troubles *troubles = run->jobs->troubles;
	const struct trouble *trouble;

	*ret = (struct link_measure){ .here = phone && phone->on_bus };
	if (!ret->here)
		return;
	trouble = troubles ? troubles_port(troubles, phone->sighting.port) : NULL;
	text_copy(ret->port, sizeof(ret->port), phone->sighting.port);
	ret->speed_mbps = phone->sighting.speed_mbps;
	ret->hub_depth = phone->sighting.hub_depth;
	ret->troubles_known = troubles != NULL;
	ret->troubles = trouble ? trouble_total(trouble) : 0;
	ret->answer_ms = answer_ms;
}

static int measure_to_json(const struct link_measure *link, sd_json_variant **ret)
{
	return sd_json_buildo(
	    ret, SD_JSON_BUILD_PAIR_BOOLEAN("here", link->here),
	    SD_JSON_BUILD_PAIR_CONDITION(link->here, "port", SD_JSON_BUILD_STRING(link->port)),
	    SD_JSON_BUILD_PAIR_CONDITION(link->speed_mbps > 0, "speed_mbps",
					 SD_JSON_BUILD_UNSIGNED(link->speed_mbps)),
	    SD_JSON_BUILD_PAIR_CONDITION(link->here, "hub_depth",
					 SD_JSON_BUILD_UNSIGNED(link->hub_depth)),
	    SD_JSON_BUILD_PAIR_CONDITION(link->troubles_known, "troubles",
					 SD_JSON_BUILD_UNSIGNED(link->troubles)),
	    SD_JSON_BUILD_PAIR_CONDITION(link->answer_ms > 0, "answer_ms",
					 SD_JSON_BUILD_UNSIGNED(link->answer_ms)));
}

/* Sentences in the making; `text` is taken. */
static void found_add(char found[static FOUND_BYTES], char *text)
{
	size_t n = strlen(found);

	if (text)
		snprintf(found + n, FOUND_BYTES - n, "%s%s", n > 0 ? " " : "", text);
	free(text);
}

static void found_numbers(char found[static FOUND_BYTES], const char *id, uint64_t before,
			  uint64_t after)
{
	char old[NUMBER_BYTES], new[NUMBER_BYTES];

	snprintf(old, sizeof(old), "%" PRIu64, before);
	snprintf(new, sizeof(new), "%" PRIu64, after);
	found_add(found, message_format(id, "before", old, "after", new, NULL));
}

static void compare_answers(const struct link_measure *a, const struct link_measure *b,
			    char found[static FOUND_BYTES])
{
	enum { MUCH_MS = 200 }; /* a difference that is no chance */

	if (a->answer_ms > 0 && b->answer_ms == 0)
		found_add(found, message_format("repair-link-silent", NULL));
	else if (a->answer_ms == 0 && b->answer_ms > 0)
		found_add(found, message_format("repair-link-answers", NULL));
	else if (a->answer_ms > b->answer_ms + MUCH_MS || b->answer_ms > a->answer_ms + MUCH_MS)
		found_numbers(found, "repair-link-answer-time", a->answer_ms, b->answer_ms);
}

/* What the person learns from it, in words. */
static void compare_links(enum step_kind kind, const struct link_measure *a,
			  const struct link_measure *b, char found[static FOUND_BYTES])
{
	bool same_port = strcmp(a->port, b->port) == 0;

	found[0] = '\0';
	if (a->unknown) {
		found_add(found, message_format("repair-link-unknown", NULL));
		return;
	}
	if (!b->here) {
		found_add(found,
			  message_format(a->here ? "repair-link-gone" : "repair-link-never", NULL));
		return;
	}
	if (!a->here)
		found_add(found, message_format("repair-link-came", NULL));
	else if (kind == STEP_SWAP_PORT && same_port)
		found_add(found, message_format("repair-link-same-port", NULL));
	else if (kind == STEP_SWAP_CABLE && !same_port)
		found_add(found, message_format("repair-link-both", NULL));
	if (a->here && a->speed_mbps != b->speed_mbps)
		found_numbers(found, "repair-link-speed", a->speed_mbps, b->speed_mbps);
	if (a->here && a->hub_depth != b->hub_depth)
		found_numbers(found, "repair-link-hubs", a->hub_depth, b->hub_depth);
	if (a->troubles_known && b->troubles_known && a->troubles != b->troubles)
		found_numbers(found, "repair-link-troubles", a->troubles, b->troubles);
	compare_answers(a, b, found);
	if (found[0] == '\0')
		found_add(found, message_format("repair-link-same", NULL));
}

static void swap_done(struct run *run, const struct link_measure *after)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *a = NULL, *b = NULL;
	sd_json_variant *facts = NULL;
	char found[FOUND_BYTES];

	compare_links(run_step_kind(run), &run->before, after, found);
	if ((run->before.unknown || measure_to_json(&run->before, &a) >= 0) &&
	    measure_to_json(after, &b) >= 0)
		(void)sd_json_buildo(
		    &facts,
		    SD_JSON_BUILD_PAIR_CONDITION(a != NULL, "before", SD_JSON_BUILD_VARIANT(a)),
		    SD_JSON_BUILD_PAIR_VARIANT("after", b),
		    SD_JSON_BUILD_PAIR_STRING("found", found));
	run_step_done(run, facts, false);
}

/* An answer to a probe; 0 there was none. */
static uint64_t answer_time(const struct run *run, const struct error *err)
{
	uint64_t took_ms = clock_now_ms() - run->asked_ms;

	return err ? 0 : took_ms > 0 ? took_ms : 1;
}

static void on_before_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct run *run = user;
	const struct phone *phone = run_phone(run);

	run->link = worker_link_free(run->link);
	measure_link(run, phone, answer_time(run, err), &run->before);
	await_person(run, phone);
}

static void on_after_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct run *run = user;
	struct link_measure after;

	run->link = worker_link_free(run->link);
	measure_link(run, run_phone(run), answer_time(run, err), &after);
	swap_done(run, &after);
}

/* end_fn sees also a failure: that the phone does not answer is a measurement too. */
static void begin_measure(struct run *run, const struct phone *phone, worker_end_fn end_fn)
{
	sd_json_variant *fields = NULL;
	int r = ask_place(phone, &fields);

	run->asked_ms = clock_now_ms();
	work_ask(run, "probe", r, fields, NULL, end_fn);
}

/* --- */

void guided_begin(struct run *run, const struct phone *phone)
{
	/* what was there when it began first may have been unplugged while no service ran */
	run->before = (struct link_measure){ .unknown = run->again };
	if (!is_swap(run_step_kind(run)) || run->again)
		await_person(run, phone);
	else if (phone && phone->on_bus && phone->in_mux)
		begin_measure(run, phone, on_before_end);
	else {
		measure_link(run, phone, 0, &run->before);
		await_person(run, phone);
	}
}

static void swap_look(struct run *run, const struct phone *phone)
{
	struct link_measure after;

	if (phone->in_mux) {
		begin_measure(run, phone, on_after_end);
		return;
	}
	if (run->back_ms == 0)
		run->back_ms = clock_now_ms();
	if (clock_now_ms() < run->back_ms + LIST_MS) {
		run->deadline_ms = run->back_ms + LIST_MS;
		return;
	}
	measure_link(run, phone, 0, &after);
	swap_done(run, &after);
}

static const char *late_text(enum step_kind kind)
{
	if (kind == STEP_REPLUG)
		return "the phone was not unplugged and plugged in again in time";
	return is_swap(kind) ? "the phone was not plugged in anew in time"
			     : "it was not done on the phone in time";
}

void guided_look(struct run *run, const struct phone *phone, bool late)
{
	enum step_kind kind = run_step_kind(run);

	if (is_back(run, phone) && is_swap(kind)) {
		swap_look(run, phone);
		return;
	}
	if (is_back(run, phone) && phone->in_mux) {
		run_step_done(run, NULL, false);
		return;
	}
	run->back_ms = 0; /* of a swap: it left once more */
	if ((!phone || !phone->on_bus) && !run->away_told && (kind == STEP_REPLUG)) {
		run->away_told = true;
		run_guide(run, message_find("repair-replug-back")->text);
		run_tell(run);
	}
	if (late && clock_now_ms() < run->step_until_ms)
		run->deadline_ms = run->step_until_ms;
	else if (late)
		run_step_fail(run, ERROR_SILENT, false, late_text(kind));
}

int guided_done(struct run *run, struct error *err)
{
	enum step_kind kind = run_step_kind(run);
	const struct phone *phone = run_phone(run);
	struct link_measure after = { 0 };

	if (kind != STEP_REPLUG && !is_swap(kind)) {
		run_step_done(run, NULL, false);
		return 0;
	}
	/* with that cable or port it does not show up at all: a result too */
	if (is_swap(kind) && (!phone || !phone->on_bus)) {
		swap_done(run, &after);
		return 0;
	}
	return error_set(err, ERROR_REFUSED, "job", 0,
			 "this computer has not seen the phone leave and come back yet: unplug it, "
			 "wait a moment and plug it in");
}
