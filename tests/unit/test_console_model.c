/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/text.h"
#include "console_fixture.h"
#include "face/console_view.h"
#include "phone/fleet.h"
#include <errno.h>
#include <string.h>

static const char *port_at(const struct console_model *model, size_t index)
{
	const struct console_phone *phone = console_model_at(model, index);

	return phone ? console_phone_text(phone, "port") : "(none)";
}

static void test_snapshot(void **state)
{
	struct console_model *model = NULL;

	assert_int_equal(console_model_new(&model), 0);
	assert_int_equal(console_model_link(model), CONSOLE_LINK_WAITING);
	model_feed(model, EVENT_SNAPSHOT("true", "false", PHONE_ZOE "," PHONE_RECOVERY), 1);
	assert_int_equal(console_model_link(model), CONSOLE_LINK_UP);
	assert_true(console_model_is_test(model));
	assert_false(console_model_has_mux(model));
	assert_int_equal(console_model_count(model), 2);
	assert_string_equal(port_at(model, 0), "1-2");
	assert_string_equal(port_at(model, 1), "1-10.2.4");
	assert_null(console_model_at(model, 2));
	console_model_free(model);
}

static void test_phone_fields(void **state)
{
	struct console_model *model = model_of(
	    EVENT_SNAPSHOT("false", "true", PHONE_ZOE "," PHONE_DEBUG_USB "," PHONE_RECOVERY));
	const struct console_phone *zoe = console_model_at(model, 0);
	const struct console_phone *unknown = console_model_at(model, 1);
	const struct console_phone *recovery = console_model_at(model, 2);

	assert_string_equal(console_phone_label(zoe), "Zoë’s iPhone");
	assert_string_equal(console_phone_last4(zoe), "XYZ1");
	assert_int_equal(console_phone_mode(zoe), MODE_NORMAL);
	assert_true(console_phone_is(zoe, "in_mux"));
	assert_string_equal(console_phone_model(zoe)->name, "iPhone 13");
	assert_string_equal(console_phone_label(recovery), "iPhone 8 (GSM)");
	assert_string_equal(console_phone_last4(recovery), "JC68");
	assert_int_equal(console_phone_number(recovery, "hub_depth"), 2);
	assert_int_equal(console_phone_presence(unknown), PRESENCE_SETTLING);
	assert_string_equal(console_phone_last4(unknown), "");
	assert_null(console_phone_model(unknown));
	/* a field of another type counts as absent */
	assert_string_equal(console_phone_text(zoe, "hub_depth"), "");
	assert_int_equal(console_phone_number(zoe, "name"), 0);
	assert_false(console_phone_is(zoe, "port"));
	console_model_free(model);
}

static void test_order_of_ports(void **state)
{
	static const char *const ports[] = { "2-1", "1-10", "1-2", "1-2.3", "1-1" };
	static const char *const sorted[] = { "1-1", "1-2", "1-2.3", "1-10", "2-1" };
	struct console_model *model = model_of(EVENT_SNAPSHOT("false", "true", ""));

	for (unsigned i = 0; i < 5; i++) {
		char phone[512], event[700];

		phone_json(phone, i + 1, ports[i], "dfu");
		snprintf(event, sizeof(event), EVENT_PHONE("added", "%s"), phone);
		model_feed(model, event, 1);
	}
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(port_at(model, i), sorted[i]);
	console_model_free(model);
}

/* The key of a phone becomes stronger while it is here: it stays one phone with one tag. */
static void test_key_changes(void **state)
{
	struct console_model *model = model_of(EVENT_SNAPSHOT("false", "true", PHONE_DEBUG_USB));
	unsigned tag = console_model_at(model, 0)->tag;
	char phone[512], event[700];

	phone_json(phone, 77, "1-3", "dfu");
	snprintf(event, sizeof(event), EVENT_PHONE("changed", "%s"), phone);
	model_feed(model, event, 1);
	assert_int_equal(console_model_count(model), 1);
	assert_int_equal(console_model_at(model, 0)->tag, tag);
	assert_int_equal(console_phone_mode(console_model_at(model, 0)), MODE_DFU);
	console_model_free(model);
}

/*
 * A phone that was known comes up nameless at another port, then the service finds out that it is
 * the same: the nameless entry goes, whether its removal is told before or after.
 */
static void test_merge(void **state)
{
	char phone[512], moved[512], event[700];

	phone_json(phone, 77, "1-1", "dfu");
	phone_json(moved, 77, "1-3", "dfu");
	for (int removed_first = 0; removed_first < 2; removed_first++) {
		struct console_model *model = model_of(EVENT_SNAPSHOT("false", "true", ""));
		unsigned tag;

		snprintf(event, sizeof(event), EVENT_PHONE("added", "%s"), phone);
		model_feed(model, event, 1);
		tag = console_model_at(model, 0)->tag;
		snprintf(event, sizeof(event), EVENT_PHONE("removed", "%s"), phone);
		model_feed(model, event, 1);
		model_feed(model, EVENT_PHONE("added", PHONE_DEBUG_USB), 1);
		if (removed_first)
			model_feed(model, EVENT_PHONE("removed", PHONE_DEBUG_USB), 1);
		snprintf(event, sizeof(event), EVENT_PHONE("changed", "%s"), moved);
		model_feed(model, event, 1);
		if (!removed_first)
			model_feed(model, EVENT_PHONE("removed", PHONE_DEBUG_USB), 0);
		assert_int_equal(console_model_count(model), 1);
		assert_int_equal(console_model_at(model, 0)->tag, tag);
		console_model_free(model);
	}
}

static void test_removed_and_forgotten(void **state)
{
	struct console_model *model =
	    model_of(EVENT_SNAPSHOT("false", "true", PHONE_ZOE "," PHONE_RECOVERY));
	unsigned zoe = console_model_at(model, 0)->tag, other = console_model_at(model, 1)->tag;

	model_feed(model, EVENT_PHONE("removed", PHONE_ZOE), 1);
	model_feed(model, EVENT_PHONE("removed", PHONE_ZOE), 0);
	assert_int_equal(console_model_count(model), 1);
	assert_true(console_model_find(model, zoe)->left);
	assert_int_equal(console_model_index(model, zoe), SIZE_MAX);
	console_model_forget(model, zoe);
	assert_non_null(console_model_find(model, zoe));
	model_feed(model, EVENT_PHONE("added", PHONE_ZOE), 1);
	assert_int_equal(console_model_at(model, 0)->tag, zoe);
	model_feed(model, EVENT_PHONE("removed", PHONE_ZOE), 1);
	console_model_forget(model, 0);
	assert_null(console_model_find(model, zoe));
	assert_non_null(console_model_find(model, other));
	console_model_free(model);
}

static void test_service_lost_and_back(void **state)
{
	struct console_model *model = model_of(EVENT_SNAPSHOT("false", "true", PHONE_ZOE));
	unsigned tag = console_model_at(model, 0)->tag;
	struct error err;

	error_set(&err, ERROR_NO_SERVICE, "service", 0, "nobody listens");
	console_model_lost(model, &err);
	assert_int_equal(console_model_link(model), CONSOLE_LINK_LOST);
	assert_string_equal(console_model_reason(model), "nobody listens");
	assert_int_equal(console_model_count(model), 0);
	model_feed(model, EVENT_SNAPSHOT("false", "true", PHONE_RECOVERY "," PHONE_ZOE), 1);
	assert_int_equal(console_model_count(model), 2);
	assert_int_equal(console_model_at(model, 0)->tag, tag);
	console_model_lost(model, NULL);
	assert_string_equal(console_model_reason(model), "");
	console_model_free(model);
}

static void test_mux(void **state)
{
	struct console_model *model = model_of(EVENT_SNAPSHOT("false", "true", ""));

	model_feed(model, "{\"kind\":\"mux-up\"}", 0);
	model_feed(model, "{\"kind\":\"mux-down\"}", 1);
	assert_false(console_model_has_mux(model));
	model_feed(model, "{\"kind\":\"mux-up\"}", 1);
	assert_true(console_model_has_mux(model));
	console_model_free(model);
}

static void test_odd_events(void **state)
{
	struct console_model *model = model_of(EVENT_SNAPSHOT("false", "true", PHONE_ZOE));

	model_feed(model, "{\"kind\":\"invented-later\"}", 0);
	model_feed(model, "{}", 0);
	model_feed(model, "{\"kind\":\"added\"}", -EBADMSG);
	model_feed(model, "{\"kind\":\"changed\",\"phone\":3}", -EBADMSG);
	model_feed(model, "{\"kind\":\"removed\",\"phone\":null}", -EBADMSG);
	model_feed(model, "{\"kind\":\"snapshot\"}", -EBADMSG);
	model_feed(model, "{\"kind\":\"snapshot\",\"snapshot\":{\"phones\":3}}", -EBADMSG);
	assert_int_equal(console_model_count(model), 1);
	console_model_free(model);
}

static void test_no_more_than_the_fleet(void **state)
{
	struct console_model *model = model_of(EVENT_SNAPSHOT("false", "true", ""));

	for (unsigned i = 0; i <= FLEET_PHONES_MAX; i++) {
		char phone[512], port[16], event[700];

		snprintf(port, sizeof(port), "1-%u", i + 1);
		phone_json(phone, i + 1, port, "dfu");
		snprintf(event, sizeof(event), EVENT_PHONE("added", "%s"), phone);
		model_feed(model, event, i < FLEET_PHONES_MAX);
	}
	assert_int_equal(console_model_count(model), FLEET_PHONES_MAX);
	console_model_free(model);
}

/* --- the view */

static enum console_reaction press(struct console_view *view, const struct console_model *model,
				   enum screen_key key)
{
	return console_view_input(view, model, (struct screen_input){ .key = key });
}

static enum console_reaction type(struct console_view *view, const struct console_model *model,
				  char character)
{
	return console_view_input(
	    view, model,
	    (struct screen_input){ .key = SCREEN_KEY_CHARACTER, .character = character });
}

static void test_view_chooses(void **state)
{
	struct console_model *model = model_of(
	    EVENT_SNAPSHOT("false", "true", PHONE_ZOE "," PHONE_DEBUG_USB "," PHONE_RECOVERY));
	struct console_view view = { 0 };

	console_view_follow(&view, model);
	assert_int_equal(view.chosen, console_model_at(model, 0)->tag);
	assert_int_equal(press(&view, model, SCREEN_KEY_UP), CONSOLE_CHANGED);
	assert_int_equal(view.index, 0);
	press(&view, model, SCREEN_KEY_DOWN);
	assert_int_equal(view.index, 1);
	press(&view, model, SCREEN_KEY_END);
	assert_int_equal(view.index, 2);
	press(&view, model, SCREEN_KEY_DOWN);
	assert_int_equal(view.index, 2);
	/* a phone above it leaves: the choice moves with its phone */
	model_feed(model, EVENT_PHONE("removed", PHONE_ZOE), 1);
	console_view_follow(&view, model);
	assert_int_equal(view.index, 1);
	/* the chosen one leaves: its neighbour is next */
	model_feed(model, EVENT_PHONE("removed", PHONE_RECOVERY), 1);
	console_view_follow(&view, model);
	assert_int_equal(view.index, 0);
	assert_int_equal(view.chosen, console_model_at(model, 0)->tag);
	model_feed(model, EVENT_PHONE("removed", PHONE_DEBUG_USB), 1);
	console_view_follow(&view, model);
	assert_int_equal(view.chosen, 0);
	assert_int_equal(press(&view, model, SCREEN_KEY_DOWN), CONSOLE_CHANGED);
	assert_int_equal(press(&view, model, SCREEN_KEY_ENTER), CONSOLE_NOTHING);
	console_model_free(model);
}

static void test_view_details(void **state)
{
	struct console_model *model =
	    model_of(EVENT_SNAPSHOT("false", "true", PHONE_ZOE "," PHONE_RECOVERY));
	struct console_view view = { .visible = 10 };
	unsigned chosen;

	console_view_follow(&view, model);
	assert_int_equal(press(&view, model, SCREEN_KEY_BACK), CONSOLE_NOTHING);
	assert_int_equal(press(&view, model, SCREEN_KEY_ENTER), CONSOLE_CHANGED);
	assert_int_equal(view.page, CONSOLE_PAGE_PHONE);
	chosen = view.chosen;
	assert_int_equal(type(&view, model, 'i'), CONSOLE_CHANGED);
	assert_int_equal(view.page, CONSOLE_PAGE_FACTS);
	press(&view, model, SCREEN_KEY_PAGE_DOWN);
	assert_int_equal(view.scroll, 9);
	press(&view, model, SCREEN_KEY_HOME);
	assert_int_equal(view.scroll, 0);
	/* the phone leaves the bus while somebody reads which buttons to hold: the page stays */
	model_feed(model, EVENT_PHONE("removed", PHONE_ZOE), 1);
	console_view_follow(&view, model);
	console_model_forget(model, view.chosen);
	assert_int_equal(view.page, CONSOLE_PAGE_FACTS);
	assert_int_equal(view.chosen, chosen);
	assert_int_equal(press(&view, model, SCREEN_KEY_BACK), CONSOLE_CHANGED);
	assert_int_equal(view.page, CONSOLE_PAGE_PHONE);
	assert_int_equal(press(&view, model, SCREEN_KEY_ERASE), CONSOLE_CHANGED);
	assert_int_equal(view.page, CONSOLE_PAGE_LIST);
	assert_int_equal(view.chosen, console_model_at(model, 0)->tag);
	console_model_free(model);
}

static void test_view_digits(void **state)
{
	struct console_model *model =
	    model_of(EVENT_SNAPSHOT("false", "true", PHONE_ZOE "," PHONE_RECOVERY));
	struct console_view view = { 0 };

	console_view_follow(&view, model);
	for (unsigned digit = 0; digit <= 9; digit++) {
		struct screen_input input = { SCREEN_KEY_DIGIT, digit, (char)('0' + digit) };
		bool is_phone = digit == 1 || digit == 2;

		view.page = CONSOLE_PAGE_LIST;
		assert_int_equal(console_view_input(&view, model, input),
				 is_phone ? CONSOLE_CHANGED : CONSOLE_NOTHING);
		assert_int_equal(view.page, is_phone ? CONSOLE_PAGE_PHONE : CONSOLE_PAGE_LIST);
		if (is_phone)
			assert_int_equal(view.index, digit - 1);
	}
	console_model_free(model);
}

static void test_view_leaves(void **state)
{
	struct console_model *model = model_of(EVENT_SNAPSHOT("false", "true", ""));
	struct console_view view = { 0 };

	assert_int_equal(press(&view, model, SCREEN_KEY_QUIT), CONSOLE_LEAVE);
	view.resident = true;
	assert_int_equal(press(&view, model, SCREEN_KEY_QUIT), CONSOLE_NOTHING);
	assert_int_equal(press(&view, model, SCREEN_KEY_OTHER), CONSOLE_REPAINT);
	console_model_free(model);
}

/* The list is empty while the service restarts; the choice is not lost by that. */
static void test_view_survives_the_service(void **state)
{
	struct console_model *model =
	    model_of(EVENT_SNAPSHOT("false", "true", PHONE_ZOE "," PHONE_RECOVERY));
	struct console_view view = { 0 };

	console_view_follow(&view, model);
	press(&view, model, SCREEN_KEY_DOWN);
	console_model_lost(model, NULL);
	console_view_follow(&view, model);
	console_model_forget(model, view.chosen);
	model_feed(model, EVENT_SNAPSHOT("false", "true", PHONE_ZOE "," PHONE_RECOVERY), 1);
	console_view_follow(&view, model);
	assert_int_equal(view.index, 1);
	assert_string_equal(port_at(model, view.index), "1-10.2.4");
	console_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_snapshot),
		cmocka_unit_test(test_phone_fields),
		cmocka_unit_test(test_order_of_ports),
		cmocka_unit_test(test_key_changes),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_removed_and_forgotten),
		cmocka_unit_test(test_service_lost_and_back),
		cmocka_unit_test(test_mux),
		cmocka_unit_test(test_odd_events),
		cmocka_unit_test(test_no_more_than_the_fleet),
		cmocka_unit_test(test_view_chooses),
		cmocka_unit_test(test_view_details),
		cmocka_unit_test(test_view_digits),
		cmocka_unit_test(test_view_leaves),
		cmocka_unit_test(test_view_survives_the_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
