/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Calls that do not wait, against a server of another process. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "facts/facts.h"
#include "service/client_call.h"
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
	sd_event *event;
	struct client_call *call;
	unsigned told;
	struct error err; /* kind none: it succeeded */
	char next[64], hello[64];
	bool free_when_told;
};

/* --- the server ------------------------------------------------------------------------------ */

static int on_list(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		   void *user)
{
	return sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_STRING("hello", "world"));
}

static int on_show(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		   void *user)
{
	const char *wanted = field_string(parameters, "phone");

	if (wanted && strcmp(wanted, "refused") == 0)
		return sd_varlink_errorbo(link, INTERFACE_NAME ".Refused",
					  SD_JSON_BUILD_PAIR_STRING("kind", "no-consent"),
					  SD_JSON_BUILD_PAIR_STRING("origin", "service"),
					  SD_JSON_BUILD_PAIR_INTEGER("code", 0),
					  SD_JSON_BUILD_PAIR_STRING("text", "too late"),
					  SD_JSON_BUILD_PAIR_STRING("next", "plan anew"));
	if (wanted && strcmp(wanted, "die") == 0)
		_exit(1);
	sd_varlink_ref(link); /* "silence": keeps the link and never answers */
	return 0;
}

static _Noreturn void serve(const char *path, int ready_fd)
{
	sd_varlink_server *server = NULL;
	sd_event *event = NULL;
	bool ok = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;

	ok = ok && sd_event_new(&event) >= 0;
	ok = ok && sd_varlink_server_new(&server, 0) >= 0;
	ok = ok && sd_varlink_server_bind_method_many(server, INTERFACE_METHOD_LIST, on_list,
						      INTERFACE_METHOD_SHOW, on_show) >= 0;
	ok = ok && sd_varlink_server_attach_event(server, event, 0) >= 0;
	ok = ok && sd_varlink_server_listen_address(server, path, 0600) >= 0;
	if (ok && write(ready_fd, "", 1) == 1)
		(void)sd_event_loop(event);
	_exit(1);
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
	int ready[2];
	char byte;

	snprintf(bench->folder, sizeof(bench->folder), "/tmp/idr-call-XXXXXX");
	assert_non_null(mkdtemp(bench->folder));
	snprintf(bench->path, sizeof(bench->path), "%s/socket", bench->folder);
	assert_int_equal(pipe(ready), 0);
	bench->pid = fork();
	assert_true(bench->pid >= 0);
	if (bench->pid == 0)
		serve(bench->path, ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	assert_true(sd_event_new(&bench->event) >= 0);
	*state = bench;
	return 0;
}

static int bench_end(void **state)
{
	struct bench *bench = *state;

	client_call_free(bench->call);
	sd_event_unref(bench->event);
	server_kill(bench);
	unlink(bench->path);
	assert_int_equal(rmdir(bench->folder), 0);
	free(bench);
	return 0;
}

/* --- the calls ------------------------------------------------------------------------------- */

static void on_reply(sd_json_variant *reply, const struct error *err, void *user)
{
	struct bench *bench = user;
	const char *next = field_string(reply, "next"), *hello = field_string(reply, "hello");

	bench->told++;
	bench->err = err ? *err : (struct error){ 0 };
	snprintf(bench->next, sizeof(bench->next), "%s", next ? next : "");
	snprintf(bench->hello, sizeof(bench->hello), "%s", hello ? hello : "");
	if (bench->free_when_told)
		bench->call = client_call_free(bench->call);
}

static int start(struct bench *bench, const char *method, const char *phone, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *parameters = NULL;

	if (phone)
		assert_true(
		    sd_json_buildo(&parameters, SD_JSON_BUILD_PAIR_STRING("phone", phone)) >= 0);
	return client_call_start(bench->event, bench->path, method, parameters, on_reply, bench,
				 &bench->call, err);
}

static void turn_until_told(struct bench *bench)
{
	uint64_t end_ms = clock_now_ms() + LOOP_LIMIT_MS;

	while (bench->told == 0 && clock_now_ms() < end_ms)
		assert_true(sd_event_run(bench->event, 50 * 1000) >= 0);
	assert_int_equal(bench->told, 1);
}

static void test_reply(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(start(bench, "List", NULL, NULL), 0);
	assert_int_equal(bench->told, 0); /* nothing from inside */
	turn_until_told(bench);
	assert_int_equal(bench->err.kind, ERROR_NONE);
	assert_string_equal(bench->hello, "world");
}

static void test_refused(void **state)
{
	struct bench *bench = *state;

	bench->free_when_told = true;
	assert_int_equal(start(bench, "Show", "refused", NULL), 0);
	turn_until_told(bench);
	assert_null(bench->call);
	assert_int_equal(bench->err.kind, ERROR_NO_CONSENT);
	assert_string_equal(bench->err.text, "too late");
	assert_string_equal(bench->next, "plan anew");
}

static void test_service_dies(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(start(bench, "Show", "die", NULL), 0);
	turn_until_told(bench);
	assert_int_equal(bench->err.kind, ERROR_NO_SERVICE);
}

static void test_silence_has_a_limit(void **state)
{
	struct bench *bench = *state;
	uint64_t start_ms = clock_now_ms();

	assert_int_equal(start(bench, "Show", "silence", NULL), 0);
	turn_until_told(bench);
	assert_int_equal(bench->err.kind, ERROR_SILENT);
	assert_uint_in_range(clock_now_ms() - start_ms, timing_ms(TIMING_CALL) - 100,
			     timing_ms(TIMING_CALL) + 2000);
}

/* A call that was given up tells nothing, also when the service answers later or dies. */
static void test_given_up(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(start(bench, "List", NULL, NULL), 0);
	bench->call = client_call_free(bench->call);
	assert_int_equal(start(bench, "Show", "silence", NULL), 0);
	bench->call = client_call_free(bench->call);
	server_kill(bench);
	assert_true(sd_event_run(bench->event, 300 * 1000) >= 0);
	assert_int_equal(bench->told, 0);
}

static void test_no_service(void **state)
{
	struct bench *bench = *state;
	struct error err = { 0 };

	server_kill(bench);
	assert_int_equal(start(bench, "List", NULL, &err), -ECONNREFUSED);
	assert_int_equal(err.kind, ERROR_NO_SERVICE);
	assert_null(bench->call);
	assert_int_equal(bench->told, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, bench_start, bench_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_reply),        TEST(test_refused),
		TEST(test_service_dies), TEST(test_silence_has_a_limit),
		TEST(test_given_up),     TEST(test_no_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
