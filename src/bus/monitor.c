/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns udev's monitor, the table of what is on the bus, and a one-shot source for the first look.
 *
 *   udevd ──▶ sd_device_monitor ──▶ look again / left ──▶ table ──▶ appeared, changed, gone
 *             first look (once) ──▶ look again ─────────────┘
 *
 * The monitor starts before the first look, so nothing that is plugged in between is missed; seen
 * by both, the table reports it once. udev speaks of one plug-in twice (add, then bind): whatever
 * could not be read at add is read at bind, nothing is polled.
 */
#include "bus/monitor.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "bus/table.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-device.h>

/* A hub with twenty phones that all re-enumerate is a burst of some hundred messages of 1 KiB. */
enum { RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024 };
/* Interfaces are numbered from 0; the phone with most has six. "06/01/01 " each. */
enum { INTERFACES_MAX = 16, INTERFACE_CHARS = 9 };

struct bus_monitor {
	sd_device_monitor *monitor;
	sd_event_source *first_look;
	struct bus_table *table;
};

/* A decimal attribute; "1.5" (low speed) is read as 1, "500mA" as 500. */
static int read_decimal(sd_device *device, const char *name, unsigned *ret)
{
	const char *text;
	char *end;
	unsigned long value;
	int r;

	r = sd_device_get_sysattr_value(device, name, &text);
	if (r < 0)
		return r;
	if (*text < '0' || *text > '9')
		return -EINVAL;
	value = strtoul(text, &end, 10);
	if (value > INT32_MAX || (*end != '\0' && *end != '.' && strcmp(end, "mA") != 0))
		return -EINVAL;
	*ret = (unsigned)value;
	return 0;
}

static int read_id(sd_device *device, const char *name, uint16_t *ret)
{
	const char *text;
	uint64_t value;
	int r;

	r = sd_device_get_sysattr_value(device, name, &text);
	if (r < 0)
		return r;
	if (text_parse_hex(text, strlen(text), &value) < 0 || value > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)value;
	return 0;
}

/* "version" is the BCD of bcdUSB as text: " 2.10" is 0x0210 */
static void read_version(sd_device *device, uint16_t *ret)
{
	uint64_t major, minor;
	const char *text, *dot;

	if (sd_device_get_sysattr_value(device, "version", &text) < 0)
		return;
	text += strspn(text, " ");
	dot = strchr(text, '.');
	if (dot && text_parse_hex(text, (size_t)(dot - text), &major) >= 0 &&
	    text_parse_hex(dot + 1, strlen(dot + 1), &minor) >= 0 && major <= UINT8_MAX &&
	    minor <= UINT8_MAX)
		*ret = (uint16_t)(major << 8 | minor);
}

/* One byte of an interface's descriptor; false if there is no such interface. */
static bool read_interface_byte(sd_device *device, const char *interface, const char *name,
				unsigned *ret)
{
	char path[SIGHTING_PORT_BYTES + 64];
	const char *text;
	uint64_t value;

	snprintf(path, sizeof(path), "%s/%s", interface, name);
	if (sd_device_get_sysattr_value(device, path, &text) < 0 ||
	    text_parse_hex(text, strlen(text), &value) < 0 || value > UINT8_MAX)
		return false;
	*ret = (unsigned)value;
	return true;
}

/* The interfaces of the active configuration. They come after the device and go when another
 * configuration is chosen: what is read is what is there now. */
static void read_interfaces(sd_device *device, struct sighting *sighting)
{
	size_t used = 0;

	for (unsigned i = 0; i < INTERFACES_MAX; i++) {
		unsigned class, subclass, protocol;
		char name[SIGHTING_PORT_BYTES + 32];

		snprintf(name, sizeof(name), "%s:%u.%u", sighting->port, sighting->configuration,
			 i);
		if (!read_interface_byte(device, name, "bInterfaceClass", &class) ||
		    !read_interface_byte(device, name, "bInterfaceSubClass", &subclass) ||
		    !read_interface_byte(device, name, "bInterfaceProtocol", &protocol))
			continue;
		if (used + INTERFACE_CHARS >= sizeof(sighting->interfaces))
			return;
		used += (size_t)snprintf(sighting->interfaces + used,
					 sizeof(sighting->interfaces) - used, "%s%02x/%02x/%02x",
					 used ? " " : "", class, subclass, protocol);
	}
}

/* A string descriptor is the phone's own text; a device without it has no such attribute. */
static void read_string(sd_device *device, const char *name, char *ret, size_t ret_bytes)
{
	const char *text;

	/* not …_with_size(): that one keeps sysfs' newline */
	if (sd_device_get_sysattr_value(device, name, &text) >= 0)
		text_copy(ret, ret_bytes, text);
}

/* Reads what the kernel knows of the device. Returns 0, -ENOENT if that is not there (yet, or any
 * more), -EINVAL if it makes no sense. */
static int read_sighting(sd_device *device, struct sighting *ret)
{
	struct sighting out = { 0 };
	const char *syspath, *sysname;
	int r;

	r = sd_device_get_syspath(device, &syspath);
	if (r < 0)
		return r;
	r = sd_device_get_sysname(device, &sysname);
	if (r < 0)
		return r;
	if (strlen(syspath) >= sizeof(out.syspath) ||
	    sighting_hub_depth(sysname, &out.hub_depth) < 0)
		return -EINVAL;
	text_copy(out.syspath, sizeof(out.syspath), syspath);
	text_copy(out.port, sizeof(out.port), sysname);
	if ((r = read_id(device, "idVendor", &out.vid)) < 0 ||
	    (r = read_id(device, "idProduct", &out.pid)) < 0 ||
	    (r = read_decimal(device, "busnum", &out.bus)) < 0 ||
	    (r = read_decimal(device, "devnum", &out.address)) < 0)
		return r;
	/* "unknown" and an empty value (not configured) stay 0 */
	(void)read_decimal(device, "speed", &out.speed_mbps);
	(void)read_decimal(device, "bConfigurationValue", &out.configuration);
	/* "500mA" */
	(void)read_decimal(device, "bMaxPower", &out.max_power_ma);
	read_version(device, &out.usb_version);
	read_interfaces(device, &out);
	read_string(device, "serial", out.serial, sizeof(out.serial));
	read_string(device, "product", out.product, sizeof(out.product));
	read_string(device, "manufacturer", out.manufacturer, sizeof(out.manufacturer));
	*ret = out;
	return 0;
}

static void look_at(struct bus_monitor *monitor, sd_device *device)
{
	struct sighting sighting;
	uint16_t vid;
	int r;

	/* Before anything else: hubs, root hubs and keyboards are none of our business. */
	if (read_id(device, "idVendor", &vid) < 0 || vid != USB_VENDOR_APPLE)
		return;
	r = read_sighting(device, &sighting);
	if (r < 0) {
		const char *syspath = "?";

		(void)sd_device_get_syspath(device, &syspath);
		log_info("cannot read %s yet: %s; its next message is awaited", syspath,
			 strerror(-r));
		return;
	}
	bus_table_look(monitor->table, &sighting);
}

/* A configuration was chosen, by the kernel or by usbmuxd: the kernel says so by nothing else than
 * the interfaces that come with it. */
static int on_interface(struct bus_monitor *monitor, sd_device *interface,
			sd_device_action_t action)
{
	sd_device *device;

	if (action == SD_DEVICE_ADD && sd_device_get_parent(interface, &device) >= 0)
		look_at(monitor, device);
	return 0;
}

static int on_uevent(sd_device_monitor *m, sd_device *device, void *user)
{
	struct bus_monitor *monitor = user;
	sd_device_action_t action;
	const char *syspath, *devtype;

	if (sd_device_get_action(device, &action) < 0 ||
	    sd_device_get_syspath(device, &syspath) < 0 ||
	    sd_device_get_devtype(device, &devtype) < 0)
		return 0;
	if (strcmp(devtype, "usb_interface") == 0)
		return on_interface(monitor, device, action);
	if (action == SD_DEVICE_REMOVE)
		bus_table_leave(monitor->table, syspath);
	else if (action != SD_DEVICE_UNBIND) /* its attributes are hidden; remove or bind follows */
		look_at(monitor, device);
	return 0;
}

static int enumerate(struct bus_monitor *monitor)
{
	_cleanup_(sd_device_enumerator_unrefp) sd_device_enumerator *enumerator = NULL;
	int r;

	r = sd_device_enumerator_new(&enumerator);
	if (r < 0)
		return r;
	r = sd_device_enumerator_add_match_subsystem(enumerator, "usb", 1);
	if (r < 0)
		return r;
	r = sd_device_enumerator_add_match_property(enumerator, "DEVTYPE", "usb_device");
	if (r < 0)
		return r;
	for (sd_device *device = sd_device_enumerator_get_device_first(enumerator); device;
	     device = sd_device_enumerator_get_device_next(enumerator))
		look_at(monitor, device);
	return 0;
}

static int on_first_look(sd_event_source *source, void *user)
{
	int r = enumerate(user);

	if (r < 0)
		log_error("cannot list what is plugged in already: %s", strerror(-r));
	return 0;
}

static int start_monitor(struct bus_monitor *monitor, sd_event *event)
{
	int r;

	r = sd_device_monitor_new(&monitor->monitor);
	if (r < 0)
		return r;
	r = sd_device_monitor_filter_add_match_subsystem_devtype(monitor->monitor, "usb",
								 "usb_device");
	if (r < 0)
		return r;
	r = sd_device_monitor_filter_add_match_subsystem_devtype(monitor->monitor, "usb",
								 "usb_interface");
	if (r < 0)
		return r;
	r = sd_device_monitor_set_receive_buffer_size(monitor->monitor, RECEIVE_BUFFER_BYTES);
	if (r < 0)
		log_debug("receive buffer of the device monitor stays small: %s", strerror(-r));
	r = sd_device_monitor_attach_event(monitor->monitor, event);
	if (r < 0)
		return r;
	return sd_device_monitor_start(monitor->monitor, on_uevent, monitor);
}

int bus_monitor_new(sd_event *event, sighting_fn fn, void *user, struct bus_monitor **ret)
{
	_cleanup_(bus_monitor_freep) struct bus_monitor *monitor = calloc(1, sizeof(*monitor));
	int r;

	if (!monitor)
		return -ENOMEM;
	r = bus_table_new(fn, user, &monitor->table);
	if (r < 0)
		return r;
	r = start_monitor(monitor, event);
	if (r < 0)
		return r;
	r = sd_event_add_defer(event, &monitor->first_look, on_first_look, monitor);
	if (r < 0)
		return r;
	r = sd_event_source_set_priority(monitor->first_look, SD_EVENT_PRIORITY_IMPORTANT);
	if (r < 0)
		return r;
	*ret = TAKE(monitor);
	return 0;
}

struct bus_monitor *bus_monitor_free(struct bus_monitor *monitor)
{
	if (!monitor)
		return NULL;
	sd_event_source_disable_unref(monitor->first_look);
	sd_device_monitor_unref(monitor->monitor);
	bus_table_free(monitor->table);
	free(monitor);
	return NULL;
}
