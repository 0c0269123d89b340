/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the service says of a data partition that is not there (service/data_note.h). */
#include "base/cleanup.h"
#include "facts/facts.h"
#include "service/data_note.h"
#include "service/storage.h"
#include "unit.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct bench {
	char folder[32];
	char note[64];
};

static int bench_start(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	snprintf(bench->folder, sizeof(bench->folder), "/tmp/idr-note-XXXXXX");
	assert_non_null(mkdtemp(bench->folder));
	snprintf(bench->note, sizeof(bench->note), "%s/data.json", bench->folder);
	*state = bench;
	return 0;
}

static int bench_end(void **state)
{
	struct bench *bench = *state;

	(void)unlink(bench->note);
	assert_int_equal(rmdir(bench->folder), 0);
	free(bench);
	return 0;
}

static void note_put(const struct bench *bench, const char *text)
{
	FILE *file = fopen(bench->note, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void test_the_note_is_read(void **state)
{
	const struct bench *bench = *state;
	struct data_note note;

	assert_int_equal(data_note_read(bench->note, &note), -ENOENT);
	note_put(bench, "{\"v\":1,\"state\":\"no-room\",\"text\":\"Too small.\",\"later\":1}\n");
	assert_int_equal(data_note_read(bench->note, &note), 0);
	assert_string_equal(note.state, "no-room");
	assert_string_equal(note.text, "Too small.");
}

static void test_what_is_no_note_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"no-room",
		"[]",
		"{}",
		"{\"v\":1}",
		"{\"v\":2,\"state\":\"no-room\",\"text\":\"x\"}",
		"{\"v\":1,\"state\":5,\"text\":\"x\"}",
		"{\"v\":1,\"state\":\"a-word-that-is-longer-than-any-state-of-ours\",\"text\":"
		"\"x\"}",
		"{\"v\":1,\"state\":\"no-room\",\"text\":\"x\"",
	};
	const struct bench *bench = *state;
	struct data_note note;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		note_put(bench, bad[i]);
		assert_int_equal(data_note_read(bench->note, &note), -EBADMSG);
		assert_null(data_note_why(bench->note));
	}
}

static void test_each_state_has_its_words(void **state)
{
	static const struct {
		const char *state, *id;
	} rows[] = {
		{ "foreign", "partition-foreign" },
		{ "no-room", "partition-no-room" },
		{ "not-our-stick", "partition-not-our-stick" },
		{ "no-gpt", "partition-no-gpt" },
		{ "several", "partition-several" },
		{ "forbidden", "partition-forbidden" },
		{ "protected", "partition-protected" },
		{ "failed", "partition-failed" },
		/* it is there, and still it is RAM that is asked about */
		{ "made", "partition-not-used" },
		{ "adopted", "partition-not-used" },
		{ "of-a-later-release", NULL },
	};
	const struct bench *bench = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[128];
		const char *id;

		snprintf(text, sizeof(text), "{\"v\":1,\"state\":\"%s\",\"text\":\"x\"}",
			 rows[i].state);
		note_put(bench, text);
		id = data_note_why(bench->note);
		if (!rows[i].id) {
			assert_null(id);
			continue;
		}
		assert_non_null(id);
		assert_string_equal(id, rows[i].id);
		assert_null(
		    strchr(message_find(id)->text, '{')); /* a plan's warning fills nothing */
	}
}

static void test_a_room_in_ram_knows_why(void **state)
{
	const struct bench *bench = *state;
	struct storage_options options = { .mount = "/nowhere",
					   .ram = bench->folder,
					   .note = bench->note };
	_cleanup_(storage_freep) struct storage *storage = NULL;
	struct room room;

	assert_int_equal(storage_new(&options, &storage), 0);
	assert_int_equal(storage_room(storage, &room, NULL), 0);
	if (room.lasting)
		skip(); /* /tmp is a disk here */
	assert_null(room.why);
	note_put(bench, "{\"v\":1,\"state\":\"several\",\"text\":\"x\"}");
	assert_int_equal(storage_room(storage, &room, NULL), 0);
	assert_string_equal(room.why, "partition-several");
	for (size_t i = 0; i < 2; i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/%s", bench->folder, i ? "jobs" : "firmware");
		assert_int_equal(rmdir(path), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_note_is_read, bench_start, bench_end),
		cmocka_unit_test_setup_teardown(test_what_is_no_note_is_refused, bench_start,
						bench_end),
		cmocka_unit_test_setup_teardown(test_each_state_has_its_words, bench_start,
						bench_end),
		cmocka_unit_test_setup_teardown(test_a_room_in_ram_knows_why, bench_start,
						bench_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
