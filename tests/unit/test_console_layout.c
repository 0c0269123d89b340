/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The list, the facts and what stands where there is no phone; console_golden.h compares. The other
 * pages are in test_console_pages.c.
 */
#include "console_golden.h"
#include <locale.h>

static void test_waiting(void **state)
{
	struct console_model *model = NULL;

	assert_int_equal(console_model_new(&model), 0);
	sizes_check("waiting", model, (struct console_view){ 0 });
	console_model_free(model);
}

static void test_lost(void **state)
{
	struct console_model *model = model_of(EVENT_SNAPSHOT("false", "true", PHONE_ZOE));
	struct error err;

	error_set(&err, ERROR_NO_SERVICE, "service", 0,
		  "nobody listens at /run/idevicerescue/socket");
	console_model_lost(model, &err);
	sizes_check("lost", model, (struct console_view){ 0 });
	console_model_free(model);
}

static void test_empty(void **state)
{
	struct console_model *model = model_of(EVENT_SNAPSHOT("false", "true", ""));

	sizes_check("empty", model, (struct console_view){ .resident = true });
	console_model_free(model);
}

static void test_list(void **state)
{
	struct console_model *model = model_of(
	    EVENT_SNAPSHOT("true", "false", PHONE_ZOE "," PHONE_DEBUG_USB "," PHONE_RECOVERY));
	struct console_view view = { 0 };

	sizes_check("list", model, view);
	view.chosen = console_model_at(model, 2)->tag;
	sizes_check("list-hub", model, view);
	console_model_free(model);
}

static void test_details(void **state)
{
	struct console_model *model =
	    model_of(EVENT_SNAPSHOT("false", "true", PHONE_ZOE "," PHONE_RECOVERY));
	struct console_view view = { .page = CONSOLE_PAGE_FACTS };

	view.chosen = console_model_at(model, 0)->tag;
	sizes_check("details-normal", model, view);
	view.chosen = console_model_at(model, 1)->tag;
	sizes_check("details-recovery", model, view);
	view.scroll = 10000; /* the layout finds the end */
	sizes_check("details-end", model, view);
	model_feed(model, EVENT_PHONE("removed", PHONE_RECOVERY), 1);
	view.scroll = 0;
	sizes_check("details-left", model, view);
	console_model_free(model);
}

/* Twelve phones of all modes with the names that break other people's tables. */
static struct console_model *model_of_twelve(void)
{
	static const char *const names[12] = {
		"小明的手机和一个非常非常长的名字",
		"👩‍👩‍👧‍👦 Family 📱",
		"הטלפון של דנה",
		"هاتف سارة",
		"Zoe\u0308 (decomposed)",
		"\u202eevil direction\u202c",
		"A name that is much longer than any column of any screen of this world",
		"🇩🇪🇫🇷 Reise",
		"",
		"Søren",
		"Ω и я",
		"iPhone",
	};
	struct console_model *model = model_of(EVENT_SNAPSHOT("false", "true", ""));

	for (unsigned i = 0; i < 12; i++) {
		char event[1024], mode[32];

		snprintf(mode, sizeof(mode), "%s", mode_name((enum mode)(i % MODE_MAX)));
		snprintf(event, sizeof(event),
			 "{\"kind\":\"added\",\"phone\":{\"key\":\"ecid:0x%016x\",\"ecid\":"
			 "\"0x%016x\",\"presence\":\"present\",\"mode\":\"%s\",\"trust\":"
			 "\"unknown\",\"name\":\"%s\",\"model\":\"iPhone %u\",\"product\":"
			 "\"iPhone14,5\",\"port\":\"1-%u\",\"speed_mbps\":%u,\"hub_depth\":%u}}",
			 0x1000 + i, 0x1000 + i, mode, names[i], i, i + 1, i == 3 ? 5000 : 480,
			 i % 2);
		model_feed(model, event, 1);
	}
	return model;
}

static void test_twelve(void **state)
{
	struct console_model *model = model_of_twelve();
	struct console_view view = { 0 };

	sizes_check("twelve", model, view);
	view.chosen = console_model_at(model, 11)->tag;
	sizes_check("twelve-last", model, view);
	console_model_free(model);
}

/* In every list the columns after the name stand below each other, whatever the name is. */
static void test_columns_hold(void **state)
{
	struct console_model *model = model_of_twelve();
	struct console_view view = { 0 };
	struct screen_page *page = NULL;
	unsigned columns[8] = { 0 }, rows = 0;

	console_view_follow(&view, model);
	assert_int_equal(screen_page_new(40, 100, SCREEN_CHARSET_UNICODE, &page), 0);
	assert_int_equal(console_layout(model, &view, "1.0", page), 0);
	for (unsigned row = 0; row < 40; row++) {
		size_t count, at = 0;
		enum screen_role fill;
		const struct screen_span *spans = screen_page_row(page, row, &count, &fill);
		unsigned end = 0;

		at = fill == SCREEN_ROLE_SELECTED;      /* its mark */
		if (count < 6 || spans[at].column != 2) /* a phone begins with its number */
			continue;
		for (size_t i = at; i < count && i - at < 8; i++) {
			assert_true(spans[i].column >= end);
			end = spans[i].column + (unsigned)text_columns(spans[i].text);
			if (rows == 0)
				columns[i - at] = spans[i].column;
			assert_int_equal(spans[i].column, columns[i - at]);
		}
		rows++;
	}
	assert_int_equal(rows, 12);
	screen_page_free(page);
	console_model_free(model);
}

/* No size of terminal breaks anything, and the chosen phone is visible wherever a list is. */
static void test_all_sizes(void **state)
{
	static const unsigned widths[] = {
		1, 2, 3, 5, 10, 20, 39, 40, 50, 59, 60, 65, 66, 80, 132
	};
	struct console_model *model = model_of_twelve();

	for (unsigned rows = 1; rows <= 30; rows++)
		for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++)
			for (int details = 0; details < 2; details++) {
				struct console_view view = { .page = details ? CONSOLE_PAGE_FACTS
									     : CONSOLE_PAGE_LIST,
							     .scroll = 5 };
				char *text;

				view.chosen = console_model_at(model, 9)->tag;
				text = screen_of(model, &view, rows, widths[i],
						 SCREEN_CHARSET_UNICODE);
				if (!details && rows >= 5 && widths[i] >= 10)
					assert_non_null(strstr(text, "\n> 10 "));
				free(text);
			}
	console_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waiting),      cmocka_unit_test(test_lost),
		cmocka_unit_test(test_empty),        cmocka_unit_test(test_list),
		cmocka_unit_test(test_details),      cmocka_unit_test(test_twelve),
		cmocka_unit_test(test_columns_hold), cmocka_unit_test(test_all_sizes),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
