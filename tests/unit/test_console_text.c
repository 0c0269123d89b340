/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/text.h"
#include "console_fixture.h"
#include "face/screen_prose.h"
#include "face/screen_text.h"
#include <locale.h>
#include <stdlib.h>
#include <string.h>

static void check_clean(const char *text, enum screen_charset charset, const char *expected)
{
	char *clean = screen_text_clean(text, charset), *again;

	assert_non_null(clean);
	assert_string_equal(clean, expected);
	again = screen_text_clean(clean, charset);
	assert_string_equal(again, clean);
	free(again);
	free(clean);
}

static void test_clean_ascii(void **state)
{
	check_clean("Zoë’s “iPhone” – 2…", SCREEN_CHARSET_ASCII, "Zoe's \"iPhone\" - 2...");
	check_clean("Zoe\xcc\x88", SCREEN_CHARSET_ASCII, "Zoe");
	check_clean("小明", SCREEN_CHARSET_ASCII, "??");
	check_clean("─", SCREEN_CHARSET_ASCII, "?");
	check_clean("", SCREEN_CHARSET_ASCII, "");
}

static void test_clean_console(void **state)
{
	check_clean("Zoë’s", SCREEN_CHARSET_CONSOLE, "Zoë's");
	check_clean("小明 и Ω 📱", SCREEN_CHARSET_CONSOLE, "?? и Ω ?");
	check_clean("e\xcc\x81", SCREEN_CHARSET_CONSOLE, "e");
}

static void test_clean_unicode(void **state)
{
	check_clean("Zoë’s 小明 📱", SCREEN_CHARSET_UNICODE, "Zoë’s 小明 📱");
	/* a family of joiners, a skin colour, a flag, marks of direction */
	check_clean("👩\u200d👧", SCREEN_CHARSET_UNICODE, "👩👧");
	check_clean("👍🏽", SCREEN_CHARSET_UNICODE, "👍");
	check_clean("🇩🇪", SCREEN_CHARSET_UNICODE, "DE");
	check_clean("\u202eabc\u202c", SCREEN_CHARSET_UNICODE, "abc");
	check_clean("שלום", SCREEN_CHARSET_UNICODE, "שלום");
	/* more marks on a letter than any language needs */
	check_clean("a\u0300\u0301\u0302\u0303\u0304b", SCREEN_CHARSET_UNICODE,
		    "a\u0300\u0301\u0302"
		    "b");
}

/* Bytes that are no UTF-8 never come from the service; they must still not lead out of the text. */
static void test_clean_broken(void **state)
{
	static const char *const broken[] = { "\xe2", "\xf0\x9f", "\x80", "a\xc3", "\xff\xfe" };

	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
		for (enum screen_charset c = 0; c < SCREEN_CHARSET_MAX; c++) {
			char *clean = screen_text_clean(broken[i], c);

			assert_non_null(clean);
			assert_true(strlen(clean) <= strlen(broken[i]));
			free(clean);
		}
}

static void check_cut(const char *text, size_t columns, enum screen_charset charset,
		      const char *expected)
{
	char *cut = screen_text_cut(text, columns, charset);

	assert_non_null(cut);
	assert_string_equal(cut, expected);
	assert_true(text_columns(cut) <= columns);
	free(cut);
}

static void test_cut(void **state)
{
	check_cut("iPhone", 6, SCREEN_CHARSET_UNICODE, "iPhone");
	check_cut("iPhone", 5, SCREEN_CHARSET_UNICODE, "iPho…");
	check_cut("iPhone", 5, SCREEN_CHARSET_ASCII, "iPh..");
	check_cut("iPhone", 1, SCREEN_CHARSET_ASCII, "i");
	check_cut("iPhone", 0, SCREEN_CHARSET_UNICODE, "");
	/* a wide character is never split: five columns hold two of them and the ellipsis */
	check_cut("小明的手机", 5, SCREEN_CHARSET_UNICODE, "小明…");
	check_cut("小明的手机", 6, SCREEN_CHARSET_UNICODE, "小明…");
	check_cut("my phone", 4, SCREEN_CHARSET_UNICODE, "my…");
}

static void test_wrap(void **state)
{
	const char *rest;

	assert_int_equal(screen_text_wrap("one two three", 8, &rest), 7);
	assert_string_equal(rest, "three");
	assert_int_equal(screen_text_wrap("one two", 3, &rest), 3);
	assert_string_equal(rest, "two");
	assert_int_equal(screen_text_wrap("one", 3, &rest), 3);
	assert_string_equal(rest, "");
	/* a word wider than the line is broken, a character wider than the line is taken */
	assert_int_equal(screen_text_wrap("0011223344", 4, &rest), 4);
	assert_string_equal(rest, "223344");
	assert_int_equal(screen_text_wrap("小明", 1, &rest), 3);
	assert_string_equal(rest, "明");
	assert_int_equal(screen_text_wrap("", 5, &rest), 0);
}

/* Whatever the text and the width: all lines fit, and nothing but spaces is lost. */
static void test_wrap_loses_nothing(void **state)
{
	static const char text[] = "Tap the  upper 小明的手机 button, 00112233445566778899, end.";

	for (size_t columns = 2; columns < 70; columns++) {
		const char *at = text;
		char joined[sizeof(text)] = "", plain[sizeof(text)] = "";

		while (*at) {
			const char *line = at;
			size_t bytes = screen_text_wrap(line, columns, &at);
			char copy[sizeof(text)] = "";

			assert_true(bytes > 0 && at > line);
			memcpy(copy, line, bytes);
			assert_true(text_columns(copy) <= columns);
			strncat(joined, copy, sizeof(joined) - strlen(joined) - 1);
		}
		for (char *c = joined, *p = plain; *c; c++)
			if (*c != ' ')
				*p++ = *c;
		assert_string_equal(plain, "Taptheupper小明的手机button,00112233445566778899,end.");
	}
}

static void test_page_cuts_and_prints(void **state)
{
	struct screen_page *page = NULL;
	char *text = NULL;

	assert_int_equal(screen_page_new(3, 10, SCREEN_CHARSET_UNICODE, &page), 0);
	screen_page_put(page, 0, 2, 99, SCREEN_ROLE_TEXT, "0123456789");
	screen_page_put(page, 1, 6, 3, SCREEN_ROLE_TEXT, "abc");
	screen_page_put(page, 1, 0, 5, SCREEN_ROLE_TEXT, "小明的");
	screen_page_put(page, 3, 0, 5, SCREEN_ROLE_TEXT, "beyond");
	screen_page_put(page, 0, 10, 5, SCREEN_ROLE_TEXT, "beyond");
	assert_int_equal(screen_page_put_right(page, 2, 9, SCREEN_ROLE_TEXT, "right"), 4);
	assert_int_equal(screen_page_print(page, &text), 0);
	assert_string_equal(text, "  0123456…\n小明… abc\n    right\n");
	assert_int_equal(screen_page_error(page), 0);
	free(text);
	screen_page_free(page);
}

static void test_prose_window(void **state)
{
	struct screen_prose *prose = NULL;
	struct screen_page *page = NULL;
	char *text = NULL;

	assert_int_equal(screen_prose_new(24, SCREEN_CHARSET_ASCII, &prose), 0);
	screen_prose_add(prose, SCREEN_ROLE_TEXT, "one");
	screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
	screen_prose_add_labelled(prose, 4, "Now", "five words fit in this line");
	screen_prose_add_labelled(prose, 10, "Label", "below");
	assert_int_equal(screen_prose_lines(prose), 6);
	assert_int_equal(screen_page_new(4, 25, SCREEN_CHARSET_ASCII, &page), 0);
	assert_int_equal(screen_prose_put(prose, 1, page, 0, 1, 4), 1);
	assert_int_equal(screen_page_print(page, &text), 0);
	assert_string_equal(text, "\n Now five words fit in\n     this line\n Label\n");
	free(text);
	screen_page_free(page);
	screen_prose_free(prose);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean_ascii),
		cmocka_unit_test(test_clean_console),
		cmocka_unit_test(test_clean_unicode),
		cmocka_unit_test(test_clean_broken),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_wrap_loses_nothing),
		cmocka_unit_test(test_page_cuts_and_prints),
		cmocka_unit_test(test_prose_window),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
