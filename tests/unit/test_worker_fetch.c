/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parts of the download: window, state file, part and its threads, rate, sources, names. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "fetch_bed.h"
#include "worker/fetch_flow.h"
#include "worker/fetch_rate.h"
#include "worker/fetch_source.h"
#include "worker/fetch_state.h"
#include "worker/fetch_window.h"
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

/* --- window */

static void test_window_in_order(void **state)
{
	struct window window;
	int a, b;

	window_reset(&window, 5, 20 * mib);
	assert_int_equal(window_ready(&window), 5);
	a = window_take(&window, 64 * mib, 8 * mib);
	b = window_take(&window, 64 * mib, 8 * mib);
	assert_true(a >= 0 && b >= 0 && a != b);
	assert_int_equal(window.spans[a].at, 5);
	assert_int_equal(window.spans[a].end, 5 + 8 * mib);
	assert_int_equal(window.spans[b].at, 5 + 8 * mib);
	/* what comes behind a gap is not ready */
	window_advance(&window, b, 8 * mib);
	assert_int_equal(window_ready(&window), 5);
	assert_true(window_holds_up(&window, a));
	assert_false(window_holds_up(&window, b));
	window_release(&window, b);
	window_advance(&window, a, 8 * mib);
	assert_int_equal(window_ready(&window), 5 + 16 * mib);
}

static void test_window_limit(void **state)
{
	struct window window;

	window_reset(&window, 0, 20 * mib);
	assert_int_equal(window_take(&window, mib - 1, 8 * mib), -1); /* not worth a request */
	assert_int_equal(window_take(&window, mib, 8 * mib), 0);
	assert_int_equal(window.spans[0].end, mib);
	assert_int_equal(window_take(&window, mib, 8 * mib), -1);
	assert_int_equal(window_take(&window, 20 * mib, 2 * mib), 1);
	assert_int_equal(window.spans[1].end, 3 * mib);
	window_reset(&window, 20 * mib - 10, 20 * mib); /* all there is: it is */
	assert_int_equal(window_take(&window, 64 * mib, 8 * mib), 0);
	assert_int_equal(window.spans[0].end, 20 * mib);
	assert_int_equal(window_take(&window, 64 * mib, 8 * mib), -1);
}

static void test_window_given_back(void **state)
{
	struct window window;
	int a, b, c;

	window_reset(&window, 0, 100 * mib);
	a = window_take(&window, 64 * mib, 8 * mib);
	b = window_take(&window, 64 * mib, 8 * mib);
	c = window_take(&window, 64 * mib, 8 * mib);
	window_advance(&window, b, 100);
	window_advance(&window, a, 7);
	window_release(&window, b);
	window_release(&window, a);
	/* the first gap first, and only what is missing */
	assert_int_equal(window_take(&window, 64 * mib, 8 * mib), a);
	assert_int_equal(window.spans[a].at, 7);
	assert_int_equal(window_take(&window, 64 * mib, 8 * mib), b);
	assert_int_equal(window.spans[b].at, 8 * mib + 100);
	/* the last one is as if it had not been asked for */
	window_advance(&window, c, mib);
	window_release(&window, c);
	assert_int_equal(window.next, 17 * mib);
}

static void test_window_widened(void **state)
{
	struct window window;
	int slot;

	window_reset(&window, 0, 100 * mib);
	slot = window_take(&window, 64 * mib, 8 * mib);
	window_widen(&window, slot);
	assert_int_equal(window_take(&window, 64 * mib, 8 * mib), -1);
	window_advance(&window, slot, 30 * mib);
	assert_int_equal(window_ready(&window), 30 * mib);
	window_release(&window, slot);
	slot = window_take(&window, 64 * mib, 8 * mib); /* in ranges again */
	assert_int_equal(window.spans[slot].at, 30 * mib);
	assert_int_equal(window.spans[slot].end, 38 * mib);
}

/* A slot whose bytes are all there is not given to another before it is released. */
static void test_window_slot_in_use(void **state)
{
	struct window window;
	int slot;

	window_reset(&window, 0, 100 * mib);
	slot = window_take(&window, 64 * mib, 8 * mib);
	window_advance(&window, slot, 8 * mib);
	for (int i = 1; i < WINDOW_SPANS; i++)
		assert_int_not_equal(window_take(&window, 100 * mib, 8 * mib), slot);
	assert_int_equal(window_take(&window, 100 * mib, 8 * mib), -1);
	assert_int_equal(window_ready(&window), 8 * mib);
	window_release(&window, slot);
	assert_int_equal(window_take(&window, 100 * mib, 8 * mib), slot);
}

/* --- state */

static int state_of(const char *text, struct fetch_state *ret)
{
	return fetch_state_parse(text, strlen(text), ret);
}

#define STATE(etag, size, committed, prefixes)                                                     \
	"{\"v\":1,\"url\":\"" URL "\",\"etag\":\"" etag "\",\"size\":" size ",\"sha1\":\"" SHA1    \
	"\",\"sha256\":\"\",\"committed\":" committed ",\"prefixes\":[" prefixes "]}"

static void test_state(void **state)
{
	_cleanup_(fetch_state_done) struct fetch_state one = {}, other = {};
	_cleanup_free_ char *text = NULL;
	struct ipsw wanted = { .url = URL, .size = 100, .sha1 = SHA1 };

	/* without "from", as older versions wrote it */
	assert_int_equal(state_of(STATE("\\\"e\\\"", "100", "7", "\"" SHA256 "\""), &one), 0);
	assert_string_equal(one.etag, "\"e\"");
	assert_string_equal(one.from, URL);
	assert_int_equal(one.committed, 7);
	assert_int_equal(one.prefix_count, 1);
	assert_true(fetch_state_fits(&one, &wanted));
	assert_int_equal(fetch_state_format(&one, &text), 0);
	assert_int_equal(state_of(text, &other), 0);
	assert_string_equal(other.prefixes[0], SHA256);
	wanted.size = 101;
	assert_false(fetch_state_fits(&one, &wanted));
	wanted.size = 100;
	wanted.sha1[0] = 'b';
	assert_false(fetch_state_fits(&one, &wanted));
	wanted.sha1[0] = '\0'; /* nothing to compare but the address */
	assert_true(fetch_state_fits(&one, &wanted));
	wanted.url[10] = 'x';
	assert_false(fetch_state_fits(&one, &wanted));
}

static void test_states_that_are_none(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{\"v\":1",
		STATE("", "100", "7", ""),                              /* a prefix is missing */
		STATE("", "100", "7", "\"" SHA256 "\",\"" SHA256 "\""), /* one too many */
		STATE("", "100", "7", "\"" SHA1 "\""),
		/* as long as a hash, and no digits */
		STATE("", "100", "7",
		      "\"" SHA1 "0123456789abcdef01234ABC"
		      "\""),
		STATE("", "100", "7",
		      "\"" SHA1 "0123456789abcdef012345\xc2\x99"
		      "\""),
		STATE("", "100", "7", "7"),
		STATE("", "6", "7", "\"" SHA256 "\""), /* more than the file */
		STATE("", "-1", "0", ""),
		STATE("", "99999999999999999999999999", "0", ""),
		STATE("", "18446744073709551615", "18446744073709551615", ""),
		STATE("a\\r\\nHost: x", "100", "0", ""), /* would end a header */
	};
	struct fetch_state fetch = {};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (state_of(bad[i], &fetch) != -EBADMSG)
			fail_msg("taken: %s", bad[i]);
}

/* --- part and flow */

/* Puts bytes that differ by place into the window, from `from` to `to`. */
static void flow_fill(struct flow *flow, uint64_t from, uint64_t to)
{
	while (from < to) {
		size_t n = 0, piece;
		uint8_t *at = flow_place(flow, from, &n);

		piece = to - from < n ? (size_t)(to - from) : n;
		assert_int_equal(flow_wait_room(flow, from, NULL), 0);
		if (piece > mib)
			piece = (size_t)mib;
		memset(at, (int)(from / mib) + 1, piece);
		from += piece;
		flow_ready(flow, from);
	}
}

static void test_flow_settles_and_resumes(void **state)
{
	static const uint64_t first = 70 * 1048576 + 11, second = 100 * 1048576 + 3;
	struct flow *flow = NULL;
	struct part *part;
	struct bed bed;

	bed_make(&bed, 200 * mib);
	part = part_of(&bed);
	part_set_etag(part, URL, "\"e\"");
	assert_int_equal(flow_new(part, bed.http, &flow, NULL), 0);
	flow_fill(flow, 0, first);
	assert_int_equal(flow_settle(flow, NULL, NULL, NULL), 0);
	assert_int_equal(part_done(part), first);
	flow_fill(flow, first, second); /* it goes on, and is killed */
	while (flow_done(flow) < second)
		assert_int_equal(flow_check(flow, NULL), 0);
	flow_free(flow);
	part_free(part);
	part = part_of(&bed);
	assert_true(part_done(part) == first || part_done(part) == 96 * mib);
	assert_int_equal(size_of(&bed, ".part"), part_done(part));
	assert_string_equal(part_etag(part, URL), "\"e\"");
	assert_string_equal(part_etag(part, "https://shop/x"), ""); /* of another server */
	assert_int_equal(part_restart(part, NULL), 0);
	assert_int_equal(size_of(&bed, ".part"), 0);
	part_free(part);
	bed_end(&bed);
}

/* Never more than 96 MiB are taken in that are not committed, nor 64 MiB that are not hashed. */
static void test_flow_bounds(void **state)
{
	struct flow *flow = NULL;
	struct part *part;
	struct bed bed;

	bed_make(&bed, 200 * mib);
	part = part_of(&bed);
	assert_int_equal(flow_new(part, bed.http, &flow, NULL), 0);
	assert_int_equal(flow_limit(flow, false), 64 * mib);
	flow_fill(flow, 0, 200 * mib);
	assert_true(flow_limit(flow, false) <= flow_done(flow) + 64 * mib);
	assert_int_equal(flow_settle(flow, NULL, NULL, NULL), 0);
	assert_int_equal(flow_done(flow), 200 * mib);
	flow_free(flow);
	part_free(part);
	bed_end(&bed);
}

static void test_flow_that_breaks(void **state)
{
	struct error err = {};
	struct flow *flow = NULL;
	struct part *part;
	struct bed bed;
	char name[PLACE_NAME_BYTES];

	bed_make(&bed, 200 * mib);
	part = part_of(&bed);
	assert_int_equal(flow_new(part, bed.http, &flow, NULL), 0);
	/* no state can be written any more */
	fetch_place_name(&bed.place, ".part.json.part", name);
	assert_int_equal(mkdirat(bed.place.folder_fd, name, 0755), 0);
	flow_fill(flow, 0, 3 * mib);
	assert_true(flow_settle(flow, NULL, NULL, &err) < 0);
	assert_int_equal(err.kind, ERROR_NO_SPACE);
	assert_true(flow_wait_room(flow, 64 * mib, NULL) < 0); /* nobody waits for ever */
	flow_free(flow);
	part_free(part);
	assert_int_equal(unlinkat(bed.place.folder_fd, name, AT_REMOVEDIR), 0);
	bed_end(&bed);
}

/* --- a disk that takes its time */

static sem_t *told; /* the disk has done once this was posted, or after a while; NULL: at once */

int fdatasync(int fd)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 3;
	if (told)
		(void)sem_timedwait(told, &until);
	return (int)syscall(SYS_fdatasync, fd);
}

static void on_settling(void *context, uint64_t done)
{
	*(uint64_t *)context = done;
	(void)sem_post(told);
}

static void test_flow_tells_while_it_settles(void **state)
{
	struct flow *flow = NULL;
	uint64_t done = 0;
	struct part *part;
	struct bed bed;
	sem_t sem;

	bed_make(&bed, 200 * mib);
	part = part_of(&bed);
	assert_int_equal(flow_new(part, bed.http, &flow, NULL), 0);
	assert_int_equal(sem_init(&sem, 0, 0), 0);
	told = &sem;
	flow_fill(flow, 0, mib);
	assert_int_equal(flow_settle(flow, on_settling, &done, NULL), 0);
	told = NULL;
	assert_int_equal(done, mib);
	flow_free(flow);
	part_free(part);
	sem_destroy(&sem);
	bed_end(&bed);
}

/* The network goes away: what came is kept soon all the same. */
static void test_flow_commits_while_nothing_comes(void **state)
{
	struct flow *flow = NULL;
	struct part *part;
	struct bed bed;

	bed_make(&bed, 200 * mib);
	part = part_of(&bed);
	assert_int_equal(flow_new(part, bed.http, &flow, NULL), 0);
	flow_fill(flow, 0, 9 * mib);
	for (uint64_t end_ms = clock_now_ms() + 15000;
	     size_of(&bed, ".part.json") == 0 && clock_now_ms() < end_ms;)
		http_wait(bed.http, 50);
	assert_true(size_of(&bed, ".part.json") > 0);
	flow_free(flow);
	part_free(part);
	part = part_of(&bed);
	assert_int_equal(part_done(part), 8 * mib);
	part_free(part);
	bed_end(&bed);
}

static void test_part_is_locked(void **state)
{
	struct error err = {};
	struct part *part, *other = NULL;
	struct bed bed;

	bed_make(&bed, 10);
	part = part_of(&bed);
	assert_int_equal(part_open(&bed.place, &bed.wanted, &other, &err), -EBUSY);
	assert_int_equal(err.kind, ERROR_BUSY);
	part_free(part);
	bed_end(&bed);
}

/* --- the rest */

static void test_rate(void **state)
{
	struct fetch_rate rate = {};

	fetch_rate_tell(&rate, 1000, 0);
	fetch_rate_tell(&rate, 1100, 50);
	assert_int_equal(rate.per_s, 0); /* too early to say */
	fetch_rate_tell(&rate, 2000, 10000);
	assert_int_equal(rate.per_s, 10000);
	assert_int_equal(fetch_rate_left_s(&rate, 10001), 2);
	fetch_rate_tell(&rate, 3000, 10000); /* a second without a byte */
	assert_true(rate.per_s > 7000 && rate.per_s < 10000);
	for (uint64_t i = 4; i < 60; i++)
		fetch_rate_tell(&rate, i * 1000, 10000 + (i - 3) * 2000);
	assert_true(rate.per_s >= 1999 && rate.per_s < 2010);
}

static void test_sources(void **state)
{
	static const char *const bad[] = {
		"ftp://shop",     "shop/x",           "http://u@shop",
		"http://shop/?x", "http://shop/../x", "http://shop/a b"
	};
	struct fetch_source sources[SOURCES_MAX];
	struct ipsw wanted = { .url = URL, .name = "x_Restore.ipsw" };
	size_t n = 0;

	assert_int_equal(fetch_sources(&wanted, "h.ipsw", "", sources, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(sources[0].url, URL);
	assert_int_equal(fetch_sources(&wanted, "h.ipsw", "http://10.0.0.5:8080/f//", sources, &n),
			 0);
	assert_int_equal(n, 3);
	assert_string_equal(sources[0].url, "http://10.0.0.5:8080/f/h.ipsw");
	assert_string_equal(sources[1].url, "http://10.0.0.5:8080/f/x_Restore.ipsw");
	assert_true(sources[1].is_own_server && !sources[2].is_own_server);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (fetch_sources(&wanted, "h.ipsw", bad[i], sources, &n) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
}

static void test_names(void **state)
{
	struct ipsw wanted = { .name = "x_Restore.ipsw", .sha1 = SHA1, .sha256 = SHA256 };
	struct fetch_place place = {};
	char name[PLACE_NAME_BYTES];

	fetch_place_set_stem(&place, &wanted);
	assert_string_equal(place.stem, SHA256 ".ipsw");
	fetch_place_name(&place, ".part.json", name);
	assert_string_equal(name, SHA256 ".ipsw.part.json");
	assert_true(fetch_place_other_name(&place, &wanted, 0, name));
	assert_string_equal(name, SHA1 ".ipsw");
	assert_true(fetch_place_other_name(&place, &wanted, 1, name));
	assert_string_equal(name, "x_Restore.ipsw");
	assert_false(fetch_place_other_name(&place, &wanted, 2, name));
	wanted.sha256[0] = '\0';
	fetch_place_set_stem(&place, &wanted);
	assert_string_equal(place.stem, SHA1 ".ipsw");
	assert_true(fetch_place_other_name(&place, &wanted, 0, name));
	assert_string_equal(name, "x_Restore.ipsw");
	assert_false(fetch_place_other_name(&place, &wanted, 1, name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window_in_order),
		cmocka_unit_test(test_window_limit),
		cmocka_unit_test(test_window_given_back),
		cmocka_unit_test(test_window_widened),
		cmocka_unit_test(test_window_slot_in_use),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_states_that_are_none),
		cmocka_unit_test(test_flow_settles_and_resumes),
		cmocka_unit_test(test_flow_bounds),
		cmocka_unit_test(test_flow_that_breaks),
		cmocka_unit_test(test_flow_tells_while_it_settles),
		cmocka_unit_test(test_flow_commits_while_nothing_comes),
		cmocka_unit_test(test_part_is_locked),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
