/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A sighting is one enumeration of one Apple device on the bus: what the kernel read when it was
 * plugged in. The same phone gives a new sighting each time it re-enumerates. Only sysfs is read;
 * nothing is sent to the phone.
 */
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-json.h>

enum {
	SIGHTING_PATH_BYTES = 256,
	SIGHTING_PORT_BYTES = 32,
	/* A string descriptor holds at most 126 UTF-16 units, each at most 3 bytes of UTF-8. */
	SIGHTING_STRING_BYTES = 126 * 3 + 1,
	/* Seven triples "06/01/01" with spaces between; a phone has at most six. */
	SIGHTING_INTERFACES_BYTES = 64,
};

enum { USB_VENDOR_APPLE = 0x05ac };

struct sighting {
	char syspath[SIGHTING_PATH_BYTES]; /* key of one enumeration while it lasts:
					      "/sys/devices/…/1-2.3" */
	char port[SIGHTING_PORT_BYTES];    /* kernel's name of the port: bus-port.port…, "1-2.3" */
	unsigned bus;                      /* USB bus number */
	unsigned address;                  /* USB address, 1…127; with bus it is the device node */
	uint16_t vid, pid;
	unsigned speed_mbps;    /* 1 (low speed, 1.5), 12, 480, 5000 …; 0 unknown */
	unsigned hub_depth;     /* hubs between the phone and the PC's root port */
	unsigned configuration; /* active configuration value, 0 none */
	unsigned max_power_ma;  /* what that configuration may draw, 0 unknown */
	uint16_t usb_version;   /* USB version it claims, BCD: 0x0210; 0 unknown */
	/* class/subclass/protocol of the interfaces of that configuration, in their order, in
	   lower-case hex: "06/01/01 ff/fe/02"; "" unknown or none yet */
	char interfaces[SIGHTING_INTERFACES_BYTES];
	char serial[SIGHTING_STRING_BYTES];       /* iSerial, valid UTF-8, "" if none */
	char product[SIGHTING_STRING_BYTES];      /* iProduct, the same */
	char manufacturer[SIGHTING_STRING_BYTES]; /* iManufacturer, the same */
};

enum sighting_change {
	SIGHTING_APPEARED, /* a new enumeration */
	SIGHTING_CHANGED,  /* the same enumeration, an attribute changed (configuration, driver) */
	SIGHTING_GONE,     /* it left the bus; only syspath and port are certain */
	SIGHTING_CHANGE_MAX,
};

/* One change on the bus; `sighting` is borrowed for the call. */
typedef void (*sighting_fn)(enum sighting_change change, const struct sighting *sighting,
			    void *user);

/*
 * Hubs between the port and the root port, from the port's name: "1-2" is 0, "1-2.3" is 1.
 * Returns 0 or -EINVAL for a name that is not a port's.
 */
int sighting_hub_depth(const char *port, unsigned *ret);

/*
 * The line of a tape: {"v":1,"type":"sighting","change":"appeared","syspath":…}. Field names are
 * those of the struct; vid, pid and usb_version are "0x05ac". The same object is what a tape is
 * replayed from: syspath and port must be there, without "gone" also vid, pid, bus and address;
 * fields that we do not know are skipped, hub_depth is computed from the port. A value of the wrong
 * type or beyond its ceiling makes -EBADMSG, and nothing is written.
 */
int sighting_to_json(enum sighting_change change, const struct sighting *sighting,
		     sd_json_variant **ret);
int sighting_from_json(sd_json_variant *object, enum sighting_change *ret_change,
		       struct sighting *ret_sighting);

const char *sighting_change_name(enum sighting_change change); /* "appeared", "changed", "gone" */
