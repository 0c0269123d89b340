/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where jobs and firmware go, and what is said when they cannot go there. */
#include "base/cleanup.h"
#include "base/text.h"
#include "service/cache.h"
#include "service/storage.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct bench {
	char folder[32];
	struct storage *storage;
};

static int remove_one(const char *path, const struct stat *file, int type, struct FTW *at)
{
	return remove(path);
}

static int bench_start(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	char ram[64], mount[64];
	struct storage_options options = { .ram = ram, .mount = mount };

	snprintf(bench->folder, sizeof(bench->folder), "/tmp/idr-storage-XXXXXX");
	assert_non_null(mkdtemp(bench->folder));
	snprintf(ram, sizeof(ram), "%s/ram", bench->folder);
	snprintf(mount, sizeof(mount), "%s/data", bench->folder);
	assert_int_equal(storage_new(&options, &bench->storage), 0);
	*state = bench;
	return 0;
}

static int bench_end(void **state)
{
	struct bench *bench = *state;

	storage_free(bench->storage);
	assert_int_equal(nftw(bench->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	free(bench);
	return 0;
}

static void test_without_a_data_partition_it_is_ram(void **state)
{
	struct bench *bench = *state;
	char wanted[64], jobs[PLAN_ROOM_BYTES];
	struct stat found;
	struct room room;

	snprintf(wanted, sizeof(wanted), "%s/data", bench->folder);
	assert_int_equal(mkdir(wanted, 0700), 0); /* a folder that nothing is mounted at */
	snprintf(wanted, sizeof(wanted), "%s/ram", bench->folder);
	assert_int_equal(storage_room(bench->storage, &room, NULL), 0);
	assert_string_equal(room.folder, wanted);
	assert_true(room.free_bytes > 0 && room.ram_free_bytes > 0);
	room_jobs_folder(&room, jobs);
	assert_int_equal(stat(jobs, &found), 0);
	assert_int_equal(found.st_mode & 0700, 0700); /* the rest is the umask's */
}

static void test_mount_point_goes_first(void **state)
{
	struct storage_options options = { .mount = "/proc", .ram = "/nowhere/at/all" };
	_cleanup_(storage_freep) struct storage *storage = NULL;
	char folders[STORAGE_FOLDERS_MAX][PLAN_ROOM_BYTES];
	struct error err;
	struct room room;

	assert_int_equal(storage_new(&options, &storage), 0);
	storage_job_folders(storage, folders);
	assert_string_equal(folders[0], "/proc/idevicerescue/jobs");
	assert_string_equal(folders[1], "/nowhere/at/all/jobs");
	/* it cannot be written: that is said, and RAM is not taken instead */
	assert_true(storage_room(storage, &room, &err) < 0);
	assert_int_equal(err.kind, ERROR_NO_SPACE);
	assert_non_null(strstr(err.text, "/proc/idevicerescue"));
}

static void test_chosen_folder_is_the_only_one(void **state)
{
	struct bench *bench = *state;
	char folders[STORAGE_FOLDERS_MAX][PLAN_ROOM_BYTES], chosen[64];
	struct storage_options options = { .folder = chosen };
	_cleanup_(storage_freep) struct storage *storage = NULL;
	struct error err;
	struct room room;
	int fd;

	snprintf(chosen, sizeof(chosen), "%s/chosen", bench->folder);
	assert_int_equal(storage_new(&options, &storage), 0);
	assert_int_equal(storage_room(storage, &room, &err), 0);
	assert_string_equal(room.folder, chosen);
	storage_job_folders(storage, folders);
	assert_string_equal(folders[1], "");
	snprintf(chosen, sizeof(chosen), "%s/chosen/jobs", bench->folder);
	assert_int_equal(rmdir(chosen), 0);
	fd = open(chosen, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_true(storage_room(storage, &room, &err) < 0);
	assert_int_equal(err.kind, ERROR_NO_SPACE);
}

static void firmware_put(const struct room *room, const char *name, const char *product,
			 const char *build, unsigned bytes)
{
	struct firmware firmware = { .size = 4, .verified = true };
	char folder[PLAN_ROOM_BYTES];
	FILE *file;

	room_firmware_folder(room, folder);
	text_copy(firmware.product, sizeof(firmware.product), product);
	text_copy(firmware.build, sizeof(firmware.build), build);
	text_copy(firmware.name, sizeof(firmware.name), name);
	snprintf(firmware.path, sizeof(firmware.path), "%.500s/%.100s", folder, name);
	file = fopen(firmware.path, "we");
	assert_non_null(file);
	for (unsigned i = 0; i < bytes; i++)
		fputc('x', file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(cache_note(&firmware, NULL), 0);
}

static int find(const struct room *room, const char *product, const char *build,
		struct firmware *ret)
{
	return cache_find(room, &(struct cache_query){ .product = product, .build = build }, ret);
}

static void test_firmware_is_found_again(void **state)
{
	struct bench *bench = *state;
	struct firmware found;
	struct room room;
	char note[PLAN_ROOM_BYTES + 32];
	FILE *file;

	assert_int_equal(storage_room(bench->storage, &room, NULL), 0);
	assert_int_equal(find(&room, "iPhone14,5", NULL, &found), -ENOENT);
	firmware_put(&room, "a.ipsw", "iPhone14,5", "21F90", 4);
	firmware_put(&room, "b.ipsw", "iPhone14,5", "21F79", 3); /* cut off */
	firmware_put(&room, "c.ipsw", "iPhone13,2", "21F90", 4);
	snprintf(note, sizeof(note), "%s/firmware/d.ipsw.json", room.folder);
	file = fopen(note, "we");
	assert_non_null(file);
	fputs("{\"product\":7}", file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(find(&room, "iPhone14,5", NULL, &found), 0);
	assert_string_equal(found.build, "21F90");
	assert_string_equal(strrchr(found.path, '/'), "/a.ipsw");
	assert_int_equal(find(&room, "iPhone14,5", "21F79", &found), -ENOENT);
	assert_int_equal(find(&room, "iPhone13,2", "21F90", &found), 0);
}

/* --- another folder for firmware, and a mirror ---------------------------------------------- */

static void folder_make(const struct bench *bench, const char *name, char ret[static 64])
{
	snprintf(ret, 64, "%s/%s", bench->folder, name);
	assert_int_equal(mkdir(ret, 0700), 0);
}

static bool file_has(const char *path, const char *words)
{
	FILE *file = fopen(path, "re");
	char text[512] = "";

	assert_non_null(file);
	(void)fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	return strstr(text, words);
}

static void test_firmware_goes_where_a_person_said(void **state)
{
	struct bench *bench = *state;
	char disk[64], folder[PLAN_ROOM_BYTES], use[128];
	struct error err;
	struct room room;

	folder_make(bench, "disk", disk);
	assert_int_equal(storage_choose(bench->storage, disk, &err), 0);
	assert_int_equal(storage_room(bench->storage, &room, &err), 0);
	assert_int_equal(storage_add_cache(bench->storage, &room, &err), 0);
	room_firmware_folder(&room, folder);
	assert_string_equal(folder, disk);
	assert_true(room.cache_free_bytes > 0);
	assert_true(room.cache_here);
	/* used, and left for another one: in order, as the disk may be pulled out then */
	(void)cache_is_stale(&room, "");
	snprintf(use, sizeof(use), "%s/use.json", disk);
	assert_int_equal(access(use, F_OK), -1); /* no file of the folder was asked about */
	snprintf(folder, sizeof(folder), "%s/a.ipsw", disk);
	assert_true(cache_is_stale(&room, folder));
	assert_false(file_has(use, "\"boot\":\"\""));
	assert_int_equal(storage_choose(bench->storage, "off", &err), 0);
	assert_true(file_has(use, "\"boot\":\"\""));
	assert_int_equal(unlink(use), 0);
	assert_int_equal(storage_choose(bench->storage, disk, &err), 0);
	assert_int_equal(room.cache_in_memory, !room.lasting);
	/* its disk is pulled out: that is said, and no folder of this name is made in RAM */
	assert_int_equal(rmdir(disk), 0);
	assert_true(storage_add_cache(bench->storage, &room, &err) < 0);
	assert_int_equal(err.kind, ERROR_NO_SPACE);
	assert_non_null(strstr(err.text, "is not there"));
	assert_int_equal(access(disk, F_OK), -1);
	/* jobs without firmware do not care */
	assert_int_equal(storage_room(bench->storage, &room, &err), 0);
	assert_int_equal(storage_choose(bench->storage, "off", &err), 0);
	assert_int_equal(storage_add_cache(bench->storage, &room, &err), 0);
	assert_string_equal(room.cache, "");
}

static void test_choice_is_checked_and_kept(void **state)
{
	static const char *const bad[] = {
		"",           "relative",   "/nowhere/at/all", "ftp://x/",    "http://",
		"https:///x", "http://a b", "http://u@h/",     "http://x/?q", "file:///etc",
		"/etc/passwd"
	};
	struct bench *bench = *state;
	char mirror[STORAGE_URL_BYTES], disk[64];
	struct error err;
	struct room room = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_true(storage_choose(bench->storage, bad[i], &err) < 0);
	assert_false(storage_mirror(bench->storage, mirror));
	assert_int_equal(storage_choose(bench->storage, "http://shop:8080/ipsw//", &err), 0);
	assert_true(storage_mirror(bench->storage, mirror));
	assert_string_equal(mirror, "http://shop:8080/ipsw");
	/* both may be chosen; "off" ends both */
	folder_make(bench, "disk", disk);
	assert_int_equal(storage_choose(bench->storage, disk, &err), 0);
	assert_true(storage_mirror(bench->storage, mirror));
	assert_int_equal(storage_room(bench->storage, &room, &err), 0);
	assert_int_equal(storage_add_cache(bench->storage, &room, &err), 0);
	assert_string_equal(room.cache, disk);
	assert_int_equal(storage_choose(bench->storage, "off", &err), 0);
	assert_false(storage_mirror(bench->storage, mirror));
}

static void test_command_line_goes_before_settings(void **state)
{
	struct bench *bench = *state;
	char ram[64], disk[64], other[64], mirror[STORAGE_URL_BYTES];
	struct storage_options options = { .folder = ram, .cache = other };
	_cleanup_(storage_freep) struct storage *storage = NULL;
	_cleanup_(storage_freep) struct storage *mirrored = NULL;
	struct error err;
	struct room room;

	snprintf(ram, sizeof(ram), "%s/ram", bench->folder);
	folder_make(bench, "disk", disk);
	folder_make(bench, "other", other);
	assert_int_equal(storage_choose(bench->storage, disk, &err), 0);
	assert_int_equal(storage_new(&options, &storage), 0);
	assert_int_equal(storage_room(storage, &room, &err), 0);
	assert_int_equal(storage_add_cache(storage, &room, &err), 0);
	assert_string_equal(room.cache, other);
	options.cache = "https://shop/";
	assert_int_equal(storage_new(&options, &mirrored), 0);
	assert_int_equal(storage_add_cache(mirrored, &room, &err), 0);
	assert_string_equal(room.cache, disk);
	assert_true(storage_mirror(mirrored, mirror));
	assert_string_equal(mirror, "https://shop");
}

static void test_a_disk_is_remembered_until_it_is_let_go(void **state)
{
	struct bench *bench = *state;
	char folder[64], uuid[STORAGE_DISK_BYTES], gone[128];
	struct error err = { 0 };
	struct room room;

	snprintf(folder, sizeof(folder), "%s/AB12", bench->folder);
	assert_int_equal(mkdir(folder, 0700), 0);
	snprintf(folder, sizeof(folder), "%s/AB12/firmware", bench->folder);
	assert_false(storage_disk(bench->storage, uuid));
	assert_true(storage_choose_disk(bench->storage, folder, "AB12", &err) < 0); /* not there */
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_true(storage_choose_disk(bench->storage, folder, "AB/12", &err) < 0);
	assert_int_equal(storage_choose_disk(bench->storage, folder, "AB12", &err), 0);
	assert_true(storage_disk(bench->storage, uuid));
	assert_string_equal(uuid, "AB12");
	/* pulled out: it is said which, and how to go on */
	snprintf(gone, sizeof(gone), "%s/AB12-away", bench->folder);
	assert_int_equal(rmdir(folder), 0);
	snprintf(folder, sizeof(folder), "%s/AB12", bench->folder);
	assert_int_equal(rename(folder, gone), 0);
	assert_int_equal(storage_room(bench->storage, &room, &err), 0);
	assert_int_equal(storage_add_cache(bench->storage, &room, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "Plug it in"));
	/* another choice does not forget what is still to be unmounted */
	assert_int_equal(storage_choose(bench->storage, "off", &err), 0);
	assert_true(storage_disk(bench->storage, uuid));
	assert_int_equal(storage_forget_disk(bench->storage), 0);
	assert_false(storage_disk(bench->storage, uuid));
}

static void test_words_of_a_choice(void **state)
{
	static const char *const disks[] = { "sdb1",      "BENCH",   "AB12-CD34",
					     "/dev/sdb1", "My disk", "OFF" };
	static const char *const others[] = {
		"off", "", "/media/x", "a/b", "http://x/y", "ftp://x"
	};

	for (size_t i = 0; i < ARRAY_LEN(disks); i++)
		assert_true(storage_word_is_disk(disks[i]));
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_false(storage_word_is_disk(others[i]));
}

static void test_damaged_settings_choose_nothing(void **state)
{
	static const char *const texts[] = { "", "{", "[]", "{\"cache\":7}",
					     "{\"cache\":\"relative\",\"mirror\":\"x\"}" };
	struct bench *bench = *state;
	char path[64], mirror[STORAGE_URL_BYTES];
	struct error err;
	struct room room;

	assert_int_equal(storage_room(bench->storage, &room, &err), 0);
	snprintf(path, sizeof(path), "%.40s/ram/settings.json", bench->folder);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		FILE *file = fopen(path, "we");

		assert_non_null(file);
		fputs(texts[i], file);
		assert_int_equal(fclose(file), 0);
		assert_int_equal(storage_add_cache(bench->storage, &room, &err), 0);
		assert_string_equal(room.cache, "");
		assert_false(storage_mirror(bench->storage, mirror));
	}
}

static void test_each_fault_of_a_disk_has_its_words(void **state)
{
	static const struct {
		int errno_value;
		const char *words;
	} faults[] = {
		{ EROFS, "read-only" },    { ENOSPC, "is full" },
		{ ENODEV, "pulled out" },  { ENOENT, "not there" },
		{ EIO, "worn or broken" }, { EACCES, "cannot be written" },
		{ EDQUOT, "is full" },     { EUCLEAN, "worn or broken" },
	};
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		assert_int_equal(storage_refuse("/media/x", faults[i].errno_value, &err), -ENOSPC);
		assert_int_equal(err.kind, ERROR_NO_SPACE);
		assert_non_null(strstr(err.text, faults[i].words));
		assert_non_null(strstr(err.text, "/media/x"));
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, bench_start, bench_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_without_a_data_partition_it_is_ram),
		cmocka_unit_test(test_mount_point_goes_first),
		TEST(test_chosen_folder_is_the_only_one),
		TEST(test_firmware_is_found_again),
		TEST(test_firmware_goes_where_a_person_said),
		TEST(test_choice_is_checked_and_kept),
		TEST(test_command_line_goes_before_settings),
		TEST(test_damaged_settings_choose_nothing),
		TEST(test_a_disk_is_remembered_until_it_is_let_go),
		cmocka_unit_test(test_words_of_a_choice),
		cmocka_unit_test(test_each_fault_of_a_disk_has_its_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
