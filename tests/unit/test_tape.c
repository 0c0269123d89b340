/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "base/line.h"
#include "bus/mask.h"
#include "bus/monitor.h"
#include "bus/record.h"
#include "bus/serial.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { CHANGES_MAX = 64, TURN_LIMIT_US = 200 * 1000, LONG_TAPE_LINES = 3000 };

struct seen {
	size_t total, count; /* the first CHANGES_MAX are kept */
	enum sighting_change change[CHANGES_MAX];
	struct sighting sighting[CHANGES_MAX];
};

static void note(enum sighting_change change, const struct sighting *sighting, void *user)
{
	struct seen *seen = user;

	seen->total++;
	if (seen->count == CHANGES_MAX)
		return;
	seen->change[seen->count] = change;
	seen->sighting[seen->count++] = *sighting;
}

#define LINE(change, address)                                                                      \
	"{\"v\":1,\"type\":\"sighting\",\"change\":\"" change "\",\"syspath\":\"/sys/x/1-2\","     \
	"\"port\":\"1-2\",\"bus\":1,\"address\":" #address                                         \
	",\"vid\":\"0x05ac\",\"pid\":\"0x12a8\"}\n"

static void run(sd_event *event)
{
	while (sd_event_run(event, TURN_LIMIT_US) > 0)
		;
}

static void put(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* Plays what is written to `in` until its end, from `out`. */
static struct seen *play(int out, int in, const char *text)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	_cleanup_(bus_tape_freep) struct bus_tape *tape = NULL;
	struct seen *seen = calloc(1, sizeof(*seen));

	assert_non_null(seen);
	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(bus_tape_new(event, out, note, seen, &tape), 0);
	run(event);
	assert_int_equal(seen->total, 0);
	if (in >= 0) {
		put(in, text);
		close(in);
	}
	run(event);
	return seen;
}

static void assert_two(struct seen *seen)
{
	assert_int_equal(seen->total, 2);
	assert_int_equal(seen->change[0], SIGHTING_APPEARED);
	assert_int_equal(seen->change[1], SIGHTING_GONE);
	assert_int_equal(seen->sighting[0].address, 3);
	free(seen);
}

static void test_pipe(void **state)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	assert_two(play(fds[0], fds[1], LINE("appeared", 3) LINE("gone", 3)));
}

static void test_socket(void **state)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_two(play(fds[0], fds[1], LINE("appeared", 3) LINE("gone", 3)));
}

static void test_fifo(void **state)
{
	char folder[] = "/tmp/tape-XXXXXX", path[64];
	int in, out;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/fifo", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	/* for reading and writing: writers may come and go */
	out = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	assert_true(out >= 0);
	in = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(in >= 0);
	assert_two(play(out, in, LINE("appeared", 3) LINE("gone", 3)));
	unlink(path);
	rmdir(folder);
}

static int open_temporary(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void test_regular_file(void **state)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	_cleanup_(bus_tape_freep) struct bus_tape *tape = NULL;
	struct seen seen = { 0 };
	int fd = open_temporary();

	for (int i = 0; i < LONG_TAPE_LINES; i++)
		put(fd, LINE("changed", 7));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(bus_tape_new(event, fd, note, &seen, &tape), 0);
	/* one buffer a turn, so that other sources of the loop get theirs */
	assert_true(sd_event_run(event, 0) > 0);
	assert_uint_in_range(seen.total, 1, LONG_TAPE_LINES - 1);
	run(event);
	assert_int_equal(seen.total, LONG_TAPE_LINES);
	/* at the end nothing is left that would keep the loop busy */
	assert_int_equal(sd_event_run(event, 0), 0);
}

static void test_bad_lines_are_skipped(void **state)
{
	_cleanup_free_ char *text = calloc(1, 4 * LINE_BYTES_MAX);
	struct seen *seen;
	size_t used;
	int fd = open_temporary();

	assert_non_null(text);
	put(fd, "\n[]\n{}\nnonsense\n{\"v\":1}\n" LINE("lost", 3) LINE("appeared", 300));
	memset(text, 'x', 2 * LINE_BYTES_MAX);
	used = 2 * LINE_BYTES_MAX;
	text[used++] = '\n';
	assert_int_equal(write(fd, text, used), used);
	put(fd, LINE("appeared", 3) LINE("gone", 3) "{\"v\":1,\"type\"");
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	seen = calloc(1, sizeof(*seen));
	assert_non_null(seen);
	{
		_cleanup_(sd_event_unrefp) sd_event *event = NULL;
		_cleanup_(bus_tape_freep) struct bus_tape *tape = NULL;

		assert_true(sd_event_new(&event) >= 0);
		assert_int_equal(bus_tape_new(event, fd, note, seen, &tape), 0);
		run(event);
	}
	assert_two(seen);
}

static void test_bad_descriptor(void **state)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	struct bus_tape *tape = NULL;
	struct seen seen;

	assert_true(sd_event_new(&event) >= 0);
	assert_true(bus_tape_new(event, -1, note, &seen, &tape) < 0);
	assert_null(tape);
}

/* --- masking --- */

static const struct mask_key key = { 1, 2 };

static void test_mask_keeps_the_form(void **state)
{
	static const char original[] =
	    "SDOM:01 CPID:8110 CPRV:11 CPFM:03 SCEP:01 BDID:0A "
	    "ECID:001C20223E29401E IBFL:3D SRTG:[iBoot-6338.0.0.200.19] "
	    "SRNM:[F4HVWWZGJC67] IMEI:[350000000000001] PWND:[usbliter8]";
	char text[sizeof(original)];
	struct iboot_serial before, after;

	memcpy(text, original, sizeof(text));
	mask_serial(&key, text);
	assert_int_equal(strlen(text), strlen(original));
	assert_int_equal(iboot_serial_parse(original, strlen(original), &before), 0);
	assert_int_equal(iboot_serial_parse(text, strlen(text), &after), 0);
	assert_int_equal(after.has, before.has);
	assert_int_equal(after.cpid, before.cpid);
	assert_int_equal(after.bdid, before.bdid);
	assert_int_equal(after.ibfl, before.ibfl);
	assert_string_equal(after.srtg, before.srtg);
	assert_string_equal(after.pwnd, before.pwnd);
	assert_int_not_equal(after.ecid, before.ecid);
	assert_int_equal(after.ecid >> 56, 0); /* leading zeros stay */
	assert_true(after.ecid >> 52 != 0);
	assert_string_not_equal(after.srnm, before.srnm);
	assert_int_equal(strlen(after.srnm), 12);
	assert_string_not_equal(after.imei, before.imei);
	assert_int_equal(strspn(after.imei, "0123456789"), 15);
}

static void test_mask_is_consistent(void **state)
{
	char udid[] = "00008110001C20223E29401E", hyphen[] = "00008110-001C20223E29401E";
	char iboot[] = "ECID:001C20223E29401E", small[] = "ECID:1c20223e29401e";
	char old[] = "0123456789abcdef0123456789abcdef01234567";
	char old_capital[] = "0123456789ABCDEF0123456789ABCDEF01234567";
	char other[] = "00008110001C20223E29401E";
	static const struct mask_key other_key = { 1, 3 };

	mask_serial(&key, udid);
	mask_serial(&key, hyphen);
	mask_serial(&key, iboot);
	mask_serial(&key, small);
	assert_memory_equal(udid, "00008110", 8);
	assert_string_equal(udid + 8, hyphen + 9);
	assert_string_equal(udid + 8, iboot + 5);
	assert_int_equal(strcasecmp(udid + 10, small + 5), 0);
	mask_serial(&key, old);
	mask_serial(&key, old_capital);
	assert_string_equal(old, old_capital);
	assert_string_not_equal(old, "0123456789abcdef0123456789abcdef01234567");
	assert_int_equal(strspn(old, "0123456789abcdef"), 40);
	mask_serial(&other_key, other);
	assert_string_not_equal(other, udid);
}

static void test_mask_of_damaged_strings(void **state)
{
	/* an original, and the part of it that must not be found again */
	static const struct {
		const char *text, *secret;
	} rows[] = {
		{ "CPID:8010 SRNM:[F00SY", "F00SY" },
		{ "ECID:FFFFFFFFFFFFFFFFF1", "FFFFFFFFFFFFFFFFF1" },
		{ "ECID:12ZZ", "12ZZ" },
		{ "NONC:a574ed10e7f284366ab9", "a574ed10e7f284366ab9" },
		{ "C39XK0TESTSERIAL", "C39XK0TESTSERIAL" },
		{ "UNKN:[KL7]", "KL7" },
		{ "x C39XK0TEST01 y", "C39XK0TEST01" },
	};
	static const char *const harmless[] = { "",       "Apple Mobile Device (DFU Mode)",
						"iPhone", "CPID:8010 SRTG:[iBoot-1992.0.0.1.19]",
						"]",      "[" };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[64];

		snprintf(text, sizeof(text), "%s", rows[i].text);
		mask_serial(&key, text);
		if (strstr(text, rows[i].secret))
			fail_msg("still readable: %s", text);
		assert_int_equal(strlen(text), strlen(rows[i].text));
	}
	for (size_t i = 0; i < ARRAY_LEN(harmless); i++) {
		char text[64];

		snprintf(text, sizeof(text), "%s", harmless[i]);
		mask_serial(&key, text);
		assert_string_equal(text, harmless[i]);
	}
}

static void test_record_and_replay(void **state)
{
	_cleanup_(bus_recorder_freep) struct bus_recorder *recorder = NULL;
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	_cleanup_(bus_tape_freep) struct bus_tape *tape = NULL;
	struct seen seen = { 0 };
	struct sighting normal = { .syspath = "/sys/x/1-2",
				   .port = "1-2",
				   .bus = 1,
				   .address = 3,
				   .vid = 0x05ac,
				   .pid = 0x12a8,
				   .product = "iPhone",
				   .serial = "00008110001C20223E29401E" };
	struct sighting recovery = normal;
	char folder[] = "/tmp/tape-XXXXXX", path[64];
	struct iboot_serial iboot;
	char udid[UDID_BYTES];
	struct stat status;
	uint64_t ecid;
	int fd;

	recovery.pid = 0x1281;
	snprintf(recovery.serial, sizeof(recovery.serial), "CPID:8110 ECID:001C20223E29401E");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/tape", folder);
	assert_int_equal(bus_recorder_new(path, &recorder), 0);
	assert_int_equal(bus_recorder_write(recorder, SIGHTING_APPEARED, &normal), 0);
	assert_int_equal(bus_recorder_write(recorder, SIGHTING_GONE, &normal), 0);
	assert_int_equal(bus_recorder_write(recorder, SIGHTING_APPEARED, &recovery), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(bus_tape_new(event, fd, note, &seen, &tape), 0);
	run(event);
	assert_int_equal(seen.total, 3);
	assert_string_equal(seen.sighting[0].product, "iPhone");
	assert_int_equal(udid_from_serial(seen.sighting[0].serial, udid), 0);
	assert_int_equal(udid_ecid(udid, &ecid), 0);
	assert_int_not_equal(ecid, 0x001C20223E29401E);
	assert_int_equal(
	    iboot_serial_parse(seen.sighting[2].serial, strlen(seen.sighting[2].serial), &iboot),
	    0);
	assert_int_equal(iboot.ecid, ecid); /* a replay merges them */
	unlink(path);
	rmdir(folder);
}

static void test_record_failures(void **state)
{
	struct bus_recorder *recorder = NULL;
	struct sighting sighting = { .syspath = "/sys/x/1-2", .port = "1-2" };

	assert_int_equal(bus_recorder_new("/nowhere/tape", &recorder), -ENOENT);
	assert_null(recorder);
	assert_int_equal(bus_recorder_new("/dev/full", &recorder), 0);
	assert_int_equal(bus_recorder_write(recorder, SIGHTING_APPEARED, &sighting), -ENOSPC);
	assert_int_equal(bus_recorder_write(recorder, SIGHTING_APPEARED, &sighting), -ENOSPC);
	bus_recorder_free(recorder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_socket),
		cmocka_unit_test(test_fifo),
		cmocka_unit_test(test_regular_file),
		cmocka_unit_test(test_bad_lines_are_skipped),
		cmocka_unit_test(test_bad_descriptor),
		cmocka_unit_test(test_mask_keeps_the_form),
		cmocka_unit_test(test_mask_is_consistent),
		cmocka_unit_test(test_mask_of_damaged_strings),
		cmocka_unit_test(test_record_and_replay),
		cmocka_unit_test(test_record_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
