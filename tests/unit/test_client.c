/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The faces' side, against a server of another process that answers whatever we want to see
 * handled. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "facts/facts.h"
#include "service/client.h"
#include "service/fields.h"
#include "service/interface.h"
#include "unit.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-varlink.h>

enum { LOOP_LIMIT_MS = 20000 };

struct bench {
	char folder[32];
	char path[64];
	pid_t pid;
	/* what a watch told */
	unsigned events, outages;
	char kinds[256];
	struct error err;
	struct client_watch *watch;
	bool free_in_event;
};

/* --- the server, in a process of its own ----------------------------------------------------- */

static int on_list(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		   void *user)
{
	return sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_STRING("hello", "world"));
}

/* Show: the argument says which error is wanted. */
static int on_show(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		   void *user)
{
	const char *wanted = field_string(parameters, "phone");

	if (strcmp(wanted, "none") == 0)
		return sd_varlink_errorbo(link, INTERFACE_ERROR_NO_SUCH_PHONE,
					  SD_JSON_BUILD_PAIR_STRING("wanted", wanted));
	if (strcmp(wanted, "many") == 0)
		return sd_varlink_errorbo(link, INTERFACE_ERROR_AMBIGUOUS_PHONE,
					  SD_JSON_BUILD_PAIR_STRING("wanted", wanted),
					  SD_JSON_BUILD_PAIR_ARRAY("matches",
								   SD_JSON_BUILD_STRING("port:1-1"),
								   SD_JSON_BUILD_INTEGER(7)));
	if (strcmp(wanted, "locked") == 0)
		return sd_varlink_errorbo(link, INTERFACE_ERROR_NOT_ANSWERED,
					  SD_JSON_BUILD_PAIR_STRING("wanted", wanted),
					  SD_JSON_BUILD_PAIR_STRING("kind", "locked"),
					  SD_JSON_BUILD_PAIR_STRING("origin", "lockdownd"),
					  SD_JSON_BUILD_PAIR_INTEGER("code", -3),
					  SD_JSON_BUILD_PAIR_STRING("text", "passcode"));
	if (strcmp(wanted, "bare") == 0)
		return sd_varlink_errorb(link, INTERFACE_ERROR_NOT_ANSWERED,
					 SD_JSON_BUILD_EMPTY_OBJECT);
	if (strcmp(wanted, "phone") == 0 || strcmp(wanted, "parameter") == 0)
		return sd_varlink_error_invalid_parameter_name(link, wanted);
	if (strcmp(wanted, "strange") == 0)
		return sd_varlink_errorb(link, "org.example.Strange", SD_JSON_BUILD_EMPTY_OBJECT);
	if (strcmp(wanted, "die") == 0)
		_exit(1);
	/* "silence": keeps the link and never answers */
	sd_varlink_ref(link);
	return 0;
}

static int on_watch(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		    void *user)
{
	static const char *const kinds[] = { "snapshot", "added" };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		assert_true(sd_varlink_notifybo(link, SD_JSON_BUILD_PAIR_OBJECT(
							  "event", SD_JSON_BUILD_PAIR_STRING(
								       "kind", kinds[i]))) >= 0);
	sd_varlink_ref(link);
	return 0;
}

static _Noreturn void serve(const char *path, int ready_fd)
{
	sd_varlink_server *server = NULL;
	sd_event *event = NULL;
	bool ok = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;

	(void)unlink(path);
	ok = ok && sd_event_new(&event) >= 0;
	ok = ok && sd_varlink_server_new(&server, 0) >= 0;
	ok = ok && sd_varlink_server_bind_method_many(server, INTERFACE_METHOD_LIST, on_list,
						      INTERFACE_METHOD_SHOW, on_show,
						      INTERFACE_METHOD_WATCH, on_watch) >= 0;
	ok = ok && sd_varlink_server_attach_event(server, event, 0) >= 0;
	ok = ok && sd_varlink_server_listen_address(server, path, 0600) >= 0;
	if (ok && write(ready_fd, "", 1) == 1)
		(void)sd_event_loop(event);
	_exit(1);
}

static void server_start(struct bench *bench)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	bench->pid = fork();
	assert_true(bench->pid >= 0);
	if (bench->pid == 0)
		serve(bench->path, ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
}

static void server_kill(struct bench *bench)
{
	if (bench->pid <= 0)
		return;
	kill(bench->pid, SIGKILL);
	assert_int_equal(waitpid(bench->pid, NULL, 0), bench->pid);
	bench->pid = 0;
}

static int bench_start(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	snprintf(bench->folder, sizeof(bench->folder), "/tmp/idr-client-XXXXXX");
	assert_non_null(mkdtemp(bench->folder));
	snprintf(bench->path, sizeof(bench->path), "%s/socket", bench->folder);
	server_start(bench);
	*state = bench;
	return 0;
}

static int bench_end(void **state)
{
	struct bench *bench = *state;

	server_kill(bench);
	unlink(bench->path);
	assert_int_equal(rmdir(bench->folder), 0);
	free(bench);
	return 0;
}

/* --- calls ----------------------------------------------------------------------------------- */

static int show(const struct bench *bench, const char *phone, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *parameters = NULL, *reply = NULL;

	assert_true(sd_json_buildo(&parameters, SD_JSON_BUILD_PAIR_STRING("phone", phone)) >= 0);
	return client_call(bench->path, "Show", parameters, &reply, err);
}

static void test_call(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *reply = NULL;
	struct bench *bench = *state;
	struct error err;

	assert_int_equal(client_call(bench->path, "List", NULL, &reply, &err), 0);
	assert_true(field_is(reply, "hello", "world"));
}

struct error_row {
	const char *wanted;
	enum error_kind kind;
	const char *origin;
	int64_t code;
	const char *text; /* part of it */
};

static void test_errors(void **state)
{
	static const struct error_row rows[] = {
		{ "none", ERROR_NO_PHONE, "service", 0, "'none'" },
		{ "many", ERROR_AMBIGUOUS, "service", 0, "port:1-1, ?" },
		{ "locked", ERROR_LOCKED, "lockdownd", -3, "passcode" },
		{ "bare", ERROR_BUG, "service", 0, "did not answer" },
		{ "phone", ERROR_USAGE, "service", 0, "no phone can be named so" },
		{ "parameter", ERROR_USAGE, "service", 0, "understand" },
		{ "strange", ERROR_PROTOCOL, "service", 0, "org.example.Strange" },
		{ "die", ERROR_NO_SERVICE, "service", ECONNRESET, "no service" },
	};
	struct bench *bench = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct error err = { 0 };

		assert_true(show(bench, rows[i].wanted, &err) < 0);
		if (err.kind != rows[i].kind || strcmp(err.origin, rows[i].origin) != 0 ||
		    err.code != rows[i].code || !strstr(err.text, rows[i].text))
			fail_msg("%s: %s, %s, %lld, %s", rows[i].wanted, error_kind_name(err.kind),
				 err.origin, (long long)err.code, err.text);
	}
}

static void test_silence_has_a_limit(void **state)
{
	struct bench *bench = *state;
	uint64_t start_ms = clock_now_ms();
	struct error err;

	assert_true(show(bench, "silence", &err) < 0);
	assert_int_equal(err.kind, ERROR_SILENT);
	assert_uint_in_range(clock_now_ms() - start_ms, timing_ms(TIMING_CALL) - 100,
			     timing_ms(TIMING_CALL) + 2000);
}

static void test_no_service(void **state)
{
	struct bench *bench = *state;
	struct error err;

	server_kill(bench);
	assert_true(show(bench, "none", &err) < 0); /* the socket is there, nobody listens */
	assert_int_equal(err.kind, ERROR_NO_SERVICE);
	assert_int_equal(err.code, ECONNREFUSED);
	unlink(bench->path);
	assert_true(show(bench, "none", &err) < 0);
	assert_int_equal(err.kind, ERROR_NO_SERVICE);
	assert_int_equal(err.code, ENOENT);
}

/* --- watching -------------------------------------------------------------------------------- */

static void on_event(sd_json_variant *event, const struct error *err, void *user)
{
	struct bench *bench = user;
	size_t used = strlen(bench->kinds);

	assert_true((event == NULL) == (err != NULL));
	if (!event) {
		bench->outages++;
		bench->err = *err;
	} else {
		bench->events++;
	}
	snprintf(bench->kinds + used, sizeof(bench->kinds) - used, "%s ",
		 event ? field_string(event, "kind") : "outage");
	if (bench->free_in_event)
		bench->watch = client_watch_free(bench->watch);
}

static void turn_until_told(struct bench *bench, sd_event *event, const char *expected)
{
	uint64_t end_ms = clock_now_ms() + LOOP_LIMIT_MS;

	while (strcmp(bench->kinds, expected) != 0 && clock_now_ms() < end_ms)
		assert_true(sd_event_run(event, 50 * 1000) >= 0);
	assert_string_equal(bench->kinds, expected);
}

static void test_watch_comes_back(void **state)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	struct bench *bench = *state;

	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(client_watch_new(event, bench->path, on_event, bench, &bench->watch), 0);
	assert_int_equal(bench->events, 0); /* nothing from inside */
	turn_until_told(bench, event, "snapshot added ");
	server_kill(bench);
	turn_until_told(bench, event, "snapshot added outage ");
	assert_int_equal(bench->err.kind, ERROR_NO_SERVICE);
	for (uint64_t end_ms = clock_now_ms() + 2500; clock_now_ms() < end_ms;)
		assert_true(sd_event_run(event, 50 * 1000) >= 0);
	assert_int_equal(bench->outages, 1); /* however often it was tried meanwhile */
	server_start(bench);
	turn_until_told(bench, event, "snapshot added outage snapshot added ");
	server_kill(bench);
	turn_until_told(bench, event, "snapshot added outage snapshot added outage ");
	bench->watch = client_watch_free(bench->watch);
}

static void test_watch_without_a_service(void **state)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	struct bench *bench = *state;

	server_kill(bench);
	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(client_watch_new(event, bench->path, on_event, bench, &bench->watch), 0);
	turn_until_told(bench, event, "outage ");
	server_start(bench);
	turn_until_told(bench, event, "outage snapshot added ");
	bench->watch = client_watch_free(bench->watch);
}

static void test_watch_may_be_freed_by_its_event(void **state)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	struct bench *bench = *state;

	bench->free_in_event = true;
	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(client_watch_new(event, bench->path, on_event, bench, &bench->watch), 0);
	turn_until_told(bench, event, "snapshot ");
	assert_true(sd_event_run(event, 300 * 1000) >= 0);
	assert_string_equal(bench->kinds, "snapshot ");
	assert_null(bench->watch);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, bench_start, bench_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_call),
		TEST(test_errors),
		TEST(test_silence_has_a_limit),
		TEST(test_no_service),
		TEST(test_watch_comes_back),
		TEST(test_watch_without_a_service),
		TEST(test_watch_may_be_freed_by_its_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
