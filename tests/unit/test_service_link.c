/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One request to one worker: how it ends, whatever the worker does. */
#include "base/clock.h"
#include "service/fields.h"
#include "service/worker_link.h"
#include "unit.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define FAKE_WORKER "tests/unit/fake_worker"

enum { LOOP_LIMIT_MS = 20000 };

struct bench {
	sd_event *event;
	struct worker_pool *pool;
	struct worker_link *link;
	unsigned events, ends;
	char names[256];         /* of the events, joined */
	pid_t pid;               /* that a worker named in its event "pid" */
	bool free_in_event;      /* the link is freed when an event comes */
	sd_json_variant *result; /* owned; NULL if it failed */
	struct error err;
};

static void on_event(const char *name, sd_json_variant *event, void *user)
{
	struct bench *bench = user;
	size_t used = strlen(bench->names);

	bench->events++;
	snprintf(bench->names + used, sizeof(bench->names) - used, "%s ", name);
	if (strcmp(name, "pid") == 0)
		bench->pid = (pid_t)field_unsigned(event, "pid", 0);
	if (bench->free_in_event)
		bench->link = worker_link_free(bench->link);
}

static void on_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct bench *bench = user;

	bench->ends++;
	/* a failure may come with the line in which the worker told it */
	assert_true(result != NULL || err != NULL);
	if (!err)
		bench->result = sd_json_variant_ref(result);
	else if (result)
		assert_false(field_true(result, "ok"));
	if (err)
		bench->err = *err;
	bench->link = worker_link_free(bench->link);
}

static bool over(const struct bench *bench)
{
	return bench->ends > 0;
}

static bool named_pid(const struct bench *bench)
{
	return bench->pid > 0;
}

/* Nothing of ours is left, not even a zombie. */
static bool all_reaped(const struct bench *bench)
{
	siginfo_t info = { 0 };

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

static void loop_until(struct bench *bench, bool (*done)(const struct bench *))
{
	uint64_t end_ms = clock_now_ms() + LOOP_LIMIT_MS;

	while (!done(bench)) {
		if (clock_now_ms() > end_ms)
			fail_msg("nothing happened for %d ms", LOOP_LIMIT_MS);
		assert_true(sd_event_run(bench->event, 100 * 1000) >= 0);
	}
}

static int bench_start(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	assert_int_equal(sd_event_new(&bench->event), 0);
	assert_int_equal(worker_pool_new(bench->event, FAKE_WORKER, NULL, &bench->pool), 0);
	*state = bench;
	return 0;
}

static int bench_end(void **state)
{
	struct bench *bench = *state;

	worker_link_free(bench->link);
	loop_until(bench, all_reaped);
	worker_pool_free(bench->pool);
	sd_json_variant_unref(bench->result);
	sd_event_unref(bench->event);
	free(bench);
	return 0;
}

static void ask_limits(struct bench *bench, const char *kind, unsigned silence_ms,
		       unsigned total_ms)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	struct worker_request request = {
		.kind = kind,
		.silence_ms = silence_ms,
		.total_ms = total_ms,
		.event_fn = on_event,
		.end_fn = on_end,
		.user = bench,
	};

	assert_true(sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("udid", "abc")) >= 0);
	request.fields = fields;
	assert_int_equal(worker_link_new(bench->pool, &request, &bench->link, &bench->err), 0);
	assert_int_equal(bench->ends, 0);
}

static void ask(struct bench *bench, const char *kind)
{
	ask_limits(bench, kind, LOOP_LIMIT_MS, LOOP_LIMIT_MS);
}

static void test_result(void **state)
{
	struct bench *bench = *state;
	sd_json_variant *request;

	ask(bench, "good");
	loop_until(bench, over);
	assert_non_null(bench->result);
	assert_string_equal(bench->names, "one two ");
	request = field_object(bench->result, "request");
	assert_true(field_is(request, "type", "request"));
	assert_true(field_is(request, "kind", "good"));
	assert_true(field_is(request, "udid", "abc"));
	assert_int_equal(field_unsigned(request, "v", 0), 1);
}

static void test_refusal_is_told_as_it_is(void **state)
{
	struct bench *bench = *state;

	ask(bench, "refused");
	loop_until(bench, over);
	assert_null(bench->result);
	assert_int_equal(bench->err.kind, ERROR_REFUSED);
	assert_string_equal(bench->err.origin, "lockdownd");
	assert_int_equal(bench->err.code, -17);
	assert_string_equal(bench->err.text, "user said no");
}

struct wrong_row {
	const char *kind;
	enum error_kind expected;
	const char *text; /* part of the error's text */
};

static void test_misbehaviour_is_an_error(void **state)
{
	static const struct wrong_row rows[] = {
		{ "crash", ERROR_PROTOCOL, "without a result" },
		{ "exit", ERROR_PROTOCOL, "without a result" },
		{ "cut", ERROR_PROTOCOL, "in the middle of a line" },
		{ "no-newline", ERROR_PROTOCOL, "in the middle of a line" },
		{ "garbage", ERROR_PROTOCOL, "no JSON object" },
		{ "array", ERROR_PROTOCOL, "no JSON object" },
		{ "long", ERROR_PROTOCOL, "too long" },
		{ "version-2", ERROR_PROTOCOL, "neither event nor result" },
		{ "stranger", ERROR_PROTOCOL, "neither event nor result" },
		{ "no-reason", ERROR_BUG, "no reason" },
		{ "nothing-wrong", ERROR_PROTOCOL, "y" },
	};
	struct bench *bench = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bench->ends = 0;
		bench->err = (struct error){ 0 };
		ask(bench, rows[i].kind);
		loop_until(bench, over);
		assert_null(bench->result);
		if (bench->err.kind != rows[i].expected || !strstr(bench->err.text, rows[i].text))
			fail_msg("%s: %s: %s", rows[i].kind, error_kind_name(bench->err.kind),
				 bench->err.text);
		loop_until(bench, all_reaped);
		assert_int_equal(bench->ends, 1);
	}
}

static void test_lines_after_the_result_are_never_read(void **state)
{
	struct bench *bench = *state;

	ask(bench, "late");
	loop_until(bench, all_reaped);
	assert_int_equal(bench->ends, 1);
	assert_int_equal(bench->events, 0);
	assert_non_null(bench->result);
}

static void test_silence_ends(void **state)
{
	struct bench *bench = *state;

	ask_limits(bench, "silent", 300, LOOP_LIMIT_MS);
	loop_until(bench, over);
	assert_int_equal(bench->err.kind, ERROR_SILENT);
	assert_int_equal(bench->events, 1);
	loop_until(bench, all_reaped); /* it was told to end */
}

static void test_lines_hold_silence_off_but_not_the_total(void **state)
{
	struct bench *bench = *state;

	ask_limits(bench, "chatty", 700, 1500);
	loop_until(bench, over);
	assert_int_equal(bench->err.kind, ERROR_SILENT);
	assert_non_null(strstr(bench->err.text, "not done after"));
	assert_true(bench->events > 5);
}

static void test_exit_ends_a_stream_that_a_grandchild_holds(void **state)
{
	struct bench *bench = *state;

	ask(bench, "grandchild");
	loop_until(bench, over);
	assert_string_equal(bench->names, "pid ");
	assert_non_null(strstr(bench->err.text, "without a result"));
	assert_int_equal(kill(bench->pid, SIGKILL), 0);
}

static void test_cancel_kills_who_does_not_hear(void **state)
{
	struct bench *bench = *state;
	uint64_t start_ms;

	ask(bench, "stubborn");
	loop_until(bench, named_pid);
	start_ms = clock_now_ms();
	bench->link = worker_link_free(bench->link);
	assert_int_equal(kill(bench->pid, 0), 0);
	loop_until(bench, all_reaped);
	assert_true(clock_now_ms() - start_ms > 1000); /* it had its time */
	assert_int_equal(kill(bench->pid, 0), -1);
	assert_int_equal(bench->ends, 0);
}

static void test_link_may_be_freed_by_its_event(void **state)
{
	struct bench *bench = *state;

	bench->free_in_event = true;
	ask(bench, "good");
	loop_until(bench, all_reaped);
	assert_int_equal(bench->events, 1);
	assert_int_equal(bench->ends, 0);
}

static void test_program_that_is_missing(void **state)
{
	struct bench *bench = *state;

	worker_pool_free(bench->pool);
	assert_int_equal(worker_pool_new(bench->event, "/nonexistent/worker", NULL, &bench->pool),
			 0);
	ask(bench, "good");
	loop_until(bench, over);
	assert_non_null(strstr(bench->err.text, "without a result"));
}

/* --- workers behind sockets, as in the image ------------------------------------------------- */

static void test_socket(void **state)
{
	struct bench *bench = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char folder[] = "/tmp/idr-link-XXXXXX", line[4096] = "";
	static const char answer[] = "{\"v\":1,\"type\":\"result\",\"ok\":true}\n";
	_cleanup_close_ int listener = -1;
	_cleanup_close_ int fd = -1;

	assert_non_null(mkdtemp(folder));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/good", folder);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	worker_pool_free(bench->pool);
	assert_int_equal(worker_pool_new(bench->event, NULL, folder, &bench->pool), 0);
	ask(bench, "good");
	fd = accept(listener, NULL, NULL);
	assert_true(read(fd, line, sizeof(line) - 1) > 0);
	assert_string_equal(line,
			    "{\"v\":1,\"type\":\"request\",\"kind\":\"good\",\"udid\":\"abc\"}\n");
	assert_int_equal(write(fd, answer, sizeof(answer) - 1), sizeof(answer) - 1);
	loop_until(bench, over);
	assert_non_null(bench->result);
	unlink(address.sun_path);
	rmdir(folder);
}

static void test_socket_that_is_missing(void **state)
{
	struct bench *bench = *state;
	struct worker_request request = { .kind = "good", .end_fn = on_end, .user = bench };
	struct error err = { 0 };

	worker_pool_free(bench->pool);
	assert_int_equal(worker_pool_new(bench->event, NULL, "/nonexistent", &bench->pool), 0);
	assert_int_equal(worker_link_new(bench->pool, &request, &bench->link, &err), -ENOENT);
	assert_non_null(strstr(err.text, "cannot reach worker good"));
	assert_null(bench->link);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, bench_start, bench_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_result),
		TEST(test_refusal_is_told_as_it_is),
		TEST(test_misbehaviour_is_an_error),
		TEST(test_lines_after_the_result_are_never_read),
		TEST(test_silence_ends),
		TEST(test_lines_hold_silence_off_but_not_the_total),
		TEST(test_exit_ends_a_stream_that_a_grandchild_holds),
		TEST(test_cancel_kills_who_does_not_hear),
		TEST(test_link_may_be_freed_by_its_event),
		TEST(test_program_that_is_missing),
		TEST(test_socket),
		TEST(test_socket_that_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
