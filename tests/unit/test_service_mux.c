/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The watch over usbmuxd: what it passes on, and that it always comes back. */
#include "base/clock.h"
#include "facts/facts.h"
#include "service/mux.h"
#include "unit.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAKE_WORKER "tests/unit/fake_worker"
#define UDID        "00008110-001C20223E29401E"

enum { LOOP_LIMIT_MS = 20000 };

struct bench {
	char folder[32], fifo[64], starts[64], cures[64];
	int fd; /* what is written here the worker says */
	sd_event *event;
	struct worker_pool *pool;
	struct mux *mux;
	char told[512]; /* one word an event */
};

static void on_news(enum mux_news news, const char *udid, unsigned location,
		    const struct error *why, void *user)
{
	static const char *const names[MUX_NEWS_MAX] = { "up", "down", "attached", "detached",
							 "paired" };
	struct bench *bench = user;
	size_t used = strlen(bench->told);

	if (udid)
		assert_string_equal(udid, UDID);
	if (why)
		assert_int_equal(news, MUX_DOWN);
	snprintf(bench->told + used, sizeof(bench->told) - used, "%s/%x%s%s ", names[news],
		 location, why ? "/" : "", why ? why->text : "");
}

static int bench_start(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	snprintf(bench->folder, sizeof(bench->folder), "/tmp/idr-mux-XXXXXX");
	assert_non_null(mkdtemp(bench->folder));
	snprintf(bench->fifo, sizeof(bench->fifo), "%s/mux", bench->folder);
	snprintf(bench->starts, sizeof(bench->starts), "%s/mux-starts", bench->folder);
	snprintf(bench->cures, sizeof(bench->cures), "%s/requests-mux", bench->folder);
	assert_int_equal(mkfifo(bench->fifo, 0600), 0);
	bench->fd = open(bench->fifo, O_RDWR | O_CLOEXEC);
	assert_true(bench->fd >= 0);
	assert_int_equal(setenv("FAKE_DIR", bench->folder, 1), 0);
	assert_int_equal(sd_event_new(&bench->event), 0);
	assert_int_equal(worker_pool_new(bench->event, FAKE_WORKER, NULL, &bench->pool), 0);
	assert_int_equal(mux_new(bench->pool, on_news, bench, &bench->mux), 0);
	*state = bench;
	return 0;
}

static int bench_end(void **state)
{
	struct bench *bench = *state;
	siginfo_t info;

	mux_free(bench->mux);
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		assert_true(sd_event_run(bench->event, 50 * 1000) >= 0);
	worker_pool_free(bench->pool);
	sd_event_unref(bench->event);
	close(bench->fd);
	assert_int_equal(unlink(bench->starts), 0);
	assert_int_equal(unlink(bench->fifo), 0);
	(void)unlink(bench->cures); /* if it was asked for */
	assert_int_equal(rmdir(bench->folder), 0);
	free(bench);
	return 0;
}

/* Waits until so many workers were started: an earlier one could still take what is said. */
static void turn_until_started(struct bench *bench, unsigned wanted)
{
	uint64_t end_ms = clock_now_ms() + LOOP_LIMIT_MS;
	unsigned started = 0;

	while (started < wanted && clock_now_ms() < end_ms) {
		char line[32];
		FILE *file = fopen(bench->starts, "re");

		assert_true(sd_event_run(bench->event, 50 * 1000) >= 0);
		for (started = 0; file && fgets(line, sizeof(line), file);)
			started++;
		if (file)
			fclose(file);
	}
	assert_int_equal(started, wanted);
}

static void say(struct bench *bench, const char *line)
{
	assert_int_equal(write(bench->fd, line, strlen(line)), (ssize_t)strlen(line));
}

static void turn_until_told(struct bench *bench, const char *expected)
{
	uint64_t end_ms = clock_now_ms() + LOOP_LIMIT_MS;

	while (strcmp(bench->told, expected) != 0 && clock_now_ms() < end_ms)
		assert_true(sd_event_run(bench->event, 50 * 1000) >= 0);
	assert_string_equal(bench->told, expected);
}

#define EVENT(name, rest) "{\"v\":1,\"type\":\"event\",\"event\":\"" name "\"" rest "}\n"
#define OF_UDID           ",\"udid\":\"" UDID "\""

static void test_news(void **state)
{
	struct bench *bench = *state;

	say(bench, EVENT("mux-down", "")); /* nobody knew yet */
	say(bench, EVENT("mux-down", ""));
	say(bench, EVENT("mux-up", ""));
	say(bench, EVENT("mux-up", ""));
	say(bench, EVENT("weather", ""));
	say(bench, EVENT("attached", OF_UDID ",\"location\":65541,\"connection\":\"usb\""));
	say(bench, EVENT("attached", OF_UDID ",\"location\":0,\"connection\":\"network\""));
	say(bench, EVENT("attached", ""));
	say(bench, EVENT("attached", ",\"udid\":\"" UDID UDID UDID "\""));
	say(bench, EVENT("attached", OF_UDID ",\"location\":99999999999"));
	say(bench, EVENT("paired", OF_UDID));
	say(bench, EVENT("detached", OF_UDID));
	say(bench, EVENT("mux-down", ""));
	turn_until_told(bench, "down/0 up/0 attached/10005 paired/0 detached/0 down/0 ");
}

static void test_it_comes_back_after_a_crash(void **state)
{
	struct bench *bench = *state;
	uint64_t start_ms;

	say(bench, EVENT("mux-up", ""));
	turn_until_told(bench, "up/0 ");
	say(bench, "usbmuxd: Segmentation fault\n");
	turn_until_told(bench, "up/0 down/0 ");
	start_ms = clock_now_ms();
	turn_until_started(bench, 2);
	assert_true(clock_now_ms() - start_ms + 100 >= timing_ms(TIMING_MUX_RETRY));
	say(bench, EVENT("mux-up", ""));
	turn_until_told(bench, "up/0 down/0 up/0 ");
}

static void test_it_comes_back_when_it_ends_by_itself(void **state)
{
	struct bench *bench = *state;

	say(bench, EVENT("mux-up", ""));
	say(bench, "{\"v\":1,\"type\":\"result\",\"ok\":true}\n");
	turn_until_told(bench, "up/0 down/0 ");
	turn_until_started(bench, 2);
	say(bench, EVENT("mux-up", ""));
	turn_until_told(bench, "up/0 down/0 up/0 ");
}

#define SILENT                                                                                     \
	"{\"v\":1,\"type\":\"result\",\"ok\":false,\"error\":{\"kind\":\"silent\","                \
	"\"origin\":\"usbmuxd\",\"code\":0,\"text\":\"silence\"}}\n"

/* A usbmuxd that takes the connection and says nothing: that is told, and once. */
static void test_it_says_why_it_is_down(void **state)
{
	struct bench *bench = *state;

	say(bench, SILENT);
	turn_until_told(bench, "down/0/silence ");
	turn_until_started(bench, 2);
	say(bench, SILENT);
	turn_until_started(bench, 3);
	say(bench, EVENT("mux-down", "")); /* now it is gone */
	turn_until_told(bench, "down/0/silence down/0 ");
}

static bool cure_was_asked_for(struct bench *bench)
{
	char line[128] = "";
	FILE *file = fopen(bench->cures, "re");
	bool asked = file && fgets(line, sizeof(line), file) && strstr(line, "\"restart\"");

	if (file)
		fclose(file);
	return asked;
}

/* Such a usbmuxd was seen when a cable is pulled: it waits for ever, and takes nobody in. */
static void test_one_that_hangs_is_started_anew(void **state)
{
	struct bench *bench = *state;
	uint64_t end_ms = clock_now_ms() + LOOP_LIMIT_MS;

	for (unsigned i = 1; i <= 2; i++) {
		say(bench, SILENT);
		turn_until_started(bench, i + 1);
	}
	say(bench, EVENT("mux-up", "")); /* it was only slow */
	turn_until_told(bench, "down/0/silence up/0 ");
	for (unsigned i = 3; i <= 4; i++) {
		say(bench, SILENT);
		turn_until_started(bench, i + 1);
	}
	assert_false(cure_was_asked_for(bench));
	say(bench, SILENT);
	while (!cure_was_asked_for(bench) && clock_now_ms() < end_ms)
		assert_true(sd_event_run(bench->event, 50 * 1000) >= 0);
	assert_true(cure_was_asked_for(bench));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, bench_start, bench_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_news),
		TEST(test_it_comes_back_after_a_crash),
		TEST(test_it_comes_back_when_it_ends_by_itself),
		TEST(test_it_says_why_it_is_down),
		TEST(test_one_that_hangs_is_started_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
