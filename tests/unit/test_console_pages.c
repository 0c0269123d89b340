/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The pages of one phone, its plans and its jobs, against golden screens (console_golden.h). */
#include "console_golden.h"
#include "console_jobs_fixture.h"
#include "face/console_ask.h"
#include <locale.h>

static struct console_view view_on(const struct console_model *model, enum console_page page)
{
	return (struct console_view){ .page = page,
				      .chosen = console_model_at(model, 0)->tag,
				      .card = { .goal = GOAL_MAX } };
}

static void findings_feed(struct console_model *model, const char *json)
{
	sd_json_variant *findings = json_of(json);

	assert_int_equal(console_model_findings(model, console_model_at(model, 0)->tag, findings),
			 1);
	sd_json_variant_unref(findings);
}

static void test_phone_normal(void **state)
{
	struct console_model *model =
	    model_of(EVENT_SNAPSHOT("false", "true", PHONE_ZOE_TRUSTED("")));
	struct console_view view = view_on(model, CONSOLE_PAGE_PHONE);

	sizes_check("phone-unknown", model, view);
	findings_feed(model, FINDINGS_STALE);
	sizes_check("phone-findings", model, view);
	view.item = 6; /* the erase: what it costs stands below */
	sizes_check("phone-erase-chosen", model, view);
	view.ask = CONSOLE_ASK_TRUST;
	sizes_check("phone-asking", model, view);
	console_model_free(model);
}

static void test_phone_other_modes(void **state)
{
	struct console_model *model = model_of(EVENT_SNAPSHOT("false", "true", PHONE_RECOVERY));
	struct console_view view = view_on(model, CONSOLE_PAGE_PHONE);

	sizes_check("phone-recovery", model, view);
	model_feed(model, EVENT_PHONE("removed", PHONE_RECOVERY), 1);
	sizes_check("phone-left", model, view);
	console_model_free(model);
	model = model_of(EVENT_SNAPSHOT("false", "true", PHONE_DEBUG_USB));
	view = view_on(model, CONSOLE_PAGE_PHONE);
	sizes_check("phone-settling", model, view);
	console_model_free(model);
}

static void test_phone_with_job(void **state)
{
	struct console_model *model = model_of(SNAPSHOT_JOBS(
	    PHONE_ZOE_TRUSTED(",\"job\":\"a1\"") "," PHONE_RECOVERY, JOB_RUNNING("a1")));
	struct console_view view = view_on(model, CONSOLE_PAGE_PHONE);

	sizes_check("phone-job", model, view);
	view.page = CONSOLE_PAGE_LIST;
	sizes_check("list-job", model, view);
	model_feed(model, EVENT_JOB(JOB_ASKING("a1")), 1);
	sizes_check("list-job-asks", model, view);
	model_feed(model, EVENT_JOB(JOB_DONE_PROVEN("a1")), 1);
	model_feed(model, EVENT_PHONE("changed", PHONE_ZOE_TRUSTED("")), 1);
	view.page = CONSOLE_PAGE_PHONE;
	sizes_check("phone-last-job", model, view);
	console_model_free(model);
}

static void card_check(const char *name, const char *plan, struct console_card card,
		       enum console_ask ask, const char *notice)
{
	struct console_model *model =
	    model_of(EVENT_SNAPSHOT("false", "true", PHONE_ZOE_TRUSTED("")));
	struct console_view view = view_on(model, CONSOLE_PAGE_CARD);

	view.card = card;
	view.card.plan = plan ? json_of(plan) : NULL;
	view.ask = ask;
	text_copy(view.notice, sizeof(view.notice), notice);
	sizes_check(name, model, view);
	console_view_done(&view);
	console_model_free(model);
}

static void test_cards(void **state)
{
	const char *erase = PLAN_ERASE("t0k3n", "900");
	struct console_card update = { .goal = GOAL_UPDATE }, wanted = { .goal = GOAL_ERASE };
	struct console_card typed = { .goal = GOAL_ERASE, .typed = "XYZ" };
	struct console_card expired = { .goal = GOAL_ERASE, .expired = true };
	struct console_card refused = { .goal = GOAL_ERASE, .refused = true };

	card_check("card-asking", NULL, update, CONSOLE_ASK_PLAN, "");
	card_check("card-none", NULL, update, CONSOLE_ASK_NONE,
		   "no space for 7.4 GB. Use a larger stick.");
	card_check("card-update", PLAN_UPDATE, update, CONSOLE_ASK_NONE, "");
	card_check("card-erase", erase, wanted, CONSOLE_ASK_NONE, "");
	card_check("card-erase-typed", erase, typed, CONSOLE_ASK_NONE, "");
	card_check("card-erase-starting", erase, typed, CONSOLE_ASK_START, "");
	card_check("card-erase-expired", erase, expired, CONSOLE_ASK_NONE, "");
	card_check("card-erase-refused", erase, refused, CONSOLE_ASK_NONE,
		   "these are not the last four characters. Look at the phone's tray.");
}

static void job_check(const char *name, const char *event, struct console_view with)
{
	struct console_model *model =
	    model_of(EVENT_SNAPSHOT("false", "true", PHONE_ZOE_TRUSTED("")));
	struct console_view view = view_on(model, CONSOLE_PAGE_JOB);

	model_feed(model, event, 1);
	text_copy(view.job, sizeof(view.job), "a1");
	view.stopping = with.stopping;
	view.ask = with.ask;
	sizes_check(name, model, view);
	console_model_free(model);
}

static void test_jobs(void **state)
{
	const char *pairing =
	    EVENT_JOB(JOB("a1", "running", "1", "running",
			  ",\"data\":\"kept\",\"guidance\":\"Unlock the phone, tap Trust and type "
			  "its passcode.\",\"trust\":\"asking\""));
	const char *away = EVENT_JOB(JOB("a1", "running", "1", "running",
					 ",\"data\":\"at-risk\",\"awaiting\":\"phone\",\"touched\":"
					 "true"));

	job_check("job-running", EVENT_JOB(JOB_RUNNING("a1")), (struct console_view){ 0 });
	job_check("job-downloading",
		  EVENT_JOB(JOB_FETCHING("a1", "running",
					 ",\"rate\":24100000,\"remaining_s\":154,"
					 "\"from\":\"updates.cdn-apple.com\"")),
		  (struct console_view){ 0 });
	job_check("job-paused", EVENT_JOB(JOB_FETCHING("a1", "paused", "")),
		  (struct console_view){ 0 });
	job_check("job-pairing", pairing, (struct console_view){ 0 });
	job_check("job-away", away, (struct console_view){ 0 });
	job_check("job-asking", EVENT_JOB(JOB_ASKING("a1")), (struct console_view){ 0 });
	job_check("job-stopping", pairing, (struct console_view){ .stopping = true });
	job_check("job-answering", EVENT_JOB(JOB_ASKING("a1")),
		  (struct console_view){ .ask = CONSOLE_ASK_NO });
	job_check("job-done", EVENT_JOB(JOB_DONE_PROVEN("a1")), (struct console_view){ 0 });
	job_check("job-failed",
		  EVENT_JOB(JOB_FAILED_WITH("a1", "the server api.example cannot be reached")),
		  (struct console_view){ 0 });
}

static void test_job_list(void **state)
{
	struct console_model *model = model_of(
	    SNAPSHOT_JOBS("", JOB_RUNNING("a1") "," JOB_ASKING("a2") "," JOB_DONE_PROVEN("a3")));
	struct console_view view = { .page = CONSOLE_PAGE_JOBS, .item = 1 };

	sizes_check("jobs", model, view);
	view.page = CONSOLE_PAGE_LIST;
	sizes_check("empty-jobs", model, view);
	console_model_lost(model, NULL);
	view.page = CONSOLE_PAGE_JOB;
	text_copy(view.job, sizeof(view.job), "a1");
	sizes_check("job-service-lost", model, view);
	console_model_free(model);
}

/* What the outside says may turn, hide or break lines; no page is any wider for it. */
static void test_hostile(void **state)
{
	const char *evil = "\\u202eevil\\u0007\\u001b[31m\\n\\t\\u200b👩‍👩‍👧‍👦"
			   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			   "aaaaaaaaaaaaaaaaaaaaaaaa%s%n{phone}{text}";
	static const unsigned sizes[][2] = { { 24, 80 }, { 12, 40 }, { 5, 20 }, { 1, 1 } };
	char job[4096], finding[2048];
	struct console_model *model =
	    model_of(EVENT_SNAPSHOT("false", "true", PHONE_ZOE_TRUSTED("")));
	struct console_view view = view_on(model, CONSOLE_PAGE_JOB);

	snprintf(job, sizeof(job),
		 "{\"kind\":\"job\",\"job\":{\"id\":\"a1\",\"state\":\"%s\",\"goal\":\"%s\","
		 "\"phone\":\"" ZOE_KEY "\",\"label\":\"%s\",\"guidance\":\"%s\",\"step\":99,"
		 "\"steps\":[{\"kind\":\"%s\",\"label\":\"%s\",\"state\":\"%s\"},3,null],"
		 "\"progress\":{\"part\":\"%s\",\"done\":18446744073709551615,\"total\":1,"
		 "\"rate\":-1},\"awaiting\":7}}",
		 evil, evil, evil, evil, evil, evil, evil, evil);
	snprintf(finding, sizeof(finding),
		 "[{\"id\":\"x\",\"severity\":\"%s\",\"title\":\"%s\",\"next\":\"%s\"},7]", evil,
		 evil, evil);
	model_feed(model, job, 1);
	findings_feed(model, finding);
	text_copy(view.job, sizeof(view.job), "a1");
	for (enum console_page page = 0; page < CONSOLE_PAGE_MAX; page++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			for (int charset = 0; charset < SCREEN_CHARSET_MAX; charset++) {
				char *text;

				view.page = page;
				text = screen_of(model, &view, sizes[i][0], sizes[i][1],
						 (enum screen_charset)charset);
				assert_null(strchr(text, '\033'));
				assert_null(strstr(text, "\u202e"));
				free(text);
			}
	console_model_free(model);
}

/* How many hints there are stands once, with the key that tells them. */
static void test_hints_are_told_once(void **state)
{
	struct console_model *model =
	    model_of(EVENT_SNAPSHOT("false", "true", PHONE_ZOE_TRUSTED("")));
	struct console_view view = view_on(model, CONSOLE_PAGE_PHONE);
	char *text;

	findings_feed(model, "[{\"id\":\"trust-stale\",\"severity\":\"problem\",\"title\":\"x\","
			     "\"hints\":[{\"id\":\"tap-trust\",\"text\":\"x\"}]}]");
	text = screen_of(model, &view, 60, 120, SCREEN_CHARSET_UNICODE);
	assert_non_null(strstr(text, "key h"));
	assert_null(strstr(text, "idevicerescue hints"));
	free(text);
	console_model_free(model);
}

/* The longest name, beside everything else that is to be said: the answers are there. */
static void test_long_name_leaves_the_answers(void **state)
{
	char name[128], event[1024], *text;
	struct console_model *model;
	struct console_view view;

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(event, sizeof(event),
		 "{\"kind\":\"snapshot\",\"snapshot\":{\"seq\":1,\"mux_up\":false,\"phones\":"
		 "[{\"key\":\"port:1-2\",\"port\":\"1-2\",\"mode\":\"normal\","
		 "\"presence\":\"present\",\"name\":\"%s\"}]}}",
		 name);
	model = model_of(event);
	view = view_on(model, CONSOLE_PAGE_SAYS);
	text = screen_of(model, &view, 12, 40, SCREEN_CHARSET_UNICODE);
	assert_non_null(strstr(text, "What does the screen"));
	assert_non_null(strstr(text, "None of these"));
	free(text);
	console_model_free(model);
}

/* No size of terminal breaks a page, and what must be read to agree is on every usable one. */
static void test_all_sizes_of_pages(void **state)
{
	static const unsigned widths[] = { 1, 2, 3, 5, 10, 20, 39, 40, 50, 65, 66, 80, 132 };
	struct console_model *model =
	    model_of(SNAPSHOT_JOBS(PHONE_ZOE_TRUSTED(""), JOB_RUNNING("a1")));

	for (enum console_page page = 0; page < CONSOLE_PAGE_MAX; page++)
		for (unsigned rows = 1; rows <= 30; rows++)
			for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
				struct console_view view = view_on(model, page);
				char *text;

				text_copy(view.job, sizeof(view.job), "a1");
				view.scroll = 4;
				view.item = 7;
				view.card.plan = json_of(PLAN_ERASE("t", "900"));
				text_copy(view.card.typed, sizeof(view.card.typed), "XYZ1");
				text = screen_of(model, &view, rows, widths[i],
						 SCREEN_CHARSET_UNICODE);
				if (page == CONSOLE_PAGE_CARD && rows >= 6 && widths[i] >= 20)
					assert_non_null(strstr(text, "> XYZ1_"));
				if (page == CONSOLE_PAGE_CARD && rows >= 12 && widths[i] >= 40)
					assert_non_null(strstr(text, "ERASES the phone"));
				free(text);
				console_view_done(&view);
			}
	console_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_phone_normal),
		cmocka_unit_test(test_phone_other_modes),
		cmocka_unit_test(test_phone_with_job),
		cmocka_unit_test(test_cards),
		cmocka_unit_test(test_jobs),
		cmocka_unit_test(test_job_list),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_all_sizes_of_pages),
		cmocka_unit_test(test_long_name_leaves_the_answers),
		cmocka_unit_test(test_hints_are_told_once),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
