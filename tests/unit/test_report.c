/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reports of jobs whose journals were given fixed times, against tests/unit/golden/report-*.txt. */
#include "base/file.h"
#include "doctor_fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define GOLDEN "tests/unit/golden/report-"

static const struct error failure_engine = { .kind = ERROR_ENGINE,
					     .origin = "idevicerestore",
					     .code = 255,
					     .text = "the phone has no room left" };
static const struct error failure_signing = { .kind = ERROR_NOT_SIGNED,
					      .origin = "idevicerestore",
					      .code = 94,
					      .text = "Apple does not sign this build" };

static char *read_text(const char *path)
{
	char *text = NULL;
	size_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("%s cannot be read", path);
	assert_int_equal(file_read_whole(fd, 1 << 24, &text, &n), 0);
	close(fd);
	return text;
}

/* Writes the journal anew: line N has the time of N steps of 1.5 s after a fixed one. */
static void fix_times(const char *path, const char *id)
{
	static const char key[] = "\"time_ms\":";
	_cleanup_free_ char *text = read_text(path);
	uint64_t time_ms = UINT64_C(1795328000250);
	char *at = text, *found;
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	while ((found = strstr(at, key))) {
		fwrite(at, 1, (size_t)(found - at), out);
		fprintf(out, "%s%llu", key, (unsigned long long)time_ms);
		time_ms += 1500;
		at = found + strlen(key) + strspn(found + strlen(key), "0123456789");
	}
	fputs(at, out);
	fclose(out);
	free(text);
	text = read_text(path);
	found = strstr(text, id);
	assert_non_null(found);
	memcpy(found, "20261122-0612-x4k7", strlen(id));
	out = fopen(path, "w");
	fputs(text, out);
	fclose(out);
}

/* The job as it is read back with the fixed times. */
static struct job *fix(struct job *job)
{
	_cleanup_free_ char *folder = strdup(job_folder(job));
	char path[256], id[JOB_ID_BYTES];

	strcpy(id, job_id(job));
	snprintf(path, sizeof(path), "%s/journal.jsonl", folder);
	job_free(job);
	fix_times(path, id);
	assert_int_equal(job_load(folder, &job, NULL), 0);
	return job;
}

static struct job *start(const char *jobs, enum goal goal, enum mode mode)
{
	struct plan plan = doctor_plan(goal, mode);
	struct job *job = NULL;

	assert_int_equal(job_create(jobs, &plan, NULL, &job, NULL), 0);
	return job;
}

static void done(struct job *job, const char *facts)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;

	if (facts)
		assert_true(sd_json_parse(facts, 0, &object, NULL, NULL) >= 0);
	assert_int_equal(job_step_begin(job, NULL), 0);
	assert_int_equal(job_step_done(job, object, false), 0);
}

/* The journal's size follows every text of the tables: it is no part of the comparison. */
static void mask_size(char *text)
{
	static const char key[] = "journal.jsonl, ";
	char *at = strstr(text, key);
	size_t digits;

	assert_non_null(at);
	at += strlen(key);
	digits = strspn(at, "0123456789");
	assert_int_not_equal(digits, 0);
	*at = 'N';
	memmove(at + 1, at + digits, strlen(at + digits) + 1);
}

static void compare(const struct job *job, const char *name)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	_cleanup_free_ char *text = NULL, *golden = NULL;
	char path[128];

	assert_int_equal(report_make(job, &object, &text), 0);
	mask_size(text);
	snprintf(path, sizeof(path), GOLDEN "%s.txt", name);
	golden = read_text(path);
	assert_string_equal(text, golden);
	assert_string_equal(sd_json_variant_string(sd_json_variant_by_key(object, "outcome")),
			    job_state_name(job_state(job)));
}

/* An update that fails, a consent, an erase that succeeds, a proof. */
static void test_erased(void **state)
{
	struct job *job;
	char jobs[64];

	doctor_folder(jobs);
	job = start(jobs, GOAL_UPDATE, MODE_NORMAL);
	done(job, "{\"hosts\":[]}");
	done(job, "{\"firmware\":{\"path\":\"/data/x.ipsw\",\"verified\":true}}");
	done(job, "{\"found\":\"Apple signs it for this phone\"}");
	done(job, "{\"proof\":{\"firmware\":{\"level\":3,\"hash\":true,\"members\":90,\"crc\":90,"
		  "\"matched\":45,\"skipped\":2,\"ticket\":true}}}");
	done(job, NULL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(job_step_begin(job, NULL), 0);
		assert_int_equal(job_touched(job), 0);
		assert_int_equal(job_step_failed(job, &failure_engine, true), 0);
	}
	assert_int_equal(job_answer(job, "jc67", NULL), 0);
	assert_int_equal(job_step_begin(job, NULL), 0);
	assert_int_equal(job_note(job, "phone-left", NULL), 0);
	assert_int_equal(job_step_begin(job, NULL), 0); /* the service was killed */
	assert_int_equal(job_touched(job), 0);
	assert_int_equal(job_step_done(job, NULL, false), 0);
	done(job, NULL);
	done(job, "{\"proof\":{\"version\":\"17.5.1\",\"build\":\"21F90\"}}");
	done(job, NULL);
	done(job, "{\"proof\":{\"name\":\"iPhone\",\"serial_number\":\"F4HVWWZGJC67\","
		  "\"capacity_bytes\":128000000000,\"media_entries\":5}}");
	assert_int_equal(job_state(job), JOB_DONE);
	job = fix(job);
	compare(job, "erased");
	job_free(job);
	doctor_remove(jobs);
}

/* What a journal says may not become lines of its own. */
static void test_note_stays_in_its_line(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *report = NULL;
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	_cleanup_free_ char *text = NULL;
	struct job *job;
	char jobs[64];

	doctor_folder(jobs);
	job = start(jobs, GOAL_RESTART, MODE_NORMAL);
	assert_true(sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING(
						"text", "a\nWhat was proven\n  \x1b[1mAll")) >= 0);
	assert_int_equal(job_note(job, "note", fields), 0);
	assert_int_equal(report_make(job, &report, &text), 0);
	assert_null(strstr(text, "\nWhat was proven\n  \x1b"));
	assert_null(strchr(text, '\x1b'));
	assert_non_null(strstr(text, "What was proven\xef\xbf\xbd"));
	job_free(job);
	doctor_remove(jobs);
}

/* Not signed: nothing was touched, the phone goes back. */
static void test_failed(void **state)
{
	struct job *job;
	char jobs[64];

	doctor_folder(jobs);
	job = start(jobs, GOAL_UPDATE, MODE_NORMAL);
	done(job, NULL);
	done(job, NULL);
	done(job, NULL);
	done(job, NULL);
	done(job, NULL);
	assert_int_equal(job_step_begin(job, NULL), 0);
	assert_int_equal(job_step_failed(job, &failure_signing, false), 0);
	done(job, NULL); /* leave recovery */
	assert_int_equal(job_state(job), JOB_FAILED);
	job = fix(job);
	compare(job, "failed");
	job_free(job);
	doctor_remove(jobs);
}

static void test_written_once(void **state)
{
	_cleanup_free_ char *text = NULL, *again = NULL;
	char jobs[64], path[256];
	struct job *job;

	doctor_folder(jobs);
	job = start(jobs, GOAL_RESTART, MODE_NORMAL);
	assert_int_equal(report_write(job), -EINVAL);
	assert_int_equal(job_cancel(job, NULL), 0);
	assert_int_equal(report_write(job), 0);
	snprintf(path, sizeof(path), "%s/report.txt", job_folder(job));
	text = read_text(path);
	assert_non_null(strstr(text, "Cancelled by the person."));
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(report_write(job), 0);
	again = read_text(path);
	assert_string_equal(again, "");
	/* without the object it was not finished: both are written */
	snprintf(path, sizeof(path), "%s/report.json", job_folder(job));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(report_write(job), 0);
	free(again);
	snprintf(path, sizeof(path), "%s/report.txt", job_folder(job));
	again = read_text(path);
	assert_string_equal(again, text);
	job_free(job);
	doctor_remove(jobs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_erased),
		cmocka_unit_test(test_note_stays_in_its_line),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_written_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
