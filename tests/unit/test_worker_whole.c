/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that lie there whole, and the end of a download: by which name, right or wrong, in use. */
#include "fetch_bed.h"
#include "worker/fetch_note.h"
#include "worker/fetch_whole.h"
#include <errno.h>
#include <sys/file.h>
#include <sys/syscall.h>

/* --- others, and a disk that fails */

static int read_errno;             /* what read() of a file fails with; 0: it works */
static const struct bed *dropping; /* whose file another program removes before the next lock */

ssize_t read(int fd, void *bytes, size_t n)
{
	if (read_errno) {
		errno = read_errno;
		return -1;
	}
	return (ssize_t)syscall(SYS_read, fd, bytes, n);
}

int flock(int fd, int operation)
{
	if (dropping && (operation & LOCK_SH))
		(void)unlinkat(dropping->place.folder_fd, dropping->place.stem, 0);
	return (int)syscall(SYS_flock, fd, operation);
}

/* --- files */

static void file_make(const struct bed *bed, const char *name, const char *text)
{
	int fd = openat(bed->place.folder_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
	close(fd);
}

static bool is_there(const struct bed *bed, const char *name)
{
	return faccessat(bed->place.folder_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int find(struct bed *bed, bool rehash, struct error *err)
{
	struct whole_options options = { .rehash = rehash };

	return whole_find(&bed->place, &bed->wanted, &options, err);
}

static void remove_file(const struct bed *bed, const char *name)
{
	assert_int_equal(unlinkat(bed->place.folder_fd, name, 0), 0);
}

/* A file of this name, right, whose note says so. */
static void verified_make(struct bed *bed)
{
	struct ipsw noted = bed->wanted;

	file_make(bed, bed->place.stem, "abc");
	assert_int_equal(ipsw_set_hash(&noted, SHA256), 0);
	assert_int_equal(note_write(&bed->place, &noted, 1), 0);
}

static void test_removed_before_it_is_locked(void **state)
{
	struct bed bed;
	int r;

	bed_make(&bed, 3);
	verified_make(&bed);
	dropping = &bed;
	r = find(&bed, false, NULL);
	dropping = NULL;
	assert_int_equal(r, 0);
	assert_false(is_there(&bed, bed.place.stem));
	bed_end(&bed);
}

static void test_a_disk_that_cannot_be_read(void **state)
{
	struct bed bed;
	int r;

	bed_make(&bed, 3);
	verified_make(&bed);
	read_errno = EIO;
	r = find(&bed, true, NULL);
	read_errno = 0;
	assert_int_equal(r, 0);
	assert_int_equal(size_of(&bed, ".bad"), 3); /* and another one is to be fetched */
	bed_end(&bed);
}

static void test_a_wrong_file_in_use_stays(void **state)
{
	struct error err = {};
	struct bed bed;
	int user;

	bed_make(&bed, 3);
	file_make(&bed, bed.place.stem, "abd");
	user = openat(bed.place.folder_fd, bed.place.stem, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(user, LOCK_SH), 0);
	assert_int_equal(find(&bed, false, &err), -EBUSY);
	assert_int_equal(err.kind, ERROR_BUSY);
	assert_true(is_there(&bed, bed.place.stem));
	close(user);
	assert_int_equal(find(&bed, false, NULL), 0);
	assert_int_equal(size_of(&bed, ".bad"), 3);
	bed_end(&bed);
}

/* Who tells a wrong size does not cost a file that is known to be right. */
static void test_a_wrong_size_is_told(void **state)
{
	struct bed bed;

	bed_make(&bed, 3);
	verified_make(&bed);
	bed.wanted.size = 4;
	assert_int_equal(find(&bed, false, NULL), 1);
	assert_int_equal(bed.wanted.size, 3);
	assert_string_equal(bed.wanted.sha256, SHA256);
	bed.wanted.size = 4;
	bed.wanted.sha256[0] = '\0';
	assert_int_equal(find(&bed, true, NULL), 1); /* the hash decides */
	bed_end(&bed);
}

/* What the service noted goes along with the file; the note of a wrong file goes away. */
static void test_notes_go_along(void **state)
{
	static const char old_note[] = "x_Restore.ipsw.json";
	char text[4096] = "";
	struct bed bed;
	int fd;

	bed_make(&bed, 3);
	file_make(&bed, "x_Restore.ipsw", "abc");
	file_make(&bed, old_note,
		  "{\"v\":2,\"sha1\":\"" SHA1 "\",\"sha256\":\"" SHA256
		  "\",\"used_ms\":77,\"verified_level\":3}");
	assert_int_equal(find(&bed, false, NULL), 1);
	assert_false(is_there(&bed, old_note));
	fd = openat(bed.place.folder_fd, SHA1 ".ipsw.json", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	assert_non_null(strstr(text, "\"used_ms\":77"));
	assert_non_null(strstr(text, "\"verified_level\":3"));
	remove_file(&bed, bed.place.stem);
	remove_file(&bed, SHA1 ".ipsw.json");
	file_make(&bed, "x_Restore.ipsw", "abd");
	file_make(&bed, old_note, "{\"v\":2}");
	assert_int_equal(find(&bed, false, NULL), 0);
	assert_false(is_there(&bed, old_note));
	bed_end(&bed);
}

/* A note that lies about a SHA-256 gives no file a name. */
static void test_a_note_that_lies(void **state)
{
	static const char foreign[] =
	    "0000000000000000000000000000000000000000000000000000000000000000.ipsw";
	char name[PLACE_NAME_BYTES];
	struct bed bed;

	bed_make(&bed, 3);
	file_make(&bed, foreign, "abd");
	snprintf(name, sizeof(name), "%s.json", foreign);
	file_make(&bed, name,
		  "{\"v\":2,\"sha1\":\"" SHA1 "\",\"sha256\":\""
		  "0000000000000000000000000000000000000000000000000000000000000000\"}");
	file_make(&bed, "x_Restore.ipsw", "abc");
	assert_int_equal(find(&bed, false, NULL), 1);
	assert_string_equal(bed.place.stem, SHA1 ".ipsw");
	assert_true(is_there(&bed, SHA1 ".ipsw"));
	remove_file(&bed, name);
	snprintf(name, sizeof(name), "%s.bad", foreign);
	remove_file(&bed, name);
	bed_end(&bed);
}

/* --- the end of a download */

static int on_reread(void *context, uint64_t done)
{
	*(uint64_t *)context = done;
	return 0;
}

/* Reading it all again takes minutes: who waits is told. */
static void test_wrong_bytes_are_read_again(void **state)
{
	_cleanup_(digest_freep) struct digest *digest = NULL;
	uint64_t told = 0;
	struct part *part;
	struct bed bed;

	bed_make(&bed, 3);
	part = part_of(&bed);
	assert_int_equal(part_write(part, 0, "abd", 3, NULL), 0);
	assert_int_equal(part_hash(part, "abd", 3, NULL), 0);
	part_rest(part, 3);
	assert_int_equal(digest_new(&digest), 0);
	assert_int_equal(part_finish(part, digest, on_reread, &told, NULL), 0);
	assert_int_equal(told, 3);
	assert_int_equal(size_of(&bed, ".bad"), 3);
	part_free(part);
	bed_end(&bed);
}

/* A kill between the last two steps of a download leaves its state behind. */
static void test_what_a_kill_left_behind(void **state)
{
	char name[PLACE_NAME_BYTES];
	struct part *part = NULL;
	struct bed bed;

	bed_make(&bed, 3);
	verified_make(&bed);
	fetch_place_name(&bed.place, ".part.json", name);
	file_make(&bed, name, "{}");
	part_clear(&bed.place);
	assert_false(is_there(&bed, name));
	fetch_place_name(&bed.place, ".part", name);
	assert_int_equal(part_open(&bed.place, &bed.wanted, &part, NULL), 0);
	part_clear(&bed.place); /* somebody has it */
	assert_true(is_there(&bed, name));
	part_free(part);
	part_clear(&bed.place);
	assert_false(is_there(&bed, name));
	bed_end(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_removed_before_it_is_locked),
		cmocka_unit_test(test_a_disk_that_cannot_be_read),
		cmocka_unit_test(test_a_wrong_file_in_use_stays),
		cmocka_unit_test(test_a_wrong_size_is_told),
		cmocka_unit_test(test_notes_go_along),
		cmocka_unit_test(test_a_note_that_lies),
		cmocka_unit_test(test_wrong_bytes_are_read_again),
		cmocka_unit_test(test_what_a_kill_left_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
