/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What keys do on the pages of one phone, its plans and its jobs; what is asked of the service
 * then, and what its answers mean. */
#include "console_jobs_fixture.h"
#include "face/console_ask.h"
#include "face/console_menu.h"
#include <errno.h>
#include <string.h>

enum { NOW_MS = 1000000 };

struct desk {
	struct console_model *model;
	struct console_view view;
};

static struct desk desk_of(const char *event)
{
	struct desk desk = { .model = model_of(event), .view = { .card = { .goal = GOAL_MAX } } };

	console_view_follow(&desk.view, desk.model);
	return desk;
}

static void desk_done(struct desk *desk)
{
	console_view_done(&desk->view);
	console_model_free(desk->model);
}

static void feed(struct desk *desk, const char *event, int expected)
{
	model_feed(desk->model, event, expected);
	console_view_follow(&desk->view, desk->model);
}

static enum console_reaction press(struct desk *desk, enum screen_key key)
{
	return console_view_input(&desk->view, desk->model, (struct screen_input){ .key = key });
}

/* As screen_read() tells it. */
static enum console_reaction type(struct desk *desk, char c)
{
	struct screen_input input = { .key = SCREEN_KEY_CHARACTER, .character = c };

	if (c >= '0' && c <= '9') {
		input.key = SCREEN_KEY_DIGIT;
		input.digit = (unsigned)(c - '0');
	} else if (c == 'q' || c == 'Q') {
		input.key = SCREEN_KEY_QUIT;
	}
	return console_view_input(&desk->view, desk->model, input);
}

static void type_text(struct desk *desk, const char *text)
{
	for (; *text; text++)
		assert_int_equal(type(desk, *text), CONSOLE_CHANGED);
}

/* What is asked now, as "Method {json}". */
static void asks(const struct desk *desk, const char *expected)
{
	sd_json_variant *parameters = NULL;
	const char *method = NULL;
	char *json = NULL, text[1024];

	assert_int_equal(console_ask_make(&desk->view, desk->model, &method, &parameters), 0);
	assert_true(sd_json_variant_format(parameters, 0, &json) >= 0);
	snprintf(text, sizeof(text), "%s %s", method, json);
	assert_string_equal(text, expected);
	free(json);
	sd_json_variant_unref(parameters);
}

static void answered(struct desk *desk, const char *reply, uint64_t now_ms)
{
	sd_json_variant *object = json_of(reply);

	assert_int_equal(console_ask_answered(&desk->view, desk->model, object, NULL, now_ms), 0);
	assert_int_equal(desk->view.ask, CONSOLE_ASK_NONE);
	sd_json_variant_unref(object);
	console_view_follow(&desk->view, desk->model);
}

static void failed(struct desk *desk, enum error_kind kind, const char *text, const char *reply)
{
	sd_json_variant *object = reply ? json_of(reply) : NULL;
	struct error err;

	error_set(&err, kind, "service", 0, "%s", text);
	assert_int_equal(console_ask_answered(&desk->view, desk->model, object, &err, NOW_MS), 0);
	assert_int_equal(desk->view.ask, CONSOLE_ASK_NONE);
	sd_json_variant_unref(object);
}

static void goals_are(const char *event, const char *expected)
{
	struct desk desk = desk_of(event);
	struct console_item items[CONSOLE_MENU_MAX];
	size_t count = console_menu(desk.model, console_model_at(desk.model, 0), items);
	char text[256] = "";

	assert_true(count >= 1 && count <= CONSOLE_MENU_MAX);
	for (size_t i = 0; i < count; i++) {
		size_t used = strlen(text);

		snprintf(text + used, sizeof(text) - used, "%s%c:%s", i ? " " : "", items[i].key,
			 items[i].deed == CONSOLE_DEED_GOAL    ? goal_name(items[i].goal)
			 : items[i].deed == CONSOLE_DEED_TRUST ? "check"
			 : items[i].deed == CONSOLE_DEED_JOB   ? "job"
							       : "facts");
		/* never before something milder */
		for (size_t j = 0; j < i; j++)
			assert_true(items[i].deed > CONSOLE_DEED_GOAL ||
				    items[j].data <= items[i].data);
	}
	assert_string_equal(text, expected);
	desk_done(&desk);
}

static void test_menu(void **state)
{
	goals_are(EVENT_SNAPSHOT("false", "true", PHONE_ZOE_TRUSTED("")),
		  "1:check 2:prove 3:link-test 4:trust 5:forget 6:restart 7:enter-recovery "
		  "8:firmware 9:update 0:erase i:facts");
	/* not trusted: there is something to repair, nothing to prove or forget */
	goals_are(EVENT_SNAPSHOT("false", "true", PHONE_ZOE),
		  "1:check 2:repair 3:link-test 4:trust 5:restart 6:enter-recovery 7:firmware "
		  "8:update 9:erase i:facts");
	goals_are(EVENT_SNAPSHOT("false", "true", PHONE_RECOVERY),
		  "1:restart 2:exit-recovery 3:firmware 4:update 5:erase i:facts");
	/* it has only just been plugged in */
	goals_are(EVENT_SNAPSHOT("false", "true", PHONE_DEBUG_USB), "i:facts");
	/* a job has it, whether we know that job or not */
	goals_are(SNAPSHOT_JOBS(PHONE_ZOE_TRUSTED(""), JOB_RUNNING("a1")), "j:job i:facts");
	goals_are(EVENT_SNAPSHOT("false", "true", PHONE_ZOE_TRUSTED(",\"job\":\"b7\"")), "i:facts");
	goals_are(SNAPSHOT_JOBS(PHONE_ZOE_TRUSTED(""), JOB_DONE_PROVEN("a1")),
		  "1:check 2:prove 3:link-test 4:trust 5:forget 6:restart 7:enter-recovery "
		  "8:firmware 9:update 0:erase j:job i:facts");
}

static void test_check_trust(void **state)
{
	struct desk desk = desk_of(EVENT_SNAPSHOT("false", "true", PHONE_ZOE_TRUSTED("")));

	press(&desk, SCREEN_KEY_ENTER);
	assert_int_equal(type(&desk, '1'), CONSOLE_ASK);
	asks(&desk, "CheckTrust {\"phone\":\"" ZOE_KEY "\"}");
	answered(&desk, "{\"phone\":{},\"findings\":" FINDINGS_STALE "}", NOW_MS);
	assert_non_null(console_model_at(desk.model, 0)->findings);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_PHONE);
	/* leaving the page gives the question up */
	type(&desk, '1');
	assert_int_equal(press(&desk, SCREEN_KEY_BACK), CONSOLE_CHANGED);
	assert_int_equal(desk.view.ask, CONSOLE_ASK_NONE);
	desk_done(&desk);
}

static void test_update(void **state)
{
	struct desk desk = desk_of(EVENT_SNAPSHOT("false", "true", PHONE_ZOE_TRUSTED("")));

	press(&desk, SCREEN_KEY_ENTER);
	for (int i = 0; i < 8; i++)
		press(&desk, SCREEN_KEY_DOWN);
	assert_int_equal(press(&desk, SCREEN_KEY_ENTER), CONSOLE_ASK);
	asks(&desk, "Plan {\"phone\":\"" ZOE_KEY "\",\"goal\":\"update\"}");
	/* there is no card yet to agree to */
	assert_int_equal(press(&desk, SCREEN_KEY_ENTER), CONSOLE_NOTHING);
	answered(&desk, "{\"plan\":" PLAN_UPDATE "}", NOW_MS);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_CARD);
	assert_int_equal(press(&desk, SCREEN_KEY_RIGHT), CONSOLE_NOTHING);
	assert_int_equal(press(&desk, SCREEN_KEY_ENTER), CONSOLE_ASK);
	asks(&desk, "Start {\"phone\":\"" ZOE_KEY "\",\"goal\":\"update\",\"build\":\"21F90\"}");
	/* under way: neither again nor away */
	assert_int_equal(press(&desk, SCREEN_KEY_ENTER), CONSOLE_NOTHING);
	assert_int_equal(press(&desk, SCREEN_KEY_BACK), CONSOLE_NOTHING);
	answered(&desk, "{\"job\":" JOB_RUNNING("a1") "}", NOW_MS);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_JOB);
	assert_string_equal(desk.view.job, "a1");
	assert_null(desk.view.card.plan);
	press(&desk, SCREEN_KEY_BACK);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_PHONE);
	assert_int_equal(type(&desk, 'j'), CONSOLE_CHANGED);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_JOB);
	desk_done(&desk);
}

/* A desk with the card of an erase whose consent is valid for so many seconds. */
static struct desk desk_with_erase(const char *seconds)
{
	struct desk desk = desk_of(EVENT_SNAPSHOT("false", "true", PHONE_ZOE_TRUSTED("")));
	char reply[4096];

	press(&desk, SCREEN_KEY_ENTER);
	assert_int_equal(type(&desk, '0'), CONSOLE_ASK);
	asks(&desk, "Plan {\"phone\":\"" ZOE_KEY "\",\"goal\":\"erase\"}");
	snprintf(reply, sizeof(reply), "{\"plan\":" PLAN_ERASE("t0k3n", "%s") "}", seconds);
	answered(&desk, reply, NOW_MS);
	return desk;
}

static void test_consent_right(void **state)
{
	struct desk desk = desk_with_erase("900");

	/* nothing, too little, too much typed: nothing is asked */
	assert_int_equal(press(&desk, SCREEN_KEY_ENTER), CONSOLE_CHANGED);
	assert_int_equal(desk.view.ask, CONSOLE_ASK_NONE);
	type_text(&desk, "q1j");
	assert_int_equal(press(&desk, SCREEN_KEY_ENTER), CONSOLE_CHANGED);
	assert_int_equal(desk.view.ask, CONSOLE_ASK_NONE);
	type_text(&desk, "yznc99999");
	assert_string_equal(desk.view.card.typed, "q1jyznc9");
	assert_int_equal(press(&desk, SCREEN_KEY_ENTER), CONSOLE_CHANGED);
	assert_int_equal(desk.view.ask, CONSOLE_ASK_NONE);
	/* letters and digits were text all the time; Backspace takes them back */
	assert_int_equal(desk.view.page, CONSOLE_PAGE_CARD);
	for (int i = 0; i < 8; i++)
		press(&desk, SCREEN_KEY_ERASE);
	assert_string_equal(desk.view.card.typed, "");
	type_text(&desk, "XYZ1");
	assert_int_equal(press(&desk, SCREEN_KEY_RIGHT), CONSOLE_NOTHING);
	assert_int_equal(press(&desk, SCREEN_KEY_ENTER), CONSOLE_ASK);
	asks(&desk, "Start {\"phone\":\"" ZOE_KEY "\",\"goal\":\"erase\",\"build\":\"21F90\","
		    "\"consent\":\"t0k3n\",\"confirm\":\"XYZ1\"}");
	answered(&desk, "{\"job\":" JOB_RUNNING("a1") "}", NOW_MS);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_JOB);
	desk_done(&desk);
}

static void test_consent_wrong(void **state)
{
	struct desk desk = desk_with_erase("900");

	type_text(&desk, "XYZ2");
	assert_int_equal(press(&desk, SCREEN_KEY_ENTER), CONSOLE_ASK);
	failed(&desk, ERROR_NO_CONSENT, "these are not the last four characters",
	       "{\"kind\":\"no-consent\",\"next\":\"Look at its tray.\"}");
	assert_non_null(strstr(desk.view.notice, "these are not the last four characters"));
	assert_non_null(strstr(desk.view.notice, "Look at its tray."));
	assert_int_equal(desk.view.page, CONSOLE_PAGE_CARD);
	assert_string_equal(desk.view.card.typed, "");
	/* again, with the same token; or, with nothing typed, a new card */
	type_text(&desk, "xyz1");
	assert_int_equal(press(&desk, SCREEN_KEY_ENTER), CONSOLE_ASK);
	assert_int_equal(desk.view.ask, CONSOLE_ASK_START);
	failed(&desk, ERROR_NO_CONSENT, "no", NULL);
	assert_int_equal(press(&desk, SCREEN_KEY_ENTER), CONSOLE_ASK);
	asks(&desk, "Plan {\"phone\":\"" ZOE_KEY "\",\"goal\":\"erase\"}");
	answered(&desk, "{\"plan\":" PLAN_ERASE("other", "900") "}", NOW_MS);
	assert_false(desk.view.card.refused);
	assert_string_equal(desk.view.notice, "");
	assert_int_equal(press(&desk, SCREEN_KEY_BACK), CONSOLE_CHANGED);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_PHONE);
	assert_null(desk.view.card.plan);
	desk_done(&desk);
}

static void test_consent_expired(void **state)
{
	struct desk desk = desk_with_erase("2");

	type_text(&desk, "XYZ");
	assert_false(console_ask_tick(&desk.view, NOW_MS + 1999));
	assert_true(console_ask_tick(&desk.view, NOW_MS + 2000));
	assert_false(console_ask_tick(&desk.view, NOW_MS + 2001));
	assert_string_equal(desk.view.card.typed, "");
	/* nothing can be typed into a card that has run out */
	type(&desk, 'X');
	assert_string_equal(desk.view.card.typed, "");
	assert_int_equal(press(&desk, SCREEN_KEY_ENTER), CONSOLE_ASK);
	assert_int_equal(desk.view.ask, CONSOLE_ASK_PLAN);
	answered(&desk, "{\"plan\":" PLAN_ERASE("newer", "900") "}", NOW_MS + 5000);
	assert_false(desk.view.card.expired);
	assert_int_equal(desk.view.card.until_ms, NOW_MS + 905000);
	desk_done(&desk);
}

static void test_phone_leaves_while_typing(void **state)
{
	struct desk desk = desk_with_erase("900");

	type_text(&desk, "XY");
	feed(&desk, EVENT_PHONE("removed", PHONE_ZOE_TRUSTED("")), 1);
	console_model_forget(desk.model,
			     console_view_needs_phone(&desk.view) ? desk.view.chosen : 0);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_CARD);
	assert_string_equal(desk.view.card.typed, "");
	type(&desk, 'Z');
	assert_string_equal(desk.view.card.typed, "");
	assert_int_equal(press(&desk, SCREEN_KEY_ENTER), CONSOLE_NOTHING);
	feed(&desk, EVENT_PHONE("added", PHONE_ZOE_TRUSTED("")), 1);
	type_text(&desk, "XYZ1");
	assert_int_equal(press(&desk, SCREEN_KEY_ENTER), CONSOLE_ASK);
	assert_int_equal(desk.view.ask, CONSOLE_ASK_START);
	desk_done(&desk);
}

static void test_plan_fails(void **state)
{
	struct desk desk = desk_of(EVENT_SNAPSHOT("false", "true", PHONE_ZOE_TRUSTED("")));

	press(&desk, SCREEN_KEY_ENTER);
	type(&desk, '5');
	failed(&desk, ERROR_NETWORK, "the server cannot be reached", NULL);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_CARD);
	/* the kind's own advice, where the service has none */
	assert_non_null(strstr(desk.view.notice, message_for_error(ERROR_NETWORK)->text));
	assert_int_equal(press(&desk, SCREEN_KEY_ENTER), CONSOLE_ASK);
	assert_int_equal(desk.view.ask, CONSOLE_ASK_PLAN);
	answered(&desk, "{\"plan\":3}", NOW_MS);
	assert_string_not_equal(desk.view.notice, "");
	assert_int_equal(press(&desk, SCREEN_KEY_ERASE), CONSOLE_CHANGED);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_PHONE);
	desk_done(&desk);
}

static void test_question(void **state)
{
	struct desk desk = desk_of(SNAPSHOT_JOBS(PHONE_ZOE_TRUSTED(""), JOB_ASKING("a1")));

	press(&desk, SCREEN_KEY_ENTER);
	press(&desk, SCREEN_KEY_ENTER);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_JOB);
	assert_int_equal(press(&desk, SCREEN_KEY_ENTER), CONSOLE_NOTHING);
	assert_int_equal(type(&desk, 'y'), CONSOLE_ASK);
	asks(&desk, "Job {\"id\":\"a1\"}");
	answered(&desk, "{\"job\":" JOB_ASKING("a1") "}", NOW_MS);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_CARD);
	assert_int_equal(desk.view.card.until_ms, NOW_MS + 900000);
	/* the phone that left is no hindrance: the job waits for it */
	feed(&desk, EVENT_PHONE("removed", PHONE_ZOE_TRUSTED("")), 1);
	type_text(&desk, "XYZ1");
	assert_int_equal(press(&desk, SCREEN_KEY_ENTER), CONSOLE_ASK);
	asks(&desk, "Answer {\"id\":\"a1\",\"yes\":true,\"consent\":\"in-the-event\","
		    "\"confirm\":\"XYZ1\"}");
	failed(&desk, ERROR_NO_CONSENT, "too late", NULL);
	assert_int_equal(press(&desk, SCREEN_KEY_ENTER), CONSOLE_ASK);
	assert_int_equal(desk.view.ask, CONSOLE_ASK_QUESTION);
	/* meanwhile somebody else has answered */
	answered(&desk, "{\"job\":" JOB_RUNNING("a1") "}", NOW_MS);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_JOB);
	desk_done(&desk);
}

static void test_question_no(void **state)
{
	struct desk desk = desk_of(SNAPSHOT_JOBS("", JOB_ASKING("a1")));

	/* its phone is not here: the jobs have a page of their own */
	assert_int_equal(type(&desk, 'j'), CONSOLE_CHANGED);
	press(&desk, SCREEN_KEY_ENTER);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_JOB);
	assert_int_equal(type(&desk, 'n'), CONSOLE_ASK);
	asks(&desk, "Answer {\"id\":\"a1\",\"yes\":false}");
	assert_int_equal(type(&desk, 'n'), CONSOLE_REPAINT); /* once is enough */
	answered(&desk, "{\"job\":" JOB_FAILED_WITH("a1", "x") "}", NOW_MS);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_JOB);
	press(&desk, SCREEN_KEY_BACK);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_JOBS);
	press(&desk, SCREEN_KEY_BACK);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_LIST);
	desk_done(&desk);
}

static void test_cancel(void **state)
{
	const char *fetching =
	    "{\"kind\":\"job\",\"job\":{\"id\":\"a1\",\"state\":\"running\",\"phone\":\"" ZOE_KEY
	    "\",\"goal\":\"update\",\"step\":0,\"steps\":[{\"kind\":\"fetch\",\"state\":"
	    "\"running\"}]}}";
	struct desk desk = desk_of(SNAPSHOT_JOBS(PHONE_ZOE_TRUSTED(""), JOB_RUNNING("a1")));

	press(&desk, SCREEN_KEY_ENTER);
	type(&desk, 'j');
	/* the phone is being changed: not now */
	assert_int_equal(type(&desk, 'c'), CONSOLE_REPAINT);
	assert_false(desk.view.stopping);
	feed(&desk, fetching, 1);
	assert_int_equal(type(&desk, 'c'), CONSOLE_CHANGED);
	assert_int_equal(press(&desk, SCREEN_KEY_ENTER), CONSOLE_NOTHING);
	assert_int_equal(type(&desk, 'n'), CONSOLE_CHANGED);
	assert_int_equal(desk.view.ask, CONSOLE_ASK_NONE);
	type(&desk, 'c');
	assert_int_equal(type(&desk, 'y'), CONSOLE_ASK);
	asks(&desk, "Cancel {\"id\":\"a1\"}");
	failed(&desk, ERROR_REFUSED, "the phone is being changed", NULL);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_JOB);
	assert_non_null(strstr(desk.view.notice, "the phone is being changed"));
	desk_done(&desk);
}

/* Only a download can be paused; then the same key lets it go on. */
static void test_pause(void **state)
{
#define OF_STATE(state, kind)                                                                      \
	"{\"kind\":\"job\",\"job\":{\"id\":\"a1\",\"state\":\"" state "\",\"phone\":\"" ZOE_KEY    \
	"\",\"goal\":\"update\",\"step\":0,\"steps\":[{\"kind\":\"" kind                           \
	"\",\"state\":\"running\"}]}}"
	struct desk desk = desk_of(SNAPSHOT_JOBS(PHONE_ZOE_TRUSTED(""), JOB_RUNNING("a1")));

	press(&desk, SCREEN_KEY_ENTER);
	type(&desk, 'j');
	assert_int_equal(type(&desk, 'p'), CONSOLE_REPAINT);
	feed(&desk, OF_STATE("running", "check"), 1);
	assert_int_equal(type(&desk, 'p'), CONSOLE_REPAINT);
	feed(&desk, OF_STATE("running", "fetch"), 1);
	assert_int_equal(type(&desk, 'p'), CONSOLE_ASK);
	asks(&desk, "Pause {\"id\":\"a1\"}");
	failed(&desk, ERROR_REFUSED, "the job is paused already", NULL);
	assert_non_null(strstr(desk.view.notice, "paused already"));
	feed(&desk, OF_STATE("paused", "fetch"), 1);
	assert_int_equal(type(&desk, 'p'), CONSOLE_ASK);
	asks(&desk, "Resume {\"id\":\"a1\"}");
	answered(&desk, "{\"job\":" JOB_RUNNING("a1") "}", NOW_MS);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_JOB);
	feed(&desk, OF_STATE("paused", "fetch"), 1);
	assert_int_equal(type(&desk, 'c'), CONSOLE_CHANGED);
	assert_int_equal(type(&desk, 'y'), CONSOLE_ASK);
	asks(&desk, "Cancel {\"id\":\"a1\"}");
	desk_done(&desk);
#undef OF_STATE
}

/* A step that waits for the person: what it takes, and nothing else, is a key. */
static void test_guided_step(void **state)
{
#define GUIDED(answers)                                                                            \
	"{\"kind\":\"job\",\"job\":{\"id\":\"a1\",\"state\":\"running\",\"phone\":\"" ZOE_KEY      \
	"\",\"goal\":\"repair\",\"step\":0,\"steps\":[{\"kind\":\"replug\",\"state\":\"running\"}" \
	"]"                                                                                        \
	",\"answers\":" answers "}}"
	struct desk desk = desk_of(SNAPSHOT_JOBS(PHONE_ZOE_TRUSTED(""), JOB_RUNNING("a1")));

	press(&desk, SCREEN_KEY_ENTER);
	type(&desk, 'j');
	assert_int_equal(type(&desk, 'd'), CONSOLE_REPAINT);
	assert_int_equal(type(&desk, 's'), CONSOLE_REPAINT);
	feed(&desk, GUIDED("{\"yes\":true,\"no\":true}"), 1);
	assert_int_equal(type(&desk, 'y'), CONSOLE_REPAINT);
	assert_int_equal(type(&desk, 'd'), CONSOLE_ASK);
	asks(&desk, "Answer {\"id\":\"a1\",\"yes\":true}"); /* never with a consent */
	failed(&desk, ERROR_REFUSED, "the phone has not left", NULL);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_JOB);
	assert_int_equal(type(&desk, 's'), CONSOLE_ASK);
	asks(&desk, "Answer {\"id\":\"a1\",\"yes\":false}");
	failed(&desk, ERROR_REFUSED, "it has ended", NULL);
	feed(&desk, GUIDED("{\"no\":true}"), 1);
	assert_int_equal(type(&desk, 'd'), CONSOLE_REPAINT);
	assert_int_equal(type(&desk, 's'), CONSOLE_ASK);
	desk_done(&desk);
#undef GUIDED
}

static void test_jobs_of_the_model(void **state)
{
	struct console_model *model =
	    model_of(SNAPSHOT_JOBS(PHONE_ZOE_TRUSTED(""), JOB_DONE_PROVEN("a1")));
	const struct console_jobs *jobs = console_model_jobs(model);
	const struct console_phone *zoe = console_model_at(model, 0);

	assert_int_equal(jobs->count, 1);
	assert_int_equal(console_jobs_running(jobs), 0);
	assert_string_equal(console_job_id(console_model_job_of(model, zoe)), "a1");
	model_feed(model, EVENT_JOB(JOB_RUNNING("b2")), 1);
	assert_string_equal(console_job_id(console_model_job_of(model, zoe)), "b2");
	model_feed(model, EVENT_JOB(JOB_RUNNING("b2")), 1);
	assert_int_equal(jobs->count, 2);
	model_feed(model, "{\"kind\":\"job\"}", -EBADMSG);
	model_feed(model, "{\"kind\":\"job\",\"job\":{\"state\":\"running\"}}", -EBADMSG);
	/* a snapshot without it: b2 is nobody's any more, a1 had ended and stays */
	model_feed(model, SNAPSHOT_JOBS(PHONE_ZOE_TRUSTED(""), ""), 1);
	assert_int_equal(jobs->count, 1);
	assert_string_equal(console_job_id(jobs->objects[0]), "a1");
	/* the loss of the service loses no job */
	console_model_lost(model, NULL);
	assert_int_equal(jobs->count, 1);
	for (unsigned i = 0; i < 2 * CONSOLE_JOBS_MAX; i++) {
		char event[512];

		snprintf(event, sizeof(event),
			 "{\"kind\":\"job\",\"job\":{\"id\":\"j%u\",\"state\":\"running\","
			 "\"created_ms\":%u}}",
			 i, i);
		/* the one that had ended made room; running ones are not forgotten */
		model_feed(model, event, i < CONSOLE_JOBS_MAX);
	}
	assert_int_equal(jobs->count, CONSOLE_JOBS_MAX);
	assert_null(console_jobs_find(jobs, "a1"));
	assert_string_equal(console_job_id(jobs->objects[0]), "j63");
	console_model_free(model);
}

/* Another phone at the port of a job that has ended is not its phone. */
static void test_job_of_a_port(void **state)
{
	const char *other = "{\"key\":\"port:1-3\",\"presence\":\"present\",\"mode\":\"dfu\","
			    "\"port\":\"1-3\"}";
	char event[1024];
	struct console_model *model;

	for (int ended = 0; ended < 2; ended++) {
		snprintf(event, sizeof(event),
			 "{\"kind\":\"snapshot\",\"snapshot\":{\"phones\":[%s],\"jobs\":[{\"id\":"
			 "\"a1\",\"state\":\"%s\",\"phone\":\"port:1-3\"}]}}",
			 other, ended ? "failed" : "running");
		model = model_of(event);
		if (ended)
			assert_null(console_model_job_of(model, console_model_at(model, 0)));
		else
			assert_non_null(console_model_job_of(model, console_model_at(model, 0)));
		console_model_free(model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_menu),
		cmocka_unit_test(test_check_trust),
		cmocka_unit_test(test_update),
		cmocka_unit_test(test_consent_right),
		cmocka_unit_test(test_consent_wrong),
		cmocka_unit_test(test_consent_expired),
		cmocka_unit_test(test_phone_leaves_while_typing),
		cmocka_unit_test(test_plan_fails),
		cmocka_unit_test(test_question),
		cmocka_unit_test(test_question_no),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_guided_step),
		cmocka_unit_test(test_jobs_of_the_model),
		cmocka_unit_test(test_job_of_a_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
