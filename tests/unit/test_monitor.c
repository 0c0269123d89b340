/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The bus table, and the monitor against libsystemd's own code: in namespaces of its own the test
 * lays out the files that the kernel and udevd would, and sends udevd's messages over netlink.
 */
#include "base/cleanup.h"
#include "bus/monitor.h"
#include "bus/table.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { CHANGES_MAX = 32, TURN_LIMIT_US = 200 * 1000 };

struct seen {
	size_t count;
	enum sighting_change change[CHANGES_MAX];
	struct sighting sighting[CHANGES_MAX];
};

static void note(enum sighting_change change, const struct sighting *sighting, void *user)
{
	struct seen *seen = user;

	assert_true(seen->count < CHANGES_MAX);
	seen->change[seen->count] = change;
	seen->sighting[seen->count++] = *sighting;
}

/* --- the table --- */

static struct sighting make(const char *port, unsigned address, const char *serial)
{
	struct sighting sighting = { .bus = 1, .address = address, .vid = 0x05ac, .pid = 0x1281 };

	snprintf(sighting.syspath, sizeof(sighting.syspath), "/sys/x/%s", port);
	snprintf(sighting.port, sizeof(sighting.port), "%s", port);
	snprintf(sighting.serial, sizeof(sighting.serial), "%s", serial);
	return sighting;
}

static void test_table(void **state)
{
	_cleanup_(bus_table_freep) struct bus_table *table = NULL;
	struct seen seen = { 0 };
	struct sighting a = make("1-2", 5, "A"), b = make("1-3", 6, "B"), again;

	assert_int_equal(bus_table_new(note, &seen, &table), 0);
	bus_table_look(table, &a);
	bus_table_look(table, &a); /* bind after add: nothing new */
	bus_table_look(table, &b);
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.change[1], SIGHTING_APPEARED);
	a.configuration = 4;
	bus_table_look(table, &a);
	assert_int_equal(seen.count, 3);
	assert_int_equal(seen.change[2], SIGHTING_CHANGED);
	assert_int_equal(seen.sighting[2].configuration, 4);
	/* another address: it left and came, and nobody said so */
	again = make("1-2", 9, "C");
	bus_table_look(table, &again);
	assert_int_equal(seen.count, 5);
	assert_int_equal(seen.change[3], SIGHTING_GONE);
	assert_string_equal(seen.sighting[3].serial, "A");
	assert_int_equal(seen.change[4], SIGHTING_APPEARED);
	assert_string_equal(seen.sighting[4].serial, "C");
	bus_table_leave(table, "/sys/x/1-2");
	bus_table_leave(table, "/sys/x/1-2");
	bus_table_leave(table, "/sys/x/none");
	assert_int_equal(seen.count, 6);
	assert_int_equal(seen.change[5], SIGHTING_GONE);
	assert_string_equal(seen.sighting[5].serial, "C");
}

static size_t appeared, left;

static void count_only(enum sighting_change change, const struct sighting *sighting, void *user)
{
	appeared += change == SIGHTING_APPEARED;
	left += change == SIGHTING_GONE;
}

static void test_table_flood(void **state)
{
	_cleanup_(bus_table_freep) struct bus_table *table = NULL;

	assert_int_equal(bus_table_new(count_only, NULL, &table), 0);
	for (unsigned i = 1; i <= 600; i++) {
		char port[SIGHTING_PORT_BYTES];
		struct sighting sighting;

		snprintf(port, sizeof(port), "1-%u", i);
		sighting = make(port, 1, "");
		bus_table_look(table, &sighting);
	}
	assert_int_equal(appeared, 4 * 127);
	for (unsigned i = 1; i <= 600; i++) {
		char syspath[SIGHTING_PATH_BYTES];

		snprintf(syspath, sizeof(syspath), "/sys/x/1-%u", i);
		bus_table_leave(table, syspath);
	}
	assert_int_equal(left, 4 * 127);
}

/* --- the monitor --- */

#define DEVICES "/sys/devices/pci0000:00/usb1"

static void write_file(const char *folder, const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* A device in the made-up sysfs: attributes as name, value, …, NULL. */
static void plug(const char *port, unsigned minor, const char *const attributes[])
{
	char folder[256], link[512], text[256];

	snprintf(folder, sizeof(folder), DEVICES "/%s", port);
	assert_int_equal(mkdir(folder, 0755), 0);
	snprintf(text, sizeof(text),
		 "MAJOR=189\nMINOR=%u\nDEVNAME=bus/usb/001/%03u\nDEVTYPE=usb_device\n", minor,
		 minor + 1);
	write_file(folder, "uevent", text);
	snprintf(link, sizeof(link), "%s/subsystem", folder);
	assert_int_equal(symlink("../../../../bus/usb", link), 0);
	for (size_t i = 0; attributes[i]; i += 2)
		write_file(folder, attributes[i], attributes[i + 1]);
	snprintf(link, sizeof(link), "/sys/bus/usb/devices/%s", port);
	snprintf(text, sizeof(text), "../../../devices/pci0000:00/usb1/%s", port);
	assert_int_equal(symlink(text, link), 0);
	snprintf(text, sizeof(text), "c189:%u", minor);
	write_file("/run/udev/data", text, "I:1\n");
}

static void unplug(const char *port)
{
	char path[256];

	/* out of sight with all its attributes: on "remove" none may be needed */
	snprintf(path, sizeof(path), "/sys/bus/usb/devices/%s", port);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), DEVICES "/%s", port);
	assert_int_equal(rename(path, "/sys/trash"), 0);
}

/* An interface of the device in the made-up sysfs: "4.1" with "ff/fe/02". */
static void plug_interface(const char *port, const char *number, const char *triple)
{
	static const char *const names[] = { "bInterfaceClass", "bInterfaceSubClass",
					     "bInterfaceProtocol" };
	char folder[256], link[512], byte[4];

	snprintf(folder, sizeof(folder), DEVICES "/%s/%s:%s", port, port, number);
	assert_int_equal(mkdir(folder, 0755), 0);
	write_file(folder, "uevent", "DEVTYPE=usb_interface\n");
	snprintf(link, sizeof(link), "%s/subsystem", folder);
	assert_int_equal(symlink("../../../../../bus/usb", link), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(byte, sizeof(byte), "%.2s\n", triple + i * 3);
		write_file(folder, names[i], byte);
	}
}

/* As udevd tells it to its second multicast group. */
static void say_of(const char *action, const char *port, const char *devtype)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK, .nl_groups = 2 };
	_cleanup_close_ int fd =
	    socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
	char text[512];
	int n;

	assert_true(fd >= 0);
	n = snprintf(
	    text, sizeof(text),
	    "%s@/devices/pci0000:00/usb1/%s%cACTION=%s%cDEVPATH=/devices/pci0000:00/usb1/%s%c"
	    "SUBSYSTEM=usb%cDEVTYPE=%s%cSEQNUM=7%c",
	    action, port, 0, action, 0, port, 0, 0, devtype, 0, 0);
	assert_true(n > 0 && (size_t)n < sizeof(text));
	assert_int_equal(sendto(fd, text, (size_t)n, 0, (struct sockaddr *)&to, sizeof(to)), n);
}

static void say(const char *action, const char *port)
{
	say_of(action, port, "usb_device");
}

/* Runs the loop until it has nothing to do. */
static void run(sd_event *event)
{
	while (sd_event_run(event, TURN_LIMIT_US) > 0)
		;
}

static void make_own_world(void)
{
	char map[64];
	uid_t uid = getuid();

	if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) < 0) {
			print_message("no namespaces here: skipped\n");
			skip();
		}
		snprintf(map, sizeof(map), "0 %u 1", (unsigned)uid);
		write_file("/proc/self", "uid_map", map);
	}
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("tmpfs", "/sys", "tmpfs", 0, NULL), 0);
	assert_int_equal(mount("tmpfs", "/run", "tmpfs", 0, NULL), 0);
	assert_int_equal(mkdir("/sys/devices", 0755), 0);
	assert_int_equal(mkdir("/sys/devices/pci0000:00", 0755), 0);
	assert_int_equal(mkdir(DEVICES, 0755), 0);
	assert_int_equal(mkdir("/sys/bus", 0755), 0);
	assert_int_equal(mkdir("/sys/bus/usb", 0755), 0);
	assert_int_equal(mkdir("/sys/bus/usb/devices", 0755), 0);
	assert_int_equal(mkdir("/run/udev", 0755), 0);
	assert_int_equal(mkdir("/run/udev/data", 0755), 0);
	write_file("/run/udev", "control", ""); /* udevd is here */
	/* a tmpfs is no sysfs */
	assert_int_equal(setenv("SYSTEMD_DEVICE_VERIFY_SYSFS", "0", 1), 0);
}

static const char *const phone[] = { "idVendor",
				     "05ac\n",
				     "idProduct",
				     "12a8\n",
				     "busnum",
				     "1\n",
				     "devnum",
				     "5\n",
				     "speed",
				     "480\n",
				     "bConfigurationValue",
				     "\n",
				     "bMaxPower",
				     "\n",
				     "version",
				     " 2.10\n",
				     "serial",
				     "00008110001C20223E29401E\n",
				     "product",
				     "iPhone \xff\n",
				     "manufacturer",
				     "Apple Inc.\n",
				     NULL };
static const char *const recovery[] = { "idVendor",
					"05ac\n",
					"idProduct",
					"1281\n",
					"busnum",
					"1\n",
					"devnum",
					"6\n",
					"speed",
					"1.5\n",
					"bConfigurationValue",
					"1\n",
					"serial",
					"CPID:8110 ECID:1\n",
					NULL };
static const char *const keyboard[] = { "idVendor", "046d\n", "idProduct", "c31c\n", "busnum",
					"1\n",      "devnum", "7\n",       NULL };
static const char *const unreadable[] = { "idVendor", "05ac\n", "idProduct", "1227\n", NULL };

static void watch(sd_event *event, struct seen *seen)
{
	const struct sighting *first = &seen->sighting[0];

	run(event);
	/* what is plugged in already; the keyboard is none of ours */
	assert_int_equal(seen->count, 1);
	assert_int_equal(seen->change[0], SIGHTING_APPEARED);
	assert_string_equal(first->syspath, DEVICES "/1-2");
	assert_string_equal(first->port, "1-2");
	assert_int_equal(first->bus, 1);
	assert_int_equal(first->address, 5);
	assert_int_equal(first->vid, 0x05ac);
	assert_int_equal(first->pid, 0x12a8);
	assert_int_equal(first->speed_mbps, 480);
	assert_int_equal(first->configuration, 0);
	assert_int_equal(first->max_power_ma, 0);
	assert_int_equal(first->usb_version, 0x0210);
	assert_string_equal(first->interfaces, "");
	assert_string_equal(first->serial, "00008110001C20223E29401E");
	assert_string_equal(first->product, "iPhone \xef\xbf\xbd");
	/* udev repeats itself: nothing; a configuration: changed */
	say("add", "1-2");
	run(event);
	assert_int_equal(seen->count, 1);
	write_file(DEVICES "/1-2", "bConfigurationValue", "4\n");
	say("bind", "1-2");
	run(event);
	assert_int_equal(seen->count, 2);
	assert_int_equal(seen->change[1], SIGHTING_CHANGED);
	assert_int_equal(seen->sighting[1].configuration, 4);
	assert_string_equal(seen->sighting[1].interfaces, "");
	/* usbmuxd chose it: the kernel tells of nothing but the interfaces */
	write_file(DEVICES "/1-2", "bMaxPower", "500mA\n");
	plug_interface("1-2", "4.0", "06/01/01");
	plug_interface("1-2", "4.1", "ff/fe/02");
	plug_interface("1-2", "3.2", "03/00/00"); /* of the configuration before */
	say_of("add", "1-2/1-2:4.0", "usb_interface");
	say_of("add", "1-2/1-2:4.1", "usb_interface");
	say_of("bind", "1-2/1-2:4.1", "usb_interface");
	say_of("remove", "1-2/1-2:3.2", "usb_interface");
	run(event);
	assert_int_equal(seen->count, 3);
	assert_int_equal(seen->change[2], SIGHTING_CHANGED);
	assert_int_equal(seen->sighting[2].max_power_ma, 500);
	assert_string_equal(seen->sighting[2].interfaces, "06/01/01 ff/fe/02");
	/* unbind says nothing, remove what was known */
	unplug("1-2");
	say("unbind", "1-2");
	say("remove", "1-2");
	say("remove", "1-2");
	run(event);
	assert_int_equal(seen->count, 4);
	assert_int_equal(seen->change[3], SIGHTING_GONE);
	assert_string_equal(seen->sighting[3].serial, "00008110001C20223E29401E");
}

static void watch_more(sd_event *event, struct seen *seen)
{
	/* a newcomer behind a hub, told twice */
	plug("1-2.4", 5, recovery);
	say("add", "1-2.4");
	say("bind", "1-2.4");
	run(event);
	assert_int_equal(seen->count, 5);
	assert_int_equal(seen->sighting[4].hub_depth, 1);
	assert_int_equal(seen->sighting[4].speed_mbps, 1);
	assert_string_equal(seen->sighting[4].serial, "CPID:8110 ECID:1");
	assert_string_equal(seen->sighting[4].product, "");
	/* another enumeration at the port whose leaving was not told */
	write_file(DEVICES "/1-2.4", "devnum", "9\n");
	say("add", "1-2.4");
	run(event);
	assert_int_equal(seen->count, 7);
	assert_int_equal(seen->change[5], SIGHTING_GONE);
	assert_int_equal(seen->change[6], SIGHTING_APPEARED);
	assert_int_equal(seen->sighting[6].address, 9);
	/* one that cannot be read at add is read at bind */
	plug("1-3", 9, unreadable);
	say("add", "1-3");
	run(event);
	assert_int_equal(seen->count, 7);
	write_file(DEVICES "/1-3", "busnum", "1\n");
	write_file(DEVICES "/1-3", "devnum", "10\n");
	say("bind", "1-3");
	run(event);
	assert_int_equal(seen->count, 8);
	assert_int_equal(seen->change[7], SIGHTING_APPEARED);
	assert_int_equal(seen->sighting[7].pid, 0x1227);
}

static void test_monitor(void **state)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	_cleanup_(bus_monitor_freep) struct bus_monitor *monitor = NULL;
	struct seen *seen = calloc(1, sizeof(*seen));

	assert_non_null(seen);
	make_own_world();
	plug("1-2", 4, phone);
	plug("1-9", 6, keyboard);
	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(bus_monitor_new(event, note, seen, &monitor), 0);
	assert_int_equal(seen->count, 0); /* only from the loop */
	watch(event, seen);
	watch_more(event, seen);
	free(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_table_flood),
		cmocka_unit_test(test_monitor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
