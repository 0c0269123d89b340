/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The firmware files that are kept: what is found, what may go, what never does. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "doctor/signing.h"
#include "service/cache.h"
#include "service/storage.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define HASH_A "aaaaaaaa11111111aaaaaaaa11111111aaaaaaaa11111111aaaaaaaa11111111"
#define HASH_B "bbbbbbbb22222222bbbbbbbb22222222bbbbbbbb22222222bbbbbbbb22222222"
#define HASH_C "cccccccc33333333cccccccc33333333cccccccc33333333cccccccc33333333"
#define SHA1_D "dddddddd44444444dddddddd44444444dddddddd"

enum { DAY_S = 24 * 3600 };

struct bench {
	struct room room;
	char firmware[64];
};

static int remove_one(const char *path, const struct stat *file, int type, struct FTW *at)
{
	return remove(path);
}

static int bench_start(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	snprintf(bench->room.folder, sizeof(bench->room.folder), "/tmp/idr-cache-XXXXXX");
	assert_non_null(mkdtemp(bench->room.folder));
	snprintf(bench->firmware, sizeof(bench->firmware), "%.40s/firmware", bench->room.folder);
	assert_int_equal(mkdir(bench->firmware, 0700), 0);
	*state = bench;
	return 0;
}

static int bench_end(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(nftw(bench->room.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	free(bench);
	return 0;
}

static void path_of(const struct bench *bench, const char *name, char ret[static 256])
{
	snprintf(ret, 256, "%s/%s", bench->firmware, name);
}

static void file_put(const struct bench *bench, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	path_of(bench, name, path);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static bool is_there(const struct bench *bench, const char *name)
{
	char path[256];

	path_of(bench, name, path);
	return access(path, F_OK) == 0;
}

/* A whole file of four bytes, with the note that worker fetch and the service leave. */
static void firmware_put(const struct bench *bench, const char *file, const char *products,
			 const char *build, uint64_t used_ms)
{
	char note[1024], name[128];

	file_put(bench, file, "ipsw");
	snprintf(note, sizeof(note),
		 "{\"v\":2,\"product\":\"%.*s\",\"version\":\"17.5\",\"build\":\"%s\",\"name\":"
		 "\"Apple_%s_Restore.ipsw\",\"url\":\"https://x/%s\",\"size\":4,\"products\":[%s],"
		 "\"used_ms\":%llu}",
		 (int)strcspn(products + 1, "\""), products + 1, build, build, build, products,
		 (unsigned long long)used_ms);
	snprintf(name, sizeof(name), "%s.json", file);
	file_put(bench, name, note);
}

static void age_set(const struct bench *bench, const char *name, time_t seconds)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	char path[256];

	path_of(bench, name, path);
	times[1].tv_sec = (time_t)(clock_wall_ms() / 1000) - seconds;
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static int lock_file(const struct bench *bench, const char *name, int how)
{
	char path[256];
	int fd;

	path_of(bench, name, path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, how), 0);
	return fd;
}

/* --- finding --------------------------------------------------------------------------------- */

static void test_one_file_serves_many_products(void **state)
{
	struct bench *bench = *state;
	struct firmware found;

	firmware_put(bench, HASH_A ".ipsw", "\"iPhone14,5\",\"iPhone14,4\"", "21F90", 1);
	assert_int_equal(
	    cache_find(&bench->room, &(struct cache_query){ .product = "iPhone14,4" }, &found), 0);
	assert_string_equal(found.product, "iPhone14,4"); /* as it was asked for */
	assert_string_equal(found.build, "21F90");
	assert_string_equal(strrchr(found.path, '/'), "/" HASH_A ".ipsw");
	assert_string_equal(found.name, "Apple_21F90_Restore.ipsw");
	assert_int_equal(
	    cache_find(&bench->room, &(struct cache_query){ .product = "iPhone14,40" }, &found),
	    -ENOENT);
	assert_int_equal(cache_find(&bench->room, &(struct cache_query){ 0 }, &found), -ENOENT);
}

static void test_hash_and_address_go_before_names(void **state)
{
	struct bench *bench = *state;
	struct firmware found;

	/* notes of these two are gone; their names say enough */
	file_put(bench, HASH_B ".ipsw", "ipsw");
	file_put(bench, SHA1_D ".ipsw", "ipsw");
	firmware_put(bench, "Old_Name_Restore.ipsw", "\"iPhone9,1\"", "19H1", 1);
	assert_int_equal(cache_find(&bench->room,
				    &(struct cache_query){
					.product = "iPhone1,1", .build = "1A1", .sha256 = HASH_B },
				    &found),
			 0);
	assert_string_equal(found.sha256, HASH_B);
	assert_int_equal(cache_find(&bench->room, &(struct cache_query){ .sha1 = SHA1_D }, &found),
			 0);
	assert_int_equal(
	    cache_find(&bench->room, &(struct cache_query){ .sha256 = HASH_C }, &found), -ENOENT);
	assert_int_equal(
	    cache_find(&bench->room, &(struct cache_query){ .url = "https://x/19H1" }, &found), 0);
	assert_string_equal(strrchr(found.path, '/'), "/Old_Name_Restore.ipsw");
}

static void test_another_hash_is_another_file(void **state)
{
	struct bench *bench = *state;
	struct firmware found;

	firmware_put(bench, HASH_A ".ipsw", "\"iPhone14,5\"", "21F90", 1);
	assert_int_equal(cache_find(&bench->room,
				    &(struct cache_query){ .product = "iPhone14,5",
							   .build = "21F90",
							   .sha256 = HASH_B },
				    &found),
			 -ENOENT);
}

static void test_the_best_fit_is_taken(void **state)
{
	struct bench *bench = *state;
	const struct cache_query newest = { .product = "iPhone14,5" };
	const struct cache_query hashed = { .product = "iPhone14,5",
					    .build = "21F90",
					    .sha256 = HASH_A };
	struct firmware found;

	/* written later, and an older build */
	firmware_put(bench, HASH_A ".ipsw", "\"iPhone14,5\"", "21F90", 1);
	firmware_put(bench, HASH_B ".ipsw", "\"iPhone14,5\"", "21F9", 1);
	age_set(bench, HASH_A ".ipsw", DAY_S);
	assert_int_equal(cache_find(&bench->room, &newest, &found), 0);
	assert_string_equal(found.build, "21F90");
	/* a file whose hash nobody knows says only by its note that it is this build */
	firmware_put(bench, "Old_Name_Restore.ipsw", "\"iPhone14,5\"", "21F90", 1);
	assert_int_equal(cache_find(&bench->room, &hashed, &found), 0);
	assert_string_equal(strrchr(found.path, '/'), "/" HASH_A ".ipsw");
}

static void test_folder_that_cannot_be_read_is_not_empty(void **state)
{
	struct bench *bench = *state;
	struct cache_entry *entries = NULL;
	struct error err;
	size_t count = 7;

	assert_int_equal(rmdir(bench->firmware), 0);
	assert_int_equal(cache_list(&bench->room, &entries, &count), 0);
	assert_int_equal(count, 0);
	/* a disk that was pulled out is not a file that is gone */
	assert_int_equal(cache_drop_file(&bench->room, HASH_A ".ipsw", NULL, NULL, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "pulled out"));
	close(open(bench->firmware, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_int_equal(cache_list(&bench->room, &entries, &count), -ENOTDIR);
}

static void test_half_a_file_is_none(void **state)
{
	struct bench *bench = *state;
	_cleanup_free_ struct cache_entry *entries = NULL;
	struct firmware found;
	char link[256];
	size_t count = 0;

	firmware_put(bench, HASH_A ".ipsw", "\"iPhone14,5\"", "21F90", 1);
	file_put(bench, HASH_A ".ipsw", "ips"); /* cut off */
	file_put(bench, "notes.txt", "mine");
	file_put(bench, "\xff\xfe.ipsw", "ipsw");
	file_put(bench, "a\nb.ipsw", "ipsw");
	file_put(bench, HASH_B ".ipsw.json.part", "{");
	path_of(bench, HASH_C ".ipsw", link);
	assert_int_equal(symlink("/etc/passwd", link), 0);
	assert_int_equal(
	    cache_find(&bench->room, &(struct cache_query){ .product = "iPhone14,5" }, &found),
	    -ENOENT);
	assert_int_equal(cache_list(&bench->room, &entries, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(entries[0].kind, CACHE_BAD);
}

static void test_damaged_notes_are_no_harm(void **state)
{
	static const char *const notes[] = {
		"",
		"{",
		"[]",
		"{\"product\":7}",
		"{\"products\":{\"a\":1}}",
		"{\"products\":[1,null,\"a b\",\"\"]}",
		"{\"used_ms\":-1}",
		"{\"size\":\"4\"}",
		"{\"verified_ms\":1e300}",
		"{\"name\":\"../../etc/passwd\"}",
	};
	struct bench *bench = *state;

	for (size_t i = 0; i < ARRAY_LEN(notes); i++) {
		_cleanup_free_ struct cache_entry *entries = NULL;
		size_t count = 0;

		file_put(bench, HASH_A ".ipsw", "ipsw");
		file_put(bench, HASH_A ".ipsw.json", notes[i]);
		assert_int_equal(cache_list(&bench->room, &entries, &count), 0);
		assert_int_equal(count, 1);
		assert_string_equal(entries[0].firmware.sha256, HASH_A);
		assert_string_equal(entries[0].firmware.name, HASH_A ".ipsw");
		assert_true(entries[0].stale);
	}
}

/* --- what may go ----------------------------------------------------------------------------- */

static void may_go(const struct bench *bench, const struct firmware *keep, bool offline,
		   const char *wanted)
{
	struct plan_drop drops[PLAN_DROPS_MAX];
	struct firmware none = { 0 };
	char found[512] = "";
	size_t count = cache_may_go(&bench->room, keep ? keep : &none, offline, NULL, NULL, drops);

	for (size_t i = 0; i < count; i++)
		snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%.4s",
			 i > 0 ? " " : "", drops[i].file);
	assert_string_equal(found, wanted);
}

static void test_oldest_use_goes_first(void **state)
{
	struct bench *bench = *state;
	struct firmware keep = { .sha256 = HASH_C };

	firmware_put(bench, HASH_A ".ipsw", "\"iPhone14,5\"", "21F90", 3000);
	firmware_put(bench, HASH_B ".ipsw", "\"iPhone14,5\"", "21F79", 2000);
	firmware_put(bench, HASH_C ".ipsw", "\"iPhone14,5\"", "21F60", 1000);
	may_go(bench, NULL, false, "cccc bbbb aaaa");
	may_go(bench, &keep, false, "bbbb aaaa");
	/* found by product and build: no hash is known of it */
	keep = (struct firmware){ .build = "21F79" };
	path_of(bench, HASH_B ".ipsw", keep.path);
	may_go(bench, &keep, false, "cccc aaaa");
}

/* A note may lie: the person brought this very file. */
static void test_file_of_the_plan_stays_though_called_damaged(void **state)
{
	struct bench *bench = *state;
	struct firmware keep = { .build = "21F90" };

	file_put(bench, "mine.ipsw", "ipsw");
	file_put(bench, "mine.ipsw.json", "{\"size\":77}");
	may_go(bench, NULL, false, "mine");
	path_of(bench, "mine.ipsw", keep.path);
	may_go(bench, &keep, false, "");
}

static void test_rubbish_goes_before_files(void **state)
{
	struct bench *bench = *state;
	struct firmware keep = { .sha1 = SHA1_D };

	firmware_put(bench, HASH_A ".ipsw", "\"iPhone14,5\"", "21F90", 1);
	file_put(bench, HASH_B ".ipsw.part", "part");
	file_put(bench, HASH_B ".ipsw.part.json", "{}");
	file_put(bench, HASH_C ".ipsw.bad", "bad");
	file_put(bench, SHA1_D ".ipsw.part", "part");
	age_set(bench, SHA1_D ".ipsw.part", 20 * DAY_S);
	may_go(bench, &keep, false, "cccc aaaa"); /* parts: one too young, one that goes on */
	age_set(bench, HASH_B ".ipsw.part", 15 * DAY_S);
	may_go(bench, &keep, false, "cccc bbbb aaaa");
	may_go(bench, NULL, false, "cccc dddd bbbb aaaa");
}

static void test_last_copy_stays_while_offline(void **state)
{
	struct bench *bench = *state;

	firmware_put(bench, HASH_A ".ipsw", "\"iPhone14,5\",\"iPhone14,4\"", "21F90", 3000);
	firmware_put(bench, HASH_B ".ipsw", "\"iPhone14,5\"", "21F79", 2000);
	firmware_put(bench, HASH_C ".ipsw", "\"iPhone9,1\"", "19H1", 1000);
	may_go(bench, NULL, false, "cccc bbbb aaaa");
	may_go(bench, NULL, true, "bbbb");
}

static void test_what_is_used_stays(void **state)
{
	struct bench *bench = *state;
	struct error err;
	int fd;

	firmware_put(bench, HASH_A ".ipsw", "\"iPhone14,5\"", "21F90", 1);
	file_put(bench, HASH_B ".ipsw.part", "part");
	age_set(bench, HASH_B ".ipsw.part", 15 * DAY_S);
	fd = lock_file(bench, HASH_A ".ipsw", LOCK_SH);
	may_go(bench, NULL, false, "bbbb");
	assert_int_equal(cache_drop(&bench->room, HASH_A ".ipsw", NULL, NULL, NULL, &err), -EBUSY);
	assert_int_equal(err.kind, ERROR_BUSY);
	assert_true(is_there(bench, HASH_A ".ipsw"));
	close(fd);
	fd = lock_file(bench, HASH_B ".ipsw.part", LOCK_EX);
	may_go(bench, NULL, false, "aaaa");
	assert_int_equal(cache_drop(&bench->room, HASH_B ".ipsw.part", NULL, NULL, NULL, &err),
			 -EBUSY);
	close(fd);
	fd = lock_file(bench, HASH_A ".ipsw.lock", LOCK_EX);
	assert_int_equal(cache_drop(&bench->room, HASH_A ".ipsw", NULL, NULL, NULL, &err), -EBUSY);
	close(fd);
	assert_int_equal(cache_drop(&bench->room, HASH_A ".ipsw", NULL, NULL, NULL, &err), 0);
}

static bool needs_all(const char *path, void *user)
{
	return strstr(path, user) != NULL;
}

static void test_what_a_job_needs_stays(void **state)
{
	struct bench *bench = *state;
	struct plan_drop drops[PLAN_DROPS_MAX];
	struct firmware keep = { 0 };
	struct error err;
	char needed[] = HASH_A;

	firmware_put(bench, HASH_A ".ipsw", "\"iPhone14,5\"", "21F90", 1);
	assert_int_equal(cache_may_go(&bench->room, &keep, false, needs_all, needed, drops), 0);
	assert_int_equal(cache_drop(&bench->room, HASH_A ".ipsw", needs_all, needed, NULL, &err),
			 -EBUSY);
	assert_true(is_there(bench, HASH_A ".ipsw"));
}

/* --- dropping -------------------------------------------------------------------------------- */

static void test_dropping_takes_the_note_too(void **state)
{
	struct bench *bench = *state;
	struct cache_entry dropped;
	struct error err;

	firmware_put(bench, HASH_A ".ipsw", "\"iPhone14,5\"", "21F90", 1);
	firmware_put(bench, HASH_B ".ipsw", "\"iPhone14,5\"", "21F79", 1);
	file_put(bench, HASH_A ".ipsw.part", "part");
	file_put(bench, HASH_A ".ipsw.part.json", "{}");
	file_put(bench, HASH_A ".ipsw.json.part", "{");
	assert_int_equal(cache_drop(&bench->room, "aaaa1111", NULL, NULL, NULL, &err), -ENOENT);
	assert_int_equal(cache_drop(&bench->room, "aaaaaaaa", NULL, NULL, NULL, &err), -ENOENT);
	assert_non_null(strstr(err.text, "more than one")); /* the whole and the part */
	assert_int_equal(cache_drop(&bench->room, HASH_A ".ipsw.part", NULL, NULL, NULL, &err), 0);
	assert_false(is_there(bench, HASH_A ".ipsw.part.json"));
	assert_true(is_there(bench, HASH_A ".ipsw.json"));
	assert_int_equal(cache_drop(&bench->room, "aaaaaaaa", NULL, NULL, &dropped, &err), 0);
	assert_int_equal(dropped.bytes, 4);
	assert_false(is_there(bench, HASH_A ".ipsw") || is_there(bench, HASH_A ".ipsw.json"));
	assert_false(is_there(bench, HASH_A ".ipsw.json.part"));
	assert_int_equal(
	    cache_drop(&bench->room, "Apple_21F79_Restore.ipsw", NULL, NULL, NULL, &err), 0);
	assert_int_equal(cache_drop(&bench->room, "../jobs", NULL, NULL, NULL, &err), -ENOENT);
	assert_int_equal(err.kind, ERROR_USAGE);
}

/* What is on its way is named as Apple does, as soon as its state tells the address. */
static void test_a_part_has_apples_name(void **state)
{
	struct bench *bench = *state;
	struct cache_entry dropped;
	struct error err;

	file_put(bench, HASH_A ".ipsw.part", "part");
	file_put(bench, HASH_A ".ipsw.part.json",
		 "{\"url\":\"https://x/y/Apple_21F90_Restore.ipsw\"}");
	assert_int_equal(
	    cache_drop(&bench->room, "Apple_21F90_Restore.ipsw", NULL, NULL, &dropped, &err), 0);
	assert_string_equal(dropped.file, HASH_A ".ipsw.part");
	assert_string_equal(dropped.firmware.name, "Apple_21F90_Restore.ipsw");
	file_put(bench, HASH_A ".ipsw.part", "part"); /* no address, or one without a name */
	assert_int_equal(cache_drop(&bench->room, HASH_A, NULL, NULL, &dropped, &err), 0);
	assert_string_equal(dropped.firmware.name, HASH_A ".ipsw");
	file_put(bench, HASH_A ".ipsw.part", "part");
	file_put(bench, HASH_A ".ipsw.part.json", "{\"url\":\"https://x/\"}");
	assert_int_equal(cache_drop(&bench->room, HASH_A, NULL, NULL, &dropped, &err), 0);
	assert_string_equal(dropped.firmware.name, HASH_A ".ipsw");
}

/* The card named a file: another one that answers to the same word stays. */
static void test_only_the_named_file_goes(void **state)
{
	struct bench *bench = *state;
	struct error err;

	file_put(bench, HASH_A ".ipsw.part", "part");
	firmware_put(bench, HASH_B ".ipsw", "\"iPhone14,5\"", "21F79", 1);
	assert_int_equal(cache_drop_file(&bench->room, HASH_A ".ipsw", NULL, NULL, &err), -ENOENT);
	assert_int_equal(
	    cache_drop_file(&bench->room, "Apple_21F79_Restore.ipsw", NULL, NULL, &err), -ENOENT);
	assert_true(is_there(bench, HASH_A ".ipsw.part"));
	assert_int_equal(cache_drop_file(&bench->room, HASH_B ".ipsw", NULL, NULL, &err), 0);
	assert_false(is_there(bench, HASH_B ".ipsw"));
}

static void test_parts_count_for_their_firmware(void **state)
{
	struct bench *bench = *state;
	struct firmware firmware = { .size = 100, .sha256 = HASH_A, .name = "Apple.ipsw" };

	assert_int_equal(cache_part_bytes(&bench->room, &firmware), 0);
	file_put(bench, HASH_A ".ipsw.part", "12345");
	file_put(bench, HASH_B ".ipsw.part", "1234567");
	assert_int_equal(cache_part_bytes(&bench->room, &firmware), 5);
	file_put(bench, "Apple.ipsw.part", "123456"); /* of an older release */
	assert_int_equal(cache_part_bytes(&bench->room, &firmware), 6);
	firmware.size = 3;
	assert_int_equal(cache_part_bytes(&bench->room, &firmware), 0);
}

/* --- notes ----------------------------------------------------------------------------------- */

static char *note_read(const struct bench *bench, const char *name)
{
	char path[256], *text = calloc(1, 4096);
	FILE *file;

	path_of(bench, name, path);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_true(fread(text, 1, 4095, file) > 0);
	fclose(file);
	return text;
}

static void note_change(const struct bench *bench, const char *name, const char *from,
			const char *to)
{
	_cleanup_free_ char *text = note_read(bench, name), *changed = NULL;
	char *at = strstr(text, from);

	assert_non_null(at);
	assert_true(asprintf(&changed, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) >
		    0);
	file_put(bench, name, changed);
}

static struct firmware firmware_of(const struct bench *bench, const char *file)
{
	struct firmware firmware = { .product = "iPhone14,4", .build = "21F90", .verified = true };

	path_of(bench, file, firmware.path);
	return firmware;
}

static void test_note_grows_and_keeps(void **state)
{
	struct bench *bench = *state;
	struct firmware firmware = firmware_of(bench, HASH_A ".ipsw"), found;
	_cleanup_free_ char *text = NULL;

	file_put(bench, HASH_A ".ipsw", "ipsw");
	file_put(bench, HASH_A ".ipsw.json",
		 "{\"v\":2,\"product\":\"iPhone14,5\",\"sha1\":\"" SHA1_D
		 "\",\"size\":4,\"mtime_ms\":77,\"verified_ms\":88,\"from_the_future\":true}");
	memset(firmware.sha1, 'e', sizeof(firmware.sha1) - 1);
	assert_int_equal(cache_note(&firmware, "iPhone14,3 iPhone14,4"), 0);
	text = note_read(bench, HASH_A ".ipsw.json");
	assert_non_null(strstr(text, "from_the_future"));
	assert_non_null(strstr(text, "\"mtime_ms\":77"));
	assert_non_null(strstr(text, SHA1_D)); /* what was computed stays */
	assert_null(strstr(text, "\"path\""));
	for (unsigned i = 3; i <= 5; i++) {
		char product[32];

		snprintf(product, sizeof(product), "iPhone14,%u", i);
		assert_int_equal(
		    cache_find(&bench->room, &(struct cache_query){ .product = product }, &found),
		    0);
	}
}

/* Else an old note would contradict Apple's refusal, and a foreign one vouch for a forged file. */
static void test_note_is_no_source(void **state)
{
	struct bench *bench = *state;
	struct firmware found;

	file_put(bench, HASH_A ".ipsw", "ipsw");
	file_put(bench, HASH_A ".ipsw.json",
		 "{\"product\":\"iPhone14,5\",\"build\":\"21F90\",\"sources\":\"apple ipsw.me\","
		 "\"confirmed\":true,\"said_signed\":\"yes\"}");
	assert_int_equal(
	    cache_find(&bench->room, &(struct cache_query){ .product = "iPhone14,5" }, &found), 0);
	assert_string_equal(found.build, "21F90");
	assert_false(found.confirmed || firmware_is_called_current(&found) ||
		     firmware_has_source(&found, "apple"));
}

static void test_proof_ends_after_a_week(void **state)
{
	struct bench *bench = *state;
	struct firmware firmware = firmware_of(bench, HASH_A ".ipsw");
	char now[32], then[32];

	file_put(bench, HASH_A ".ipsw", "ipsw");
	assert_true(cache_is_stale(&bench->room, firmware.path)); /* no note */
	snprintf(now, sizeof(now), "%llu", (unsigned long long)clock_wall_ms() - 1000);
	file_put(bench, HASH_A ".ipsw.json", "{\"verified_ms\":NOW}");
	note_change(bench, HASH_A ".ipsw.json", "NOW", now);
	assert_true(cache_is_stale(&bench->room, firmware.path)); /* nobody signed for it */
	assert_int_equal(cache_note(&firmware, NULL), 0);
	assert_false(cache_is_stale(&bench->room, firmware.path));
	snprintf(then, sizeof(then), "%llu",
		 (unsigned long long)clock_wall_ms() - 8ULL * DAY_S * 1000);
	note_change(bench, HASH_A ".ipsw.json", now, then);
	assert_true(cache_is_stale(&bench->room, firmware.path));
	/* a clock that was years ahead proves nothing */
	note_change(bench, HASH_A ".ipsw.json", then, "4102444800000");
	assert_true(cache_is_stale(&bench->room, firmware.path));
}

static void test_proof_is_of_one_computer_and_an_orderly_end(void **state)
{
	struct bench *bench = *state;
	struct firmware firmware = firmware_of(bench, HASH_A ".ipsw");
	_cleanup_free_ char *use = NULL, *note = NULL;

	file_put(bench, HASH_A ".ipsw", "ipsw");
	assert_int_equal(cache_note(&firmware, NULL), 0);
	assert_false(cache_is_stale(&bench->room, firmware.path));
	/* closed in order: another start of the computer believes it */
	cache_close(&bench->room);
	assert_false(cache_is_stale(&bench->room, firmware.path)); /* this opens it again */
	/* left open by another start: nobody knows what was written last */
	file_put(bench, "use.json", "{\"v\":1,\"boot\":\"0123\",\"order\":0}");
	assert_true(cache_is_stale(&bench->room, firmware.path));
	use = note_read(bench, "use.json");
	assert_non_null(strstr(use, "\"order\":1"));
	assert_int_equal(cache_note(&firmware, NULL), 0); /* hashed anew */
	assert_false(cache_is_stale(&bench->room, firmware.path));
	note = note_read(bench, HASH_A ".ipsw.json");
	note_change(bench, HASH_A ".ipsw.json", "\"machine\":\"", "\"machine\":\"x");
	assert_true(cache_is_stale(&bench->room, firmware.path));
}

static bool is_shown_stale(const struct bench *bench)
{
	_cleanup_free_ struct cache_entry *entries = NULL;
	size_t count = 0;

	assert_int_equal(cache_list(&bench->room, &entries, &count), 0);
	assert_int_equal(count, 1);
	return entries[0].stale;
}

static void test_unclean_end_is_not_forgotten(void **state)
{
	static const char left_open[] = "{\"v\":1,\"boot\":\"0123\",\"order\":0}";
	static const char *const lost[] = { "", "{", "{\"v\":1,\"boot\":\"\"}", NULL };
	struct bench *bench = *state;
	struct firmware firmware = firmware_of(bench, HASH_A ".ipsw");
	char path[256];

	path_of(bench, "use.json", path);
	file_put(bench, "use.json", "{\"v\":1,\"boot\":\"\",\"order\":0}");
	file_put(bench, HASH_A ".ipsw", "ipsw");
	assert_int_equal(cache_note(&firmware, NULL), 0);
	assert_false(is_shown_stale(bench));
	file_put(bench, "use.json", left_open);
	assert_true(is_shown_stale(bench)); /* before anything opens the folder */
	cache_close(&bench->room);          /* a service that used no firmware ends */
	assert_true(is_shown_stale(bench));
	assert_true(cache_is_stale(&bench->room, firmware.path));
	for (size_t i = 0; i < ARRAY_LEN(lost); i++) {
		if (lost[i])
			file_put(bench, "use.json", lost[i]);
		else
			assert_int_equal(unlink(path), 0);
		cache_close(&bench->room);
		assert_true(is_shown_stale(bench));
		assert_true(cache_is_stale(&bench->room, firmware.path));
		assert_int_equal(cache_note(&firmware, NULL), 0); /* hashed anew */
		assert_false(cache_is_stale(&bench->room, firmware.path));
	}
}

static void test_proof_is_of_files_of_the_room(void **state)
{
	struct bench *bench = *state;
	struct firmware firmware = firmware_of(bench, HASH_A ".ipsw");

	file_put(bench, HASH_A ".ipsw", "ipsw");
	assert_int_equal(cache_note(&firmware, NULL), 0);
	assert_false(cache_is_stale(&bench->room, firmware.path));
	assert_true(cache_is_stale(&bench->room, "/tmp/" HASH_A ".ipsw"));
	assert_true(cache_is_stale(&bench->room, HASH_A ".ipsw"));
	assert_false(cache_holds(&bench->room, bench->firmware));
	path_of(bench, "../" HASH_A ".ipsw", firmware.path);
	assert_false(cache_holds(&bench->room, firmware.path));
}

static void test_a_look_signs_for_nothing(void **state)
{
	struct bench *bench = *state;
	struct firmware firmware = firmware_of(bench, HASH_A ".ipsw");

	file_put(bench, HASH_A ".ipsw", "ipsw");
	firmware.verified = false;
	assert_int_equal(cache_note(&firmware, "iPhone14,5"), 0);
	assert_true(cache_is_stale(&bench->room, firmware.path));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, bench_start, bench_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_file_serves_many_products),
		TEST(test_hash_and_address_go_before_names),
		TEST(test_another_hash_is_another_file),
		TEST(test_the_best_fit_is_taken),
		TEST(test_folder_that_cannot_be_read_is_not_empty),
		TEST(test_half_a_file_is_none),
		TEST(test_damaged_notes_are_no_harm),
		TEST(test_oldest_use_goes_first),
		TEST(test_file_of_the_plan_stays_though_called_damaged),
		TEST(test_rubbish_goes_before_files),
		TEST(test_last_copy_stays_while_offline),
		TEST(test_what_is_used_stays),
		TEST(test_what_a_job_needs_stays),
		TEST(test_dropping_takes_the_note_too),
		TEST(test_a_part_has_apples_name),
		TEST(test_only_the_named_file_goes),
		TEST(test_parts_count_for_their_firmware),
		TEST(test_note_grows_and_keeps),
		TEST(test_note_is_no_source),
		TEST(test_proof_ends_after_a_week),
		TEST(test_proof_is_of_one_computer_and_an_orderly_end),
		TEST(test_unclean_end_is_not_forgotten),
		TEST(test_proof_is_of_files_of_the_room),
		TEST(test_a_look_signs_for_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
