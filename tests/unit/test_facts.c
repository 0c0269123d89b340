/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "base/text.h"
#include "facts/facts.h"
#include "unit.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Beside the tree, not part of it: product, board, cpid, bdid, name … with a header line. */
static const char boards_path[] = "../shared/data/tables/boards.tsv";
static const char research_product[] = "iPhone99,11"; /* no phone: left out on purpose */

static void assert_model(const struct model *model, const char *product, const char *name,
			 enum buttons buttons, unsigned year)
{
	assert_non_null(model);
	assert_string_equal(model->product, product);
	assert_string_equal(model->name, name);
	assert_int_equal(model->buttons, buttons);
	assert_int_equal(model->year, year);
}

static void newest_models_are_known(void **state)
{
	assert_model(model_by_chip(0x8140, 0x04), "iPhone17,5", "iPhone 16e", BUTTONS_VOLUME_SIDE,
		     2025);
	assert_model(model_by_chip(0x8150, 0x16), "iPhone18,5", "iPhone 17e", BUTTONS_VOLUME_SIDE,
		     2026);
	assert_model(model_by_chip(0x8150, 0x0a), "iPhone18,4", "iPhone Air", BUTTONS_VOLUME_SIDE,
		     2025);
	assert_model(model_by_board("j821ap"), "iPad17,4", "iPad Pro 13-inch (M5, Cellular)",
		     BUTTONS_IPAD_NO_HOME, 2025);
}

static void oldest_models_are_known(void **state)
{
	assert_model(model_by_chip(0x8900, 0x00), "iPhone1,1", "iPhone 2G", BUTTONS_HOME_TOP, 2007);
	assert_model(model_by_product("iPod1,1"), "iPod1,1", "iPod Touch (1st gen)",
		     BUTTONS_HOME_TOP, 2007);
	assert_model(model_by_product("iPad1,1"), "iPad1,1", "iPad", BUTTONS_IPAD_HOME, 2010);
}

/* Where blacktop/ipsw says otherwise, see models.tsv. */
static void disputed_boards_follow_libirecovery(void **state)
{
	assert_string_equal(model_by_chip(0x8140, 0x08)->product, "iPhone17,3");
	assert_string_equal(model_by_chip(0x8140, 0x0a)->product, "iPhone17,4");
	assert_string_equal(model_by_chip(0x8140, 0x0e)->product, "iPhone17,2");
	assert_string_equal(model_by_chip(0x8150, 0x0e)->product, "iPhone18,2");
	assert_null(model_by_chip(0x8150, 0x3e));
}

/* The traps of the button table: each of these was wrong in some public tool or guide. */
static void buttons_follow_the_model_not_the_look(void **state)
{
	static const struct {
		const char *product;
		enum buttons buttons;
	} rows[] = {
		{ "iPhone6,2", BUTTONS_HOME_TOP },     { "iPhone7,1", BUTTONS_HOME_SIDE },
		{ "iPhone8,1", BUTTONS_HOME_SIDE },    { "iPhone8,2", BUTTONS_HOME_SIDE },
		{ "iPhone8,4", BUTTONS_HOME_TOP },     { "iPhone9,4", BUTTONS_VOLUME_DOWN },
		{ "iPhone10,1", BUTTONS_VOLUME_SIDE }, { "iPhone12,8", BUTTONS_VOLUME_SIDE },
		{ "iPhone14,6", BUTTONS_VOLUME_SIDE }, { "iPod7,1", BUTTONS_HOME_TOP },
		{ "iPod9,1", BUTTONS_VOLUME_DOWN },    { "iPad7,5", BUTTONS_IPAD_HOME },
		{ "iPad8,1", BUTTONS_IPAD_NO_HOME },   { "iPad11,7", BUTTONS_IPAD_HOME },
		{ "iPad12,1", BUTTONS_IPAD_HOME },     { "iPad13,1", BUTTONS_IPAD_NO_HOME },
		{ "iPad14,1", BUTTONS_IPAD_NO_HOME },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(model_by_product(rows[i].product)->buttons, rows[i].buttons);
}

static void unknown_models_are_null(void **state)
{
	assert_null(model_by_chip(0x8110, 0xff));
	assert_null(model_by_chip(0, 0));
	assert_null(model_by_chip(UINT32_MAX, UINT32_MAX));
	assert_null(model_by_chip(0xfe01, 0x90));
	assert_null(model_by_product(research_product));
	assert_null(model_by_product("iphone14,5")); /* exact case */
	assert_null(model_by_product("iPhone14,"));
	assert_null(model_by_product(""));
	assert_null(model_by_board(""));
	assert_null(model_by_board("d17"));
	assert_null(model_by_board("zzzap"));
}

static void every_model_is_found_by_each_key(void **state)
{
	size_t count;
	const struct model *models = model_all(&count);

	assert_int_equal(count, 180);
	for (size_t i = 0; i < count; i++) {
		const struct model *model = &models[i];
		const struct model *first = model_by_product(model->product);

		assert_ptr_equal(model_by_chip(model->cpid, model->bdid), model);
		assert_ptr_equal(model_by_board(model->board), model);
		assert_true(first <= model && strcmp(first->product, model->product) == 0);
		assert_true(first == models || strcmp(first[-1].product, model->product) != 0);
		assert_true(model->tried < TRIED_MAX && *model->source != '\0');
	}
}

static void shared_products_give_their_first_board(void **state)
{
	assert_string_equal(model_by_product("iPhone8,1")->board, "n71ap");
	assert_string_equal(model_by_product("iPhone8,4")->board, "n69ap");
	assert_string_equal(model_by_product("iPad6,12")->board, "j72sap");
	assert_string_equal(model_by_board("N71mAP")->product, "iPhone8,1"); /* any case */
	assert_int_equal(model_by_board("n71map")->cpid, 0x8003);
}

/* As a phone in normal mode tells it: "N71mAP" and a ProductType that two boards may share. */
static void hardware_model_finds_it(const struct model *model)
{
	char hardware_model[32];
	size_t n = strlen(model->board);

	assert_true(n > 2 && n < sizeof(hardware_model) && strcmp(model->board + n - 2, "ap") == 0);
	for (size_t i = 0; i <= n; i++)
		hardware_model[i] =
		    (char)(i == 0 || i >= n - 2 ? toupper(model->board[i]) : model->board[i]);
	assert_ptr_equal(model_by_board(hardware_model), model);
	assert_string_equal(model_by_product(model->product)->product, model->product);
}

/* n71ap and n71map have the same board id: the chip decides, as a number. */
static void board_ids_alone_decide_nothing(void **state)
{
	const struct model *samsung = model_by_chip(0x8000, 0x04), *tsmc = model_by_chip(0x8003, 4);

	assert_string_equal(samsung->board, "n71ap");
	assert_string_equal(tsmc->board, "n71map");
	assert_string_equal(samsung->product, tsmc->product);
	assert_int_equal(samsung->bdid, tsmc->bdid);
	assert_null(model_by_chip(0x8001, 0x04));
}

/* One line of boards.tsv against the model; returns false for the row that is left out. */
static bool compare_with_board(char *line)
{
	const char *cell[5];
	const struct model *model;
	uint64_t cpid, bdid;

	for (size_t i = 0; i < ARRAY_LEN(cell); i++)
		cell[i] = strsep(&line, "\t");
	assert_non_null(cell[4]);
	assert_int_equal(text_parse_hex(cell[2] + 2, strlen(cell[2] + 2), &cpid), 0);
	assert_int_equal(text_parse_hex(cell[3] + 2, strlen(cell[3] + 2), &bdid), 0);
	model = model_by_chip((uint32_t)cpid, (uint32_t)bdid);
	if (strcmp(cell[0], research_product) == 0) {
		assert_null(model);
		return false;
	}
	if (!model)
		fail_msg("no model for %s", cell[0]);
	assert_string_equal(model->product, cell[0]);
	assert_string_equal(model->board, cell[1]);
	assert_string_equal(model->name, cell[4]);
	hardware_model_finds_it(model);
	return true;
}

static void every_row_of_libirecovery_agrees(void **state)
{
	FILE *file = fopen(boards_path, "re");
	char *line = NULL;
	size_t size = 0, rows = 0, count;

	if (!file) {
		print_message("# %s is not here: not compared\n", boards_path);
		skip();
	}
	assert_true(getline(&line, &size, file) > 0); /* the header */
	while (getline(&line, &size, file) > 0)
		rows += compare_with_board(line);
	free(line);
	fclose(file);
	(void)model_all(&count);
	assert_int_equal(rows, count);
}

static void assert_usb(uint16_t pid, enum mode mode, bool phone, bool ask)
{
	const struct usb_id *id = usb_id_find(0x05ac, pid);

	if (!id)
		fail_msg("no row for 05ac:%04x", pid);
	assert_int_equal(id->vid, 0x05ac);
	assert_int_equal(id->pid, pid);
	assert_int_equal(id->mode, mode);
	assert_int_equal(id->phone, phone);
	assert_int_equal(id->ask, ask);
	assert_true(*id->name != '\0' && *id->source != '\0');
}

static void every_mode_has_its_usb_ids(void **state)
{
	for (uint16_t pid = 0x1290; pid <= 0x12af; pid++)
		assert_usb(pid, MODE_NORMAL, true, false);
	for (uint16_t pid = 0x1280; pid <= 0x1283; pid++)
		assert_usb(pid, MODE_RECOVERY, true, false);
	for (uint16_t pid = 0x1901; pid <= 0x1905; pid++)
		assert_usb(pid, MODE_RESTORE, false, false);
	assert_usb(0x1227, MODE_DFU, true, false);
	assert_usb(0x1222, MODE_WTF, true, false);
	assert_usb(0xf014, MODE_PORT_DFU, true, true);
	assert_usb(0x1881, MODE_DEBUG_USB, true, true);
	assert_usb(0x8600, MODE_UNKNOWN, false, false);
}

static void other_usb_ids_are_null(void **state)
{
	assert_null(usb_id_find(0x05ac, 0x0250)); /* a keyboard */
	assert_null(usb_id_find(0x05ac, 0x128f));
	assert_null(usb_id_find(0x05ac, 0x12b0));
	assert_null(usb_id_find(0x05ac, 0x1284));
	assert_null(usb_id_find(0x05ad, 0x12a8));
	assert_null(usb_id_find(0x05ab, 0x12a8));
	assert_null(usb_id_find(0, 0));
	assert_null(usb_id_find(UINT16_MAX, UINT16_MAX));
}

static void enums_and_their_rows_agree(void **state)
{
	static const char *const modes[MODE_MAX] = {
		"unknown", "normal", "recovery", "dfu", "wtf", "restore", "port-dfu", "debug-usb"
	};

	for (int i = 0; i < MODE_MAX; i++) {
		assert_int_equal(mode_fact((enum mode)i)->mode, i);
		assert_string_equal(mode_name((enum mode)i), modes[i]);
		assert_int_equal(mode_from_name(modes[i]), i);
		assert_true(*mode_fact((enum mode)i)->label != '\0');
	}
	for (int i = 0; i < BUTTONS_MAX; i++)
		assert_int_equal(button_fact((enum buttons)i)->buttons, i);
	for (int i = 0; i < TIMING_MAX; i++)
		assert_true(timing_ms((enum timing)i) > 0);
	for (int i = 0; i < THRESHOLD_MAX; i++)
		assert_int_equal(threshold_fact((enum threshold)i)->threshold, i);
	assert_int_equal(mode_from_name("DFU"), MODE_UNKNOWN);
	assert_int_equal(mode_from_name(""), MODE_UNKNOWN);
	assert_int_equal(mode_from_name(NULL), MODE_UNKNOWN);
	assert_string_equal(family_name(FAMILY_IPAD), "ipad");
	assert_string_equal(family_name(FAMILY_OTHER), "other");
	assert_string_equal(buttons_name(BUTTONS_IPAD_NO_HOME), "ipad-no-home");
	assert_string_equal(tried_name(TRIED_UNTRIED), "untried");
}

static void limits_fit_together(void **state)
{
	assert_true(timing_ms(TIMING_PROBE_SILENCE) < timing_ms(TIMING_PROBE_TOTAL));
	assert_true(timing_ms(TIMING_SETTLE) < timing_ms(TIMING_FORGET));
}

static void iboot_flags_are_single_bits(void **state)
{
	uint32_t all = 0;
	size_t count;
	const struct iboot_flag *flags = iboot_flag_all(&count);

	for (size_t i = 0; i < count; i++) {
		assert_true(flags[i].mask != 0 && (flags[i].mask & (flags[i].mask - 1)) == 0);
		assert_int_equal(all & flags[i].mask, 0);
		all |= flags[i].mask;
	}
	/* seen on real phones: 0x1c, 0x1d, 0x3c, 0x3d */
	assert_int_equal(all, 0x3d);
}

static void messages_are_found(void **state)
{
	assert_string_equal(message_find("error-no-service")->id, "error-no-service");
	assert_null(message_find("error-"));
	assert_null(message_find("error-no-service "));
	assert_null(message_find(""));
	for (int kind = ERROR_NONE + 1; kind < ERROR_KIND_MAX; kind++)
		assert_non_null(message_for_error((enum error_kind)kind));
	assert_string_equal(message_for_error(ERROR_NO_SPACE)->id, "error-no-space");
	assert_null(message_for_error(ERROR_NONE));
}

static void places_are_filled(void **state)
{
	/* An id without a row is its own text, so places can be tried without a row for it. */
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "{name} is in {mode}", "Anna's is in DFU" },
		{ "{name}{name}", "Anna'sAnna's" },
		{ "{nam} {names} {mode}", "{nam} {names} DFU" },
		{ "{}", "{}" },
		{ "{", "{" },
		{ "{name", "{name" },
		{ "a}b{mode}c", "a}bDFUc" },
		{ "{{mode}}", "{DFU}" },
		{ "{brace}", "{name}" }, /* a value is not filled again */
		{ "{empty}.", "." },
		{ "100 % {mode} %s", "100 % DFU %s" },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_free_ char *text =
		    message_format(rows[i].text, "name", "Anna's", "mode", "DFU", "brace", "{name}",
				   "empty", "", NULL);

		assert_string_equal(text, rows[i].expected);
	}
}

static void a_row_is_formatted(void **state)
{
	_cleanup_free_ char *text = message_format("error-no-service", NULL);

	assert_string_equal(text, message_find("error-no-service")->text);
}

static void goals_and_their_rows_agree(void **state)
{
	static const char *const goals[GOAL_MAX] = { "trust",    "trust-store",    "repair",
						     "forget",   "prove",          "link-test",
						     "restart",  "enter-recovery", "exit-recovery",
						     "firmware", "update",         "erase" };

	for (int i = 0; i < GOAL_MAX; i++) {
		assert_int_equal(goal_fact((enum goal)i)->goal, i);
		assert_string_equal(goal_name((enum goal)i), goals[i]);
		assert_int_equal(goal_from_name(goals[i]), i);
		/* a goal says in words what it loses, and only one of them loses everything */
		assert_true(strlen(goal_fact((enum goal)i)->lost) > 10);
		assert_int_equal(goal_fact((enum goal)i)->data == DATA_ERASED, i == GOAL_ERASE);
	}
	assert_true(goal_fact(GOAL_ERASE)->firmware && goal_fact(GOAL_UPDATE)->firmware);
	assert_false(goal_fact(GOAL_TRUST)->firmware);
	assert_int_equal(goal_fact(GOAL_UPDATE)->data, DATA_AT_RISK);
	assert_int_equal(goal_from_name("Erase"), GOAL_MAX);
	assert_int_equal(goal_from_name(""), GOAL_MAX);
	assert_int_equal(goal_from_name(NULL), GOAL_MAX);
}

static void steps_and_their_rows_agree(void **state)
{
	for (int i = 0; i < STEP_KIND_MAX; i++) {
		const struct step_fact *fact = step_fact((enum step_kind)i);

		assert_int_equal(fact->step_kind, i);
		assert_string_equal(step_name((enum step_kind)i), fact->id);
		assert_int_equal(step_from_name(fact->id), i);
		assert_true(fact->attempts >= 1);
		/* a wait has a limit of one kind at least, and silence is shorter than the whole */
		assert_true(fact->silence_s > 0 || fact->total_s > 0);
		assert_true(fact->total_s == 0 || fact->silence_s <= fact->total_s);
		assert_int_equal(fact->data == DATA_ERASED, i == STEP_ERASE);
		assert_int_equal(fact->data == DATA_AT_RISK, i == STEP_UPDATE);
	}
	assert_string_equal(step_name(STEP_VERIFY_TRUST), "verify-trust");
	assert_int_equal(step_from_name("verify_trust"), STEP_KIND_MAX);
	assert_int_equal(step_from_name(NULL), STEP_KIND_MAX);
}

static void findings_are_found(void **state)
{
	size_t count;
	const struct finding_fact *all = finding_all(&count);

	assert_true(count > 0);
	for (size_t i = 0; i < count; i++) {
		assert_ptr_equal(finding_find(all[i].id), &all[i]);
		assert_true(all[i].severity < SEVERITY_MAX && all[i].tried < TRIED_MAX);
	}
	assert_non_null(finding_find("all-well"));
	assert_null(finding_find("all-wel"));
	assert_null(finding_find(""));
	assert_null(finding_find(NULL));
}

static void names_of_small_enums(void **state)
{
	assert_string_equal(data_name(DATA_KEPT), "kept");
	assert_string_equal(data_name(DATA_AT_RISK), "at-risk");
	assert_string_equal(data_name(DATA_ERASED), "erased");
	assert_string_equal(severity_name(SEVERITY_INFO), "info");
	assert_string_equal(severity_name(SEVERITY_PROBLEM), "problem");
	assert_string_equal(confidence_name(CONFIDENCE_CERTAIN), "certain");
	assert_string_equal(confidence_name(CONFIDENCE_POSSIBLE), "possible");
}

static void engine_steps_are_found_by_number(void **state)
{
	size_t count;
	const struct engine_step *all = engine_step_all(&count);

	for (size_t i = 0; i < count; i++) {
		assert_ptr_equal(engine_step(all[i].number), &all[i]);
		assert_true(i == 0 || all[i - 1].number < all[i].number);
	}
	assert_string_equal(engine_step(2)->id, "upload-system");
	assert_null(engine_step(8));
	assert_null(engine_step(UINT32_MAX));
}

/* The first rule that fits is the verdict, so no rule may stand behind one that always fits. */
static void every_engine_rule_can_be_reached(void **state)
{
	size_t count;
	const struct engine_rule *all = engine_rule_all(&count);

	assert_true(count > 0);
	for (size_t i = 0; i < count; i++) {
		assert_true(all[i].kind > ERROR_NONE && all[i].kind < ERROR_KIND_MAX);
		for (size_t j = 0; j < i; j++)
			if (strstr(all[i].pattern, all[j].pattern))
				fail_msg("%s hides %s", all[j].id, all[i].id);
	}
}

static void codes_are_complete(void **state)
{
	size_t count;
	const struct code_fact *all = code_all(&count);

	assert_true(count > 0);
	for (size_t i = 0; i < count; i++) {
		assert_true(all[i].confidence < CONFIDENCE_MAX && all[i].tried < TRIED_MAX);
		assert_true(*all[i].meaning != '\0' && *all[i].next != '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(newest_models_are_known),
		cmocka_unit_test(oldest_models_are_known),
		cmocka_unit_test(disputed_boards_follow_libirecovery),
		cmocka_unit_test(buttons_follow_the_model_not_the_look),
		cmocka_unit_test(unknown_models_are_null),
		cmocka_unit_test(every_model_is_found_by_each_key),
		cmocka_unit_test(shared_products_give_their_first_board),
		cmocka_unit_test(board_ids_alone_decide_nothing),
		cmocka_unit_test(every_row_of_libirecovery_agrees),
		cmocka_unit_test(every_mode_has_its_usb_ids),
		cmocka_unit_test(other_usb_ids_are_null),
		cmocka_unit_test(enums_and_their_rows_agree),
		cmocka_unit_test(limits_fit_together),
		cmocka_unit_test(iboot_flags_are_single_bits),
		cmocka_unit_test(messages_are_found),
		cmocka_unit_test(places_are_filled),
		cmocka_unit_test(a_row_is_formatted),
		cmocka_unit_test(goals_and_their_rows_agree),
		cmocka_unit_test(steps_and_their_rows_agree),
		cmocka_unit_test(findings_are_found),
		cmocka_unit_test(names_of_small_enums),
		cmocka_unit_test(engine_steps_are_found_by_number),
		cmocka_unit_test(every_engine_rule_can_be_reached),
		cmocka_unit_test(codes_are_complete),
	};

	return cmocka_run_group_tests_name("facts", tests, NULL, NULL);
}
