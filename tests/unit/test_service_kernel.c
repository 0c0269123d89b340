/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The watch over the kernel's messages: what becomes of troubles, and that it always comes back. */
#include "base/clock.h"
#include "service/kernel.h"
#include "unit.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAKE_WORKER "tests/unit/fake_worker"

enum { LOOP_LIMIT_MS = 20000, LONG_AGO_MS = 10 * 60 * 1000 };

struct bench {
	char folder[32], fifo[64], starts[64];
	int fd; /* what is written here the worker says */
	sd_event *event;
	struct worker_pool *pool;
	struct kernel *kernel;
	unsigned news;
};

static void on_news(void *user)
{
	struct bench *bench = user;

	bench->news++;
}

static int bench_start(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	snprintf(bench->folder, sizeof(bench->folder), "/tmp/idr-kernel-XXXXXX");
	assert_non_null(mkdtemp(bench->folder));
	snprintf(bench->fifo, sizeof(bench->fifo), "%s/kernel", bench->folder);
	snprintf(bench->starts, sizeof(bench->starts), "%s/kernel-starts", bench->folder);
	assert_int_equal(mkfifo(bench->fifo, 0600), 0);
	bench->fd = open(bench->fifo, O_RDWR | O_CLOEXEC);
	assert_true(bench->fd >= 0);
	assert_int_equal(setenv("FAKE_DIR", bench->folder, 1), 0);
	assert_int_equal(sd_event_new(&bench->event), 0);
	assert_int_equal(worker_pool_new(bench->event, FAKE_WORKER, NULL, &bench->pool), 0);
	assert_int_equal(kernel_new(bench->pool, on_news, bench, &bench->kernel), 0);
	assert_false(kernel_is_read(bench->kernel));
	*state = bench;
	return 0;
}

static int bench_end(void **state)
{
	struct bench *bench = *state;
	siginfo_t info;

	kernel_free(bench->kernel);
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		assert_true(sd_event_run(bench->event, 50 * 1000) >= 0);
	worker_pool_free(bench->pool);
	sd_event_unref(bench->event);
	close(bench->fd);
	(void)unlink(bench->starts);
	assert_int_equal(unlink(bench->fifo), 0);
	assert_int_equal(rmdir(bench->folder), 0);
	free(bench);
	return 0;
}

static void say(struct bench *bench, const char *line)
{
	assert_int_equal(write(bench->fd, line, strlen(line)), (ssize_t)strlen(line));
}

static void turn_until_news(struct bench *bench, unsigned wanted)
{
	uint64_t end_ms = clock_now_ms() + LOOP_LIMIT_MS;

	while (bench->news < wanted && clock_now_ms() < end_ms)
		assert_true(sd_event_run(bench->event, 50 * 1000) >= 0);
	assert_int_equal(bench->news, wanted);
}

#define EVENT(name, rest) "{\"v\":1,\"type\":\"event\",\"event\":\"" name "\"" rest "}\n"
#define READY             EVENT("ready", ",\"since_boot\":true")
#define TROUBLE(port, what, rest)                                                                  \
	EVENT("trouble", ",\"port\":\"" port "\",\"trouble\":\"" what "\",\"line\":\"usb " port    \
			 ": it\"" rest)

static void test_troubles(void **state)
{
	struct bench *bench = *state;
	const struct troubles *troubles = kernel_troubles(bench->kernel);
	char line[256];

	say(bench, READY);
	turn_until_news(bench, 1);
	assert_true(kernel_is_read(bench->kernel));
	assert_int_equal(troubles_count(troubles), 0);
	say(bench, EVENT("weather", ""));
	say(bench, TROUBLE("1-2", "flood", ""));
	say(bench, EVENT("trouble", ",\"port\":\"1-2\",\"trouble\":\"emi\""));
	say(bench, TROUBLE("1-2", "emi", ",\"count\":-1,\"age_ms\":\"x\""));
	snprintf(line, sizeof(line), TROUBLE("1-3", "emi", ",\"count\":1,\"age_ms\":%d"),
		 LONG_AGO_MS);
	say(bench, line);
	say(bench, TROUBLE("1-2.1", "over-current", ",\"count\":7,\"age_ms\":1000"));
	turn_until_news(bench, 3);
	assert_int_equal(troubles_count(troubles), 2);
	assert_int_equal(troubles_port(troubles, "1-2")->counts[TROUBLE_EMI], 1);
	assert_int_equal(troubles_port(troubles, "1-2.1")->counts[TROUBLE_OVER_CURRENT], 7);
	assert_string_equal(troubles_port(troubles, "1-2.1")->line, "usb 1-2.1: it");
	assert_null(troubles_port(troubles, "1-3"));
}

/* A worker that ends is replaced; the new one tells all of this boot again, and nothing counts
 * twice. */
static void test_comes_back(void **state)
{
	struct bench *bench = *state;
	const struct troubles *troubles = kernel_troubles(bench->kernel);

	say(bench, READY TROUBLE("1-2", "reset", ""));
	turn_until_news(bench, 2);
	say(bench, "{\"v\":1,\"type\":\"result\",\"ok\":false,\"error\":{\"kind\":\"refused\","
		   "\"origin\":\"kernel\",\"code\":1,\"text\":\"no\"}}\n");
	turn_until_news(bench, 3);
	assert_false(kernel_is_read(bench->kernel));
	assert_int_equal(troubles_count(troubles), 0);
	say(bench, READY TROUBLE("1-2", "reset", ""));
	turn_until_news(bench, 5);
	assert_true(kernel_is_read(bench->kernel));
	assert_int_equal(troubles_port(troubles, "1-2")->counts[TROUBLE_RESET], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_troubles, bench_start, bench_end),
		cmocka_unit_test_setup_teardown(test_comes_back, bench_start, bench_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
