/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a person can do: lookups, the order of the ladder, ways through menus, what is lost. */
#include "base/cleanup.h"
#include "face/hint_text.h"
#include "facts/facts.h"
#include "unit.h"
#include <string.h>

static void hints_are_found(void **state)
{
	size_t count;
	const struct hint_fact *all = hint_all(&count);

	assert_true(count > 0);
	for (size_t i = 0; i < count; i++) {
		assert_ptr_equal(hint_find(all[i].id), &all[i]);
		assert_true(i == 0 || all[i - 1].rung <= all[i].rung);
		assert_true(all[i].system < PLACE_MAX);
	}
	assert_non_null(hint_find("reset-privacy"));
	assert_null(hint_find("reset-privac"));
	assert_null(hint_find(""));
	assert_null(hint_find(NULL));
}

static void names_of_rungs_and_places(void **state)
{
	assert_string_equal(rung_name(RUNG_LINK), "link");
	assert_string_equal(rung_name(RUNG_PREVENTION), "prevention");
	for (size_t i = 0; i < PLACE_MAX; i++)
		assert_int_equal(place_from_name(place_name((enum place)i)), i);
	assert_string_equal(place_name(PLACE_WINDOWS), "windows");
	assert_int_equal(place_from_name("Windows"), PLACE_MAX);
	assert_int_equal(place_from_name(""), PLACE_MAX);
	assert_int_equal(place_from_name(NULL), PLACE_MAX);
}

/* How many hints the finding has; each is found once, in ladder order. */
static size_t ladder_check(const char *finding)
{
	const struct hint_fact *before = NULL, *hint;
	size_t count = 0;

	for (; (hint = hint_of_finding(finding, count)); count++) {
		assert_true(!before || before < hint);
		before = hint;
	}
	assert_null(hint_of_finding(finding, count + 1));
	return count;
}

static void every_finding_has_a_ladder(void **state)
{
	size_t count;
	const struct finding_fact *all = finding_all(&count);

	for (size_t i = 0; i < count; i++)
		if (ladder_check(all[i].id) == 0)
			fail_msg("%s has no hint", all[i].id);
	assert_int_equal(ladder_check("no-such-finding"), 0);
	assert_int_equal(ladder_check("trust"), 0); /* a part of an id is none */
	assert_null(hint_of_finding("-", 0));
	assert_null(hint_of_finding("", 0));
	assert_null(hint_of_finding(NULL, 0));
}

/* Of what is wrong with trust no ladder erases at all, of nothing the first rungs do. */
static void nothing_erases_early(void **state)
{
	size_t count;
	const struct finding_fact *all = finding_all(&count);

	for (size_t i = 0; i < count; i++) {
		const struct hint_fact *hint;
		bool backup = false;

		for (size_t n = 0; (hint = hint_of_finding(all[i].id, n)); n++) {
			backup = backup || hint->rung == RUNG_BACKUP;
			if (hint->rung != RUNG_ERASE)
				continue;
			if (strncmp(all[i].id, "trust-", 6) == 0 || !backup || n == 0)
				fail_msg("%s erases for %s", hint->id, all[i].id);
			assert_non_null(strstr(hint->loses, "erased"));
		}
	}
}

static void places_have_their_hints(void **state)
{
	static const enum place computers[] = { PLACE_WINDOWS, PLACE_MACOS, PLACE_LINUX };

	for (size_t i = 0; i < ARRAY_LEN(computers); i++) {
		const struct hint_fact *hint;
		size_t count = 0;

		for (; (hint = hint_of_place(computers[i], count)); count++) {
			assert_int_equal(hint->system, computers[i]);
			assert_int_equal(hint->rung, RUNG_COMPUTER);
		}
		assert_true(count >= 3);
	}
	assert_null(hint_of_place(PLACE_MAX, 0));
}

static void menu_check(const char *menu, unsigned major, const char *expected)
{
	struct hint_fact hint = { .menu = menu };
	char path[64] = "x";

	assert_int_equal(hint_menu(&hint, major, path, sizeof(path)), *expected != '\0');
	assert_string_equal(path, expected);
}

static void menus_follow_the_version(void **state)
{
	const char *both = "iOS 15 and later: A > B | before iOS 15: C";
	const char *three = "iOS 26 and later: A | iOS 15 and later: B | before iOS 15: C";

	menu_check("-", 17, "");
	menu_check("-", 0, "");
	menu_check("A > B", 17, "A > B");
	menu_check("A > B", 0, "A > B");
	menu_check(both, 0, both);
	menu_check(both, 14, "C");
	menu_check(both, 15, "A > B");
	menu_check(both, 26, "A > B");
	menu_check(three, 26, "A");
	menu_check(three, 25, "B");
	menu_check(three, 1, "C");
	menu_check("iOS 13 and later: A", 12, "");
	menu_check("iOS 13 and later: A", 13, "A");
}

static void a_long_menu_is_cut(void **state)
{
	struct hint_fact hint = { .menu = "before iOS 15: abcdefgh" };
	char path[5];

	assert_true(hint_menu(&hint, 14, path, sizeof(path)));
	assert_string_equal(path, "abcd");
	assert_true(hint_menu(&hint, 0, path, sizeof(path)));
	assert_string_equal(path, "befo");
}

static void resets_say_their_way_and_their_price(void **state)
{
	char path[256];

	assert_true(hint_menu(hint_find("reset-privacy"), 14, path, sizeof(path)));
	assert_string_equal(path, "Settings > General > Reset > Reset Location & Privacy");
	assert_true(hint_menu(hint_find("reset-network"), 17, path, sizeof(path)));
	assert_non_null(strstr(path, "Transfer or Reset iPhone"));
	assert_non_null(strstr(hint_find("reset-network")->loses, "Wi-Fi"));
	assert_non_null(strstr(hint_find("reset-network")->loses, "VPN"));
	assert_non_null(strstr(hint_find("reset-network")->loses, "Bluetooth"));
}

static void major_of_versions(void **state)
{
	assert_int_equal(hint_text_major("17.5.1"), 17);
	assert_int_equal(hint_text_major("9"), 9);
	assert_int_equal(hint_text_major(""), 0);
	assert_int_equal(hint_text_major("x17"), 0);
	assert_int_equal(hint_text_major("99999999999999999999"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hints_are_found),
		cmocka_unit_test(names_of_rungs_and_places),
		cmocka_unit_test(every_finding_has_a_ladder),
		cmocka_unit_test(nothing_erases_early),
		cmocka_unit_test(places_have_their_hints),
		cmocka_unit_test(menus_follow_the_version),
		cmocka_unit_test(a_long_menu_is_cut),
		cmocka_unit_test(resets_say_their_way_and_their_price),
		cmocka_unit_test(major_of_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
