/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the worker `catalogue` keeps between its runs, on a stick that may be worn, full, pulled in
 * the middle, or shared by two at once: whole or not there, and never worse than the image's. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "unit.h"
#include "worker/catalogue_store.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 256, DAY_S = 24 * 3600, MADE_MS = 1000000, PRODUCTS = 10 };

#define NAME   "ipswme-iPhone12,1.json"
#define SHA1_A "94b8cfcd85de64dc6bb18287c340d5abe92109c3"
#define SHA1_B "0000000000000000000000000000000000000001"

struct bench {
	char base[40], folder[64], answers[72];
	struct http *http;
	struct catalogue_store store;
};

static int bench_start(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	snprintf(bench->base, sizeof(bench->base), "/tmp/idr-answers-XXXXXX");
	assert_non_null(mkdtemp(bench->base));
	snprintf(bench->folder, sizeof(bench->folder), "%s/catalogue", bench->base);
	snprintf(bench->answers, sizeof(bench->answers), "%s/answers", bench->folder);
	assert_int_equal(http_new(&bench->http, NULL), 0);
	catalogue_store_open(bench->folder, bench->http, &bench->store);
	assert_true(bench->store.may_write);
	*state = bench;
	return 0;
}

static int bench_end(void **state)
{
	static const char *const names[] = { "catalogue.json", "catalogue.old.json", "lock" };
	struct bench *bench = *state;

	catalogue_store_done(&bench->store);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[PATH_BYTES];

		snprintf(path, sizeof(path), "%s/%s", bench->folder, names[i]);
		(void)remove(path);
	}
	/* a test that leaves anything else behind fails here */
	assert_int_equal(rmdir(bench->answers), 0);
	assert_int_equal(rmdir(bench->folder), 0);
	assert_int_equal(rmdir(bench->base), 0);
	http_free(bench->http);
	free(bench);
	return 0;
}

static void put(const char *folder, const char *name, const char *bytes, size_t n)
{
	char path[PATH_BYTES];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, n, file), n);
	assert_int_equal(fclose(file), 0);
}

static bool is_there(const char *folder, const char *name)
{
	char path[PATH_BYTES];
	struct stat status;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return lstat(path, &status) == 0;
}

static void take_away(const char *folder, const char *name)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(remove(path), 0);
}

/* The bytes of a file, at most max of them; how many. */
static size_t get(const char *folder, const char *name, char *ret, size_t max)
{
	char path[PATH_BYTES];
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "re");
	assert_non_null(file);
	n = fread(ret, 1, max, file);
	assert_true(n < max);
	assert_int_equal(fclose(file), 0);
	return n;
}

/* From here a file of ours can have so many bytes and no more, as on a full disk. */
static void disk_limit(rlim_t bytes)
{
	struct rlimit limit;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* --- answers */

static void save(const struct bench *bench, const char *body)
{
	struct catalogue_answer answer = { .status = 200,
					   .asked_ms = 1786988960000,
					   .etag = "\"abc\"",
					   .body = (char *)body,
					   .body_bytes = strlen(body) };

	catalogue_store_save_answer(&bench->store, NAME, &answer);
}

static void assert_kept(const struct bench *bench, const char *body)
{
	struct catalogue_answer answer = {};

	assert_int_equal(catalogue_store_load_answer(&bench->store, NAME, &answer), 0);
	assert_int_equal(answer.status, 200);
	assert_int_equal(answer.asked_ms, 1786988960000);
	assert_string_equal(answer.etag, "\"abc\"");
	assert_int_equal(answer.body_bytes, strlen(body));
	assert_string_equal(answer.body, body);
	catalogue_answer_done(&answer);
}

static void assert_not_kept(const struct bench *bench)
{
	struct catalogue_answer answer = {};

	assert_int_equal(catalogue_store_load_answer(&bench->store, NAME, &answer), -ENOENT);
	assert_null(answer.body);
}

static void test_answers_there_and_back(void **state)
{
	const struct bench *bench = *state;

	assert_not_kept(bench);
	save(bench, "{\"a\":1}\n{}\n");
	assert_kept(bench, "{\"a\":1}\n{}\n");
	save(bench, "");
	assert_kept(bench, "");
	assert_false(is_there(bench->answers, NAME ".part"));
	take_away(bench->answers, NAME);
}

/* A worn stick: no byte can be another one without that being seen, but in what the head says. */
static void test_answers_with_a_flipped_bit(void **state)
{
	const struct bench *bench = *state;
	char good[512], bad[512];
	size_t n, body;

	save(bench, "{\"firmwares\":[]}");
	n = get(bench->answers, NAME, good, sizeof(good));
	body = n - strlen("{\"firmwares\":[]}");
	for (size_t at = 0; at < n; at++) {
		struct catalogue_answer answer = {};

		memcpy(bad, good, n);
		bad[at] ^= 1;
		put(bench->answers, NAME, bad, n);
		if (catalogue_store_load_answer(&bench->store, NAME, &answer) < 0)
			continue;
		assert_true(at < body);
		assert_string_equal(answer.body, "{\"firmwares\":[]}");
		catalogue_answer_done(&answer);
	}
	for (size_t cut = 0; cut < n; cut++) {
		put(bench->answers, NAME, good, cut);
		assert_not_kept(bench);
	}
	memcpy(bad, good, n);
	memcpy(bad + n, "\0x", 2);
	put(bench->answers, NAME, bad, n + 2);
	assert_not_kept(bench);
	put(bench->answers, NAME, good, n);
	assert_kept(bench, "{\"firmwares\":[]}");
	take_away(bench->answers, NAME);
}

static void test_answers_that_are_none(void **state)
{
	/* the hash of no bytes */
#define HEAD(version, more)                                                                        \
	"{\"v\":" version ",\"status\":200,\"sha256\":\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4"  \
	"649b934ca495991b7852b855\"" more "}\n"
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ HEAD("2", ",\"asked_ms\":5,\"etag\":\"x\""), true },
		{ HEAD("2", ""), true },
		{ HEAD("1", ""), false },
		{ HEAD("2", ",\"etag\":\"a\\r\\nHost: b\""), false },
		{ "{\"v\":2,\"status\":200}\n", false },
		{ "[]\n", false },
		{ "\n", false },
	};
	const struct bench *bench = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct catalogue_answer answer = {};
		int r;

		put(bench->answers, NAME, rows[i].text, strlen(rows[i].text));
		r = catalogue_store_load_answer(&bench->store, NAME, &answer);
		if (r != (rows[i].good ? 0 : -ENOENT))
			fail_msg("%d for %s", r, rows[i].text);
		catalogue_answer_done(&answer);
	}
	take_away(bench->answers, NAME);
}

/* In the place of an answer: what would be followed, or waited for. */
static void test_files_of_other_kinds(void **state)
{
	const struct bench *bench = *state;
	char path[PATH_BYTES], other[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/" NAME, bench->answers);
	snprintf(other, sizeof(other), "%s/other", bench->base);
	save(bench, "{}");
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(symlink(other, path), 0);
	assert_not_kept(bench);
	save(bench, "{}"); /* takes the link's place, not its target's */
	assert_kept(bench, "{}");
	take_away(bench->base, "other");
	take_away(bench->answers, NAME);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_not_kept(bench);
	take_away(bench->answers, NAME);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_not_kept(bench);
	save(bench, "{}");
	assert_not_kept(bench);
	assert_false(is_there(bench->answers, NAME ".part"));
	take_away(bench->answers, NAME);
}

static void test_a_full_disk_keeps_what_was_there(void **state)
{
	const struct bench *bench = *state;

	save(bench, "the first one");
	disk_limit(40);
	save(bench, "another one");
	disk_limit(RLIM_INFINITY);
	assert_kept(bench, "the first one");
	assert_false(is_there(bench->answers, NAME ".part"));
	/* a part of somebody who was killed is in nobody's way */
	put(bench->answers, NAME ".part", "{\"v\"", 4);
	assert_kept(bench, "the first one");
	save(bench, "another one");
	assert_kept(bench, "another one");
	assert_false(is_there(bench->answers, NAME ".part"));
	take_away(bench->answers, NAME);
}

static void make_older(const struct bench *bench, const char *name, int64_t days)
{
	int64_t now_s = (int64_t)(clock_wall_ms() / 1000);
	struct timespec times[2] = { { .tv_sec = now_s - days * DAY_S },
				     { .tv_sec = now_s - days * DAY_S } };

	assert_int_equal(utimensat(bench->store.answers_fd, name, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void test_sweep(void **state)
{
	static const struct {
		const char *name;
		int64_t days;
		bool stays;
	} rows[] = {
		{ "new", 6, true },     { "old", 8, false },      { "old.part", 8, false },
		{ "of 1969", 0, true }, { "tomorrow", -1, true },
	};
	const struct bench *bench = *state;
	const struct timespec before_1970[2] = { { .tv_sec = -DAY_S }, { .tv_sec = -DAY_S } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		put(bench->answers, rows[i].name, "", 0);
		make_older(bench, rows[i].name, rows[i].days);
	}
	assert_int_equal(utimensat(bench->store.answers_fd, "of 1969", before_1970, 0), 0);
	assert_int_equal(mkdirat(bench->store.answers_fd, "folder", 0700), 0);
	make_older(bench, "folder", 9);
	catalogue_store_sweep(&bench->store);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (is_there(bench->answers, rows[i].name) != rows[i].stays)
			fail_msg("%s", rows[i].name);
		if (rows[i].stays)
			take_away(bench->answers, rows[i].name);
	}
	take_away(bench->answers, "folder");
}

/* --- who may write */

static void test_without_a_folder(void **state)
{
	const struct bench *bench = *state;
	char nowhere[PATH_BYTES];
	const char *folders[] = { NULL, nowhere };
	struct catalogue_answer answer = { .body = (char *)"{}", .body_bytes = 2 };

	snprintf(nowhere, sizeof(nowhere), "%s/no/where", bench->base);
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		struct catalogue_store store;
		struct catalogue_answer none = {};

		catalogue_store_open(folders[i], bench->http, &store);
		assert_false(store.may_write);
		catalogue_store_save_answer(&store, NAME, &answer);
		assert_int_equal(catalogue_store_load_answer(&store, NAME, &none), -ENOENT);
		catalogue_store_sweep(&store);
		catalogue_store_done(&store);
		catalogue_store_done(&store); /* twice is fine */
	}
}

static void *open_another(void *user)
{
	struct bench *other = user;

	catalogue_store_open(other->folder, other->http, &other->store);
	return NULL;
}

/* Who only reads takes no lock and writes nothing; who comes second waits and finds the answers. */
static void test_two_at_once(void **state)
{
	struct bench *bench = *state;
	struct bench other = {};
	struct catalogue_store reader;
	pthread_t thread;

	catalogue_store_open(bench->folder, NULL, &reader);
	assert_false(reader.may_write);
	memcpy(other.folder, bench->folder, sizeof(other.folder));
	assert_int_equal(http_new(&other.http, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, open_another, &other), 0);
	save(bench, "told to both");
	catalogue_store_done(&bench->store);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(other.store.may_write);
	assert_kept(&other, "told to both");
	catalogue_store_sweep(&reader);
	catalogue_store_done(&reader);
	catalogue_store_done(&other.store);
	http_free(other.http);
	take_away(bench->answers, NAME);
}

/* --- the refreshed catalogue */

static struct catalogue_entry entry_of(unsigned product, const char *build, const char *sha1,
				       unsigned from)
{
	struct catalogue_entry entry = { .told = from, .sha1_from = from };
	struct ipsw *ipsw = &entry.ipsw;

	snprintf(ipsw->product, sizeof(ipsw->product), "iPhone12,%u", product);
	snprintf(ipsw->version, sizeof(ipsw->version), "26.6");
	snprintf(ipsw->build, sizeof(ipsw->build), "%s", build);
	assert_int_equal(
	    ipsw_set_url(ipsw, "https://updates.cdn-apple.com/x/iPhone_26_Restore.ipsw"), 0);
	assert_int_equal(ipsw_set_hash(ipsw, sha1), 0);
	ipsw->size = 60000000;
	return entry;
}

static void list_put(struct catalogue_list *list, unsigned product, const char *build,
		     const char *sha1, unsigned from)
{
	const struct catalogue_entry entry = entry_of(product, build, sha1, from);

	assert_int_equal(catalogue_list_add_entry(list, &entry, false), 0);
	assert_int_equal(list->refused, 0);
}

enum {
	APPLE = 1U << CATALOGUE_APPLE,
	IPSWME = 1U << CATALOGUE_IPSWME,
	IMAGE = 1U << CATALOGUE_IMAGE,
};

/* FOLDER/name with the first `count` products, made so. */
static void copy_put(const struct bench *bench, const char *name, unsigned count, uint64_t made_ms)
{
	_cleanup_(catalogue_list_done) struct catalogue_list list = {};
	_cleanup_free_ char *text = NULL;

	for (unsigned i = 0; i < count; i++)
		list_put(&list, i, "23G83", SHA1_A, APPLE);
	assert_int_equal(catalogue_own_format(&list, made_ms, &text), 0);
	put(bench->folder, name, text, strlen(text));
}

/* When the copy that counts was made; 0: there is none. */
static uint64_t copy_made_ms(const struct bench *bench, const char *product, size_t entries)
{
	const struct catalogue_own image = { .made_ms = MADE_MS, .entries = PRODUCTS };
	_cleanup_(catalogue_list_done) struct catalogue_list list = {};
	struct catalogue_own own = {};

	if (catalogue_store_load(&bench->store, product, false, &image, &list, &own) < 0) {
		assert_int_equal(list.count, 0);
		return 0;
	}
	assert_int_equal(list.count, entries);
	return own.made_ms;
}

static void test_copies(void **state)
{
	const struct bench *bench = *state;

	assert_int_equal(copy_made_ms(bench, NULL, 0), 0);
	copy_put(bench, "catalogue.old.json", PRODUCTS, MADE_MS + 1);
	assert_int_equal(copy_made_ms(bench, NULL, PRODUCTS), MADE_MS + 1);
	copy_put(bench, "catalogue.json", PRODUCTS, MADE_MS + 2);
	assert_int_equal(copy_made_ms(bench, NULL, PRODUCTS), MADE_MS + 2);
	assert_int_equal(copy_made_ms(bench, "iPhone12,3", 1), MADE_MS + 2);
	assert_int_equal(copy_made_ms(bench, "iPad1,1", 0), MADE_MS + 2);
	copy_put(bench, "catalogue.json", 8, MADE_MS + 2); /* 80 % of the image's are enough */
	assert_int_equal(copy_made_ms(bench, NULL, 8), MADE_MS + 2);
	copy_put(bench, "catalogue.json", 7, MADE_MS + 2);
	assert_int_equal(copy_made_ms(bench, NULL, PRODUCTS), MADE_MS + 1);
	copy_put(bench, "catalogue.json", PRODUCTS, MADE_MS - 1);
	assert_int_equal(copy_made_ms(bench, NULL, PRODUCTS), MADE_MS + 1);
	put(bench->folder, "catalogue.json", "{", 1);
	assert_int_equal(copy_made_ms(bench, NULL, PRODUCTS), MADE_MS + 1);
	copy_put(bench, "catalogue.old.json", PRODUCTS, MADE_MS - 1);
	assert_int_equal(copy_made_ms(bench, NULL, 0), 0);
}

/* The build of a product in the copy; "" none. */
static void build_of(const struct bench *bench, const char *product,
		     char ret[static IPSW_TEXT_BYTES])
{
	const struct catalogue_own none = {};
	_cleanup_(catalogue_list_done) struct catalogue_list list = {};
	struct catalogue_own own = {};

	ret[0] = '\0';
	(void)catalogue_store_load(&bench->store, product, false, &none, &list, &own);
	assert_true(list.count <= 1);
	if (list.count == 1)
		snprintf(ret, IPSW_TEXT_BYTES, "%s", list.entries[0].ipsw.build);
}

static void test_refresh_takes_what_is_sure(void **state)
{
	static const struct {
		const char *product, *build;
	} rows[] = {
		{ "iPhone12,0", "23G83" }, /* newer by Apple */
		{ "iPhone12,1", "23G71" }, /* newer by one third party alone */
		{ "iPhone12,2", "23G71" }, /* newer, and they disagree */
		{ "iPhone12,3", "23G83" }, /* newer by two */
		{ "iPhone12,4", "23G71" }, /* older by Apple */
		{ "iPhone12,5", "23G83" }, /* not in the image */
	};
	const struct bench *bench = *state;
	_cleanup_(catalogue_list_done) struct catalogue_list known = {}, news = {}, other = {};

	for (unsigned i = 0; i < 5; i++)
		list_put(&known, i, "23G71", SHA1_A, IMAGE);
	list_put(&news, 0, "23G83", SHA1_A, APPLE);
	list_put(&news, 1, "23G83", SHA1_A, IPSWME);
	list_put(&news, 2, "23G83", SHA1_A, APPLE);
	list_put(&other, 2, "23G83", SHA1_B, IPSWME);
	list_put(&news, 3, "23G83", SHA1_A, IPSWME | 1U << CATALOGUE_APPLEDB);
	list_put(&news, 4, "23F77", SHA1_A, APPLE);
	list_put(&news, 5, "23G83", SHA1_A, APPLE);
	assert_int_equal(catalogue_list_merge(&news, &other), 0);
	catalogue_store_refresh(&bench->store, &known, &news, MADE_MS);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char build[IPSW_TEXT_BYTES];

		build_of(bench, rows[i].product, build);
		assert_string_equal(build, rows[i].build);
	}
	assert_false(is_there(bench->folder, "catalogue.old.json"));
}

/* The last good one stays, and one that would be much less is not written at all. */
static void test_refresh_makes_nothing_worse(void **state)
{
	struct bench *bench = *state;
	_cleanup_(catalogue_list_done) struct catalogue_list known = {}, bad = {}, none = {};

	for (unsigned i = 0; i < PRODUCTS; i++) {
		list_put(&known, i, "23G71", SHA1_A, IMAGE);
		if (i < 3)
			list_put(&bad, i, "23G71", SHA1_B, IPSWME);
	}
	catalogue_store_refresh(&bench->store, &known, &none, MADE_MS + 1);
	assert_int_equal(copy_made_ms(bench, NULL, PRODUCTS), MADE_MS + 1);
	catalogue_store_refresh(&bench->store, &known, &bad, MADE_MS + 2);
	assert_int_equal(copy_made_ms(bench, NULL, PRODUCTS), MADE_MS + 1);
	disk_limit(100);
	catalogue_store_refresh(&bench->store, &known, &none, MADE_MS + 3);
	disk_limit(RLIM_INFINITY);
	assert_int_equal(copy_made_ms(bench, NULL, PRODUCTS), MADE_MS + 1);
	assert_false(is_there(bench->folder, "catalogue.json.part"));
	catalogue_store_refresh(&bench->store, &known, &none, MADE_MS + 4);
	assert_int_equal(copy_made_ms(bench, NULL, PRODUCTS), MADE_MS + 4);
	take_away(bench->folder, "catalogue.json");
	assert_int_equal(copy_made_ms(bench, NULL, PRODUCTS), MADE_MS + 1);
	/* what is broken does not take the place of the last good one */
	put(bench->folder, "catalogue.json", "{", 1);
	catalogue_store_refresh(&bench->store, &known, &none, MADE_MS + 5);
	take_away(bench->folder, "catalogue.json");
	assert_int_equal(copy_made_ms(bench, NULL, PRODUCTS), MADE_MS + 1);
	bench->store.may_write = false;
	catalogue_store_refresh(&bench->store, &known, &none, MADE_MS + 6);
	assert_false(is_there(bench->folder, "catalogue.json"));
}

#define BENCH_TEST(test) cmocka_unit_test_setup_teardown(test, bench_start, bench_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_answers_there_and_back),
		BENCH_TEST(test_answers_with_a_flipped_bit),
		BENCH_TEST(test_answers_that_are_none),
		BENCH_TEST(test_files_of_other_kinds),
		BENCH_TEST(test_a_full_disk_keeps_what_was_there),
		BENCH_TEST(test_sweep),
		BENCH_TEST(test_without_a_folder),
		BENCH_TEST(test_two_at_once),
		BENCH_TEST(test_copies),
		BENCH_TEST(test_refresh_takes_what_is_sure),
		BENCH_TEST(test_refresh_makes_nothing_worse),
	};

	return cmocka_run_group_tests_name("worker catalogue store", tests, NULL, NULL);
}
