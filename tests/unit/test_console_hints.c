/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The three lights, the hints against a finding, and what the phone's screen shows. */
#include "console_golden.h"
#include "console_jobs_fixture.h"
#include "face/console_ask.h"
#include <errno.h>
#include <locale.h>

enum { NOW_MS = 1000 };

#define LIT(lights) EVENT_SNAPSHOT("false", "true", PHONE_ZOE_TRUSTED("," lights))

#define FINDINGS_PASSCODE                                                                          \
	"[{\"id\":\"forgotten-passcode\",\"severity\":\"problem\",\"title\":\"Nobody knows the "   \
	"passcode\",\"meaning\":\"m\",\"next\":\"n\",\"cost\":\"c\",\"evidence\":\"said\"}]"

struct desk {
	struct console_model *model;
	struct console_view view;
};

static struct desk desk_of(const char *event, const char *findings)
{
	struct desk desk = { .model = model_of(event), .view = { .card = { .goal = GOAL_MAX } } };

	console_view_follow(&desk.view, desk.model);
	if (findings) {
		sd_json_variant *list = json_of(findings);

		assert_int_equal(console_model_findings(desk.model, desk.view.chosen, list), 1);
		sd_json_variant_unref(list);
	}
	console_view_open(&desk.view, CONSOLE_PAGE_PHONE);
	return desk;
}

static void desk_done(struct desk *desk)
{
	console_view_done(&desk->view);
	console_model_free(desk->model);
}

static enum console_reaction press(struct desk *desk, enum screen_key key)
{
	return console_view_input(&desk->view, desk->model, (struct screen_input){ .key = key });
}

static enum console_reaction type(struct desk *desk, char c)
{
	struct screen_input input = { .key = SCREEN_KEY_CHARACTER, .character = c };

	if (c >= '0' && c <= '9') {
		input.key = SCREEN_KEY_DIGIT;
		input.digit = (unsigned)(c - '0');
	}
	return console_view_input(&desk->view, desk->model, input);
}

static void test_lights(void **state)
{
	struct desk desk = desk_of(LIT(LIGHTS("working", "working", "failed")), FINDINGS_STALE);

	sizes_check("phone-lights", desk.model, desk.view);
	desk.view.page = CONSOLE_PAGE_LIST;
	sizes_check("list-lights", desk.model, desk.view);
	desk_done(&desk);
}

/* Half a light, a word that we do not know, and no list at all are shown as far as they go. */
static void test_odd_lights(void **state)
{
	static const char *const odd[] = {
		LIT("\"lights\":\"on\""),
		LIT("\"lights\":[]"),
		LIT("\"lights\":[7,{\"light\":7,\"state\":\"working\"}]"),
		LIT("\"lights\":[{\"light\":\"usb\"},{\"light\":\"lamp\",\"state\":\"failed\"}]"),
		LIT("\"lights\":[{\"light\":\"usb\",\"state\":\"glowing\",\"evidence\":7}]"),
	};

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct desk desk = desk_of(odd[i], NULL);
		char *text = screen_of(desk.model, &desk.view, 24, 80, SCREEN_CHARSET_UNICODE);

		assert_null(strstr(text, "failed"));
		assert_int_equal(strstr(text, "USB off") != NULL, i >= 3);
		free(text);
		desk_done(&desk);
	}
}

static void test_hints_of_findings(void **state)
{
	struct desk desk = desk_of(LIT(LIGHTS("working", "working", "failed")), FINDINGS_STALE);

	assert_int_equal(type(&desk, 'h'), CONSOLE_CHANGED);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_HINTS);
	sizes_check("hints", desk.model, desk.view);
	assert_int_equal(press(&desk, SCREEN_KEY_DOWN), CONSOLE_CHANGED);
	assert_int_equal(desk.view.scroll, 1);
	assert_int_equal(press(&desk, SCREEN_KEY_ENTER), CONSOLE_CHANGED); /* the next finding */
	assert_int_equal(desk.view.item, 1);
	assert_int_equal(desk.view.scroll, 0);
	sizes_check("hints-none", desk.model, desk.view); /* of an id that this program lacks */
	assert_int_equal(press(&desk, SCREEN_KEY_RIGHT), CONSOLE_CHANGED);
	assert_int_equal(desk.view.item, 0);
	assert_int_equal(press(&desk, SCREEN_KEY_BACK), CONSOLE_CHANGED);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_PHONE);
	desk_done(&desk);
}

/* The way through the menus is that of the phone's own version. */
static void test_menu_of_the_version(void **state)
{
	struct desk desk = desk_of(LIT(LIGHTS("working", "working", "failed")), FINDINGS_STALE);
	char *text;

	type(&desk, 'h');
	text = screen_of(desk.model, &desk.view, 200, 160, SCREEN_CHARSET_ASCII);
	assert_non_null(strstr(text, "Transfer or Reset iPhone"));
	assert_null(strstr(text, "before iOS 15"));
	free(text);
	desk_done(&desk);
}

static void test_hints_before_a_diagnosis(void **state)
{
	struct desk desk = desk_of(LIT(LIGHTS("working", "off", "off")), NULL);
	char *text;

	type(&desk, 'h');
	text = screen_of(desk.model, &desk.view, 24, 80, SCREEN_CHARSET_ASCII);
	assert_non_null(strstr(text, "not known yet"));
	free(text);
	assert_int_equal(press(&desk, SCREEN_KEY_ENTER), CONSOLE_NOTHING);
	desk_done(&desk);
}

/* What erases stands at the end of the ladder, behind the backup. */
static void test_ladder_of_a_forgotten_passcode(void **state)
{
	struct desk desk = desk_of(LIT(LIGHTS("working", "working", "failed")), FINDINGS_PASSCODE);
	char *text, *backup, *erase;

	type(&desk, 'h');
	text = screen_of(desk.model, &desk.view, 200, 100, SCREEN_CHARSET_ASCII);
	backup = strstr(text, "Save the data");
	erase = strstr(text, "ERASES ALL DATA");
	assert_true(backup && erase && backup < erase);
	assert_non_null(strstr(text, "Activation Lock"));
	free(text);
	desk_done(&desk);
}

static void asks(const struct desk *desk, const char *expected)
{
	sd_json_variant *parameters = NULL;
	const char *method = NULL;
	char *text = NULL;

	assert_int_equal(console_ask_make(&desk->view, desk->model, &method, &parameters), 0);
	assert_string_equal(method, "Diagnose");
	assert_true(sd_json_variant_format(parameters, 0, &text) >= 0);
	assert_string_equal(text, expected);
	free(text);
	sd_json_variant_unref(parameters);
}

static void answered(struct desk *desk, const char *reply)
{
	sd_json_variant *object = json_of(reply);

	assert_int_equal(console_ask_answered(&desk->view, desk->model, object, NULL, NOW_MS), 0);
	sd_json_variant_unref(object);
}

static void test_what_the_screen_shows(void **state)
{
	struct desk desk = desk_of(LIT(LIGHTS("working", "working", "failed")), FINDINGS_STALE);
	unsigned tag = desk.view.chosen;

	assert_int_equal(type(&desk, 's'), CONSOLE_CHANGED);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_SAYS);
	sizes_check("says", desk.model, desk.view);
	assert_int_equal(type(&desk, '9'), CONSOLE_NOTHING);
	assert_int_equal(type(&desk, '0'), CONSOLE_NOTHING);
	assert_int_equal(press(&desk, SCREEN_KEY_DOWN), CONSOLE_CHANGED);
	assert_int_equal(press(&desk, SCREEN_KEY_ENTER), CONSOLE_ASK);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_PHONE);
	assert_int_equal(desk.view.ask, CONSOLE_ASK_SAYS);
	assert_int_equal(console_view_said(&desk.view, tag), SAID_DISABLED);
	assert_int_equal(console_view_said(&desk.view, tag + 1), SAID_NOTHING);
	asks(&desk, "{\"phone\":\"" ZOE_KEY "\",\"says\":\"disabled\"}");
	answered(&desk, "{\"diagnoses\":[{\"findings\":" FINDINGS_PASSCODE "}]}");
	assert_int_equal(desk.view.ask, CONSOLE_ASK_NONE);
	sizes_check("phone-says", desk.model, desk.view);
	desk_done(&desk);
}

static void test_none_of_these(void **state)
{
	struct desk desk = desk_of(LIT(LIGHTS("working", "working", "failed")), FINDINGS_STALE);

	type(&desk, 's');
	assert_int_equal(type(&desk, '1'), CONSOLE_ASK);
	asks(&desk, "{\"phone\":\"" ZOE_KEY "\",\"says\":\"forgotten-passcode\"}");
	type(&desk, 's');
	assert_int_equal(type(&desk, '4'), CONSOLE_ASK);
	assert_int_equal(console_view_said(&desk.view, desk.view.chosen), SAID_NOTHING);
	asks(&desk, "{\"phone\":\"" ZOE_KEY "\"}");
	answered(&desk, "{\"diagnoses\":[{\"findings\":[]}]}");
	assert_string_equal(desk.view.notice, "");
	answered(&desk, "{}"); /* nothing was asked: it changes nothing */
	desk_done(&desk);
}

static void test_answers_that_are_odd(void **state)
{
	static const char *const odd[] = { "{}", "{\"diagnoses\":[]}", "{\"diagnoses\":[7]}",
					   "{\"diagnoses\":7}" };

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct desk desk = desk_of(LIT(LIGHTS("working", "off", "off")), FINDINGS_STALE);

		type(&desk, 's');
		type(&desk, '3');
		answered(&desk, odd[i]);
		assert_true(desk.view.notice[0] != '\0');
		desk_done(&desk);
	}
}

/* The phone leaves while its screen is asked about: nobody is left to be asked. */
static void test_phone_leaves(void **state)
{
	struct desk desk = desk_of(LIT(LIGHTS("working", "off", "off")), FINDINGS_STALE);
	sd_json_variant *parameters = NULL;
	const char *method = NULL;

	type(&desk, 's');
	model_feed(desk.model, EVENT_PHONE("removed", PHONE_ZOE_TRUSTED("")), 1);
	console_view_follow(&desk.view, desk.model);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_SAYS); /* it may come back */
	assert_int_equal(type(&desk, '1'), CONSOLE_ASK);
	assert_int_equal(console_ask_make(&desk.view, desk.model, &method, &parameters), -ENODEV);
	console_model_forget(desk.model, 0);
	console_view_open(&desk.view, CONSOLE_PAGE_HINTS);
	console_view_follow(&desk.view, desk.model);
	assert_int_equal(desk.view.page, CONSOLE_PAGE_LIST);
	desk_done(&desk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lights),
		cmocka_unit_test(test_odd_lights),
		cmocka_unit_test(test_hints_of_findings),
		cmocka_unit_test(test_menu_of_the_version),
		cmocka_unit_test(test_hints_before_a_diagnosis),
		cmocka_unit_test(test_ladder_of_a_forgotten_passcode),
		cmocka_unit_test(test_what_the_screen_shows),
		cmocka_unit_test(test_none_of_these),
		cmocka_unit_test(test_answers_that_are_odd),
		cmocka_unit_test(test_phone_leaves),
	};

	setlocale(LC_ALL, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
