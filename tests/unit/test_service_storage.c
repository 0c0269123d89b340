/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where jobs and firmware go, and what is said when they cannot go there. */
#include "base/cleanup.h"
#include "base/text.h"
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
	assert_int_equal(storage_note_firmware(&firmware), 0);
}

static void test_firmware_is_found_again(void **state)
{
	struct bench *bench = *state;
	struct firmware found;
	struct room room;
	char note[PLAN_ROOM_BYTES + 32];
	FILE *file;

	assert_int_equal(storage_room(bench->storage, &room, NULL), 0);
	assert_int_equal(storage_find_firmware(&room, "iPhone14,5", NULL, &found), -ENOENT);
	firmware_put(&room, "a.ipsw", "iPhone14,5", "21F90", 4);
	firmware_put(&room, "b.ipsw", "iPhone14,5", "21F79", 3); /* cut off */
	firmware_put(&room, "c.ipsw", "iPhone13,2", "21F90", 4);
	snprintf(note, sizeof(note), "%s/firmware/d.ipsw.json", room.folder);
	file = fopen(note, "we");
	assert_non_null(file);
	fputs("{\"product\":7}", file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(storage_find_firmware(&room, "iPhone14,5", NULL, &found), 0);
	assert_string_equal(found.build, "21F90");
	assert_string_equal(strrchr(found.path, '/'), "/a.ipsw");
	assert_int_equal(storage_find_firmware(&room, "iPhone14,5", "21F79", &found), -ENOENT);
	assert_int_equal(storage_find_firmware(&room, "iPhone13,2", "21F90", &found), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, bench_start, bench_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_without_a_data_partition_it_is_ram),
		cmocka_unit_test(test_mount_point_goes_first),
		TEST(test_chosen_folder_is_the_only_one),
		TEST(test_firmware_is_found_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
