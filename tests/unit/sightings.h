/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Sightings as the kernel would read them, for tests. */
#include "bus/sighting.h"
#include <stdio.h>

enum {
	PID_RECOVERY = 0x1281,
	PID_DFU = 0x1227,
	PID_NORMAL = 0x12a8,
	PID_DEBUG_USB = 0x1881,
	PID_PORT_DFU = 0xf014,
};

/* Two handsets of the new kind (UDID carries the ECID) and one of the old. */
#define ECID_A   0x001C20223E29401EULL
#define UDID_A   "00008110-001C20223E29401E"
#define NORMAL_A "00008110001C20223E29401E"
#define RECOVERY_A                                                                                 \
	"SDOM:01 CPID:8110 CPRV:11 CPFM:03 SCEP:01 BDID:0A ECID:001C20223E29401E IBFL:3D "         \
	"SRNM:[F4HVWWZGJC67]"
#define DFU_A                                                                                      \
	"SDOM:01 CPID:8110 CPRV:11 CPFM:03 SCEP:01 BDID:0A ECID:001C20223E29401E IBFL:3C "         \
	"SRTG:[iBoot-6338.0.0.200.19]"
#define PORT_DFU_A "CPID:A012 CPRV:10 BDID:0A811000 ECID:00000000DEADBEEF"
#define ECID_B     0x000A1B2C3D000726ULL
#define UDID_B     "00008101-000A1B2C3D000726"
#define NORMAL_B   "00008101000A1B2C3D000726"
#define RECOVERY_B "CPID:8101 CPRV:11 CPFM:03 SCEP:01 BDID:0C ECID:000A1B2C3D000726 IBFL:3D"
#define ECID_OLD   0x000001B64E95FE34ULL
#define UDID_OLD   "0123456789abcdef0123456789abcdef01234567"
#define RECOVERY_OLD                                                                               \
	"CPID:8960 CPRV:11 CPFM:03 SCEP:01 BDID:02 ECID:000001B64E95FE34 IBFL:1D "                 \
	"SRNM:[F93NL09KFRC6]"

static inline struct sighting sighting_make(const char *port, unsigned address, uint16_t pid,
					    const char *serial)
{
	struct sighting sighting = {
		.bus = 1,
		.address = address,
		.vid = USB_VENDOR_APPLE,
		.pid = pid,
		.speed_mbps = 480,
		.configuration = 1,
		.product = "iPhone",
		.manufacturer = "Apple Inc.",
	};

	snprintf(sighting.syspath, sizeof(sighting.syspath), "/sys/devices/usb1/%s", port);
	snprintf(sighting.port, sizeof(sighting.port), "%s", port);
	snprintf(sighting.serial, sizeof(sighting.serial), "%s", serial);
	(void)sighting_hub_depth(port, &sighting.hub_depth);
	return sighting;
}
