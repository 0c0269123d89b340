/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the boot menu's words mean for the data partition, and what the outcomes are called. Disks
 * are the story's matter (test_native_data.py). */
#include "base/cleanup.h"
#include "unit.h"
#include "worker/data_disk.h"
#include "worker/data_table.h"
#include <string.h>

static void test_words_of_the_boot_menu(void **state)
{
	static const struct {
		const char *cmdline;
		bool forbidden, from_menu, from_stick;
	} rows[] = {
		{ "", false, false, false },
		{ "quiet loglevel=3", false, false, false },
		{ "idevicerescue.medium=hd0,gpt2", false, true, true },
		{ "quiet\tidevicerescue.medium=hd12,gpt2 loglevel=3\n", false, true, true },
		{ "idevicerescue.medium=hd0,gpt2 idevicerescue.data=no", true, true, true },
		{ "idevicerescue.data=no", true, false, false },
		{ "idevicerescue.data=yes idevicerescue.medium=hd0,gpt2", false, true, true },
		{ "idevicerescue.data=nothing", false, false, false },
		{ "xidevicerescue.medium=hd0,gpt2", false, false, false },
		{ "idevicerescue.medium=", false, false, false },
		{ "idevicerescue.medium=hd0", false, true, false },
		{ "idevicerescue.medium=cd0", false, true, false },
		{ "idevicerescue.medium=hd0,msdos2", false, true, false },
		{ "idevicerescue.medium=hd0,gpt1", false, true, false },
		{ "idevicerescue.medium=hd0,gpt20", false, true, false },
		{ "idevicerescue.medium=hd,gpt2", false, true, false },
		{ "idevicerescue.medium=(tftp,10.0.2.2)", false, true, false },
		/* the last one counts, as with every option of the kernel */
		{ "idevicerescue.medium=hd0,gpt2 idevicerescue.medium=cd0", false, true, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct data_wish wish;

		data_wish_read(rows[i].cmdline, &wish);
		assert_int_equal(wish.forbidden, rows[i].forbidden);
		assert_int_equal(wish.from_menu, rows[i].from_menu);
		assert_int_equal(wish.from_stick, rows[i].from_stick);
	}
}

static void test_each_outcome_has_its_name(void **state)
{
	for (int i = 0; i < PARTITION_STATE_MAX; i++) {
		const char *name = partition_state_name((enum partition_state)i);

		assert_non_null(name);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(name,
						partition_state_name((enum partition_state)j));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_of_the_boot_menu),
		cmocka_unit_test(test_each_outcome_has_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
