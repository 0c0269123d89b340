/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the kernel says of ports, in the words of real logs. */
#include "base/cleanup.h"
#include "unit.h"
#include "worker/kernel_line.h"
#include <stdlib.h>
#include <string.h>

struct row {
	const char *line, *port, *trouble; /* trouble NULL: it says nothing of a port */
};

static void check(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		/* of its very length, so that a byte too far is seen */
		size_t n = strlen(rows[i].line);
		char *line = malloc(n + (n == 0));
		struct kernel_line found = { 0 };
		bool trouble;

		assert_non_null(line);
		memcpy(line, rows[i].line, n);
		trouble = kernel_line_parse(line, n, &found);
		free(line);
		if (trouble != (rows[i].trouble != NULL))
			fail_msg("%s: %s", trouble ? found.trouble : "nothing", rows[i].line);
		if (!trouble)
			continue;
		if (strcmp(found.port, rows[i].port) != 0 ||
		    strcmp(found.trouble, rows[i].trouble) != 0)
			fail_msg("%s at '%s': %s", found.trouble, found.port, rows[i].line);
	}
}

/* bbs.archlinux.org, viewtopic.php?id=236321: a device whose configuration cannot be read, from
 * journalctl, Linux 4.15 */
static void test_arch_236321(void **state)
{
#define LOG(rest) "Apr 17 14:30:04 pandora kernel: usb " rest
	static const struct row rows[] = {
		{ LOG("1-1: new full-speed USB device number 37 using xhci_hcd"), NULL, NULL },
		{ LOG("1-1: unable to read config index 0 descriptor/start: -71"), "1-1",
		  "no-descriptor" },
		{ LOG("1-1: can't read configurations, error -71"), "1-1", "no-descriptor" },
		{ LOG("1-1: Device not responding to setup address."), "1-1", "no-address" },
		{ LOG("1-1: device not accepting address 38, error -71"), "1-1", "no-address" },
		{ LOG("usb1-port1: attempt power cycle"), NULL, NULL },
		{ LOG("usb1-port1: unable to enumerate USB device"), "1-1", "no-enumeration" },
	};
#undef LOG

	check(rows, ARRAY_LEN(rows));
}

/* lists.pdxlinux.org, plug, December 2020, 096194 and 096206: a chip that died, dmesg -T, with and
 * without hubs */
static void test_plug_096206(void **state)
{
	static const struct row rows[] = {
		{ "[Thu Dec 10 21:32:13 2020] usb 3-1: device descriptor read/64, error -71", "3-1",
		  "no-descriptor" },
		{ "[Thu Dec 10 21:32:14 2020] usb usb3-port1: attempt power cycle", NULL, NULL },
		{ "[Thu Dec 10 21:32:16 2020] usb usb3-port1: unable to enumerate USB device",
		  "3-1", "no-enumeration" },
		{ "[Fri Dec 11 09:45:48 2020] usb 2-1.1: new full-speed USB device number 28 using "
		  "ehci-pci",
		  NULL, NULL },
		{ "[Fri Dec 11 09:45:48 2020] usb 2-1.1: device descriptor read/64, error -32",
		  "2-1.1", "no-descriptor" },
		{ "[Fri Dec 11 09:45:49 2020] usb 2-1.1: device not accepting address 30, error "
		  "-32",
		  "2-1.1", "no-address" },
		{ "[Fri Dec 11 09:45:50 2020] usb 2-1-port1: unable to enumerate USB device",
		  "2-1.1", "no-enumeration" },
	};

	check(rows, ARRAY_LEN(rows));
}

/* talk.maemo.org, post 1320836: syslog of Linux 2.6, where the hub speaks for its ports */
static void test_maemo_1320836(void **state)
{
#define LOG(level, rest) "Feb  4 21:27:31 (none) user." level " kernel: " rest
	static const struct row rows[] = {
		{ LOG("err", "hub 1-5:1.0: unable to enumerate USB device on port 4"), "1-5.4",
		  "no-enumeration" },
		{ LOG("info", "usb 1-5.4: new low speed USB device using ehci_hcd and address 15"),
		  NULL, NULL },
		{ LOG("err", "usb 1-5.4: device descriptor read/64, error -32"), "1-5.4",
		  "no-descriptor" },
		{ LOG("err", "usb 1-5.4: device not accepting address 17, error -32"), "1-5.4",
		  "no-address" },
	};
#undef LOG

	check(rows, ARRAY_LEN(rows));
}

/* guyrutenberg.com, 2008/06/26, usb-1-4-device-descriptor-read64-error-71: bare messages */
static void test_rutenberg(void **state)
{
	static const struct row rows[] = {
		{ "usb 1-4: device descriptor read/64, error -71", "1-4", "no-descriptor" },
		{ "usb 1-3: reset high-speed USB device number 13 using xhci_hcd", "1-3", "reset" },
		{ "usb 1-3: USB disconnect, device number 13", NULL, NULL },
		{ "usb 1-3: Device not responding to setup address.", "1-3", "no-address" },
		{ "usb 1-3: Manufacturer: RockChip", NULL, NULL },
	};

	check(rows, ARRAY_LEN(rows));
}

/* pfalcon-oe.blogspot.com, 2010/12 (Linux 2.6, root hub), and aweirdimagination.net, 2015/04/02 */
static void test_disturbance(void **state)
{
	static const struct row rows[] = {
		{ "[176149.256699] hub 3-0:1.0: port 1 disabled by hub (EMI?), re-enabling...",
		  "3-1", "emi" },
		{ "[176149.256706] hub 3-0:1.0: over-current change on port 1", "3-1",
		  "over-current" },
		{ "[176149.357643] usb 3-1: USB disconnect, address 3", NULL, NULL },
		{ "[81700.968873] usbhid 6-1:1.0: can't add hid device: -71", NULL, NULL },
		{ "[81700.968885] usbhid: probe of 6-1:1.0 failed with error -71", NULL, NULL },
		{ "[81700.968986] usb usb6-port1: disabled by hub (EMI?), re-enabling...", "6-1",
		  "emi" },
		{ "[81701.384866] usb 6-1: string descriptor 0 read error: -32", NULL, NULL },
		/* drivers/usb/core/hub.c, hub_port_debounce() as of 3.15 and as of 7 */
		{ "hub 1-2:1.0: connect-debounce failed, port 3 disabled", "1-2.3", "emi" },
		{ "usb 1-2-port3: connect-debounce failed", "1-2.3", "emi" },
	};

	check(rows, ARRAY_LEN(rows));
}

/* GitHub: ddvk/remarkable2-recovery 15, ralph-irving/squeezelite 122, Re4son/re4son-kernel-builder
 * 6, StarLabsLtd/firmware 140 */
static void test_over_current(void **state)
{
	static const struct row rows[] = {
		{ "[  865.255349] usb usb3-port1: over-current condition", "3-1", "over-current" },
		{ "[  866.126707] usb 3-5: USB disconnect, device number 44", NULL, NULL },
		{ "[  208.278065] usb 1-1-port2: over-current change #797", "1-1.2",
		  "over-current" },
		{ "[ 2210.081690] usb 1-1.1-port3: over-current change", "1-1.1.3",
		  "over-current" },
		{ "Nov 25 01:31:55 kernel: usb usb1-port6: over-current condition", "1-6",
		  "over-current" },
		{ "Nov 25 01:31:55 kernel: xhci_hcd 0000:00:14.0: USB core suspending port 1-6 not "
		  "in U0/U1/U2",
		  NULL, NULL },
		{ "Nov 25 01:31:55 kernel: usb 1-6: Failed to suspend device, error -32", NULL,
		  NULL },
		/* drivers/usb/core/hub.c, hub_event(): the hub as a whole */
		{ "hub 1-2:1.0: over-current condition", "1-2", "over-current" },
		{ "hub 2-0:1.0: over-current condition", "", "over-current" },
	};

	check(rows, ARRAY_LEN(rows));
}

/* hex.very-very-dark-gray.top, "xHCI host controller not responding"; code.yuexiating.com,
 * qualcomm-linux/kernel 295; lkml.iu.edu 2503.0/04227 */
static void test_controller(void **state)
{
	static const struct row rows[] = {
		{ "xhci_hcd 0000:0b:00.3: Abort failed to stop command ring: -110", NULL, NULL },
		{ "xhci_hcd 0000:0b:00.3: xHCI host controller not responding, assume dead", "",
		  "host" },
		{ "xhci_hcd 0000:0b:00.3: HC died; cleaning up", "", "host" },
		{ "xhci-hcd xhci-hcd.2.auto: xHCI host not responding to stop endpoint command",
		  NULL, NULL },
		{ "xhci-hcd xhci-hcd.2.auto: HC died; cleaning up", "", "host" },
		{ "[    6.504390] ehci-pci 0000:00:1a.0: HC died; cleaning up", "", "host" },
		{ "[    2.100000] xhci_hcd 0000:00:14.0: xHCI Host Controller", NULL, NULL },
	};

	check(rows, ARRAY_LEN(rows));
}

/* stibbons1990.github.io, 2023/09/09, the-death-of-wi-fi-and-bluetooth: half a minute of silence */
static void test_silence(void **state)
{
	static const struct row rows[] = {
		{ "[    6.504390] usb 1-4: device descriptor read/64, error -110", "1-4",
		  "no-descriptor" },
		{ "[   22.600375] usb 1-4: new high-speed USB device number 3 using xhci_hcd", NULL,
		  NULL },
		{ "[   43.990399] usb usb1-port4: attempt power cycle", NULL, NULL },
	};

	check(rows, ARRAY_LEN(rows));
}

/* GitHub: clearlinux/distribution 2124, RetroPie/RetroPie-Setup 976, AdnanHodzic/displaylink-debian
 * 104; forums.developer.nvidia.com 192634; drivers/usb/core/hub.c and message.c */
static void test_power(void **state)
{
	static const struct row rows[] = {
		{ "usb 2-1: rejected 1 configuration due to insufficient available bus power",
		  "2-1", "power" },
		{ "usb 2-1: rejected 4 configurations due to insufficient available bus power",
		  "2-1", "power" },
		{ "usb 1-2: new config #4 exceeds power limit by 400mA", "1-2", "power" },
		{ "[ 112.948394] usb 1-3.1: can't set config #1, error -32", "1-3.1", "power" },
		/* no bandwidth left is another matter */
		{ "[124522.225343] usb 2-3.3.3.2: Not enough bandwidth for new device state.", NULL,
		  NULL },
		{ "[124522.225357] usb 2-3.3.3.2: can't set config #1, error -28", NULL, NULL },
	};

	check(rows, ARRAY_LEN(rows));
}

/* kb.atomminer.com, bad-usb-cables-how-to-identify-them, with the port of either kernel */
static void test_cable(void **state)
{
	static const struct row rows[] = {
		{ "usb usb1-port2: Cannot enable. Maybe the USB cable is bad?", "1-2",
		  "no-enumeration" },
		{ "hub 1-0:1.0: Cannot enable port 2.  Maybe the USB cable is bad?", "1-2",
		  "no-enumeration" },
	};

	check(rows, ARRAY_LEN(rows));
}

/* GitHub: libimobiledevice/libimobiledevice 1491 (dmesg -H of an iPhone that works), and resets of
 * all speeds (drivers/usb/core/hub.c, hub_port_init()) */
static void test_phone(void **state)
{
	static const struct row rows[] = {
		{ "[Sep14 22:47] usb 1-4: new high-speed USB device number 5 using xhci_hcd", NULL,
		  NULL },
		{ "[  +0.198420] usb 1-4: New USB device found, idVendor=05ac, idProduct=12a8, "
		  "bcdDevice=15.02",
		  NULL, NULL },
		{ "[  +0.000004] usb 1-4: Product: iPhone", NULL, NULL },
		{ "[  +0.000003] usb 1-4: reset high-speed USB device number 5 using xhci_hcd",
		  "1-4", "reset" },
		{ "usb 2-1: reset SuperSpeed Plus Gen 2x1 USB device number 5 using xhci_hcd",
		  "2-1", "reset" },
		{ "usb 2-1: reset high speed USB device using ehci_hcd and address 3", "2-1",
		  "reset" },
	};

	check(rows, ARRAY_LEN(rows));
}

/* Names are the phone's to choose, and programs may write into the kernel's log, too. */
static void test_impostors(void **state)
{
	static const struct row rows[] = {
		{ "usb 1-2: Product: usb 1-3: device descriptor read/64, error -71", NULL, NULL },
		{ "usb 1-2: Product: a kernel: usb 1-3: device descriptor read/64, error -71", NULL,
		  NULL },
		{ "usb 1-2: SerialNumber: unable to enumerate USB device", NULL, NULL },
		{ "12,901,5000000,-;usb 1-2: device descriptor read/64, error -71", NULL, NULL },
		{ "systemd[1]: usb 1-2: device descriptor read/64, error -71", NULL, NULL },
		{ "usb 1-2:device descriptor read/64, error -71", NULL, NULL },
		{ "usb 1-: device descriptor read/64, error -71", NULL, NULL },
		{ "usb 1-2.: device descriptor read/64, error -71", NULL, NULL },
		{ "usb 1-2-port0: over-current condition", NULL, NULL },
		{ "usb 1-2-port999: over-current condition", NULL, NULL },
		{ "usb usb99999999999999999999-port1: over-current condition", NULL, NULL },
		{ "usb 1-1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1: device descriptor read/64, error -71",
		  NULL, NULL },
		{ "usb 1-1.1.1.1.1.1.1.1.1.1.1.1.1.1-port222: over-current condition", NULL, NULL },
		{ "hub 1-2:1.0: unable to enumerate USB device on port x", NULL, NULL },
		{ "", NULL, NULL },
		{ "[", NULL, NULL },
		{ "<", NULL, NULL },
		{ "6,", NULL, NULL },
		{ " SUBSYSTEM=usb", NULL, NULL },
		{ "usb", NULL, NULL },
		{ "hub 1-2", NULL, NULL },
		{ "xhci_hcd ", NULL, NULL },
	};

	check(rows, ARRAY_LEN(rows));
}

static void test_record(void **state)
{
	static const char record[] =
	    "3,1234,567890123,-;usb 1-2: device descriptor read/64, error -71\n"
	    " SUBSYSTEM=usb\n DEVICE=c189:1\n";
	struct kernel_line line;

	assert_true(kernel_line_parse(record, sizeof(record) - 1, &line));
	assert_true(line.head.record);
	assert_int_equal(line.head.number, 1234);
	assert_true(line.head.timed);
	assert_int_equal(line.head.time_us, 567890123);
	assert_string_equal(line.text, "usb 1-2: device descriptor read/64, error -71");
	/* another facility than the kernel's */
	assert_false(
	    kernel_line_parse("11,1,1,-;usb 1-2: reset high-speed USB device number 5", 54, &line));
	/* continuation flag, and fields of the future */
	assert_true(kernel_line_parse("4,8,9,c,caller=T1;usb usb1-port2: over-current condition",
				      56, &line));
	assert_int_equal(line.head.time_us, 9);
}

static void test_times(void **state)
{
	static const struct {
		const char *line;
		bool timed;
		uint64_t time_us;
	} rows[] = {
		{ "[   12.345678] usb 1-2: hello", true, 12345678 },
		{ "<6>[   12.345678] usb 1-2: hello", true, 12345678 },
		{ "[   12.345678][  T123] usb 1-2: hello", true, 12345678 },
		{ "[123456.000001] usb 1-2: hello", true, 123456000001 },
		{ "Nov 22 10:00:00 host kernel: [   12.345678] usb 1-2: hello", true, 12345678 },
		{ "[  +0.198420] usb 1-2: hello", false, 0 },
		{ "[Sep14 22:47] usb 1-2: hello", false, 0 },
		{ "[12.3] usb 1-2: hello", false, 0 },
		{ "[99999999999999999999.000000] usb 1-2: hello", false, 0 },
		{ "usb 1-2: hello", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct kernel_head head;

		kernel_head_parse(rows[i].line, strlen(rows[i].line), &head);
		if (head.timed != rows[i].timed ||
		    (head.timed && head.time_us != rows[i].time_us) ||
		    head.text_bytes != strlen("usb 1-2: hello") ||
		    memcmp(head.text, "usb 1-2: hello", head.text_bytes) != 0)
			fail_msg("%s", rows[i].line);
		assert_false(head.record);
		assert_true(head.kernel);
	}
}

static void test_text_is_clean(void **state)
{
	char line[1024] = "usb 1-2: device descriptor read/64, error -71 \x1b[31m\xff";
	struct kernel_line found;
	size_t n = strlen(line);

	assert_true(kernel_line_parse(line, n, &found));
	assert_string_equal(found.text, "usb 1-2: device descriptor read/64, error -71 ?[31m?");
	memset(line + n, 'x', sizeof(line) - n);
	assert_true(kernel_line_parse(line, sizeof(line), &found));
	assert_int_equal(strlen(found.text), KERNEL_TEXT_BYTES - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arch_236321),   cmocka_unit_test(test_plug_096206),
		cmocka_unit_test(test_maemo_1320836), cmocka_unit_test(test_rutenberg),
		cmocka_unit_test(test_disturbance),   cmocka_unit_test(test_over_current),
		cmocka_unit_test(test_controller),    cmocka_unit_test(test_silence),
		cmocka_unit_test(test_power),         cmocka_unit_test(test_cable),
		cmocka_unit_test(test_phone),         cmocka_unit_test(test_impostors),
		cmocka_unit_test(test_record),        cmocka_unit_test(test_times),
		cmocka_unit_test(test_text_is_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
